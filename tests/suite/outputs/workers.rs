//! The files are the same, byte for byte, whatever the number of workers.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use reconcile::output::Paths;

use super::planted_discrepancies::{Plan, filled_store, publish_with};

/// Ledgers of 5,000 rows in one: a worker gets at most 20,480 rows at a time.
const LEDGERS: u64 = 9;
const CALLS: usize = 6_000;

/// A ledger whose calls are named again and again, far apart. Some rows are unusable.
fn ledger() -> String {
    let mut text = String::new();
    for seed in 0..LEDGERS {
        let mut plan = Plan::new(seed);
        plan.fill();
        let rows = plan.text.split_once('\n').unwrap().1;
        text += if seed == 0 { &plan.text } else { rows };
    }
    text
}

/// All files below a folder, with their contents.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let content = std::fs::read(&path).unwrap();
                found.insert(path.strip_prefix(folder).unwrap().to_owned(), content);
            }
        }
    }
    found
}

fn assert_same_with_all_workers(paths: impl Fn(&Path) -> Paths) {
    let dir = tempfile::TempDir::new().unwrap();
    let (store, scope) = filled_store(&dir.path().join("reconcile.db"), CALLS);
    std::fs::write(dir.path().join("calls.csv"), ledger()).unwrap();
    let mut with_one = None;
    for workers in [1, 2, 3, 8] {
        let folder = dir.path().join(workers.to_string());
        std::fs::create_dir(&folder).unwrap();
        let counted = publish_with(workers, &paths(&folder), dir.path(), store.as_ref(), &scope);
        assert!(counted.totals.duplicates > 25_000 && counted.totals.invalid > 100, "{:?}", counted.totals);
        let files = files(&folder);
        assert!(files.len() >= 5 && files.values().all(|content| !content.is_empty()), "{:?}", files.keys());
        let with_one = with_one.get_or_insert_with(|| files.clone());
        assert_eq!(files.keys().collect::<Vec<_>>(), with_one.keys().collect::<Vec<_>>());
        for (name, content) in &files {
            assert!(content == &with_one[name], "{} differs with {workers} workers", name.display());
        }
    }
}

#[test]
fn the_files_do_not_depend_on_the_number_of_workers() {
    assert_same_with_all_workers(|folder| Paths::beside(folder.join("details.parquet"), None, None, None));
}

#[test]
fn the_files_of_days_do_not_depend_on_the_number_of_workers() {
    assert_same_with_all_workers(|folder| {
        let discrepancies = Some(folder.join("discrepancies.parquet"));
        Paths { by_day: true, ..Paths::beside(folder.join("details"), discrepancies, None, None) }
    });
}
