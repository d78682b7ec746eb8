//! Kills, signals and second runs. The outputs are compared with those of an uninterrupted run.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::support::provider::{Provider, Reply, detail, talk_seconds};
use crate::support::{Bench, column, id, ledger, wait_until};

const CALLS: usize = 60;
pub const CONCURRENCY: usize = 4;
/// Requests that a kill may repeat: those at the provider, and those whose answer is not on disk.
pub const IN_FLIGHT: usize = 2 * CONCURRENCY;

/// A ledger with matching, wrong, duplicate and unusable rows, and a carried column.
pub fn varied() -> String {
    let mut text = String::from("call_id,prod_id,called_at,duration_s,answered,branch\n");
    for i in 0..CALLS {
        let right = talk_seconds(&id(i));
        let expected = if i % 7 == 0 { right + 3 } else { right };
        text.push_str(&format!("{},11000000300006,2024-05-26,{expected},yes,branch {}\n", id(i), i % 3));
        if i % 20 == 5 {
            text.push_str(&format!("{},11000000300006,2024-05-26,{},no,again\n", id(i), right + 1));
        }
    }
    text + "116014888060^1,1.1E+13,2024-05-26,1,yes,spoilt\n,11000000300006,2024-05-26,1,yes,nameless\n"
}

/// Scripts replies that depend on the call alone, some of them unusual.
pub fn script(provider: &Provider, pause: Duration) {
    provider.by_default(Reply::record().after(pause));
    provider.script(&id(10), vec![Reply::without_data(); 100]);
    provider.script(&id(11), vec![Reply::data("{“callId”:“curly”}"); 100]);
    provider.script(&id(12), vec![Reply::code(400, "InvalidParameters", "No such thing."); 100]);
    let mut strange = detail(&id(13));
    strange["state"] = "299999".into();
    provider.script(&id(13), vec![Reply::ok(&strange); 100]);
}

/// A finished run over the varied ledger.
fn uninterrupted() -> Bench {
    let bench = Bench::new(&varied());
    script(&bench.provider, Duration::ZERO);
    bench.run(&[]).exits(0);
    assert_eq!(bench.provider.seen(), CALLS);
    bench
}

fn asked_twice(provider: &Provider) -> usize {
    let requests = provider.requests();
    let distinct: BTreeSet<_> = requests.iter().map(|r| (r.call_id(), r.param("QueryDate"))).collect();
    requests.len() - distinct.len()
}

#[test]
fn a_resumed_run_gives_the_outputs_of_an_unkilled_run() {
    let expected = uninterrupted().comparable_outputs();
    for moment in [1, 23, 40] {
        let bench = Bench::new(&varied());
        script(&bench.provider, Duration::from_millis(25));
        let run = bench.start(&["--concurrency", "4"]);
        bench.provider.wait_for(moment);
        run.kill();
        assert!(bench.output_bytes().iter().all(Option::is_none), "half a run leaves no outputs");

        bench.run(&["--concurrency", "4"]).exits(0);
        assert_eq!(bench.comparable_outputs(), expected, "killed at request {moment}");
        let twice = asked_twice(&bench.provider);
        assert!(twice <= IN_FLIGHT, "{twice} calls were asked for twice");
        bench.provider.assert_own_nonces();
        let summary = bench.summary();
        assert!(summary.complete());
        summary.assert_totals();
    }
}

#[test]
fn a_run_killed_four_times_gives_the_same_outputs() {
    let expected = uninterrupted().comparable_outputs();
    let bench = Bench::new(&varied());
    script(&bench.provider, Duration::from_millis(25));
    let mut kills = 0;
    for more in [2, 9, 14, 6] {
        let seen = bench.provider.seen();
        let run = bench.start(&["--concurrency", "4"]);
        bench.provider.wait_for(seen + more);
        run.kill();
        kills += 1;
    }
    bench.run(&["--concurrency", "4"]).exits(0);
    assert_eq!(bench.comparable_outputs(), expected);
    // Every run may ask again for the call with malformed Data.
    let twice = asked_twice(&bench.provider);
    assert!(twice <= kills * (IN_FLIGHT + 1), "{twice} requests were repeats");
}

#[test]
fn a_kill_leaves_the_previous_outputs_unchanged() {
    let bench = Bench::new(&ledger(5));
    bench.run(&[]).exits(0);
    let old = bench.output_bytes();
    bench.write("calls.csv", &ledger(40));
    bench.provider.by_default(Reply::record().after(Duration::from_millis(25)));
    let run = bench.start(&["--concurrency", "2"]);
    bench.provider.wait_for(15);
    run.kill();
    assert_eq!(bench.output_bytes(), old);
}

#[test]
fn a_signal_writes_outputs_marked_incomplete() {
    let bench = Bench::new(&ledger(CALLS));
    bench.provider.by_default(Reply::record().after(Duration::from_millis(40)));
    let options = ["--concurrency", "4"];
    let run = bench.start(&options);
    bench.provider.wait_for(12);
    run.signal("TERM");
    run.wait().exits(4).says(&bench.arguments(&options).join(" "));

    let details = bench.details();
    assert_eq!(details.len(), CALLS);
    let statuses: BTreeSet<&str> = column(&details, "status").into_iter().collect();
    assert_eq!(statuses.into_iter().collect::<Vec<_>>(), ["deferred", "found"]);
    let summary = bench.summary();
    assert!(!summary.complete());
    assert!(summary.number("deferred") > 0);
    summary.assert_totals();
    let report = std::fs::read_to_string(bench.path("details.report.html")).unwrap();
    assert!(report.to_lowercase().contains("incomplete"));

    bench.run(&options).exits(0);
    assert_eq!(column(&bench.details(), "status"), ["found"; CALLS]);
    assert!(bench.summary().complete());
    // The run waited for its requests in flight, so no call is asked for twice.
    assert_eq!(bench.provider.seen(), CALLS);
}

#[test]
fn a_second_signal_ends_the_run_at_once_and_loses_nothing() {
    let bench = Bench::new(&ledger(CALLS));
    bench.provider.script(&id(8), [Reply::record().after(Duration::from_secs(8))]);
    let run = bench.start(&["--concurrency", "4"]);
    bench.provider.wait_for(30);
    run.signal("INT");
    wait_until("only the slow reply is awaited and no request follows", || {
        let seen = bench.provider.seen();
        std::thread::sleep(Duration::from_millis(50));
        bench.provider.seen() == seen && bench.requests_in_flight() == 1
    });
    let begin = std::time::Instant::now();
    run.signal("INT");
    run.wait().exits(130).says("ended at once").says("all answers are stored");
    assert!(begin.elapsed() < Duration::from_secs(4), "it did not wait for the reply");
    assert!(bench.output_bytes().iter().all(Option::is_none));

    bench.run(&["--concurrency", "4"]).exits(0);
    assert_eq!(column(&bench.details(), "status"), ["found"; CALLS]);
    assert_eq!(asked_twice(&bench.provider), 1, "only the request in flight is repeated");
}

#[test]
fn a_second_run_gives_the_same_outputs() {
    let bench = uninterrupted();
    let first = bench.comparable_outputs();
    let seen = bench.provider.seen();
    bench.run(&[]).exits(0);
    let mut again: Vec<String> =
        bench.provider.requests().split_off(seen).iter().map(|r| r.call_id().to_owned()).collect();
    again.sort();
    assert_eq!(again, [id(10), id(11)], "only the calls without a lasting answer are asked for again");
    assert_eq!(bench.comparable_outputs(), first);
}

#[test]
fn a_final_answer_is_taken_from_the_store() {
    let bench = Bench::new(&ledger(8));
    bench.run(&[]).exits(0);
    bench.run(&[]).exits(0);
    assert_eq!(bench.provider.seen(), 8);
    let summary = bench.summary();
    assert_eq!(summary.number("from_store"), 8);
    assert_eq!(summary.number("requests"), 0);
    summary.assert_totals();
}

#[test]
fn a_longer_ledger_asks_only_for_new_calls() {
    let bench = Bench::new(&ledger(8));
    bench.run(&[]).exits(0);
    bench.write("calls.csv", &ledger(11));
    bench.run(&[]).exits(0);
    assert_eq!(bench.provider.seen(), 11);
    assert_eq!(bench.summary().number("from_store"), 8);
}

#[test]
fn refresh_asks_for_every_call_again() {
    let bench = Bench::new(&ledger(4));
    bench.run(&[]).exits(0);
    bench.run(&["--refresh"]).exits(0);
    assert_eq!(bench.provider.seen(), 8);
    assert_eq!(column(&bench.details(), "status"), ["found"; 4]);
}

#[test]
fn a_call_without_a_final_state_is_asked_for_again() {
    let bench = Bench::new(&ledger(1));
    let mut talking = detail(&id(0));
    talking["state"] = "200103".into();
    talking["endDate"] = "".into();
    bench.provider.script(&id(0), [Reply::ok(&talking)]);
    bench.run(&[]).exits(0);
    assert_eq!(column(&bench.details(), "status"), ["pending"]);
    assert_eq!(column(&bench.discrepancies(), "kind"), ["pending"]);
    bench.run(&[]).exits(0);
    assert_eq!(column(&bench.details(), "status"), ["found"]);
    assert_eq!(bench.provider.seen(), 2);
}

#[test]
fn offline_defers_calls_that_are_not_stored() {
    let bench = Bench::new(&ledger(3));
    bench.run(&[]).exits(0);
    bench.write("calls.csv", &ledger(5));
    bench.run(&["--offline"]).exits(4);
    assert_eq!(bench.provider.seen(), 3);
    assert_eq!(column(&bench.details(), "status"), ["found", "found", "found", "deferred", "deferred"]);
    let summary = bench.summary();
    assert_eq!((summary.number("deferred"), summary.complete()), (2, false));
    summary.assert_totals();
}

#[test]
fn calls_after_the_longest_duration_are_deferred() {
    let bench = Bench::new(&ledger(8));
    bench.run(&["--rate", "4/30s", "--max-duration", "1s"]).exits(4);
    assert_eq!(bench.provider.seen(), 4);
    let summary = bench.summary();
    assert_eq!((summary.number("found"), summary.number("deferred")), (4, 4));
    assert!(!summary.complete());
}
