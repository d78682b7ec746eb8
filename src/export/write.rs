//! Writes the answers that the folder does not have.
//!
//! The first reading of the store finds out which sessions brought answers for which days. Then
//! [`FILES_AT_ONCE`] files at a time are written, by reading only the calls among which their
//! answers are. So memory grows neither with the answers nor with the days.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::path::PathBuf;

use chrono::NaiveDate;
use reconcile_core::answer::StoredAnswer;

use super::day_file::{DayFile, metadata};
use super::file_name::name_of;
use super::folder::ExportFolder;
use crate::error::Result;
use crate::store::{AnswerGroup, AnsweredCall, EndedSession, Origin, Reader, Sessions};

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
    let (sessions, origin) = (reader.sessions()?, reader.origin()?);
    let mut exported = Exported::default();
    let mut new = missing(&sessions, reader.answer_groups()?, origin, folder, &mut exported);
    new.sort_unstable_by_key(|file| file.group.first_no);
    for files in new.chunks(FILES_AT_ONCE) {
        write_files(files, reader, &mut exported)?;
    }
    Ok(exported)
}

/// The files that the folder does not have. Notes what is left out.
fn missing(
    sessions: &Sessions,
    groups: Vec<AnswerGroup>,
    origin: Origin,
    folder: &ExportFolder,
    exported: &mut Exported,
) -> Vec<NewFile> {
    let ended: BTreeMap<i64, &EndedSession> =
        sessions.ended.iter().map(|session| (session.session_no, session)).collect();
    let known = ended.keys().copied().chain(sessions.open.iter().copied());
    let newest = known.max().unwrap_or(0);
    let mut new = Vec::new();
    for group in groups {
        // A session may have begun after the sessions were read.
        if group.session_no > newest || sessions.open.contains(&group.session_no) {
            exported.open_sessions.insert(group.session_no);
            continue;
        }
        let session = ended.get(&group.session_no).copied();
        let Some((session, name)) = session.and_then(|session| Some((session, name_of(session, origin)?)))
        else {
            exported.damaged += group.calls;
            continue;
        };
        let path = folder.file(group.day, &name);
        if !path.exists() {
            let is_sandbox = origin == Origin::Sandbox;
            let metadata = metadata(&session.run_id, session.session_no, is_sandbox);
            new.push(NewFile { group, path, metadata });
        }
    }
    new
}

/// A file that the folder does not have.
#[derive(Debug)]
struct NewFile {
    group: AnswerGroup,
    path: PathBuf,
    metadata: Vec<(String, String)>,
}

/// The session and the day of a file.
type Group = (i64, NaiveDate);

/// Writes these files in one reading of their calls.
fn write_files(files: &[NewFile], reader: &dyn Reader, exported: &mut Exported) -> Result<()> {
    let by_group: BTreeMap<Group, &NewFile> =
        files.iter().map(|file| ((file.group.session_no, file.group.day), file)).collect();
    let mut open = OpenFiles::default();
    for calls in merged(files.iter().map(|file| file.group.first_no..=file.group.last_no)) {
        let is_wanted = |session_no, day| by_group.contains_key(&(session_no, day));
        reader.answered_calls(calls, &is_wanted, &mut |call| match &call.answer {
            None => {
                exported.damaged += 1;
                Ok(())
            }
            // The neighbouring day has not been asked yet, so there is no answer yet.
            Some(stored) if stored.answer.next_date.is_some() => Ok(()),
            Some(stored) => open.push(&by_group, &call, stored),
        })?;
    }
    for file in open.files.into_values() {
        exported.answers += file.finish()?;
        exported.files += 1;
    }
    Ok(())
}

/// The files that are written in one reading.
#[derive(Default)]
struct OpenFiles {
    files: BTreeMap<Group, DayFile>,
    /// Memory in bytes of their rows.
    held_bytes: usize,
}

impl OpenFiles {
    fn push(
        &mut self,
        new: &BTreeMap<Group, &NewFile>,
        call: &AnsweredCall,
        stored: &StoredAnswer,
    ) -> Result<()> {
        let file = match self.files.entry((call.session_no, call.key.day)) {
            Entry::Occupied(open) => open.into_mut(),
            Entry::Vacant(vacant) => match new.get(vacant.key()) {
                Some(new) => vacant.insert(DayFile::create(new.path.clone(), &new.metadata)?),
                None => return Ok(()),
            },
        };
        let held_before = file.held_bytes();
        file.push(&call.key, call.attempts, stored)?;
        self.held_bytes += file.held_bytes() - held_before;
        if self.held_bytes > MAX_HELD_BYTES { self.end_largest_row_group() } else { Ok(()) }
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
        let group = |session_no, day| AnswerGroup { session_no, day, first_no: 1, last_no: 9, calls: 3 };
        let there = folder.file(day(1), &name_of(&session(2), Origin::Provider).unwrap());
        std::fs::create_dir(there.parent().unwrap()).unwrap();
        std::fs::write(there, "").unwrap();
        // The store does not know session 0, and session 6 began while the groups were read.
        let groups = [(0, 1), (1, 1), (2, 1), (2, 2), (3, 1), (4, 2), (5, 2), (6, 2)];
        let groups = groups.map(|(session_no, of)| group(session_no, day(of))).into();
        let mut exported = Exported::default();
        let new = missing(&sessions, groups, Origin::Provider, &folder, &mut exported);
        let new: Vec<_> = new.iter().map(|file| (file.group.session_no, file.group.day)).collect();
        assert_eq!(new, [(1, day(1)), (2, day(2)), (4, day(2))]);
        assert_eq!(exported, Exported { damaged: 3, open_sessions: [3, 5, 6].into(), ..Exported::default() });
    }

    #[test]
    fn overlapping_ranges_are_read_once() {
        let ranges = [7..=9, 1..=3, 2..=5, 5..=5, 20..=20, 8..=8];
        assert_eq!(merged(ranges.into_iter()), [1..=5, 7..=9, 20..=20]);
        assert_eq!(merged(std::iter::empty()), []);
    }
}
