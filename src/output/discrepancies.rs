//! The discrepancies: one row each, as CSV, JSON lines or Parquet. A workbook has the same cells.

use std::borrow::Cow;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::sync::Arc;

use serde::Serializer as _;
use serde_json::Value;

use super::csv_form::{MARK, guarded, timestamp};
use super::file_format::FileFormat;
use super::packed_rows::PackedRows;
use super::paths::Paths;
use super::schema::{Cell, ColumnType, DISCREPANCIES};
use super::table::Table;
use crate::error::{Error, Result};
use crate::staged::{Staged, unwritable};
use reconcile_core::columns::of_discrepancy;
use reconcile_core::discrepancy::DiscrepancyRow;

enum Writer {
    Text(BufWriter<File>),
    Parquet(Box<Table>),
}

/// The discrepancy file while it is written.
pub(super) struct Discrepancies {
    staged: Staged,
    form: Arc<DiscrepancyForm>,
    writer: Writer,
}

/// What every thread needs to encode rows of the discrepancy file.
pub(super) struct DiscrepancyForm {
    format: FileFormat,
    /// Whether text cells of a CSV file are guarded against formulas.
    guard: bool,
    column_names: Vec<String>,
}

/// Encodes rows of the discrepancy file on one thread.
pub(super) struct DiscrepancyEncoder {
    form: Arc<DiscrepancyForm>,
    csv: csv::Writer<Vec<u8>>,
    jsonl: Vec<u8>,
}

impl DiscrepancyForm {
    /// Whether the rows are text. Else they are packed, for [`Discrepancies::append_packed`].
    pub(super) fn is_text(&self) -> bool {
        self.format != FileFormat::Parquet
    }
}

impl DiscrepancyEncoder {
    pub(super) fn new(form: Arc<DiscrepancyForm>) -> Self {
        Self { form, csv: csv::Writer::from_writer(Vec::new()), jsonl: Vec::new() }
    }

    /// Adds a row as text.
    ///
    /// # Errors
    ///
    /// Exit 6 if it cannot be encoded, which is a bug.
    pub(super) fn push(&mut self, row: &DiscrepancyRow, message: &str) -> Result<()> {
        let cells = cells(row, message, self.form.column_names.len());
        let failed = |e: &dyn std::fmt::Display| Error::bug(format!("cannot encode a discrepancy: {e}"));
        if self.form.format == FileFormat::Csv {
            return write_csv_row(&mut self.csv, cells, self.form.guard).map_err(|e| failed(&e));
        }
        let columns = self.form.column_names.iter().zip(cells.map(json_value));
        let object = serde_json::Serializer::new(&mut self.jsonl).collect_map(columns);
        object.map_err(|e| failed(&e))?;
        self.jsonl.push(b'\n');
        Ok(())
    }

    /// Bytes so far, but for some 8 KiB.
    pub(super) fn held_bytes(&self) -> usize {
        self.csv.get_ref().len() + self.jsonl.len()
    }

    /// Takes the text of the rows so far.
    ///
    /// # Errors
    ///
    /// Exit 6 if it cannot be encoded, which is a bug.
    pub(super) fn take(&mut self) -> Result<Vec<u8>> {
        let csv = std::mem::replace(&mut self.csv, csv::Writer::from_writer(Vec::new())).into_inner();
        let csv = csv.map_err(|e| Error::bug(format!("cannot encode the discrepancies: {e}")))?;
        let jsonl = std::mem::take(&mut self.jsonl);
        Ok(if csv.is_empty() { jsonl } else { csv })
    }
}

impl Discrepancies {
    /// Starts the file. An unknown extension gives CSV.
    ///
    /// # Errors
    ///
    /// Exit 6 if it cannot be written.
    pub(super) fn create(
        paths: &Paths,
        byte_order_mark: bool,
        carried: &[String],
        metadata: &[(String, String)],
    ) -> Result<Self> {
        let path = &paths.discrepancies;
        let staged = Staged::create(path)?;
        let mut file = staged.writer()?;
        let format = FileFormat::from_extension(path).unwrap_or(FileFormat::Csv);
        let own = DISCREPANCIES.iter().map(|column| column.name.to_owned());
        let column_names: Vec<String> = own.chain(carried.iter().cloned()).collect();
        if format == FileFormat::Csv {
            if byte_order_mark {
                file.write_all(MARK).map_err(|e| unwritable(path, e))?;
            }
            let mut header = csv::Writer::from_writer(&file);
            header.write_record(&column_names).map_err(|e| unwritable(path, e))?;
            header.flush().map_err(|e| unwritable(path, e))?;
        }
        let writer = match format {
            FileFormat::Csv | FileFormat::Jsonl => Writer::Text(BufWriter::new(file)),
            FileFormat::Parquet => {
                Writer::Parquet(Box::new(Table::create(file, path, &DISCREPANCIES, carried, metadata)?))
            }
        };
        let form = Arc::new(DiscrepancyForm { format, guard: paths.csv.guard, column_names });
        Ok(Self { staged, form, writer })
    }

    pub(super) fn form(&self) -> Arc<DiscrepancyForm> {
        self.form.clone()
    }

    /// Adds rows in the form of the file.
    ///
    /// # Errors
    ///
    /// Exit 6 if they cannot be written.
    pub(super) fn append(&mut self, text: &[u8]) -> Result<()> {
        match &mut self.writer {
            Writer::Text(file) => file.write_all(text).map_err(|e| unwritable(self.staged.target(), e)),
            Writer::Parquet(_) => Ok(()),
        }
    }

    /// Adds packed rows, if the file is a Parquet file. `types` are those of its columns.
    ///
    /// # Errors
    ///
    /// Exit 6 if they cannot be written.
    pub(super) fn append_packed(&mut self, rows: &PackedRows, types: &[ColumnType]) -> Result<()> {
        match &mut self.writer {
            Writer::Text(_) => Ok(()),
            Writer::Parquet(table) => rows.for_each(types, |cells| table.push(cells.iter().copied())),
        }
    }

    /// Writes the remaining rows. The file still has to be synced and renamed.
    ///
    /// # Errors
    ///
    /// Exit 6 if it cannot be written.
    pub(super) fn finish(self) -> Result<Staged> {
        match self.writer {
            Writer::Text(mut file) => file.flush().map_err(|e| unwritable(self.staged.target(), e))?,
            Writer::Parquet(table) => table.finish()?,
        }
        Ok(self.staged)
    }
}

/// Cells of a row, one for each of `columns` columns.
///
/// An unusable row of the ledger may have fewer carried values than there are columns; the missing
/// ones are null. Empty text is null in every format, because in CSV the two look the same.
pub(super) fn cells<'a>(
    row: &'a DiscrepancyRow,
    message: &'a str,
    columns: usize,
) -> impl Iterator<Item = Cell<'a>> {
    let carried = row.carried.iter().map(|value| Cell::Text(Some(value.as_str()).filter(|v| !v.is_empty())));
    let missing = std::iter::repeat(Cell::Text(None));
    of_discrepancy(row, message).into_iter().chain(carried).chain(missing).take(columns)
}

fn write_csv_row<'a>(
    csv: &mut csv::Writer<Vec<u8>>,
    mut cells: impl Iterator<Item = Cell<'a>>,
    guard: bool,
) -> csv::Result<()> {
    cells.try_for_each(|cell| match cell {
        Cell::Text(Some(text)) if guard => csv.write_field(guarded(text).as_bytes()),
        cell => csv.write_field(csv_field(cell).as_bytes()),
    })?;
    csv.write_record(None::<&[u8]>)
}

fn csv_field(cell: Cell<'_>) -> Cow<'_, str> {
    match cell {
        Cell::Text(v) => v.unwrap_or_default().into(),
        Cell::Integer(v) => v.map(|n| n.to_string()).unwrap_or_default().into(),
        Cell::Boolean(v) => v.map(|b| b.to_string()).unwrap_or_default().into(),
        Cell::Date(v) => v.map(|d| d.to_string()).unwrap_or_default().into(),
        Cell::Timestamp(v) => v.map(timestamp).unwrap_or_default().into(),
        Cell::Decimal(v) => v.map(|n| n.to_string()).unwrap_or_default().into(),
    }
}

fn json_value(cell: Cell<'_>) -> Value {
    match cell {
        Cell::Text(v) => v.into(),
        Cell::Integer(v) => v.into(),
        Cell::Boolean(v) => v.into(),
        Cell::Date(v) => v.map(|d| d.to_string()).into(),
        Cell::Timestamp(v) => v.map(timestamp).into(),
        Cell::Decimal(v) => v.map(|n| n.to_string()).into(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::output::read_back::count_discrepancies;
    use chrono::DateTime;
    use reconcile_core::call::CallKey;
    use reconcile_core::discrepancy::{Discrepancy, Kind};
    use reconcile_core::message::Message;
    use reconcile_core::product::ProductId;
    use reconcile_core::quick_parse;
    use reconcile_core::status::Status;
    use reconcile_core::tie_out::{About, Written};

    /// The bytes of a file with one row; with `guard`, guarded and with a byte order mark.
    fn written(name: &str, guard: bool) -> Vec<u8> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        let mut paths = Paths::beside(path.clone(), Some(path.clone()), None, None);
        paths.csv.guard = guard;
        let mut file =
            Discrepancies::create(&paths, guard, &["ledger_note".into(), "ledger_b".into()], &[]).unwrap();
        let what = Discrepancy::new(
            Kind::Mismatch,
            Message::Differs { field: "duration_s", later_line: 0, file: "".into() },
        )
        .field("duration_s")
        .values(Some("7".into()), Some("5".into()))
        .delta(Some(-2));
        let row = DiscrepancyRow {
            call_id: Some("-1^2".into()),
            ledger_line: Some(3),
            what,
            call_date: chrono::NaiveDate::from_ymd_opt(2026, 11, 16),
            prod_id: Some(11_000_000_300_006),
            status: Some(Status::Found),
            callee: Some("13800138000".into()),
            called_at: DateTime::from_timestamp(1_779_786_101, 0),
            at_stake_s: 2,
            since: None,
            resolution: None,
            carried: vec!["a, \"b\"".into()],
            own_numbers: Vec::new(),
        };
        let mut rows = DiscrepancyEncoder::new(file.form());
        let message = row.what.message.to_string();
        rows.push(&row, &message).unwrap();
        file.append(&rows.take().unwrap()).unwrap();
        let columns = DISCREPANCIES.iter().map(|column| column.column_type);
        let types: Vec<ColumnType> = columns.chain([ColumnType::Text; 2]).collect();
        let mut packed = PackedRows::default();
        packed.push(cells(&row, &message, types.len()));
        file.append_packed(&packed, &types).unwrap();
        let mut staged = file.finish().unwrap();
        let mut read_back = Written::default();
        count_discrepancies(&staged, guard, &mut read_back).unwrap();
        let mut expected = Written::default();
        let day = quick_parse::day("2026-11-16").unwrap();
        let call = CallKey { call_id: "-1^2".into(), prod_id: ProductId(11_000_000_300_006), day };
        expected.add_discrepancy("mismatch", "", About::Call(&call));
        assert_eq!(read_back, expected, "{name}");
        staged.sync().unwrap();
        staged.rename().unwrap();
        std::fs::read(&path).unwrap()
    }

    #[test]
    fn a_csv_row_has_every_column_even_if_the_ledger_row_was_short() {
        assert_eq!(
            String::from_utf8(written("d.csv", false)).unwrap(),
            "call_id,ledger_line,kind,field,expected,actual,delta,message,call_date,prod_id,\
             status,product,callee,called_at,seconds_at_stake,since,resolution,reason,ledger_note,ledger_b\n\
             -1^2,3,mismatch,duration_s,7,5,-2,duration_s differs,2026-11-16,11000000300006,found,\
             voice-notification,13800138000,2026-05-26 17:01:41+08:00,2,,,,\"a, \"\"b\"\"\",\n"
        );
    }

    #[test]
    fn a_guarded_csv_has_no_formula_and_reads_back() {
        let text = String::from_utf8(written("d.csv", true)).unwrap();
        assert!(text.starts_with("\u{feff}call_id,"), "{text}");
        assert!(text.contains("\n'-1^2,3,mismatch,duration_s,7,5,-2,"), "numbers stay numbers: {text}");
    }

    #[test]
    fn a_json_line_says_the_same_as_a_csv_row() {
        let row: Value = serde_json::from_slice(&written("d.jsonl", true)).unwrap();
        assert_eq!(row["delta"], -2);
        assert_eq!(row["call_date"], "2026-11-16");
        assert_eq!(row["ledger_note"], "a, \"b\"");
        assert_eq!(row["ledger_b"], Value::Null);
    }

    #[test]
    fn a_parquet_row_reads_back() {
        assert_eq!(&written("d.parquet", true)[..4], b"PAR1");
    }
}
