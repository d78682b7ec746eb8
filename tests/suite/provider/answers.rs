//! Every answer of the provider: each code in each format, each state, each form of `Data`. The
//! expected values are taken from the provider's pages, not from the program's tables.

use std::collections::HashMap;

use reconcile::provider::codes::{CODES, Class};
use reconcile::provider::wire::{BODY_LIMIT, Body, KEPT_BYTES, Reply as Wire, understand};
use reconcile_core::normalize::normalize;
use reconcile_core::states::STATES;

use crate::support::provider::{Reply, detail};
use crate::support::{Bench, Row, cell, column, id, ledger};

/// Classes by name, each with its codes in the order of the provider's pages.
const CLASSES: [(&str, &[&str]); 11] = [
    ("throttle", &["Throttling", "Throttling.User", "Throttling.Api"]),
    ("limit", &["isv.BUSINESS_LIMIT_CONTROL"]),
    ("transient", &["isp.SYSTEM_ERROR", "InternalError", "ServiceUnavailable"]),
    ("doubtful", &["isp.GATEWAY_ERROR", "isp.UNKNOWN"]),
    ("nonce", &["SignatureNonceUsed"]),
    ("clock", &["InvalidTimeStamp.Expired"]),
    (
        "token",
        &[
            "InvalidSecurityToken.Expired",
            "InvalidSecurityToken.Malformed",
            "InvalidSecurityToken.MismatchWithAccessKey",
            "MissingSecurityToken",
        ],
    ),
    ("route", &[]),
    ("no record", &["100008.0", "isv.BILLID_NOT_EXIST", "BillidNotExist"]),
    (
        "fatal",
        &[
            "isp.RAM_PERMISSION_DENY",
            "isp.RES_OWNER_ID_UNKNOWN",
            "isp.USER_NOT_EXIST",
            "isp.USER_ASSERT_NOT_EXIST",
            "isv.OUT_OF_SERVICE",
            "isv.PRODUCT_UN_SUBSCRIPT",
            "isv.PRODUCT_UNSUBSCRIBE",
            "isv.ACCOUNT_NOT_EXISTS",
            "isv.ACCOUNT_ABNORMAL",
            "isv.AMOUNT_NOT_ENOUGH",
            "isv.AMOUNT_NOT_ENOUG",
            "InvalidTimeStamp.Format",
            "SignatureDoesNotMatch",
            "IncompleteSignature",
            "InvalidSignatureMethod",
            "InvalidVersion",
            "UnsupportedHTTPMethod",
            "InvalidAccessKeyId.NotFound",
            "InvalidAccessKeyId.Inactive",
            "Forbidden.RAM",
            "NoPermission",
            "Forbidden",
            "Forbidden.RiskControl",
            "InvalidAction.NotFound",
            "InvalidApi.NotFound",
            "InvalidProduct.NotFound",
            "InvalidProtocol.NeedSsl",
        ],
    ),
    (
        "call",
        &[
            "InvalidParameter.date",
            "InvalidParameters",
            "InvalidParameter",
            "MissingParameter",
            "isv.INVALID_PARAMETERS",
            "isv.PARAM_LENGTH_LIMIT",
            "isv.PARAM_NOT_SUPPORT_URL",
            "isv.MOBILE_NUMBER_ILLEGAL",
            "isv.DISPLAY_NUMBER_ILLEGAL",
            "isv.MOBILE_COUNT_OVER_LIMIT",
            "isv.TTS_TEMPLATE_ILLEGAL",
            "isv.TEMPLATE_ILLEGAL",
            "isv.TEMPLATE_PARAMS_ILLEGAL",
            "isv.TEMPLATE_MISSING_PARAMETERS",
            "isv.VOICE_FILE_ILLEGAL",
            "isv.BLACK_KEY_CONTROL_LIMIT",
            "isv.ASR_MODEL_ERROR",
            "isv.COMPLAINT_REJECT",
            "ComplaintReject",
            "isv.VOICE_ROBOT_CALLEE_LIMIT",
            "isv.VOICE_ROBOT_NOT_PERIOD",
            "isv.VOICE_CALL_PERIOD_ERROR",
            "isv.VOICE_CALL_FAIL",
        ],
    ),
];

const STATUSES: [u16; 8] = [200, 400, 403, 404, 429, 500, 502, 503];

/// An error with this code in six formats: the service's, the gateway's, JSON with keys in lower
/// case, and three forms of XML.
fn forms(code: &str) -> [String; 6] {
    [
        format!(r#"{{"Message":"m","RequestId":"R","Code":"{code}"}}"#),
        format!(r#"{{"Recommend":"u","Message":"m","RequestId":"R","HostId":"h","Code":"{code}"}}"#),
        format!(r#"{{"code":"{code}","message":"m","requestId":"R","data":null}}"#),
        format!(
            "<?xml version=\"1.0\"?><Error><RequestId>R</RequestId><HostId>h</HostId><Code>{code}</Code><Message><![CDATA[m]]></Message><Recommend><![CDATA[u]]></Recommend></Error>"
        ),
        format!(
            "<QueryCallDetailByCallIdResponse>\n <Code>{code}</Code>\n <Message>m</Message>\n <RequestId>R</RequestId>\n</QueryCallDetailByCallIdResponse>"
        ),
        format!(
            "\u{feff}<Error><Code><![CDATA[{code}]]></Code><Message>m</Message><RequestId>R</RequestId></Error>"
        ),
    ]
}

/// The class of a code with this status. Asserts that it is the same in every format.
fn class_of(code: &str, status: u16) -> String {
    let mut classes = forms(code).into_iter().map(|body| {
        let answer = understand(&Wire::received(status, body.clone()));
        assert_eq!((answer.code.as_str(), answer.message.as_str()), (code, "m"), "{body}");
        assert_eq!((answer.request_id.as_deref(), answer.http_status), (Some("R"), Some(status)), "{body}");
        match answer.body {
            Body::NoRecord => Class::NoRecord.as_str(),
            Body::Error(class) => class.as_str(),
            other => panic!("{body}: {other:?}"),
        }
    });
    let first = classes.next().unwrap();
    classes.for_each(|other| assert_eq!(other, first, "{code} with HTTP {status}"));
    first.to_owned()
}

#[test]
fn every_code_has_its_class_in_json_and_in_xml() {
    let mut seen = 0;
    for (class, codes) in CLASSES {
        for code in codes {
            for status in STATUSES {
                assert_eq!(class_of(code, status), class, "{code} with HTTP {status}");
            }
            assert!(CODES.iter().any(|known| known.code == *code), "{code} is not in the table");
            seen += 1;
        }
    }
    assert_eq!(seen, CODES.len(), "the program's table has a code that no page has");
}

#[test]
fn an_unknown_code_gets_its_class_by_family_then_status() {
    for (code, classes) in [
        // In the order of STATUSES.
        (
            "isv.NEVER_SEEN",
            ["call", "call", "call", "call", "throttle", "transient", "transient", "transient"],
        ),
        ("InvalidSomething", ["call"; 8]),
        ("MissingCallId", ["call"; 8]),
        ("MissingTimestamp", ["fatal"; 8]),
        ("Throttling.NeverSeen", ["throttle"; 8]),
        ("Forbidden.NeverSeen", ["fatal"; 8]),
        ("InvalidSecurityToken.NeverSeen", ["token"; 8]),
        ("InvalidAccessKeyId.NeverSeen", ["fatal"; 8]),
    ] {
        for (status, class) in STATUSES.into_iter().zip(classes) {
            assert_eq!(class_of(code, status), class, "{code} with HTTP {status}");
        }
    }
}

#[test]
fn the_code_ok_is_an_answer_with_every_http_status() {
    for status in STATUSES {
        for body in forms("OK") {
            let answer = understand(&Wire::received(status, body.clone()));
            assert_eq!(answer.body, Body::NoRecord, "{body}");
        }
    }
}

#[test]
fn a_reply_without_a_code_gets_its_class_by_status() {
    for (status, class) in [
        (200, "transient"),
        (302, "route"),
        (404, "transient"),
        (407, "route"),
        (429, "throttle"),
        (502, "transient"),
    ] {
        for body in
            ["", "<html><h1>x</h1></html>", "<!DOCTYPE html><html></html>", "{\"Code\":\"OK\"", "no", "[]"]
        {
            let Body::Error(actual) = understand(&Wire::received(status, body)).body else {
                panic!("{body}")
            };
            assert_eq!(actual.as_str(), class, "{body} with HTTP {status}");
        }
    }
}

/// Code, final, answered (`?`: decided by talk time), outcome.
const TABLE_OF_STATES: [(&str, bool, char, &str); 36] = [
    ("200000", true, 'y', "answered"),
    ("200001", true, 'y', "answered"),
    ("200002", true, 'n', "busy"),
    ("200003", true, 'n', "no_answer"),
    ("200004", true, 'n', "invalid_number"),
    ("200005", true, 'n', "unreachable"),
    ("200006", true, '?', "failed"),
    ("200007", true, 'n', "unreachable"),
    ("200008", true, 'y', "answered"),
    ("200010", true, 'n', "powered_off"),
    ("200011", true, 'n', "suspended"),
    ("200012", true, 'n', "restricted"),
    ("200130", true, 'n', "failed"),
    ("200100", true, 'y', "answered"),
    ("200101", false, 'n', "in_progress"),
    ("200102", false, '?', "in_progress"),
    ("200103", false, 'y', "in_progress"),
    ("200201", false, 'n', "in_progress"),
    ("200104", true, 'n', "restricted"),
    ("200105", true, 'n', "restricted"),
    ("200111", true, 'n', "rejected"),
    ("200112", true, 'n', "busy"),
    ("200113", true, 'n', "no_answer"),
    ("200116", true, 'n', "invalid_number"),
    ("200117", true, 'n', "restricted"),
    ("200118", true, 'n', "restricted"),
    ("200119", true, 'n', "restricted"),
    ("200120", true, 'n', "unreachable"),
    ("200121", true, 'n', "restricted"),
    ("300000", true, '?', "unknown"),
    ("9996", true, 'n', "failed"),
    ("999999", true, 'n', "failed"),
    ("500", true, 'n', "failed"),
    ("400", true, 'n', "failed"),
    ("482", true, 'n', "unreachable"),
    ("476", true, 'n', "invalid_number"),
];

#[test]
fn every_state_says_whether_final_and_whether_answered() {
    assert_eq!(STATES.len(), TABLE_OF_STATES.len());
    for (code, is_final, answered, outcome) in TABLE_OF_STATES {
        for (duration, talked) in
            [(r#","duration":7"#, Some(true)), (r#","duration":"0""#, Some(false)), ("", None)]
        {
            for state in [format!("\"{code}\""), code.to_owned()] {
                let data = format!(r#"{{"state":{state}{duration}}}"#);
                let read = normalize(&data).unwrap();
                assert_eq!((read.outcome.as_str(), read.is_final), (outcome, is_final), "{data}");
                assert!(read.state_known && read.state.as_deref() == Some(code), "{data}");
                let expected = match answered {
                    'y' => Some(true),
                    'n' => Some(false),
                    _ => talked,
                };
                assert_eq!(read.answered, expected, "{data}");
            }
        }
    }
}

/// How a call with such an answer ends.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Ends {
    Found,
    NotFound,
    Malformed,
}

/// The good record of the first call as the text of `Data`, with one change.
fn changed(from: &str, to: &str) -> String {
    let data = detail(&id(0)).to_string();
    assert!(data.contains(from), "{from}");
    data.replace(from, to)
}

/// Forms of `Data` with their names, and how a call with each ends. All are records of the first
/// call.
fn forms_of_data() -> Vec<(&'static str, String, Ends)> {
    let good = detail(&id(0)).to_string();
    let deep = |n: usize| format!("{}1{}", "[".repeat(n), "]".repeat(n));
    vec![
        ("a record", good.clone(), Ends::Found),
        ("empty", String::new(), Ends::NotFound),
        ("white space", " \n\t ".into(), Ends::NotFound),
        ("{}", "{}".into(), Ends::NotFound),
        ("{ }", " { } ".into(), Ends::NotFound),
        ("null as text", "null".into(), Ends::NotFound),
        ("white space around", format!("\n {good} \n"), Ends::Found),
        ("state a number", changed(r#""state":"200000""#, r#""state":200000"#), Ends::Found),
        ("direction a string", changed(r#""hangupDirection":0"#, r#""hangupDirection":"0""#), Ends::Found),
        ("callee a number", changed(r#""callee":"18512348980""#, r#""callee":18512348980"#), Ends::Found),
        ("unknown fields", changed("{", r#"{"recordFile":"oss://x","new":[{"a":null}],"#), Ends::Found),
        (
            "deep nesting in an unknown field",
            changed("{", &format!(r#"{{"new":{},"#, deep(100_000))),
            Ends::Found,
        ),
        (
            "deep nesting in a known field",
            changed("{", &format!(r#"{{"caller":{},"#, deep(100_000))),
            Ends::Malformed,
        ),
        ("a key twice, the same", changed("{", r#"{"state":"200000","#), Ends::Found),
        ("a key twice, differing", changed("{", r#"{"state":"200002","#), Ends::Malformed),
        ("curly quotes", "{“caller”:”18767130000”,”state”:”502”}".into(), Ends::Malformed),
        ("full-width commas", changed(",", "，"), Ends::Malformed),
        ("an array", format!("[{good}]"), Ends::Malformed),
        ("half", good[..good.len() / 2].into(), Ends::Malformed),
        ("a word", "OK".into(), Ends::Malformed),
        ("another object", r#"{"error":"x"}"#.into(), Ends::Malformed),
        ("half of a surrogate pair", changed("用户接听", r"\ud83d"), Ends::Malformed),
        ("a zero in a field", changed("用户接听", r"\u0000"), Ends::Found),
        ("a zero byte before", format!("\0{good}"), Ends::Malformed),
        ("duration below zero", changed(r#""duration":"#, r#""duration":-"#), Ends::Malformed),
        ("duration without end", changed(r#""duration":"#, r#""duration":99999999999"#), Ends::Malformed),
        ("a time in words", changed("2024-05-26 17:00:58", "yesterday"), Ends::Malformed),
        ("large", changed("{", &format!(r#"{{"new":"{}","#, "x".repeat(BODY_LIMIT / 2))), Ends::Found),
    ]
}

/// Runs one call per reply and asserts how each call ends.
fn assert_ends(replies: &[(&'static str, Reply, Ends)], options: &[&str]) -> Bench {
    let bench = Bench::new(&ledger(replies.len()));
    let by_call: HashMap<String, Reply> =
        replies.iter().enumerate().map(|(i, (_, reply, _))| (id(i), reply.clone())).collect();
    bench.provider.answer_with(move |request| by_call[request.call_id()].clone());
    // The next run asks for malformed calls again; this run is complete all the same.
    bench.run(options).exits(0).keeps_secrets(&bench.provider);
    bench.provider.by_default(Reply::record());
    let (details, discrepancies) = (bench.details(), bench.discrepancies());
    let is_of_other_call = |row: &Row| {
        let other =
            |found: &Row| cell(found, "field") == "call_id" && cell(found, "call_id") == cell(row, "call_id");
        discrepancies.iter().any(other)
    };
    for ((name, _, ends), row) in replies.iter().zip(&details) {
        let (status, error) = match ends {
            Ends::Found => ("found", ""),
            Ends::NotFound => ("not_found", ""),
            Ends::Malformed => ("failed", "MalformedData"),
        };
        assert_eq!((cell(row, "status"), cell(row, "error_code")), (status, error), "{name}");
        assert_eq!(cell(row, "raw").is_empty(), *ends == Ends::NotFound, "{name}");
        // Another attempt at once would not help, except for the record of another call.
        let attempts = if is_of_other_call(row) { "2" } else { "1" };
        assert_eq!(cell(row, "attempts"), attempts, "{name}");
    }
    let of_other_call = details.iter().filter(|row| is_of_other_call(row)).count();
    assert_eq!(bench.provider.seen(), replies.len() + of_other_call);
    let kinds = bench.kinds();
    let count = |kind: &str| kinds.iter().filter(|(known, _)| known == kind).count();
    let expected = |ends: Ends| replies.iter().filter(|(_, _, other)| *other == ends).count();
    assert_eq!(count("malformed"), expected(Ends::Malformed));
    assert_eq!(count("not_found"), expected(Ends::NotFound));
    assert!(bench.summary().complete());
    bench.summary().assert_totals();
    bench
}

/// Every call got the record of the first call. Asserts that only the other CallId is reported.
fn assert_only_other_call(bench: &Bench, found: usize) {
    let rows = bench.discrepancies();
    let other: Vec<_> = rows.iter().filter(|row| cell(row, "kind") == "inconsistent").collect();
    assert_eq!(other.len(), found - 1);
    assert!(other.iter().all(|row| cell(row, "message").starts_with("other_call: ")), "{other:?}");
}

#[test]
fn every_form_of_data_has_its_status_in_json() {
    let forms = forms_of_data();
    let replies: Vec<_> = forms.iter().map(|(name, data, ends)| (*name, Reply::data(data), *ends)).collect();
    let bench = assert_ends(&replies, &[]);
    // The reply is kept byte for byte.
    for ((name, data, ends), row) in forms.iter().zip(bench.details()) {
        if *ends != Ends::NotFound {
            assert_eq!(cell(&row, "raw"), data, "{name}");
        }
    }
    let found = forms.iter().filter(|(_, _, ends)| *ends == Ends::Found).count();
    assert_only_other_call(&bench, found);
}

fn xml(data: &str) -> Reply {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<QueryCallDetailByCallIdResponse>\n  <Code>OK</Code>\n  {data}\n  \
         <Message>OK</Message>\n  <RequestId>R</RequestId>\n</QueryCallDetailByCallIdResponse>\n"
    );
    Reply::raw(200, "text/xml;charset=utf-8", body)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}

#[test]
fn every_form_of_data_has_its_status_in_xml() {
    let forms = forms_of_data();
    let mut replies: Vec<_> = forms
        .iter()
        .enumerate()
        .map(|(i, (name, data, ends))| {
            let inside = if i % 2 == 0 { escaped(data) } else { format!("<![CDATA[{data}]]>") };
            (*name, xml(&format!("<Data>{inside}</Data>")), *ends)
        })
        .collect();
    let good = detail(&id(0)).to_string();
    replies.extend([
        ("no element", xml(""), Ends::NotFound),
        ("an empty element", xml("<Data/>"), Ends::NotFound),
        ("elements", xml("<Data><callId>1^2</callId></Data>"), Ends::Malformed),
        ("an undefined entity", xml("<Data>&record;</Data>"), Ends::Malformed),
        ("not escaped", xml("<Data>{\"callee\":\"<1\"}</Data>"), Ends::Malformed),
        ("twice", xml(&format!("<Data>{}</Data><Data/><Data>{{}}</Data>", escaped(&good))), Ends::Malformed),
    ]);
    let bench = assert_ends(&replies, &["--wire-format", "xml"]);
    for request in bench.provider.requests() {
        assert_eq!(request.param("Format"), "XML");
    }
    let raw = bench.details();
    for ((name, data, ends), row) in forms.iter().zip(&raw) {
        if *ends != Ends::NotFound {
            assert_eq!(cell(row, "raw"), data, "{name}");
        }
    }
    assert_eq!(cell(&raw[raw.len() - 4], "raw"), "<callId>1^2</callId>");
}

/// The good envelope as bytes, with one change.
fn envelope(from: &str, to: &[u8]) -> Vec<u8> {
    let data = detail(&id(0)).to_string();
    let body = serde_json::json!({"Code": "OK", "Message": "OK", "RequestId": "R", "Data": data}).to_string();
    let (before, after) = body.split_once(from).unwrap();
    [before.as_bytes(), to, after.as_bytes()].concat()
}

#[test]
fn every_form_of_the_envelope_has_its_status() {
    /// 用户接听 in GBK.
    const GBK: &[u8] = b"\xd3\xc3\xbb\xa7\xbd\xd3\xcc\xfd";
    let json = |body: Vec<u8>| Reply::raw(200, "application/json;charset=utf-8", body);
    let object = serde_json::json!({"Code": "OK", "Data": detail(&id(0))});
    let prolog = [
        b"<?xml version='1.0' encoding='GBK'?><AResponse><Code>OK</Code><Data>{\"stateDesc\":\"",
        GBK,
        b"\",\"state\":\"200003\"}</Data></AResponse>".as_slice(),
    ]
    .concat();
    let utf_16: Vec<u8> = std::iter::once(0xfeff_u16)
        .chain(String::from_utf8(envelope("用户接听", "用户".as_bytes())).unwrap().encode_utf16())
        .flat_map(u16::to_le_bytes)
        .collect();
    let long = format!(r#"{{"Code":"OK","Message":"OK","Data":"{}"}}"#, "x".repeat(64 << 20));
    let replies = [
        ("no Data", Reply::without_data(), Ends::NotFound),
        ("null", Reply::null_data(), Ends::NotFound),
        ("an empty object", Reply::json(200, &serde_json::json!({"Code": "OK", "Data": {}})), Ends::NotFound),
        ("no such record, as an error", Reply::code(400, "isv.BILLID_NOT_EXIST", "m"), Ends::NotFound),
        ("an object", Reply::json(200, &object), Ends::Found),
        ("a number", Reply::json(200, &serde_json::json!({"Code": "OK", "Data": 7})), Ends::Malformed),
        (
            "small keys",
            Reply::json(200, &serde_json::json!({"code": "OK", "data": detail(&id(6))})),
            Ends::Found,
        ),
        (
            "GBK by the header",
            Reply::raw(200, "application/json;charset=GBK", envelope("用户接听", GBK)),
            Ends::Found,
        ),
        ("GBK by the prolog", Reply::raw(200, "text/xml", prolog), Ends::Found),
        ("GBK unsaid", json(envelope("用户接听", GBK)), Ends::Malformed),
        ("UTF-16 by its mark", Reply::raw(200, "application/json", utf_16), Ends::Found),
        (
            "bytes that are no text, in Message",
            json(envelope("\"Message\":\"OK\"", b"\"Message\":\"\xff\"")),
            Ends::Found,
        ),
        ("half of a surrogate pair", json(envelope("用户接听", br"\ud83d")), Ends::Malformed),
        ("Data twice", json(envelope("{", b"{\"Data\":\"\",")), Ends::Malformed),
        ("Code twice", json(envelope("{", b"{\"Code\":\"isp.UNKNOWN\",")), Ends::Malformed),
        ("an escape that is none", json(envelope("用户接听", br"\{")), Ends::Malformed),
        ("64 MiB", json(long.into_bytes()), Ends::Malformed),
    ];
    let bench = assert_ends(&replies, &[]);
    let rows = bench.details();
    assert_eq!(cell(&rows[7], "state_desc"), "用户接听");
    assert_eq!(cell(&rows[8], "state_desc"), "用户接听");
    assert!(cell(&rows[9], "raw").contains('\u{fffd}') && cell(&rows[9], "error_message").contains("U+FFFD"));
    // The beginning of the endless reply is kept, and its length is reported.
    let last = &rows[16];
    assert_eq!(cell(last, "raw").len(), KEPT_BYTES);
    assert!(cell(last, "error_message").contains("67108"), "{}", cell(last, "error_message"));
    assert!(cell(last, "error_message").contains(&BODY_LIMIT.to_string()));

    // Only the next run asks for the open calls again.
    let seen = bench.provider.seen();
    bench.run(&[]).exits(0);
    let again = bench.provider.seen() - seen;
    let open = |(_, _, ends): &&(&str, Reply, Ends)| *ends != Ends::Found;
    assert_eq!(again, replies.iter().filter(open).count());
    assert_eq!(column(&bench.details(), "status"), ["found"; 17]);
}

#[test]
fn each_class_of_error_takes_its_number_of_attempts() {
    // For each class: a code, the attempts (four at most), status and exit code.
    for (code, attempts, status, exit) in [
        ("isp.SYSTEM_ERROR", 4, "failed", 4),
        ("isp.GATEWAY_ERROR", 3, "failed", 4),
        ("SignatureNonceUsed", 4, "failed", 4),
        ("isv.NEVER_SEEN", 1, "failed", 0),
        ("100008.0", 1, "not_found", 0),
    ] {
        let bench = Bench::new(&ledger(1));
        bench.provider.by_default(Reply::code(200, code, "m"));
        bench.run(&["--max-attempts", "4"]).exits(exit);
        assert_eq!(bench.provider.seen(), attempts, "{code}");
        let rows = bench.details();
        assert_eq!(
            (cell(&rows[0], "status"), cell(&rows[0], "attempts")),
            (status, attempts.to_string().as_str())
        );
        assert_eq!(cell(&rows[0], "error_code"), if status == "failed" { code } else { "" });
        let requests = bench.provider.requests();
        let mut least = 250;
        for (i, pair) in requests.windows(2).enumerate() {
            let waited = (pair[1].arrived - pair[0].arrived).as_millis();
            // A new nonce is tried at once; after that the usual pauses follow.
            let at_once = code == "SignatureNonceUsed" && i == 0;
            assert!(at_once || waited >= least, "{code}: {waited} ms before attempt {}", i + 2);
            least *= 2;
        }
        bench.provider.assert_own_nonces();
    }
}

#[test]
fn the_sample_run_is_the_same_in_xml() {
    let sample = include_str!("../../../sample-data/calls.csv");
    let outputs = |options: &[&str]| {
        let bench = Bench::new(sample);
        bench.run(&[&["--sandbox", "--prod-id", "voice-notification"], options].concat()).exits(0);
        bench.comparable_outputs()
    };
    let json = outputs(&[]);
    assert!(json.0.len() > 50);
    assert_eq!(json, outputs(&["--wire-format", "xml"]));
}

#[test]
fn ten_gateway_errors_in_a_row_cause_one_warning() {
    let bench = Bench::new(&ledger(12));
    bench.provider.by_default(Reply::code(200, "isp.GATEWAY_ERROR", "网元处理调用失败"));
    let options = ["--max-attempts", "1", "-q"];
    let run =
        bench.run(&options).exits(4).says("dyvms:QueryCallDetailByCallId").says("the product is the one");
    assert_eq!(run.stderr.matches("10 answers in a row").count(), 1, "{}", run.stderr);
    assert_eq!(bench.provider.seen(), 12);
    let notes = bench.summary().0["notes"].to_string();
    assert!(notes.contains("isp.GATEWAY_ERROR"), "{notes}");
    let report = std::fs::read_to_string(bench.path("details.report.html")).unwrap();
    assert!(report.contains("10 answers in a row were isp.GATEWAY_ERROR"));
}

#[test]
fn every_empty_answer_for_an_old_call_means_not_found() {
    let bench = Bench::new(&ledger(4));
    bench.provider.script(&id(0), [Reply::without_data()]);
    bench.provider.script(&id(1), [Reply::null_data()]);
    bench.provider.script(&id(2), [Reply::data("")]);
    bench.provider.script(&id(3), [Reply::data(" \t\r\n ")]);
    bench.run(&[]).exits(0);
    assert_eq!(column(&bench.details(), "status"), ["not_found"; 4]);
    assert_eq!(bench.kinds(), vec![("not_found".to_owned(), String::new()); 4]);
    let summary = bench.summary();
    assert_eq!((summary.number("not_found"), summary.number("requests")), (4, 4));
    summary.assert_totals();
}

#[test]
fn a_recent_call_without_a_record_is_pending() {
    let now_ms = chrono::Utc::now().timestamp_millis();
    let bench = Bench::new(&format!("call_id,prod_id,called_at\n{},11000000300006,{now_ms}\n", id(0)));
    bench.provider.by_default(Reply::without_data());
    bench.run(&["--settle", "10m"]).exits(0);
    assert_eq!(column(&bench.details(), "status"), ["pending"]);
    assert_eq!(bench.kinds(), [("pending".into(), String::new())]);
}

#[test]
fn malformed_data_gives_a_failed_row() {
    let texts = ["{“callId”:“116014888060”}", "[1,2]", "{\"callId\":\"116", "null", "42"];
    let bench = Bench::new(&ledger(texts.len() + 1));
    for (i, text) in texts.iter().enumerate() {
        bench.provider.script(&id(i), [Reply::data(text)]);
    }
    bench.run(&[]).exits(0);
    let details = bench.details();
    // `null` as the text counts as no record.
    for (i, text) in texts.iter().enumerate().filter(|(_, text)| **text != "null") {
        assert_eq!(cell(&details[i], "status"), "failed", "{text}");
        assert_eq!(cell(&details[i], "error_code"), "MalformedData", "{text}");
        assert_eq!(cell(&details[i], "raw"), *text);
    }
    assert_eq!(cell(&details[texts.len()], "status"), "found");
    let malformed = bench.kinds().iter().filter(|(kind, _)| kind == "malformed").count();
    assert!(malformed >= 4, "{:?}", bench.kinds());
    bench.summary().assert_totals();
}
