//! A fault in every write of the upgrade of an older store: the store is either whole as it was, or
//! upgraded with a whole copy beside it.

use std::collections::BTreeSet;
use std::fs;

use crate::store::upgrading::{content, of_version};
use crate::support::faulty_disk::{Errno, Fault, FaultyDisk, Mode};
use crate::support::{Bench, Run};

struct Upgrade {
    bench: Bench,
    disk: FaultyDisk,
}

impl Upgrade {
    fn of(schema: u32) -> Option<Self> {
        let bench = of_version(schema);
        let disk = FaultyDisk::watching(&bench.path("."))?;
        Some(Self { bench, disk })
    }

    fn run(&self, fault: Option<Fault>) -> Run {
        let mut command = self.bench.command(&["--offline"]);
        self.disk.attach(&mut command, fault);
        self.bench.start_command(command).wait()
    }

    /// The names of all copies, whole or not.
    fn copies(&self) -> BTreeSet<String> {
        let names = fs::read_dir(self.bench.path(".")).unwrap().map(|file| file.unwrap().file_name());
        names.map(|name| name.into_string().unwrap()).filter(|name| name.contains(".bak")).collect()
    }

    fn version(&self) -> i64 {
        self.bench.number_in_store("SELECT user_version FROM pragma_user_version")
    }
}

#[allow(clippy::print_stderr, reason = "the numbers of faults are the result")]
fn at_every_write_of_the_upgrade(schema: u32, mode: Mode) {
    let Some(whole) = Upgrade::of(schema) else { return };
    let (before, name) = (content(&whole.bench, "reconcile.db"), format!("reconcile.db.v{schema}.bak"));
    whole.run(None).exits(0);
    // Later calls are those of a run with a current store.
    let calls = whole.disk.calls();
    let last = calls.iter().rposition(|call| call.path.contains(".bak")).unwrap() + 12;
    let mut refused = 0;
    for at in 1..=last {
        let upgrade = Upgrade::of(schema).unwrap();
        let first = upgrade.run(Some(Fault { at, errno: Errno::ALL[at % 3], mode }));
        assert!(!first.stderr.contains("panicked"), "{mode:?} {at}: {}", first.stderr);
        assert_eq!(upgrade.bench.provider.seen(), 0);
        let is_copied = upgrade.bench.path(&name).exists();
        if is_copied {
            assert_eq!(content(&upgrade.bench, &name), before, "{mode:?} {at}: half a copy");
        }
        if i64::from(schema) == upgrade.version() {
            assert_eq!(content(&upgrade.bench, "reconcile.db"), before, "{mode:?} {at}: changed");
        } else {
            assert!(is_copied, "{mode:?} {at}: upgraded without a copy");
        }
        if first.stderr.contains("before its upgrade") {
            assert_eq!((first.code, upgrade.version()), (Some(6), i64::from(schema)), "{}", first.stderr);
            assert!(first.stderr.contains("to do: ") && first.stderr.contains("unchanged"));
            refused += 1;
        }
        upgrade.run(None).exits(0);
        assert_eq!(upgrade.copies(), BTreeSet::from([name.clone()]), "{mode:?} {at}: {}", first.stderr);
        assert_eq!(content(&upgrade.bench, &name), before, "{mode:?} {at}");
    }
    eprintln!("schema {schema}, {mode:?}: {last} faults, {refused} copies refused");
    assert!(mode == Mode::Kill || refused > 5, "only {refused} refused");
}

#[test]
fn a_failed_copy_leaves_the_store_as_it_was() {
    for (schema, mode) in [(1, Mode::Lasting), (2, Mode::Once), (2, Mode::Half)] {
        at_every_write_of_the_upgrade(schema, mode);
    }
}

#[test]
fn a_kill_during_the_copy_leaves_the_store_as_it_was() {
    at_every_write_of_the_upgrade(2, Mode::Kill);
}
