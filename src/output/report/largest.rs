//! The discrepancies that the report lists: those with the most talk seconds at stake.

use std::cmp::Reverse;

use compact_str::CompactString;
use serde::Serialize;

use crate::shown::escape;
use reconcile_core::discrepancy::DiscrepancyRow;
use reconcile_core::phone;

/// Rows in the report. The discrepancy file has all of them.
const MAX_ROWS: usize = 100;

/// A discrepancy as the report lists it, with phone numbers masked.
#[derive(Debug, Serialize)]
pub(super) struct ListedRow {
    line: u64,
    call_id: String,
    kind: &'static str,
    field: String,
    expected: String,
    actual: String,
    delta: Option<i64>,
    at_stake_s: u64,
}

impl ListedRow {
    fn new(row: &DiscrepancyRow) -> Self {
        let what = &row.what;
        let value = |value: &Option<CompactString>| {
            value.as_deref().map(|value| masked(&what.field, value, &row.own_numbers)).unwrap_or_default()
        };
        Self {
            line: row.ledger_line,
            call_id: row.call_id.as_deref().map(|id| masked("", id, &row.own_numbers)).unwrap_or_default(),
            kind: what.kind.as_str(),
            field: what.field.clone(),
            expected: value(&what.expected),
            actual: value(&what.actual),
            delta: what.delta,
            at_stake_s: row.at_stake_s,
        }
    }
}

/// The discrepancies with the most seconds at stake. Of equal ones, those that come first in the
/// file.
#[derive(Debug, Default)]
pub(crate) struct Largest {
    rows: Vec<ListedRow>,
    /// Rows with this many seconds or fewer are not listed; `None` if every row is.
    threshold_s: Option<u64>,
}

impl Largest {
    /// Whether a row with this many seconds at stake is among the largest so far.
    pub(crate) fn lists(&self, at_stake_s: u64) -> bool {
        self.threshold_s.is_none_or(|threshold| at_stake_s > threshold)
    }

    /// Keeps the row if it is among the largest so far.
    pub(crate) fn add(&mut self, row: &DiscrepancyRow) {
        if self.lists(row.at_stake_s) {
            self.rows.push(ListedRow::new(row));
        }
        if self.rows.len() >= 2 * MAX_ROWS {
            self.sort_and_cut();
        }
    }

    /// The largest discrepancies, the largest first.
    pub(super) fn into_rows(mut self) -> Vec<ListedRow> {
        self.sort_and_cut();
        self.rows
    }

    fn sort_and_cut(&mut self) {
        // A stable sort: of equal rows the first stay.
        self.rows.sort_by_key(|row| Reverse(row.at_stake_s));
        self.rows.truncate(MAX_ROWS);
        self.threshold_s = self.rows.get(MAX_ROWS - 1).map(|row| row.at_stake_s);
    }
}

/// A value with its phone numbers masked, and these numbers of its row.
fn masked(field: &str, value: &str, own_numbers: &[String]) -> String {
    let masked = if phone::NUMBER_FIELDS.contains(&field) {
        phone::mask_number(&phone::normalize_number(value))
    } else {
        phone::mask_known(value, own_numbers)
    };
    escape(&masked).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use reconcile_core::discrepancy::{Discrepancy, Kind};

    fn listed(field: &str, kind: Kind, call_id: &str, expected: &str) -> ListedRow {
        let what = Discrepancy::new(kind, "m").field(field).values(Some(expected.into()), None);
        ListedRow::new(&DiscrepancyRow {
            call_id: Some(call_id.into()),
            ledger_line: 2,
            what,
            call_date: None,
            prod_id: None,
            status: None,
            callee: None,
            called_at: None,
            at_stake_s: 0,
            carried: vec!["13812345678".into()],
            own_numbers: vec!["447911123456".into()],
        })
    }

    #[test]
    fn the_row_s_own_number_is_masked_in_its_call_id() {
        assert_eq!(listed("", Kind::NotFound, "447911123456^1", "").call_id, "447*****3456^1");
        assert_eq!(listed("", Kind::NotFound, "a\u{202e}b", "").call_id, r"a\u{202e}b");
    }

    #[test]
    fn phone_numbers_are_masked_in_every_column() {
        let row = listed("callee", Kind::Mismatch, "116014888060^102816313060", "+86 138-1234-5678");
        assert_eq!(row.call_id, "116014888060^102816313060");
        assert_eq!(row.expected, "138****5678");
        let carried = listed("ledger_note", Kind::Duplicate, "1^2", "ask 13812345678");
        assert_eq!(carried.expected, "ask 138****5678");
        let call_id = |kind, id: &str| listed("", kind, id, "").call_id;
        assert_eq!(call_id(Kind::NotFound, "13812345678"), "138****5678");
        assert_eq!(call_id(Kind::InvalidRow, "13812345678^1"), "138****5678^1");
        assert_eq!(call_id(Kind::InvalidRow, "8613812345678^1"), "861******5678^1");
        assert_eq!(call_id(Kind::InvalidRow, "1779786101083^1"), "1779786101083^1");
    }
}
