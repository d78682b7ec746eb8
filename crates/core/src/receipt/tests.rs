#![allow(clippy::unwrap_used)]

use chrono::{NaiveDate, TimeDelta};
use proptest::prelude::*;

use super::*;
use crate::answer::{AnswerKind, NewAnswer, StoredAnswer, StoredCall};
use crate::calendar::end_of_day;
use crate::call::CallKey;
use crate::columns::{Cell, DETAILS, of_call};
use crate::compare::Tolerances;
use crate::contradiction::add_contradictions;
use crate::detail::{CallDetail, Outcome, Party};
use crate::ledger_row::{Expected, LedgerRow};
use crate::normalize::normalize;
use crate::product::ProductId;
use crate::quick_parse;
use crate::settle::kind_today;
use crate::source::Source;
use crate::status::{Lookup, Status, look_up};

/// The sample of the page voicereport-6. It contradicts itself: not answered, with 10 seconds.
const UNANSWERED: &str = r#"{"status_code":"200003","callee":"130****0000","ring_time":"2021-04-28 10:02:40","duration":"10","voice_type":"voice","originate_time":"2021-04-28 10:02:34","b_start_time":"2021-04-28 10:03:40","end_time":"2021-04-28 10:03:40","call_id":"122628733198^109422060000","caller":"20200900****","status_msg":"执行完成","out_id":"PROD#1#new#MYBK****#","dtmf":"1","toll_type":"LOCAL"}"#;
const ANSWERED: &str = r#"{"status_code":"200000","smart_status_code":"ANSWERED","hangup_direction":"机器","callee":"12500000001","ring_time":"2023-03-13 14:42:17","duration":"49","voice_type":"voice","b_duration":49,"originate_time":"2023-03-13 14:42:16","b_ring_time":"2023-03-13 14:42:17","b_start_time":"2023-03-13 14:42:22","b_originate_time":"2023-03-13 14:42:16","end_time":"2023-03-13 14:43:11","call_id":"116014888060^102816313060"}"#;

fn read(json: &str) -> Result<Receipt, ReceiptProblem> {
    Receipt::from_json(json.as_bytes())
}

/// The receipt in this JSON. Without a mark of receipts it gets a state.
fn receipt(json: &str) -> Receipt {
    if json.contains("status_code") || json.contains("originate_time") {
        return read(json).unwrap();
    }
    read(&json.replacen('{', r#"{"status_code":"200000","#, 1)).unwrap()
}

fn detail(json: &str) -> CallDetail {
    receipt(json).detail().unwrap()
}

fn day(text: &str) -> NaiveDate {
    quick_parse::day(text).unwrap()
}

#[test]
fn the_providers_samples_are_read_as_records_are() {
    let d = detail(ANSWERED);
    assert_eq!(
        (d.outcome, d.answered, d.is_final, d.duration_s),
        (Outcome::Answered, Some(true), true, Some(49))
    );
    assert_eq!((d.created_at, d.started_at, d.hangup_by), (None, None, Some(Party::Caller)));
    assert_eq!(d.b_ring_at, receipt(ANSWERED).time(ReceiptField::RingTime));
    assert!(d.b_ring_at.is_some() && d.b_start_at.is_some() && d.ended_at.is_some());
    // The contradiction stays, as it does in a record.
    let d = detail(UNANSWERED);
    assert_eq!(
        (d.outcome, d.answered, d.state_desc.as_deref()),
        (Outcome::NoAnswer, Some(false), Some("执行完成"))
    );
    assert_eq!((d.caller, d.callee), (None, None), "a masked number is none");
    let mut found = Vec::new();
    add_contradictions(&detail(UNANSWERED), &mut found);
    assert_eq!(found.len(), 1);
    assert_eq!(receipt(UNANSWERED).text(ReceiptField::Callee), Some("130****0000"));
}

#[test]
fn names_and_values_have_many_spellings() {
    let usual = receipt(
        r#"{"call_id":"1^1","start_time":"2026-11-16 10:00:08","end_time":"2026-11-16 10:00:38","duration":30,
        "status_code":"200000","status_msg":"ok","callee":"12500000001","hangup_direction":"用户",
        "originate_time":"2026-11-16 10:00:01","b_start_time":"2026-11-16 10:00:08","dtmf":""}"#,
    );
    for other in [
        r#"{"callId":"1^1","startTime":"2026-11-16 10:00:08","endTime":"2026-11-16 10:00:38","duration":30,
        "statusCode":"200000","statusMsg":"ok","callee":"12500000001","hangupDirection":"User",
        "originateTime":"2026-11-16 10:00:01","bStartTime":"2026-11-16 10:00:08","tag":{"x":[1]}}"#,
        r#"{"CallId":"1^1","StartTime":"2026-11-16T02:00:08Z","EndTime":"2026-11-16 10:00:38.0","Duration":"30秒",
        "StatusCode":200000,"StatusMsg":" ok ","Callee":12500000001,"HangupDirection":0,"caller":null,
        "OriginateTime":"2026-11-16 10:00:01.900","BStartTime":"2026/11/16 10:00:08"}"#,
        r#"{"callid":"1^1","starttime":"2026-11-16 10:00:08","endtime":"2026-11-16 10:00:38","duration":30.0,
        "statuscode":"200000","statusmsg":"ok","called":"12500000001","hangupdirection":"bleg","caller":"",
        "originatetime":"2026-11-16 10:00:01","bstarttime":"2026-11-16 10:00:08","ringTime":""}"#,
    ] {
        assert_eq!(receipt(other), usual, "{other}");
    }
    for (text, seconds) in
        [("\"10\"", 10), ("\"10 秒\"", 10), ("\"0\"", 0), ("7", 7), ("\"\"", -1), ("null", -1)]
    {
        let json = format!(r#"{{"call_id":"1^1","status_code":"200000","duration":{text}}}"#);
        assert_eq!(detail(&json).duration_s.unwrap_or(-1), seconds, "{text}");
    }
}

#[test]
fn the_second_leg_s_ringing_counts_before_the_call_s() {
    let both = r#"{"call_id":"1^1","ring_time":"2026-11-16 10:00:01","b_ring_time":"2026-11-16 10:00:05",
        "a_ring_time":"2026-11-16 10:00:02"}"#;
    let d = detail(both);
    assert_eq!((d.b_ring_at.unwrap() - d.a_ring_at.unwrap()).num_seconds(), 3);
    let one = receipt(r#"{"ring_time":"2026-11-16 10:00:01","b_ring_time":"","call_id":"1^1"}"#);
    assert_eq!(one.text(ReceiptField::RingTime), Some("2026-11-16 10:00:01"));
}

#[test]
fn what_cannot_be_read_has_a_problem_without_its_value() {
    use ReceiptField as F;
    use ReceiptProblem as P;
    for (json, problem) in [
        ("", P::NotJson),
        ("12500000001", P::NotAnObject),
        ("[1]", P::NotAnObject),
        ("{", P::NotJson),
        (r#"{"call_id":"1^1","duration":"10""#, P::NotJson),
        (r#"{“call_id”:”1”}"#, P::NotJson),
        ("{}", P::NoCallId),
        (r#"{"call_id":"","duration":1}"#, P::NoCallId),
        (r#"{"call_id":"1.16E+11","duration":1}"#, P::BadCallId),
        (r#"{"call_id":"116^","duration":1}"#, P::BadCallId),
        (r#"{"call_id":"122628733198^10942206****","status_code":"200000"}"#, P::BadCallId),
        (r#"{"call_id":"-","status_code":"200000"}"#, P::BadCallId),
        (r#"{"call_id":"1^1","out_id":"x"}"#, P::Empty),
        (r#"{"call_id":"1^1","callee":"12500000001","start_time":"2026-11-16 10:00:08"}"#, P::NoReceipt),
        (r#"{"call_id":"1^1","status_code":"300000","dtmf":"1"}"#, P::OtherMessage),
        (r#"{"call_id":"1^1","status_code":"200101","status_time":"2026-11-16 10:00:08"}"#, P::OtherMessage),
        (r#"{"call_id":"1^1","record_file":"http://x"}"#, P::OtherMessage),
        (r#"{"call_id":"1^1","status_code":"200000","statusCode":"200003"}"#, P::Twice(F::StatusCode)),
        (r#"{"call_id":"1^1","caller":true}"#, P::NotAValue(F::Caller)),
        (r#"{"call_id":"1^1","callee":1.25e30}"#, P::NotAValue(F::Callee)),
        (r#"{"call_id":"1^1","callee":"1.38E+10"}"#, P::NotAValue(F::Callee)),
        (r#"{"call_id":"1^1","end_time":"yesterday"}"#, P::NotATime(F::EndTime)),
        (r#"{"call_id":"1^1","end_time":"2026-11-16"}"#, P::NotATime(F::EndTime)),
        (r#"{"call_id":"1^1","duration":"-1"}"#, P::NotSeconds(F::Duration)),
        (r#"{"call_id":"1^1","duration":"1:15"}"#, P::NotSeconds(F::Duration)),
        (r#"{"call_id":"1^1","duration":31622401}"#, P::NotSeconds(F::Duration)),
    ] {
        assert_eq!(read(json), Err(problem), "{json}");
    }
    assert_eq!(Receipt::from_json(b"{\"call_id\":\"\xff\"}"), Err(P::NotText));
    let twice = receipt(r#"{"call_id":"1^1","callId":"1^1","duration":10,"Duration":"10秒"}"#);
    assert_eq!(twice.text(F::Duration), Some("10"));
}

/// The table in the module's documentation.
#[test]
fn the_columns_that_a_receipt_gives_are_those_of_the_table() {
    let full = receipt(
        r#"{"call_id":"1^1","originate_time":"2026-11-16 10:00:01","status_code":"200000","duration":30,
        "caller":"12500000002","callee":"12500000001","ring_time":"2026-11-16 10:00:05",
        "start_time":"2026-11-16 10:00:08","end_time":"2026-11-16 10:00:38","status_msg":"ok",
        "hangup_direction":"用户","b_start_time":"2026-11-16 10:00:08","b_end_time":"2026-11-16 10:00:38",
        "caller_show_num":"1","callee_show_num":"2","a_ring_time":"2026-11-16 10:00:02",
        "a_end_time":"2026-11-16 10:00:38","voice_type":"voice"}"#,
    );
    let key = CallKey { call_id: "1^1".into(), prod_id: ProductId(7), day: day("2026-11-16") };
    let row = LedgerRow { line: 2, key, expected: Expected::default(), query_date: None, carried: vec![] };
    let detail = Some(full.detail().unwrap());
    let lookup = Lookup { status: Status::Found, detail, ..Lookup::deferred(row.key.day, 0) };
    let cells = of_call(&row, &lookup, 0);
    let is_null = |cell: &Cell<'_>| {
        matches!(
            cell,
            Cell::Text(None)
                | Cell::Integer(None)
                | Cell::Boolean(None)
                | Cell::Date(None)
                | Cell::Timestamp(None)
        )
    };
    let null: Vec<&str> =
        DETAILS.iter().zip(&cells).filter(|(_, cell)| is_null(cell)).map(|(column, _)| column.name).collect();
    let of_no_record =
        ["product", "created_at", "error_code", "error_message", "request_id", "fetched_at", "raw", "source"];
    assert_eq!(null, of_no_record);
}

#[test]
fn a_receipt_answers_the_calls_of_its_day_under_any_product() {
    let sent = |at: &str| receipt(&format!(r#"{{"call_id":"1^1","originate_time":"{at}","duration":1}}"#));
    let key = |call_id: &str, prod_id, on| CallKey {
        call_id: call_id.into(),
        prod_id: ProductId(prod_id),
        day: day(on),
    };
    let noon = sent("2026-11-16 12:00:00");
    assert!(noon.answers(&key("1^1", 7, "2026-11-16")) && noon.answers(&key("1^1", 8, "2026-11-16")));
    assert!(!noon.answers(&key("1^2", 7, "2026-11-16")) && !noon.answers(&key("1^1", 7, "2026-11-17")));
    let after_midnight = sent("2026-11-16 00:00:59");
    assert!(
        !after_midnight.answers(&key("1^1", 7, "2026-11-16")),
        "it may have been accepted the day before"
    );
    assert!(!after_midnight.answers(&key("1^1", 7, "2026-11-15")));
    assert!(sent("2026-11-16 00:01:00").answers(&key("1^1", 7, "2026-11-16")));
    assert!(sent("2026-11-16 23:59:59").answers(&key("1^1", 7, "2026-11-16")));
    // The first time of any leg, or the one in the CallId.
    let late =
        receipt(r#"{"call_id":"1^1","end_time":"2026-11-17 00:00:30","ring_time":"2026-11-16 23:59:58"}"#);
    assert_eq!(late.day(), Some(day("2026-11-16")));
    let by_id = receipt(r#"{"call_id":"1671552000000^123","duration":1}"#);
    assert_eq!(by_id.day(), Some(day("2022-12-21")));
    let undated = receipt(r#"{"call_id":"1^1","duration":1}"#);
    assert!(undated.day().is_none() && !undated.answers(&key("1^1", 7, "2026-11-16")));
}

#[test]
fn a_stored_receipt_is_looked_up_as_a_record_is() {
    let key = CallKey { call_id: "1^1".into(), prod_id: ProductId(7), day: day("2026-11-16") };
    let row = LedgerRow { line: 2, key, expected: Expected::default(), query_date: None, carried: vec![] };
    let settle = TimeDelta::minutes(5);
    for (json, kind, status) in [
        (r#"{"call_id":"1^1","status_code":"200000","duration":"30秒"}"#, AnswerKind::Final, Status::Found),
        (r#"{"call_id":"1^1","status_code":"200002"}"#, AnswerKind::Final, Status::Found),
        (r#"{"call_id":"1^1","status_code":"200103","duration":0}"#, AnswerKind::Interim, Status::Pending),
        // The duration may still come.
        (r#"{"call_id":"1^1","status_code":"200000"}"#, AnswerKind::Interim, Status::Pending),
    ] {
        let fetched_at = end_of_day(row.key.day);
        let answer = Receipt::answer_of(receipt(json).to_data(), row.key.day);
        let stored = StoredAnswer { answer, fetched_at, session_no: 1 };
        assert_eq!(kind_today(&stored), kind, "{json}");
        let lookup = look_up(
            &row,
            Some(StoredCall { attempts: 0, answer: None, receipt: Some(Box::new(stored)) }),
            settle,
            2,
        );
        assert_eq!(
            (lookup.status, lookup.source, lookup.found_on, lookup.raw, lookup.request_id),
            (status, Some(Source::Receipt), row.key.day, None, None),
            "{json}"
        );
        assert_eq!(lookup.detail.unwrap(), detail(json));
    }
}

#[test]
fn a_lasting_answer_of_the_operation_counts_before_a_receipt() {
    let day = day("2026-11-16");
    let stored = |answer| StoredAnswer { answer, fetched_at: end_of_day(day), session_no: 1 };
    let pushed = |code: &str| {
        let json = format!(r#"{{"call_id":"1^1","status_code":"{code}","duration":0}}"#);
        stored(Receipt::answer_of(receipt(&json).to_data(), day))
    };
    let asked = |kind| stored(NewAnswer { kind, ..pushed("200002").answer });
    let (whole, interim) = (pushed("200002"), pushed("200103"));
    for (query, receipt, source) in [
        (None, None, None),
        (None, Some(&interim), Some(Source::Receipt)),
        (Some(AnswerKind::Final), Some(&whole), Some(Source::Query)),
        (Some(AnswerKind::Rejected), Some(&whole), Some(Source::Query)),
        (Some(AnswerKind::NoRecord), Some(&whole), Some(Source::Receipt)),
        (Some(AnswerKind::Exhausted), Some(&whole), Some(Source::Receipt)),
        (Some(AnswerKind::Exhausted), Some(&interim), Some(Source::Query)),
        (Some(AnswerKind::NoRecord), None, Some(Source::Query)),
    ] {
        let query = query.map(asked);
        assert_eq!(Source::counting(query.as_ref(), receipt), source, "{query:?} {receipt:?}");
    }
    let mut half = asked(AnswerKind::Rejected);
    half.answer.next_date = day.succ_opt();
    assert_eq!(Source::counting(Some(&half), Some(&whole)), Some(Source::Receipt), "half an answer");
    for source in [Source::Query, Source::Receipt] {
        assert_eq!(Source::parse(source.as_str()), Some(source));
    }
}

#[test]
fn the_fuller_receipt_wins_and_the_other_fills_its_gaps() {
    let early = receipt(
        r#"{"call_id":"1^1","status_code":"200103","originate_time":"2026-11-16 10:00:00","status_msg":"x"}"#,
    );
    let full = receipt(
        r#"{"call_id":"1^1","status_code":"200000","originate_time":"2026-11-16 10:00:00","duration":30,
        "callee":"125****0001","end_time":"2026-11-16 10:00:38"}"#,
    );
    let whole = receipt(r#"{"call_id":"1^1","callee":"12500000001"}"#);
    let merged = merge(vec![early, full.clone(), whole.clone()]).unwrap();
    assert!(merged.is_contradicted, "the state");
    let text = |field| merged.receipt.text(field);
    assert_eq!(text(ReceiptField::StatusCode), Some("200000"));
    assert_eq!((text(ReceiptField::StatusMsg), text(ReceiptField::Callee)), (Some("x"), Some("12500000001")));
    assert!(!merge(vec![full, whole]).unwrap().is_contradicted, "a mask contradicts nothing");
    assert_eq!(merge(vec![]), None);
}

#[test]
fn among_equally_full_receipts_the_later_one_wins() {
    let with = |duration: u32, end: &str| {
        receipt(&format!(r#"{{"call_id":"1^1","duration":{duration},"end_time":"2026-11-16 10:00:{end}"}}"#))
    };
    let duration = |receipts: Vec<Receipt>| {
        merge(receipts).unwrap().receipt.text(ReceiptField::Duration).unwrap().to_owned()
    };
    assert_eq!(duration(vec![with(9, "09"), with(8, "08")]), "9", "by the times in them");
    assert_eq!(duration(vec![with(9, "09"), with(8, "09")]), "8", "else by the order of reading");
}

fn differing(receipt_json: &str, record: &str) -> Vec<(&'static str, String, String, Option<i64>)> {
    let tolerances = Tolerances { duration_s: 1, time_s: 2 };
    let found = differences(&receipt(receipt_json), &normalize(record).unwrap(), tolerances);
    found.into_iter().map(|d| (d.field, d.receipt.into(), d.record.into(), d.delta)).collect()
}

#[test]
fn a_record_differs_only_in_fields_that_both_have() {
    let record = r#"{"callId":"1^1","caller":"125 0000 0002","callee":"12500000001","duration":30,"state":"200000",
        "gmtCreate":"2026-11-16 10:00:00","startDate":"2026-11-16 10:00:08","endDate":"2026-11-16 10:00:38"}"#;
    let same = r#"{"call_id":"1^1","caller":"+86 12500000002","callee":"125****0001","duration":"31秒",
        "status_code":200000,"originate_time":"2026-11-16 10:00:50","start_time":"2026-11-16 10:00:10",
        "caller_show_num":"7","status_msg":"执行完成","b_ring_time":"2026-11-16 10:00:07"}"#;
    assert_eq!(differing(same, record), []);
    let other = r#"{"call_id":"1^1","callee":"125****0002","duration":28,"status_code":"200001",
        "start_time":"2026-11-16 10:00:11","end_time":"2026-11-16 10:00:38"}"#;
    let found = differing(other, record);
    let fields: Vec<_> = found.iter().map(|(field, .., delta)| (*field, *delta)).collect();
    assert_eq!(
        fields,
        [("callee", None), ("state", None), ("duration_s", Some(2)), ("started_at", Some(-3))]
    );
    assert_eq!((found[1].1.as_str(), found[1].2.as_str()), ("200001", "200000"));
    assert_eq!(differing(other, r#"{"callId":"1^1","gmtCreate":"2026-11-16 10:00:00"}"#), []);
    // An end that only one side has is no difference, even of an unanswered call.
    let ended = r#"{"call_id":"1^1","status_code":"200003","end_time":"2026-11-16 10:00:38"}"#;
    assert_eq!(differing(ended, r#"{"state":"200003","endDate":"","duration":0}"#), []);
}

#[test]
fn trust_is_written_as_it_is_read() {
    for text in ["full", "none", "sample=2%", "sample=0.5%", "sample=100%", "sample=0%", "sample=0.0001%"] {
        assert_eq!(ReceiptsTrust::parse(text).unwrap().to_string(), text);
    }
    assert_eq!(ReceiptsTrust::DEFAULT.to_string(), "sample=2%");
    assert_eq!(ReceiptsTrust::parse("sample=2.50%").unwrap().to_string(), "sample=2.5%");
    for wrong in [
        "",
        "Full",
        "sample",
        "sample=",
        "sample=2",
        "sample=101%",
        "sample=-1%",
        "sample=1e1%",
        "sample=.5%",
        "full=1",
    ] {
        assert_eq!(ReceiptsTrust::parse(wrong), None, "{wrong}");
    }
}

#[test]
fn a_sample_has_its_share_and_depends_on_its_seed() {
    let key = |n: u64| CallKey { call_id: format!("{n}^1"), prod_id: ProductId(7), day: day("2026-11-16") };
    let calls: Vec<u128> = (0..50_000).map(|n| key(n).fingerprint()).collect();
    let chosen = |text: &str, seed| -> Vec<bool> {
        let trust = ReceiptsTrust::parse(text).unwrap();
        calls.iter().map(|call| trust.asks(*call, seed)).collect()
    };
    let count = |chosen: &[bool]| chosen.iter().filter(|is_chosen| **is_chosen).count();
    let two = chosen("sample=2%", 1);
    assert!((850..1_150).contains(&count(&two)), "{}", count(&two));
    assert_eq!(two, chosen("sample=2%", 1));
    let other = chosen("sample=2%", 2);
    let both = two.iter().zip(&other).filter(|(a, b)| **a && **b).count();
    assert!(both < 60, "another seed selects other calls: {both}");
    for (text, all) in [("full", 0), ("sample=0%", 0), ("sample=100%", 50_000), ("none", 50_000)] {
        assert_eq!(count(&chosen(text, 1)), all, "{text}");
    }
    // A larger share contains a smaller one, so calls are asked once when the share grows.
    assert!(two.iter().zip(chosen("sample=3%", 1)).all(|(small, large)| !small || large));
}

#[test]
fn a_sample_refutes_only_with_more_than_chance() {
    for (checked, differing, refuted) in [
        (0, 0, false),
        (1, 1, false),
        (10, 1, false),
        (10, 2, true),
        (15, 2, true),
        (16, 2, false),
        (840, 8, false),
        (840, 17, true),
        (1_000, 18, false),
        (1_000, 19, true),
        (1_000_000, 10_300, true),
        (1_000_000, 10_100, false),
        (50, 50, true),
        (1_000_000, 1_000_000, true),
        (3, 7, false),
    ] {
        assert_eq!(refutes(checked, differing), refuted, "{differing} of {checked}");
    }
}

/// The binomial tail, summed term by term.
fn tail(n: u64, k: u64) -> f64 {
    let p = MOST_DIFFERING_PERCENT / 100.0;
    let term = |k: u64| -> f64 {
        let ways: f64 = (1..=k).map(|i| (n - k + i) as f64 / i as f64).product();
        ways * p.powf(k as f64) * (1.0 - p).powf((n - k) as f64)
    };
    (k..=n).map(term).sum()
}

/// A receipt with some of these values; the numbers select one of a few values of each field.
fn any_receipt() -> impl Strategy<Value = String> {
    let value = |name: &'static str, values: &'static [&'static str]| {
        (proptest::sample::select(values.to_vec()), any::<bool>())
            .prop_map(move |(value, is_there)| is_there.then(|| format!(r#""{name}":"{value}""#)))
    };
    let times: &[&str] = &["2026-11-16 10:00:08", "2026-11-16 10:00:38", "2026-11-16T02:00:39Z", ""];
    (
        value("status_code", &["200000", "200003", "200103", "502", ""]),
        value("duration", &["0", "30秒", "31"]),
        value("callee", &["12500000001", "125****0001", "+86 125 0000 0002"]),
        value("hangup_direction", &["用户", "aleg", "?"]),
        value("startTime", times),
        value("end_time", times),
        value("ring_time", times),
        value("B_RING_TIME", times),
        value("status_msg", &["执行完成", "a\\\"b\\\\c\\u0001d"]),
    )
        .prop_map(|(a, b, c, d, e, f, g, h, i)| {
            let values: Vec<String> = [a, b, c, d, e, f, g, h, i].into_iter().flatten().collect();
            let separator = if values.is_empty() { "" } else { "," };
            format!(
                r#"{{"call_id":"1^1","originate_time":"2026-11-16 10:00:00"{separator}{}}}"#,
                values.join(",")
            )
        })
}

proptest! {
    #[test]
    fn stored_text_and_temporary_texts_give_the_receipt_again(json in any_receipt()) {
        let one = receipt(&json);
        let texts: Vec<&str> = one.texts().collect();
        prop_assert_eq!(&Receipt::of_texts(&texts).unwrap(), &one);
        let stored = receipt(&one.to_data());
        prop_assert_eq!(stored.to_data(), one.to_data());
        prop_assert_eq!(stored.detail().unwrap(), one.detail().unwrap());
        let unmasked = !json.contains('*');
        prop_assert!(stored == one || !unmasked);
        prop_assert_eq!(normalize(&one.to_data()).unwrap(), one.detail().unwrap());
    }

    #[test]
    fn merging_needs_no_order_where_receipts_have_ranks(
        jsons in proptest::collection::vec(any_receipt(), 1..6), by in 0_usize..6,
    ) {
        let mut receipts: Vec<Receipt> = jsons.iter().map(|json| receipt(json)).collect();
        let merged = merge(receipts.clone()).unwrap();
        prop_assert_eq!(&merge(vec![merged.receipt.clone(), merged.receipt.clone()]).unwrap().receipt, &merged.receipt);
        let mut again = receipts.clone();
        again.push(merged.receipt.clone());
        prop_assert_eq!(&merge(again).unwrap().receipt, &merged.receipt, "the merged receipt changes nothing");
        let fields = |r: &Receipt| FIELDS.into_iter().filter(|f| r.text(*f).is_some_and(|t| !t.contains('*'))).count();
        let latest = |r: &Receipt| FIELDS.into_iter().filter(|f| f.is_time()).filter_map(|f| r.time(f)).max();
        let mut ranks: Vec<_> = receipts.iter().map(|r| (fields(r), latest(r))).collect();
        ranks.sort();
        ranks.dedup();
        prop_assume!(ranks.len() == receipts.len());
        let len = receipts.len();
        receipts.rotate_left(by % len);
        prop_assert_eq!(&merge(receipts.clone()).unwrap(), &merged);
        receipts.reverse();
        prop_assert_eq!(&merge(receipts).unwrap(), &merged);
    }

    #[test]
    fn merging_in_parts_gives_the_same_as_at_once(
        jsons in proptest::collection::vec(any_receipt(), 1..40), at_once in 1_usize..9,
    ) {
        let receipts: Vec<Receipt> = jsons.iter().map(|json| receipt(json)).collect();
        let mut kept = Vec::new();
        for part in receipts.chunks(at_once) {
            kept.extend(part.iter().map(|receipt| ((), receipt.clone())));
            keep_decisive(&mut kept);
            prop_assert!(kept.len() <= 2 * FIELDS.len());
        }
        let kept = kept.into_iter().map(|((), receipt)| receipt).collect();
        prop_assert_eq!(merge(kept), merge(receipts));
    }

    #[test]
    fn any_bytes_are_a_receipt_or_have_a_problem(bytes: Vec<u8>, text in "[\\PC{}\":,\\[\\]0-9a-z_]{0,60}") {
        for json in [bytes.as_slice(), text.as_bytes(), format!("{{\"call_id\":\"1^1\",{text}}}").as_bytes()] {
            if let Ok(receipt) = Receipt::from_json(json) {
                receipt.detail().unwrap();
            }
        }
        // Each value of each field gives a record that can be read.
        let mut builder = ReceiptBuilder::default();
        let _ = builder.add(InputName::Field(ReceiptField::CallId), "1^1");
        for field in FIELDS {
            let _ = builder.add(InputName::Field(field), &text);
        }
        if let Ok(receipt) = builder.finish() {
            receipt.detail().unwrap();
        }
    }

    #[test]
    fn the_tail_is_that_of_the_binomial_distribution(checked in 1_u64..400, differing in 0_u64..30) {
        prop_assume!(differing <= checked && differing as f64 > checked as f64 / 100.0);
        let tail = tail(checked, differing);
        prop_assume!((tail / 0.01 - 1.0).abs() > 1e-6);
        prop_assert_eq!(refutes(checked, differing), tail < 0.01, "{} of {}: {}", differing, checked, tail);
    }
}

#[test]
fn a_receipt_without_a_state_settles_nothing() {
    let kind = |json: &str| {
        let day = day("2026-11-16");
        let answer = Receipt::answer_of(receipt(json).to_data(), day);
        kind_today(&StoredAnswer { answer, fetched_at: end_of_day(day), session_no: 1 })
    };
    let sent = r#"{"call_id":"1^1","originate_time":"2026-11-16 10:00:00","status_msg":"\"status_code\":"}"#;
    assert_eq!(kind(sent), AnswerKind::Interim);
    assert_eq!(
        kind(&sent.replace("status_msg", "duration").replace(r#""\"status_code\":""#, "9")),
        AnswerKind::Interim
    );
    assert_eq!(kind(r#"{"call_id":"1^1","status_code":"200005"}"#), AnswerKind::Final);
}
