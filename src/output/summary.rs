//! The summary: totals, tie-out and evidence of the run, as JSON for machines.

use serde_json::{Map, Value, json};

use super::Provenance;
use super::schema::SCHEMA_VERSION;
use crate::discrepancy::Kind;
use crate::totals::{TieOutLine, Totals, Traffic};

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
    #[must_use]
    pub fn to_json(&self) -> String {
        let (p, t, x) = (self.provenance, self.totals, self.traffic);
        let mut all = json!({
            "program": "reconcile",
            "version": p.version,
            "schema_version": SCHEMA_VERSION,
            "run_id": p.run_id,
            "sandbox": p.sandbox,
            "started_at": p.started_at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
            "elapsed_s": self.elapsed_s,
            "complete": self.complete(),
            "input": p.input,
            "input_sha256": p.input_sha256,
            "rows": t.rows,
            "invalid": t.invalid,
            "duplicates": t.duplicates,
            "calls": t.calls,
            "found": t.found,
            "not_found": t.not_found,
            "pending": t.pending,
            "failed": t.failed,
            "deferred": t.deferred,
            "clean": t.clean,
            "with_discrepancies": t.with_discrepancies,
            "discrepancies": by_kind(t),
            "answered": t.answered,
            "duration_s": t.duration_s,
            "requests": x.requests,
            "first_tries": x.first_tries,
            "retries": x.retries,
            "other_day_tries": x.other_day_tries,
            "throttled": x.throttled,
            "from_store": t.from_store,
            "most_in_any_window": x.most_in_any_window,
            "cap": { "requests": p.cap_requests, "window_s": whole_or_float(p.cap_window_s) },
            "tie_out": self.tie_out,
            "notes": self.notes,
        });
        if let Some(because) = self.incomplete_because {
            all["incomplete_because"] = because.into();
            all["go_on"] = self.go_on.into();
        }
        format!("{all:#}\n")
    }
}

/// Every kind, those without a discrepancy too: a reader need not know which there are.
fn by_kind(totals: &Totals) -> Value {
    let count = |kind: &Kind| totals.discrepancies.get(kind.as_str()).copied().unwrap_or(0);
    Value::Object(Kind::ALL.iter().map(|k| (k.as_str().to_owned(), count(k).into())).collect::<Map<_, _>>())
}

/// `60`, not `60.0`.
fn whole_or_float(seconds: f64) -> Value {
    #[allow(clippy::cast_possible_truncation, reason = "checked to be whole; a window is at most a day")]
    if seconds.fract() == 0.0 { (seconds as i64).into() } else { seconds.into() }
}
