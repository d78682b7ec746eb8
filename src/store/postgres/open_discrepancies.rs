//! The table `open_discrepancy`: the discrepancies that were open after the last run whose ledger
//! named them.

use chrono::NaiveDate;
use postgres::{GenericClient, Transaction};
use reconcile_core::calendar::{day_of, midnight_ms};
use reconcile_core::since::{Fate, MAX_REMEMBERED, OpenBefore, OpenKey};

use super::errors::{Done, Failure};
use super::values::{self, Day, stored};
use crate::store::open_discrepancies::{DiscrepancyChanges, NewDiscrepancy, forgotten_before_us};
use crate::store::units::time_of;

/// Rows of one statement.
const AT_ONCE: usize = 4_096;

/// When a run began, also if it was resumed: microseconds since 1970.
fn started_at(c: &mut impl GenericClient, run_no: i64) -> Done<i64> {
    Ok(c.query_one("SELECT started_at FROM run WHERE run_no = $1", &[&run_no])?.try_get(0)?)
}

/// The discrepancies that were open before this run. Those that the run will forget are not among
/// them.
pub(super) fn before(t: &mut Transaction<'_>, run_no: i64) -> Done<OpenBefore> {
    let started_at = time_of(started_at(t, run_no)?);
    let mut before = OpenBefore::new(day_of(started_at));
    let rows: i64 = t.query_one("SELECT count(*) FROM open_discrepancy", &[])?.try_get(0)?;
    before.reserve(usize::try_from(rows).unwrap_or_default().min(MAX_REMEMBERED));
    let forgotten = forgotten_before_us(started_at);
    let limit = i64::try_from(AT_ONCE).unwrap_or(i64::MAX);
    // No kind is empty, so all rows follow.
    let mut after = (i64::MIN, String::new(), String::new());
    while before.len() < MAX_REMEMBERED {
        let rows = t.query(
            "SELECT subject, kind, field, since, named FROM open_discrepancy
             WHERE (subject, kind, field) > ($1, $2, $3)
               AND last_run_no NOT IN (SELECT run_no FROM run WHERE started_at < $4)
             ORDER BY subject, kind, field LIMIT $5",
            &[&after.0, &after.1, &after.2, &forgotten, &limit],
        )?;
        let Some(last) = rows.last() else { break };
        after = (last.try_get(0)?, last.try_get(1)?, last.try_get(2)?);
        for row in rows.iter().take(MAX_REMEMBERED - before.len()) {
            let (kind, field, Day(since)) = (row.try_get(1)?, values::read(row.try_get(2)?), row.try_get(3)?);
            before.push(OpenKey { subject: row.try_get(0)?, kind, field: &field }, since, row.try_get(4)?);
        }
    }
    Ok(before.sorted())
}

/// Writes what a run changes. It belongs into the transaction that ends the run.
pub(super) fn change(t: &mut Transaction<'_>, run_no: i64, changes: &DiscrepancyChanges) -> Done<()> {
    let started_at = time_of(started_at(t, run_no)?);
    t.execute(
        "DELETE FROM open_discrepancy
         WHERE last_run_no IN (SELECT run_no FROM run WHERE started_at < $1)",
        &[&forgotten_before_us(started_at)],
    )?;
    in_chunks(changes.with_fate(Fate::Resolved), |keys| {
        let Keys { subjects, kinds, fields } = Keys::of(&keys);
        t.execute(
            "DELETE FROM open_discrepancy AS o USING unnest($1::bigint[], $2::text[], $3::text[]) AS k (subject, kind, field)
             WHERE o.subject = k.subject AND o.kind = k.kind AND o.field = k.field",
            &[&subjects, &kinds, &fields],
        )?;
        Ok(())
    })?;
    in_chunks(changes.with_fate(Fate::Named), |keys| {
        let Keys { subjects, kinds, fields } = Keys::of(&keys);
        t.execute(
            "UPDATE open_discrepancy AS o SET last_run_no = greatest(o.last_run_no, $4)
             FROM unnest($1::bigint[], $2::text[], $3::text[]) AS k (subject, kind, field)
             WHERE o.subject = k.subject AND o.kind = k.kind AND o.field = k.field",
            &[&subjects, &kinds, &fields, &run_no],
        )?;
        Ok(())
    })?;
    let today = Day(day_of(started_at));
    for new in changes.remembered() {
        let new = new.map_err(Failure::Temporary)?;
        new.chunks(AT_ONCE).try_for_each(|new| add(t, run_no, today, new))?;
    }
    Ok(())
}

/// Adds new ones. Another run may have added the same at the same time: the earlier day stays.
fn add(t: &mut Transaction<'_>, run_no: i64, today: Day, new: &[NewDiscrepancy]) -> Done<()> {
    let subjects: Vec<i64> = new.iter().map(|new| new.subject).collect();
    let kinds: Vec<&str> = new.iter().map(|new| new.kind.as_str()).collect();
    let fields: Vec<_> = new.iter().map(|new| stored(&new.field)).collect();
    let days: Vec<_> = new.iter().map(|new| new.call_date.map(Day)).collect();
    let named: Vec<_> = new.iter().map(|new| new.named).collect();
    t.execute(
        "INSERT INTO open_discrepancy AS o
           (subject, kind, field, call_date, named, since, first_run_no, last_run_no)
         SELECT *, $6::date, $7::bigint, $7::bigint
         FROM unnest($1::bigint[], $2::text[], $3::text[], $4::date[], $5::bigint[])
         ON CONFLICT (subject, kind, field) DO UPDATE SET
           since = least(o.since, excluded.since), last_run_no = greatest(o.last_run_no, excluded.last_run_no)",
        &[&subjects, &kinds, &fields, &days, &named, &today, &run_no],
    )?;
    Ok(())
}

/// The columns of keys.
struct Keys<'a> {
    subjects: Vec<i64>,
    kinds: Vec<&'a str>,
    fields: Vec<std::borrow::Cow<'a, str>>,
}

impl<'a> Keys<'a> {
    fn of(keys: &[OpenKey<'a>]) -> Self {
        Self {
            subjects: keys.iter().map(|key| key.subject).collect(),
            kinds: keys.iter().map(|key| key.kind).collect(),
            fields: keys.iter().map(|key| stored(key.field)).collect(),
        }
    }
}

/// Passes the items to `each`, as many as one statement takes.
fn in_chunks<T>(mut items: impl Iterator<Item = T>, mut each: impl FnMut(Vec<T>) -> Done<()>) -> Done<()> {
    loop {
        let chunk: Vec<T> = items.by_ref().take(AT_ONCE).collect();
        if chunk.is_empty() {
            return Ok(());
        }
        each(chunk)?;
    }
}

/// Deletes those of calls of days before this one, and unusable rows that no ledger has named
/// since.
pub(super) fn purge(t: &mut Transaction<'_>, before: NaiveDate) -> Done<()> {
    t.execute(
        "DELETE FROM open_discrepancy WHERE call_date < $1 OR call_date IS NULL
           AND last_run_no IN (SELECT run_no FROM run WHERE started_at < $2)",
        &[&Day(before), &(midnight_ms(before) * 1_000)],
    )?;
    Ok(())
}

/// Deletes those of calls with these subjects.
pub(super) fn forget_calls(t: &mut Transaction<'_>, subjects: &[i64]) -> Done<()> {
    t.execute("DELETE FROM open_discrepancy WHERE subject = ANY ($1)", &[&subjects])?;
    Ok(())
}

/// Deletes those of all unusable rows, and of calls that only receipts name: nobody can tell which
/// of them contained a number.
pub(super) fn forget_rows(t: &mut Transaction<'_>) -> Done<()> {
    t.execute("DELETE FROM open_discrepancy WHERE call_date IS NULL OR named IS NOT NULL", &[])?;
    Ok(())
}
