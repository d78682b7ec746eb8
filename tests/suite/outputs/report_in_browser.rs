//! The report in a browser: no errors, no requests, a mark for every value, and the numbers of
//! summary.json. The tests need headless Chromium. Without it they fail in CI, and elsewhere they
//! are skipped with a message.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::Value;

use crate::house::readme::sample_run;
use crate::support::{Bench, cell, id, read_csv, skip};

/// Hosts that the browser itself contacts on every page.
const BROWSER_HOSTS: [&str; 3] = [".google.com", ".googleapis.com", ".gvt1.com"];

/// A page as the browser opened it.
struct Opened {
    dom: String,
    /// Messages on the page's console.
    console: Vec<String>,
    /// The first line of every request, except the browser's own.
    requests: Vec<String>,
}

fn chromium() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let found = std::env::split_paths(&path).flat_map(|folder| names.map(|name| folder.join(name)));
    let found = found.into_iter().find(|path| path.is_file());
    if found.is_none() {
        skip("there is no Chromium on this machine");
    }
    found
}

/// Opens a page behind a proxy that records all requests. `None` without a browser.
fn open(page: &Path) -> Option<Opened> {
    let browser = chromium()?;
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = proxy.local_addr().unwrap();
    let requests = Arc::new(Mutex::new(Vec::new()));
    let record = requests.clone();
    std::thread::spawn(move || {
        for stream in proxy.incoming() {
            let mut line = String::new();
            let _ = BufReader::new(stream.unwrap()).read_line(&mut line);
            // A browser may open a connection in advance and close it without a request.
            if !line.is_empty() && !BROWSER_HOSTS.iter().any(|maker| line.contains(maker)) {
                record.lock().unwrap().push(line);
            }
        }
    });
    let home = tempfile::TempDir::new().unwrap();
    let output = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"])
        .args([
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--no-first-run",
        ])
        .args(["--enable-logging=stderr", "--virtual-time-budget=5000", "--proxy-bypass-list=<-loopback>"])
        .arg(format!("--proxy-server=http://{address}"))
        .arg(format!("--user-data-dir={}", home.path().display()))
        .arg("--dump-dom")
        .arg(format!("file://{}", page.display()))
        .env("HOME", home.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success());
    let stderr = String::from_utf8_lossy(&output.stderr);
    let console = stderr.lines().filter(|line| line.contains("CONSOLE")).map(str::to_owned).collect();
    let dom = String::from_utf8(output.stdout).unwrap();
    let requests = requests.lock().unwrap().clone();
    Some(Opened { dom, console, requests })
}

/// The texts between each `from` and the next `to`.
fn between<'a>(text: &'a str, from: &'a str, to: &'a str) -> impl Iterator<Item = &'a str> {
    text.split(from).skip(1).map(move |rest| rest.split_once(to).map_or(rest, |(inner, _)| inner))
}

/// Every number that the page took from the summary: path, value and shown text.
fn numbers(dom: &str) -> Vec<(&str, &str, &str)> {
    let parts = |inner| {
        let (attributes, shown): (&str, &str) = str::split_once(inner, '>').unwrap();
        (
            between(attributes, "data-at=\"", "\"").next().unwrap(),
            between(attributes, "value=\"", "\"").next().unwrap(),
            shown,
        )
    };
    between(dom, "<data ", "</data>").map(parts).collect()
}

fn summary(bench: &Bench) -> Value {
    bench.summary_at("out/details.summary.json").0
}

#[track_caller]
fn assert_sound(opened: &Opened) {
    assert_eq!(opened.console, Vec::<String>::new());
    assert_eq!(opened.requests, Vec::<String>::new(), "the page loaded something");
    assert!(opened.dom.contains("</html>"));
}

/// Asserts the number of charts, that each has drawn values, and that each has a title.
#[track_caller]
fn assert_marks(dom: &str, charts: usize) {
    let drawn: Vec<usize> = between(dom, "<svg class=\"chart\"", "</svg>")
        .map(|svg| svg.matches("\"#2F6F9F\"").count())
        .collect();
    assert_eq!(drawn.len(), charts);
    assert!(drawn.iter().all(|marks| *marks > 0), "a chart has no marks: {drawn:?}");
    let named = |svg: &str| svg.contains("<title>") && svg.contains("<desc>") && svg.contains("role=\"img\"");
    assert!(between(dom, "<svg class=\"chart\"", "</svg>").all(named));
}

#[track_caller]
fn assert_numbers(dom: &str, summary: &Value) {
    let numbers = numbers(dom);
    assert!(numbers.len() > 100, "only {} numbers", numbers.len());
    for (place, value, shown) in &numbers {
        let number = summary.pointer(place).unwrap_or_else(|| panic!("summary.json has nothing at {place}"));
        assert_eq!(number.to_string(), *value, "{place}");
        // An age is shown in words: tonight, 1 night, 2 nights.
        if !place.ends_with("/nights") {
            assert_eq!(shown.replace(',', "").trim_start_matches('+'), *value, "{place}");
        }
    }
    // Every cell with a number comes from the summary, except single discrepancies, which come from
    // the file.
    let (before, rest) = dom.split_once("<table class=\"stack largest\">").unwrap();
    let others = format!("{before}{}", rest.split_once("</table>").unwrap().1);
    for inner in between(&others, "<td class=\"n", "</td>") {
        assert!(
            inner.contains("<data ") || inner.starts_with(" hour"),
            "a number that is not from the summary: {inner}"
        );
    }
    for line in summary["tie_out"].as_array().unwrap() {
        let text = line["numbers"].as_str().unwrap().replace('<', "&lt;");
        assert!(dom.contains(&text), "{text}");
    }
}

/// Asserts that the single discrepancies are those of the file.
#[track_caller]
fn assert_largest(dom: &str, bench: &Bench) {
    let table = between(dom, "<table class=\"stack largest\">", "</table>").next().unwrap();
    let file = read_csv(&bench.path("out/details.discrepancies.csv"));
    let mut rows = 0;
    for row in between(table, "<tr><td", "</tr>") {
        let without_tags =
            |cell: &str| between(&format!(">{cell}"), ">", "<").collect::<String>().trim().to_owned();
        let cells: Vec<String> = row
            .split("</td>")
            .map(|cell| without_tags(cell.split_once('>').map_or("", |(_, text)| text)))
            .collect();
        let is_in_file = file.iter().any(|row| {
            let what = format!("{} {}", cell(row, "kind"), cell(row, "field"));
            [cell(row, "ledger_line"), what.trim(), cell(row, "delta")]
                == [&*cells[0], &*cells[2], &*cells[5]]
        });
        assert!(is_in_file, "{cells:?} is in no row of the file");
        rows += 1;
    }
    assert_eq!(rows, file.len().min(100));
}

#[test]
fn the_report_loads_nothing_and_shows_the_summarys_numbers() {
    let bench = sample_run();
    let Some(opened) = open(&bench.path("out/details.report.html")) else { return };
    assert_sound(&opened);
    assert_marks(&opened.dom, 5);
    assert_numbers(&opened.dom, &summary(&bench));
    assert_largest(&opened.dom, &bench);
}

#[test]
fn the_chinese_report_passes_the_same_checks() {
    let bench = sample_run();
    bench.run(&["--sandbox", "--out", "out/details.parquet", "--lang", "zh"]).exits(0);
    let Some(opened) = open(&bench.path("out/details.report.html")) else { return };
    assert_sound(&opened);
    assert!(opened.dom.contains("台账与服务商对比"));
    // Only open calls were asked for again, at the first attempt: there are no retries to show.
    assert_marks(&opened.dom, 4);
    assert_numbers(&opened.dom, &summary(&bench));
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
    assert!(page.contains("data-at=\"/discrepancies_total\">200,000</data>"));
    assert!(page.contains("details.discrepancies.csv"));
    let largest = between(&page, "<table class=\"stack largest\">", "</table>").next().unwrap();
    let lines: Vec<&str> = between(largest, "data-label=\"line\">", "<").collect();
    let expected: Vec<String> = (0..100).map(|i| (i * 1_000 + 999 + 2).to_string()).collect();
    assert_eq!(lines, expected, "the first hundred of those with the most seconds at stake");
}

#[test]
fn the_checks_notice_requests_and_console_errors() {
    let bench = sample_run();
    let page = "<script>console.error('complaint')</script><img src=\"http://provider.example/pixel.png\">";
    bench.write("bad.html", page);
    let Some(opened) = open(&bench.path("bad.html")) else { return };
    assert!(opened.console.iter().any(|line| line.contains("complaint")), "{:?}", opened.console);
    assert!(opened.requests.iter().any(|line| line.contains("provider.example")), "{:?}", opened.requests);
}
