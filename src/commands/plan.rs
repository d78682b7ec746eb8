//! `reconcile plan`: what a run would do and how long it takes. Sends nothing, writes nothing, needs no credentials.

use chrono::{DateTime, Local};
use serde::Serialize;

use super::{answer, count, table};
use crate::cli::Settings;
use crate::clock::SystemClock;
use crate::collect::{Workload, workload};
use crate::commands::reconcile::{Timer, check_places};
use crate::console::messages;
use crate::error::Result;
use crate::exit::Exit;
use crate::fetch::cap::Cap;
use crate::ledger::{Input, LedgerScan, ScannedLedger};
use crate::store::{self, RunIdentity};
use reconcile_core::ask_again::Scope;

#[derive(Serialize)]
struct Plan {
    rows: u64,
    invalid: u64,
    duplicates: u64,
    calls: u64,
    already_stored: u64,
    to_ask: u64,
    requests: u64,
    requests_at_most: u64,
    cap: String,
    schedule: String,
    ready_in_s: u64,
    ready_at: Option<String>,
    limit: Option<Limit>,
    going_on: bool,
}

/// A deadline, or a longest duration.
#[derive(Serialize)]
struct Limit {
    what: String,
    ends_in_s: u64,
    holds: bool,
    /// Calls that fit.
    fit: u64,
}

/// Says what the same command without `plan` would do.
///
/// # Errors
///
/// Exit 2 when ledger, options or store are wrong; exit 6 when the store cannot be read.
pub fn plan(settings: &Settings, json: bool) -> Result<Exit> {
    let started_at = Local::now();
    let input = Input::open(&settings.input)?;
    check_places(settings, &input)?;
    let source = ScannedLedger::scan(input, settings.ledger.clone())?;
    let clock = SystemClock::new();
    let reader = store::open_reader(&settings.store, Some(settings.expects()))?;
    let identity = RunIdentity { input_sha256: source.scan.sha256.clone(), refresh: settings.refresh };
    let scope = match &reader {
        Some(reader) => reader.preview_session(&identity, &clock)?,
        None => Scope::of_new_store(identity.refresh),
    };
    let workload = workload(&source, &scope, reader.as_deref())?;
    let taken = reader.map_or(Ok(Vec::new()), |reader| reader.places_taken(&clock, settings.rate))?;
    let cap = Cap::new(settings.rate, settings.burst, &taken);
    let timers = Timer::all(settings, started_at)?;
    let plan = Plan::new(settings, &source.scan, &workload, &cap, &timers, started_at, scope.resumed);
    answer(json, &plan, || plan.lines())?;
    Ok(Exit::Success)
}

impl Plan {
    fn new(
        settings: &Settings,
        scan: &LedgerScan,
        workload: &Workload,
        cap: &Cap,
        timers: &[Timer],
        started_at: DateTime<Local>,
        going_on: bool,
    ) -> Self {
        let to_ask = if settings.offline { 0 } else { workload.to_ask };
        let near_midnight = if settings.offline { 0 } else { workload.near_midnight };
        let ready_in = cap.forecast(to_ask).all_sent_in;
        let limit = timers.iter().min_by_key(|timer| timer.after_start).map(|timer| Limit {
            what: timer.what.clone(),
            ends_in_s: timer.after_start.as_secs(),
            holds: ready_in <= timer.after_start,
            fit: fitting(cap, to_ask, timer),
        });
        Self {
            rows: scan.rows,
            invalid: scan.invalid,
            duplicates: scan.duplicates,
            calls: scan.calls,
            already_stored: scan.calls - workload.to_ask,
            to_ask,
            requests: to_ask,
            requests_at_most: to_ask + near_midnight,
            cap: settings.rate.to_string(),
            schedule: messages::schedule(settings.rate, settings.burst),
            ready_in_s: ready_in.as_secs(),
            ready_at: chrono::TimeDelta::from_std(ready_in)
                .ok()
                .and_then(|left| started_at.checked_add_signed(left))
                .map(|at| at.format("%Y-%m-%d %H:%M").to_string()),
            limit,
            going_on,
        }
    }

    fn lines(&self) -> Vec<String> {
        let requests = if self.requests_at_most == self.requests {
            format!("{}, if nothing has to be tried again", self.requests)
        } else {
            let near = count(self.requests_at_most - self.requests, "call");
            format!(
                "{} to {}: {near} near midnight may be on the next day",
                self.requests, self.requests_at_most
            )
        };
        let stored = if self.going_on { ", going on from an unfinished run" } else { "" };
        let ready = match (&self.ready_at, self.to_ask) {
            (_, 0) => "at once: nothing is to be asked".to_owned(),
            (Some(_), _) if self.ready_in_s == 0 => "within the first window".to_owned(),
            (Some(at), _) => {
                let left = humantime::format_duration(std::time::Duration::from_secs(self.ready_in_s));
                format!("in {left} (at {at})")
            }
            (None, _) => "not in this lifetime".to_owned(),
        };
        let mut pairs = vec![
            ("rows", self.rows.to_string()),
            ("invalid", self.invalid.to_string()),
            ("duplicates", self.duplicates.to_string()),
            ("calls", self.calls.to_string()),
            ("already stored", format!("{}{stored}", self.already_stored)),
            ("to ask", self.to_ask.to_string()),
            ("requests", requests),
            ("cap", format!("{} ({})", self.cap, self.schedule)),
            ("ready", ready),
        ];
        if let Some(limit) = &self.limit {
            pairs.push(("time limit", limit.line(self.to_ask)));
        }
        table(&pairs)
    }
}

impl Limit {
    fn line(&self, to_ask: u64) -> String {
        if self.holds {
            return format!("{} holds", self.what);
        }
        format!(
            "{} does not hold: about {} of {} fit, the oldest first; the others are deferred to the next run",
            self.what,
            self.fit,
            count(to_ask, "call")
        )
    }
}

/// How many calls can be sent before the timer ends. The forecast only ever grows with the number of calls.
fn fitting(cap: &Cap, to_ask: u64, timer: &Timer) -> u64 {
    let (mut fit, mut too_many) = (0, to_ask + 1);
    while too_many - fit > 1 {
        let middle = fit + (too_many - fit) / 2;
        if cap.forecast(middle).all_sent_in <= timer.after_start { fit = middle } else { too_many = middle }
    }
    fit
}
