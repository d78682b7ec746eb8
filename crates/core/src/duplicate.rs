//! Several rows that name the same call: the discrepancies of the kind `duplicate`, and the values
//! that only a later row expects.

use compact_str::{CompactString, ToCompactString};

use crate::compared::FIELDS;
use crate::discrepancy::{Discrepancy, Kind};
use crate::ledger_row::{Expected, LedgerRow, LedgerTime};
use crate::message::Message;
use crate::phone::{NUMBER_FIELDS, same_number};

/// The discrepancy of a later row that names the same call. Its field is the first one that
/// differs; its message names all of them.
///
/// `carried` are the names of the columns carried through. One with an empty name is not compared.
#[must_use]
pub fn duplicate_of(first: &LedgerRow, later: &LedgerRow, carried: &[String]) -> Discrepancy {
    let (line, file) = (first.line, CompactString::default());
    let mut differing = values(first, carried)
        .into_iter()
        .zip(values(later, carried))
        .filter(|(first, later)| !is_same_value(first, later));
    let Some((first, later)) = differing.next() else {
        return Discrepancy::new(Kind::Duplicate, Message::SameCall { line, file, fields: Box::default() });
    };
    let fields = std::iter::once(first.field.clone()).chain(differing.map(|(other, _)| other.field));
    Discrepancy::new(Kind::Duplicate, Message::SameCall { line, file, fields: fields.collect() })
        .field(first.field)
        .values(first.value, later.value)
}

/// The values that a call's first row does not expect and a later row does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LaterValues {
    expected: Expected,
    /// The line of each value, in the order of [`FIELDS`]; 0 without a value.
    lines: [u64; FIELDS.len()],
    /// The file of each value, if the ledger has several.
    files: Option<Box<[CompactString; FIELDS.len()]>>,
}

/// Which values a row expects: a bit for each of [`FIELDS`].
#[must_use]
pub fn given_values(expected: &Expected) -> u16 {
    let e = expected;
    let given = [
        e.caller.is_some(),
        e.callee.is_some(),
        e.caller_show_number.is_some(),
        e.callee_show_number.is_some(),
        e.state.is_some(),
        e.answered.is_some(),
        e.duration_s.is_some(),
        time_of_day(e.called_at).is_some(),
        e.started_at.is_some(),
        e.ended_at.is_some(),
    ];
    given.into_iter().rev().fold(0, |bits, given| bits << 1 | u16::from(given))
}

/// Only a time of day is compared.
fn time_of_day(at: Option<LedgerTime>) -> Option<LedgerTime> {
    at.filter(|at| at.instant().is_some())
}

impl LaterValues {
    /// Adds a later row. A value of an earlier row is kept.
    pub fn add(&mut self, first: &Expected, later: &LedgerRow) {
        self.add_of_file(first, later, "");
    }

    /// Adds a later row of this file; the name is empty if the ledger is one file.
    pub fn add_of_file(&mut self, first: &Expected, later: &LedgerRow, file: &str) {
        let (own, row) = (&mut self.expected, &later.expected);
        let is_new = [
            add(&mut own.caller, &first.caller, &row.caller),
            add(&mut own.callee, &first.callee, &row.callee),
            add(&mut own.caller_show_number, &first.caller_show_number, &row.caller_show_number),
            add(&mut own.callee_show_number, &first.callee_show_number, &row.callee_show_number),
            add(&mut own.state, &first.state, &row.state),
            add(&mut own.answered, &first.answered, &row.answered),
            add(&mut own.duration_s, &first.duration_s, &row.duration_s),
            add(&mut own.called_at, &time_of_day(first.called_at), &time_of_day(row.called_at)),
            add(&mut own.started_at, &first.started_at, &row.started_at),
            add(&mut own.ended_at, &first.ended_at, &row.ended_at),
        ];
        for (at, _) in is_new.into_iter().enumerate().filter(|(_, is_new)| *is_new) {
            self.lines[at] = later.line;
            if !file.is_empty() {
                self.files.get_or_insert_default()[at] = file.into();
            }
        }
    }

    /// True without any value.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lines == [0; FIELDS.len()]
    }

    /// Adds the values to what the first row expects.
    pub fn fill(&self, first: &mut Expected) {
        let own = &self.expected;
        fill(&mut first.caller, &own.caller);
        fill(&mut first.callee, &own.callee);
        fill(&mut first.caller_show_number, &own.caller_show_number);
        fill(&mut first.callee_show_number, &own.callee_show_number);
        fill(&mut first.state, &own.state);
        fill(&mut first.answered, &own.answered);
        fill(&mut first.duration_s, &own.duration_s);
        fill(&mut first.called_at, &own.called_at);
        fill(&mut first.started_at, &own.started_at);
        fill(&mut first.ended_at, &own.ended_at);
    }

    /// Names the line of the ledger's value in each mismatch that a later row causes.
    pub fn name_lines(&self, discrepancies: &mut [Discrepancy]) {
        for mismatch in discrepancies {
            if let Message::Differs { field, later_line, file } = &mut mismatch.message {
                let Some(at) = FIELDS.iter().position(|known| known == field) else { continue };
                *later_line = self.lines[at];
                *file = self.files.as_ref().map(|files| files[at].clone()).unwrap_or_default();
            }
        }
    }
}

/// Takes the later row's value if there is none so far. Returns true if it did.
fn add<T: Clone>(own: &mut Option<T>, first: &Option<T>, later: &Option<T>) -> bool {
    let is_new = own.is_none() && first.is_none() && later.is_some();
    if is_new {
        own.clone_from(later);
    }
    is_new
}

fn fill<T: Clone>(first: &mut Option<T>, own: &Option<T>) {
    if own.is_some() {
        first.clone_from(own);
    }
}

/// The value of a row in one field.
struct FieldValue {
    field: String,
    value: Option<CompactString>,
}

/// True if two values are equal. Phone numbers may have different spellings.
fn is_same_value(first: &FieldValue, later: &FieldValue) -> bool {
    match (&first.value, &later.value) {
        (Some(a), Some(b)) if NUMBER_FIELDS.contains(&first.field.as_str()) => same_number(a, b),
        (a, b) => a == b,
    }
}

/// Every value of a row, in the order in which differences are reported.
fn values(row: &LedgerRow, carried: &[String]) -> Vec<FieldValue> {
    let e = &row.expected;
    let time = |t: Option<LedgerTime>| t.map(LedgerTime::provider_text);
    let numbers = NUMBER_FIELDS.into_iter().zip(e.numbers()).map(|(field, number)| (field, number.cloned()));
    let other = [
        ("state", e.state.clone()),
        ("answered", e.answered.map(|b| b.to_compact_string())),
        ("duration_s", e.duration_s.map(|s| s.to_compact_string())),
        ("called_at", time(e.called_at)),
        ("started_at", time(e.started_at)),
        ("ended_at", time(e.ended_at)),
        ("query_date", time(row.query_date)),
    ];
    let own = numbers.chain(other).map(|(field, value)| FieldValue { field: field.to_owned(), value });
    let carried = carried.iter().zip(&row.carried).filter(|(field, _)| !field.is_empty());
    own.chain(carried.map(|(field, value)| FieldValue { field: field.clone(), value: Some(value.clone()) }))
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::call::CallKey;
    use crate::ledger_row::Expected;
    use crate::product::ProductId;
    use crate::quick_parse;

    fn row(expected: Expected) -> LedgerRow {
        let day = quick_parse::day("2026-11-16").unwrap();
        let key = CallKey { call_id: "1^2".into(), prod_id: ProductId(7), day };
        LedgerRow { line: 2, key, expected, query_date: None, carried: vec!["x".into()] }
    }

    #[test]
    fn a_duplicate_names_every_field_that_differs() {
        let carried = ["ledger_x".to_owned()];
        let first = row(Expected { duration_s: Some(3), ..Expected::default() });
        let mut later = LedgerRow { line: 9, ..first.clone() };
        assert_eq!(duplicate_of(&first, &later, &carried).field, "");
        later.carried = vec!["y".into()];
        assert_eq!(duplicate_of(&first, &later, &carried).field, "ledger_x");
        later.expected.duration_s = Some(4);
        let found = duplicate_of(&first, &later, &carried);
        assert_eq!(found.field, "duration_s");
        assert_eq!((found.expected.as_deref(), found.actual.as_deref()), (Some("3"), Some("4")));
        let words = found.message.to_string();
        assert!(words.contains("differs in duration_s, ledger_x;"), "{words}");
    }

    #[test]
    fn a_later_row_has_new_values_if_it_gives_what_the_first_lacks() {
        let time = LedgerTime::Instant(chrono::DateTime::UNIX_EPOCH);
        let expected = |given: u16| {
            let has = |bit: u16| (given >> bit & 1 == 1).then_some(());
            Expected {
                caller: has(0).map(|()| "1".into()),
                callee: has(1).map(|()| "1".into()),
                caller_show_number: has(2).map(|()| "1".into()),
                callee_show_number: has(3).map(|()| "1".into()),
                state: has(4).map(|()| "1".into()),
                answered: has(5).map(|()| true),
                duration_s: has(6).map(|()| 1),
                called_at: has(7).map(|()| time),
                started_at: has(8).map(|()| time),
                ended_at: has(9).map(|()| time),
            }
        };
        for given in 0..1 << FIELDS.len() {
            assert_eq!(given_values(&expected(given)), given);
            let (first, later) = (expected(given), row(expected(given.rotate_left(3) % 1_024)));
            let mut values = LaterValues::default();
            values.add(&first, &later);
            assert_eq!(values.is_empty(), given_values(&later.expected) & !given == 0, "{given}");
        }
        let day = LedgerTime::Day(chrono::NaiveDate::default());
        assert_eq!(given_values(&Expected { called_at: Some(day), ..Expected::default() }), 0);
    }

    #[test]
    fn a_value_that_the_first_row_lacks_comes_from_the_next_one() {
        let day = LedgerTime::Day(quick_parse::day("2026-11-16").unwrap());
        let noon = LedgerTime::Instant(chrono::DateTime::from_timestamp(1_790_000_000, 0).unwrap());
        let first = Expected { callee: Some("1".into()), called_at: Some(day), ..Expected::default() };
        let later = |line, duration_s| {
            let expected = Expected {
                callee: Some("2".into()),
                duration_s: Some(duration_s),
                called_at: Some(noon),
                ..Expected::default()
            };
            LedgerRow { line, ..row(expected) }
        };
        let mut values = LaterValues::default();
        values.add(&first, &LedgerRow { line: 3, ..row(first.clone()) });
        assert!(values.is_empty());
        values.add(&first, &later(4, 31));
        values.add(&first, &later(5, 32));
        let mut filled = first.clone();
        values.fill(&mut filled);
        let wanted = Expected { duration_s: Some(31), called_at: Some(noon), ..first };
        assert_eq!(filled, wanted);
        let mismatches = ["callee", "duration_s"].map(|field| Message::Differs {
            field,
            later_line: 0,
            file: CompactString::default(),
        });
        let mut mismatches = mismatches.map(|message| Discrepancy::new(Kind::Mismatch, message));
        values.name_lines(&mut mismatches);
        let words = ["callee differs", "duration_s differs; the ledger's value is on line 4"];
        assert_eq!(mismatches.map(|m| m.message.to_string()), words);
    }

    #[test]
    fn another_spelling_of_a_number_is_no_difference() {
        let callee = |number: &str| row(Expected { callee: Some(number.into()), ..Expected::default() });
        assert_eq!(duplicate_of(&callee("13735460000"), &callee("+86 13735460000"), &[]).field, "");
        assert_eq!(duplicate_of(&callee("13735460000"), &row(Expected::default()), &[]).field, "callee");
    }
}
