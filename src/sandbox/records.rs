//! What the simulated provider knows of a call, and how it is changed on the way.
//!
//! Owns the table of the sample data (`sample-data/provider.json`); all other calls are invented, or a ledger's
//! (`rehearsed`), or those of a recording (`replay`). Promises that an answer is a pure function of seed, CallId, product, day
//! and, where the table has faults, attempt: no clock, no chance. A recording tells in the order in which it was made.

use std::collections::HashMap;

use chrono::NaiveDate;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::faults::{Step, What};
use super::gateway::Refusal;
use super::invented;
use super::rehearsed::Rehearsed;
use super::replay::{Replay, Replayed};
use crate::error::{Error, Result};

/// The calls of the sample ledger.
const SAMPLE: &str = include_str!("../../sample-data/provider.json");

/// What the sandbox says of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Told {
    /// `OK` with this `Data`.
    Data(String),
    /// `OK` without `Data`.
    NoRecord,
    /// An error.
    Refused(Refusal),
    /// No answer of the provider's but a page, as a proxy sends one.
    Page {
        /// HTTP status.
        status: u16,
    },
    /// An answer as it was recorded.
    Replayed(Replayed),
    /// A key for a time, as STS answers.
    Key(String),
}

/// An error as the table writes it; without a code it is a proxy's page.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fault {
    http: u16,
    code: Option<String>,
    #[serde(default)]
    message: String,
}

impl Fault {
    fn told(&self) -> Told {
        match &self.code {
            Some(code) => Told::Refused(Refusal::new(self.http, code.clone(), self.message.clone())),
            None => Told::Page { status: self.http },
        }
    }
}

/// A call of the table. With neither `record` nor `data` nor `error` there is no record of it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    prod_id: i64,
    /// The day on which the record stands.
    day: NaiveDate,
    /// The record; its text is sent as `Data`, byte for byte.
    record: Option<Box<RawValue>>,
    /// `Data` that is no JSON.
    data: Option<String>,
    /// The error that answers every try.
    error: Option<Fault>,
    /// The errors that answer the first tries.
    #[serde(default)]
    first: Vec<Fault>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    #[serde(rename = "about")]
    _about: String,
    calls: HashMap<String, Entry>,
}

/// Whose calls the provider knows.
pub(super) enum Known {
    /// Those of the sample data, and any other.
    Sample(HashMap<String, Entry>),
    /// Those of a ledger alone.
    Ledger(Rehearsed),
    /// Those of a recording alone.
    Recording(Replay),
}

/// All that the sandbox knows.
pub(super) struct Records {
    known: Known,
    seed: u64,
}

impl Records {
    pub(super) fn new(known: Known, seed: u64) -> Self {
        Self { known, seed }
    }

    /// Reads the table of the sample data.
    pub(super) fn sample() -> Result<Known> {
        let table: Table = serde_json::from_str(SAMPLE)
            .map_err(|e| Error::usage("the sandbox's own table of calls cannot be read").because(e))?;
        Ok(Known::Sample(table.calls))
    }

    /// What was planted in a ledger's calls.
    pub(super) fn planted(&self) -> Value {
        match &self.known {
            Known::Ledger(rehearsed) => rehearsed.planted(),
            Known::Sample(_) | Known::Recording(_) => serde_json::json!({ "calls": 0, "planted": [] }),
        }
    }

    /// Answers the so-manieth request for a call, for a day.
    pub(super) fn tell(&self, call_id: &str, prod_id: i64, day: NaiveDate, attempt: u32) -> Told {
        let record = match &self.known {
            Known::Sample(table) => match table.get(call_id) {
                Some(entry) => return entry.tell(prod_id, day, attempt),
                None => invented::record(self.seed, call_id, day).map(|record| record.text()),
            },
            Known::Ledger(rehearsed) => return rehearsed.tell(self.seed, call_id, prod_id, day),
            Known::Recording(replay) => return replay.tell(call_id, prod_id, day),
        };
        record.map_or(Told::NoRecord, Told::Data)
    }
}

impl Entry {
    fn tell(&self, prod_id: i64, day: NaiveDate, attempt: u32) -> Told {
        let before = usize::try_from(attempt.saturating_sub(1)).unwrap_or(usize::MAX);
        if let Some(fault) = self.first.get(before) {
            return fault.told();
        }
        if let Some(error) = &self.error {
            return error.told();
        }
        // Another product or another day finds nothing, silently, as with the provider.
        if (self.prod_id, self.day) != (prod_id, day) {
            return Told::NoRecord;
        }
        let record = self.record.as_deref().map(|record| record.get().to_owned());
        record.or_else(|| self.data.clone()).map_or(Told::NoRecord, Told::Data)
    }
}

/// What a step makes of what would be told; `elsewhere` is what would be told for the day that was asked for first.
pub(super) fn alter(step: &Step, told: impl Fn() -> Told, elsewhere: impl FnOnce() -> Option<Told>) -> Told {
    let changed = |change: fn(&str) -> String| match told() {
        Told::Data(data) => Told::Data(change(&data)),
        other => other,
    };
    match &step.what {
        What::NoRecord => Told::NoRecord,
        What::Data(data) => Told::Data(data.clone()),
        What::Error(refusal) => Told::Refused(refusal.clone()),
        What::Page { status } => Told::Page { status: *status },
        What::OtherDay => elsewhere().unwrap_or(Told::NoRecord),
        What::Interim => changed(interim),
        What::Malformed => changed(malformed),
        What::UnknownState => {
            changed(|data| with(data, &[("state", "502".into()), ("stateDesc", "502".into())]))
        }
        What::Record | What::Empty | What::Truncated | What::Cut | What::Dropped | What::Never => told(),
    }
}

/// A record of a call that still goes on.
pub(super) fn interim(data: &str) -> String {
    let nothing = || Value::from("");
    with(
        data,
        &[
            ("state", "200103".into()),
            ("stateDesc", "呼叫建立,正在通话".into()),
            ("duration", 0.into()),
            ("startDate", nothing()),
            ("endDate", nothing()),
        ],
    )
}

/// As the provider's own page prints it: with quotes that are none.
pub(super) fn malformed(data: &str) -> String {
    data.replace("{\"", "{“").replace('"', "”")
}

/// `Data` with some fields replaced; what is no object stays as it is.
pub(super) fn with(data: &str, fields: &[(&str, Value)]) -> String {
    let Ok(Value::Object(mut record)) = serde_json::from_str(data) else { return data.to_owned() };
    for (name, value) in fields {
        record.insert((*name).to_owned(), value.clone());
    }
    Value::Object(record).to_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;
    use reconcile_core::normalize::normalize;

    fn table() -> HashMap<String, Entry> {
        match Records::sample().unwrap() {
            Known::Sample(table) => table,
            _ => panic!("not the sample"),
        }
    }

    #[test]
    fn the_same_call_has_the_same_record_always() {
        let records = || Records::new(Records::sample().unwrap(), 0);
        let (one, other, on) = (records(), records(), "2026-11-20".parse().unwrap());
        for n in 0..50 {
            let call_id = format!("116012854{n:03}^102814271{n:03}");
            assert_eq!(one.tell(&call_id, 7, on, 1), other.tell(&call_id, 7, on, 1));
            assert_eq!(one.tell(&call_id, 7, on, 1), one.tell(&call_id, 7, on, 2));
        }
    }

    #[test]
    fn a_call_of_the_table_is_found_for_its_product_on_its_day_alone() {
        let table = table();
        assert!(!table.is_empty());
        for (call_id, entry) in table.iter().filter(|(_, e)| e.first.is_empty() && e.error.is_none()) {
            let told = entry.tell(entry.prod_id, entry.day, 1);
            let known = entry.record.is_some() || entry.data.is_some();
            assert_eq!(matches!(told, Told::Data(_)), known, "{call_id}");
            assert_eq!(entry.tell(entry.prod_id + 1, entry.day, 1), Told::NoRecord, "{call_id}");
            let next = entry.day.succ_opt().unwrap();
            assert_eq!(entry.tell(entry.prod_id, next, 1), Told::NoRecord, "{call_id}");
        }
    }

    #[test]
    fn the_faults_of_the_table_befall_the_first_tries_only() {
        let table = table();
        let faulty: Vec<_> = table.iter().filter(|(_, e)| !e.first.is_empty()).collect();
        assert!(!faulty.is_empty());
        for (call_id, entry) in faulty {
            let tries = u32::try_from(entry.first.len()).unwrap();
            for attempt in 1..=tries {
                let told = entry.tell(entry.prod_id, entry.day, attempt);
                assert!(matches!(told, Told::Refused(_) | Told::Page { .. }), "{call_id}: {told:?}");
            }
            assert!(matches!(entry.tell(entry.prod_id, entry.day, tries + 1), Told::Data(_)), "{call_id}");
        }
    }

    #[test]
    fn the_table_gives_each_call_one_answer() {
        for (call_id, entry) in &table() {
            let given = [entry.record.is_some(), entry.data.is_some(), entry.error.is_some()];
            assert!(given.into_iter().filter(|given| *given).count() <= 1, "{call_id}");
        }
    }

    #[test]
    fn a_record_is_changed_as_the_fault_says() {
        let record =
            "{\"callId\":\"1^1\",\"state\":\"200000\",\"duration\":4,\"startDate\":\"2026-05-26 17:01:47\"}";
        let altered = |what: What| {
            let told = alter(&what.into(), || Told::Data(record.into()), || Some(Told::NoRecord));
            let Told::Data(data) = told else { return Err(told) };
            Ok(normalize(&data))
        };
        assert!(altered(What::Malformed).unwrap().is_err());
        assert!(!altered(What::Interim).unwrap().unwrap().is_final);
        assert!(!altered(What::UnknownState).unwrap().unwrap().state_known);
        assert_eq!(altered(What::OtherDay), Err(Told::NoRecord));
        assert_eq!(altered(What::NoRecord), Err(Told::NoRecord));
        assert!(altered(What::Record).unwrap().unwrap().is_final);
    }
}
