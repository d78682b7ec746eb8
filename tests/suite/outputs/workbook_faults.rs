//! A disk that fails, or a kill, while the workbook is written: the old files stay, and the next
//! run writes all of them.

use std::collections::BTreeMap;
use std::fs;

use crate::support::faulty_disk::{DiskCall, Errno, Fault, FaultyDisk, Mode};
use crate::support::provider::talk_seconds;
use crate::support::{Bench, Run, id};

/// Enough rows that the sheets exceed the memory of their writer.
const CALLS: usize = 60;
const OUTPUTS: [&str; 5] =
    ["details.parquet", "details.discrepancies.csv", "details.report.html", "details.summary.json", "w.xlsx"];

fn ledger() -> String {
    let row = |i: usize| {
        format!("{},11000000300006,2024-05-26,{},note {i}\n", id(i), talk_seconds(&id(i)) + i as u64 % 2 + 1)
    };
    format!("call_id,prod_id,called_at,duration_s,note\n{}", (0..CALLS).map(row).collect::<String>())
}

/// A bench with the outputs and the store of a whole run. `None` on machines that cannot inject
/// faults.
fn bench_with_outputs() -> Option<(Bench, FaultyDisk)> {
    let bench = Bench::new(&ledger());
    let disk = FaultyDisk::watching(&bench.path("."))?;
    bench.run(&["--xlsx", "w.xlsx"]).exits(0);
    Some((bench, disk))
}

fn run(bench: &Bench, disk: &FaultyDisk, fault: Option<Fault>) -> Run {
    let mut command = bench.command(&["--offline", "--xlsx", "w.xlsx"]);
    disk.attach(&mut command, fault);
    bench.start_command(command).wait()
}

/// Whether the call is one for the workbook or a temporary file of its sheets, which has no name.
fn is_of_workbook(call: &DiskCall) -> bool {
    call.file() == "w.xlsx" || is_of_sheets(call)
}

fn is_of_sheets(call: &DiskCall) -> bool {
    call.path.trim_start_matches('/').starts_with('#')
}

/// The file as messages name it.
fn named_as(call: &DiskCall) -> &str {
    if is_of_sheets(call) { "w.xlsx" } else { call.file() }
}

fn outputs(bench: &Bench) -> BTreeMap<&'static str, Vec<u8>> {
    OUTPUTS.iter().map(|name| (*name, fs::read(bench.path(name)).unwrap())).collect()
}

fn hidden(bench: &Bench) -> Vec<String> {
    let names = fs::read_dir(bench.path(".")).unwrap().map(|entry| entry.unwrap().file_name());
    names.map(|name| name.into_string().unwrap()).filter(|name| name.starts_with('.')).collect()
}

/// The numbers of the calls for the workbook in a run without a fault, and how many there are.
fn calls_for_workbook(bench: &Bench, disk: &FaultyDisk) -> Vec<usize> {
    run(bench, disk, None).exits(0);
    let calls = disk.calls();
    let sheets = calls.iter().filter(|call| is_of_sheets(call)).count();
    assert!(sheets > 4, "only {sheets} calls for the sheets: {calls:?}");
    calls.iter().zip(1..).filter(|(call, _)| is_of_workbook(call)).map(|(_, at)| at).collect()
}

#[test]
fn a_failed_write_of_the_workbook_leaves_the_old_files() {
    let Some((bench, disk)) = bench_with_outputs() else { return };
    let places = calls_for_workbook(&bench, &disk);
    let (mut of_sheets, mut of_file) = (0, 0);
    for (at, mode) in places.iter().flat_map(|at| [(*at, Mode::Once), (*at, Mode::Lasting)]) {
        let before = outputs(&bench);
        let ended = run(&bench, &disk, Some(Fault { at, errno: Errno::ALL[at % 3], mode }));
        let calls = disk.calls();
        let failed = calls.iter().find(|call| !call.made);
        // Threads write in another order from run to run, so another file may have been hit.
        let Some(failed) = failed.filter(|call| is_of_workbook(call)) else { continue };
        let story = format!("{mode:?} at {at}, {failed:?}: {}", ended.stderr);
        if ended.code == Some(0) {
            assert!(failed.name == "unlink", "{story}");
            continue;
        }
        assert_eq!(ended.code, Some(6), "{story}");
        let mut all_failed = calls.iter().filter(|call| !call.made);
        let is_named = all_failed.any(|call| ended.stderr.contains(named_as(call)));
        assert!(is_named && ended.stderr.contains("to do: "), "{story}");
        let words = ["No space left", "Input/output error", "Disk quota exceeded", "disk I/O error"];
        assert!(words.iter().any(|words| ended.stderr.contains(words)), "{story}");
        for bad in ["panicked", "a bug", "ZipWriter", "Os {"] {
            assert!(!ended.stderr.contains(bad), "{story}");
        }
        let renamed = calls.iter().any(|call| call.name.starts_with("rename") && call.made);
        assert!(renamed || outputs(&bench) == before, "{story}");
        *(if is_of_sheets(failed) { &mut of_sheets } else { &mut of_file }) += 1;
    }
    assert!(of_sheets > 4 && of_file > 4, "{of_sheets} faults in sheets, {of_file} in the file");
    run(&bench, &disk, None).exits(0);
    assert_eq!(hidden(&bench), Vec::<String>::new());
}

#[test]
fn a_kill_leaves_no_half_workbook_and_the_next_run_tidies_up() {
    let Some((bench, disk)) = bench_with_outputs() else { return };
    let places = calls_for_workbook(&bench, &disk);
    let mut killed = 0;
    for at in places {
        let before = outputs(&bench);
        let ended = run(&bench, &disk, Some(Fault { at, errno: Errno::Eio, mode: Mode::Kill }));
        killed += usize::from(ended.code.is_none());
        let renamed = disk.calls().iter().any(|call| call.name.starts_with("rename") && call.made);
        assert!(renamed || outputs(&bench) == before, "at {at}");
        let names = hidden(&bench);
        assert!(names.iter().all(|name| name.ends_with(".unfinished")), "at {at}: {names:?}");
        // Whether old or new, the workbook is whole.
        let book = calamine::open_workbook::<calamine::Xlsx<_>, _>(bench.path("w.xlsx")).unwrap();
        assert_eq!(calamine::Reader::sheet_names(&book)[..2], ["Night", "all"], "at {at}");
    }
    assert!(killed > 10, "only {killed} kills");
    run(&bench, &disk, None).exits(0);
    assert_eq!(hidden(&bench), Vec::<String>::new());
}
