//! What was compared, field by field. It tells "all values agree" from "nothing was compared".

use crate::discrepancy::Discrepancy;
use crate::merge::Merge;

/// The fields with expected values, in the order of the outputs.
pub const FIELDS: [&str; 10] = [
    "caller",
    "callee",
    "caller_show_number",
    "callee_show_number",
    "state",
    "answered",
    "duration_s",
    "called_at",
    "started_at",
    "ended_at",
];

/// The result for one field of one call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum FieldResult {
    /// The ledger expects no value.
    #[default]
    NotExpected,
    /// The call has no final record.
    NoRecord,
    /// The record lacks the value.
    NotComparable,
    /// Both sides have the same value.
    Equal,
    /// The values differ.
    Different,
}

impl FieldResult {
    /// True if both sides were compared.
    #[must_use]
    pub fn is_compared(self) -> bool {
        matches!(self, Self::Equal | Self::Different)
    }
}

/// A compared call.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Compared {
    /// Its discrepancies in the order of the output files: by kind, then by field.
    pub discrepancies: Vec<Discrepancy>,
    /// The result for each of [`FIELDS`].
    pub fields: [FieldResult; FIELDS.len()],
}

impl Compared {
    /// True if at least one expected value was compared.
    #[must_use]
    pub fn is_compared(&self) -> bool {
        self.fields.iter().any(|result| result.is_compared())
    }
}

/// How many calls a field was compared in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct FieldCounts {
    /// Calls whose ledger row expects a value.
    pub expected: u64,
    /// Calls in which both sides were compared: `equal` + `different`.
    pub compared: u64,
    /// Calls with equal values.
    pub equal: u64,
    /// Calls with different values.
    pub different: u64,
    /// Found calls whose record lacks the value.
    pub not_comparable: u64,
}

impl FieldCounts {
    /// Counts a call.
    #[inline]
    pub fn add(&mut self, result: FieldResult) {
        self.expected += u64::from(result != FieldResult::NotExpected);
        self.compared += u64::from(result.is_compared());
        self.equal += u64::from(result == FieldResult::Equal);
        self.different += u64::from(result == FieldResult::Different);
        self.not_comparable += u64::from(result == FieldResult::NotComparable);
    }
}

impl Merge for FieldCounts {
    fn merge(&mut self, other: Self) {
        let Self { expected, compared, equal, different, not_comparable } = other;
        self.expected.merge(expected);
        self.compared.merge(compared);
        self.equal.merge(equal);
        self.different.merge(different);
        self.not_comparable.merge(not_comparable);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_result_is_counted_once() {
        let mut counts = FieldCounts::default();
        for result in [
            FieldResult::NotExpected,
            FieldResult::NoRecord,
            FieldResult::NotComparable,
            FieldResult::Equal,
            FieldResult::Equal,
            FieldResult::Different,
        ] {
            counts.add(result);
        }
        let wanted = FieldCounts { expected: 5, compared: 3, equal: 2, different: 1, not_comparable: 1 };
        assert_eq!(counts, wanted);
        counts.merge(wanted);
        let twice = FieldCounts { expected: 10, compared: 6, equal: 4, different: 2, not_comparable: 2 };
        assert_eq!(counts, twice);
    }

    #[test]
    fn a_call_is_compared_if_one_of_its_fields_is() {
        let mut call = Compared::default();
        assert!(!call.is_compared());
        for result in [FieldResult::Equal, FieldResult::Different] {
            call.fields[9] = result;
            assert!(call.is_compared(), "{result:?}");
        }
        call.fields[9] = FieldResult::NotComparable;
        assert!(!call.is_compared());
    }
}
