//! The decisions on discrepancies: which one holds for which discrepancy, and which hold for none.
//!
//! A decision on one discrepancy comes before every rule. Of several rules, the first one of the
//! file applies. Values are compared as text, as the discrepancy file shows them.

use std::collections::{BTreeSet, HashMap};

use chrono::NaiveDate;
use compact_str::CompactString;

use crate::discrepancy::DiscrepancyRow;
use crate::merge::Merge;
use crate::resolution::Resolution;
use crate::resolution_entry::{Entry, EntryScope, Named, Rule};

/// The number of an entry.
type No = u32;

/// All decisions of a file. Memory grows with its entries; a look-up is one of a hash table.
#[derive(Debug, Clone, Default)]
pub struct Resolutions {
    entries: Vec<Entry>,
    /// The entries on one discrepancy, by CallId. Expired ones are left out.
    by_call: HashMap<CompactString, Vec<No>>,
    /// The rules in the order of the file. Expired ones are left out.
    rules: Vec<No>,
    expired: Vec<No>,
}

/// Two decisions on the same discrepancy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SecondDecision {
    /// The line of the second one.
    pub line: u64,
    /// The line of the first one.
    pub first: u64,
}

/// What became of the entries. Parts of a ledger are merged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EntryUse {
    matched: BTreeSet<No>,
    /// Entries whose discrepancy has other values.
    differing: BTreeSet<No>,
}

/// The entries that decide nothing, as lines of the file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LeftOver {
    /// The discrepancy is there, with other values.
    pub stale: Vec<u64>,
    /// No such discrepancy.
    pub unused: Vec<u64>,
    /// The last day has passed.
    pub expired: Vec<u64>,
}

impl Resolutions {
    /// The decisions that hold on the day `today`, in UTC+8.
    ///
    /// # Errors
    ///
    /// Two entries that hold decide on the same discrepancy.
    pub fn new(entries: Vec<Entry>, today: NaiveDate) -> Result<Self, SecondDecision> {
        let mut own = Self { entries, ..Self::default() };
        let mut lines: HashMap<&Named, u64> = HashMap::new();
        for (entry, no) in own.entries.iter().zip(0..) {
            if entry.until.is_some_and(|until| until < today) {
                own.expired.push(no);
                continue;
            }
            match &entry.scope {
                EntryScope::Rule(_) => own.rules.push(no),
                EntryScope::One(named) => {
                    if let Some(first) = lines.insert(named, entry.line) {
                        return Err(SecondDecision { line: entry.line, first });
                    }
                    own.by_call.entry(named.call_id.clone()).or_default().push(no);
                }
            }
        }
        drop(lines);
        Ok(own)
    }

    /// The same entries, with the decisions that hold on another day.
    ///
    /// # Errors
    ///
    /// As [`Resolutions::new`].
    pub fn on_day(self, today: NaiveDate) -> Result<Self, SecondDecision> {
        Self::new(self.entries, today)
    }

    /// True without any entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The decision on a discrepancy. `forms` are its row as it is and, if the discrepancy file
    /// masks numbers, as the file has it: a decision on either holds.
    pub fn find(&self, forms: &[&DiscrepancyRow], used: &mut EntryUse) -> Option<&Resolution> {
        let no = forms.iter().fold(None, |found, row| found.or(self.find_one(row, used)));
        let no = no.or_else(|| self.find_rule(forms.first()?))?;
        used.matched.insert(no);
        Some(&self.entry(no)?.resolution)
    }

    /// The entry on this discrepancy alone. Notes the entries on its call with other values.
    fn find_one(&self, row: &DiscrepancyRow, used: &mut EntryUse) -> Option<No> {
        let mut found = None;
        for no in self.by_call.get(row.call_id.as_deref()?).into_iter().flatten() {
            let Some(EntryScope::One(named)) = self.entry(*no).map(|entry| &entry.scope) else { continue };
            if !named.is_about(row) {
                continue;
            }
            if named.has_values_of(row) {
                found = Some(*no);
            } else {
                used.differing.insert(*no);
            }
        }
        found
    }

    fn find_rule(&self, row: &DiscrepancyRow) -> Option<No> {
        let rule = |no: No| match &self.entry(no)?.scope {
            EntryScope::Rule(rule) => Some(rule),
            EntryScope::One(_) => None,
        };
        let holds = |rule: &Rule| rule.holds_for(row);
        self.rules.iter().copied().find(|no| rule(*no).is_some_and(holds))
    }

    fn entry(&self, no: No) -> Option<&Entry> {
        self.entries.get(usize::try_from(no).ok()?)
    }

    /// The entries that decided nothing after all rows of the ledger.
    #[must_use]
    pub fn left_over(&self, used: &EntryUse) -> LeftOver {
        let mut left = LeftOver::default();
        let expired: BTreeSet<No> = self.expired.iter().copied().collect();
        for (entry, no) in self.entries.iter().zip(0..) {
            let lines = match () {
                () if expired.contains(&no) => &mut left.expired,
                () if used.matched.contains(&no) => continue,
                () if used.differing.contains(&no) => &mut left.stale,
                () => &mut left.unused,
            };
            lines.push(entry.line);
        }
        left
    }
}

impl Merge for EntryUse {
    fn merge(&mut self, other: Self) {
        let Self { matched, differing } = other;
        self.matched.extend(matched);
        self.differing.extend(differing);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::discrepancy::{Discrepancy, Kind};
    use crate::message::Message;
    use crate::quick_parse;
    use crate::resolution_entry::EntryTexts;
    use proptest::prelude::*;

    const TODAY: &str = "2026-11-26";

    fn today() -> NaiveDate {
        quick_parse::day(TODAY).unwrap()
    }

    /// The discrepancy of a call's talk time: the ledger says 30, the provider `actual`.
    fn row(call_id: &str, actual: i64) -> DiscrepancyRow {
        let what = Discrepancy::new(
            Kind::Mismatch,
            Message::Differs { field: "duration_s", later_line: 0, file: "".into() },
        )
        .field("duration_s")
        .values(Some("30".into()), Some(actual.to_string().into()))
        .delta(Some(actual - 30));
        DiscrepancyRow {
            call_id: Some(call_id.into()),
            ledger_line: Some(2),
            what,
            call_date: quick_parse::day("2026-11-16"),
            prod_id: Some(7),
            status: None,
            callee: None,
            called_at: None,
            at_stake_s: 1,
            since: None,
            resolution: None,
            carried: Vec::new(),
            own_numbers: Vec::new(),
        }
    }

    fn entry(line: u64, texts: EntryTexts<'_>) -> Entry {
        Entry::parse(line, texts).unwrap().unwrap()
    }

    /// The decision on [`row`] of this call with this value.
    fn exact(line: u64, call_id: &str, actual: &str, decision: &str, until: &str) -> Entry {
        let day = "2026-11-16";
        entry(
            line,
            [call_id, "7", day, "mismatch", "duration_s", "30", actual, decision, "why", "", "", until, ""],
        )
    }

    fn rule(line: u64, product: &str, field: &str, bound: &str, decision: &str) -> Entry {
        entry(line, ["", product, "", "mismatch", field, "", bound, decision, "rule", "", "", "", ""])
    }

    /// The word of the decision on a row, and the entries that are left over.
    fn decided(entries: Vec<Entry>, rows: &[DiscrepancyRow]) -> (Vec<&'static str>, LeftOver) {
        let resolutions = Resolutions::new(entries, today()).unwrap();
        let mut used = EntryUse::default();
        let mut word =
            |row| resolutions.find(&[row], &mut used).map_or("open", |found| found.decision.as_str());
        let words = rows.iter().map(&mut word).collect();
        (words, resolutions.left_over(&used))
    }

    #[test]
    fn a_decision_on_one_discrepancy_comes_before_rules() {
        let entries = vec![
            rule(2, "", "duration_s", "±2", "accepted"),
            exact(3, "a", "31", "disputed", ""),
            rule(4, "7", "", "", "corrected"),
        ];
        let (words, left) = decided(entries, &[row("a", 31), row("b", 28), row("b", 33), row("a", 32)]);
        assert_eq!(words, ["disputed", "accepted", "corrected", "accepted"]);
        assert_eq!(left, LeftOver::default());
    }

    #[test]
    fn the_first_rule_that_holds_applies() {
        let entries = vec![rule(2, "8", "", "", "disputed"), rule(3, "", "", "", "accepted")];
        let (words, left) = decided(entries.clone(), &[row("a", 31)]);
        assert_eq!((words, left.unused), (vec!["accepted"], vec![2]));
        let (_, left) = decided(entries.into_iter().rev().collect(), &[row("a", 31)]);
        assert_eq!(left.unused, [2]);
    }

    #[test]
    fn a_bound_needs_a_delta() {
        let mut other = row("a", 31);
        other.what.delta = None;
        let (words, _) = decided(vec![rule(2, "", "", "<=9", "accepted")], &[other.clone()]);
        assert_eq!(words, ["open"]);
        assert_eq!(decided(vec![rule(2, "", "", "", "accepted")], &[other]).0, ["accepted"]);
    }

    #[test]
    fn a_truth_value_may_be_in_capitals() {
        let mut answered = row("a", 31);
        answered.what.field = "answered".into();
        (answered.what.expected, answered.what.actual) = (Some("true".into()), Some("false".into()));
        let entry = |expected, actual| {
            let (day, field) = ("2026-11-16", "answered");
            entry(2, ["a ", "7", day, "mismatch", field, expected, actual, "accepted", "", "", "", "", ""])
        };
        let rows = [answered];
        assert_eq!(decided(vec![entry("TRUE", "FALSE")], &rows).0, ["accepted"]);
        assert_eq!(decided(vec![entry("TRUE", "TRUE")], &rows).0, ["open"]);
        // Other texts are equal only letter by letter.
        let mut other = rows[0].clone();
        other.what.expected = Some("Yes".into());
        assert_eq!(decided(vec![entry("YES", "false")], &[other]).0, ["open"]);
    }

    #[test]
    fn a_rule_may_hold_for_one_day() {
        let on = |day| entry(2, ["", "", day, "mismatch", "", "", "", "accepted", "", "", "", "", ""]);
        assert_eq!(decided(vec![on("2026-11-16")], &[row("a", 31)]).0, ["accepted"]);
        assert_eq!(decided(vec![on("2026-11-17")], &[row("a", 31)]).0, ["open"]);
    }

    #[test]
    fn other_values_make_an_entry_stale() {
        let entries = vec![exact(2, "a", "31", "accepted", ""), exact(3, "b", "31", "accepted", "")];
        let (words, left) = decided(entries, &[row("a", 32)]);
        assert_eq!(words, ["open"]);
        assert_eq!((left.stale, left.unused), (vec![2], vec![3]));
    }

    #[test]
    fn an_empty_cell_is_no_value() {
        let mut missing = row("a", 31);
        missing.what.actual = None;
        assert_eq!(decided(vec![exact(2, "a", "", "accepted", "")], &[missing]).0, ["accepted"]);
    }

    #[test]
    fn an_entry_holds_until_the_end_of_its_last_day() {
        for (until, word) in [(TODAY, "accepted"), ("2026-11-25", "open"), ("", "accepted")] {
            let (words, left) = decided(vec![exact(2, "a", "31", "accepted", until)], &[row("a", 31)]);
            assert_eq!(words, [word], "{until}");
            assert_eq!(left.expired.len(), usize::from(word == "open"));
            assert_eq!((left.stale, left.unused), (vec![], vec![]), "an expired entry is only that");
        }
    }

    #[test]
    fn two_decisions_on_one_discrepancy_are_refused() {
        let first = exact(2, "a", "31", "accepted", "");
        let second = |until| exact(5, "a", "31", "disputed", until);
        let refused = Resolutions::new(vec![first.clone(), second("")], today()).unwrap_err();
        assert_eq!(refused, SecondDecision { line: 5, first: 2 });
        // An expired one does not count, and other values are another discrepancy.
        assert!(Resolutions::new(vec![first.clone(), second("2026-01-01")], today()).is_ok());
        assert!(Resolutions::new(vec![first, exact(5, "a", "32", "disputed", "")], today()).is_ok());
    }

    #[test]
    fn a_decision_on_the_masked_row_holds_too() {
        let mut row = row("a", 31);
        row.what.field = "callee".into();
        row.what.actual = Some("13812345678".into());
        let mut masked = row.clone();
        masked.what.actual = Some("138****5678".into());
        let day = "2026-11-16";
        let entry = |line, actual| {
            entry(line, ["a", "7", day, "mismatch", "callee", "30", actual, "accepted", "", "", "", "", ""])
        };
        for actual in ["13812345678", "138****5678"] {
            let resolutions = Resolutions::new(vec![entry(2, actual)], today()).unwrap();
            let mut used = EntryUse::default();
            assert!(resolutions.find(&[&row, &masked], &mut used).is_some(), "{actual}");
            assert_eq!(resolutions.left_over(&used), LeftOver::default(), "{actual}");
        }
    }

    proptest! {
        #[test]
        fn a_bound_holds_for_small_differences_only(delta in -10_i64..=10, most in 0_u64..10) {
            let bound = format!("±{most}");
            let (words, _) = decided(vec![rule(2, "", "", &bound, "accepted")], &[row("a", 30 + delta)]);
            prop_assert_eq!(words[0] == "accepted", delta.unsigned_abs() <= most);
        }

        /// Each row and each entry is one of few, so that all cases occur.
        #[test]
        fn parts_in_any_order_leave_the_same_entries_over(
            entries in prop::collection::btree_set((0..4_u8, 28..33_i64), 0..8),
            rows in prop::collection::vec((0..4_u8, 28..33_i64, 0..3_usize), 0..20),
        ) {
            let entries: Vec<Entry> = entries.into_iter().zip(2..).map(|((call, actual), line)| {
                exact(line, &call.to_string(), &actual.to_string(), "accepted", "")
            }).collect();
            let resolutions = Resolutions::new(entries, today()).unwrap();
            let used = |part: Option<usize>| {
                let mut used = EntryUse::default();
                for (call, actual, _) in rows.iter().filter(|row| part.is_none_or(|part| part == row.2)) {
                    let _ = resolutions.find(&[&row(&call.to_string(), *actual)], &mut used);
                }
                used
            };
            let mut merged = used(Some(2));
            merged.merge(used(Some(0)));
            merged.merge(used(Some(1)));
            prop_assert_eq!(&merged, &used(None));
            let left = resolutions.left_over(&merged);
            let matched = resolutions.entries.len() - left.stale.len() - left.unused.len();
            prop_assert_eq!(matched, merged.matched.len());
        }
    }
}
