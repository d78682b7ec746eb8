//! `reconcile plan`: what a run would do and how long it would take. It sends nothing, writes
//! nothing and needs no credentials.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::answer::{answer, table};
use crate::cli::{Account, Settings};
use crate::clock::SystemClock;
use crate::collect::{Beside, BesideCounts, CallSource, Workload, workloads_after};
use crate::commands::reconcile::beside::wanted;
use crate::commands::reconcile::receipts::RunReceipts;
use crate::commands::reconcile::{decisions, notes, read_ledger};
use crate::console::opening::{done_in, schedule};
use crate::error::Result;
use crate::exit::Exit;
use crate::fetch::cap::Cap;
use crate::fetch::deadline::Deadline;
use crate::ledger::{Column, LedgerScan, Role};
use crate::note::Note;
use crate::shown::shown;
use crate::store::{self, AccountCap, Reader, RunIdentity};
use crate::words::{count, plural};
use crate::zone;
use reconcile_core::ask_again::{ReceiptUse, Scope};

/// The answer; with `--json` these are its keys.
#[derive(Serialize)]
struct Plan {
    rows: u64,
    invalid: u64,
    duplicates: u64,
    calls: u64,
    already_stored: u64,
    /// Calls that need no request because of the receipts; only with receipts.
    #[serde(skip_serializing_if = "Option::is_none")]
    saved_by_receipts: Option<u64>,
    to_ask: u64,
    requests: u64,
    requests_at_most: u64,
    cap: String,
    schedule: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    accounts: Vec<PlannedAccount>,
    /// What follows with the rest of the cap.
    beside: BesideCounts,
    ready_in_s: u64,
    ready_at: Option<String>,
    limit: Option<Limit>,
    going_on: bool,
    columns: Vec<PlannedColumn>,
    notes: Vec<String>,
    #[serde(skip)]
    done_in: String,
}

/// An account with a name, and what the run does under it.
#[derive(Serialize)]
struct PlannedAccount {
    name: String,
    cap: String,
    schedule: String,
    to_ask: u64,
    requests_at_most: u64,
    ready_in_s: u64,
    #[serde(skip)]
    done_in: String,
}

/// What one account has to do.
struct Task<'a> {
    account: &'a Account,
    workload: Workload,
    cap: Cap,
    /// The shortest time in which the cap allows its requests.
    ready_in: Duration,
}

/// A column of the ledger, and what the run does with it.
#[derive(Serialize)]
struct PlannedColumn {
    header: String,
    /// `read`, `carried` or `ignored`.
    role: &'static str,
    /// The field, or the name in the outputs.
    name: Option<String>,
}

/// The first time limit, and whether the run ends before it.
#[derive(Serialize)]
struct Limit {
    what: String,
    at: Option<String>,
    ends_in_s: u64,
    holds: bool,
    /// Calls that can be asked for before it.
    fit: u64,
    #[serde(skip)]
    described: String,
}

/// Prints what the same command without `plan` would do.
///
/// # Errors
///
/// Exit 2 when ledger, options or store are wrong; exit 6 when the store cannot be read.
pub fn plan(settings: &Settings, json: bool) -> Result<Exit> {
    let started_at = Utc::now();
    let (source, _) = read_ledger(settings)?;
    decisions::read(settings, started_at)?;
    decisions::money(settings)?;
    let receipts = RunReceipts::read(settings, &source)?;
    let clock = SystemClock::new();
    let reader = store::open_reader(&settings.store, Some(settings.expects()))?;
    let identity = RunIdentity { input_sha256: source.scan.sha256.clone(), refresh: settings.refresh };
    let scope = match &reader {
        Some(reader) => reader.preview_session(&identity, &clock)?,
        None => Scope::of_new_store(identity.refresh, started_at),
    };
    let calls = CallSource {
        ledger: &source,
        scope: &scope,
        reader: reader.as_deref(),
        // The sample of a run has the same size.
        receipts: ReceiptUse { trust: settings.receipts_trust, seed: 0 },
        rules: settings.rules,
        accounts: &settings.accounts.names_in_ledger(),
    };
    let workloads = workloads_after(calls, receipts.as_ref().map(|read| &read.joined))?;
    let beside = beside(settings, &scope, started_at, &workloads)?;
    let workloads = settings.accounts.list.iter().zip(workloads);
    let task =
        |(account, workload)| Task::new(account, workload, reader.as_deref(), &clock, settings.offline);
    let tasks: Vec<Task<'_>> = workloads.map(task).collect::<Result<_>>()?;
    let deadlines = Deadline::all(settings.deadline, settings.max_duration, started_at, settings.timezone)?;
    let deadline = Deadline::first(&deadlines);
    let of_receipts: Vec<Note> = receipts.iter().flat_map(RunReceipts::notes).collect();
    let of_receipts: Vec<String> = of_receipts.iter().map(ToString::to_string).collect();
    let plan =
        Plan { beside, ..Plan::new(settings, &source.scan, &tasks, deadline, started_at, scope.resumed) };
    let plan = Plan { notes: [plan.notes, of_receipts].concat(), ..plan };
    answer(json, &plan, || plan.lines())?;
    Ok(Exit::Success)
}

/// The calls that may follow beside those of the ledger. Without a key the account of a database
/// has no name; then only calls without an account count.
fn beside(
    settings: &Settings,
    scope: &Scope,
    started_at: DateTime<Utc>,
    workloads: &[Workload],
) -> Result<BesideCounts> {
    let reader = store::open_reader(&settings.store, Some(settings.expects()))?;
    let Some(reader) = reader.filter(|_| !settings.offline) else { return Ok(BesideCounts::default()) };
    let accounts = settings.accounts.list.iter().map(|account| account.name.clone()).collect();
    let beside = Beside::new(reader, wanted(settings, scope, accounts, started_at));
    workloads.iter().for_each(|workload| beside.leave_out_own(workload));
    let counts = beside.counts()?;
    let sum = |of: fn(&BesideCounts) -> u64| counts.iter().map(of).sum();
    Ok(BesideCounts { open: sum(|counts| counts.open), records: sum(|counts| counts.records) })
}

impl<'a> Task<'a> {
    fn new(
        account: &'a Account,
        workload: Workload,
        reader: Option<&dyn Reader>,
        clock: &SystemClock,
        offline: bool,
    ) -> Result<Self> {
        let of_account = AccountCap { account: account.name.clone(), rate: account.rate };
        let taken = reader.map_or(Ok(Vec::new()), |reader| reader.places_taken(clock, &of_account))?;
        let cap = Cap::new(account.rate, account.burst, &taken);
        let ready_in = cap.forecast(if offline { 0 } else { workload.to_ask }).all_sent_in;
        Ok(Self { account, workload, cap, ready_in })
    }
}

impl PlannedAccount {
    /// `None` for an account without a name.
    fn new(task: &Task<'_>, offline: bool, started_at: DateTime<Utc>) -> Option<Self> {
        let (Workload { to_ask, near_midnight, .. }, ready_in) = (&task.workload, task.ready_in);
        let asked = u64::from(!offline);
        Some(Self {
            name: shown(task.account.name.as_deref()?),
            cap: task.account.rate.to_string(),
            schedule: schedule(task.account.rate, task.account.burst),
            to_ask: asked * to_ask,
            requests_at_most: asked * (to_ask + near_midnight),
            ready_in_s: ready_in.as_secs(),
            done_in: done_in(ready_in, started_at),
        })
    }

    fn line(&self) -> String {
        match self.to_ask {
            0 => format!("{}: 0 to ask at {}", self.name, self.cap),
            n => format!("{}: {} to ask at {}, done in {}", self.name, count(n), self.cap, self.done_in),
        }
    }
}

impl Plan {
    fn new(
        settings: &Settings,
        scan: &LedgerScan,
        tasks: &[Task<'_>],
        deadline: Option<&Deadline>,
        started_at: DateTime<Utc>,
        going_on: bool,
    ) -> Self {
        let sum = |of: fn(&Workload) -> u64| tasks.iter().map(|task| of(&task.workload)).sum::<u64>();
        let saved = sum(|workload| workload.saved);
        let stored = scan.calls - saved - sum(|workload| workload.to_ask);
        let asked = u64::from(!settings.offline);
        let to_ask = asked * sum(|workload| workload.to_ask);
        let near_midnight = asked * sum(|workload| workload.near_midnight);
        let ready_in = tasks.iter().map(|task| task.ready_in).max().unwrap_or_default();
        let (cap, schedule) = match settings.accounts.list.as_slice() {
            [only] => (only.rate.to_string(), schedule(only.rate, only.burst)),
            all => (format!("that of each of {} accounts", all.len()), "side by side".to_owned()),
        };
        let planned = |task| PlannedAccount::new(task, settings.offline, started_at);
        Self {
            rows: scan.rows,
            invalid: scan.invalid,
            duplicates: scan.duplicates,
            calls: scan.calls,
            already_stored: stored,
            saved_by_receipts: (!settings.receipts.is_empty()).then_some(saved),
            to_ask,
            requests: to_ask,
            requests_at_most: to_ask + near_midnight,
            cap,
            schedule,
            accounts: tasks.iter().filter_map(planned).collect(),
            beside: BesideCounts::default(),
            ready_in_s: ready_in.as_secs(),
            ready_at: zone::end_at(ready_in, started_at).map(zone::rfc3339),
            limit: deadline.map(|deadline| Limit::new(deadline, tasks, to_ask, ready_in, started_at)),
            going_on,
            columns: scan.columns.iter().map(PlannedColumn::new).collect(),
            notes: notes::on_ledger(scan).iter().map(ToString::to_string).collect(),
            done_in: done_in(ready_in, started_at),
        }
    }

    fn lines(&self) -> Vec<String> {
        let requests = if self.requests_at_most == 0 {
            "0".to_owned()
        } else if self.requests_at_most == self.requests {
            format!("{}, plus retries", self.requests)
        } else {
            let near = plural(self.requests_at_most - self.requests, "call");
            format!(
                "{} to {}, plus retries: {near} near midnight may need a second request",
                self.requests, self.requests_at_most
            )
        };
        let resuming = if self.going_on { "; resumes an unfinished run" } else { "" };
        let done_in = if self.to_ask == 0 { "0 s: no call to ask for" } else { &self.done_in };
        let mut pairs = vec![
            ("rows", self.rows.to_string()),
            ("invalid", self.invalid.to_string()),
            ("duplicates", self.duplicates.to_string()),
            ("calls", self.calls.to_string()),
            ("already stored", format!("{}{resuming}", self.already_stored)),
            ("by receipts", self.saved_by_receipts.map_or(String::new(), |calls| calls.to_string())),
            ("to ask", self.to_ask.to_string()),
            ("requests", requests),
            ("cap", format!("{} ({})", self.cap, self.schedule)),
            ("done in", done_in.to_owned()),
        ];
        pairs.retain(|(_, text)| !text.is_empty());
        pairs.extend(self.accounts.iter().map(|account| ("account", account.line())));
        if self.beside.total() > 0 {
            pairs.push(("then", beside_line(self.beside)));
        }
        if let Some(limit) = &self.limit {
            pairs.push(("time limit", limit.line(self.to_ask)));
        }
        for (title, role) in
            [("columns read", "read"), ("columns carried", "carried"), ("columns ignored", "ignored")]
        {
            let columns: Vec<String> =
                self.columns.iter().filter(|column| column.role == role).map(PlannedColumn::text).collect();
            if !columns.is_empty() {
                pairs.push((title, columns.join(", ")));
            }
        }
        let notes = self.notes.iter().map(|note| format!("note: {note}"));
        table(&pairs).into_iter().chain(notes).collect()
    }
}

fn beside_line(BesideCounts { open, records }: BesideCounts) -> String {
    let open = (open > 0).then(|| format!("{} of earlier ledgers", plural(open, "open call")));
    let records = (records > 0).then(|| format!("{} to look at again", plural(records, "final record")));
    let both: Vec<String> = open.into_iter().chain(records).collect();
    format!("{}, with what the cap leaves over", both.join(" and "))
}

impl PlannedColumn {
    fn new(column: &Column) -> Self {
        let (role, name) = match &column.role {
            Role::Read(field) => ("read", Some((*field).to_owned())),
            Role::Carried(name) => ("carried", Some(name.clone())),
            Role::Ignored => ("ignored", None),
        };
        Self { header: column.header.clone(), role, name }
    }

    /// `call_id`, or ``callee from `被叫` ``.
    fn text(&self) -> String {
        match &self.name {
            Some(name) if *name != self.header && self.role == "read" => {
                format!("{name} from `{}`", self.header)
            }
            Some(name) => name.clone(),
            None => self.header.clone(),
        }
    }
}

impl Limit {
    fn new(
        deadline: &Deadline,
        tasks: &[Task<'_>],
        to_ask: u64,
        ready_in: Duration,
        started_at: DateTime<Utc>,
    ) -> Self {
        Self {
            what: deadline.name.to_string(),
            at: deadline.at.map(zone::rfc3339),
            ends_in_s: deadline.after_start.as_secs(),
            holds: ready_in <= deadline.after_start,
            fit: match to_ask {
                0 => 0,
                _ => tasks
                    .iter()
                    .map(|task| fitting(&task.cap, task.workload.to_ask, deadline.after_start))
                    .sum(),
            },
            described: deadline.described(started_at),
        }
    }

    fn line(&self, to_ask: u64) -> String {
        if self.holds {
            return format!("{}; it leaves enough time", self.described);
        }
        format!(
            "{}; it leaves too little time: about {} of {} can be asked for, the oldest first; the others are deferred",
            self.described,
            self.fit,
            plural(to_ask, "call")
        )
    }
}

/// The number of calls that can be asked for within `time`. Bisection finds it, because the
/// forecast never falls when the number of calls grows.
fn fitting(cap: &Cap, to_ask: u64, time: Duration) -> u64 {
    let (mut fit, mut too_many) = (0, to_ask + 1);
    while too_many - fit > 1 {
        let middle = fit + (too_many - fit) / 2;
        if cap.forecast(middle).all_sent_in <= time { fit = middle } else { too_many = middle }
    }
    fit
}
