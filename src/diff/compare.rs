//! Compares the rows of two discrepancy files, part by part.

use std::cmp::Reverse;

use serde::Serialize;

use super::changes_csv::ChangesCsv;
use super::counts::{AllCounts, Change};
use super::pairs::{Pair, for_each_pair};
use super::side::Side;
use crate::discrepancy_file::{Columns, Known};
use crate::error::Result;
use crate::output::masked;
use crate::sorted_records::Record;
use reconcile_core::discrepancy::Kind;
use reconcile_core::phone::{MIN_DIGITS, NUMBER_FIELDS, digits_of};

/// New discrepancies that are listed.
const MAX_LISTED: usize = 10;

/// What changed from one file to another.
#[derive(Debug, Default)]
pub(crate) struct Comparison {
    pub(crate) counts: AllCounts,
    /// The new discrepancies with the most talk seconds at stake, the largest first. Of equal ones,
    /// those that come first in the file.
    pub(crate) largest_new: Vec<ListedRow>,
    /// Discrepancies of the earlier run that the later one could not see. They have no change.
    pub(crate) not_compared: u64,
}

/// A new discrepancy as people see it, with phone numbers masked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct ListedRow {
    pub(crate) ledger_line: Option<u64>,
    pub(crate) call_id: String,
    pub(crate) kind: String,
    pub(crate) field: String,
    pub(crate) expected: String,
    pub(crate) actual: String,
    pub(crate) delta: Option<i64>,
    pub(crate) seconds_at_stake: u64,
    pub(crate) message: String,
    /// Its number in the file, from 0.
    #[serde(skip)]
    row: u64,
}

impl ListedRow {
    fn new(columns: &Columns, record: &Record<'_>) -> Self {
        let text = |column| columns.text_of(&record.texts, column);
        let field = text(Known::Field);
        let values = [text(Known::Expected), text(Known::Actual)];
        let values = values.into_iter().filter(|_| NUMBER_FIELDS.contains(&field));
        let own = values.chain([text(Known::Callee)]).map(digits_of);
        let own: Vec<String> = own.filter(|digits| digits.len() >= MIN_DIGITS).collect();
        let shown = |field: &str, column| masked(field, text(column), &own);
        Self {
            ledger_line: text(Known::LedgerLine).parse().ok(),
            call_id: shown("", Known::CallId),
            kind: shown("", Known::Kind),
            field: shown("", Known::Field),
            expected: shown(field, Known::Expected),
            actual: shown(field, Known::Actual),
            delta: text(Known::Delta).parse().ok(),
            seconds_at_stake: columns.seconds(&record.texts),
            message: shown("", Known::Message),
            row: record.no,
        }
    }

    fn order(&self) -> (Reverse<u64>, u64) {
        (Reverse(self.seconds_at_stake), self.row)
    }
}

impl Comparison {
    fn add(&mut self, pair: &Pair<'_, '_>, (before, after): (&Columns, &Columns)) {
        let seconds = |columns: &Columns, record: &Record<'_>| columns.seconds(&record.texts);
        let seconds_before = pair.before.map(|record| seconds(before, record));
        let seconds_after = pair.after.map(|record| seconds(after, record));
        let sides = pair.after.map(|record| (after, record)).or(pair.before.map(|record| (before, record)));
        let Some((columns, record)) = sides else { return };
        let text = |column| columns.text_of(&record.texts, column);
        let (kind, field) = (text(Known::Kind), text(Known::Field));
        self.counts.add(kind, field, pair.change, (seconds_before, seconds_after));
        if pair.change == Change::New {
            self.list(after, record);
        }
    }

    fn list(&mut self, columns: &Columns, record: &Record<'_>) {
        let order = (Reverse(columns.seconds(&record.texts)), record.no);
        let at = self.largest_new.partition_point(|listed| listed.order() < order);
        if at < MAX_LISTED {
            self.largest_new.insert(at, ListedRow::new(columns, record));
            self.largest_new.truncate(MAX_LISTED);
        }
    }
}

/// Compares the earlier run with the later one. Rows that changed go to `changes`, if it is given.
/// A later run without receipts could not see the calls that only they name.
///
/// # Errors
///
/// Exit 6 if a temporary file cannot be read or written.
pub(crate) fn compare(
    before: &Side,
    (after, has_receipts): (&Side, bool),
    mut changes: Option<&mut ChangesCsv>,
) -> Result<Comparison> {
    let mut comparison = Comparison::default();
    let columns = (&before.columns, &after.columns);
    for (part_before, part_after) in before.records.parts().zip(after.records.parts()) {
        let (part_before, part_after) = (part_before?, part_after?);
        let (sorted_before, sorted_after) = (part_before.sorted()?, part_after.sorted()?);
        for_each_pair((&sorted_before, columns.0), (&sorted_after, columns.1), &mut |pair| {
            if !has_receipts && is_unseen_without_receipts(&pair, columns.0) {
                comparison.not_compared += 1;
                return Ok(());
            }
            comparison.add(&pair, columns);
            changes.as_deref_mut().map_or(Ok(()), |changes| changes.push(&pair))
        })?;
    }
    Ok(comparison)
}

/// Whether a run without receipts lacks this row of the other run for that reason alone.
fn is_unseen_without_receipts(pair: &Pair<'_, '_>, before: &Columns) -> bool {
    let kind = pair.before.map(|record| before.text_of(&record.texts, Known::Kind));
    pair.change == Change::Resolved && kind == Some(Kind::MissingInLedger.as_str())
}
