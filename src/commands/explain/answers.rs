//! The answers of a call, as `reconcile explain` shows them.

use chrono::{DateTime, Utc};
use serde::{Serialize, Serializer};
use sha2::{Digest as _, Sha256};

use super::row::ExplainedDiscrepancy;
use crate::commands::answer::table;
use crate::hex::hex;
use crate::output::own_numbers;
use crate::store::{KnownCall, OtherAnswer, changes};
use crate::zone;
use reconcile_core::amended::{amendments, record};
use reconcile_core::answer;
use reconcile_core::calendar::provider_text;
use reconcile_core::ledger_row::Expected;
use reconcile_core::settle::kind_today;
use reconcile_core::status::Lookup;

/// The answer in the store.
#[derive(Serialize)]
pub(super) struct StoredAnswer {
    kind: &'static str,
    #[serde(serialize_with = "as_provider_text")]
    fetched_at: DateTime<Utc>,
    found_date: String,
    request_id: Option<String>,
    pub(super) code: String,
    pub(super) message: String,
    pub(super) data: Option<String>,
    /// SHA-256 of `Data` as it was received, also where `data` is left out.
    data_sha256: Option<String>,
    damaged: bool,
}

/// The receipt in the store. It is no answer of the operation, so it has no request.
#[derive(Serialize)]
pub(super) struct StoredReceipt {
    kind: &'static str,
    #[serde(serialize_with = "as_provider_text")]
    read_at: DateTime<Utc>,
    day: String,
    pub(super) data: Option<String>,
    /// SHA-256 of the stored text, also where `data` is left out.
    data_sha256: Option<String>,
}

/// An answer beside the one that counts, and what changed after it.
#[derive(Serialize)]
pub(super) struct EarlierAnswer {
    #[serde(flatten)]
    pub(super) answer: StoredAnswer,
    /// True if it came after the one that counts: the provider has lost the record.
    #[serde(skip)]
    is_later: bool,
    /// The fields that differ in the next record; of an answer without a record, the lost record.
    pub(super) changes: Vec<ExplainedDiscrepancy>,
}

/// JSON has the times as the provider writes them, in UTC+8.
pub(super) fn as_provider_text<S: Serializer>(at: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&provider_text(*at))
}

/// The answers beside the one that counts.
pub(super) fn earlier_answers(call: &KnownCall) -> Vec<EarlierAnswer> {
    let changes = changes(&call.others, call.stored.answer.as_ref().filter(|_| call.is_whole));
    let of = |other: &OtherAnswer| {
        let change = changes.iter().find(|(noted, ..)| *noted == other.noted_session_no);
        let (_, before, after) = change?;
        let after = after.map(|after| record(&after.answer));
        if after.as_ref().is_some_and(Option::is_none) {
            return None;
        }
        Some(amendments(&record(&before.answer)?, after.flatten().as_ref()))
    };
    let counted_at = call.stored.answer.as_ref().map(|answer| answer.fetched_at);
    let earlier = call.others.iter().map(|other| EarlierAnswer {
        answer: StoredAnswer::of(&other.stored, true),
        is_later: counted_at.is_some_and(|counted_at| other.stored.fetched_at > counted_at),
        changes: of(other).unwrap_or_default().into_iter().map(Into::into).collect(),
    });
    earlier.collect()
}

/// The phone numbers of a call in all its answers, and in its receipt.
pub(super) fn all_numbers(expected: &Expected, lookup: &Lookup, call: &KnownCall) -> Vec<String> {
    let mut numbers = own_numbers(expected, lookup.detail.as_ref());
    for other in &call.others {
        numbers.extend(own_numbers(&Expected::default(), record(&other.stored.answer).as_ref()));
    }
    for stored in call.stored.answer.iter().chain(call.stored.receipt.as_deref()) {
        numbers.extend(own_numbers(&Expected::default(), record(&stored.answer).as_ref()));
    }
    numbers
}

impl EarlierAnswer {
    pub(super) fn lines(&self) -> Vec<String> {
        let StoredAnswer { kind, fetched_at, request_id, .. } = &self.answer;
        let request_id = request_id.as_ref().map(|id| format!(", request {id}")).unwrap_or_default();
        let fetched_at = zone::date_and_time(*fetched_at);
        let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".into());
        let changes = self.changes.iter().map(|change| {
            format!("  {}: {} -> {}", change.field, value(&change.expected), value(&change.actual))
        });
        let when = if self.is_later { "later" } else { "earlier" };
        let heading = format!("\n{when} answer: {kind}, fetched at {fetched_at}{request_id}");
        std::iter::once(heading).chain(changes).collect()
    }
}

impl StoredReceipt {
    pub(super) fn new(call: &KnownCall) -> Option<Self> {
        let stored = call.stored.receipt.as_ref()?;
        let data = stored.answer.data.clone();
        Some(Self {
            kind: kind_today(stored).as_str(),
            read_at: stored.fetched_at,
            day: stored.answer.found_date.to_string(),
            data_sha256: data.as_ref().map(|data| hex(&Sha256::digest(data))),
            data,
        })
    }

    pub(super) fn lines(&self) -> Vec<String> {
        table(&[
            ("kind", self.kind.to_owned()),
            ("read at", zone::date_and_time(self.read_at)),
            ("day", self.day.clone()),
            ("data", self.data.clone().unwrap_or_default()),
        ])
    }
}

impl StoredAnswer {
    pub(super) fn new(call: &KnownCall) -> Option<Self> {
        call.stored.answer.as_ref().map(|stored| Self::of(stored, call.is_whole))
    }

    fn of(stored: &answer::StoredAnswer, is_whole: bool) -> Self {
        let answer = &stored.answer;
        Self {
            kind: answer.kind.as_str(),
            fetched_at: stored.fetched_at,
            found_date: answer.found_date.to_string(),
            request_id: answer.request_id.clone(),
            code: answer.code.to_string(),
            message: answer.message.to_string(),
            data: answer.data.clone(),
            data_sha256: answer.data.as_ref().map(|data| hex(&Sha256::digest(data))),
            damaged: !is_whole,
        }
    }

    pub(super) fn lines(&self) -> Vec<String> {
        let mut lines = table(&[
            ("kind", self.kind.to_owned()),
            ("fetched at", zone::date_and_time(self.fetched_at)),
            ("day", self.found_date.clone()),
            ("request id", self.request_id.clone().unwrap_or_default()),
            ("code", self.code.clone()),
            ("message", self.message.clone()),
            ("data", self.data.clone().unwrap_or_default()),
        ]);
        if self.damaged {
            lines.push("damaged (wrong checksum): not used; the next run asks again".into());
        }
        lines
    }
}
