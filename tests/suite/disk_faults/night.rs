//! A small night: every kind of answer and of row, all outputs, and a cap that binds.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::faulty_disk::{DiskCall, Fault, FaultyDisk};
use crate::support::provider::{Provider, Reply, detail, talk_seconds};
use crate::support::{Bench, Row, Run, id};

pub const CAP: usize = 8;
pub const WINDOW: Duration = Duration::from_millis(400);
/// Requests that may lose their answer, with four slots: those at the provider, and those whose
/// answer is not on disk.
pub const IN_FLIGHT: usize = 2 * 4;
const OPTIONS: [&str; 8] =
    ["--rate", "8/400ms", "--timeout", "1s", "--concurrency", "4", "--metrics-file", "r.prom"];

/// Calls of the small night that the provider refuses, has no record of, or has on the next day.
const THROTTLED: usize = 7;
const BUSY: usize = 8;
const WITHOUT_RECORD: usize = 9;
const ON_THE_NEXT_DAY: usize = 10;
const REFUSED: usize = 11;
const CALLS: usize = 14;

/// 27 May 2024, 00:00 in UTC+8.
const NEXT_DAY: &str = "1716739200000";

/// A ledger of the first `calls` calls of the small night, one duplicate and one unusable row.
pub fn ledger(calls: usize) -> String {
    let mut text = String::from("call_id,prod_id,called_at,duration_s,branch\n");
    for i in 0..calls {
        let time = if i == ON_THE_NEXT_DAY { "2024-05-26 23:55:00" } else { "2024-05-26" };
        let expected = talk_seconds(&id(i)) + u64::from(i % 5 == 0);
        text += &format!("{},11000000300006,{time},{expected},branch {}\n", id(i), i % 3);
    }
    text + &format!("{},11000000300006,2024-05-26,1,again\nspoilt,1.1E+13,2024-05-26,1,spoilt\n", id(1))
}

/// Scripts the answers. They depend on the call, its day, and how often it was asked for.
fn script(provider: &Provider) {
    let asked: Mutex<BTreeMap<String, usize>> = Mutex::default();
    provider.answer_with(move |request| {
        let mut asked = asked.lock().unwrap();
        let times = asked.entry(request.call_id().to_owned()).or_default();
        *times += 1;
        let call = (0..CALLS).find(|i| id(*i) == request.call_id());
        match (call, *times) {
            (Some(THROTTLED), 1) => {
                Reply::code(429, "Throttling.User", "flow control").header("x-acs-retry-after", "50")
            }
            (Some(BUSY), 1) => Reply::empty(503),
            (Some(WITHOUT_RECORD), _) => Reply::without_data(),
            (Some(ON_THE_NEXT_DAY), _) if request.param("QueryDate") != NEXT_DAY => Reply::without_data(),
            (Some(ON_THE_NEXT_DAY), _) => {
                let mut record = detail(&id(ON_THE_NEXT_DAY));
                record["gmtCreate"] = "2024-05-27 00:00:01".into();
                Reply::ok(&record)
            }
            (Some(REFUSED), _) => Reply::code(400, "InvalidParameters", "No such thing."),
            _ => Reply::record(),
        }
    });
}

/// Requests for a call that a run without faults makes, when its first answer is for good.
fn needed(call_id: &str) -> usize {
    match (0..CALLS).find(|i| id(*i) == call_id) {
        Some(THROTTLED | BUSY) => 2,
        _ => 1,
    }
}

/// What must be equal after any fault: details, discrepancies and unusable rows.
pub type Outputs = (Vec<Row>, String, String);

/// A folder with the ledger of a small night and its own receiver.
pub struct Night {
    pub bench: Bench,
    disk: FaultyDisk,
    /// Bytes of the old outputs, by file name.
    old: BTreeMap<String, Vec<u8>>,
}

impl Night {
    /// A night without a store. `None` on machines that cannot inject faults.
    pub fn first() -> Option<Self> {
        let bench = Bench::new(&ledger(CALLS));
        fs::create_dir(bench.path("tmp")).unwrap();
        script(&bench.provider);
        let disk = FaultyDisk::watching(&bench.path("."))?;
        Some(Self { bench, disk, old: BTreeMap::new() })
    }

    /// The night after one over half of the calls: with a store and old outputs.
    pub fn next(half: &Self) -> Option<Self> {
        let mut night = Self::first()?;
        for entry in fs::read_dir(half.bench.path(".")).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            if entry.file_type().unwrap().is_file() && name != "calls.csv" {
                fs::copy(entry.path(), night.bench.path(&name)).unwrap();
                let is_output = name.starts_with("details.") && !name.ends_with(".unfinished");
                if is_output {
                    night.old.insert(name, fs::read(entry.path()).unwrap());
                }
            }
        }
        Some(night)
    }

    /// A finished night over half of the calls, whose places are free again.
    pub fn half() -> Option<Self> {
        let night = Self::first()?;
        night.bench.write("calls.csv", &ledger(CALLS / 2));
        night.run(None).exits(0);
        std::thread::sleep(2 * WINDOW);
        Some(night)
    }

    /// Runs the job, with a fault of the disk.
    pub fn run(&self, fault: Option<Fault>) -> Run {
        let mut command = self.bench.command(&OPTIONS);
        command.env("TMPDIR", self.bench.path("tmp"));
        self.disk.attach(&mut command, fault);
        self.bench.start_command(command).wait()
    }

    /// The calls to the disk of the last run.
    pub fn disk_calls(&self) -> Vec<DiskCall> {
        self.disk.calls()
    }

    pub fn outputs(&self) -> Outputs {
        let (details, discrepancies) = self.bench.comparable_outputs();
        let rejects = fs::read_to_string(self.bench.path("details.rejects.csv")).unwrap();
        (details, discrepancies, rejects)
    }

    /// Says which output is neither the old one nor the new one as a whole.
    ///
    /// # Errors
    ///
    /// Names the file.
    pub fn check_whole_outputs(&self, expected: &Outputs) -> Result<(), String> {
        for name in Bench::outputs().into_iter().chain(["details.rejects.csv"]) {
            let now = fs::read(self.bench.path(name)).ok();
            if now.as_ref() == self.old.get(name) {
                continue;
            }
            let now = now.ok_or(format!("{name} is gone"))?;
            let is_new = match name {
                "details.parquet" => {
                    let rows = self.bench.details().into_iter().map(crate::support::without_run_columns);
                    rows.collect::<Vec<_>>() == expected.0
                }
                "details.discrepancies.csv" => now == expected.1.as_bytes(),
                "details.rejects.csv" => now == expected.2.as_bytes(),
                "details.report.html" => String::from_utf8_lossy(&now).trim_end().ends_with("</html>"),
                _ => {
                    serde_json::from_slice::<Value>(&now).is_ok_and(|summary| summary["rows"] != json!(null))
                }
            };
            ensure(is_new, || format!("{name} is neither the old one nor the new one"))?;
        }
        Ok(())
    }

    /// The number of requests beyond the necessary ones, of calls whose answer is for good.
    pub fn repeats(&self) -> usize {
        let mut asked: BTreeMap<(String, String), usize> = BTreeMap::new();
        for request in self.bench.provider.requests() {
            let day = request.param("QueryDate").to_owned();
            *asked.entry((request.call_id().to_owned(), day)).or_default() += 1;
        }
        let lasting = |call_id: &str, day: &str| {
            call_id != id(WITHOUT_RECORD) && (call_id != id(ON_THE_NEXT_DAY) || day == NEXT_DAY)
        };
        let answered = asked.iter().filter(|((call_id, day), _)| lasting(call_id, day));
        answered.map(|((call_id, _), times)| times.saturating_sub(needed(call_id))).sum()
    }

    /// The most arrivals in any window, over all processes.
    pub fn most_in_any_window(&self) -> usize {
        most_in_any_window(self.bench.provider.requests().iter().map(|r| r.arrived).collect(), WINDOW)
    }

    /// The answer of `verify-cap --json`.
    pub fn verdict(&self) -> Value {
        let run = self.bench.run_exactly(&["verify-cap", "--json"], &[]);
        serde_json::from_str(&run.stdout).unwrap_or_else(|_| panic!("{}{}", run.stdout, run.stderr))
    }
}

/// The most of these instants in any window of this length, its end excluded.
pub fn most_in_any_window(mut arrivals: Vec<Instant>, window: Duration) -> usize {
    arrivals.sort_unstable();
    let within =
        |from: usize| arrivals[from..].iter().take_while(|at| **at - arrivals[from] < window).count();
    (0..arrivals.len()).map(within).max().unwrap_or(0)
}

/// # Errors
///
/// What is wrong, if it is.
pub fn ensure(is_right: bool, wrong: impl FnOnce() -> String) -> Result<(), String> {
    if is_right { Ok(()) } else { Err(wrong()) }
}
