//! Properties: no number survives, in any spelling, script and position; other texts stay.

use proptest::prelude::*;
use proptest::sample::select;

use super::digits::digit_value;
use super::escapes::readings;
use super::*;

/// The scripts that numbers are written in, by their digit 0.
const SCRIPTS: [char; 8] = ['0', '０', '٠', '۰', '०', '𝟎', '𝟢', '᠐'];
const SEPARATORS: [&str; 36] = [
    " ", "\u{a0}", "\u{3000}", "\u{2009}", "\u{202f}", "\u{200b}", "\u{200c}", "\u{200d}", "\u{2060}",
    "\u{feff}", "\u{ad}", "\u{202e}", "\u{200e}", "-", "‐", "–", "—", "−", "－", ".", "·", "・", "_", "/",
    ",", "，", "．", "(", ")", "（", "）", "+", " - ", ") ", "[", "]",
];
const BEFORE: [&str; 12] = [
    "",
    "callee ",
    "号码",
    "\"callee\":\"",
    "at 2026-05-26 17:01:51, ",
    "+",
    "(",
    "id=",
    "ORD",
    "<b>",
    "^",
    "3 calls: ",
];
const AFTER: [&str; 11] = ["", ".", "。", "\"}", " is limited", "^1", "</b>", "X", ", 2026-05-26", ";", ")"];

/// A number of the numbering plan, as ASCII digits.
fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        "1[3-9][0-9]{9}",
        "861[3-9][0-9]{9}",
        "00861[3-9][0-9]{9}",
        "0[1-9][0-9]{1,2}[2-8][0-9]{7}",
        "[48]00[0-9]{7}"
    ]
}

/// How one digit is spelled: in a script, or as an escape of its ASCII form.
fn spelled_digit(value: char, script: char, escape: u8) -> String {
    let value = u32::from(value) - u32::from('0');
    let ascii = value + 0x30;
    match escape {
        0 => format!("\\u{ascii:04x}"),
        1 => format!("\\\\u{ascii:04X}"),
        2 => format!("%{ascii:02x}"),
        3 => format!("&#{ascii};"),
        4 => format!("&#x{ascii:x};"),
        _ => char::from_u32(u32::from(script) + value).map(String::from).unwrap_or_default(),
    }
}

/// A number with a spelling of it. `escapes` also spells digits as escapes.
fn spelling(escapes: bool) -> impl Strategy<Value = (String, String)> {
    let escape = if escapes { 0_u8..12 } else { 5_u8..6 };
    let digit = (select(&SCRIPTS[..]), prop::option::weighted(0.3, select(&SEPARATORS[..])), escape);
    (number(), any::<bool>(), select(&SCRIPTS[..]), prop::collection::vec(digit, 20)).prop_map(
        |(number, mixed, one_script, spelled)| {
            let mut text = String::new();
            for (at, (value, (script, separator, escape))) in number.chars().zip(spelled).enumerate() {
                text += separator.filter(|_| at > 0).unwrap_or_default();
                text += &spelled_digit(value, if mixed { script } else { one_script }, escape);
            }
            (number, text)
        },
    )
}

fn in_context(escapes: bool) -> impl Strategy<Value = (String, String)> {
    (spelling(escapes), select(&BEFORE[..]), select(&AFTER[..]))
        .prop_map(|((number, text), before, after)| (number, format!("{before}{text}{after}")))
}

/// The digits of every reading of a text, with a `*` for each masked one and without separators.
fn visible(text: &str) -> Vec<String> {
    let character = |c: char| match digit_value(c) {
        Some(value) => Some(char::from(b'0' + value)),
        None => (c.is_alphanumeric() || matches!(c, '*' | ':' | '：' | ';' | '；' | '^')).then_some(c),
    };
    readings(text).iter().map(|units| units.iter().filter_map(|unit| character(unit.c)).collect()).collect()
}

/// True if seven digits of the number in a row are visible.
fn survives(number: &str, text: &str) -> bool {
    let bytes = number.as_bytes();
    let shown = visible(text);
    bytes.windows(7).any(|part| shown.iter().any(|shown| shown.as_bytes().windows(7).any(|w| w == part)))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_number_survives_in_a_text_for_people((number, text) in in_context(true)) {
        let masked = mask_text(&text);
        prop_assert!(!survives(&number, &masked), "{masked:?} of {text:?}");
        let again = mask_text(&masked);
        prop_assert!(!survives(&number, &again), "{again:?} of {masked:?}");
    }

    #[test]
    fn every_number_in_a_text_is_found((number, text) in in_context(false)) {
        let found = numbers_in(&text, &[]);
        let mut rest = text.clone();
        for one in found.iter().rev() {
            rest.replace_range(one.range.clone(), "#");
        }
        prop_assert!(!survives(&number, &rest), "{rest:?} of {text:?}");
        prop_assert!(contains_number(&text, &number), "{text:?}");
    }

    #[test]
    fn a_number_is_found_in_every_escape((number, text) in spelling(true)) {
        prop_assert!(contains_number(&text, &number), "{text:?}");
        let in_json = ["{\"callee\":\"", &text, "\"}"].concat();
        prop_assert!(contains_number(&in_json, &number), "{in_json}");
        prop_assert!(!all_numbers_in(&text).is_empty(), "{text:?}");
    }

    #[test]
    fn a_text_without_a_number_stays(words in prop::collection::vec("[a-z :^号]{1,8}[0-9]{0,6}[a-zé:;]", 0..8)) {
        let text = words.concat();
        prop_assert_eq!(&mask_text(&text), &text);
        prop_assert!(numbers_in(&text, &[]).is_empty() && all_numbers_in(&text).is_empty());
    }

    #[test]
    fn any_text_is_masked_without_a_panic(text in "\\PC{0,40}", bits in "[\\\\u%&#x0-9;{}*+^:.,-]{0,60}") {
        for text in [text.clone(), bits.clone(), text + &bits] {
            let _ = (mask_text(&text), mask_number(&text), numbers_in(&text, &[]), all_numbers_in(&text));
            let _ = (mobile_numbers_in(&text), contains_number(&text, "13812345678"));
        }
    }
}

#[test]
fn the_id_of_a_run_stays_and_what_only_looks_like_one_does_not() {
    for id in ["f37a3c1e-1234-4567-8901-234567890123", "13812345-6781-4812-8456-781381234567"] {
        for text in [format!("run {id}"), format!("s3://x/runs/7-{id}/abcdefgh/"), format!("{id}, {id}.")] {
            assert_eq!(mask_text(&text), text);
        }
        for text in [
            id.replace("-4", "-5"),
            id.to_uppercase().replace("-4", "-5"),
            format!("{id}5"),
            format!("13812345-{id}"),
            id.replacen('-', " ", 1),
            id[9..].to_owned(),
        ] {
            assert_ne!(mask_text(&text), text);
        }
    }
}

#[test]
fn a_text_full_of_numbers_is_read_in_linear_time() {
    // Quadratic time would take minutes.
    for part in ["13812345678\":\"", "1 ", "0-", r"\u0031", "138****5678 ", "%31"] {
        let text = part.repeat(100_000 / part.len());
        assert!(!all_numbers_in(&text).is_empty() || part.contains('*'), "{part}");
        assert!(!contains_number(&text, "13912345678"));
        assert_eq!(mask_text(&text).is_empty(), text.is_empty());
    }
}

#[test]
fn an_amount_with_its_currency_is_no_phone_number() {
    for text in ["-86457.135 CNY", "1234567.89 USD, and", "(999999999.00 CNY)"] {
        assert_eq!(mask_text(text), text);
    }
    for text in ["86457.135", "1380013.8000 cny", "1380013.8000 CN", "13800138000.00 CNY"] {
        assert_ne!(mask_text(text), text, "{text}");
    }
}
