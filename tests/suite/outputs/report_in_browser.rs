//! The report in a browser: no errors, no requests, a mark for every value, and the numbers of
//! summary.json.

use serde_json::Value;

use crate::house::readme::{sample_run, sample_run_with};
use crate::support::browser::{Task, assert_sound, open};
use crate::support::rust_files::root;
use crate::support::{Bench, cell, id, read_csv};

const REPORT: &str = "out/details.report.html";

/// The page's HTML after its script has run.
const DOM: &str = "return document.documentElement.outerHTML";

/// The texts between each `from` and the next `to`.
pub(super) fn between<'a>(text: &'a str, from: &'a str, to: &'a str) -> impl Iterator<Item = &'a str> {
    text.split(from).skip(1).map(move |rest| rest.split_once(to).map_or(rest, |(inner, _)| inner))
}

/// The value of an attribute of a start tag.
fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    Some(tag.split_once(&format!("{name}=\""))?.1.split_once('"')?.0)
}

fn summary(bench: &Bench) -> Value {
    bench.summary_at("out/details.summary.json").0
}

/// Asserts that every column of every chart is drawn, and that each chart has its texts.
#[track_caller]
fn assert_charts(dom: &str, charts: usize) {
    let drawn: Vec<&str> = between(dom, "<svg class=\"chart\"", "</svg>").collect();
    assert_eq!(drawn.len(), charts);
    for svg in drawn {
        assert!(svg.contains("class=\"mark\""), "a chart has no columns");
        assert!(svg.contains("<title>") && svg.contains("<desc>") && svg.contains("role=\"img\""));
    }
    // A bar is only a picture; the numbers are in its row.
    for bar in between(dom, "<td class=\"bar\">", "</tr>") {
        assert!(bar.matches("<data ").count() >= 1, "a bar without a number: {bar}");
    }
}

/// Asserts that one number of the page is that of the summary at its pointer.
#[track_caller]
pub(super) fn assert_number(summary: &Value, tag: &str, shown: &str) {
    let (place, value) = (attribute(tag, "data-at").unwrap(), attribute(tag, "value").unwrap());
    let number = summary.pointer(place).unwrap_or_else(|| panic!("summary.json has nothing at {place}"));
    let plain = shown.replace(',', "").replace('−', "-");
    let plain = plain.trim_start_matches('+');
    if let Some(of) = attribute(tag, "data-of") {
        let whole = match summary.pointer(of).unwrap() {
            Value::Object(parts) => parts.values().filter_map(Value::as_f64).sum(),
            whole => whole.as_f64().unwrap(),
        };
        assert_eq!(format!("{:.1}%", 100.0 * number.as_f64().unwrap() / whole), plain, "{place} of {of}");
    } else if attribute(tag, "data-unit").is_some() {
        let minutes = format!("{:.1}", number.as_f64().unwrap() / 60.0).replace("-0.0", "0.0");
        assert_eq!((minutes.as_str(), minutes.as_str()), (value, plain), "{place}");
    } else {
        assert_eq!(number.to_string(), value, "{place}");
        // An age is shown in words: tonight, 1 night, 2 nights.
        assert!(place.ends_with("/nights") || plain == value, "{place}: {shown}");
    }
}

#[track_caller]
fn assert_numbers(dom: &str, summary: &Value) {
    let numbers: Vec<(&str, &str)> =
        between(dom, "<data ", "</data>").map(|inner| inner.split_once('>').unwrap()).collect();
    assert!(numbers.len() > 150, "only {} numbers", numbers.len());
    numbers.iter().for_each(|(tag, shown)| assert_number(summary, tag, shown));
    // Every cell with a number comes from the summary, except single discrepancies, which come from
    // the file, and the summary's own size.
    let (before, rest) = dom.split_once("<table class=\"rows\"").unwrap();
    let others = format!("{before}{}", rest.split_once("</table>").unwrap().1);
    for inner in between(&others, "<td class=\"n", "</td>") {
        let is_number = inner.contains("<data ") || inner.starts_with(" own\">") || inner == "\">";
        assert!(is_number, "a number that is not from the summary: {inner}");
    }
}

/// Asserts that the headline's numbers are in the sentence, in their order.
#[track_caller]
fn assert_sentence(dom: &str, summary: &Value) {
    let sentence = between(dom, "class=\"lead\">", "</h2>").next().unwrap();
    let shown: Vec<u64> = sentence
        .split(|c: char| !c.is_ascii_digit())
        .filter(|digits| !digits.is_empty())
        .map(|digits| digits.parse().unwrap())
        .collect();
    let headline = &summary["headline"];
    let categories = ["agree", "differ", "not_compared", "missing", "waiting", "failed", "unusable_rows"];
    let named = categories.map(|category| headline[category].as_u64().unwrap());
    let mut named: Vec<u64> =
        named.into_iter().enumerate().filter(|(i, n)| *i < 2 || *n > 0).map(|(_, n)| n).collect();
    // Unusable rows come last, after what the ledger lacks.
    let before_last = named.len() - usize::from(headline["unusable_rows"] != 0);
    let missing = summary["discrepancies"]["missing_in_ledger"].as_u64().filter(|n| *n > 0);
    named.splice(before_last..before_last, missing);
    let expected: Vec<u64> = summary["calls"].as_u64().into_iter().chain(named).collect();
    assert_eq!(shown, expected, "{sentence}");
}

/// Asserts that the steps of the bridge that the page shows add up, in seconds.
#[track_caller]
fn assert_bridge(dom: &str) {
    let table = between(dom, "<table class=\"bars bridge\">", "</table>").next().unwrap();
    let seconds: Vec<i64> = between(table, "<data ", ">")
        .filter(|tag| tag.contains("/seconds\"") && !tag.contains("data-unit"))
        .map(|tag| attribute(tag, "value").unwrap().parse().unwrap())
        .collect();
    assert!(seconds.len() > 5, "{seconds:?}");
    let (last, before) = seconds.split_last().unwrap();
    assert_eq!(before.iter().sum::<i64>(), *last);
}

/// Asserts that the single discrepancies are those of the file.
#[track_caller]
fn assert_rows(dom: &str, bench: &Bench) {
    let table = between(dom, "<table class=\"rows\"", "</table>").next().unwrap();
    let body = table.split_once("<tbody>").unwrap().1;
    let file = read_csv(&bench.path("out/details.discrepancies.csv"));
    let mut rows = 0;
    for row in between(body, "<tr>", "</tr>") {
        let text = |class: &str| {
            let start = format!("<td class=\"{class}\"");
            let cell = between(row, &start, "</td>").next().unwrap();
            between(&format!("{cell}<"), ">", "<").collect::<String>()
        };
        let what = text("what");
        let is_in_file = file.iter().any(|row| {
            let (kind, field) = (cell(row, "kind"), cell(row, "field"));
            let is_same = cell(row, "ledger_line") == text("n line").trim_matches('–')
                && what.contains(kind)
                && what.contains(field)
                && cell(row, "seconds_at_stake") == text("n seconds");
            // An unusable row's own text is never the provider's.
            is_same && (kind != "invalid_row" || text("provider").is_empty())
        });
        assert!(is_in_file, "{row} is in no row of the file");
        rows += 1;
    }
    assert_eq!(rows, file.len().min(100));
}

#[test]
fn the_report_loads_nothing_and_shows_the_summarys_numbers() {
    let bench = sample_run();
    let Some(opened) = open(&[Task::new(&bench.path(REPORT)).step(DOM)]) else { return };
    assert_sound(&opened[0]);
    let (dom, summary) = (opened[0].steps[0].as_str().unwrap(), summary(&bench));
    assert_charts(dom, 3);
    assert_numbers(dom, &summary);
    assert_sentence(dom, &summary);
    assert_bridge(dom);
    assert_rows(&std::fs::read_to_string(bench.path(REPORT)).unwrap(), &bench);
    assert_rows(dom, &bench);
    for line in summary["tie_out"].as_array().unwrap() {
        let text = line["numbers"].as_str().unwrap().replace('<', "&lt;");
        assert!(dom.contains(&text), "{text}");
    }
}

#[test]
fn the_chinese_report_passes_the_same_checks() {
    let bench = sample_run_with(&["--lang", "zh"]);
    let Some(opened) = open(&[Task::new(&bench.path(REPORT)).step(DOM)]) else { return };
    assert_sound(&opened[0]);
    let (dom, summary) = (opened[0].steps[0].as_str().unwrap(), summary(&bench));
    assert!(dom.contains("台账与服务商对比"));
    assert_charts(dom, 3);
    assert_numbers(dom, &summary);
    assert_sentence(dom, &summary);
    assert_bridge(dom);
    assert_rows(dom, &bench);
}

#[test]
fn the_report_with_receipts_passes_the_same_checks() {
    let receipts = root().join("sample-data/receipts.jsonl").display().to_string();
    let bench = sample_run_with(&["--receipts", &receipts, "--receipts-trust", "full"]);
    let first_missing = "const row = [...document.querySelectorAll('#rows tbody tr')]\
        .find((row) => row.textContent.includes('missing_in_ledger'));\
        row.querySelector('button').click(); return row.innerText + row.nextSibling.innerText";
    let wide =
        Task { axe: true, validate: true, ..Task::new(&bench.path(REPORT)).step(DOM).step(first_missing) };
    let narrow =
        Task { width: 390, dark: true, axe: true, ..Task::new(&bench.path(REPORT)).step(first_missing) };
    let Some(opened) = open(&[wide, narrow]) else { return };
    opened.iter().for_each(assert_sound);
    assert!(opened.iter().all(|page| page.axe.is_empty() && page.validate.is_empty() && !page.overflows));
    let (dom, summary) = (opened[0].steps[0].as_str().unwrap(), summary(&bench));
    assert_numbers(dom, &summary);
    assert_sentence(dom, &summary);
    assert_bridge(dom);
    assert_rows(dom, &bench);
    let row = opened[0].steps[1].as_str().unwrap();
    for text in ["125****0131", "sent at: 2026-11-16 18:20:31", "What the receipt says", "talk time"] {
        assert!(row.contains(text), "no {text} in {row}");
    }
}

#[test]
fn the_files_of_the_run_have_their_sizes_and_digests() {
    use sha2::{Digest as _, Sha256};
    let bench = sample_run_with(&["--sql"]);
    let page = std::fs::read_to_string(bench.path(REPORT)).unwrap();
    let summary = summary(&bench);
    let files = summary["files"].as_array().unwrap();
    let names: Vec<&str> = files.iter().map(|file| file["name"].as_str().unwrap()).collect();
    let others = ["details.parquet", "details.discrepancies.csv", "details.rejects.csv", "details.sql"];
    assert_eq!(names, others);
    let digest = |name: &str| {
        let bytes = std::fs::read(bench.path("out").join(name)).unwrap();
        let sha256: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        (bytes.len() as u64, sha256)
    };
    for file in files {
        let (bytes, sha256) = digest(file["name"].as_str().unwrap());
        assert_eq!((file["bytes"].as_u64(), file["sha256"].as_str()), (Some(bytes), Some(&*sha256)));
        assert!(page.contains(&sha256));
    }
    let of_summary = digest("details.summary.json");
    assert!(page.contains(&of_summary.1), "the page names the summary's digest");
}

#[test]
fn every_file_of_a_folder_of_days_has_its_digest() {
    let bench = Bench::new(
        "call_id,prod_id,called_at\n1^1,11000000300006,2026-11-16\n2^2,11000000300006,2026-11-17\n",
    );
    bench.run(&["--offline", "--partition-by", "call_date", "--out", "details"]).exits(4);
    let summary = bench.summary().0;
    let names: Vec<&str> =
        summary["files"].as_array().unwrap().iter().map(|file| file["name"].as_str().unwrap()).collect();
    let days = ["details/call_date=2026-11-16/part-0.parquet", "details/call_date=2026-11-17/part-0.parquet"];
    assert_eq!(names, [days[0], days[1], "details.discrepancies.csv"]);
}

#[test]
fn a_report_of_200_000_discrepancies_stays_small() {
    let dir = tempfile::TempDir::new().unwrap();
    let (store, scope) =
        crate::outputs::planted_discrepancies::filled_store(&dir.path().join("reconcile.db"), 0);
    let mut text = String::from("call_id,prod_id,called_at,duration_s\n");
    for i in 0..200_000 {
        // The first row is not asked for; the others name the same call.
        text.push_str(&format!("{},11000000300006,2024-05-26,{}\n", id(0), i % 1_000));
    }
    std::fs::write(dir.path().join("calls.csv"), text).unwrap();
    let counted = crate::outputs::planted_discrepancies::publish_ledger(dir.path(), store.as_ref(), &scope);
    assert_eq!(counted.totals.discrepancies_total(), 200_000);
    let page = std::fs::read_to_string(dir.path().join("details.report.html")).unwrap();
    assert!(page.len() < 2_000_000, "{} bytes", page.len());
    assert!(page.contains("This page has the largest 2,000 of <data value=\"200000\""));
    assert!(page.contains("<a href=\"details.discrepancies.csv\">details.discrepancies.csv</a>"));
    let data = between(&page, "id=\"data\">", "</script>").next().unwrap();
    let data: Value = serde_json::from_str(data).unwrap();
    let lines: Vec<u64> =
        data["rows"].as_array().unwrap().iter().map(|row| row["line"].as_u64().unwrap()).collect();
    let largest = |seconds: u64| (0..200).map(move |i| i * 1_000 + seconds + 2);
    let expected: Vec<u64> = (990..1_000).rev().flat_map(largest).collect();
    assert_eq!(lines, expected, "the first 2,000 of those with the most seconds at stake");
    let plain = between(&page, "<table class=\"rows\"", "</table>").next().unwrap();
    assert_eq!(plain.matches("<td class=\"n line\"").count(), 100);
}

#[test]
fn the_checks_notice_requests_errors_and_bad_pages() {
    let bench = Bench::new("call_id\n");
    let page = "<!DOCTYPE html><html><head><title>x</title></head><body><p style=\"color: #ccc\">pale</p>\
                <script>console.error('complaint')</script>\
                <img src=\"http://provider.example/pixel.png\"><div style=\"width: 5000px\">wide</div>";
    bench.write("bad.html", page);
    let task = Task { axe: true, validate: true, ..Task::new(&bench.path("bad.html")) };
    let without_script = Task { script: false, ..Task::new(&bench.path("bad.html")) };
    let Some(opened) = open(&[task, without_script]) else { return };
    let bad = &opened[0];
    assert!(bad.console.iter().any(|line| line.contains("complaint")), "{:?}", bad.console);
    assert!(bad.requests.iter().any(|url| url.contains("provider.example")), "{:?}", bad.requests);
    assert!(bad.overflows);
    for rule in ["color-contrast", "image-alt", "html-has-lang", "region"] {
        assert!(bad.axe.iter().any(|found| found.starts_with(rule)), "{rule}: {:?}", bad.axe);
    }
    assert!(bad.validate.iter().any(|found| found.starts_with("no-inline-style")), "{:?}", bad.validate);
    assert!(!opened[1].console.iter().any(|line| line.contains("complaint")), "the script ran");
}
