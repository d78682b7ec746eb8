//! The simulated provider: an HTTP server on 127.0.0.1 that answers as the provider's gateway does.
//!
//! It needs no credentials of anybody's and knows no real call. It checks what the provider checks, signatures
//! and the cap among it, with code of its own, so that a run against it shows whether the client is right.
//! Every reply to what HTTP can read carries the header `x-reconcile-sandbox: 1`. Nothing here panics on what it
//! is sent.

mod accounts;
mod alone;
mod envelope;
mod gateway;
mod records;
mod signature;
mod sts;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_TYPE, DATE};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::Response;
use axum::serve::ListenerExt as _;
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use tokio::net::TcpListener;

pub use accounts::parse_accounts;
pub use alone::serve_alone;
use envelope::{Envelope, Form};
use gateway::{Gateway, Params, Refusal};
use records::{Records, Told};

use crate::call::day_of;
use crate::error::{Error, Result};

/// The largest body that is read, in bytes; a signed question has fewer than 1 KiB.
const BODY_LIMIT: usize = 64 << 10;

/// How the sandbox is set up. It cannot be printed: it holds secrets.
pub struct Options {
    /// The port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// Access key ids with their secrets.
    pub accounts: Vec<(String, String)>,
    /// How many requests of one key are accepted...
    pub cap_requests: u32,
    /// ... in any window of this length.
    pub cap_window: Duration,
    /// How far its clock is ahead of this machine's.
    pub clock_ahead: TimeDelta,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            port: 0,
            accounts: vec![("testid".into(), "testsecret".into())],
            cap_requests: 100,
            cap_window: Duration::from_secs(60),
            clock_ahead: TimeDelta::zero(),
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
        let gateway = Gateway::new(options.accounts, options.cap_requests, options.cap_window);
        let (records, host, clock_ahead) = (Records::sample()?, address.to_string(), options.clock_ahead);
        let provider = Simulated { gateway, records, host, clock_ahead };
        Ok(Self { listener, address, provider: Arc::new(provider) })
    }

    /// Where it is, for `--endpoint`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Answers until it is dropped.
    pub async fn serve(self) {
        let app = Router::new().fallback(handle).with_state(self.provider);
        // Small replies must not wait for the peer's acknowledgement. Where this fails they do; no more.
        let listener = self.listener.tap_io(|stream| drop(stream.set_nodelay(true)));
        // Serving never ends by itself: a connection that cannot be accepted is no error of the server's.
        let _ = axum::serve(listener, app).await;
    }
}

/// The provider behind the server.
struct Simulated {
    gateway: Gateway,
    records: Records,
    /// `HostId` of its answers.
    host: String,
    clock_ahead: TimeDelta,
}

async fn handle(State(provider): State<Arc<Simulated>>, request: Request) -> Response {
    let (form, told) = match provider.read(request).await {
        Ok((method, params)) if sts::is_asked(&params) => match provider.assume(&method, &params) {
            Ok(answer) => return provider.reply(200, Form::Json.content_type(), answer),
            Err(refusal) => (Form::Json, Err(refusal)),
        },
        Ok((method, params)) => (Form::asked(&params), provider.ask(&method, &params)),
        Err(refusal) => (Form::Json, Err(refusal)),
    };
    match told.unwrap_or_else(Told::Refused) {
        Told::Data(data) => provider.ok(form, Some(&data)),
        Told::NoRecord => provider.ok(form, None),
        Told::Refused(refusal) => provider.refuse(form, &refusal),
        Told::Page { status } => {
            let page =
                format!("<html><head><title>{status}</title></head><body><h1>{status}</h1></body></html>");
            provider.reply(status, "text/html", page)
        }
    }
}

impl Simulated {
    async fn read(&self, request: Request) -> Result<(Method, Params), Refusal> {
        let known = matches!(*request.method(), Method::GET | Method::POST);
        if !known || request.uri().path() != "/" {
            let message = "Specified api is not found, please check your url and method.";
            return Err(Refusal::new(404, "InvalidApi.NotFound", message));
        }
        let (parts, body) = request.into_parts();
        let form = parts.headers.get(CONTENT_TYPE).is_some_and(is_form);
        let body = to_bytes(body, BODY_LIMIT).await.map_err(|_| {
            Refusal::new(
                413,
                "RequestTooLarge",
                format!("The body is cut, or longer than {BODY_LIMIT} bytes."),
            )
        })?;
        // A body that does not say it is a form is none.
        let body = if form { String::from_utf8_lossy(&body) } else { "".into() };
        let params = Params::read(parts.uri.query().unwrap_or_default(), &body)?;
        Ok((parts.method, params))
    }

    fn ask(&self, method: &Method, params: &Params) -> Result<Told, Refusal> {
        self.gateway.check(method.as_str(), params, self.now(), Instant::now())?;
        let (call_id, prod_id, day) = question(params)?;
        Ok(self.records.tell(call_id, prod_id, day))
    }

    /// `AssumeRole`.
    fn assume(&self, method: &Method, params: &Params) -> Result<String, Refusal> {
        self.gateway.check(method.as_str(), params, self.now(), Instant::now())?;
        let account = self.gateway.account(params.need("AccessKeyId")?, params, self.now())?;
        self.gateway.sts.assume(&account.owner, params, self.now())
    }

    fn ok(&self, form: Form, data: Option<&str>) -> Response {
        let envelope = Envelope {
            request_id: request_id(),
            host_id: None,
            code: "OK",
            message: "OK",
            recommend: None,
            data,
        };
        self.reply(200, form.content_type(), envelope.write(form))
    }

    fn refuse(&self, form: Form, refusal: &Refusal) -> Response {
        // The service's own errors carry no more than a success does; only the gateway names itself.
        let gateway = refusal.status != 200;
        let code = refusal.code.as_str();
        let search = || format!("https://error-center.aliyun.com/status/search?Keyword={code}&source=PopGw");
        let envelope = Envelope {
            request_id: request_id(),
            host_id: gateway.then_some(self.host.as_str()),
            code,
            message: &refusal.message,
            recommend: gateway.then(search),
            data: None,
        };
        let mut response = self.reply(refusal.status, form.content_type(), envelope.write(form));
        if let Some(ms) = refusal.retry_after_ms {
            response.headers_mut().insert("x-acs-retry-after", HeaderValue::from(ms));
        }
        response
    }

    fn reply(&self, status: u16, content_type: &'static str, body: String) -> Response {
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        headers.insert("x-reconcile-sandbox", HeaderValue::from_static("1"));
        if let Ok(date) = self.now().format("%a, %d %b %Y %H:%M:%S GMT").to_string().try_into() {
            headers.insert(DATE, date);
        }
        response
    }

    /// What the gateway's clock says.
    fn now(&self) -> DateTime<Utc> {
        Utc::now() + self.clock_ahead
    }
}

/// The question's own parameters, once the gateway has let it pass.
fn question(params: &Params) -> Result<(&str, i64, NaiveDate), Refusal> {
    let call_id = params.need("CallId")?;
    let number = |name: &str| {
        let digits = params.need(name)?.bytes().all(|b| b.is_ascii_digit());
        let number = params.need(name)?.parse::<i64>().ok().filter(|n| digits && *n > 0);
        number.ok_or_else(|| Refusal::new(400, "InvalidParameters", format!("{name} is not a number.")))
    };
    let prod_id = number("ProdId")?;
    let instant = DateTime::from_timestamp_millis(number("QueryDate")?);
    let day =
        instant.map(day_of).ok_or_else(|| Refusal::new(400, "InvalidParameter.date", "date not invalid."))?;
    Ok((call_id, prod_id, day))
}

fn is_form(content_type: &HeaderValue) -> bool {
    let text = content_type.to_str().unwrap_or_default();
    let kind = text.split(';').next().unwrap_or_default();
    kind.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

fn request_id() -> String {
    uuid::Uuid::new_v4().to_string().to_uppercase()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use std::io::{Read as _, Write as _};
    use std::net::TcpStream;

    use super::*;
    use crate::exit::Exit;
    use crate::provider::sign;
    use crate::provider::wire::{Reply, Said, understand};

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
        assert_eq!((answer.said, answer.message), (Said::Data("{\"a\":\"<&>\"}".into()), "a]]>b".into()));
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
}
