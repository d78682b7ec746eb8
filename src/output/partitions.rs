//! The details as a Hive-partitioned folder: `call_date=YYYY-MM-DD/part-0.parquet`.
//!
//! Owns the folder's layout and its replacement. As in Hive, the day is in the folder's name and
//! not in the files.
//!
//! The new folder is written beside its target. On Linux the two are exchanged in one step.
//! Elsewhere the old folder is moved aside first. If a run finds only the folder that was moved
//! aside, it puts it back.
//!
//! Days may come in any order, and memory does not grow with the ledger, its days or its columns.
//! The rows of each day wait in memory until those of all days together need more than
//! [`MAX_HELD_BYTES`]. Then the day with the most writes a row group. At most [`MAX_OPEN_FILES`]
//! files are open, and fewer if they have many columns. For another one, the file that was not
//! written to for the longest time is closed. Its day continues in `part-1`.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use chrono::NaiveDate;

use super::packed_rows::PackedRows;
use super::schema::{Cell, Column, ColumnType};
use super::table::Table;
use crate::error::{Error, Result};
use crate::staged::{Staged, hidden_beside, sync_folder_of, unwritable};

const MAX_OPEN_FILES: usize = 128;
/// Most columns of all open files together. An open file needs about 2 KB for each.
const MAX_OPEN_COLUMNS: usize = 8_192;
/// Most columns of all row groups of a file together. Until it is closed, it needs about 1 KB for
/// each.
const MAX_COLUMN_CHUNKS: usize = 1 << 16;
/// Memory in bytes for rows that wait. Unit tests write more often.
const MAX_HELD_BYTES: usize = if cfg!(test) { 1 << 10 } else { 64 << 20 };
const DAY_PREFIX: &str = "call_date=";

struct OpenFile {
    table: Table,
    row_groups: usize,
    /// Number of the last write, counted over all files.
    last_write: u64,
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
    /// Types of all columns, the carried ones included.
    types: Vec<ColumnType>,
    /// Rows that wait to be written.
    waiting: BTreeMap<NaiveDate, PackedRows>,
    /// Memory in bytes of the rows that wait.
    held_bytes: usize,
    open: BTreeMap<NaiveDate, OpenFile>,
    /// Number of files of each day.
    parts: BTreeMap<NaiveDate, u32>,
    /// Number of row groups written.
    writes: u64,
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
            types: columns
                .iter()
                .map(|column| column.column_type)
                .chain(carried.iter().map(|_| ColumnType::Text))
                .collect(),
            waiting: BTreeMap::new(),
            held_bytes: 0,
            open: BTreeMap::new(),
            parts: BTreeMap::new(),
            writes: 0,
        })
    }

    /// Adds a row to its day.
    ///
    /// # Errors
    ///
    /// Exit 6 if it cannot be written.
    pub(super) fn push<'a>(&mut self, day: NaiveDate, cells: impl Iterator<Item = Cell<'a>>) -> Result<()> {
        let rows = self.waiting.entry(day).or_default();
        let held_before = rows.held_bytes();
        rows.push(cells);
        self.held_bytes += rows.held_bytes() - held_before;
        while self.held_bytes > MAX_HELD_BYTES {
            let most = self.waiting.iter().max_by_key(|(_, rows)| rows.held_bytes()).map(|(day, _)| *day);
            most.map_or(Ok(()), |day| self.write_rows(day))?;
        }
        Ok(())
    }

    /// Writes the waiting rows of a day as a row group.
    fn write_rows(&mut self, day: NaiveDate) -> Result<()> {
        let Some(rows) = self.waiting.remove(&day) else { return Ok(()) };
        if !self.open.contains_key(&day) {
            self.close_oldest_if_full()?;
            let table = self.open_next_part(day)?;
            self.open.insert(day, OpenFile { table, row_groups: 0, last_write: 0 });
        }
        self.held_bytes -= rows.held_bytes();
        self.writes += 1;
        let Some(file) = self.open.get_mut(&day) else { return Ok(()) };
        rows.for_each(&self.types, |cells| file.table.push(cells.iter().copied()))?;
        file.table.end_row_group()?;
        (file.row_groups, file.last_write) = (file.row_groups + 1, self.writes);
        if file.row_groups * self.types.len() > MAX_COLUMN_CHUNKS { self.close(day) } else { Ok(()) }
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
        if self.open.len() < self.max_open_files() {
            return Ok(());
        }
        let oldest = self.open.iter().min_by_key(|(_, file)| file.last_write).map(|(day, _)| *day);
        oldest.map_or(Ok(()), |day| self.close(day))
    }

    fn max_open_files(&self) -> usize {
        (MAX_OPEN_COLUMNS / self.types.len().max(1)).clamp(1, MAX_OPEN_FILES)
    }

    fn close(&mut self, day: NaiveDate) -> Result<()> {
        self.open.remove(&day).map_or(Ok(()), |file| file.table.finish())
    }

    /// Writes the rows that wait, and closes all files.
    ///
    /// # Errors
    ///
    /// Exit 6 if a file cannot be written.
    pub(super) fn finish(mut self) -> Result<ClosedPartitions> {
        while let Some(day) = self.waiting.keys().next().copied() {
            self.write_rows(day)?;
            self.close(day)?;
        }
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
        // Each day writes its rows twice before the next one comes.
        let often = 2 * MAX_HELD_BYTES / 9;
        let days = MAX_OPEN_FILES as u64 + 10;
        let closed = write(&target, (0..days).chain([0]).flat_map(|day| std::iter::repeat_n(day, often)));
        assert_eq!(closed.parts().len(), MAX_OPEN_FILES + 11);
        assert!(closed.parts()[1].path.ends_with("call_date=2026-01-01/part-1.parquet"));
    }

    #[test]
    fn memory_does_not_grow_with_days_and_columns() {
        let dir = tempfile::tempdir().unwrap();
        let carried: Vec<String> = (0..2_000).map(|n| format!("ledger_{n}")).collect();
        let mut folder = Partitions::create(&dir.path().join("details"), &COLUMNS, &carried, &[]).unwrap();
        assert_eq!(folder.max_open_files(), 4);
        for n in 0..14 {
            let day = quick_parse::day("2026-01-01").unwrap() + chrono::Days::new(n % 7);
            let texts = carried.iter().map(|_| Cell::Text(Some("x")));
            folder.push(day, std::iter::once(count_cell(n)).chain(texts)).unwrap();
            assert!(folder.open.len() <= 4 && folder.held_bytes <= MAX_HELD_BYTES);
        }
        assert!(folder.finish().unwrap().parts().len() > 7);
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
