//! Copies between files, killed at every write.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;

use super::*;
use crate::clock::SystemClock;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::store::postgres::PostgresCopy;
use crate::store::sqlite::{self, SqliteCopy};
use crate::store::test_database::Database;
use crate::store::{Origin, RunEnd, StoreLocation, open, open_existing, open_reader};

/// A side that is killed before a later write.
struct Killed<'a> {
    side: &'a mut dyn CopySide,
    writes_left: usize,
}

impl Killed<'_> {
    fn write(&mut self) -> Result<()> {
        self.writes_left = self.writes_left.checked_sub(1).ok_or_else(|| Error::output("killed"))?;
        Ok(())
    }
}

impl CopySide for Killed<'_> {
    fn meta(&mut self, key: &str) -> Result<Option<String>> {
        self.side.meta(key)
    }

    fn set_meta(&mut self, values: &[(&str, Option<&str>)]) -> Result<()> {
        self.write()?;
        self.side.set_meta(values)
    }

    fn rows(&mut self, table: &'static Table, after: Option<&Row>) -> Result<Vec<Row>> {
        self.side.rows(table, after)
    }

    fn last_row(&mut self, table: &'static Table) -> Result<Option<Row>> {
        self.side.last_row(table)
    }

    fn add(&mut self, table: &'static Table, rows: &[Row]) -> Result<()> {
        self.write()?;
        self.side.add(table, rows)
    }

    fn finish(&mut self) -> Result<()> {
        self.write()?;
        self.side.finish()
    }
}

const CALLS: usize = 4_200;

/// A store with two sessions that worked at the same time, 4,200 calls, and a missing request.
fn filled(folder: &TempDir) -> PathBuf {
    let path = folder.path().join("source.db");
    drop(open(&path.as_path().into(), Origin::Provider, Arc::new(SystemClock::new())).unwrap());
    let day = "2026-11-16";
    sqlite::execute(
        &path,
        &format!(
            "INSERT INTO meta VALUES ('secret', 'abc');
             INSERT INTO run VALUES (1, 'r', 1, 'sha', 0, 1, 2, 1);
             INSERT INTO session (session_no, run_no, account, version, pid, boot_id, started_at, ended_at, cap_requests,
                                  cap_window_us, timeout_us, first_request_no)
               VALUES (1, 1, 'a', 'v', 7, 'boot', 1, 9, 100, 60000000, 10000000, 1),
                      (2, 1, 'b', 'v', 7, 'boot', 1, NULL, 100, 60000000, 10000000, 1);
             WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {CALLS})
             INSERT INTO call (call_no, call_id, prod_id, call_date, attempts, first_session_no, answer, session_no,
                               fetched_at, found_date, data, checksum)
               SELECT n, n || '^' || n, 11000000300006, '{day}', 1, 1 + n % 2, 'final', 1 + n % 2, n, '{day}',
                      '{{\"呼\":' || n || '}}', n FROM n;
             INSERT INTO request (request_no, session_no, call_no, asked_date, purpose, sent_at, sent_boot_us, replied_at,
                                  replied_boot_us, http_status, code, throttled, decision)
               SELECT call_no, session_no, call_no, '{day}', 'first', call_no * 10, call_no * 10, call_no * 10 + 5,
                      call_no * 10 + 5, 200, 'OK', 0, 'answered' FROM call;
             UPDATE request SET replied_at = NULL, replied_boot_us = NULL, code = NULL WHERE request_no = {CALLS};
             DELETE FROM request WHERE request_no = 100;
             UPDATE call SET checked_session_no = 2 WHERE call_no < 9;
             UPDATE request SET request_id = 'R' || request_no, recheck = request_no % 2;
             UPDATE session SET endpoint = 'https://provider';
             INSERT INTO other_answer VALUES (3, 2, 'final', 1, 3, '{day}', 'R3', 'OK', NULL, '{{}}', 7, 1),
                                             (3, 3, 'no_record', 3, 9, NULL, NULL, 'OK', NULL, NULL, 8, NULL);
             INSERT INTO open_item VALUES ('9^9', 1, '{day}', 'pending', 1, 1, 1, NULL, 'a', 60);
             INSERT INTO receipt VALUES ('9^9', 1, '{day}', 1, 3, '{{\"call_id\":\"9^9\"}}', 7),
                                        ('9^9', 2, '{day}', 1, 3, NULL, 8);
             INSERT INTO open_discrepancy VALUES (-7, 'mismatch', 'caller', '{day}', NULL, '{day}', 1, 1),
                                                 (7, 'invalid_row', '', NULL, 5, '{day}', 1, 1);
             INSERT INTO run_figures VALUES (1, 'calls-.csv', '{{}}');"
        ),
    );
    path
}

fn all_rows(side: &mut dyn CopySide) -> Vec<Vec<Row>> {
    let table = |table: &'static Table| {
        let mut rows: Vec<Row> = Vec::new();
        loop {
            let next = side.rows(table, rows.last()).unwrap();
            if next.is_empty() {
                return rows;
            }
            rows.extend(next);
        }
    };
    table::ALL.map(table).into()
}

fn source(path: &Path) -> SqliteCopy {
    SqliteCopy::source(path, &SystemClock::new()).unwrap()
}

fn target(path: &Path) -> SqliteCopy {
    SqliteCopy::target(path, Origin::Provider).unwrap()
}

#[test]
fn the_same_command_finishes_a_copy_killed_at_any_write() {
    let folder = TempDir::new().unwrap();
    let from = filled(&folder);
    let before = all_rows(&mut source(&from));
    let original = std::fs::read(&from).unwrap();
    for writes in 0.. {
        std::fs::write(&from, &original).unwrap();
        let to = folder.path().join(format!("{writes}.db"));
        let first = {
            let (mut source, mut target) = (source(&from), target(&to));
            let mut target = Killed { side: &mut target, writes_left: writes };
            copy((&mut source, "old"), (&mut target, "new"))
        };
        let is_killed = first.is_err();
        let again = |_| copy((&mut source(&from), "old"), (&mut target(&to), "new"));
        let copied = first.or_else(again).unwrap();
        assert_eq!(all_rows(&mut target(&to)), before, "killed before write {writes}");
        let rows: Vec<u64> = copied.tables.iter().map(|table| table.rows).collect();
        assert_eq!(rows, [1, 2, CALLS as u64, 2, CALLS as u64 - 1, 1, 2, 2, 1]);
        assert_eq!(source(&from).meta(key::RETIRED_TO).unwrap().as_deref(), Some("new"));
        assert_eq!(target(&to).meta(key::COPY_OF).unwrap(), None);
        assert_eq!(target(&to).meta(key::SECRET).unwrap().as_deref(), Some("abc"));
        if !is_killed {
            assert!(writes > 10, "only {writes} writes");
            break;
        }
    }
}

#[test]
fn a_copy_has_the_same_evidence_for_the_cap() {
    let folder = TempDir::new().unwrap();
    let (from, to) = (filled(&folder), folder.path().join("copy.db"));
    let record = |path: &Path| {
        let reader = open_reader(&path.into(), None).unwrap().unwrap();
        (reader.cap_record().unwrap(), reader.sessions().unwrap(), reader.answer_groups().unwrap())
    };
    drop(source(&from));
    let before = record(&from);
    assert_eq!(before.0.sessions.iter().map(|session| session.evidence.missing).sum::<u64>(), 2);
    crate::store::copy(&from.as_path().into(), &to.as_path().into(), &SystemClock::new()).unwrap();
    assert_eq!(record(&to), before);
}

#[test]
fn no_run_uses_a_copied_store_or_an_unfinished_copy() {
    let folder = TempDir::new().unwrap();
    let (from, to) = (filled(&folder), folder.path().join("copy.db"));
    let (from, to): (StoreLocation, StoreLocation) = (from.into(), to.into());
    let run = |at: &StoreLocation| open(at, Origin::Provider, Arc::new(SystemClock::new())).map(drop);
    target(to.file().unwrap()).set_meta(&[(key::COPY_OF, Some(&from.to_string()))]).unwrap();
    let refusal = run(&to).unwrap_err();
    assert_eq!(refusal.exit, Exit::Usage);
    assert!(refusal.what.contains("unfinished copy"), "{refusal}");
    let copy = |from, to| crate::store::copy(from, to, &SystemClock::new());
    copy(&from, &to).unwrap();
    run(&to).unwrap();
    let refusal = run(&from).unwrap_err();
    assert_eq!(refusal.exit, Exit::Usage);
    assert!(refusal.what.contains("was copied to"), "{refusal}");
    assert!(open_reader(&from, Some(Origin::Provider.into())).is_err());
    // What erases or shows personal data still works.
    assert!(open_reader(&from, None).unwrap().is_some());
    open_existing(&from, Arc::new(SystemClock::new())).unwrap().forget("13800138000").unwrap();
    // The copy is a store in use, so nothing is copied over it.
    let third: StoreLocation = folder.path().join("third.db").into();
    for (from, to) in [(&from, &third), (&from, &from), (&third, &to)] {
        assert_eq!(copy(from, to).unwrap_err().exit, Exit::Usage, "{from} to {to}");
    }
}

#[test]
fn a_store_with_calls_is_no_target() {
    let folder = TempDir::new().unwrap();
    let from = filled(&folder);
    let to = folder.path().join("copy.db");
    std::fs::copy(&from, &to).unwrap();
    let refusal = copy((&mut source(&from), "old"), (&mut target(&to), "new")).unwrap_err();
    assert_eq!(refusal.exit, Exit::Usage);
    assert!(refusal.what.contains("is not empty"), "{refusal}");
    assert_eq!(source(&from).meta(key::RETIRED_TO).unwrap(), None);
}

#[test]
fn a_copy_that_differs_retires_nothing() {
    let folder = TempDir::new().unwrap();
    let (from, to) = (filled(&folder), folder.path().join("copy.db"));
    {
        let (mut source, mut target) = (source(&from), target(&to));
        let mut killed = Killed { side: &mut target, writes_left: 8 };
        copy((&mut source, "old"), (&mut killed, "new")).unwrap_err();
    }
    sqlite::execute(&to, "UPDATE call SET data = 'x' WHERE call_no = 1");
    let refusal = copy((&mut source(&from), "old"), (&mut target(&to), "new")).unwrap_err();
    assert_eq!(refusal.exit, Exit::Output);
    assert!(refusal.what.contains("the copy of the table call differs"), "{refusal}");
    assert_eq!(source(&from).meta(key::RETIRED_TO).unwrap(), None);
}

/// The rows of a store, and the evidence for its cap.
fn contents(at: &StoreLocation) -> (Vec<Vec<Row>>, crate::store::CapRecord) {
    let record = open_reader(at, None).unwrap().unwrap().cap_record().unwrap();
    let mut side: Box<dyn CopySide> = match at {
        StoreLocation::File(path) => Box::new(source(path)),
        StoreLocation::Database(url) => Box::new(PostgresCopy::source(url, &SystemClock::new()).unwrap()),
    };
    (all_rows(&mut *side), record)
}

#[test]
fn a_store_moves_into_a_database_and_back() {
    let Some(database) = Database::create() else { return };
    let folder = TempDir::new().unwrap();
    let from = filled(&folder);
    sqlite::execute(&from, "UPDATE call SET message = 'a' || char(0) || 'b' WHERE call_no = 7");
    drop(source(&from));
    let url = StoreLocation::parse(Path::new(&database.url()));
    let (from, back): (StoreLocation, StoreLocation) = (from.into(), folder.path().join("back.db").into());
    let before = contents(&from);
    let copy = |from: &StoreLocation, to: &StoreLocation| crate::store::copy(from, to, &SystemClock::new());
    copy(&from, &url).unwrap();
    let in_database = contents(&url);
    assert_eq!(in_database.0, before.0);
    let verdicts = |record: &crate::store::CapRecord| -> Vec<_> {
        let verdict = |s: &crate::store::SessionEvidence| {
            (s.session_no, s.evidence.requests, s.evidence.verdict(s.rate))
        };
        record.sessions.iter().map(verdict).collect()
    };
    assert_eq!(verdicts(&in_database.1), verdicts(&before.1));
    assert!(in_database.1.sessions.iter().all(|s| s.evidence.over_places == 0));
    // A new call gets a number of its own, and the next session the next number.
    let store = open(&url, Origin::Provider, Arc::new(SystemClock::new())).unwrap();
    let identity = crate::store::RunIdentity { input_sha256: "b".into(), refresh: false };
    let scope = store
        .begin_session(&identity, "100/min".parse().unwrap(), std::time::Duration::from_secs(1))
        .unwrap();
    assert_eq!(scope.session_no, 3);
    assert_eq!(copy(&url, &back).unwrap_err().exit, Exit::Busy, "a run works in it");
    store.end_session(&scope, Some(RunEnd::without_outputs(true))).unwrap();
    drop(store);
    copy(&url, &back).unwrap();
    let (rows, record) = contents(&back);
    assert_eq!(rows[2..], before.0[2..]);
    assert_eq!(rows[1].len(), 3);
    assert_eq!(verdicts(&record)[..2], verdicts(&before.1)[..]);
    // The database is retired now.
    let refusal = open(&url, Origin::Provider, Arc::new(SystemClock::new())).map(drop).unwrap_err();
    assert_eq!(refusal.exit, Exit::Usage);
    assert!(open_reader(&url, Some(Origin::Provider.into())).is_err());
}

#[test]
fn a_copy_into_a_database_is_finished_after_any_kill() {
    if Database::create().is_none() {
        return;
    }
    let folder = TempDir::new().unwrap();
    let from = filled(&folder);
    let before = all_rows(&mut source(&from));
    let original = std::fs::read(&from).unwrap();
    for writes in [3, 8, 10, 12] {
        std::fs::write(&from, &original).unwrap();
        let database = Database::create().unwrap();
        let StoreLocation::Database(url) = StoreLocation::parse(Path::new(&database.url())) else {
            unreachable!()
        };
        let target = || PostgresCopy::target(&url, Origin::Provider, &SystemClock::new()).unwrap();
        let is_killed = {
            let (mut source, mut target) = (source(&from), target());
            let mut target = Killed { side: &mut target, writes_left: writes };
            copy((&mut source, "old"), (&mut target, "new")).is_err()
        };
        if is_killed {
            copy((&mut source(&from), "old"), (&mut target(), "new")).unwrap();
        }
        assert_eq!(all_rows(&mut target()), before, "killed before write {writes}");
    }
}
