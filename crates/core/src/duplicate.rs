//! The discrepancies of the kind `duplicate`: a later row names the same call.

use compact_str::{CompactString, ToCompactString};

use crate::discrepancy::{Discrepancy, Kind};
use crate::ledger_row::{LedgerRow, LedgerTime};
use crate::phone::{NUMBER_FIELDS, same_number};

/// The discrepancy of a later row that names the same call, with the first field that differs.
///
/// `carried` are the names of the columns carried through.
#[must_use]
pub fn duplicate_of(first: &LedgerRow, later: &LedgerRow, carried: &[String]) -> Discrepancy {
    let line = first.line;
    let message =
        format!("names the same call as line {line}; only line {line} is compared with the provider");
    let differing = values(first, carried)
        .into_iter()
        .zip(values(later, carried))
        .find(|(first, later)| !is_same_value(first, later));
    match differing {
        None => Discrepancy::new(Kind::Duplicate, message),
        Some((first, later)) => {
            Discrepancy::new(Kind::Duplicate, format!("{message}; {} differs", first.field))
                .field(first.field)
                .values(first.value, later.value)
        }
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

/// Every value of a row. The first one that differs is reported.
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
    let carried = carried.iter().zip(&row.carried);
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
    fn a_duplicate_names_the_first_field_that_differs() {
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
    }

    #[test]
    fn another_spelling_of_a_number_is_no_difference() {
        let callee = |number: &str| row(Expected { callee: Some(number.into()), ..Expected::default() });
        assert_eq!(duplicate_of(&callee("13735460000"), &callee("+86 13735460000"), &[]).field, "");
        assert_eq!(duplicate_of(&callee("13735460000"), &row(Expected::default()), &[]).field, "callee");
    }
}
