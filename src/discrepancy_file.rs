//! Reads a discrepancy file of an earlier run: CSV, JSON lines, Parquet or a workbook. Its columns
//! are known by their names. So columns that this version does not know are carried along.

use std::path::Path;

use chrono::{DateTime, Utc};

use crate::error::{Error, Result};
use crate::ledger::{Input, LedgerError, TableKind, TextTable};
use crate::output::csv_form::{timestamp, without_guard};
use reconcile_core::discrepancy::Kind;
use reconcile_core::discrepancy_identity::{Subject, discrepancy_identity, is_part_of_row};
use reconcile_core::quick_parse;

/// A column that the program reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Known {
    CallId,
    LedgerLine,
    Kind,
    Field,
    Expected,
    Actual,
    Delta,
    Message,
    CallDate,
    ProdId,
    Callee,
    CalledAt,
    SecondsAtStake,
    Resolution,
    Account,
}

impl Known {
    /// Every column with its name. Files of version 0.1 lack those from `callee` on.
    const ALL: [(Self, &'static str); 15] = [
        (Self::CallId, "call_id"),
        (Self::LedgerLine, "ledger_line"),
        (Self::Kind, "kind"),
        (Self::Field, "field"),
        (Self::Expected, "expected"),
        (Self::Actual, "actual"),
        (Self::Delta, "delta"),
        (Self::Message, "message"),
        (Self::CallDate, "call_date"),
        (Self::ProdId, "prod_id"),
        (Self::Callee, "callee"),
        (Self::CalledAt, "called_at"),
        (Self::SecondsAtStake, "seconds_at_stake"),
        (Self::Resolution, "resolution"),
        (Self::Account, "account"),
    ];
    /// Number of columns that every discrepancy file has.
    const REQUIRED: usize = 10;

    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        Self::ALL[self as usize].1
    }
}

/// Name of the sheets in a workbook that together have all rows: `all`, `all (2)`, …
const SHEET: &str = "all";
/// What files a command takes.
const GIVE: &str = "give the summary of a run, such as details.summary.json, or its discrepancies as CSV, JSON lines, \
                    Parquet or workbook";

/// The columns of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Columns {
    names: Vec<String>,
    positions: [Option<usize>; Known::ALL.len()],
    /// Positions of the columns that the ledger's rows carried through.
    carried: Vec<usize>,
}

impl Columns {
    fn new(names: &[String]) -> Self {
        let position = |name: &str| names.iter().position(|column| column == name);
        let positions = Known::ALL.map(|(_, name)| position(name));
        let is_carried = |at: &usize| is_part_of_row(&names[*at]) && names[*at] != Known::LedgerLine.name();
        let carried = (0..names.len()).filter(is_carried).collect();
        Self { names: names.to_vec(), positions, carried }
    }

    /// The names of all columns.
    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// Whether the file has this column.
    pub(crate) fn has(&self, column: Known) -> bool {
        self.at(column).is_some()
    }

    /// The text of a row in this column; empty if it has none.
    pub(crate) fn text<'a, T: AsRef<str>>(&self, row: &'a [T], column: Known) -> &'a str {
        self.at(column).and_then(|at| row.get(at)).map_or("", AsRef::as_ref)
    }

    /// As [`Columns::text`], of a row that borrows its texts.
    pub(crate) fn text_of<'a>(&self, row: &[&'a str], column: Known) -> &'a str {
        self.at(column).and_then(|at| row.get(at)).copied().unwrap_or_default()
    }

    fn at(&self, column: Known) -> Option<usize> {
        self.positions[column as usize]
    }

    /// The talk seconds at stake of a row.
    pub(crate) fn seconds<T: AsRef<str>>(&self, row: &[T]) -> u64 {
        self.text(row, Known::SecondsAtStake).parse().unwrap_or(0)
    }

    /// What makes a row the same discrepancy on another night; `None` if it names no call although
    /// its kind is about one, or has no kind.
    pub(crate) fn identity<T: AsRef<str>>(&self, row: &[T]) -> Option<u128> {
        let text = |column| self.text(row, column);
        let (kind, call_id) = (text(Known::Kind), text(Known::CallId));
        if kind == Kind::InvalidRow.as_str() {
            let carried = self.carried.iter().map(|at| (self.names[*at].as_str(), row[*at].as_ref()));
            let carried: Vec<(&str, &str)> = carried.collect();
            let subject = Subject::Row { call_id, value: text(Known::Actual), carried: &carried };
            return Some(discrepancy_identity(subject, kind, text(Known::Field)));
        }
        let (prod_id, day) = (text(Known::ProdId).parse().ok(), quick_parse::day(text(Known::CallDate)));
        let subject = Subject::of_named_call(kind, call_id, prod_id, day)?;
        Some(discrepancy_identity(subject, kind, text(Known::Field)))
    }
}

/// A discrepancy file that is read once, row by row.
pub(crate) struct DiscrepancyFile {
    input: Input,
    table: TextTable,
    columns: Columns,
    /// Sheets read so far.
    sheets: u32,
    /// Rows read so far.
    rows: u64,
    is_guarded: bool,
}

impl DiscrepancyFile {
    /// Opens the file and reads the names of its columns.
    ///
    /// # Errors
    ///
    /// Exit 2 if it cannot be read or is no discrepancy file.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        if !path.exists() {
            return Err(Error::usage(format!("there is no file {}", path.display())).hint(GIVE));
        }
        let input = Input::open(path).map_err(|e| unreadable(path, &e))?;
        let table = match TextTable::open(&input, Some(SHEET)) {
            Ok(table) => table,
            Err(error @ LedgerError::NoSuchSheet { .. }) => return Err(not_ours(path, &error.to_string())),
            Err(error) => return Err(unreadable(path, &error)),
        };
        let columns = Columns::new(table.names());
        // A night without discrepancies leaves a file of JSON lines empty.
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        let is_empty = table.names().is_empty() && matches!(extension, "jsonl" | "ndjson");
        let missing = Known::ALL.iter().take(Known::REQUIRED).find(|(column, _)| !columns.has(*column));
        match missing {
            Some((_, name)) if !is_empty => Err(not_ours(path, &format!("it has no column `{name}`"))),
            _ => Ok(Self { input, table, columns, sheets: 1, rows: 0, is_guarded: false }),
        }
    }

    /// Its columns.
    pub(crate) fn columns(&self) -> &Columns {
        &self.columns
    }

    /// SHA-256 of its bytes, in lower-case hex.
    ///
    /// # Errors
    ///
    /// Exit 2 if it cannot be read.
    pub(crate) fn sha256(&self) -> Result<String> {
        self.input.sha256().map_err(|e| self.failed(&e))
    }

    /// Whether a CSV file for the same people needs a byte order mark.
    pub(crate) fn needs_byte_order_mark(&self) -> bool {
        self.table.needs_byte_order_mark()
    }

    /// Whether a row so far had a guard against formulas, which is not among its texts.
    pub(crate) fn is_guarded(&self) -> bool {
        self.is_guarded
    }

    /// The error for a row that says too little.
    pub(crate) fn unusable_row(&self, what: &str) -> Error {
        Error::usage(format!("row {} of the discrepancy file {} {what}", self.rows, self.input.name()))
            .hint("write the file again by a run, or take it from a backup")
    }

    /// The texts of the next row, in the order of the columns; `None` at the end.
    ///
    /// # Errors
    ///
    /// Exit 2 if the file is damaged.
    pub(crate) fn next(&mut self, row: &mut Vec<String>) -> Result<bool> {
        loop {
            let next = self.table.next_row();
            let next = next.map_err(|e| unreadable(Path::new(self.input.name()), &e))?;
            if let Some(cells) = next {
                row.resize_with(cells.len(), String::new);
                for (text, cell) in row.iter_mut().zip(cells) {
                    text.clear();
                    text.push_str(cell);
                }
                self.rows += 1;
                self.normalize(row);
                return Ok(true);
            }
            if self.table.kind() != TableKind::Workbook || !self.open_next_sheet()? {
                return Ok(false);
            }
        }
    }

    /// Makes the texts those of an unguarded CSV file.
    fn normalize(&mut self, row: &mut [String]) {
        let called_at = self.columns.at(Known::CalledAt).and_then(|at| row.get_mut(at));
        let called_at = called_at.filter(|text| !text.is_empty());
        match (self.table.kind(), called_at) {
            (TableKind::Parquet, Some(text)) => {
                if let Ok(at) = text.parse::<DateTime<Utc>>() {
                    *text = timestamp(at);
                }
            }
            (TableKind::Workbook, Some(text)) if !text.contains('+') => text.push_str("+08:00"),
            (TableKind::Csv, _) => {
                for text in row {
                    let guard = text.len() - without_guard(text).len();
                    text.drain(..guard);
                    self.is_guarded |= guard > 0;
                }
            }
            _ => {}
        }
    }

    /// Opens the next sheet of the workbook; returns false if there is none.
    fn open_next_sheet(&mut self) -> Result<bool> {
        self.sheets += 1;
        match TextTable::open(&self.input, Some(&format!("{SHEET} ({})", self.sheets))) {
            Err(LedgerError::NoSuchSheet { .. }) => Ok(false),
            Err(error) => Err(self.failed(&error)),
            Ok(table) if table.names() != self.columns.names => {
                let path = Path::new(self.input.name());
                Err(not_ours(path, "its sheets have different columns"))
            }
            Ok(table) => {
                self.table = table;
                Ok(true)
            }
        }
    }

    fn failed(&self, error: &LedgerError) -> Error {
        unreadable(Path::new(self.input.name()), error)
    }
}

fn unreadable(path: &Path, error: &LedgerError) -> Error {
    Error::usage(format!("cannot read {} as a discrepancy file", path.display()))
        .hint(GIVE)
        .because(error.to_string())
}

fn not_ours(path: &Path, why: &str) -> Error {
    Error::usage(format!("{} is no discrepancy file: {why}", path.display())).hint(GIVE)
}
