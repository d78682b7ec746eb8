//! Tests the sandbox over real connections, with a small client.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};

use chrono::Utc;

use super::*;
use crate::exit::Exit;
use crate::provider::sign;

/// A running sandbox; it stops when the value is dropped.
struct RunningSandbox {
    address: String,
    _runtime: tokio::runtime::Runtime,
}

impl RunningSandbox {
    fn new(options: Options) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().enable_all().worker_threads(1).build().unwrap();
        let sandbox = runtime.block_on(Sandbox::bind(options)).map_err(|e| e.to_string()).unwrap();
        let address = sandbox.url().strip_prefix("http://").unwrap().to_owned();
        runtime.spawn(sandbox.serve());
        Self { address, _runtime: runtime }
    }

    /// Sends the text of a request. Returns the response's head, in lower case, and its body.
    fn send(&self, request: &str) -> (String, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).unwrap();
        let (head, body) = response.split_once("\r\n\r\n").expect("a complete response");
        (head.to_lowercase(), body.to_owned())
    }

    fn post(&self, form: &str) -> (String, String) {
        self.send(&format!(
            "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\n\r\n{form}",
            form.len()
        ))
    }

    fn get(&self, target: &str) -> (String, String) {
        self.send(&format!("GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"))
    }
}

/// A form with these parameters, signed now.
fn form(method: &str, query: &[(&str, &str)]) -> String {
    let nonce = uuid::Uuid::new_v4().to_string();
    let timestamp = Utc::now().format("%Y-%m-%dT%H:%M:%SZ").to_string();
    let mut params = vec![
        ("AccessKeyId", "testid"),
        ("Action", "QueryCallDetailByCallId"),
        ("Format", "JSON"),
        ("SignatureMethod", "HMAC-SHA1"),
        ("SignatureNonce", &nonce),
        ("SignatureVersion", "1.0"),
        ("Timestamp", &timestamp),
        ("Version", "2017-05-25"),
    ];
    params.extend_from_slice(query);
    let signature = sign::signature(method, &params, "testsecret");
    params.push(("Signature", &signature));
    sign::encode_pairs(&params)
}

/// CallId, ProdId and QueryDate of a call.
const QUERY: [(&str, &str); 3] =
    [("CallId", "116014888060^语音 +*~"), ("ProdId", "11000000300006"), ("QueryDate", "1793894400000")];

/// A text field of a JSON body, or `none`.
fn field(body: &str, name: &str) -> String {
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    body[name].as_str().unwrap_or("none").to_owned()
}

#[test]
fn post_and_get_have_the_same_answer() {
    let sandbox = RunningSandbox::new(Options::default());
    let (head, body) = sandbox.post(&form("POST", &QUERY));
    assert!(head.starts_with("http/1.1 200"), "{head} {body}");
    assert!(head.contains("x-reconcile-sandbox: 1"), "{head}");
    assert!(head.contains("content-type: application/json;charset=utf-8"), "{head}");
    assert_eq!((field(&body, "Code"), field(&body, "Message")), ("OK".into(), "OK".into()));
    let id = field(&body, "RequestId");
    assert!(id.len() == 36 && id == id.to_uppercase(), "{id}");
    let data = field(&body, "Data");
    assert_eq!(field(&data, "callId"), "116014888060^语音 +*~");
    let (_, again) = sandbox.get(&format!("/?{}", form("GET", &QUERY)));
    assert_eq!(field(&again, "Data"), data);
}

#[test]
fn xml_is_the_format_on_request_and_by_default() {
    let sandbox = RunningSandbox::new(Options::default());
    let json = form("POST", &QUERY);
    for form in [json.replace("Format=JSON", "Format=XML"), json.replace("&Format=JSON", "")] {
        // The signature no longer matches, so the reply is a refusal. Its format is under test.
        let (head, body) = sandbox.post(&form);
        assert!(head.starts_with("http/1.1 400") && head.contains("content-type: text/xml"), "{head}");
        assert!(
            body.contains("<Error><RequestId>") && body.contains("<Message><![CDATA[Specified"),
            "{body}"
        );
    }
}

#[test]
fn a_refusal_has_the_gateways_envelope() {
    let sandbox = RunningSandbox::new(Options::default());
    let (head, body) = sandbox.post(&form("GET", &QUERY));
    assert!(head.starts_with("http/1.1 400") && head.contains("x-reconcile-sandbox: 1"), "{head}");
    assert_eq!(field(&body, "Code"), "SignatureDoesNotMatch");
    assert_eq!(field(&body, "HostId"), sandbox.address);
    assert!(field(&body, "Recommend").contains("Keyword=SignatureDoesNotMatch"), "{body}");
    for (head, body) in
        [sandbox.get("/other"), sandbox.send("PUT / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")]
    {
        assert!(head.starts_with("http/1.1 404") && head.contains("x-reconcile-sandbox: 1"), "{head}");
        assert_eq!(field(&body, "Code"), "InvalidApi.NotFound");
    }
}

#[test]
fn the_parameters_of_the_query_are_checked_last() {
    let sandbox = RunningSandbox::new(Options::default());
    let code = |query: &[(&str, &str)]| field(&sandbox.post(&form("POST", query)).1, "Code");
    let (id, product, date) = (QUERY[0], QUERY[1], QUERY[2]);
    assert_eq!(code(&[product, date]), "MissingCallId");
    assert_eq!(code(&[id, date]), "MissingProdId");
    assert_eq!(code(&[id, product, ("QueryDate", "")]), "MissingQueryDate");
    assert_eq!(code(&[id, ("ProdId", "1.1E+13"), date]), "InvalidParameters");
    assert_eq!(code(&[id, product, ("QueryDate", "2026-11-06")]), "InvalidParameters");
    assert_eq!(code(&[id, product, ("QueryDate", "9223372036854775807")]), "InvalidParameter.date");
    assert_eq!(code(&[id, product, date]), "OK");
}

#[test]
fn a_throttled_request_says_how_long_to_wait() {
    let sandbox = RunningSandbox::new(Options { cap_requests: 2, ..Options::default() });
    let ask = || sandbox.post(&form("POST", &QUERY));
    assert_eq!((field(&ask().1, "Code"), field(&ask().1, "Code")), ("OK".into(), "OK".into()));
    let (head, body) = ask();
    assert!(head.starts_with("http/1.1 400"), "{head}");
    assert_eq!(field(&body, "Code"), "Throttling.User");
    let wait = head.lines().find_map(|line| line.strip_prefix("x-acs-retry-after: ")).unwrap();
    assert!((50_000..=60_000).contains(&wait.parse::<u64>().unwrap()), "{wait}");
}

#[test]
fn a_port_in_use_is_named() {
    let held = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = held.local_addr().unwrap().port();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let bound = runtime.block_on(Sandbox::bind(Options { port, ..Options::default() }));
    let error = bound.err().unwrap();
    assert_eq!(error.exit, Exit::Usage);
    assert!(error.what.contains(&format!("127.0.0.1:{port}")), "{}", error.what);
}

fn json(body: &str) -> serde_json::Value {
    serde_json::from_str(body).unwrap()
}

#[test]
fn the_json_pages_show_the_requests_and_no_secret() {
    let sandbox = RunningSandbox::new(Options::default());
    sandbox.post(&form("POST", &QUERY));
    sandbox.post(&form("GET", &QUERY));
    sandbox.get("/");
    let (head, stats) = sandbox.get("/_sandbox/stats");
    assert!(head.starts_with("http/1.1 200") && head.contains("application/json"), "{head}");
    let stats = json(&stats);
    assert_eq!((stats["requests"].as_u64(), stats["most_in_any_window"].as_u64()), (Some(3), Some(1)));
    assert_eq!((&stats["verdicts"]["answered"], &stats["verdicts"]["refused"]), (&1.into(), &2.into()));
    let (_, text) = sandbox.get("/_sandbox/requests");
    let requests = json(&text);
    let codes: Vec<_> = (0..3).map(|i| requests["requests"][i]["code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["OK", "SignatureDoesNotMatch", "MissingAction"]);
    assert_eq!(requests["requests"][0]["account"], "testid");
    assert!(!text.contains("testsecret") && !text.contains("Signature="), "{text}");
    assert_eq!(json(&sandbox.get("/_sandbox/planted").1)["planted"], serde_json::json!([]));
    assert!(sandbox.get("/_sandbox/other").0.starts_with("http/1.1 404"));
}

#[test]
fn faults_end_connections_early() {
    for (fault, says) in [("drop", ""), ("cut", "http/1.1 200"), ("empty", "content-length: 0")] {
        let scenario = Scenario::from(Faults::parse(&format!("{fault}=100%")).unwrap());
        let sandbox = RunningSandbox::new(Options { scenario, ..Options::default() });
        let form = form("POST", &QUERY);
        let mut stream = TcpStream::connect(&sandbox.address).unwrap();
        let head = "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n\
                    Connection: close\r\n";
        write!(stream, "{head}Content-Length: {}\r\n\r\n{form}", form.len()).unwrap();
        let mut reply = Vec::new();
        // The early end may also be reported as a connection error.
        let _ = stream.read_to_end(&mut reply);
        let reply = String::from_utf8_lossy(&reply).to_lowercase();
        assert!(if says.is_empty() { reply.is_empty() } else { reply.contains(says) }, "{fault}: {reply}");
        if let Some((head, body)) = reply.split_once("\r\n\r\n").filter(|_| fault == "cut") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
            assert!(!body.is_empty() && body.len() < length.parse().unwrap(), "{reply}");
        }
        let stats = json(&sandbox.get("/_sandbox/stats").1);
        assert_eq!(stats["verdicts"][fault], 1, "{stats}");
    }
}

#[test]
fn other_day_hides_the_record_on_the_first_day() {
    let scenario = Scenario::from(Faults::parse("other-day=100%").unwrap());
    let sandbox = RunningSandbox::new(Options { scenario, ..Options::default() });
    let next = (1_793_894_400_000_i64 + 86_400_000).to_string();
    let data = |date: &str| {
        let query = [QUERY[0], QUERY[1], ("QueryDate", date)];
        field(&sandbox.post(&form("POST", &query)).1, "Data")
    };
    assert_eq!(data("1793894400000"), "none");
    assert!(data(&next).contains("gmtCreate"));
    assert_eq!(data("1793894400000"), "none");
}
