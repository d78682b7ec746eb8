//! The table `receipt`: what the provider pushed about a call.

use std::path::Path;

use chrono::{DateTime, NaiveDate, Utc};
use reconcile_core::answer::StoredAnswer;
use reconcile_core::ask_again::Scope;
use reconcile_core::call::CallKey;
use reconcile_core::phone::contains_number;
use reconcile_core::product::ProductId;
use reconcile_core::quick_parse;
use reconcile_core::receipt::Receipt;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::errors::InStore as _;
use super::{open_discrepancies, open_items};
use crate::error::Result;
use crate::store::erasing::FORGOTTEN;
use crate::store::receipts::{AT_ONCE, COLUMNS, KeptReceipt, ReceiptRow, settles, sum, to_keep};
use crate::store::units::time_us;

/// True if the store has no receipt.
pub(super) fn is_empty(c: &Connection, path: &Path) -> Result<bool> {
    let sql = "SELECT NOT EXISTS (SELECT 1 FROM receipt)";
    let mut query = c.prepare_cached(sql).in_store(path, "read")?;
    query.query_row([], |row| row.get(0)).in_store(path, "read")
}

/// The receipt of a call; `None` if there is none, or if it is damaged.
pub(super) fn of_call(c: &Connection, key: &CallKey) -> rusqlite::Result<Option<StoredAnswer>> {
    let sql = format!("SELECT {COLUMNS} FROM receipt WHERE call_id = ?1 AND prod_id = ?2 AND call_date = ?3");
    let found = c
        .prepare_cached(&sql)?
        .query_row(params![key.call_id, key.prod_id.0, key.day.to_string()], row_of)
        .optional()?;
    Ok(found.and_then(|row| row.answer(key)))
}

/// The receipts of the calls with this CallId.
pub(super) fn named(c: &Connection, call_id: &str) -> rusqlite::Result<Vec<(CallKey, StoredAnswer)>> {
    let mut query = c.prepare(&format!("SELECT {COLUMNS} FROM receipt WHERE call_id = ?1"))?;
    let rows = query.query_map([call_id], |row| Ok((key_of(row)?, row_of(row)?)))?;
    let whole =
        |(key, row): (Option<CallKey>, ReceiptRow)| key.and_then(|key| Some((row.answer(&key)?, key)));
    rows.filter_map(|row| row.map(whole).transpose())
        .map(|row| row.map(|(answer, key)| (key, answer)))
        .collect()
}

/// The next receipts after those of this call, in the order of the table's key.
pub(super) fn after(c: &Connection, after: Option<&CallKey>) -> rusqlite::Result<Vec<KeptReceipt>> {
    let mut query = c.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM receipt WHERE (call_id, prod_id, call_date) > (?1, ?2, ?3)
         ORDER BY call_id, prod_id, call_date LIMIT {AT_ONCE}"
    ))?;
    let (call_id, product, day) = after.map_or(("", i64::MIN, String::new()), |key| {
        (key.call_id.as_str(), key.prod_id.0, key.day.to_string())
    });
    let mut rows = query.query(params![call_id, product, day])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        // Without its day, nothing can be said of it.
        let Some(key) = key_of(row)? else { continue };
        let row = row_of(row)?;
        found.push(KeptReceipt { session_no: row.session_no, answer: row.answer(&key), key });
    }
    Ok(found)
}

/// Keeps the receipts of calls, each merged with the stored one. Clears the open items that they
/// settle.
pub(super) fn keep(
    c: &Connection,
    scope: &Scope,
    now: DateTime<Utc>,
    receipts: &[(CallKey, Receipt)],
) -> rusqlite::Result<()> {
    for (key, receipt) in receipts {
        let Some(data) = to_keep(of_call(c, key)?.as_ref(), receipt) else { continue };
        write(c, key, scope.session_no, time_us(now), Some(&data))?;
        if settles(key, &data, now) {
            open_items::clear_call(c, scope.run_no, key)?;
        }
    }
    Ok(())
}

fn write(
    c: &Connection,
    key: &CallKey,
    session_no: i64,
    read_at_us: i64,
    data: Option<&str>,
) -> rusqlite::Result<()> {
    let sum = sum(key, data, session_no, read_at_us);
    c.prepare_cached(&format!(
        "INSERT OR REPLACE INTO receipt ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"
    ))?
    .execute(params![key.call_id, key.prod_id.0, key.day.to_string(), session_no, read_at_us, data, sum])
    .map(drop)
}

/// Deletes the receipts of days before this one. Returns how many of them were all that the store
/// had of their call.
pub(super) fn purge(c: &Connection, before: NaiveDate) -> rusqlite::Result<usize> {
    let day = before.to_string();
    let alone = c.execute(
        "DELETE FROM receipt WHERE call_date < ?1 AND NOT EXISTS (
           SELECT 1 FROM call WHERE call.call_id = receipt.call_id AND call.prod_id = receipt.prod_id
             AND call.call_date = receipt.call_date)",
        [&day],
    )?;
    c.execute("DELETE FROM receipt WHERE call_date < ?1", [&day])?;
    Ok(alone)
}

/// Deletes the receipt of a call.
pub(super) fn delete(c: &Connection, key: &CallKey) -> rusqlite::Result<()> {
    c.prepare_cached("DELETE FROM receipt WHERE call_id = ?1 AND prod_id = ?2 AND call_date = ?3")?
        .execute(params![key.call_id, key.prod_id.0, key.day.to_string()])
        .map(drop)
}

/// Erases every receipt that contains a phone number; one whose CallId contains it is deleted with
/// its open discrepancies. Returns the number of calls whose answer was not erased already.
pub(super) fn forget(c: &Connection, number: &str) -> rusqlite::Result<usize> {
    let mut query = c.prepare(&format!("SELECT {COLUMNS} FROM receipt"))?;
    let mut rows = query.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        // A damaged value may be of any type, or no UTF-8.
        let is_in = |column: usize| {
            let text = row.get_ref(column).ok().and_then(|value| value.as_bytes_or_null().ok().flatten());
            text.is_some_and(|bytes| contains_number(&String::from_utf8_lossy(bytes), number))
        };
        let (in_id, in_data) = (is_in(0), is_in(5));
        let Some(key) = key_of(row)?.filter(|_| in_id || in_data) else { continue };
        found.push((key, in_id, row.get::<_, i64>(3)?, row.get::<_, i64>(4)?));
    }
    let mut calls = 0;
    for (key, in_id, session_no, read_at_us) in found {
        if in_id {
            open_discrepancies::forget_call(c, &key)?;
            delete(c, &key)?;
        } else {
            write(c, &key, session_no, read_at_us, None)?;
        }
        calls += usize::from(!is_forgotten(c, &key)?);
    }
    Ok(calls)
}

/// True if the answer of a call was erased.
fn is_forgotten(c: &Connection, key: &CallKey) -> rusqlite::Result<bool> {
    c.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM call WHERE call_id = ?1 AND prod_id = ?2 AND call_date = ?3 AND code = ?4)",
    )?
    .query_row(params![key.call_id, key.prod_id.0, key.day.to_string(), FORGOTTEN], |row| row.get(0))
}

fn key_of(row: &Row<'_>) -> rusqlite::Result<Option<CallKey>> {
    let Some(day) = row.get_ref(2)?.as_str_or_null()?.and_then(quick_parse::day) else { return Ok(None) };
    Ok(Some(CallKey { call_id: row.get(0)?, prod_id: ProductId(row.get(1)?), day }))
}

fn row_of(row: &Row<'_>) -> rusqlite::Result<ReceiptRow> {
    Ok(ReceiptRow {
        session_no: row.get(3)?,
        read_at_us: row.get(4)?,
        data: row.get(5)?,
        checksum: row.get(6)?,
    })
}
