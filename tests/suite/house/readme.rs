//! The sandbox run over the sample data, and the documentation: queries, commands, examples, links.
//! Contains the parser of Markdown pages.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::rust_files::{files_below, root};
use crate::support::{Bench, Row, cell, duckdb, ledger, parquet_metadata, read_csv, venv};

pub fn sample(name: &str) -> PathBuf {
    root().join("sample-data").join(name)
}

/// A sandbox run over the sample ledger, as the README shows it.
pub fn sample_run() -> Bench {
    sample_run_with(&[])
}

/// The same with more options.
pub fn sample_run_with(options: &[&str]) -> Bench {
    let bench = Bench::new(&ledger(0));
    fs::create_dir(bench.path("out")).unwrap();
    fs::copy(sample("calls.csv"), bench.path("calls.csv")).unwrap();
    bench.run(&[&["--sandbox", "--out", "out/details.parquet"], options].concat()).exits(0);
    bench
}

/// The details' columns and types, as the contract promises them.
pub const COLUMNS: [(&str, &str); 34] = [
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
    ("source", "VARCHAR"),
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
fn the_sample_run_reports_exactly_the_planted_discrepancies() {
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
fn the_four_files_exist_and_the_totals_add_up() {
    let bench = sample_run();
    for name in Bench::outputs() {
        assert!(bench.path("out").join(name).metadata().unwrap().len() > 0, "{name}");
    }
    let summary = bench.summary_at("out/details.summary.json");
    summary.assert_totals();
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
fn the_outputs_of_a_sandbox_run_say_sandbox() {
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
        let text = fs::read_to_string(bench.path("out").join(name)).unwrap();
        assert!(text.to_lowercase().contains("sandbox"), "{name}");
    }
}

/// The widest line of Markdown in columns, outside tables and code.
const WIDEST: usize = 100;

/// A Markdown page of the repository.
struct Page {
    path: PathBuf,
    text: String,
}

/// A fenced block of a page.
#[derive(Debug, PartialEq)]
struct Block {
    language: String,
    text: String,
    /// Only empty lines separate the previous block from this one.
    follows: bool,
}

impl Page {
    fn read(path: PathBuf) -> Self {
        let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        Self { path, text }
    }

    /// The page of this path below the repository's root.
    fn named(name: &str) -> Self {
        Self::read(root().join(name))
    }

    /// Its path below the repository's root.
    fn name(&self) -> String {
        self.path.strip_prefix(root()).unwrap_or(&self.path).display().to_string()
    }
}

/// Every page that git tracks. Without git: every page outside hidden folders and build outputs.
fn pages() -> Vec<Page> {
    let git = Command::new("git").args(["ls-files", "-z", "--", "*.md"]).current_dir(root()).output();
    let tracked = git.ok().filter(|git| git.status.success() && !git.stdout.is_empty());
    let paths = match tracked {
        Some(git) => {
            let names = String::from_utf8(git.stdout).unwrap();
            names.split_terminator('\0').map(|name| root().join(name)).filter(|path| path.is_file()).collect()
        }
        None => walk(root()),
    };
    assert!(paths.len() > 10, "{paths:?}");
    paths.into_iter().map(Page::read).collect()
}

fn walk(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            if !name.starts_with('.') && name != "target" && name != "node_modules" {
                found.extend(walk(&path));
            }
        } else if name.ends_with(".md") {
            found.push(path);
        }
    }
    found
}

fn is_fence(line: &str) -> bool {
    line.trim_start().starts_with("```")
}

/// The fenced blocks of a page.
fn blocks(page: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut lines = page.lines();
    let mut follows = false;
    while let Some(line) = lines.next() {
        if !is_fence(line) {
            follows &= line.trim().is_empty();
            continue;
        }
        let language = line.trim_start().trim_start_matches('`').trim().to_owned();
        let body: Vec<&str> = lines.by_ref().take_while(|line| !is_fence(line)).collect();
        blocks.push(Block { language, text: body.join("\n"), follows });
        follows = true;
    }
    blocks
}

/// The lines outside fenced blocks, with their numbers.
fn prose(page: &str) -> Vec<(usize, &str)> {
    let mut fenced = false;
    let mut lines = Vec::new();
    for (i, line) in page.lines().enumerate() {
        if is_fence(line) {
            fenced = !fenced;
        } else if !fenced {
            lines.push((i + 1, line));
        }
    }
    lines
}

/// Every ```sql block that a ```text block follows directly, with that block.
fn queries(page: &str) -> Vec<(String, String)> {
    let blocks = blocks(page);
    let pairs = blocks
        .windows(2)
        .filter(|pair| pair[0].language == "sql" && pair[1].language == "text" && pair[1].follows);
    pairs.map(|pair| (pair[0].text.clone(), pair[1].text.clone())).collect()
}

/// The anchors of a page's headings, as on GitHub.
fn anchors(page: &str) -> Vec<String> {
    let heading = |line: &str| line.starts_with('#').then(|| anchor(line.trim_start_matches('#')));
    prose(page).into_iter().filter_map(|(_, line)| heading(line)).collect()
}

fn anchor(heading: &str) -> String {
    let kept = heading.trim().to_lowercase();
    let kept = kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// The targets of a line's links and pictures.
fn links(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0))
}

#[test]
fn a_text_block_belongs_to_the_sql_block_before_it() {
    let page =
        "```sql\nSELECT 1;\n```\n\n```text\n1\n```\nwords\n```sql\nSELECT 2;\n```\nwords\n```text\n2\n```\n";
    assert_eq!(queries(page), [("SELECT 1;".to_owned(), "1".to_owned())]);
}

#[test]
fn links_and_anchors_are_found_only_in_prose() {
    let page = "# The `raw` text (2)\n\n[a](b.md#c) ![d](e.png)\n```sh\n# no heading\n[x](y)\n```\n";
    assert_eq!(anchors(page), ["the-raw-text-2"]);
    let found: Vec<&str> = prose(page).into_iter().flat_map(|(_, line)| links(line)).collect();
    assert_eq!(found, ["b.md#c", "e.png"]);
}

fn trimmed(text: &str) -> String {
    let lines: Vec<&str> = text.trim_end().lines().map(str::trim_end).collect();
    lines.join("\n")
}

/// What `sqlite3 -header STORE SQL` prints.
fn sqlite(store: &Path, sql: &str) -> String {
    const SCRIPT: &str = "import sqlite3, sys\n\
        rows = sqlite3.connect(sys.argv[1]).execute(sys.argv[2])\n\
        print('|'.join(column[0] for column in rows.description))\n\
        for row in rows: print('|'.join('' if cell is None else str(cell) for cell in row))";
    venv::output(venv::command("python").args(["-c", SCRIPT]).arg(store).arg(sql), sql)
}

#[test]
fn every_query_of_the_docs_prints_what_its_page_shows() {
    let bench = sample_run();
    let mut run: BTreeMap<String, usize> = BTreeMap::new();
    for page in pages() {
        let queries = queries(&page.text);
        let all = blocks(&page.text).iter().filter(|block| block.language == "sql").count();
        assert_eq!(queries.len(), all, "{}: a query without its result", page.name());
        for (sql, shown) in queries {
            let printed = match page.name().as_str() {
                "docs/store.md" => sqlite(&bench.path("out/reconcile.sandbox.db"), &sql),
                _ => duckdb::query(&bench.path("out"), &[], &sql),
            };
            let place = page.name();
            assert_eq!(
                trimmed(&printed),
                trimmed(&shown),
                "{place}: the result of:\n{sql}\n\nis:\n{printed}"
            );
            *run.entry(place).or_default() += 1;
        }
    }
    for (page, least) in [("README.md", 2), ("docs/outputs.md", 3), ("docs/store.md", 2)] {
        assert!(run.get(page).is_some_and(|n| *n >= least), "{page}: {run:?}");
    }
}

#[test]
fn the_readme_gives_the_two_commands_on_lines_of_their_own() {
    let commands = [
        "cargo run --release -- --sandbox --input sample-data/calls.csv --out details.parquet",
        "cargo test --workspace",
    ];
    let blocks = blocks(&Page::named("README.md").text);
    for command in commands {
        let given = |block: &Block| block.language == "sh" && block.text.lines().any(|line| line == command);
        assert!(blocks.iter().any(given), "{command}");
    }
}

#[test]
fn every_command_of_the_docs_has_options_that_exist() {
    let bench = Bench::new(&ledger(0));
    let words = |text: &str| -> Vec<String> {
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '-';
        text.split(|c| !is_part(c)).map(str::to_owned).collect()
    };
    let main = bench.bare(&["--help"]);
    let listed = main.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let listed = words(listed);
    let mut seen = 0;
    for page in pages() {
        let name = page.name();
        for block in blocks(&page.text)
            .iter()
            .filter(|b| matches!(b.language.as_str(), "" | "sh" | "cron" | "console"))
        {
            for command in block.text.lines().filter_map(|line| Some(line.split_once("reconcile ")?.1)) {
                let mut given = command.split_whitespace();
                let first = given.next().unwrap_or_default();
                let help = match listed.iter().any(|word| word == first) {
                    true if first == "store" => bench.bare(&[first, given.next().unwrap(), "--help"]),
                    true => bench.bare(&[first, "--help"]),
                    false => main.clone(),
                };
                let known = words(&help);
                for word in command.split_whitespace().filter(|word| word.starts_with("--")) {
                    let option = word.split('=').next().unwrap();
                    assert!(known.iter().any(|known| known == option), "{name}: {option} in: {command}");
                    seen += 1;
                }
            }
        }
    }
    assert!(seen > 10, "only {seen} options");
}

#[test]
fn markdown_wraps_at_a_hundred_columns() {
    let mut wide = Vec::new();
    for page in pages() {
        for (number, line) in prose(&page.text) {
            let columns = line.chars().count();
            if columns > WIDEST && !line.trim_start().starts_with('|') {
                wide.push(format!("{}:{number}: {columns} columns", page.name()));
            }
        }
    }
    assert!(wide.is_empty(), "{}", wide.join("\n"));
}

#[test]
fn every_link_between_pages_resolves() {
    let mut broken = Vec::new();
    let mut seen = 0;
    for page in pages() {
        for (number, line) in prose(&page.text) {
            for link in links(line).filter(|link| !link.contains("://") && !link.starts_with("mailto:")) {
                let (file, heading) = link.split_once('#').unwrap_or((link, ""));
                let target = match file {
                    "" => page.path.clone(),
                    file => page.path.parent().unwrap().join(file),
                };
                let resolves = target.exists()
                    && (heading.is_empty()
                        || anchors(&Page::read(target).text).iter().any(|anchor| anchor == heading));
                if !resolves {
                    broken.push(format!("{}:{number}: {link}", page.name()));
                }
                seen += 1;
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
    assert!(seen > 50, "only {seen} links");
}

#[test]
fn the_readme_has_at_most_180_lines() {
    let lines = Page::named("README.md").text.lines().count();
    assert!(lines <= 180, "{lines} lines");
}

#[test]
fn the_glossary_has_at_most_fifteen_terms() {
    let glossary = Page::named("docs/glossary.md");
    let terms: Vec<&str> = glossary.text.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    assert!((10..=15).contains(&terms.len()), "{terms:?}");
}

#[test]
fn the_contract_names_every_column_of_the_details() {
    let contract = Page::named("docs/contract.md");
    let details = contract.text.split("## 4. Details").nth(1).unwrap().split("\n## ").next().unwrap();
    for (name, _) in &COLUMNS[..COLUMNS.len() - 1] {
        assert!(details.contains(&format!("`{name}`")), "{name}");
    }
}

#[test]
fn three_pages_list_the_same_exit_codes() {
    for name in ["docs/contract.md", "docs/cli.md", "docs/operating.md"] {
        let page = Page::named(name);
        for code in 0..=6 {
            assert!(page.text.contains(&format!("\n| {code} | ")), "{name} has no exit code {code}");
        }
    }
}

fn example(name: &str) -> PathBuf {
    root().join("examples").join(name)
}

#[test]
fn the_example_configuration_is_read() {
    let path = example("nightly.toml");
    let dump = Bench::new(&ledger(0)).bare(&["config", "--config", path.to_str().unwrap()]);
    let given = dump.lines().filter(|line| line.contains("nightly.toml:")).count();
    assert!(given >= 8, "{dump}");
}

#[test]
fn the_example_script_runs_without_output() {
    let bench = Bench::new(&ledger(0));
    for name in ["nightly.toml", "nightly.sh"] {
        fs::copy(example(name), bench.path(name)).unwrap();
    }
    bench.write("ledger.csv", "call_id,From,To,called_at\n1^2,,,2026-11-16\n");
    let program = Path::new(env!("CARGO_BIN_EXE_reconcile")).parent().unwrap().to_path_buf();
    let others = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(std::iter::once(program).chain(std::env::split_paths(&others))).unwrap();
    let output = Command::new("sh")
        .arg(bench.path("nightly.sh"))
        .arg(bench.path("."))
        .env_clear()
        .env("PATH", path)
        .env("RECONCILE_SANDBOX", "true")
        .output()
        .unwrap();
    assert!(output.status.success() && output.stdout.is_empty() && output.stderr.is_empty(), "{output:?}");
    for name in ["details.parquet", "details.sql", "reconcile.prom"] {
        assert!(bench.path(name).is_file(), "{name}");
    }
}

#[test]
fn the_morning_queries_read_the_sample_run() {
    let bench = sample_run();
    fs::copy(example("morning.sql"), bench.path("out/morning.sql")).unwrap();
    let printed = duckdb::query(&bench.path("out"), &["-csv"], ".read morning.sql");
    for part in ["ledger_line,call_id,call_date", "delta_s", "the row has no CallId", "InvalidParameters"] {
        assert!(printed.contains(part), "no {part} in {printed}");
    }
}

#[test]
fn queries_read_text_that_comes_late_in_a_long_file() {
    // DuckDB takes the type of a column from its first 20,480 rows.
    let bench = sample_run();
    let path = bench.path("out/details.discrepancies.csv");
    let text = fs::read_to_string(&path).unwrap();
    let (header, rows) = text.split_once('\n').unwrap();
    let of_field =
        |field: &str| rows.lines().find(|row| row.contains(&format!(",mismatch,{field},"))).unwrap();
    let durations = format!("{}\n", of_field("duration_s")).repeat(21_000);
    let callee = of_field("callee");
    fs::write(&path, format!("{header}\n{durations}{callee}\n")).unwrap();
    let mut counted = 0;
    for page in pages() {
        for (sql, _) in queries(&page.text) {
            if sql.contains("details.discrepancies.csv") {
                let printed = duckdb::query(&bench.path("out"), &[], &sql);
                counted += usize::from(printed.contains("21000") && printed.contains("callee"));
            }
        }
    }
    assert!(counted >= 1, "no query counts the rows");
    fs::copy(example("morning.sql"), bench.path("out/morning.sql")).unwrap();
    duckdb::query(&bench.path("out"), &["-csv"], ".read morning.sql");
}

#[test]
fn the_tests_that_the_tables_name_exist() {
    let mut known = BTreeSet::new();
    for folder in ["tests", "src", "crates"] {
        for (_, text) in files_below(folder) {
            known.extend(text.match_indices("fn ").map(|(at, _)| {
                let name = |c: &char| c.is_ascii_alphanumeric() || *c == '_';
                text[at + 3..].chars().take_while(name).collect::<String>()
            }));
        }
    }
    for (page, at_least) in [("SECURITY.md", 70), ("DESIGN.md", 14)] {
        let text = fs::read_to_string(root().join(page)).unwrap();
        let rows = text.lines().filter(|line| line.starts_with('|'));
        let named = rows.flat_map(|row| row.split('`').skip(1).step_by(2));
        let tests: Vec<&str> = named.filter(|name| name.matches('_').count() >= 3).collect();
        assert!(tests.len() >= at_least, "{page} names only {} tests", tests.len());
        for test in tests {
            assert!(known.contains(test), "{page}: there is no test {test}");
        }
    }
}

#[test]
fn the_samples_rows_fall_into_the_documented_categories() {
    let bench = sample_run();
    let summary = bench.summary_at("out/details.summary.json").0;
    let page = fs::read_to_string(root().join("docs/outputs.md")).unwrap();
    let section = page.split("## The headline\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let documented: BTreeMap<&str, u64> = section
        .lines()
        .filter_map(|line| {
            let mut cells = line.split('|').map(|cell| cell.trim().trim_matches('`')).skip(1);
            Some((cells.next()?, cells.next()?.parse().ok()?))
        })
        .collect();
    assert_eq!(documented.len(), 10);
    let headline = summary["headline"].as_object().unwrap();
    for (category, rows) in headline {
        assert_eq!(documented[category.as_str()], rows.as_u64().unwrap(), "{category}");
    }
    for name in ["calls", "rows", "duplicates"] {
        assert_eq!(documented[name], summary[name].as_u64().unwrap(), "{name}");
    }
    let calls: u64 =
        headline.iter().filter(|(name, _)| *name != "unusable_rows").map(|(_, n)| n.as_u64().unwrap()).sum();
    assert_eq!(documented["calls"], calls);
    assert_eq!(documented["rows"], calls + documented["unusable_rows"] + documented["duplicates"]);
}
