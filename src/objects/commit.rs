//! The object that makes a run visible, as JSON.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// What a commit says of its run.
#[derive(Debug, Clone)]
pub(crate) struct PublishedRun<'a> {
    /// UUID of the run, as in the store.
    pub(crate) run_id: &'a str,
    /// Version of the program.
    pub(crate) version: &'a str,
    /// SHA-256 of the ledger, in hexadecimal digits.
    pub(crate) input_sha256: &'a str,
    /// Whether the answers are simulated.
    pub(crate) sandbox: bool,
    /// Whether every call has its answer.
    pub(crate) complete: bool,
}

/// A commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Commit {
    /// The number of the run, from 1.
    pub(super) run_no: u64,
    pub(super) run_id: String,
    /// Below the prefix, with a slash at its end.
    pub(super) folder: String,
    pub(super) files: Vec<CommittedFile>,
    pub(super) committed_at: DateTime<Utc>,
    pub(super) version: String,
    pub(super) input_sha256: String,
    pub(super) sandbox: bool,
    pub(super) complete: bool,
}

/// A file of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct CommittedFile {
    /// Below the run's folder.
    pub(super) name: String,
    pub(super) bytes: u64,
    /// In hexadecimal digits.
    pub(super) sha256: String,
}

/// The name of a commit below `commits/`. Names are in the order of the numbers.
pub(super) fn name(run_no: u64) -> String {
    format!("{run_no:020}.json")
}

/// The number in a commit's name; `None` for another object.
pub(super) fn number(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".json")?;
    let is_number = digits.len() == 20 && digits.bytes().all(|b| b.is_ascii_digit());
    digits.parse().ok().filter(|_| is_number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_commits_are_in_the_order_of_their_numbers() {
        assert_eq!(name(7), "00000000000000000007.json");
        assert!(name(9) < name(10) && number(&name(u64::MAX)) == Some(u64::MAX));
        for other in [
            "7.json",
            "00000000000000000007.json.tmp",
            "+0000000000000000007.json",
            "99999999999999999999.json",
        ] {
            assert_eq!(number(other), None, "{other}");
        }
    }
}
