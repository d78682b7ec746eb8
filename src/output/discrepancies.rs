//! The discrepancies: one row each, as CSV, JSON lines or Parquet, chosen by the file's extension.

use std::borrow::Cow;
use std::fs::File;
use std::io::{BufRead as _, BufReader, BufWriter, Write as _};
use std::path::Path;

use serde::Serializer as _;
use serde_json::Value;

use super::schema::{Cell, DISCREPANCIES, call_key, whole};
use super::staged::{Staged, unreadable, unwritable};
use crate::error::Result;
use crate::output::table::{self, Part, Table};
use reconcile_core::calendar::provider_text;
use reconcile_core::discrepancy::DiscrepancyRow;
use reconcile_core::quick_parse;
use reconcile_core::tie_out::Written;

/// The form of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Csv,
    Jsonl,
    Parquet,
}

impl Form {
    /// By extension; `None` for one that is no form.
    pub(super) fn of(path: &Path) -> Option<Self> {
        let extension = path.extension()?.to_str()?.to_ascii_lowercase();
        match extension.as_str() {
            "csv" => Some(Self::Csv),
            "jsonl" | "ndjson" => Some(Self::Jsonl),
            "parquet" => Some(Self::Parquet),
            _ => None,
        }
    }
}

enum Sink {
    Csv(Box<csv::Writer<File>>),
    Jsonl(BufWriter<File>),
    Parquet(Table),
}

/// The discrepancy file being written.
pub(super) struct Discrepancies {
    staged: Staged,
    names: Vec<String>,
    sink: Sink,
}

impl Discrepancies {
    /// Begins the file.
    ///
    /// # Errors
    ///
    /// Exit 6 when it cannot be written.
    pub(super) fn create(path: &Path, carried: &[String], metadata: &[(String, String)]) -> Result<Self> {
        let staged = Staged::create(path)?;
        let file = staged.writer()?;
        let names: Vec<String> = DISCREPANCIES
            .iter()
            .map(|(name, ..)| (*name).to_owned())
            .chain(carried.iter().cloned())
            .collect();
        let sink = match Form::of(path).unwrap_or(Form::Csv) {
            Form::Csv => {
                let mut csv = csv::Writer::from_writer(file);
                csv.write_record(&names).map_err(|e| unwritable(path, e))?;
                Sink::Csv(Box::new(csv))
            }
            Form::Jsonl => Sink::Jsonl(BufWriter::new(file)),
            Form::Parquet => Sink::Parquet(Table::create(file, path, &DISCREPANCIES, carried, metadata)?),
        };
        Ok(Self { staged, names, sink })
    }

    /// Adds a row.
    ///
    /// # Errors
    ///
    /// Exit 6 when it cannot be written.
    pub(super) fn push(&mut self, row: &DiscrepancyRow) -> Result<()> {
        let cells = cells(row, self.names.len());
        let target = self.staged.target();
        match &mut self.sink {
            Sink::Csv(csv) => {
                let mut fields = cells.map(|cell| csv.write_field(csv_text(cell).as_bytes()));
                fields
                    .try_for_each(|field| field)
                    .and_then(|()| csv.write_record(None::<&[u8]>))
                    .map_err(|e| unwritable(target, e))
            }
            Sink::Jsonl(file) => {
                let columns = self.names.iter().zip(cells.map(json));
                let object = serde_json::Serializer::new(&mut *file).collect_map(columns);
                object.map_err(|e| unwritable(target, e))?;
                file.write_all(b"\n").map_err(|e| unwritable(target, e))
            }
            Sink::Parquet(table) => table.push(cells),
        }
    }

    /// Ends the file and counts what it says; it still has to be synced and renamed.
    ///
    /// # Errors
    ///
    /// Exit 6 when it cannot be written, or does not read as it was written.
    pub(super) fn finish(self, written: &mut Written) -> Result<Staged> {
        let target = self.staged.target();
        match self.sink {
            Sink::Csv(mut csv) => csv.flush().map_err(|e| unwritable(target, e))?,
            Sink::Jsonl(mut file) => file.flush().map_err(|e| unwritable(target, e))?,
            Sink::Parquet(table) => table.finish()?,
        }
        read_back(&self.staged, written)?;
        Ok(self.staged)
    }
}

/// The columns that say which call a row is about, and of which kind it is.
const READ_BACK: [&str; 4] = ["call_id", "prod_id", "call_date", "kind"];

fn read_back(staged: &Staged, written: &mut Written) -> Result<()> {
    let (file, target) = (staged.reader()?, staged.target());
    let mut count = |row: &[Cell<'_>]| {
        let [.., Cell::Text(Some(kind))] = row else {
            return Err(unreadable(target, "a row has no kind"));
        };
        written.add_discrepancy(kind, call_key(row).as_ref());
        Ok(())
    };
    match Form::of(target).unwrap_or(Form::Csv) {
        Form::Csv => read_csv(file, target, &mut count),
        Form::Jsonl => read_jsonl(file, target, &mut count),
        Form::Parquet => table::read(file, target, Part::Whole, &READ_BACK, &mut count),
    }
}

/// The cells of [`READ_BACK`], from their texts.
fn typed<'a>([id, prod_id, day, kind]: [&'a str; 4]) -> [Cell<'a>; 4] {
    let text = |text: &'a str| Cell::Text(Some(text).filter(|text| !text.is_empty()));
    [text(id), Cell::Whole(prod_id.parse().ok()), Cell::Day(quick_parse::day(day)), text(kind)]
}

fn read_csv(file: File, target: &Path, each: &mut dyn FnMut(&[Cell<'_>]) -> Result<()>) -> Result<()> {
    let failed = |e: csv::Error| unreadable(target, e);
    let mut csv = csv::Reader::from_reader(file);
    let header = csv.headers().map_err(failed)?.clone();
    let at = READ_BACK.map(|name| header.iter().position(|column| column == name).unwrap_or(usize::MAX));
    let mut record = csv::StringRecord::new();
    while csv.read_record(&mut record).map_err(failed)? {
        each(&typed(at.map(|at| record.get(at).unwrap_or_default())))?;
    }
    Ok(())
}

fn read_jsonl(file: File, target: &Path, each: &mut dyn FnMut(&[Cell<'_>]) -> Result<()>) -> Result<()> {
    for line in BufReader::new(file).lines() {
        let line = line.map_err(|e| unreadable(target, e))?;
        let row: Value = serde_json::from_str(&line).map_err(|e| unreadable(target, e))?;
        let text = |name: &str| match &row[name] {
            Value::String(text) => text.clone(),
            Value::Number(n) => n.to_string(),
            _ => String::new(),
        };
        let texts = READ_BACK.map(text);
        each(&typed(texts.each_ref().map(String::as_str)))?;
    }
    Ok(())
}

/// The cells of a row. An invalid row may have fewer carried values than there are columns: the rest is empty. CSV cannot
/// tell an empty text from none, so that no form does.
fn cells(row: &DiscrepancyRow, columns: usize) -> impl Iterator<Item = Cell<'_>> {
    let what = &row.what;
    let text = |value: Option<_>| Cell::Text(value.filter(|value: &&str| !value.is_empty()));
    [
        text(row.call_id.as_deref()),
        whole(row.ledger_line),
        Cell::Text(Some(what.kind.as_str())),
        text(Some(&what.field)),
        text(what.expected.as_deref()),
        text(what.actual.as_deref()),
        Cell::Whole(what.delta),
        Cell::Text(Some(&what.message)),
        Cell::Day(row.call_date),
        Cell::Whole(row.prod_id),
    ]
    .into_iter()
    .chain(row.carried.iter().map(move |value| text(Some(value))))
    .chain(std::iter::repeat(Cell::Text(None)))
    .take(columns)
}

fn csv_text(cell: Cell<'_>) -> Cow<'_, str> {
    match cell {
        Cell::Text(v) => v.unwrap_or_default().into(),
        Cell::Whole(v) => v.map(|n| n.to_string()).unwrap_or_default().into(),
        Cell::Flag(v) => v.map(|b| b.to_string()).unwrap_or_default().into(),
        Cell::Day(v) => v.map(|d| d.to_string()).unwrap_or_default().into(),
        Cell::Time(v) => v.map(provider_text).unwrap_or_default().into(),
    }
}

fn json(cell: Cell<'_>) -> Value {
    match cell {
        Cell::Text(v) => v.into(),
        Cell::Whole(v) => v.into(),
        Cell::Flag(v) => v.into(),
        Cell::Day(v) => v.map(|d| d.to_string()).into(),
        Cell::Time(v) => v.map(|t| t.to_rfc3339()).into(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use reconcile_core::call::CallKey;
    use reconcile_core::discrepancy::{Discrepancy, Kind};
    use reconcile_core::product::ProductId;

    fn written(name: &str) -> Vec<u8> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        let mut file = Discrepancies::create(&path, &["ledger_note".into(), "ledger_b".into()], &[]).unwrap();
        let what = Discrepancy::new(Kind::Mismatch, "duration_s differs")
            .field("duration_s")
            .values(Some("7".into()), Some("5".into()))
            .delta(Some(-2));
        let row = DiscrepancyRow {
            call_id: Some("1^2".into()),
            ledger_line: 3,
            what,
            call_date: chrono::NaiveDate::from_ymd_opt(2026, 11, 16),
            prod_id: Some(11_000_000_300_006),
            carried: vec!["a, \"b\"".into()],
            at_stake_s: 2,
            own_numbers: Vec::new(),
        };
        file.push(&row).unwrap();
        let mut read_back = Written::default();
        let staged = file.finish(&mut read_back).unwrap();
        let mut expected = Written::default();
        let day = quick_parse::day("2026-11-16").unwrap();
        let call = CallKey { call_id: "1^2".into(), prod_id: ProductId(11_000_000_300_006), day };
        expected.add_discrepancy("mismatch", Some(&call));
        assert_eq!(read_back, expected, "{name}");
        staged.sync().unwrap();
        staged.rename().unwrap();
        std::fs::read(&path).unwrap()
    }

    #[test]
    fn a_row_as_csv_has_every_column_even_where_the_ledgers_row_was_short() {
        assert_eq!(
            String::from_utf8(written("d.csv")).unwrap(),
            "call_id,ledger_line,kind,field,expected,actual,delta,message,call_date,prod_id,ledger_note,ledger_b\n\
             1^2,3,mismatch,duration_s,7,5,-2,duration_s differs,2026-11-16,11000000300006,\"a, \"\"b\"\"\",\n"
        );
    }

    #[test]
    fn a_row_as_json_lines_says_the_same() {
        let row: Value = serde_json::from_slice(&written("d.jsonl")).unwrap();
        assert_eq!(row["delta"], -2);
        assert_eq!(row["call_date"], "2026-11-16");
        assert_eq!(row["ledger_note"], "a, \"b\"");
        assert_eq!(row["ledger_b"], Value::Null);
    }

    #[test]
    fn a_row_as_parquet_reads_back() {
        assert_eq!(&written("d.parquet")[..4], b"PAR1");
    }

    #[test]
    fn the_form_is_chosen_by_the_extension() {
        assert_eq!(Form::of(Path::new("a/d.CSV")), Some(Form::Csv));
        assert_eq!(Form::of(Path::new("d.parquet")), Some(Form::Parquet));
        assert_eq!(Form::of(Path::new("d.xlsx")), None);
        assert_eq!(Form::of(Path::new("d")), None);
    }
}
