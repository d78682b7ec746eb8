//! The columns of several files as those of one ledger.

use std::sync::Arc;

use compact_str::CompactString;

/// A file of several that are one ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OneOfSeveral {
    /// Its name in the outputs.
    pub(super) name: CompactString,
    /// The columns of all files; without any before all header rows were read.
    pub(super) joined: Arc<JoinedColumns>,
}

impl OneOfSeveral {
    /// The file of this name.
    pub(super) fn new(name: String) -> Self {
        Self { name: name.into(), joined: Arc::default() }
    }

    /// The same file among files with these columns.
    pub(super) fn with(self, joined: Arc<JoinedColumns>) -> Self {
        Self { joined, ..self }
    }
}

/// The columns of all files, in the order of their first appearance.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct JoinedColumns {
    /// Output names of the columns that hold no field. Two of them never differ only by case.
    pub(super) carried: Vec<String>,
    /// What each column is, and its header in the first file that has it.
    own: Vec<(ColumnKey, String)>,
}

/// What makes columns of two files the same one: a field, or the output name in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ColumnKey {
    Field(&'static str),
    Carried(String),
}

impl JoinedColumns {
    /// Adds the columns of a file: the output names of those that it carries, and what each of its
    /// own is, with its header.
    pub(super) fn add(&mut self, carried: &[String], own: Vec<(ColumnKey, String)>) {
        for name in carried {
            if self.position_of(name).is_none() {
                self.carried.push(name.clone());
            }
        }
        for (key, header) in own {
            if self.own.iter().all(|(known, _)| *known != key) {
                self.own.push((key, header));
            }
        }
    }

    /// The headers of all columns, also of those that hold a field.
    pub(super) fn headers(&self) -> Vec<String> {
        self.own.iter().map(|(_, header)| header.clone()).collect()
    }

    /// Where a file with these columns has each of them.
    pub(super) fn places(&self, keys: &[(usize, ColumnKey)]) -> Vec<Option<usize>> {
        let place = |key: &ColumnKey| keys.iter().find(|(_, own)| own == key).map(|(at, _)| *at);
        self.own.iter().map(|(key, _)| place(key)).collect()
    }

    fn position_of(&self, name: &str) -> Option<usize> {
        let key = name.to_lowercase();
        self.carried.iter().position(|known| known.to_lowercase() == key)
    }
}
