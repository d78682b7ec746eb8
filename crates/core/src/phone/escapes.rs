//! Escapes: several characters of a text that stand for one. JSON and Rust (`\u0031`, `\u{31}`),
//! URLs (`%31`), HTML and XML (`&#49;`, `&nbsp;`).

/// A character of a text, with the bytes that spell it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Unit {
    pub(super) c: char,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// Escapes may be escaped again: `\\u0031` in JSON inside JSON, `%2531`. Deeper ones are not read.
const MAX_DEPTH: usize = 4;

/// The characters of a text: as they are, then with its escapes read, then with the escapes in
/// these read, and so on. A text without escapes has only the first.
pub(super) fn readings(text: &str) -> Vec<Vec<Unit>> {
    let plain = text.char_indices().map(|(start, c)| Unit { c, start, end: start + c.len_utf8() });
    let mut readings = vec![plain.collect::<Vec<_>>()];
    if !text.bytes().any(|b| matches!(b, b'\\' | b'%' | b'&')) {
        return readings;
    }
    while readings.len() <= MAX_DEPTH
        && let Some(next) = readings.last().and_then(|last| unescaped(last))
    {
        readings.push(next);
    }
    readings
}

/// The characters with one level of escapes read; `None` if there are none.
fn unescaped(units: &[Unit]) -> Option<Vec<Unit>> {
    let mut read = Vec::with_capacity(units.len());
    let (mut at, mut found) = (0, false);
    while at < units.len() {
        let escape = match units[at].c {
            '\\' => backslash(&units[at + 1..]),
            '%' => percent(&units[at..]),
            '&' => reference(&units[at + 1..]),
            _ => None,
        };
        let (c, length) = escape.map_or((units[at].c, 1), |(c, length)| (c, length));
        found |= escape.is_some();
        read.push(Unit { c, start: units[at].start, end: units[at + length - 1].end });
        at += length;
    }
    found.then_some(read)
}

/// A number from the next `count` digits of this base.
fn number(units: &[Unit], count: usize, base: u32) -> Option<u32> {
    let digits = units.get(..count)?;
    digits.iter().try_fold(0_u32, |n, unit| n.checked_mul(base)?.checked_add(unit.c.to_digit(base)?))
}

/// The character of an escape that begins with `\`, and the escape's whole length.
fn backslash(rest: &[Unit]) -> Option<(char, usize)> {
    let simple = |c| Some((c, 2));
    match rest.first()?.c {
        'u' | 'U' if rest.get(1).is_some_and(|unit| unit.c == '{') => {
            let length = rest.iter().take(10).position(|unit| unit.c == '}')?;
            let code = number(&rest[2..], length - 2, 16).filter(|_| length > 2)?;
            Some((char::from_u32(code)?, length + 2))
        }
        'u' | 'U' => {
            let first = number(&rest[1..], 4, 16)?;
            if let Some(c) = char::from_u32(first) {
                return Some((c, 6));
            }
            // Two halves of one character.
            let second = rest.get(5..7).filter(|next| next[0].c == '\\' && matches!(next[1].c, 'u' | 'U'));
            let second = second.and_then(|_| number(&rest[7..], 4, 16))?;
            let both = [u16::try_from(first).ok()?, u16::try_from(second).ok()?];
            char::decode_utf16(both).next()?.ok().map(|c| (c, 12))
        }
        'x' => Some((char::from_u32(number(&rest[1..], 2, 16)?)?, 4)),
        'n' => simple('\n'),
        'r' => simple('\r'),
        't' => simple('\t'),
        c @ ('\\' | '"' | '/' | '\'') => simple(c),
        _ => None,
    }
}

/// The character of an escape that begins with `%`, and the escape's length. Control characters are
/// not read: `%13` is more often part of a text.
fn percent(units: &[Unit]) -> Option<(char, usize)> {
    let byte = |no: usize| {
        let at = units.get(no * 3..)?;
        let code = (at.first()?.c == '%').then(|| number(at.get(1..)?, 2, 16))??;
        u8::try_from(code).ok()
    };
    let first = byte(0)?;
    let count = match first {
        0..0x80 => 1,
        0xc0..0xe0 => 2,
        0xe0..0xf0 => 3,
        0xf0..0xf8 => 4,
        _ => return None,
    };
    let bytes = (0..count).map(byte).collect::<Option<Vec<u8>>>()?;
    let c = std::str::from_utf8(&bytes).ok()?.chars().next()?;
    (!c.is_control() || c.is_whitespace()).then_some((c, count * 3))
}

/// The character of a reference that begins with `&`, and the reference's length.
fn reference(rest: &[Unit]) -> Option<(char, usize)> {
    const NAMES: [(&str, char); 20] = [
        ("amp", '&'),
        ("lt", '<'),
        ("gt", '>'),
        ("quot", '"'),
        ("apos", '\''),
        ("nbsp", '\u{a0}'),
        ("ensp", ' '),
        ("emsp", ' '),
        ("thinsp", ' '),
        ("shy", '\u{ad}'),
        ("zwj", '\u{200d}'),
        ("zwnj", '\u{200c}'),
        ("ndash", '–'),
        ("mdash", '—'),
        ("hyphen", '-'),
        ("period", '.'),
        ("comma", ','),
        ("lpar", '('),
        ("rpar", ')'),
        ("plus", '+'),
    ];
    let is_number = rest.first()?.c == '#';
    let (digits, base) = match (is_number, rest.get(1).map(|unit| unit.c)) {
        (true, Some('x' | 'X')) => (2, 16),
        _ => (1, 10),
    };
    if is_number {
        let count = rest[digits..].iter().take(12).take_while(|unit| unit.c.is_digit(base)).count();
        let code = number(&rest[digits..], count, base).filter(|_| count > 0)?;
        let end = usize::from(rest.get(digits + count).is_some_and(|unit| unit.c == ';'));
        return Some((char::from_u32(code)?, 1 + digits + count + end));
    }
    let name: String = rest.iter().take(8).map(|unit| unit.c).take_while(char::is_ascii_alphabetic).collect();
    let ends = rest.get(name.len()).is_some_and(|unit| unit.c == ';');
    let (_, c) = NAMES.iter().find(|(known, _)| *known == name).filter(|_| ends)?;
    Some((*c, name.len() + 2))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn read(text: &str) -> String {
        readings(text).last().unwrap().iter().map(|unit| unit.c).collect()
    }

    #[test]
    fn every_escape_is_read_however_deep() {
        for text in [
            r"\u0031\u0033\u0038",
            r"\\u0031\\\\u0033\u{38}",
            r"\x31\x338",
            "%31%33%38",
            "%2531%25338",
            "&#49;&#51;&#56;",
            "&#x31;&#X33;&#0056;",
            "&#49&#51&#56",
            "&amp;#49;&amp;#51;8",
        ] {
            assert_eq!(read(text), "138", "{text}");
        }
        assert_eq!(read(r"\uD835\uDFCF%EF%BC%93&nbsp;"), "𝟏３\u{a0}");
        assert_eq!(read(r#"{\"a\":\"b\"}"#), r#"{"a":"b"}"#);
    }

    #[test]
    fn what_is_no_escape_stays() {
        for text in [
            "100%",
            "50% of 1",
            r"C:\unknown\u12",
            "a & b &#; &#x; &unknown; &amp",
            "%13",
            "%ff%fe",
            r"\u{",
            r"\u{}",
            r"\uD835",
            "\\",
        ] {
            assert_eq!(read(text), text);
        }
    }
}
