//! Reads the records of a ledger, CSV, Parquet or workbook, before their values are parsed.

use std::io::{self, Read};

use csv::ByteRecord;
use reconcile_core::ledger_field::Field;
use reconcile_core::ledger_row::InvalidRow;
use reconcile_core::row_problem::RowProblem;

use super::affected::AffectedRows;
use super::cells::Cells;
use super::decode::Utf8Reader;
use super::delimiter;
use super::encoding::Encoding;
use super::error::{LedgerError, Result};
use super::escapes;
use super::form::LedgerForm;
use super::header::Header;
use super::layout::Layout;
use super::ledger_bytes::LedgerBytes;
use super::note::{Finding, LedgerNote};
use super::options::Options;
use super::parquet::{NextRow, ParquetRows};
use super::passed_over::PassedOver;
use super::raw_record::{RawRecord, unusable_row};
use super::split::{MAX_KEPT, NextRecord, Position, Splitter};
use super::unpack::Unpacked;
use super::workbook::WorkbookRows;

/// Number of lines in which a header row below the first row is searched for.
const SEARCHED: usize = 200;

/// The CSV parser over the records of the text.
type CsvReader<R> = csv::Reader<Splitter<Utf8Reader<R>>>;

/// The records of a ledger below the header row.
pub(super) struct Records<R> {
    format: Format<R>,
    /// The name of the ledger in messages.
    ledger: String,
    open_row: Option<OpenRow>,
    passed_over: PassedOver,
    /// Rows with backslash escapes.
    escaped: AffectedRows,
}

/// A last row without a line end. A program may still have been writing it.
#[derive(Debug, Clone, Copy)]
pub(super) struct OpenRow {
    /// Bytes of the file before it; `None` if the file is packed.
    pub(super) offset: Option<u64>,
    /// True if one of its quotes is not closed.
    in_quotes: bool,
    encoding: Encoding,
}

impl OpenRow {
    /// True if the row is whole, because a line end is the first that was appended to it.
    pub(super) fn is_ended_by(&self, appended: &[u8]) -> bool {
        let unit = if matches!(self.encoding, Encoding::Utf16Le | Encoding::Utf16Be) { 2 } else { 1 };
        let first = appended.get(..unit).unwrap_or_default();
        !self.in_quotes && self.encoding.line_length(first) == Some(unit)
    }
}

enum Format<R> {
    Csv { csv: Box<CsvReader<R>>, delimiter: u8 },
    Parquet { rows: Box<ParquetRows>, bytes: LedgerBytes, row: u64 },
    Workbook { rows: Box<WorkbookRows>, bytes: LedgerBytes },
}

impl<R: Read> Records<R> {
    /// Reads the header row of a CSV text; also returns its columns.
    ///
    /// # Errors
    /// The source cannot be read or is not text, or the header row is missing or damaged.
    pub(super) fn open_csv(source: R, ledger: &str, options: &Options) -> Result<(Self, Vec<String>)> {
        let failed = |error| LedgerError::reading(ledger, None, error);
        let mut splitter = Splitter::new(Utf8Reader::new(source).map_err(failed)?, b',');
        splitter.pass_lines(options.skip_lines).map_err(failed)?;
        let detected = delimiter::detect(&mut splitter, &options.map).map_err(failed)?;
        let delimiter = options.delimiter.unwrap_or(detected);
        splitter.set_delimiter(delimiter);
        let next = splitter.advance().map_err(failed)?;
        let mut csv = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(delimiter)
            .from_reader(splitter);
        let mut header = ByteRecord::new();
        let position = match next {
            NextRecord::Whole(position) => {
                parse(&mut csv, &mut header, ledger, position.line)?;
                position
            }
            NextRecord::Escaped(position) => {
                let mut cells = Cells::default();
                escapes::split(csv.get_mut().take_escaped(), delimiter, &mut cells);
                header = cells.iter().collect();
                position
            }
            NextRecord::End => return Err(LedgerError::Empty { ledger: ledger.to_owned() }),
            NextRecord::UnclosedQuote(_) | NextRecord::TooLong(_) => {
                return Err(LedgerError::EndlessHeader { ledger: ledger.to_owned() });
            }
        };
        let is_open = csv.get_ref().is_open();
        let offset = csv.get_mut().source_mut().offset_of(position.offset);
        let open_row = is_open.then(|| open_row_at(csv.get_ref().source(), offset, false));
        let names = column_names(&header, csv.get_ref().source().encoding(), ledger)?;
        let format = Format::Csv { csv: Box::new(csv), delimiter };
        Ok((Self { open_row, ..Self::new(format, ledger, &names) }, names))
    }

    /// The last row, if no line end follows it. Known once all rows were read.
    pub(super) fn open_row(&self) -> Option<OpenRow> {
        self.open_row
    }

    /// Reads the next record into `raw`; `false` at the end. Empty records and repeated header rows
    /// are passed over.
    ///
    /// # Errors
    /// The source cannot be read.
    pub(super) fn advance(&mut self, raw: &mut RawRecord) -> Result<bool> {
        while self.advance_to_any(raw)? {
            let is_kept = raw.unsplittable.is_some() || !raw.unusable_cells.is_empty();
            if is_kept || !self.passed_over.take(&raw.cells, raw.line) {
                self.escaped.add_if(raw.is_escaped, raw.line);
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn advance_to_any(&mut self, raw: &mut RawRecord) -> Result<bool> {
        match &mut self.format {
            Format::Parquet { rows, row, .. } => {
                let next = rows.read(&mut raw.parsed)?;
                *row += 1;
                // The rows are counted as if the header were line 1.
                (raw.line, raw.offset, raw.encoding) = (*row + 1, None, Encoding::Utf8.name());
                match next {
                    NextRow::End => return Ok(false),
                    NextRow::TooLong => {
                        let beginning = raw.parsed.as_slice();
                        let kept = &beginning[..beginning.len().min(MAX_KEPT)];
                        let row = unusable_row((raw.line, None), kept, RowProblem::TooLong);
                        raw.unsplittable = Some(row);
                    }
                    NextRow::Whole => {
                        raw.cells.copy(&raw.parsed);
                    }
                }
                Ok(true)
            }
            Format::Workbook { rows, .. } => rows.advance(raw),
            Format::Csv { csv, delimiter } => {
                let found = advance_csv(csv, *delimiter, &self.ledger, raw)?;
                if found && csv.get_ref().is_open() {
                    let offset = raw.offset.unwrap_or_default();
                    let in_quotes = raw.unsplittable.is_some();
                    self.open_row = Some(open_row_at(csv.get_ref().source(), offset, in_quotes));
                }
                Ok(found)
            }
        }
    }

    /// Reads the rest of the source and returns the checksum of all its bytes.
    ///
    /// # Errors
    /// The source cannot be read to its end.
    pub(super) fn finish(self) -> Result<u32> {
        let checksum = match self.format {
            Format::Csv { csv, .. } => csv.into_inner().into_source().finish(),
            Format::Parquet { bytes, .. } | Format::Workbook { bytes, .. } => {
                Unpacked::new(bytes).and_then(Unpacked::finish)
            }
        };
        checksum.map_err(|error| LedgerError::reading(&self.ledger, None, error))
    }

    /// Physical line of a row below that suits a ledger as its header row, within the next
    /// [`SEARCHED`] records; `None` if there is none.
    pub(super) fn later_header(&mut self, options: &Options) -> Option<u64> {
        for _ in 0..SEARCHED {
            match &mut self.format {
                Format::Parquet { .. } => return None,
                Format::Workbook { rows, .. } => {
                    let names = rows.next_names(0).ok()??;
                    if Header::suitability(&names, &options.map).has_call_id {
                        return Some(rows.row());
                    }
                }
                Format::Csv { csv, .. } => {
                    let splitter = csv.get_mut();
                    if delimiter::suits(splitter.peek().ok()?, &options.map) {
                        return Some(splitter.line());
                    }
                    splitter.pass_lines(1).ok()?;
                }
            }
        }
        None
    }

    /// One note for each kind of record that is passed over or read in an unusual way.
    pub(super) fn notes(&self) -> Vec<LedgerNote> {
        let escaped = self.escaped.some().map(|rows| LedgerNote::Rows(rows, Finding::BackslashEscapes));
        let of_sheet = if let Format::Workbook { rows, .. } = &self.format { rows.notes() } else { vec![] };
        escaped.into_iter().chain(self.passed_over.notes()).chain(of_sheet).collect()
    }

    /// Number of records that were passed over.
    pub(super) fn passed_over(&self) -> u64 {
        self.passed_over.count()
    }

    /// The layout of the ledger with these columns.
    pub(super) fn layout(&self, names: Vec<String>) -> Layout {
        let (delimiter, byte_order_mark) = match &self.format {
            Format::Csv { csv, delimiter } => {
                let text = csv.get_ref().source();
                let is_utf8 = matches!(text.encoding(), Encoding::Ascii | Encoding::Utf8);
                (*delimiter, text.has_byte_order_mark() || !is_utf8)
            }
            Format::Parquet { .. } => (b',', false),
            // Spreadsheet programs recognize UTF-8 only by its mark.
            Format::Workbook { .. } => (b',', true),
        };
        Layout { names, delimiter, byte_order_mark, file_column: None }
    }

    /// Encoding, delimiter and packing, as far as the ledger was read.
    pub(super) fn form(&self) -> LedgerForm {
        let (csv, delimiter) = match &self.format {
            Format::Parquet { .. } => return LedgerForm::Parquet,
            Format::Workbook { rows, .. } => return rows.form(),
            Format::Csv { csv, delimiter } => (csv, delimiter),
        };
        let text = csv.get_ref().source();
        let (encoding, packing) = (text.encoding().name(), text.packing());
        LedgerForm::Text { encoding, delimiter: *delimiter, packing }
    }
}

impl Records<LedgerBytes> {
    /// Reads the footer of a Parquet file; also returns its columns.
    ///
    /// # Errors
    /// The file is damaged, or has an unsupported form.
    pub(super) fn open_parquet(bytes: LedgerBytes, ledger: &str) -> Result<(Self, Vec<String>)> {
        let rows = ParquetRows::open(bytes.clone(), ledger)?;
        let names = rows.names().to_vec();
        let format = Format::Parquet { rows: Box::new(rows), bytes, row: 0 };
        Ok((Self::new(format, ledger, &names), names))
    }

    /// Reads the header row of a sheet; also returns its columns.
    ///
    /// # Errors
    /// The file is damaged or no workbook, has no such sheet, or the sheet is empty.
    pub(super) fn open_workbook(
        bytes: LedgerBytes,
        ledger: &str,
        options: &Options,
    ) -> Result<(Self, Vec<String>)> {
        let rows = WorkbookRows::open(bytes.clone(), ledger, options)?;
        let names = rows.names().to_vec();
        let format = Format::Workbook { rows: Box::new(rows), bytes };
        Ok((Self::new(format, ledger, &names), names))
    }

    /// The sheet of a workbook in words, else the ledger.
    pub(super) fn place(&self) -> String {
        match &self.format {
            Format::Workbook { rows, .. } => rows.place(),
            _ => self.ledger.clone(),
        }
    }
}

impl<R> Records<R> {
    fn new(format: Format<R>, ledger: &str, names: &[String]) -> Self {
        Self {
            format,
            ledger: ledger.to_owned(),
            open_row: None,
            passed_over: PassedOver::new(names),
            escaped: AffectedRows::default(),
        }
    }

    /// Tells the cells of a workbook what their columns are read as.
    pub(super) fn set_uses(&mut self, header: &Header) {
        if let Format::Workbook { rows, .. } = &mut self.format {
            rows.set_uses(header);
        }
    }

    /// Checks that no time of a Parquet file is stored as INT96. Some systems write INT96 in UTC,
    /// others in local time.
    ///
    /// # Errors
    /// A column with times is stored as INT96.
    pub(super) fn check_times(&self, header: &Header) -> Result<()> {
        let Format::Parquet { rows, .. } = &self.format else { return Ok(()) };
        let is_int96 = |field: &Field| header.column(*field).is_some_and(|at| rows.is_int96(at));
        match Field::TIMES.into_iter().find(is_int96) {
            None => Ok(()),
            Some(field) => Err(LedgerError::Int96 { ledger: self.ledger.clone(), field: field.name() }),
        }
    }
}

fn advance_csv<R: Read>(
    csv: &mut CsvReader<R>,
    delimiter: u8,
    ledger: &str,
    raw: &mut RawRecord,
) -> Result<bool> {
    let next = csv.get_mut().advance();
    let next = next.map_err(|error| LedgerError::reading(ledger, Some(csv.get_ref().line()), error))?;
    let (position, problem) = match next {
        NextRecord::End => return Ok(false),
        NextRecord::Whole(position) | NextRecord::Escaped(position) => (position, None),
        NextRecord::UnclosedQuote(position) => {
            (position, Some(RowProblem::UnclosedQuote { is_whole: csv.get_mut().skipped().1 }))
        }
        NextRecord::TooLong(position) => (position, Some(RowProblem::TooLong)),
    };
    if let Some(problem) = problem {
        let row = unsplittable_row(csv.get_mut(), position, problem);
        raw.offset = row.offset;
        raw.unsplittable = Some(row);
        return Ok(true);
    }
    raw.is_escaped = matches!(next, NextRecord::Escaped(_));
    if raw.is_escaped {
        escapes::split(csv.get_mut().take_escaped(), delimiter, &mut raw.cells);
    } else if let Some(record) = csv.get_mut().take_unquoted() {
        raw.cells.split(record, delimiter);
    } else {
        parse(csv, &mut raw.parsed, ledger, position.line)?;
        raw.cells.copy(&raw.parsed);
    }
    let text = csv.get_mut().source_mut();
    let offset = Some(text.offset_of(position.offset));
    (raw.line, raw.offset, raw.encoding) = (position.line, offset, text.encoding().name());
    Ok(true)
}

fn open_row_at<R: Read>(text: &Utf8Reader<R>, offset: u64, in_quotes: bool) -> OpenRow {
    let offset = text.packing().is_none().then_some(offset);
    OpenRow { offset, in_quotes, encoding: text.encoding() }
}

/// The invalid row for a record that cannot be split into cells, with the record's beginning.
fn unsplittable_row<R: Read>(
    splitter: &mut Splitter<Utf8Reader<R>>,
    position: Position,
    problem: RowProblem,
) -> InvalidRow {
    let offset = splitter.source_mut().offset_of(position.offset);
    let (skipped, _) = splitter.skipped();
    unusable_row((position.line, Some(offset)), skipped, problem)
}

/// Parses the record to which the splitter has advanced.
fn parse<R: Read>(
    csv: &mut csv::Reader<Splitter<R>>,
    record: &mut ByteRecord,
    ledger: &str,
    line: u64,
) -> Result<()> {
    match csv.read_byte_record(record) {
        Ok(true) => Ok(()),
        Ok(false) => Err(LedgerError::NoRecord { ledger: ledger.to_owned(), line }),
        Err(error) => Err(LedgerError::reading(ledger, Some(line), io::Error::from(error))),
    }
}

fn column_names(header: &ByteRecord, encoding: Encoding, ledger: &str) -> Result<Vec<String>> {
    let text = |bytes: &[u8]| std::str::from_utf8(bytes).map(str::to_owned);
    let names: Result<Vec<String>, _> = header.iter().map(text).collect();
    names.map_err(|source| LedgerError::DamagedHeader {
        ledger: ledger.to_owned(),
        encoding: encoding.name(),
        source,
    })
}
