//! The time of each step that every call passes: signing, parsing, normalizing, comparing, writing
//! the details, reading the ledger.
#![allow(missing_docs, clippy::unwrap_used)]

use std::io::Write as _;

use divan::Bencher;
use divan::counter::ItemsCount;
use reconcile::ledger::{Input, Layout, Options};
use reconcile::output::{Lang, MaskPhones, Outputs, Paths, Provenance, RowEncoder};
use reconcile::provider::sign::signature;
use reconcile::provider::wire::{Reply, understand};
use reconcile_core::call::CallKey;
use reconcile_core::compare::{Tolerances, compare};
use reconcile_core::ledger_row::{Expected, LedgerRow, LedgerTime};
use reconcile_core::money::CallMoney;
use reconcile_core::normalize::normalize;
use reconcile_core::product::ProductId;
use reconcile_core::status::{Lookup, Status};
use reconcile_core::traffic::Traffic;

/// The provider's published example of a record.
const DATA: &str = r#"{"callId":"1779786101083^1779786101083","endDate":"2026-05-26 17:01:51","stateDesc":"用户接听","callee":"18512348980","bStartTime":"2026-05-26 17:01:47","gmtCreate":"2026-05-26 17:01:41","duration":4,"calleeShowNumber":"0571000018363","bRingTime":"2026-05-26 17:01:42","bEndTime":"2026-05-26 17:01:51","state":"200000","startDate":"2026-05-26 17:01:47","hangupDirection":0}"#;

const ROWS: usize = 10_000;

fn main() {
    divan::main();
}

#[divan::bench]
fn sign(bencher: Bencher<'_, '_>) {
    let params = [
        ("AccessKeyId", "testid"),
        ("Action", "QueryCallDetailByCallId"),
        ("CallId", "1779786101083^1779786101083"),
        ("Format", "JSON"),
        ("ProdId", "11000000300006"),
        ("QueryDate", "1779724800000"),
        ("SignatureMethod", "HMAC-SHA1"),
        ("SignatureNonce", "6f9619ff-8b86-d011-b42d-00cf4fc964ff"),
        ("SignatureVersion", "1.0"),
        ("Timestamp", "2026-05-26T09:01:51Z"),
        ("Version", "2017-05-25"),
    ];
    bencher.bench(|| signature("POST", divan::black_box(&params), "testsecret"));
}

#[divan::bench]
fn parse_an_answer(bencher: Bencher<'_, '_>) {
    let envelope = serde_json::json!({ "Code": "OK", "Message": "OK", "RequestId": "R", "Data": DATA });
    let reply = Reply::received(200, envelope.to_string());
    bencher.bench(|| understand(divan::black_box(&reply)));
}

#[divan::bench]
fn normalize_a_record(bencher: Bencher<'_, '_>) {
    bencher.bench(|| normalize(divan::black_box(DATA)));
}

/// The row equals its record in all seven fields.
#[divan::bench]
fn compare_a_call(bencher: Bencher<'_, '_>) {
    let (row, lookup) = equal_row_and_lookup();
    bencher.bench(|| compare(divan::black_box(&row), divan::black_box(&lookup), Tolerances::default()));
}

/// Encodes, compresses and writes all columns of the details, and reads them back.
#[divan::bench]
fn write_the_details(bencher: Bencher<'_, '_>) {
    let (row, lookup) = equal_row_and_lookup();
    let folder = tempfile::tempdir().unwrap();
    let paths = Paths::beside(folder.path().join("details.parquet"), None, None, None);
    let provenance = Provenance {
        version: "bench",
        run_id: "bench".into(),
        input: "calls.csv".into(),
        input_sha256: String::new(),
        files: Vec::new(),
        started_at: chrono::Utc::now(),
        sandbox: false,
        cap: "100/min".parse().unwrap(),
        mask: MaskPhones::None,
    };
    bencher.counter(ItemsCount::new(ROWS)).bench(|| {
        let (layout, traffic) = (Layout::default(), Traffic::default());
        let mut outputs =
            Outputs::create(&paths, &[], None, &layout, &provenance, &traffic, Lang::En).unwrap();
        let mut rows = RowEncoder::new(outputs.forms());
        for line in 0..ROWS as u64 {
            rows.add_call(&LedgerRow { line, ..row.clone() }, &lookup, 0, CallMoney::default()).unwrap();
        }
        outputs.append(rows.finish().unwrap()).unwrap();
        drop(outputs.close().unwrap());
    });
}

/// A ledger row and the lookup of its call. They have no discrepancy.
fn equal_row_and_lookup() -> (LedgerRow, Lookup) {
    let detail = normalize(DATA).unwrap();
    let time = |at: Option<chrono::DateTime<chrono::Utc>>| at.map(LedgerTime::Instant);
    let expected = Expected {
        callee: detail.callee.clone(),
        state: detail.state.clone(),
        answered: detail.answered,
        duration_s: detail.duration_s,
        called_at: time(detail.created_at),
        started_at: time(detail.started_at),
        ended_at: time(detail.ended_at),
        ..Expected::default()
    };
    let call_id = detail.call_id.clone().unwrap();
    let day = chrono::NaiveDate::from_ymd_opt(2026, 5, 26).unwrap();
    let key = CallKey { call_id: call_id.into(), prod_id: ProductId(11_000_000_300_006), day };
    let raw = Some(DATA.to_owned());
    let lookup = Lookup { status: Status::Found, detail: Some(detail), raw, ..Lookup::deferred(day, 1) };
    let row = LedgerRow { line: 2, key, expected, query_date: None, carried: Vec::new() };
    assert_eq!(compare(&row, &lookup, Tolerances::default()).discrepancies, []);
    (row, lookup)
}

/// A typical ledger has nine fields.
#[divan::bench]
fn read_the_ledger(bencher: Bencher<'_, '_>) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    writeln!(file, "call_id,called_at,callee,state,answered,duration,started_at,ended_at,campaign").unwrap();
    for i in 0..ROWS {
        let row =
            "2026-05-26 17:01:41,18512348980,200000,yes,4,2026-05-26 17:01:47,2026-05-26 17:01:51,spring";
        writeln!(file, "1779786101083^{i:013},{row}").unwrap();
    }
    let input = Input::open(file.path()).unwrap();
    let options = Options { prod_id: ProductId::parse("voice-notification"), ..Options::default() };
    bencher.counter(ItemsCount::new(ROWS)).bench(|| input.ledger(&options).unwrap().count());
}
