//! All that a run knows of a call, for the rows of the report that open.

use chrono::{DateTime, Utc};

use crate::zone;
use reconcile_core::calendar::provider_text;
use reconcile_core::compared::FIELDS;
use reconcile_core::detail::{CallDetail, Party};
use reconcile_core::ledger_row::{LedgerRow, LedgerTime};
use reconcile_core::status::Lookup;

/// Longest text that the report shows of one value, in characters.
const MAX_CHARS: usize = 300;

/// A ledger row with what the store knows of its call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct KnownCall<'a> {
    /// The row of the ledger.
    pub(crate) row: &'a LedgerRow,
    /// `None` for a later row of the same call.
    pub(crate) lookup: Option<&'a Lookup>,
}

/// The same with its own values, without what the report does not show.
#[derive(Debug)]
pub(super) struct OwnedCall {
    row: LedgerRow,
    lookup: Option<Lookup>,
}

impl OwnedCall {
    pub(super) fn as_known(&self) -> KnownCall<'_> {
        KnownCall { row: &self.row, lookup: self.lookup.as_ref() }
    }
}

type Group = Vec<(&'static str, String)>;

impl KnownCall<'_> {
    /// Without the columns carried through and the provider's `Data`.
    pub(super) fn to_owned(self) -> OwnedCall {
        let row = LedgerRow {
            key: self.row.key.clone(),
            expected: self.row.expected.clone(),
            carried: Vec::new(),
            ..*self.row
        };
        let lookup = self.lookup.map(|lookup| Lookup {
            detail: lookup.detail.clone(),
            failure: lookup.failure.clone(),
            raw: None,
            request_id: lookup.request_id.clone(),
            ..*lookup
        });
        OwnedCall { row, lookup }
    }

    /// The length of the texts that [`KnownCall::to_owned`] keeps.
    pub(super) fn bytes(self) -> usize {
        let expected = &self.row.expected;
        let of_ledger = expected.numbers().into_iter().chain([expected.state.as_ref()]);
        let record = self.lookup.and_then(|lookup| lookup.detail.as_ref());
        let of_record = record.into_iter().flat_map(|record| {
            let others = [&record.call_id, &record.state, &record.state_desc].map(Option::as_ref);
            record.numbers().into_iter().chain(others)
        });
        let texts: usize = of_ledger.chain(of_record).flatten().map(|text| text.len()).sum();
        let failure = self.lookup.and_then(|lookup| lookup.failure.as_ref());
        let request_id = self.lookup.and_then(|lookup| lookup.request_id.as_ref());
        texts
            + self.row.key.call_id.len()
            + failure.map_or(0, |failure| failure.code.len() + failure.message.len())
            + request_id.map_or(0, String::len)
    }

    /// The ledger's value of a field.
    pub(super) fn expected(self, field: &str) -> Option<String> {
        let values = FIELDS.into_iter().zip(self.expected_values());
        values.filter(|(name, _)| *name == field).find_map(|(_, value)| value)
    }

    /// What the ledger expects, the provider's record, and the lookup. Values that are missing are
    /// left out.
    pub(super) fn groups(self) -> [Group; 3] {
        let record = self.lookup.and_then(|lookup| lookup.detail.as_ref());
        [
            pairs(FIELDS.into_iter().zip(self.expected_values())).collect(),
            record.map(record_values).unwrap_or_default(),
            self.lookup.map(|lookup| self.lookup_values(lookup)).unwrap_or_default(),
        ]
    }

    /// In the order of [`FIELDS`].
    fn expected_values(self) -> [Option<String>; FIELDS.len()] {
        let expected = &self.row.expected;
        let [caller, callee, caller_show, callee_show] =
            expected.numbers().map(|n| n.map(ToString::to_string));
        let time = |at: Option<LedgerTime>| at.map(|at| at.provider_text().to_string());
        [
            caller,
            callee,
            caller_show,
            callee_show,
            expected.state.as_ref().map(ToString::to_string),
            expected.answered.map(|answered| answered.to_string()),
            expected.duration_s.map(|seconds| seconds.to_string()),
            time(expected.called_at),
            time(expected.started_at),
            time(expected.ended_at),
        ]
    }

    fn lookup_values(self, lookup: &Lookup) -> Group {
        let failure = lookup.failure.as_ref();
        let source = if lookup.from_store { "store" } else { "asked" };
        pairs([
            ("status", Some(lookup.status.as_str().to_owned())),
            ("day_asked", Some(self.row.key.day.to_string())),
            ("day_found", lookup.detail.as_ref().map(|_| lookup.found_on.to_string())),
            ("attempts", Some(lookup.attempts.to_string())),
            ("fetched_at", lookup.fetched_at.map(zone::date_and_time)),
            ("source", lookup.fetched_at.map(|_| source.to_owned())),
            ("request_id", lookup.request_id.clone()),
            ("error_code", failure.map(|failure| failure.code.to_string())),
            ("error_message", failure.map(|failure| failure.message.to_string())),
        ])
        .collect()
    }
}

/// The provider's record, field by field. Times are in UTC+8, as in the discrepancy file.
fn record_values(record: &CallDetail) -> Group {
    let time = |at: Option<DateTime<Utc>>| at.map(|at| provider_text(at).to_string());
    let text = |text: &Option<compact_str::CompactString>| text.as_ref().map(ToString::to_string);
    pairs([
        ("call_id", text(&record.call_id)),
        ("caller", text(&record.caller)),
        ("callee", text(&record.callee)),
        ("caller_show_number", text(&record.caller_show_number)),
        ("callee_show_number", text(&record.callee_show_number)),
        ("state", text(&record.state)),
        ("state_desc", text(&record.state_desc)),
        ("outcome", Some(record.outcome.as_str().to_owned())),
        ("answered", record.answered.map(|answered| answered.to_string())),
        ("duration_s", record.duration_s.map(|seconds| seconds.to_string())),
        ("created_at", time(record.created_at)),
        ("started_at", time(record.started_at)),
        ("ended_at", time(record.ended_at)),
        ("a_ring_at", time(record.a_ring_at)),
        ("a_end_at", time(record.a_end_at)),
        ("b_ring_at", time(record.b_ring_at)),
        ("b_start_at", time(record.b_start_at)),
        ("b_end_at", time(record.b_end_at)),
        ("hangup_by", record.hangup_by.map(Party::as_str).map(str::to_owned)),
    ])
    .collect()
}

/// The names whose values are not empty, with their values.
pub(super) fn pairs<'a, V: ToString>(
    values: impl IntoIterator<Item = (&'a str, Option<V>)>,
) -> impl Iterator<Item = (&'a str, String)> {
    let values = values.into_iter().filter_map(|(name, value)| Some((name, value?.to_string())));
    values.filter(|(_, value)| !value.is_empty())
}

/// The beginning of a very long text.
pub(super) fn cut(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(MAX_CHARS) {
        text.truncate(end);
        text.push('…');
    }
    text
}
