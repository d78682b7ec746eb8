//! Counts the rows of the written files, for the tie-out.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;

use serde_json::Value;

use super::csv_form::unguarded;
use super::details::ClosedDetails;
use super::file_format::FileFormat;
use super::schema::{Cell, call_key};
use super::table::reader;
use crate::error::{Error, Result};
use crate::staged::{Staged, unreadable};
use crate::threads::{self, Share};
use reconcile_core::quick_parse;
use reconcile_core::tie_out::{About, Written};

/// Receives the cells of each row.
type EachRow<'a> = &'a mut dyn FnMut(&[Cell<'_>]) -> Result<()>;

/// Adds the rows of the details to `written`. Each core counts a share of them.
///
/// # Errors
///
/// Exit 6 if the details do not read as they were written.
pub(super) fn count_details(details: &ClosedDetails, written: &mut Written) -> Result<()> {
    let count = |share| count_share(details, share);
    let shares = threads::in_shares("count", threads::cores(), Error::no_more_threads, count)?;
    shares.into_iter().for_each(|share| written.add(share));
    Ok(())
}

/// Counts a share of the row groups of a file, or of the files of a folder.
fn count_share(details: &ClosedDetails, share: Share) -> Result<Written> {
    let mut written = Written::default();
    match details {
        ClosedDetails::File(staged) => {
            count_calls(staged.reader()?, staged.target(), share, &mut written)?;
        }
        ClosedDetails::Folder(folder) => {
            let (parts, target) = (folder.parts().iter(), folder.target());
            for part in parts.skip(share.no).step_by(share.of) {
                let file = File::open(part).map_err(|e| unreadable(target, e))?;
                count_calls(file, target, Share::ALL, &mut written)?;
            }
        }
    }
    Ok(written)
}

fn count_calls(file: File, target: &Path, share: Share, written: &mut Written) -> Result<()> {
    let columns = ["call_id", "prod_id", "call_date", "status", "discrepancies"];
    reader::read(file, target, share, &columns, &mut |row| {
        let [call @ .., Cell::Text(Some(status)), Cell::Integer(Some(discrepancies))] = row else {
            return Err(unreadable(target, "a row has no status or no number of discrepancies"));
        };
        let discrepancies = discrepancies.unsigned_abs();
        written.add_call(status, discrepancies);
        if discrepancies > 0 {
            let call = call_key(call);
            let call = call.ok_or_else(|| unreadable(target, "a row with discrepancies names no call"))?;
            written.add_discrepancies_of(&call, discrepancies);
        }
        Ok(())
    })
}

/// The columns that name a row's call, its line in the ledger, its kind and its decision.
pub(super) const COUNTED_COLUMNS: [&str; 6] =
    ["call_id", "prod_id", "call_date", "ledger_line", "kind", "resolution"];

/// Adds the rows of the discrepancy file to `written`. The text cells of a CSV file may be guarded
/// against formulas.
///
/// # Errors
///
/// Exit 6 if the file does not read as it was written.
pub(super) fn count_discrepancies(staged: &Staged, guard: bool, written: &mut Written) -> Result<()> {
    let (file, target) = (staged.reader()?, staged.target());
    let mut count_row = |row: &[Cell<'_>]| {
        let [.., Cell::Integer(line), Cell::Text(Some(kind)), Cell::Text(resolution)] = row else {
            return Err(unreadable(target, "a row has no kind"));
        };
        let call = call_key(row);
        written.add_discrepancy(
            kind,
            resolution.unwrap_or_default(),
            About::new(line.is_some(), call.as_ref()),
        );
        Ok(())
    };
    match FileFormat::from_extension(target).unwrap_or(FileFormat::Csv) {
        FileFormat::Csv => read_csv(file, target, guard, &mut count_row),
        FileFormat::Jsonl => read_jsonl(file, target, &mut count_row),
        FileFormat::Parquet => reader::read(file, target, Share::ALL, &COUNTED_COLUMNS, &mut count_row),
    }
}

fn read_csv(file: File, target: &Path, guard: bool, each: EachRow<'_>) -> Result<()> {
    let failed = |e: csv::Error| unreadable(target, e);
    let mut csv = csv::Reader::from_reader(file);
    let header = csv.headers().map_err(failed)?.clone();
    let positions = COUNTED_COLUMNS.map(|name| header.iter().position(|column| column == name));
    let mut record = csv::StringRecord::new();
    while csv.read_record(&mut record).map_err(failed)? {
        let cell = |position: Option<usize>| position.and_then(|at| record.get(at)).unwrap_or_default();
        let text = |cell| if guard { unguarded(cell) } else { cell };
        each(&cells_of_texts(positions.map(cell).map(text)))?;
    }
    Ok(())
}

fn read_jsonl(file: File, target: &Path, each: EachRow<'_>) -> Result<()> {
    for line in BufReader::new(file).lines() {
        let line = line.map_err(|e| unreadable(target, e))?;
        let row: Value = serde_json::from_str(&line).map_err(|e| unreadable(target, e))?;
        let text = |name: &str| match &row[name] {
            Value::String(text) => text.clone(),
            Value::Number(n) => n.to_string(),
            _ => String::new(),
        };
        let texts = COUNTED_COLUMNS.map(text);
        each(&cells_of_texts(texts.each_ref().map(String::as_str)))?;
    }
    Ok(())
}

/// Cells of [`COUNTED_COLUMNS`]. Empty text is null.
pub(super) fn cells_of_texts(texts: [&str; COUNTED_COLUMNS.len()]) -> [Cell<'_>; COUNTED_COLUMNS.len()] {
    let [id, prod_id, day, line, kind, resolution] = texts;
    fn text(text: &str) -> Cell<'_> {
        Cell::Text(Some(text).filter(|text| !text.is_empty()))
    }
    let (prod_id, day, line) = (prod_id.parse().ok(), quick_parse::day(day), line.parse().ok());
    [text(id), Cell::Integer(prod_id), Cell::Date(day), Cell::Integer(line), text(kind), text(resolution)]
}
