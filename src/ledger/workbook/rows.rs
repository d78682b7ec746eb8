//! Reads one sheet of a workbook as a ledger: its rows as records of text, in the sheet's order.
//!
//! A cell becomes the text that it shows, as far as the ledger's parsers need it. Cells without a
//! usable value keep their text and get a reason. Rows have their numbers in the sheet.

use super::archive::Archive;
use super::cell_text::{ColumnUse, push_number};
use super::number_format::NumberFormat;
use super::package::Package;
use super::refused::{Refused, Result};
use super::row_parser::{Cell, CellKind, RowParser, cell_name};
use super::strings::{SharedStrings, push_unescaped};
use super::styles::Styles;
use crate::caught::caught;
use crate::ledger::affected::AffectedRows;
use crate::ledger::error::LedgerError;
use crate::ledger::form::LedgerForm;
use crate::ledger::header::Header;
use crate::ledger::header_text::in_backticks;
use crate::ledger::ledger_bytes::LedgerBytes;
use crate::ledger::note::{Finding, LedgerNote};
use crate::ledger::options::Options;
use crate::ledger::raw_record::{RawRecord, UnusableCell, unusable_row};
use crate::ledger::split::{MAX_KEPT, MAX_RECORD};
use reconcile_core::ledger_field::Field;
use reconcile_core::row_problem::{CellAtFault, CellProblem, RowProblem};

/// The rows of a sheet.
pub(in crate::ledger) struct WorkbookRows {
    parser: RowParser,
    values: CellValues,
    names: Vec<String>,
    uses: Vec<ColumnUse>,
    /// Number of the last row that was read.
    row: u64,
    ledger: String,
    sheet: String,
    other_sheets: Vec<String>,
    hidden: AffectedRows,
    uncalculated: AffectedRows,
}

/// What cells need to become text.
struct CellValues {
    strings: SharedStrings,
    styles: Styles,
    is_1904: bool,
    is_uncalculated: bool,
    /// The text of the current cell.
    text: String,
}

const CONTRADICTION: Refused = Refused::Damaged("its parts contradict each other");

impl WorkbookRows {
    /// Reads the workbook's description and the header row of the sheet.
    ///
    /// # Errors
    /// The file is damaged or no workbook, has no such sheet, or the sheet is empty.
    pub(in crate::ledger) fn open(
        bytes: LedgerBytes,
        ledger: &str,
        options: &Options,
    ) -> Result<Self, LedgerError> {
        let read = caught(|| {
            let archive = Archive::open(bytes)?;
            let package = Package::read(&archive)?;
            Ok((archive, package))
        });
        let failed = |why| refused(ledger, None, why);
        let (archive, mut package) = read.unwrap_or(Err(CONTRADICTION)).map_err(failed)?;
        let sheet = chosen_sheet(&package, options.sheet.as_deref(), ledger)?;
        let sheet = package.sheets.remove(sheet);
        let opened = caught(|| Self::open_sheet(&archive, &package, &sheet.part));
        let (parser, values) = opened.unwrap_or(Err(CONTRADICTION)).map_err(failed)?;
        let mut rows = Self {
            parser,
            values,
            names: Vec::new(),
            uses: Vec::new(),
            row: 0,
            ledger: ledger.to_owned(),
            sheet: shown(&sheet.name),
            other_sheets: package.sheets.iter().map(|other| shown(&other.name)).collect(),
            hidden: AffectedRows::default(),
            uncalculated: AffectedRows::default(),
        };
        rows.names = rows
            .next_names(options.skip_lines)?
            .ok_or_else(|| LedgerError::Empty { ledger: rows.place() })?;
        rows.uses = vec![ColumnUse::Other; rows.names.len()];
        Ok(rows)
    }

    fn open_sheet(archive: &Archive, package: &Package, part: &str) -> Result<(RowParser, CellValues)> {
        let values = CellValues {
            strings: SharedStrings::read(archive, package.strings.as_deref())?,
            styles: Styles::read(archive, package.styles.as_deref())?,
            is_1904: package.is_1904,
            is_uncalculated: package.is_uncalculated,
            text: String::new(),
        };
        Ok((RowParser::new(archive.listed_part(part)?)?, values))
    }

    /// Names of the columns.
    pub(in crate::ledger) fn names(&self) -> &[String] {
        &self.names
    }

    /// The sheet in words, with its workbook and the sheets that are not read.
    pub(in crate::ledger) fn place(&self) -> String {
        let others = match self.other_sheets.as_slice() {
            [] => String::new(),
            others => format!(" (other sheets: {})", in_backticks(others)),
        };
        format!("the sheet `{}` of {}{others}", self.sheet, self.ledger)
    }

    /// The form of the ledger.
    pub(in crate::ledger) fn form(&self) -> LedgerForm {
        LedgerForm::Workbook { sheet: self.sheet.clone(), other_sheets: self.other_sheets.clone() }
    }

    /// Sets what the columns are read as.
    pub(in crate::ledger) fn set_uses(&mut self, header: &Header) {
        let times = Field::TIMES.map(|field| (field, ColumnUse::Time));
        for (field, usage) in times.into_iter().chain([(Field::DurationS, ColumnUse::Seconds)]) {
            if let Some(at) = header.column(field) {
                self.uses[at] = usage;
            }
        }
    }

    /// The values of the next row that is not blank, up to the last one; `None` at the end. The
    /// first `skipped` rows of the sheet are passed over.
    ///
    /// # Errors
    /// The file is damaged or cannot be read any further.
    pub(in crate::ledger) fn next_names(&mut self, skipped: u64) -> Result<Option<Vec<String>>, LedgerError> {
        self.caught(|rows| {
            while let Some(row) = rows.parser.next_row()? {
                rows.row = row.number;
                if row.number <= skipped {
                    continue;
                }
                let mut names = Vec::new();
                while let Some(cell) = rows.parser.next_cell()? {
                    // A header is text, also if a formula or an error makes it.
                    let _ = rows.values.read(cell, rows.parser.value(), ColumnUse::Other)?;
                    if !rows.values.text.trim().is_empty() {
                        names.resize(cell.column, String::new());
                        names.push(rows.values.text.clone());
                    }
                }
                if !names.is_empty() {
                    return Ok(Some(names));
                }
            }
            Ok(None)
        })
    }

    /// Number of the row that was read last.
    pub(in crate::ledger) fn row(&self) -> u64 {
        self.row
    }

    /// Reads the next row that is not blank; `false` at the end.
    ///
    /// # Errors
    /// The file is damaged or cannot be read any further.
    pub(in crate::ledger) fn advance(&mut self, raw: &mut RawRecord) -> Result<bool, LedgerError> {
        self.caught(|rows| {
            while let Some(row) = rows.parser.next_row()? {
                rows.row = row.number;
                if rows.read_row(raw)? {
                    rows.hidden.add_if(row.is_hidden, row.number);
                    return Ok(true);
                }
            }
            Ok(false)
        })
    }

    fn caught<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T>) -> Result<T, LedgerError> {
        let done = caught(|| work(self)).unwrap_or(Err(CONTRADICTION));
        done.map_err(|why| refused(&self.ledger, Some(self.row + 1), why))
    }

    /// Reads the cells of the current row; `false` if it is blank.
    fn read_row(&mut self, raw: &mut RawRecord) -> Result<bool> {
        raw.cells.clear();
        raw.unusable_cells.clear();
        let (mut is_blank, mut is_too_long, mut lacks_result) = (true, false, false);
        while let Some(cell) = self.parser.next_cell()? {
            let usage = self.uses.get(cell.column).copied().unwrap_or_default();
            let unusable = self.values.read(cell, self.parser.value(), usage)?;
            let text = &self.values.text;
            if (text.is_empty() && unusable.is_none()) || is_too_long {
                continue;
            }
            is_blank = false;
            if raw.cells.bytes().len() + text.len() > MAX_RECORD {
                is_too_long = true;
                continue;
            }
            while raw.cells.len() < cell.column {
                raw.cells.push(b"");
            }
            raw.cells.push(text.as_bytes());
            if let Some(problem) = unusable {
                lacks_result |= problem == CellProblem::NoResult;
                let cell_name = cell_name(cell.column, self.row);
                let reason = RowProblem::Cell(Box::new(CellAtFault { cell: cell_name, problem }));
                raw.unusable_cells.push(UnusableCell { column: cell.column, reason });
            }
        }
        self.uncalculated.add_if(lacks_result, self.row);
        self.end_row(raw, is_too_long);
        Ok(!is_blank)
    }

    fn end_row(&self, raw: &mut RawRecord, is_too_long: bool) {
        (raw.line, raw.offset, raw.encoding) = (self.row, None, "UTF-8");
        if is_too_long {
            let beginning = raw.cells.bytes();
            let kept = &beginning[..beginning.len().min(MAX_KEPT)];
            let row = unusable_row((self.row, None), kept, RowProblem::TooLong);
            raw.unsplittable = Some(row);
            return;
        }
        while raw.cells.len() < self.names.len() {
            raw.cells.push(b"");
        }
    }

    /// One line for each kind of row that is read in an unusual way.
    pub(in crate::ledger) fn notes(&self) -> Vec<LedgerNote> {
        let kinds = [(self.hidden, Finding::HiddenRow), (self.uncalculated, Finding::NoStoredResult)];
        kinds.into_iter().filter_map(|(rows, what)| Some(LedgerNote::Rows(rows.some()?, what))).collect()
    }
}

impl CellValues {
    /// Sets [`Self::text`] to the text of a cell. Returns why the cell cannot be used, if so.
    fn read(&mut self, cell: Cell, value: &str, usage: ColumnUse) -> Result<Option<CellProblem>> {
        self.text.clear();
        let is_zero = cell.kind == CellKind::Number && value == "0";
        let lacks_result = !cell.has_value || (cell.kind != CellKind::Text && value.is_empty());
        if cell.has_formula && (lacks_result || (self.is_uncalculated && is_zero)) {
            return Ok(Some(CellProblem::NoResult));
        }
        if !cell.has_value {
            return Ok(None);
        }
        match cell.kind {
            CellKind::Number => {
                let number = value.trim().parse::<f64>().ok().filter(|number| number.is_finite());
                let Some(number) = number else {
                    self.text.push_str(value);
                    return Ok(None);
                };
                let format: NumberFormat = self.styles.format(cell.style);
                let pushed = push_number(&mut self.text, number, format, usage, self.is_1904);
                return Ok(pushed.err());
            }
            CellKind::SharedText => {
                let text = value.trim().parse().ok().and_then(|at| self.strings.get(at));
                self.text.push_str(text.ok_or(Refused::Damaged("a cell refers to a text that it lacks"))?);
            }
            CellKind::Text => push_unescaped(value, &mut self.text),
            CellKind::Boolean => self.text.push_str(match value.trim() {
                "1" | "true" => "TRUE",
                "0" | "false" => "FALSE",
                other => other,
            }),
            CellKind::Time => self.text.push_str(value),
            CellKind::Error => {
                self.text.push_str(value);
                let is_known = value.starts_with('#') && value.len() <= 20;
                let error = if is_known { value } else { "" };
                return Ok(Some(CellProblem::Error(error.to_owned())));
            }
        }
        Ok(None)
    }
}

/// Position of the sheet that is read: the named one, else the first that is not hidden.
fn chosen_sheet(package: &Package, named: Option<&str>, ledger: &str) -> Result<usize, LedgerError> {
    let ledger = ledger.to_owned();
    let sheets = &package.sheets;
    if sheets.is_empty() {
        return Err(LedgerError::NoWorksheet { ledger });
    }
    let Some(named) = named else {
        return Ok(sheets.iter().position(|sheet| !sheet.is_hidden).unwrap_or(0));
    };
    let exact = sheets.iter().position(|sheet| sheet.name == named);
    let same = |name: &str| name.trim().to_lowercase() == named.trim().to_lowercase();
    let found = exact.or_else(|| sheets.iter().position(|sheet| same(&sheet.name)));
    found.ok_or_else(|| LedgerError::NoSuchSheet {
        ledger,
        sheet: shown(named),
        sheets: sheets.iter().map(|sheet| shown(&sheet.name)).collect(),
    })
}

/// A sheet's name for messages.
fn shown(name: &str) -> String {
    name.chars().take(MAX_SHOWN).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// Most characters of a sheet's name in a message. Excel allows 31.
const MAX_SHOWN: usize = 40;

/// The error for a file that cannot be read, or not from this row on.
fn refused(ledger: &str, line: Option<u64>, why: Refused) -> LedgerError {
    let ledger = ledger.to_owned();
    match why {
        Refused::OtherKind(kind) => LedgerError::OtherKind { ledger, kind },
        Refused::Unreadable(error) => LedgerError::reading(&ledger, line, error),
        why => LedgerError::DamagedWorkbook { ledger, line, why: why.to_string() },
    }
}
