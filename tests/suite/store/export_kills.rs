//! An export that is killed in place of each of its writes, or whose disk fails there, and exports
//! that are killed at random while runs go on. The files that appear are whole, and the next export
//! completes them.
#![cfg(target_os = "linux")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::export::{EXPORT, contents, export, files, rows, stored};
use crate::support::faulty_disk::{Errno, Fault, FaultyDisk, Mode};
use crate::support::provider::Reply;
use crate::support::{Bench, id, ledger};

/// Three sessions with answers for two days: four files.
fn finished() -> Bench {
    let bench = Bench::new("");
    for (from, to) in [(0, 6), (6, 12), (0, 3)] {
        let mut text = String::from("call_id,prod_id,called_at\n");
        (from..to).for_each(|i| text += &format!("{},11000000300006,2024-05-{}\n", id(i), 26 + i % 2));
        bench.write("calls.csv", &text);
        bench.run(if from == 0 && to == 3 { &["--refresh"] } else { &[] }).exits(0);
    }
    bench
}

fn copy_of(finished: &Bench) -> Bench {
    let bench = Bench::new(&ledger(0));
    fs::copy(finished.path("reconcile.db"), bench.path("reconcile.db")).unwrap();
    bench
}

fn run(bench: &Bench, disk: &FaultyDisk, fault: Option<Fault>) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_reconcile"));
    command.args(EXPORT).current_dir(bench.path("."));
    disk.attach(&mut command, fault);
    let run = bench.start_command(command).wait();
    (run.code, run.stderr)
}

/// The files that readers see.
fn visible(bench: &Bench) -> BTreeMap<PathBuf, Vec<u8>> {
    let folder = bench.path("lake");
    if !folder.exists() {
        return BTreeMap::new();
    }
    let is_hidden = |path: &Path| path.file_name().unwrap().to_str().unwrap().starts_with('.');
    contents(&folder).into_iter().filter(|(path, _)| !is_hidden(path)).collect()
}

/// Lets the export fail at each of its writes, then completes it. Returns the numbers of faults and
/// of moments at which some files were there and others not.
fn fail_at_every_write(mode: Mode) -> (usize, usize) {
    let finished = finished();
    let expected = stored(&finished);
    let whole = copy_of(&finished);
    let Some(disk) = FaultyDisk::watching(&whole.path(".")) else { return (0, 0) };
    assert_eq!(run(&whole, &disk, None).0, Some(0));
    let (calls, file_count) = (disk.calls().len(), files(&whole.path("lake")).len());
    assert_eq!(rows(&whole.path("lake")), expected);
    let (mut faults, mut partly) = (0, 0);
    for at in 1..=calls {
        let bench = copy_of(&finished);
        let disk = FaultyDisk::watching(&bench.path(".")).unwrap();
        let (code, stderr) = run(&bench, &disk, Some(Fault { at, errno: Errno::ALL[at % 3], mode }));
        faults += usize::from(disk.calls().iter().any(|call| !call.made));
        match mode {
            Mode::Kill => assert_eq!(code, None, "at {at}: {stderr}"),
            _ => assert!(
                code == Some(0) || (code == Some(6) && stderr.contains("to do: ")),
                "at {at}: {code:?} {stderr}"
            ),
        }
        let before = visible(&bench);
        before.keys().for_each(|file| drop(crate::support::read_parquet(file)));
        partly += usize::from(!before.is_empty() && before.len() < file_count);
        export(&bench);
        let after = contents(&bench.path("lake"));
        before
            .iter()
            .for_each(|(path, bytes)| assert_eq!(&after[path], bytes, "at {at}: a file was written again"));
        assert_eq!(rows(&bench.path("lake")), expected, "at {at}");
        assert_eq!(
            (after.len(), visible(&bench).len()),
            (file_count, file_count),
            "at {at}: something is left behind"
        );
    }
    (faults, partly)
}

#[test]
fn an_export_killed_at_any_write_is_completed_by_the_next() {
    let (faults, partly) = fail_at_every_write(Mode::Kill);
    assert!(faults == 0 || (faults > 30 && partly > 10), "{faults} kills, {partly} with some of the files");
}

#[test]
fn an_export_with_a_failed_write_is_completed_by_the_next() {
    for mode in [Mode::Once, Mode::Half] {
        let (faults, _) = fail_at_every_write(mode);
        assert!(faults == 0 || faults > 30, "only {faults} faults with {mode:?}");
    }
}

#[test]
fn exports_and_runs_killed_at_random_export_each_answer_once() {
    const CALLS: usize = 60;
    let mut random = fastrand::Rng::with_seed(23);
    let mut killed = 0;
    for _ in 0..8 {
        let bench = Bench::new(&ledger(CALLS));
        bench.provider.by_default(Reply::record().after(Duration::from_millis(6)));
        for _ in 0..5 {
            let run = bench.start(&["--concurrency", "4"]);
            std::thread::sleep(Duration::from_millis(random.u64(20..200)));
            let mut command = Command::new(env!("CARGO_BIN_EXE_reconcile"));
            command.args(EXPORT).current_dir(bench.path("."));
            let exporting = bench.start_command(command);
            std::thread::sleep(Duration::from_millis(random.u64(0..60)));
            killed += usize::from(exporting.kill());
            run.kill();
        }
        bench.run(&["--concurrency", "4"]).exits(0);
        export(&bench);
        // No answer of this ledger is ever replaced, so the store still has each one.
        assert_eq!(rows(&bench.path("lake")), stored(&bench));
        assert_eq!(visible(&bench).len(), files(&bench.path("lake")).len(), "something is left behind");
    }
    assert!(killed > 5, "only {killed} exports were killed");
}
