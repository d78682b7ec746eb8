//! How many discrepancies changed in which way, by kind and field.

use std::collections::BTreeMap;

use serde::Serialize;

/// What became of a discrepancy from the earlier run to the later one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// Only the later run has it.
    New,
    /// Only the earlier run has it.
    Resolved,
    /// Both have it, with other values.
    Changed,
    /// Both have it, with the same values.
    Unchanged,
}

impl Change {
    /// Every change.
    pub(crate) const ALL: [Self; 4] = [Self::New, Self::Resolved, Self::Changed, Self::Unchanged];

    /// The word in the outputs.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Resolved => "resolved",
            Self::Changed => "changed",
            Self::Unchanged => "unchanged",
        }
    }
}

/// Discrepancies with one change, and the talk seconds at stake that the two runs give for them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Counts {
    pub(crate) rows: u64,
    pub(crate) seconds_before: u64,
    pub(crate) seconds_after: u64,
}

impl Counts {
    fn add(&mut self, other: Self) {
        self.rows += other.rows;
        self.seconds_before = self.seconds_before.saturating_add(other.seconds_before);
        self.seconds_after = self.seconds_after.saturating_add(other.seconds_after);
    }
}

/// The counts of each change.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct GroupCounts {
    new: Counts,
    resolved: Counts,
    changed: Counts,
    unchanged: Counts,
}

impl GroupCounts {
    /// The counts of a change.
    pub(crate) fn of(&self, change: Change) -> Counts {
        match change {
            Change::New => self.new,
            Change::Resolved => self.resolved,
            Change::Changed => self.changed,
            Change::Unchanged => self.unchanged,
        }
    }

    fn add(&mut self, change: Change, counts: Counts) {
        match change {
            Change::New => &mut self.new,
            Change::Resolved => &mut self.resolved,
            Change::Changed => &mut self.changed,
            Change::Unchanged => &mut self.unchanged,
        }
        .add(counts);
    }
}

/// The counts of all discrepancies.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct AllCounts {
    /// All of them.
    pub(crate) total: GroupCounts,
    /// By kind and field.
    pub(crate) groups: BTreeMap<(String, String), GroupCounts>,
}

impl AllCounts {
    /// Counts a discrepancy. Without one side its seconds are `None`.
    pub(super) fn add(
        &mut self,
        kind: &str,
        field: &str,
        change: Change,
        (before, after): (Option<u64>, Option<u64>),
    ) {
        let counts =
            Counts { rows: 1, seconds_before: before.unwrap_or(0), seconds_after: after.unwrap_or(0) };
        self.total.add(change, counts);
        self.groups.entry((kind.to_owned(), field.to_owned())).or_default().add(change, counts);
    }
}
