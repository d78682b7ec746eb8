//! The ledger: one row for each call that the company believes it made.

use arrow_array::{
    Array as _, ArrayRef, BooleanArray, Date32Array, Int64Array, RecordBatch, TimestampMicrosecondArray,
    cast::AsArray as _,
};
use arrow_schema::{DataType, FieldRef};
use chrono::{DateTime, Datelike as _, TimeDelta, Utc};
use compact_str::CompactString;
use reconcile_core::calendar::PROVIDER_OFFSET_S;
use reconcile_core::ledger_field::{FIELD_COUNT, Field, Match};
use reconcile_core::ledger_record::{self, Defaults, Values, product_and_day};
use reconcile_core::ledger_row::{InvalidRow, LedgerRow, LedgerTime, Record};
use reconcile_core::ledger_times::YEARS;
use reconcile_core::ledger_values::{self, InvalidValue};
use reconcile_core::product::ProductId;
use reconcile_core::quick_parse::trimmed;
use reconcile_core::row_problem::RowProblem;

use crate::answers::Key;
use crate::arrays::{self, Texts};
use crate::error::{Input, InputError};

/// The names of the column with the line of each row.
const LINE: [&str; 2] = ["line", "ledger_line"];
/// The outputs' name for the day, which answers have, too.
const DAY: &str = "call_date";
/// The column of the rejects that says why a row is unusable.
const REASON: &str = "reconcile_reason";
/// The line of the first row, without a column of lines: the header is line 1.
const FIRST_LINE: u64 = 2;
/// The beginning of the output names of carried columns.
const CARRIED: &str = "ledger_";
/// The character that replaces characters which a conversion lost.
const REPLACEMENT: char = '\u{fffd}';

/// The values of a field.
enum Column {
    Texts(Texts),
    Integers(Int64Array),
    Booleans(BooleanArray),
    Times { micros: TimestampMicrosecondArray, has_zone: bool },
    Days(Date32Array),
}

/// A column that holds no field. It goes to the outputs.
pub(crate) struct Carried {
    /// Its name in the outputs.
    pub(crate) name: String,
    pub(crate) field: FieldRef,
    pub(crate) array: ArrayRef,
}

/// The columns of a ledger.
pub(crate) struct Ledger {
    pub(crate) rows: usize,
    defaults: Defaults,
    columns: [Option<Column>; FIELD_COUNT],
    /// The place of each field's column, from 1, without the column of lines.
    places: [Option<u64>; FIELD_COUNT],
    lines: Option<Int64Array>,
    /// All columns but that of the lines.
    all: Vec<ArrayRef>,
    pub(crate) carried: Vec<Carried>,
    /// The names of the carried columns.
    pub(crate) carried_names: Vec<String>,
}

impl Ledger {
    /// Finds the columns.
    ///
    /// # Errors
    ///
    /// The CallId is missing, two columns are the same field, a type cannot be read, or a row has
    /// no line.
    pub(crate) fn open(batch: &RecordBatch, defaults: Defaults) -> Result<Self, InputError> {
        let mut ledger = Self {
            rows: batch.num_rows(),
            defaults,
            columns: [const { None }; FIELD_COUNT],
            places: [None; FIELD_COUNT],
            lines: None,
            all: Vec::new(),
            carried: Vec::new(),
            carried_names: Vec::new(),
        };
        let schema = batch.schema();
        let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        let fields = fields(&names)?;
        for ((field, array), of) in schema.fields().iter().zip(batch.columns()).zip(fields) {
            ledger.add_column(field, array, of)?;
        }
        if ledger.columns[Field::CallId as usize].is_none() {
            let what = format!("there is no such column; the columns are {}", names.join(", "));
            return Err(InputError::column(Input::Ledger, Field::CallId.name(), what));
        }
        Ok(ledger)
    }

    fn add_column(
        &mut self,
        field: &FieldRef,
        array: &ArrayRef,
        of: Option<Field>,
    ) -> Result<(), InputError> {
        let name = field.name();
        if LINE.contains(&name.as_str()) {
            if self.lines.is_some() {
                return Err(InputError::column(Input::Ledger, name, "two columns are the line; remove one"));
            }
            self.lines = Some(lines(name, array)?);
            return Ok(());
        }
        let plain = arrays::plain(array).map_err(|what| InputError::column(Input::Ledger, name, what))?;
        self.all.push(plain);
        if let Some(of) = of {
            self.places[of as usize] = Some(self.all.len() as u64);
            self.columns[of as usize] = Some(typed(of, name, array)?);
        } else if name != REASON {
            let carried = if name.starts_with(CARRIED) { name.clone() } else { format!("{CARRIED}{name}") };
            if self.carried_names.contains(&carried) {
                let what = format!("two columns become {carried} in the outputs; rename one");
                return Err(InputError::column(Input::Ledger, name, what));
            }
            self.carried_names.push(carried.clone());
            self.carried.push(Carried { name: carried, field: field.clone(), array: array.clone() });
        }
        Ok(())
    }

    /// The rows in the order of their lines.
    pub(crate) fn in_order(&self) -> Vec<usize> {
        let mut rows: Vec<usize> = (0..self.rows).collect();
        if let Some(lines) = &self.lines
            && !lines.values().is_sorted()
        {
            rows.sort_by_key(|row| lines.value(*row));
        }
        rows
    }

    fn line(&self, row: usize) -> u64 {
        self.lines.as_ref().map_or(row as u64 + FIRST_LINE, |lines| lines.value(row).cast_unsigned())
    }

    /// True for a row without any value. It is passed over, like an empty line.
    pub(crate) fn is_empty(&self, row: usize) -> bool {
        self.all.iter().all(|column| is_empty(column, row))
    }

    /// The call that a row names; `None` if it is unusable because of its key.
    pub(crate) fn key(&self, row: usize) -> Option<Key<'_>> {
        let values = RowValues { ledger: self, row };
        ledger_record::call_id(&values).ok()?;
        let call_id = self.call_id(row)?;
        let (prod_id, day) = product_and_day(&values, call_id, &self.defaults)?;
        Some((call_id, prod_id.0, day.num_days_from_ce()))
    }

    fn call_id(&self, row: usize) -> Option<&str> {
        match &self.columns[Field::CallId as usize] {
            Some(Column::Texts(texts)) => texts.get(row).map(trimmed),
            _ => None,
        }
    }

    /// Reads a row, without its carried columns.
    pub(crate) fn record(&self, row: usize) -> Record {
        let values = RowValues { ledger: self, row };
        match ledger_record::read(&values, &self.defaults) {
            Ok(read) => Record::Row(LedgerRow {
                line: self.line(row),
                key: read.key,
                expected: read.expected,
                query_date: read.query_date,
                carried: Vec::new(),
            }),
            Err(invalid) => Record::Invalid(values.invalid_row(invalid)),
        }
    }

    /// The carried columns as texts.
    ///
    /// # Errors
    ///
    /// A value cannot be shown.
    pub(crate) fn carried_texts(&self) -> Result<Vec<Texts>, InputError> {
        let shown = self.carried.iter().map(|carried| {
            arrays::shown(&carried.array)
                .map_err(|error| InputError::column(Input::Ledger, carried.field.name(), error))
        });
        shown.collect()
    }
}

/// The field of each column. A column with the name of the contract comes before other names; a
/// second column of the same field is carried.
fn fields(names: &[&str]) -> Result<Vec<Option<Field>>, InputError> {
    let matching = |name: &&str| match *name {
        DAY => Some((Field::QueryDate, Match::Synonym)),
        name if LINE.contains(&name) => None,
        name => Field::matching(name),
    };
    let found: Vec<Option<(Field, Match)>> = names.iter().map(matching).collect();
    let mut fields: Vec<Option<Field>> = vec![None; names.len()];
    for field in Field::all() {
        let matching: Vec<(usize, Match)> = (0..names.len())
            .filter_map(|at| found[at].filter(|(other, _)| *other == field).map(|(_, how)| (at, how)))
            .collect();
        let own = matching.iter().find(|(at, _)| names[*at] == field.name());
        let best = own.or_else(|| matching.iter().min_by_key(|(_, how)| *how));
        let Some(&(at, how)) = best else { continue };
        let mut equal = matching.iter().filter(|(other, other_how)| *other != at && *other_how == how);
        if own.is_none()
            && let Some((other, _)) = equal.next()
        {
            let what = format!("{} is the same field, {}; rename one of them", names[*other], field.name());
            return Err(InputError::column(Input::Ledger, names[at], what));
        }
        fields[at] = Some(field);
    }
    Ok(fields)
}

/// The values of a field's column.
fn typed(field: Field, name: &str, array: &ArrayRef) -> Result<Column, InputError> {
    let failed = |error: &dyn std::fmt::Display| InputError::column(Input::Ledger, name, error.to_string());
    let array = arrays::plain(array).map_err(|error| failed(&error))?;
    let is_time = Field::TIMES.contains(&field);
    Ok(match array.data_type() {
        DataType::Boolean if field == Field::Answered => Column::Booleans(array.as_boolean().clone()),
        DataType::Timestamp(_, zone) if is_time => {
            let micros = arrays::microseconds(&array).map_err(|error| failed(&error))?;
            Column::Times { micros, has_zone: zone.is_some() }
        }
        DataType::Date32 | DataType::Date64 if is_time => match arrays::days(&array) {
            Some(days) => Column::Days(days),
            None => return Err(failed(&"it has a day outside the calendar; make it a text")),
        },
        kind if kind.is_integer() && matches!(field, Field::ProdId | Field::DurationS) => {
            match arrays::integers(&array) {
                Some(integers) => Column::Integers(integers),
                None => Column::Texts(arrays::texts(&array).map_err(|error| failed(&error))?),
            }
        }
        _ => Column::Texts(arrays::texts(&array).map_err(|error| failed(&error))?),
    })
}

fn lines(name: &str, array: &ArrayRef) -> Result<Int64Array, InputError> {
    let failed = |what: String| InputError::column(Input::Ledger, name, what);
    let array = arrays::plain(array).map_err(failed)?;
    let lines = arrays::integers(&array)
        .ok_or_else(|| failed(format!("it has the type {}; make it a whole number", array.data_type())))?;
    match (0..lines.len()).find(|row| lines.is_null(*row) || lines.value(*row) < 0) {
        None => Ok(lines),
        Some(row) => Err(InputError::value(Input::Ledger, row, name, "the row has no line; number all rows")),
    }
}

/// True for null, and for a text without any character but white space and byte order marks.
fn is_empty(column: &ArrayRef, row: usize) -> bool {
    let is_blank = |text: &str| text.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}').is_empty();
    column.is_null(row) || Texts::of(column).is_some_and(|texts| texts.get(row).is_none_or(is_blank))
}

/// The values of a row.
struct RowValues<'a> {
    ledger: &'a Ledger,
    row: usize,
}

impl RowValues<'_> {
    fn column(&self, field: Field) -> Option<&Column> {
        self.ledger.columns[field as usize].as_ref()
    }

    fn invalid_row(&self, invalid: InvalidValue) -> InvalidRow {
        let call_id = self.text(Field::CallId).ok().flatten();
        let call_id = call_id.filter(|text| ledger_values::check_call_id(text).is_ok());
        let column = Field::named(invalid.field).and_then(|field| self.ledger.places[field as usize]);
        InvalidRow {
            line: self.ledger.line(self.row),
            offset: None,
            column,
            call_id: call_id.map(str::to_owned),
            field: invalid.field,
            expected: invalid.expected,
            found: invalid.found,
            reason: invalid.reason,
            duration_s: self.seconds(Field::DurationS).ok().flatten(),
            carried: Vec::new(),
            original: Vec::new(),
        }
    }
}

impl Values for RowValues<'_> {
    fn text(&self, field: Field) -> Result<Option<&str>, InvalidValue> {
        let Some(Column::Texts(texts)) = self.column(field) else { return Ok(None) };
        let Some(cell) = texts.get(self.row) else { return Ok(None) };
        let text = if field == Field::CallId { trimmed(cell) } else { ledger_values::bare(cell) };
        if !text.is_ascii() && text.contains(REPLACEMENT) {
            return Err(InvalidValue::new(field.name(), text, RowProblem::LostCharacters));
        }
        Ok(Some(text).filter(|text| !text.is_empty() && !ledger_values::is_null(text)))
    }

    fn texts(&self) -> impl Iterator<Item = CompactString> {
        let columns = self.ledger.all.iter().filter_map(Texts::of);
        columns.filter_map(|texts| texts.get(self.row).map(CompactString::from))
    }

    fn is_only_call_id(&self) -> bool {
        let call_id = self.ledger.places[Field::CallId as usize];
        let mut others = (1_u64..).zip(&self.ledger.all).filter(|(place, _)| Some(*place) != call_id);
        others.all(|(_, column)| is_empty(column, self.row))
    }

    fn product(&self) -> Result<Option<ProductId>, InvalidValue> {
        match self.column(Field::ProdId) {
            Some(Column::Integers(ids)) if ids.is_null(self.row) => Ok(None),
            Some(Column::Integers(ids)) => match ids.value(self.row) {
                id @ 1.. => Ok(Some(ProductId(id))),
                id => ledger_values::product(&id.to_string()).map(Some),
            },
            _ => self.text(Field::ProdId)?.map(ledger_values::product).transpose(),
        }
    }

    fn yes_or_no(&self, field: Field) -> Result<Option<bool>, InvalidValue> {
        match self.column(field) {
            Some(Column::Booleans(values)) => Ok(values.is_valid(self.row).then(|| values.value(self.row))),
            _ => self.text(field)?.map(|text| ledger_values::yes_or_no(field.name(), text)).transpose(),
        }
    }

    fn seconds(&self, field: Field) -> Result<Option<i64>, InvalidValue> {
        match self.column(field) {
            Some(Column::Integers(values)) if values.is_null(self.row) => Ok(None),
            Some(Column::Integers(values)) => match values.value(self.row) {
                seconds @ 0.. => Ok(Some(seconds)),
                seconds => ledger_values::seconds(field.name(), &seconds.to_string()).map(Some),
            },
            _ => self.text(field)?.map(|text| ledger_values::seconds(field.name(), text)).transpose(),
        }
    }

    fn time(&self, field: Field) -> Result<Option<LedgerTime>, InvalidValue> {
        let parsed = |text: &str| ledger_values::time(field.name(), text).map(|parsed| Some(parsed.time));
        match self.column(field) {
            Some(Column::Times { micros, has_zone }) => {
                if micros.is_null(self.row) {
                    return Ok(None);
                }
                let micros = micros.value(self.row);
                match instant(micros, *has_zone) {
                    Some(at) => Ok(Some(LedgerTime::Instant(at))),
                    None => parsed(&arrays::time_text(micros, *has_zone)),
                }
            }
            Some(Column::Days(days)) => {
                if days.is_null(self.row) {
                    return Ok(None);
                }
                match arrays::day(days, self.row) {
                    Some(day) if YEARS.contains(&day.year()) => Ok(Some(LedgerTime::Day(day))),
                    Some(day) => parsed(&day.to_string()),
                    None => parsed(&format!("{} days after 1970-01-01", days.value(self.row))),
                }
            }
            _ => self.text(field)?.map_or(Ok(None), parsed),
        }
    }
}

/// A time of the ledger, rounded down to whole seconds; `None` in an implausible year. Without a
/// zone it is in UTC+8.
fn instant(micros: i64, has_zone: bool) -> Option<DateTime<Utc>> {
    let at = DateTime::from_timestamp(micros.div_euclid(1_000_000), 0)?;
    let offset = TimeDelta::seconds(PROVIDER_OFFSET_S.into());
    let (at, local) = if has_zone { (at, at + offset) } else { (at - offset, at) };
    YEARS.contains(&local.year()).then_some(at)
}
