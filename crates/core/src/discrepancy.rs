//! A disagreement between ledger and provider, with its evidence.
//!
//! Owns the kinds and their order in the files. Pure data.

use compact_str::CompactString;

/// The kinds, in the order of the files (alphabetical, as `ORDER BY kind` has it).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the words are the contract's own")]
pub enum Kind {
    Deferred,
    Duplicate,
    Failed,
    Inconsistent,
    InvalidRow,
    Malformed,
    Mismatch,
    NotFound,
    OtherDay,
    Pending,
    UnknownState,
}

impl Kind {
    /// All kinds, in the order of the files.
    pub const ALL: [Self; 11] = [
        Self::Deferred,
        Self::Duplicate,
        Self::Failed,
        Self::Inconsistent,
        Self::InvalidRow,
        Self::Malformed,
        Self::Mismatch,
        Self::NotFound,
        Self::OtherDay,
        Self::Pending,
        Self::UnknownState,
    ];

    /// The word in the outputs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deferred => "deferred",
            Self::Duplicate => "duplicate",
            Self::Failed => "failed",
            Self::Inconsistent => "inconsistent",
            Self::InvalidRow => "invalid_row",
            Self::Malformed => "malformed",
            Self::Mismatch => "mismatch",
            Self::NotFound => "not_found",
            Self::OtherDay => "other_day",
            Self::Pending => "pending",
            Self::UnknownState => "unknown_state",
        }
    }

    /// When there is one, in a sentence.
    #[must_use]
    pub fn rule(self) -> &'static str {
        match self {
            Self::Deferred => "not asked, because time ran out or with --offline",
            Self::Duplicate => {
                "a later row names the same call; only the first is compared with the provider"
            }
            Self::Failed => "the look-up ended in an error",
            Self::Inconsistent => "the provider contradicts itself",
            Self::InvalidRow => "the ledger row could not be used",
            Self::Malformed => "Data is not what it should be",
            Self::Mismatch => {
                "ledger and provider both give a value, and the two differ by more than the tolerance"
            }
            Self::NotFound => {
                "the provider has no record on any day asked, and the call is older than --settle"
            }
            Self::OtherDay => "found, but on the neighbouring day",
            Self::Pending => "no record yet and the call is younger than --settle, or the state is not final",
            Self::UnknownState => "a state code in no table",
        }
    }
}

/// What a comparison found; the file's row adds whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discrepancy {
    /// The kind.
    pub kind: Kind,
    /// The field concerned, or empty.
    pub field: String,
    /// What the ledger says.
    pub expected: Option<CompactString>,
    /// What the provider says.
    pub actual: Option<CompactString>,
    /// `actual - expected` in seconds, where that makes sense.
    pub delta: Option<i64>,
    /// The same in words; never contains a phone number.
    pub message: String,
}

impl Discrepancy {
    /// One of this kind with nothing but a message.
    #[must_use]
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
            field: String::new(),
            expected: None,
            actual: None,
            delta: None,
            message: message.into(),
        }
    }

    /// Names the field.
    #[must_use]
    pub fn field(mut self, field: impl Into<String>) -> Self {
        self.field = field.into();
        self
    }

    /// Says what was expected and what was found; empty is `None`.
    #[must_use]
    pub fn values(mut self, expected: Option<CompactString>, actual: Option<CompactString>) -> Self {
        self.expected = expected;
        self.actual = actual;
        self
    }

    /// How far apart they are, in seconds.
    #[must_use]
    pub fn delta(mut self, seconds: Option<i64>) -> Self {
        self.delta = seconds;
        self
    }
}

/// A row of the discrepancy file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiscrepancyRow {
    /// The CallId, where the row names one.
    pub call_id: Option<String>,
    /// The line of the ledger.
    pub ledger_line: u64,
    /// What was found.
    pub what: Discrepancy,
    /// As in the details; `None` for an invalid row.
    pub call_date: Option<chrono::NaiveDate>,
    /// As in the details; `None` for an invalid row.
    pub prod_id: Option<i64>,
    /// The columns carried through.
    pub carried: Vec<CompactString>,
    /// The talk seconds that it puts in question; in no column, for the page.
    pub at_stake_s: u64,
    /// The numbers of its call, so that they can be masked in texts; empty when nothing is.
    pub own_numbers: Vec<String>,
}
