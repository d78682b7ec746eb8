//! The fields of one record, as they stand in the ledger but without their quotes.

use csv::ByteRecord;
use memchr::memchr_iter;

/// All fields of a record behind one another, one byte apart.
#[derive(Debug, Default)]
pub(super) struct Fields {
    bytes: Vec<u8>,
    /// Where each ends.
    ends: Vec<usize>,
}

impl Fields {
    /// A record without quotes: its fields are what its delimiters leave.
    pub(super) fn split(&mut self, record: &[u8], delimiter: u8) {
        self.bytes.clear();
        self.bytes.extend_from_slice(record);
        self.ends.clear();
        self.ends.extend(memchr_iter(delimiter, record));
        self.ends.push(record.len());
    }

    /// One that a parser has read.
    pub(super) fn copy(&mut self, record: &ByteRecord) {
        self.bytes.clear();
        self.ends.clear();
        for field in record {
            self.bytes.extend_from_slice(field);
            self.ends.push(self.bytes.len());
            // So that half a character at the end of one field does not become whole by the next.
            self.bytes.push(b',');
        }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// All of them, as they are held.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Where in [`Self::bytes`] a field is.
    pub(super) fn range(&self, at: usize) -> Option<std::ops::Range<usize>> {
        let end = *self.ends.get(at)?;
        Some(if at == 0 { 0..end } else { self.ends[at - 1] + 1..end })
    }

    /// A field.
    pub(super) fn get(&self, at: usize) -> Option<&[u8]> {
        self.bytes.get(self.range(at)?)
    }

    /// All of them, one by one.
    pub(super) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len()).filter_map(|at| self.get(at))
    }
}
