//! The scripted provider: a small HTTP/1.1 server. Tests script its replies for each call, and it
//! records every request.
//!
//! Each CallId has a queue of replies. When the queue is empty, the default reply is sent. A
//! request is recorded after it was read in full and before it is answered, so a recorded arrival
//! is never later than its reply.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

/// One request as it arrived.
#[derive(Debug, Clone)]
pub struct Request {
    /// When it reached the receiver's socket. Less than a millisecond after it was sent.
    pub sent: Instant,
    /// When the receiver took it.
    pub arrived: Instant,
    pub method: String,
    pub path: String,
    /// By name in lower case.
    pub headers: BTreeMap<String, String>,
    pub params: BTreeMap<String, String>,
}

impl Request {
    pub fn param(&self, name: &str) -> &str {
        self.params.get(name).map_or("", String::as_str)
    }

    pub fn call_id(&self) -> &str {
        self.param("CallId")
    }
}

#[derive(Debug, Clone)]
enum Kind {
    /// A good record for the requested call.
    Record,
    Whole {
        status: u16,
        content_type: &'static str,
        body: Vec<u8>,
    },
    /// The connection is closed without a byte.
    Drop,
    /// Half of the promised body, then the connection is closed.
    CutBody,
    /// Nothing, until the client gives up.
    Stall,
    /// The good record, a byte at a time, for longer than a client waits.
    Dribble,
}

/// The provider's reply to one request.
#[derive(Debug, Clone)]
pub struct Reply {
    kind: Kind,
    headers: Vec<(&'static str, String)>,
    before: Duration,
    after: Duration,
    then_close: bool,
    then_again: Option<Duration>,
}

impl Reply {
    fn new(kind: Kind) -> Self {
        Self {
            kind,
            headers: Vec::new(),
            before: Duration::ZERO,
            after: Duration::ZERO,
            then_close: false,
            then_again: None,
        }
    }

    /// The good record of the requested call.
    pub fn record() -> Self {
        Self::new(Kind::Record)
    }

    pub fn json(status: u16, body: &Value) -> Self {
        Self::raw(status, "application/json;charset=utf-8", body.to_string())
    }

    /// Any bytes.
    pub fn raw(status: u16, content_type: &'static str, body: impl Into<Vec<u8>>) -> Self {
        Self::new(Kind::Whole { status, content_type, body: body.into() })
    }

    /// A successful envelope around this detail.
    pub fn ok(detail: &Value) -> Self {
        Self::data(&detail.to_string())
    }

    /// A successful envelope with any text as its `Data`.
    pub fn data(data: &str) -> Self {
        let mut envelope = envelope();
        envelope["Data"] = data.into();
        Self::json(200, &envelope)
    }

    /// A successful envelope without the key `Data`.
    pub fn without_data() -> Self {
        Self::json(200, &envelope())
    }

    /// A successful envelope with `"Data": null`.
    pub fn null_data() -> Self {
        let mut envelope = envelope();
        envelope["Data"] = Value::Null;
        Self::json(200, &envelope)
    }

    /// An error in the format of gateway and service.
    pub fn code(status: u16, code: &str, message: &str) -> Self {
        Self::json(status, &json!({"Code": code, "Message": message, "RequestId": request_id()}))
    }

    pub fn html(status: u16) -> Self {
        let body = "<html><head><title>proxy</title></head><body><h1>Bad Gateway</h1></body></html>";
        Self::raw(status, "text/html", body)
    }

    pub fn empty(status: u16) -> Self {
        Self::raw(status, "text/plain", "")
    }

    pub fn dropped() -> Self {
        Self::new(Kind::Drop)
    }

    pub fn cut_body() -> Self {
        Self::new(Kind::CutBody)
    }

    pub fn stall() -> Self {
        Self::new(Kind::Stall)
    }

    pub fn dribble() -> Self {
        Self::new(Kind::Dribble)
    }

    /// Closes the connection after the reply, without a header that says so.
    pub fn then_close(mut self) -> Self {
        self.then_close = true;
        self
    }

    /// Sends the reply once more after this time, on the same connection.
    pub fn then_again(mut self, later: Duration) -> Self {
        self.then_again = Some(later);
        self
    }

    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    /// Delays the arrival of the request.
    pub fn arriving_after(mut self, before: Duration) -> Self {
        self.before = before;
        self
    }

    /// Delays the reply after the request has arrived.
    pub fn after(mut self, after: Duration) -> Self {
        self.after = after;
        self
    }
}

fn envelope() -> Value {
    json!({"Code": "OK", "Message": "OK", "RequestId": request_id()})
}

fn request_id() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    format!("5A17BFE8-D155-5771-BF27-{:012X}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// An endpoint where nobody listens. Any port that was free a moment ago may be another test's.
pub const DEAD_ENDPOINT: &str = "http://127.0.0.1:1";

/// Talk seconds in the good record of a call: 1 to 50, derived from the id alone.
pub fn talk_seconds(call_id: &str) -> u64 {
    1 + call_id.bytes().map(u64::from).sum::<u64>() % 50
}

/// The good record: answered on 26 May 2024 at 17:01 in UTC+8.
pub fn detail(call_id: &str) -> Value {
    let duration = talk_seconds(call_id);
    let end = format!("2024-05-26 17:01:{:02}", 2 + duration);
    json!({
        "callId": call_id, "callee": "18512348980", "calleeShowNumber": "0571000018363",
        "gmtCreate": "2024-05-26 17:00:58", "bRingTime": "2024-05-26 17:00:59",
        "startDate": "2024-05-26 17:01:02", "bStartTime": "2024-05-26 17:01:02",
        "endDate": end, "bEndTime": end, "duration": duration,
        "state": "200000", "stateDesc": "用户接听", "hangupDirection": 0
    })
}

/// Makes the replies that are not scripted.
type Answering = Arc<dyn Fn(&Request) -> Reply + Send + Sync>;

struct State {
    default: Answering,
    script: HashMap<String, VecDeque<Reply>>,
    requests: Vec<Request>,
    /// True while the receiver reads nothing.
    stalled: bool,
    /// True while the receiver keeps its replies back.
    holds_replies: bool,
    /// True when the test has dropped the provider.
    ended: bool,
}

struct Shared {
    state: Mutex<State>,
    arrived: Condvar,
    reading: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the receiver reads.
    fn lock_when_reading(&self) -> MutexGuard<'_, State> {
        let stalled = |state: &mut State| state.stalled;
        self.reading.wait_while(self.lock(), stalled).unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the receiver sends its replies.
    fn wait_until_replying(&self) {
        let holds = |state: &mut State| state.holds_replies;
        drop(self.reading.wait_while(self.lock(), holds).unwrap_or_else(PoisonError::into_inner));
    }
}

/// The scripted provider. It stops listening when the value is dropped.
pub struct Provider {
    port: u16,
    shared: Arc<Shared>,
}

impl Provider {
    pub fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = State {
            default: Arc::new(|_| Reply::record()),
            script: HashMap::new(),
            requests: Vec::new(),
            stalled: false,
            holds_replies: false,
            ended: false,
        };
        let shared =
            Arc::new(Shared { state: Mutex::new(state), arrived: Condvar::new(), reading: Condvar::new() });
        let for_threads = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&for_threads);
                if shared.lock().ended {
                    break;
                }
                thread::spawn(move || {
                    // An error here means that the client closed the connection.
                    let _ = serve(&stream, &shared);
                    let _ = stream.shutdown(Shutdown::Both);
                });
            }
        });
        Self { port, shared }
    }

    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Stops reading, as a stalled gateway does. Requests wait in its sockets, also those that the
    /// client has given up.
    pub fn stall(&self) {
        self.shared.lock().stalled = true;
    }

    /// Reads again, and takes all waiting requests at once.
    pub fn resume(&self) {
        self.shared.lock().stalled = false;
        self.shared.reading.notify_all();
    }

    /// Keeps all replies back. The requests are recorded.
    pub fn hold_replies(&self) {
        self.shared.lock().holds_replies = true;
    }

    /// Sends the replies that were kept back, and all later ones at once.
    pub fn send_replies(&self) {
        self.shared.lock().holds_replies = false;
        self.shared.reading.notify_all();
    }

    /// Queues replies to this call; after them the default reply follows again.
    pub fn script(&self, call_id: &str, replies: impl IntoIterator<Item = Reply>) {
        self.shared.lock().script.entry(call_id.to_owned()).or_default().extend(replies);
    }

    /// Sets the reply to every request that is not scripted.
    pub fn by_default(&self, reply: Reply) {
        self.answer_with(move |_| reply.clone());
    }

    /// Sets a function that replies to every request that is not scripted.
    pub fn answer_with(&self, answering: impl Fn(&Request) -> Reply + Send + Sync + 'static) {
        self.shared.lock().default = Arc::new(answering);
    }

    pub fn requests(&self) -> Vec<Request> {
        self.shared.lock().requests.clone()
    }

    pub fn seen(&self) -> usize {
        self.shared.lock().requests.len()
    }

    pub fn asked_for(&self, call_id: &str) -> Vec<Request> {
        self.requests().into_iter().filter(|r| r.call_id() == call_id).collect()
    }

    /// Waits until this number of requests has arrived since the start.
    pub fn wait_for(&self, requests: usize) {
        let limit = Duration::from_secs(60);
        let fewer = |state: &mut State| state.requests.len() < requests;
        let (state, result) = self
            .shared
            .arrived
            .wait_timeout_while(self.shared.lock(), limit, fewer)
            .unwrap_or_else(PoisonError::into_inner);
        assert!(!result.timed_out(), "only {} of {requests} requests arrived", state.requests.len());
    }

    /// Asserts that every attempt has its own nonce and its own signature.
    pub fn assert_own_nonces(&self) {
        let requests = self.requests();
        for name in ["SignatureNonce", "Signature"] {
            let distinct: HashSet<&str> = requests.iter().map(|r| r.param(name)).collect();
            assert!(!distinct.contains(""), "a request came without {name}");
            assert_eq!(distinct.len(), requests.len(), "{name} came twice");
        }
    }

    /// Asserts at most `cap` arrivals in any window of this length.
    pub fn assert_cap(&self, cap: usize, window: Duration) {
        let mut arrivals: Vec<Instant> = self.requests().iter().map(|r| r.arrived).collect();
        arrivals.sort_unstable();
        for (i, pair) in arrivals.windows(cap + 1).enumerate() {
            let apart = pair[cap] - pair[0];
            assert!(apart >= window, "arrivals {} to {} came within {apart:?}", i + 1, i + 1 + cap);
        }
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.shared.lock().ended = true;
        self.resume();
        self.send_replies();
        // Wakes the thread that accepts connections.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

fn serve(stream: &TcpStream, shared: &Shared) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream);
    while let Some(request) = read(&mut reader)? {
        let reply = {
            let mut state = shared.lock();
            let id = request.call_id();
            let scripted = state.script.get_mut(id).and_then(VecDeque::pop_front);
            scripted.unwrap_or_else(|| (state.default)(&request))
        };
        thread::sleep(reply.before);
        {
            let mut state = shared.lock_when_reading();
            state.requests.push(Request { arrived: Instant::now(), ..request.clone() });
            shared.arrived.notify_all();
        }
        shared.wait_until_replying();
        thread::sleep(reply.after);
        if !answer(stream, &request, &reply)? {
            break;
        }
        if let Some(later) = reply.then_again {
            thread::sleep(later);
            answer(stream, &request, &reply)?;
        }
    }
    Ok(())
}

/// Reads one request; `None` at the end of the connection.
fn read(reader: &mut BufReader<&TcpStream>) -> std::io::Result<Option<Request>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace();
    let (method, target) = (words.next().unwrap_or("").to_owned(), words.next().unwrap_or("").to_owned());
    let mut headers = BTreeMap::new();
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        let Some((name, value)) = header.trim_end().split_once(':') else { break };
        headers.insert(name.to_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let mut params = BTreeMap::new();
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    parse_form(query, &mut params);
    parse_form(&String::from_utf8_lossy(&body), &mut params);
    let now = Instant::now();
    Ok(Some(Request { sent: now, arrived: now, method, path: path.to_owned(), headers, params }))
}

fn parse_form(text: &str, params: &mut BTreeMap<String, String>) {
    // `+` stays as it is: the provider's encoding never writes a space as `+`.
    let decode = |s: &str| percent_decode_str(s).decode_utf8_lossy().into_owned();
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        params.insert(decode(name), decode(value));
    }
}

/// Answers. Returns false when the connection ends with the reply.
fn answer(mut stream: &TcpStream, request: &Request, reply: &Reply) -> std::io::Result<bool> {
    let good = || {
        let mut envelope = envelope();
        envelope["Data"] = detail(request.call_id()).to_string().into();
        envelope.to_string()
    };
    let whole = |status, content_type, body: &[u8]| {
        let mut head = format!(
            "HTTP/1.1 {status} X\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n",
            body.len()
        );
        for (name, value) in &reply.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        [head.as_bytes(), b"\r\n", body].concat()
    };
    match &reply.kind {
        Kind::Record => {
            stream.write_all(&whole(200, "application/json;charset=utf-8", good().as_bytes()))?;
        }
        Kind::Whole { status, content_type, body } => {
            stream.write_all(&whole(*status, content_type, body))?;
        }
        Kind::Drop => return Ok(false),
        Kind::CutBody => {
            let text = whole(200, "application/json;charset=utf-8", good().as_bytes());
            stream.write_all(&text[..text.len() - 40])?;
            return Ok(false);
        }
        Kind::Dribble => {
            for byte in whole(200, "application/json;charset=utf-8", good().as_bytes()) {
                stream.write_all(&[byte])?;
                thread::sleep(Duration::from_millis(20));
            }
        }
        Kind::Stall => {
            // Ends when the client closes the connection.
            let _ = stream.read(&mut [0]);
            return Ok(false);
        }
    }
    stream.flush()?;
    Ok(!reply.then_close)
}
