//! Why a ledger cannot be read at all: what is wrong, and where.
//!
//! The hints are in `cli::ledger_errors`, which knows the options of the command line.

use std::io;
use std::path::PathBuf;

use super::file_kind::{ContentError, FileKind, Packing};
use super::header_text::in_backticks;

/// A ledger that cannot be read, or another table that is read in the same way, such as a bill.
/// `ledger` is the name that messages give it, such as its path.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The file cannot be opened.
    #[error("cannot open the ledger {ledger}")]
    Open {
        /// The ledger.
        ledger: String,
        /// The system's reason.
        source: io::Error,
    },
    /// The path is a folder.
    #[error("the ledger {ledger} is a folder")]
    Folder {
        /// The ledger.
        ledger: String,
    },
    /// The file cannot be read, or not to its end.
    #[error("cannot read {ledger}{}", from_line(.line))]
    Read {
        /// The ledger.
        ledger: String,
        /// First physical line that may be affected.
        line: Option<u64>,
        /// The system's reason.
        source: io::Error,
    },
    /// The bytes that were read at the start are no longer the same.
    #[error("the ledger {ledger} changed during the run, in rows that it has read")]
    Changed {
        /// The ledger.
        ledger: String,
    },
    /// The file is of an unsupported kind.
    #[error("{ledger} is {kind}")]
    OtherKind {
        /// The ledger.
        ledger: String,
        /// What the file is.
        kind: FileKind,
    },
    /// The file cannot be unpacked.
    #[error(
        "cannot read {ledger}{}: its {packing} data is {}",
        from_line(.line),
        damage(.source)
    )]
    Packed {
        /// The ledger.
        ledger: String,
        /// First physical line that may be affected.
        line: Option<u64>,
        /// How the file is packed.
        packing: Packing,
        /// The unpacker's reason; `None` if the data is cut off.
        source: Option<io::Error>,
    },
    /// The zstd data refers back farther than memory allows.
    #[error("cannot read {ledger}: its zstd data has a window of more than 128 MiB")]
    ZstdWindow {
        /// The ledger.
        ledger: String,
    },
    /// A Parquet file is damaged, or has an unsupported form.
    #[error("cannot read the Parquet file {ledger}{}", from_line(.line))]
    Parquet {
        /// The ledger.
        ledger: String,
        /// First row that may be affected; the first row of a file counts as line 2.
        line: Option<u64>,
        /// The Parquet reader's reason.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A Parquet file contradicts itself, or would need too much memory.
    #[error("the Parquet file {ledger} is damaged{}: {why}", from_line(.line))]
    DamagedParquet {
        /// The ledger.
        ledger: String,
        /// First row that may be affected; the first row of a file counts as line 2.
        line: Option<u64>,
        /// What is wrong.
        why: String,
    },
    /// A workbook is damaged, or unpacks to too much.
    #[error("cannot read the workbook {ledger}{}: {why}", from_row(.line))]
    DamagedWorkbook {
        /// The ledger.
        ledger: String,
        /// First row of the sheet that may be affected.
        line: Option<u64>,
        /// What is wrong.
        why: String,
    },
    /// A workbook has no sheet with rows, perhaps only charts.
    #[error("the workbook {ledger} has no sheet with rows")]
    NoWorksheet {
        /// The ledger.
        ledger: String,
    },
    /// A workbook has no sheet of the given name.
    #[error("{ledger} has no sheet `{sheet}`; its sheets are: {}", in_backticks(.sheets))]
    NoSuchSheet {
        /// The ledger.
        ledger: String,
        /// The name as given.
        sheet: String,
        /// The sheets with rows.
        sheets: Vec<String>,
    },
    /// A file that is read as a table of texts is none, or has a row that is not whole.
    #[error("{ledger} is no whole table: {reason}")]
    NoTable {
        /// The file.
        ledger: String,
        /// What is wrong, and where.
        reason: String,
    },
    /// A sheet is named, but the ledger is no workbook.
    #[error("{ledger} is not an Excel workbook (.xlsx), so it has no sheet `{sheet}`")]
    NotWorkbook {
        /// The ledger.
        ledger: String,
        /// The name as given.
        sheet: String,
    },
    /// A Parquet column with a field's times has the type INT96.
    #[error("the column for `{field}` of {ledger} has INT96 timestamps, which do not say their time zone")]
    Int96 {
        /// The ledger.
        ledger: String,
        /// The field of the column.
        field: &'static str,
    },
    /// The file has no header row.
    #[error("{ledger} is empty")]
    Empty {
        /// The ledger.
        ledger: String,
    },
    /// The header row does not end.
    #[error("the header row of {ledger} has a quote that is never closed, or is longer than 1 MiB")]
    EndlessHeader {
        /// The ledger.
        ledger: String,
    },
    /// The header row is damaged.
    #[error("the header row of {ledger} is not valid {encoding}")]
    DamagedHeader {
        /// The ledger.
        ledger: String,
        /// The encoding in which the ledger is read.
        encoding: &'static str,
        /// The first invalid byte.
        source: std::str::Utf8Error,
    },
    /// The columns cannot be assigned to fields.
    #[error("{}", .problem.describe(.ledger))]
    Header {
        /// The ledger.
        ledger: String,
        /// What is wrong with the columns.
        problem: HeaderError,
        /// Physical line of a later row that looks like the header row.
        later_header: Option<u64>,
    },
    /// The splitter found a record that the CSV parser does not find: a bug.
    #[error("the CSV parser finds no record at line {line} of {ledger}")]
    NoRecord {
        /// The ledger.
        ledger: String,
        /// Physical line of the record.
        line: u64,
    },
    /// The system refuses to start another thread.
    #[error("cannot start another thread")]
    NoThread {
        /// The system's reason.
        source: io::Error,
    },
    /// A temporary file cannot be written or read.
    #[error("cannot write or read temporary files in {}", .folder.display())]
    TemporaryFile {
        /// The folder for temporary files.
        folder: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

/// A result of reading a ledger.
pub(super) type Result<T, E = LedgerError> = std::result::Result<T, E>;

impl LedgerError {
    /// The error for bytes that could not be read, with the first physical line that may be
    /// affected.
    pub(super) fn reading(ledger: &str, line: Option<u64>, error: io::Error) -> Self {
        let ledger = ledger.to_owned();
        match error.downcast::<ContentError>() {
            Ok(ContentError::Changed) => Self::Changed { ledger },
            Ok(ContentError::OtherKind(kind)) => Self::OtherKind { ledger, kind },
            Ok(ContentError::ZstdWindow) => Self::ZstdWindow { ledger },
            Ok(ContentError::CutOff(packing)) => Self::Packed { ledger, line, packing, source: None },
            Ok(ContentError::Damaged(packing, cause)) => {
                Self::Packed { ledger, line, packing, source: Some(cause) }
            }
            Err(source) => Self::Read { ledger, line, source },
        }
    }

    /// The error for a thread that the system refuses to start.
    pub(super) fn no_thread(source: io::Error) -> Self {
        Self::NoThread { source }
    }

    /// The error for a temporary file.
    pub(super) fn temporary_file(source: io::Error) -> Self {
        Self::TemporaryFile { folder: std::env::temp_dir(), source }
    }
}

/// Why the columns of a ledger cannot be assigned to fields. Headers are in printable form: digits
/// that could be a phone number are masked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeaderError {
    /// The mapping names a field that does not exist.
    UnknownField {
        /// The field as written.
        field: String,
        /// The field with the most similar name.
        nearest: &'static str,
    },
    /// The mapping names a column that the ledger does not have.
    UnknownColumn {
        /// The column as written.
        header: String,
        /// The column with the most similar name.
        nearest: Option<String>,
        /// All columns.
        columns: Vec<String>,
    },
    /// The mapping names a column whose name occurs twice.
    AmbiguousColumn {
        /// The column as written.
        header: String,
        /// Positions of the first two, from 1.
        positions: [usize; 2],
    },
    /// The mapping names two columns for one field.
    MappedTwice {
        /// The field.
        field: &'static str,
    },
    /// Two columns have names of one field.
    TwoColumns {
        /// The field.
        field: &'static str,
        /// The headers.
        headers: [String; 2],
        /// Their positions, from 1.
        positions: [usize; 2],
    },
    /// No column holds the CallId.
    NoCallId {
        /// All columns.
        columns: Vec<String>,
        /// Columns with a similar name, the most similar first.
        similar: Vec<String>,
        /// True if the first row looks like data, not like a header row.
        looks_like_data: bool,
    },
}

impl HeaderError {
    /// True if the header row may be below the row that was read as such.
    pub(super) fn may_be_too_early(&self) -> bool {
        matches!(self, Self::NoCallId { .. } | Self::UnknownColumn { .. })
    }

    fn describe(&self, ledger: &str) -> String {
        match self {
            Self::UnknownField { field, .. } => {
                format!("the column mapping names `{field}`, which is not a field")
            }
            Self::UnknownColumn { header, columns, .. } => format!(
                "the column mapping names the column `{header}`, but {ledger} has no such column; its \
                 columns are: {}",
                in_backticks(columns)
            ),
            Self::AmbiguousColumn { header, positions: [first, second] } => format!(
                "the column mapping names the column `{header}`, but {ledger} has two of this name: \
                 columns {first} and {second}"
            ),
            Self::MappedTwice { field } => {
                format!("the column mapping names two columns for `{field}`")
            }
            Self::TwoColumns { field, headers: [one, other], positions: [first, second] } => format!(
                "{ledger} has two columns for `{field}`: `{one}` (column {first}) and `{other}` \
                 (column {second})"
            ),
            Self::NoCallId { columns, .. } => {
                format!("{ledger} has no column `call_id`; its columns are: {}", in_backticks(columns))
            }
        }
    }
}

fn from_line(line: &Option<u64>) -> String {
    line.map_or_else(String::new, |line| format!(" from line {line} on"))
}

fn from_row(line: &Option<u64>) -> String {
    line.map_or_else(String::new, |line| format!(" from row {line} on"))
}

fn damage(cause: &Option<io::Error>) -> &'static str {
    if cause.is_some() { "damaged" } else { "cut off" }
}
