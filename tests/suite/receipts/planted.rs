//! Receipts that are lost, doubled, fuller, contradicting, wrong or unreadable, and calls that only
//! receipts name: exactly what was planted comes out, with 100 seeds.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use fastrand::Rng;

use crate::support::provider::talk_seconds;
use crate::support::{Bench, Row, cell, id};

/// Calls of each ledger.
const CALLS: usize = 40;
const SEEDS: u64 = 100;

/// A discrepancy: CallId, kind, field, expected, actual, seconds at stake.
type Found = (String, &'static str, &'static str, String, String, u64);

/// What is planted into the receipts of a ledger.
#[derive(Default)]
struct Plan {
    lines: Vec<String>,
    /// Calls whose receipt can be read.
    answered: BTreeSet<String>,
    /// Calls of which the receipt has another duration than the record: receipt, record.
    wrong: Vec<(String, u64, u64)>,
    /// Calls that the ledger lacks, with their seconds.
    missing: Vec<(String, u64)>,
    invalid: u64,
    duplicates: u64,
    contradicted: u64,
    outside: u64,
}

/// The receipt of a call on this day of May 2024, with as many values as a record.
pub fn receipt(call_id: &str, day: u32, duration: u64) -> String {
    let end = 2 + duration;
    format!(
        r#"{{"call_id":"{call_id}","originate_time":"2024-05-{day} 17:00:59","status_code":"200000","start_time":"2024-05-{day} 17:01:02","end_time":"2024-05-{day} 17:{:02}:{:02}","duration":"{duration}","callee":"18512348980","status_msg":"用户接听"}}"#,
        1 + end / 60,
        end % 60,
    )
}

/// The same call in a receipt with fewer values.
fn poor_receipt(call_id: &str, duration: u64) -> String {
    format!(
        r#"{{"call_id":"{call_id}","originate_time":"2024-05-26 17:00:59","status_code":"200000","duration":"{duration}"}}"#
    )
}

impl Plan {
    fn new(seed: u64) -> Self {
        let (mut plan, mut random) = (Self::default(), Rng::with_seed(seed));
        for call in 0..CALLS {
            plan.add_call(&id(call), &mut random);
        }
        for other in 0..random.usize(0..4) {
            let (call_id, seconds) = (id(1_000 + other), random.u64(0..90));
            plan.lines.push(receipt(&call_id, 26, seconds));
            plan.missing.push((call_id, seconds));
        }
        for other in 0..random.usize(0..3) {
            plan.lines.push(receipt(&id(2_000 + other), 24, 9));
            plan.outside += 1;
        }
        random.shuffle(&mut plan.lines);
        plan
    }

    fn add_call(&mut self, call_id: &str, random: &mut Rng) {
        let seconds = talk_seconds(call_id);
        let good = receipt(call_id, 26, seconds);
        match random.u8(0..20) {
            0..2 => return,
            2 => {
                self.lines.push(good[..good.len() / 2].to_owned());
                self.invalid += 1;
                return;
            }
            3..5 => {
                self.lines.extend([good.clone(), good]);
                self.duplicates += 1;
            }
            5 => {
                self.lines.extend([good, poor_receipt(call_id, seconds)]);
                self.duplicates += 1;
            }
            6 => {
                self.lines.extend([good, poor_receipt(call_id, seconds + 7)]);
                self.duplicates += 1;
                self.contradicted += 1;
            }
            7 => {
                let said = seconds + random.u64(1..9);
                self.lines.push(receipt(call_id, 26, said));
                self.wrong.push((call_id.to_owned(), said, seconds));
            }
            _ => self.lines.push(good),
        }
        self.answered.insert(call_id.to_owned());
    }

    /// The discrepancies that a run with this trust must find.
    fn discrepancies(&self, trust: &str) -> BTreeSet<Found> {
        let mut found = BTreeSet::new();
        for (call_id, said, seconds) in &self.wrong {
            let (apart, said_s, seconds_s) = (said - seconds, said.to_string(), seconds.to_string());
            if trust == "full" {
                found.insert((call_id.clone(), "mismatch", "duration_s", seconds_s, said_s, apart));
            } else if trust != "none" {
                let end = |seconds: &u64| {
                    format!("2024-05-26 17:{:02}:{:02}", 1 + (2 + seconds) / 60, (2 + seconds) % 60)
                };
                found.insert((call_id.clone(), "receipt_differs", "duration_s", said_s, seconds_s, apart));
                found.insert((call_id.clone(), "receipt_differs", "ended_at", end(said), end(seconds), 0));
            }
        }
        let missing = self.missing.iter().map(|(call_id, seconds)| {
            (call_id.clone(), "missing_in_ledger", "duration_s", String::new(), seconds.to_string(), *seconds)
        });
        found.extend(missing);
        found
    }
}

/// A ledger with the true durations.
fn ledger() -> String {
    let mut text = String::from("call_id,prod_id,called_at,duration\n");
    for call in (0..CALLS).map(id) {
        writeln!(text, "{call},11000000300006,2024-05-26,{}", talk_seconds(&call)).unwrap();
    }
    text
}

fn known<const N: usize>(words: [&'static str; N], word: &str) -> &'static str {
    words.into_iter().find(|known| *known == word).unwrap_or_else(|| panic!("{word:?} was not planted"))
}

fn found(row: &Row) -> Found {
    (
        cell(row, "call_id").to_owned(),
        known(["mismatch", "receipt_differs", "missing_in_ledger"], cell(row, "kind")),
        known(["duration_s", "ended_at"], cell(row, "field")),
        cell(row, "expected").to_owned(),
        cell(row, "actual").to_owned(),
        cell(row, "seconds_at_stake").parse().unwrap(),
    )
}

fn assert_exactly_the_planted(seed: u64) {
    let (plan, bench) = (Plan::new(seed), Bench::new(&ledger()));
    bench.write("receipts.jsonl", &(plan.lines.join("\n") + "\n"));
    let trust = ["full", "sample=100%", "none"][(seed % 3) as usize];
    let run = bench.run(&["--receipts", "receipts.jsonl", "--receipts-trust", trust]).exits(0);
    let rows = bench.discrepancies();
    let all: BTreeSet<Found> = rows.iter().map(found).collect();
    assert_eq!((all.len(), &all), (rows.len(), &plan.discrepancies(trust)), "seed {seed}, {trust}");

    // Calls that the ledger lacks have no line, and they come last.
    let without_line = |row: &&Row| cell(row, "ledger_line").is_empty();
    assert_eq!(rows.iter().rev().take_while(without_line).count(), plan.missing.len(), "seed {seed}");
    for row in rows.iter().filter(without_line) {
        assert_eq!((cell(row, "call_date"), cell(row, "prod_id")), ("2024-05-26", ""));
        assert_eq!((cell(row, "callee"), cell(row, "status")), ("18512348980", ""));
    }

    let summary = bench.summary();
    summary.assert_totals();
    let receipts = &summary.0["receipts"];
    let answered = plan.answered.len() as u64;
    let calls = answered + plan.missing.len() as u64 + plan.outside;
    let wanted = serde_json::json!({
        "files": 1, "skipped_files": 0, "invalid": plan.invalid,
        "receipts": calls + plan.duplicates, "duplicates": plan.duplicates, "calls": calls,
        "contradicted": plan.contradicted, "answering": answered, "not_answering": 0,
        "missing_in_ledger": plan.missing.len(), "outside": plan.outside, "undated": 0,
        "trust": trust, "answered": if trust == "full" { answered } else { 0 },
    });
    for (key, value) in wanted.as_object().unwrap() {
        assert_eq!(&receipts[key], value, "seed {seed}: {key}");
    }
    let asked = if trust == "full" { CALLS as u64 - answered } else { CALLS as u64 };
    assert_eq!(summary.number("requests"), asked, "seed {seed}");
    assert_eq!(bench.provider.requests().len() as u64, asked, "seed {seed}");
    let seconds: u64 = plan.missing.iter().map(|(_, seconds)| seconds).sum();
    let step =
        summary.0["bridge"].as_array().unwrap().iter().find(|step| step["step"] == "missing_in_ledger");
    assert_eq!(step.unwrap()["calls"], plan.missing.len(), "seed {seed}");
    assert_eq!(step.unwrap()["seconds"], seconds, "seed {seed}");
    assert_eq!(run.stderr.contains("cannot be read"), plan.invalid > 0, "seed {seed}: {}", run.stderr);
}

/// Every `of`-th seed from `nth` on, so that the tests run in parallel.
fn check_seeds(nth: u64, of: u64) {
    (0..SEEDS).filter(|seed| seed % of == nth).for_each(assert_exactly_the_planted);
}

#[test]
fn exactly_the_planted_receipts_come_out_1() {
    check_seeds(0, 2);
}

#[test]
fn exactly_the_planted_receipts_come_out_2() {
    check_seeds(1, 2);
}

/// Otherwise the seeds would prove nothing.
#[test]
fn the_seeds_plant_every_kind_of_receipt() {
    let plans: Vec<Plan> = (0..SEEDS).map(Plan::new).collect();
    let sum = |of: fn(&Plan) -> u64| plans.iter().map(of).sum::<u64>();
    assert!(sum(|plan| plan.invalid) > 50 && sum(|plan| plan.duplicates) > 50);
    assert!(sum(|plan| plan.contradicted) > 50 && sum(|plan| plan.outside) > 50);
    assert!(sum(|plan| plan.wrong.len() as u64) > 50 && sum(|plan| plan.missing.len() as u64) > 50);
    assert!(sum(|plan| CALLS as u64 - plan.answered.len() as u64) > 200);
}
