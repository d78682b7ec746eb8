//! The files that a run writes: what they may replace, who may read them, and when they change.

mod file_kinds;
mod fuzz;
mod modes;
mod order;
mod other_files;
mod standard_output;

use std::path::Path;

use crate::support::{Bench, ledger};

/// A bench with a ledger of two calls and a file that nobody may change.
fn bench_with_victim() -> Bench {
    let bench = Bench::new(&ledger(2));
    bench.write("victim", "precious");
    set_mode(&bench.path("victim"), 0o600);
    bench
}

/// Asserts that the victim is as it was.
#[track_caller]
fn assert_untouched(bench: &Bench) {
    assert_eq!(std::fs::read_to_string(bench.path("victim")).unwrap(), "precious");
    assert_eq!(mode(&bench.path("victim")), 0o600);
}

fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// Names in the bench's folder, sorted.
fn names(bench: &Bench) -> Vec<String> {
    let entries = std::fs::read_dir(bench.path(".")).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<String> = entries.map(|name| name.to_string_lossy().into_owned()).collect();
    names.sort();
    names
}
