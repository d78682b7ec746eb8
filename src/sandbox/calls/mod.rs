//! Which calls the simulated provider knows, and what it replies about them.
//!
//! A reply depends on seed, CallId, product, day and attempt alone, on no clock and no shared
//! random generator. Only the replies of a recording depend on the order of the requests.

mod from_ledger;
mod generated;
mod known_record;
mod plant;
mod record;
mod replay;
mod sample;

use std::path::Path;

use serde_json::Value;

use super::call_query::CallQuery;
use super::chance::Share;
use super::reply::Reply;
use crate::error::Result;
use crate::recording;
use from_ledger::LedgerCalls;
use replay::RecordedCalls;
use sample::SampleCalls;

pub(super) use known_record::KnownRecord;
pub(super) use record::later;
pub(crate) use record::{amended, interim, malformed, with_unknown_state};

/// The known calls.
pub struct Calls(Kind);

enum Kind {
    /// The sample data's calls; for any other CallId a record is generated.
    Sample(SampleCalls),
    /// A ledger's calls and no others.
    Ledger(LedgerCalls),
    /// A recording's calls and no others.
    Recording(RecordedCalls),
}

impl Calls {
    /// Reads a ledger or a recording; the content decides which. Plants a discrepancy in a `share`
    /// of a ledger's calls.
    ///
    /// # Errors
    ///
    /// Exit 2 if the file cannot be read.
    pub(super) fn read(path: &Path, map: &[(String, String)], seed: u64, share: Share) -> Result<Self> {
        if recording::is_recording(path) {
            let exchanges = recording::read(path)?;
            return Ok(Self(Kind::Recording(RecordedCalls::new(exchanges))));
        }
        LedgerCalls::read(path, map, seed, share).map(|calls| Self(Kind::Ledger(calls)))
    }

    /// The calls of the sample data.
    ///
    /// # Errors
    ///
    /// The sample data cannot be read, which is a bug.
    pub(super) fn sample() -> Result<Self> {
        SampleCalls::read().map(|calls| Self(Kind::Sample(calls)))
    }

    /// What the calls come from, as the start message shows it.
    pub(super) fn summary(&self) -> String {
        match &self.0 {
            Kind::Sample(_) => "the sample data".into(),
            Kind::Ledger(calls) => calls.summary(),
            Kind::Recording(calls) => format!("a recording (different queries: {})", calls.len()),
        }
    }

    /// The planted discrepancies, as `/_sandbox/planted` lists them.
    pub(super) fn planted(&self) -> Value {
        match &self.0 {
            Kind::Ledger(calls) => calls.planted(),
            Kind::Sample(_) | Kind::Recording(_) => serde_json::json!({ "calls": 0, "planted": [] }),
        }
    }

    /// The records of all known calls, in no order; `None` for a recording, which has replies and
    /// no calls. Generated calls are not known.
    pub(super) fn records(&self, seed: u64) -> Option<Vec<KnownRecord>> {
        match &self.0 {
            Kind::Sample(calls) => Some(calls.records().collect()),
            Kind::Ledger(calls) => Some(calls.records(seed).collect()),
            Kind::Recording(_) => None,
        }
    }

    /// The reply to a query; `attempt` counts the attempts at its call from 1.
    pub(super) fn reply(&self, seed: u64, query: &CallQuery<'_>, attempt: u32) -> Reply {
        match &self.0 {
            Kind::Sample(calls) => calls.reply(query, attempt).unwrap_or_else(|| {
                let record = generated::record(seed, query.call_id, query.day);
                record.map_or(Reply::NoRecord, |record| Reply::Data(record.data()))
            }),
            Kind::Ledger(calls) => calls.reply(seed, query),
            Kind::Recording(calls) => calls.reply(query),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::exit::Exit;
    use crate::sandbox::faults::Faults;
    use crate::sandbox::receipts;

    #[test]
    fn the_calls_of_a_recording_have_no_receipts() {
        let calls = Calls(Kind::Recording(RecordedCalls::new(Vec::new())));
        let path = tempfile::tempdir().unwrap().path().join("receipts.jsonl");
        let error = receipts::write(&path, Some(&calls), 0, &Faults::default()).unwrap_err();
        assert!(error.exit == Exit::Usage && error.what.contains("recording"), "{}", error.what);
        assert!(!path.exists());
    }

    #[test]
    fn the_same_call_always_has_the_same_record() {
        let (one, other) = (Calls::sample().unwrap(), Calls::sample().unwrap());
        for n in 0..50 {
            let call_id = format!("116012854{n:03}^102814271{n:03}");
            let query = CallQuery { call_id: &call_id, prod_id: 7, day: "2026-11-20".parse().unwrap() };
            assert_eq!(one.reply(0, &query, 1), other.reply(0, &query, 1));
            assert_eq!(one.reply(0, &query, 1), one.reply(0, &query, 2));
        }
    }
}
