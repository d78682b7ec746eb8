//! The rows with one finding: how many, and the first of them.

use crate::words::plural;

/// Rows of a ledger that have something in common.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct AffectedRows {
    pub(super) count: u64,
    /// Line of the first; 0 if there is none.
    pub(super) first_line: u64,
}

impl AffectedRows {
    pub(super) fn add(&mut self, line: u64) {
        if self.count == 0 {
            self.first_line = line;
        }
        self.count += 1;
    }

    pub(super) fn add_if(&mut self, found: bool, line: u64) {
        if found {
            self.add(line);
        }
    }

    /// Adds the rows of another part of the same ledger.
    pub(super) fn merge(&mut self, other: Self) {
        self.first_line = match (self.count, other.count) {
            (0, _) => other.first_line,
            (_, 0) => self.first_line,
            _ => self.first_line.min(other.first_line),
        };
        self.count += other.count;
    }

    /// `3 rows (first: line 2)`; `None` if there are none.
    pub(super) fn text(self) -> Option<String> {
        match self.count {
            0 => None,
            1 => Some(format!("{} (line {})", plural(1, "row"), self.first_line)),
            count => Some(format!("{} (first: line {})", plural(count, "row"), self.first_line)),
        }
    }
}
