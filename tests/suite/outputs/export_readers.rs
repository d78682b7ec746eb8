//! An export as engines read it: with the day from the folders' names, and with the day from the
//! files.

use std::path::Path;

use serde_json::Value;

use crate::house::readme::sample_run;
use crate::support::rust_files::root;
use crate::support::{Bench, duckdb, ledger, venv};

const STORE: [&str; 2] = ["--store", "out/reconcile.sandbox.db"];

/// The columns with the types of DuckDB. `docs/outputs.md` lists them.
const COLUMNS: [(&str, &str); 12] = [
    ("call_id", "VARCHAR"),
    ("prod_id", "BIGINT"),
    ("call_date", "DATE"),
    ("code", "VARCHAR"),
    ("message", "VARCHAR"),
    ("data", "VARCHAR"),
    ("request_id", "VARCHAR"),
    ("fetched_at", "TIMESTAMP WITH TIME ZONE"),
    ("attempts", "BIGINT"),
    ("source", "VARCHAR"),
    ("answer", "VARCHAR"),
    ("found_date", "DATE"),
];

/// The sample run's answers in `lake`.
fn sample_export() -> Bench {
    let bench = sample_run();
    let said = bench.bare(&[&["export", "--to", "lake"][..], &STORE].concat());
    assert_eq!(said, "exported 86 answers to lake, in 3 new files\n");
    bench
}

fn print(folder: &Path, sql: &str) -> String {
    duckdb::query(folder, &["-csv", "-noheader"], sql).trim().to_owned()
}

#[test]
fn duckdb_finds_the_same_days_in_files_and_folders() {
    let bench = sample_export();
    let folder = bench.path("");
    for (path, hive) in [
        ("lake/*/*.parquet", "true"),
        ("lake/*/*.parquet", "false"),
        ("lake/**/*.parquet", "true"),
        ("lake/**", "false"),
    ] {
        let from = format!("read_parquet('{path}', hive_partitioning = {hive})");
        let described =
            print(&folder, &format!("SELECT column_name, column_type FROM (DESCRIBE FROM {from})"));
        let columns: Vec<String> = COLUMNS
            .iter()
            .map(
                |(name, kind)| {
                    if kind.contains(' ') { format!("{name},\"{kind}\"") } else { format!("{name},{kind}") }
                },
            )
            .map(|line| line.replace('"', ""))
            .collect();
        assert_eq!(described.replace('"', "").lines().collect::<Vec<_>>(), columns, "{from}");
        let days = print(
            &folder,
            &format!("SELECT call_date, count(*), count(data) FROM {from} GROUP BY 1 ORDER BY 1"),
        );
        assert_eq!(days, "2026-11-16,28,26\n2026-11-17,28,25\n2026-11-18,30,29", "{from}");
        let one = print(&folder, &format!("SELECT count(*) FROM {from} WHERE call_date = '2026-11-17'"));
        assert_eq!(one, "28", "{from}");
    }
}

#[test]
fn the_documents_list_the_columns_of_an_export() {
    let page = std::fs::read_to_string(root().join("docs/outputs.md")).unwrap();
    let section = page.split("## The export\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    let listed: Vec<(&str, &str)> = rows
        .map(|row| {
            let mut cells = row.split('|').skip(1).map(str::trim);
            let name = cells.next().unwrap().trim_matches('`');
            (name, cells.next().unwrap().trim_end_matches(" or null"))
        })
        .collect();
    assert_eq!(listed, COLUMNS);
}

/// With the stored answers a night can be computed anywhere: they say what the details say.
#[test]
fn an_export_says_of_each_call_what_the_details_say() {
    let bench = sample_export();
    let sql = "SELECT count(*), count(*) FILTER (
                 d.status = CASE WHEN a.data IS NOT NULL AND a.answer = 'final' THEN 'found'
                                 WHEN a.answer = 'interim' THEN 'pending'
                                 WHEN a.answer = 'no_record' THEN 'not_found' ELSE 'failed' END
                 AND d.raw IS NOT DISTINCT FROM a.data AND d.request_id = a.request_id AND d.fetched_at = a.fetched_at
                 AND d.attempts = a.attempts
                 AND d.call_date = CASE WHEN a.answer IN ('final', 'interim') THEN a.found_date ELSE a.call_date END)
               FROM 'out/details.parquet' d JOIN 'lake/*/*.parquet' a USING (call_id, prod_id)";
    assert_eq!(print(&bench.path(""), sql), "86,86");
}

#[test]
fn the_documented_query_takes_the_newest_answer_of_each_call() {
    let page = std::fs::read_to_string(root().join("docs/outputs.md")).unwrap();
    let sql = page.split("duckdb.sql(\"\"\"").nth(1).unwrap().split("\"\"\"").next().unwrap();
    let bench = Bench::new(&ledger(3));
    for _ in 0..3 {
        bench.run(&["--refresh"]).exits(0);
        bench.bare(&["export", "--to", "lake"]);
    }
    let (folder, calls) = (bench.path(""), "count(*), count(DISTINCT call_id)");
    assert_eq!(print(&folder, &format!("SELECT {calls} FROM 'lake/*/*.parquet'")), "9,3");
    let newest = print(&folder, &format!("SELECT request_id FROM ({sql}) ORDER BY call_id"));
    let store = rusqlite::Connection::open(bench.path("reconcile.db")).unwrap();
    let mut stored = store.prepare("SELECT request_id FROM call ORDER BY call_id").unwrap();
    let stored: Vec<String> = stored.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    assert_eq!(newest.lines().collect::<Vec<_>>(), stored);
}

#[test]
fn pyarrow_and_polars_read_every_day() {
    let bench = sample_export();
    let script = "
import json, polars, pyarrow, pyarrow.dataset, pyarrow.parquet
day = pyarrow.dataset.partitioning(pyarrow.schema([('call_date', pyarrow.date32())]), flavor='hive')
tables = {
    'files': pyarrow.parquet.read_table('lake', partitioning=None),
    'dataset': pyarrow.dataset.dataset('lake').to_table(),
    'folders': pyarrow.dataset.dataset('lake', partitioning=day).to_table(),
    'polars': polars.read_parquet('lake').to_arrow(),
    'polars of files': polars.read_parquet('lake/**/*.parquet', hive_partitioning=False).to_arrow(),
}
print(json.dumps({name: [str(table.schema.field('call_date').type), table.num_rows,
                         table['call_date'].null_count, table.schema.names] for name, table in tables.items()}))";
    let mut command = venv::command("python");
    command.args(["-c", script]).current_dir(bench.path(""));
    let read: Value = serde_json::from_str(&venv::output(&mut command, "readers of the export")).unwrap();
    let read = read.as_object().unwrap();
    assert_eq!(read.len(), 5);
    let names = COLUMNS.map(|(name, _)| name);
    for (reader, table) in read {
        assert_eq!(table, &serde_json::json!(["date32[day]", 86, 0, names]), "{reader}");
    }
}
