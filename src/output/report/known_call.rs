//! All that a run knows of a call, for the rows of the report that open.

use chrono::{DateTime, Utc};

use crate::zone;
use reconcile_core::calendar::provider_text;
use reconcile_core::compared::FIELDS;
use reconcile_core::detail::{CallDetail, Party};
use reconcile_core::ledger_row::{LedgerRow, LedgerTime};
use reconcile_core::source::Source;
use reconcile_core::status::Lookup;

/// Longest text that the report shows of one value, in characters.
const MAX_CHARS: usize = 300;

/// A call as the run knows it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum KnownCall<'a> {
    /// A ledger row, with what the store knows of its call; `None` for a later row of the call.
    Row(&'a LedgerRow, Option<&'a Lookup>),
    /// What the receipt says of a call that the ledger lacks.
    Receipt(&'a CallDetail),
}

/// The same with its own values, without what the report does not show.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "each is in a box with its row, and most are rows")]
pub(super) enum OwnedCall {
    Row(LedgerRow, Option<Lookup>),
    Receipt(CallDetail),
}

impl OwnedCall {
    pub(super) fn as_known(&self) -> KnownCall<'_> {
        match self {
            Self::Row(row, lookup) => KnownCall::Row(row, lookup.as_ref()),
            Self::Receipt(record) => KnownCall::Receipt(record),
        }
    }
}

type Group = Vec<(&'static str, String)>;

impl<'a> KnownCall<'a> {
    /// Without the columns carried through and the provider's `Data`.
    pub(super) fn to_owned(self) -> OwnedCall {
        let (row, lookup) = match self {
            Self::Row(row, lookup) => (row, lookup),
            Self::Receipt(record) => return OwnedCall::Receipt(record.clone()),
        };
        let (key, expected) = (row.key.clone(), row.expected.clone());
        let row = LedgerRow { key, expected, carried: Vec::new(), ..*row };
        let lookup = lookup.map(|lookup| Lookup {
            detail: lookup.detail.clone(),
            failure: lookup.failure.clone(),
            raw: None,
            request_id: lookup.request_id.clone(),
            ..*lookup
        });
        OwnedCall::Row(row, lookup)
    }

    /// The length of the texts that [`KnownCall::to_owned`] keeps.
    pub(super) fn bytes(self) -> usize {
        let of_record = self.record().into_iter().flat_map(|record| {
            let others = [&record.call_id, &record.state, &record.state_desc].map(Option::as_ref);
            record.numbers().into_iter().chain(others)
        });
        let of_record: usize = of_record.flatten().map(|text| text.len()).sum();
        let Self::Row(row, lookup) = self else { return of_record };
        let of_ledger = row.expected.numbers().into_iter().chain([row.expected.state.as_ref()]);
        let of_ledger: usize = of_ledger.flatten().map(|text| text.len()).sum();
        let failure = lookup.and_then(|lookup| lookup.failure.as_ref());
        let request_id = lookup.and_then(|lookup| lookup.request_id.as_ref());
        of_record
            + of_ledger
            + row.key.call_id.len()
            + failure.map_or(0, |failure| failure.code.len() + failure.message.len())
            + request_id.map_or(0, String::len)
    }

    /// The provider's record, or what the receipt says.
    fn record(self) -> Option<&'a CallDetail> {
        match self {
            Self::Row(_, lookup) => lookup?.detail.as_ref(),
            Self::Receipt(record) => Some(record),
        }
    }

    /// Whether a receipt says what is known of the call.
    pub(super) fn is_from_receipt(self) -> bool {
        match self {
            Self::Row(_, lookup) => lookup.is_some_and(|lookup| lookup.source == Some(Source::Receipt)),
            Self::Receipt(_) => true,
        }
    }

    /// The ledger's value of a field.
    pub(super) fn expected(self, field: &str) -> Option<String> {
        let Self::Row(row, _) = self else { return None };
        let values = FIELDS.into_iter().zip(expected_values(row));
        values.filter(|(name, _)| *name == field).find_map(|(_, value)| value)
    }

    /// What the ledger expects, the provider's record, and the lookup. Values that are missing are
    /// left out.
    pub(super) fn groups(self) -> [Group; 3] {
        let record = self.record().map(record_values).unwrap_or_default();
        match self {
            Self::Row(row, lookup) => [
                pairs(FIELDS.into_iter().zip(expected_values(row))).collect(),
                record,
                lookup.map(|lookup| lookup_values(row, lookup)).unwrap_or_default(),
            ],
            Self::Receipt(_) => [Vec::new(), record, Vec::new()],
        }
    }
}

/// In the order of [`FIELDS`].
fn expected_values(row: &LedgerRow) -> [Option<String>; FIELDS.len()] {
    let expected = &row.expected;
    let [caller, callee, caller_show, callee_show] = expected.numbers().map(|n| n.map(ToString::to_string));
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

fn lookup_values(row: &LedgerRow, lookup: &Lookup) -> Group {
    let failure = lookup.failure.as_ref();
    let source = lookup.source.map(|source| match source {
        Source::Receipt => source.as_str(),
        Source::Query if lookup.from_store => "store",
        Source::Query => "asked",
    });
    pairs([
        ("status", Some(lookup.status.as_str().to_owned())),
        ("day_asked", Some(row.key.day.to_string())),
        ("day_found", lookup.detail.as_ref().map(|_| lookup.found_on.to_string())),
        ("attempts", Some(lookup.attempts.to_string())),
        ("fetched_at", lookup.fetched_at.map(zone::date_and_time)),
        ("source", source.map(str::to_owned)),
        ("request_id", lookup.request_id.clone()),
        ("error_code", failure.map(|failure| failure.code.to_string())),
        ("error_message", failure.map(|failure| failure.message.to_string())),
    ])
    .collect()
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
