//! The discrepancies that changed, as CSV: first the new and changed ones in the order of the later
//! file, then the resolved ones in the order of the earlier file.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use super::counts::Change;
use super::pairs::Pair;
use super::side::Side;
use crate::discrepancy_file::{Columns, Known};
use crate::error::{Error, Result};
use crate::output::csv_form::guarded;
use crate::place::folder_of;
use crate::sorted_records::{Record, SortedRecords, key_of_place};
use crate::staged::{Staged, unwritable};

/// Columns in which both sides have the same value.
const SAME: [Known; 5] = [Known::CallId, Known::ProdId, Known::CallDate, Known::Kind, Known::Field];
/// Columns with the values of both sides.
const BOTH: [Known; 5] =
    [Known::LedgerLine, Known::Expected, Known::Actual, Known::Delta, Known::SecondsAtStake];
/// Columns of numbers, which are never formulas.
const NUMBERS: [Known; 3] = [Known::LedgerLine, Known::Delta, Known::SecondsAtStake];

/// The file while its rows are collected.
pub(crate) struct ChangesCsv {
    staged: Staged,
    rows: SortedRecords,
    /// Rows of the later file. The rows of the earlier one come after these.
    rows_after: u64,
    /// Rows of both files.
    all_rows: u64,
    before: Columns,
    after: Columns,
    /// Names of the other columns. Their values are those of the later file, if it has the row.
    others: Vec<String>,
    is_guarded: bool,
}

/// The columns of one side.
struct SideColumns<'a> {
    columns: &'a Columns,
    /// Positions of [`ChangesCsv::others`].
    others: Vec<Option<usize>>,
}

impl ChangesCsv {
    /// Starts the file. Nothing appears at the path until [`ChangesCsv::finish`].
    ///
    /// # Errors
    ///
    /// Exit 6 if it cannot be written.
    pub(crate) fn create(target: &Path, before: &Side, after: &Side) -> Result<Self> {
        let own = SAME.into_iter().chain(BOTH).map(Known::name);
        let own: Vec<&str> = own.collect();
        let mut others: Vec<String> = Vec::new();
        for name in after.columns.names().iter().chain(before.columns.names()) {
            if !own.contains(&name.as_str()) && !others.contains(name) {
                others.push(name.clone());
            }
        }
        Ok(Self {
            staged: Staged::create(target)?,
            rows: SortedRecords::new_in(Some(folder_of(target))),
            rows_after: after.rows,
            all_rows: before.rows + after.rows,
            before: before.columns.clone(),
            after: after.columns.clone(),
            others,
            is_guarded: before.is_guarded || after.is_guarded,
        })
    }

    /// Adds a discrepancy, unless it is unchanged.
    ///
    /// # Errors
    ///
    /// Exit 6 if the temporary file cannot be written.
    pub(super) fn push(&mut self, pair: &Pair<'_, '_>) -> Result<()> {
        let place = match (pair.change, pair.before, pair.after) {
            (Change::Unchanged, ..) => return Ok(()),
            (_, _, Some(after)) => after.no,
            (_, Some(before), None) => self.rows_after + before.no,
            (_, None, None) => return Ok(()),
        };
        let texts = [pair.before, pair.after].into_iter().flatten().flat_map(|record| &record.texts);
        self.rows.push(key_of_place(place, self.all_rows), pair.change as u64, texts.copied())
    }

    /// Writes all rows; the file is then at its path.
    ///
    /// # Errors
    ///
    /// Exit 6 if it cannot be written.
    pub(crate) fn finish(self) -> Result<()> {
        let target = self.staged.target().to_owned();
        let failed = |e: csv::Error| unwritable(&target, e);
        let mut csv = csv::Writer::from_writer(BufWriter::new(self.staged.writer()?));
        let both = BOTH
            .iter()
            .flat_map(|column| ["before", "after"].map(|side| format!("{}_{side}", column.name())));
        let same = SAME.iter().map(|column| column.name().to_owned());
        let header = std::iter::once("change".to_owned()).chain(same).chain(both).chain(self.others.clone());
        csv.write_record(header.collect::<Vec<_>>()).map_err(failed)?;
        let (before, after) = (self.side(&self.before), self.side(&self.after));
        for part in self.rows.parts() {
            for record in part?.sorted()? {
                self.write(&mut csv, &record, &before, &after).map_err(failed)?;
            }
        }
        let file = csv.into_inner().map_err(|e| unwritable(&target, e.into_error()))?;
        file.into_inner().map_err(|e| unwritable(&target, e.into_error()))?;
        let mut staged = self.staged;
        staged.sync()?;
        staged.rename()?;
        staged.sync_folder()
    }

    fn side<'a>(&self, columns: &'a Columns) -> SideColumns<'a> {
        let position = |name: &String| columns.names().iter().position(|column| column == name);
        SideColumns { columns, others: self.others.iter().map(position).collect() }
    }

    fn write(
        &self,
        csv: &mut csv::Writer<BufWriter<File>>,
        record: &Record<'_>,
        before: &SideColumns<'_>,
        after: &SideColumns<'_>,
    ) -> csv::Result<()> {
        let change = Change::ALL.into_iter().find(|change| *change as u64 == record.no);
        let change = change.unwrap_or(Change::Changed);
        let of_before = match change {
            Change::New => 0,
            _ => before.columns.names().len(),
        };
        let (row_before, row_after) = record.texts.split_at(of_before.min(record.texts.len()));
        let (side, row) = if row_after.is_empty() { (before, row_before) } else { (after, row_after) };
        csv.write_field(change.as_str())?;
        for column in SAME {
            self.write_text(csv, side.columns.text_of(row, column))?;
        }
        for column in BOTH {
            for text in [before.columns.text_of(row_before, column), after.columns.text_of(row_after, column)]
            {
                if NUMBERS.contains(&column) {
                    csv.write_field(text)?;
                } else {
                    self.write_text(csv, text)?;
                }
            }
        }
        for at in &side.others {
            self.write_text(csv, at.and_then(|at| row.get(at)).copied().unwrap_or_default())?;
        }
        csv.write_record(None::<&[u8]>)
    }

    /// Writes a text; with the guard against formulas, if a file that was read had it.
    fn write_text(&self, csv: &mut csv::Writer<BufWriter<File>>, text: &str) -> csv::Result<()> {
        if self.is_guarded { csv.write_field(&*guarded(text)) } else { csv.write_field(text) }
    }
}

/// The error if the file would replace one that is compared.
pub(super) fn replaces_input(target: &Path) -> Error {
    Error::usage(format!("{} is one of the compared files", target.display())).hint("write to another file")
}
