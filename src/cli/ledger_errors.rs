//! What to do about a ledger that cannot be read, or about rows without a product or day, in terms
//! of the command line's options.

use std::error::Error as StdError;

use crate::error::Error;
use crate::exit::Exit;
use crate::ledger::{HeaderError, LedgerError, LedgerScan, field_names};

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

/// Notes about the options that make rows without a product or day usable.
#[must_use]
pub fn missing_defaults_notes(scan: &LedgerScan) -> Vec<String> {
    let note = |count: u64, what: &str, option: &str| {
        let rows = match count {
            0 => return None,
            1 => "1 row has".to_owned(),
            count => format!("{count} rows have"),
        };
        Some(format!("{rows} no {what}. Set the {what} of such rows with {option}"))
    };
    let product = note(scan.without_product, "product", "--prod-id");
    product.into_iter().chain(note(scan.without_day, "day", "--call-date")).collect()
}

fn hint(error: &LedgerError) -> String {
    match error {
        LedgerError::Open { .. } => "Check that the file exists and that you may read it.",
        LedgerError::Folder { .. } => "Name a file in it.",
        LedgerError::Read { .. } => "Check the file and its disk. Stored answers are kept.",
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
        HeaderError::UnknownColumn { nearest: Some(nearest), .. } => {
            format!("Correct --map. Did you mean `{nearest}`?")
        }
        HeaderError::UnknownColumn { nearest: None, .. } => "Correct --map.".to_owned(),
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::ledger::{Input, Options, ScannedLedger};

    #[test]
    fn rows_without_product_or_day_name_their_option() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "call_id,prod_id,called_at\na,,2026-11-01\nb,,2026-11-01\nc,1,\n")
            .unwrap();
        let input = Input::open(file.path()).unwrap();
        let ledger = ScannedLedger::scan(input, Options::default()).unwrap();
        let wanted = [
            "2 rows have no product. Set the product of such rows with --prod-id",
            "1 row has no day. Set the day of such rows with --call-date",
        ];
        assert_eq!(missing_defaults_notes(&ledger.scan), wanted);
    }
}
