//! What the end of a run does to the open discrepancies that the store remembers.
//!
//! All of it is written in the transaction that ends the run. So a run that was killed before has
//! changed nothing, and its next session finds what the first one found.

use std::collections::HashMap;
use std::io::Result;

use chrono::{DateTime, Datelike as _, NaiveDate, TimeDelta, Utc};
use compact_str::CompactString;
use reconcile_core::discrepancy::Kind;
use reconcile_core::since::{Fate, MAX_REMEMBERED, Marks, OpenBefore, OpenKey, REMEMBERED_DAYS};

use super::amendments::AmendmentNo;
use super::units::time_us;
use crate::parts::{PARTS, Parts};

/// The end of a run whose outputs are in place, or that keeps its old ones.
#[derive(Debug, Default)]
pub struct RunEnd {
    /// True if every call has its answer.
    pub complete: bool,
    /// What the outputs say about open discrepancies; `None` without new outputs.
    pub discrepancies: Option<DiscrepancyChanges>,
}

impl RunEnd {
    /// The end of a run with new outputs.
    #[must_use]
    pub fn with_outputs(complete: bool, changes: DiscrepancyChanges) -> Self {
        Self { complete, discrepancies: Some(changes) }
    }

    /// The end of a run without new outputs.
    #[must_use]
    pub fn without_outputs(complete: bool) -> Self {
        Self { complete, discrepancies: None }
    }
}

/// The discrepancies of a run's outputs, against those that were open before.
#[derive(Debug)]
pub struct DiscrepancyChanges {
    /// Those that were open before.
    pub before: OpenBefore,
    /// What the ledger says about them.
    pub marks: Marks,
    /// Those that are open now and were not before.
    pub new: NewDiscrepancies,
    /// The changes of final records that the outputs tell.
    pub told: Vec<AmendmentNo>,
}

impl DiscrepancyChanges {
    /// How many new ones the store has no room for.
    ///
    /// # Errors
    /// A temporary file cannot be read.
    pub fn not_remembered(&self) -> Result<usize> {
        // A row is one at most.
        if self.new.rows <= self.room() {
            return Ok(0);
        }
        let number = (0..PARTS).map(|part| Ok(self.new.part(part as u8)?.len())).sum::<Result<usize>>()?;
        Ok(number.saturating_sub(self.room()))
    }

    /// At most this many rows of the store change.
    pub(super) fn rows(&self) -> usize {
        self.before.len() + self.new.rows + self.told.len()
    }

    /// New ones that can be remembered.
    fn room(&self) -> usize {
        let resolved = usize::try_from(self.before.resolved(&self.marks)).unwrap_or(usize::MAX);
        MAX_REMEMBERED.saturating_sub(self.before.len().saturating_sub(resolved))
    }

    /// The new ones that the store has room for, in the order of their subjects, part by part.
    pub(super) fn remembered(&self) -> impl Iterator<Item = Result<Vec<NewDiscrepancy>>> {
        let mut room = self.room();
        (0..PARTS).map(move |part| {
            let mut new = self.new.part(part as u8)?;
            new.truncate(room);
            room -= new.len();
            Ok(new)
        })
    }

    /// Those with this fate.
    pub(super) fn with_fate(&self, wanted: Fate) -> impl Iterator<Item = OpenKey<'_>> {
        self.before.fates(&self.marks).filter(move |(_, fate)| *fate == wanted).map(|(key, _)| key)
    }
}

/// Discrepancies last named by runs that started before this time are forgotten by a run that
/// started at `started_at`. Microseconds since 1970.
pub(super) fn forgotten_before_us(started_at: DateTime<Utc>) -> i64 {
    time_us(started_at - TimeDelta::days(REMEMBERED_DAYS))
}

/// A discrepancy that was not open before.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct NewDiscrepancy {
    /// The digest of its subject.
    pub subject: i64,
    /// Its kind.
    pub kind: Kind,
    /// Its field; empty if there is none.
    pub field: CompactString,
    /// The ledger's day of the call; `None` for an unusable row.
    pub call_date: Option<NaiveDate>,
    /// The digest of the CallId of an unusable row, or of a call that only a receipt names: a
    /// usable row with this CallId replaces it. `None` for another call, or without a CallId.
    pub named: Option<i64>,
}

/// New discrepancies in bounded memory: 26 bytes each, in a temporary file.
#[derive(Debug, Default)]
pub struct NewDiscrepancies {
    parts: Parts,
    fields: Vec<CompactString>,
    numbers: HashMap<CompactString, u32>,
    rows: usize,
}

/// Bytes of a new discrepancy: subject, digest of the CallId, field, day, kind, and whether it has
/// a CallId.
const SIZE: usize = 8 + 8 + 4 + 4 + 1 + 1;
/// Stands for no day.
const NO_DAY: i32 = i32::MIN;

impl NewDiscrepancies {
    /// Adds one. It may be there already.
    ///
    /// # Errors
    /// The temporary file cannot be written.
    pub fn push(&mut self, new: &NewDiscrepancy) -> Result<()> {
        let field = self.number_of(&new.field);
        let day = new.call_date.map_or(NO_DAY, |day| day.num_days_from_ce());
        let kind = Kind::ALL.iter().position(|kind| *kind == new.kind).unwrap_or_default();
        let mut record = Vec::with_capacity(SIZE);
        record.extend_from_slice(&new.subject.to_le_bytes());
        record.extend_from_slice(&new.named.unwrap_or_default().to_le_bytes());
        record.extend_from_slice(&field.to_le_bytes());
        record.extend_from_slice(&day.to_le_bytes());
        record.extend_from_slice(&[kind as u8, new.named.is_some().into()]);
        self.rows += 1;
        // The parts are in the order of the subjects, which may be negative.
        self.parts.push((new.subject >> 56) as u8 ^ 0x80, &record)
    }

    fn number_of(&mut self, field: &CompactString) -> u32 {
        if let Some(number) = self.numbers.get(field) {
            return *number;
        }
        let number = u32::try_from(self.fields.len()).unwrap_or(u32::MAX);
        self.fields.push(field.clone());
        self.numbers.insert(field.clone(), number);
        number
    }

    /// A part, sorted, each discrepancy once.
    fn part(&self, part: u8) -> Result<Vec<NewDiscrepancy>> {
        let bytes = self.parts.part(part)?;
        let records = bytes.as_chunks::<SIZE>().0;
        let mut new: Vec<NewDiscrepancy> = records.iter().filter_map(|record| self.read(record)).collect();
        new.sort_unstable();
        new.dedup_by(|one, other| {
            (one.subject, one.kind, &one.field) == (other.subject, other.kind, &other.field)
        });
        Ok(new)
    }

    /// `None` for what [`NewDiscrepancies::push`] does not write.
    fn read(&self, record: &[u8; SIZE]) -> Option<NewDiscrepancy> {
        let (subject, rest) = record.split_first_chunk()?;
        let (named, rest) = rest.split_first_chunk()?;
        let (field, rest) = rest.split_first_chunk()?;
        let (day, rest) = rest.split_first_chunk()?;
        let [kind, has_name] = rest else { return None };
        Some(NewDiscrepancy {
            subject: i64::from_le_bytes(*subject),
            kind: *Kind::ALL.get(usize::from(*kind))?,
            field: self.fields.get(u32::from_le_bytes(*field) as usize)?.clone(),
            call_date: NaiveDate::from_num_days_from_ce_opt(i32::from_le_bytes(*day)),
            named: (*has_name == 1).then_some(i64::from_le_bytes(*named)),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn new_ones_come_back_sorted_and_once() {
        let mut random = fastrand::Rng::with_seed(11);
        let (mut new, mut wanted) = (NewDiscrepancies::default(), Vec::new());
        for no in 0..20_000 {
            let subject = random.i64(..);
            let is_row = no % 3 == 0;
            let one = NewDiscrepancy {
                subject,
                kind: Kind::ALL[no % Kind::ALL.len()],
                field: format!("ledger_{}", no % 400).into(),
                call_date: (!is_row).then(|| NaiveDate::from_num_days_from_ce_opt(no as i32).unwrap()),
                named: (is_row && no % 2 == 0).then_some(-1),
            };
            for _ in 0..1 + no % 2 {
                new.push(&one).unwrap();
            }
            wanted.push(one);
        }
        wanted.sort();
        let read: Vec<_> = (0..PARTS).flat_map(|part| new.part(part as u8).unwrap()).collect();
        assert_eq!(read, wanted);
    }

    #[test]
    fn what_has_no_room_is_counted() {
        let today = NaiveDate::from_ymd_opt(2026, 11, 16).unwrap();
        let (mut before, mut marks) = (OpenBefore::new(today), Marks::default());
        for subject in 0..MAX_REMEMBERED as i64 - 1 {
            before.push(OpenKey { subject, kind: "duplicate", field: "" }, today, None);
        }
        let before = before.sorted();
        // One is resolved, so there is room for two.
        let lookup = reconcile_core::status::Lookup::deferred(today, 0);
        before.name_call(7, &lookup, &mut marks);
        let mut new = NewDiscrepancies::default();
        for subject in [-5, -4, -4, i64::MAX] {
            let (call_date, named) = (Some(today), None);
            new.push(&NewDiscrepancy {
                subject,
                kind: Kind::Mismatch,
                field: "caller".into(),
                call_date,
                named,
            })
            .unwrap();
        }
        let changes = DiscrepancyChanges { before, marks, new, told: Vec::new() };
        assert_eq!(changes.not_remembered().unwrap(), 1);
        let kept: Vec<i64> =
            changes.remembered().flat_map(|part| part.unwrap()).map(|new| new.subject).collect();
        assert_eq!(kept, [-5, -4]);
    }
}
