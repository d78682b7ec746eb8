//! Makes a [`Record`] of one CSV record.
//!
//! Pure. Promises that every record becomes exactly one [`Record`], that the first fault in the order of
//! the contract's fields is the one told, and that nothing is altered on the way but white space around
//! the recognized values, and what [`values`] reads as the same.

use std::cell::Cell;

use chrono::NaiveDate;
use compact_str::CompactString;

use super::Options;
use super::fields::Fields;
use super::header::{Field, Header, shown};
use super::values::{self, Fault};
use reconcile_core::call::CallKey;
use reconcile_core::ledger_row::{Expected, InvalidRow, LedgerRow, LedgerTime, Record};
use reconcile_core::product::ProductId;
use reconcile_core::quick_parse::trimmed;

/// What is to be said of a row beside what it says itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Remarks {
    /// Its day came from the CallId alone.
    pub(super) hinted: bool,
    /// One of its times is a spreadsheet's serial day.
    pub(super) serial_day: bool,
    /// One of its values is a database's word for none.
    pub(super) null: bool,
    /// The next column begins with the `^` that the CallId lacks.
    pub(super) split_call_id: bool,
}

/// What stands for characters that a conversion has lost.
const LOST: char = '\u{fffd}';

/// One record with what it takes to read it.
pub(super) struct Source<'a> {
    pub(super) header: &'a Header,
    pub(super) options: &'a Options,
    pub(super) record: &'a Fields,
    /// All its fields behind one another, where that is text: so it is looked through once, and not field by field.
    text: Option<&'a str>,
    /// It has a character that stands for others that were lost.
    has_lost: bool,
    /// Physical line on which the record begins.
    pub(super) line: u64,
    /// Bytes of the unpacked file before it, where that can be said.
    pub(super) offset: Option<u64>,
    /// How the file is encoded.
    pub(super) encoding: &'static str,
    remarks: Cell<Remarks>,
}

impl<'a> Source<'a> {
    pub(super) fn new(
        (header, options, record): (&'a Header, &'a Options, &'a Fields),
        (line, offset): (u64, Option<u64>),
        encoding: &'static str,
    ) -> Self {
        let text = std::str::from_utf8(record.bytes()).ok();
        let has_lost = text.is_none_or(|text| !text.is_ascii() && text.contains(LOST));
        Self { header, options, record, text, has_lost, line, offset, encoding, remarks: Cell::default() }
    }

    /// The record as a [`Record`], and what is to be said of it.
    pub(super) fn read(&self) -> (Record, Remarks) {
        match self.row() {
            Ok(row) => (Record::Row(row), self.remarks.get()),
            Err(fault) => (Record::Invalid(self.invalid(fault)), Remarks::default()),
        }
    }

    fn remark(&self, change: impl FnOnce(&mut Remarks)) {
        let mut remarks = self.remarks.get();
        change(&mut remarks);
        self.remarks.set(remarks);
    }

    fn row(&self) -> Result<LedgerRow, Fault> {
        self.width()?;
        let call_id = self.text(Field::CallId)?.ok_or_else(|| {
            Fault::new(Field::CallId.name(), "", "the row has no CallId; fill it in, or remove the row")
        })?;
        values::call_id(call_id)?;
        if !call_id.contains('^') && self.rest_of_call_id() {
            self.remark(|remarks| remarks.split_call_id = true);
        }
        let prod_id = self.product()?;
        let expected = self.expected()?;
        let query_date = self.time(Field::QueryDate)?;
        let named = expected.called_at.or(query_date).map(LedgerTime::day);
        let day = self.day(named, call_id)?;
        let carried = self.carried()?;
        let key = CallKey { call_id: call_id.to_owned(), prod_id, day };
        Ok(LedgerRow { line: self.line, key, expected, query_date, carried })
    }

    fn width(&self) -> Result<(), Fault> {
        let (wanted, found) = (self.header.width(), self.record.len());
        if wanted == found {
            return Ok(());
        }
        let advice = match found {
            _ if found == wanted + 1 && self.rest_of_call_id() => {
                "the CallId was split at its `^`; join its halves"
            }
            _ if found < wanted => {
                "fields are missing, or a line end inside a value needs quotes around the value"
            }
            _ => "a delimiter inside a value needs quotes around the value",
        };
        let fields = if found == 1 { "field" } else { "fields" };
        let reason = format!("the row has {found} {fields} where the header has {wanted}; {advice}");
        Err(Fault::new("", &found.to_string(), reason).wanted(wanted.to_string()))
    }

    /// Whether the cell behind the CallId's begins with the `^` of a CallId.
    fn rest_of_call_id(&self) -> bool {
        let next = self.header.column(Field::CallId).and_then(|at| self.record.get(at + 1));
        next.is_some_and(|cell| cell.trim_ascii_start().starts_with(b"^"))
    }

    fn product(&self) -> Result<ProductId, Fault> {
        match self.text(Field::ProdId)? {
            Some(text) => values::product(text),
            None => self.options.prod_id.ok_or_else(|| {
                let reason = "no product: the row names none; give one for all such rows with --prod-id";
                Fault::new(Field::ProdId.name(), "", reason).wanted("a product")
            }),
        }
    }

    fn day(&self, named: Option<NaiveDate>, call_id: &str) -> Result<NaiveDate, Fault> {
        if let Some(day) = named.or(self.options.call_date) {
            return Ok(day);
        }
        self.remark(|remarks| remarks.hinted = true);
        values::day_in_call_id(call_id).ok_or_else(|| {
            let reason = "no day: the row has neither called_at nor query_date; give one for all such rows \
                          with --call-date YYYY-MM-DD";
            Fault::new(Field::CalledAt.name(), "", reason).wanted("a time")
        })
    }

    fn expected(&self) -> Result<Expected, Fault> {
        let typed = |field: Field| self.text(field).map(|text| text.map(|text| (field.name(), text)));
        Ok(Expected {
            called_at: self.time(Field::CalledAt)?,
            caller: self.number(Field::Caller)?,
            callee: self.number(Field::Callee)?,
            caller_show_number: self.number(Field::CallerShowNumber)?,
            callee_show_number: self.number(Field::CalleeShowNumber)?,
            state: self.number(Field::State)?,
            answered: typed(Field::Answered)?
                .map(|(name, text)| values::yes_or_no(name, text))
                .transpose()?,
            duration_s: typed(Field::DurationS)?
                .map(|(name, text)| values::seconds(name, text))
                .transpose()?,
            started_at: self.time(Field::StartedAt)?,
            ended_at: self.time(Field::EndedAt)?,
        })
    }

    fn time(&self, field: Field) -> Result<Option<LedgerTime>, Fault> {
        let Some(text) = self.text(field)? else { return Ok(None) };
        let read = values::time(field.name(), text)?;
        if read.serial_day {
            self.remark(|remarks| remarks.serial_day = true);
        }
        Ok(Some(read.time))
    }

    fn number(&self, field: Field) -> Result<Option<CompactString>, Fault> {
        self.text(field)?.map(|text| values::number(field.name(), text)).transpose()
    }

    /// A field's text, trimmed; `None` when it is empty or the ledger has no such column.
    fn text(&self, field: Field) -> Result<Option<&'a str>, Fault> {
        let Some(cell) = self.header.column(field).and_then(|at| self.cell(at)) else { return Ok(None) };
        let text = trimmed(cell.map_err(|bytes| self.damaged(field.name(), field.name(), bytes))?);
        if self.has_lost && text.contains(LOST) {
            let reason = "characters were lost when an earlier program converted this value (they stand here as \
                          \u{fffd}); export it anew from the system it came from";
            return Err(Fault::new(field.name(), text, reason));
        }
        match text {
            "" => Ok(None),
            // What databases write for a value that is not there.
            "\\N" | "NULL" | "null" => {
                self.remark(|remarks| remarks.null = true);
                Ok(None)
            }
            _ => Ok(Some(text)),
        }
    }

    /// A field, if the record has it: its text, or its bytes where they are none.
    fn cell(&self, at: usize) -> Option<Result<&'a str, &'a [u8]>> {
        match self.text {
            Some(text) => text.get(self.record.range(at)?).map(Ok),
            None => self.record.get(at).map(|bytes| std::str::from_utf8(bytes).map_err(|_| bytes)),
        }
    }

    fn carried(&self) -> Result<Vec<CompactString>, Fault> {
        let mut carried = Vec::with_capacity(self.header.carried_at.len());
        for (at, name) in self.header.carried_at.iter().zip(&self.header.carried) {
            match self.cell(*at) {
                None => {}
                Some(Ok(text)) => carried.push(text.into()),
                // A carried column is no field of the contract; the reason and the column name it.
                Some(Err(bytes)) => {
                    return Err(Fault { column: Some(*at), ..self.damaged("", &shown(name), bytes) });
                }
            }
        }
        Ok(carried)
    }

    fn damaged(&self, field: &'static str, shown: &str, bytes: &[u8]) -> Fault {
        let encoding = self.encoding;
        let reason = format!(
            "`{shown}` has bytes that are not valid {encoding} (they stand here as \u{fffd}); export the row anew, \
             or correct it"
        );
        Fault::new(field, &String::from_utf8_lossy(bytes), reason)
    }

    /// The row as one that cannot be used, with what can be said of it.
    fn invalid(&self, fault: Fault) -> InvalidRow {
        let call_id = self.text(Field::CallId).ok().flatten().filter(|text| values::call_id(text).is_ok());
        let lossy = |bytes: &[u8]| CompactString::from_utf8_lossy(bytes);
        let field_column = || Field::named(fault.field).and_then(|field| self.header.column(field));
        let column = fault.column.or_else(field_column);
        InvalidRow {
            line: self.line,
            offset: self.offset,
            column: column.map(|at| at as u64 + 1),
            call_id: call_id.map(str::to_owned),
            field: fault.field,
            expected: fault.expected,
            found: fault.found,
            reason: fault.reason,
            carried: self.header.carried_at.iter().map_while(|at| self.record.get(*at).map(lossy)).collect(),
            original: self.record.iter().map(|cell| lossy(cell).into()).collect(),
        }
    }
}
