//! `reconcile export`: every answer that a session brought is in one file, once, and no file ever
//! changes.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::store::resume::{script, varied};
use crate::support::provider::{Reply, detail};
use crate::support::{Bench, Row, Run, cell, column, id, ledger, ledger_of, parquet_metadata, read_parquet};

pub const EXPORT: [&str; 3] = ["export", "--to", "lake"];

/// Exports to `lake`. Returns what the command says.
#[track_caller]
pub fn export(bench: &Bench) -> String {
    bench.bare(&EXPORT)
}

/// The exported files, and anything else in the folders of days.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = |folder: &Path| fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        entries(folder).filter(|day| day.is_dir()).flat_map(|day| entries(&day)).collect();
    files.sort();
    files
}

/// All exported rows, in an order of their own.
pub fn rows(folder: &Path) -> Vec<Row> {
    let mut rows: Vec<Row> = files(folder).iter().flat_map(|file| read_parquet(file)).collect();
    rows.sort();
    rows
}

/// The answers in the store, as exported rows.
pub fn stored(bench: &Bench) -> Vec<Row> {
    const COLUMNS: [&str; 12] = [
        "call_id",
        "prod_id",
        "call_date",
        "code",
        "message",
        "data",
        "request_id",
        "fetched_at",
        "attempts",
        "source",
        "answer",
        "found_date",
    ];
    let sql = "SELECT call_id, CAST(prod_id AS TEXT), call_date, nullif(code, ''), nullif(message, ''), data, request_id,
                      CAST(fetched_at AS TEXT), CAST(attempts AS TEXT), 'query', answer, found_date
               FROM call WHERE answer IS NOT NULL AND next_date IS NULL";
    let store = rusqlite::Connection::open(bench.path("reconcile.db")).unwrap();
    let mut query = store.prepare(sql).unwrap();
    let row = |row: &rusqlite::Row<'_>| {
        let mut cells = Row::new();
        for (at, name) in COLUMNS.into_iter().enumerate() {
            cells.extend(row.get::<_, Option<String>>(at)?.map(|value| (name.to_owned(), value)));
        }
        Ok(cells)
    };
    let mut rows: Vec<Row> = query.query_map([], row).unwrap().map(Result::unwrap).collect();
    rows.sort();
    rows
}

/// The bytes of each file.
pub fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    files(folder).into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

#[track_caller]
fn refuses(bench: &Bench, arguments: &[&str], words: &[&str]) {
    let Run { code, stdout, stderr } = bench.run_exactly(arguments, &[]);
    assert_eq!((code, stdout.as_str()), (Some(2), ""), "{stderr}");
    words.iter().for_each(|words| assert!(stderr.contains(words), "{words}: {stderr}"));
}

#[test]
fn an_export_has_every_answer_of_the_store_once() {
    let bench = Bench::new(&varied());
    script(&bench.provider, std::time::Duration::ZERO);
    // An answer of each kind: the last attempt of one call fails, and one record is not final.
    bench.provider.script(&id(14), vec![Reply::html(502); 100]);
    let mut talking = detail(&id(15));
    talking["state"] = "200103".into();
    bench.provider.script(&id(15), vec![Reply::ok(&talking); 100]);
    bench.run(&["--max-attempts", "2"]).exits(4);
    assert_eq!(export(&bench), "exported 60 answers to lake, in 1 new file\n");
    let exported = rows(&bench.path("lake"));
    assert_eq!(exported, stored(&bench));
    let mut kinds: Vec<&str> = column(&exported, "answer");
    kinds.sort_unstable();
    kinds.dedup();
    assert_eq!(kinds, ["exhausted", "final", "interim", "malformed", "no_record", "rejected"]);

    let before = contents(&bench.path("lake"));
    assert_eq!(export(&bench), "no new answers for lake\n");
    assert_eq!(contents(&bench.path("lake")), before);
}

#[test]
fn a_file_has_the_answers_of_one_session_for_one_day() {
    let days = ["2024-05-26", "2024-05-27", "2024-05-28"];
    let mut text = String::from("call_id,prod_id,called_at\n");
    (0..30).for_each(|i| text += &format!("{},11000000300006,{}\n", id(i), days[i % 3]));
    let bench = Bench::new(&text);
    bench.run(&[]).exits(0);
    bench.run(&["--refresh"]).exits(0);
    export(&bench);
    // The second session has replaced all answers of the first before they were exported.
    let exported = rows(&bench.path("lake"));
    assert_eq!(exported, stored(&bench));
    for file in files(&bench.path("lake")) {
        let folder = file.parent().unwrap().file_name().unwrap().to_str().unwrap().to_owned();
        let rows = read_parquet(&file);
        assert!(rows.iter().all(|row| folder == format!("call_date={}", cell(row, "call_date"))), "{folder}");
        assert_eq!(rows.len(), 10);
        let metadata = parquet_metadata(&file);
        assert_eq!(
            (metadata["reconcile.session_no"].as_str(), metadata["reconcile.sandbox"].as_str()),
            ("2", "false")
        );
        assert!(file.to_str().unwrap().ends_with(&format!("Z-{}.parquet", metadata["reconcile.run_id"])));
    }
    assert_eq!(files(&bench.path("lake")).len(), 3);
}

#[test]
fn a_later_answer_is_a_new_row_with_a_later_time() {
    let bench = Bench::new(&ledger(3));
    let mut talking = detail(&id(0));
    talking["state"] = "200103".into();
    bench.provider.script(&id(0), [Reply::ok(&talking)]);
    bench.run(&[]).exits(0);
    export(&bench);
    let first = contents(&bench.path("lake"));

    bench.run(&[]).exits(0);
    assert_eq!(export(&bench), "exported 1 answer to lake, in 1 new file\n");
    bench.run(&["--refresh"]).exits(0);
    assert_eq!(export(&bench), "exported 3 answers to lake, in 1 new file\n");

    let all = contents(&bench.path("lake"));
    first.iter().for_each(|(path, bytes)| assert_eq!(&all[path], bytes, "a file has changed"));
    let exported = rows(&bench.path("lake"));
    let of_first: Vec<&Row> = exported.iter().filter(|row| cell(row, "call_id") == id(0)).collect();
    let mut by_time: Vec<(&str, &str)> =
        of_first.iter().map(|row| (cell(row, "fetched_at"), cell(row, "answer"))).collect();
    by_time.sort_unstable();
    assert_eq!(by_time.iter().map(|(_, answer)| *answer).collect::<Vec<_>>(), ["interim", "final", "final"]);
    assert!(by_time.windows(2).all(|pair| pair[0].0 < pair[1].0), "{by_time:?}");
    // The newest row of each call is what the store has.
    let mut newest: BTreeMap<String, Row> = BTreeMap::new();
    for row in exported {
        let key = cell(&row, "call_id").to_owned();
        if newest.get(&key).is_none_or(|known| cell(known, "fetched_at") < cell(&row, "fetched_at")) {
            newest.insert(key, row);
        }
    }
    let mut newest: Vec<Row> = newest.into_values().collect();
    newest.sort();
    assert_eq!(newest, stored(&bench));
}

#[test]
fn a_call_whose_other_day_is_to_be_asked_has_no_answer_yet() {
    let at_midnight = "call_id,prod_id,called_at\n1^1,11000000300006,2024-05-26 23:59:30\n";
    let bench = Bench::new(at_midnight);
    bench.provider.answer_with(|request| {
        let is_first_day = request.param("QueryDate") == "1716652800000";
        if is_first_day { Reply::without_data() } else { Reply::ok(&detail("1^1")) }
    });
    // The deadline comes between the two days.
    bench.run(&["--rate", "1/2s", "--max-duration", "1s"]).exits(4);
    assert_eq!(bench.number_in_store("SELECT count(*) FROM call WHERE next_date IS NOT NULL"), 1);
    assert_eq!(export(&bench), "no new answers for lake\n");
    bench.run(&[]).exits(0);
    assert_eq!(export(&bench), "exported 1 answer to lake, in 1 new file\n");
    let exported = rows(&bench.path("lake"));
    assert_eq!(
        (cell(&exported[0], "call_date"), cell(&exported[0], "found_date")),
        ("2024-05-26", "2024-05-27")
    );
}

#[test]
fn an_export_during_a_run_leaves_the_run_and_its_answers_alone() {
    let bench = Bench::new(&ledger(8));
    bench.run(&[]).exits(0);
    bench.write("calls.csv", &ledger(60));
    bench.provider.by_default(Reply::record().after(std::time::Duration::from_millis(40)));
    let run = bench.start(&["--concurrency", "2"]);
    bench.provider.wait_for(8 + 10);
    let said = export(&bench);
    assert!(
        said.starts_with("exported 8 answers to lake, in 1 new file\nthe answers of session 2 are left out"),
        "{said}"
    );
    assert!(bench.provider.seen() < 60, "the run was over before the export");
    run.wait().exits(0);
    assert_eq!(export(&bench), "exported 52 answers to lake, in 1 new file\n");
    assert_eq!(rows(&bench.path("lake")), stored(&bench));
    assert_eq!(bench.provider.seen(), 60);
}

#[test]
fn the_answers_of_a_killed_run_follow_when_the_next_has_ended() {
    let bench = Bench::new(&ledger(40));
    bench.provider.by_default(Reply::record().after(std::time::Duration::from_millis(20)));
    let run = bench.start(&["--concurrency", "2"]);
    bench.provider.wait_for(20);
    assert!(run.kill());
    let said = export(&bench);
    assert!(said.starts_with("no new answers for lake\nthe answers of session 1 are left out"), "{said}");
    bench.run(&[]).exits(0);
    assert_eq!(export(&bench), "exported 40 answers to lake, in 2 new files\n");
    assert_eq!(rows(&bench.path("lake")), stored(&bench));
}

/// A new store counts its sessions from 1 again, as a store that was restored from a backup does.
#[test]
fn a_new_store_with_the_same_session_numbers_loses_nothing() {
    let bench = Bench::new(&ledger(5));
    bench.run(&[]).exits(0);
    export(&bench);
    let mut expected = stored(&bench);
    for name in ["reconcile.db", "reconcile.db.lock"] {
        fs::remove_file(bench.path(name)).unwrap();
    }
    bench.write("calls.csv", &ledger(7));
    bench.run(&[]).exits(0);
    assert_eq!(bench.number_in_store("SELECT max(session_no) FROM session"), 1);
    assert_eq!(export(&bench), "exported 7 answers to lake, in 1 new file\n");
    expected.extend(stored(&bench));
    expected.sort();
    assert_eq!(rows(&bench.path("lake")), expected);
}

#[test]
fn a_damaged_answer_is_left_out_and_exported_when_it_is_mended() {
    let bench = Bench::new(&ledger(6));
    bench.run(&[]).exits(0);
    let store = rusqlite::Connection::open(bench.path("reconcile.db")).unwrap();
    store.execute("UPDATE call SET data = replace(data, '200000', '200001') WHERE call_no = 3", []).unwrap();
    drop(store);
    let said = export(&bench);
    assert!(
        said.contains("exported 5 answers") && said.contains("1 stored answer is damaged and left out"),
        "{said}"
    );
    assert!(!column(&rows(&bench.path("lake")), "data").iter().any(|data| data.contains("200001")));
    bench.run(&[]).exits(0);
    assert_eq!(export(&bench), "exported 1 answer to lake, in 1 new file\n");
    assert_eq!(rows(&bench.path("lake")), stored(&bench));
}

#[test]
fn a_purge_takes_nothing_out_of_an_export() {
    let bench = Bench::new(&ledger(4));
    bench.run(&[]).exits(0);
    export(&bench);
    let before = contents(&bench.path("lake"));
    let said = bench.bare(&["purge", "--older-than", "1d"]);
    assert!(said.contains("4 calls"), "{said}");
    assert_eq!(export(&bench), "no new answers for lake\n");
    // The new call takes the number of a deleted one.
    bench.write("calls.csv", &ledger_of(["9^9".to_owned()]));
    bench.run(&[]).exits(0);
    assert_eq!(export(&bench), "exported 1 answer to lake, in 1 new file\n");
    let after = contents(&bench.path("lake"));
    before.iter().for_each(|(path, bytes)| assert_eq!(&after[path], bytes));
    assert_eq!(rows(&bench.path("lake")).len(), 5);
}

#[test]
fn a_folder_with_anything_else_is_refused() {
    let bench = Bench::new(&ledger(1));
    bench.run(&[]).exits(0);
    refuses(&bench, &["export", "--to", "."], &["another kind of file", "to do: "]);
    refuses(&bench, &["export", "--to", "calls.csv"], &["calls.csv is a file"]);
    bench.run(&["--out", "days", "--partition-by", "call_date", "--store", "reconcile.db"]).exits(0);
    refuses(
        &bench,
        &["export", "--to", "days"],
        &["another kind of file: call_date=2024-05-26/part-0.parquet"],
    );
    refuses(&bench, &["export", "--to", "lake", "--store", "none.db"], &["there is no store"]);
    refuses(&bench, &["export"], &["--to"]);
    // Names that readers pass over may stay.
    fs::create_dir(bench.path("lake")).unwrap();
    bench.write("lake/_SUCCESS", "");
    bench.write("lake/.DS_Store", "");
    assert_eq!(export(&bench), "exported 1 answer to lake, in 1 new file\n");
    let run = bench.run_exactly(&["export", "--to", "none/lake"], &[]);
    assert_eq!(run.code, Some(6), "{}", run.stderr);
    assert!(
        run.stderr.contains("cannot write none/lake") && run.stderr.contains("to do: "),
        "{}",
        run.stderr
    );
}

#[test]
fn real_and_simulated_answers_are_never_in_one_folder() {
    let bench = Bench::new(&ledger(2));
    bench.run(&[]).exits(0);
    assert_eq!(bench.run(&["--sandbox", "--store", "simulated.db"]).code, Some(0));
    let simulated = |to| ["export", "--to", to, "--store", "simulated.db"];
    export(&bench);
    bench.bare(&simulated("other"));
    refuses(&bench, &simulated("lake"), &["lake holds real answers; simulated ones must not be added"]);
    refuses(
        &bench,
        &["export", "--to", "other"],
        &["other holds simulated answers; real ones must not be added"],
    );
    for file in files(&bench.path("other")) {
        assert!(file.file_name().unwrap().to_str().unwrap().starts_with("sandbox-"));
        assert_eq!(parquet_metadata(&file)["reconcile.sandbox"], "true");
    }
}

#[test]
fn two_exports_do_not_write_to_one_folder_at_once() {
    let bench = Bench::new(&ledger(2));
    bench.run(&[]).exits(0);
    fs::create_dir(bench.path("lake")).unwrap();
    let lock = fs::File::create(bench.path("lake/.export.unfinished")).unwrap();
    lock.lock().unwrap();
    let run = bench.run_exactly(&EXPORT, &[]);
    assert_eq!(run.code, Some(6), "{}", run.stderr);
    assert!(run.stderr.contains("another run is writing lake/export"), "{}", run.stderr);
    drop(lock);
    assert_eq!(export(&bench), "exported 2 answers to lake, in 1 new file\n");
    assert!(!bench.path("lake/.export.unfinished").exists(), "nothing is left behind");
}

#[test]
fn masked_numbers_are_not_exported_by_accident() {
    let bench = Bench::new(&ledger(1));
    bench.run(&[]).exits(0);
    bench.write("night.toml", "mask-phones = \"partial\"\nto = \"lake\"\n");
    let words = ["an export cannot mask phone numbers", "to do: "];
    refuses(&bench, &["export", "--config", "night.toml"], &words);
    refuses(&bench, &["export", "--to", "lake", "--mask-phones", "token"], &words);
    let run = bench.run_exactly(&EXPORT, &[("RECONCILE_MASK_PHONES", "partial")]);
    assert_eq!(run.code, Some(2), "{}", run.stderr);
    assert!(!bench.path("lake").exists());
    bench.bare(&["export", "--config", "night.toml", "--mask-phones", "none"]);
    assert_eq!(rows(&bench.path("lake")), stored(&bench));
}

#[test]
fn a_store_of_version_1_is_exported_after_its_upgrade() {
    let kept =
        |name: &str| fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stores").join(name)).unwrap();
    let bench = Bench::new(&String::from_utf8(kept("v1.csv")).unwrap());
    fs::write(bench.path("reconcile.db"), kept("v1.db")).unwrap();
    refuses(&bench, &EXPORT, &["older schema", "the next run upgrades it"]);
    bench.run(&["--offline"]).exits(0);
    export(&bench);
    assert_eq!(rows(&bench.path("lake")), stored(&bench));
}

/// The rows of all files together take 64 MiB at most before they are written.
#[test]
fn long_answers_are_written_before_their_file_is_whole() {
    const CALLS: usize = 1_300;
    let bench = Bench::new(&ledger(CALLS));
    let filling = "x".repeat(60_000);
    bench.provider.answer_with(move |request| {
        let mut record = detail(request.call_id());
        record["stateDesc"] = filling.as_str().into();
        Reply::ok(&record)
    });
    bench.run(&[]).exits(0);
    assert_eq!(export(&bench), "exported 1300 answers to lake, in 1 new file\n");
    let file = fs::File::open(&files(&bench.path("lake"))[0]).unwrap();
    let groups = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().metadata().row_groups().to_vec();
    let bytes: Vec<i64> =
        groups.iter().map(parquet::file::metadata::RowGroupMetaData::total_byte_size).collect();
    assert!(groups.len() > 1 && bytes.iter().all(|bytes| *bytes <= 66 << 20), "{bytes:?}");
    assert_eq!(rows(&bench.path("lake")), stored(&bench));
}

#[test]
fn the_umask_decides_who_can_read_an_export() {
    use std::os::unix::fs::PermissionsExt as _;
    let bench = Bench::new(&ledger(1));
    bench.run(&[]).exits(0);
    for (umask, expected) in [("022", (0o755, 0o644)), ("027", (0o750, 0o640)), ("077", (0o700, 0o600))] {
        let command = format!("umask {umask}; exec \"$0\" export --to lake-{umask}");
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", &command, env!("CARGO_BIN_EXE_reconcile")]).current_dir(bench.path(""));
        assert!(shell.output().unwrap().status.success());
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let lake = bench.path(&format!("lake-{umask}"));
        assert_eq!((mode(&lake), mode(&files(&lake)[0])), expected, "{umask}");
    }
}

#[test]
fn a_day_can_be_moved_to_another_disk_behind_a_link() {
    let bench = Bench::new(&ledger(2));
    bench.run(&[]).exits(0);
    export(&bench);
    let (day, moved) = (bench.path("lake/call_date=2024-05-26"), bench.path("moved"));
    fs::rename(&day, &moved).unwrap();
    std::os::unix::fs::symlink(&moved, &day).unwrap();
    assert_eq!(export(&bench), "no new answers for lake\n");
    bench.run(&["--refresh"]).exits(0);
    assert_eq!(export(&bench), "exported 2 answers to lake, in 1 new file\n");
    assert_eq!((fs::read_dir(&moved).unwrap().count(), rows(&bench.path("lake")).len()), (2, 4));
}
