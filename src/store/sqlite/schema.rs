//! The file itself: is it a store, of which schema, whole, and of which origin. Owns the schema and its migrations.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, params};

use super::checksum::checksum;
use super::failed;
use super::rows::{COLUMNS, answer_of, key_of};
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::store::{ExpectedOrigin, Origin};

/// "RCNL" in ASCII: marks the file as a store of this program.
const APPLICATION_ID: i64 = 0x5243_4e4c;
/// The schema this program writes. `schema.sql` describes it.
pub const SCHEMA_VERSION: i64 = 2;
/// A store up to this size is checked each time it is opened; a larger one only after a process that did not end well.
const CHECKED_ALWAYS: u64 = 32 << 20;

/// Refuses what cannot be a store's place, before SQLite tries it.
///
/// # Errors
///
/// Exit 2 when it is a folder, or in none.
pub(super) fn check_place(path: &Path) -> Result<()> {
    let refuse = |what: String, hint: &str| Err(Error::usage(what).hint(hint));
    if path.is_dir() {
        return refuse(format!("--store {} is a folder", path.display()), "name a file in it");
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
        let what = format!("--store {}: there is no folder {}", path.display(), folder.display());
        return refuse(what, "make the folder first, or choose another");
    }
    Ok(())
}

/// # Errors
///
/// Exit 2 when there is no store.
pub(super) fn check_exists(path: &Path) -> Result<()> {
    if path.is_file() {
        return Ok(());
    }
    Err(Error::usage(format!("there is no store {}", path.display()))
        .hint("name the store of your runs with --store; it lies beside --out unless told otherwise"))
}

/// A store whose structure is broken.
pub(super) fn damaged(path: &Path, why: &str) -> Error {
    let p = path.display();
    Error::new(Exit::Output, format!("the store {p} is damaged: {why}")).hint(format!(
        "nothing was changed. Save what can be read with `sqlite3 {p} .recover | sqlite3 mended.db` and go on with \
         --store mended.db; or restore it from a backup; or move it away, together with {p}-wal and {p}-shm, and a new \
         one asks for everything again"
    ))
}

/// Makes an empty file a store, brings an older one to this schema, checks it, and says of which origin it is.
///
/// # Errors
///
/// Exit 2 when it is no store, newer than this program, or of another origin than `wanted`; exit 6 when it is damaged
/// or cannot be written.
pub(super) fn prepare(c: &Connection, path: &Path, wanted: Option<ExpectedOrigin>) -> Result<Origin> {
    check_kind(c, path)?;
    configure(c).map_err(|e| failed(path, "opened", e))?;
    let empty = is_empty(c).map_err(|e| failed(path, "read", e))?;
    if empty {
        let origin = wanted.ok_or_else(|| not_a_store(path))?.at_first();
        return make(c, origin).map(|()| origin).map_err(|e| failed(path, "written", e));
    }
    check_whole(c, path)?;
    let origin = check_origin(c, path, wanted)?;
    migrate(c).map_err(|e| failed(path, "brought to this version's schema", e))?;
    Ok(origin)
}

fn not_a_store(path: &Path) -> Error {
    Error::usage(format!("{} is not a store of reconcile", path.display()))
        .hint("choose another file with --store")
}

fn pragma(c: &Connection, name: &str) -> rusqlite::Result<i64> {
    c.query_row(&format!("PRAGMA {name}"), [], |r| r.get(0))
}

fn is_empty(c: &Connection) -> rusqlite::Result<bool> {
    c.query_row("SELECT count(*) = 0 FROM sqlite_schema", [], |r| r.get(0))
}

/// Refuses files that are no store, or a newer one, before anything is written to them.
pub(super) fn check_kind(c: &Connection, path: &Path) -> Result<()> {
    let read = || -> rusqlite::Result<_> {
        Ok((is_empty(c)?, pragma(c, "application_id")?, pragma(c, "user_version")?))
    };
    let (empty, application, version) = read().map_err(|e| failed(path, "read", e))?;
    if !empty && application != APPLICATION_ID {
        return Err(not_a_store(path));
    }
    if version > SCHEMA_VERSION {
        return Err(Error::usage(format!(
            "the store {} was written by a newer reconcile (schema {version}; this one knows {SCHEMA_VERSION})",
            path.display()
        ))
        .hint("update reconcile, or choose another store with --store"));
    }
    Ok(())
}

/// Whether it has this program's schema, so that it can be read as it is.
pub(super) fn is_current(c: &Connection) -> rusqlite::Result<bool> {
    Ok(pragma(c, "user_version")? == SCHEMA_VERSION)
}

fn configure(c: &Connection) -> rusqlite::Result<()> {
    // Readers such as DuckDB may be looking; they never hold a lock for long.
    c.busy_timeout(Duration::from_secs(10))?;
    c.pragma_update(None, "journal_mode", "WAL")?;
    // FULL: a commit is on disk when it returns. NORMAL would lose answers with the power.
    c.pragma_update(None, "synchronous", "FULL")?;
    c.pragma_update(None, "foreign_keys", "OFF")
}

fn make(c: &Connection, origin: Origin) -> rusqlite::Result<()> {
    let mark = format!("PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {SCHEMA_VERSION};");
    c.execute_batch(&format!("BEGIN; {} {mark}", include_str!("schema.sql")))?;
    c.execute(
        "INSERT INTO meta (key, value) VALUES ('origin', ?1), ('created_by', ?2)",
        params![origin.as_str(), concat!("reconcile ", env!("CARGO_PKG_VERSION"))],
    )?;
    c.execute_batch("COMMIT")
}

/// Looks through the whole structure of a small store, and of any whose last process was killed: power may have
/// failed. What SQLite cannot see, the rows' checksums tell.
fn check_whole(c: &Connection, path: &Path) -> Result<()> {
    let read = || -> rusqlite::Result<Option<String>> {
        let bytes = pragma(c, "page_count")?.saturating_mul(pragma(c, "page_size")?);
        let killed: bool =
            c.query_row("SELECT EXISTS (SELECT 1 FROM session WHERE ended_at IS NULL)", [], |r| r.get(0))?;
        if !killed && u64::try_from(bytes).unwrap_or(0) > CHECKED_ALWAYS {
            return Ok(None);
        }
        let said: String = c.query_row("PRAGMA quick_check(1)", [], |r| r.get(0))?;
        Ok(Some(said).filter(|said| said != "ok"))
    };
    match read().map_err(|e| failed(path, "checked", e))? {
        None => Ok(()),
        Some(why) => Err(damaged(path, why.trim())),
    }
}

pub(super) fn nature_of(c: &Connection) -> rusqlite::Result<Option<Origin>> {
    let word: Option<String> =
        c.query_row("SELECT value FROM meta WHERE key = 'origin'", [], |r| r.get(0)).optional()?;
    Ok(word.and_then(|word| Origin::ALL.into_iter().find(|origin| origin.as_str() == word)))
}

pub(super) fn check_origin(c: &Connection, path: &Path, wanted: Option<ExpectedOrigin>) -> Result<Origin> {
    let found = nature_of(c).map_err(|e| failed(path, "read", e))?;
    let found = found.ok_or_else(|| damaged(path, "it does not say whether its answers are real"))?;
    let right = match (wanted, found) {
        (None, _) | (Some(ExpectedOrigin::Either), Origin::Provider) => true,
        (Some(ExpectedOrigin::Only(wanted)), found) => wanted == found,
        (Some(ExpectedOrigin::Either), Origin::Sandbox) => {
            filled_over_http(c).map_err(|e| failed(path, "read", e))?
        }
    };
    if right { Ok(found) } else { Err(other_origin(path, found)) }
}

/// A store of this origin, and answers of the other.
pub(super) fn other_origin(path: &Path, found: Origin) -> Error {
    let (what, hint) = match found {
        Origin::Sandbox => (
            "was filled by the sandbox and is refused for a provider",
            "choose another --store; nothing was stored in this one",
        ),
        Origin::Provider => (
            "holds a provider's answers and is refused for the sandbox",
            "leave --store out, or choose another; nothing of the sandbox's answers was stored in this one",
        ),
    };
    Error::usage(format!("the store {} {what}", path.display())).hint(hint)
}

/// Whether any answer is kept.
pub(super) fn has_answers(c: &Connection) -> rusqlite::Result<bool> {
    c.query_row("SELECT EXISTS (SELECT 1 FROM call WHERE answer IS NOT NULL)", [], |r| r.get(0))
}

/// Whether a sandbox that was reached by its URL filled it.
fn filled_over_http(c: &Connection) -> rusqlite::Result<bool> {
    c.query_row("SELECT EXISTS (SELECT 1 FROM meta WHERE key = 'filled_over' AND value = 'http')", [], |r| {
        r.get(0)
    })
}

/// From now on the answers are a sandbox's, reached by its URL.
pub(super) fn become_sandbox(c: &Connection) -> rusqlite::Result<()> {
    let sandbox = Origin::Sandbox.as_str();
    c.execute("UPDATE meta SET value = ?1 WHERE key = 'origin'", [sandbox])?;
    c.execute("INSERT OR REPLACE INTO meta (key, value) VALUES ('filled_over', 'http')", []).map(drop)
}

/// Brings an older store to this schema, in one transaction: it is of the old schema or of the new one.
fn migrate(c: &Connection) -> rusqlite::Result<()> {
    if is_current(c)? {
        return Ok(());
    }
    let tx = c.unchecked_transaction()?;
    if pragma(&tx, "user_version")? == 1 {
        tx.execute_batch(include_str!("to_version_2.sql"))?;
        add_checksums(&tx)?;
    }
    tx.execute_batch(&format!("PRAGMA user_version = {SCHEMA_VERSION}"))?;
    tx.commit()
}

/// What is there is taken to be right: nothing tells otherwise.
fn add_checksums(c: &Connection) -> rusqlite::Result<()> {
    let mut rows = c.prepare(&format!("SELECT {COLUMNS} FROM call"))?;
    let mut rows = rows.query([])?;
    let mut add = c.prepare("UPDATE call SET checksum = ?2 WHERE call_no = ?1")?;
    while let Some(row) = rows.next()? {
        if let (Some(key), Some(stored)) = (key_of(row)?, answer_of(row)?) {
            let fetched_at: i64 = row.get(7)?;
            let sum = checksum(&key, &stored.answer, stored.session_no, fetched_at);
            add.execute(params![row.get::<_, i64>(0)?, sum])?;
        }
    }
    Ok(())
}
