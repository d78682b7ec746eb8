//! What a run asks beside its ledger, and the jobs of these calls.

use std::ops::RangeInclusive;

use chrono::{DateTime, NaiveDate, Utc};
use reconcile_core::answer::{AnswerKind, StoredCall};
use reconcile_core::ask_again::{NextRequest, Scope};
use reconcile_core::call::CallKey;
use reconcile_core::sample::Sample;
use reconcile_core::settle::kind_today;

use super::jobs::has_record;
use crate::fetch::Job;
use crate::store::FinalCall;

/// What a run asks beside its ledger.
#[derive(Debug, Clone)]
pub struct BesideWanted {
    /// The run. Only open calls that it has not asked, and records that it has not looked at, are
    /// asked.
    pub scope: Scope,
    /// The days of the open calls.
    pub open_days: RangeInclusive<NaiveDate>,
    /// Final records that were fetched since then are looked at again; `None` for none of them.
    pub records_since: Option<DateTime<Utc>>,
    /// Of all other final records this percentage is looked at again.
    pub sample_percent: Option<f64>,
    /// The accounts by their names in the store, in their order; `None` if the only one has none.
    pub accounts: Vec<Option<String>>,
}

/// How many calls an account may ask beside its ledger.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct BesideCounts {
    /// Open calls of earlier ledgers.
    pub open: u64,
    /// Final records.
    pub records: u64,
}

impl BesideCounts {
    /// All of them.
    #[must_use]
    pub fn total(self) -> u64 {
        self.open + self.records
    }
}

impl BesideWanted {
    /// The place of the account that asks for a call of `account`; `None` if no account may. A call
    /// whose account is unknown is asked by the only one.
    #[must_use]
    pub fn asked_by(&self, account: Option<&str>) -> Option<usize> {
        match account {
            Some(name) => self.accounts.iter().position(|own| own.as_deref() == Some(name)),
            None => (self.accounts.len() == 1).then_some(0),
        }
    }

    pub(super) fn wants_records(&self) -> bool {
        self.records_since.is_some() || self.sample_percent.is_some()
    }

    /// Whether a record is young enough to be looked at again.
    pub(super) fn is_young(&self, call: &FinalCall) -> bool {
        self.records_since.is_some_and(|since| call.fetched_at >= since)
    }

    pub(super) fn sample(&self) -> Sample {
        Sample::new(&self.scope.run_id, self.sample_percent.unwrap_or(0.0))
    }

    /// The job of an open call; `None` if it is settled, or was asked in this run.
    pub(super) fn open_job(&self, key: &CallKey, stored: Option<&StoredCall>) -> Option<Job> {
        // A settled call is not asked again, even by a run that asks for all its own calls.
        let scope = Scope { refresh: false, ..self.scope.clone() };
        let (key, recheck, has_record) = (key.clone(), false, has_record(stored));
        match scope.next_request(stored) {
            NextRequest::Nothing => None,
            NextRequest::OtherDay(day) => {
                Some(Job { key, first_day: day, other_day: None, recheck, has_record })
            }
            NextRequest::Day => {
                // An earlier run knew from its ledger that the call was made near midnight.
                let asked_last = stored.and_then(|s| s.answer.as_ref()).map(|a| a.answer.found_date);
                let other_day = asked_last.filter(|day| *day != key.day);
                Some(Job { first_day: key.day, other_day, key, recheck, has_record })
            }
        }
    }

    /// The job that looks at a final record again; `None` if it is none under today's rules.
    pub(super) fn record_job(&self, key: &CallKey, stored: Option<&StoredCall>) -> Option<Job> {
        let stored = stored.and_then(|stored| stored.answer.as_ref())?;
        let is_final = kind_today(stored) == AnswerKind::Final && stored.session_no < self.scope.run_from;
        // A record does not move to another day.
        let first_day = stored.answer.found_date;
        let (other_day, recheck, has_record) = (None, true, true);
        is_final.then(|| Job { key: key.clone(), first_day, other_day, recheck, has_record })
    }
}
