//! The provider's answers, as `reconcile export` writes them.

use arrow_array::{Array as _, Date32Array, Int64Array, RecordBatch, TimestampMicrosecondArray};
use chrono::{DateTime, Datelike as _, NaiveDate, Utc};
use hashbrown::HashMap;
use reconcile_core::answer::{AnswerKind, MALFORMED, NewAnswer, StoredAnswer, StoredCall};
use reconcile_core::call::CallKey;
use reconcile_core::product::ProductId;

use crate::arrays::{self, Texts};
use crate::columns::Columns;
use crate::error::{Input, InputError};

/// The code of an answer without an error.
const OK: &str = "OK";

/// CallId, product and day.
pub(crate) type Key<'a> = (&'a str, i64, i32);

/// The columns of the answers.
pub(crate) struct Answers {
    pub(crate) rows: usize,
    pub(crate) call_id: Texts,
    pub(crate) prod_id: Int64Array,
    call_date: Date32Array,
    code: Texts,
    message: Texts,
    pub(crate) data: Texts,
    pub(crate) request_id: Texts,
    pub(crate) fetched_at: TimestampMicrosecondArray,
    pub(crate) attempts: Int64Array,
    answer: Option<Texts>,
    found_date: Option<Date32Array>,
}

impl Answers {
    /// Finds the columns.
    ///
    /// # Errors
    ///
    /// A column is missing or has another type.
    pub(crate) fn open(batch: &RecordBatch) -> Result<Self, InputError> {
        let columns = Columns::new(batch, Input::Answers);
        Ok(Self {
            rows: batch.num_rows(),
            call_id: columns.texts("call_id")?,
            prod_id: columns.integers("prod_id")?,
            call_date: columns.days("call_date")?,
            code: columns.texts("code")?,
            message: columns.texts("message")?,
            data: columns.texts("data")?,
            request_id: columns.texts("request_id")?,
            fetched_at: columns.times("fetched_at")?,
            attempts: columns.integers("attempts")?,
            answer: columns.has("answer").then(|| columns.texts("answer")).transpose()?,
            found_date: columns.has("found_date").then(|| columns.days("found_date")).transpose()?,
        })
    }

    /// The newest answer of each call.
    ///
    /// # Errors
    ///
    /// An answer has no key or no time.
    pub(crate) fn by_call(&self) -> Result<HashMap<Key<'_>, usize>, InputError> {
        let mut newest = HashMap::with_capacity(self.rows);
        for row in 0..self.rows {
            let Some((key, _)) = self.key(row)? else { continue };
            newest
                .entry(key)
                .and_modify(|other| {
                    if self.fetched_at.value(row) >= self.fetched_at.value(*other) {
                        *other = row;
                    }
                })
                .or_insert(row);
        }
        Ok(newest)
    }

    /// The call of a row, and its day; `None` for a row without a key, such as a join makes for a
    /// call without an answer.
    ///
    /// # Errors
    ///
    /// A part of the key is missing, or the time.
    pub(crate) fn key(&self, row: usize) -> Result<Option<(Key<'_>, NaiveDate)>, InputError> {
        let prod_id = self.prod_id.is_valid(row).then(|| self.prod_id.value(row));
        let (call_id, day) = (self.call_id.get(row), arrays::day(&self.call_date, row));
        if call_id.is_none() && prod_id.is_none() && self.call_date.is_null(row) {
            return Ok(None);
        }
        let missing =
            |column| InputError::value(Input::Answers, row, column, "the answer has none; fill it in");
        let call_id = call_id.ok_or_else(|| missing("call_id"))?;
        let prod_id = prod_id.ok_or_else(|| missing("prod_id"))?;
        let day = day.ok_or_else(|| missing("call_date"))?;
        if self.fetched_at(row).is_none() {
            return Err(missing("fetched_at"));
        }
        Ok(Some(((call_id, prod_id, day.num_days_from_ce()), day)))
    }

    /// What the store knew of the call of a row, of this day.
    ///
    /// # Errors
    ///
    /// The kind of the answer is unknown.
    pub(crate) fn stored(&self, row: usize, day: NaiveDate) -> Result<StoredCall, InputError> {
        let code = self.code.get(row).unwrap_or_default();
        let data = self.data.get(row);
        let kind = match self.answer.as_ref().and_then(|words| words.get(row)) {
            Some(word) => AnswerKind::parse(word).ok_or_else(|| {
                let what = format!(
                    "{word:?} is no kind of answer; write final, interim, no_record, malformed, \
                                    rejected or exhausted"
                );
                InputError::value(Input::Answers, row, "answer", what)
            })?,
            None if code == MALFORMED => AnswerKind::Malformed,
            None if !code.is_empty() && code != OK => AnswerKind::Rejected,
            None if data.is_some() => AnswerKind::Final,
            None => AnswerKind::NoRecord,
        };
        let found_date = self.found_date.as_ref().and_then(|days| arrays::day(days, row));
        let answer = NewAnswer {
            kind,
            found_date: found_date.unwrap_or(day),
            next_date: None,
            request_id: self.request_id.get(row).map(str::to_owned),
            code: code.into(),
            message: self.message.get(row).unwrap_or_default().into(),
            data: data.map(str::to_owned),
        };
        let fetched_at = self.fetched_at(row).unwrap_or_default();
        let attempts = if self.attempts.is_valid(row) { self.attempts.value(row) } else { 0 };
        Ok(StoredCall {
            attempts,
            answer: Some(StoredAnswer { answer, fetched_at, session_no: 0 }),
            receipt: None,
        })
    }

    fn fetched_at(&self, row: usize) -> Option<DateTime<Utc>> {
        let micros = self.fetched_at.is_valid(row).then(|| self.fetched_at.value(row))?;
        DateTime::from_timestamp_micros(micros)
    }
}

/// The call of a key.
pub(crate) fn call_key((call_id, prod_id, _): Key<'_>, day: NaiveDate) -> CallKey {
    CallKey { call_id: call_id.to_owned(), prod_id: ProductId(prod_id), day }
}
