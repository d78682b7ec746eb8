//! The calls of a ledger, sorted by CallId, in bounded memory.

use std::path::Path;

use chrono::{Datelike as _, NaiveDate};
use sha2::{Digest as _, Sha256};

use super::covered_days::CoveredDays;
use crate::error::Result;
use crate::ledger::ScannedLedger;
use crate::sorted_records::SortedRecords;
use reconcile_core::call::CallKey;
use reconcile_core::ledger_row::Record;
use reconcile_core::product::ProductId;

/// The calls that a ledger names, and the days that it covers.
#[derive(Debug)]
pub struct LedgerCalls {
    pub(super) sorted: SortedRecords,
    /// Places are below it.
    pub(super) places: u64,
    pub(super) days: CoveredDays,
}

/// A call of the ledger at its place.
#[derive(Clone, Copy)]
pub(super) struct NamedCall {
    pub(super) place: u64,
    pub(super) prod_id: ProductId,
    pub(super) day: NaiveDate,
}

/// A key by which receipts and calls are sorted: no two CallIds share one.
pub(super) fn key_of(call_id: &str) -> u128 {
    let digest = Sha256::digest(call_id);
    digest.first_chunk().map_or(0, |half| u128::from_le_bytes(*half))
}

impl LedgerCalls {
    /// No calls yet. The temporary file will be in the folder `temporary`; without one, in the
    /// system's.
    #[must_use]
    pub fn new(temporary: Option<&Path>) -> Self {
        Self { sorted: SortedRecords::new_in(temporary), places: 0, days: CoveredDays::default() }
    }

    /// The distinct calls of a ledger; each place is the number of the call's first record, from 0.
    ///
    /// # Errors
    ///
    /// Exit 2 if the ledger cannot be read, exit 6 if the temporary file cannot be written.
    pub fn of(ledger: &ScannedLedger, temporary: Option<&Path>) -> Result<Self> {
        let mut calls = Self::new(temporary);
        for (place, record) in (0_u64..).zip(ledger.read()?) {
            match record? {
                Record::Row(row) if ledger.scan.duplicate_calls.is_later(place) => drop(row),
                Record::Row(row) => calls.add(place, &row.key)?,
                Record::Invalid(row) => {
                    if let Some(call_id) = &row.call_id {
                        calls.add_named(call_id)?;
                    }
                }
            }
        }
        Ok(calls)
    }

    /// Adds a call at its place. No two calls may have the same place.
    ///
    /// # Errors
    ///
    /// Exit 6 if the temporary file cannot be written.
    pub fn add(&mut self, place: u64, key: &CallKey) -> Result<()> {
        self.places = self.places.max(place + 1);
        self.days.add(key.day);
        let (product, day) = (key.prod_id.0.to_string(), key.day.num_days_from_ce().to_string());
        self.sorted.push(key_of(&key.call_id), place, [product.as_str(), day.as_str()])
    }

    /// Adds the CallId of a row that cannot be used. No receipt answers it, and the ledger does not
    /// lack it.
    ///
    /// # Errors
    ///
    /// Exit 6 if the temporary file cannot be written.
    pub fn add_named(&mut self, call_id: &str) -> Result<()> {
        self.sorted.push(key_of(call_id), u64::MAX, [])
    }
}

/// The call with these texts; `None` for a row that cannot be used.
pub(super) fn named_call(place: u64, texts: &[&str]) -> Option<NamedCall> {
    let [product, day] = *texts else { return None };
    let day = NaiveDate::from_num_days_from_ce_opt(day.parse().ok()?)?;
    Some(NamedCall { place, prod_id: ProductId(product.parse().ok()?), day })
}
