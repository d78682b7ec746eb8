//! The summary: totals, tie-out and evidence of the run, as JSON for machines.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Provenance;
use super::schema::SCHEMA_VERSION;
use crate::discrepancy::Kind;
use crate::error::{Error, Result};
use crate::totals::{BothSides, TieOutLine, Totals, Traffic};

/// All that the summary and the report say.
#[derive(Debug)]
pub struct Summary<'a> {
    /// Where the numbers come from.
    pub provenance: &'a Provenance,
    /// What was counted.
    pub totals: &'a Totals,
    /// What was sent.
    pub traffic: &'a Traffic,
    /// What must foot.
    pub tie_out: &'a [TieOutLine],
    /// How long this process took, in seconds.
    pub elapsed_s: f64,
    /// Why not every call has its answer; `None` when each has.
    pub incomplete_because: Option<&'a str>,
    /// The command that goes on.
    pub go_on: &'a str,
    /// What deserves to be known of ledger and run.
    pub notes: &'a [String],
}

impl Summary<'_> {
    /// Whether every call has its answer.
    #[must_use]
    pub fn complete(&self) -> bool {
        self.incomplete_because.is_none()
    }

    /// The JSON text, ending with a line break.
    ///
    /// # Errors
    ///
    /// Exit 6 when it cannot be written as JSON, which is a bug.
    pub(super) fn to_json(&self) -> Result<String> {
        let bug =
            |e: serde_json::Error| Error::output("the summary cannot be made; this is a bug").because(e);
        Ok(serde_json::to_string_pretty(&File::new(self)).map_err(bug)? + "\n")
    }
}

/// The file, in its order.
#[derive(Serialize)]
struct File<'a> {
    program: &'static str,
    version: &'a str,
    schema_version: &'static str,
    sandbox: bool,
    run_id: &'a str,
    started_at: String,
    elapsed_s: f64,
    input: &'a str,
    input_sha256: &'a str,
    complete: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    incomplete_because: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    go_on: Option<&'a str>,
    rows: u64,
    invalid: u64,
    duplicates: u64,
    calls: u64,
    found: u64,
    not_found: u64,
    pending: u64,
    failed: u64,
    deferred: u64,
    clean: u64,
    with_discrepancies: u64,
    discrepancies: BTreeMap<&'static str, u64>,
    answered: BothSides,
    duration_s: BothSides,
    requests: u64,
    first_tries: u64,
    retries: u64,
    other_day_tries: u64,
    throttled: u64,
    from_store: u64,
    most_in_any_window: u64,
    cap: Cap,
    tie_out: &'a [TieOutLine],
    notes: &'a [String],
}

#[derive(Serialize)]
struct Cap {
    requests: u32,
    window_s: serde_json::Number,
}

impl<'a> File<'a> {
    fn new(summary: &Summary<'a>) -> Self {
        let (p, t, x) = (summary.provenance, summary.totals, summary.traffic);
        Self {
            program: env!("CARGO_PKG_NAME"),
            version: p.version,
            schema_version: SCHEMA_VERSION,
            sandbox: p.sandbox,
            run_id: &p.run_id,
            started_at: p.started_at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
            elapsed_s: (summary.elapsed_s * 1e3).round() / 1e3,
            input: &p.input,
            input_sha256: &p.input_sha256,
            complete: summary.complete(),
            incomplete_because: summary.incomplete_because,
            go_on: summary.incomplete_because.map(|_| summary.go_on),
            rows: t.rows,
            invalid: t.invalid,
            duplicates: t.duplicates,
            calls: t.calls,
            found: t.found,
            not_found: t.not_found,
            pending: t.pending,
            failed: t.failed,
            deferred: t.deferred,
            clean: t.clean,
            with_discrepancies: t.with_discrepancies,
            discrepancies: by_kind(t),
            answered: t.answered,
            duration_s: t.duration_s,
            requests: x.requests,
            first_tries: x.first_tries,
            retries: x.retries,
            other_day_tries: x.other_day_tries,
            throttled: x.throttled,
            from_store: t.from_store,
            most_in_any_window: x.most_in_any_window,
            cap: Cap { requests: p.cap.requests.get(), window_s: whole_or_float(p.cap.window.as_secs_f64()) },
            tie_out: summary.tie_out,
            notes: summary.notes,
        }
    }
}

/// Every kind, those without a discrepancy too: a reader need not know which there are.
fn by_kind(totals: &Totals) -> BTreeMap<&'static str, u64> {
    let count = |kind: Kind| totals.discrepancies.get(kind.as_str()).copied().unwrap_or(0);
    Kind::ALL.into_iter().map(|kind| (kind.as_str(), count(kind))).collect()
}

/// `60`, not `60.0`.
fn whole_or_float(seconds: f64) -> serde_json::Number {
    #[allow(clippy::cast_possible_truncation, reason = "checked to be whole; a window is at most a day")]
    let whole = (seconds.fract() == 0.0).then_some(seconds as i64);
    // Only what is not finite is no number, and a window is.
    whole.map(Into::into).or_else(|| serde_json::Number::from_f64(seconds)).unwrap_or_else(|| 0.into())
}
