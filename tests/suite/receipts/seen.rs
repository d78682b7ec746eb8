//! What people see of receipts: the summary, the page, the metrics, the last line and `explain`,
//! over the sample data.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::house::readme::{sample_run, sample_run_with};
use crate::support::rust_files::root;
use crate::support::{Bench, cell, duckdb, read_csv, read_parquet, wait_until};

const PAGE: &str = "out/details.report.html";

/// A call of the sample whose record differs from its receipt.
const DIFFERS: &str = "116067499795^102871677412";

fn receipts() -> String {
    root().join("sample-data/receipts.jsonl").display().to_string()
}

/// A run over the sample data with its receipts.
fn sample(trust: &str, more: &[&str]) -> Bench {
    sample_run_with(&[&["--receipts", &receipts(), "--receipts-trust", trust], more].concat())
}

fn summary(bench: &Bench) -> Value {
    bench.summary_at("out/details.summary.json").0
}

fn page(bench: &Bench) -> String {
    fs::read_to_string(bench.path(PAGE)).unwrap()
}

/// The rows that the page's script has.
fn listed(bench: &Bench, kind: &str) -> Vec<Value> {
    let page = page(bench);
    let data = page.split_once("id=\"data\">").unwrap().1.split_once("</script>").unwrap().0;
    let data: Value = serde_json::from_str(data).unwrap();
    let rows = data["rows"].as_array().unwrap().iter().filter(|row| row["kind"] == kind);
    rows.cloned().collect()
}

/// The table of docs/receipts.md on the sample: what is counted, and its number in each of the
/// runs.
fn documented() -> Vec<(String, Vec<u64>)> {
    let page = fs::read_to_string(root().join("docs/receipts.md")).unwrap();
    let (_, rest) = page.split_once("| counted |").unwrap();
    let rows = rest.lines().skip(2).take_while(|line| line.starts_with('|'));
    let row = |line: &str| {
        let mut cells = line.trim_matches('|').split('|').map(|cell| cell.trim().trim_matches('`'));
        let name = cells.next().unwrap().to_owned();
        (name, cells.map(|number| number.parse().unwrap()).collect())
    };
    rows.map(row).collect()
}

#[test]
fn the_sample_has_the_documented_numbers() {
    let runs = [sample_run(), sample("full", &[]), sample("sample=100%", &[])];
    let mut named = 0;
    for (run, bench) in runs.iter().enumerate() {
        bench.summary_at("out/details.summary.json").assert_totals();
        let summary = summary(bench);
        let of_kinds: BTreeMap<&str, u64> = summary["discrepancies"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(kind, rows)| (kind.as_str(), rows.as_u64().unwrap()))
            .collect();
        let mut of_named_kinds = 0;
        for (name, numbers) in documented() {
            let found = match (name.as_str(), of_kinds.get(name.as_str())) {
                (_, Some(rows)) => {
                    of_named_kinds += rows;
                    *rows
                }
                ("other kinds", None) => of_kinds.values().sum::<u64>() - of_named_kinds,
                ("requests", None) => summary["requests"].as_u64().unwrap(),
                (count, None) => summary["receipts"][count].as_u64().unwrap_or(0),
            };
            assert_eq!(found, numbers[run], "{name} of run {run}");
            named += 1;
        }
    }
    assert!(named >= 36, "{named}");
    let without = summary(&runs[0]);
    assert!(without.get("receipts").is_none());
    assert_eq!(
        without["tie_out"].as_array().unwrap().len() + 1,
        summary(&runs[1])["tie_out"].as_array().unwrap().len()
    );
}

#[test]
fn the_sandbox_writes_the_receipts_of_the_sample() {
    let readme = fs::read_to_string(root().join("sample-data/README.md")).unwrap();
    let line = readme.lines().find(|line| line.starts_with("reconcile sandbox --receipts-out")).unwrap();
    let options = line.split_whitespace().skip(1).map(|word| word.trim_matches('\''));
    let bench = Bench::new("call_id\n");
    let mut command = Command::new(env!("CARGO_BIN_EXE_reconcile"));
    command.args(options).args(["--port", "0"]).env_clear().current_dir(bench.path("."));
    let server = bench.start_command(command);
    wait_until("the sandbox listens", || server.stderr_so_far().contains("listening"));
    server.kill();
    let written = fs::read_to_string(bench.path("receipts.jsonl")).unwrap();
    let sample = fs::read_to_string(receipts()).unwrap();
    let planted = [26, 42, 61, 62, 76];
    let others = (1..).zip(sample.lines()).filter(|(number, _)| !planted.contains(number));
    assert!(others.map(|(_, line)| line).eq(written.lines()));
}

#[test]
fn the_page_says_what_the_receipts_say() {
    let bench = sample("full", &[]);
    let page = page(&bench);
    for text in [
        "<a href=\"#receipts\">The provider’s receipts</a>",
        "A call whose receipt was lost is not seen.",
        "a receipt answers its call <code class=\"code\">full</code>",
        "; 3 more calls are missing in the ledger; 7 ledger rows",
        "calls with receipts = in_ledger + missing_in_ledger + on other days",
        "another message than VoiceReport",
    ] {
        assert!(page.contains(text), "no {text}");
    }
    assert!(!page.contains("no receipts were given"));
    let bridge = page.split_once("bars bridge").unwrap().1.split_once("</table>").unwrap().0;
    assert!(bridge.contains("<th scope=\"row\">missing in the ledger</th>"));
    let section = page.split_once("<section id=\"receipts\"").unwrap().1.split_once("</section>").unwrap().0;
    assert!(section.contains("<data value=\"70\" data-at=\"/receipts/answered\">"));

    let asked = sample("sample=100%", &[]);
    let page = self::page(&asked);
    let section = page.split_once("<section id=\"receipts\"").unwrap().1.split_once("</section>").unwrap().0;
    let mut parts = vec![("/receipts".to_owned(), summary(&asked)["receipts"].clone())];
    while let Some((at, value)) = parts.pop() {
        match value {
            Value::Object(map) => {
                parts.extend(map.into_iter().map(|(key, part)| (format!("{at}/{key}"), part)))
            }
            Value::Number(n) => {
                assert!(section.contains(&format!("<data value=\"{n}\" data-at=\"{at}\">")), "no {at}");
            }
            _ => {}
        }
    }

    let without = self::page(&sample_run());
    assert!(without.contains("and no receipts were given"));
    assert!(!without.contains("id=\"receipts\"") && !without.contains("missing in the ledger</th>"));
}

#[test]
fn a_row_that_opens_says_where_its_values_come_from() {
    let bench = sample("full", &[]);
    let missing = listed(&bench, "missing_in_ledger");
    assert_eq!(missing.len(), 3);
    let longest = &missing[0];
    assert_eq!(
        (&longest["line"], &longest["seconds"], &longest["ledger"]),
        (&Value::Null, &json!(46), &json!(""))
    );
    assert_eq!(
        (&longest["field"], &longest["provider"], &longest["other"]),
        (&json!("duration_s"), &json!("46"), &json!("2026-11-16 18:20:31"))
    );
    let more = &longest["more"];
    assert!(more["receipt"].as_array().unwrap().contains(&json!(["callee", "125****0131"])));
    assert_eq!((&more["record"], &more["lookup"]), (&json!([]), &json!([])));

    let is_of_receipt =
        |row: &&Value| row["more"]["lookup"].as_array().unwrap().contains(&json!(["source", "receipt"]));
    let mismatches = listed(&bench, "mismatch");
    let (of_receipt, others): (Vec<&Value>, Vec<&Value>) = mismatches.iter().partition(is_of_receipt);
    assert!(of_receipt.len() > 5 && !others.is_empty());
    assert!(
        of_receipt.iter().all(|row| row["more"]["record"] == json!([]) && row["more"]["receipt"].is_array())
    );
    assert!(others.iter().all(|row| row["more"].get("receipt").is_none()));

    let asked = sample("sample=100%", &[]);
    let rows = listed(&asked, "receipt_differs");
    let of_call = rows.iter().find(|row| row["call"] == DIFFERS).unwrap();
    assert_eq!((&of_call["provider"], &of_call["other"]), (&json!("200002"), &json!("200003")));
    assert!(page(&asked).contains("the receipt says: 200003"));
}

#[test]
fn the_chinese_page_has_the_same_section() {
    let bench = sample("sample=2%", &["--lang", "zh"]);
    let page = page(&bench);
    for text in
        ["服务商回执", "其中抽样的通话仍会查询", "另有 3 通台账无记录；", "台账缺少的通话仅能从回执得知"]
    {
        assert!(page.contains(text), "no {text}");
    }
    assert!(listed(&bench, "missing_in_ledger").len() == 3);
}

#[test]
fn metrics_and_last_line_name_missing_calls() {
    let bench = sample("full", &["--metrics-file", "r.prom"]);
    let samples = || -> Vec<String> {
        let text = fs::read_to_string(bench.path("r.prom")).unwrap();
        text.lines().filter(|line| line.starts_with("reconcile_receipts{")).map(str::to_owned).collect()
    };
    let numbers = [("read", 82), ("unreadable", 2), ("answered", 70), ("missing_in_ledger", 3)];
    let wanted = numbers.map(|(result, n)| format!("reconcile_receipts{{result=\"{result}\"}} {n}"));
    assert_eq!(samples(), wanted);
    let again = |more: &[&str]| {
        bench
            .run(&[&["--sandbox", "--out", "out/details.parquet", "--metrics-file", "r.prom"], more].concat())
    };
    again(&["--receipts", &receipts()]).exits(0).says("4 failed; 3 more calls are missing in the ledger; 7");
    let line = again(&["--receipts", &receipts(), "--log-format", "json"]).exits(0).stderr;
    assert!(line.lines().any(|line| line.contains("\"missing_in_ledger\":3")), "{line}");
    // Without receipts nothing is known of them, so there is no zero.
    again(&[]).exits(0);
    assert_eq!(samples(), [""; 0]);
}

fn explain(bench: &Bench, arguments: &[&str]) -> String {
    let store = ["--store", "out/reconcile.sandbox.db"];
    bench.bare(&[&["explain"], arguments, &store].concat())
}

#[test]
fn explain_shows_the_receipt_beside_the_answer() {
    let bench = sample("sample=100%", &[]);
    let both = explain(&bench, &[DIFFERS]);
    for text in [
        "\nreceipt:\n  kind     final\n",
        "read as found, from the answer, which counts before the receipt:",
        "receipt_differs state: expected 200003, actual 200002",
    ] {
        assert!(both.contains(text), "{both}");
    }
    let answer: Value = serde_json::from_str(&explain(&bench, &[DIFFERS, "--json"])).unwrap();
    let call = &answer[0];
    assert_eq!((&call["source"], &call["answer"]["kind"]), (&json!("query"), &json!("final")));
    assert!(call["receipt"]["data"].as_str().unwrap().contains("\"status_code\":\"200003\""));
    assert_eq!(call["receipt"]["data_sha256"].as_str().unwrap().len(), 64);
    let masked = explain(&bench, &[DIFFERS, "--mask-phones", "partial", "--json"]);
    assert!(!masked.contains("12506176933") && masked.contains("\"source\": \"query\""), "{masked}");

    // The provider has no record under the ledger's product, but it pushed a receipt.
    let other_product = explain(&bench, &["116093895633^102840188536"]);
    assert!(other_product.contains("from the receipt, which counts before this answer:"), "{other_product}");

    let of_receipts = sample("full", &[]);
    let only = explain(&of_receipts, &[DIFFERS]);
    assert!(only.contains("\n0 requests:\n") && only.contains("read as found, from the receipt:"), "{only}");
}

#[test]
fn explain_and_diff_read_files_with_missing_calls() {
    let bench = sample("full", &[]);
    let file = "out/details.discrepancies.csv";
    let explained = explain(&bench, &["--from", file, "--json"]);
    let calls: Vec<Value> = explained.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let missing: Vec<&Value> = calls
        .iter()
        .filter(|call| call["rows"][0]["discrepancies"][0]["kind"] == "missing_in_ledger")
        .collect();
    assert_eq!(missing.len(), 3);
    assert!(missing.iter().all(|call| call["prod_id"].is_null() && call["in_store"] == false));
    let text = explain(&bench, &["--from", file]);
    assert!(
        text.contains("\ndiscrepancies of a call that the ledger does not name:\n  missing_in_ledger"),
        "{text}"
    );

    fs::copy(sample_run().path(file), bench.path("plain.csv")).unwrap();
    let diff: Value = serde_json::from_str(&bench.bare(&["diff", "plain.csv", file, "--json"])).unwrap();
    let groups = diff["by_kind_and_field"].as_array().unwrap();
    let group = groups.iter().find(|group| group["kind"] == "missing_in_ledger").unwrap();
    assert_eq!(group["new"]["rows"], 3, "{group}");
    let rows = read_csv(&bench.path(file));
    let last: Vec<&str> = rows.iter().rev().take(3).map(|row| cell(row, "kind")).collect();
    assert_eq!(last, ["missing_in_ledger"; 3]);
}

#[test]
fn view_and_page_agree_on_the_hours_of_calls_with_receipts() {
    let bench = sample("full", &["--sql"]);
    let summary = summary(&bench);
    let sources = read_parquet(&bench.path("out/details.parquet"));
    let lacking =
        sources.iter().filter(|row| cell(row, "source") == "receipt" && cell(row, "created_at").is_empty());
    assert!(lacking.count() > 0, "every call has a time of its own");
    let hours = summary["by_hour"].as_array().unwrap().iter().enumerate().filter(|(_, h)| h["calls"] != 0);
    let hours = hours.map(|(hour, h)| format!("{hour},{},{},{}\n", h["calls"], h["answered"], h["talk_s"]));
    let flags = ["-csv", "-noheader", "-init", "details.sql"];
    assert_eq!(duckdb::query(&bench.path("out"), &flags, "FROM by_hour"), hours.collect::<String>());
}
