//! The notes on entries of a file of resolutions that decide nothing. `Display` is English.

use std::fmt;

use crate::words::{count, plural};
use reconcile_core::resolutions;

/// How many lines a note names.
const MAX_LINES: usize = 5;

/// Entries that decide nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolutionNote {
    /// The name of the file.
    pub file: String,
    /// Why they decide nothing.
    pub why: LeftOver,
    /// Their lines.
    pub lines: Vec<u64>,
}

/// Why an entry decides nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeftOver {
    /// Its discrepancy now has other values.
    Stale,
    /// The ledger has no such discrepancy.
    Unused,
    /// Its last day has passed.
    Expired,
}

impl ResolutionNote {
    /// The notes on the entries of a file that were left over.
    #[must_use]
    pub fn all(file: &str, left: &resolutions::LeftOver) -> Vec<Self> {
        let kinds = [
            (LeftOver::Stale, &left.stale),
            (LeftOver::Expired, &left.expired),
            (LeftOver::Unused, &left.unused),
        ];
        let kinds = kinds.into_iter().filter(|(_, lines)| !lines.is_empty());
        kinds.map(|(why, lines)| Self { file: file.to_owned(), why, lines: lines.clone() }).collect()
    }

    /// The first lines, each named by `line`; `and_more` says how many others there are. Bare
    /// numbers in a row would look like a phone number, and be masked.
    pub(crate) fn line_list(
        &self,
        separator: &str,
        line: impl Fn(u64) -> String,
        and_more: impl Fn(String) -> String,
    ) -> String {
        let first: Vec<String> = self.lines.iter().take(MAX_LINES).map(|no| line(*no)).collect();
        let others = self.lines.len().saturating_sub(MAX_LINES);
        let list = first.join(separator);
        if others == 0 { list } else { list + &and_more(count(others as u64)) }
    }
}

impl fmt::Display for ResolutionNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_one = self.lines.len() == 1;
        let entries = plural(self.lines.len() as u64, "entry");
        let line = |no| format!("line {no}");
        let lines = self.line_list(", ", line, |others| format!(" and {others} more"));
        let (file, of) = (&self.file, |one, several| if is_one { one } else { several });
        match self.why {
            LeftOver::Stale => {
                let its = of("is stale: its discrepancy has", "are stale: their discrepancies have");
                write!(f, "{entries} of {file} {its} other values now ({lines}); decide again")
            }
            LeftOver::Unused => {
                let matched = of("matches", "match");
                write!(f, "{entries} of {file} {matched} no discrepancy of this ledger ({lines})")
            }
            LeftOver::Expired => {
                let (have, it) = (of("has", "have"), of("the line", "the lines"));
                write!(f, "{entries} of {file} {have} expired ({lines}); set a later day, or delete {it}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shown::shown;

    #[test]
    fn a_note_names_the_first_lines() {
        let note = |why, lines: std::ops::Range<u64>| {
            ResolutionNote { file: "r.csv".into(), why, lines: lines.collect() }.to_string()
        };
        let stale = "1 entry of r.csv is stale: its discrepancy has other values now (line 2); decide again";
        assert_eq!(note(LeftOver::Stale, 2..3), stale);
        let wanted = "12 entries of r.csv match no discrepancy of this ledger \
                      (line 2, line 3, line 4, line 5, line 6 and 7 more)";
        assert_eq!(note(LeftOver::Unused, 2..14), wanted);
        let expired =
            "2 entries of r.csv have expired (line 4, line 5); set a later day, or delete the lines";
        assert_eq!(note(LeftOver::Expired, 4..6), expired);
        let long = note(LeftOver::Unused, 1_000_000..1_000_009);
        assert_eq!(shown(&long), long, "no line is masked as a phone number");
    }
}
