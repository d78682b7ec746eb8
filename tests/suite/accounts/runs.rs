//! Whole runs under several accounts: caps, times, kills, order, and the same outputs as of single
//! runs.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::{Duration, Instant};

use serde_json::json;

use super::{Company, grouped, in_turn, name, number, row};
use crate::support::{Bench, Row, cell, column, read_parquet, wait_until, without_run_columns};

/// The sums over the accounts are the totals of the run.
#[track_caller]
fn assert_sums(company: &Company) {
    let (summary, accounts) = (company.bench.summary(), company.accounts());
    for key in [
        "calls",
        "found",
        "not_found",
        "pending",
        "failed",
        "deferred",
        "clean",
        "with_discrepancies",
        "not_compared",
        "requests",
        "throttled",
    ] {
        let sum: u64 = accounts.iter().map(|account| number(account, key)).sum();
        assert_eq!(sum, summary.number(key), "{key}");
    }
    let discrepancies: u64 = accounts.iter().map(|account| number(account, "discrepancies")).sum();
    assert_eq!(discrepancies + summary.number("invalid"), summary.number("discrepancies_total"));
    for account in &accounts {
        let cap = account["cap"]["requests"].as_u64().unwrap();
        assert!(number(account, "most_in_any_window") <= cap, "{account:#}");
    }
    let tie_out = summary.0["tie_out"].as_array().unwrap().last().unwrap().clone();
    assert!(tie_out["rule"].as_str().unwrap().starts_with("the accounts sum up"), "{tie_out}");
    summary.assert_totals();
}

/// The details without what may differ between runs, and without the account.
fn comparable(rows: Vec<Row>) -> Vec<Row> {
    let rows = rows.into_iter().map(without_run_columns);
    let without_account = |mut row: Row| {
        row.remove("account");
        row.remove("ledger_account");
        row
    };
    rows.map(without_account).collect()
}

#[test]
fn twenty_accounts_work_side_by_side_under_their_caps() {
    const ACCOUNTS: usize = 20;
    const CALLS: usize = 30;
    let company = Company::new(&in_turn(ACCOUNTS, CALLS), ACCOUNTS, "10/s", "rate = \"10/s\"");
    let begin = Instant::now();
    company.run(&[]).exits(0).says("20 accounts (team-00, team-01, team-02, team-03, team-04 and 15 more)");
    let took = begin.elapsed();
    company.assert_caps(10);
    assert_sums(&company);
    let accounts = company.accounts();
    let names: Vec<&str> = accounts.iter().map(|account| account["name"].as_str().unwrap()).collect();
    assert_eq!(names, (0..ACCOUNTS).map(name).collect::<Vec<_>>());
    for account in &accounts {
        assert_eq!((number(account, "calls"), number(account, "requests")), (30, 30), "{account:#}");
    }
    // Each account needs two windows; one after the other, they would need forty seconds.
    assert!(took < Duration::from_secs(20), "{took:?}");
    let stats = company.server.page("stats");
    assert_eq!(stats["requests"].as_u64(), Some((ACCOUNTS * CALLS) as u64));

    // Every call was asked with the key of its account.
    let details = company.bench.details();
    let account_of: BTreeMap<&str, &str> =
        details.iter().map(|row| (cell(row, "call_id"), cell(row, "account"))).collect();
    for request in company.server.page("requests")["requests"].as_array().unwrap() {
        let call = request["call_id"].as_str().unwrap();
        assert_eq!(request["account"].as_str(), Some(account_of[call]), "{call}");
    }
    let verified = company.bench.bare(&["verify-cap", "--store", "reconcile.db", "--json"]);
    let verified: serde_json::Value = serde_json::from_str(&verified).unwrap();
    assert_eq!(verified["held"], true);
    let verified: BTreeSet<&str> =
        verified["sessions"].as_array().unwrap().iter().map(|s| s["account"].as_str().unwrap()).collect();
    assert_eq!(verified.len(), ACCOUNTS);

    // A run without accounts says the same about the same calls.
    let single = Bench::new(&in_turn(ACCOUNTS, CALLS));
    single.run(&["--sandbox", "--store", "reconcile.db"]).exits(0);
    assert_eq!(comparable(details), comparable(single.details()));
    let rows = |bench: &Bench| comparable(bench.discrepancies());
    assert_eq!(rows(&company.bench), rows(&single));
}

#[test]
fn accounts_that_follow_each_other_do_not_wait() {
    // More calls than a queue holds would take too long here; the order of the readings is tested
    // with the queues themselves. 3 accounts need 2 s each.
    let company = Company::new(&grouped(3, 60), 3, "20/s", "rate = \"20/s\"");
    let begin = Instant::now();
    company.run(&["--concurrency", "4"]).exits(0);
    let took = begin.elapsed();
    company.assert_caps(20);
    assert_sums(&company);
    assert!(took < Duration::from_secs(6), "{took:?}");
    let requests = company.server.page("requests");
    let first: BTreeSet<&str> = requests["requests"].as_array().unwrap()[..60]
        .iter()
        .map(|request| request["account"].as_str().unwrap())
        .collect();
    assert_eq!(first.len(), 3, "all accounts work from the start");
}

#[test]
fn killed_accounts_resume_under_their_caps() {
    let company = Company::new(&in_turn(3, 50), 3, "10/s", "rate = \"10/s\"");
    for stored in [25, 60] {
        let run = company.bench.start_command(company.command(&[]));
        wait_until("answers are stored", || {
            company.bench.path("reconcile.db").exists() && answers(&company.bench) >= stored
        });
        assert!(run.kill());
    }
    company.run(&[]).exits(0).says("resuming an unfinished run");
    company.assert_caps(10);
    assert_sums(&company);
    assert_eq!(
        column(&company.bench.details(), "account")[..4],
        ["team-00", "team-01", "team-02", "team-00"]
    );
    // Only what was in flight was asked again.
    let asked = company.server.page("stats")["requests"].as_u64().unwrap();
    assert!((150..150 + 2 * 3 * 16 * 2).contains(&asked), "{asked}");
    let verified = company.bench.run_exactly(&["verify-cap", "--store", "reconcile.db"], &[]);
    assert!(!verified.stdout.contains("BROKEN"), "{}", verified.stdout);
    let single = Bench::new(&in_turn(3, 50));
    single.run(&["--sandbox", "--store", "reconcile.db"]).exits(0);
    assert_eq!(comparable(company.bench.details()), comparable(single.details()));
    assert_eq!(comparable(company.bench.discrepancies()), comparable(single.discrepancies()));
}

fn answers(bench: &Bench) -> i64 {
    let read_only = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
    let store = rusqlite::Connection::open_with_flags(bench.path("reconcile.db"), read_only).unwrap();
    let sql = "SELECT count(*) FROM call WHERE answer IS NOT NULL";
    store.query_row(sql, [], |row| row.get(0)).unwrap_or(0)
}

#[test]
fn duplicates_in_other_accounts_are_named_and_not_asked() {
    let mut ledger = in_turn(2, 2);
    row(&mut ledger, 0, 1);
    row(&mut ledger, 1, 1);
    let company = Company::new(&ledger, 2, "100/s", "");
    company.run(&[]).exits(0);
    assert_eq!(company.server.page("stats")["requests"], 4);
    let rows = company.bench.discrepancies();
    let duplicates: Vec<&Row> = rows.iter().filter(|row| cell(row, "kind") == "duplicate").collect();
    assert_eq!(duplicates.len(), 2);
    assert_eq!((cell(duplicates[0], "field"), cell(duplicates[0], "expected")), ("account", "team-00"));
    assert_eq!((cell(duplicates[0], "actual"), cell(duplicates[0], "account")), ("team-01", "team-01"));
    // The second one differs only in a carried column… which is the same here.
    assert_eq!(cell(duplicates[1], "field"), "");
    assert_sums(&company);
}

#[test]
fn rows_without_a_known_account_are_unusable() {
    let mut ledger = in_turn(2, 3);
    ledger.push_str("5^5,voice-notification,2024-05-26,nobody,1\n6^6,voice-notification,2024-05-26,,2\n");
    let company = Company::new(&ledger, 2, "100/s", "");
    company.run(&[]).exits(0).says("not an account of the accounts file").says("the row has no account");
    let rows = company.bench.discrepancies();
    let invalid: Vec<&Row> = rows.iter().filter(|row| cell(row, "kind") == "invalid_row").collect();
    assert_eq!(
        column(&invalid.iter().map(|row| (*row).clone()).collect::<Vec<_>>(), "field"),
        ["account"; 2]
    );
    assert_eq!((cell(invalid[0], "actual"), cell(invalid[0], "account")), ("nobody", "nobody"));
    assert!(cell(invalid[1], "message").starts_with("the row has no account"), "{:?}", invalid[1]);
    assert_sums(&company);
}

#[test]
fn the_only_account_of_a_file_takes_rows_without_one() {
    let mut ledger = in_turn(1, 2);
    ledger.push_str("5^5,voice-notification,2024-05-26,,1\n");
    let company = Company::new(&ledger, 1, "100/s", "");
    company.run(&[]).exits(0);
    assert_eq!(column(&company.bench.details(), "account"), ["team-00"; 3]);
    assert_eq!(number(&company.accounts()[0], "calls"), 3);
}

#[test]
fn the_account_is_a_column_in_every_format() {
    let company = Company::new(&in_turn(2, 3), 2, "100/s", "");
    company.run(&["--discrepancies", "d.parquet", "--xlsx", "d.xlsx", "--sql"]).exits(0);
    let columns = |path: &str| -> Vec<String> {
        let file = fs::File::open(company.bench.path(path)).unwrap();
        let reader = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
        reader.schema().fields().iter().map(|field| field.name().clone()).collect()
    };
    let details = columns("details.parquet");
    assert_eq!(details[details.len() - 4..], ["raw", "source", "account", "ledger_ticket"]);
    let discrepancies = columns("d.parquet");
    assert_eq!(discrepancies[discrepancies.len() - 3..], ["reason", "account", "ledger_ticket"]);
    assert!(fs::metadata(company.bench.path("d.xlsx")).unwrap().len() > 0);

    company.run(&["--discrepancies", "d.jsonl", "--out", "days", "--partition-by", "call_date"]).exits(0);
    let line = fs::read_to_string(company.bench.path("d.jsonl")).unwrap();
    assert!(line.lines().next().unwrap().contains("\"account\":\"team-00\""), "{line}");
    let mut days = fs::read_dir(company.bench.path("days")).unwrap().map(|day| day.unwrap().path());
    let day = days.find(|path| path.is_dir()).unwrap();
    let file = fs::read_dir(day).unwrap().next().unwrap().unwrap().path();
    assert_eq!(cell(&read_parquet(&file)[1], "account"), "team-01");
    let page = fs::read_to_string(company.bench.path("days.report.html")).unwrap();
    assert!(page.contains("data-at=\"/accounts/1/requests\""), "the page lists the accounts");
    company.run(&["--lang", "zh"]).exits(0);
    let page = fs::read_to_string(company.bench.path("details.report.html")).unwrap();
    assert!(page.contains("<caption>各账号</caption>") && page.contains("2 个账号：6 通通话"), "in Chinese");
}

#[test]
fn without_accounts_the_column_is_carried_through() {
    let bench = Bench::new(&in_turn(2, 2));
    bench.run(&[]).exits(0);
    let details = bench.details();
    assert_eq!(column(&details, "ledger_account"), ["team-00", "team-01", "team-00", "team-01"]);
    assert!(!details[0].contains_key("account") && bench.summary().0.get("accounts").is_none());
}

#[test]
fn a_mapped_account_is_a_column_and_one_key_asks_for_all() {
    let bench = Bench::new(&in_turn(2, 2).replace("account", "云账户"));
    bench.run(&["--map", "account=云账户", "--account", "main"]).exits(0);
    assert_eq!(column(&bench.details(), "account"), ["team-00", "team-01", "team-00", "team-01"]);
    assert!(bench.provider.requests().iter().all(|request| request.param("AccessKeyId") == "testid"));
    let summary = bench.summary();
    let accounts = summary.0["accounts"].as_array().unwrap();
    assert_eq!(
        (accounts.len(), accounts[0]["name"].as_str(), number(&accounts[0], "calls")),
        (1, Some("main"), 4)
    );
    assert_eq!(bench.number_in_store("SELECT count(*) FROM session WHERE account = 'main'"), 1);
}

#[test]
fn the_sandbox_gives_each_account_a_key_and_its_cap() {
    let company = Company::new(&in_turn(2, 30), 2, "100/s", "");
    company.bench.write("caps.toml", "[team-00]\nrate = \"20/s\"\n[team-01]\n");
    let options = ["--sandbox", "--accounts", "caps.toml", "--rate", "30/s"];
    company.bench.run(&options).exits(0);
    let accounts = company.accounts();
    let caps: Vec<u64> = accounts.iter().map(|a| a["cap"]["requests"].as_u64().unwrap()).collect();
    assert_eq!(caps, [20, 30]);
    assert_eq!(accounts.iter().map(|a| number(a, "throttled")).sum::<u64>(), 0);
    let plan = company.bench.command_output(&[&["plan", "--json", "--refresh"], &options[..]].concat());
    let plan: serde_json::Value = serde_json::from_str(&plan).unwrap();
    assert_eq!(plan["accounts"][0]["to_ask"], 30);
    assert_eq!(plan["accounts"][1]["cap"], "30 per second");
    assert_eq!(plan["to_ask"], 60);
}

#[test]
fn a_signal_stops_all_accounts_and_the_same_command_resumes() {
    let company = Company::new(&in_turn(3, 40), 3, "10/s", "rate = \"10/s\"");
    let run = company.bench.start_command(company.command(&[]));
    wait_until("answers are stored", || {
        company.bench.path("reconcile.db").exists() && answers(&company.bench) >= 20
    });
    run.signal("TERM");
    run.wait().exits(4).says("stopped by SIGTERM");
    assert!(company.accounts().iter().all(|account| account.get("stopped_because").is_none()));
    assert_sums(&company);
    company.run(&[]).exits(0);
    company.assert_caps(10);
    assert_eq!(company.server.page("stats")["requests"], 120);
    let found = company.bench.comparable_outputs();
    // Offline, nobody is asked, and no profile is needed.
    company.bench.write("accounts.toml", "[team-00]\n[team-01]\n[team-02]\n");
    company.run(&["--offline"]).exits(0);
    assert_eq!(company.bench.comparable_outputs(), found);
    assert_sums(&company);
}

#[test]
fn if_time_is_short_the_oldest_of_each_account_come_first() {
    let mut ledger = super::HEADER.to_owned();
    for at in 0..2 * 96 {
        let hour = 23 - at / 2 / 4;
        let line = format!(
            "{},voice-notification,2024-05-26 {hour:02}:00:00,{},x\n",
            crate::support::id(at),
            name(at % 2)
        );
        ledger.push_str(&line);
    }
    let company = Company::new(&ledger, 2, "10/s", "rate = \"10/s\"");
    company.run(&["--max-duration", "4s"]).exits(4).says("the oldest calls are asked first");
    let details = company.bench.details();
    for account in [name(0), name(1)] {
        let hours = |deferred: bool| -> Vec<u32> {
            let of_account = details.iter().enumerate().filter(|(_, row)| cell(row, "account") == account);
            let rows = of_account.filter(|(_, row)| (cell(row, "status") == "deferred") == deferred);
            rows.map(|(at, _)| 23 - u32::try_from(at / 2 / 4).unwrap()).collect()
        };
        let (asked, deferred) = (hours(false), hours(true));
        assert!(asked.len() >= 10 && deferred.len() >= 10, "{account}: {} asked", asked.len());
        // A group of hours may be begun; groups are of an eighth of the calls.
        let newest_asked = asked.iter().max().unwrap();
        let oldest_deferred = deferred.iter().min().unwrap();
        assert!(oldest_deferred + 4 >= *newest_asked, "{account}: {asked:?} before {deferred:?}");
    }
    company.assert_caps(10);
}

#[test]
fn a_masked_run_keeps_the_names_of_accounts() {
    let company = Company::new(&in_turn(2, 3), 2, "100/s", "");
    company.run(&["--mask-phones", "partial"]).exits(0);
    assert_eq!(column(&company.bench.details(), "account")[..2], ["team-00", "team-01"]);
}

#[test]
fn an_earlier_run_without_accounts_counts_for_every_account() {
    let company = Company::new(&in_turn(2, 10), 2, "10/2s", "rate = \"10/2s\"");
    // One key asks for ten calls. The next run under two accounts begins within the same window.
    let url = company.server.url();
    let mut first = in_turn(1, 10);
    first = first.replace("account", "team");
    company.bench.write("first.csv", &first);
    let options = ["--input", "first.csv", "--profile", "team-00", "--endpoint", &url, "--rate", "10/2s"];
    crate::support::keys::run(&company.bench, &options, &[]).exits(0);
    company.run(&[]).exits(0);
    company.assert_caps(10);
    let verified = company.bench.bare(&["verify-cap", "--store", "reconcile.db"]);
    assert!(verified.contains("kept in every window"), "{verified}");
}

#[test]
fn a_call_is_asked_only_under_the_account_of_tonight() {
    let company = Company::new(&grouped(2, 3), 2, "100/s", "");
    // Last night all calls were under the second account, and none was asked.
    let text = fs::read_to_string(company.bench.path("calls.csv")).unwrap();
    let yesterday = (chrono::Utc::now() - chrono::TimeDelta::days(1)).format("%Y-%m-%d").to_string();
    let text = text.replace("2024-05-26", &yesterday);
    company.bench.write("calls.csv", &text.replace("team-00", "team-01"));
    company.run(&["--offline"]).exits(4);
    company.bench.write("tonight.csv", &text.replace("team-01", "team-00"));
    let options = ["--input", "tonight.csv"];
    let plan = company.command(&[&["plan"][..], &options].concat()).output().unwrap();
    let plan = String::from_utf8(plan.stdout).unwrap();
    assert!(!plan.contains("open call"), "{plan}");
    company.run(&options);
    let stats = company.server.page("stats");
    assert_eq!(stats["most_by_account"], json!({"team-00": 6}), "{stats:#}");
    assert_eq!(company.accounts().iter().map(|account| number(account, "requests")).sum::<u64>(), 6);
}
