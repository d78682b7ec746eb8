//! `reconcile explain`: everything that the store knows of one call, and with a ledger its
//! discrepancies.
//!
//! Phone numbers are printed in full, as in the data files: they are the requested data.

use chrono::{DateTime, Utc};
use compact_str::CompactString;
use serde::{Serialize, Serializer};

use super::answer::{answer, open_store, table};
use super::ledger_input::open_ledger;
use crate::cli::ExplainArgs;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::ledger::ScannedLedger;
use crate::provider::credentials::Access;
use crate::shown::shown;
use crate::store::{Attempt, KnownCall, Reader};
use crate::words::plural;
use crate::zone;
use reconcile_core::calendar::provider_text;
use reconcile_core::compare;
use reconcile_core::detail::CallDetail;
use reconcile_core::discrepancy::Discrepancy;
use reconcile_core::duplicate::{LaterValues, duplicate_of};
use reconcile_core::ledger_row::{Expected, LedgerRow, Record};
use reconcile_core::status::{Lookup, look_up};

/// Everything known of one call. With `--json` these are the keys; two products or days of the same
/// CallId are two calls.
#[derive(Serialize)]
struct Explanation {
    call_id: String,
    prod_id: i64,
    day: String,
    attempts: Vec<AttemptLine>,
    answer: Option<StoredAnswer>,
    status: &'static str,
    normalized: Vec<(&'static str, String)>,
    /// The same with the times for people.
    #[serde(skip)]
    read: Vec<(&'static str, String)>,
    rows: Vec<Row>,
}

/// A request for the call.
#[derive(Serialize)]
struct AttemptLine {
    #[serde(serialize_with = "as_provider_text")]
    sent_at: DateTime<Utc>,
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<String>,
    asked_date: String,
    purpose: String,
    took_ms: Option<f64>,
    code: String,
    http_status: Option<u16>,
    throttled: bool,
    decision: String,
    pause_ms: Option<f64>,
}

/// The answer in the store.
#[derive(Serialize)]
struct StoredAnswer {
    kind: &'static str,
    #[serde(serialize_with = "as_provider_text")]
    fetched_at: DateTime<Utc>,
    found_date: String,
    request_id: Option<String>,
    code: String,
    message: String,
    data: Option<String>,
    damaged: bool,
}

/// JSON has the times as the provider writes them, in UTC+8.
fn as_provider_text<S: Serializer>(
    at: &DateTime<Utc>,
    serializer: S,
) -> std::result::Result<S::Ok, S::Error> {
    serializer.serialize_str(&provider_text(*at))
}

/// A row of the ledger with its discrepancies; without a ledger, line 0.
#[derive(Serialize)]
struct Row {
    line: u64,
    discrepancies: Vec<ExplainedDiscrepancy>,
}

/// A discrepancy with the rule behind it.
#[derive(Serialize)]
struct ExplainedDiscrepancy {
    kind: &'static str,
    field: String,
    expected: Option<String>,
    actual: Option<String>,
    message: String,
    rule: &'static str,
}

/// Prints every request, the answer and the discrepancies of a call.
///
/// # Errors
///
/// Exit 2 when there is no store, it does not know the call, or the ledger cannot be read; exit 6
/// when the store cannot be read.
pub fn explain(args: &ExplainArgs) -> Result<Exit> {
    let reader = open_store(&args.store.location())?;
    let known = reader.calls_named(&args.call_id)?;
    if known.is_empty() {
        return Err(unknown(reader.as_ref(), args));
    }
    let rows = LedgerRows::of_call(args)?;
    let explained: Vec<Explanation> = known.iter().map(|call| Explanation::new(call, &rows, args)).collect();
    answer(args.json, &explained, || explained.iter().flat_map(Explanation::lines).collect())?;
    Ok(Exit::Success)
}

fn unknown(reader: &dyn Reader, args: &ExplainArgs) -> Error {
    let similar = reader.similar_call_ids(&args.call_id).unwrap_or_default();
    let hint = match similar.len() {
        0 => "no run has asked for it; put quotes around an id with a ^".to_owned(),
        _ => format!("similar ids in the store: {}; put quotes around an id with a ^", similar.join(", ")),
    };
    Error::usage(format!("the store {} does not know the call {}", args.store.location(), args.call_id))
        .hint(hint)
}

/// The usable rows of the ledger with the call's id, in its order.
#[derive(Default)]
struct LedgerRows {
    rows: Vec<LedgerRow>,
    /// The names of the columns that are carried through.
    carried: Vec<String>,
}

impl LedgerRows {
    fn of_call(args: &ExplainArgs) -> Result<Self> {
        let Some(path) = &args.input else { return Ok(Self::default()) };
        let source = ScannedLedger::scan(open_ledger(path, &Access::default())?, args.ledger())?;
        let mut rows = Vec::new();
        for record in source.read()? {
            if let Record::Row(row) = record?
                && row.key.call_id == args.call_id
            {
                rows.push(row);
            }
        }
        Ok(Self { rows, carried: source.scan.carried })
    }
}

impl Explanation {
    fn new(call: &KnownCall, ledger: &LedgerRows, args: &ExplainArgs) -> Self {
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
        let stored = Some(&call.stored).filter(|_| call.is_whole);
        let (mut filled, mut later_values) = (first.clone(), LaterValues::default());
        rows.iter().skip(1).for_each(|later| later_values.add(&first.expected, later));
        later_values.fill(&mut filled.expected);
        let lookup = look_up(&filled, stored.cloned(), args.rules().settle, i64::MAX);
        let mut found = compare::compare(&filled, &lookup, args.rules().tolerances).discrepancies;
        later_values.name_lines(&mut found);
        let duplicate =
            |row: &&LedgerRow| Row::new(row.line, vec![duplicate_of(first, row, &ledger.carried)]);
        let mut explained = vec![Row::new(first.line, found)];
        explained.extend(rows.iter().skip(1).map(duplicate));
        Self {
            call_id: call.key.call_id.clone(),
            prod_id: call.key.prod_id.0,
            day: call.key.day.to_string(),
            attempts: call.attempts.iter().map(AttemptLine::new).collect(),
            answer: StoredAnswer::new(call),
            status: lookup.status.as_str(),
            normalized: normalized(&lookup, |at| provider_text(at).into()),
            read: normalized(&lookup, zone::date_and_time),
            rows: explained,
        }
    }

    fn lines(&self) -> Vec<String> {
        let mut lines =
            vec![format!("call {}, product {}, {} (UTC+8)", self.call_id, self.prod_id, self.day)];
        lines.push(format!("\n{}:", plural(self.attempts.len() as u64, "request")));
        lines.extend(self.attempts.iter().map(AttemptLine::line));
        lines.push("\nanswer:".into());
        match &self.answer {
            None => lines.push("  none yet".into()),
            Some(answer) => lines.extend(answer.lines().into_iter().map(|line| format!("  {line}"))),
        }
        lines.push(format!("\nread as {}:", self.status));
        lines.extend(table(&self.read).into_iter().map(|line| format!("  {line}")));
        lines.extend(self.rows.iter().flat_map(Row::lines));
        lines
    }
}

impl AttemptLine {
    fn new(attempt: &Attempt) -> Self {
        #[allow(clippy::cast_precision_loss, reason = "a timeout is far below 2^53 microseconds")]
        let ms = |us: i64| us as f64 / 1e3;
        Self {
            sent_at: attempt.sent_at,
            account: attempt.account.as_deref().map(shown),
            asked_date: attempt.asked_date.clone(),
            purpose: attempt.purpose.as_str().to_owned(),
            took_ms: attempt.took_us.map(ms),
            code: attempt.code.clone().unwrap_or_else(|| "in flight".into()),
            http_status: attempt.http_status,
            throttled: attempt.throttled,
            decision: attempt
                .decision
                .as_ref()
                .map_or_else(String::new, |decision| decision.as_str().to_owned()),
            pause_ms: attempt.pause_us.map(ms),
        }
    }

    fn line(&self) -> String {
        let took = self.took_ms.map_or_else(String::new, |ms| format!(" after {ms:.0} ms"));
        let http = self.http_status.map_or_else(String::new, |status| format!(" (HTTP {status})"));
        let pause = self.pause_ms.filter(|ms| *ms > 0.0);
        let pause = pause.map_or_else(String::new, |ms| format!(" in {ms:.0} ms"));
        let throttled = if self.throttled { ", throttled" } else { "" };
        let account = self.account.as_ref().map(|name| format!(" under {name}")).unwrap_or_default();
        let decision = match self.decision.as_str() {
            "" => String::new(),
            decision => format!(" -> {decision}{pause}"),
        };
        format!(
            "  {}  {} for {}{account}: {}{http}{took}{throttled}{decision}",
            zone::date_and_time(self.sent_at),
            self.purpose,
            self.asked_date,
            self.code
        )
    }
}

impl StoredAnswer {
    fn new(call: &KnownCall) -> Option<Self> {
        let stored = call.stored.answer.as_ref()?;
        let answer = &stored.answer;
        Some(Self {
            kind: answer.kind.as_str(),
            fetched_at: stored.fetched_at,
            found_date: answer.found_date.to_string(),
            request_id: answer.request_id.clone(),
            code: answer.code.to_string(),
            message: answer.message.to_string(),
            data: answer.data.clone(),
            damaged: !call.is_whole,
        })
    }

    fn lines(&self) -> Vec<String> {
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

impl Row {
    fn new(line: u64, discrepancies: Vec<Discrepancy>) -> Self {
        Self { line, discrepancies: discrepancies.into_iter().map(Into::into).collect() }
    }

    fn lines(&self) -> Vec<String> {
        let heading = match self.line {
            0 => "\ndiscrepancies without a ledger (--input adds one):".into(),
            line => format!("\ndiscrepancies of ledger line {line}:"),
        };
        let mut lines = vec![heading];
        if self.discrepancies.is_empty() {
            lines.push("  none".into());
        }
        lines.extend(self.discrepancies.iter().flat_map(ExplainedDiscrepancy::lines));
        lines
    }
}

impl From<Discrepancy> for ExplainedDiscrepancy {
    fn from(d: Discrepancy) -> Self {
        Self {
            kind: d.kind.as_str(),
            rule: d.kind.rule(),
            field: d.field,
            expected: d.expected.map(Into::into),
            actual: d.actual.map(Into::into),
            message: d.message.to_string(),
        }
    }
}

impl ExplainedDiscrepancy {
    fn lines(&self) -> Vec<String> {
        let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".into());
        let (expected, actual) = (value(&self.expected), value(&self.actual));
        let kind = [self.kind, &self.field].join(" ");
        let kind = kind.trim_end();
        vec![
            format!("  {kind}: expected {expected}, actual {actual}; {}", self.message),
            format!("    rule: {}", self.rule),
        ]
    }
}
