//! `--timezone`: every time for people is in one zone and has its offset.

use chrono::{DateTime, FixedOffset, TimeDelta, Utc};
use serde_json::Value;

use crate::support::provider::Reply;
use crate::support::{Bench, Run, id, ledger};

const JOB: [&str; 4] = ["--input", "calls.csv", "--out", "details.parquet"];

/// The time of day that a clock with this offset shows in so many minutes.
fn in_minutes(minutes: i64, offset_h: i32) -> (DateTime<FixedOffset>, String) {
    let offset = FixedOffset::east_opt(offset_h * 3600).unwrap();
    let at = (Utc::now() + TimeDelta::minutes(minutes)).with_timezone(&offset);
    (at, at.format("%H:%M").to_string())
}

fn plan(bench: &Bench, arguments: &[&str], variables: &[(&str, &str)]) -> Run {
    let run = bench.run_exactly(&[&["plan"], &JOB[..], arguments].concat(), variables);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    run
}

fn plan_json(bench: &Bench, arguments: &[&str], variables: &[(&str, &str)]) -> Value {
    serde_json::from_str(&plan(bench, &[arguments, &["--json"]].concat(), variables).stdout).unwrap()
}

#[test]
fn the_zone_is_utc_plus_8_whatever_tz_says() {
    let bench = Bench::new(&ledger(3));
    let (at, deadline) = in_minutes(125, 8);
    for tz in ["America/New_York", "Nowhere/Zone", ""] {
        let variables = [("TZ", tz)];
        let words = plan(&bench, &["--deadline", &deadline], &variables).stdout;
        let expected = format!("deadline {deadline} UTC+8, {}, in 2 h ", at.format("%Y-%m-%d"));
        assert!(words.contains(&expected) && words.contains(" UTC+8)"), "{words}");
        let json = plan_json(&bench, &["--deadline", &deadline], &variables);
        let limit = json["limit"]["at"].as_str().unwrap();
        assert_eq!(limit, at.format("%Y-%m-%dT%H:%M:00+08:00").to_string());
        let ready = DateTime::parse_from_rfc3339(json["ready_at"].as_str().unwrap()).unwrap();
        assert_eq!(ready.offset().local_minus_utc(), 8 * 3600);
    }
}

#[test]
fn a_deadline_is_in_the_given_zone() {
    let bench = Bench::new(&ledger(3));
    for (zone, offset_h, shown) in
        [("-03:00", -3, "UTC-3"), ("Asia/Kolkata", 5, "UTC+5:30"), ("Asia/Tokyo", 9, "UTC+9")]
    {
        // Three hours from now; India's clock is half an hour further.
        let (_, deadline) = in_minutes(185 + if offset_h == 5 { 30 } else { 0 }, offset_h);
        let words = plan(&bench, &["--timezone", zone, "--deadline", &deadline], &[]).stdout;
        assert!(words.contains(&format!("deadline {deadline} {shown}, ")), "{words}");
        assert!(words.contains(", in 3 h "), "{words}");
    }
}

#[test]
fn the_zone_can_be_in_the_environment_or_the_file() {
    let bench = Bench::new(&ledger(3));
    let offset = |json: &Value| {
        DateTime::parse_from_rfc3339(json["ready_at"].as_str().unwrap()).unwrap().offset().local_minus_utc()
    };
    bench.write("r.toml", "timezone = \"-03:30\"\n");
    assert_eq!(offset(&plan_json(&bench, &["--config", "r.toml"], &[])), -12_600);
    let variables = [("RECONCILE_TIMEZONE", "Asia/Kathmandu")];
    assert_eq!(offset(&plan_json(&bench, &["--config", "r.toml"], &variables)), 20_700);
    assert_eq!(offset(&plan_json(&bench, &["--config", "r.toml", "--timezone", "UTC"], &variables)), 0);
    let run = bench.run_exactly(&["config", "--config", "r.toml"], &[]);
    assert!(run.stdout.contains("timezone = \"-03:30\""), "{}", run.stdout);
}

#[test]
fn an_unknown_zone_is_refused_with_a_suggestion() {
    let bench = Bench::new(&ledger(1));
    bench.run(&["--timezone", "Asia/Shangai"]).exits(2).says("did you mean Asia/Shanghai?");
    bench.run(&["--timezone", "Nowhere/Zone"]).exits(2).says("for example +08:00 or Asia/Shanghai");
    bench.run(&["--timezone", "+25:00"]).exits(2).says("an offset from -14:00 to +14:00");
    bench.write("r.toml", "timezone = \"Pekin\"\n");
    bench.run(&["--config", "r.toml"]).exits(2).says("timezone");
    assert_eq!(bench.provider.seen(), 0);
}

#[test]
fn every_time_for_people_has_the_given_zone() {
    let bench = Bench::new(&ledger(2));
    let zone = ["--timezone", "America/St_Johns"];
    let run = bench.run(&[&zone[..], &["-v"]].concat()).exits(0).says(" UTC-");
    assert!(!run.stderr.contains("UTC+8"), "{}", run.stderr);
    let report = std::fs::read_to_string(bench.path("details.report.html")).unwrap();
    assert!(report.contains(":30 · reconcile "), "the start is shown as 2026-11-26 07:49:41 UTC-3:30");
    let call = id(0);
    for command in [&["explain", &call][..], &["verify-cap"]] {
        let run = bench.run_exactly(&[command, &zone].concat(), &[]);
        assert!(run.stdout.contains(" UTC-"), "{}", run.stdout);
        let run = bench.run_exactly(command, &[]);
        assert!(run.stdout.contains(" UTC+8") && !run.stdout.contains(" UTC-"), "{}", run.stdout);
    }
    // The data keep their zones.
    let explained = bench.run_exactly(&[&["explain", &call, "--json"], &zone[..]].concat(), &[]);
    let explained: Value = serde_json::from_str(&explained.stdout).unwrap();
    let usual = bench.run_exactly(&["explain", &call, "--json"], &[]);
    assert_eq!(explained, serde_json::from_str::<Value>(&usual.stdout).unwrap());
    assert!(bench.summary().0["started_at"].as_str().unwrap().ends_with('Z'));
}

#[test]
fn the_first_line_has_the_deadline_with_its_date() {
    let bench = Bench::new(&ledger(2));
    let (at, deadline) = in_minutes(65, 8);
    let run = bench.run(&["--deadline", &deadline]).exits(0);
    let first = run.stderr.lines().next().unwrap();
    let expected = format!("; deadline {deadline} UTC+8, {}, in 1 h", at.format("%Y-%m-%d"));
    assert!(first.contains(&expected), "{first}");
    // Without a request to send it does not matter.
    let run = bench.run(&["--deadline", &deadline]).exits(0);
    assert!(!run.stderr.contains("deadline"), "{}", run.stderr);
}

#[test]
fn a_timer_that_fires_late_is_told_in_the_first_line() {
    let bench = Bench::new(&ledger(2));
    let (passed, deadline) = in_minutes(-40, 8);
    let run = bench.run(&["--deadline", &deadline]).exits(0);
    let first = run.stderr.lines().next().unwrap();
    let tomorrow = (passed + TimeDelta::days(1)).format("%Y-%m-%d");
    // The run may start in the next minute.
    let told = [("40", "20"), ("40", "19"), ("41", "19"), ("41", "18")].iter().any(|(ago, left)| {
        first.contains(&format!("; the deadline {deadline} UTC+8 passed {ago} min ago"))
            && first.ends_with(&format!("; the next one is in 23 h {left} min ({tomorrow})"))
    });
    assert!(told, "{first}");
    bench.run(&["--refresh", "--deadline", &in_minutes(17 * 60, 8).1]).exits(0).says("; deadline ");
}

#[test]
fn a_stored_holder_is_shown_in_the_zone_of_the_reader() {
    let bench = Bench::new(&ledger(2));
    bench.provider.by_default(Reply::stall());
    let first = bench.start(&["--timeout", "60s"]);
    bench.provider.wait_for(1);
    let busy = bench.run(&["--timezone", "Asia/Tokyo"]).exits(5);
    assert!(busy.stderr.contains(", since 20") && busy.stderr.contains(" UTC+9"), "{}", busy.stderr);
    first.kill();
}
