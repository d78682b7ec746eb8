//! Hints for a ledger that cannot be read and for rows without a product or day. They name the
//! options of the command line.

use std::error::Error as StdError;

use crate::error::Error;
use crate::exit::Exit;
use crate::ledger::{ColumnNote, HeaderError, LedgerError};
use crate::words::plural;
use reconcile_core::ledger_field::field_names;

impl From<LedgerError> for Error {
    fn from(error: LedgerError) -> Self {
        if let LedgerError::NoThread { source } = error {
            return Self::no_more_threads(source);
        }
        let what = error.to_string();
        let hint = hint(&error);
        let described = match error {
            LedgerError::NoRecord { .. } => return Self::bug(what),
            LedgerError::TemporaryFile { .. } => Self::new(Exit::Output, what),
            _ => Self::new(Exit::Usage, what),
        };
        Self { source: cause(error), ..described.hint(hint) }
    }
}

/// The note on rows without a product or day, with the option that makes them usable.
pub(crate) fn missing_default_note(count: u64, what: &str, option: &str) -> String {
    let lack = if count == 1 { "lacks" } else { "lack" };
    let rows = plural(count, "unusable row");
    format!("{rows} {lack} a {what}; set the {what} of such rows with {option}")
}

/// The note on a column that is not read although it looks like a field, with the option that reads
/// it.
pub(crate) fn column_note(note: &ColumnNote) -> String {
    let either = |texts: Vec<String>| texts.join(" or ");
    match note {
        ColumnNote::OfFile { file, note } => format!("{file}: {}", column_note(note)),
        ColumnNote::Second { field, header, read } => format!(
            "column `{header}` is carried, not read: `{field}` is read from column `{read}`; --map \
             '{field}={header}' reads it instead"
        ),
        ColumnNote::Undecided { field, headers } => {
            let maps = headers.iter().map(|header| format!("--map '{field}={header}'")).collect();
            format!(
                "the columns `{}` all look like `{field}`, so none of them is read; choose one with {}",
                headers.join("`, `"),
                either(maps)
            )
        }
        ColumnNote::OtherUnit { header, field } => format!(
            "column `{header}` is carried, not read: its header names another unit or time zone than \
             `{field}` has; convert the values, or use --map '{field}={header}' if the header is wrong"
        ),
        ColumnNote::Similar { header, fields } => {
            let names = fields.iter().map(|field| format!("`{field}`")).collect();
            let maps = fields.iter().map(|field| format!("--map '{field}={header}'")).collect();
            format!(
                "column `{header}` is carried, not read; if it holds {}, use {}",
                either(names),
                either(maps)
            )
        }
    }
}

/// The system's number for "too many open files", on Linux, macOS and the BSDs.
const EMFILE: i32 = 24;

fn hint(error: &LedgerError) -> String {
    match error {
        LedgerError::Open { source, .. } | LedgerError::Read { source, .. }
            if cfg!(unix) && source.raw_os_error() == Some(EMFILE) =>
        {
            "raise the limit of open files (ulimit -n), or join files: a ledger needs two for each of its files"
        }
        LedgerError::Open { .. } => "check that the file exists and that you may read it",
        LedgerError::Folder { .. } => "name a file in it",
        LedgerError::Read { .. } => "check the file and its disk; stored answers are kept",
        LedgerError::Changed { .. } => {
            "wait until no program writes to the file, then run the same command again"
        }
        LedgerError::OtherKind { kind, .. } => kind.advice(),
        LedgerError::ZstdWindow { .. } => "pack it again without --long, or unpack it",
        LedgerError::Packed { .. } => "copy the file again, or pack it again",
        LedgerError::DamagedParquet { .. } => {
            "write the file again, with smaller row groups and pages if it is not damaged, or export it as CSV"
        }
        LedgerError::Parquet { .. } => {
            "write the file again, compressed with zstd, snappy, gzip or not at all, or export it as CSV"
        }
        LedgerError::DamagedWorkbook { .. } => {
            "open it in a spreadsheet program and save it again as .xlsx, or save the sheet as `CSV UTF-8`"
        }
        LedgerError::NoWorksheet { .. } => "put the calls into a sheet, with the column names in the first row",
        LedgerError::NoSuchSheet { .. } => "correct --sheet",
        LedgerError::NoTable { .. } => "write the file again",
        LedgerError::NotWorkbook { .. } => "leave out --sheet, or name a workbook with --input",
        LedgerError::Int96 { .. } => "write the column as TIMESTAMP with a time zone, or as text in UTC+8",
        LedgerError::Empty { .. } => "add a header row with at least the column `call_id`",
        LedgerError::EndlessHeader { .. } => {
            "close the quote; if this is not a CSV file, export it as CSV with the column names in the first row"
        }
        LedgerError::DamagedHeader { .. } => "save it as `CSV UTF-8`",
        LedgerError::Header { later_header: Some(line), .. } => {
            let above = line - 1;
            return format!(
                "line {line} looks like the header row; pass over the lines above it with --skip-lines {above}"
            );
        }
        LedgerError::Header { problem, .. } => return header_hint(problem),
        LedgerError::NoRecord { .. } | LedgerError::NoThread { .. } => "",
        LedgerError::TemporaryFile { .. } => {
            "free space there, or name another folder with the environment variable TMPDIR"
        }
    }
    .to_owned()
}

fn header_hint(problem: &HeaderError) -> String {
    match problem {
        HeaderError::UnknownField { nearest, .. } => format!(
            "did you mean `{nearest}`? Write --map FIELD=HEADER with one of the fields {}",
            field_names().join(", ")
        ),
        HeaderError::UnknownColumn { nearest: Some(nearest), .. } => {
            format!("correct --map; did you mean `{nearest}`?")
        }
        HeaderError::UnknownColumn { nearest: None, .. } => "correct --map".to_owned(),
        HeaderError::AmbiguousColumn { .. } => "rename one of them in the header row".to_owned(),
        HeaderError::MappedTwice { .. } => "give --map once for each field".to_owned(),
        HeaderError::TwoColumns { field, headers: [one, other], .. } if one != other => format!(
            "choose one with --map '{field}={one}' or --map '{field}={other}'; the other one is carried through"
        ),
        HeaderError::TwoColumns { .. } => "rename one of them in the header row".to_owned(),
        HeaderError::NoCallId { looks_like_data: true, .. } => {
            "the first row looks like data; add a header row above it, with `call_id` over the CallIds"
                .to_owned()
        }
        HeaderError::NoCallId { similar, columns, .. } => match similar.as_slice() {
            [nearest] => format!("if `{nearest}` holds the CallIds, use --map 'call_id={nearest}'"),
            [nearest, others @ ..] => format!(
                "if `{nearest}` holds the CallIds, use --map 'call_id={nearest}'; also similar: `{}`",
                others.join("`, `")
            ),
            [] if columns.len() == 1 => "if the columns are separated by something other than , ; | or tab, \
                 convert the file; if this column holds the CallIds, use --map call_id=HEADER"
                .to_owned(),
            [] => "name the column that holds the CallIds with --map call_id=HEADER".to_owned(),
        },
    }
}

/// What the error comes from.
fn cause(error: LedgerError) -> Option<Box<dyn StdError + Send + Sync>> {
    match error {
        LedgerError::Open { source, .. }
        | LedgerError::Read { source, .. }
        | LedgerError::TemporaryFile { source, .. } => Some(source.into()),
        LedgerError::Packed { source, .. } => source.map(Into::into),
        LedgerError::Parquet { source, .. } => Some(source),
        LedgerError::DamagedHeader { source, .. } => Some(source.into()),
        _ => None,
    }
}
