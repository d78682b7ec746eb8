//! The copy of a store that is made before its schema is upgraded.

use std::fs;

use rusqlite::Connection;

use crate::support::Bench;

/// A callee in the kept stores.
const NUMBER: &str = "18512348980";

/// The bytes of a file that is kept in the repository.
pub fn kept(name: &str) -> Vec<u8> {
    fs::read(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stores").join(name)).unwrap()
}

/// A folder with a store of an older schema and its ledger.
pub fn of_version(schema: u32) -> Bench {
    let bench = Bench::new(&String::from_utf8(kept("v1.csv")).unwrap());
    fs::write(bench.path("reconcile.db"), kept(&format!("v{schema}.db"))).unwrap();
    bench
}

/// All rows of all tables.
pub fn content(bench: &Bench, name: &str) -> String {
    let store = Connection::open(bench.path(name)).unwrap();
    let texts = |sql: &str| -> Vec<String> {
        store.prepare(sql).unwrap().query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    let mut all = texts("SELECT coalesce(sql, name) FROM sqlite_schema ORDER BY name").join("\n");
    for table in texts("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name") {
        let columns = texts(&format!("SELECT 'quote(' || name || ')' FROM pragma_table_info('{table}')"));
        let row = columns.join(" || ',' || ");
        all += &texts(&format!("SELECT {row} FROM {table} ORDER BY 1")).join("\n");
    }
    all
}

#[test]
fn an_older_store_is_copied_before_its_upgrade() {
    for schema in 1..=2 {
        let bench = of_version(schema);
        let (name, before) = (format!("reconcile.db.v{schema}.bak"), content(&bench, "reconcile.db"));
        bench.run(&["--offline"]).exits(0).says("was upgraded").says(&name).says("delete it");
        assert_eq!(content(&bench, &name), before);
        assert_ne!(content(&bench, "reconcile.db"), before);
        let notes = bench.summary().0["notes"].to_string();
        assert!(notes.contains(&name), "{notes}");
        // The next run upgrades nothing, copies nothing and says nothing.
        let copy = fs::read(bench.path(&name)).unwrap();
        let second = bench.run(&["--offline"]).exits(0);
        assert!(!second.stderr.contains(".bak"), "{}", second.stderr);
        assert_eq!(fs::read(bench.path(&name)).unwrap(), copy);
        // The copy is a store that can be used again.
        fs::rename(bench.path(&name), bench.path("reconcile.db")).unwrap();
        let files = fs::read_dir(bench.path(".")).unwrap().map(|file| file.unwrap().file_name());
        assert_eq!(files.filter(|file| file.to_string_lossy().contains(".bak")).count(), 0);
        bench.run(&["--offline"]).exits(0).says(&name);
    }
}

#[test]
fn answers_in_the_log_are_in_the_copy() {
    let bench = of_version(2);
    let store = Connection::open(bench.path("reconcile.db")).unwrap();
    let sql = "PRAGMA wal_autocheckpoint = 0; UPDATE open_item SET status = 'pending'";
    store.execute_batch(sql).unwrap();
    let before = content(&bench, "reconcile.db");
    // As after a kill: the log is still beside the store.
    let log = fs::read(bench.path("reconcile.db-wal")).unwrap();
    let file = fs::read(bench.path("reconcile.db")).unwrap();
    drop(store);
    fs::write(bench.path("reconcile.db"), file).unwrap();
    fs::write(bench.path("reconcile.db-wal"), log).unwrap();
    bench.run(&["--offline"]).exits(0);
    assert_eq!(content(&bench, "reconcile.db.v2.bak"), before);
}

#[test]
fn an_existing_copy_is_never_changed() {
    let bench = of_version(1);
    bench.write("reconcile.db.v1.bak", "precious");
    bench.run(&["--offline"]).exits(0).says("reconcile.db.v1.2.bak is a copy");
    assert_eq!(fs::read(bench.path("reconcile.db.v1.bak")).unwrap(), b"precious");
    let copy = fs::read(bench.path("reconcile.db.v1.2.bak")).unwrap();
    // The same store again, as after a kill between the copy and the upgrade.
    fs::write(bench.path("reconcile.db"), kept("v1.db")).unwrap();
    bench.run(&["--offline"]).exits(0).says("reconcile.db.v1.2.bak is a copy");
    assert_eq!(fs::read(bench.path("reconcile.db.v1.2.bak")).unwrap(), copy);
    assert!(!bench.path("reconcile.db.v1.3.bak").exists());
}

#[cfg(unix)]
#[test]
fn the_copy_has_the_permissions_of_the_store() {
    use std::os::unix::fs::PermissionsExt as _;
    for mode in [0o600, 0o640] {
        let bench = of_version(2);
        fs::set_permissions(bench.path("reconcile.db"), fs::Permissions::from_mode(mode)).unwrap();
        bench.run(&["--offline"]).exits(0);
        let copy = bench.path("reconcile.db.v2.bak").metadata().unwrap();
        assert_eq!(copy.permissions().mode() & 0o777, mode);
    }
}

#[test]
fn purge_and_forget_name_copies_they_cannot_reach() {
    for command in [&["forget", NUMBER][..], &["purge", "--older-than", "90d"]] {
        let bench = of_version(1);
        // This very command upgrades the store.
        for _ in 0..2 {
            let run = bench.run_exactly(command, &[]);
            assert_eq!(run.code, Some(0), "{run:?}");
            assert!(run.stdout.contains("1 copy of the store from before an upgrade"), "{}", run.stdout);
            assert!(run.stdout.contains("reconcile.db.v1.bak"), "{}", run.stdout);
        }
        fs::remove_file(bench.path("reconcile.db.v1.bak")).unwrap();
        assert!(!bench.run_exactly(command, &[]).stdout.contains(".bak"));
    }
}

#[test]
fn no_output_is_written_over_a_copy() {
    let bench = of_version(1);
    let run = bench.run(&["--offline", "--summary", "reconcile.db.v1.bak"]);
    run.exits(2).says("the store's copy");
}
