//! Several files that are one ledger: their columns, rows, duplicates, rejects and notes.

use std::fs;
use std::io::Write as _;
use std::process::Command;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;
use rust_xlsxwriter::Workbook;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::support::provider::Reply;
use crate::support::{Bench, Row, cell, column, id, ledger, ledger_of};

const PRODUCT: &str = "11000000300006";

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A bench without a ledger.
fn bench() -> Bench {
    let bench = Bench::new("");
    fs::remove_file(bench.path("calls.csv")).unwrap();
    bench
}

/// Two files with other columns, other names for the same ones, another delimiter and encoding.
/// Call 1 is in both; the row on line 4 of the second one cannot be used.
fn two_files() -> Bench {
    let bench = bench();
    let north = format!(
        "call_id,prod_id,called_at,Dept,duration\n{},{PRODUCT},2024-05-26,sales,1\n{},{PRODUCT},2024-05-26,ops,\n",
        id(0),
        id(1)
    );
    bench.write("north.csv", &north);
    let south = format!(
        "团队;呼叫ID;产品ID;呼叫时间;dept\n红队;{};{PRODUCT};2024-05-26;south\n蓝队;{};{PRODUCT};2024-05-26;ops\n\
         绿队;{};no product;2024-05-26;x\n",
        id(2),
        id(1),
        id(3)
    );
    let (bytes, _, _) = encoding_rs::GB18030.encode(&south);
    fs::write(bench.path("south.csv"), bytes).unwrap();
    bench
}

const TWO: [&str; 6] = ["-i", "north.csv", "--input", "south.csv", "--max-unusable", "9"];

/// The binary with these options, which name the files, and the usual ones.
fn command(bench: &Bench, more: &[&str]) -> Command {
    let endpoint = bench.provider.endpoint();
    let usual =
        ["-o", "details.parquet", "--endpoint", &endpoint, "--rate", "100000/min", "--progress", "never"];
    let of_bench = bench.command(&[]);
    let environment = of_bench.get_envs().filter_map(|(name, value)| Some((name, value?)));
    let mut command = Command::new(of_bench.get_program());
    command.args(more).args(usual).current_dir(bench.path(".")).env_clear().envs(environment);
    command
}

fn run(bench: &Bench, more: &[&str]) -> crate::support::Run {
    bench.start_command(command(bench, more)).wait()
}

/// The values of some columns of every row.
fn values(rows: &[Row], columns: &[&str]) -> Vec<Vec<String>> {
    rows.iter().map(|row| columns.iter().map(|column| cell(row, column).to_owned()).collect()).collect()
}

#[test]
fn several_files_are_one_ledger_with_all_columns() {
    let bench = two_files();
    run(&bench, &TWO).exits(0);
    let summary = bench.summary();
    summary.assert_totals();
    let number = |name| summary.number(name);
    assert_eq!((number("rows"), number("invalid"), number("duplicates"), number("calls")), (5, 1, 1, 3));
    let columns = ["call_id", "ledger_line", "ledger_file", "ledger_Dept", "ledger_团队", "status"];
    assert_eq!(
        values(&bench.details(), &columns),
        [
            [&id(0), "2", "north.csv", "sales", "", "found"],
            [&id(1), "3", "north.csv", "ops", "", "found"],
            [&id(2), "2", "south.csv", "south", "红队", "found"],
        ]
    );
    let discrepancies = bench.discrepancies();
    let columns = ["kind", "ledger_line", "ledger_file", "ledger_Dept", "ledger_团队"];
    assert_eq!(
        values(&discrepancies, &columns),
        [
            ["mismatch", "2", "north.csv", "sales", ""],
            ["duplicate", "3", "south.csv", "ops", "蓝队"],
            ["invalid_row", "4", "south.csv", "x", "绿队"],
        ]
    );
    // A call in two files is a duplicate as within one file; the file is no difference.
    assert_eq!(cell(&discrepancies[1], "field"), "ledger_团队");
    let message = cell(&discrepancies[1], "message");
    assert!(message.starts_with("names the same call as line 3 of north.csv;"), "{message}");
    assert_eq!(bench.provider.seen(), 3);
    let header = fs::read_to_string(bench.path("details.discrepancies.csv")).unwrap();
    assert!(header.lines().next().unwrap().ends_with(",ledger_file,ledger_Dept,ledger_团队"), "{header}");
    // The report says of each line in which file it is.
    let page = fs::read_to_string(bench.path("details.report.html")).unwrap();
    let shown = |name: &str| page.matches(&format!(r#"<span class="soft">{name}</span>"#)).count();
    assert_eq!((shown("north.csv"), shown("south.csv")), (1, 2));
    assert_eq!(page.matches(r#""file":"south.csv""#).count(), 2);
}

#[test]
fn a_value_from_another_file_is_named_with_its_file() {
    let bench = bench();
    bench.write("a.csv", &ledger_of([id(0)]));
    let header = "call_id,prod_id,called_at,duration\n";
    bench.write("b.csv", &format!("{header}\n\n{},{PRODUCT},2024-05-26,999\n", id(0)));
    run(&bench, &["-i", "a.csv", "-i", "b.csv"]).exits(0);
    let message =
        bench.discrepancies().iter().find(|row| cell(row, "kind") == "mismatch").unwrap()["message"].clone();
    assert_eq!(message, "duration_s differs; the ledger's value is on line 4 of b.csv");
}

#[test]
fn the_summary_names_each_file_and_one_digest_for_all() {
    let bench = two_files();
    run(&bench, &TWO).exits(0).says("south.csv: the ledger is read as").says("(1 row, line 4 of south.csv)");
    let summary = bench.summary().0;
    let digests = ["north.csv", "south.csv"].map(|name| hex(&fs::read(bench.path(name)).unwrap()));
    assert_eq!(summary["input"], "north.csv, south.csv");
    assert_eq!(
        summary["inputs"],
        json!([
            {"name": "north.csv", "sha256": digests[0], "rows": 2},
            {"name": "south.csv", "sha256": digests[1], "rows": 3},
        ])
    );
    assert_eq!(summary["input_sha256"], hex(format!("{}\n{}\n", digests[0], digests[1]).as_bytes()));
    let notes = summary["notes"].to_string();
    assert!(notes.contains("south.csv: the ledger is read as GB18030"), "{notes}");
    // The other order is another ledger.
    let seen = bench.provider.seen();
    run(&bench, &["-i", "south.csv", "-i", "north.csv", "--max-unusable", "9"]).exits(0);
    assert_ne!(bench.summary().0["input_sha256"], summary["input_sha256"]);
    assert_eq!(column(&bench.details(), "call_id"), [id(2), id(1), id(0)]);
    assert_eq!(bench.provider.seen(), seen, "answers are those of the calls");
    // One file is as ever.
    run(&bench, &["-i", "north.csv"]).exits(0);
    let one = bench.summary().0;
    assert_eq!((&one["input"], &one["inputs"]), (&json!("north.csv"), &Value::Null));
    assert_eq!(one["input_sha256"], digests[0]);
    assert!(!bench.details()[0].contains_key("ledger_file"));
    assert!(!fs::read_to_string(bench.path("details.report.html")).unwrap().contains(r#""file":"#));
}

#[test]
fn rejects_of_several_files_can_be_corrected_and_read() {
    let bench = two_files();
    run(&bench, &TWO).exits(0);
    let rejects = fs::read_to_string(bench.path("details.rejects.csv")).unwrap();
    let lines: Vec<&str> = rejects.trim_start_matches('\u{feff}').lines().collect();
    assert_eq!(lines[0], "call_id,prod_id,called_at,Dept,duration,团队,reconcile_reason");
    assert!(lines[1].starts_with(&format!("{},no product,2024-05-26,x,,绿队,", id(3))), "{rejects}");
    assert!(lines[1].contains("(south.csv, line 4)"), "{rejects}");
    bench.write("corrected.csv", &rejects.replace("no product", PRODUCT));
    run(&bench, &["-i", "corrected.csv"]).exits(0);
    let columns = ["call_id", "ledger_Dept", "ledger_团队"];
    assert_eq!(values(&bench.details(), &columns), [[&id(3), "x", "绿队"]]);
}

/// The same rows in each kind of file.
fn write_kinds(bench: &Bench) -> [&'static str; 4] {
    let text = |i| ledger_of([id(i)]);
    bench.write("a.csv", &text(0));
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(text(1).as_bytes()).unwrap();
    fs::write(bench.path("b.csv.gz"), packed.finish().unwrap()).unwrap();
    let mut book = Workbook::new();
    let sheet = book.add_worksheet().set_name("night").unwrap();
    for (row, line) in text(2).lines().enumerate() {
        for (at, value) in line.split(',').enumerate() {
            sheet.write_string(u32::try_from(row).unwrap(), u16::try_from(at).unwrap(), value).unwrap();
        }
    }
    book.save(bench.path("c.xlsx")).unwrap();
    let (names, values) =
        text(3).split_once('\n').map(|(names, row)| (names.to_owned(), row.to_owned())).unwrap();
    let columns = names.split(',').zip(values.trim().split(','));
    let columns = columns.map(|(name, value)| (name, Arc::new(StringArray::from(vec![value])) as ArrayRef));
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let file = fs::File::create(bench.path("d.parquet")).unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    ["a.csv", "b.csv.gz", "c.xlsx", "d.parquet"]
}

#[test]
fn each_file_may_be_of_another_kind() {
    let bench = bench();
    let files = write_kinds(&bench);
    let options: Vec<&str> = files.iter().flat_map(|file| ["-i", file]).collect();
    run(&bench, &[&options[..], &["--sheet", "night"]].concat()).exits(0);
    let details = bench.details();
    assert_eq!(column(&details, "ledger_file"), files);
    assert_eq!(column(&details, "call_id"), [0, 1, 2, 3].map(id));
    assert_eq!(column(&details, "ledger_line"), ["2"; 4]);
    bench.summary().assert_totals();
    let none = run(&bench, &["-i", "a.csv", "-i", "b.csv.gz", "--sheet", "night"]).exits(2);
    none.says("a.csv, b.csv.gz");
}

#[test]
fn a_split_ledger_gives_the_rows_of_the_whole_one() {
    let rows: Vec<String> = ledger(40).lines().skip(1).map(str::to_owned).collect();
    let whole = Bench::new(&ledger(40));
    let split = bench();
    for bench in [&whole, &split] {
        bench.provider.script(&id(7), [Reply::without_data()]);
        bench.provider.script(&id(33), [Reply::data("{")]);
    }
    whole.run(&[]).exits(0);
    let header = "call_id,prod_id,called_at\n";
    let mut options = Vec::new();
    for (no, rows) in [&rows[..9], &rows[9..9], &rows[9..30], &rows[30..]].into_iter().enumerate() {
        split.write(&format!("{no}.csv"), &format!("{header}{}", rows.join("\n")));
        options.extend(["-i".to_owned(), format!("{no}.csv")]);
    }
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    run(&split, &options).exits(0);
    let without_place = |rows: Vec<Row>| -> Vec<Row> {
        let rows = rows.into_iter().map(crate::support::without_run_columns);
        let without = |mut row: Row| {
            row.retain(|name, _| !["ledger_file", "ledger_line"].contains(&name.as_str()));
            row
        };
        rows.map(without).collect()
    };
    assert_eq!(without_place(split.details()), without_place(whole.details()));
    assert_eq!(without_place(split.discrepancies()), without_place(whole.discrepancies()));
    assert_eq!(split.summary().0["inputs"].as_array().unwrap()[1]["rows"], 0);
}

#[test]
fn a_file_that_is_named_twice_is_refused() {
    let bench = bench();
    bench.write("a.csv", &ledger(2));
    bench.write("b.csv", &ledger(3));
    fs::hard_link(bench.path("a.csv"), bench.path("hard.csv")).unwrap();
    for other in ["a.csv", "./a.csv", "hard.csv"] {
        run(&bench, &["-i", "a.csv", "-i", "b.csv", "-i", other]).exits(2).says("is the same file as a.csv");
    }
    run(&bench, &["-i", "-", "-i", "-"]).exits(2).says("is the same file as -");
    run(&bench, &["-i", "a.csv", "-i", "nowhere.csv"]).exits(2).says("nowhere.csv");
    bench.write("c.csv", "when,who\n1,2\n");
    run(&bench, &["-i", "a.csv", "-i", "c.csv"]).exits(2).says("c.csv");
    run(&bench, &["-i", "a.csv", "-i", "b.csv", "--summary", "b.csv"]).exits(2).says("the ledger");
    assert_eq!(bench.provider.seen(), 0);
}

#[test]
fn files_with_one_name_are_told_apart_by_their_folders() {
    let bench = bench();
    for (folder, i) in [("north", 0), ("south", 1)] {
        fs::create_dir(bench.path(folder)).unwrap();
        bench.write(&format!("{folder}/calls.csv"), &ledger_of([id(i)]));
    }
    bench.write("other.csv", &ledger_of([id(2)]));
    run(&bench, &["-i", "north/calls.csv", "-i", "south/calls.csv", "-i", "./other.csv"]).exits(0);
    let names = ["north/calls.csv", "south/calls.csv", "other.csv"];
    assert_eq!(column(&bench.details(), "ledger_file"), names);
}

#[test]
fn a_column_named_file_keeps_its_values() {
    let bench = bench();
    bench.write("a.csv", &format!("call_id,prod_id,called_at,file\n{},{PRODUCT},2024-05-26,x\n", id(0)));
    bench.write("b.csv", &ledger_of([id(1)]));
    run(&bench, &["-i", "a.csv", "-i", "b.csv"]).exits(0);
    let columns = ["ledger_file", "ledger_file_2"];
    assert_eq!(values(&bench.details(), &columns), [["a.csv", "x"], ["b.csv", ""]]);
}

#[test]
fn a_damaged_row_names_its_file_and_standard_input_is_one() {
    let bench = bench();
    bench.write("a.csv", &ledger(1));
    let text = format!("call_id,prod_id,called_at\n{},{PRODUCT}\n{},\"{PRODUCT}\n", id(1), id(2));
    bench.write("piped", &text);
    let command = command(&bench, &["-i", "a.csv", "-i", "-", "--max-unusable", "9"]);
    let stdin = fs::File::open(bench.path("piped")).unwrap();
    bench.start_reading(command, stdin.into()).wait().exits(0);
    let rows = bench.discrepancies();
    let columns = ["kind", "ledger_line", "ledger_file"];
    assert_eq!(
        values(&rows, &columns),
        [["invalid_row", "2", "standard input"], ["invalid_row", "3", "standard input"]]
    );
}

#[test]
fn the_account_comes_before_the_file() {
    let bench = bench();
    let header = "call_id,prod_id,called_at,team,dept\n";
    bench.write("a.csv", &format!("{header}{},{PRODUCT},2024-05-26,east,x\n", id(0)));
    bench.write("b.csv", &format!("{header}{},{PRODUCT},2024-05-26,west,y\n{},\"x\n", id(1), id(2)));
    run(&bench, &["-i", "a.csv", "-i", "b.csv", "--map", "account=team", "--max-unusable", "9"]).exits(0);
    let columns = ["account", "ledger_file", "ledger_dept"];
    assert_eq!(values(&bench.details(), &columns), [["east", "a.csv", "x"], ["west", "b.csv", "y"]]);
    assert_eq!(values(&bench.discrepancies(), &columns), [["", "b.csv", ""]]);
}

#[test]
fn the_configuration_may_name_one_file_or_several() {
    let bench = two_files();
    for (setting, calls) in [("\"north.csv\"", 2), ("[\"north.csv\", \"south.csv\"]", 3)] {
        bench.write("job.toml", &format!("input = {setting}\nmax-unusable = \"9\"\n"));
        run(&bench, &["--config", "job.toml"]).exits(0);
        assert_eq!(bench.summary().number("calls"), calls);
    }
    // Flags override the file.
    run(&bench, &["--config", "job.toml", "-i", "north.csv"]).exits(0);
    assert_eq!(bench.summary().number("calls"), 2);
    let plan = bench.start_command(command(&bench, &[&["plan"], &TWO[..]].concat())).wait();
    assert_eq!(plan.code, Some(0), "{}", plan.stderr);
    assert!(plan.stdout.contains("south.csv: the ledger is read as GB18030"), "{}", plan.stdout);
}

#[test]
fn a_killed_run_over_several_files_asks_nothing_twice() {
    let bench = bench();
    bench.write("a.csv", &ledger_of((0..15).map(id)));
    bench.write("b.csv", &ledger_of((10..30).map(id)));
    bench.provider.by_default(Reply::record().after(std::time::Duration::from_millis(20)));
    let files = ["-i", "a.csv", "-i", "b.csv", "--concurrency", "2"];
    let running = bench.start_command(command(&bench, &files));
    bench.provider.wait_for(17);
    running.kill();
    bench.provider.by_default(Reply::record());
    run(&bench, &files).exits(0);
    bench.assert_all_found(30);
    assert!(bench.provider.seen() <= 30 + 4, "{}", bench.provider.seen());
    assert_eq!(bench.number_in_store("SELECT count(*) FROM run"), 1);
}

#[test]
fn a_change_of_any_file_ends_the_run() {
    for name in ["a.csv", "b.csv"] {
        let bench = bench();
        bench.write("a.csv", &ledger_of((0..5).map(id)));
        bench.write("b.csv", &ledger_of((5..9).map(id)));
        let (path, first) = (bench.path(name), std::sync::Once::new());
        bench.provider.answer_with(move |_| {
            first.call_once(|| {
                let text = fs::read_to_string(&path).unwrap().replace("2024-05-26", "2024-05-27");
                let mut file = fs::OpenOptions::new().write(true).open(&path).unwrap();
                file.write_all(text.as_bytes()).unwrap();
            });
            Reply::record()
        });
        run(&bench, &["-i", "a.csv", "-i", "b.csv", "--concurrency", "1"]).exits(2).says("changed");
        assert!(!bench.path("details.parquet").exists());
    }
}

#[test]
fn a_half_written_row_of_any_file_is_left_to_the_next_run() {
    let bench = bench();
    let whole = ledger_of((0..3).map(id));
    let (begun, end) = whole.split_at(whole.len() - 12);
    bench.write("a.csv", begun);
    bench.write("b.csv", &ledger_of((5..7).map(id)));
    let (path, end, first) = (bench.path("a.csv"), end.to_owned(), std::sync::Once::new());
    bench.provider.answer_with(move |_| {
        first.call_once(|| {
            let mut file = fs::OpenOptions::new().append(true).open(&path).unwrap();
            file.write_all(end.as_bytes()).unwrap();
        });
        Reply::record()
    });
    let files = ["-i", "a.csv", "-i", "b.csv"];
    run(&bench, &files).exits(0).says("the last row of a.csv was not whole at the start");
    assert_eq!(column(&bench.details(), "call_id"), [0, 1, 5, 6].map(id));
    run(&bench, &files).exits(0);
    assert_eq!(column(&bench.details(), "call_id"), [0, 1, 2, 5, 6].map(id));
}
