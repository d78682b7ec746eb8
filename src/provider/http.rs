//! One request over HTTP. The only place that knows reqwest.
//!
//! Promises: exactly one request per question reaches the wire. reqwest's own retries and redirects are
//! off, and the request is a POST, which no proxy repeats by itself. Every request has a new nonce and time stamp.

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};

use super::credentials::Credentials;
use super::sign;
use super::wire::Reply;
use super::{Provider, Question};
use crate::call::midnight_ms;
use crate::error::{Error, Result};

/// The largest body that is read, in bytes; the provider's own are under 2 KiB.
const BODY_LIMIT: usize = 4 << 20;

/// The provider over HTTP.
pub struct HttpProvider {
    client: reqwest::Client,
    endpoint: reqwest::Url,
    credentials: Credentials,
}

impl HttpProvider {
    /// A client for `endpoint` whose requests take at most `timeout` from connect to last byte.
    ///
    /// # Errors
    ///
    /// Exit 2 when the endpoint is no http(s) URL, or TLS cannot be set up.
    pub fn new(endpoint: &str, credentials: Credentials, timeout: Duration) -> Result<Self> {
        let endpoint = parse_endpoint(endpoint)?;
        // Without a provider reqwest panics, even for http://. A second call finds it installed; that is fine.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = reqwest::Client::builder()
            .timeout(timeout)
            .connect_timeout(timeout)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .user_agent(concat!("reconcile/", env!("CARGO_PKG_VERSION")));
        if is_loopback(&endpoint) {
            builder = builder.no_proxy();
        }
        let client = builder
            .build()
            .map_err(|e| Error::usage("the HTTP client cannot be set up").because(e.without_url()))?;
        Ok(Self { client, endpoint, credentials })
    }

    /// The signed form of a question.
    fn form(&self, question: &Question, nonce: &str, now: DateTime<Utc>) -> String {
        let prod_id = question.prod_id.0.to_string();
        let query_date = midnight_ms(question.day).to_string();
        let timestamp = now.format("%Y-%m-%dT%H:%M:%SZ").to_string();
        let mut params = vec![
            ("AccessKeyId", self.credentials.access_key_id.as_str()),
            ("Action", "QueryCallDetailByCallId"),
            ("CallId", question.call_id.as_str()),
            ("Format", "JSON"),
            ("ProdId", prod_id.as_str()),
            ("QueryDate", query_date.as_str()),
            ("RegionId", "cn-hangzhou"),
            ("SignatureMethod", "HMAC-SHA1"),
            ("SignatureNonce", nonce),
            ("SignatureVersion", "1.0"),
            ("Timestamp", timestamp.as_str()),
            ("Version", "2017-05-25"),
        ];
        if let Some(token) = self.credentials.token() {
            params.push(("SecurityToken", token));
        }
        let signature = sign::signature("POST", &params, self.credentials.secret());
        params.push(("Signature", &signature));
        sign::encode_pairs(&params)
    }

    async fn send(&self, form: String) -> Result<Reply, reqwest::Error> {
        let request = self
            .client
            .post(self.endpoint.clone())
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(form);
        let mut response = request.send().await?;
        let status = response.status().as_u16();
        let retry_after = retry_after(response.headers(), Utc::now());
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            if body.len() + chunk.len() > BODY_LIMIT {
                let message = format!("the answer is longer than {BODY_LIMIT} bytes");
                return Ok(Reply::Lost { code: "too long", message });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Reply::Received { status, retry_after, body })
    }
}

impl Provider for HttpProvider {
    async fn ask(&self, question: &Question) -> Reply {
        let nonce = uuid::Uuid::new_v4().to_string();
        let form = self.form(question, &nonce, Utc::now());
        self.send(form).await.unwrap_or_else(|e| lost(&e))
    }
}

fn parse_endpoint(text: &str) -> Result<reqwest::Url> {
    let wrong = |why: String| {
        Error::usage(format!("--endpoint {text}: {why}"))
            .hint("give a URL such as https://dyvmsapi.aliyuncs.com")
    };
    let url = reqwest::Url::parse(text).map_err(|e| wrong(format!("not a URL ({e})")))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(wrong("not an http:// or https:// URL".into()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        // It would stand in messages, in the outputs and in the process list.
        return Err(Error::usage("--endpoint contains a user name or password")
            .hint("requests are signed with the access key; leave it out"));
    }
    Ok(url)
}

fn is_loopback(url: &reqwest::Url) -> bool {
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
    let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok()).map(str::trim);
    if let Some(ms) = text("x-acs-retry-after").and_then(|v| v.parse::<u64>().ok()).filter(|ms| *ms > 0) {
        return Some(Duration::from_millis(ms));
    }
    let value = text(RETRY_AFTER.as_str())?;
    if let Ok(seconds) = value.parse::<u64>() {
        return (seconds > 0).then(|| Duration::from_secs(seconds));
    }
    let date = DateTime::parse_from_rfc2822(value).ok()?;
    (date.with_timezone(&Utc) - now).to_std().ok().filter(|d| !d.is_zero())
}

/// A failed request in a word and a line. The URL is taken out: it is no secret, but it is noise.
fn lost(error: &reqwest::Error) -> Reply {
    let code = if error.is_timeout() {
        "timeout"
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
    }

    #[test]
    fn an_endpoint_must_be_an_http_url() {
        assert!(parse_endpoint("https://dyvmsapi.aliyuncs.com").is_ok());
        assert!(parse_endpoint("dyvmsapi.aliyuncs.com").is_err());
        assert!(parse_endpoint("ftp://dyvmsapi.aliyuncs.com").is_err());
        let refused = parse_endpoint("https://me:s3cret@dyvmsapi.aliyuncs.com").unwrap_err();
        assert!(!refused.to_string().contains("s3cret"), "{refused}");
        assert!(is_loopback(&parse_endpoint("http://[::1]:80").unwrap()));
        assert!(!is_loopback(&parse_endpoint("http://192.0.2.1").unwrap()));
    }
}
