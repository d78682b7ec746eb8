//! Makes a [`Record`] of one CSV record.
//!
//! Pure. Promises that every record becomes exactly one [`Record`], that the first fault in the order of
//! the contract's fields is the one told, and that nothing is altered on the way but white space around
//! the recognized values.

use super::Options;
use super::header::{Field, Header, shown};
use super::values::{self, Fault};
use crate::call::{CallKey, Expected, InvalidRow, LedgerRow, LedgerTime, ProductId, Record};
use chrono::NaiveDate;
use csv::ByteRecord;

/// One record with what it takes to read it.
pub(super) struct Source<'a> {
    pub(super) header: &'a Header,
    pub(super) options: &'a Options,
    pub(super) record: &'a ByteRecord,
    /// Physical line on which the record begins.
    pub(super) line: u64,
}

impl<'a> Source<'a> {
    /// The record as a [`Record`], and whether its day came from the CallId alone.
    pub(super) fn read(&self) -> (Record, bool) {
        match self.row() {
            Ok((row, hinted)) => (Record::Row(row), hinted),
            Err(fault) => (Record::Invalid(self.invalid(fault)), false),
        }
    }

    fn row(&self) -> Result<(LedgerRow, bool), Fault> {
        self.width()?;
        let call_id = self.text(Field::CallId)?.ok_or_else(|| {
            Fault::new(Field::CallId.name(), "", "the row has no CallId; fill it in, or remove the row")
        })?;
        values::call_id(call_id)?;
        let prod_id = self.product()?;
        let expected = self.expected()?;
        let query_date = self.time(Field::QueryDate)?;
        let named = expected.called_at.or(query_date).map(LedgerTime::day);
        let (day, hinted) = self.day(named, call_id)?;
        let carried = self.carried()?;
        let key = CallKey { call_id: call_id.to_owned(), prod_id, day };
        Ok((LedgerRow { line: self.line, key, expected, query_date, carried }, hinted))
    }

    fn width(&self) -> Result<(), Fault> {
        let (wanted, found) = (self.header.width, self.record.len());
        if wanted == found {
            return Ok(());
        }
        let reason = format!(
            "the row has {found} fields where the header has {wanted}; a comma inside a value needs quotes \
             around it"
        );
        Err(Fault::new("", &found.to_string(), reason).wanted(wanted.to_string()))
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

    fn day(&self, named: Option<NaiveDate>, call_id: &str) -> Result<(NaiveDate, bool), Fault> {
        if let Some(day) = named.or(self.options.call_date) {
            return Ok((day, false));
        }
        values::day_in_call_id(call_id).map(|day| (day, true)).ok_or_else(|| {
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
            state: self.text(Field::State)?.map(str::to_owned),
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
        self.text(field)?.map(|text| values::time(field.name(), text)).transpose()
    }

    fn number(&self, field: Field) -> Result<Option<String>, Fault> {
        self.text(field)?.map(|text| values::number(field.name(), text)).transpose()
    }

    /// A field's text, trimmed; `None` when it is empty or the ledger has no such column.
    fn text(&self, field: Field) -> Result<Option<&'a str>, Fault> {
        let Some(bytes) = self.header.column(field).and_then(|at| self.record.get(at)) else {
            return Ok(None);
        };
        let text =
            std::str::from_utf8(bytes).map_err(|_| not_utf8(field.name(), field.name(), bytes))?.trim();
        Ok((!text.is_empty()).then_some(text))
    }

    fn carried(&self) -> Result<Vec<String>, Fault> {
        let columns = self.header.carried_at.iter().zip(&self.header.carried);
        let cells = columns.filter_map(|(at, name)| self.record.get(*at).map(|bytes| (bytes, name)));
        cells
            .map(|(bytes, name)| match std::str::from_utf8(bytes) {
                Ok(text) => Ok(text.to_owned()),
                // A carried column is no field of the contract; only the reason can name it.
                Err(_) => Err(not_utf8("", &shown(name), bytes)),
            })
            .collect()
    }

    /// The row as one that cannot be used, with what can be said of it.
    fn invalid(&self, fault: Fault) -> InvalidRow {
        let call_id = self.text(Field::CallId).ok().flatten().filter(|text| values::call_id(text).is_ok());
        let lossy =
            |at: &usize| self.record.get(*at).map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        InvalidRow {
            line: self.line,
            call_id: call_id.map(str::to_owned),
            field: fault.field,
            expected: fault.expected,
            found: fault.found,
            reason: fault.reason,
            carried: self.header.carried_at.iter().map_while(lossy).collect(),
        }
    }
}

fn not_utf8(field: &'static str, shown: &str, bytes: &[u8]) -> Fault {
    let reason = format!(
        "`{shown}` is not valid UTF-8 (the bytes that are not stand here as \u{fffd}); save the ledger as \
         UTF-8"
    );
    Fault::new(field, &String::from_utf8_lossy(bytes), reason)
}
