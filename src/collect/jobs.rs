//! The distinct calls of a ledger with record, account and hour, and their jobs: those that need a
//! request, and those whose request a receipt saves.

use std::collections::HashMap;
use std::iter::Enumerate;

use chrono::Utc;
use compact_str::CompactString;

use crate::error::Result;
use crate::fetch::Job;
use crate::ledger::{DuplicateCalls, LedgerRows, ScannedLedger};
use crate::store::Reader;
use reconcile_core::answer::StoredCall;
use reconcile_core::ask_again::{NextRequest, ReceiptUse, Scope};
use reconcile_core::calendar::{midnight_ms, neighbour_day};
use reconcile_core::call::CallKey;
use reconcile_core::call_result::Rules;
use reconcile_core::ledger_row::{LedgerRow, LedgerTime, Record};

/// An hour, counted since 1970.
pub type Hour = i64;

/// Rows whose calls are looked up together.
const ROWS_PER_LOOKUP: usize = 512;

/// The ledger, the store, and the accounts that its calls are asked under.
#[derive(Clone, Copy)]
pub struct CallSource<'a> {
    /// The ledger.
    pub ledger: &'a ScannedLedger,
    /// The run.
    pub scope: &'a Scope,
    /// `None` without a store.
    pub reader: Option<&'a dyn Reader>,
    /// How far receipts save requests.
    pub receipts: ReceiptUse,
    /// When a receipt differs from a record.
    pub rules: Rules,
    /// The names of the accounts in the ledger; none if one account is asked for all calls.
    pub accounts: &'a [CompactString],
}

/// The place of a call in the ledger, and the account that is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CallPlace {
    /// The number of the record, from 0.
    pub(super) record: u64,
    /// The place of the account in the list.
    pub(super) account: usize,
    /// The hour in which the call was made; the first hour of the day if the ledger gives only a
    /// day.
    pub(super) hour: Hour,
}

/// The distinct calls of a ledger: the first row of each call.
struct DistinctCalls<'a> {
    /// With the number of each record.
    ledger: Enumerate<LedgerRows>,
    duplicates: &'a DuplicateCalls,
}

impl Iterator for DistinctCalls<'_> {
    type Item = Result<(u64, LedgerRow)>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.ledger.next()? {
                (_, Err(e)) => return Some(Err(e.into())),
                (number, Ok(Record::Row(row))) if !self.duplicates.is_later(number as u64) => {
                    return Some(Ok((number as u64, row)));
                }
                (_, Ok(_)) => {}
            }
        }
    }
}

fn hour_of(row: &LedgerRow) -> Hour {
    let called_at_ms = row.expected.called_at.and_then(LedgerTime::instant).map(|at| at.timestamp_millis());
    called_at_ms.unwrap_or_else(|| midnight_ms(row.key.day)).div_euclid(3_600_000)
}

/// A call of the ledger.
pub(super) struct LedgerCall {
    pub(super) place: CallPlace,
    /// Its first row.
    pub(super) row: LedgerRow,
    /// What the store knows of it.
    pub(super) stored: Option<StoredCall>,
}

impl LedgerCall {
    /// Its job in the first round; `None` if it needs no request, or a receipt saves it.
    pub(super) fn job(&self, source: CallSource<'_>) -> Option<Job> {
        self.job_of(source.scope.next_of_call(&self.row.key, self.stored.as_ref(), source.receipts))
    }

    /// Its job in the second round; `None` unless a receipt saves its request.
    pub(super) fn saved_job(&self, source: CallSource<'_>) -> Option<Job> {
        self.job_of(source.scope.next_of_saved_call(&self.row.key, self.stored.as_ref(), source.receipts))
    }

    /// The job with this request; `None` without one.
    fn job_of(&self, next: NextRequest) -> Option<Job> {
        let Self { row, stored, .. } = self;
        let (first_day, other_day) = match next {
            NextRequest::Nothing => return None,
            NextRequest::OtherDay(day) => (day, None),
            NextRequest::Day => {
                let called_at = row.expected.called_at.and_then(LedgerTime::instant);
                // The provider has no record on a day that has not begun.
                let has_begun = |day: &chrono::NaiveDate| midnight_ms(*day) <= Utc::now().timestamp_millis();
                (row.key.day, called_at.and_then(neighbour_day).filter(has_begun))
            }
        };
        let has_record = has_record(stored.as_ref());
        Some(Job { key: row.key.clone(), first_day, other_day, recheck: false, has_record })
    }
}

/// Reads the ledger once. Passes each distinct call to `each`, in ledger order, until `each`
/// returns false. Calls that are not wanted are not looked up.
///
/// # Errors
///
/// Exit 2 if the ledger cannot be read, exit 6 if the store cannot be read.
pub(super) fn for_each_call(
    source: CallSource<'_>,
    is_wanted: &dyn Fn(CallPlace, &CallKey) -> bool,
    each: &mut dyn FnMut(LedgerCall) -> bool,
) -> Result<()> {
    let (ledger, duplicates) = (source.ledger.read()?, &source.ledger.scan.duplicate_calls);
    let by_name: HashMap<&str, usize> =
        source.accounts.iter().enumerate().map(|(at, name)| (name.as_str(), at)).collect();
    let place = |(record, row): (u64, LedgerRow)| {
        let name = row.carried.first().filter(|_| !by_name.is_empty());
        // The ledger's reader accepts only rows with one of these names.
        let account = name.and_then(|name| by_name.get(name.as_str())).copied().unwrap_or(0);
        (CallPlace { record, account, hour: hour_of(&row) }, row)
    };
    let mut rows = DistinctCalls { ledger: ledger.enumerate(), duplicates }
        .map(|row| row.map(place))
        .filter(|row| row.as_ref().map_or(true, |(place, row)| is_wanted(*place, &row.key)));
    loop {
        let rows = rows.by_ref().take(ROWS_PER_LOOKUP).collect::<Result<Vec<_>>>()?;
        if rows.is_empty() {
            return Ok(());
        }
        for call in look_up(rows, source.reader)? {
            if !each(call) {
                return Ok(());
            }
        }
    }
}

/// The calls of these rows. The store is asked for them together.
fn look_up(rows: Vec<(CallPlace, LedgerRow)>, reader: Option<&dyn Reader>) -> Result<Vec<LedgerCall>> {
    let keys: Vec<&CallKey> = rows.iter().map(|(_, row)| &row.key).collect();
    let stored = reader.map_or_else(|| Ok(vec![None; keys.len()]), |reader| reader.lookup_all(&keys))?;
    let calls = rows.into_iter().zip(stored);
    Ok(calls.map(|((place, row), stored)| LedgerCall { place, row, stored }).collect())
}

/// True if the store has a record of the call.
pub(super) fn has_record(stored: Option<&StoredCall>) -> bool {
    let answer = stored.and_then(|stored| stored.answer.as_ref());
    answer.is_some_and(|stored| stored.answer.kind.is_record())
}
