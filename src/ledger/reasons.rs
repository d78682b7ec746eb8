//! Why rows are unusable: each reason with its rows.

use std::collections::HashMap;

use super::affected::AffectedRows;
use crate::words::plural;
use reconcile_core::ledger_row::InvalidRow;

/// A reason, and the rows that are unusable for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// The field at fault; empty if the whole row is at fault.
    pub field: &'static str,
    /// What is wrong with the first of these rows, without what to do about it.
    pub what: String,
    /// Number of rows.
    pub rows: u64,
    /// Physical line of the first.
    pub first_line: u64,
}

/// Number of reasons in a message.
const SHOWN: usize = 3;

/// The most frequent reasons in words: `prod_id: not a product (10 rows, first: line 3)`.
#[must_use]
pub fn most_frequent(reasons: &[Reason]) -> String {
    let text = |reason: &Reason| {
        let field = if reason.field.is_empty() { String::new() } else { format!("{}: ", reason.field) };
        let rows = AffectedRows { count: reason.rows, first_line: reason.first_line }.text();
        let rows = rows.unwrap_or_default().replace(" (", ", ").replace(')', "");
        format!("{field}{} ({rows})", reason.what)
    };
    let mut texts: Vec<String> = reasons.iter().take(SHOWN).map(text).collect();
    if reasons.len() > SHOWN {
        texts.push(plural((reasons.len() - SHOWN) as u64, "more reason"));
    }
    texts.join("; ")
}

/// The reasons of the rows read so far. They are few: the texts of this program, in which numbers
/// count as equal.
#[derive(Debug, Default)]
pub(super) struct Reasons {
    rows: HashMap<(&'static str, String), (AffectedRows, String)>,
}

impl Reasons {
    pub(super) fn add(&mut self, row: &InvalidRow) {
        let what = row.reason.split(';').next().unwrap_or_default();
        let mut rows = AffectedRows::default();
        rows.add(row.line);
        self.add_rows((row.field, without_numbers(what)), rows, what);
    }

    /// Adds the reasons of other rows of the same ledger.
    pub(super) fn merge(&mut self, other: &Self) {
        for ((field, key), (rows, what)) in &other.rows {
            self.add_rows((field, key.clone()), *rows, what);
        }
    }

    fn add_rows(&mut self, key: (&'static str, String), rows: AffectedRows, what: &str) {
        let (known, text) = self.rows.entry(key).or_default();
        if known.count == 0 || rows.first_line < known.first_line {
            what.clone_into(text);
        }
        known.merge(rows);
    }

    /// The most frequent reason first; of equally frequent ones, that of the first row.
    pub(super) fn sorted(&self) -> Vec<Reason> {
        let mut reasons: Vec<Reason> = self
            .rows
            .iter()
            .map(|((field, _), (rows, what))| Reason {
                field,
                what: what.clone(),
                rows: rows.count,
                first_line: rows.first_line,
            })
            .collect();
        reasons.sort_by(|a, b| {
            (b.rows, a.first_line, a.field, &a.what).cmp(&(a.rows, b.first_line, b.field, &b.what))
        });
        reasons
    }
}

/// The text with `0` for each run of digits.
fn without_numbers(text: &str) -> String {
    let mut key = String::with_capacity(text.len());
    for c in text.chars() {
        match c.is_ascii_digit() {
            true if key.ends_with('0') => {}
            true => key.push('0'),
            false => key.push(c),
        }
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_reasons_are_counted_together() {
        let row = |line, field, reason: &str| InvalidRow {
            line,
            offset: None,
            column: None,
            call_id: None,
            field,
            expected: None,
            found: "".into(),
            reason: reason.to_owned(),
            duration_s: None,
            carried: Vec::new(),
            original: Vec::new(),
        };
        let (mut one, mut other) = (Reasons::default(), Reasons::default());
        one.add(&row(9, "", "the row has 3 fields, but the header has 5; add"));
        one.add(&row(4, "prod_id", "not a product; write"));
        other.add(&row(3, "", "the row has 12 fields, but the header has 5; put"));
        one.merge(&other);
        let reason =
            |field, what: &str, rows, first_line| Reason { field, what: what.to_owned(), rows, first_line };
        let wanted = [
            reason("", "the row has 12 fields, but the header has 5", 2, 3),
            reason("prod_id", "not a product", 1, 4),
        ];
        assert_eq!(one.sorted(), wanted);
        let words = "the row has 12 fields, but the header has 5 (2 rows, first: line 3); prod_id: not a \
                     product (1 row, line 4)";
        assert_eq!(most_frequent(&one.sorted()), words);
    }
}
