//! The table `open_item`: calls without a lasting answer, from the run that first saw them to the
//! run that settles them.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use postgres::Transaction;

use super::errors::Done;
use super::values::{Day, stored};
use crate::store::open_items::{OpenAge, OpenItem, OpenItems};
use crate::store::stored_word::StoredWord;
use crate::store::units::{count_of, time_us};

/// Items that one statement records.
pub(super) const AT_ONCE: usize = 4_096;

/// Records calls as open in this run. A settled call that is open again counts as first seen now.
/// Calls of which other ledgers are recorded at the same time are recorded in the same order.
pub(super) fn note(t: &mut Transaction<'_>, run_no: i64, now: DateTime<Utc>, items: &[OpenItem]) -> Done<()> {
    let mut items: Vec<&OpenItem> = items.iter().collect();
    let key = |item: &OpenItem| (item.key.call_id.clone(), item.key.prod_id.0, item.key.day);
    items.sort_by_cached_key(|item| key(item));
    items.dedup_by(|later, earlier| {
        let is_same = later.key == earlier.key;
        if is_same {
            *earlier = *later;
        }
        is_same
    });
    for items in items.chunks(AT_ONCE) {
        let ids: Vec<_> = items.iter().map(|item| stored(&item.key.call_id)).collect();
        let products: Vec<_> = items.iter().map(|item| item.key.prod_id.0).collect();
        let days: Vec<_> = items.iter().map(|item| Day(item.key.day)).collect();
        let statuses: Vec<_> = items.iter().map(|item| item.status.as_str()).collect();
        let seconds: Vec<_> = items.iter().map(|item| item.stored_seconds()).collect();
        let accounts: Vec<_> = items.iter().map(|item| item.account.as_deref().unwrap_or_default()).collect();
        t.execute(
            "INSERT INTO open_item AS o
               (call_id, prod_id, call_date, status, seconds, account, first_run_no, first_seen_at, last_run_no)
             SELECT *, $7, $8, $7
             FROM unnest($1::text[], $2::bigint[], $3::date[], $4::text[], $5::bigint[], $6::text[])
             ON CONFLICT (call_id, prod_id, call_date) DO UPDATE SET
               status = excluded.status, seconds = excluded.seconds, last_run_no = excluded.last_run_no, cleared_run_no = NULL,
               account = coalesce(nullif(excluded.account, ''), o.account),
               first_run_no = CASE WHEN o.cleared_run_no IS NULL THEN o.first_run_no ELSE excluded.first_run_no END,
               first_seen_at = CASE WHEN o.cleared_run_no IS NULL THEN o.first_seen_at ELSE excluded.first_seen_at END",
            &[&ids, &products, &days, &statuses, &seconds, &accounts, &run_no, &time_us(now)],
        )?;
    }
    Ok(())
}

/// Clears the open items whose call now has a lasting answer.
pub(super) fn clear(t: &mut Transaction<'_>, run_no: i64) -> Done<()> {
    t.execute(
        "UPDATE open_item AS o SET cleared_run_no = $1
         FROM (SELECT o.call_id, o.prod_id, o.call_date FROM open_item AS o JOIN call USING (call_id, prod_id, call_date)
               WHERE o.cleared_run_no IS NULL AND call.answer IN ('final', 'rejected')
               ORDER BY 1, 2, 3 FOR UPDATE OF o) AS settled
         WHERE o.call_id = settled.call_id AND o.prod_id = settled.prod_id AND o.call_date = settled.call_date",
        &[&run_no],
    )?;
    Ok(())
}

/// Clears the open items of these calls: their CallIds, products and days.
pub(super) fn clear_calls(
    t: &mut Transaction<'_>,
    run_no: i64,
    (ids, products, days): (&[Cow<'_, str>], &[i64], &[Day]),
) -> Done<()> {
    t.execute(
        "UPDATE open_item AS o SET cleared_run_no = $1
         FROM (SELECT o.call_id, o.prod_id, o.call_date
               FROM unnest($2::text[], $3::bigint[], $4::date[]) AS k (call_id, prod_id, call_date)
               JOIN open_item AS o USING (call_id, prod_id, call_date) WHERE o.cleared_run_no IS NULL
               ORDER BY 1, 2, 3 FOR UPDATE OF o) AS settled
         WHERE o.call_id = settled.call_id AND o.prod_id = settled.prod_id AND o.call_date = settled.call_date",
        &[&run_no, &ids, &products, &days],
    )?;
    Ok(())
}

/// The open items of this run's ledger by age, the number of cleared items, and the number of open
/// items that only other ledgers name.
pub(super) fn summarize(t: &mut Transaction<'_>, run_no: i64, now: DateTime<Utc>) -> Done<OpenItems> {
    let rows = t.query(
        "SELECT (first_seen_at + 28800000000) / 86400000000 AS day, min(first_seen_at), status, count(*), sum(seconds)::bigint
         FROM open_item WHERE cleared_run_no IS NULL AND last_run_no = $1
         GROUP BY day, status ORDER BY day, status",
        &[&run_no],
    )?;
    let by_age = rows.iter().map(|row| {
        let status = StoredWord::parse(row.try_get(2)?);
        Ok(OpenAge::new(row.try_get(1)?, status, (count_of(row.try_get(3)?), count_of(row.try_get(4)?)), now))
    });
    let by_age = by_age.collect::<Result<_, postgres::Error>>()?;
    let row = t.query_one(
        "SELECT count(*) FILTER (WHERE cleared_run_no = $1),
                count(*) FILTER (WHERE cleared_run_no IS NULL AND last_run_no <> $1) FROM open_item",
        &[&run_no],
    )?;
    Ok(OpenItems { by_age, cleared: count_of(row.try_get(0)?), elsewhere: count_of(row.try_get(1)?) })
}
