//! The table `receipt`: what the provider pushed about a call.

use chrono::{DateTime, NaiveDate, Utc};
use postgres::fallible_iterator::FallibleIterator as _;
use postgres::{Row, Transaction};
use reconcile_core::answer::StoredAnswer;
use reconcile_core::ask_again::Scope;
use reconcile_core::call::CallKey;
use reconcile_core::discrepancy_identity::Subject;
use reconcile_core::phone::contains_number;
use reconcile_core::product::ProductId;
use reconcile_core::receipt::Receipt;

use super::errors::Done;
use super::values::{self, Day, stored};
use super::{open_discrepancies, open_items};
use crate::store::erasing::FORGOTTEN;
use crate::store::receipts::{AT_ONCE, COLUMNS, KeptReceipt, ReceiptRow, settles, sum, to_keep};
use crate::store::units::time_us;

/// The receipt of a call in a row whose columns `session_no`, `read_at`, `data` and `checksum`
/// begin at `first`; `None` if there is none, or if it is damaged.
pub(super) fn of_call(
    row: &Row,
    first: usize,
    key: &CallKey,
) -> Result<Option<StoredAnswer>, postgres::Error> {
    let (session_no, read_at): (Option<i64>, Option<i64>) = (row.try_get(first)?, row.try_get(first + 1)?);
    let Some((session_no, read_at_us)) = session_no.zip(read_at) else { return Ok(None) };
    let data: Option<&str> = row.try_get(first + 2)?;
    let data = data.map(|data| values::read(data).into_owned());
    Ok(ReceiptRow { session_no, read_at_us, data, checksum: row.try_get(first + 3)? }.answer(key))
}

fn key_of(row: &Row) -> Result<CallKey, postgres::Error> {
    let call_id = values::read(row.try_get(0)?).into_owned();
    Ok(CallKey { call_id, prod_id: ProductId(row.try_get(1)?), day: row.try_get::<_, Day>(2)?.0 })
}

/// The receipts of the calls with this CallId.
pub(super) fn named(t: &mut Transaction<'_>, call_id: &str) -> Done<Vec<(CallKey, StoredAnswer)>> {
    let rows = t.query(&format!("SELECT {COLUMNS} FROM receipt WHERE call_id = $1"), &[&stored(call_id)])?;
    let mut found = Vec::new();
    for row in &rows {
        let key = key_of(row)?;
        found.extend(of_call(row, 3, &key)?.map(|receipt| (key, receipt)));
    }
    Ok(found)
}

/// The next receipts after those of this call, in the order of the table's key.
pub(super) fn after(t: &mut Transaction<'_>, after: Option<&CallKey>) -> Done<Vec<KeptReceipt>> {
    let order = format!("ORDER BY call_id, prod_id, call_date LIMIT {AT_ONCE}");
    let rows = match after {
        None => t.query(&format!("SELECT {COLUMNS} FROM receipt {order}"), &[])?,
        Some(key) => t.query(
            &format!(
                "SELECT {COLUMNS} FROM receipt WHERE (call_id, prod_id, call_date) > ($1, $2, $3) {order}"
            ),
            &[&stored(&key.call_id), &key.prod_id.0, &Day(key.day)],
        )?,
    };
    let mut found = Vec::new();
    for row in &rows {
        let key = key_of(row)?;
        let (session_no, answer) = (row.try_get(3)?, of_call(row, 3, &key)?);
        found.push(KeptReceipt { key, session_no, answer });
    }
    Ok(found)
}

/// Keeps the receipts of calls, each merged with the stored one. Clears the open items that they
/// settle. Receipts that other runs keep at the same time are written in the same order.
pub(super) fn keep(
    t: &mut Transaction<'_>,
    scope: &Scope,
    now: DateTime<Utc>,
    receipts: &[(CallKey, Receipt)],
) -> Done<()> {
    let mut receipts: Vec<&(CallKey, Receipt)> = receipts.iter().collect();
    receipts.sort_by_cached_key(|(key, _)| (key.call_id.clone(), key.prod_id.0, key.day));
    for receipts in receipts.chunks(AT_ONCE) {
        let before = stored_of(t, receipts)?;
        let kept: Vec<(&CallKey, Option<String>)> = receipts
            .iter()
            .zip(&before)
            .filter_map(|((key, receipt), before)| Some((key, Some(to_keep(before.as_ref(), receipt)?))))
            .collect();
        write(t, scope.session_no, time_us(now), &kept)?;
        let settled = kept.iter().filter_map(|(key, data)| {
            let settles = data.as_deref().is_some_and(|data| settles(key, data, now));
            settles.then_some(*key)
        });
        let settled = Keys::of(settled);
        open_items::clear_calls(t, scope.run_no, (&settled.ids, &settled.products, &settled.days))?;
    }
    Ok(())
}

/// The stored receipts of these calls, in their order.
fn stored_of(t: &mut Transaction<'_>, receipts: &[&(CallKey, Receipt)]) -> Done<Vec<Option<StoredAnswer>>> {
    let keys = Keys::of(receipts.iter().map(|(key, _)| key));
    let rows = t.query(
        "SELECT no, r.session_no, r.read_at, r.data, r.checksum
         FROM unnest($1::text[], $2::bigint[], $3::date[]) WITH ORDINALITY AS k (id, product, day, no)
         CROSS JOIN LATERAL (SELECT session_no, read_at, data, checksum FROM receipt
                             WHERE call_id = k.id AND prod_id = k.product AND call_date = k.day LIMIT 1) AS r",
        &[&keys.ids, &keys.products, &keys.days],
    )?;
    let mut found: Vec<Option<StoredAnswer>> = receipts.iter().map(|_| None).collect();
    for row in &rows {
        let no: i64 = row.try_get(0)?;
        let Some(at) = usize::try_from(no - 1).ok().filter(|at| *at < found.len()) else { continue };
        found[at] = of_call(row, 1, &receipts[at].0)?;
    }
    Ok(found)
}

fn write(
    t: &mut Transaction<'_>,
    session_no: i64,
    read_at_us: i64,
    kept: &[(&CallKey, Option<String>)],
) -> Done<()> {
    let keys = Keys::of(kept.iter().map(|(key, _)| *key));
    let data: Vec<_> = kept.iter().map(|(_, data)| data.as_deref().map(stored)).collect();
    let sums: Vec<i64> =
        kept.iter().map(|(key, data)| sum(key, data.as_deref(), session_no, read_at_us)).collect();
    t.execute(
        "INSERT INTO receipt (call_id, prod_id, call_date, data, checksum, session_no, read_at)
         SELECT *, $6::bigint, $7::bigint
         FROM unnest($1::text[], $2::bigint[], $3::date[], $4::text[], $5::bigint[])
         ON CONFLICT (call_id, prod_id, call_date) DO UPDATE SET
           session_no = excluded.session_no, read_at = excluded.read_at, data = excluded.data,
           checksum = excluded.checksum",
        &[&keys.ids, &keys.products, &keys.days, &data, &sums, &session_no, &read_at_us],
    )?;
    Ok(())
}

/// Deletes the receipts of days before this one. Returns how many of them were all that the store
/// had of their call: the calls of those days are deleted already.
pub(super) fn purge_alone(t: &mut Transaction<'_>, before: NaiveDate) -> Done<u64> {
    Ok(t.execute("DELETE FROM receipt WHERE call_date < $1", &[&Day(before)])?)
}

/// Deletes the receipts of the calls of days before this one with these numbers.
pub(super) fn purge_calls(
    t: &mut Transaction<'_>,
    (first, last): (&i64, &i64),
    before: NaiveDate,
) -> Done<()> {
    t.execute(
        "DELETE FROM receipt AS r USING call AS c WHERE c.call_no BETWEEN $1 AND $2 AND c.call_date < $3
           AND r.call_id = c.call_id AND r.prod_id = c.prod_id AND r.call_date = c.call_date",
        &[first, last, &Day(before)],
    )?;
    Ok(())
}

/// Deletes the receipt of a call.
pub(super) fn delete(t: &mut Transaction<'_>, key: &CallKey) -> Done<()> {
    t.execute(
        "DELETE FROM receipt WHERE call_id = $1 AND prod_id = $2 AND call_date = $3",
        &[&stored(&key.call_id), &key.prod_id.0, &Day(key.day)],
    )?;
    Ok(())
}

/// Erases every receipt that contains a phone number; one whose CallId contains it is deleted with
/// its open discrepancies. Returns the number of calls whose answer was not erased already.
pub(super) fn forget(t: &mut Transaction<'_>, number: &str) -> Done<u64> {
    let mut found = Vec::new();
    let mut rows = t.query_raw(&format!("SELECT {COLUMNS} FROM receipt"), std::iter::empty::<&str>())?;
    while let Some(row) = rows.next()? {
        let has_number = |column: usize| -> Result<bool, postgres::Error> {
            let text: Option<&str> = row.try_get(column)?;
            Ok(text.is_some_and(|text| contains_number(&values::read(text), number)))
        };
        let in_id = has_number(0)?;
        if in_id || has_number(5)? {
            found.push((key_of(&row)?, in_id, row.try_get::<_, i64>(3)?, row.try_get::<_, i64>(4)?));
        }
    }
    drop(rows);
    let mut calls = 0;
    for (key, in_id, session_no, read_at_us) in found {
        if in_id {
            open_discrepancies::forget_calls(t, &[Subject::of_call(&key).digest()])?;
            delete(t, &key)?;
        } else {
            write(t, session_no, read_at_us, &[(&key, None)])?;
        }
        let erased = t.query_opt(
            "SELECT FROM call WHERE call_id = $1 AND prod_id = $2 AND call_date = $3 AND code = $4",
            &[&stored(&key.call_id), &key.prod_id.0, &Day(key.day), &FORGOTTEN],
        )?;
        calls += u64::from(erased.is_none());
    }
    Ok(calls)
}

/// The columns of keys.
struct Keys<'a> {
    ids: Vec<std::borrow::Cow<'a, str>>,
    products: Vec<i64>,
    days: Vec<Day>,
}

impl<'a> Keys<'a> {
    fn of(keys: impl Iterator<Item = &'a CallKey> + Clone) -> Self {
        Self {
            ids: keys.clone().map(|key| stored(&key.call_id)).collect(),
            products: keys.clone().map(|key| key.prod_id.0).collect(),
            days: keys.map(|key| Day(key.day)).collect(),
        }
    }
}
