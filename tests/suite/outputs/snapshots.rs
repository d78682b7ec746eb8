//! Texts that users see, word for word: help, manual page, configuration and report. After an
//! intended change, `INSTA_UPDATE=always cargo test` rewrites the snapshots.

use crate::support::snapshot::shows;
use crate::support::{Bench, ledger};

#[test]
fn the_help_matches_its_snapshot() {
    for (name, arguments) in [
        ("help", &["-h"][..]),
        ("help_long", &["--help"]),
        ("help_sandbox", &["sandbox", "-h"]),
        ("help_whoami", &["whoami", "-h"]),
    ] {
        shows(name, &Bench::new(&ledger(0)).bare(arguments));
    }
}

#[test]
fn the_manual_page_matches_its_snapshot() {
    shows("man", &Bench::new(&ledger(0)).bare(&["man"]));
}

#[test]
fn the_configuration_dump_matches_its_snapshot() {
    let bench = Bench::new(&ledger(0));
    bench.write("r.toml", "rate = \"50/min\"\nmap = [\"caller=From\", \"callee=To\"]\n\nquiet = true\n");
    shows(
        "config",
        &bench.bare(&["config", "--config", "r.toml", "--out", "details.parquet", "--exit-code"]),
    );
}

#[test]
fn the_sample_report_matches_its_snapshot() {
    let bench = crate::house::readme::sample_run();
    let page = std::fs::read_to_string(bench.path("out/details.report.html")).unwrap();
    let summary = bench.summary_at("out/details.summary.json").0;
    let first_seen = summary["open_items"]["by_age"][0]["first_seen"].as_str().unwrap();
    let page = page.replace(summary["run_id"].as_str().unwrap(), "[run]").replace(first_seen, "[tonight]");
    // Lines with date, duration or digests are left out, and so are the script's data. Script and
    // style sheet are files of their own.
    let without = |page: &str, start: &str, end: &str| {
        let (before, rest) = page.split_once(start).unwrap();
        format!("{before}{start}{}", &rest[rest.find(end).unwrap()..])
    };
    let page = without(&page, "<style>", "</style>");
    let page = without(&page, "id=\"data\">", "</script>");
    let page = without(&page, "<script>", "</script>");
    let varying =
        [" UTC+8 · reconcile ", "/elapsed_s", "Content-Security-Policy", "/files/", "<td class=\"n own\">"];
    let lines = page.lines().filter(|line| !varying.iter().any(|text| line.contains(text)));
    shows("report", &lines.collect::<Vec<_>>().join("\n"));
}
