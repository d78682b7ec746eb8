//! Detects the delimiter of a ledger, by its header row or by the line `sep=;` that Excel writes
//! above it.

use std::io::{Read, Result};

use super::header::Header;
use super::split::Splitter;

/// The delimiters that can be detected. If several suit the header row equally, the first one wins.
const DETECTED: [u8; 4] = [b',', b';', b'\t', b'|'];

/// The delimiter of a text: the one that gives the header row a `call_id`, then the most fields,
/// then the most columns. A line such as `sep=;` decides, and is skipped.
///
/// # Errors
/// The source cannot be read.
pub(super) fn detect<R: Read>(splitter: &mut Splitter<R>, mapping: &[(String, String)]) -> Result<u8> {
    if let Some(delimiter) = in_sep_line(splitter.peek()?) {
        splitter.advance()?;
        return Ok(delimiter);
    }
    let header = splitter.peek()?;
    let suitability = |delimiter: &u8| Header::suitability(&column_names(header, *delimiter), mapping);
    // `max_by_key` returns the last of equals, so the order is reversed.
    let best = DETECTED.iter().rev().max_by_key(|delimiter| suitability(delimiter));
    Ok(best.copied().unwrap_or(DETECTED[0]))
}

/// True for a line that suits a ledger as its header row, with one of the delimiters.
pub(super) fn suits(line: &[u8], mapping: &[(String, String)]) -> bool {
    let suits = |delimiter| Header::suitability(&column_names(line, delimiter), mapping).has_call_id;
    DETECTED.into_iter().any(suits)
}

/// The delimiter in a line such as `sep=;`.
fn in_sep_line(line: &[u8]) -> Option<u8> {
    let line = line.trim_ascii_end();
    let line = line.strip_prefix(b"\"").and_then(|line| line.strip_suffix(b"\"")).unwrap_or(line);
    match line {
        [s, e, p, b'=', delimiter] if [*s, *e, *p].eq_ignore_ascii_case(b"sep") => Some(*delimiter),
        // The delimiter is a tab, which was trimmed.
        [s, e, p, b'='] if [*s, *e, *p].eq_ignore_ascii_case(b"sep") => Some(b'\t'),
        _ => None,
    }
}

fn column_names(header: &[u8], delimiter: u8) -> Vec<String> {
    let mut builder = csv::ReaderBuilder::new();
    let mut reader = builder.has_headers(false).delimiter(delimiter).from_reader(header);
    let mut record = csv::ByteRecord::new();
    // A header that cannot be read becomes an error later, when the ledger is opened.
    let _ = reader.read_byte_record(&mut record);
    record.iter().map(|name| String::from_utf8_lossy(name).into_owned()).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_header_row_decides_the_delimiter() {
        for (text, wanted) in [
            ("call_id,called_at\n", b','),
            ("call_id;called_at\n1;2,5\n", b';'),
            ("called_at\tcall_id\tnote, note; note\n", b'\t'),
            ("call_id|a,b,c,d\n", b'|'),
            ("\"call_id\";\"a,b\"\n", b';'),
            ("call_id\n", b','),
            ("a;b,c\n", b','),
            ("a;b;c,d\n", b';'),
            ("sep=;\r\ncall_id;x\n", b';'),
            ("sep=\t\ncall_id,x\n", b'\t'),
            ("\"sep=|\"\ncall_id|x\n", b'|'),
            ("", b','),
        ] {
            assert_eq!(detect(&mut Splitter::new(text.as_bytes(), b','), &[]).unwrap(), wanted, "{text}");
        }
        let map = [("call_id".to_owned(), "id".to_owned())];
        assert_eq!(detect(&mut Splitter::new(b"a,b,id;x".as_slice(), b','), &map).unwrap(), b',');
        let map = [("call_id".to_owned(), "a,b,id".to_owned())];
        assert_eq!(detect(&mut Splitter::new(b"a,b,id;x".as_slice(), b','), &map).unwrap(), b';');
    }
}
