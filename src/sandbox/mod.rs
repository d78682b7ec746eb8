//! The simulated provider: an HTTP server on 127.0.0.1 that answers as the provider's gateway does.
//!
//! ```text
//!  server ─► simulated: gateway (signature · accounts · sts) ─► scenario (faults) ─► records (invented · rehearsed · replay) ─► envelope
//!                └─► journal                                                                 alone: the same as a command
//! ```
//!
//! It needs no credentials of anybody's and knows no real call. It checks what the provider checks, signatures of both
//! versions and the cap among it, with code of its own, so that a run against it shows whether the client is right.
//! Every reply to what HTTP can read carries the header `x-reconcile-sandbox: 1`. Nothing here panics on what it
//! is sent.

mod accounts;
mod envelope;
mod faults;
mod gateway;
mod invented;
mod journal;
mod records;
mod rehearsed;
mod replay;
mod scenario;
mod serve;
mod server;
mod signature;
mod simulated;
mod sts;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use tokio::net::TcpListener;

use crate::error::{Error, Result};
use crate::recording;
use records::Known;
use rehearsed::Rehearsed;
use replay::Replay;
use simulated::Simulated;

pub use accounts::{Account, TEST_ACCOUNT, parse_accounts};
pub use faults::{Faults, faults_help, share};
pub use scenario::Scenario;
pub use serve::{Alone, serve_alone};

/// Whose calls the provider knows, when it is not the sample data.
pub struct Calls(Known);

impl Calls {
    /// Reads a ledger, of whose calls `share` of 2^64 get a discrepancy, or a recording; the content tells which.
    ///
    /// # Errors
    ///
    /// Exit 2 when the file cannot be read.
    pub fn read(path: &Path, map: &[(String, String)], seed: u64, share: u64) -> Result<Self> {
        if recording::is_recording(path) {
            return Ok(Self(Known::Recording(Replay::new(recording::read(path)?))));
        }
        Rehearsed::read(path, map, seed, share).map(|rehearsed| Self(Known::Ledger(rehearsed)))
    }

    /// What they are, in words.
    #[must_use]
    pub fn summary(&self) -> String {
        match &self.0 {
            Known::Sample(_) => "the calls of the sample data".into(),
            Known::Ledger(rehearsed) => rehearsed.summary(),
            Known::Recording(replay) => format!("the recorded answers to {} questions", replay.len()),
        }
    }
}

/// How the sandbox is set up. It cannot be printed: it holds secrets.
pub struct Options {
    /// The port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// The keys that it accepts.
    pub accounts: Vec<Account>,
    /// How many requests of one key are accepted...
    pub cap_requests: u32,
    /// ... in any window of this length.
    pub cap_window: Duration,
    /// How far its clock is ahead of this machine's.
    pub clock_ahead: TimeDelta,
    /// What is to go wrong.
    pub scenario: Scenario,
    /// The only calls that it knows; without, those of the sample data and any other.
    pub calls: Option<Calls>,
    /// What chance begins with.
    pub seed: u64,
    /// The least and the most that an answer takes.
    pub latency: (Duration, Duration),
}

impl Default for Options {
    fn default() -> Self {
        let (id, secret) = TEST_ACCOUNT;
        Self {
            port: 0,
            accounts: vec![Account::new(id, secret)],
            cap_requests: 100,
            cap_window: Duration::from_secs(60),
            clock_ahead: TimeDelta::zero(),
            scenario: Scenario::default(),
            calls: None,
            seed: 0,
            latency: (Duration::ZERO, Duration::ZERO),
        }
    }
}

/// The simulated provider, bound to its port.
pub struct Sandbox {
    listener: TcpListener,
    address: SocketAddr,
    provider: Arc<Simulated>,
}

impl Sandbox {
    /// Takes the port. Connections are accepted from now on and answered once [`Sandbox::serve`] runs.
    ///
    /// # Errors
    ///
    /// Exit 2 when the port cannot be taken.
    pub async fn bind(options: Options) -> Result<Self> {
        let wanted = SocketAddr::from((Ipv4Addr::LOCALHOST, options.port));
        let refused = |error: std::io::Error| {
            Error::usage(format!("the sandbox cannot listen on {wanted}: {error}"))
                .hint("choose another --port, or stop the program that holds it")
                .because(error)
        };
        let listener = TcpListener::bind(wanted).await.map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        let provider = Simulated::new(options, address.to_string())?;
        Ok(Self { listener, address, provider: Arc::new(provider) })
    }

    /// Where it is, for `--endpoint`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Answers until it is dropped.
    pub async fn serve(self) {
        server::serve(self.listener, self.provider).await;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use std::io::{Read as _, Write as _};
    use std::net::TcpStream;

    use chrono::Utc;

    use super::envelope::{Envelope, Form};
    use super::*;
    use crate::exit::Exit;
    use crate::provider::sign;
    use crate::provider::wire::{Body, Reply, understand};

    /// A sandbox at work on a run time of its own; it ends with the value.
    struct Bench {
        address: SocketAddr,
        _runtime: tokio::runtime::Runtime,
    }

    impl Bench {
        fn new(options: Options) -> Self {
            let runtime =
                tokio::runtime::Builder::new_multi_thread().enable_all().worker_threads(1).build().unwrap();
            let sandbox = runtime.block_on(Sandbox::bind(options)).map_err(|e| e.to_string()).unwrap();
            let address = sandbox.address;
            runtime.spawn(sandbox.serve());
            Self { address, _runtime: runtime }
        }

        /// Sends a request as it stands and returns the reply's head, in lower case, and its body.
        fn send(&self, request: &str) -> (String, String) {
            let mut stream = TcpStream::connect(self.address).unwrap();
            stream.write_all(request.as_bytes()).unwrap();
            let mut reply = String::new();
            stream.read_to_string(&mut reply).unwrap();
            let (head, body) = reply.split_once("\r\n\r\n").expect("a whole reply");
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

    /// A signed form for this moment.
    fn form(method: &str, asked: &[(&str, &str)]) -> String {
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
        params.extend_from_slice(asked);
        let signature = sign::signature(method, &params, "testsecret");
        params.push(("Signature", &signature));
        sign::encode_pairs(&params)
    }

    const ASKED: [(&str, &str); 3] =
        [("CallId", "116014888060^语音 +*~"), ("ProdId", "11000000300006"), ("QueryDate", "1793894400000")];

    fn field(body: &str, name: &str) -> String {
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        body[name].as_str().unwrap_or("none").to_owned()
    }

    #[test]
    fn a_signed_question_is_answered_by_post_and_by_get_alike() {
        let bench = Bench::new(Options::default());
        let (head, body) = bench.post(&form("POST", &ASKED));
        assert!(head.starts_with("http/1.1 200"), "{head} {body}");
        assert!(head.contains("x-reconcile-sandbox: 1"), "{head}");
        assert!(head.contains("content-type: application/json;charset=utf-8"), "{head}");
        assert_eq!((field(&body, "Code"), field(&body, "Message")), ("OK".into(), "OK".into()));
        let id = field(&body, "RequestId");
        assert!(id.len() == 36 && id == id.to_uppercase(), "{id}");
        let data = field(&body, "Data");
        assert_eq!(field(&data, "callId"), "116014888060^语音 +*~");
        let (_, again) = bench.get(&format!("/?{}", form("GET", &ASKED)));
        assert_eq!(field(&again, "Data"), data);
    }

    #[test]
    fn xml_is_written_where_it_is_asked_for_and_where_nothing_is() {
        let bench = Bench::new(Options::default());
        let asked = form("POST", &ASKED);
        for form in [asked.replace("Format=JSON", "Format=XML"), asked.replace("&Format=JSON", "")] {
            // The signature is another's now; the refusal is what is looked at.
            let (head, body) = bench.post(&form);
            assert!(head.starts_with("http/1.1 400") && head.contains("content-type: text/xml"), "{head}");
            assert!(
                body.contains("<Error><RequestId>") && body.contains("<Message><![CDATA[Specified"),
                "{body}"
            );
        }
        let envelope = Envelope {
            request_id: "R".into(),
            host_id: None,
            code: "OK",
            message: "a]]>b",
            recommend: None,
            data: Some("{\"a\":\"<&>\"}"),
        };
        let answer = understand(&Reply::received(200, envelope.write(Form::Xml)));
        assert_eq!((answer.body, answer.message), (Body::Data("{\"a\":\"<&>\"}".into()), "a]]>b".into()));
    }

    #[test]
    fn a_refusal_is_the_gateways_envelope() {
        let bench = Bench::new(Options::default());
        let (head, body) = bench.post(&form("GET", &ASKED));
        assert!(head.starts_with("http/1.1 400") && head.contains("x-reconcile-sandbox: 1"), "{head}");
        assert_eq!(field(&body, "Code"), "SignatureDoesNotMatch");
        assert_eq!(field(&body, "HostId"), bench.address.to_string());
        assert!(field(&body, "Recommend").contains("Keyword=SignatureDoesNotMatch"), "{body}");
        for (head, body) in
            [bench.get("/other"), bench.send("PUT / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")]
        {
            assert!(head.starts_with("http/1.1 404") && head.contains("x-reconcile-sandbox: 1"), "{head}");
            assert_eq!(field(&body, "Code"), "InvalidApi.NotFound");
        }
    }

    #[test]
    fn the_questions_own_parameters_are_checked_last() {
        let bench = Bench::new(Options::default());
        let code = |asked: &[(&str, &str)]| field(&bench.post(&form("POST", asked)).1, "Code");
        let (id, product, date) = (ASKED[0], ASKED[1], ASKED[2]);
        assert_eq!(code(&[product, date]), "MissingCallId");
        assert_eq!(code(&[id, date]), "MissingProdId");
        assert_eq!(code(&[id, product, ("QueryDate", "")]), "MissingQueryDate");
        assert_eq!(code(&[id, ("ProdId", "1.1E+13"), date]), "InvalidParameters");
        assert_eq!(code(&[id, product, ("QueryDate", "2026-11-06")]), "InvalidParameters");
        assert_eq!(code(&[id, product, ("QueryDate", "9223372036854775807")]), "InvalidParameter.date");
        assert_eq!(code(&[id, product, date]), "OK");
    }

    #[test]
    fn over_the_cap_it_says_how_long_to_wait() {
        let bench = Bench::new(Options { cap_requests: 2, ..Options::default() });
        let ask = || bench.post(&form("POST", &ASKED));
        assert_eq!((field(&ask().1, "Code"), field(&ask().1, "Code")), ("OK".into(), "OK".into()));
        let (head, body) = ask();
        assert!(head.starts_with("http/1.1 400"), "{head}");
        assert_eq!(field(&body, "Code"), "Throttling.User");
        let wait = head.lines().find_map(|line| line.strip_prefix("x-acs-retry-after: ")).unwrap();
        assert!((50_000..=60_000).contains(&wait.parse::<u64>().unwrap()), "{wait}");
    }

    #[test]
    fn a_port_that_is_taken_is_named() {
        let held = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
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
    fn what_it_saw_can_be_looked_up_and_holds_no_secret() {
        let bench = Bench::new(Options::default());
        bench.post(&form("POST", &ASKED));
        bench.post(&form("GET", &ASKED));
        bench.get("/");
        let (head, stats) = bench.get("/_sandbox/stats");
        assert!(head.starts_with("http/1.1 200") && head.contains("application/json"), "{head}");
        let stats = json(&stats);
        assert_eq!((stats["requests"].as_u64(), stats["most_in_any_window"].as_u64()), (Some(3), Some(1)));
        assert_eq!((&stats["verdicts"]["answered"], &stats["verdicts"]["refused"]), (&1.into(), &2.into()));
        let (_, text) = bench.get("/_sandbox/requests");
        let requests = json(&text);
        let codes: Vec<_> = (0..3).map(|i| requests["requests"][i]["code"].as_str().unwrap()).collect();
        assert_eq!(codes, ["OK", "SignatureDoesNotMatch", "MissingAction"]);
        assert_eq!(requests["requests"][0]["account"], "testid");
        assert!(!text.contains("testsecret") && !text.contains("Signature="), "{text}");
        assert_eq!(json(&bench.get("/_sandbox/planted").1)["planted"], serde_json::json!([]));
        assert!(bench.get("/_sandbox/other").0.starts_with("http/1.1 404"));
    }

    #[test]
    fn connections_end_where_the_faults_say() {
        for (fault, says) in [("drop", ""), ("cut", "http/1.1 200"), ("empty", "content-length: 0")] {
            let scenario = Scenario::from(Faults::parse(&format!("{fault}=100%")).unwrap());
            let bench = Bench::new(Options { scenario, ..Options::default() });
            let form = form("POST", &ASKED);
            let mut stream = TcpStream::connect(bench.address).unwrap();
            let head = "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n\
                        Connection: close\r\n";
            write!(stream, "{head}Content-Length: {}\r\n\r\n{form}", form.len()).unwrap();
            let mut reply = Vec::new();
            // A connection that ends so may be reset.
            let _ = stream.read_to_end(&mut reply);
            let reply = String::from_utf8_lossy(&reply).to_lowercase();
            assert!(
                if says.is_empty() { reply.is_empty() } else { reply.contains(says) },
                "{fault}: {reply}"
            );
            if let Some((head, body)) = reply.split_once("\r\n\r\n").filter(|_| fault == "cut") {
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
                assert!(!body.is_empty() && body.len() < length.parse().unwrap(), "{reply}");
            }
            let stats = json(&bench.get("/_sandbox/stats").1);
            assert_eq!(stats["verdicts"][fault], 1, "{stats}");
        }
    }

    #[test]
    fn a_record_on_another_day_is_found_on_the_neighbouring_day_alone() {
        let scenario = Scenario::from(Faults::parse("other-day=100%").unwrap());
        let bench = Bench::new(Options { scenario, ..Options::default() });
        let next = (1_793_894_400_000_i64 + 86_400_000).to_string();
        let ask = |date: &str| {
            field(&bench.post(&form("POST", &[ASKED[0], ASKED[1], ("QueryDate", date)])).1, "Data")
        };
        assert_eq!(ask("1793894400000"), "none");
        assert!(ask(&next).contains("gmtCreate"));
        assert_eq!(ask("1793894400000"), "none");
    }
}
