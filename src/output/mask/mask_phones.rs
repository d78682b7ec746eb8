//! Masks phone numbers in the data files, as `138****5678` or as a token. Pure.
//!
//! The four number columns are masked, and `expected` and `actual`. In texts, the row's own numbers
//! are masked, and everything that looks like a phone number. Such texts are `call_id`, `state`,
//! `state_desc`, error texts, messages, reasons of decisions and the carried columns. `raw` is left
//! out: JSON can spell a digit in more ways than can be searched reliably.

use std::borrow::Cow;

use compact_str::CompactString;

use super::token_key::TokenKey;
use reconcile_core::detail::CallDetail;
use reconcile_core::discrepancy::{Discrepancy, DiscrepancyRow};
use reconcile_core::ledger_row::{Expected, LedgerRow};
use reconcile_core::message::Message;
use reconcile_core::phone::{self, MIN_DIGITS, digits_of, numbers_in};
use reconcile_core::status::Lookup;

/// How the data files show phone numbers.
#[derive(Clone, Default)]
pub enum MaskPhones {
    /// In full.
    #[default]
    None,
    /// `138****5678`.
    Partial,
    /// As a token. Equal numbers give equal tokens under one key, in any spelling.
    Token(TokenKey),
}

impl std::fmt::Debug for MaskPhones {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl MaskPhones {
    /// Whether phone numbers are masked.
    #[must_use]
    pub fn is_on(&self) -> bool {
        !matches!(self, Self::None)
    }

    /// The word on the command line.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Partial => "partial",
            Self::Token(_) => "token",
        }
    }

    /// Id of the key that makes the tokens. Equal ids mean equal tokens.
    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        if let Self::Token(key) = self { Some(key.id()) } else { None }
    }

    /// Masks a value that is one number.
    fn mask_number(&self, value: &str) -> String {
        let normalized = phone::normalize_number(value);
        match self {
            Self::None => value.to_owned(),
            Self::Partial => phone::mask_number(&normalized),
            Self::Token(key) => {
                let digits = digits_of(value);
                // Values without a digit, such as a hidden caller, get a token of their text.
                key.token(if digits.is_empty() { &normalized } else { &digits })
            }
        }
    }

    /// Masks the numbers in a text; `known` are the numbers of its row.
    fn mask_text(&self, text: &str, known: &[String]) -> String {
        let mut masked = String::with_capacity(text.len());
        let mut at = 0;
        for number in numbers_in(text, known) {
            masked.push_str(&text[at..number.range.start]);
            masked.push_str(&self.mask_number(&number.digits));
            at = number.range.end;
        }
        masked + &text[at..]
    }

    /// Masks the value of a field; `known` are the numbers of its row.
    pub(crate) fn text(&self, field: &str, value: &str, known: &[String]) -> String {
        match self {
            Self::None => value.to_owned(),
            _ if phone::NUMBER_FIELDS.contains(&field) => self.mask_number(value),
            _ => self.mask_text(value, known),
        }
    }

    /// A call with its numbers masked, for the details.
    pub(crate) fn mask_call<'a>(
        &self,
        row: &'a LedgerRow,
        lookup: &'a Lookup,
    ) -> (Cow<'a, LedgerRow>, Cow<'a, Lookup>) {
        if !self.is_on() {
            return (Cow::Borrowed(row), Cow::Borrowed(lookup));
        }
        let known = own_numbers(&row.expected, lookup.detail.as_ref());
        let (mut row, mut lookup) = (row.clone(), lookup.clone());
        let mask_text = |value: &mut CompactString| *value = self.mask_text(value, &known).into();
        row.key.call_id = self.mask_text(&row.key.call_id, &[]);
        row.carried.iter_mut().for_each(mask_text);
        lookup.raw = None;
        if let Some(failure) = &mut lookup.failure {
            mask_text(&mut failure.code);
            mask_text(&mut failure.message);
        }
        if let Some(detail) = &mut lookup.detail {
            let numbers = [
                &mut detail.caller,
                &mut detail.callee,
                &mut detail.caller_show_number,
                &mut detail.callee_show_number,
            ];
            numbers.into_iter().flatten().for_each(|value| *value = self.mask_number(value).into());
            [&mut detail.state, &mut detail.state_desc].into_iter().flatten().for_each(mask_text);
        }
        (Cow::Owned(row), Cow::Owned(lookup))
    }

    /// A row with its numbers masked, for the discrepancy file.
    pub(crate) fn mask_discrepancy<'a>(&self, row: &'a DiscrepancyRow) -> Cow<'a, DiscrepancyRow> {
        if !self.is_on() {
            return Cow::Borrowed(row);
        }
        let mut row = row.clone();
        let known = std::mem::take(&mut row.own_numbers);
        let mask_text = |text: &str| self.mask_text(text, &known);
        let is_number = phone::NUMBER_FIELDS.contains(&row.what.field.as_str());
        let mask_value = |value: &Option<CompactString>| {
            let mask = |v: &CompactString| if is_number { self.mask_number(v) } else { mask_text(v) };
            value.as_ref().map(|v| mask(v).into())
        };
        row.what = Discrepancy {
            expected: mask_value(&row.what.expected),
            actual: mask_value(&row.what.actual),
            message: Message::Masked(mask_text(&row.what.message.to_string()).into()),
            ..row.what
        };
        // Without the row's numbers, as in the details: later rows of a call must give the same id.
        row.call_id = row.call_id.as_deref().map(|id| self.mask_text(id, &[]));
        row.callee = row.callee.as_deref().map(|number| self.mask_number(number).into());
        row.carried.iter_mut().for_each(|value| *value = mask_text(value).into());
        if let Some(resolution) = &mut row.resolution {
            resolution.reason = mask_text(&resolution.reason).into();
        }
        Cow::Owned(row)
    }
}

/// The digits of all numbers that the ledger and the provider give for a call.
pub fn own_numbers(expected: &Expected, detail: Option<&CallDetail>) -> Vec<String> {
    let e = expected;
    let ledger = [&e.caller, &e.callee, &e.caller_show_number, &e.callee_show_number];
    let provider =
        detail.into_iter().flat_map(|d| [&d.caller, &d.callee, &d.caller_show_number, &d.callee_show_number]);
    let numbers = ledger.into_iter().chain(provider).flatten();
    numbers.map(|number| digits_of(number)).filter(|digits| digits.len() >= MIN_DIGITS).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn partial(text: &str, known: &[&str]) -> String {
        let known: Vec<String> = known.iter().map(ToString::to_string).collect();
        MaskPhones::Partial.mask_text(text, &known)
    }

    fn token() -> MaskPhones {
        MaskPhones::Token(TokenKey::new(b"0123456789abcdef").unwrap())
    }

    #[test]
    fn phone_numbers_in_any_text_are_masked() {
        for (text, masked) in [
            ("13812345678", "138****5678"),
            ("call +86 138-1234-5678 back", "call 138****5678 back"),
            ("(0086)13812345678.", "(138****5678."),
            ("0571-88886666", "057*****6666"),
            ("2026-11-16 13812345678", "2026-11-16 138****5678"),
            ("138 1234 5678 or 139.1234.5678", "138****5678 or 139****5678"),
            ("１３８１２３４５６７８", "138****5678"),
            ("138,1234,5678 or 139，1234，5678", "138****5678 or 139****5678"),
            ("138_1234_5678/٠٥٧١٨٨٨٨٦٦٦٦", "138****5678/057*****6666"),
            ("138\u{200b}1234\u{feff}5678", "138****5678"),
            ("13812345678,13912345678,7", "138****5678,139****5678,7"),
            ("0,13812345678", "0,138****5678"),
            (r"\u0031\u0033812345678", "138****5678"),
            ("ORD13812345678X", "ORD138****5678X"),
            ("+1 (415) 555-2671", "141****2671"),
            ("400-810-1234", "400***1234"),
        ] {
            assert_eq!(partial(text, &[]), masked);
        }
    }

    #[test]
    fn equal_numbers_have_one_token_in_every_spelling() {
        let one = token().mask_number("13812345678");
        for spelling in [
            "+86 138-1234-5678",
            "138,1234,5678",
            "１３８１２３４５６７８",
            "١٣٨.١٢٣٤.٥٦٧٨",
            "0086(138)1234\u{200b}5678",
        ] {
            assert_eq!(token().mask_number(spelling), one, "{spelling}");
            assert_eq!(token().mask_text(&format!("a {spelling} b"), &[]), format!("a {one} b"));
        }
    }

    #[test]
    fn other_digits_stay() {
        for text in [
            "",
            "2026-11-16 10:00:05",
            "116014888060^102816313060",
            "1779786101083^1779786101083",
            "11000000300006",
            "CS-10401",
            "12.50",
            "20261116000123",
        ] {
            assert_eq!(partial(text, &["13812345678"]), text);
        }
    }

    #[test]
    fn the_numbers_of_the_row_are_masked_anywhere() {
        assert_eq!(partial("20261116138123456789", &["13812345678"]), "20261116138****56789");
        assert_eq!(partial("88886666", &["88886666"]), "******66");
        assert_eq!(partial("ext. 95187, price 1951870", &["95187"]), "ext. ***87, price 1951870");
    }

    #[test]
    fn equal_numbers_give_equal_tokens_under_one_key() {
        let one = token().mask_number("+86 138-1234-5678");
        assert_eq!(one, token().mask_number("13812345678"));
        assert_eq!(one, token().mask_text("13812345678", &[]));
        assert_ne!(one, token().mask_number("13812345679"));
        assert!(one.starts_with("tok_") && one.len() == 36, "{one}");
        let other = MaskPhones::Token(TokenKey::new(b"0123456789abcdeX").unwrap());
        assert_ne!(one, other.mask_number("13812345678"));
        assert_ne!(token().key_id(), other.key_id());
        assert_eq!(format!("{:?}", token()), "token", "the key is not shown");
    }
}
