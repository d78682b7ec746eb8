//! What separates the fields of a ledger: told by its header row, or by the line `sep=;` that Excel puts above it.

use std::io::{Read, Result};

use super::header::Header;
use super::split::Split;

/// The delimiters that are found by themselves; the first wins where the header does not decide.
const KNOWN: [u8; 4] = [b',', b';', b'\t', b'|'];

/// The delimiter of a text of which nothing is split yet: the one with which the header has a `call_id`, then the
/// most fields, then the most columns. A line `sep=` is passed over.
pub(super) fn find<R: Read>(split: &mut Split<R>, map: &[(String, String)]) -> Result<u8> {
    if let Some(said) = said(split.peek()?) {
        split.advance()?;
        return Ok(said);
    }
    let header = split.peek()?;
    let fit = |delimiter: &u8| Header::fit(&names(header, *delimiter), map);
    // The last of the best is taken, so the order is turned.
    Ok(KNOWN.iter().rev().max_by_key(|delimiter| fit(delimiter)).copied().unwrap_or(KNOWN[0]))
}

/// As a message shows it.
pub(super) fn shown(delimiter: u8) -> String {
    if delimiter == b'\t' { "tab".to_owned() } else { format!("`{}`", char::from(delimiter)) }
}

fn said(line: &[u8]) -> Option<u8> {
    let line = line.trim_ascii_end();
    let line = line.strip_prefix(b"\"").and_then(|line| line.strip_suffix(b"\"")).unwrap_or(line);
    match line {
        [s, e, p, b'=', said] if [*s, *e, *p].eq_ignore_ascii_case(b"sep") => Some(*said),
        // The tab has been trimmed.
        [s, e, p, b'='] if [*s, *e, *p].eq_ignore_ascii_case(b"sep") => Some(b'\t'),
        _ => None,
    }
}

fn names(header: &[u8], delimiter: u8) -> Vec<String> {
    let mut builder = csv::ReaderBuilder::new();
    let mut reader = builder.has_headers(false).delimiter(delimiter).from_reader(header);
    let mut record = csv::ByteRecord::new();
    // A header that cannot be read is told of when it is read in earnest.
    let _ = reader.read_byte_record(&mut record);
    record.iter().map(|name| String::from_utf8_lossy(name).into_owned()).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_header_tells_the_delimiter() {
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
            assert_eq!(find(&mut Split::new(text.as_bytes(), b','), &[]).unwrap(), wanted, "{text}");
        }
        let map = [("call_id".to_owned(), "id".to_owned())];
        assert_eq!(find(&mut Split::new(b"a,b,id;x".as_slice(), b','), &map).unwrap(), b',');
        let map = [("call_id".to_owned(), "a,b,id".to_owned())];
        assert_eq!(find(&mut Split::new(b"a,b,id;x".as_slice(), b','), &map).unwrap(), b';');
    }
}
