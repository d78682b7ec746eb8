//! Reads the receipts of a file, one after the other.

use std::io::{Cursor, Read as _};

use super::base64_line::json_in;
use super::form::Form;
use super::pieces::Pieces;
use crate::error::{Error, Result};
use crate::ledger::{LedgerError, TableRow, TableRows, TextFile};
use reconcile_core::receipt::{InputName, Receipt, ReceiptBuilder, ReceiptProblem};
use reconcile_core::row_problem::RowProblem;

/// A receipt, or why it cannot be read.
pub(super) type Read = Result<Receipt, ReceiptProblem>;

/// A file that cannot be read to its end, or an error of what uses its receipts.
pub(super) enum Failed {
    File(LedgerError),
    Use(Error),
}

impl From<LedgerError> for Failed {
    fn from(error: LedgerError) -> Self {
        Self::File(error)
    }
}

/// Passes each receipt of a file to `each`, with its line; in Parquet, with its number.
///
/// # Errors
///
/// The file cannot be read to its end, or `each` fails.
pub(super) fn read(
    form: Form,
    is_parquet: bool,
    each: &mut dyn FnMut(u64, Read) -> Result<()>,
) -> Result<(), Failed> {
    match form {
        Form::Json { text, head, by_line } => read_json(*text, head, by_line, each),
        Form::Table(rows) => read_table(*rows, is_parquet, each),
        Form::Other => Ok(()),
    }
}

fn read_json(
    mut text: TextFile,
    head: Vec<u8>,
    by_line: bool,
    each: &mut dyn FnMut(u64, Read) -> Result<()>,
) -> Result<(), Failed> {
    let mut pieces = Pieces::new(Cursor::new(head).chain(&mut text), by_line);
    let failed = loop {
        match pieces.next() {
            Ok(None) => return Ok(()),
            Ok(Some(piece)) => {
                let receipt = match piece.is_too_long {
                    true => Err(ReceiptProblem::TooLong),
                    false => of_piece(piece.bytes),
                };
                each(piece.line, receipt).map_err(Failed::Use)?;
            }
            Err(error) => break (pieces.line(), error),
        }
    };
    drop(pieces);
    Err(text.failed(failed.0, failed.1).into())
}

fn of_piece(bytes: &[u8]) -> Read {
    match json_in(bytes) {
        Some(json) => Receipt::from_json(&json),
        None => Receipt::from_json(bytes),
    }
}

fn read_table(
    rows: TableRows,
    is_parquet: bool,
    each: &mut dyn FnMut(u64, Read) -> Result<()>,
) -> Result<(), Failed> {
    let names: Vec<InputName> = rows.names().iter().map(|name| InputName::of(name)).collect();
    for row in rows {
        let (line, receipt) = match row? {
            TableRow::Texts(line, texts) => (line, of_row(&names, &texts)),
            TableRow::Unreadable(line, problem) => (line, Err(of_row_problem(&problem))),
        };
        // The rows of Parquet are counted as if the names of the columns were line 1.
        each(line - u64::from(is_parquet), receipt).map_err(Failed::Use)?;
    }
    Ok(())
}

/// The receipt of a row, which may lack its last values.
fn of_row(names: &[InputName], texts: &[String]) -> Read {
    if texts.iter().skip(names.len()).any(|text| !text.trim().is_empty()) {
        return Err(ReceiptProblem::WrongWidth);
    }
    let mut builder = ReceiptBuilder::default();
    for (name, text) in names.iter().zip(texts) {
        builder.add(*name, text)?;
    }
    builder.finish()
}

fn of_row_problem(problem: &RowProblem) -> ReceiptProblem {
    match problem {
        RowProblem::UnclosedQuote { .. } => ReceiptProblem::UnclosedQuote,
        RowProblem::TooLong => ReceiptProblem::TooLong,
        RowProblem::InvalidBytes { .. } => ReceiptProblem::NotText,
        _ => ReceiptProblem::WrongWidth,
    }
}
