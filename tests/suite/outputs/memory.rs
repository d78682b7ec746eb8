//! The memory of a run with many columns and days. It is limited from outside.

use std::fmt::Write as _;
use std::process::Command;

use crate::support::Bench;

/// Kilobytes of address space that the binary gets, and for each core: each has its own thread. A
/// usual run needs 200,000 on two cores.
const LIMIT_KB: usize = 520_000;
const LIMIT_OF_CORE_KB: usize = 60_000;
const COLUMNS: usize = 1_000;
/// Fewer days than open files at most.
const DAYS: usize = 120;
const ROWS: usize = 240;

#[test]
fn a_folder_of_many_days_and_columns_needs_little_memory() {
    let mut text = String::from("call_id,prod_id,called_at");
    (0..COLUMNS).for_each(|column| write!(text, ",c{column}").unwrap());
    let first = chrono::NaiveDate::from_ymd_opt(2025, 1, 1).unwrap();
    for row in 0..ROWS {
        // The days come in a mixed order.
        let day = first + chrono::Days::new((row * 7_919 % DAYS) as u64);
        write!(text, "\n{row}^{row},11000000300006,{day}").unwrap();
        // 350 bytes each: all rows together exceed the memory for waiting rows.
        (0..COLUMNS).for_each(|column| write!(text, ",{column:0150}{row:0200}").unwrap());
    }
    let bench = Bench::new(&text);
    let run = bench.command(&["--offline", "--partition-by", "call_date", "--out", "details"]);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let limit = LIMIT_KB + LIMIT_OF_CORE_KB * cores;
    let mut limited = Command::new("sh");
    limited.args(["-c", &format!("ulimit -v {limit}; exec \"$0\" \"$@\"")]).arg(run.get_program());
    limited.args(run.get_args()).current_dir(bench.path("")).env_clear();
    limited.envs(run.get_envs().filter_map(|(name, value)| Some((name, value?))));
    bench.start_command(limited).wait_at_most(std::time::Duration::from_secs(300)).exits(4);
    assert_eq!(bench.summary().number("deferred"), ROWS as u64);
    let days = std::fs::read_dir(bench.path("details")).unwrap().count();
    assert_eq!(days, DAYS);
}

/// Most kilobytes of a run over a million discrepancies that were open before, with two threads
/// for rows. Each further one has rows of its own.
const RECURRING_KB: usize = 128_000;
const RECURRING_OF_THREAD_KB: usize = 36_000;
const MILLION: usize = 1_000_000;

/// The most memory that the process has used so far; `None` after its end.
fn peak_kb(pid: u32) -> Option<usize> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    peak.trim().trim_end_matches(" kB").parse().ok()
}

/// Runs without a provider, so that every call is deferred. Returns the most memory that it used.
fn deferred_run(bench: &Bench) -> usize {
    let run = bench.start(&["--offline"]);
    let pid = run.pid();
    let watching = std::thread::spawn(move || {
        let mut most = 0;
        while let Some(peak) = peak_kb(pid) {
            most = peak;
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        most
    });
    run.wait_at_most(std::time::Duration::from_secs(900)).exits(4);
    watching.join().unwrap()
}

#[test]
#[cfg(target_os = "linux")]
fn a_million_recurring_discrepancies_need_little_memory() {
    let mut text = String::from("call_id,prod_id,called_at\n");
    (0..MILLION).for_each(|row| writeln!(text, "{row}^{row},11000000300006,2025-01-01").unwrap());
    let bench = Bench::new(&text);
    drop(text);
    let threads = std::thread::available_parallelism().map_or(1, usize::from).clamp(2, 8);
    let limit = RECURRING_KB + (threads - 2) * RECURRING_OF_THREAD_KB;
    for wanted in [[MILLION as u64, 0], [0, MILLION as u64]] {
        let peak = deferred_run(&bench);
        let changes = &bench.summary().0["since_last"];
        assert_eq!([&changes["new"], &changes["recurring"]].map(|n| n.as_u64().unwrap()), wanted);
        assert!(peak > 0 && peak <= limit, "{peak} kB of {limit}: {wanted:?}");
    }
}
