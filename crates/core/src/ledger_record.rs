//! What a record of a ledger names and expects, from the values of its fields.
//!
//! If several values are invalid, the first one in the order of the contract's fields is reported.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use compact_str::CompactString;

use crate::calendar::day_of;
use crate::call::{CallKey, called_at_of};
use crate::ledger_field::Field;
use crate::ledger_row::{Expected, LedgerTime};
use crate::ledger_values::{self, InvalidValue};
use crate::not_a_call;
use crate::product::ProductId;
use crate::row_problem::{CallIdProblem, RowProblem};

/// The values of a record. `None` is an empty value.
pub trait Values {
    /// The text of a field, without what is around it; of the CallId, without white space only.
    ///
    /// # Errors
    /// The value cannot be used, whatever its field.
    fn text(&self, field: Field) -> Result<Option<&str>, InvalidValue>;

    /// All values as text, in the order of the columns.
    fn texts(&self) -> impl Iterator<Item = CompactString>;

    /// True if all values but the CallId are empty.
    fn is_only_call_id(&self) -> bool;

    /// The product.
    ///
    /// # Errors
    /// The value is no product.
    fn product(&self) -> Result<Option<ProductId>, InvalidValue> {
        self.text(Field::ProdId)?.map(ledger_values::product).transpose()
    }

    /// A phone number or a code.
    ///
    /// # Errors
    /// A spreadsheet changed the value.
    fn number_text(&self, field: Field) -> Result<Option<CompactString>, InvalidValue> {
        self.text(field)?.map(|text| ledger_values::number_text(field.name(), text)).transpose()
    }

    /// A yes or no.
    ///
    /// # Errors
    /// The value is neither.
    fn yes_or_no(&self, field: Field) -> Result<Option<bool>, InvalidValue> {
        self.text(field)?.map(|text| ledger_values::yes_or_no(field.name(), text)).transpose()
    }

    /// A number of seconds.
    ///
    /// # Errors
    /// The value is no whole number, or negative.
    fn seconds(&self, field: Field) -> Result<Option<i64>, InvalidValue> {
        self.text(field)?.map(|text| ledger_values::seconds(field.name(), text)).transpose()
    }

    /// A time or a day.
    ///
    /// # Errors
    /// The value is neither.
    fn time(&self, field: Field) -> Result<Option<LedgerTime>, InvalidValue> {
        Ok(self
            .text(field)?
            .map(|text| ledger_values::time(field.name(), text))
            .transpose()?
            .map(|at| at.time))
    }
}

/// What holds for rows that do not say it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Defaults {
    /// Product of rows without one.
    pub prod_id: Option<ProductId>,
    /// Day (UTC+8) of rows without a time.
    pub call_date: Option<NaiveDate>,
}

/// What a usable record says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordValues {
    /// The call it names.
    pub key: CallKey,
    /// What it expects of the call.
    pub expected: Expected,
    /// The day to ask for; never compared.
    pub query_date: Option<LedgerTime>,
    /// True if only the CallId gives the day.
    pub day_from_call_id: bool,
}

/// Reads a record.
///
/// # Errors
/// The first value that cannot be used.
pub fn read(values: &impl Values, defaults: &Defaults) -> Result<RecordValues, InvalidValue> {
    let call_id = call_id(values)?;
    let prod_id = values.product()?.or(defaults.prod_id).ok_or_else(|| {
        InvalidValue::new(Field::ProdId.name(), "", RowProblem::NoProduct).expecting("a product")
    })?;
    let expected = expected(values)?;
    let query_date = values.time(Field::QueryDate)?;
    let named = named_day(expected.called_at.or(query_date), defaults);
    let day = named.or_else(|| called_at_of(call_id).map(day_of)).ok_or_else(|| {
        InvalidValue::new(Field::CalledAt.name(), "", RowProblem::NoDay).expecting("a time")
    })?;
    let key = CallKey { call_id: call_id.to_owned(), prod_id, day };
    Ok(RecordValues { key, expected, query_date, day_from_call_id: named.is_none() })
}

/// The product and the day of a record with this CallId; `None` if [`read`] fails because of them.
#[must_use]
pub fn product_and_day(
    values: &impl Values,
    call_id: &str,
    defaults: &Defaults,
) -> Option<(ProductId, NaiveDate)> {
    let prod_id = values.product().ok()?.or(defaults.prod_id)?;
    let called_at = values.time(Field::CalledAt).ok()?;
    let query_date = values.time(Field::QueryDate).ok()?;
    let named = named_day(called_at.or(query_date), defaults);
    Some((prod_id, named.or_else(|| called_at_of(call_id).map(day_of))?))
}

fn named_day(at: Option<LedgerTime>, defaults: &Defaults) -> Option<NaiveDate> {
    at.map(LedgerTime::day).or(defaults.call_date)
}

/// The CallId of a record.
///
/// # Errors
/// The record has none, or names no call.
pub fn call_id(values: &impl Values) -> Result<&str, InvalidValue> {
    let name = Field::CallId.name();
    let call_id = values.text(Field::CallId)?.ok_or_else(|| {
        let reason = not_a_call::reason_without_call_id(values.texts());
        InvalidValue::new(name, "", reason.unwrap_or(RowProblem::CallId(CallIdProblem::Missing)))
    })?;
    if let Some(reason) = not_a_call::reason(call_id, || values.is_only_call_id()) {
        return Err(InvalidValue::new(name, call_id, reason));
    }
    ledger_values::check_call_id(call_id)?;
    Ok(call_id)
}

fn expected(values: &impl Values) -> Result<Expected, InvalidValue> {
    Ok(Expected {
        called_at: values.time(Field::CalledAt)?,
        caller: values.number_text(Field::Caller)?,
        callee: values.number_text(Field::Callee)?,
        caller_show_number: values.number_text(Field::CallerShowNumber)?,
        callee_show_number: values.number_text(Field::CalleeShowNumber)?,
        state: values.number_text(Field::State)?,
        answered: values.yes_or_no(Field::Answered)?,
        duration_s: values.seconds(Field::DurationS)?,
        started_at: values.time(Field::StartedAt)?,
        ended_at: values.time(Field::EndedAt)?,
    })
}

/// True if the CallId contains a time that lies more than ten minutes before or after this day
/// (UTC+8). Nearer calls are looked up on both days.
#[must_use]
pub fn is_of_other_day(key: &CallKey) -> bool {
    const NEAR: TimeDelta = TimeDelta::minutes(10);
    let is_far = |at: DateTime<Utc>| [at, at - NEAR, at + NEAR].iter().all(|at| day_of(*at) != key.day);
    called_at_of(&key.call_id).is_some_and(is_far)
}
