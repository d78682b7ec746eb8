//! Errors of the file: what failed, and what the user can do.

use std::path::Path;

use rusqlite::ErrorCode;

use crate::error::{Error, Result};

/// What happened to the store while this process held it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lost {
    /// Its name leads nowhere.
    Removed,
    /// Its name leads to another file.
    Replaced,
    /// Another process has begun a session in it.
    TakenOver,
}

/// Turns a SQLite error into one that says what to do. `verb` completes "cannot … the store".
pub(super) fn failed(path: &Path, verb: &str, error: &rusqlite::Error) -> Error {
    let hint = match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            return damaged(path, &error.to_string());
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            "another program, such as sqlite3 or DuckDB, has it open for writing: close that program, \
             then run the same command again; nothing stored is lost"
        }
        _ => "check free space and permissions, then run the same command again; nothing stored is lost",
    };
    Error::output(format!("cannot {verb} the store {}", path.display())).hint(hint).because(error.to_string())
}

/// The error for a store that cannot be opened or created (exit 6).
pub(super) fn cannot_open(path: &Path, error: std::io::Error) -> Error {
    Error::output(format!("cannot open the store {}", path.display()))
        .hint("check the permissions and free space of its folder, or put the store elsewhere")
        .because(error)
}

/// The error for a store that this process has lost (exit 6).
pub(super) fn lost(path: &Path, what: Lost) -> Error {
    let p = path.display();
    let what = match what {
        Lost::Removed => format!("the store {p} was moved or deleted while this run used it"),
        Lost::Replaced => format!("another file has replaced the store {p} while this run used it"),
        Lost::TakenOver => {
            return Error::output(format!("another run has begun in the store {p} while this run used it"))
                .hint("let one run end before the next one starts; then run the same command again");
        }
    };
    Error::output(what).hint(format!(
        "put the store back, with {p}-wal if there is one, then run the same command again: it resumes; a new store \
         asks for every call again"
    ))
}

/// The error for erased data that is still in the log, because of a reader (exit 6).
pub(super) fn log_in_use(path: &Path) -> Error {
    let p = path.display();
    Error::output(format!(
        "the data is deleted from the store {p}, but its log {p}-wal still has it: another program reads the store"
    ))
    .hint("close that program, such as sqlite3, DuckDB or a run; then run the same command again")
}

/// The error for a store whose structure is damaged (exit 6).
pub(super) fn damaged(path: &Path, why: &str) -> Error {
    let p = path.display();
    Error::output(format!("the store {p} is damaged: {why}")).hint(format!(
        "recover it with `sqlite3 {p} .recover | sqlite3 recovered.db` and use recovered.db as the \
         store; or restore a backup; or move {p}, {p}-wal and {p}-shm away: a new store asks for \
         every call again; nothing was changed"
    ))
}

/// The error for a store beside the log of a newer state of it (exit 6).
pub(super) fn older_than_log(path: &Path) -> Error {
    let p = path.display();
    Error::output(format!("the store {p} is older than its log {p}-wal, so the two do not belong together")).hint(
        format!(
            "if you restored a backup, move {p}-wal and {p}-shm away: the store is then as old as the backup; or put the \
             newer store back; nothing was changed"
        ),
    )
}

/// The error for a file that is not a store of this program (exit 2).
pub(super) fn not_a_store(path: &Path) -> Error {
    Error::usage(format!("{} is not a store of reconcile", path.display()))
        .hint("choose another file for the store")
}

/// Results of SQLite.
pub(super) trait InStore<T> {
    /// Turns the error into one that says what to do, as [`failed`] does.
    fn in_store(self, path: &Path, verb: &str) -> Result<T>;
}

impl<T> InStore<T> for rusqlite::Result<T> {
    fn in_store(self, path: &Path, verb: &str) -> Result<T> {
        self.map_err(|error| failed(path, verb, &error))
    }
}
