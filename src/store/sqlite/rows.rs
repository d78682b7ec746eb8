//! A call as it lies in the store, and how one row of the table is read. Owns the list of its columns.

use chrono::{DateTime, NaiveDate};
use compact_str::CompactString;
use rusqlite::Row;

use super::checksum::checksum;
use reconcile_core::answer::{AnswerKind, NewAnswer, StoredAnswer, StoredCall};
use reconcile_core::call::CallKey;
use reconcile_core::product::ProductId;
use reconcile_core::quick_parse;

/// The columns of `call` that the functions below read, in their order.
pub(super) const COLUMNS: &str = "call_no, call_id, prod_id, call_date, attempts, answer, session_no, fetched_at, \
                                  found_date, next_date, request_id, code, message, data, checksum";

/// A call with whatever answer it has.
pub(super) struct CallRow {
    pub(super) call_no: i64,
    /// `None` when its day is damaged.
    pub(super) key: Option<CallKey>,
    pub(super) stored: StoredCall,
    /// Its checksum is right.
    pub(super) whole: bool,
}

impl CallRow {
    /// From a row of [`COLUMNS`].
    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Self::read_as(row, key_of(row)?)
    }

    /// From a row of [`COLUMNS`] that was found by this key.
    pub(super) fn read_as(row: &Row<'_>, key: Option<CallKey>) -> rusqlite::Result<Self> {
        let answer = answer_of(row)?;
        let stated: Option<i64> = row.get(14)?;
        let whole = match (&key, &answer) {
            (Some(key), Some(a)) => stated == Some(checksum(key, &a.answer, a.session_no, row.get(7)?)),
            // An answer that cannot even be read is damaged; none at all is whole.
            (_, None) => row.get_ref(5)?.as_str_or_null()?.is_none(),
            (None, Some(_)) => false,
        };
        Ok(Self { call_no: row.get(0)?, key, stored: StoredCall { attempts: row.get(4)?, answer }, whole })
    }
}

/// The key of a row of [`COLUMNS`]; `None` when its day is damaged.
pub(super) fn key_of(row: &Row<'_>) -> rusqlite::Result<Option<CallKey>> {
    let Some(day) = day(row, 3)? else { return Ok(None) };
    Ok(Some(CallKey { call_id: row.get(1)?, prod_id: ProductId(row.get(2)?), day }))
}

/// The answer of a row of [`COLUMNS`].
pub(super) fn answer_of(row: &Row<'_>) -> rusqlite::Result<Option<StoredAnswer>> {
    let kind = row.get_ref(5)?.as_str_or_null()?.and_then(AnswerKind::parse);
    let (Some(kind), Some(found_date)) = (kind, day(row, 8)?) else { return Ok(None) };
    let text = |i| -> rusqlite::Result<CompactString> {
        Ok(row.get_ref(i)?.as_str_or_null()?.unwrap_or_default().into())
    };
    Ok(Some(StoredAnswer {
        answer: NewAnswer {
            kind,
            found_date,
            next_date: day(row, 9)?,
            request_id: row.get(10)?,
            code: text(11)?,
            message: text(12)?,
            data: row.get(13)?,
        },
        fetched_at: DateTime::from_timestamp_micros(row.get(7)?).unwrap_or_default(),
        session_no: row.get(6)?,
    }))
}

fn day(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<NaiveDate>> {
    Ok(row.get_ref(column)?.as_str_or_null()?.and_then(quick_parse::day))
}
