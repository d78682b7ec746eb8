//! Tests of what is special to a SQLite file.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use chrono::NaiveDate;
use reconcile_core::call::CallKey;
use reconcile_core::product::ProductId;
use reconcile_core::status::Status;
use rusqlite::Connection;
use tempfile::TempDir;

use super::prepare::prepare;
use super::schema::SCHEMA_VERSION;
use crate::clock::SystemClock;
use crate::error::Result;
use crate::exit::Exit;
use crate::store::sqlite::SqliteStore;
use crate::store::{
    NewRequest, OpenItem, Origin, Purpose, RequestLog as _, RunIdentity, Store as _, StoredWord,
};

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn path(&self) -> std::path::PathBuf {
        self.0.path().join("reconcile.db")
    }

    fn open(&self) -> Result<SqliteStore> {
        SqliteStore::open(&self.path(), Origin::Provider.into(), Arc::new(SystemClock::new()))
    }

    /// Asserts that the file is refused with this exit code and these words.
    #[track_caller]
    fn assert_refused(&self, exit: Exit, words: &str) {
        let refusal = self.open().err().unwrap();
        assert_eq!(refusal.exit, exit);
        assert!(refusal.what.contains(words), "{refusal}");
    }

    /// Changes the file as another program would.
    fn execute(&self, sql: &str) {
        Connection::open(self.path()).unwrap().execute_batch(sql).unwrap();
    }
}

#[test]
fn a_file_that_is_not_a_database_is_refused() {
    let folder = Folder::new();
    let content = "not a database at all, but long enough for a header";
    std::fs::write(folder.path(), content).unwrap();
    folder.assert_refused(Exit::Output, "");
    assert_eq!(std::fs::read_to_string(folder.path()).unwrap(), content);
}

#[test]
fn a_database_of_another_program_is_refused() {
    let folder = Folder::new();
    folder.execute("CREATE TABLE theirs (x)");
    folder.assert_refused(Exit::Usage, "is not a store");
}

#[test]
fn a_store_of_a_newer_version_is_refused() {
    let folder = Folder::new();
    drop(folder.open().unwrap());
    folder.execute(&format!("PRAGMA user_version = {}", SCHEMA_VERSION + 1));
    folder.assert_refused(Exit::Usage, "newer");
}

#[test]
fn a_store_without_a_known_origin_is_damaged() {
    let folder = Folder::new();
    drop(folder.open().unwrap());
    folder.execute("UPDATE meta SET value = 'elsewhere' WHERE key = 'nature'");
    folder.assert_refused(Exit::Output, "is damaged");
}

#[test]
fn a_commit_is_on_disk_when_it_returns() {
    let folder = Folder::new();
    let c = Connection::open(folder.path()).unwrap();
    prepare(&c, &folder.path(), Some(Origin::Provider.into())).unwrap();
    let mode: String = c.query_row("PRAGMA journal_mode", [], |row| row.get(0)).unwrap();
    let synchronous: i64 = c.query_row("PRAGMA synchronous", [], |row| row.get(0)).unwrap();
    assert_eq!((mode.as_str(), synchronous), ("wal", 2));
}

/// A newer version may store words that this one does not know.
#[tokio::test]
async fn unknown_words_are_shown_as_stored() {
    let folder = Folder::new();
    let store = folder.open().unwrap();
    let identity = RunIdentity { input_sha256: "a".into(), refresh: false };
    let scope = store.begin_session(&identity, "1/s".parse().unwrap(), Duration::from_secs(1)).unwrap();
    let day = NaiveDate::from_ymd_opt(2026, 11, 16).unwrap();
    let key = CallKey { call_id: "1^1".into(), prod_id: ProductId(11_000_000_300_006), day };
    let request = NewRequest { key: key.clone(), asked_date: day, purpose: Purpose::First };
    store.begin_request(&scope, request).await.unwrap();
    store.note_open(&scope, &[OpenItem { key, status: Status::Pending }]).unwrap();
    folder.execute("UPDATE request SET decision = 'put_off'; UPDATE open_item SET status = 'disputed'");

    let known = store.reader().unwrap().calls_named("1^1").unwrap();
    assert_eq!(known[0].attempts[0].purpose, StoredWord::Known(Purpose::First));
    assert_eq!(known[0].attempts[0].decision, Some(StoredWord::Unknown("put_off".into())));
    let open_items = store.open_items(&scope).unwrap();
    assert_eq!(open_items.by_age[0].status.as_str(), "disputed");
}
