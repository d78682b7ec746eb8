//! Records with backslash escapes in quotes, as MySQL writes them: `"He said \"no\""`.
//!
//! CSV doubles a quote inside quotes. A record is read with backslash escapes only if it breaks the
//! rules of CSV, and keeps those of MySQL.

use super::cells::Cells;

/// Where the scan of a record with backslash escapes is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    CellStart,
    Unquoted,
    Quoted,
    Escaped,
    AfterQuote,
}

/// The end of a record with backslash escapes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RecordEnd {
    /// The record has this length.
    At(usize),
    /// The record is longer than the text.
    Later,
    /// The record breaks the rules of MySQL.
    Broken,
}

/// The end of the record at the beginning of `text`. The input ends with `text` if `is_rest`.
pub(super) fn record_end(text: &[u8], delimiter: u8, is_rest: bool) -> RecordEnd {
    let mut state = State::CellStart;
    for (at, byte) in text.iter().copied().enumerate() {
        let is_line_end = matches!(byte, b'\n' | b'\r');
        state = match (state, byte) {
            (State::Quoted, b'\\') => State::Escaped,
            (State::Quoted, b'"') => State::AfterQuote,
            (State::Quoted | State::Escaped, _) => State::Quoted,
            (State::AfterQuote, b'"') => State::Quoted,
            _ if is_line_end => return RecordEnd::At(at),
            _ if byte == delimiter => State::CellStart,
            (State::CellStart, b'"') => State::Quoted,
            // A text after a closing quote, or a quote in a cell without quotes.
            (State::AfterQuote, _) | (_, b'"') => return RecordEnd::Broken,
            _ => State::Unquoted,
        };
    }
    match (is_rest, state) {
        (false, _) => RecordEnd::Later,
        (true, State::Quoted | State::Escaped) => RecordEnd::Broken,
        (true, _) => RecordEnd::At(text.len()),
    }
}

/// Splits a record with backslash escapes into cells.
pub(super) fn split(record: &[u8], delimiter: u8, cells: &mut Cells) {
    cells.clear();
    let (mut cell, mut state) = (Vec::new(), State::CellStart);
    for byte in record.iter().copied() {
        state = match (state, byte) {
            (State::Quoted, b'\\') => State::Escaped,
            (State::Quoted, b'"') => State::AfterQuote,
            (State::Escaped, _) => {
                cell.extend_from_slice(unescaped(&byte));
                State::Quoted
            }
            (State::AfterQuote, b'"') => {
                cell.push(b'"');
                State::Quoted
            }
            (State::CellStart, b'"') => State::Quoted,
            (State::CellStart | State::Unquoted | State::AfterQuote, _) if byte == delimiter => {
                cells.push(&cell);
                cell.clear();
                State::CellStart
            }
            (before, _) => {
                cell.push(byte);
                if before == State::Quoted { State::Quoted } else { State::Unquoted }
            }
        };
    }
    cells.push(&cell);
}

/// The text for an escaped byte. `\N` stays: it is MySQL's NULL.
fn unescaped(byte: &u8) -> &[u8] {
    match byte {
        b'n' => b"\n",
        b't' => b"\t",
        b'r' => b"\r",
        b'0' => b"\0",
        b'N' => b"\\N",
        _ => std::slice::from_ref(byte),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_record_with_backslash_escapes_is_split() {
        for (text, wanted) in [
            (r#""1^1","He said \"no\"""#, vec!["1^1", "He said \"no\""]),
            (r#""a\", b",2"#, vec!["a\", b", "2"]),
            (r#""C:\\dir\\",x"#, vec![r"C:\dir\", "x"]),
            (r#""x\"""#, vec!["x\""]),
            ("\"two\\\nlines\",1", vec!["two\nlines", "1"]),
            (r#""\N",\N,"a\tb""#, vec![r"\N", r"\N", "a\tb"]),
            (r#""say ""hi""",1"#, vec!["say \"hi\"", "1"]),
            ("", vec![""]),
        ] {
            let with_rest = format!("{text}\nnext");
            assert_eq!(record_end(with_rest.as_bytes(), b',', false), RecordEnd::At(text.len()), "{text}");
            assert_eq!(record_end(text.as_bytes(), b',', true), RecordEnd::At(text.len()), "{text}");
            let mut cells = Cells::default();
            split(text.as_bytes(), b',', &mut cells);
            let cells: Vec<&str> = cells.iter().map(|cell| std::str::from_utf8(cell).unwrap()).collect();
            assert_eq!(cells, wanted, "{text}");
        }
        for broken in [r#""a\","#, r#""a"b,"#, "\"a", r#"a"b"#] {
            assert_eq!(record_end(broken.as_bytes(), b',', true), RecordEnd::Broken, "{broken}");
        }
        assert_eq!(record_end(b"\"a\\", b',', false), RecordEnd::Later);
    }
}
