//! Ledgers of 5,000 rows with random discrepancies of every kind and field, alone and combined.
//! They are published over a store that was filled through the library, and exactly the planted
//! discrepancies are reported. The generator calculates them without the program's comparison.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::{NaiveDate, NaiveDateTime, TimeDelta};
use fastrand::Rng;
use futures::StreamExt as _;
use reconcile::clock::SystemClock;
use reconcile::error::Result;
use reconcile::ledger::{Input, Options, ScannedLedger};
use reconcile::output::{Lang, MaskPhones, Outputs, Paths, Provenance, Rechecked, Summary};
use reconcile::publish::{BesideCalls, Counted, Remember, Rules, Sources, publish};
use reconcile::store::{
    Decision, EarlierCalls, NewDiscrepancy, NewRequest, OpenItem, OpenItems, Origin, Purpose, RequestEnd,
    RunIdentity, Store, open,
};
use reconcile_core::answer::{AnswerKind, NewAnswer};
use reconcile_core::ask_again::{ReceiptUse, Scope};
use reconcile_core::call::CallKey;
use reconcile_core::compare::Tolerances;
use reconcile_core::money::MoneyRules;
use reconcile_core::product::ProductId;
use reconcile_core::rate::Rate;
use reconcile_core::receipt::ReceiptsTrust;
use reconcile_core::resolutions::Resolutions;
use reconcile_core::since::OpenBefore;
use reconcile_core::tie_out::tie_out;
use reconcile_core::traffic::{Sending, Traffic};
use reconcile_core::trend::{Night, Trend};

use crate::outputs::bridge;
use crate::support::{Row, cell, id, read_csv};

const CALLS: usize = 6_000;
const ROWS: usize = 5_000;
const SEEDS: u64 = 100;
const TOLERANCES: Tolerances = Tolerances { duration_s: 2, time_s: 3 };
const FIELDS: [&str; 10] = [
    "caller",
    "callee",
    "caller_show_number",
    "callee_show_number",
    "state",
    "answered",
    "duration_s",
    "called_at",
    "started_at",
    "ended_at",
];

/// Remembers nothing.
struct Forgetful;

impl Remember for Forgetful {
    fn open_call(&mut self, _: OpenItem) -> Result<()> {
        Ok(())
    }

    fn new_discrepancy(&mut self, _: &NewDiscrepancy) -> Result<()> {
        Ok(())
    }
}

/// The provider's side of a call.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fate {
    Answered,
    NoAnswer,
    OtherDay,
    UnknownState,
    WrongSpan,
    WrongId,
    Ringing,
    NoRecord,
    Unreadable,
    Refused,
    Exhausted,
    NeverAsked,
}

impl Fate {
    fn of(call: usize) -> Self {
        use Fate::{
            Answered, Exhausted, NeverAsked, NoAnswer, NoRecord, OtherDay, Refused, Ringing, UnknownState,
            Unreadable, WrongId, WrongSpan,
        };
        match call % 20 {
            0 => NoAnswer,
            1 => OtherDay,
            2 => UnknownState,
            3 => WrongSpan,
            4 => WrongId,
            5 => Ringing,
            6 => NoRecord,
            7 => Unreadable,
            8 => Refused,
            9 => Exhausted,
            10 => NeverAsked,
            _ => Answered,
        }
    }

    fn found(self) -> bool {
        matches!(
            self,
            Self::Answered
                | Self::NoAnswer
                | Self::OtherDay
                | Self::UnknownState
                | Self::WrongSpan
                | Self::WrongId
        )
    }
}

fn day(d: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(2024, 5, d).unwrap()
}

fn key(call: usize) -> CallKey {
    CallKey { call_id: id(call), prod_id: ProductId(11_000_000_300_006), day: day(26) }
}

fn time_text(at: NaiveDateTime) -> String {
    at.format("%Y-%m-%d %H:%M:%S").to_string()
}

/// The provider's values of a call.
struct Truth {
    fate: Fate,
    created: NaiveDateTime,
    talk: i64,
    state: &'static str,
    numbers: [String; 4],
}

impl Truth {
    fn of(call: usize) -> Self {
        let fate = Fate::of(call);
        let (talk, state) = match fate {
            Fate::NoAnswer => (0, "200003"),
            Fate::UnknownState => (i64::try_from(call % 90).unwrap() + 10, "299999"),
            Fate::Ringing => (0, "200201"),
            _ => (i64::try_from(call % 200).unwrap() + 10, "200000"),
        };
        let created = day(26).and_hms_opt(10, 0, 0).unwrap() + TimeDelta::seconds(call as i64 * 6);
        let mobile = |head: &str| format!("{head}{:08}", call);
        let numbers = [mobile("125"), mobile("129"), format!("0571{call:08}"), format!("0572{:07}", call)];
        Self { fate, created, talk, state, numbers }
    }

    fn was_answered(&self) -> bool {
        !matches!(self.fate, Fate::NoAnswer | Fate::Ringing)
    }

    fn start(&self) -> NaiveDateTime {
        self.created + TimeDelta::seconds(5)
    }

    fn end(&self) -> NaiveDateTime {
        let off = i64::from(self.fate == Fate::WrongSpan);
        self.start() + TimeDelta::seconds(self.talk - off)
    }

    fn record(&self, call: usize) -> String {
        let mut record = serde_json::json!({
            "caller": self.numbers[0], "callee": self.numbers[1],
            "callerShowNumber": self.numbers[2], "calleeShowNumber": self.numbers[3],
            "gmtCreate": time_text(self.created), "duration": self.talk, "state": self.state,
        });
        if self.was_answered() {
            record["startDate"] = time_text(self.start()).into();
            record["endDate"] = time_text(self.end()).into();
        }
        if self.fate == Fate::WrongId {
            record["callId"] = id(call + 1).into();
        }
        record.to_string()
    }

    /// The row of a ledger without mistakes, in the order of [`FIELDS`].
    fn ledger(&self) -> [String; 10] {
        let [a, b, c, d] = self.numbers.clone();
        let time = |at| if self.was_answered() { time_text(at) } else { String::new() };
        let answered = if self.was_answered() { "true" } else { "false" };
        [
            a,
            b,
            c,
            d,
            self.state.into(),
            answered.into(),
            self.talk.to_string(),
            time_text(self.created),
            time(self.start()),
            time(self.end()),
        ]
    }
}

async fn store_answer(store: &dyn Store, scope: &Scope, call: usize) {
    let truth = Truth::of(call);
    let (kind, code, data) = match truth.fate {
        Fate::NeverAsked => return,
        Fate::NoRecord => (AnswerKind::NoRecord, "OK", None),
        Fate::Unreadable => (AnswerKind::Malformed, "OK", Some("{“callId”:1}".to_owned())),
        Fate::Refused => (AnswerKind::Rejected, "isv.INVALID_PARAMETERS", None),
        Fate::Exhausted => (AnswerKind::Exhausted, "timeout", None),
        Fate::Ringing => (AnswerKind::Interim, "OK", Some(truth.record(call))),
        _ => (AnswerKind::Final, "OK", Some(truth.record(call))),
    };
    let request = NewRequest { key: key(call), asked_date: day(26), purpose: Purpose::First, recheck: false };
    let begun = store.begin_request(scope, request).await.unwrap();
    let (at, code) = (store.moment(), code.to_owned());
    let decision = Decision::Answered;
    let end = RequestEnd {
        at,
        provider_at: None,
        http_status: Some(200),
        code: code.clone(),
        request_id: None,
        throttled: false,
        decision,
        pause: None,
    };
    let found_date = day(if truth.fate == Fate::OtherDay { 27 } else { 26 });
    let (code, message, request_id) = (code.into(), "".into(), None);
    let answer = NewAnswer { kind, found_date, next_date: None, request_id, code, message, data };
    store.end_request(scope, begun, end, Some(answer)).await.unwrap();
}

/// A store with the answers of this number of calls.
pub fn filled_store(path: &Path, calls: usize) -> (Arc<dyn Store>, Scope) {
    let store = open(&path.into(), Origin::Provider, Arc::new(SystemClock::new())).unwrap();
    let identity = RunIdentity { input_sha256: "of this test".into(), refresh: false };
    let rate: Rate = "1000000/s".parse().unwrap();
    let scope = store.begin_session(&identity, rate, Duration::from_secs(10)).unwrap();
    let all = futures::stream::iter(0..calls)
        .for_each_concurrent(1_024, |call| store_answer(store.as_ref(), &scope, call));
    tokio::runtime::Runtime::new().unwrap().block_on(all);
    (store, scope)
}

/// A discrepancy as the file names it; fields without a value are empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Discrepancy {
    line: u64,
    kind: String,
    field: String,
    expected: String,
    actual: String,
    delta: String,
}

/// The first row of a call.
struct FirstRow {
    call: usize,
    line: u64,
    values: [String; 10],
    /// True if a later row gave the duration that this row lacks.
    is_filled: bool,
}

/// A ledger under construction, and its planted discrepancies.
pub struct Plan {
    rng: Rng,
    pub text: String,
    line: u64,
    planted: Vec<Discrepancy>,
    /// For each field: the number of matches within its tolerance, and the largest difference.
    within: BTreeMap<&'static str, (u64, i64)>,
}

impl Plan {
    pub fn new(seed: u64) -> Self {
        let text = format!("call_id,prod_id,{},note\n", FIELDS.join(","));
        Self { rng: Rng::with_seed(seed), text, line: 1, planted: Vec::new(), within: BTreeMap::new() }
    }

    fn plant(&mut self, kind: &str, field: &str, expected: &str, actual: &str, delta: &str) {
        let [kind, field, expected, actual, delta] =
            [kind, field, expected, actual, delta].map(str::to_owned);
        self.planted.push(Discrepancy { line: self.line, kind, field, expected, actual, delta });
    }

    fn write(&mut self, id: &str, prod_id: &str, values: &[String; 10], note: &str) {
        writeln!(self.text, "{id},{prod_id},{},{note}", values.join(",")).unwrap();
    }

    fn by_chance(&mut self, percent: u8) -> bool {
        self.rng.u8(0..100) < percent
    }

    /// Writes a row for this call, with mistakes in the ledger's fields.
    fn row(&mut self, call: usize) -> [String; 10] {
        self.line += 1;
        let truth = Truth::of(call);
        self.plant_provider_side(&truth);
        let mut values = truth.ledger();
        for (at, field) in FIELDS.into_iter().enumerate() {
            self.change_field(&truth, at, field, &mut values[at]);
        }
        self.write(&id(call), "voice-notification", &values, "as planned");
        values
    }

    /// Plants the discrepancies that the provider's side alone causes.
    fn plant_provider_side(&mut self, truth: &Truth) {
        match truth.fate {
            Fate::Answered | Fate::NoAnswer => {}
            Fate::OtherDay => self.plant("other_day", "call_date", "2024-05-26", "2024-05-27", ""),
            Fate::UnknownState => self.plant("unknown_state", "state", "", truth.state, ""),
            // Unit tests check the rule and its evidence.
            Fate::WrongSpan | Fate::WrongId => self.plant("inconsistent", "", "", "", ""),
            Fate::Ringing => self.plant("pending", "state", "", truth.state, ""),
            Fate::NoRecord => self.plant("not_found", "", "", "", ""),
            Fate::Unreadable => self.plant("malformed", "", "", "MalformedData", ""),
            Fate::Refused => self.plant("failed", "", "", "isv.INVALID_PARAMETERS", ""),
            Fate::Exhausted => self.plant("failed", "", "", "timeout", ""),
            Fate::NeverAsked => self.plant("deferred", "", "", "", ""),
        }
    }

    /// Keeps a field, spells it in another way, empties it, moves it within its tolerance, or makes
    /// it wrong.
    fn change_field(&mut self, truth: &Truth, at: usize, field: &'static str, value: &mut String) {
        let right = value.clone();
        match self.rng.u8(0..100) {
            // The day of the call must stay known.
            0..10 if field != "called_at" => value.clear(),
            10..25 => *value = self.spell(at, value),
            25..35 => self.near(truth, field, value),
            35..42 => self.wrong(truth, field, &right, value),
            _ => {}
        }
    }

    fn spell(&mut self, at: usize, value: &str) -> String {
        let mobile = value.len() == 11 && value.starts_with('1');
        match at {
            0..=3 if mobile => match self.rng.u8(0..4) {
                0 => format!("+86 {value}"),
                1 => format!("0086{value}"),
                2 => format!("{}\u{2009}{}", &value[..3], &value[3..]),
                _ => format!("86-{}-{}", &value[..3], &value[3..]),
            },
            0..=3 => format!("{} {}", &value[..4], &value[4..]),
            5 => if value == "true" { "是" } else { "no" }.to_owned(),
            // The provider knows no parts of a second.
            7..10 if !value.is_empty() => format!("{value}.750"),
            _ => value.to_owned(),
        }
    }

    fn near(&mut self, truth: &Truth, field: &'static str, value: &mut String) {
        let tolerance = if field == "duration_s" { 2 } else { 3 };
        let sign = if value == "0" || self.rng.bool() { 1 } else { -1 };
        let off = sign * self.rng.i64(1..=tolerance);
        let Some(moved) = moved(field, value, off) else { return };
        *value = moved;
        if truth.fate.found() {
            let (matches, largest) = self.within.entry(field).or_default();
            *matches += 1;
            *largest = (*largest).max(off.abs());
        }
    }

    fn wrong(&mut self, truth: &Truth, field: &'static str, right: &str, value: &mut String) {
        let mut delta = String::new();
        let mut compared = truth.fate.found();
        let mut actual = right.to_owned();
        match field {
            "state" => *value = "200002".into(),
            "answered" => {
                *value = (right != "true").to_string();
                // Nobody knows whether a call in an unknown state was answered.
                compared &= truth.fate != Fate::UnknownState;
            }
            _ if right.is_empty() => *value = "2024-05-26 12:00:00".into(),
            "duration_s" | "called_at" | "started_at" | "ended_at" => {
                let off = self.rng.i64(4..3_000);
                *value = moved(field, right, off).unwrap();
                delta = (-off).to_string();
                if field.ends_with("ed_at") && field != "called_at" && self.by_chance(10) {
                    (*value, delta) = ("2024-05-25".into(), String::new());
                }
            }
            _ => {
                let last = right.len() - 1;
                let digit = (right.as_bytes()[last] - b'0' + 1) % 10;
                *value = format!("{}{digit}", &right[..last]);
                if self.by_chance(20) && right.starts_with('0') {
                    // A spreadsheet drops the leading zero.
                    *value = right[1..].to_owned();
                }
            }
        }
        if right.is_empty() {
            actual.clear();
        }
        if compared {
            let value = value.clone();
            self.plant("mismatch", field, &value, &actual, &delta);
        }
    }

    /// Writes a later row for a call that already has one.
    fn again(&mut self, of: &mut FirstRow) {
        self.line += 1;
        let (call, first) = (of.call, &of.values);
        let mut later = first.clone();
        let mut note = "as planned";
        let field = match self.rng.usize(0..12) {
            at @ (0..4 | 6) if !first[at].is_empty() => {
                later[at].insert(if at == 6 { 0 } else { later[at].len() }, '7');
                FIELDS[at]
            }
            4 if !first[4].is_empty() => {
                later[4] = "200005".into();
                later[6].push('1');
                if first[6].is_empty() && !std::mem::replace(&mut of.is_filled, true) {
                    self.plant_later_duration(call, of.line);
                }
                "state"
            }
            10 => {
                note = "changed";
                "ledger_note"
            }
            _ => "",
        };
        let at = FIELDS.iter().position(|name| *name == field);
        match (at, field) {
            (Some(at), _) => {
                let (was, is) = (first[at].clone(), later[at].clone());
                self.plant("duplicate", field, &was, &is, "");
            }
            (None, "") => self.plant("duplicate", "", "", "", ""),
            (None, _) => self.plant("duplicate", field, "as planned", "changed", ""),
        }
        self.write(&id(call), "11000000300006", &later, note);
    }

    /// Plants what the duration 1 means for a call whose first row has none.
    fn plant_later_duration(&mut self, call: usize, line: u64) {
        let truth = Truth::of(call);
        let delta = truth.talk - 1;
        if truth.fate.found() && delta.abs() <= 2 {
            let (matches, largest) = self.within.entry("duration_s").or_default();
            *matches += 1;
            *largest = (*largest).max(delta.abs());
        } else if truth.fate.found() {
            let (kind, field, expected) = ("mismatch".into(), "duration_s".into(), "1".into());
            let (actual, delta) = (truth.talk.to_string(), delta.to_string());
            self.planted.push(Discrepancy { line, kind, field, expected, actual, delta });
        }
    }

    /// Writes a row that cannot be used.
    fn unusable(&mut self, call: usize) {
        self.line += 1;
        let mut values = Truth::of(call).ledger();
        let (mut named, mut prod_id, mut note) = (id(call), "11000000300006", "as planned");
        let field = match self.rng.u8(0..6) {
            0 => {
                named.clear();
                "call_id"
            }
            1 => {
                prod_id = "1.1E+13";
                "prod_id"
            }
            2 => {
                values[7] = "yesterday".into();
                "called_at"
            }
            3 => {
                values[5] = "maybe".into();
                "answered"
            }
            4 => {
                values[6] = "1:15".into();
                "duration_s"
            }
            _ => {
                note = "a comma, without quotes";
                ""
            }
        };
        self.plant("invalid_row", field, "", "", "");
        self.write(&named, prod_id, &values, note);
    }

    /// Writes all rows, with the calls in random order.
    pub fn fill(&mut self) {
        let mut calls: Vec<usize> = (0..CALLS).collect();
        self.rng.shuffle(&mut calls);
        let mut done: Vec<FirstRow> = Vec::new();
        for call in calls {
            if self.line > ROWS as u64 {
                return;
            }
            if self.by_chance(2) {
                self.unusable(call);
            } else if self.by_chance(3) && !done.is_empty() {
                let at = self.rng.usize(0..done.len());
                self.again(&mut done[at]);
            } else {
                let values = self.row(call);
                done.push(FirstRow { call, line: self.line, values, is_filled: false });
            }
        }
    }
}

/// A duration or time moved by this number of seconds; `None` for another field or an empty value.
fn moved(field: &str, value: &str, by: i64) -> Option<String> {
    if field == "duration_s" {
        return value.parse::<i64>().ok().map(|s| (s + by).to_string());
    }
    let at = NaiveDateTime::parse_from_str(value, "%Y-%m-%d %H:%M:%S").ok()?;
    Some(time_text(at + TimeDelta::seconds(by)))
}

/// The rows of the discrepancy file, without the evidence that unit tests check.
fn reported(path: &Path) -> Vec<Discrepancy> {
    let row = |row: &Row| {
        let [kind, field, expected, actual, delta] =
            ["kind", "field", "expected", "actual", "delta"].map(|name| cell(row, name).to_owned());
        let line = cell(row, "ledger_line").parse().unwrap();
        match kind.as_str() {
            "inconsistent" => Discrepancy { line, kind, ..Discrepancy::default() },
            "invalid_row" => Discrepancy { line, kind, field, ..Discrepancy::default() },
            _ => Discrepancy { line, kind, field, expected, actual, delta },
        }
    };
    read_csv(path).iter().map(row).collect()
}

/// Publishes a ledger over a filled store and returns the counts.
pub fn publish_ledger(dir: &Path, store: &dyn Store, scope: &Scope) -> Counted {
    let paths = Paths::beside(dir.join("details.parquet"), None, None, None);
    publish_with(2, &paths, dir, store, scope)
}

/// The same with this number of workers and these files.
pub fn publish_with(workers: usize, paths: &Paths, dir: &Path, store: &dyn Store, scope: &Scope) -> Counted {
    let input = Input::open(&dir.join("calls.csv")).unwrap();
    let source = ScannedLedger::scan(input, Options::default()).unwrap();
    let provenance = Provenance {
        version: "0",
        run_id: scope.run_id.clone(),
        input: "calls.csv".into(),
        input_sha256: source.scan.sha256.clone(),
        files: Vec::new(),
        started_at: chrono::DateTime::UNIX_EPOCH,
        sandbox: false,
        cap: "100/min".parse().unwrap(),
        mask: MaskPhones::None,
    };
    let traffic = Traffic::default();
    let scan = &source.scan;
    let lang = Lang::En;
    let mut outputs =
        Outputs::create(paths, &scan.carried, None, &scan.layout, &provenance, &traffic, lang).unwrap();
    let rules = Rules { settle: TimeDelta::minutes(5), tolerances: TOLERANCES };
    let resolutions = &Resolutions::default();
    let open_before = &OpenBefore::new(NaiveDate::default());
    let session_no = i64::MAX;
    let (beside, money) = (&BesideCalls::default(), &MoneyRules::default());
    let sources = Sources {
        ledger: &source,
        store,
        rules,
        receipts: ReceiptUse { trust: ReceiptsTrust::Full, seed: 0 },
        resolutions,
        open_before,
        money,
        session_no,
        beside,
        account: None,
        by_account: false,
    };
    let counted = publish(sources, workers, &mut outputs, &mut Forgetful).unwrap();
    let (outputs, written) = outputs.close().unwrap();
    let tie_out = tie_out(&counted.totals, &written, &traffic, 100);
    assert!(tie_out.iter().all(|line| line.adds_up), "{tie_out:?}");
    let summary = Summary {
        provenance: &provenance,
        totals: &counted.totals,
        figures: &counted.figures,
        traffic: &traffic,
        accounts: &[],
        sending: &Sending::default(),
        lang,
        tie_out: &tie_out,
        elapsed: Duration::ZERO,
        incomplete_because: None,
        go_on: None,
        cause: None,
        left_over: None,
        limits: &[],
        trend: &Trend::new(Vec::new(), Night::default()),
        since_last: counted.since_last,
        money: None,
        open_items: &OpenItems::default(),
        earlier_calls: &EarlierCalls::default(),
        rechecked: Rechecked::default(),
        notes: &[],
    };
    outputs.finish(&summary).unwrap();
    counted
}

/// Checks every `of`-th seed from `nth` on, so that the tests run in parallel.
fn assert_exactly_the_planted_is_reported(nth: u64, of: u64) {
    let dir = tempfile::TempDir::new().unwrap();
    let (store, scope) = filled_store(&dir.path().join("reconcile.db"), CALLS);
    let mut kinds = BTreeSet::new();
    for seed in (0..SEEDS).filter(|seed| seed % of == nth) {
        let mut plan = Plan::new(seed);
        plan.fill();
        std::fs::write(dir.path().join("calls.csv"), &plan.text).unwrap();
        let counted = publish_ledger(dir.path(), store.as_ref(), &scope);
        bridge::assert_equal_to_the_rows(dir.path(), &format!("seed {seed}"));
        let found = reported(&dir.path().join("details.discrepancies.csv"));
        assert!(
            found.is_sorted_by_key(|row| (row.line, row.kind.clone())),
            "seed {seed}: not by line, then kind"
        );
        let (mut found, mut planted) = (found, plan.planted);
        found.sort();
        planted.sort();
        for (found, planted) in found.iter().zip(&planted) {
            assert_eq!(found, planted, "seed {seed}: reported, then planted");
        }
        assert_eq!(found.len(), planted.len(), "seed {seed}");
        for (field, (matches, largest)) in plan.within {
            let within = counted.figures.observed.within()[field];
            assert_eq!((within.matches, within.largest), (matches, largest), "seed {seed}: {field}");
        }
        assert_eq!(counted.figures.observed.patterns(), [], "seed {seed}");
        kinds.extend(planted.into_iter().map(|row| (row.kind, row.field)));
    }
    assert_eq!(kinds.iter().map(|(kind, _)| kind).collect::<BTreeSet<_>>().len(), 11, "{kinds:?}");
    let fields: Vec<_> =
        FIELDS.iter().filter(|f| !kinds.contains(&("mismatch".into(), (**f).into()))).collect();
    assert!(fields.is_empty(), "{fields:?} never differ");
}

#[test]
fn even_seeds_report_exactly_the_planted_discrepancies() {
    assert_exactly_the_planted_is_reported(0, 2);
}

#[test]
fn odd_seeds_report_exactly_the_planted_discrepancies() {
    assert_exactly_the_planted_is_reported(1, 2);
}
