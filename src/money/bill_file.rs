//! Reads the provider's bill: CSV in any encoding that a ledger may have, Parquet, or the first
//! sheet of a workbook. Only its sums are kept. A mistake names file and line.

use std::path::Path;

use crate::error::{Error, Result};
use crate::ledger::TableRow;
use crate::place::same_file;
use crate::resolutions::{open_table, unreadable};
use crate::shown::shown;
use reconcile_core::bill::{Bill, ItemProducts};
use reconcile_core::bill_row::{BillRow, COLUMNS, column_of, missing};

/// The bill in messages.
const BILL: &str = "bill";

/// Reads one bill or several, such as those of two months, into one sum.
///
/// # Errors
///
/// Exit 2 when a file cannot be read or is named twice, or a row of it has no meaning.
pub(crate) fn load(paths: &[impl AsRef<Path>], items: &ItemProducts) -> Result<Bill> {
    if let Some((path, earlier)) = same_file(paths) {
        return Err(Error::usage(format!("the bill {} is the same file as {}", name(path), name(earlier)))
            .hint("name each bill once"));
    }
    let mut bill = Bill::new(items.clone());
    paths.iter().try_for_each(|path| read(path.as_ref(), &mut bill))?;
    Ok(bill)
}

fn read(path: &Path, bill: &mut Bill) -> Result<()> {
    let mut table = open_table(path, BILL, None)?;
    let columns = columns(path, table.names())?;
    for row in table.by_ref() {
        let (line, cells) = match row.map_err(|e| unreadable(BILL, e))? {
            TableRow::Texts(line, cells) => (line, cells),
            TableRow::Unreadable(line, problem) => {
                return Err(mistake(path, line, &problem.to_string()).hint("correct the line"));
            }
        };
        let text = |column: Option<usize>| column.and_then(|at| cells.get(at)).map_or("", |cell| cell);
        let row = BillRow::parse(line, columns.map(text)).map_err(|problem| {
            mistake(path, line, &problem.to_string())
                .hint("export the bill's details by billing item and day, and leave them as they are")
        })?;
        if let Some(row) = row {
            bill.add(&row).map_err(|problem| {
                mistake(path, line, &problem.to_string()).hint("give the bill of fewer days or products")
            })?;
        }
    }
    Ok(())
}

/// Where each of [`COLUMNS`] is in the file.
///
/// # Errors
///
/// Exit 2 when a column is missing or there twice.
fn columns(path: &Path, headers: &[String]) -> Result<[Option<usize>; COLUMNS.len()]> {
    let mut columns = [None; COLUMNS.len()];
    for (at, header) in headers.iter().enumerate() {
        let Some(column) = column_of(header) else { continue };
        if columns[column].replace(at).is_some() {
            let what = format!("the bill {} has two columns {}", name(path), COLUMNS[column]);
            return Err(Error::usage(what).hint("delete or rename one of them"));
        }
    }
    match missing(columns.map(|at| at.is_some())) {
        None => Ok(columns),
        Some(missing) => Err(Error::usage(format!("the bill {} lacks the column {missing}", name(path)))
            .hint("export the bill's details by billing item and day; docs/money.md lists the columns")),
    }
}

/// What is wrong with a line of the bill.
fn mistake(path: &Path, line: u64, what: &str) -> Error {
    Error::usage(format!("line {line} of {}: {what}", name(path)))
}

fn name(path: &Path) -> String {
    shown(&path.display().to_string())
}
