//! Finds for each discrepancy of one run that of the other run with the same identity.

use std::collections::{HashMap, VecDeque};

use super::counts::Change;
use crate::discrepancy_file::{Columns, Known};
use crate::sorted_records::Record;

/// The values that make a discrepancy another one: expected, actual and delta.
type Values<'a> = [&'a str; 3];

/// A discrepancy of one or both runs.
pub(super) struct Pair<'r, 'a> {
    pub(super) change: Change,
    pub(super) before: Option<&'r Record<'a>>,
    pub(super) after: Option<&'r Record<'a>>,
}

/// Passes each discrepancy of a part to `each`. Both lists are sorted by identity and by the row's
/// number.
pub(super) fn for_each_pair<'r, 'a, E>(
    (before, of_before): (&'r [Record<'a>], &Columns),
    (after, of_after): (&'r [Record<'a>], &Columns),
    each: &mut dyn FnMut(Pair<'r, 'a>) -> Result<(), E>,
) -> Result<(), E> {
    let (mut before, mut after) = (before, after);
    loop {
        let next = match (before.first(), after.first()) {
            (None, None) => return Ok(()),
            (Some(one), None) | (None, Some(one)) => one.key,
            (Some(one), Some(other)) => one.key.min(other.key),
        };
        let of_next = |records: &[Record<'_>]| records.partition_point(|record| record.key == next);
        let (group_before, rest_before) = before.split_at(of_next(before));
        let (group_after, rest_after) = after.split_at(of_next(after));
        pair_group((group_before, of_before), (group_after, of_after), each)?;
        (before, after) = (rest_before, rest_after);
    }
}

/// Pairs the rows of one identity. Those with the same values come first, so one that disappears
/// does not make the others look changed. The rest is paired in the order of the rows.
fn pair_group<'r, 'a, E>(
    (before, of_before): (&'r [Record<'a>], &Columns),
    (after, of_after): (&'r [Record<'a>], &Columns),
    each: &mut dyn FnMut(Pair<'r, 'a>) -> Result<(), E>,
) -> Result<(), E> {
    let mut waiting: HashMap<Values<'_>, VecDeque<usize>> = HashMap::new();
    for (at, record) in before.iter().enumerate() {
        waiting.entry(values(of_before, record)).or_default().push_back(at);
    }
    let mut is_paired = vec![false; before.len()];
    let mut others = Vec::new();
    for record in after {
        let same = waiting.get_mut(&values(of_after, record)).and_then(VecDeque::pop_front);
        let Some(at) = same else {
            others.push(record);
            continue;
        };
        is_paired[at] = true;
        each(Pair { change: Change::Unchanged, before: Some(&before[at]), after: Some(record) })?;
    }
    let mut left = before.iter().zip(is_paired).filter(|(_, is_paired)| !is_paired).map(|(record, _)| record);
    for record in others {
        let before = left.next();
        let change = if before.is_some() { Change::Changed } else { Change::New };
        each(Pair { change, before, after: Some(record) })?;
    }
    left.try_for_each(|record| each(Pair { change: Change::Resolved, before: Some(record), after: None }))
}

fn values<'a>(columns: &Columns, record: &Record<'a>) -> Values<'a> {
    [Known::Expected, Known::Actual, Known::Delta].map(|column| columns.text_of(&record.texts, column))
}
