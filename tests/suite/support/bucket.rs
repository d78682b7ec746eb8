//! A bucket in memory behind HTTP, as S3 or OSS serve it. It checks the signature of every request,
//! with its own code, and after each change that a reader sees a whole run or none.

use std::collections::{BTreeMap, HashMap};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::{KEY_ID, SECRET};

pub const BUCKET: &str = "night";
/// The region of the stub.
pub const REGION: &str = "cn-stub";
/// Keys on a page of a list.
const PAGE: usize = 3;

/// How the service treats the condition that an object must not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// S3: keeps `If-None-Match: *`.
    S3,
    /// A service with the interface of S3 that ignores it.
    Ignoring,
    /// OSS by its interface of S3: answers 501 to it.
    OssByS3,
    /// OSS by its own interface: keeps `x-oss-forbid-overwrite`.
    Oss,
    /// The same with a versioned bucket: ignores it.
    OssVersioned,
}

impl Kind {
    pub const ALL: [Self; 5] = [Self::S3, Self::Ignoring, Self::OssByS3, Self::Oss, Self::OssVersioned];

    /// Whether a second creation of an object is refused.
    pub fn refuses(self) -> bool {
        matches!(self, Self::S3 | Self::Oss)
    }

    fn is_own_interface(self) -> bool {
        matches!(self, Self::Oss | Self::OssVersioned)
    }
}

/// A request as it arrived.
#[derive(Debug, Clone)]
pub struct Request {
    pub method: String,
    /// The key, decoded; empty for the bucket itself.
    pub key: String,
    pub query: BTreeMap<String, String>,
    headers: BTreeMap<String, String>,
    raw_path: String,
    body: Vec<u8>,
}

impl Request {
    /// A header's value; empty without it.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// Whether it creates or replaces a commit.
    pub fn writes_commit(&self) -> bool {
        self.method == "PUT" && self.key.contains("commits/")
    }

    /// Whether it changes the bucket.
    pub fn writes(&self) -> bool {
        matches!(self.method.as_str(), "PUT" | "POST" | "DELETE")
    }
}

/// What happens instead of, or around, the answer to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The sender is killed before the request has an effect.
    KillBefore(u32),
    /// The sender is killed after it; it gets no reply.
    KillAfter(u32),
    /// The request has its effect, and the connection ends without a reply.
    LostReply,
    /// 503, without an effect.
    Busy,
    /// 403, without an effect.
    Denied,
    /// The object is replaced by a longer one first.
    Replaced,
    /// A bit of the written object is flipped.
    FlippedBit,
    /// The request waits until the bucket releases it.
    Held,
}

/// Chooses the fault of a request; `None` for none.
type Faults = Box<dyn FnMut(&Request) -> Option<Fault> + Send>;

struct State {
    kind: Kind,
    objects: BTreeMap<String, Vec<u8>>,
    /// Parts by upload and number.
    uploads: HashMap<String, BTreeMap<u32, Vec<u8>>>,
    requests: Vec<Request>,
    faults: Faults,
    /// Requests that wait, and whether they may go on.
    held: usize,
    released: bool,
    /// What a reader saw that no reader may see.
    violations: Vec<String>,
    most_parts: usize,
}

/// A running stub.
pub struct Bucket {
    state: Arc<(Mutex<State>, Condvar)>,
    pub port: u16,
}

fn locked(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Bucket {
    pub fn start(kind: Kind) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = State {
            kind,
            objects: BTreeMap::new(),
            uploads: HashMap::new(),
            requests: Vec::new(),
            faults: Box::new(|_| None),
            held: 0,
            released: false,
            violations: Vec::new(),
            most_parts: 0,
        };
        let state = Arc::new((Mutex::new(state), Condvar::new()));
        let shared = state.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = shared.clone();
                thread::spawn(move || serve(&stream, &shared));
            }
        });
        Self { state, port }
    }

    /// The environment in which the program finds this bucket and its key.
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        let url = format!("http://127.0.0.1:{}", self.port);
        if locked(&self.state.0).kind.is_own_interface() {
            // The bench sets the key in the provider's own variables.
            return vec![("OSS_ENDPOINT", url), ("OSS_REGION", REGION.to_owned())];
        }
        vec![
            ("AWS_ENDPOINT_URL", url),
            ("AWS_REGION", REGION.to_owned()),
            ("AWS_ACCESS_KEY_ID", KEY_ID.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", SECRET.to_owned()),
        ]
    }

    /// The URL of a key, with the scheme of the service.
    pub fn url(&self, key: &str) -> String {
        let scheme = if locked(&self.state.0).kind.is_own_interface() { "oss" } else { "s3" };
        format!("{scheme}://{BUCKET}/{key}")
    }

    pub fn put(&self, key: &str, body: impl Into<Vec<u8>>) {
        locked(&self.state.0).objects.insert(key.to_owned(), body.into());
    }

    pub fn get(&self, key: &str) -> Option<Vec<u8>> {
        locked(&self.state.0).objects.get(key).cloned()
    }

    pub fn keys(&self) -> Vec<String> {
        locked(&self.state.0).objects.keys().cloned().collect()
    }

    pub fn requests(&self) -> Vec<Request> {
        locked(&self.state.0).requests.clone()
    }

    /// The most parts that an uploaded object had.
    pub fn most_parts(&self) -> usize {
        locked(&self.state.0).most_parts
    }

    /// Chooses the faults from now on.
    pub fn set_faults(&self, faults: impl FnMut(&Request) -> Option<Fault> + Send + 'static) {
        locked(&self.state.0).faults = Box::new(faults);
    }

    /// Waits until a request is held.
    pub fn wait_for_held(&self) {
        let (state, changed) = &*self.state;
        let state = locked(state);
        let held = changed.wait_timeout_while(state, Duration::from_secs(60), |state| state.held == 0);
        assert!(held.unwrap().0.held > 0, "no request was held in a minute");
    }

    /// Lets held requests go on, also later ones.
    pub fn release(&self) {
        let (state, changed) = &*self.state;
        locked(state).released = true;
        changed.notify_all();
    }

    /// The run that a reader sees below this prefix: the highest commit, with every file as it
    /// says; `None` before the first commit.
    #[track_caller]
    pub fn newest_run(&self, prefix: &str) -> Option<Value> {
        let state = locked(&self.state.0);
        assert_eq!(state.violations, Vec::<String>::new());
        newest_run(&state.objects, prefix).unwrap()
    }
}

/// What a reader sees.
fn newest_run(objects: &BTreeMap<String, Vec<u8>>, prefix: &str) -> Result<Option<Value>, String> {
    let commits = format!("{prefix}/commits/");
    let Some((name, text)) = objects.iter().rfind(|(key, _)| key.starts_with(&commits)) else {
        return Ok(None);
    };
    let commit: Value = serde_json::from_slice(text).map_err(|e| format!("{name}: {e}"))?;
    let (folder, files) = (commit["folder"].as_str().unwrap(), commit["files"].as_array().unwrap());
    if files.len() < 4 {
        return Err(format!("{name} names {} files", files.len()));
    }
    for file in files {
        let key = format!("{prefix}/{folder}{}", file["name"].as_str().unwrap());
        let body = objects.get(&key).ok_or_else(|| format!("{name} names {key}, which is not there"))?;
        let (bytes, sha256) = (body.len() as u64, hex(&Sha256::digest(body)));
        if file["bytes"] != bytes || file["sha256"] != sha256 {
            return Err(format!("{name} names {key}, which is not as it says"));
        }
    }
    Ok(Some(commit))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn serve(stream: &TcpStream, shared: &(Mutex<State>, Condvar)) {
    let Some(request) = read(stream) else { return };
    let (mutex, changed) = shared;
    let mut state = locked(mutex);
    state.requests.push(request.clone());
    let mut fault = (state.faults)(&request);
    if fault == Some(Fault::Held) {
        state.held += 1;
        changed.notify_all();
        state = changed.wait_while(state, |state| !state.released).unwrap();
        fault = None;
    }
    if fault == Some(Fault::Replaced) {
        state.objects.get_mut(&request.key).unwrap().push(b'\n');
    }
    let reply = match fault {
        Some(Fault::KillBefore(pid)) => return kill(pid),
        Some(Fault::Busy) => error(503, "SlowDown"),
        Some(Fault::Denied) => error(403, "AccessDenied"),
        _ if !is_signed(&request, state.kind) => error(403, "SignatureDoesNotMatch"),
        _ => answer(&mut state, &request, fault == Some(Fault::FlippedBit)),
    };
    if request.writes() {
        let prefix =
            request.key.split("/runs/").next().unwrap().split("/commits/").next().unwrap().to_owned();
        if let Err(violation) = newest_run(&state.objects, &prefix) {
            state.violations.push(violation);
        }
    }
    drop(state);
    match fault {
        Some(Fault::KillAfter(pid)) => kill(pid),
        Some(Fault::LostReply) => {}
        _ => send(stream, &request, &reply),
    }
}

fn kill(pid: u32) {
    // 0 is a process that has not started yet.
    assert_ne!(pid, 0);
    let status = std::process::Command::new("kill").args(["-9", &pid.to_string()]).status();
    assert!(status.unwrap().success());
}

/// Reads a request; `None` if the connection ended.
fn read(stream: &TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
    let mut words = line.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let (raw_path, raw_query) = target.split_once('?').unwrap_or((&target, ""));
    let key = decoded(raw_path).trim_start_matches('/').to_owned();
    let key = key.strip_prefix(BUCKET).unwrap_or(&key).trim_start_matches('/').to_owned();
    let pairs = raw_query.split('&').filter(|pair| !pair.is_empty());
    let query = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let query = query.map(|(name, value)| (decoded(name), decoded(value))).collect();
    Some(Request { method, key, query, headers, raw_path: raw_path.to_owned(), body })
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8().unwrap().into_owned()
}

/// Status, headers and body.
type Reply = (u16, Vec<(&'static str, String)>, Vec<u8>);

fn error(status: u16, code: &str) -> Reply {
    let text =
        format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>as scripted</Message></Error>");
    (status, vec![("Content-Type", "application/xml".into())], text.into_bytes())
}

fn xml(text: String) -> Reply {
    (200, vec![("Content-Type", "application/xml".into())], text.into_bytes())
}

fn etag(body: &[u8]) -> String {
    format!("\"{}\"", &hex(&Sha256::digest(body))[..32])
}

fn answer(state: &mut State, request: &Request, flip: bool) -> Reply {
    if !decoded(&request.raw_path).starts_with(&format!("/{BUCKET}")) {
        return error(404, "NoSuchBucket");
    }
    let upload = request.query.get("uploadId").cloned();
    match (request.method.as_str(), upload) {
        ("GET", _) if request.key.is_empty() => list(state, request),
        ("GET" | "HEAD", _) => get(state, request),
        ("PUT", None) => put(state, request, flip),
        ("POST", None) => {
            let id = format!("upload-{}", state.requests.len());
            state.uploads.insert(id.clone(), BTreeMap::new());
            let name = "InitiateMultipartUploadResult";
            xml(format!("<{name}><UploadId>{id}</UploadId></{name}>"))
        }
        ("PUT", Some(id)) => {
            let part = request.query["partNumber"].parse().unwrap();
            let Some(parts) = state.uploads.get_mut(&id) else { return error(404, "NoSuchUpload") };
            parts.insert(part, request.body.clone());
            (200, vec![("ETag", etag(&request.body))], Vec::new())
        }
        ("POST", Some(id)) => {
            let Some(parts) = state.uploads.remove(&id) else { return error(404, "NoSuchUpload") };
            state.most_parts = state.most_parts.max(parts.len());
            let named = String::from_utf8_lossy(&request.body).matches("<PartNumber>").count();
            assert_eq!(named, parts.len());
            state.objects.insert(request.key.clone(), parts.into_values().flatten().collect());
            let name = "CompleteMultipartUploadResult";
            xml(format!("<{name}><Key>x</Key><ETag>\"x\"</ETag></{name}>"))
        }
        ("DELETE", Some(id)) => {
            state.uploads.remove(&id);
            (204, Vec::new(), Vec::new())
        }
        other => panic!("the stub has no {other:?}"),
    }
}

fn put(state: &mut State, request: &Request, flip: bool) -> Reply {
    let is_condition =
        request.header("if-none-match") == "*" || request.header("x-oss-forbid-overwrite") == "true";
    if is_condition && state.kind == Kind::OssByS3 {
        return error(501, "NotImplemented");
    }
    if is_condition && state.kind.refuses() && state.objects.contains_key(&request.key) {
        let own = state.kind.is_own_interface();
        return if own { error(409, "FileAlreadyExists") } else { error(412, "PreconditionFailed") };
    }
    let mut body = request.body.clone();
    if flip {
        body[0] ^= 1;
    }
    state.objects.insert(request.key.clone(), body);
    (200, vec![("ETag", etag(&request.body))], Vec::new())
}

fn get(state: &State, request: &Request) -> Reply {
    let Some(body) = state.objects.get(&request.key) else { return error(404, "NoSuchKey") };
    let wanted = request.header("if-match");
    if !wanted.is_empty() && wanted != etag(body) {
        return error(412, "PreconditionFailed");
    }
    let modified = ("Last-Modified", "Thu, 26 Nov 2026 00:00:00 GMT".to_owned());
    let headers = vec![("ETag", etag(body)), modified];
    let Some((from, to)) = request.header("range").strip_prefix("bytes=").and_then(|r| r.split_once('-'))
    else {
        return (200, headers, body.clone());
    };
    let (from, to): (usize, usize) = (from.parse().unwrap(), to.parse().unwrap());
    (206, headers, body[from..=to.min(body.len() - 1)].to_vec())
}

fn list(state: &State, request: &Request) -> Reply {
    let prefix = request.query.get("prefix").map_or("", String::as_str);
    let after = request.query.get("continuation-token").map_or("", String::as_str);
    let keys: Vec<&String> = state
        .objects
        .keys()
        .filter(|key| key.starts_with(prefix) && key.as_str() > after && !key[prefix.len()..].contains('/'))
        .collect();
    let more = keys.len() > PAGE;
    let page = &keys[..keys.len().min(PAGE)];
    let contents: String = page
        .iter()
        .map(|key| {
            format!(
                "<Contents><Key>{key}</Key><LastModified>2026-11-26T00:00:00.000Z</LastModified>\
                 <ETag>\"x\"</ETag><Size>{}</Size></Contents>",
                state.objects[*key].len()
            )
        })
        .collect();
    let next = page.last().filter(|_| more);
    let next = next.map(|key| format!("<NextContinuationToken>{key}</NextContinuationToken>"));
    xml(format!(
        "<ListBucketResult><Prefix>{prefix}</Prefix><KeyCount>{}</KeyCount><IsTruncated>{more}</IsTruncated>\
         {}{contents}</ListBucketResult>",
        page.len(),
        next.unwrap_or_default()
    ))
}

fn send(mut stream: &TcpStream, request: &Request, (status, headers, body): &Reply) {
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let length = if *status == 204 { 0 } else { body.len() };
    let head =
        format!("HTTP/1.1 {status} x\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n");
    // A sender that was killed reads nothing.
    let _ = stream.write_all(head.as_bytes());
    if request.method != "HEAD" {
        let _ = stream.write_all(body);
    }
}

fn hmac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

/// The value after `name=` in an `Authorization` header.
fn field<'a>(authorization: &'a str, name: &str) -> &'a str {
    let value = authorization.split(&format!("{name}=")).nth(1).unwrap_or_default();
    value.split([',', ' ']).next().unwrap()
}

/// Checks the signature: AWS4-HMAC-SHA256, or OSS4-HMAC-SHA256 of OSS's own interface.
fn is_signed(request: &Request, kind: Kind) -> bool {
    let own = kind.is_own_interface();
    let (algorithm, prefix, service, end) = match own {
        true => ("OSS4-HMAC-SHA256", "aliyun_v4", "oss", "aliyun_v4_request"),
        false => ("AWS4-HMAC-SHA256", "AWS4", "s3", "aws4_request"),
    };
    let authorization = request.header("authorization");
    if !authorization.starts_with(algorithm) {
        return false;
    }
    let credential = field(authorization, "Credential");
    let Some((id, scope)) = credential.split_once('/') else { return false };
    let date = scope.split('/').next().unwrap();
    if id != KEY_ID || scope != format!("{date}/{REGION}/{service}/{end}") {
        return false;
    }
    let canonical =
        if own { canonical_oss(request, authorization) } else { canonical_s3(request, authorization) };
    let time = request.header(if own { "x-oss-date" } else { "x-amz-date" });
    assert!(time.starts_with(date));
    let text = format!("{algorithm}\n{time}\n{scope}\n{}", hex(&Sha256::digest(canonical)));
    let key = hmac(format!("{prefix}{SECRET}").as_bytes(), date);
    let key = hmac(&hmac(&hmac(&key, REGION), service), end);
    field(authorization, "Signature") == hex(&hmac(&key, &text))
}

/// The query as both algorithms sign it. A parameter without a value ends with this.
fn canonical_query(request: &Request, after_name: &str) -> String {
    const RESERVED: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    let encoded = |text: &str| utf8_percent_encode(text, &RESERVED).to_string();
    let pairs = request.query.iter().map(|(name, value)| match value.as_str() {
        "" => encoded(name) + after_name,
        value => format!("{}={}", encoded(name), encoded(value)),
    });
    pairs.collect::<Vec<_>>().join("&")
}

fn canonical_s3(request: &Request, authorization: &str) -> String {
    let names = field(authorization, "SignedHeaders");
    let headers: String = names.split(';').map(|name| format!("{name}:{}\n", request.header(name))).collect();
    for needed in ["host", "x-amz-content-sha256", "x-amz-date"] {
        assert!(names.split(';').any(|name| name == needed), "{needed} is not signed");
    }
    let payload = request.header("x-amz-content-sha256");
    let (method, path, query) = (&request.method, &request.raw_path, canonical_query(request, "="));
    format!("{method}\n{path}\n{query}\n{headers}\n{names}\n{payload}")
}

fn canonical_oss(request: &Request, authorization: &str) -> String {
    let additional = field(authorization, "AdditionalHeaders");
    let is_signed = |name: &str| {
        name.starts_with("x-oss-")
            || matches!(name, "content-type" | "content-md5")
            || additional.split(';').any(|other| other == name)
    };
    let headers = request.headers.iter().filter(|(name, _)| is_signed(name));
    let headers: String = headers.map(|(name, value)| format!("{name}:{value}\n")).collect();
    let (method, path, query) = (&request.method, &request.raw_path, canonical_query(request, ""));
    format!("{method}\n{path}\n{query}\n{headers}\n{additional}\nUNSIGNED-PAYLOAD")
}
