//! The audit against histories in which the receiver saw more requests than the cap. The limiter
//! has no part in them: each is written into the tables as a broken program could have left it.
//!
//! In every one of them the audit must say "broken" or "cannot be proven".
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use reconcile_core::cap_audit::Verdict;
use rusqlite::{Connection, params};
use tempfile::TempDir;

use crate::clock::SystemClock;
use crate::store::sqlite::{SqliteReader, SqliteStore};
use crate::store::{Origin, Reader as _, Store as _};

/// The cap of all sessions: 10 requests a second.
const CAP: u64 = 10;
/// The time limit of a request.
const TIMEOUT_MS: i64 = 500;

/// How a request ended, in the tables.
enum End {
    /// A reply came back at this time.
    Reply(i64),
    /// It failed at this time, with this code.
    Failed(i64, &'static str),
    /// No end is recorded.
    Unrecorded,
}

/// A store, and when each request really reached the provider. Times are milliseconds.
struct History {
    folder: TempDir,
    arrivals: Vec<i64>,
}

impl History {
    fn new() -> Self {
        let history = Self { folder: TempDir::new().unwrap(), arrivals: Vec::new() };
        let clock = Arc::new(SystemClock::new());
        drop(SqliteStore::open(&history.path(), Origin::Provider.into(), clock).unwrap());
        history
    }

    fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("reconcile.db")
    }

    fn execute(&self, sql: &str, parameters: impl rusqlite::Params) {
        let connection = Connection::open(self.path()).unwrap();
        connection.pragma_update(None, "foreign_keys", "OFF").unwrap();
        connection.execute(sql, parameters).unwrap();
    }

    /// A session begins. The wall clock counts like the boot clock.
    fn session(&mut self, session_no: i64) {
        self.execute(
            "INSERT INTO session (session_no, run_no, version, pid, boot_id, started_at, ended_at, cap_requests,
                                  cap_window_us, timeout_us, first_request_no)
             VALUES (?1, 1, '0.1.0', 1, 'boot', 0, 0, ?2, 1000000, ?3,
                     (SELECT coalesce(max(request_no), 0) + 1 FROM request))",
            params![session_no, i64::try_from(CAP).unwrap(), TIMEOUT_MS * 1_000],
        );
    }

    /// Names the account of a session.
    fn account(&self, session_no: i64, name: &str) {
        self.execute("UPDATE session SET account = ?2 WHERE session_no = ?1", params![session_no, name]);
    }

    /// A session sends a request, which arrives at `arrived`.
    fn request(&mut self, session_no: i64, sent: i64, arrived: i64, end: &End) {
        let (ended, status, code) = match *end {
            End::Reply(at) => (Some(at), Some(200), Some("OK")),
            End::Failed(at, code) => (Some(at), None, Some(code)),
            End::Unrecorded => (None, None, None),
        };
        let ended = ended.map(|at| at * 1_000);
        self.execute(
            "INSERT INTO request (session_no, call_no, asked_date, purpose, sent_at, sent_boot_us, replied_at,
                                  replied_boot_us, http_status, code)
             VALUES (?1, 1, '2026-11-16', 'first', ?2, ?2, ?3, ?3, ?4, ?5)",
            params![session_no, sent * 1_000, ended, status, code],
        );
        self.arrivals.push(arrived);
    }

    /// Ten requests with quick replies, from `from` on.
    fn burst(&mut self, session_no: i64, from: i64) {
        for i in 0..10 {
            self.request(session_no, from + i, from + i, &End::Reply(from + i));
        }
    }

    /// The most requests that reached the provider in any window.
    fn most_at_the_receiver(&self) -> u64 {
        let in_window =
            |from: &i64| self.arrivals.iter().filter(|at| (0..=1_000).contains(&(*at - from))).count();
        self.arrivals.iter().map(in_window).max().unwrap_or(0) as u64
    }

    fn verdict(&self) -> Verdict {
        let record = SqliteReader::open(&self.path(), None).unwrap().unwrap().cap_record().unwrap();
        let of_file = if record.names > 1 { Verdict::CannotBeProven } else { Verdict::Held };
        let of_sessions = record.sessions.iter().map(|session| session.evidence.verdict(session.rate));
        of_sessions.chain([of_file]).max().unwrap()
    }

    /// Asserts that the receiver saw more than the cap, and that the audit does not deny it.
    #[track_caller]
    fn is_not_held(&self, expected: Verdict) {
        let most = self.most_at_the_receiver();
        assert!(most > CAP, "the history keeps the cap: {most}");
        assert_eq!(self.verdict(), expected);
    }
}

#[test]
fn a_history_that_keeps_the_cap_is_held() {
    let mut history = History::new();
    for session_no in 1..=5 {
        history.session(session_no);
        history.burst(session_no, session_no * 1_100);
    }
    assert_eq!((history.most_at_the_receiver(), history.verdict()), (CAP, Verdict::Held));
}

#[test]
fn requests_around_a_failed_write_break_the_cap() {
    let mut history = History::new();
    history.session(1);
    for i in 0..10 {
        // The disk was full when their replies came.
        history.request(1, i, i + 5, &End::Unrecorded);
    }
    history.session(2);
    history.burst(2, 100);
    history.is_not_held(Verdict::Broken);
}

#[test]
fn requests_around_a_foreign_lock_break_the_cap() {
    let mut history = History::new();
    history.session(1);
    for i in 0..10 {
        // Another program locked the store, until the run gave up. Some ends were recorded.
        let end = if i < 4 { End::Reply(i + 5) } else { End::Unrecorded };
        history.request(1, i, i + 5, &end);
    }
    // The next session took the others for failed at its start.
    history.execute("UPDATE request SET replied_boot_us = 600000, code = 'lost' WHERE code IS NULL", []);
    history.session(2);
    history.burst(2, 600);
    history.is_not_held(Verdict::Broken);
}

#[test]
fn two_sessions_at_once_break_the_cap() {
    // A store behind a symbolic link, or a removed lock file, let a second process in.
    let mut history = History::new();
    history.session(1);
    history.request(1, 0, 0, &End::Reply(1));
    history.session(2);
    for i in 1..10 {
        history.request(1 + i % 2, i, i, &End::Reply(i + 1));
        history.request(2 - i % 2, i, i, &End::Reply(i + 1));
    }
    history.is_not_held(Verdict::Broken);
}

#[test]
fn a_session_within_another_one_breaks_the_cap() {
    // Session 2 begins and ends while session 1 works. Alone each of them keeps the cap.
    let mut history = History::new();
    history.session(1);
    for i in 0..5 {
        history.request(1, i, i, &End::Reply(i + 1));
    }
    history.session(2);
    history.burst(2, 10);
    for i in 0..5 {
        history.request(1, 100 + i, 100 + i, &End::Reply(101 + i));
    }
    history.is_not_held(Verdict::Broken);
}

#[cfg(unix)]
#[test]
fn a_second_name_of_the_store_proves_nothing() {
    let mut history = History::new();
    history.session(1);
    history.burst(1, 0);
    // Another process sent ten more. It recorded them in the log of the other name, which is lost.
    history.arrivals.extend(0..10);
    std::fs::hard_link(history.path(), history.folder.path().join("second.db")).unwrap();
    history.is_not_held(Verdict::CannotBeProven);
}

#[test]
fn a_stalled_gateway_breaks_the_cap() {
    // Four times ten requests time out. Then the gateway reads all of them at once.
    let mut history = History::new();
    history.session(1);
    for batch in 0..4 {
        let sent = batch * 3_000;
        for _ in 0..10 {
            history.request(1, sent, 20_000, &End::Failed(sent + TIMEOUT_MS, "timeout"));
        }
    }
    history.is_not_held(Verdict::CannotBeProven);
}

#[test]
fn a_stall_across_two_sessions_breaks_the_cap() {
    let mut history = History::new();
    history.session(1);
    for _ in 0..10 {
        history.request(1, 0, 900, &End::Failed(TIMEOUT_MS, "cut"));
    }
    // Version 0.1 counted a place from the failure on. The requests arrived later.
    history.session(2);
    history.burst(2, 1_600);
    history.is_not_held(Verdict::Broken);
}

#[test]
fn a_stall_that_outlives_its_session_breaks_the_cap() {
    let mut history = History::new();
    history.session(1);
    for _ in 0..6 {
        // Its process was killed, and the next session took the requests for failed at its start.
        history.request(1, 0, 20_000, &End::Failed(5_000, "lost"));
    }
    history.session(2);
    history.burst(2, 20_000);
    history.is_not_held(Verdict::CannotBeProven);
}

#[test]
fn a_purge_under_a_wrong_clock_breaks_the_cap() {
    let mut history = History::new();
    history.session(1);
    history.burst(1, 0);
    // The clock was days ahead, so all requests but the newest were taken for old.
    history.execute("DELETE FROM request WHERE request_no < 10", []);
    history.session(2);
    history.burst(2, 50);
    history.is_not_held(Verdict::Broken);
    // With one request less in session 2 only the gap shows it.
    history.execute("DELETE FROM request WHERE request_no = 20", []);
    history.arrivals.pop();
    history.is_not_held(Verdict::CannotBeProven);
}

#[test]
fn requests_that_were_never_sent_break_nothing() {
    let mut history = History::new();
    history.session(1);
    history.burst(1, 0);
    for i in 0..10 {
        history.request(1, 20 + i, -1_000_000, &End::Failed(30 + i, "connect"));
    }
    history.arrivals.retain(|at| *at >= 0);
    assert_eq!((history.most_at_the_receiver(), history.verdict()), (CAP, Verdict::Held));
}

#[test]
fn two_accounts_at_once_break_no_cap() {
    let mut history = History::new();
    for session_no in [1, 2] {
        history.session(session_no);
        history.account(session_no, ["north", "south"][usize::from(session_no == 2)]);
    }
    for i in 0..10 {
        history.request(1, i, i, &End::Reply(i + 5));
        history.request(2, i, i, &End::Reply(i + 5));
    }
    assert_eq!(history.verdict(), Verdict::Held);
    // Under one account, the same requests break the cap.
    history.account(2, "north");
    history.is_not_held(Verdict::Broken);
}

#[test]
fn a_missing_row_makes_all_accounts_doubtful() {
    let mut history = History::new();
    for (session_no, name) in [(1, "north"), (2, "south")] {
        history.session(session_no);
        history.account(session_no, name);
    }
    for (session_no, at) in [(1, 0), (2, 1), (1, 2), (2, 3)] {
        history.request(session_no, at, at, &End::Reply(at + 5));
    }
    // The next session shows that there was a fifth request.
    history.request(1, 4, 4, &End::Reply(9));
    history.session(3);
    assert_eq!(history.verdict(), Verdict::Held);
    history.execute("DELETE FROM request WHERE request_no = 5", []);
    assert_eq!(history.verdict(), Verdict::CannotBeProven);
}

#[test]
fn a_purge_deletes_the_requests_of_all_accounts_together() {
    let mut history = History::new();
    for (session_no, name) in [(1, "north"), (2, "south")] {
        history.session(session_no);
        history.account(session_no, name);
    }
    for at in 0..4 {
        history.request(1 + at % 2, at, at, &End::Reply(at + 5));
    }
    // The newest requests stay: twice as many as the caps of sessions that began together.
    history.session(3);
    for at in 0..40 {
        history.request(3, 10_000 * at, 10_000 * at, &End::Reply(10_000 * at + 5));
    }
    let purge = || {
        let clock = Arc::new(SystemClock::new());
        let store = SqliteStore::open(&history.path(), Origin::Provider.into(), clock).unwrap();
        store.purge(chrono::NaiveDate::from_ymd_opt(2026, 11, 20).unwrap()).unwrap().requests
    };
    // The calls of one account are deleted, and those of the other one are kept.
    history.execute("UPDATE request SET call_no = 0 WHERE session_no = 1", []);
    assert_eq!((purge(), history.verdict()), (0, Verdict::Held));
    history.execute("UPDATE request SET call_no = 0 WHERE session_no = 2", []);
    assert_eq!((purge(), history.verdict()), (4, Verdict::Held));
}
