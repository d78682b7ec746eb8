//! The rows with one finding: how many, and the first of them.

use std::fmt;

use crate::words::plural;

/// Rows of a ledger that have something in common. `Display`: `3 rows (first: line 2)`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AffectedRows {
    /// Their number.
    pub count: u64,
    /// Line of the first; 0 if there is none.
    pub first_line: u64,
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

    /// The rows, if there are any.
    pub(super) fn some(self) -> Option<Self> {
        (self.count > 0).then_some(self)
    }
}

impl fmt::Display for AffectedRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first = if self.count == 1 { "line" } else { "first: line" };
        write!(f, "{} ({first} {})", plural(self.count, "row"), self.first_line)
    }
}
