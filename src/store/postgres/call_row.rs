//! Reads a row of the table `call`.

use postgres::Row;
use reconcile_core::answer::{AnswerKind, NewAnswer, StoredAnswer, StoredCall};
use reconcile_core::call::CallKey;
use reconcile_core::product::ProductId;

use super::values::{self, Day};
use crate::store::call_row::{AnswerCheck, CallRow};
use crate::store::units::time_of;

/// The columns that [`read`] reads, in this order.
pub(super) const COLUMNS: &str = "call_no, call_id, prod_id, call_date, attempts, answer, session_no, fetched_at, \
                                  found_date, next_date, request_id, code, message, data, checksum";

/// Reads a row of [`COLUMNS`].
pub(super) fn read(row: &Row) -> Result<CallRow, postgres::Error> {
    let key = key_of(row)?;
    let answer = answer_of(row)?;
    let has_answer = row.try_get::<_, Option<&str>>(5)?.is_some();
    let check = AnswerCheck { has_answer, fetched_at_us: row.try_get(7)?, checksum: row.try_get(14)? };
    let is_whole = check.is_whole(Some(&key), answer.as_ref());
    let stored = StoredCall { attempts: row.try_get(4)?, answer, receipt: None };
    Ok(CallRow { call_no: row.try_get(0)?, key: Some(key), stored, is_whole })
}

/// The key in a row of [`COLUMNS`].
pub(super) fn key_of(row: &Row) -> Result<CallKey, postgres::Error> {
    Ok(CallKey {
        call_id: values::read(row.try_get(1)?).into_owned(),
        prod_id: ProductId(row.try_get(2)?),
        day: row.try_get::<_, Day>(3)?.0,
    })
}

/// The answer in a row of [`COLUMNS`]; `None` if there is none, or a column that it needs is empty.
pub(super) fn answer_of(row: &Row) -> Result<Option<StoredAnswer>, postgres::Error> {
    let kind = row.try_get::<_, Option<&str>>(5)?.and_then(AnswerKind::parse);
    let (session_no, fetched_at): (Option<i64>, Option<i64>) = (row.try_get(6)?, row.try_get(7)?);
    let found_date: Option<Day> = row.try_get(8)?;
    let (Some(kind), Some(session_no), Some(fetched_at), Some(found_date)) =
        (kind, session_no, fetched_at, found_date)
    else {
        return Ok(None);
    };
    let text = |column: usize| -> Result<_, postgres::Error> {
        Ok(row.try_get::<_, Option<&str>>(column)?.map(values::read))
    };
    Ok(Some(StoredAnswer {
        answer: NewAnswer {
            kind,
            found_date: found_date.0,
            next_date: row.try_get::<_, Option<Day>>(9)?.map(|day| day.0),
            request_id: text(10)?.map(Into::into),
            code: text(11)?.unwrap_or_default().into(),
            message: text(12)?.unwrap_or_default().into(),
            data: text(13)?.map(Into::into),
        },
        fetched_at: time_of(fetched_at),
        session_no,
    }))
}
