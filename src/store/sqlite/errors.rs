//! Errors of the file: what failed, and what the user can do.

use std::borrow::Borrow;
use std::path::Path;

use rusqlite::ErrorCode;

use crate::error::{Error, Result};

/// Turns a SQLite error into one that says what to do. `verb` completes "cannot … the store".
pub(super) fn failed<E>(path: &Path, verb: &str, error: E) -> Error
where
    E: Borrow<rusqlite::Error> + std::error::Error + Send + Sync + 'static,
{
    let hint = match error.borrow().sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            return damaged(path, &error.to_string());
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            "another program, such as sqlite3 or DuckDB, has it open for writing: close that program, \
             then run the same command again; nothing stored is lost"
        }
        _ => "check free space and permissions, then run the same command again; nothing stored is lost",
    };
    Error::output(format!("cannot {verb} the store {}", path.display())).hint(hint).because(error)
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
        self.map_err(|error| failed(path, verb, error))
    }
}
