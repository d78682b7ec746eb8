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
