//! Random spellings of paths: two options that name one file are refused, all others are not, and a
//! run changes none of the files that it reads.
//!
//! The suite runs it over a fixed number of sets, always with the same seed.
//! `RECONCILE_FUZZ_SETS=5000 cargo test --test suite files::fuzz` runs longer, each time with
//! another seed. A failure prints its seed; `RECONCILE_FUZZ_SEED` repeats it.

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::Path;

use fastrand::Rng;
use tempfile::TempDir;

use crate::support::{Bench, ledger, number_from_environment};

const SETS: u64 = 60;

/// The files that a run reads.
const READ: [&str; 3] = ["calls.csv", "c.toml", "mask.key"];
/// The options that name a file that a run writes.
const WRITTEN: [&str; 8] =
    ["--out", "--discrepancies", "--report", "--summary", "--sql", "--metrics-file", "--record", "--store"];
/// File names in the folders of the tree; those of `links` among them.
const NAMES: [&str; 14] = [
    "calls.csv",
    "CALLS.CSV",
    "c.toml",
    "mask.key",
    "a.csv",
    "A.csv",
    "b.csv",
    "d.csv",
    "hard.csv",
    "soft.csv",
    "chain.csv",
    "later.csv",
    "keys.csv",
    "e.csv",
];
/// Spellings of the tree's folders.
const FOLDERS: [&str; 10] =
    ["", "./", "sub/../", "sub/", "alias/", "alias/../", "sub/deep/../", "down/", "down/../", "./alias/./"];

/// Folders and links in an otherwise empty folder with the files that are read.
fn links(folder: &Path) {
    let at = |name: &str| folder.join(name);
    fs::create_dir_all(at("sub/deep")).unwrap();
    for (to, name) in [
        ("sub", "alias"),
        ("sub/deep", "down"),
        ("calls.csv", "soft.csv"),
        ("alias/../soft.csv", "chain.csv"),
        // This file does not exist.
        ("sub/a.csv", "later.csv"),
        ("../mask.key", "sub/keys.csv"),
        ("deep/../../b.csv", "sub/d.csv"),
    ] {
        symlink(to, at(name)).unwrap();
    }
    for (of, name) in [("mask.key", "hard.csv"), ("c.toml", "sub/hard.csv")] {
        fs::hard_link(at(of), at(name)).unwrap();
    }
}

fn id(path: &Path) -> Option<(u64, u64)> {
    path.metadata().ok().map(|metadata| (metadata.dev(), metadata.ino()))
}

/// Whether the system takes both paths for one file: after one is created, the other one is it.
fn are_one_file(one: &str, other: &str) -> bool {
    let scratch = TempDir::new().unwrap();
    READ.iter().for_each(|name| fs::write(scratch.path().join(name), name).unwrap());
    links(scratch.path());
    let (one, other) = (scratch.path().join(one), scratch.path().join(other));
    File::options().append(true).create(true).open(&one).unwrap();
    id(&one) == id(&other)
}

fn read_files(bench: &Bench) -> Vec<Vec<u8>> {
    READ.iter().map(|name| fs::read(bench.path(name)).unwrap()).collect()
}

fn try_one_set(rng: &mut Rng) -> bool {
    let bench = Bench::new(&ledger(1));
    bench.write("c.toml", "mask-phones = \"token\"\n");
    bench.write("mask.key", "0123456789abcdef");
    links(&bench.path("."));
    let before = read_files(&bench);
    let mut random = || {
        let name = NAMES[rng.usize(..NAMES.len())];
        format!("{}{name}", FOLDERS[rng.usize(..FOLDERS.len())])
    };
    let paths = WRITTEN.map(|option| (option, random()));
    // Few options at a time, or hardly any set would be without a collision.
    let mut given: Vec<(&str, String)> = paths.to_vec();
    rng.shuffle(&mut given);
    given.truncate(rng.usize(1..4));
    let one_file = (0..given.len()).any(|i| {
        let path = &given[i].1;
        let written = given[..i].iter().map(|(_, path)| path.as_str());
        READ.into_iter().chain(written).any(|other| are_one_file(path, other))
    });
    let fixed = ["--config", "c.toml", "--mask-key-file", "mask.key"].map(str::to_owned);
    let set: Vec<String> =
        given.iter().flat_map(|(option, path)| [(*option).to_owned(), path.clone()]).chain(fixed).collect();
    let run = bench.run(&set.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(run.stderr.contains("is the same file as"), one_file, "{set:?}: {run:?}");
    assert_eq!(run.code == Some(2) && bench.provider.seen() == 0, run.code == Some(2), "{run:?}");
    assert_eq!(read_files(&bench), before, "{set:?}: {run:?}");
    one_file
}

#[test]
fn paths_are_refused_exactly_if_they_are_one_file() {
    let sets = number_from_environment("RECONCILE_FUZZ_SETS");
    let seed = number_from_environment("RECONCILE_FUZZ_SEED");
    let seed = seed.unwrap_or_else(|| sets.map_or(1, |_| fastrand::u64(..)));
    let mut rng = Rng::with_seed(seed);
    let mut refused = 0;
    for set in 0..sets.unwrap_or(SETS) {
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| try_one_set(&mut rng)));
        refused += u64::from(caught.unwrap_or_else(|_| panic!("set {set} of seed {seed}")));
    }
    let sets = sets.unwrap_or(SETS);
    assert!(refused > sets / 10 && refused < sets * 9 / 10, "{refused} of {sets} sets were refused");
}
