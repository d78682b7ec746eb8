//! The sandbox run over the sample data, read by DuckDB as analysts read it. Owns the parser of the README's
//! queries and their printed results.

use std::path::{Path, PathBuf};

use crate::support::{Bench, Row, Summary, cell, duckdb, ledger, parquet_metadata, read_csv};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn sample(name: &str) -> PathBuf {
    root().join("sample-data").join(name)
}

/// A sandbox run over the sample ledger, as the README shows it.
pub fn sample_run() -> Bench {
    sample_run_with(&[])
}

/// The same with more options.
pub fn sample_run_with(options: &[&str]) -> Bench {
    let bench = Bench::new(&ledger(0));
    std::fs::create_dir(bench.path("out")).unwrap();
    std::fs::copy(sample("calls.csv"), bench.path("calls.csv")).unwrap();
    bench.run(&[&["--sandbox", "--out", "out/details.parquet"], options].concat()).exits(0);
    bench
}

/// The details' columns and types, as the contract promises them.
pub const COLUMNS: [(&str, &str); 33] = [
    ("call_id", "VARCHAR"),
    ("prod_id", "BIGINT"),
    ("product", "VARCHAR"),
    ("call_date", "DATE"),
    ("status", "VARCHAR"),
    ("caller", "VARCHAR"),
    ("callee", "VARCHAR"),
    ("caller_show_number", "VARCHAR"),
    ("callee_show_number", "VARCHAR"),
    ("created_at", "TIMESTAMP WITH TIME ZONE"),
    ("started_at", "TIMESTAMP WITH TIME ZONE"),
    ("ended_at", "TIMESTAMP WITH TIME ZONE"),
    ("a_ring_at", "TIMESTAMP WITH TIME ZONE"),
    ("a_end_at", "TIMESTAMP WITH TIME ZONE"),
    ("b_ring_at", "TIMESTAMP WITH TIME ZONE"),
    ("b_start_at", "TIMESTAMP WITH TIME ZONE"),
    ("b_end_at", "TIMESTAMP WITH TIME ZONE"),
    ("duration_s", "BIGINT"),
    ("billable_minutes", "BIGINT"),
    ("state", "VARCHAR"),
    ("outcome", "VARCHAR"),
    ("answered", "BOOLEAN"),
    ("state_desc", "VARCHAR"),
    ("hangup_by", "VARCHAR"),
    ("error_code", "VARCHAR"),
    ("error_message", "VARCHAR"),
    ("request_id", "VARCHAR"),
    ("attempts", "BIGINT"),
    ("fetched_at", "TIMESTAMP WITH TIME ZONE"),
    ("discrepancies", "BIGINT"),
    ("ledger_line", "BIGINT"),
    ("raw", "VARCHAR"),
    ("ledger_", "VARCHAR"),
];

#[test]
fn the_details_have_the_columns_and_types_of_the_contract() {
    let bench = sample_run();
    let text = duckdb::query(&bench.path("out"), &["-csv"], "DESCRIBE SELECT * FROM 'details.parquet'");
    let described: Vec<Row> =
        csv::Reader::from_reader(text.as_bytes()).deserialize().collect::<Result<_, _>>().unwrap();
    let described: Vec<(&str, &str)> =
        described.iter().map(|row| (cell(row, "column_name"), cell(row, "column_type"))).collect();
    let (carried, fixed) = COLUMNS.split_last().unwrap();
    assert_eq!(described[..fixed.len()], *fixed);
    for (name, kind) in &described[fixed.len()..] {
        assert!(name.starts_with(carried.0) && *kind == carried.1, "{name} {kind}");
    }
}

#[test]
fn the_discrepancies_are_the_ones_that_were_planted() {
    let bench = sample_run();
    let columns = ["call_id", "ledger_line", "kind", "field", "expected", "actual", "delta"];
    let narrow = |path: &Path| -> Vec<Vec<String>> {
        read_csv(path).iter().map(|row| columns.map(|name| cell(row, name).to_owned()).to_vec()).collect()
    };
    let planted = narrow(&sample("planted.csv"));
    assert!(!planted.is_empty());
    assert_eq!(narrow(&bench.path("out/details.discrepancies.csv")), planted);
}

#[test]
fn the_four_files_are_there_and_the_tie_out_foots() {
    let bench = sample_run();
    for name in Bench::outputs() {
        assert!(bench.path("out").join(name).metadata().unwrap().len() > 0, "{name}");
    }
    let text = std::fs::read(bench.path("out/details.summary.json")).unwrap();
    let summary = Summary(serde_json::from_slice(&text).unwrap());
    summary.assert_foots();
    assert!(summary.complete());
    let rows = read_csv(&bench.path("out/details.discrepancies.csv")).len() as u64;
    let by_kind = summary.0["discrepancies"].as_object().unwrap();
    assert_eq!(by_kind.values().map(|n| n.as_u64().unwrap()).sum::<u64>(), rows);
    let records = csv::ReaderBuilder::new()
        .flexible(true)
        .from_path(sample("calls.csv"))
        .unwrap()
        .into_byte_records()
        .count();
    assert_eq!(summary.number("rows"), records as u64);
    let sql = "SELECT count(*) AS n FROM 'details.parquet'";
    let calls = duckdb::query(&bench.path("out"), &["-csv", "-noheader"], sql);
    assert_eq!(calls.trim(), summary.number("calls").to_string());
}

#[test]
fn a_sandbox_run_says_that_it_is_one() {
    let bench = sample_run();
    let metadata = parquet_metadata(&bench.path("out/details.parquet"));
    let all = format!("{metadata:?}").to_lowercase();
    assert!(all.contains("sandbox"), "{all}");
    assert!(all.contains(env!("CARGO_PKG_VERSION")), "{all}");
    for word in ["run", "sha", "schema"] {
        assert!(metadata.keys().any(|key| key.to_lowercase().contains(word)), "no `{word}` in {all}");
    }
    let sha256 = |text: &String| text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit());
    assert!(metadata.values().any(sha256), "{all}");
    for name in ["details.report.html", "details.summary.json"] {
        let text = std::fs::read_to_string(bench.path("out").join(name)).unwrap();
        assert!(text.to_lowercase().contains("sandbox"), "{name}");
    }
}

/// Every ```sql block of a page that a ```text block follows at once, with that block.
fn queries(page: &str) -> Vec<(String, String)> {
    let mut blocks: Vec<(String, String, bool)> = Vec::new();
    let mut lines = page.lines().peekable();
    let mut at_once = false;
    while let Some(line) = lines.next() {
        let Some(language) = line.trim_start().strip_prefix("```") else {
            at_once &= line.trim().is_empty();
            continue;
        };
        let body: Vec<&str> =
            lines.by_ref().take_while(|line| !line.trim_start().starts_with("```")).collect();
        blocks.push((language.trim().to_owned(), body.join("\n"), at_once));
        at_once = true;
    }
    let pairs = blocks.windows(2).filter(|pair| pair[0].0 == "sql" && pair[1].0 == "text" && pair[1].2);
    pairs.map(|pair| (pair[0].1.clone(), pair[1].1.clone())).collect()
}

#[test]
fn a_block_of_text_belongs_to_the_sql_before_it() {
    let page =
        "```sql\nSELECT 1;\n```\n\n```text\n1\n```\nwords\n```sql\nSELECT 2;\n```\nwords\n```text\n2\n```\n";
    assert_eq!(queries(page), [("SELECT 1;".to_owned(), "1".to_owned())]);
}

fn trimmed(text: &str) -> String {
    let lines: Vec<&str> = text.trim_end().lines().map(str::trim_end).collect();
    lines.join("\n")
}

#[test]
fn the_readmes_queries_print_what_the_readme_shows() {
    let readme = std::fs::read_to_string(root().join("README.md")).expect("there is a README.md");
    let queries = queries(&readme);
    assert!(queries.len() >= 5, "only {} queries with their results", queries.len());
    let bench = sample_run();
    for (sql, shown) in queries {
        let printed = duckdb::query(&bench.path("out"), &[], &sql);
        assert_eq!(trimmed(&printed), trimmed(&shown), "the result of:\n{sql}\n\nis:\n{printed}");
    }
}
