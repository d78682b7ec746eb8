//! Accounts whose key is refused: the others go on.

use std::time::Duration;

use super::{Company, in_turn, number};
use crate::support::{cell, column};

#[test]
fn a_refused_account_does_not_stop_the_others() {
    let refused = |i| if i == 1 { ", inactive = true" } else { "" };
    let company = Company::with_keys(&in_turn(3, 40), 3, "1000/s", "rate = \"1000/s\"", refused);
    company
        .run(&[])
        .exits(4)
        .says("the account team-01 was stopped: the provider refused with InvalidAccessKeyId.Inactive");
    let details = company.bench.details();
    for row in &details {
        let wanted = if cell(row, "account") == "team-01" { "deferred" } else { "found" };
        assert!([wanted, "not_found"].contains(&cell(row, "status")), "{row:?}");
    }
    let deferred = column(&details, "status").into_iter().filter(|status| *status == "deferred").count();
    assert_eq!(deferred, 40);
    let accounts = company.accounts();
    assert_eq!((number(&accounts[1], "deferred"), number(&accounts[0], "deferred")), (40, 0));
    let because = accounts[1]["stopped_because"].as_str().unwrap();
    assert_eq!(because, "the provider refused with InvalidAccessKeyId.Inactive");
    assert!(accounts[0].get("stopped_because").is_none());
    assert!(!company.bench.summary().complete());

    // The same command asks only for the calls of the refused account, so all that is asked is
    // refused. The outputs stay.
    let outputs = company.bench.output_bytes();
    let before = company.server.page("stats")["requests"].as_u64().unwrap();
    let again = company.run(&[]).exits(3).says("40 to ask under 3 accounts");
    assert!(again.stderr.contains("that was asked: team-01: the provider"), "{}", again.stderr);
    assert!(company.server.page("stats")["requests"].as_u64().unwrap() - before <= 3 * 16);
    assert!(company.bench.output_bytes() == outputs);
}

#[test]
fn if_all_accounts_are_refused_the_run_ends_as_with_one() {
    let company = Company::with_keys(&in_turn(2, 20), 2, "1000/s", "", |_| ", inactive = true");
    let run = company.run(&[]).exits(3).says("the provider refuses every account that was asked: team-00: ");
    assert!(
        run.stderr.contains("InvalidAccessKeyId.Inactive") && run.stderr.contains("team-01: "),
        "{}",
        run.stderr
    );
    assert!(!company.bench.path("details.parquet").exists());
}

#[test]
fn an_account_without_calls_does_not_hide_a_refusal() {
    let refused = |i| if i == 0 { ", inactive = true" } else { "" };
    let company = Company::with_keys(&in_turn(1, 20), 2, "1000/s", "", refused);
    company.run(&[]).exits(3).says("the provider refuses every account that was asked: team-00");
}

#[test]
fn an_unreachable_provider_stops_all_accounts() {
    let company = Company::new(&in_turn(3, 5), 3, "100/s", "");
    let command = company.command_at(crate::support::provider::DEAD_ENDPOINT, &["--max-duration", "4s"]);
    let run = company.bench.start_command(command).wait();
    // The time limit comes before the 45 s after which an unreachable provider ends the run.
    let run = run.exits(4).says("the maximum duration 4s was reached");
    assert!(!run.stderr.contains("the account"), "{}", run.stderr);
    assert_eq!(company.bench.requests_in_flight(), 0);
    assert!(company.bench.number_in_store("SELECT count(*) FROM request") <= 20);
}

#[test]
fn many_accounts_probe_an_unreachable_provider_20_times() {
    let company = Company::new(&in_turn(25, 2), 25, "100/s", "");
    let command = company.command_at(crate::support::provider::DEAD_ENDPOINT, &[]);
    company.bench.start_command(command).wait_at_most(Duration::from_secs(120)).exits(3).says("refused");
    let sent = company.bench.number_in_store("SELECT count(*) FROM request WHERE code <> 'withdrawn'");
    assert!((11..=20).contains(&sent), "{sent}");
    // All of them ask once the provider answers.
    company.run(&[]).exits(0);
    assert_eq!(company.bench.summary().number("deferred"), 0);
}

/// A certificate that nobody trusts is a refusal, too: it ends each account after its second time.
#[test]
fn an_untrusted_certificate_ends_the_run() {
    let company = Company::new(&in_turn(3, 5), 3, "100/s", "");
    let front = crate::support::tls::Front::tls(company.bench.provider.port());
    let command = company.command_at(&format!("https://localhost:{}", front.port), &[]);
    company.bench.start_command(command).wait().exits(3).says("certificate");
}
