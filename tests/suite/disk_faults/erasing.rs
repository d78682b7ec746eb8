//! A fault in every write of the commands that change the store without a run, and of those that
//! only read it.

use std::fs;
use std::process::Command;

use super::night::ensure;
use crate::support::faulty_disk::{DiskCall, Errno, Fault, FaultyDisk, Mode};
use crate::support::provider::{Reply, detail};
use crate::support::{Bench, Run, id, ledger};

const NUMBER: &str = "13911112222";
const CALLS: i64 = 30;
/// Calls whose record has the number.
const WITH_NUMBER: i64 = 3;

/// A finished night in which three records have the number.
fn finished() -> Bench {
    let bench = Bench::new(&ledger(CALLS as usize));
    for i in 0..WITH_NUMBER as usize {
        let mut record = detail(&id(i));
        record["callee"] = NUMBER.into();
        bench.provider.script(&id(i), [Reply::ok(&record)]);
    }
    bench.run(&[]).exits(0);
    bench
}

/// A folder with a copy of the store.
struct Copy {
    bench: Bench,
    disk: FaultyDisk,
}

impl Copy {
    fn of(finished: &Bench) -> Option<Self> {
        let bench = Bench::new(&ledger(CALLS as usize));
        for entry in fs::read_dir(finished.path(".")).unwrap() {
            let (path, name) = entry.map(|entry| (entry.path(), entry.file_name())).unwrap();
            if name.to_str().unwrap().contains("reconcile.db") {
                fs::copy(path, bench.path(name.to_str().unwrap())).unwrap();
            }
        }
        let disk = FaultyDisk::watching(&bench.path("."))?;
        Some(Self { bench, disk })
    }

    fn run(&self, arguments: &[&str], fault: Option<Fault>) -> Run {
        let mut command = Command::new(env!("CARGO_BIN_EXE_reconcile"));
        command.args(arguments).current_dir(self.bench.path("."));
        self.disk.attach(&mut command, fault);
        self.bench.start_command(command).wait()
    }

    /// Stored calls, stored calls with a readable record, requests on record.
    fn counts(&self) -> [i64; 3] {
        let check = "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'";
        assert_eq!(self.bench.number_in_store(check), 0, "the store is damaged");
        [
            "SELECT count(*) FROM call",
            "SELECT count(*) FROM call WHERE data LIKE '{%'",
            "SELECT count(*) FROM request",
        ]
        .map(|sql| self.bench.number_in_store(sql))
    }

    fn has_number(&self) -> bool {
        let names = ["reconcile.db", "reconcile.db-wal", "reconcile.db-journal", "reconcile.db-shm"];
        let mut bytes = names.iter().flat_map(|name| fs::read(self.bench.path(name)).unwrap_or_default());
        let bytes: Vec<u8> = bytes.by_ref().collect();
        bytes.windows(NUMBER.len()).any(|window| window == NUMBER.as_bytes())
    }
}

#[allow(clippy::print_stderr, reason = "the numbers of faults are the result")]
/// Runs a command with each fault on its own copy, then once more without. Returns the faults.
fn at_every_write(
    arguments: &[&str],
    mode: Mode,
    check: impl Fn(&Copy, &Run) -> Result<(), String>,
) -> usize {
    let finished = finished();
    let Some(clean) = Copy::of(&finished) else { return 0 };
    let before = clean.counts();
    let run = clean.run(arguments, None);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let (calls, after) = (clean.disk.calls(), clean.counts());
    let mut faults = 0;
    for at in 1..=calls.len() {
        let copy = Copy::of(&finished).unwrap();
        let first = copy.run(arguments, Some(Fault { at, errno: Errno::ALL[at % 3], mode }));
        let failed: Vec<DiskCall> = copy.disk.calls().into_iter().filter(|call| !call.made).collect();
        faults += usize::from(!failed.is_empty());
        let result = one_fault(&copy, &first, &failed, [before, after])
            .and_then(|()| check(&copy, &first))
            .and_then(|()| {
                let second = copy.run(arguments, None);
                ensure(second.code == Some(0), || format!("the second run: {}", second.stderr))?;
                ensure(copy.counts() == after, || format!("{:?}, not {after:?}, afterwards", copy.counts()))?;
                check(&copy, &second)
            });
        assert_eq!(result, Ok(()), "fault {at} in {:?} of {arguments:?}: {}", failed.first(), first.stderr);
    }
    eprintln!("{} with {mode:?}: {faults} faults at {} calls", arguments[0], calls.len());
    faults
}

fn one_fault(
    copy: &Copy,
    run: &Run,
    failed: &[DiskCall],
    [before, after]: [[i64; 3]; 2],
) -> Result<(), String> {
    ensure(!run.stderr.contains("panicked") && !run.stderr.contains("a bug"), || "a panic or a bug".into())?;
    ensure(run.code == Some(0) || run.code == Some(6), || format!("exit code {:?}", run.code))?;
    let now = copy.counts();
    ensure(now == before || now == after, || format!("{now:?}: neither {before:?} nor {after:?}"))?;
    ensure(run.code == Some(6) || now == after, || "exit 0, and nothing was done".into())?;
    let named = failed.iter().any(|call| run.stderr.contains(call.file()));
    let says = named && run.stderr.contains("to do: ");
    ensure(run.code == Some(0) || says, || "exit 6 without the file's name, or what to do".into())
}

#[test]
fn a_purge_with_a_failed_write_is_done_or_said_not_to_be() {
    for mode in [Mode::Once, Mode::Lasting] {
        let faults = at_every_write(&["purge", "--older-than", "90d"], mode, |copy, run| {
            ensure(run.code != Some(0) || !copy.has_number(), || {
                "exit 0, and the records are still there".into()
            })
        });
        assert!(faults > 20, "only {faults} faults");
    }
}

#[test]
fn a_forgotten_number_is_gone_or_the_exit_code_says_not() {
    for mode in [Mode::Once, Mode::Lasting] {
        let faults = at_every_write(&["forget", NUMBER], mode, |copy, run| {
            ensure(run.code != Some(0) || !copy.has_number(), || {
                "exit 0, and the number is still there".into()
            })
        });
        assert!(faults > 20, "only {faults} faults");
    }
}

#[test]
fn commands_that_only_read_survive_failed_writes() {
    let plan = ["plan", "--input", "calls.csv", "--out", "details.parquet", "--offline"];
    let commands: [&[&str]; 3] = [&plan, &["verify-cap"], &["explain", &id(0)]];
    for arguments in commands {
        for mode in [Mode::Once, Mode::Lasting] {
            at_every_write(arguments, mode, |copy, _| {
                ensure(copy.has_number(), || "the store has lost a record".into())
            });
        }
    }
}
