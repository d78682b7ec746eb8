//! The calls of the sample data (`sample-data/provider.json`).

use std::collections::HashMap;

use chrono::NaiveDate;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::known_record::KnownRecord;
use crate::error::{Error, Result};
use crate::sandbox::call_query::CallQuery;
use crate::sandbox::refusal::Refusal;
use crate::sandbox::reply::Reply;
use reconcile_core::product::ProductId;

const SAMPLE: &str = include_str!("../../../sample-data/provider.json");

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SampleFile {
    #[serde(rename = "about")]
    _about: String,
    calls: HashMap<String, SampleCall>,
}

/// One call. It has no record if `record`, `data` and `error` are missing.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SampleCall {
    prod_id: i64,
    /// The day on which the record is found.
    day: NaiveDate,
    /// The record; its text is sent as `Data`, byte for byte.
    record: Option<Box<RawValue>>,
    /// `Data` that is not JSON.
    data: Option<String>,
    /// The reply to every attempt.
    error: Option<SampleError>,
    /// The replies to the first attempts.
    #[serde(default)]
    first: Vec<SampleError>,
}

/// An error of the provider, or a proxy's page if it has no code.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct SampleError {
    http: u16,
    code: Option<String>,
    #[serde(default)]
    message: String,
}

impl SampleError {
    fn reply(&self) -> Reply {
        match &self.code {
            Some(code) => Reply::Refused(Refusal::new(self.http, code.clone(), self.message.clone())),
            None => Reply::Page { status: self.http },
        }
    }
}

impl SampleCall {
    fn reply(&self, query: &CallQuery<'_>, attempt: u32) -> Reply {
        let index = usize::try_from(attempt.saturating_sub(1)).unwrap_or(usize::MAX);
        if let Some(error) = self.first.get(index).or(self.error.as_ref()) {
            return error.reply();
        }
        // The provider finds nothing for another product or day, and reports no error.
        if (self.prod_id, self.day) != (query.prod_id, query.day) {
            return Reply::NoRecord;
        }
        let record = self.record.as_deref().map(|record| record.get().to_owned());
        record.or_else(|| self.data.clone()).map_or(Reply::NoRecord, Reply::Data)
    }
}

/// The sample data's calls by CallId.
pub(super) struct SampleCalls(HashMap<String, SampleCall>);

impl SampleCalls {
    /// Reads the sample data, which is part of the program.
    ///
    /// # Errors
    ///
    /// The sample data cannot be read, which is a bug.
    pub(super) fn read() -> Result<Self> {
        let file: SampleFile = serde_json::from_str(SAMPLE)
            .map_err(|e| Error::bug("the sandbox cannot read its own sample data").because(e))?;
        Ok(Self(file.calls))
    }

    /// The record of every call that has one.
    pub(super) fn records(&self) -> impl Iterator<Item = KnownRecord> {
        self.0.values().filter_map(|call| {
            let data = call.record.as_deref()?.get().to_owned();
            Some(KnownRecord { product: Some(ProductId(call.prod_id)), day: call.day, data })
        })
    }

    /// The reply for a call; `None` if the sample data does not hold it.
    pub(super) fn reply(&self, query: &CallQuery<'_>, attempt: u32) -> Option<Reply> {
        self.0.get(query.call_id).map(|call| call.reply(query, attempt))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn calls() -> HashMap<String, SampleCall> {
        SampleCalls::read().unwrap().0
    }

    fn query(call: &SampleCall) -> CallQuery<'static> {
        CallQuery { call_id: "", prod_id: call.prod_id, day: call.day }
    }

    #[test]
    fn a_call_is_found_only_for_its_product_on_its_day() {
        let calls = calls();
        assert!(!calls.is_empty());
        for (call_id, call) in calls.iter().filter(|(_, c)| c.first.is_empty() && c.error.is_none()) {
            let query = query(call);
            let has_data = call.record.is_some() || call.data.is_some();
            assert_eq!(matches!(call.reply(&query, 1), Reply::Data(_)), has_data, "{call_id}");
            let other_product = CallQuery { prod_id: query.prod_id + 1, ..query };
            assert_eq!(call.reply(&other_product, 1), Reply::NoRecord, "{call_id}");
            let other_day = CallQuery { day: query.day.succ_opt().unwrap(), ..query };
            assert_eq!(call.reply(&other_day, 1), Reply::NoRecord, "{call_id}");
        }
    }

    #[test]
    fn the_first_errors_apply_only_to_the_first_attempts() {
        let calls = calls();
        let with_errors: Vec<_> = calls.iter().filter(|(_, c)| !c.first.is_empty()).collect();
        assert!(!with_errors.is_empty());
        for (call_id, call) in with_errors {
            let failed = u32::try_from(call.first.len()).unwrap();
            for attempt in 1..=failed {
                let reply = call.reply(&query(call), attempt);
                assert!(matches!(reply, Reply::Refused(_) | Reply::Page { .. }), "{call_id}: {reply:?}");
            }
            assert!(matches!(call.reply(&query(call), failed + 1), Reply::Data(_)), "{call_id}");
        }
    }

    #[test]
    fn the_sample_data_gives_each_call_one_reply() {
        for (call_id, call) in &calls() {
            let replies = [call.record.is_some(), call.data.is_some(), call.error.is_some()];
            assert!(replies.into_iter().filter(|given| *given).count() <= 1, "{call_id}");
        }
    }
}
