//! Phone numbers in the data files of a masked run: `138****5678`, or a token that joins. Pure.
//!
//! What is masked: the four number columns; `expected` and `actual`; the texts that come from ledger and provider (carried
//! columns, `call_id`, `state`, `state_desc`, error texts, messages) wherever one of the row's own numbers stands in them, or
//! what looks like a phone number. `raw` is left out: JSON can spell a digit in too many ways to be sure of all.

use std::borrow::Cow;

use compact_str::CompactString;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

use reconcile_core::detail::CallDetail;
use reconcile_core::discrepancy::{Discrepancy, DiscrepancyRow};
use reconcile_core::ledger_row::{Expected, LedgerRow};
use reconcile_core::lookup::Lookup;
use reconcile_core::phone::{NUMBER_FIELDS, mask_number, normalize_number};

/// How phone numbers stand in the data files.
#[derive(Clone, Default)]
pub enum MaskPhones {
    /// In full.
    #[default]
    None,
    /// `138****5678`.
    Partial,
    /// A keyed token: equal for equal numbers under the same key, whatever their spelling.
    Token(TokenKey),
}

/// A secret key for tokens.
#[derive(Clone)]
pub struct TokenKey {
    mac: Hmac<Sha256>,
    id: String,
}

impl TokenKey {
    /// A key has at least so many bytes.
    pub const BYTES_AT_LEAST: usize = 16;

    /// From the key's bytes; `None` when they are too few.
    #[must_use]
    pub fn new(key: &[u8]) -> Option<Self> {
        if key.len() < Self::BYTES_AT_LEAST {
            return None;
        }
        let digest = Sha256::new().chain_update(b"reconcile mask key\0").chain_update(key).finalize();
        let mac = Hmac::new_from_slice(key).ok()?;
        Some(Self { mac, id: hex(&digest[..8]) })
    }

    /// 128 bits of HMAC-SHA256 over the number as it is compared.
    fn token(&self, bare: &str) -> String {
        let code = self.mac.clone().chain_update(bare).finalize().into_bytes();
        format!("tok_{}", hex(&code[..16]))
    }
}

/// A key is never shown, only its id.
impl std::fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TokenKey({})", self.id)
    }
}

impl std::fmt::Debug for MaskPhones {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

impl MaskPhones {
    /// Whether anything is masked.
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

    /// Which key made the tokens: the same id, the same tokens.
    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        if let Self::Token(key) = self { Some(&key.id) } else { None }
    }

    /// A number that is one as a whole.
    fn whole(&self, value: &str) -> String {
        let bare = normalize_number(value);
        match self {
            Self::None => value.to_owned(),
            Self::Partial => mask_number(&bare),
            // What has no digit, such as a hidden caller, is told apart by its text.
            Self::Token(key) => {
                key.token(Some(digits(value)).filter(|d| !d.is_empty()).as_deref().unwrap_or(&bare))
            }
        }
    }

    /// A text in which numbers may stand; `own` are those of its row.
    fn text(&self, value: &str, own: &[String]) -> String {
        let mut masked = String::with_capacity(value.len());
        let mut at = 0;
        for (from, to) in numbers_in(value, own) {
            masked.push_str(&value[at..from]);
            masked.push_str(&self.whole(&digits(&value[from..to])));
            at = to;
        }
        masked + &value[at..]
    }

    /// What the details say of a call.
    pub(super) fn call<'a>(
        &self,
        row: &'a LedgerRow,
        lookup: &'a Lookup,
    ) -> (Cow<'a, LedgerRow>, Cow<'a, Lookup>) {
        if matches!(self, Self::None) {
            return (Cow::Borrowed(row), Cow::Borrowed(lookup));
        }
        let own = own_numbers(&row.expected, lookup.detail.as_ref());
        let (mut row, mut lookup) = (row.clone(), lookup.clone());
        let text = |value: &mut CompactString| *value = self.text(value, &own).into();
        row.key.call_id = self.text(&row.key.call_id, &[]);
        row.carried.iter_mut().for_each(text);
        lookup.raw = None;
        if let Some(failure) = &mut lookup.failure {
            text(&mut failure.code);
            text(&mut failure.message);
        }
        if let Some(detail) = &mut lookup.detail {
            let numbers = [
                &mut detail.caller,
                &mut detail.callee,
                &mut detail.caller_show_number,
                &mut detail.callee_show_number,
            ];
            numbers.into_iter().flatten().for_each(|value| *value = self.whole(value).into());
            [&mut detail.state, &mut detail.state_desc].into_iter().flatten().for_each(text);
        }
        (Cow::Owned(row), Cow::Owned(lookup))
    }

    /// What the discrepancy file says.
    pub(super) fn discrepancy<'a>(&self, row: &'a DiscrepancyRow) -> Cow<'a, DiscrepancyRow> {
        if matches!(self, Self::None) {
            return Cow::Borrowed(row);
        }
        let mut row = row.clone();
        let own = std::mem::take(&mut row.own_numbers);
        let text = |value: &str| self.text(value, &own);
        let is_number = NUMBER_FIELDS.contains(&row.what.field.as_str());
        let value = |v: &Option<CompactString>| {
            v.as_ref().map(|v| if is_number { self.whole(v).into() } else { text(v).into() })
        };
        row.what = Discrepancy {
            expected: value(&row.what.expected),
            actual: value(&row.what.actual),
            message: text(&row.what.message),
            ..row.what
        };
        // As in the details, whichever row of the ledger names the call.
        row.call_id = row.call_id.as_deref().map(|id| self.text(id, &[]));
        row.carried.iter_mut().for_each(|value| *value = text(value).into());
        Cow::Owned(row)
    }
}

/// The digits of all numbers that ledger and provider give for a call.
pub fn own_numbers(expected: &Expected, detail: Option<&CallDetail>) -> Vec<String> {
    let e = expected;
    let ledger = [&e.caller, &e.callee, &e.caller_show_number, &e.callee_show_number];
    let provider =
        detail.into_iter().flat_map(|d| [&d.caller, &d.callee, &d.caller_show_number, &d.callee_show_number]);
    let mut own: Vec<String> =
        ledger.into_iter().chain(provider).flatten().map(|text| digits(text)).collect();
    own.retain(|digits| digits.len() >= SHORTEST);
    own
}

/// A number of fewer digits is no phone number but an extension; within texts it would hide every price.
const SHORTEST: usize = 5;
/// Between the digits of a number stand at most so many other signs.
const SIGNS_AT_MOST: usize = 3;

/// A number's digits alone, in ASCII, without the country code of a mobile number.
fn digits(text: &str) -> String {
    normalize_number(&text.chars().filter_map(digit).collect::<String>())
}

/// ASCII and full-width digits.
fn digit(c: char) -> Option<char> {
    match c {
        '0'..='9' => Some(c),
        '\u{ff10}'..='\u{ff19}' => char::from_digit(u32::from(c) - 0xff10, 10),
        _ => None,
    }
}

/// A digit of a text.
struct Digit {
    from: usize,
    to: usize,
    value: u8,
    /// No other digit stands right before it: a number may begin here, and one before it ends.
    first: bool,
}

/// The numbers in a text, as ranges of bytes: own ones wherever they stand, others where they look like one.
fn numbers_in(text: &str, own: &[String]) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    for run in runs(text) {
        let digits: Vec<u8> = run.iter().map(|d| d.value).collect();
        let mut at = 0;
        while at < run.len() {
            let length = own_at(&digits, &run, at, own).or_else(|| phone_at(text, &digits, &run, at));
            if let Some(length) = length {
                let plus = ['+', '＋'].into_iter().find(|plus| text[..run[at].from].ends_with(*plus));
                found.push((run[at].from - plus.map_or(0, char::len_utf8), run[at + length - 1].to));
            }
            at += length.unwrap_or(1);
        }
    }
    found
}

/// Digits with no more than a few signs between them, each.
fn runs(text: &str) -> Vec<Vec<Digit>> {
    let mut runs: Vec<Vec<Digit>> = Vec::new();
    let mut signs = SIGNS_AT_MOST + 1;
    for (from, c) in text.char_indices() {
        let Some(value) = digit(c).and_then(|c| u8::try_from(c).ok()) else {
            // A letter ends a number, and so does what parts a time or a list.
            signs +=
                if c.is_alphanumeric() || matches!(c, ':' | ',' | ';' | '^') { SIGNS_AT_MOST + 1 } else { 1 };
            continue;
        };
        let digit = Digit { from, to: from + c.len_utf8(), value, first: signs > 0 };
        match runs.last_mut().filter(|_| signs <= SIGNS_AT_MOST) {
            Some(run) => run.push(digit),
            None => runs.push(vec![digit]),
        }
        signs = 0;
    }
    runs
}

/// The longest of the row's own numbers that stands here. A short one must stand by itself.
fn own_at(digits: &[u8], run: &[Digit], at: usize, own: &[String]) -> Option<usize> {
    let here = |number: &&String| {
        let alone = || run[at].first && run.get(at + number.len()).is_none_or(|next| next.first);
        digits[at..].starts_with(number.as_bytes()) && (number.len() >= 7 || alone())
    };
    own.iter().filter(here).map(String::len).max()
}

/// How many digits from here on look like a phone number that ends where a group ends: a mainland mobile one with or without
/// 86, one with its area code, 400 and 800, or an international one.
fn phone_at(text: &str, digits: &[u8], run: &[Digit], at: usize) -> Option<usize> {
    if !run[at].first {
        return None;
    }
    let ends = |length: &usize| run.get(at + length).is_none_or(|next| next.first);
    let plus = text[..run[at].from].ends_with(['+', '＋']);
    let looks = |length: &usize| {
        let n = &digits[at..at + length];
        match n {
            [b'8', b'6', b'1', ..] if *length == 13 => true,
            [b'0', b'0', b'8', b'6', b'1', ..] if *length == 15 => true,
            [b'1', ..] if *length == 11 => true,
            [b'4' | b'8', b'0', b'0', ..] if *length == 10 => true,
            [b'0', b'0', ..] => (10..=17).contains(length),
            [b'0', ..] => (10..=13).contains(length),
            _ => plus && (8..=15).contains(length),
        }
    };
    let longest = (digits.len() - at).min(17);
    (8..=longest).rev().find(|length| ends(length) && looks(length))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn partial(text: &str, own: &[&str]) -> String {
        MaskPhones::Partial.text(text, &own.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    fn token() -> MaskPhones {
        MaskPhones::Token(TokenKey::new(b"0123456789abcdef").unwrap())
    }

    #[test]
    fn what_looks_like_a_phone_number_is_masked_in_any_text() {
        for (text, masked) in [
            ("13812345678", "138****5678"),
            ("call +86 138-1234-5678 back", "call 138****5678 back"),
            ("(0086)13812345678.", "(138****5678."),
            ("0571-88886666", "057*****6666"),
            ("2026-11-16 13812345678", "2026-11-16 138****5678"),
            ("138 1234 5678 or 139.1234.5678", "138****5678 or 139****5678"),
            ("１３８１２３４５６７８", "138****5678"),
            ("ORD13812345678X", "ORD138****5678X"),
            ("+1 (415) 555-2671", "141****2671"),
            ("400-810-1234", "400***1234"),
        ] {
            assert_eq!(partial(text, &[]), masked);
        }
    }

    #[test]
    fn what_is_no_phone_number_stays() {
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
    fn the_rows_own_numbers_are_masked_wherever_they_stand() {
        assert_eq!(partial("20261116138123456789", &["13812345678"]), "20261116138****56789");
        assert_eq!(partial("88886666", &["88886666"]), "******66");
        assert_eq!(partial("ext. 95187, price 1951870", &["95187"]), "ext. ***87, price 1951870");
    }

    #[test]
    fn a_token_joins_across_spellings_and_nights_and_not_across_keys() {
        let one = token().whole("+86 138-1234-5678");
        assert_eq!(one, token().whole("13812345678"));
        assert_eq!(one, token().text("13812345678", &[]));
        assert_ne!(one, token().whole("13812345679"));
        assert!(one.starts_with("tok_") && one.len() == 36, "{one}");
        let other = MaskPhones::Token(TokenKey::new(b"0123456789abcdeX").unwrap());
        assert_ne!(one, other.whole("13812345678"));
        assert_ne!(token().key_id(), other.key_id());
        assert!(TokenKey::new(b"0123456789abcde").is_none());
        let shown = format!("{:?} {:?}", token(), TokenKey::new(b"0123456789abcdef"));
        assert!(!shown.contains("0123456789abcdef"), "{shown}");
    }
}
