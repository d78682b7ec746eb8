//! The copy of a store that is made before its schema is upgraded.
//!
//! Promises: at its name is the whole copy or nothing, and what is already there is never changed.
//! Without the copy there is no upgrade.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use rusqlite::backup::Backup;
use rusqlite::{Connection, OpenFlags};

use super::schema;
use crate::error::{Error, Result};
use crate::place::folder_of;
use crate::regular_file;
use crate::staged::Staged;

/// The end of each copy's name.
const SUFFIX: &str = ".bak";
/// Bytes of each file that are compared at once.
const CHUNK: usize = 64 << 10;

/// Copies the store beside itself, if its schema is older than this program's. Returns the copy's
/// path. A copy of the same content, which a killed upgrade left, is not made again.
///
/// # Errors
///
/// Exit 6 if the copy cannot be written. The store is unchanged.
pub(super) fn copy_if_older(c: &Connection, store: &Path) -> Result<Option<PathBuf>> {
    let failed = |why: Why| not_copied(store, why);
    if schema::is_current(c).map_err(|e| failed(e.into()))? {
        return Ok(None);
    }
    let version = schema::pragma(c, "user_version").map_err(|e| failed(e.into()))?;
    copy(c, store, version).map(Some).map_err(failed)
}

/// Why there is no copy.
type Why = Box<dyn std::error::Error + Send + Sync>;

fn copy(c: &Connection, store: &Path, version: i64) -> Result<PathBuf, Why> {
    let mut number = 1;
    let mut taken = Vec::new();
    while named(store, version, number).symlink_metadata().is_ok() {
        taken.push(named(store, version, number));
        number += 1;
    }
    let free = named(store, version, number);
    let mut staged = Staged::create_private(&free).map_err(cause)?;
    write(c, staged.path())?;
    if let Some(same) = taken.into_iter().find(|old| is_same(staged.path(), old)) {
        return Ok(same);
    }
    staged.take_permissions_of(store).map_err(cause)?;
    staged.sync().map_err(cause)?;
    staged.rename().map_err(cause)?;
    staged.sync_folder().map_err(cause)?;
    Ok(free)
}

/// Copies all pages, also those that only the log has. The new file is empty, and nobody else has
/// it: a journal would only be in the way of the next try.
fn write(c: &Connection, to: &Path) -> rusqlite::Result<()> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut copy = Connection::open_with_flags(to, flags)?;
    copy.execute_batch("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF")?;
    Backup::new(c, &mut copy)?.run_to_completion(i32::MAX, std::time::Duration::ZERO, None)?;
    copy.close().map_err(|(_, e)| e)
}

/// `store.v3.bak`, `store.v3.2.bak`, `store.v3.3.bak`, …
fn named(store: &Path, version: i64, number: u32) -> PathBuf {
    let mut name = store.as_os_str().to_owned();
    let number = if number == 1 { String::new() } else { format!(".{number}") };
    name.push(format!(".v{version}{number}{SUFFIX}"));
    name.into()
}

/// The copies beside a store, by name.
pub(in crate::store) fn copies_beside(store: &Path) -> Vec<PathBuf> {
    let start = store.file_name().unwrap_or_default().as_encoded_bytes();
    let is_copy = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().as_encoded_bytes();
        let numbers = name.strip_prefix(start).and_then(|name| name.strip_prefix(b".v"));
        let numbers = numbers.and_then(|rest| rest.strip_suffix(SUFFIX.as_bytes()));
        numbers.is_some_and(|n| !n.is_empty() && n.iter().all(|b| b.is_ascii_digit() || *b == b'.'))
    };
    let entries = std::fs::read_dir(folder_of(store)).into_iter().flatten().flatten();
    let mut copies: Vec<PathBuf> = entries.map(|entry| store.with_file_name(entry.file_name())).collect();
    copies.retain(is_copy);
    copies.sort();
    copies
}

/// The names that the next copies may get, for checks of other files.
pub(in crate::store) fn names_of_next_copies(store: &Path) -> Vec<PathBuf> {
    (1..schema::SCHEMA_VERSION).map(|version| named(store, version, 1)).collect()
}

/// True if both are regular files with the same content.
fn is_same(new: &Path, old: &Path) -> bool {
    let same = || -> io::Result<bool> {
        let mut files = (regular_file::open_to_read(new)?, regular_file::open_to_read(old)?);
        let (mut a, mut b) = (Vec::new(), Vec::new());
        loop {
            let (a_len, b_len) = (chunk(&mut files.0, &mut a)?, chunk(&mut files.1, &mut b)?);
            if a_len != b_len || a != b || a_len == 0 {
                return Ok(a == b);
            }
        }
    };
    same().unwrap_or(false)
}

fn chunk(file: &mut File, bytes: &mut Vec<u8>) -> io::Result<usize> {
    bytes.clear();
    file.take(CHUNK as u64).read_to_end(bytes)
}

fn not_copied(store: &Path, why: Why) -> Error {
    let store = store.display();
    Error::output(format!("cannot copy the store {store} before its upgrade; the store is unchanged"))
        .hint(format!(
            "the copy {store}.v…{SUFFIX} needs as much space as the store: free space, or check the folder's \
             permissions; then run the same command again"
        ))
        .because(why)
}

/// What the system said; the rest of the error is about outputs.
fn cause(error: Error) -> Why {
    let Error { what, source, .. } = error;
    source.unwrap_or_else(|| what.into())
}
