//! Parses the values of a record.
//!
//! Every record becomes exactly one [`Record`]. If several values are invalid, the first one in the
//! order of the contract's fields is reported. White space around the values of fields is removed;
//! other changes are made only by [`reconcile_core::ledger_values`].

use std::cell::Cell;

use compact_str::CompactString;

use super::findings::{Findings, Remarks};
use super::header::Header;
use super::header_text::printable;
use super::options::Options;
use super::raw_record::{CellsOfRecord, SplitRecord};
use reconcile_core::ledger_field::Field;
use reconcile_core::ledger_record::{self, RecordValues, Values, is_of_other_day};
use reconcile_core::ledger_row::{InvalidRow, LedgerRow, LedgerTime, Record};
use reconcile_core::ledger_values::{self as values, InvalidValue};
use reconcile_core::not_a_call;
use reconcile_core::quick_parse::trimmed;
use reconcile_core::row_problem::{RowProblem, WRONG_WIDTH, WidthAdvice};

/// The character that replaces characters which a conversion lost.
const REPLACEMENT: char = '\u{fffd}';

/// Parses the records of one ledger and collects the findings.
pub(super) struct RowReader {
    pub(super) header: Header,
    options: Options,
    pub(super) findings: Findings,
}

impl RowReader {
    pub(super) fn new(header: Header, options: Options) -> Self {
        Self { header, options, findings: Findings::default() }
    }

    /// A reader of the same ledger for another thread, with its own findings.
    pub(super) fn for_another_thread(&self) -> Self {
        Self::new(self.header.clone(), self.options.clone())
    }

    /// Parses a record and adds it to the findings.
    pub(super) fn read(&mut self, record: SplitRecord<'_>) -> Record {
        self.note(record, Carried::Kept)
    }

    /// The same. A usable row has no carried values.
    pub(super) fn first_seen(&mut self, record: SplitRecord<'_>) -> Record {
        self.note(record, Carried::Checked)
    }

    fn note(&mut self, record: SplitRecord<'_>, carried: Carried) -> Record {
        let (record, remarks) = self.parse_with(record, carried);
        self.findings.add(&record, remarks, self.options.now);
        record
    }

    /// Parses a record.
    pub(super) fn parse(&self, record: SplitRecord<'_>) -> Record {
        self.parse_with(record, Carried::Kept).0
    }

    fn parse_with(&self, record: SplitRecord<'_>, carried: Carried) -> (Record, Remarks) {
        match record {
            SplitRecord::Cells(raw) => RowParser::new(&self.header, &self.options, raw, carried).parse(),
            SplitRecord::Unusable(row) => {
                let carried = self.header.values_of_unreadable();
                (Record::Invalid(InvalidRow { carried, ..row }), Remarks::default())
            }
        }
    }
}

/// What becomes of the carried values of a usable row.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Carried {
    Kept,
    /// Only whether they can be carried.
    Checked,
}

/// Parses one record.
struct RowParser<'a> {
    header: &'a Header,
    options: &'a Options,
    raw: CellsOfRecord<'a>,
    carried: Carried,
    /// All cells as text if all are valid UTF-8. They are checked together, not one by one.
    text: Option<&'a str>,
    /// True if a cell may contain [`REPLACEMENT`].
    may_have_lost_characters: bool,
    remarks: Cell<Remarks>,
}

impl<'a> RowParser<'a> {
    fn new(header: &'a Header, options: &'a Options, raw: CellsOfRecord<'a>, carried: Carried) -> Self {
        let text = std::str::from_utf8(raw.cells.bytes).ok();
        let may_have_lost_characters = text.is_none_or(|text| !text.is_ascii() && text.contains(REPLACEMENT));
        Self { header, options, raw, carried, text, may_have_lost_characters, remarks: Cell::default() }
    }

    fn parse(&self) -> (Record, Remarks) {
        match self.row() {
            Ok(row) => (Record::Row(row), self.remarks.get()),
            Err(invalid) => (Record::Invalid(self.invalid_row(invalid)), self.remarks.get()),
        }
    }

    fn remark(&self, change: impl FnOnce(&mut Remarks)) {
        let mut remarks = self.remarks.get();
        change(&mut remarks);
        self.remarks.set(remarks);
    }

    fn row(&self) -> Result<LedgerRow, InvalidValue> {
        self.check_width()?;
        if self.lost_half_of_call_id() {
            self.remark(|remarks| remarks.split_call_id = true);
        }
        let read = ledger_record::read(self, &self.options.defaults()).inspect_err(|invalid| {
            self.remark(|remarks| {
                remarks.no_product = invalid.reason == RowProblem::NoProduct;
                remarks.no_day = invalid.reason == RowProblem::NoDay;
            });
        })?;
        self.remark(|remarks| {
            remarks.day_from_call_id = read.day_from_call_id;
            remarks.other_day = is_of_other_day(&read.key);
        });
        let RecordValues { key, expected, query_date, .. } = read;
        Ok(LedgerRow { line: self.raw.line, key, expected, query_date, carried: self.carried()? })
    }

    /// True if the cell after the CallId seems to hold its second half.
    fn lost_half_of_call_id(&self) -> bool {
        self.next_cell_begins_with_caret()
            && ledger_record::call_id(self).is_ok_and(|call_id| !call_id.contains('^'))
    }

    fn check_width(&self) -> Result<(), InvalidValue> {
        let (wanted, found) = (self.header.width(), self.raw.cells.len());
        if wanted == found {
            return Ok(());
        }
        let advice = if found == wanted + 1 && self.next_cell_begins_with_caret() {
            WidthAdvice::JoinCallId
        } else if self.raw.cells.iter().any(|cell| cell.ends_with(b"\\")) {
            WidthAdvice::NoBackslashes
        } else if self.raw.offset.is_none() {
            // Only a sheet may have more cells than headers. They may have been shifted.
            WidthAdvice::NameColumns
        } else if found < wanted {
            WidthAdvice::AddFields
        } else {
            WidthAdvice::AddQuotes
        };
        let first = self.raw.cells.iter().find_map(|cell| std::str::from_utf8(cell).ok());
        if let Some(reason) = not_a_call::reason(first.map_or("", values::bare), || true) {
            return Err(InvalidValue::new("", &found.to_string(), reason).expecting(wanted.to_string()));
        }
        let reason = RowProblem::WrongWidth { found: found as u64, header: wanted as u64, advice };
        Err(InvalidValue::new("", &found.to_string(), reason).expecting(wanted.to_string()))
    }

    /// True if the cell after the CallId begins with the `^` of a CallId.
    fn next_cell_begins_with_caret(&self) -> bool {
        let next = self.header.column(Field::CallId).and_then(|at| self.raw.cells.get(at + 1));
        next.is_some_and(|cell| cell.trim_ascii_start().starts_with(b"^"))
    }

    /// The trimmed text of a field; `None` if it is empty or the ledger has no such column.
    ///
    /// Of the CallId only white space is removed.
    fn value(&self, field: Field) -> Result<Option<&'a str>, InvalidValue> {
        let Some(cell) = self.header.column(field).and_then(|at| self.cell(at)) else { return Ok(None) };
        let trim = if field == Field::CallId { trimmed } else { values::bare };
        let text = trim(cell.map_err(|bytes| self.invalid_bytes(field.name(), field.name(), bytes))?);
        if let Some(unusable) = self.unusable_cell(field) {
            return Err(InvalidValue::new(field.name(), text, unusable.clone()));
        }
        if self.may_have_lost_characters && text.contains(REPLACEMENT) {
            return Err(InvalidValue::new(field.name(), text, RowProblem::LostCharacters));
        }
        if text.is_empty() {
            return Ok(None);
        }
        if values::is_null(text) {
            self.remark(|remarks| remarks.null = true);
            return Ok(None);
        }
        Ok(Some(text))
    }

    /// Why the cell of a field has no usable value, whatever its text.
    fn unusable_cell(&self, field: Field) -> Option<&'a RowProblem> {
        let mut cells = self.raw.unusable_cells.iter();
        let cell = cells.find(|cell| self.header.column(field) == Some(cell.column))?;
        Some(&cell.reason)
    }

    /// A cell, if the record has it: its text, or its bytes if they are not valid UTF-8.
    fn cell(&self, at: usize) -> Option<Result<&'a str, &'a [u8]>> {
        let cells = self.raw.cells;
        match self.text {
            Some(text) => text.get(cells.range(at)?).map(Ok),
            None => cells.get(at).map(|bytes| std::str::from_utf8(bytes).map_err(|_| bytes)),
        }
    }

    /// The account; `None` if it is no field. Only without a list of accounts it may be empty.
    fn account(&self) -> Result<Option<CompactString>, InvalidValue> {
        if !self.header.has_account {
            return Ok(None);
        }
        let invalid = |text: &str, reason| InvalidValue::new(Field::Account.name(), text, reason);
        let name = match (self.value(Field::Account)?, self.options.accounts.as_slice()) {
            (Some(name), []) => name,
            (None, []) => "",
            (None, [only]) => only,
            (None, _) => return Err(invalid("", RowProblem::NoAccount).expecting("an account")),
            (Some(name), known) if known.binary_search_by(|known| known.as_str().cmp(name)).is_ok() => name,
            (Some(name), _) => return Err(invalid(name, RowProblem::UnknownAccount).expecting("an account")),
        };
        Ok(Some(name.into()))
    }

    fn carried(&self) -> Result<Vec<CompactString>, InvalidValue> {
        let account = self.account()?;
        // A value can be carried if it is text.
        if self.carried == Carried::Checked && self.text.is_some() {
            return Ok(Vec::new());
        }
        let columns = &self.header.carried;
        let before = usize::from(self.header.has_account) + usize::from(self.header.among.is_some());
        let mut carried = Vec::with_capacity(columns.columns.len() + before);
        carried.extend(account);
        carried.extend(self.file());
        for (at, name) in columns.columns.iter().zip(&columns.names) {
            let Some(at) = at else {
                carried.push(CompactString::default());
                continue;
            };
            match self.cell(*at) {
                None => {}
                Some(Ok(text)) => carried.push(text.into()),
                // A carried column holds no field. The reason and the column number name it.
                Some(Err(bytes)) => {
                    let invalid = self.invalid_bytes("", &printable(name), bytes);
                    return Err(InvalidValue { column: Some(*at), ..invalid });
                }
            }
        }
        Ok(carried)
    }

    /// The name of the file, if the ledger has several.
    fn file(&self) -> Option<CompactString> {
        self.header.among.as_ref().map(|among| among.file.clone())
    }

    /// The row's cells for the rejects: of several files in the columns of all of them.
    fn original(&self, is_whole: bool) -> Vec<String> {
        let text = |cell: &[u8]| String::from_utf8_lossy(cell).into_owned();
        match self.header.among.as_ref().filter(|_| is_whole) {
            Some(among) => {
                let cell = |at: &Option<usize>| {
                    at.and_then(|at| self.raw.cells.get(at)).map_or_else(String::new, text)
                };
                among.places.iter().map(cell).collect()
            }
            None => self.own_cells().map(text).collect(),
        }
    }

    fn invalid_bytes(&self, field: &'static str, column: &str, bytes: &[u8]) -> InvalidValue {
        let reason = RowProblem::InvalidBytes { column: column.to_owned(), encoding: self.raw.encoding };
        InvalidValue::new(field, &String::from_utf8_lossy(bytes), reason)
    }

    /// The cells without the reason of an earlier run.
    fn own_cells(&self) -> impl Iterator<Item = &[u8]> {
        let (cells, ignored) = (self.raw.cells, self.header.ignored);
        let ignored = match ignored {
            Some(at) if cells.len() == self.header.width() => Some(at),
            // The reason is at the end of a row with a wrong number of fields.
            Some(_) => cells
                .len()
                .checked_sub(1)
                .filter(|last| cells.get(*last).is_some_and(|cell| cell.starts_with(WRONG_WIDTH.as_bytes()))),
            None => None,
        };
        cells.iter().enumerate().filter(move |(at, _)| Some(*at) != ignored).map(|(_, cell)| cell)
    }

    fn invalid_row(&self, invalid: InvalidValue) -> InvalidRow {
        let call_id = self.value(Field::CallId).ok().flatten();
        let call_id = call_id.filter(|text| values::check_call_id(text).is_ok());
        let lossy = |bytes: &[u8]| CompactString::from_utf8_lossy(bytes);
        let field_column = || Field::named(invalid.field).and_then(|field| self.header.column(field));
        let column = invalid.column.or_else(field_column);
        let (cells, carried) = (self.raw.cells, &self.header.carried.columns);
        // In a row with too many or too few fields the seconds may be another column's.
        let is_whole = self.check_width().is_ok();
        let account = self.header.has_account.then(|| self.value(Field::Account).ok().flatten());
        let account = account.map(|text| CompactString::from(text.unwrap_or_default()));
        InvalidRow {
            line: self.raw.line,
            offset: self.raw.offset,
            column: column.map(|at| at as u64 + 1),
            call_id: call_id.map(str::to_owned),
            field: invalid.field,
            expected: invalid.expected,
            found: invalid.found,
            reason: invalid.reason,
            duration_s: self.seconds(Field::DurationS).ok().flatten().filter(|_| is_whole),
            carried: account
                .into_iter()
                .chain(self.file())
                .chain(carried.iter().map_while(|at| match at {
                    Some(at) => cells.get(*at).map(lossy),
                    None => Some(CompactString::default()),
                }))
                .collect(),
            original: self.original(is_whole),
        }
    }
}

impl Values for RowParser<'_> {
    fn text(&self, field: Field) -> Result<Option<&str>, InvalidValue> {
        self.value(field)
    }

    fn texts(&self) -> impl Iterator<Item = CompactString> {
        let texts = self.raw.cells.iter().filter_map(|cell| std::str::from_utf8(cell).ok());
        texts.map(CompactString::from)
    }

    fn is_only_call_id(&self) -> bool {
        let call_id = self.header.column(Field::CallId);
        let mut others = self.raw.cells.iter().enumerate().filter(|(at, _)| Some(*at) != call_id);
        others.all(|(_, cell)| cell.trim_ascii().is_empty())
    }

    fn time(&self, field: Field) -> Result<Option<LedgerTime>, InvalidValue> {
        let Some(text) = self.value(field)? else { return Ok(None) };
        let parsed = values::time(field.name(), text)?;
        if parsed.is_serial_day {
            self.remark(|remarks| remarks.serial_day = true);
        }
        Ok(Some(parsed.time))
    }
}
