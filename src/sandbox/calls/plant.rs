//! The discrepancies that can be planted in a ledger's call, and how each changes the call's
//! record.

use super::record::{CallRecord, interim, later, malformed};
use crate::sandbox::refusal::Refusal;
use crate::sandbox::reply::Reply;
use reconcile_core::ledger_row::{Expected, LedgerTime};

/// State codes of unanswered calls. A planted state is the next one in this list.
const UNANSWERED: [&str; 5] = ["200002", "200003", "200005", "200007", "200010"];

/// A discrepancy to plant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Plant {
    /// There is no record.
    NotFound,
    /// The provider refuses the parameters.
    Rejected,
    /// `Data` is not JSON.
    Malformed,
    /// The state is not final.
    Pending,
    /// The talk is 7 seconds longer.
    Duration,
    /// The number has another last digit.
    Callee,
    /// Another state of an unanswered call.
    State,
    /// The call was made 61 seconds later.
    CalledAt,
}

/// Kind and field of a discrepancy, as the discrepancies file names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct KindAndField {
    pub(super) kind: &'static str,
    pub(super) field: &'static str,
}

impl Plant {
    /// The discrepancy that `draw` selects among the possible ones for this row.
    pub(super) fn choose(draw: u64, expected: &Expected) -> Self {
        let mut possible = vec![Self::NotFound, Self::Rejected, Self::Malformed, Self::Pending];
        if expected.duration_s.is_some_and(|s| s > 0) && expected.answered != Some(false) {
            possible.push(Self::Duration);
        }
        let ends_with_digit = |number: &str| number.ends_with(|c: char| c.is_ascii_digit());
        if expected.callee.as_deref().is_some_and(ends_with_digit) {
            possible.push(Self::Callee);
        }
        if expected.state.as_deref().is_some_and(|state| UNANSWERED.contains(&state)) {
            possible.push(Self::State);
        }
        if expected.called_at.and_then(LedgerTime::instant).is_some() {
            possible.push(Self::CalledAt);
        }
        let count = u64::try_from(possible.len()).unwrap_or(1);
        let index = usize::try_from(draw % count).unwrap_or(0);
        possible.get(index).copied().unwrap_or(Self::NotFound)
    }

    /// The discrepancies that a run must find.
    pub(super) fn discrepancies(self, expected: &Expected) -> Vec<KindAndField> {
        let (kind, field) = match self {
            Self::NotFound => ("not_found", ""),
            Self::Rejected => ("failed", ""),
            Self::Malformed => ("malformed", ""),
            Self::Pending => ("pending", "state"),
            Self::Duration => ("mismatch", "duration_s"),
            Self::Callee => ("mismatch", "callee"),
            Self::State => ("mismatch", "state"),
            Self::CalledAt => ("mismatch", "called_at"),
        };
        let mut discrepancies = vec![KindAndField { kind, field }];
        // A longer talk also ends later.
        if self == Self::Duration && expected.ended_at.and_then(LedgerTime::instant).is_some() {
            discrepancies.push(KindAndField { kind: "mismatch", field: "ended_at" });
        }
        discrepancies
    }

    /// The reply with the discrepancy planted in a record.
    pub(super) fn apply(self, mut record: CallRecord) -> Reply {
        match self {
            Self::NotFound => return Reply::NoRecord,
            Self::Rejected => return Reply::Refused(Refusal::invalid_parameters()),
            Self::Malformed => return Reply::Data(malformed(&record.data())),
            Self::Pending => return Reply::Data(interim(&record.data())),
            Self::Duration => {
                record.duration += 7;
                record.end_date = later(&record.end_date, 7);
                record.b_end_time = record.b_end_time.map(|end| later(&end, 7));
            }
            Self::Callee => {
                let last = record.callee.pop().and_then(|c| c.to_digit(10)).unwrap_or(0);
                record.callee.push(char::from_digit((last + 1) % 10, 10).unwrap_or('0'));
            }
            Self::State => {
                let index = UNANSWERED.iter().position(|state| *state == record.state).unwrap_or(0);
                UNANSWERED[(index + 1) % UNANSWERED.len()].clone_into(&mut record.state);
            }
            Self::CalledAt => record.gmt_create = later(&record.gmt_create, 61),
        }
        Reply::Data(record.data())
    }
}
