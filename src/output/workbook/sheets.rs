//! The sheets of the workbook while they are written, and the file that they become.
//!
//! Each sheet has a temporary file of its own without a name, in the folder of the workbook. So
//! rows of several kinds can come in any order, and nothing is left behind, however the run ends.
//! A sheet that is full continues in a next one, such as `all (2)`.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use rust_xlsxwriter::{DocProperties, ExcelDateTime, IgnoreError, Workbook as Book, Worksheet, XlsxError};

use super::cells::{Formats, Place, write};
use super::night::Night;
use super::until_error::UntilError;
use crate::output::schema::{Cell, ColumnType, DISCREPANCIES};

/// Rows in a sheet of Excel.
pub(super) const SHEET_ROWS: u32 = 1_048_576;
/// Columns in a sheet of Excel.
pub(super) const MAX_COLUMNS: usize = 16_384;
/// The sheet of all discrepancies.
const ALL: &str = "all";
/// The sheet of those with a decision.
const RESOLVED: &str = "resolved";
/// The columns of integers that are ids.
const ID_COLUMNS: [&str; 1] = ["prod_id"];
/// Compression of the file. Level 1 takes half of the time, for a file half as large again; level 6
/// takes several times as long and saves a tenth.
const COMPRESSION: u8 = 3;
/// A sheet with more bytes than this, before compression, needs the large form of the archive.
const LARGE_SHEET: u64 = 3 << 30;
/// Bytes of a cell beside its value, at most.
const CELL_BYTES: u64 = 80;

/// A column of the sheets.
struct SheetColumn {
    name: String,
    /// In characters.
    width: f64,
    is_id: bool,
}

impl SheetColumn {
    fn own(name: &str, column_type: ColumnType) -> Self {
        let width = match (name, column_type) {
            ("message", _) => 60.0,
            ("call_id", _) => 28.0,
            (_, ColumnType::Timestamp) => 20.0,
            (_, ColumnType::Text) => 18.0,
            (_, ColumnType::Integer | ColumnType::Boolean | ColumnType::Date | ColumnType::Decimal) => 14.0,
        };
        Self { name: name.to_owned(), width, is_id: ID_COLUMNS.contains(&name) }
    }

    fn carried(name: &str) -> Self {
        Self { name: name.to_owned(), width: 18.0, is_id: false }
    }
}

/// What all sheets of rows have in common.
struct Layout {
    columns: Vec<SheetColumn>,
    /// Columns without room in a sheet included.
    all_columns: usize,
    formats: Formats,
    /// Rows in a sheet, the header included.
    sheet_rows: u32,
}

/// The names of the sheets in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SheetNames {
    /// The sheets that together hold every discrepancy.
    pub(super) all: Vec<String>,
    /// The sheets of one kind each. Together they hold every discrepancy, too.
    pub(super) by_kind: Vec<String>,
    /// The sheets of those with a decision.
    pub(super) resolved: Vec<String>,
}

/// The sheets while they are written.
pub(super) struct Sheets {
    book: Book,
    layout: Layout,
    all: Series,
    by_kind: BTreeMap<String, Series>,
    /// `None` before the first decision.
    resolved: Option<Series>,
    /// The column of the decision.
    decision: usize,
}

impl Sheets {
    /// Starts the sheet of all discrepancies. The temporary files are in `folder`.
    ///
    /// # Errors
    ///
    /// A temporary file cannot be created.
    pub(super) fn new(folder: &Path, carried: &[String], sheet_rows: u32) -> Result<Self, XlsxError> {
        let mut book = Book::new();
        book.set_tempdir(folder)?.set_zip_compression_level(COMPRESSION);
        let own = DISCREPANCIES.iter().map(|column| SheetColumn::own(column.name, column.column_type));
        let columns = own.chain(carried.iter().map(|name| SheetColumn::carried(name)));
        let layout = Layout {
            columns: columns.take(MAX_COLUMNS).collect(),
            all_columns: DISCREPANCIES.len() + carried.len(),
            formats: Formats::new(),
            sheet_rows,
        };
        let all = Series::start(ALL, &mut book, &layout)?;
        let decision = DISCREPANCIES.iter().position(|column| column.name == "resolution");
        let decision = decision.unwrap_or(usize::MAX);
        Ok(Self { book, layout, all, by_kind: BTreeMap::new(), resolved: None, decision })
    }

    /// Adds a row to the sheet of all discrepancies, to that of its kind, and to that of decisions
    /// if there is one on it.
    ///
    /// # Errors
    ///
    /// A temporary file cannot be created.
    ///
    /// # Panics
    ///
    /// A temporary file cannot be written.
    pub(super) fn add_row(&mut self, cells: &[Cell<'_>]) -> Result<(), XlsxError> {
        self.all.add(cells, &mut self.book, &self.layout)?;
        if let Some(Cell::Text(Some(_))) = cells.get(self.decision) {
            let series = match self.resolved.take() {
                Some(series) => series,
                None => Series::start(RESOLVED, &mut self.book, &self.layout)?,
            };
            self.resolved.insert(series).add(cells, &mut self.book, &self.layout)?;
        }
        let [_, _, Cell::Text(Some(kind)), ..] = cells else { return Ok(()) };
        if let Some(series) = self.by_kind.get_mut(*kind) {
            return series.add(cells, &mut self.book, &self.layout);
        }
        let mut series = Series::start(kind, &mut self.book, &self.layout)?;
        series.add(cells, &mut self.book, &self.layout)?;
        self.by_kind.insert((*kind).to_owned(), series);
        Ok(())
    }

    /// Writes the workbook: the sheet of the night, then the sheets of rows.
    ///
    /// # Errors
    ///
    /// The file cannot be written, or a temporary file cannot be read.
    ///
    /// # Panics
    ///
    /// A temporary file cannot be written.
    pub(super) fn save(mut self, mut night: Night, file: File) -> Result<SheetNames, XlsxError> {
        let Self { book, layout, all, by_kind, resolved, .. } = &mut self;
        if layout.all_columns > layout.columns.len() {
            night.note_missing_columns(layout.all_columns, layout.columns.len());
        }
        let series = || [&*all].into_iter().chain(&*resolved).chain(by_kind.values());
        series().filter(|series| series.cut > 0).for_each(|series| night.note_cut(&series.name, series.cut));
        let is_large = series().any(|series| series.largest > LARGE_SHEET);
        let names = SheetNames {
            all: all.names(),
            by_kind: by_kind.values().flat_map(Series::names).collect(),
            resolved: resolved.as_ref().map(Series::names).unwrap_or_default(),
        };
        let created = ExcelDateTime::from_timestamp(night.started_at.timestamp())?;
        book.set_properties(&DocProperties::new().set_creation_datetime(&created));
        book.use_zip_large_file(is_large);
        book.push_worksheet(night.sheet(&layout.formats)?);
        for series in std::iter::once(self.all).chain(self.resolved).chain(self.by_kind.into_values()) {
            for sheet in series.finished(&self.layout)? {
                self.book.push_worksheet(sheet);
            }
        }
        let mut file = UntilError::new(file);
        self.book.save_to_writer(&mut file)?;
        file.finish()?;
        Ok(names)
    }
}

/// The rows of one name, in as many sheets as they need.
struct Series {
    name: String,
    /// Never empty. The last one gets the rows.
    sheets: Vec<Worksheet>,
    /// The next row of the last sheet, counted from 0.
    next_row: u32,
    /// Cells that were cut.
    cut: u64,
    /// Bytes of the last sheet, at most.
    bytes: u64,
    /// Bytes of the largest sheet, at most.
    largest: u64,
}

impl Series {
    /// Starts the first sheet.
    fn start(name: &str, book: &mut Book, layout: &Layout) -> Result<Self, XlsxError> {
        let name = name.to_owned();
        let mut series = Self { name, sheets: Vec::new(), next_row: 0, cut: 0, bytes: 0, largest: 0 };
        series.start_sheet(book, layout)?;
        Ok(series)
    }

    /// Starts a sheet with its header.
    fn start_sheet(&mut self, book: &mut Book, layout: &Layout) -> Result<(), XlsxError> {
        let mut sheet = book.new_worksheet_with_constant_memory()?;
        sheet.set_name(sheet_name(&self.name, self.sheets.len()))?.set_freeze_panes(1, 0)?;
        for (column, at) in layout.columns.iter().zip(0..) {
            sheet.set_column_width(at, column.width)?;
            write_name(&mut sheet, at, &column.name, &layout.formats)?;
        }
        self.sheets.push(sheet);
        (self.next_row, self.bytes) = (1, 0);
        Ok(())
    }

    fn add(&mut self, cells: &[Cell<'_>], book: &mut Book, layout: &Layout) -> Result<(), XlsxError> {
        if self.next_row >= layout.sheet_rows {
            self.start_sheet(book, layout)?;
        }
        let Some(sheet) = self.sheets.last_mut() else { return Ok(()) };
        for ((cell, column), at) in cells.iter().zip(&layout.columns).zip(0..) {
            let place = Place { row: self.next_row, column: at };
            self.cut += u64::from(write(sheet, place, *cell, column.is_id, &layout.formats)?);
            // An escaped character takes seven bytes.
            let text = if let Cell::Text(Some(text)) = cell { text.len() as u64 * 7 } else { 0 };
            self.bytes += CELL_BYTES + text;
        }
        self.largest = self.largest.max(self.bytes);
        self.next_row += 1;
        Ok(())
    }

    fn names(&self) -> Vec<String> {
        (0..self.sheets.len()).map(|no| sheet_name(&self.name, no)).collect()
    }

    /// The sheets with their filters.
    fn finished(self, layout: &Layout) -> Result<Vec<Worksheet>, XlsxError> {
        let last_column = u16::try_from(layout.columns.len()).unwrap_or(u16::MAX).saturating_sub(1);
        let (mut sheets, last) = (self.sheets, self.next_row - 1);
        let full = sheets.len() - 1;
        for (no, sheet) in sheets.iter_mut().enumerate() {
            let last_row = if no == full { last } else { layout.sheet_rows - 1 };
            sheet.autofilter(0, 0, last_row, last_column)?;
            // Ids are text on purpose: without this, Excel marks every one of them.
            sheet.ignore_error_range(0, 0, last_row, last_column, IgnoreError::NumberStoredAsText)?;
        }
        Ok(sheets)
    }
}

/// The name of the `no`th sheet of a series, counted from 0.
fn sheet_name(series: &str, no: usize) -> String {
    if no == 0 { series.to_owned() } else { format!("{series} ({})", no + 1) }
}

/// Writes a column's name. A ledger may have longer names than a cell.
fn write_name(sheet: &mut Worksheet, at: u16, name: &str, formats: &Formats) -> Result<(), XlsxError> {
    super::cells::write_text(sheet, Place { row: 0, column: at }, name)?;
    sheet.set_cell_format(0, at, &formats.bold).map(drop)
}
