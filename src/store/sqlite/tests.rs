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
    NewRequest, OpenItem, Origin, Purpose, RequestLog as _, RunEnd, RunIdentity, Store as _, StoredWord,
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
    let request = NewRequest { key: key.clone(), asked_date: day, purpose: Purpose::First, recheck: false };
    store.begin_request(&scope, request).await.unwrap();
    store.note_open(&scope, &[OpenItem { key, status: Status::Pending, seconds: 0, account: None }]).unwrap();
    folder.execute("UPDATE request SET decision = 'put_off'; UPDATE open_item SET status = 'disputed'");

    let known = store.reader().unwrap().calls_named("1^1").unwrap();
    assert_eq!(known[0].attempts[0].purpose, StoredWord::Known(Purpose::First));
    assert_eq!(known[0].attempts[0].decision, Some(StoredWord::Unknown("put_off".into())));
    let open_items = store.open_items(&scope).unwrap();
    assert_eq!(open_items.by_age[0].status.as_str(), "disputed");
}

/// Another session begins in the store, as an older program with another lock could do it.
const ANOTHER_SESSION: &str =
    "INSERT INTO session SELECT session_no + 1, run_no, version, pid, boot_id, started_at, ended_at, cap_requests,
     cap_window_us, timeout_us, first_request_no, account, endpoint FROM session
     ORDER BY session_no DESC LIMIT 1";

fn begin(store: &SqliteStore) -> reconcile_core::ask_again::Scope {
    let identity = RunIdentity { input_sha256: "a".into(), refresh: false };
    store.begin_session(&identity, "100/min".parse().unwrap(), Duration::from_secs(10)).unwrap()
}

fn first_request() -> NewRequest {
    let day = NaiveDate::from_ymd_opt(2026, 11, 16).unwrap();
    let key = CallKey { call_id: "1^1".into(), prod_id: ProductId(11_000_000_300_006), day };
    NewRequest { key, asked_date: day, purpose: Purpose::First, recheck: false }
}

#[cfg(unix)]
#[test]
fn a_link_to_a_store_opens_the_same_store_and_lock() {
    let folder = Folder::new();
    let link = folder.0.path().join("link.db");
    let held = folder.open().unwrap();
    std::os::unix::fs::symlink(folder.path(), &link).unwrap();
    let open = || SqliteStore::open(&link, Origin::Provider.into(), Arc::new(SystemClock::new()));
    assert_eq!(open().err().unwrap().exit, Exit::Busy);
    drop(held);
    drop(open().unwrap());
    assert!(!folder.0.path().join("link.db.lock").exists() && link.is_symlink());
}

#[cfg(unix)]
#[test]
fn a_store_with_two_names_is_refused() {
    let folder = Folder::new();
    drop(folder.open().unwrap());
    let second = folder.0.path().join("second.db");
    std::fs::hard_link(folder.path(), &second).unwrap();
    folder.assert_refused(Exit::Usage, "has 2 names");
    std::fs::remove_file(second).unwrap();
    drop(folder.open().unwrap());
}

#[cfg(unix)]
#[test]
fn a_second_name_lets_no_second_process_in() {
    let folder = Folder::new();
    let _held = folder.open().unwrap();
    let second = folder.0.path().join("second.db");
    std::fs::hard_link(folder.path(), &second).unwrap();
    let refusal = SqliteStore::open(&second, Origin::Provider.into(), Arc::new(SystemClock::new()));
    assert_eq!(refusal.err().unwrap().exit, Exit::Busy);
}

#[test]
fn without_its_lock_file_a_store_stays_locked() {
    let folder = Folder::new();
    let _held = folder.open().unwrap();
    std::fs::remove_file(folder.0.path().join("reconcile.db.lock")).unwrap();
    folder.assert_refused(Exit::Busy, "another run holds the store");
}

#[test]
fn version_0_1_and_this_one_exclude_each_other() {
    let folder = Folder::new();
    drop(folder.open().unwrap());
    let lock = folder.0.path().join("reconcile.db.lock");
    let old = std::fs::OpenOptions::new().read(true).write(true).open(lock).unwrap();
    old.try_lock().unwrap();
    folder.assert_refused(Exit::Busy, "another run holds the store");
    drop(old);
    let _held = folder.open().unwrap();
    let lock = folder.0.path().join("reconcile.db.lock");
    assert!(std::fs::File::open(lock).unwrap().try_lock().is_err());
}

#[cfg(unix)]
#[test]
fn a_store_and_its_lock_are_readable_only_by_their_user() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = Folder::new();
    let store = folder.open().unwrap();
    begin(&store);
    for entry in std::fs::read_dir(folder.0.path()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{entry:?}");
    }
}

#[cfg(unix)]
#[test]
fn the_lock_file_is_not_written_through_a_link() {
    let folder = Folder::new();
    let victim = folder.0.path().join("victim");
    std::fs::write(&victim, "precious").unwrap();
    std::os::unix::fs::symlink(&victim, folder.0.path().join("reconcile.db.lock")).unwrap();
    folder.assert_refused(Exit::Output, "lock file");
    assert_eq!(std::fs::read_to_string(victim).unwrap(), "precious");
}

#[cfg(unix)]
#[test]
fn a_store_that_is_a_pipe_is_refused_at_once() {
    let folder = Folder::new();
    let pipe = std::process::Command::new("mkfifo").arg(folder.path()).status().unwrap();
    assert!(pipe.success());
    folder.assert_refused(Exit::Usage, "is not a regular file");
}

#[cfg(unix)]
#[test]
fn a_link_to_no_file_yet_gets_its_store() {
    let folder = Folder::new();
    std::os::unix::fs::symlink("nowhere.db", folder.path()).unwrap();
    drop(folder.open().unwrap());
    assert!(folder.path().is_symlink() && folder.0.path().join("nowhere.db").exists());
}

#[tokio::test]
async fn a_lost_store_is_noticed_at_the_next_commit() {
    type Loss = fn(&Folder);
    let losses: [(Loss, &str); 4] = [
        (|folder| std::fs::remove_file(folder.path()).unwrap(), "was moved or deleted"),
        (|folder| std::fs::rename(folder.path(), folder.0.path().join("moved.db")).unwrap(), "was moved"),
        (
            |folder| {
                std::fs::write(folder.0.path().join("other.db"), "").unwrap();
                std::fs::rename(folder.0.path().join("other.db"), folder.path()).unwrap();
            },
            "another file has replaced",
        ),
        (|folder| folder.execute(ANOTHER_SESSION), "another run has begun"),
    ];
    for (lose, words) in losses {
        let folder = Folder::new();
        let store = folder.open().unwrap();
        let scope = begin(&store);
        let begun = store.begin_request(&scope, first_request()).await.unwrap();
        lose(&folder);
        let end = crate::store::RequestEnd {
            at: store.moment(),
            provider_at: None,
            http_status: Some(200),
            code: "OK".into(),
            request_id: None,
            throttled: false,
            decision: crate::store::Decision::Answered,
            pause: None,
        };
        let refusal = store.end_request(&scope, begun, end, None).await.unwrap_err();
        assert_eq!(refusal.exit, Exit::Output);
        assert!(refusal.what.contains(words), "{refusal}");
        let refusal = store.end_session(&scope, Some(RunEnd::without_outputs(true))).unwrap_err();
        assert!(refusal.what.contains(words), "{refusal}");
    }
}

/// The store as a killed run leaves it: with a log, and with a session since `backup`.
fn killed_after_backup(folder: &Folder) -> Vec<u8> {
    killed_after(folder, |store| drop(store.secret().unwrap()))
}

/// The same, killed after this work.
fn killed_after(folder: &Folder, work: impl Fn(&SqliteStore)) -> Vec<u8> {
    drop(begin(&folder.open().unwrap()));
    let backup = std::fs::read(folder.path()).unwrap();
    let store = folder.open().unwrap();
    begin(&store);
    work(&store);
    let log = folder.0.path().join("reconcile.db-wal");
    let (file, log_bytes) = (std::fs::read(folder.path()).unwrap(), std::fs::read(&log).unwrap());
    drop(store);
    std::fs::write(folder.path(), file).unwrap();
    std::fs::write(log, log_bytes).unwrap();
    backup
}

#[test]
fn a_killed_store_with_its_own_log_is_opened() {
    let folder = Folder::new();
    killed_after_backup(&folder);
    let store = folder.open().unwrap();
    assert_eq!(begin(&store).session_no, 3);
}

#[test]
fn an_older_store_beside_a_newer_log_is_refused_untouched() {
    let folder = Folder::new();
    let backup = killed_after_backup(&folder);
    std::fs::write(folder.path(), &backup).unwrap();
    let log = folder.0.path().join("reconcile.db-wal");
    let log_bytes = std::fs::read(&log).unwrap();
    folder.assert_refused(Exit::Output, "is older than its log");
    let reading = crate::store::open_reader(&folder.path().into(), None).err().unwrap();
    assert!(reading.what.contains("is older than its log"), "{reading}");
    assert!(std::fs::read(folder.path()).unwrap() == backup && std::fs::read(&log).unwrap() == log_bytes);
    // Without the log the backup is a store like any other.
    std::fs::remove_file(log).unwrap();
    let _ = std::fs::remove_file(folder.0.path().join("reconcile.db-shm"));
    let store = folder.open().unwrap();
    assert_eq!(begin(&store).session_no, 3);
}

#[test]
fn a_page_that_was_cut_off_in_the_file_is_mended_from_the_log() {
    let folder = Folder::new();
    // The log still has the session, which is being copied into the file.
    let backup = killed_after(&folder, |_| ());
    let mut file = std::fs::read(folder.path()).unwrap();
    let root: usize = {
        let c = Connection::open_with_flags(
            format!("file:{}?immutable=1", folder.path().display()),
            rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY | rusqlite::OpenFlags::SQLITE_OPEN_URI,
        )
        .unwrap();
        let sql = "SELECT rootpage FROM sqlite_schema WHERE name = 'session'";
        c.query_row(sql, [], |row| row.get::<_, u32>(0)).unwrap() as usize
    };
    // The first half of the page is new, the second one old.
    let half = (root - 1) * 4096 + 2048..root * 4096;
    file[half.clone()].copy_from_slice(&backup[half]);
    std::fs::write(folder.path(), file).unwrap();
    let store = folder.open().unwrap();
    assert_eq!(begin(&store).session_no, 3);
}

#[test]
fn after_a_restored_backup_only_the_first_session_waits() {
    let folder = Folder::new();
    drop(begin(&folder.open().unwrap()));
    let backup = std::fs::read(folder.path()).unwrap();
    for _ in 0..5 {
        drop(begin(&folder.open().unwrap()));
    }
    std::fs::write(folder.path(), backup).unwrap();
    let (mut sessions, mut waits) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        let store = folder.open().unwrap();
        let scope = begin(&store);
        sessions.push(scope.session_no);
        waits.push(store.places_taken(&scope, "100/min".parse().unwrap()).unwrap().len());
    }
    assert_eq!((sessions, waits), (vec![7, 8, 9], vec![100, 0, 0]));
    let reader = folder.open().unwrap().reader().unwrap();
    assert_eq!(reader.cap_record().unwrap().missing_sessions, 5);
}

#[test]
fn a_second_process_learns_who_holds_the_store() {
    let folder = Folder::new();
    let _first = folder.open().unwrap();
    folder.assert_refused(Exit::Busy, &std::process::id().to_string());
}
