//! What to do about a ledger that cannot be read, in terms of the command line's options.

use std::error::Error as StdError;

use crate::error::Error;
use crate::exit::Exit;
use crate::ledger::{HeaderError, LedgerError, field_names};

impl From<LedgerError> for Error {
    fn from(error: LedgerError) -> Self {
        let what = error.to_string();
        let hint = hint(&error);
        let exit = match error {
            LedgerError::TemporaryFile { .. } => Exit::Output,
            _ => Exit::Usage,
        };
        Self { exit, what, hint: Some(hint), source: cause(error) }
    }
}

fn hint(error: &LedgerError) -> String {
    match error {
        LedgerError::Open { .. } => "Check --input.",
        LedgerError::Folder { .. } => "Name a file in it with --input.",
        LedgerError::Read { .. } => "Check --input. Stored answers are kept.",
        LedgerError::OtherKind { kind, .. } => kind.advice(),
        LedgerError::Packed { .. } => "Copy the file again, or pack it again.",
        LedgerError::Parquet { .. } => {
            "Write the file again, compressed with zstd, snappy, gzip or not at all, or export it as CSV."
        }
        LedgerError::Int96 { .. } => "Write the column as TIMESTAMP with a time zone, or as text in UTC+8.",
        LedgerError::Empty { .. } => "Add a header row with at least the column `call_id`.",
        LedgerError::EndlessHeader { .. } => {
            "Close the quote. If this is not a CSV file, export it as CSV with the column names in the first row."
        }
        LedgerError::DamagedHeader { .. } => "Save the ledger as `CSV UTF-8`.",
        LedgerError::Header { problem, .. } => return header_hint(problem),
        LedgerError::NoRecord { .. } => "Please report this bug.",
        LedgerError::TemporaryFile { .. } => {
            "Free space there, or name another folder with the environment variable TMPDIR."
        }
    }
    .to_owned()
}

fn header_hint(problem: &HeaderError) -> String {
    match problem {
        HeaderError::UnknownField { nearest, .. } => format!(
            "Did you mean `{nearest}`? Write --map FIELD=HEADER. The fields are: {}.",
            field_names().join(", ")
        ),
        HeaderError::UnknownColumn { nearest, columns, .. } => {
            let nearest =
                nearest.as_ref().map_or_else(String::new, |name| format!(" Did you mean `{name}`?"));
            let columns: Vec<String> = columns.iter().map(|column| format!("`{column}`")).collect();
            format!("Correct --map.{nearest} The columns are: {}.", columns.join(", "))
        }
        HeaderError::AmbiguousColumn { .. } => "Rename one of them in the header row.".to_owned(),
        HeaderError::MappedTwice { .. } => "Give --map once for each field.".to_owned(),
        HeaderError::TwoColumns { field, headers: [one, other], .. } if one != other => format!(
            "Choose one with --map '{field}={one}' or --map '{field}={other}'. The other one is carried through."
        ),
        HeaderError::TwoColumns { .. } => "Rename one of them in the header row.".to_owned(),
        HeaderError::NoCallId { looks_like_data: true, .. } => {
            "The first row looks like data. Add a header row above it, with `call_id` over the CallIds."
                .to_owned()
        }
        HeaderError::NoCallId { similar, columns, .. } => match similar.as_slice() {
            [nearest] => format!("If `{nearest}` holds the CallIds, use --map 'call_id={nearest}'."),
            [nearest, others @ ..] => format!(
                "If `{nearest}` holds the CallIds, use --map 'call_id={nearest}'. Also similar: `{}`.",
                others.join("`, `")
            ),
            [] if columns.len() == 1 => "If the columns are separated by something other than , ; | or tab, \
                 convert the file. If this column holds the CallIds, use --map call_id=HEADER."
                .to_owned(),
            [] => "Name the column that holds the CallIds with --map call_id=HEADER.".to_owned(),
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
