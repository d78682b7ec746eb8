//! Replaces phone numbers in what is recorded, and removes what may hold a secret.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use super::exchange::Exchange;
use crate::hex::hex;
use crate::provider::sign;
use reconcile_core::phone::{self, Number, digit_like, digits_of};

/// Replaces phone numbers. The replacements depend on a secret and on the file's salt.
pub(super) struct NumberReplacer(Hmac<Sha256>);

impl NumberReplacer {
    pub(super) fn new(secret: &[u8], salt: &str) -> Option<Self> {
        let key = Hmac::new_from_slice(secret).ok()?;
        Some(Self(key.chain_update("reconcile recording\0").chain_update(salt)))
    }

    fn digest(&self, text: &str) -> [u8; 32] {
        self.0.clone().chain_update([0]).chain_update(text).finalize().into_bytes().into()
    }

    /// The header's `check`.
    pub(super) fn check(&self) -> String {
        hex(&self.digest("check")[..8])
    }

    /// An exchange with its numbers replaced.
    pub(super) fn exchange(&self, mut exchange: Exchange) -> Exchange {
        if let Some(status) = exchange.status {
            let body = self.body(&exchange.call_id, &exchange.body());
            exchange = exchange.answered(status, &body);
        }
        for value in exchange.headers.values_mut() {
            *value = self.with_replaced(value, &phone::numbers_in(value, &[]));
        }
        exchange.call_id = self.call_id(&exchange.call_id);
        exchange
    }

    /// A body with its numbers replaced. A body that is not UTF-8 is read byte by byte: digits have
    /// the same bytes in every charset of the provider.
    fn body(&self, call_id: &str, body: &[u8]) -> Vec<u8> {
        let replaced = |text: &str| self.text(call_id, &without_string_to_sign(text));
        match std::str::from_utf8(body) {
            Ok(text) => replaced(text).into_bytes(),
            Err(_) => bytes_as_text::to_bytes(&replaced(&bytes_as_text::to_text(body))),
        }
    }

    /// A text with its numbers replaced, except the parts of the CallId and of other ids.
    fn text(&self, call_id: &str, text: &str) -> String {
        let mut numbers = phone::all_numbers_in(text);
        numbers.retain(|number| !is_part_of_id(call_id, text, number));
        self.with_replaced(text, &numbers)
    }

    /// A CallId with the mobile numbers replaced that are one of its groups of digits.
    fn call_id(&self, call_id: &str) -> String {
        self.with_replaced(call_id, &phone::mobile_numbers_in(call_id))
    }

    /// The text with other digits in these numbers, each in the script of the digit it replaces.
    fn with_replaced(&self, text: &str, numbers: &[Number]) -> String {
        let mut replaced = String::with_capacity(text.len());
        let mut at = 0;
        for number in numbers {
            let digits = self.replacement(&number.digits).into_bytes();
            let places = number.digit_ranges.iter().zip(&number.spelled);
            for ((range, spelled), digit) in places.zip(digits) {
                replaced.push_str(&text[at..range.start]);
                replaced.push(digit_like(*spelled, digit - b'0'));
                at = range.end;
            }
        }
        replaced + &text[at..]
    }

    /// The digits that replace these. A country code stays.
    fn replacement(&self, digits: &str) -> String {
        let bare = digits_of(digits);
        let prefix = &digits[..digits.len() - bare.len()];
        format!("{prefix}{}", self.invented_number(&bare))
    }

    /// The digits that replace a number. Nobody has this number: real mobile numbers begin with 13
    /// to 19, these with 125. Real local numbers begin neither with 0 nor with 1; these do, after
    /// their area code. A 0 leads only where one led before: JSON has no such numbers.
    fn invented_number(&self, bare: &str) -> String {
        let begin = match bare.as_bytes() {
            [b'1', ..] if bare.len() == 11 => "125".to_owned(),
            [b'0', ..] if bare.len() >= 10 => format!("{}0", &bare[..4]),
            [b'0', ..] => "0".to_owned(),
            _ => "1".to_owned(),
        };
        let digits = self.digest(bare).into_iter().cycle().map(|b| char::from(b'0' + b % 10));
        let length = bare.len().saturating_sub(begin.len());
        begin + &digits.take(length).collect::<String>()
    }
}

/// True for digits of the CallId, and for digits of another id, such as `RequestId`: they are next
/// to letters. A mobile number is part of no id.
fn is_part_of_id(call_id: &str, text: &str, number: &Number) -> bool {
    let bare = digits_of(&number.digits);
    let is_mobile = bare.len() == 11 && bare.starts_with('1');
    let before = text[..number.range.start].chars().next_back();
    let after = text[number.range.end..].chars().next();
    let has_neighbour = |wanted: fn(char) -> bool| [before, after].into_iter().flatten().any(wanted);
    let in_call_id = has_neighbour(|c| c == '^') || call_id.contains(&text[number.range.clone()]);
    !is_mobile && (in_call_id || has_neighbour(|c| c.is_ascii_alphabetic()))
}

/// A body that is not UTF-8, as text and back. A full-width digit of the Chinese charsets has two
/// bytes and becomes that digit. Every other byte becomes a letter, which separates numbers.
mod bytes_as_text {
    const WIDE: u8 = 0xa3;
    const WIDE_ZERO: u8 = 0xb0;
    const LETTERS: u32 = 0xac00;

    pub(super) fn to_text(body: &[u8]) -> String {
        let mut text = String::with_capacity(body.len());
        let mut bytes = body.iter().copied().peekable();
        while let Some(byte) = bytes.next() {
            let is_wide_digit = |next: &u8| byte == WIDE && (WIDE_ZERO..WIDE_ZERO + 10).contains(next);
            let code = match bytes.next_if(is_wide_digit) {
                Some(digit) => 0xff10 + u32::from(digit - WIDE_ZERO),
                None if byte.is_ascii() => u32::from(byte),
                None => LETTERS + u32::from(byte),
            };
            text.extend(char::from_u32(code));
        }
        text
    }

    pub(super) fn to_bytes(text: &str) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(text.len());
        for code in text.chars().map(u32::from) {
            let byte = |code: u32| u8::try_from(code).unwrap_or(b'?');
            match code {
                0xff10..0xff1a => bytes.extend([WIDE, WIDE_ZERO + byte(code - 0xff10)]),
                LETTERS..0xad00 => bytes.push(byte(code - LETTERS)),
                _ => bytes.push(byte(code)),
            }
        }
        bytes
    }
}

/// Removes the string to sign, which may hold a security token, from a refused signature's message.
fn without_string_to_sign(text: &str) -> String {
    sign::without_string_to_sign(text, end_of_message, "not recorded")
}

/// Where the text that begins in `rest` ends: with its JSON string, its CDATA section or its XML
/// element. The text itself may contain quotes and brackets.
fn end_of_message(before: &str, rest: &str) -> usize {
    let in_cdata = before.rfind("<![CDATA[").is_some_and(|at| !before[at..].contains("]]>"));
    let end = match before.trim_start().bytes().next() {
        _ if in_cdata => rest.find("]]>"),
        Some(b'<') => rest.find('<'),
        Some(b'{' | b'[') => {
            let mut is_escaped = false;
            rest.bytes().position(|b| {
                let is_end = b == b'"' && !is_escaped;
                is_escaped = b == b'\\' && !is_escaped;
                is_end
            })
        }
        _ => None,
    };
    end.unwrap_or(rest.len())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn replaced(body: &str) -> String {
        let replacer = NumberReplacer::new(b"secret", "salt").unwrap();
        String::from_utf8(replacer.body("1779786101083^9876543210", body.as_bytes())).unwrap()
    }

    #[test]
    fn equal_numbers_get_equal_replacements_of_their_form() {
        let other = replaced("13812345678");
        assert!(other.len() == 11 && other.starts_with("125"), "{other}");
        for (spelling, before) in [("+86 13812345678", "+86 "), ("8613812345678", "86"), ("13812345678", "")]
        {
            assert_eq!(replaced(spelling), format!("{before}{other}"), "{spelling}");
        }
        let spelled = replaced("138-1234-5678");
        assert_eq!((spelled.replace('-', ""), spelled.find('-')), (other.clone(), Some(3)));
        assert_ne!(replaced("13812345679"), other);
        let landline = replaced("0571-88881234");
        assert!(landline.starts_with("0571-0") && landline.len() == 13, "{landline}");
        let another = NumberReplacer::new(b"another", "salt").unwrap();
        assert_ne!(another.body("", b"13812345678"), other.into_bytes());
        assert_eq!(replacing_bytes(b"\xd0\xd0 13812345678").len(), 14);
    }

    fn replacing_bytes(body: &[u8]) -> Vec<u8> {
        NumberReplacer::new(b"secret", "salt").unwrap().body("", body)
    }

    #[test]
    fn ids_times_and_masked_numbers_stay() {
        for text in [
            r#"{"callId":"1779786101083^9876543210","gmtCreate":"2026-05-26 17:01:41","state":"200000"}"#,
            r#"{"RequestId":"5A17BFE8-D155-5771-BF27-D29099EB997A","Code":"OK"}"#,
            r#"{"callee":"185****8980","duration":4}"#,
        ] {
            assert_eq!(replaced(text), text);
        }
    }

    #[test]
    fn a_number_is_replaced_in_every_spelling() {
        let other = replaced("13812345678");
        let digits = |text: &str| digits_of(&text.replace(r"\u00a0", ""));
        for spelling in [
            "138.1234.5678",
            "138_1234_5678",
            "138,1234,5678",
            "138\u{200b}1234\u{a0}5678",
            "１３８１２３４５６７８",
            "١٣٨١٢٣٤٥٦٧٨",
            r"\u0031\u0033\u0038\u00a0\u0031\u0032\u0033\u0034\u0035\u0036\u0037\u0038",
            "%31%33812345678",
            "&#49;3812345678",
        ] {
            assert_eq!(digits(&replaced(spelling)), other, "{spelling}");
        }
        assert_eq!(replaced("13812345678,13812345678"), format!("{other},{other}"));
        assert_eq!(
            replaced(r#""{\"callee\":\"\\u00313812345678\"}""#),
            format!(r#""{{\"callee\":\"{other}\"}}""#)
        );
        let wide: Vec<u8> = "13812345678".bytes().flat_map(|b| [0xa3, b + 0x80]).collect();
        let replaced_wide = replacing_bytes(&[b"\xd0\xd0\xb2", &wide[..], b"\xd0"].concat());
        let digits = replaced_wide[3..25].chunks(2).map(|pair| char::from(pair[1] - 0x80));
        assert_eq!((digits.collect::<String>(), replaced_wide.len()), (other, 26));
    }

    #[test]
    fn a_call_id_that_is_a_mobile_number_is_replaced() {
        let replacer = NumberReplacer::new(b"secret", "salt").unwrap();
        let other = replaced("13812345678");
        let asked = Exchange::lost("8613812345678^1", 7, "2026-11-20".parse().unwrap());
        let exchange = replacer.exchange(asked.answered(200, br#"{"callId":"8613812345678^1"}"#));
        assert_eq!(exchange.call_id, format!("86{other}^1"));
        assert_eq!(exchange.body(), format!(r#"{{"callId":"86{other}^1"}}"#).into_bytes());
        assert_eq!(replacer.call_id("116014888060^102816313060"), "116014888060^102816313060");
    }

    #[test]
    fn the_string_to_sign_is_not_recorded() {
        let signed = "server string to sign is:GET&CallId%3D1^1";
        for (before, after, rest) in [
            ("{\"Message\":\"", "\"}", r#"\"]]<x\\&SecurityToken%3Dt0ken"#),
            ("<Message><![CDATA[", "]]></Message>", "\"]<x&SecurityToken%3Dt0ken"),
            ("<Message>", "</Message>", "\"]&SecurityToken%3Dt0ken"),
            ("", "", "\"]<&SecurityToken%3Dt0ken"),
        ] {
            let text = format!("{before}{signed}{rest}{after}");
            let expected = format!("{before}server string to sign is (not recorded){after}");
            assert_eq!(replaced(&text), expected);
        }
    }
}
