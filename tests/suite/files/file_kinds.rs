//! Links, devices, pipes and folders in the place of a file.

use std::os::unix::fs::symlink;

use super::{assert_untouched, bench_with_victim, names};
use crate::support::{Bench, ledger};

#[test]
fn a_plan_follows_no_link_and_changes_nothing() {
    let bench = bench_with_victim();
    for name in [".details.parquet.unfinished", ".r.prom.unfinished", ".details.report.html.unfinished"] {
        symlink("victim", bench.path(name)).unwrap();
    }
    let before = names(&bench);
    bench.bare(&["plan", "-i", "calls.csv", "-o", "details.parquet", "--metrics-file", "r.prom"]);
    assert_eq!(names(&bench), before);
    assert_untouched(&bench);
}

#[test]
fn a_link_at_a_temporary_name_is_not_followed() {
    for name in Bench::outputs() {
        let bench = bench_with_victim();
        symlink("victim", bench.path(&format!(".{name}.unfinished"))).unwrap();
        bench.run(&[]).exits(6).says(name).says("is a symbolic link").says("to do: ");
        assert_eq!(bench.provider.seen(), 0, "it is noticed before the first request");
        assert_untouched(&bench);
    }
}

#[test]
fn a_link_at_the_metrics_temporary_name_is_not_followed() {
    let bench = bench_with_victim();
    symlink("victim", bench.path(".r.prom.unfinished")).unwrap();
    bench.run(&["--metrics-file", "r.prom"]).exits(0).says("cannot write the metrics file r.prom");
    assert_untouched(&bench);
}

#[test]
fn a_hard_link_at_a_temporary_name_is_not_written_to() {
    let bench = bench_with_victim();
    for name in [".details.parquet.unfinished", ".r.prom.unfinished"] {
        std::fs::hard_link(bench.path("victim"), bench.path(name)).unwrap();
    }
    bench.run(&["--metrics-file", "r.prom"]).exits(0);
    assert_untouched(&bench);
    bench.assert_all_found(2);
    assert!(names(&bench).iter().all(|name| !name.ends_with(".unfinished")), "{:?}", names(&bench));
}

#[test]
fn a_link_in_place_of_the_recording_is_refused() {
    let bench = bench_with_victim();
    symlink("victim", bench.path("r.jsonl")).unwrap();
    symlink("nowhere", bench.path("dangling.jsonl")).unwrap();
    for name in ["r.jsonl", "dangling.jsonl"] {
        bench.run(&["--record", name]).exits(2).says(name).says("is a symbolic link").says("to do: ");
    }
    assert!(!bench.path("nowhere").exists());
    assert_eq!(bench.provider.seen(), 0);
    assert_untouched(&bench);
}

#[test]
fn devices_pipes_and_sockets_are_refused_at_once() {
    let bench = Bench::new(&ledger(2));
    make_fifo(&bench, "fifo.csv");
    let _socket = std::os::unix::net::UnixListener::bind(bench.path("socket.csv")).unwrap();
    symlink("/dev/full", bench.path("full.csv")).unwrap();
    symlink("/dev/zero", bench.path("zero.csv")).unwrap();
    let options = ["--out", "--discrepancies", "--xlsx", "--report", "--summary", "--sql", "--metrics-file"];
    for option in options {
        for name in ["fifo.csv", "socket.csv", "full.csv", "zero.csv", "/dev/full", "/dev/null"] {
            bench.run(&[option, name]).exits(2).says(name).says("is not a regular file").says("to do: ");
        }
    }
    for name in ["fifo.csv", "socket.csv", "/dev/full"] {
        bench.run(&["--record", name]).exits(2).says(name).says("is not a regular file").says("to do: ");
    }
    assert_eq!(bench.provider.seen(), 0);
    assert!(!bench.path("reconcile.db").exists());
}

fn make_fifo(bench: &Bench, name: &str) {
    assert!(std::process::Command::new("mkfifo").arg(bench.path(name)).status().unwrap().success());
}

#[test]
fn a_link_given_as_an_output_stays_and_its_target_is_new() {
    let bench = Bench::new(&ledger(2));
    std::fs::create_dir(bench.path("data")).unwrap();
    bench.write("data/old.csv", "old");
    // The second one is a link to a file that does not exist yet.
    symlink("data/old.csv", bench.path("details.discrepancies.csv")).unwrap();
    symlink("data/new.parquet", bench.path("details.parquet")).unwrap();
    symlink("data/r.prom", bench.path("r.prom")).unwrap();
    bench.run(&["--metrics-file", "r.prom"]).exits(0);
    for name in ["details.discrepancies.csv", "details.parquet", "r.prom"] {
        assert!(bench.path(name).is_symlink(), "{name}");
    }
    assert!(std::fs::read_to_string(bench.path("data/old.csv")).unwrap().starts_with("call_id,"));
    assert!(std::fs::read_to_string(bench.path("data/r.prom")).unwrap().contains("reconcile_run_active 0"));
    bench.assert_all_found(2);
    assert_eq!(std::fs::read_dir(bench.path("data")).unwrap().count(), 3);
}

#[test]
fn a_linked_discrepancy_file_has_the_format_of_its_own_name() {
    let bench = Bench::new(&ledger(2));
    for (name, target) in [("d.csv", "one.parquet"), ("d.jsonl", "two.csv"), ("d.parquet", "three.txt")] {
        symlink(target, bench.path(name)).unwrap();
        bench.run(&["--discrepancies", name]).exits(0);
        let bytes = std::fs::read(bench.path(target)).unwrap();
        match name {
            "d.csv" => assert!(bytes.starts_with(b"call_id,")),
            "d.jsonl" => assert!(bytes.is_empty()),
            _ => assert!(bytes.starts_with(b"PAR1")),
        }
    }
}

#[test]
fn a_linked_folder_of_days_stays_and_its_target_is_replaced() {
    let bench = Bench::new(&ledger(2));
    std::fs::create_dir_all(bench.path("data/days/call_date=2020-01-01")).unwrap();
    symlink("data/days", bench.path("days")).unwrap();
    let arguments = ["--out", "days", "--partition-by", "call_date"];
    for _ in 0..2 {
        bench.run(&arguments).exits(0);
        assert!(bench.path("days").is_symlink());
        assert!(bench.path("data/days/call_date=2024-05-26/part-0.parquet").exists());
        assert!(!bench.path("data/days/call_date=2020-01-01").exists());
    }
    assert_eq!(std::fs::read_dir(bench.path("data")).unwrap().count(), 1);
}

#[test]
fn details_with_the_name_of_another_format_are_refused() {
    let bench = Bench::new(&ledger(1));
    for name in ["details.csv", "details.XLSX", "d.json"] {
        bench.run(&["--out", name]).exits(2).says("the details are Parquet").says("Nothing was sent");
        assert!(!bench.path(name).exists());
    }
    bench.run(&["--out", "details"]).exits(0);
    assert_eq!(bench.provider.seen(), 1);
}
