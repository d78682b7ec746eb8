//! The details as a Hive-partitioned folder: `call_date=YYYY-MM-DD/part-0.parquet`. Owns the folder's layout and its swap.
//!
//! The folder is written beside its target and exchanged with it in one step where the system can; elsewhere the old one is
//! moved aside first, and a run that finds it there without a new one puts it back. The day stands in the folder's name and,
//! as Hive has it, not in the files.
//!
//! Days may come in any order. What is held does not grow with the ledger: at most [`OPEN_AT_MOST`] files are open, the one
//! that has waited longest is closed for another (its day goes on in `part-1`), and when all hold more than [`HELD_AT_MOST`]
//! the fullest writes what it has as a row group.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use chrono::NaiveDate;

use super::schema::{Cell, Column};
use super::staged::{Staged, sync_folder, unwritable};
use crate::error::{Error, Result};
use crate::output::table::Table;

const OPEN_AT_MOST: usize = 128;
/// Bytes, roughly.
const HELD_AT_MOST: usize = 64 << 20;
/// Rows between two looks at what is held.
const LOOK_EVERY: u64 = 256;
const PREFIX: &str = "call_date=";

struct Open {
    table: Table,
    used: u64,
}

/// The folder being written.
pub(super) struct Partitions {
    target: PathBuf,
    /// Held against another run; the folder stands beside it.
    lock: Staged,
    beside: PathBuf,
    columns: Vec<Column>,
    carried: Vec<String>,
    metadata: Vec<(String, String)>,
    open: BTreeMap<NaiveDate, Open>,
    /// How many files each day has.
    parts: BTreeMap<NaiveDate, u32>,
    rows: u64,
}

/// The folder, whole; it still has to be put in its place.
pub(super) struct ClosedPartitions {
    target: PathBuf,
    lock: Staged,
    beside: PathBuf,
    parts: Vec<(NaiveDate, PathBuf)>,
}

fn hidden(target: &Path, what: &str) -> PathBuf {
    let mut name = std::ffi::OsString::from(".");
    name.push(target.file_name().unwrap_or_default());
    name.push(what);
    target.with_file_name(name)
}

/// Where the folder is written, and where the old one waits for its end.
fn unfinished(target: &Path) -> PathBuf {
    hidden(target, ".unfinished.d")
}

fn replaced(target: &Path) -> PathBuf {
    hidden(target, ".replaced.d")
}

/// Refuses a target that is no folder of days: it would be replaced as a whole.
///
/// # Errors
///
/// Exit 2 when it is a file, or has anything else in it; exit 6 when it cannot be read.
pub(super) fn check(option: &str, target: &Path) -> Result<()> {
    if !target.exists() {
        return Ok(());
    }
    let refused = |what: String| {
        Err(Error::usage(what)
            .hint("with --partition-by, --out is a folder that is replaced as a whole: name a new one"))
    };
    if !target.is_dir() {
        return refused(format!("{option} {} is a file", target.display()));
    }
    for entry in fs::read_dir(target).map_err(|e| unwritable(target, e))? {
        let name = entry.map_err(|e| unwritable(target, e))?.file_name();
        if !name.to_string_lossy().starts_with(PREFIX) {
            return refused(format!(
                "{option} {} has something else in it: {}",
                target.display(),
                name.display()
            ));
        }
    }
    Ok(())
}

impl Partitions {
    /// Begins the folder that will be `target`. What a killed run left behind is cleared.
    ///
    /// # Errors
    ///
    /// Exit 6 when nothing can be written beside the target, or another run is writing it.
    pub(super) fn create(
        target: &Path,
        columns: &[Column],
        carried: &[String],
        metadata: &[(String, String)],
    ) -> Result<Self> {
        let lock = Staged::create(target)?;
        let (beside, old) = (unfinished(target), replaced(target));
        let tidy = || -> io::Result<()> {
            if old.exists() {
                // A run was killed between its two renames: the old folder is the only whole one.
                if target.exists() { fs::remove_dir_all(&old)? } else { fs::rename(&old, target)? }
            }
            if beside.exists() {
                fs::remove_dir_all(&beside)?;
            }
            fs::create_dir(&beside)
        };
        tidy().map_err(|e| unwritable(target, e))?;
        Ok(Self {
            target: target.to_owned(),
            lock,
            beside,
            columns: columns.to_vec(),
            carried: carried.to_vec(),
            metadata: metadata.to_vec(),
            open: BTreeMap::new(),
            parts: BTreeMap::new(),
            rows: 0,
        })
    }

    /// Adds a row to its day.
    ///
    /// # Errors
    ///
    /// Exit 6 when it cannot be written.
    pub(super) fn push<'a>(&mut self, day: NaiveDate, cells: impl Iterator<Item = Cell<'a>>) -> Result<()> {
        self.rows += 1;
        if !self.open.contains_key(&day) {
            self.make_room()?;
            let table = self.begin(day)?;
            self.open.insert(day, Open { table, used: 0 });
        }
        if let Some(open) = self.open.get_mut(&day) {
            open.used = self.rows;
            open.table.push(cells)?;
        }
        if self.rows.is_multiple_of(LOOK_EVERY) { self.write_fullest() } else { Ok(()) }
    }

    fn begin(&mut self, day: NaiveDate) -> Result<Table> {
        let part = self.parts.entry(day).or_insert(0);
        let path = part_path(&self.beside, day, *part);
        *part += 1;
        let made = || -> io::Result<File> {
            fs::create_dir_all(path.parent().unwrap_or(&self.beside))?;
            File::create(&path)
        };
        let file = made().map_err(|e| unwritable(&self.target, e))?;
        Table::create(file, &self.target, &self.columns, &self.carried, &self.metadata)
    }

    /// Ends the file that has waited longest when there are too many.
    fn make_room(&mut self) -> Result<()> {
        if self.open.len() < OPEN_AT_MOST {
            return Ok(());
        }
        let oldest = self.open.iter().min_by_key(|(_, open)| open.used).map(|(day, _)| *day);
        oldest.and_then(|day| self.open.remove(&day)).map_or(Ok(()), |open| open.table.finish())
    }

    fn write_fullest(&mut self) -> Result<()> {
        let held: usize = self.open.values().map(|open| open.table.held()).sum();
        if held <= HELD_AT_MOST {
            return Ok(());
        }
        let fullest = self.open.values_mut().max_by_key(|open| open.table.held());
        fullest.map_or(Ok(()), |open| open.table.end_group())
    }

    /// Ends all files.
    ///
    /// # Errors
    ///
    /// Exit 6 when one cannot be written.
    pub(super) fn finish(mut self) -> Result<ClosedPartitions> {
        std::mem::take(&mut self.open).into_values().try_for_each(|open| open.table.finish())?;
        let parts = self.parts.iter().flat_map(|(day, count)| (0..*count).map(move |part| (*day, part)));
        let parts = parts.map(|(day, part)| (day, part_path(&self.beside, day, part))).collect();
        Ok(ClosedPartitions { target: self.target, lock: self.lock, beside: self.beside, parts })
    }
}

fn part_path(folder: &Path, day: NaiveDate, part: u32) -> PathBuf {
    folder.join(format!("{PREFIX}{day}")).join(format!("part-{part}.parquet"))
}

impl ClosedPartitions {
    /// Every file with its day.
    pub(super) fn parts(&self) -> &[(NaiveDate, PathBuf)] {
        &self.parts
    }

    /// The folder it will be.
    pub(super) fn target(&self) -> &Path {
        &self.target
    }

    /// Puts all files on disk.
    ///
    /// # Errors
    ///
    /// Exit 6 when the disk is full or failing.
    pub(super) fn sync(&self) -> Result<()> {
        let all = || -> io::Result<()> {
            for (_, path) in &self.parts {
                File::open(path)?.sync_all()?;
                sync_folder(path)?;
            }
            sync_folder(&self.beside.join(PREFIX))
        };
        all().map_err(|e| unwritable(&self.target, e))
    }

    /// Puts the folder in its place, and removes the old one.
    ///
    /// # Errors
    ///
    /// Exit 6 when it cannot be renamed.
    pub(super) fn rename(self) -> Result<()> {
        let swap = || -> io::Result<()> {
            let old = if !self.target.exists() {
                fs::rename(&self.beside, &self.target)?;
                None
            } else if exchange(&self.beside, &self.target) {
                Some(self.beside.clone())
            } else {
                let aside = replaced(&self.target);
                fs::rename(&self.target, &aside)?;
                fs::rename(&self.beside, &self.target)?;
                Some(aside)
            };
            sync_folder(&self.target)?;
            old.map_or(Ok(()), fs::remove_dir_all)
        };
        let swapped = swap().map_err(|e| unwritable(&self.target, e));
        // Until here no other run may begin.
        drop(self.lock);
        swapped
    }
}

/// Whether the two were exchanged in one step.
#[cfg(target_os = "linux")]
fn exchange(a: &Path, b: &Path) -> bool {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    renameat_with(CWD, a, CWD, b, RenameFlags::EXCHANGE).is_ok()
}

/// Elsewhere there is no such step.
#[cfg(not(target_os = "linux"))]
fn exchange(_: &Path, _: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::output::schema::{Presence, Type, whole};
    use reconcile_core::quick_parse;

    const COLUMNS: [Column; 1] = [("n", Type::Whole, Presence::Required)];

    fn write(target: &Path, days: impl Iterator<Item = u64>) -> ClosedPartitions {
        let mut folder = Partitions::create(target, &COLUMNS, &[], &[]).unwrap();
        let first = quick_parse::day("2026-01-01").unwrap();
        for n in days {
            folder.push(first + chrono::Days::new(n), std::iter::once(whole(n))).unwrap();
            assert!(folder.open.len() <= OPEN_AT_MOST);
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
    fn the_old_folder_stands_until_the_new_one_is_whole_and_nothing_is_left() {
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
    fn what_a_killed_run_left_is_cleared_and_an_old_folder_put_back() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("details");
        write(&target, [0].into_iter()).rename().unwrap();
        fs::rename(&target, replaced(&target)).unwrap();
        fs::create_dir(unfinished(&target)).unwrap();
        let folder = Partitions::create(&target, &COLUMNS, &[], &[]).unwrap();
        assert_eq!(names(&target), ["call_date=2026-01-01"], "the old one is back");
        folder.finish().unwrap().rename().unwrap();
        assert_eq!(names(dir.path()), ["details"]);
    }

    #[test]
    fn more_days_than_files_may_be_open_go_on_in_another_part() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("details");
        let days = OPEN_AT_MOST as u64 + 10;
        let closed = write(&target, (0..days).chain([0]));
        assert_eq!(closed.parts().len(), OPEN_AT_MOST + 11);
        assert!(closed.parts()[1].1.ends_with("call_date=2026-01-01/part-1.parquet"));
    }

    #[test]
    fn a_folder_with_something_else_in_it_is_not_replaced() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("precious.txt"), "x").unwrap();
        assert!(check("--out", dir.path()).unwrap_err().what.contains("precious.txt"));
        assert!(check("--out", &dir.path().join("precious.txt")).unwrap_err().what.contains("is a file"));
        assert!(check("--out", &dir.path().join("new")).is_ok());
    }
}
