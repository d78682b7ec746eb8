//! The calls that a run has to ask for, and the order in which it asks.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use super::jobs::{CallSource, Hour, for_each_job};
use chrono::Utc;
use reconcile_core::answer::StoredAnswer;
use reconcile_core::ask_again::ReceiptUse;
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
    /// Calls that would need one without the receipts.
    pub saved: u64,
    /// Calls that need a request, by the hour in which they were made.
    by_hour: BTreeMap<Hour, u64>,
}

/// Number of groups, of about equal size, if the oldest calls come first. The ledger is read once
/// for each group.
const GROUPS: u64 = 8;

impl Workload {
    /// The groups of calls, in the order in which they are asked for.
    ///
    /// With `oldest_first`, several groups by the hour in which the calls were made, the oldest
    /// first. Otherwise one group, in ledger order.
    #[must_use]
    pub fn order(&self, oldest_first: bool) -> Vec<RangeInclusive<Hour>> {
        if !oldest_first {
            return vec![ANY_HOUR];
        }
        let (mut groups, mut first_hour, mut calls_in_group) = (Vec::new(), Hour::MIN, 0);
        for (hour, calls) in &self.by_hour {
            calls_in_group += calls;
            if calls_in_group * GROUPS >= self.to_ask {
                groups.push(first_hour..=*hour);
                (first_hour, calls_in_group) = (hour + 1, 0);
            }
        }
        groups.push(first_hour..=Hour::MAX);
        groups
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
    for_each_job(source, &|_| true, &mut |place, job| {
        let workload = &mut workloads[place.account];
        // Both are in the order of the ledger.
        while let Some(answered) = &mut answered
            && next.as_ref().is_none_or(|call: &AnsweredCall| call.place < place.record)
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
        if next.as_ref().is_some_and(|call| call.place == place.record && saves(call, source.receipts)) {
            workload.saved += 1;
            return true;
        }
        workload.to_ask += 1;
        workload.near_midnight += u64::from(job.other_day.is_some());
        *workload.by_hour.entry(place.hour).or_default() += 1;
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

    fn workload(by_hour: &[(Hour, u64)]) -> Workload {
        let to_ask = by_hour.iter().map(|(_, calls)| calls).sum();
        Workload { to_ask, by_hour: by_hour.iter().copied().collect(), ..Workload::default() }
    }

    #[test]
    fn with_enough_time_the_calls_stay_in_ledger_order() {
        assert_eq!(workload(&[(1, 5), (2, 5)]).order(false), [ANY_HOUR]);
    }

    #[test]
    fn the_oldest_calls_come_first_and_each_hour_is_in_one_group() {
        let spread: Vec<(Hour, u64)> = (0..48).map(|hour| (hour, 10)).collect();
        let groups = workload(&spread).order(true);
        assert!((8..=9).contains(&groups.len()), "{groups:?}");
        for hour in -1..=60 {
            assert_eq!(groups.iter().filter(|group| group.contains(&hour)).count(), 1, "hour {hour}");
        }
        assert!(groups.is_sorted_by_key(|group| *group.start()));
        // A busy hour ends its group.
        let groups = workload(&[(1, 1), (2, 1_000), (3, 1)]).order(true);
        assert_eq!(groups, [Hour::MIN..=2, 3..=Hour::MAX]);
    }
}
