//! One request over HTTP. The only place that knows reqwest.
//!
//! Promises: exactly one request per question reaches the wire. reqwest's own retries and redirects are
//! off, and the request is a POST, which no proxy repeats by itself. (Below reqwest, a request is given to another
//! connection when its own was found dead before a byte of it was written: that is still one request on the wire.)
//! Every request has a new nonce and time stamp. Proxies come from the usual environment variables, loopback never has
//! one; TLS is rustls with the platform's roots, and those of `--ca-file`.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use chrono::{DateTime, Datelike as _, TimeDelta, Utc};
use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};

use super::credentials::{CredentialCache, Credentials};
use super::wire::{BODY_LIMIT, Received, Reply};
use super::{Correction, Provider, Question, WireFormat, sign};
use crate::error::{Error, Result};
use crate::recording::{Exchange, Recorder};
use crate::stop::Reason;
use reconcile_core::calendar::midnight_ms;

/// The content type of a form.
pub(super) const FORM: &str = "application/x-www-form-urlencoded";
/// An idle connection is not used again after this long: gateways close theirs after 15 s and more, and a request
/// that meets the closing is lost.
const IDLE: Duration = Duration::from_secs(10);
/// The clocks agree when they are not further apart than this: `Date` has whole seconds, and the reply takes its time.
const AGREED: TimeDelta = TimeDelta::seconds(60);

/// What a sandbox marks each of its replies with.
const SANDBOX: &str = "x-reconcile-sandbox";

/// How the provider is reached.
#[derive(Debug, Clone)]
pub struct Connection {
    /// Its URL.
    pub endpoint: String,
    /// For one request, from connect to last byte.
    pub timeout: Duration,
    /// The form of the answers that is asked for.
    pub wire_format: WireFormat,
    /// PEM file of certificates that are trusted beside the platform's.
    pub ca_file: Option<PathBuf>,
    /// `http://` is allowed beyond loopback.
    pub insecure_http: bool,
}

/// The provider over HTTP.
pub struct HttpProvider {
    client: reqwest::Client,
    endpoint: reqwest::Url,
    keys: Arc<CredentialCache>,
    format: WireFormat,
    recorder: Option<Recorder>,
    /// What the provider's clock said and when that was, once it is gone by.
    provider_time: OnceLock<(DateTime<Utc>, Instant)>,
}

impl HttpProvider {
    /// A client whose requests reach this provider, or fail, within the time-out.
    ///
    /// # Errors
    ///
    /// Exit 2 when the endpoint is no http(s) URL or would send in clear text what must not be read on the way, when
    /// the file of certificates cannot be used, or TLS cannot be set up.
    pub fn new(connection: &Connection, keys: Arc<CredentialCache>) -> Result<Self> {
        let endpoint = parse_url("--endpoint", &connection.endpoint, "https://dyvmsapi.aliyuncs.com")?;
        if endpoint.scheme() == "http" && !is_loopback(&endpoint) && !connection.insecure_http {
            return Err(in_clear_text(&endpoint));
        }
        let client = client(&endpoint, connection.timeout, connection.ca_file.as_deref(), false)?;
        let (format, provider_time) = (connection.wire_format, OnceLock::new());
        Ok(Self { client, endpoint, keys, format, recorder: None, provider_time })
    }

    /// The same with every answer recorded.
    #[must_use]
    pub fn recorded(self, recorder: Recorder) -> Self {
        Self { recorder: Some(recorder), ..self }
    }

    /// Adds what came back to the recording, if one is made, with the headers that decide what is made of it.
    fn record(&self, question: &Question, received: Option<&Received>) {
        let Some(recorder) = &self.recorder else { return };
        let mut exchange = Exchange::lost(&question.call_id, question.prod_id.0, question.day);
        if let Some(received) = received {
            let wait = received.retry_after.map(|wait| wait.as_millis().to_string());
            let headers = [("content-type", received.content_type.clone()), ("x-acs-retry-after", wait)];
            exchange = exchange.answered(received.status, &received.body);
            exchange.headers =
                headers.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect();
        }
        recorder.note(exchange);
    }

    /// The time to sign with, and whether it is the provider's. That one runs on from when it was told, whatever
    /// becomes of this machine's clock meanwhile.
    fn now(&self) -> (DateTime<Utc>, bool) {
        let told = self.provider_time.get();
        let since = |told_at: &Instant| TimeDelta::from_std(told_at.elapsed()).unwrap_or_default();
        told.map_or_else(|| (Utc::now(), false), |(date, told_at)| (*date + since(told_at), true))
    }

    /// The signed form of a question.
    fn form(&self, question: &Question, key: &Credentials, now: DateTime<Utc>) -> String {
        let prod_id = question.prod_id.0.to_string();
        let query_date = midnight_ms(question.day).to_string();
        let asked = [
            ("Action", "QueryCallDetailByCallId"),
            ("CallId", question.call_id.as_str()),
            ("Format", self.format.parameter()),
            ("ProdId", prod_id.as_str()),
            ("QueryDate", query_date.as_str()),
            ("RegionId", "cn-hangzhou"),
            ("Version", "2017-05-25"),
        ];
        sign::form(key, &asked, now)
    }
}

/// Sends it, once, and takes what comes back, up to the longest body that is read.
pub(super) async fn receive(
    request: reqwest::RequestBuilder,
    url: &reqwest::Url,
) -> Result<Received, reqwest::Error> {
    let mut response = request.send().await?;
    let headers = response.headers();
    let date = text(headers, "date").and_then(http_date);
    let mut received = Received {
        status: response.status().as_u16(),
        // A date is by the provider's clock.
        retry_after: retry_after(headers, date.unwrap_or_else(Utc::now)),
        date,
        is_sandbox: headers.contains_key(SANDBOX),
        content_type: text(headers, "content-type").map(str::to_owned),
        ..Received::default()
    };
    if response.status().is_redirection() {
        received.location = text(headers, "location").map(|location| origin(url, location));
    }
    let length = response.content_length();
    while let Some(chunk) = response.chunk().await? {
        let room = BODY_LIMIT - received.body.len();
        received.body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if chunk.len() > room {
            // What is left is not waited for: the connection is closed.
            let length = length.map(|length| format!("{length} bytes long"));
            received.cut = Some(length.unwrap_or_else(|| "of unknown length".into()));
            break;
        }
    }
    Ok(received)
}

/// Scheme, host and port of a redirect's target, which may be relative; the rest may hold what must not be shown.
fn origin(url: &reqwest::Url, location: &str) -> String {
    let target = url.join(location).ok();
    target.map_or_else(|| "an unreadable place".into(), |url| url.origin().ascii_serialization())
}

/// A client for one service. `direct` is without a proxy, as loopback is in any case.
pub(super) fn client(
    url: &reqwest::Url,
    timeout: Duration,
    ca_file: Option<&Path>,
    direct: bool,
) -> Result<reqwest::Client> {
    let direct = direct || is_loopback(url);
    // Without a provider reqwest panics, even for http://. A second call finds it installed; that is fine.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = reqwest::Client::builder()
        .timeout(timeout)
        .connect_timeout(timeout)
        .pool_idle_timeout(IDLE)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .user_agent(concat!("reconcile/", env!("CARGO_PKG_VERSION")));
    if direct {
        builder = builder.no_proxy();
    }
    builder = match ca_file {
        Some(path) => builder.tls_certs_merge(certificates(path)?),
        // No TLS, and no proxy that might speak it: the platform's roots need not be there.
        None if direct && url.scheme() == "http" => builder.tls_certs_only([]),
        None => builder,
    };
    builder.build().map_err(|e| not_set_up(ca_file, e))
}

impl Provider for HttpProvider {
    async fn ask(&self, question: &Question) -> Reply {
        let (now, by_provider_time) = self.now();
        let Some(key) = self.keys.current() else {
            // Its time came while the request was put on disk.
            return Reply::Lost {
                code: "expired",
                message: "the key expired before the request was sent".into(),
            };
        };
        let form = self.form(question, &key, now);
        let request = self.client.post(self.endpoint.clone()).header(CONTENT_TYPE, FORM).body(form);
        let sent = receive(request, &self.endpoint).await;
        self.record(question, sent.as_ref().ok());
        match sent {
            Ok(received) => Reply::Received(Received { by_provider_time, ..received }),
            Err(error) => lost(&error),
        }
    }

    async fn ready(&self) -> Result<u64, Reason> {
        self.keys.ready().await
    }

    async fn renew_key(&self, refused: u64) -> Result<bool, Reason> {
        self.keys.renew(refused).await
    }

    fn correct_clock(&self, date: DateTime<Utc>) -> Option<Correction> {
        let behind = date - Utc::now();
        let first = self.provider_time.get().is_none();
        if first && behind.abs() <= AGREED {
            return None;
        }
        let first = first && self.provider_time.set((date, Instant::now())).is_ok();
        Some(Correction { behind, first })
    }
}

fn in_clear_text(endpoint: &reqwest::Url) -> Error {
    Error::usage(format!(
        "--endpoint {endpoint}: over http:// the phone numbers, the access key's id and its signatures would travel \
         in clear text"
    ))
    .hint("use https://, or add --insecure-http where the way there is safe")
}

/// The certificates of `--ca-file`, at least one.
pub(crate) fn certificates(path: &Path) -> Result<Vec<reqwest::Certificate>> {
    let wrong = |why: &str| {
        Error::usage(format!("--ca-file {}: {why}", path.display()))
            .hint("give a PEM file with the certificate of the authority, between BEGIN CERTIFICATE and END CERTIFICATE")
    };
    let pem = std::fs::read(path).map_err(|e| wrong("cannot be read").because(e))?;
    let found = reqwest::Certificate::from_pem_bundle(&pem)
        .map_err(|e| wrong("a certificate in it cannot be read").because(e.without_url()))?;
    if found.is_empty() { Err(wrong("there is no certificate in it")) } else { Ok(found) }
}

fn not_set_up(ca_file: Option<&Path>, error: reqwest::Error) -> Error {
    let hint = match ca_file {
        Some(path) => format!("check that {} holds certificates of an authority", path.display()),
        None => {
            "install the system's certificates (the package ca-certificates), or name some with --ca-file"
                .into()
        }
    };
    Error::usage("the HTTP client cannot be set up").hint(hint).because(error.without_url())
}

/// A URL over HTTP. `given_by` names the option or variable that gave it.
///
/// # Errors
///
/// Exit 2 when it is none. An option's value is shown, as the process list does; another's may be secret.
pub(super) fn parse_url(given_by: &str, text: &str, example: &str) -> Result<reqwest::Url> {
    let shown = if given_by.starts_with("--") { format!(" {text}") } else { String::new() };
    let wrong = |why: String| {
        Error::usage(format!("{given_by}{shown}: {why}")).hint(format!("give a URL such as {example}"))
    };
    let url = reqwest::Url::parse(text).map_err(|e| wrong(format!("not a URL ({e})")))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(wrong("not an http:// or https:// URL".into()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        // It would stand in messages, in the outputs and in the process list.
        return Err(Error::usage(format!("{given_by} contains a user name or password"))
            .hint("leave it out: nobody asks for one there"));
    }
    Ok(url)
}

/// Whether it is on this machine.
pub(crate) fn is_loopback(url: &reqwest::Url) -> bool {
    match url.host_str() {
        Some("localhost") => true,
        Some(host) => {
            host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
        }
        None => false,
    }
}

/// The provider's hint (`x-acs-retry-after`, milliseconds) before the standard one (seconds or a date).
/// Zero, negative and unreadable hints are none.
fn retry_after(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    if let Some(ms) =
        text(headers, "x-acs-retry-after").and_then(|v| v.parse::<u64>().ok()).filter(|ms| *ms > 0)
    {
        return Some(Duration::from_millis(ms));
    }
    let value = text(headers, RETRY_AFTER.as_str())?;
    if let Ok(seconds) = value.parse::<u64>() {
        return (seconds > 0).then(|| Duration::from_secs(seconds));
    }
    (http_date(value)? - now).to_std().ok().filter(|d| !d.is_zero())
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim)
}

/// `Mon, 23 Nov 2026 10:00:30 GMT`; a year beyond what can be calculated with is none.
fn http_date(text: &str) -> Option<DateTime<Utc>> {
    let date = DateTime::parse_from_rfc2822(text).ok()?.to_utc();
    (1970..=9999).contains(&date.year()).then_some(date)
}

/// A failed request in a word and a line. The URL is taken out: it is no secret, but it is noise.
pub(super) fn lost(error: &reqwest::Error) -> Reply {
    let code = if error.is_timeout() {
        "timeout"
    } else if is_about_certificate(error) {
        "certificate"
    } else if error.is_connect() {
        "connect"
    } else if error.is_body() || error.is_decode() {
        "cut"
    } else {
        "transport"
    };
    let mut message = String::new();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        message = cause.to_string();
        source = cause.source();
    }
    if message.is_empty() {
        message = format!("the request failed ({code})");
    }
    Reply::Lost { code, message }
}

/// Whether TLS failed because the provider's certificate is not trusted.
fn is_about_certificate(error: &(dyn std::error::Error + 'static)) -> bool {
    if let Some(tls) = error.downcast_ref::<rustls::Error>() {
        return matches!(tls, rustls::Error::InvalidCertificate(_));
    }
    // What an I/O error wraps is not its source, and may be an I/O error itself.
    let wrapped = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    wrapped.is_some_and(|wrapped| is_about_certificate(wrapped))
        || error.source().is_some_and(is_about_certificate)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn headers(name: &'static str, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(reqwest::header::HeaderName::from_static(name), value.parse().unwrap())])
    }

    #[test]
    fn hints_are_read_in_milliseconds_seconds_and_as_a_date() {
        let now = DateTime::parse_from_rfc3339("2026-11-23T10:00:00Z").unwrap().to_utc();
        let read = |name, value| retry_after(&headers(name, value), now);
        assert_eq!(read("x-acs-retry-after", "1500"), Some(Duration::from_millis(1500)));
        assert_eq!(read("x-acs-retry-after", "-1"), None);
        assert_eq!(read("retry-after", "7"), Some(Duration::from_secs(7)));
        assert_eq!(read("retry-after", "Mon, 23 Nov 2026 10:00:30 GMT"), Some(Duration::from_secs(30)));
        assert_eq!(read("retry-after", "soon"), None);
        assert_eq!(http_date("Mon, 23 Nov 262100 10:00:30 GMT"), None);
    }

    #[test]
    fn an_endpoint_must_be_an_http_url() {
        let parse = |text| parse_url("--endpoint", text, "https://x");
        assert!(parse("https://dyvmsapi.aliyuncs.com").is_ok());
        assert!(parse("dyvmsapi.aliyuncs.com").is_err());
        assert!(parse("ftp://dyvmsapi.aliyuncs.com").is_err());
        let refused = parse("https://me:s3cret@dyvmsapi.aliyuncs.com").unwrap_err();
        assert!(!refused.to_string().contains("s3cret"), "{refused}");
        assert!(is_loopback(&parse("http://[::1]:80").unwrap()));
        assert!(!is_loopback(&parse("http://192.0.2.1").unwrap()));
    }
}
