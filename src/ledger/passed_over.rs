//! Records that are passed over like blank lines: those without any value, and repetitions of the
//! header row in files that were joined.

use super::affected::AffectedRows;
use super::cells::Cells;
use super::note::{Finding, LedgerNote};

/// Recognizes and counts the records that are passed over.
#[derive(Debug, Default)]
pub(super) struct PassedOver {
    /// The header row, in the form of [`bare`].
    header: Vec<Vec<u8>>,
    empty: AffectedRows,
    repeated_headers: AffectedRows,
}

impl PassedOver {
    pub(super) fn new(names: &[String]) -> Self {
        let header = names.iter().map(|name| bare(name.as_bytes()).to_ascii_lowercase()).collect();
        Self { header, ..Self::default() }
    }

    /// True for a record that is passed over. The first byte decides for nearly all records.
    pub(super) fn take(&mut self, cells: &Cells, line: u64) -> bool {
        let first = cells.bytes().first().map_or(b' ', u8::to_ascii_lowercase);
        let header_first = self.header.first().and_then(|name| name.first());
        if first.is_ascii_alphanumeric() && header_first != Some(&first) {
            return false;
        }
        if cells.iter().all(is_empty) {
            self.empty.add(line);
        } else if self.is_header(cells) {
            self.repeated_headers.add(line);
        } else {
            return false;
        }
        true
    }

    /// Number of records that were passed over.
    pub(super) fn count(&self) -> u64 {
        self.empty.count + self.repeated_headers.count
    }

    fn is_header(&self, cells: &Cells) -> bool {
        let is_same = |(cell, name): (&[u8], &Vec<u8>)| bare(cell).eq_ignore_ascii_case(name);
        cells.len() == self.header.len() && cells.iter().zip(&self.header).all(is_same)
    }

    /// One note for each kind of record that was passed over.
    pub(super) fn notes(&self) -> Vec<LedgerNote> {
        let kinds = [(self.empty, Finding::OnlySeparators), (self.repeated_headers, Finding::RepeatedHeader)];
        let notes = kinds.into_iter().filter_map(|(rows, what)| Some(LedgerNote::Rows(rows.some()?, what)));
        notes.collect()
    }
}

fn is_empty(cell: &[u8]) -> bool {
    cell.is_empty() || std::str::from_utf8(cell).is_ok_and(|text| bare(text.as_bytes()).is_empty())
}

/// The text without white space and byte order marks around it.
fn bare(text: &[u8]) -> &[u8] {
    let Ok(text) = std::str::from_utf8(text) else { return text };
    text.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}').as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_rows_and_repeated_headers_are_passed_over() {
        let names = ["Call ID".to_owned(), "备注".to_owned()];
        let mut passed_over = PassedOver::new(&names);
        let mut take = |record: &str| {
            let mut cells = Cells::default();
            cells.split(record.as_bytes(), b',');
            passed_over.take(&cells, 7)
        };
        for record in [",", ",,,", " ,\t", "\u{3000},\u{a0}", "\u{feff}Call ID,备注", "CALL ID , 备注", ""]
        {
            assert!(take(record), "{record:?}");
        }
        for record in ["1^1,", ",x", "call_id,备注", "Call ID,", "Call ID,备注,", "NULL,NULL", "-,"] {
            assert!(!take(record), "{record:?}");
        }
        assert_eq!(passed_over.count(), 7);
        assert_eq!(
            passed_over.notes()[1].to_string(),
            "2 rows (first: line 7): the header row again. It is passed over"
        );
    }
}
