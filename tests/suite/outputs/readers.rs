//! The Parquet files in DuckDB, pyarrow and Polars: all three read the same schema and values, from
//! files of this version and of every released version.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use crate::house::readme::{COLUMNS, sample_run};
use crate::support::rust_files::root;
use crate::support::{Row, duckdb, parquet_metadata, read_parquet, venv};

/// The types of columns, as DuckDB, pyarrow and Polars name them.
const TYPES: [[&str; 3]; 5] = [
    ["VARCHAR", "string", "String"],
    ["BIGINT", "int64", "Int64"],
    ["BOOLEAN", "bool", "Boolean"],
    ["DATE", "date32[day]", "Date"],
    ["TIMESTAMP WITH TIME ZONE", "timestamp[us, tz=UTC]", "Datetime(time_unit='us', time_zone='UTC')"],
];

/// Columns with their types, then the rows.
type Table = (Vec<(String, String)>, Vec<Row>);

#[derive(serde::Deserialize)]
struct Read {
    schema: Vec<(String, String)>,
    rows: Vec<Row>,
}

fn with_python(reader: &str, path: &Path) -> Table {
    let mut command = venv::command("python");
    command.arg(root().join("tests/readers/read.py")).arg(reader).arg(path);
    let read: Read = serde_json::from_str(&venv::output(&mut command, reader)).unwrap();
    (read.schema, read.rows)
}

fn with_duckdb(path: &Path) -> Table {
    let query = |sql: &str| -> Vec<BTreeMap<String, Option<String>>> {
        let text = duckdb::query(path.parent().unwrap(), &["-json"], sql);
        if text.trim().is_empty() { Vec::new() } else { serde_json::from_str(&text).unwrap() }
    };
    let from = format!("read_parquet('{}')", path.display());
    let described = query(&format!("SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM {from})"));
    let text = |row: &BTreeMap<String, Option<String>>, name: &str| row[name].clone().unwrap();
    let schema: Vec<(String, String)> =
        described.iter().map(|row| (text(row, "column_name"), text(row, "column_type"))).collect();
    let value = |(name, kind): &(String, String)| match kind.as_str() {
        "TIMESTAMP WITH TIME ZONE" => format!("epoch_us(\"{name}\")::VARCHAR AS \"{name}\""),
        _ => format!("\"{name}\"::VARCHAR AS \"{name}\""),
    };
    let values: Vec<String> = schema.iter().map(value).collect();
    let rows = query(&format!("SELECT {} FROM {from}", values.join(", ")));
    let present = |row: BTreeMap<String, Option<String>>| {
        row.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    };
    (schema, rows.into_iter().map(present).collect())
}

/// Asserts that all three read these columns, with indices into [`TYPES`], and these rows.
#[track_caller]
fn all_read(path: &Path, columns: &[(String, usize)], rows: &[Row]) {
    let tables = [with_duckdb(path), with_python("pyarrow", path), with_python("polars", path)];
    for (reader, (schema, read)) in tables.iter().enumerate() {
        let expected: Vec<(String, String)> =
            columns.iter().map(|(name, kind)| (name.clone(), TYPES[*kind][reader].to_owned())).collect();
        assert_eq!(*schema, expected, "{}", path.display());
        assert_eq!(read.len(), rows.len());
        for (read, row) in read.iter().zip(rows) {
            assert_eq!(read, row, "reader {reader} of {}", path.display());
        }
    }
}

fn kind_of(duckdb: &str) -> usize {
    TYPES.iter().position(|names| names[0] == duckdb).unwrap()
}

/// The columns of the contract, then the carried ones.
fn details(carried: &[&str]) -> Vec<(String, usize)> {
    let (_, fixed) = COLUMNS.split_last().unwrap();
    let fixed = fixed.iter().map(|(name, kind)| ((*name).to_owned(), kind_of(kind)));
    fixed.chain(carried.iter().map(|name| ((*name).to_owned(), 0))).collect()
}

const CARRIED: [&str; 2] = ["ledger_campaign", "ledger_ticket"];

#[test]
fn duckdb_pyarrow_and_polars_read_the_same_schema_and_values() {
    let bench = sample_run();
    bench.run(&["--sandbox", "--out", "out/details.parquet", "--discrepancies", "out/d.parquet"]).exits(0);
    let path = bench.path("out/details.parquet");
    all_read(&path, &details(&CARRIED), &read_parquet(&path));
    let columns = [
        ("call_id", 0),
        ("ledger_line", 1),
        ("kind", 0),
        ("field", 0),
        ("expected", 0),
        ("actual", 0),
        ("delta", 1),
        ("message", 0),
        ("call_date", 3),
        ("prod_id", 1),
        ("status", 0),
        ("product", 0),
        ("callee", 0),
        ("called_at", 4),
        ("seconds_at_stake", 1),
        ("since", 3),
        ("resolution", 0),
        ("reason", 0),
        ("ledger_campaign", 0),
        ("ledger_ticket", 0),
    ];
    let columns: Vec<(String, usize)> = columns.iter().map(|(name, kind)| ((*name).into(), *kind)).collect();
    let path = bench.path("out/d.parquet");
    all_read(&path, &columns, &read_parquet(&path));
}

#[test]
fn every_format_of_the_discrepancies_has_the_same_rows() {
    let bench = sample_run();
    for name in ["d.jsonl", "d.parquet", "d.csv"] {
        let out = format!("out/{name}");
        bench
            .run(&["--sandbox", "--offline", "--out", "out/details.parquet", "--discrepancies", &out])
            .exits(0);
    }
    let folder = bench.path("out");
    let columns =
        duckdb::query(&folder, &["-csv", "-noheader"], "SELECT column_name FROM (DESCRIBE FROM 'd.parquet')");
    let columns: Vec<&str> = columns.lines().collect();
    let first_line =
        |name| std::fs::read_to_string(folder.join(name)).unwrap().lines().next().unwrap().to_owned();
    assert_eq!(first_line("d.csv").split(',').collect::<Vec<_>>(), columns);
    let object = first_line("d.jsonl");
    let at: Vec<usize> = columns.iter().map(|name| object.find(&format!("\"{name}\":")).unwrap()).collect();
    assert!(at.is_sorted(), "another order of columns: {object}");
    let text = |from: &str| {
        let called_at = "called_at::TIMESTAMPTZ AS called_at";
        format!("SELECT COLUMNS(*)::VARCHAR FROM (SELECT * REPLACE ({called_at}) FROM {from})")
    };
    let parquet = text("'d.parquet'");
    for from in
        ["read_csv('d.csv', all_varchar = true)", "read_json('d.jsonl', format = 'newline_delimited')"]
    {
        let other = text(from);
        let sql = format!(
            "SELECT (SELECT count(*) FROM ({parquet} EXCEPT ALL {other})), (SELECT count(*) FROM ({other} EXCEPT ALL \
             {parquet})), (SELECT count(*) FROM ({parquet}))"
        );
        assert_eq!(duckdb::query(&folder, &["-csv", "-noheader"], &sql).trim(), "0,0,46", "{from}");
    }
}

#[test]
fn files_of_every_released_version_are_still_read() {
    let mut versions = 0;
    for entry in std::fs::read_dir(root().join("tests/outputs")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "parquet") {
            let kept = std::fs::read_to_string(path.with_extension("jsonl")).unwrap();
            let rows: Vec<Row> = kept.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            // Version 0.1 had no source.
            let mut columns = details(&CARRIED);
            columns.retain(|(name, _)| name != "source" || rows.iter().any(|row| row.contains_key("source")));
            all_read(&path, &columns, &rows);
            versions += 1;
        }
    }
    assert!(versions > 0, "no file is kept");
}

#[test]
fn a_folder_of_days_has_the_same_rows_as_one_file() {
    let bench = sample_run();
    let arguments = ["--sandbox", "--offline", "--store", "out/reconcile.sandbox.db"];
    let days = ["--partition-by", "call_date", "--out", "out/days"];
    // The second run replaces the folder of the first.
    for _ in 0..2 {
        bench.run(&[&arguments[..], &days].concat()).exits(0);
    }
    let folder = bench.path("out");
    let names = std::fs::read_dir(folder.join("days")).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<String> = names.map(|name| name.into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["call_date=2026-11-16", "call_date=2026-11-17", "call_date=2026-11-18"]);
    let left =
        std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(left.filter(|name| name.starts_with('.')).count(), 0, "nothing is left behind");
    let print = |sql: &str| duckdb::query(&folder, &["-csv", "-noheader"], sql).trim().to_owned();
    let hive = "read_parquet('days/*/*.parquet', hive_partitioning = true)";
    assert_eq!(print(&format!("SELECT DISTINCT typeof(call_date) FROM {hive}")), "DATE");
    // An offline run publishes both from the same answers.
    bench.run(&[&arguments[..], &["--out", "out/details.parquet"]].concat()).exits(0);
    let columns = "call_date, * EXCLUDE (call_date)";
    let (one, many) =
        (format!("SELECT {columns} FROM 'details.parquet'"), format!("SELECT {columns} FROM {hive}"));
    let sql = format!(
        "SELECT (SELECT count(*) FROM ({one} EXCEPT ALL {many})), (SELECT count(*) FROM ({many} EXCEPT ALL {one})), \
         (SELECT count(*) FROM ({many}))"
    );
    assert_eq!(print(&sql), "0,0,86");
    bench.write("out/other.txt", "");
    bench.run(&[&arguments[..], &["--partition-by", "call_date", "--out", "out"]].concat()).exits(2);
    assert!(folder.join("other.txt").exists());
}

#[test]
fn the_sql_views_give_the_tables_of_the_report() {
    let bench = sample_run();
    let arguments = ["--sandbox", "--offline", "--store", "out/reconcile.sandbox.db", "--sql"];
    for others in [
        &["--out", "out/details.parquet"][..],
        &["--out", "out/details.parquet", "--discrepancies", "out/d.jsonl"],
        &["--out", "out/details", "--partition-by", "call_date", "--discrepancies", "out/d.parquet"],
    ] {
        bench.run(&[others, &arguments[..]].concat()).exits(0);
        let folder = bench.path("out");
        let print = |sql: &str| duckdb::query(&folder, &["-csv", "-noheader", "-init", "details.sql"], sql);
        let summary = bench.summary_at("out/details.summary.json").0;
        let lines = |rows: Vec<String>| rows.join("\n") + "\n";
        let sides = |of: &str| -> Vec<String> {
            let part = |g: &Value, part: &str, side: &str| g[part][side].to_string();
            let line = |g: &Value| {
                let answered = [part(g, "answered", "ledger"), part(g, "answered", "provider")];
                let talk = ["ledger", "provider", "difference"].map(|side| part(g, "duration_s", side));
                let minutes = ["ledger", "provider"].map(|side| part(g, "billable_minutes", side));
                let counts =
                    [g["name"].as_str().unwrap().to_owned(), g["calls"].to_string(), g["found"].to_string()];
                [&counts[..], &answered, &talk, &minutes].concat().join(",")
            };
            summary[of].as_array().unwrap().iter().map(line).collect()
        };
        assert_eq!(print("FROM by_product"), lines(sides("by_product")));
        assert_eq!(print("FROM by_day"), lines(sides("by_day")));
        let numbers = |object: &Value| -> Vec<String> {
            object.as_object().unwrap().values().map(ToString::to_string).collect()
        };
        assert_eq!(
            print(
                "SELECT agree, differ, failed, missing, not_compared, unusable_rows, waiting FROM headline"
            ),
            lines(vec![numbers(&summary["headline"]).join(",")])
        );
        let fields = summary["fields"].as_object().unwrap();
        let fields = fields.iter().map(|(name, counts)| format!("{name},{}", numbers(counts).join(",")));
        assert_eq!(
            print(
                "SELECT field, compared, different, equal, expected, not_comparable FROM fields ORDER BY field"
            ),
            lines(fields.collect())
        );
        let outcomes = summary["outcomes"].as_object().unwrap().iter().map(|(name, n)| format!("{name},{n}"));
        assert_eq!(print("FROM outcomes ORDER BY outcome"), lines(outcomes.collect()));
        let hours =
            summary["by_hour"].as_array().unwrap().iter().enumerate().filter(|(_, h)| h["calls"] != 0);
        let hours = hours.map(|(hour, h)| format!("{hour},{},{},{}", h["calls"], h["answered"], h["talk_s"]));
        assert_eq!(print("FROM by_hour"), lines(hours.collect()));
        let kinds = summary["discrepancies"].as_object().unwrap().iter().filter(|(_, n)| **n != 0);
        let kinds = kinds.map(|(kind, n)| format!("{kind},{n}"));
        assert_eq!(
            print("SELECT kind, sum(rows)::BIGINT FROM by_kind GROUP BY kind ORDER BY kind"),
            lines(kinds.collect())
        );
    }
}

#[test]
fn bloom_filter_and_statistics_help_to_find_a_call() {
    let bench = sample_run();
    let folder = bench.path("out");
    let first = "116092070332^102894141802";
    let probe = |id: &str| {
        format!("SELECT bloom_filter_excludes FROM parquet_bloom_probe('details.parquet', 'call_id', '{id}')")
    };
    let print = |sql: &str| duckdb::query(&folder, &["-csv", "-noheader"], sql);
    assert_eq!(print(&probe(first)).trim(), "false");
    let strangers: Vec<String> = (0..100).map(|i| probe(&format!("no-{i}"))).collect();
    let excluded = print(&strangers.join(" UNION ALL ")).matches("true").count();
    assert!(excluded >= 90, "the filter excludes only {excluded} of 100 unknown calls");
    let of_columns = |what: &str, columns: &str| {
        let sql = format!(
            "SELECT DISTINCT {what} FROM parquet_metadata('details.parquet') WHERE path_in_schema IN ({columns})"
        );
        print(&sql).trim().to_owned()
    };
    let has_statistics = "stats_min_value IS NOT NULL";
    assert_eq!(of_columns(has_statistics, "'call_id', 'ledger_line', 'call_date', 'status'"), "true");
    assert_eq!(of_columns(has_statistics, "'request_id', 'raw'"), "false");
    assert_eq!(of_columns("compression", "'call_id', 'callee', 'ledger_line', 'raw'"), "ZSTD");
    assert_eq!(of_columns("compression", "'call_date', 'status', 'outcome'"), "UNCOMPRESSED");
}

#[test]
fn the_parquet_metadata_agrees_with_the_summary() {
    let bench = sample_run();
    let metadata = parquet_metadata(&bench.path("out/details.parquet"));
    let summary = bench.summary_at("out/details.summary.json").0;
    for (key, name) in [
        ("version", "version"),
        ("run_id", "run_id"),
        ("input_sha256", "input_sha256"),
        ("schema_version", "schema_version"),
        ("requests", "requests"),
        ("most_in_any_window", "most_in_any_window"),
    ] {
        let value = &summary[name];
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        assert_eq!(metadata[&format!("reconcile.{key}")], text, "{key}");
    }
    assert_eq!(metadata["reconcile.cap"], "100000 per minute");
}
