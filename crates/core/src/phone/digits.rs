//! The table of spellings: the characters that are digits, and those that may separate them.

use super::compare::normalize_number;

/// First characters of the digits 0 to 9 in each script of Unicode (category Nd).
const DECIMAL_BLOCKS: [u32; 77] = [
    0x30, 0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66, 0xde6, 0xe50,
    0xed0, 0xf20, 0x1040, 0x1090, 0x17e0, 0x1810, 0x1946, 0x19d0, 0x1a80, 0x1a90, 0x1b50, 0x1bb0, 0x1c40,
    0x1c50, 0xa620, 0xa8d0, 0xa900, 0xa9d0, 0xa9f0, 0xaa50, 0xabf0, 0xff10, 0x104a0, 0x10d30, 0x10d40,
    0x11066, 0x110f0, 0x11136, 0x111d0, 0x112f0, 0x11450, 0x114d0, 0x11650, 0x116c0, 0x116d0, 0x116da,
    0x11730, 0x118e0, 0x11950, 0x11bf0, 0x11c50, 0x11d50, 0x11da0, 0x11de0, 0x11f50, 0x16130, 0x16a60,
    0x16ac0, 0x16b50, 0x16d70, 0x1ccf0, 0x1d7ce, 0x1d7d8, 0x1d7e2, 0x1d7ec, 0x1d7f6, 0x1e140, 0x1e2f0,
    0x1e4f0, 0x1e5f1, 0x1e950, 0x1fbf0,
];

/// Other digits, such as superscript and circled ones: first character, its value, how many follow
/// one another.
const OTHER_DIGITS: [(u32, u8, u32); 20] = [
    (0xb2, 2, 2),
    (0xb9, 1, 1),
    (0x1369, 1, 9),
    (0x19da, 1, 1),
    (0x2070, 0, 1),
    (0x2074, 4, 6),
    (0x2080, 0, 10),
    (0x2460, 1, 9),
    (0x2474, 1, 9),
    (0x2488, 1, 9),
    (0x24ea, 0, 1),
    (0x24f5, 1, 9),
    (0x24ff, 0, 1),
    (0x2776, 1, 9),
    (0x2780, 1, 9),
    (0x278a, 1, 9),
    (0x10e60, 1, 9),
    (0x11052, 1, 9),
    (0x1f100, 0, 1),
    (0x1f101, 0, 10),
];

/// The value of a Chinese numeral, in all its characters.
fn chinese_value(c: char) -> Option<u8> {
    let value = match c {
        '〇' | '零' => 0,
        '一' | '壹' | '幺' | '弌' => 1,
        '二' | '贰' | '貳' | '弍' | '两' => 2,
        '三' | '叁' | '參' | '弎' => 3,
        '四' | '肆' => 4,
        '五' | '伍' => 5,
        '六' | '陆' | '陸' => 6,
        '七' | '柒' => 7,
        '八' | '捌' => 8,
        '九' | '玖' => 9,
        _ => return None,
    };
    Some(value)
}

/// The value of a digit in any script; `None` for any other character.
#[inline]
pub(super) fn digit_value(c: char) -> Option<u8> {
    if c.is_ascii() {
        return c.is_ascii_digit().then(|| c as u8 - b'0');
    }
    other_digit_value(c)
}

fn other_digit_value(c: char) -> Option<u8> {
    if ('\u{3000}'..='\u{9fff}').contains(&c) {
        return chinese_value(c);
    }
    let code = u32::from(c);
    let block = DECIMAL_BLOCKS.partition_point(|start| *start <= code);
    let decimal = block.checked_sub(1).map(|block| code - DECIMAL_BLOCKS[block]).filter(|value| *value < 10);
    if let Some(value) = decimal {
        return u8::try_from(value).ok();
    }
    for (start, value, count) in OTHER_DIGITS {
        if (start..start + count).contains(&code) {
            return u8::try_from(code - start).ok().map(|further| value + further);
        }
    }
    None
}

/// The digit with this value in the script of `like`; in ASCII if that script cannot write it.
#[must_use]
pub fn digit_like(like: char, value: u8) -> char {
    let same_script = digit_value(like).and_then(|old| {
        let other = char::from_u32(u32::from(like) - u32::from(old) + u32::from(value))?;
        (digit_value(other) == Some(value)).then_some(other)
    });
    same_script.unwrap_or(char::from(b'0' + value))
}

/// True if a text may hold a digit. It is the fast path of every scan: most texts end here.
#[inline]
pub(super) fn may_have_digits(text: &str) -> bool {
    text.bytes().any(|b| b.is_ascii_digit() || !b.is_ascii())
}

/// True if two digits around this character may belong to one number: it is neither a letter nor
/// the `^` of CallIds. Of [`is_colon`], only some join digits.
pub(super) fn is_separator(c: char) -> bool {
    c != '^' && !is_colon(c) && !c.is_alphanumeric()
}

/// True for the marks of times (`17:01`), ports and statements. They join only long groups.
pub(super) fn is_colon(c: char) -> bool {
    matches!(c, ':' | '：' | ';' | '；')
}

/// True for a mark between two values, as in lists and tables. Two numbers may stand on its sides.
pub(super) fn is_list_mark(c: char) -> bool {
    matches!(c, ',' | '，' | '、' | '|' | '/' | '"' | '\'' | '&' | '=' | '<' | '>' | '\n' | '\r' | '\t')
}

/// True for characters without width, which people do not see between two digits.
pub(super) fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
    )
}

/// The digits of a number in ASCII, without the country code of a mainland mobile number.
#[must_use]
pub fn digits_of(number: &str) -> String {
    let digits = number.chars().filter_map(digit_value).map(|value| char::from(b'0' + value));
    normalize_number(&digits.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_of_every_script_have_their_value() {
        for number in [
            "13812345678",
            "１３８１２３４５６７８",
            "١٣٨١٢٣٤٥٦٧٨",
            "𝟏𝟑𝟖𝟏𝟐𝟑𝟒𝟓𝟔𝟕𝟖",
            "१३८१२३४५६७८",
            "①③⑧①②③④⑤⑥⑦⑧",
            "¹³⁸¹²³⁴⁵⁶⁷⁸",
            "一三八一二三四五六七八",
            "🄂🄄🄉🄂🄃🄄🄅🄆🄇🄈🄉",
        ] {
            assert_eq!(digits_of(number), "13812345678", "{number}");
        }
        assert!(DECIMAL_BLOCKS.is_sorted());
        for other in "aé中Ⅷ½*".chars() {
            assert_eq!(digit_value(other), None, "{other}");
        }
    }

    #[test]
    fn a_digit_is_replaced_in_its_own_script() {
        for (like, other) in [('1', '5'), ('３', '５'), ('٣', '٥'), ('𝟗', '𝟓'), ('①', '⑤'), ('八', '5')]
        {
            assert_eq!(digit_like(like, 5), other);
        }
    }
}
