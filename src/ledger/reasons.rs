//! Why rows are unusable: each reason with its rows.

use std::collections::HashMap;

use super::affected::AffectedRows;
use crate::words::plural;
use reconcile_core::ledger_row::InvalidRow;
use reconcile_core::row_problem::RowProblem;

/// A reason, and the rows that are unusable for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// The field at fault; empty if the whole row is at fault.
    pub field: &'static str,
    /// What is wrong with the first of these rows.
    pub problem: RowProblem,
    /// Number of rows.
    pub rows: u64,
    /// Physical line of the first.
    pub first_line: u64,
    /// Its file, if the ledger has several.
    pub file: Option<String>,
}

impl Reason {
    /// Its rows.
    #[must_use]
    pub fn affected_rows(&self) -> AffectedRows {
        AffectedRows { count: self.rows, first_line: self.first_line }
    }
}

/// Number of reasons in a message.
pub const SHOWN: usize = 3;

/// The most frequent reasons in words: `prod_id: not a product (10 rows, first: line 3)`.
#[must_use]
pub fn most_frequent(reasons: &[Reason]) -> String {
    let text = |reason: &Reason| {
        let field = if reason.field.is_empty() { String::new() } else { format!("{}: ", reason.field) };
        let rows = reason.affected_rows().to_string().replace(" (", ", ").replace(')', "");
        let file = reason.file.as_ref().map(|file| format!(" of {file}")).unwrap_or_default();
        format!("{field}{} ({rows}{file})", reason.problem.what())
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
    rows: HashMap<(&'static str, String), (AffectedRows, RowProblem)>,
}

impl Reasons {
    pub(super) fn add(&mut self, row: &InvalidRow) {
        let mut rows = AffectedRows::default();
        rows.add(row.line);
        self.add_rows((row.field, without_numbers(&row.reason.what())), rows, &row.reason);
    }

    /// Adds the reasons of other rows of the same ledger.
    pub(super) fn merge(&mut self, other: &Self) {
        for ((field, key), (rows, problem)) in &other.rows {
            self.add_rows((field, key.clone()), *rows, problem);
        }
    }

    fn add_rows(&mut self, key: (&'static str, String), rows: AffectedRows, problem: &RowProblem) {
        let (known, first) =
            self.rows.entry(key).or_insert_with(|| (AffectedRows::default(), problem.clone()));
        if rows.first_line < known.first_line {
            first.clone_from(problem);
        }
        known.merge(rows);
    }

    /// The most frequent reason first; of equally frequent ones, that of the first row.
    pub(super) fn sorted(&self) -> Vec<Reason> {
        let mut reasons: Vec<Reason> = self
            .rows
            .iter()
            .map(|((field, _), (rows, problem))| Reason {
                field,
                problem: problem.clone(),
                rows: rows.count,
                first_line: rows.first_line,
                file: None,
            })
            .collect();
        reasons.sort_by_cached_key(|reason| {
            (std::cmp::Reverse(reason.rows), reason.first_line, reason.field, reason.problem.to_string())
        });
        reasons
    }
}

/// The reasons of several files, each with the name of its first file. The most frequent one comes
/// first.
pub(super) fn of_several(files: Vec<(String, Vec<Reason>)>) -> Vec<Reason> {
    let mut all: Vec<(String, Reason)> = Vec::new();
    for (file, reason) in
        files.into_iter().flat_map(|(file, of)| of.into_iter().map(move |r| (file.clone(), r)))
    {
        let key = without_numbers(&reason.problem.what());
        match all.iter_mut().find(|(known, first)| first.field == reason.field && *known == key) {
            Some((_, first)) => first.rows += reason.rows,
            None => all.push((key, Reason { file: Some(file), ..reason })),
        }
    }
    let mut reasons: Vec<Reason> = all.into_iter().map(|(_, reason)| reason).collect();
    // Of equally frequent ones, that of the earlier file stays first.
    reasons.sort_by_key(|reason| std::cmp::Reverse(reason.rows));
    reasons
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
    use reconcile_core::row_problem::WidthAdvice;

    #[test]
    fn equal_reasons_are_counted_together() {
        let row = |line, field, reason| InvalidRow {
            line,
            offset: None,
            column: None,
            call_id: None,
            field,
            expected: None,
            found: "".into(),
            reason,
            duration_s: None,
            carried: Vec::new(),
            original: Vec::new(),
        };
        let width = |found| RowProblem::WrongWidth { found, header: 5, advice: WidthAdvice::AddFields };
        let (mut one, mut other) = (Reasons::default(), Reasons::default());
        one.add(&row(9, "", width(3)));
        one.add(&row(4, "prod_id", RowProblem::UnknownProduct));
        other.add(&row(3, "", width(12)));
        one.merge(&other);
        let reason =
            |field, problem, rows, first_line| Reason { field, problem, rows, first_line, file: None };
        let wanted = [reason("", width(12), 2, 3), reason("prod_id", RowProblem::UnknownProduct, 1, 4)];
        assert_eq!(one.sorted(), wanted);
        let words = "the row has 12 fields, but the header has 5 (2 rows, first: line 3); prod_id: not a \
                     product (1 row, line 4)";
        assert_eq!(most_frequent(&one.sorted()), words);
    }
}
