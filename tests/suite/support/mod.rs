//! Shared by all modules of the suite: a folder with a scripted provider, runs of the binary in it,
//! and readers of its outputs. The binary gets only the environment variables that are set here.

pub mod browser;
pub mod bucket;
pub mod duckdb;
#[cfg(target_os = "linux")]
pub mod faulty_disk;
pub mod gateway;
pub mod keys;
pub mod postgres;
pub mod provider;
pub mod replicated_postgres;
pub mod rust_files;
pub mod sandbox;
pub mod snapshot;
pub mod tcp_proxy;
pub mod tls;
pub mod venv;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, TimestampMicrosecondType};
use arrow::util::display::array_value_to_string;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;
use tempfile::TempDir;

use provider::Provider;

/// A row of a table, from column to value. Nulls are left out.
pub type Row = BTreeMap<String, String>;

pub const KEY_ID: &str = "testid";
pub const SECRET: &str = "testsecret";

/// Columns that may differ between two runs over the same ledger.
const RUN_COLUMNS: [&str; 3] = ["request_id", "attempts", "fetched_at"];

/// The id of the test's i-th call.
pub fn id(i: usize) -> String {
    format!("{:012}^{:012}", 116_014_888_060 + i, 102_816_313_060 + i)
}

/// A ledger of `n` calls on the day of the good records, without expected values.
pub fn ledger(n: usize) -> String {
    ledger_of((0..n).map(id))
}

/// A ledger of calls with these ids, without expected values.
pub fn ledger_of(ids: impl IntoIterator<Item = String>) -> String {
    let mut text = String::from("call_id,prod_id,called_at\n");
    for id in ids {
        text.push_str(&format!("{id},11000000300006,2024-05-26\n"));
    }
    text
}

/// The end of a run: exit code and output.
#[derive(Debug)]
pub struct Run {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Run {
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "standard error was:\n{}", self.stderr);
        assert_eq!(self.stdout, "", "messages belong on standard error");
        self
    }

    #[track_caller]
    pub fn says(self, words: &str) -> Self {
        let contains = self.stderr.to_lowercase().contains(&words.to_lowercase());
        assert!(contains, "`{words}` is not in:\n{}", self.stderr);
        self
    }

    /// Asserts that standard error shows no secret, no signature and no full phone number.
    #[track_caller]
    pub fn keeps_secrets(self, provider: &Provider) -> Self {
        for request in provider.requests() {
            let signature = request.param("Signature");
            assert!(!self.stderr.contains(signature), "a signature is in:\n{}", self.stderr);
            assert!(
                !self.stderr.contains(&signature.replace('=', "%3D")),
                "a signature is in:\n{}",
                self.stderr
            );
        }
        for secret in [SECRET, "SignatureNonce", "18512348980", "13812345678"] {
            assert!(!self.stderr.contains(secret), "`{secret}` is in:\n{}", self.stderr);
        }
        self
    }
}

/// A run in progress.
pub struct Running {
    child: Child,
    stdout: PathBuf,
    stderr: PathBuf,
}

impl Running {
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Kills it with `kill -9`. Returns false if it had ended before.
    pub fn kill(mut self) -> bool {
        self.child.kill().unwrap();
        self.child.wait().unwrap().code().is_none()
    }

    /// What it has written to standard error so far.
    pub fn stderr_so_far(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.stderr).unwrap()).into_owned()
    }

    /// Sends a signal by its name.
    pub fn signal(&self, name: &str) {
        let command = format!("kill -{name} {}", self.pid());
        assert!(Command::new("sh").args(["-c", &command]).status().unwrap().success());
    }

    /// Waits for the end for at most 90 seconds. A run that hangs is killed and fails the test.
    #[track_caller]
    pub fn wait(self) -> Run {
        self.wait_at_most(Duration::from_secs(90))
    }

    /// Waits for the end for at most this time. A run that hangs is killed and fails the test.
    #[track_caller]
    pub fn wait_at_most(mut self, longest: Duration) -> Run {
        let limit = Instant::now() + longest;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if Instant::now() > limit {
                self.child.kill().unwrap();
                panic!("the run hangs; standard error was:\n{}", fs::read_to_string(&self.stderr).unwrap());
            }
            std::thread::sleep(Duration::from_millis(3));
        };
        let text = |path: &Path| String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned();
        Run { code: status.code(), stdout: text(&self.stdout), stderr: text(&self.stderr) }
    }
}

/// A test's own folder and its own scripted provider.
pub struct Bench {
    pub provider: Provider,
    dir: TempDir,
}

impl Bench {
    /// Writes this ledger to `calls.csv`.
    pub fn new(ledger: &str) -> Self {
        let bench = Self { provider: Provider::start(), dir: TempDir::new().unwrap() };
        bench.write("calls.csv", ledger);
        fs::create_dir(bench.path("home")).unwrap();
        bench
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    /// All arguments of a run: `given`, then the usual ones that it does not name.
    pub fn arguments(&self, given: &[&str]) -> Vec<String> {
        let endpoint = self.provider.endpoint();
        let usual = [
            ("--input", "calls.csv"),
            ("--out", "details.parquet"),
            ("--endpoint", endpoint.as_str()),
            ("--rate", "100000/min"),
            ("--progress", "never"),
        ];
        let mut all: Vec<String> = given.iter().map(ToString::to_string).collect();
        for (name, value) in usual {
            let other = name == "--endpoint" && given.contains(&"--sandbox");
            if !given.contains(&name) && !other {
                all.extend([name.to_owned(), value.to_owned()]);
            }
        }
        all
    }

    /// The binary in this folder with a clean environment: no proxy, no profile, no settings.
    pub fn command(&self, given: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_reconcile"));
        command.args(self.arguments(given)).current_dir(self.dir.path()).env_clear();
        for name in ["PATH", "TMPDIR", "LLVM_PROFILE_FILE"] {
            command.envs(std::env::var_os(name).map(|value| (name, value)));
        }
        command
            .env("HOME", self.path("home"))
            .env("ALIBABA_CLOUD_ACCESS_KEY_ID", KEY_ID)
            .env("ALIBABA_CLOUD_ACCESS_KEY_SECRET", SECRET)
            .env("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "true");
        command
    }

    /// Standard output of the binary with exactly these arguments.
    #[track_caller]
    pub fn bare(&self, arguments: &[&str]) -> String {
        let run = self.run_exactly(arguments, &[]);
        assert_eq!(run.code, Some(0), "standard error was:\n{}", run.stderr);
        run.stdout
    }

    /// Standard output of the binary with these arguments and the usual ones.
    #[track_caller]
    pub fn command_output(&self, given: &[&str]) -> String {
        let run = self.run(given);
        assert_eq!(run.code, Some(0), "standard error was:\n{}", run.stderr);
        run.stdout
    }

    /// Runs the binary in this folder with exactly these arguments and environment variables.
    pub fn run_exactly(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Run {
        let mut command = Command::new(env!("CARGO_BIN_EXE_reconcile"));
        command.args(arguments).env_clear().envs(variables.iter().copied()).current_dir(self.dir.path());
        // Where an instrumented program writes its coverage.
        command.envs(std::env::var_os("LLVM_PROFILE_FILE").map(|path| ("LLVM_PROFILE_FILE", path)));
        let output = command.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Run { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    pub fn start(&self, given: &[&str]) -> Running {
        self.start_command(self.command(given))
    }

    pub fn start_command(&self, command: Command) -> Running {
        self.start_reading(command, Stdio::null())
    }

    /// Starts the command with this standard input.
    pub fn start_reading(&self, mut command: Command, stdin: Stdio) -> Running {
        static NEXT: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
        let no = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let (stdout, stderr) =
            (self.path(&format!("home/stdout-{no}")), self.path(&format!("home/stderr-{no}")));
        let child = command
            .stdin(stdin)
            .stdout(File::create(&stdout).unwrap())
            .stderr(File::create(&stderr).unwrap())
            .spawn()
            .unwrap();
        Running { child, stdout, stderr }
    }

    #[track_caller]
    pub fn run(&self, given: &[&str]) -> Run {
        self.start(given).wait()
    }

    /// The number that this SQL query finds in the store, also while a run holds it.
    pub fn number_in_store(&self, sql: &str) -> i64 {
        let read_only = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
        let store = rusqlite::Connection::open_with_flags(self.path("reconcile.db"), read_only).unwrap();
        store.query_row(sql, [], |row| row.get(0)).unwrap()
    }

    /// Requests on record without a reply.
    pub fn requests_in_flight(&self) -> i64 {
        self.number_in_store("SELECT count(*) FROM request WHERE replied_at IS NULL")
    }

    pub fn details(&self) -> Vec<Row> {
        read_parquet(&self.path("details.parquet"))
    }

    pub fn discrepancies(&self) -> Vec<Row> {
        read_csv(&self.path("details.discrepancies.csv"))
    }

    /// `kind` and `field` of every discrepancy, in the file's order.
    pub fn kinds(&self) -> Vec<(String, String)> {
        self.discrepancies().iter().map(|row| (cell(row, "kind").into(), cell(row, "field").into())).collect()
    }

    pub fn summary(&self) -> Summary {
        self.summary_at("details.summary.json")
    }

    /// The summary at this path.
    pub fn summary_at(&self, path: &str) -> Summary {
        Summary(serde_json::from_slice(&fs::read(self.path(path)).unwrap()).unwrap())
    }

    /// Asserts that the details have this number of calls, all `found`, and that the totals add up.
    #[track_caller]
    pub fn assert_all_found(&self, calls: usize) {
        assert_eq!(column(&self.details(), "status"), vec!["found"; calls]);
        self.summary().assert_totals();
    }

    /// The names of the four files.
    pub fn outputs() -> [&'static str; 4] {
        ["details.parquet", "details.discrepancies.csv", "details.report.html", "details.summary.json"]
    }

    /// The bytes of the four files; `None` for a missing file.
    pub fn output_bytes(&self) -> Vec<Option<Vec<u8>>> {
        Self::outputs().iter().map(|name| fs::read(self.path(name)).ok()).collect()
    }

    /// Details and discrepancies without the columns that may differ between runs.
    pub fn comparable_outputs(&self) -> (Vec<Row>, String) {
        let details = self.details().into_iter().map(without_run_columns).collect();
        (details, fs::read_to_string(self.path("details.discrepancies.csv")).unwrap())
    }
}

/// Waits until the condition is met; fails the test after a minute.
#[track_caller]
pub fn wait_until(what: &str, mut is_met: impl FnMut() -> bool) {
    let limit = Instant::now() + Duration::from_secs(60);
    while !is_met() {
        assert!(Instant::now() < limit, "still not true after a minute: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The number in this environment variable.
///
/// # Panics
///
/// Panics if the value is not a number.
pub fn number_from_environment(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name} is not a number: {value}")))
}

/// Reports that a test is skipped because the machine lacks something; in CI it fails instead.
#[allow(clippy::print_stderr, reason = "a skipped test must say so")]
#[track_caller]
pub fn skip(why: &str) {
    assert!(std::env::var_os("CI").is_none(), "in CI no test may be skipped: {why}");
    eprintln!("skipped: {why}");
}

/// summary.json.
pub struct Summary(pub Value);

impl Summary {
    #[track_caller]
    pub fn number(&self, name: &str) -> u64 {
        self.0[name].as_u64().unwrap_or_else(|| panic!("summary.json has no number `{name}`: {:#}", self.0))
    }

    #[track_caller]
    pub fn complete(&self) -> bool {
        self.0["complete"].as_bool().unwrap_or_else(|| panic!("summary.json has no `complete`: {:#}", self.0))
    }

    /// Asserts that the totals add up, with its own calculation of the tie-out.
    #[track_caller]
    pub fn assert_totals(&self) {
        let n = |name| self.number(name);
        assert_eq!(n("rows"), n("invalid") + n("duplicates") + n("calls"));
        let calls = n("found") + n("not_found") + n("pending") + n("failed") + n("deferred");
        assert_eq!(n("calls"), calls);
        assert_eq!(n("found"), n("clean") + n("with_discrepancies") + n("not_compared"));
        assert_eq!(n("requests"), n("first_tries") + n("retries") + n("other_day_tries"));
        let cap = self.0["cap"]["requests"].as_u64().unwrap();
        assert!(n("most_in_any_window") <= cap);
    }
}

/// The row without the columns that may differ between two runs.
pub fn without_run_columns(mut row: Row) -> Row {
    row.retain(|column, _| !RUN_COLUMNS.contains(&column.as_str()));
    row
}

/// The value of a cell; empty for a null.
pub fn cell<'a>(row: &'a Row, column: &str) -> &'a str {
    row.get(column).map_or("", String::as_str)
}

/// One column of a table.
pub fn column<'a>(rows: &'a [Row], name: &str) -> Vec<&'a str> {
    rows.iter().map(|row| cell(row, name)).collect()
}

pub fn read_csv(path: &Path) -> Vec<Row> {
    csv::Reader::from_path(path).unwrap().deserialize().collect::<Result<_, _>>().unwrap()
}

/// The rows of a Parquet file; times in microseconds.
pub fn read_parquet(path: &Path) -> Vec<Row> {
    let reader =
        ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap().build().unwrap();
    let mut rows = Vec::new();
    for batch in reader {
        let batch = batch.unwrap();
        let schema = batch.schema();
        for i in 0..batch.num_rows() {
            let mut row = Row::new();
            for (field, values) in schema.fields().iter().zip(batch.columns()) {
                if !values.is_null(i) {
                    row.insert(field.name().clone(), value_text(values, i));
                }
            }
            rows.push(row);
        }
    }
    rows
}

fn value_text(values: &dyn Array, i: usize) -> String {
    match values.data_type() {
        // The program has no names of time zones, so times are compared as numbers.
        DataType::Timestamp(..) => values.as_primitive::<TimestampMicrosecondType>().value(i).to_string(),
        _ => array_value_to_string(values, i).unwrap(),
    }
}

/// The key-value metadata of a Parquet file.
pub fn parquet_metadata(path: &Path) -> BTreeMap<String, String> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap();
    let pairs = builder.metadata().file_metadata().key_value_metadata().cloned().unwrap_or_default();
    pairs.into_iter().map(|pair| (pair.key, pair.value.unwrap_or_default())).collect()
}

/// Head and body of the request that a program posts on this connection.
pub fn read_post(stream: &TcpStream) -> (String, Vec<u8>) {
    let mut reader = BufReader::new(stream);
    let (mut head, mut body) = (String::new(), Vec::new());
    while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head).unwrap() > 0 {}
    let lower = head.to_ascii_lowercase();
    let length = lower.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    reader.take(length.parse().unwrap()).read_to_end(&mut body).unwrap();
    (head, body)
}
