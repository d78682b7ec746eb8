//! The details as a Hive-partitioned folder: `call_date=YYYY-MM-DD/part-0.parquet`.
//!
//! Owns the folder's layout and its replacement. The day is in the folder's name, as in Hive, and
//! also in the files: some readers do not look at the name.
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
use super::schema::{Column, ColumnType};
use super::table::Table;
use crate::error::{Error, Result};
use crate::place::resolve;
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
const PART_PREFIX: &str = "part-";

struct OpenFile {
    table: Table,
    row_groups: usize,
    /// Number of the last write, counted over all files.
    last_write: u64,
}

/// The folder while it is written.
pub(super) struct Partitions {
    /// As it was named.
    target: PathBuf,
    /// The target without links: a link stays, and its folder is replaced.
    place: PathBuf,
    unfinished: HiddenFolder,
    /// Locks the folder against other runs; the file itself stays empty.
    lock: Staged,
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
    place: PathBuf,
    unfinished: HiddenFolder,
    /// Held until the folder is in place: no other run may start before.
    _lock: Staged,
    parts: Vec<PathBuf>,
    /// Where the replaced folder is after the rename.
    replaced: Option<PathBuf>,
}

/// The new folder before its rename, and the replaced one after it. Dropping it removes the folder.
struct HiddenFolder(PathBuf);

impl Drop for HiddenFolder {
    fn drop(&mut self) {
        if is_folder(&self.0) {
            // If it cannot be removed, the next run does it.
            let _ = fs::remove_dir_all(&self.0);
        }
    }
}

/// Where the new folder is written, beside the target without links.
pub(super) fn unfinished(place: &Path) -> PathBuf {
    hidden_beside(place, ".unfinished.d")
}

/// Where the old folder is moved aside.
pub(super) fn moved_aside(place: &Path) -> PathBuf {
    hidden_beside(place, ".replaced.d")
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
    match foreign_entry(target).map_err(|e| unwritable(target, e))? {
        Some(name) => refused(format!("contains another kind of file: {}", name.display())),
        None => Ok(()),
    }
}

/// A file or folder below `folder` that is no day or no file of a day, by its path in `folder`.
fn foreign_entry(folder: &Path) -> io::Result<Option<PathBuf>> {
    for day in fs::read_dir(folder)? {
        let day = day?;
        let name = day.file_name();
        if !name.to_string_lossy().starts_with(DAY_PREFIX) || !is_folder(&day.path()) {
            return Ok(Some(name.into()));
        }
        for part in fs::read_dir(day.path())? {
            let part = part?.file_name();
            let text = part.to_string_lossy();
            if !text.starts_with(PART_PREFIX) || !text.ends_with(".parquet") {
                return Ok(Some(Path::new(&name).join(part)));
            }
        }
    }
    Ok(None)
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
        let place = resolve(target).map_err(|e| unwritable(target, e))?;
        let unfinished = unfinished(&place);
        clear_leftovers(&place, &unfinished)
            .and_then(|()| fs::create_dir(&unfinished))
            .map_err(|e| unwritable(target, e))?;
        Ok(Self {
            target: target.to_owned(),
            place,
            unfinished: HiddenFolder(unfinished),
            lock,
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

    /// Adds rows to their day.
    ///
    /// # Errors
    ///
    /// Exit 6 if they cannot be written.
    pub(super) fn append(&mut self, day: NaiveDate, rows: &PackedRows) -> Result<()> {
        let waiting = self.waiting.entry(day).or_default();
        let held_before = waiting.held_bytes();
        waiting.append(rows);
        self.held_bytes += waiting.held_bytes() - held_before;
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
        let path = part_path(&self.unfinished.0, day, *part);
        *part += 1;
        let created = fs::create_dir_all(path.parent().unwrap_or(&self.unfinished.0));
        let file = created.and_then(|()| File::create_new(&path)).map_err(|e| unwritable(&self.target, e))?;
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
        let parts = parts.map(|(day, part)| part_path(&self.unfinished.0, day, part)).collect();
        let Self { target, place, unfinished, lock, .. } = self;
        Ok(ClosedPartitions { target, place, unfinished, _lock: lock, parts, replaced: None })
    }
}

fn clear_leftovers(place: &Path, unfinished: &Path) -> io::Result<()> {
    let old = moved_aside(place);
    if is_folder(&old) {
        // If the target is missing, a run was killed between its two renames: only the old folder
        // is whole.
        if place.exists() { fs::remove_dir_all(&old)? } else { fs::rename(&old, place)? }
    }
    if is_folder(unfinished) { fs::remove_dir_all(unfinished) } else { Ok(()) }
}

/// Whether the path itself is a folder, and not a link to one.
fn is_folder(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|metadata| metadata.is_dir())
}

fn part_path(folder: &Path, day: NaiveDate, part: u32) -> PathBuf {
    folder.join(format!("{DAY_PREFIX}{day}")).join(format!("{PART_PREFIX}{part}.parquet"))
}

impl ClosedPartitions {
    /// All files, by day.
    pub(super) fn parts(&self) -> &[PathBuf] {
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
            for path in &self.parts {
                File::open(path)?.sync_all()?;
                sync_folder_of(path)?;
            }
            sync_folder_of(&self.unfinished.0.join(DAY_PREFIX))
        };
        sync_all().map_err(|e| unwritable(&self.target, e))
    }

    /// Replaces the old folder by the new one. [`ClosedPartitions::finish`] must follow.
    ///
    /// # Errors
    ///
    /// Exit 6 if it cannot be renamed, or if another file has come to the old folder.
    pub(super) fn rename(&mut self) -> Result<()> {
        check_replaceable(&self.place).map_err(|e| unwritable(&self.target, e))?;
        let replaced = replace_folder(&self.unfinished.0, &self.place);
        self.replaced = replaced.map_err(|e| unwritable(&self.target, e))?;
        Ok(())
    }

    /// Syncs the names of the folder to disk, then removes the replaced one.
    ///
    /// # Errors
    ///
    /// Exit 6 if the disk is failing.
    pub(super) fn finish(self) -> Result<()> {
        let removed = || self.replaced.as_deref().map_or(Ok(()), fs::remove_dir_all);
        sync_folder_of(&self.place).and_then(|()| removed()).map_err(|e| unwritable(&self.target, e))
    }
}

/// Returns where the old folder is now; `None` if there was none.
fn replace_folder(new: &Path, place: &Path) -> io::Result<Option<PathBuf>> {
    match place.symlink_metadata() {
        Err(e) if e.kind() == io::ErrorKind::NotFound => fs::rename(new, place).map(|()| None),
        Err(e) => Err(e),
        Ok(metadata) if !metadata.is_dir() => Err(io::Error::other("it is not a folder any more")),
        Ok(_) if exchange(new, place) => Ok(Some(new.to_owned())),
        Ok(_) => {
            let aside = moved_aside(place);
            fs::rename(place, &aside)?;
            fs::rename(new, place)?;
            Ok(Some(aside))
        }
    }
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
    use crate::output::schema::{Cell, ColumnType};
    use reconcile_core::columns::count_cell;
    use reconcile_core::quick_parse;

    const COLUMNS: [Column; 1] = [Column { name: "n", column_type: ColumnType::Integer, nullable: false }];

    fn write(target: &Path, days: impl Iterator<Item = u64>) -> ClosedPartitions {
        write_rows(target, days, 1)
    }

    /// Writes this number of rows each time that a day comes.
    fn write_rows(target: &Path, days: impl Iterator<Item = u64>, rows_of_day: usize) -> ClosedPartitions {
        let mut folder = Partitions::create(target, &COLUMNS, &[], &[]).unwrap();
        let first = quick_parse::day("2026-01-01").unwrap();
        for n in days {
            let mut rows = PackedRows::default();
            (0..rows_of_day).for_each(|_| rows.push(std::iter::once(count_cell(n))));
            folder.append(first + chrono::Days::new(n), &rows).unwrap();
            assert!(folder.open.len() <= MAX_OPEN_FILES);
        }
        let closed = folder.finish().unwrap();
        closed.sync().unwrap();
        closed
    }

    fn put(mut closed: ClosedPartitions) {
        closed.rename().unwrap();
        closed.finish().unwrap();
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
        put(write(&target, [0, 1, 0].into_iter()));
        assert_eq!(names(&target), ["call_date=2026-01-01", "call_date=2026-01-02"]);
        let next = write(&target, [2].into_iter());
        assert_eq!(names(&target).len(), 2);
        put(next);
        assert_eq!(names(&target), ["call_date=2026-01-03"]);
        assert_eq!(names(dir.path()), ["details"]);
    }

    #[test]
    fn a_dropped_folder_leaves_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        drop(write(&dir.path().join("details"), [0].into_iter()));
        assert_eq!(names(dir.path()), Vec::<String>::new());
    }

    #[cfg(unix)]
    #[test]
    fn a_link_stays_and_its_folder_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let (link, real) = (dir.path().join("details"), dir.path().join("real"));
        std::os::unix::fs::symlink("real", &link).unwrap();
        for day in [0, 1] {
            put(write(&link, [day].into_iter()));
            assert_eq!(names(&real).len(), 1);
        }
        assert_eq!(names(&real), ["call_date=2026-01-02"]);
        assert!(link.is_symlink());
        assert_eq!(names(dir.path()), ["details", "real"]);
    }

    #[cfg(unix)]
    #[test]
    fn links_at_the_names_beside_a_folder_are_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let (target, victim) = (dir.path().join("details"), dir.path().join("victim"));
        fs::create_dir_all(victim.join("precious")).unwrap();
        std::os::unix::fs::symlink("victim", unfinished(&target)).unwrap();
        assert!(Partitions::create(&target, &COLUMNS, &[], &[]).is_err());
        fs::remove_file(unfinished(&target)).unwrap();
        std::os::unix::fs::symlink("victim", moved_aside(&target)).unwrap();
        put(write(&target, [0].into_iter()));
        assert_eq!((names(&target).len(), names(&victim)), (1, vec!["precious".to_owned()]));
    }

    #[test]
    fn leftovers_of_a_killed_run_are_cleared() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("details");
        put(write(&target, [0].into_iter()));
        fs::rename(&target, moved_aside(&target)).unwrap();
        fs::create_dir(unfinished(&target)).unwrap();
        let folder = Partitions::create(&target, &COLUMNS, &[], &[]).unwrap();
        assert_eq!(names(&target), ["call_date=2026-01-01"], "the old folder is back");
        put(folder.finish().unwrap());
        assert_eq!(names(dir.path()), ["details"]);
    }

    #[test]
    fn a_day_continues_in_a_second_part_if_too_many_are_open() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("details");
        let days = MAX_OPEN_FILES as u64 + 10;
        // Enough rows to be written at once.
        let closed = write_rows(&target, (0..days).chain([0]), MAX_HELD_BYTES);
        assert_eq!(closed.parts().len(), MAX_OPEN_FILES + 11);
        assert!(closed.parts()[1].ends_with("call_date=2026-01-01/part-1.parquet"));
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
            let mut rows = PackedRows::default();
            rows.push(std::iter::once(count_cell(n)).chain(texts));
            folder.append(day, &rows).unwrap();
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

    #[test]
    fn a_file_that_comes_to_the_folder_in_mid_run_stays() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("details");
        put(write(&target, [0].into_iter()));
        let mut next = write(&target, [1].into_iter());
        let precious = target.join("call_date=2026-01-01/notes.txt");
        fs::write(&precious, "x").unwrap();
        assert!(next.rename().unwrap_err().source.unwrap().to_string().contains("notes.txt"));
        drop(next);
        assert!(precious.exists());
        assert_eq!(names(dir.path()), ["details"]);
    }
}
