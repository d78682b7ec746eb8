//! `reconcile explain`: all that the store knows of one call, and with a ledger what its rows disagree with.
//!
//! The numbers are shown in full, as in the data files: this is standard output, and asked for.

use compact_str::CompactString;
use serde::Serialize;

use super::{answer, count, table};
use crate::cli::ExplainArgs;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::ledger::{Input, ScannedLedger};
use crate::store::{self, Attempt, KnownCall, Reader};
use reconcile_core::calendar::provider_text;
use reconcile_core::compare;
use reconcile_core::detail::CallDetail;
use reconcile_core::discrepancy::Discrepancy;
use reconcile_core::duplicate::duplicate_of;
use reconcile_core::ledger_row::{LedgerRow, Record};
use reconcile_core::lookup::{Lookup, look_up};

#[derive(Serialize)]
struct Explained {
    call_id: String,
    prod_id: i64,
    day: String,
    attempts: Vec<Tried>,
    answer: Option<Kept>,
    status: &'static str,
    normalized: Vec<(&'static str, String)>,
    rows: Vec<Row>,
}

#[derive(Serialize)]
struct Tried {
    sent_at: String,
    asked_date: String,
    purpose: String,
    took_ms: Option<f64>,
    code: String,
    http_status: Option<u16>,
    throttled: bool,
    decision: String,
    pause_ms: Option<f64>,
}

#[derive(Serialize)]
struct Kept {
    kind: &'static str,
    fetched_at: String,
    found_date: String,
    request_id: Option<String>,
    code: String,
    message: String,
    data: Option<String>,
    damaged: bool,
}

/// A row of the ledger, and what it disagrees with.
#[derive(Serialize)]
struct Row {
    line: u64,
    discrepancies: Vec<Disagreement>,
}

#[derive(Serialize)]
struct Disagreement {
    kind: &'static str,
    field: String,
    expected: Option<String>,
    actual: Option<String>,
    message: String,
    rule: &'static str,
}

/// Explains a call.
///
/// # Errors
///
/// Exit 2 when there is no store, it does not know the call, or the ledger cannot be read; exit 6 when the store
/// cannot be read.
pub fn explain(args: &ExplainArgs) -> Result<Exit> {
    let path = args.store.path();
    let reader = store::open_reader(&path, None)?.ok_or_else(|| {
        Error::usage(format!("there is no store {}", path.display())).hint("name it with --store")
    })?;
    let known = reader.calls_named(&args.call_id)?;
    if known.is_empty() {
        return Err(unknown(reader.as_ref(), args));
    }
    let (rows, carried) = ledger_rows(args)?;
    let explain = |call| explain_call(call, &rows, &carried, args);
    let explained: Vec<Explained> = known.iter().map(explain).collect();
    answer(args.json, &explained, || explained.iter().flat_map(Explained::lines).collect())?;
    Ok(Exit::Success)
}

fn unknown(reader: &dyn Reader, args: &ExplainArgs) -> Error {
    let similar = reader.similar_call_ids(&args.call_id).unwrap_or_default();
    let hint = match similar.len() {
        0 => "it was never asked for: `reconcile plan` says whether a run would; mind that ^ may need quotes"
            .to_owned(),
        _ => format!("the store knows {}; mind that ^ may need quotes", similar.join(", ")),
    };
    Error::usage(format!("the store {} does not know the call {}", args.store.path().display(), args.call_id))
        .hint(hint)
}

/// The usable rows of the ledger that name the call, in its order, and the names of the columns carried through.
fn ledger_rows(args: &ExplainArgs) -> Result<(Vec<LedgerRow>, Vec<String>)> {
    let mut found = Vec::new();
    let Some(path) = &args.input else { return Ok((found, Vec::new())) };
    let source = ScannedLedger::scan(Input::open(path)?, args.ledger())?;
    for record in source.read()? {
        if let Record::Row(row) = record?
            && row.key.call_id == args.call_id
        {
            found.push(row);
        }
    }
    Ok((found, source.scan.carried))
}

fn explain_call(call: &KnownCall, rows: &[LedgerRow], carried: &[String], args: &ExplainArgs) -> Explained {
    // Without a ledger the call is judged as one of which nothing is expected.
    let nameless = LedgerRow {
        line: 0,
        key: call.key.clone(),
        expected: reconcile_core::ledger_row::Expected::default(),
        query_date: None,
        carried: Vec::new(),
    };
    let named: Vec<&LedgerRow> = rows.iter().filter(|row| row.key == call.key).collect();
    let first = named.first().copied().unwrap_or(&nameless);
    let stored = Some(&call.stored).filter(|_| call.is_whole);
    let lookup = look_up(first, stored.cloned(), args.rules().settle, i64::MAX);
    let found = compare::compare(first, &lookup, args.rules().tolerances);
    let mut judged = vec![(first.line, found)];
    judged.extend(named.iter().skip(1).map(|row| (row.line, vec![duplicate_of(first, row, carried)])));
    Explained {
        call_id: call.key.call_id.clone(),
        prod_id: call.key.prod_id.0,
        day: call.key.day.to_string(),
        attempts: call.attempts.iter().map(tried).collect(),
        answer: kept(call),
        status: lookup.status.as_str(),
        normalized: normalized(&lookup),
        rows: judged
            .into_iter()
            .map(|(line, found)| Row { line, discrepancies: disagreements(found) })
            .collect(),
    }
}

fn tried(attempt: &Attempt) -> Tried {
    #[allow(clippy::cast_precision_loss, reason = "a time-out is far below 2^53 microseconds")]
    let ms = |us: i64| us as f64 / 1e3;
    Tried {
        sent_at: provider_text(attempt.sent_at).into(),
        asked_date: attempt.asked_date.clone(),
        purpose: attempt.purpose.as_str().to_owned(),
        took_ms: attempt.took_us.map(ms),
        code: attempt.code.clone().unwrap_or_else(|| "in flight".into()),
        http_status: attempt.http_status,
        throttled: attempt.throttled,
        decision: attempt.decision.as_ref().map_or_else(String::new, |decision| decision.as_str().to_owned()),
        pause_ms: attempt.pause_us.map(ms),
    }
}

fn kept(call: &KnownCall) -> Option<Kept> {
    let stored = call.stored.answer.as_ref()?;
    let a = &stored.answer;
    Some(Kept {
        kind: a.kind.as_str(),
        fetched_at: provider_text(stored.fetched_at).into(),
        found_date: a.found_date.to_string(),
        request_id: a.request_id.clone(),
        code: a.code.to_string(),
        message: a.message.to_string(),
        data: a.data.clone(),
        damaged: !call.is_whole,
    })
}

/// The record's fields that have a value, as in the details.
fn normalized(lookup: &Lookup) -> Vec<(&'static str, String)> {
    let Some(d) = &lookup.detail else { return Vec::new() };
    let CallDetail { outcome, is_final, .. } = d;
    let text = |value: &Option<CompactString>| value.as_ref().map(ToString::to_string);
    let time = |at: Option<chrono::DateTime<chrono::Utc>>| at.map(|at| provider_text(at).into());
    let fields = [
        ("caller", text(&d.caller)),
        ("callee", text(&d.callee)),
        ("caller_show_number", text(&d.caller_show_number)),
        ("callee_show_number", text(&d.callee_show_number)),
        ("created_at", time(d.created_at)),
        ("started_at", time(d.started_at)),
        ("ended_at", time(d.ended_at)),
        ("duration_s", d.duration_s.map(|n| n.to_string())),
        ("state", text(&d.state)),
        ("outcome", Some(outcome.as_str().to_owned())),
        ("answered", d.answered.map(|b| b.to_string())),
        ("final", Some(is_final.to_string())),
    ];
    fields.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

fn disagreements(found: Vec<Discrepancy>) -> Vec<Disagreement> {
    let one = |d: Discrepancy| Disagreement {
        kind: d.kind.as_str(),
        rule: d.kind.rule(),
        field: d.field,
        expected: d.expected.map(Into::into),
        actual: d.actual.map(Into::into),
        message: d.message,
    };
    found.into_iter().map(one).collect()
}

impl Explained {
    fn lines(&self) -> Vec<String> {
        let mut lines =
            vec![format!("call {}, product {}, {} (UTC+8)", self.call_id, self.prod_id, self.day)];
        lines.push(format!("\n{}:", count(self.attempts.len() as u64, "request")));
        lines.extend(self.attempts.iter().map(Tried::line));
        lines.push("\nanswer:".into());
        match &self.answer {
            None => lines.push("  none yet".into()),
            Some(kept) => lines.extend(kept.lines().into_iter().map(|line| format!("  {line}"))),
        }
        lines.push(format!("\nread as {}:", self.status));
        lines.extend(table(&self.normalized).into_iter().map(|line| format!("  {line}")));
        for row in &self.rows {
            lines.push(match row.line {
                0 => "\ndiscrepancies, without a ledger (--input compares with one):".into(),
                line => format!("\ndiscrepancies of ledger line {line}:"),
            });
            if row.discrepancies.is_empty() {
                lines.push("  none".into());
            }
            lines.extend(row.discrepancies.iter().flat_map(Disagreement::lines));
        }
        lines
    }
}

impl Tried {
    fn line(&self) -> String {
        let took = self.took_ms.map_or_else(String::new, |ms| format!(" after {ms:.0} ms"));
        let http = self.http_status.map_or_else(String::new, |status| format!(" (HTTP {status})"));
        let pause = self.pause_ms.filter(|ms| *ms > 0.0);
        let pause = pause.map_or_else(String::new, |ms| format!(" in {ms:.0} ms"));
        let throttled = if self.throttled { ", throttled" } else { "" };
        let decision = match self.decision.as_str() {
            "" => String::new(),
            decision => format!(" -> {decision}{pause}"),
        };
        format!(
            "  {}  {} for {}: {}{http}{took}{throttled}{decision}",
            self.sent_at, self.purpose, self.asked_date, self.code
        )
    }
}

impl Kept {
    fn lines(&self) -> Vec<String> {
        let mut lines = table(&[
            ("kind", self.kind.to_owned()),
            ("fetched at", format!("{} (UTC+8)", self.fetched_at)),
            ("day", self.found_date.clone()),
            ("request id", self.request_id.clone().unwrap_or_default()),
            ("code", self.code.clone()),
            ("message", self.message.clone()),
            ("data", self.data.clone().unwrap_or_default()),
        ]);
        if self.damaged {
            lines.push("its checksum is wrong: it counts as no answer and will be asked for again".into());
        }
        lines
    }
}

impl Disagreement {
    fn lines(&self) -> Vec<String> {
        let side = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".into());
        vec![
            format!(
                "  {} {}: expected {}, actual {}; {}",
                self.kind,
                self.field,
                side(&self.expected),
                side(&self.actual),
                self.message
            ),
            format!("    rule: {}", self.rule),
        ]
    }
}
