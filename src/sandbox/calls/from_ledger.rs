//! The calls of a user's own ledger. Each record agrees with its row, except for a share of
//! planted discrepancies.
//!
//! The same ledger, seed and share give the same records and the same plants. Faults of the ledger
//! itself, such as a row that contradicts itself, are not plants. The rows are held in memory,
//! about 500 bytes each.

use std::collections::HashMap;
use std::path::Path;

use chrono::NaiveDate;
use serde::Serialize;
use serde_json::{Value, json};

use super::generated;
use super::known_record::KnownRecord;
use super::plant::{KindAndField, Plant};
use crate::error::Result;
use crate::ledger::{Input, Options};
use crate::sandbox::call_query::CallQuery;
use crate::sandbox::chance::{Share, draw};
use crate::sandbox::reply::Reply;
use reconcile_core::calendar::day_of;
use reconcile_core::call::called_at_of;
use reconcile_core::ledger_row::{Expected, LedgerRow, Record};
use reconcile_core::product::ProductId;

/// The product of rows that name none; it matches any product.
const ANY_PRODUCT: ProductId = ProductId(0);
/// The day of rows that name none; it matches any day.
const ANY_DAY: NaiveDate = NaiveDate::MIN;
/// The draws for plants use these numbers. The draws for faults use others.
const PLANT_OR_NOT: u64 = 0x7ab1_e5ed;
const WHICH_PLANT: u64 = PLANT_OR_NOT + 1;

/// One discrepancy that a run must find.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Planted {
    call_id: String,
    ledger_line: u64,
    kind: &'static str,
    field: &'static str,
}

struct LedgerCall {
    prod_id: ProductId,
    day: NaiveDate,
    expected: Expected,
    plant: Option<Plant>,
}

impl LedgerCall {
    fn reply(&self, seed: u64, call_id: &str, day: NaiveDate) -> Reply {
        let record = generated::record_for_row(seed, call_id, day, &self.expected);
        match self.plant {
            None => Reply::Data(record.data()),
            Some(plant) => plant.apply(record),
        }
    }
}

/// The calls by CallId, and the planted discrepancies.
#[derive(Default)]
pub(super) struct LedgerCalls {
    by_call_id: HashMap<String, Vec<LedgerCall>>,
    planted: Vec<Planted>,
    count: u64,
    unusable_rows: u64,
}

impl LedgerCalls {
    /// Reads a ledger and plants a discrepancy in a `share` of its calls.
    ///
    /// # Errors
    ///
    /// Exit 2 if the ledger cannot be read.
    pub(super) fn read(path: &Path, map: &[(String, String)], seed: u64, share: Share) -> Result<Self> {
        let options = Options {
            prod_id: Some(ANY_PRODUCT),
            call_date: Some(ANY_DAY),
            map: map.to_vec(),
            ..Options::default()
        };
        let mut calls = Self::default();
        for record in Input::open(path)?.ledger(&options)? {
            match record? {
                Record::Row(row) => calls.add(row, seed, share),
                Record::Invalid(_) => calls.unusable_rows += 1,
            }
        }
        Ok(calls)
    }

    /// Adds a row's call. Later rows of the same call are ignored.
    fn add(&mut self, row: LedgerRow, seed: u64, share: Share) {
        let LedgerRow { line, key, expected, .. } = row;
        let same_id = self.by_call_id.entry(key.call_id.clone()).or_default();
        if same_id.iter().any(|call| (call.prod_id, call.day) == (key.prod_id, key.day)) {
            return;
        }
        let hash = u64::try_from(key.fingerprint() >> 64).unwrap_or(0);
        let plant = share
            .includes(draw(seed, hash, PLANT_OR_NOT))
            .then(|| Plant::choose(draw(seed, hash, WHICH_PLANT), &expected));
        let discrepancies = plant.map(|plant| plant.discrepancies(&expected)).unwrap_or_default();
        self.planted.extend(discrepancies.into_iter().map(|KindAndField { kind, field }| {
            let call_id = key.call_id.clone();
            Planted { call_id, ledger_line: line, kind, field }
        }));
        same_id.push(LedgerCall { prod_id: key.prod_id, day: key.day, expected, plant });
        self.count += 1;
    }

    /// The counts, as the start message shows them.
    pub(super) fn summary(&self) -> String {
        let (calls, planted, unusable) = (self.count, self.planted.len(), self.unusable_rows);
        format!(
            "a ledger (calls: {calls}, unusable rows: {unusable}, planted discrepancies: {planted}, \
             listed at /_sandbox/planted)"
        )
    }

    /// The discrepancies that a run must find, in ledger order.
    pub(super) fn planted(&self) -> Value {
        json!({ "calls": self.count, "unusable_rows": self.unusable_rows, "planted": self.planted })
    }

    /// The record of every call that has one, as far as its day is known.
    pub(super) fn records(&self, seed: u64) -> impl Iterator<Item = KnownRecord> {
        let calls = self.by_call_id.iter().flat_map(|(id, calls)| calls.iter().map(move |call| (id, call)));
        calls.filter_map(move |(call_id, call)| {
            let day = Some(call.day).filter(|day| *day != ANY_DAY);
            let day = day.or_else(|| called_at_of(call_id).map(day_of))?;
            let product = Some(call.prod_id).filter(|product| *product != ANY_PRODUCT);
            match call.reply(seed, call_id, day) {
                Reply::Data(data) => Some(KnownRecord { product, day, data }),
                _ => None,
            }
        })
    }

    /// The reply to a query.
    pub(super) fn reply(&self, seed: u64, query: &CallQuery<'_>) -> Reply {
        let matches = |call: &&LedgerCall| {
            [ANY_PRODUCT, ProductId(query.prod_id)].contains(&call.prod_id)
                && [ANY_DAY, query.day].contains(&call.day)
        };
        let calls = self.by_call_id.get(query.call_id);
        let Some(call) = calls.and_then(|calls| calls.iter().find(matches)) else {
            return Reply::NoRecord;
        };
        call.reply(seed, query.call_id, query.day)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::Write as _;

    use super::*;
    use crate::sandbox::chance::parse_share;

    fn calls(text: &str, share: &str) -> LedgerCalls {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        LedgerCalls::read(file.path(), &[], 0, parse_share(share).unwrap()).unwrap()
    }

    #[test]
    fn a_call_is_found_by_the_fields_that_its_row_has() {
        let calls =
            calls("call_id,prod_id,called_at\n1^1,7,2026-11-20 10:00:00\n1^2,,\n1^1,8,2026-11-20\n", "0%");
        let found = |call_id: &str, prod_id, day: &str| {
            let query = CallQuery { call_id, prod_id, day: day.parse().unwrap() };
            matches!(calls.reply(0, &query), Reply::Data(_))
        };
        assert!(found("1^1", 7, "2026-11-20") && found("1^1", 8, "2026-11-20"));
        assert!(!found("1^1", 9, "2026-11-20") && !found("1^1", 7, "2026-11-21"));
        assert!(found("1^2", 9, "2026-11-21") && !found("1^3", 7, "2026-11-20"));
        assert!(calls.summary().contains("calls: 3, unusable rows: 0, planted discrepancies: 0"));
    }

    #[test]
    fn plants_fit_the_row_and_repeat_with_the_seed() {
        let mut text = String::from("call_id,callee,state,duration\n");
        (0..400).for_each(|n| text += &format!("1^{n},1250000{n:04},200003,\n"));
        (0..400).for_each(|n| text += &format!("2^{n},,,9\n"));
        let all = calls(&text, "100%");
        assert!(all.planted.len() >= 800);
        for planted in &all.planted {
            let fits = match planted.field {
                "callee" | "state" if planted.kind == "mismatch" => planted.call_id.starts_with('1'),
                "duration_s" => planted.call_id.starts_with('2'),
                _ => planted.kind != "mismatch",
            };
            assert!(fits, "{planted:?}");
        }
        assert_eq!(calls(&text, "100%").planted, all.planted);
        let some = calls(&text, "2%").planted.len();
        assert!((4..40).contains(&some), "{some} of 800 at 2 %");
    }
}
