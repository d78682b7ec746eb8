//! A fault in every write, sync, rename, creation and deletion of a small night, one after the
//! other. After each, the same command keeps the cap, loses nothing and says the truth.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::night::{CAP, IN_FLIGHT, Night, Outputs, ensure};
use crate::support::Run;
use crate::support::faulty_disk::{DiskCall, Errno, Fault, Mode};

/// Cases that run at the same time. They mostly wait for the cap.
const AT_ONCE: usize = 16;

/// A broken promise: which one, and the whole story.
struct Broken {
    what: String,
    story: String,
}

/// Two runs of one command, the first with a fault. Returns the failed calls of the first.
fn two_runs(night: &Night, fault: Fault, expected: &Outputs) -> Result<Vec<DiskCall>, Broken> {
    let first = night.run(Some(fault));
    let failed: Vec<DiskCall> = night.disk_calls().into_iter().filter(|call| !call.made).collect();
    let sent = night.bench.provider.seen();
    let mut second = None;
    let result = check_first(night, &first, fault, &failed, sent, expected).and_then(|()| {
        let second = second.insert(night.run(None));
        check_second(night, &first, second, fault, expected)
    });
    if let Err(what) = result {
        let (first, second) = (first.stderr, second.map(|run| run.stderr).unwrap_or_default());
        let failed = failed.first();
        return Err(Broken {
            what,
            story: format!("{fault:?} in {failed:?}\n{first}\nsecond run:\n{second}"),
        });
    }
    Ok(failed)
}

fn check_first(
    night: &Night,
    run: &Run,
    fault: Fault,
    failed: &[DiskCall],
    sent: usize,
    expected: &Outputs,
) -> Result<(), String> {
    let words = run.stderr.to_lowercase();
    ensure(!words.contains("panicked"), || "it panicked".into())?;
    ensure(!words.contains("a bug"), || "it calls the fault a bug".into())?;
    ensure(!words.contains("nothing was sent") || sent == 0, || format!("{sent} requests were sent"))?;
    night.check_whole_outputs(expected)?;
    match run.code {
        None => ensure(fault.mode == Mode::Kill && !failed.is_empty(), || "a signal ended it".into()),
        Some(0) => {
            ensure(night.outputs() == *expected, || "exit 0, and the outputs differ".into())?;
            let unsaid = failed.iter().find(|call| must_be_told(call) && !words.contains(&named_as(call)));
            ensure(unsaid.is_none(), || format!("exit 0, and nothing is said of {unsaid:?}"))
        }
        Some(6) => {
            ensure(!failed.is_empty(), || "exit 6 without a fault".into())?;
            ensure(words.contains("to do: "), || "it does not say what to do".into())?;
            let named = failed.iter().any(|call| words.contains(&named_as(call)));
            ensure(named, || "it does not say what could not be written".into())
        }
        other => Err(format!("exit code {other:?}")),
    }
}

/// True if a run must not pass over this failure: of an output, the metrics file or the lock.
/// A leftover that could not be deleted may pass, and a store that SQLite could not tidy up.
fn must_be_told(call: &DiskCall) -> bool {
    call.name != "unlink" && (call.file() != "reconcile.db" || call.path.ends_with(".lock"))
}

/// The file as messages name it; a failed sync of the folder is told with any file in it.
fn named_as(call: &DiskCall) -> String {
    match call.file() {
        "" => "details.".to_owned(),
        name => name.to_owned(),
    }
}

fn check_second(
    night: &Night,
    first: &Run,
    second: &Run,
    fault: Fault,
    expected: &Outputs,
) -> Result<(), String> {
    ensure(second.code == Some(0), || format!("the second run exits {:?}", second.code))?;
    ensure(night.outputs() == *expected, || "the outputs differ after the second run".into())?;
    let summary = night.bench.summary();
    summary.assert_totals();
    ensure(summary.complete(), || "the second run is not complete".into())?;
    // Only requests in flight may have lost their answer, and those that timed out.
    let timed_out =
        "SELECT count(*) FROM request WHERE http_status IS NULL AND code NOT IN ('lost', 'withdrawn')";
    let in_flight = if first.code == Some(0) { 0 } else { IN_FLIGHT };
    let allowed = in_flight + night.bench.number_in_store(timed_out) as usize;
    let repeats = night.repeats();
    ensure(repeats <= allowed, || format!("{repeats} answered requests were sent again"))?;
    let (recorded, seen) =
        (night.bench.number_in_store("SELECT count(*) FROM request"), night.bench.provider.seen());
    ensure(recorded >= seen as i64, || format!("{seen} requests arrived, {recorded} are on record"))?;
    let most = night.most_in_any_window();
    if most > CAP || fault.at.is_multiple_of(4) {
        let verdict = night.verdict();
        ensure(most <= CAP || verdict["held"] == false, || {
            format!("{most} in a window, and the cap `held`")
        })?;
        ensure(most > CAP || verdict["verdict"] != "broken", || format!("the cap was kept: {verdict}"))?;
    }
    ensure(most <= CAP, || format!("{most} requests arrived in one window of {CAP}"))
}

/// What a campaign did.
#[derive(Default)]
struct Done {
    nights: usize,
    /// Injected faults by call and file.
    faults: BTreeMap<(String, String), usize>,
    broken: Vec<Broken>,
}

/// Runs all cases, several at once, and reports what was injected and what was broken.
fn campaign(make: impl Fn() -> Option<Night> + Sync, expected: &Outputs, cases: &[Fault]) -> Done {
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Done::default()));
    let work = || {
        while let Some(fault) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
            let night = make().unwrap();
            let result = two_runs(&night, *fault, expected);
            let mut done = done.lock().unwrap();
            done.nights += 1;
            match result {
                Ok(failed) => {
                    if let Some(call) = failed.first() {
                        let key = (call.name.clone(), call.path.clone());
                        *done.faults.entry(key).or_default() += 1;
                    }
                }
                Err(broken) => done.broken.push(broken),
            }
        }
    };
    std::thread::scope(|scope| (0..AT_ONCE).for_each(|_| drop(scope.spawn(work))));
    done.into_inner().unwrap()
}

/// Faults of one kind at every call of a night with this number of calls, and at some after it,
/// because the number differs a little from run to run.
fn at_every_call(calls: usize, errno: impl Fn(usize) -> Errno, mode: Mode) -> impl Iterator<Item = Fault> {
    (1..=calls + 5).map(move |at| Fault { at, errno: errno(at), mode })
}

impl Done {
    /// Prints what was injected. Returns what was broken, with the first example of each kind.
    #[allow(clippy::print_stderr, reason = "the numbers of faults are the result")]
    fn report(&self, what: &str, night: &str) -> String {
        let faults: usize = self.faults.values().sum::<usize>() + self.broken.len();
        eprintln!("{what}, {night}: {} nights, {faults} faults, {} broken", self.nights, self.broken.len());
        for ((name, path), n) in &self.faults {
            eprintln!("  {n:>5} {name} {path}");
        }
        let mut kinds: BTreeMap<&str, (usize, &str)> = BTreeMap::new();
        for Broken { what, story } in &self.broken {
            kinds.entry(what).or_insert((0, story)).0 += 1;
        }
        kinds.iter().map(|(what, (n, first))| format!("{n} times: {what}\n{first}\n")).collect()
    }
}

/// Runs the cases that `plan` makes from the number of calls, over first nights and over later
/// ones: of each only every n-th case, with n from `steps`.
fn over_both_nights(what: &str, steps: [usize; 2], plan: impl Fn(usize) -> Vec<Fault>) {
    let Some(clean) = Night::first() else { return };
    clean.run(None).exits(0);
    let calls = clean.disk_calls().len();
    assert!(calls > 100, "only {calls} calls were seen");
    let expected = clean.outputs();
    let cases = |calls, step| plan(calls).into_iter().step_by(step).collect::<Vec<Fault>>();
    let first = campaign(Night::first, &expected, &cases(calls, steps[0]));

    let half = Night::half().unwrap();
    let later = Night::next(&half).unwrap();
    later.run(None).exits(0);
    let calls = later.disk_calls().len();
    assert_eq!(later.outputs(), expected);
    let second = campaign(|| Night::next(&half), &expected, &cases(calls, steps[1]));
    let broken =
        [("first night", first), ("later night", second)].map(|(night, done)| done.report(what, night));
    assert!(broken.iter().all(String::is_empty), "{}", broken.concat());
}

#[test]
fn a_failed_write_breaks_no_promise() {
    over_both_nights("one failed call", [1, 2], |calls| {
        at_every_call(calls, |at| Errno::ALL[at % 3], Mode::Once).collect()
    });
}

#[test]
fn a_disk_that_stays_full_breaks_no_promise() {
    let mode = |at| if at / 3 % 2 == 0 { Mode::Lasting } else { Mode::Half };
    over_both_nights("all later calls fail", [2, 4], |calls| {
        let faults = at_every_call(calls, |at| Errno::ALL[at % 3], Mode::Lasting);
        faults.map(|fault| Fault { mode: mode(fault.at), ..fault }).collect()
    });
}

#[test]
#[ignore = "takes minutes; every error, and kills, at every call"]
fn no_fault_at_any_call_breaks_a_promise() {
    over_both_nights("every fault", [1, 1], |calls| {
        let errors = Errno::ALL.into_iter().flat_map(|errno| {
            let modes = [Mode::Once, Mode::Lasting, Mode::Half].into_iter();
            modes.flat_map(move |mode| at_every_call(calls, move |_| errno, mode))
        });
        errors.chain(at_every_call(calls, |_| Errno::Eio, Mode::Kill)).collect()
    });
}
