//! What `reconcile explain` says of one call, for people and as JSON.

use chrono::{DateTime, Utc};
use compact_str::CompactString;
use serde::Serialize;

use super::answers::{
    EarlierAnswer, StoredAnswer, StoredReceipt, all_numbers, as_provider_text, earlier_answers,
};
use super::ledger_rows::LedgerRows;
use super::row::Row;
use crate::commands::answer::table;
use crate::output::MaskPhones;
use crate::provider::OPERATION;
use crate::publish::Rules;
use crate::shown::shown;
use crate::store::{Attempt, KnownCall};
use crate::words::plural;
use crate::zone;
use reconcile_core::answer::StoredCall;
use reconcile_core::calendar::{midnight_ms, provider_text};
use reconcile_core::call_result::CallResult;
use reconcile_core::detail::CallDetail;
use reconcile_core::duplicate::{LaterValues, duplicate_of};
use reconcile_core::ledger_row::{Expected, LedgerRow};
use reconcile_core::quick_parse;
use reconcile_core::source::Source;
use reconcile_core::status::Lookup;

/// What holds for every explained call.
pub(super) struct Context {
    /// The provider's URL; `None` if the answers are simulated.
    pub(super) endpoint: Option<String>,
    pub(super) rules: Rules,
    pub(super) mask: MaskPhones,
}

/// Everything known of one call. With `--json` these are the keys; two products or days of the same
/// CallId are two calls.
#[derive(Serialize)]
pub(super) struct Explanation {
    call_id: String,
    /// `None` for a call that only a receipt names.
    prod_id: Option<i64>,
    account: Option<String>,
    day: String,
    /// True if the store knows the call.
    pub(super) in_store: bool,
    /// Of this program.
    version: &'static str,
    endpoint: Option<String>,
    operation: &'static str,
    sandbox: bool,
    attempts: Vec<AttemptLine>,
    answer: Option<StoredAnswer>,
    /// What the provider pushed.
    receipt: Option<StoredReceipt>,
    /// Which of the two counts: `query` or `receipt`.
    source: Option<&'static str>,
    /// Oldest first.
    earlier_answers: Vec<EarlierAnswer>,
    status: &'static str,
    normalized: Vec<(&'static str, String)>,
    /// The same with the times for people.
    #[serde(skip)]
    read: Vec<(&'static str, String)>,
    rows: Vec<Row>,
    /// The phone numbers of the call, which masked texts hide.
    #[serde(skip)]
    own_numbers: Vec<String>,
}

/// A request for the call.
#[derive(Serialize)]
struct AttemptLine {
    #[serde(serialize_with = "as_provider_text")]
    sent_at: DateTime<Utc>,
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<String>,
    endpoint: Option<String>,
    asked_date: String,
    /// Unix milliseconds, as they were sent.
    query_date: Option<i64>,
    purpose: String,
    /// True if it was sent only to look at a final record again.
    recheck: bool,
    took_ms: Option<f64>,
    code: String,
    http_status: Option<u16>,
    throttled: bool,
    decision: String,
    pause_ms: Option<f64>,
    /// Stores of earlier versions keep only that of the answer.
    request_id: Option<String>,
}

impl Explanation {
    /// What is known of a call of the store.
    pub(super) fn new(call: &KnownCall, ledger: &LedgerRows, context: &Context) -> Self {
        // Without a ledger nothing is expected of the call.
        let nothing_expected = LedgerRow {
            line: 0,
            key: call.key.clone(),
            expected: Expected::default(),
            query_date: None,
            carried: Vec::new(),
        };
        let rows: Vec<&LedgerRow> = ledger.rows.iter().filter(|row| row.key == call.key).collect();
        let first = rows.first().copied().unwrap_or(&nothing_expected);
        let answer = call.stored.answer.clone().filter(|_| call.is_whole);
        let stored = StoredCall { answer, ..call.stored.clone() };
        let mut later_values = LaterValues::default();
        rows.iter().skip(1).for_each(|later| later_values.add(&first.expected, later));
        let mut row = first.clone();
        let CallResult { lookup, compared, .. } =
            CallResult::new(&mut row, Some(&later_values), Some(stored), context.rules, i64::MAX);
        let duplicate =
            |row: &&LedgerRow| Row::new(row.line, vec![duplicate_of(first, row, &ledger.carried)]);
        let mut explained = vec![Row::new(first.line, compared.discrepancies)];
        explained.extend(rows.iter().skip(1).map(duplicate));
        let key = (call.key.call_id.clone(), Some(call.key.prod_id.0), call.key.day.to_string());
        Self {
            in_store: true,
            attempts: attempts(call),
            answer: StoredAnswer::new(call),
            receipt: StoredReceipt::new(call),
            source: lookup.source.map(Source::as_str),
            earlier_answers: earlier_answers(call),
            status: lookup.status.as_str(),
            normalized: normalized(&lookup, |at| provider_text(at).into()),
            read: normalized(&lookup, zone::date_and_time),
            rows: explained,
            account: account(call),
            endpoint: endpoint(call, context),
            own_numbers: all_numbers(&row.expected, &lookup, call),
            ..Self::unknown(key, context)
        }
    }

    /// A call that the store does not know: its CallId, product and day.
    pub(super) fn unknown((call_id, prod_id, day): (String, Option<i64>, String), context: &Context) -> Self {
        Self {
            call_id,
            prod_id,
            account: None,
            day,
            in_store: false,
            version: env!("CARGO_PKG_VERSION"),
            endpoint: context.endpoint.clone(),
            operation: OPERATION,
            sandbox: context.endpoint.is_none(),
            attempts: Vec::new(),
            answer: None,
            receipt: None,
            source: None,
            earlier_answers: Vec::new(),
            status: "",
            normalized: Vec::new(),
            read: Vec::new(),
            rows: Vec::new(),
            own_numbers: Vec::new(),
        }
    }

    /// The same with these rows of a discrepancy file.
    pub(super) fn with_rows(self, rows: Vec<Row>, account: Option<String>) -> Self {
        Self { rows, account: account.or(self.account), ..self }
    }

    /// The same with masked phone numbers. `Data` is left out: it can spell a digit in many ways.
    pub(super) fn masked(mut self, mask: &MaskPhones) -> Self {
        if !mask.is_on() {
            return self;
        }
        let own = std::mem::take(&mut self.own_numbers);
        let mask_text = |text: &mut String| *text = mask.text("", text, &own);
        self.call_id = mask.text("", &self.call_id, &[]);
        for (field, value) in self.normalized.iter_mut().chain(&mut self.read) {
            *value = mask.text(field, value, &own);
        }
        let earlier = self.earlier_answers.iter_mut().map(|earlier| &mut earlier.answer);
        for answer in self.answer.iter_mut().chain(earlier) {
            answer.data = None;
            [&mut answer.code, &mut answer.message].into_iter().for_each(mask_text);
        }
        self.receipt.iter_mut().for_each(|receipt| receipt.data = None);
        let changes = self.earlier_answers.iter_mut().flat_map(|earlier| &mut earlier.changes);
        for found in self.rows.iter_mut().flat_map(|row| &mut row.discrepancies).chain(changes) {
            for value in [&mut found.expected, &mut found.actual].into_iter().flatten() {
                *value = mask.text(&found.field, value, &own);
            }
            mask_text(&mut found.message);
        }
        self
    }

    /// The lines for people.
    pub(super) fn lines(&self) -> Vec<String> {
        let account = self.account.as_ref().map(|name| format!(", account {name}")).unwrap_or_default();
        let product = self.prod_id.map(|id| format!(", product {id}")).unwrap_or_default();
        let mut lines = vec![format!("call {}{product}{account}, {} (UTC+8)", self.call_id, self.day)];
        if !self.in_store {
            lines.push("  the store does not know it".into());
            lines.extend(self.rows.iter().flat_map(Row::lines));
            return lines;
        }
        lines.push(format!("\n{}:", plural(self.attempts.len() as u64, "request")));
        let mut endpoint = None;
        for attempt in &self.attempts {
            if attempt.endpoint != endpoint {
                endpoint.clone_from(&attempt.endpoint);
                lines.extend(endpoint.iter().map(|endpoint| format!("  at {endpoint}:")));
            }
            lines.push(attempt.line());
        }
        lines.push("\nanswer:".into());
        match &self.answer {
            None => lines.push("  none yet".into()),
            Some(answer) => lines.extend(answer.lines().into_iter().map(|line| format!("  {line}"))),
        }
        lines.extend(self.earlier_answers.iter().flat_map(EarlierAnswer::lines));
        if let Some(receipt) = &self.receipt {
            lines.push("\nreceipt:".into());
            lines.extend(receipt.lines().into_iter().map(|line| format!("  {line}")));
        }
        let source = match self.source.filter(|_| self.receipt.is_some()) {
            Some(_) if self.answer.is_none() => ", from the receipt",
            Some("receipt") => ", from the receipt, which counts before this answer",
            Some(_) => ", from the answer, which counts before the receipt",
            None => "",
        };
        lines.push(format!("\nread as {}{source}:", self.status));
        lines.extend(table(&self.read).into_iter().map(|line| format!("  {line}")));
        lines.extend(self.rows.iter().flat_map(Row::lines));
        lines
    }
}

/// The account that was asked last; `None` if the store knows only one account.
fn account(call: &KnownCall) -> Option<String> {
    call.attempts.iter().rev().find_map(|attempt| attempt.account.as_deref().map(shown))
}

/// The address that was asked last. Without one in the store it is that of the options; `None` if
/// the answers are simulated.
fn endpoint(call: &KnownCall, context: &Context) -> Option<String> {
    let of_options = context.endpoint.clone()?;
    let asked = call.attempts.iter().rev().find_map(|attempt| attempt.endpoint.clone());
    Some(asked.unwrap_or(of_options))
}

/// The requests of a call. The one that brought the answer has the answer's `RequestId`, also in a
/// store of an earlier version.
fn attempts(call: &KnownCall) -> Vec<AttemptLine> {
    let mut lines: Vec<AttemptLine> = call.attempts.iter().map(AttemptLine::new).collect();
    let Some(stored) = &call.stored.answer else { return lines };
    let answer = &stored.answer;
    let brought_it = |attempt: &Attempt| {
        attempt.session_no == stored.session_no
            && attempt.asked_date == answer.found_date.to_string()
            && attempt.code.as_deref() == Some(&*answer.code)
    };
    let at = call.attempts.iter().rposition(brought_it);
    if let Some(line) = at.and_then(|at| lines.get_mut(at)) {
        line.request_id = line.request_id.take().or_else(|| answer.request_id.clone());
    }
    lines
}

impl AttemptLine {
    fn new(attempt: &Attempt) -> Self {
        #[allow(clippy::cast_precision_loss, reason = "a timeout is far below 2^53 microseconds")]
        let ms = |us: i64| us as f64 / 1e3;
        Self {
            sent_at: attempt.sent_at,
            account: attempt.account.as_deref().map(shown),
            endpoint: attempt.endpoint.clone(),
            asked_date: attempt.asked_date.clone(),
            query_date: quick_parse::day(&attempt.asked_date).map(midnight_ms),
            purpose: attempt.purpose.as_str().to_owned(),
            recheck: attempt.recheck,
            took_ms: attempt.took_us.map(ms),
            code: attempt.code.clone().unwrap_or_else(|| "in flight".into()),
            http_status: attempt.http_status,
            throttled: attempt.throttled,
            decision: attempt
                .decision
                .as_ref()
                .map_or_else(String::new, |decision| decision.as_str().to_owned()),
            pause_ms: attempt.pause_us.map(ms),
            request_id: attempt.request_id.clone(),
        }
    }

    fn line(&self) -> String {
        let took = self.took_ms.map_or_else(String::new, |ms| format!(" after {ms:.0} ms"));
        let http = self.http_status.map_or_else(String::new, |status| format!(" (HTTP {status})"));
        let pause = self.pause_ms.filter(|ms| *ms > 0.0);
        let pause = pause.map_or_else(String::new, |ms| format!(" in {ms:.0} ms"));
        let throttled = if self.throttled { ", throttled" } else { "" };
        let account = self.account.as_ref().map(|name| format!(" under {name}")).unwrap_or_default();
        let recheck = if self.recheck { " (looked at again)" } else { "" };
        let decision = match self.decision.as_str() {
            "" => String::new(),
            decision => format!(" -> {decision}{pause}"),
        };
        let id = self.request_id.as_ref().map(|id| format!("; request id {id}")).unwrap_or_default();
        format!(
            "  {}  {}{recheck} for {}{account}: {}{http}{took}{throttled}{decision}{id}",
            zone::date_and_time(self.sent_at),
            self.purpose,
            self.asked_date,
            self.code
        )
    }
}

/// The record's fields that have a value, as in the details; times as `time` writes them.
fn normalized(lookup: &Lookup, time: fn(DateTime<Utc>) -> String) -> Vec<(&'static str, String)> {
    let Some(d) = &lookup.detail else { return Vec::new() };
    let CallDetail { outcome, is_final, .. } = d;
    let text = |value: &Option<CompactString>| value.as_ref().map(ToString::to_string);
    let fields = [
        ("caller", text(&d.caller)),
        ("callee", text(&d.callee)),
        ("caller_show_number", text(&d.caller_show_number)),
        ("callee_show_number", text(&d.callee_show_number)),
        ("created_at", d.created_at.map(time)),
        ("started_at", d.started_at.map(time)),
        ("ended_at", d.ended_at.map(time)),
        ("duration_s", d.duration_s.map(|n| n.to_string())),
        ("state", text(&d.state)),
        ("outcome", Some(outcome.as_str().to_owned())),
        ("answered", d.answered.map(|b| b.to_string())),
        ("final", Some(is_final.to_string())),
    ];
    fields.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}
