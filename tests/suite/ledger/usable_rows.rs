//! Ledgers with too few usable rows: nothing is sent, and the old outputs stay.

use crate::support::{Bench, column, id, ledger};

/// A ledger with usable and unusable rows. The unusable ones come last.
fn mixed(usable: usize, unusable: usize) -> String {
    let rows: String = (0..unusable).map(|i| format!("{},1.1E+13,2024-05-26\n", id(usable + i))).collect();
    ledger(usable) + &rows
}

/// Asserts that this ledger ends the run with exit 2, and that nothing is sent or written.
#[track_caller]
fn assert_refused(bench: &Bench, ledger: &str, options: &[&str], words: &str) {
    let (seen, before) = (bench.provider.seen(), bench.output_bytes());
    bench.write("calls.csv", ledger);
    let run = bench.run(&[options, &["-q"]].concat()).exits(2).says(words).says("Nothing was sent (exit 2).");
    assert_eq!((bench.provider.seen(), bench.output_bytes()), (seen, before));
    let plan = bench.run(&[&["plan"], options].concat()).exits(2);
    // A quiet run says the same in one line.
    assert_eq!(plan.stderr.replace("\n  ", "; "), run.stderr);
}

#[test]
fn a_ledger_without_a_usable_row_ends_with_exit_2() {
    let bench = Bench::new(&ledger(2));
    bench.run(&[]).exits(0);
    let words = "none of the 3 rows of calls.csv can be used: prod_id: a spreadsheet changed this number to \
                 scientific notation and dropped digits (3 rows, first: line 2)";
    assert_refused(&bench, &mixed(0, 3), &[], words);
    assert_refused(
        &bench,
        &mixed(0, 1),
        &["--max-unusable", "100%"],
        "the only row of calls.csv cannot be used",
    );
    assert_refused(&bench, &mixed(0, 1), &["--allow-empty"], "the only row");
    let no_product = "call_id,产品,called_at\n1^1,保险,2024-05-26\n";
    assert_refused(
        &bench,
        no_product,
        &["--prod-id", "ivr"],
        "if column `产品` does not hold the provider's products",
    );
    let no_day = format!("call_id,prod_id\n{},11000000300006\n", id(0));
    assert_refused(&bench, &no_day, &[], "set the day of such rows with --call-date");
}

#[test]
fn a_ledger_without_rows_ends_with_exit_2_unless_allowed() {
    let bench = Bench::new(&ledger(2));
    bench.run(&["--metrics-file", "run.prom"]).exits(0);
    let last_success = || {
        let text = std::fs::read_to_string(bench.path("run.prom")).unwrap();
        text.lines().find(|line| line.starts_with("reconcile_last_success")).unwrap().to_owned()
    };
    let success = last_success();
    for text in [
        "call_id,prod_id,called_at\n",
        "call_id,prod_id,called_at\n\n,,\n",
        "call_id,prod_id,called_at\ncall_id,prod_id,called_at\n",
    ] {
        assert_refused(
            &bench,
            text,
            &["--metrics-file", "run.prom"],
            "calls.csv has no row below its header row",
        );
        assert_eq!(last_success(), success);
    }
    let run = bench.run(&["--allow-empty", "--metrics-file", "run.prom"]).exits(0);
    run.says("0 calls");
    assert_eq!(bench.summary().number("rows"), 0);
}

#[test]
fn more_than_10_unusable_rows_and_5_percent_end_with_exit_2() {
    let bench = Bench::new(&mixed(10, 10));
    bench.run(&[]).exits(0);
    bench.write("calls.csv", &mixed(209, 11));
    bench.run(&[]).exits(0);
    let words =
        "11 of 219 rows of calls.csv cannot be used, more than 10 rows and 5 %: prod_id: a spreadsheet";
    assert_refused(&bench, &mixed(208, 11), &[], words);
}

#[test]
fn max_unusable_is_a_number_or_a_percentage() {
    let bench = Bench::new(&mixed(18, 2));
    for most in ["2", "10%"] {
        bench.run(&["--max-unusable", most]).exits(0);
    }
    for (most, words) in [("1", "more than 1 row:"), ("0", "more than 0 rows:"), ("9.9%", "more than 9.9 %:")]
    {
        assert_refused(&bench, &mixed(18, 2), &["--max-unusable", most], words);
    }
    bench.run(&["--max-unusable", "many"]).exits(2).says("needs a number of rows or a percentage");
    for (name, text) in [("number", "max-unusable = 1\n"), ("share", "max-unusable = \"5%\"\n")] {
        bench.write("job.toml", text);
        bench.run(&["--config", "job.toml"]).exits(2).says("more than").says(if name == "share" {
            "5 %"
        } else {
            "1 row:"
        });
    }
    let mut command = bench.command(&[]);
    command.env("RECONCILE_MAX_UNUSABLE", "1");
    bench.start_command(command).wait().exits(2).says("more than 1 row:");
}

#[test]
fn the_three_most_frequent_reasons_are_named() {
    let rows = ["x,1.1E+13,2024-05-26", "y,7,soon", "z,7,soon", "=a,7,2024-05-26", "b,7,2024-05-26,c"];
    let text = format!("{}{}\n", ledger(20), rows.join("\n"));
    let bench = Bench::new(&text);
    let run = bench.run(&[]).exits(0);
    let reasons = "The most frequent reasons: called_at: not a time (2 rows, first: line 23); prod_id: a spreadsheet \
                   changed this number to scientific notation and dropped digits (1 row, line 22); call_id: the \
                   CallId contains quotes or a spreadsheet formula (1 row, line 25); 1 more reason";
    run.says("5 rows cannot be used; details.rejects.csv lists them for correction").says(reasons);
    bench.run(&["--mask-phones", "partial"]).exits(0).says(reasons);
}

#[test]
fn rejects_have_their_reason_and_are_read_again() {
    let bench = Bench::new(&format!("{}{},11000000300006,soon\n{},7\n", ledger(2), id(2), id(3)));
    bench.run(&[]).exits(0);
    let read = || std::fs::read_to_string(bench.path("details.rejects.csv")).unwrap();
    let rejects = read();
    let lines: Vec<&str> = rejects.lines().collect();
    assert_eq!(lines[0], "call_id,prod_id,called_at,reconcile_reason");
    assert!(lines[1].starts_with(&format!("{},11000000300006,soon,\"not a time; write", id(2))), "{rejects}");
    assert!(lines[2].starts_with(&format!("{},7,\"the row has 2 fields", id(3))), "{rejects}");

    // One row is corrected. The other one gets a new reason in place of the old one.
    bench.write("corrected.csv", &rejects.replace("soon", "2024-05-26"));
    bench.run(&["--input", "corrected.csv", "--out", "c.parquet"]).exits(0);
    let details = crate::support::read_parquet(&bench.path("c.parquet"));
    assert_eq!(column(&details, "call_id"), [id(2)]);
    assert!(!details[0].contains_key("ledger_reconcile_reason"), "{details:?}");
    let again = std::fs::read_to_string(bench.path("c.rejects.csv")).unwrap();
    assert_eq!(again.lines().next(), Some("call_id,prod_id,called_at,reconcile_reason"));
    assert_eq!(again.matches("the row has").count(), 1, "{again}");
}
