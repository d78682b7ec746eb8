//! Reads a row of the table `call`.

use chrono::NaiveDate;
use compact_str::CompactString;
use reconcile_core::answer::{AnswerKind, NewAnswer, StoredAnswer, StoredCall};
use reconcile_core::call::CallKey;
use reconcile_core::product::ProductId;
use reconcile_core::quick_parse;
use rusqlite::Row;

use crate::store::call_row::{AnswerCheck, CallRow};
use crate::store::units::time_of;

/// The columns that the functions below read, in this order.
pub(super) const COLUMNS: &str = "call_no, call_id, prod_id, call_date, attempts, answer, session_no, fetched_at, \
                                  found_date, next_date, request_id, code, message, data, checksum";

/// Reads a row of [`COLUMNS`].
pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<CallRow> {
    read_as(row, key_of(row)?)
}

/// Reads a row of [`COLUMNS`] that was searched by this key.
pub(super) fn read_as(row: &Row<'_>, key: Option<CallKey>) -> rusqlite::Result<CallRow> {
    let kind = row.get_ref(5)?.as_str_or_null()?;
    let answer = answer_of_kind(row, kind)?;
    let has_answer = kind.is_some();
    let check = AnswerCheck { has_answer, fetched_at_us: row.get(7)?, checksum: row.get(14)? };
    let is_whole = check.is_whole(key.as_ref(), answer.as_ref());
    let stored = StoredCall { attempts: row.get(4)?, answer, receipt: None };
    Ok(CallRow { call_no: row.get(0)?, key, stored, is_whole })
}

/// The key in a row of [`COLUMNS`]; `None` if the day is damaged.
pub(super) fn key_of(row: &Row<'_>) -> rusqlite::Result<Option<CallKey>> {
    let Some(day) = day(row, 3)? else { return Ok(None) };
    Ok(Some(CallKey { call_id: row.get(1)?, prod_id: ProductId(row.get(2)?), day }))
}

/// The answer in a row of [`COLUMNS`]; `None` if there is none, or its kind or day is damaged.
pub(super) fn answer_of(row: &Row<'_>) -> rusqlite::Result<Option<StoredAnswer>> {
    answer_of_kind(row, row.get_ref(5)?.as_str_or_null()?)
}

fn answer_of_kind(row: &Row<'_>, kind: Option<&str>) -> rusqlite::Result<Option<StoredAnswer>> {
    let kind = kind.and_then(AnswerKind::parse);
    let (Some(kind), Some(found_date)) = (kind, day(row, 8)?) else { return Ok(None) };
    let text = |column| -> rusqlite::Result<CompactString> {
        Ok(row.get_ref(column)?.as_str_or_null()?.unwrap_or_default().into())
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
        fetched_at: time_of(row.get(7)?),
        session_no: row.get(6)?,
    }))
}

fn day(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<NaiveDate>> {
    Ok(row.get_ref(column)?.as_str_or_null()?.and_then(quick_parse::day))
}
