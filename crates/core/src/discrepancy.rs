//! A discrepancy: a difference between ledger and provider, with the values of both sides.
//!
//! [`Kind`] lists the kinds in the order of the output files.

use chrono::{DateTime, NaiveDate, Utc};
use compact_str::CompactString;

use crate::message::Message;
use crate::product::ProductId;
use crate::resolution::{Decision, Resolution};
use crate::status::Status;

/// The kind of a discrepancy. The output files use this order: alphabetical, as `ORDER BY kind`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "`rule` says what each kind means")]
pub enum Kind {
    Amended,
    Deferred,
    Duplicate,
    Failed,
    Inconsistent,
    InvalidRow,
    Malformed,
    Mismatch,
    MissingInLedger,
    NotFound,
    OtherDay,
    Pending,
    ReceiptDiffers,
    UnknownState,
}

impl Kind {
    /// Every kind, in the order of the output files.
    pub const ALL: [Self; 14] = [
        Self::Amended,
        Self::Deferred,
        Self::Duplicate,
        Self::Failed,
        Self::Inconsistent,
        Self::InvalidRow,
        Self::Malformed,
        Self::Mismatch,
        Self::MissingInLedger,
        Self::NotFound,
        Self::OtherDay,
        Self::Pending,
        Self::ReceiptDiffers,
        Self::UnknownState,
    ];

    /// The word in the outputs.
    #[must_use]
    #[inline]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Amended => "amended",
            Self::Deferred => "deferred",
            Self::Duplicate => "duplicate",
            Self::Failed => "failed",
            Self::Inconsistent => "inconsistent",
            Self::InvalidRow => "invalid_row",
            Self::Malformed => "malformed",
            Self::Mismatch => "mismatch",
            Self::MissingInLedger => "missing_in_ledger",
            Self::NotFound => "not_found",
            Self::OtherDay => "other_day",
            Self::Pending => "pending",
            Self::ReceiptDiffers => "receipt_differs",
            Self::UnknownState => "unknown_state",
        }
    }

    /// Whether it says that the call has no result, or not yet. A later status replaces it.
    #[must_use]
    pub fn is_status(self) -> bool {
        matches!(self, Self::Deferred | Self::Failed | Self::Malformed | Self::NotFound | Self::Pending)
    }

    /// Whether it is told once, by the run that notices it. The store does not remember it as open.
    #[must_use]
    pub fn is_event(self) -> bool {
        self == Self::Amended
    }

    /// When there is a discrepancy of this kind, in words.
    #[must_use]
    pub fn rule(self) -> &'static str {
        match self {
            Self::Amended => "the provider changed or lost a record that was final",
            Self::Deferred => "not asked: the time ran out, the run was offline, or its account was stopped",
            Self::Duplicate => {
                "a later row names the same call; it counts only where the first row has no value"
            }
            Self::Failed => "the lookup ended in an error",
            Self::Inconsistent => "the provider contradicts itself",
            Self::InvalidRow => "the ledger row could not be used",
            Self::Malformed => "the provider's Data cannot be read",
            Self::MissingInLedger => {
                "the provider pushed a receipt of a call on a day of the ledger, and no row names the call"
            }
            Self::Mismatch => "the values of ledger and provider differ by more than the tolerance",
            Self::NotFound => {
                "the provider has no record on any day asked, and the call is older than the settle time"
            }
            Self::OtherDay => "found, but on the neighbouring day",
            Self::Pending => {
                "no record yet and the call is younger than the settle time, or the record may still change"
            }
            Self::ReceiptDiffers => "the provider's record differs from the receipt that it pushed",
            Self::UnknownState => "the state code is in none of the provider's tables",
        }
    }
}

/// A difference that a comparison found. [`DiscrepancyRow`] adds the call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discrepancy {
    /// The kind.
    pub kind: Kind,
    /// The field concerned; empty if there is none.
    pub field: String,
    /// What the ledger says; of an amendment, the record before; of a receipt that differs, the
    /// receipt.
    pub expected: Option<CompactString>,
    /// What the provider says; of an amendment, the record now.
    pub actual: Option<CompactString>,
    /// Actual − expected in seconds; `None` if the field is not measured in seconds.
    pub delta: Option<i64>,
    /// The discrepancy in words.
    pub message: Message,
}

impl Discrepancy {
    /// A discrepancy with only a kind and a message.
    #[must_use]
    pub fn new(kind: Kind, message: Message) -> Self {
        Self { kind, field: String::new(), expected: None, actual: None, delta: None, message }
    }

    /// Sets the field.
    #[must_use]
    pub fn field(mut self, field: impl Into<String>) -> Self {
        self.field = field.into();
        self
    }

    /// Sets the ledger's and the provider's value.
    #[must_use]
    pub fn values(mut self, expected: Option<CompactString>, actual: Option<CompactString>) -> Self {
        self.expected = expected;
        self.actual = actual;
        self
    }

    /// Sets actual − expected, in seconds.
    #[must_use]
    pub fn delta(mut self, seconds: Option<i64>) -> Self {
        self.delta = seconds;
        self
    }
}

/// Since when a discrepancy is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Since {
    /// The day of the run that saw it first, in UTC+8.
    pub day: NaiveDate,
    /// True if this run is the first.
    pub is_new: bool,
}

/// A row of the discrepancy file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiscrepancyRow {
    /// The CallId; `None` if an unusable row has none.
    pub call_id: Option<String>,
    /// The line of the ledger; `None` for a call that the ledger does not name.
    pub ledger_line: Option<u64>,
    /// The difference.
    pub what: Discrepancy,
    /// The day in the details; `None` for an unusable row.
    pub call_date: Option<NaiveDate>,
    /// The product id in the details; `None` for an unusable row.
    pub prod_id: Option<i64>,
    /// The call's status in the details; `None` for an unusable row.
    pub status: Option<Status>,
    /// The called number: the ledger's, or else the provider's.
    pub callee: Option<CompactString>,
    /// When the call was made: the ledger's time, or else the provider's.
    pub called_at: Option<DateTime<Utc>>,
    /// The talk seconds that it puts in doubt. A decision may settle them.
    pub at_stake_s: u64,
    /// Since when it is open; `None` where no earlier run is known.
    pub since: Option<Since>,
    /// The decision on it; `None` if it is open.
    pub resolution: Option<Resolution>,
    /// The columns carried through.
    pub carried: Vec<CompactString>,
    /// The phone numbers of its call, which masked texts hide.
    pub own_numbers: Vec<String>,
}

impl DiscrepancyRow {
    /// The product's name; `None` for an unusable row or a product without a name.
    #[must_use]
    pub fn product(&self) -> Option<&'static str> {
        ProductId(self.prod_id?).name()
    }

    /// The decision; `None` if the discrepancy is open.
    #[must_use]
    pub fn decision(&self) -> Option<Decision> {
        self.resolution.as_ref().map(|resolution| resolution.decision)
    }

    /// True if it is no longer at stake.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.decision().is_some_and(Decision::is_settled)
    }

    /// The talk seconds at stake: none if it is settled.
    #[must_use]
    pub fn seconds_at_stake(&self) -> u64 {
        if self.is_settled() { 0 } else { self.at_stake_s }
    }
}
