//! Ledgers as companies really export them. Each case has the bytes of a small ledger and the
//! expected rows and rejects, and is named for its cause. The snapshot `ledgers` has the messages.
//!
//! An expectation has one line per record: `LINE CALL_ID DAY field=value …` for a row, `LINE! FIELD
//! column@byte "found"` for a reject. `~ words` is a note with these words; `error: words` means
//! that the whole file is refused.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

use compact_str::ToCompactString;
use reconcile::error::Error;
use reconcile::ledger::{Input, LedgerScan, Options, ScannedLedger};
use reconcile_core::ledger_row::{InvalidRow, LedgerRow, Record};
use reconcile_core::product::ProductId;
use tempfile::NamedTempFile;

mod cases;
mod field;
mod fuzz;
mod parquet;
mod parquet_bombs;
mod parquet_fuzz;
mod several_files;
mod usable_rows;
mod whole_runs;
mod workbooks;

/// One small ledger and its expected records.
struct Case {
    /// The program or the habit that makes such ledgers.
    cause: &'static str,
    bytes: Vec<u8>,
    options: Options,
    want: &'static str,
}

fn case(cause: &'static str, bytes: impl AsRef<[u8]>, want: &'static str) -> Case {
    let options = Options { prod_id: Some(ProductId(7)), ..Options::default() };
    Case { cause, bytes: bytes.as_ref().to_vec(), options, want }
}

impl Case {
    fn map(mut self, field: &str, header: &str) -> Self {
        self.options.map.push((field.into(), header.into()));
        self
    }

    fn delimiter(mut self, delimiter: u8) -> Self {
        self.options.delimiter = Some(delimiter);
        self
    }

    fn without_product(mut self) -> Self {
        self.options.prod_id = None;
        self
    }
}

/// The records of a file and the result of the first reading.
fn read(path: &Path, options: &Options) -> Result<(Vec<Record>, LedgerScan), Error> {
    let source = ScannedLedger::scan(Input::open(path)?, options.clone())?;
    let records = source.read()?.collect::<Result<Vec<_>, _>>()?;
    Ok((records, source.scan))
}

fn row(row: &LedgerRow, carried: &[String]) -> String {
    let e = &row.expected;
    let time = |time: Option<reconcile_core::ledger_row::LedgerTime>| {
        time.map(reconcile_core::ledger_row::LedgerTime::provider_text)
    };
    let product = (row.key.prod_id != ProductId(7)).then(|| row.key.prod_id.0.to_compact_string());
    let fields = [
        ("prod_id", product),
        ("called_at", time(e.called_at)),
        ("query_date", time(row.query_date)),
        ("caller", e.caller.clone()),
        ("callee", e.callee.clone()),
        ("caller_show_number", e.caller_show_number.clone()),
        ("callee_show_number", e.callee_show_number.clone()),
        ("state", e.state.clone()),
        ("answered", e.answered.map(|yes| yes.to_compact_string())),
        ("duration_s", e.duration_s.map(|seconds| seconds.to_compact_string())),
        ("started_at", time(e.started_at)),
        ("ended_at", time(e.ended_at)),
    ];
    let mut text = format!("{} {} {}", row.line, row.key.call_id, row.key.day);
    let fields = fields.into_iter().filter_map(|(name, value)| value.map(|value| (name, value)));
    let carried = carried.iter().map(String::as_str).zip(row.carried.iter().cloned());
    for (name, value) in fields.chain(carried) {
        // The day is already shown.
        if value == row.key.day.to_string() {
            continue;
        }
        let rest = if value.chars().count() > 40 { "…" } else { "" };
        let shown: String = value.chars().take(if rest.is_empty() { 40 } else { 20 }).collect();
        write!(text, " {name}={}{rest}", shown.escape_debug()).unwrap();
    }
    text
}

fn reject(row: &InvalidRow) -> String {
    let field = if row.field.is_empty() { "-" } else { row.field };
    let column = row.column.map_or_else(|| "-".to_owned(), |column| column.to_string());
    let offset = row.offset.map_or_else(String::new, |offset| format!("@{offset}"));
    format!("{}! {field} {column}{offset} {:?}", row.line, row.found)
}

/// The records in the form of the expectation, and the messages for the snapshot.
fn run(case: &Case) -> (String, String) {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(&case.bytes).unwrap();
    outcome(read(file.path(), &case.options), &file.path().display().to_string())
}

fn outcome(read: Result<(Vec<Record>, LedgerScan), Error>, path: &str) -> (String, String) {
    let (records, scan) = match read {
        Ok(found) => found,
        Err(error) => {
            let words = format!("error: {}\n  to do: {}\n", error.what, error.hint.unwrap_or_default());
            return (String::new(), words.replace(path, "calls.csv"));
        }
    };
    assert_eq!(records.len() as u64, scan.rows);
    assert_eq!(scan.rows, scan.invalid + scan.duplicates + scan.calls);
    let (mut lines, mut words) = (String::new(), String::new());
    for record in &records {
        match record {
            Record::Row(found) => writeln!(lines, "{}", row(found, &scan.carried)).unwrap(),
            Record::Invalid(found) => {
                writeln!(lines, "{}", reject(found)).unwrap();
                writeln!(words, "line {}: {}", found.line, found.message()).unwrap();
            }
        }
    }
    scan.notes.iter().for_each(|note| writeln!(words, "note: {note}").unwrap());
    (lines, words)
}

#[test]
fn every_ledger_gives_the_expected_rows_and_rejects() {
    let cases = cases::cases();
    assert!(cases.len() >= 60, "only {} cases", cases.len());
    let mut wrong = String::new();
    for case in &cases {
        let (lines, words) = run(case);
        let mut wanted_records = String::new();
        let mut expected_messages = 0;
        let mut missing = Vec::new();
        for want in case.want.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let is_error = want.starts_with("error: ");
            match want.strip_prefix("~ ").or(is_error.then(|| &want[7..])) {
                Some(part) => {
                    let start = if is_error { "error: " } else { "note: " };
                    let found = words.lines().any(|line| line.starts_with(start) && line.contains(part));
                    if !found {
                        missing.push(part);
                    }
                    expected_messages += 1;
                }
                None => writeln!(wanted_records, "{want}").unwrap(),
            }
        }
        let messages =
            words.lines().filter(|line| line.starts_with("note: ") || line.starts_with("error: ")).count();
        if lines != wanted_records || !missing.is_empty() || messages != expected_messages {
            writeln!(wrong, "{}\n--- wanted\n{}--- got\n{lines}{words}", case.cause, case.want).unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn the_error_names_a_ledger_that_cannot_be_opened() {
    let dir = tempfile::tempdir().unwrap();
    let mut all = String::new();
    for name in ["", "nowhere.csv"] {
        let error = Error::from(Input::open(&dir.path().join(name)).unwrap_err());
        writeln!(all, "error: {}\n  to do: {}", error.what, error.hint.unwrap()).unwrap();
    }
    let all = all.replace(&dir.path().display().to_string(), "folder");
    crate::support::snapshot::shows("ledgers_open", &all);
}

#[test]
fn every_message_says_what_is_wrong_where_and_what_to_do() {
    let mut all = String::new();
    for case in cases::cases() {
        let (_, words) = run(&case);
        if !words.is_empty() {
            writeln!(all, "# {}\n{words}", case.cause).unwrap();
        }
    }
    crate::support::snapshot::shows("ledgers", &all);
}
