//! `reconcile store copy`: a store moves, and the runs after it go on as if nothing had happened.

use crate::support::postgres::Database;
use crate::support::{Bench, ledger};

#[test]
fn a_moved_store_is_used_and_its_source_is_not() {
    let bench = Bench::new(&ledger(30));
    bench.run(&["--store", "old.db"]).exits(0);
    let database = Database::create();
    let new = database.as_ref().map_or_else(|| "new.db".to_owned(), Database::url);
    let copy = ["store", "copy", "--from", "old.db", "--to", &new];
    let copied = bench.bare(&copy);
    for line in ["run         1 row, ", "call        30 rows, ", "request     30 rows, ", "copied old.db to "]
    {
        assert!(copied.contains(line), "{line}: {copied}");
    }
    bench.run(&["--store", &new]).exits(0);
    bench.assert_all_found(30);
    assert_eq!(bench.provider.seen(), 30, "every answer was copied");
    bench.run(&["--store", "old.db"]).exits(2).says("old.db was copied to").says("set store to");
    bench.run_exactly(&copy, &[]).exits(2).says("was copied to");
    // Exit 0: the cap was kept.
    for store in [&new, "old.db"] {
        assert!(bench.bare(&["verify-cap", "--store", store]).contains("session 1, "));
    }
}

#[test]
fn a_store_that_a_run_holds_is_not_copied() {
    let bench = Bench::new(&ledger(30));
    let run = bench.start(&["--store", "old.db", "--rate", "10/min"]);
    bench.provider.wait_for(5);
    bench
        .run_exactly(&["store", "copy", "--from", "old.db", "--to", "new.db"], &[])
        .exits(5)
        .says("another run");
    run.kill();
    bench
        .run_exactly(&["store", "copy", "--from", "none.db", "--to", "new.db"], &[])
        .exits(2)
        .says("no store");
}

#[test]
fn verify_cap_names_an_unfinished_copy() {
    let database = Database::create();
    let url = database.as_ref().map(Database::url);
    for store in std::iter::once("reconcile.db").chain(url.as_deref()) {
        let bench = Bench::new(&ledger(3));
        bench.run(&["--store", store]).exits(0);
        let mark = "INSERT INTO {} (key, value) VALUES ('copy_of', 'old.db')";
        match &database {
            Some(database) if store != "reconcile.db" => {
                database.execute(&mark.replace("{}", "reconcile.meta"))
            }
            _ => {
                let file = rusqlite::Connection::open(bench.path(store)).unwrap();
                file.execute_batch(&mark.replace("{}", "meta")).unwrap();
            }
        }
        let run = bench.run_exactly(&["verify-cap", "--store", store], &[]);
        assert_eq!(run.code, Some(1), "{}", run.stderr);
        assert!(run.stdout.contains("CANNOT BE PROVEN"), "{}", run.stdout);
        assert!(run.stdout.contains("an unfinished copy of old.db"), "{}", run.stdout);
    }
}
