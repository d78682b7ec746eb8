//! Since when a discrepancy is open: which ones are new, which recur, and which are resolved.
//!
//! A run compares its discrepancies with those that were open before it, [`OpenBefore`]. Its parts
//! note what they meet as [`Marks`], which merge in any order.
//!
//! - A discrepancy is known by subject, kind and field ([`Subject`]). Several rows with the same
//!   three, such as the later rows of a call, are one discrepancy here.
//! - It is *seen* if tonight has a row of it.
//! - It is *judged* if tonight can tell whether it is still there. A judged one that is not seen is
//!   *resolved*. One that is neither judged nor seen stays as it was.
//!
//! [`Subject`]: crate::discrepancy_identity::Subject

use std::collections::HashMap;
use std::ops::Range;

use chrono::{Datelike as _, NaiveDate};
use compact_str::CompactString;

use crate::discrepancy::{Kind, Since};
use crate::discrepancy_identity::call_id_digest;
use crate::merge::Merge;
use crate::status::{FailureKind, Lookup, Status};

/// Most open discrepancies that a store remembers. Further ones count as new each night.
pub const MAX_REMEMBERED: usize = 2_000_000;
/// An open discrepancy is forgotten once no ledger has named it for this many days.
pub const REMEMBERED_DAYS: i64 = 90;

/// What changed since the last run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct SinceLast {
    /// Discrepancies that were not open before. Rows are counted.
    pub new: u64,
    /// Discrepancies that were open before. Rows are counted.
    pub recurring: u64,
    /// Discrepancies that were open before and are no more. Rows of one call with the same kind and
    /// field are one, and so are equal unusable rows.
    pub resolved: u64,
}

impl SinceLast {
    /// Counts a row.
    pub fn add(&mut self, since: Since) {
        *(if since.is_new { &mut self.new } else { &mut self.recurring }) += 1;
    }
}

impl Merge for SinceLast {
    fn merge(&mut self, other: Self) {
        let Self { new, recurring, resolved } = other;
        self.new.merge(new);
        self.recurring.merge(recurring);
        self.resolved.merge(resolved);
    }
}

/// Whether tonight's lookup of a call tells if a discrepancy of this kind is still there.
///
/// - Rows of the ledger alone make a `duplicate`.
/// - A record, a missing one, or a refusal for good tells everything.
/// - Another answer of the provider replaces the earlier status. It does not say whether values
///   still differ.
/// - If every attempt failed, the call was asked all the same: it is no longer `deferred`.
/// - A call that was not asked tells nothing.
#[must_use]
pub fn judges(lookup: &Lookup, kind: Kind) -> bool {
    let failure = lookup.failure.as_ref().map(|failure| failure.kind);
    match (kind, lookup.status, failure) {
        // A usable row with its CallId tells that it is gone.
        (Kind::InvalidRow | Kind::MissingInLedger, ..) => false,
        (Kind::Duplicate, ..) | (_, Status::Found | Status::NotFound, _) => true,
        (_, Status::Deferred, _) => false,
        (_, Status::Failed, Some(FailureKind::Rejected)) => true,
        (_, Status::Failed, Some(FailureKind::Exhausted)) => kind == Kind::Deferred,
        (_, Status::Failed | Status::Pending, _) => kind.is_status(),
    }
}

/// The discrepancies that were open before a run: 17 bytes for each one of a call, 41 for each one
/// of an unusable row, or of a call that only a receipt names.
#[derive(Debug, Clone)]
pub struct OpenBefore {
    today: NaiveDate,
    /// Sorted by subject.
    entries: Vec<Entry>,
    /// Where the entries of each bucket begin, and the end of the last one. Subjects are digests,
    /// so a bucket has [`ENTRIES_PER_BUCKET`] on average.
    buckets: Vec<u32>,
    /// Kind and field of each word number.
    words: Vec<(Word, CompactString)>,
    numbers: HashMap<CompactString, HashMap<CompactString, u32>>,
    /// Sorted by the digest of the CallId.
    named: Vec<Named>,
}

/// Entries of a bucket, if all have as many: four fill a line of the cache.
const ENTRIES_PER_BUCKET: usize = 4;

/// The bucket of a subject, in the order of the subjects. The number of buckets is a power of two.
fn bucket_of(subject: i64, buckets: usize) -> usize {
    let from_smallest = subject.cast_unsigned() ^ i64::MIN.cast_unsigned();
    ((u128::from(from_smallest) * buckets as u128) >> u64::BITS) as usize
}

/// An open discrepancy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    subject: i64,
    /// The number of its kind and field.
    words: u32,
    /// Days since the year 0.
    since: i32,
}

/// An unusable row that names a CallId, or a call that only a receipt names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Named {
    call_id: i64,
    subject: i64,
    words: u32,
}

/// A kind as stored. A newer version may have stored one that this one does not know.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Word {
    Known(Kind),
    Unknown(CompactString),
}

/// What makes a discrepancy the same on another night.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct OpenKey<'a> {
    /// The digest of its subject.
    pub subject: i64,
    /// Its kind, as in the outputs.
    pub kind: &'a str,
    /// Its field; empty if there is none.
    pub field: &'a str,
}

/// What a run does to a discrepancy that was open before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Tonight's ledger names it; it stays open.
    Named,
    /// It is no longer there.
    Resolved,
}

impl OpenBefore {
    /// No discrepancies. The run began on the day `today`, in UTC+8.
    #[must_use]
    pub fn new(today: NaiveDate) -> Self {
        let (entries, buckets, words, numbers, named) = Default::default();
        Self { today, entries, buckets, words, numbers, named }
    }

    /// Adds one that has been open since this day. `named` is the digest of the CallId whose usable
    /// row replaces it. [`OpenBefore::sorted`] has to follow.
    pub fn push(&mut self, key: OpenKey<'_>, since: NaiveDate, named: Option<i64>) {
        let (subject, words) = (key.subject, self.number_of(key.kind, key.field));
        self.entries.push(Entry { subject, words, since: since.num_days_from_ce() });
        self.named.extend(named.map(|call_id| Named { call_id, subject, words }));
    }

    /// Makes room for this many.
    pub fn reserve(&mut self, entries: usize) {
        self.entries.reserve_exact(entries);
    }

    /// After the last one.
    #[must_use]
    pub fn sorted(mut self) -> Self {
        self.entries.sort_unstable();
        self.named.sort_unstable();
        let buckets = (self.entries.len() / ENTRIES_PER_BUCKET).next_power_of_two();
        self.buckets = vec![0; buckets + 1];
        for entry in &self.entries {
            self.buckets[bucket_of(entry.subject, buckets) + 1] += 1;
        }
        for bucket in 0..buckets {
            self.buckets[bucket + 1] += self.buckets[bucket];
        }
        self
    }

    /// Their number.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether none was open.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Notes that tonight's ledger names the call with this subject.
    pub fn name_call(&self, subject: i64, lookup: &Lookup, marks: &mut Marks) {
        for at in self.places(subject) {
            if let Word::Known(kind) = &self.words[self.entries[at].words as usize].0 {
                marks.named.set(at);
                if judges(lookup, *kind) {
                    marks.judged.set(at);
                }
            }
        }
    }

    /// Notes that tonight's ledger has a usable row with this CallId. It replaces unusable rows
    /// that had it, and the ledger no longer lacks the call.
    pub fn name_call_id(&self, call_id: &str, marks: &mut Marks) {
        if self.named.is_empty() {
            return;
        }
        let digest = call_id_digest(call_id);
        let first = self.named.partition_point(|named| named.call_id < digest);
        for named in self.named[first..].iter().take_while(|named| named.call_id == digest) {
            self.place(named.subject, named.words).into_iter().for_each(|at| marks.judged.set(at));
        }
    }

    /// Since when a discrepancy of tonight is open. Notes that it is seen.
    pub fn since(&self, subject: i64, kind: Kind, field: &str, marks: &mut Marks) -> Since {
        let number = || self.numbers.get(kind.as_str())?.get(field).copied();
        let place = || self.place(subject, number()?);
        let new = Since { day: self.today, is_new: true };
        if self.is_empty() || kind.is_event() {
            return new;
        }
        let Some(at) = place() else { return new };
        marks.seen.set(at);
        let day = NaiveDate::from_num_days_from_ce_opt(self.entries[at].since);
        // A run that began later may have ended earlier.
        Since { day: day.map_or(self.today, |day| day.min(self.today)), is_new: false }
    }

    /// How many are resolved.
    #[must_use]
    pub fn resolved(&self, marks: &Marks) -> u64 {
        (0..self.len()).filter(|at| marks.fate(*at) == Some(Fate::Resolved)).count() as u64
    }

    /// What the run does to those that its ledger names. The others stay as they are.
    pub fn fates<'a>(&'a self, marks: &'a Marks) -> impl Iterator<Item = (OpenKey<'a>, Fate)> {
        self.entries.iter().enumerate().filter_map(|(at, entry)| {
            let (word, field) = &self.words[entry.words as usize];
            Some((OpenKey { subject: entry.subject, kind: word.as_str(), field }, marks.fate(at)?))
        })
    }

    fn places(&self, subject: i64) -> Range<usize> {
        // A binary search in all entries would miss the cache at each of its first steps.
        let bucket = bucket_of(subject, self.buckets.len().saturating_sub(1));
        let [begin, end] = [bucket, bucket + 1].map(|at| self.buckets.get(at).map_or(0, |at| *at as usize));
        let entries = &self.entries[begin..end];
        let first = entries.partition_point(|entry| entry.subject < subject);
        let number = entries[first..].iter().take_while(|entry| entry.subject == subject).count();
        begin + first..begin + first + number
    }

    fn place(&self, subject: i64, words: u32) -> Option<usize> {
        self.places(subject).find(|at| self.entries[*at].words == words)
    }

    fn number_of(&mut self, kind: &str, field: &str) -> u32 {
        if let Some(number) = self.numbers.get(kind).and_then(|fields| fields.get(field)) {
            return *number;
        }
        let known = Kind::ALL.into_iter().find(|known| known.as_str() == kind);
        let number = u32::try_from(self.words.len()).unwrap_or(u32::MAX);
        self.words.push((known.map_or_else(|| Word::Unknown(kind.into()), Word::Known), field.into()));
        self.numbers.entry(kind.into()).or_default().insert(field.into(), number);
        number
    }
}

impl Word {
    fn as_str(&self) -> &str {
        match self {
            Self::Known(kind) => kind.as_str(),
            Self::Unknown(word) => word,
        }
    }
}

/// What a part of a ledger says about the discrepancies that were open before.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Marks {
    seen: Bits,
    named: Bits,
    judged: Bits,
}

impl Marks {
    fn fate(&self, at: usize) -> Option<Fate> {
        match (self.seen.has(at), self.judged.has(at)) {
            (true, _) => Some(Fate::Named),
            (false, true) => Some(Fate::Resolved),
            (false, false) => self.named.has(at).then_some(Fate::Named),
        }
    }
}

impl Merge for Marks {
    fn merge(&mut self, other: Self) {
        let Self { seen, named, judged } = other;
        self.seen.merge(seen);
        self.named.merge(named);
        self.judged.merge(judged);
    }
}

/// A set of places. Its length is that of the highest one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Bits(Vec<u64>);

impl Bits {
    fn set(&mut self, at: usize) {
        let word = at / 64;
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        self.0[word] |= 1 << (at % 64);
    }

    fn has(&self, at: usize) -> bool {
        self.0.get(at / 64).is_some_and(|word| word >> (at % 64) & 1 == 1)
    }
}

impl Merge for Bits {
    fn merge(&mut self, other: Self) {
        if self.0.len() < other.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        self.0.iter_mut().zip(other.0).for_each(|(own, other)| *own |= other);
    }
}

#[cfg(test)]
mod tests;
