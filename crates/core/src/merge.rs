//! Counts of several parts of a ledger add up to the counts of the whole.

use std::collections::BTreeMap;

/// Counts that can be added.
///
/// The order of the parts does not matter: merging the counts of all parts of a ledger, in any
/// order, gives what counting the whole ledger gives. Each row must be in one part only.
pub trait Merge {
    /// Adds the counts of another part.
    fn merge(&mut self, other: Self);
}

impl Merge for u64 {
    fn merge(&mut self, other: Self) {
        *self = self.saturating_add(other);
    }
}

impl<T: Merge, const N: usize> Merge for [T; N] {
    fn merge(&mut self, other: Self) {
        self.iter_mut().zip(other).for_each(|(own, other)| own.merge(other));
    }
}

/// Adds the counts of each key.
pub fn merge_maps<K: Ord, V: Merge + Default>(own: &mut BTreeMap<K, V>, other: BTreeMap<K, V>) {
    other.into_iter().for_each(|(key, value)| own.entry(key).or_default().merge(value));
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::calendar::provider_text;
    use crate::call::CallKey;
    use crate::compare::{Tolerances, compare};
    use crate::discrepancy::Kind;
    use crate::figures::Figures;
    use crate::ledger_row::{Expected, InvalidRow, LedgerRow, LedgerTime};
    use crate::normalize::normalize;
    use crate::product::ProductId;
    use crate::resolution::Decision;
    use crate::row_problem::RowProblem;
    use crate::seconds_at_stake::seconds_at_stake;
    use crate::status::{Lookup, Status};
    use crate::totals::Totals;
    use chrono::{DateTime, NaiveDate, TimeDelta};
    use proptest::prelude::*;

    /// A row of a ledger, by its numbers.
    #[derive(Debug, Clone)]
    struct Row {
        part: usize,
        kind: u8,
        day: i32,
        product: i64,
        talk_s: i64,
        off_s: Option<i64>,
        hours: i64,
    }

    fn row() -> impl Strategy<Value = Row> {
        let off_s = prop_oneof![Just(None), (-9_i64..9).prop_map(Some), (-7_000_i64..7_000).prop_map(Some)];
        let talk_s = prop_oneof![0_i64..400, 0_i64..4_000_000];
        (0..5_usize, 0..10_u8, 0..80_i32, 0..70_i64, talk_s, off_s, -2_i64..3).prop_map(
            |(part, kind, day, product, talk_s, off_s, hours)| Row {
                part,
                kind,
                day,
                product,
                talk_s,
                off_s,
                hours,
            },
        )
    }

    #[derive(Debug, Clone, Default, PartialEq)]
    struct Counted {
        totals: Totals,
        figures: Figures,
    }

    impl Counted {
        fn add(&mut self, line: u64, row: &Row) {
            self.totals.rows += 1;
            match row.kind {
                0 => self.add_invalid(line, row),
                1 => {
                    self.totals.duplicates += 1;
                    self.totals.add_discrepancy(Kind::Duplicate, None);
                    self.figures.bridge.add_later_row(row.off_s);
                }
                _ => self.add_call(line, row),
            }
        }

        fn add_invalid(&mut self, line: u64, row: &Row) {
            self.totals.invalid += 1;
            self.totals.add_discrepancy(Kind::InvalidRow, Some(Decision::Corrected));
            self.figures.add_rejected(&InvalidRow {
                line,
                offset: None,
                column: None,
                call_id: None,
                field: if row.day % 2 == 0 { "call_id" } else { "duration_s" },
                expected: None,
                found: "x".into(),
                reason: RowProblem::InvalidBytes { column: row.product.to_string(), encoding: "UTF-8" },
                duration_s: row.off_s,
                carried: Vec::new(),
                original: Vec::new(),
            });
        }

        fn add_call(&mut self, line: u64, row: &Row) {
            let created_at = DateTime::from_timestamp(1_790_000_000 + row.talk_s * 7, 0).unwrap();
            let data = format!(
                r#"{{"gmtCreate":"{}","duration":{},"state":"20000{}"}}"#,
                provider_text(created_at),
                row.talk_s,
                row.kind % 3,
            );
            let day = NaiveDate::from_num_days_from_ce_opt(739_000 + row.day).unwrap();
            let key = CallKey { call_id: line.to_string(), prod_id: ProductId(row.product), day };
            let called_at =
                created_at + TimeDelta::hours(row.hours) + TimeDelta::seconds(row.off_s.unwrap_or(0));
            let expected = Expected {
                duration_s: row.off_s.map(|off| (row.talk_s + off).max(0)),
                answered: row.off_s.map(|off| off % 2 == 0),
                called_at: Some(LedgerTime::Instant(called_at)),
                ..Expected::default()
            };
            let ledger_row = LedgerRow { line, key, expected, query_date: None, carried: Vec::new() };
            let status = Status::ALL[usize::from(row.kind) % Status::ALL.len()];
            let detail = (status == Status::Found).then(|| normalize(&data).unwrap());
            let lookup = Lookup { status, detail, ..Lookup::deferred(day, 1) };
            let compared = compare(&ledger_row, &lookup, self.figures.observed.tolerances());
            let discrepancies = compared.discrepancies.len() as u64;
            self.totals.add_call(status, discrepancies, compared.is_compared());
            self.figures.add_call(&ledger_row, &lookup, &[]);
            self.figures.add_fields(&compared.fields);
            let own_s = ledger_row.expected.duration_s;
            self.figures.bridge.add_call(own_s, own_s.or(Some(3)), &lookup);
            for what in compared.discrepancies {
                let at_stake_s = seconds_at_stake(
                    Some(&ledger_row),
                    lookup.detail.as_ref().and_then(|d| d.duration_s),
                    &what,
                );
                let decision = Decision::ALL.into_iter().nth(usize::from(row.kind) % 7);
                self.totals.add_discrepancy(what.kind, decision);
                let is_settled = decision.is_some_and(Decision::is_settled);
                self.figures.add_discrepancy(what.kind, at_stake_s, is_settled);
            }
        }

        fn merge(&mut self, other: Self) {
            self.totals.merge(other.totals);
            self.figures.merge(other.figures);
        }
    }

    /// The counts of the rows of a part.
    fn counted(rows: &[Row], is_in_part: impl Fn(usize, &Row) -> bool) -> Counted {
        let figures = Figures::new(Tolerances { duration_s: 1, time_s: 2 });
        let mut counted = Counted { figures, ..Counted::default() };
        for (i, row) in rows.iter().enumerate().filter(|(i, row)| is_in_part(*i, row)) {
            counted.add(i as u64 + 2, row);
        }
        counted
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// The parts are pieces of the ledger, one after the other.
        #[test]
        fn pieces_in_ledger_order_count_as_the_whole(
            rows in prop::collection::vec(row(), 0..400),
            ends in prop::collection::vec(0..400_usize, 0..6),
        ) {
            let mut ends = ends;
            ends.push(rows.len());
            ends.sort_unstable();
            let (mut merged, mut from) = (counted(&[], |_, _| true), 0);
            for end in ends {
                merged.merge(counted(&rows, |i, _| (from..end).contains(&i)));
                from = end;
            }
            prop_assert_eq!(merged, counted(&rows, |_, _| true));
        }

        /// The rows of a part are anywhere in the ledger.
        #[test]
        fn parts_in_any_order_count_as_the_whole(
            rows in prop::collection::vec(row(), 0..400),
            order in Just(vec![0, 1, 2, 3, 4]).prop_shuffle(),
        ) {
            let parts = order.iter().map(|part| counted(&rows, |_, row| row.part == *part));
            let merged = parts.reduce(|mut merged, part| { merged.merge(part); merged }).unwrap();
            let whole = counted(&rows, |_, _| true);
            prop_assert_eq!(merged.figures.observed.patterns(), whole.figures.observed.patterns());
            prop_assert_eq!(merged, whole);
        }
    }
}
