//! Writes the answers that the folder does not have.
//!
//! The first reading of the store finds out which sessions brought answers for which days. Then
//! [`FILES_AT_ONCE`] files at a time are written, by reading only the calls among which their
//! answers are. Receipts follow in files of their own: they are read once to find their sessions
//! and days, and once for these files. So memory grows neither with the answers nor with the days.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::path::PathBuf;

use chrono::NaiveDate;
use reconcile_core::answer::StoredAnswer;
use reconcile_core::call::CallKey;
use reconcile_core::source::Source;

use super::day_file::{DayFile, metadata};
use super::file_name::{Contents, name_of};
use super::folder::ExportFolder;
use crate::error::Result;
use crate::store::{AnswerGroup, EndedSession, KeptReceipt, Origin, Reader, Sessions};

/// Files that are written in one reading of their calls.
const FILES_AT_ONCE: usize = 32;
/// Memory in bytes for the rows of all these files.
const MAX_HELD_BYTES: usize = 64 << 20;

/// What an export did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exported {
    /// Exported answers.
    pub answers: u64,
    /// New files.
    pub files: u64,
    /// Answers that were left out because they are damaged.
    pub damaged: u64,
    /// The sessions whose answers were left out because they have not ended.
    pub open_sessions: BTreeSet<i64>,
}

/// Writes every answer of an ended session that the folder does not have.
///
/// # Errors
///
/// Exit 6 if the store cannot be read or a file cannot be written. The files that are already in
/// place stay; the next export writes the others.
pub fn export(reader: &dyn Reader, folder: &ExportFolder) -> Result<Exported> {
    // The sessions come first: afterwards none of those that have ended brings another answer.
    let mut wanted = Wanted {
        sessions: reader.sessions()?,
        origin: reader.origin()?,
        folder,
        exported: Exported::default(),
    };
    let groups: BTreeMap<Group, AnswerGroup> =
        reader.answer_groups()?.into_iter().map(|group| ((group.session_no, group.day), group)).collect();
    let rows = groups.iter().map(|(group, answers)| (*group, answers.calls));
    let mut new = wanted.missing(rows.collect(), Contents::Answers);
    new.sort_unstable_by_key(|file| groups[&file.group].first_no);
    for files in new.chunks(FILES_AT_ONCE) {
        let ranges = files.iter().map(|file| &groups[&file.group]);
        let ranges = merged(ranges.map(|group| group.first_no..=group.last_no));
        write_answers(files, ranges, reader, &mut wanted.exported)?;
    }
    let new = wanted.missing(receipt_groups(reader)?, Contents::Receipts);
    for files in new.chunks(FILES_AT_ONCE) {
        write_receipts(files, reader, &mut wanted.exported)?;
    }
    Ok(wanted.exported)
}

/// The session and the day of a file.
type Group = (i64, NaiveDate);

/// What is exported, and where to.
struct Wanted<'a> {
    sessions: Sessions,
    origin: Origin,
    folder: &'a ExportFolder,
    exported: Exported,
}

impl Wanted<'_> {
    /// The files that the folder lacks. Each group has a file; its number is that of its rows.
    /// Counts what is left out.
    fn missing(&mut self, groups: Vec<(Group, u64)>, contents: Contents) -> Vec<NewFile> {
        let Self { sessions, origin, folder, exported } = self;
        let ended: BTreeMap<i64, &EndedSession> =
            sessions.ended.iter().map(|session| (session.session_no, session)).collect();
        let known = ended.keys().copied().chain(sessions.open.iter().copied());
        let newest = known.max().unwrap_or(0);
        let mut new = Vec::new();
        for (group, rows) in groups {
            let (session_no, day) = group;
            // A session may have begun after the sessions were read.
            if session_no > newest || sessions.open.contains(&session_no) {
                exported.open_sessions.insert(session_no);
                continue;
            }
            let session = ended.get(&session_no).copied();
            let named = session.and_then(|session| Some((session, name_of(session, *origin, contents)?)));
            let Some((session, name)) = named else {
                exported.damaged += rows;
                continue;
            };
            let path = folder.file(day, &name);
            if !path.exists() {
                let metadata = metadata(&session.run_id, session_no, *origin == Origin::Sandbox);
                new.push(NewFile { group, path, metadata });
            }
        }
        new
    }
}

/// A file that the folder does not have.
#[derive(Debug)]
struct NewFile {
    group: Group,
    path: PathBuf,
    metadata: Vec<(String, String)>,
}

/// Writes these files in one reading of the calls with these numbers.
fn write_answers(
    files: &[NewFile],
    ranges: Vec<RangeInclusive<i64>>,
    reader: &dyn Reader,
    exported: &mut Exported,
) -> Result<()> {
    let mut open = OpenFiles::of(files);
    for calls in ranges {
        let is_wanted = |session_no, day| files.iter().any(|file| file.group == (session_no, day));
        reader.answered_calls(calls, &is_wanted, &mut |call| match &call.answer {
            None => {
                exported.damaged += 1;
                Ok(())
            }
            // The neighbouring day has not been asked yet, so there is no answer yet.
            Some(stored) if stored.answer.next_date.is_some() => Ok(()),
            Some(stored) => open.push(call.session_no, &call.key, call.attempts, (Source::Query, stored)),
        })?;
    }
    open.finish(exported)
}

/// The sessions and days of all receipts, with their number. Reads the receipts once.
fn receipt_groups(reader: &dyn Reader) -> Result<Vec<(Group, u64)>> {
    let mut groups: BTreeMap<Group, u64> = BTreeMap::new();
    for_each_receipt(reader, &mut |receipt| {
        *groups.entry((receipt.session_no, receipt.key.day)).or_default() += 1;
        Ok(())
    })?;
    Ok(groups.into_iter().collect())
}

/// Writes these files in one reading of the receipts.
fn write_receipts(files: &[NewFile], reader: &dyn Reader, exported: &mut Exported) -> Result<()> {
    let mut open = OpenFiles::of(files);
    for_each_receipt(reader, &mut |KeptReceipt { key, session_no, answer }| match answer {
        None => {
            exported.damaged += u64::from(open.new.contains_key(&(session_no, key.day)));
            Ok(())
        }
        // Nobody was asked.
        Some(stored) => open.push(session_no, &key, 0, (Source::Receipt, &stored)),
    })?;
    open.finish(exported)
}

fn for_each_receipt(reader: &dyn Reader, each: &mut dyn FnMut(KeptReceipt) -> Result<()>) -> Result<()> {
    let mut after = None;
    loop {
        let receipts = reader.receipts_after(after.as_ref())?;
        let Some(last) = receipts.last() else { return Ok(()) };
        after = Some(last.key.clone());
        receipts.into_iter().try_for_each(&mut *each)?;
    }
}

/// The files that are written in one reading.
struct OpenFiles<'a> {
    /// The files that are wanted.
    new: BTreeMap<Group, &'a NewFile>,
    files: BTreeMap<Group, DayFile>,
    /// Memory in bytes of their rows.
    held_bytes: usize,
}

impl<'a> OpenFiles<'a> {
    fn of(new: &'a [NewFile]) -> Self {
        let new = new.iter().map(|file| (file.group, file)).collect();
        Self { new, files: BTreeMap::new(), held_bytes: 0 }
    }

    fn push(
        &mut self,
        session_no: i64,
        key: &CallKey,
        attempts: i64,
        answer: (Source, &StoredAnswer),
    ) -> Result<()> {
        let file = match self.files.entry((session_no, key.day)) {
            Entry::Occupied(open) => open.into_mut(),
            Entry::Vacant(vacant) => match self.new.get(vacant.key()) {
                Some(new) => vacant.insert(DayFile::create(new.path.clone(), &new.metadata)?),
                None => return Ok(()),
            },
        };
        let held_before = file.held_bytes();
        file.push(key, attempts, answer)?;
        self.held_bytes += file.held_bytes() - held_before;
        if self.held_bytes > MAX_HELD_BYTES { self.end_largest_row_group() } else { Ok(()) }
    }

    fn finish(self, exported: &mut Exported) -> Result<()> {
        for file in self.files.into_values() {
            exported.answers += file.finish()?;
            exported.files += 1;
        }
        Ok(())
    }

    fn end_largest_row_group(&mut self) -> Result<()> {
        let Some(largest) = self.files.values_mut().max_by_key(|file| file.held_bytes()) else {
            return Ok(());
        };
        self.held_bytes -= largest.held_bytes();
        largest.end_row_group()
    }
}

/// The same numbers in ascending ranges that do not overlap.
fn merged(ranges: impl Iterator<Item = RangeInclusive<i64>>) -> Vec<RangeInclusive<i64>> {
    let mut ranges: Vec<_> = ranges.collect();
    ranges.sort_unstable_by_key(|range| *range.start());
    let mut merged: Vec<RangeInclusive<i64>> = Vec::new();
    for range in ranges {
        match merged.last_mut() {
            Some(last) if range.start() <= last.end() => *last = *last.start()..=*last.end().max(range.end()),
            _ => merged.push(range),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_ended_sessions_without_a_file_are_exported() {
        let dir = tempfile::tempdir().unwrap();
        let folder = ExportFolder::to_write(&dir.path().join("lake"), Origin::Provider).unwrap();
        let session = |session_no| EndedSession {
            session_no,
            run_id: "3f2a91c0-6f0e-4c2f-9d6b-0a3c5d8e7f10".into(),
            started_at: chrono::DateTime::from_timestamp_micros(session_no).unwrap(),
        };
        let sessions = Sessions { ended: [1, 2, 4].map(session).into(), open: vec![3, 5] };
        let day = |day| NaiveDate::from_ymd_opt(2026, 11, day).unwrap();
        let contents = Contents::Answers;
        let there = folder.file(day(1), &name_of(&session(2), Origin::Provider, contents).unwrap());
        std::fs::create_dir(there.parent().unwrap()).unwrap();
        std::fs::write(there, "").unwrap();
        // The store does not know session 0, and session 6 began while the groups were read.
        let groups = [(0, 1), (1, 1), (2, 1), (2, 2), (3, 1), (4, 2), (5, 2), (6, 2)];
        let groups = groups.map(|(session_no, of)| ((session_no, day(of)), 3)).to_vec();
        let (origin, exported) = (Origin::Provider, Exported::default());
        let mut wanted = Wanted { sessions, origin, folder: &folder, exported };
        let new = wanted.missing(groups, contents);
        let new: Vec<Group> = new.iter().map(|file| file.group).collect();
        assert_eq!(new, [(1, day(1)), (2, day(2)), (4, day(2))]);
        let exported = wanted.exported;
        assert_eq!(exported, Exported { damaged: 3, open_sessions: [3, 5, 6].into(), ..Exported::default() });
    }

    #[test]
    fn overlapping_ranges_are_read_once() {
        let ranges = [7..=9, 1..=3, 2..=5, 5..=5, 20..=20, 8..=8];
        assert_eq!(merged(ranges.into_iter()), [1..=5, 7..=9, 20..=20]);
        assert_eq!(merged(std::iter::empty()), []);
    }
}
