//! What a run learned beside its ledger: final records that changed, and earlier open calls.
//!
//! A changed record of a call that the ledger names is a discrepancy of this call. The others
//! follow the rows of the ledger. So both sets are in memory while the ledger is read, and each
//! call that it names is marked. They hold what one run can ask, and changes that no outputs
//! have told yet: a few hundred bytes for each changed record, and 17 bytes for each earlier open
//! call.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::NaiveDate;
use reconcile_core::amended::{LOST, amendments, record};
use reconcile_core::answer::{AnswerKind, StoredCall};
use reconcile_core::ask_again::Scope;
use reconcile_core::call::CallKey;
use reconcile_core::discrepancy::{Discrepancy, DiscrepancyRow};
use reconcile_core::discrepancy_rows::{OtherCall, of_other_call};

use crate::error::Result;
use crate::output::own_numbers;
use crate::store::{Amendment, AmendmentNo, EarlierCalls, OpenCall, OpenCallsOf, Reader};
use reconcile_core::ledger_row::Expected;
use reconcile_core::settle::kind_today;

/// The calls of a run beside its ledger, and which of them the ledger names after all.
#[derive(Default)]
pub struct BesideCalls {
    /// By the fingerprint of the call.
    amended: HashMap<u128, AmendedCall>,
    /// The fingerprints of the earlier open calls, sorted.
    open: Vec<u128>,
    /// Of each of them: whether the ledger names it.
    is_open_named: Vec<AtomicBool>,
    told: Vec<AmendmentNo>,
}

/// A call whose final record changed, which this run tells.
struct AmendedCall {
    call: OtherCall,
    account: Option<String>,
    amendments: Vec<Discrepancy>,
    /// The phone numbers of all its records.
    own_numbers: Vec<String>,
    is_named: AtomicBool,
}

/// A row of a call that the ledger does not name.
pub(super) struct OtherRow {
    pub(super) account: Option<String>,
    pub(super) row: DiscrepancyRow,
}

impl BesideCalls {
    /// Reads them from the store. `days` are those of the earlier open calls.
    ///
    /// # Errors
    ///
    /// Exit 6 if the store cannot be read.
    pub fn read(reader: &dyn Reader, run_no: i64, days: RangeInclusive<NaiveDate>) -> Result<Self> {
        let mut beside = Self::default();
        reader.amended(run_no, &mut |amendment| {
            beside.add(amendment);
            Ok(())
        })?;
        for_each_open(reader, run_no, days, &mut |calls| {
            beside.open.extend(calls.iter().map(|call| call.key.fingerprint()));
            Ok(())
        })?;
        beside.open.sort_unstable();
        beside.is_open_named = beside.open.iter().map(|_| AtomicBool::new(false)).collect();
        Ok(beside)
    }

    fn add(&mut self, Amendment { no, key, account, before, after }: Amendment) {
        self.told.push(no);
        let Some(old) = record(&before.answer) else { return };
        let new = match &after {
            Some(after) => match record(&after.answer) {
                Some(new) => Some(new),
                None => return,
            },
            None => None,
        };
        let amendments = amendments(&old, new.as_ref());
        let mut own = own_numbers(&Expected::default(), Some(&old));
        own.extend(own_numbers(&Expected::default(), new.as_ref()));
        let current = new.as_ref().unwrap_or(&old);
        let found_on = after.as_ref().unwrap_or(&before).answer.found_date;
        match self.amended.entry(key.fingerprint()) {
            Entry::Occupied(mut known) => {
                let known = known.get_mut();
                known.amendments.extend(amendments);
                known.amendments.sort_by(|one, other| one.field.cmp(&other.field));
                known.own_numbers.extend(own);
                known.call = OtherCall::new(key, found_on, current);
            }
            Entry::Vacant(new) => {
                let call = OtherCall::new(key, found_on, current);
                let is_named = AtomicBool::new(false);
                new.insert(AmendedCall { call, account, amendments, own_numbers: own, is_named });
            }
        }
    }

    /// The amendments of a call that the ledger names.
    pub(super) fn of_call(&self, key: &CallKey) -> &[Discrepancy] {
        if self.amended.is_empty() && self.open.is_empty() {
            return &[];
        }
        let fingerprint = key.fingerprint();
        if let Ok(at) = self.open.binary_search(&fingerprint) {
            self.is_open_named[at].store(true, Ordering::Relaxed);
        }
        let Some(call) = self.amended.get(&fingerprint) else { return &[] };
        call.is_named.store(true, Ordering::Relaxed);
        &call.amendments
    }

    /// The rows of the calls that the ledger does not name, in the order of the file: by day,
    /// CallId, product and field.
    pub(super) fn other_rows(&self) -> impl Iterator<Item = OtherRow> {
        let others = self.amended.values().filter(|call| !call.is_named.load(Ordering::Relaxed));
        let mut others: Vec<&AmendedCall> = others.collect();
        others.sort_by_key(|other| other.call.order());
        others.into_iter().flat_map(|other| {
            other.amendments.iter().map(|what| OtherRow {
                account: other.account.clone(),
                row: DiscrepancyRow {
                    own_numbers: other.own_numbers.clone(),
                    ..of_other_call(&other.call, what.clone())
                },
            })
        })
    }

    /// The changes that the outputs tell, for the store.
    #[must_use]
    pub fn told(&self) -> &[AmendmentNo] {
        &self.told
    }

    /// The number of calls whose record changed, and of those whose record the provider lost.
    #[must_use]
    pub fn changed_and_lost(&self) -> (u64, u64) {
        let is_lost = |call: &&AmendedCall| call.amendments.iter().any(|what| what.field == LOST);
        let lost = self.amended.values().filter(is_lost).count() as u64;
        (self.amended.len() as u64 - lost, lost)
    }

    fn is_named(&self, key: &CallKey) -> bool {
        let at = self.open.binary_search(&key.fingerprint());
        at.is_ok_and(|at| self.is_open_named[at].load(Ordering::Relaxed))
    }

    /// Counts the earlier open calls that the ledger does not name. Call it after the rows of the
    /// ledger, and before the store clears what is settled.
    ///
    /// # Errors
    ///
    /// Exit 6 if the store cannot be read.
    pub fn earlier_calls(
        &self,
        reader: &dyn Reader,
        scope: &Scope,
        days: RangeInclusive<NaiveDate>,
    ) -> Result<EarlierCalls> {
        let mut counts = EarlierCalls::default();
        for_each_open(reader, scope.run_no, days, &mut |calls| {
            let others: Vec<&CallKey> =
                calls.iter().map(|call| &call.key).filter(|key| !self.is_named(key)).collect();
            for stored in reader.lookup_all(&others)? {
                count(&mut counts, stored.as_ref(), scope.run_from);
            }
            Ok(())
        })?;
        Ok(counts)
    }
}

fn count(counts: &mut EarlierCalls, stored: Option<&StoredCall>, run_from: i64) {
    let answer = stored.and_then(|stored| stored.answer.as_ref());
    let is_asked = answer.is_some_and(|answer| answer.session_no >= run_from);
    let is_settled =
        answer.is_some_and(|answer| matches!(kind_today(answer), AnswerKind::Final | AnswerKind::Rejected));
    match (is_asked, is_settled) {
        // An earlier run settled it.
        (false, true) => return,
        (false, false) => counts.not_asked += 1,
        (true, true) => counts.settled += 1,
        (true, false) => counts.still_open += 1,
    }
    counts.open += 1;
    counts.asked += u64::from(is_asked);
}

/// Passes the open calls of these days to `each`, in parts.
fn for_each_open(
    reader: &dyn Reader,
    run_no: i64,
    days: RangeInclusive<NaiveDate>,
    each: &mut dyn FnMut(&[OpenCall]) -> Result<()>,
) -> Result<()> {
    for day in reader.open_days(run_no, days)? {
        let mut after = None;
        loop {
            let calls = reader.open_calls(&OpenCallsOf { run_no, day, after })?;
            let Some(last) = calls.last() else { break };
            after = Some(last.key.clone());
            each(&calls)?;
        }
    }
    Ok(())
}
