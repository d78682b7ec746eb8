//! The calls that a run has to ask for, and the order in which it asks.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use super::jobs::{CallSource, Hour, LedgerCall, for_each_call};
use super::refuted::Refutable;
use chrono::Utc;
use reconcile_core::answer::StoredAnswer;
use reconcile_core::ask_again::ReceiptUse;
use reconcile_core::checked_receipts::CheckedReceipts;
use reconcile_core::receipt::Receipt;

use crate::error::Result;
use crate::receipts::{AnsweredCall, JoinedReceipts};

const ANY_HOUR: RangeInclusive<Hour> = Hour::MIN..=Hour::MAX;

/// The calls that a run has to ask for under one account.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Workload {
    /// Calls that need a request.
    pub to_ask: u64,
    /// The calls among them near midnight: they may need a second request, for the neighbouring
    /// day.
    pub near_midnight: u64,
    /// Calls that would need one without the receipts that come into the store.
    pub saved: u64,
    /// Calls that need a request.
    hours: Hours,
    /// Calls whose request the receipts in the store save.
    saved_hours: Hours,
    /// What the sample says so far.
    checked: CheckedReceipts,
    /// True if calls of the sample need a request.
    is_sample_open: bool,
    /// Of several accounts: fingerprints of calls that need a request, at most [`MAX_KEPT`].
    pub(super) own: Vec<u128>,
}

/// Most fingerprints that the workloads of a run keep: 16 MB.
const MAX_KEPT: usize = 1_000_000;

/// Calls by the hour in which they were made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Hours(BTreeMap<Hour, u64>);

/// Number of groups, of about equal size, if the oldest calls come first. The ledger is read once
/// for each group.
const GROUPS: u64 = 8;

impl Hours {
    fn add(&mut self, hour: Hour) {
        *self.0.entry(hour).or_default() += 1;
    }

    fn calls(&self) -> u64 {
        self.0.values().sum()
    }

    /// The groups of calls, in the order in which they are asked for; none without a call.
    ///
    /// With `oldest_first`, several groups by the hour in which the calls were made, the oldest
    /// first. Otherwise one group, in ledger order.
    fn order(&self, oldest_first: bool) -> Vec<RangeInclusive<Hour>> {
        let all = self.calls();
        if all == 0 {
            return Vec::new();
        }
        if !oldest_first {
            return vec![ANY_HOUR];
        }
        let (mut groups, mut first_hour, mut calls_in_group) = (Vec::new(), Hour::MIN, 0);
        for (hour, calls) in &self.0 {
            calls_in_group += calls;
            if calls_in_group * GROUPS >= all {
                groups.push(first_hour..=*hour);
                (first_hour, calls_in_group) = (hour + 1, 0);
            }
        }
        match groups.last_mut().filter(|_| calls_in_group == 0) {
            // The last group has all calls; one more without a call would cost a reading.
            Some(last) => *last = *last.start()..=Hour::MAX,
            None => groups.push(first_hour..=Hour::MAX),
        }
        groups
    }
}

impl Workload {
    /// The groups of the calls that need a request, in the order in which they are asked for; none
    /// without a call.
    #[must_use]
    pub fn order(&self, oldest_first: bool) -> Vec<RangeInclusive<Hour>> {
        self.hours.order(oldest_first)
    }

    /// The calls that are asked for if the sample refutes the receipts; `None` if there are none,
    /// or if it is known already that it does not.
    #[must_use]
    pub fn refutable(&self, oldest_first: bool) -> Option<Refutable> {
        let (calls, is_refuted) = (self.saved_hours.calls(), self.checked.is_refuted());
        let may_follow = calls > 0 && (self.is_sample_open || is_refuted);
        may_follow.then(|| Refutable {
            calls,
            order: self.saved_hours.order(oldest_first),
            is_refuted: is_refuted && !self.is_sample_open,
        })
    }

    /// Adds a call.
    fn add(&mut self, call: &LedgerCall, source: CallSource<'_>) {
        self.checked.add(&call.row, call.stored.as_ref(), source.receipts, source.rules);
        let Some(job) = call.job(source) else {
            if call.saved_job(source).is_some() {
                self.saved_hours.add(call.place.hour);
            }
            return;
        };
        let has_receipt = call.stored.as_ref().is_some_and(|stored| stored.receipt.is_some());
        self.is_sample_open |= has_receipt && source.receipts.is_in_sample(&call.row.key);
        self.to_ask += 1;
        self.near_midnight += u64::from(job.other_day.is_some());
        self.hours.add(call.place.hour);
        // An earlier ledger may have named it under another account, which must not ask it too.
        let accounts = source.accounts.len();
        if accounts > 1 && self.own.len() < MAX_KEPT / accounts {
            self.own.push(job.key.fingerprint());
        }
    }
}

/// Counts the calls of each account that need a request; sends nothing.
///
/// # Errors
///
/// Exit 2 if the ledger cannot be read, exit 6 if the store cannot be read.
pub fn workloads(source: CallSource<'_>) -> Result<Vec<Workload>> {
    workloads_after(source, None)
}

/// The same, once these receipts are in the store.
///
/// # Errors
///
/// As [`workloads`]; exit 6 also if a temporary file cannot be read.
pub fn workloads_after(source: CallSource<'_>, receipts: Option<&JoinedReceipts>) -> Result<Vec<Workload>> {
    let mut workloads = vec![Workload::default(); source.accounts.len().max(1)];
    let mut answered = receipts.filter(|_| !source.scope.refresh).map(JoinedReceipts::answered);
    let (mut next, mut failed) = (None, None);
    for_each_call(source, &|_, _| true, &mut |call| {
        let (workload, record) = (&mut workloads[call.place.account], call.place.record);
        // Both are in the order of the ledger.
        while let Some(answered) = &mut answered
            && next.as_ref().is_none_or(|call: &AnsweredCall| call.place < record)
        {
            match answered.next().transpose() {
                Ok(Some(call)) => next = Some(call),
                Ok(None) => break,
                Err(error) => {
                    failed = Some(error);
                    return false;
                }
            }
        }
        let receipt = next.as_ref().filter(|next| next.place == record);
        if receipt.is_some_and(|receipt| saves(receipt, source.receipts)) && call.job(source).is_some() {
            workload.saved += 1;
        } else {
            workload.add(&call, source);
        }
        true
    })?;
    failed.map_or(Ok(workloads), Err)
}

/// Whether the receipt makes a request for its call needless. It is read now.
fn saves(call: &AnsweredCall, receipts: ReceiptUse) -> bool {
    let answer = Receipt::answer_of(call.receipt.to_data(), call.key.day);
    receipts.saves(&call.key, &StoredAnswer { answer, fetched_at: Utc::now(), session_no: 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(by_hour: &[(Hour, u64)]) -> Hours {
        Hours(by_hour.iter().copied().collect())
    }

    #[test]
    fn with_enough_time_the_calls_stay_in_ledger_order() {
        assert_eq!(hours(&[(1, 5), (2, 5)]).order(false), [ANY_HOUR]);
        assert_eq!(hours(&[]).order(false), []);
        assert_eq!(hours(&[]).order(true), []);
    }

    #[test]
    fn the_oldest_calls_come_first_and_each_hour_is_in_one_group() {
        let spread: Vec<(Hour, u64)> = (0..48).map(|hour| (hour, 10)).collect();
        let groups = hours(&spread).order(true);
        assert!((8..=9).contains(&groups.len()), "{groups:?}");
        for hour in -1..=60 {
            assert_eq!(groups.iter().filter(|group| group.contains(&hour)).count(), 1, "hour {hour}");
        }
        assert!(groups.is_sorted_by_key(|group| *group.start()));
        // A busy hour ends its group.
        let groups = hours(&[(1, 1), (2, 1_000), (3, 1)]).order(true);
        assert_eq!(groups, [Hour::MIN..=2, 3..=Hour::MAX]);
    }

    #[test]
    fn a_second_round_follows_only_what_can_refute() {
        let refuting = CheckedReceipts { checked: 10, differing: 5, unchecked: 0 };
        let workload = |checked, is_sample_open, saved: &[(Hour, u64)]| {
            let saved_hours = hours(saved);
            let workload = Workload { saved_hours, checked, is_sample_open, ..Workload::default() };
            workload.refutable(false).map(|refutable| (refutable.calls, refutable.is_refuted))
        };
        let agreeing = CheckedReceipts { checked: 10, ..CheckedReceipts::default() };
        for (checked, is_sample_open, expected) in [
            (agreeing, false, None),
            (agreeing, true, Some((3, false))),
            (refuting, false, Some((3, true))),
            // More answers may change what the sample says.
            (refuting, true, Some((3, false))),
        ] {
            assert_eq!(workload(checked, is_sample_open, &[(1, 2), (5, 1)]), expected);
            assert_eq!(workload(checked, is_sample_open, &[]), None, "no receipt saves a request");
        }
    }
}
