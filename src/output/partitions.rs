//! The details as a Hive-partitioned folder: `call_date=YYYY-MM-DD/part-0.parquet`.
//!
//! Owns the folder's layout and its replacement. As in Hive, the day is in the folder's name and
//! not in the files.
//!
//! The new folder is written beside its target. On Linux the two are exchanged in one step.
//! Elsewhere the old folder is moved aside first. If a run finds only the folder that was moved
//! aside, it puts it back.
//!
//! Days may come in any order, and memory does not grow with the ledger. At most [`MAX_OPEN_FILES`]
//! files are open. The file with the oldest row is closed for another, and its day continues in
//! `part-1`. If all open files together hold more than [`MAX_HELD_BYTES`], the fullest one writes a
//! row group.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use chrono::NaiveDate;

use super::schema::{Cell, Column};
use super::table::Table;
use crate::error::{Error, Result};
use crate::staged::{Staged, hidden_beside, sync_folder_of, unwritable};

const MAX_OPEN_FILES: usize = 128;
/// Approximate.
const MAX_HELD_BYTES: usize = 64 << 20;
/// Rows between two checks of the memory held.
const ROWS_BETWEEN_CHECKS: u64 = 256;
const DAY_PREFIX: &str = "call_date=";

struct OpenFile {
    table: Table,
    /// Number of the last row added, counted over all days.
    last_row: u64,
}

/// The folder while it is written.
pub(super) struct Partitions {
    target: PathBuf,
    /// Locks the folder against other runs; the file itself stays empty.
    lock: Staged,
    unfinished: PathBuf,
    columns: Vec<Column>,
    carried: Vec<String>,
    metadata: Vec<(String, String)>,
    open: BTreeMap<NaiveDate, OpenFile>,
    /// Number of files of each day.
    parts: BTreeMap<NaiveDate, u32>,
    rows: u64,
}

/// The folder with all its files written, before it is renamed.
pub(super) struct ClosedPartitions {
    target: PathBuf,
    lock: Staged,
    unfinished: PathBuf,
    parts: Vec<DayFile>,
}

/// A file of the folder.
pub(super) struct DayFile {
    pub(super) day: NaiveDate,
    pub(super) path: PathBuf,
}

/// Where the new folder is written.
fn unfinished(target: &Path) -> PathBuf {
    hidden_beside(target, ".unfinished.d")
}

/// Where the old folder is moved aside.
fn moved_aside(target: &Path) -> PathBuf {
    hidden_beside(target, ".replaced.d")
}

/// Refuses a target that is not a folder of days, because the whole folder would be replaced.
///
/// # Errors
///
/// Exit 2 if it is a file or contains anything else. Exit 6 if it cannot be read.
pub(super) fn check_replaceable(target: &Path) -> Result<()> {
    if !target.exists() {
        return Ok(());
    }
    let refused = |problem: String| {
        Err(Error::usage(format!("the details folder {} {problem}", target.display()))
            .hint("name a new folder, because a details folder is replaced as a whole"))
    };
    if !target.is_dir() {
        return refused("is a file".into());
    }
    for entry in fs::read_dir(target).map_err(|e| unwritable(target, e))? {
        let name = entry.map_err(|e| unwritable(target, e))?.file_name();
        if !name.to_string_lossy().starts_with(DAY_PREFIX) {
            return refused(format!("contains another kind of file: {}", name.display()));
        }
    }
    Ok(())
}

impl Partitions {
    /// Starts the folder that will be `target`. Removes the leftovers of a killed run.
    ///
    /// # Errors
    ///
    /// Exit 6 if nothing can be written beside the target, or if another run is writing it.
    pub(super) fn create(
        target: &Path,
        columns: &[Column],
        carried: &[String],
        metadata: &[(String, String)],
    ) -> Result<Self> {
        let lock = Staged::create(target)?;
        let unfinished = unfinished(target);
        clear_leftovers(target, &unfinished)
            .and_then(|()| fs::create_dir(&unfinished))
            .map_err(|e| unwritable(target, e))?;
        Ok(Self {
            target: target.to_owned(),
            lock,
            unfinished,
            columns: columns.to_vec(),
            carried: carried.to_vec(),
            metadata: metadata.to_vec(),
            open: BTreeMap::new(),
            parts: BTreeMap::new(),
            rows: 0,
        })
    }

    /// Adds a row to the file of its day.
    ///
    /// # Errors
    ///
    /// Exit 6 if it cannot be written.
    pub(super) fn push<'a>(&mut self, day: NaiveDate, cells: impl Iterator<Item = Cell<'a>>) -> Result<()> {
        self.rows += 1;
        if !self.open.contains_key(&day) {
            self.close_oldest_if_full()?;
            let table = self.open_next_part(day)?;
            self.open.insert(day, OpenFile { table, last_row: 0 });
        }
        if let Some(file) = self.open.get_mut(&day) {
            file.last_row = self.rows;
            file.table.push(cells)?;
        }
        if self.rows.is_multiple_of(ROWS_BETWEEN_CHECKS) { self.flush_fullest_if_large() } else { Ok(()) }
    }

    fn open_next_part(&mut self, day: NaiveDate) -> Result<Table> {
        let part = self.parts.entry(day).or_insert(0);
        let path = part_path(&self.unfinished, day, *part);
        *part += 1;
        let created = fs::create_dir_all(path.parent().unwrap_or(&self.unfinished));
        let file = created.and_then(|()| File::create(&path)).map_err(|e| unwritable(&self.target, e))?;
        Table::create(file, &self.target, &self.columns, &self.carried, &self.metadata)
    }

    fn close_oldest_if_full(&mut self) -> Result<()> {
        if self.open.len() < MAX_OPEN_FILES {
            return Ok(());
        }
        let oldest = self.open.iter().min_by_key(|(_, file)| file.last_row).map(|(day, _)| *day);
        oldest.and_then(|day| self.open.remove(&day)).map_or(Ok(()), |file| file.table.finish())
    }

    fn flush_fullest_if_large(&mut self) -> Result<()> {
        let held: usize = self.open.values().map(|file| file.table.held_bytes()).sum();
        if held <= MAX_HELD_BYTES {
            return Ok(());
        }
        let fullest = self.open.values_mut().max_by_key(|file| file.table.held_bytes());
        fullest.map_or(Ok(()), |file| file.table.end_row_group())
    }

    /// Closes all files.
    ///
    /// # Errors
    ///
    /// Exit 6 if a file cannot be written.
    pub(super) fn finish(mut self) -> Result<ClosedPartitions> {
        std::mem::take(&mut self.open).into_values().try_for_each(|file| file.table.finish())?;
        let parts = self.parts.iter().flat_map(|(day, count)| (0..*count).map(move |part| (*day, part)));
        let parts = parts.map(|(day, part)| DayFile { day, path: part_path(&self.unfinished, day, part) });
        let parts = parts.collect();
        Ok(ClosedPartitions { target: self.target, lock: self.lock, unfinished: self.unfinished, parts })
    }
}

fn clear_leftovers(target: &Path, unfinished: &Path) -> io::Result<()> {
    let old = moved_aside(target);
    if old.exists() {
        // If the target is missing, a run was killed between its two renames: only the old folder
        // is whole.
        if target.exists() { fs::remove_dir_all(&old)? } else { fs::rename(&old, target)? }
    }
    if unfinished.exists() { fs::remove_dir_all(unfinished) } else { Ok(()) }
}

fn part_path(folder: &Path, day: NaiveDate, part: u32) -> PathBuf {
    folder.join(format!("{DAY_PREFIX}{day}")).join(format!("part-{part}.parquet"))
}

impl ClosedPartitions {
    /// All files, by day.
    pub(super) fn parts(&self) -> &[DayFile] {
        &self.parts
    }

    /// Path of the finished folder.
    pub(super) fn target(&self) -> &Path {
        &self.target
    }

    /// Syncs all files to disk.
    ///
    /// # Errors
    ///
    /// Exit 6 if the disk is full or failing.
    pub(super) fn sync(&self) -> Result<()> {
        let sync_all = || -> io::Result<()> {
            for DayFile { path, .. } in &self.parts {
                File::open(path)?.sync_all()?;
                sync_folder_of(path)?;
            }
            sync_folder_of(&self.unfinished.join(DAY_PREFIX))
        };
        sync_all().map_err(|e| unwritable(&self.target, e))
    }

    /// Replaces the old folder by the new one.
    ///
    /// # Errors
    ///
    /// Exit 6 if it cannot be renamed.
    pub(super) fn rename(self) -> Result<()> {
        let replaced = replace_folder(&self.unfinished, &self.target);
        // No other run may start before this point.
        drop(self.lock);
        replaced.map_err(|e| unwritable(&self.target, e))
    }
}

fn replace_folder(new: &Path, target: &Path) -> io::Result<()> {
    let old = if !target.exists() {
        fs::rename(new, target)?;
        None
    } else if exchange(new, target) {
        Some(new.to_owned())
    } else {
        let aside = moved_aside(target);
        fs::rename(target, &aside)?;
        fs::rename(new, target)?;
        Some(aside)
    };
    sync_folder_of(target)?;
    old.map_or(Ok(()), fs::remove_dir_all)
}

/// Whether both paths were exchanged in one step.
#[cfg(target_os = "linux")]
fn exchange(a: &Path, b: &Path) -> bool {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    renameat_with(CWD, a, CWD, b, RenameFlags::EXCHANGE).is_ok()
}

/// Only Linux exchanges two folders in one step.
#[cfg(not(target_os = "linux"))]
fn exchange(_: &Path, _: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::output::schema::{ColumnType, count_cell};
    use reconcile_core::quick_parse;

    const COLUMNS: [Column; 1] = [Column { name: "n", column_type: ColumnType::Integer, nullable: false }];

    fn write(target: &Path, days: impl Iterator<Item = u64>) -> ClosedPartitions {
        let mut folder = Partitions::create(target, &COLUMNS, &[], &[]).unwrap();
        let first = quick_parse::day("2026-01-01").unwrap();
        for n in days {
            folder.push(first + chrono::Days::new(n), std::iter::once(count_cell(n))).unwrap();
            assert!(folder.open.len() <= MAX_OPEN_FILES);
        }
        let closed = folder.finish().unwrap();
        closed.sync().unwrap();
        closed
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<String> = entries.map(|name| name.to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn the_old_folder_stays_until_the_new_one_is_whole() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("details");
        write(&target, [0, 1, 0].into_iter()).rename().unwrap();
        assert_eq!(names(&target), ["call_date=2026-01-01", "call_date=2026-01-02"]);
        let next = write(&target, [2].into_iter());
        assert_eq!(names(&target).len(), 2);
        next.rename().unwrap();
        assert_eq!(names(&target), ["call_date=2026-01-03"]);
        assert_eq!(names(dir.path()), ["details"]);
    }

    #[test]
    fn leftovers_of_a_killed_run_are_cleared() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("details");
        write(&target, [0].into_iter()).rename().unwrap();
        fs::rename(&target, moved_aside(&target)).unwrap();
        fs::create_dir(unfinished(&target)).unwrap();
        let folder = Partitions::create(&target, &COLUMNS, &[], &[]).unwrap();
        assert_eq!(names(&target), ["call_date=2026-01-01"], "the old folder is back");
        folder.finish().unwrap().rename().unwrap();
        assert_eq!(names(dir.path()), ["details"]);
    }

    #[test]
    fn a_day_continues_in_a_second_part_if_too_many_are_open() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("details");
        let days = MAX_OPEN_FILES as u64 + 10;
        let closed = write(&target, (0..days).chain([0]));
        assert_eq!(closed.parts().len(), MAX_OPEN_FILES + 11);
        assert!(closed.parts()[1].path.ends_with("call_date=2026-01-01/part-1.parquet"));
    }

    #[test]
    fn a_folder_with_other_files_is_not_replaced() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("precious.txt"), "x").unwrap();
        let problem = |target: &Path| check_replaceable(target).unwrap_err().what;
        assert!(problem(dir.path()).contains("precious.txt"));
        assert!(problem(&dir.path().join("precious.txt")).contains("is a file"));
        assert!(check_replaceable(&dir.path().join("new")).is_ok());
    }
}
