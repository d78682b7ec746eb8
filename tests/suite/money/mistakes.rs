//! Mistakes in tariffs and bills: they are named before anything is sent.

use super::{CALLS, bench};
use crate::support::Bench;

/// Asserts that a run with these options ends at once with exit 2 and these words.
#[track_caller]
fn refused(bench: &Bench, options: &[&str], words: &[&str]) {
    let run = bench.run(options).exits(2);
    let run = words.iter().fold(run, |run, words| run.says(words));
    drop(run);
    assert_eq!(bench.provider.seen(), 0, "nothing may be sent");
    assert!(!bench.path("details.parquet").exists());
}

#[test]
fn a_wrong_tariff_is_named_with_its_line() {
    let bench = bench(&CALLS);
    bench.write(
        "money.toml",
        "rate = \"9/min\"\n\n[tariff.\"voice-notification\"]\nfirst = 60\nnext = 60\nprice = 0.055\n",
    );
    let words = [
        "money.toml:6:",
        "tariff.\"voice-notification\".price needs a decimal number in quotes",
        "price = \"0.055\"",
    ];
    refused(&bench, &["--config", "money.toml"], &words);
    bench.write("money.toml", "[tariff.voice]\nfirst = 60\n");
    refused(
        &bench,
        &["--config", "money.toml"],
        &["money.toml:1:", "no product `voice`", "voice-notification"],
    );
}

#[test]
fn a_wrong_bill_is_named_with_its_line() {
    let bench = bench(&CALLS);
    let options = ["--bill", "bill.csv"];
    for (text, words) in [
        ("BillingDate,BillingItem\n", "lacks the column PretaxAmount"),
        ("BillingCycle,BillingItem,PretaxAmount\n", "lacks the column BillingDate or UsageStartTime"),
        ("BillingDate,BillingItem,PretaxAmount,pretax_amount\n", "two columns PretaxAmount"),
        (
            "BillingDate,BillingItem,PretaxAmount\n2024-05-26,x,\"1,000\"\n",
            "line 2 of bill.csv: PretaxAmount",
        ),
        (
            "BillingDate,BillingItem,PretaxAmount\n2024-05-26,x,1\n2024-13-26,x,1\n",
            "line 3 of bill.csv: BillingDate",
        ),
    ] {
        bench.write("bill.csv", text);
        refused(&bench, &options, &[words]);
    }
    refused(&bench, &["--bill", "none.csv"], &["the bill none.csv cannot be opened"]);
    let plan = bench.run(&["plan", "--bill", "none.csv"]);
    assert_eq!(plan.code, Some(2), "{}", plan.stderr);
}

#[test]
fn an_output_never_replaces_the_bill() {
    let bench = bench(&CALLS);
    bench.write("bill.csv", "BillingDate,BillingItem,PretaxAmount\n");
    refused(&bench, &["--bill", "bill.csv", "--discrepancies", "bill.csv"], &["the bill", "same file"]);
}

#[test]
fn config_prints_the_tables_so_that_they_read_back() {
    let bench = bench(&CALLS);
    let printed = bench.bare(&["config", "--config", "money.toml", "-i", "calls.csv", "-o", "d.parquet"]);
    assert!(
        printed.contains("[[tariff.\"voice-notification\"]]") && printed.contains("price = \"0.055\""),
        "{printed}"
    );
    bench.write("again.toml", &printed);
    let again = bench.bare(&["config", "--config", "again.toml"]);
    let tables = |text: &str| text.split_once("\n[[tariff").map(|(_, tables)| tables.to_owned());
    assert_eq!(tables(&again), tables(&printed));
    // The table `[bill]` leaves no room for the option: it is a comment.
    let printed = bench.bare(&["config", "--config", "money.toml", "--bill", "bill.csv"]);
    assert!(printed.contains("# bill = \"bill.csv\"") && printed.contains("[bill]\n"), "{printed}");
    bench.write("again.toml", &printed);
    let again = bench.bare(&["config", "--config", "again.toml"]);
    assert_eq!(tables(&again), tables(&printed));
}
