//! The calls of a user's own ledger: each has a record as its row expects it, but for a share of planted discrepancies.
//!
//! Promises that the same ledger, seed and share give the same records and the same plants, and that what was planted is
//! told in the words of the discrepancies. What is wrong with the ledger itself, such as a row that contradicts itself, is
//! no plant. The rows are held in memory, some 500 bytes each.

use std::collections::HashMap;
use std::path::Path;

use chrono::{NaiveDate, TimeDelta};
use serde::Serialize;
use serde_json::{Value, json};

use super::faults::chance;
use super::gateway::Refusal;
use super::invented::{self, Record};
use super::records::{Told, interim, malformed};
use crate::error::Result;
use crate::ledger::{Input, Options};
use reconcile_core::calendar::{from_provider_local, provider_text};
use reconcile_core::ledger_row::{Expected, LedgerRow, LedgerTime, Record as Row};
use reconcile_core::product::ProductId;

/// Stands for any product: of the rows that name none.
const ANY_PRODUCT: ProductId = ProductId(0);
/// Stands for any day: of the rows that name none.
const ANY_DAY: NaiveDate = NaiveDate::MIN;
/// The states of unanswered calls that one is mistaken for another among.
const UNANSWERED: [&str; 5] = ["200002", "200003", "200005", "200007", "200010"];
/// Sets the chances of plants apart from those of faults.
const PLANTING: u64 = 0x7ab1_e5ed;

/// A discrepancy that is planted in a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Plant {
    NotFound,
    Rejected,
    Malformed,
    Pending,
    Duration,
    Callee,
    State,
    CalledAt,
}

/// One discrepancy as a run has to find it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Planted {
    call_id: String,
    ledger_line: u64,
    kind: &'static str,
    field: &'static str,
}

struct Call {
    prod_id: ProductId,
    day: NaiveDate,
    expected: Expected,
    plant: Option<Plant>,
}

/// The calls of a ledger.
#[derive(Default)]
pub(super) struct Rehearsed {
    calls: HashMap<String, Vec<Call>>,
    planted: Vec<Planted>,
    counted: u64,
    unusable: u64,
}

impl Rehearsed {
    /// Reads a ledger; `share` of 2^64 of its calls get a discrepancy.
    ///
    /// # Errors
    ///
    /// Exit 2 when the ledger cannot be read.
    pub(super) fn read(path: &Path, map: &[(String, String)], seed: u64, share: u64) -> Result<Self> {
        let options = Options {
            prod_id: Some(ANY_PRODUCT),
            call_date: Some(ANY_DAY),
            map: map.to_vec(),
            delimiter: None,
        };
        let mut read = Self::default();
        for record in Input::open(path)?.ledger(&options)? {
            match record? {
                Row::Row(row) => read.add(row, seed, share),
                Row::Invalid(_) => read.unusable += 1,
            }
        }
        Ok(read)
    }

    /// A call counts as its first row has it.
    fn add(&mut self, row: LedgerRow, seed: u64, share: u64) {
        let LedgerRow { line, key, expected, .. } = row;
        let same = self.calls.entry(key.call_id.clone()).or_default();
        if same.iter().any(|call| (call.prod_id, call.day) == (key.prod_id, key.day)) {
            return;
        }
        // Half of the fingerprint is chance enough.
        let hash = u64::try_from(key.fingerprint() >> 64).unwrap_or(0);
        let planted = chance(seed, hash, PLANTING) < share;
        let plant = planted.then(|| choose(chance(seed, hash, PLANTING + 1), &expected));
        let found = plant.map(|plant| plant.shows(&expected)).unwrap_or_default();
        self.planted.extend(found.into_iter().map(|(kind, field)| {
            let call_id = key.call_id.clone();
            Planted { call_id, ledger_line: line, kind, field }
        }));
        same.push(Call { prod_id: key.prod_id, day: key.day, expected, plant });
        self.counted += 1;
    }

    /// In words.
    pub(super) fn summary(&self) -> String {
        let mut text =
            format!("{} calls, {} discrepancies planted in them", self.counted, self.planted.len());
        if self.unusable > 0 {
            text += &format!("; {} rows unusable", self.unusable);
        }
        text
    }

    /// What a run has to find, in ledger order.
    pub(super) fn planted(&self) -> Value {
        json!({ "calls": self.counted, "unusable_rows": self.unusable, "planted": self.planted })
    }

    pub(super) fn tell(&self, seed: u64, call_id: &str, prod_id: i64, day: NaiveDate) -> Told {
        let is = |call: &&Call| {
            [ANY_PRODUCT, ProductId(prod_id)].contains(&call.prod_id) && [ANY_DAY, day].contains(&call.day)
        };
        let Some(call) = self.calls.get(call_id).and_then(|calls| calls.iter().find(is)) else {
            return Told::NoRecord;
        };
        let record = invented::expected(seed, call_id, day, &call.expected);
        match call.plant {
            None => Told::Data(record.text()),
            Some(plant) => plant.tell(record),
        }
    }
}

/// One of the discrepancies that this row can have.
fn choose(chance: u64, expected: &Expected) -> Plant {
    let mut possible = vec![Plant::NotFound, Plant::Rejected, Plant::Malformed, Plant::Pending];
    if expected.duration_s.is_some_and(|s| s > 0) && expected.answered != Some(false) {
        possible.push(Plant::Duration);
    }
    if expected.callee.as_deref().is_some_and(|number| number.ends_with(|c: char| c.is_ascii_digit())) {
        possible.push(Plant::Callee);
    }
    if expected.state.as_deref().is_some_and(|state| UNANSWERED.contains(&state)) {
        possible.push(Plant::State);
    }
    if expected.called_at.and_then(LedgerTime::instant).is_some() {
        possible.push(Plant::CalledAt);
    }
    let count = u64::try_from(possible.len()).unwrap_or(1);
    let at = usize::try_from(chance % count).unwrap_or(0);
    possible.get(at).copied().unwrap_or(Plant::NotFound)
}

impl Plant {
    /// The discrepancies that it shows as: kind and field.
    fn shows(self, expected: &Expected) -> Vec<(&'static str, &'static str)> {
        let mut shows = vec![match self {
            Self::NotFound => ("not_found", ""),
            Self::Rejected => ("failed", ""),
            Self::Malformed => ("malformed", ""),
            Self::Pending => ("pending", "state"),
            Self::Duration => ("mismatch", "duration_s"),
            Self::Callee => ("mismatch", "callee"),
            Self::State => ("mismatch", "state"),
            Self::CalledAt => ("mismatch", "called_at"),
        }];
        // A longer talk ends later.
        if self == Self::Duration && expected.ended_at.and_then(LedgerTime::instant).is_some() {
            shows.push(("mismatch", "ended_at"));
        }
        shows
    }

    fn tell(self, mut record: Record) -> Told {
        match self {
            Self::NotFound => return Told::NoRecord,
            Self::Rejected => {
                let message = "The specified parameters are invalid.";
                return Told::Refused(Refusal::new(400, "InvalidParameters", message));
            }
            Self::Malformed => return Told::Data(malformed(&record.text())),
            Self::Pending => return Told::Data(interim(&record.text())),
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
                let at = UNANSWERED.iter().position(|state| *state == record.state).unwrap_or(0);
                UNANSWERED[(at + 1) % UNANSWERED.len()].clone_into(&mut record.state);
            }
            Self::CalledAt => record.gmt_create = later(&record.gmt_create, 61),
        }
        Told::Data(record.text())
    }
}

/// A time so many seconds later; what is no time stays.
fn later(text: &str, seconds: i64) -> String {
    let time = chrono::NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S");
    time.map_or_else(
        |_| text.to_owned(),
        |at| provider_text(from_provider_local(at) + TimeDelta::seconds(seconds)).into(),
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::Write as _;

    use super::*;

    const FULL: u64 = u64::MAX;

    fn rehearsed(text: &str, share: u64) -> Rehearsed {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        Rehearsed::read(file.path(), &[], 0, share).unwrap()
    }

    #[test]
    fn a_call_is_found_for_its_product_on_its_day_and_what_a_row_leaves_out_does_not_matter() {
        let calls =
            rehearsed("call_id,prod_id,called_at\n1^1,7,2026-11-20 10:00:00\n1^2,,\n1^1,8,2026-11-20\n", 0);
        let found = |id: &str, product, day: &str| {
            matches!(calls.tell(0, id, product, day.parse().unwrap()), Told::Data(_))
        };
        assert!(found("1^1", 7, "2026-11-20") && found("1^1", 8, "2026-11-20"));
        assert!(!found("1^1", 9, "2026-11-20") && !found("1^1", 7, "2026-11-21"));
        assert!(found("1^2", 9, "2026-11-21") && !found("1^3", 7, "2026-11-20"));
        assert_eq!(calls.summary(), "3 calls, 0 discrepancies planted in them");
    }

    #[test]
    fn plants_are_those_that_the_row_can_have_and_repeat() {
        let mut text = String::from("call_id,callee,state,duration\n");
        (0..400).for_each(|n| text += &format!("1^{n},1250000{n:04},200003,\n"));
        (0..400).for_each(|n| text += &format!("2^{n},,,9\n"));
        let calls = rehearsed(&text, FULL);
        assert!(calls.planted.len() >= 800);
        for planted in &calls.planted {
            let fits = match planted.field {
                "callee" | "state" if planted.kind == "mismatch" => planted.call_id.starts_with('1'),
                "duration_s" => planted.call_id.starts_with('2'),
                _ => planted.kind != "mismatch",
            };
            assert!(fits, "{planted:?}");
        }
        assert_eq!(rehearsed(&text, FULL).planted, calls.planted);
        let some = rehearsed(&text, FULL / 50).planted.len();
        assert!((4..40).contains(&some), "{some} of 800 at 2 %");
    }
}
