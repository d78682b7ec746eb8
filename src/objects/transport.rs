//! Sends the library's requests with this program's HTTP client, and repeats those that failed for
//! a passing reason.
//!
//! Every request of the protocol may be repeated: an object's name is used for one content only. A
//! repeated creation whose first reply was lost is refused; [`Publication`](super::Publication)
//! then reads the object and recognizes it as its own. Requests for keys, to services of the
//! library's own choice, are sent once and without a proxy if they go to this machine's metadata.

use std::time::Duration;

use futures::stream;
use http::{Method, Request, Response, StatusCode};
use opendal::raw::{HttpBody, HttpFetch, Operation};
use opendal::{Buffer, ErrorKind};
use reqwest::Client;

use super::error::Failure;
use super::oss_signer::OssSigner;
use crate::provider::lost_request;

/// Attempts at one request.
const ATTEMPTS: u32 = 5;
/// The pause after the first attempt; it doubles after each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// Most bytes of a response: a range of an object, or a page of a list.
const MAX_RESPONSE_BYTES: usize = 32 << 20;
/// Codes of a refusal that passes.
const PASSING: [&str; 6] = [
    "RequestTimeout",
    "InternalError",
    "SlowDown",
    "ServiceUnavailable",
    "OperationAborted",
    "ConditionalRequestConflict",
];

/// The way to a service and to those that issue its keys.
pub(super) struct Transport {
    /// Reaches the service, and services that issue keys.
    pub(super) client: Client,
    /// Reaches the metadata service of this machine.
    pub(super) metadata: Client,
    /// Signs each attempt at a request to OSS; other requests come signed.
    pub(super) signer: Option<OssSigner>,
}

impl Transport {
    /// One attempt at a request to the bucket. An error of the service is a failure.
    async fn attempt(&self, mut request: Request<Buffer>) -> Result<Received, Failure> {
        if let Some(signer) = &self.signer {
            request = signer.sign(request).await?;
        }
        let is_head = request.method() == Method::HEAD;
        let received = send(&self.client, request).await?;
        let status = received.status();
        if status.is_success() {
            return Ok(received);
        }
        let text = String::from_utf8_lossy(received.body());
        let code = if is_head { String::new() } else { element(&text, "Code") };
        Err(Failure::Refused { status: status.as_u16(), code, message: element(&text, "Message") })
    }
}

impl HttpFetch for Transport {
    async fn fetch(&self, request: Request<Buffer>) -> opendal::Result<Response<HttpBody>> {
        // Only requests to the bucket carry what they do.
        if request.extensions().get::<Operation>().is_none() {
            let client = if is_metadata(&request) { &self.metadata } else { &self.client };
            return send(client, request).await.map(whole).map_err(|failure| error(failure, false));
        }
        let mut pause = FIRST_PAUSE;
        for _ in 1..ATTEMPTS {
            match self.attempt(request.clone()).await {
                Err(failure) if is_passing(&failure) => {
                    tracing::debug!("a request to the bucket failed: {failure}; trying again");
                }
                done => return done.map(whole).map_err(|failure| error(failure, true)),
            }
            tokio::time::sleep(pause.mul_f64(0.5 + fastrand::f64())).await;
            pause *= 2;
        }
        self.attempt(request).await.map(whole).map_err(|failure| error(failure, true))
    }
}

/// Whether the request goes to a metadata service: an address of this machine alone.
fn is_metadata(request: &Request<Buffer>) -> bool {
    let host = request.uri().host().unwrap_or_default();
    ["169.254.", "127."].iter().any(|begin| host.starts_with(begin)) || host == "[fd00:ec2::254]"
}

fn is_passing(failure: &Failure) -> bool {
    match failure {
        Failure::NoResponse(_) => true,
        Failure::Refused { status, code, .. } => {
            matches!(status, 408 | 429 | 500 | 502 | 503 | 504) || PASSING.contains(&code.as_str())
        }
        Failure::NoKey(_) | Failure::Other(_) => false,
    }
}

/// A response with its whole body.
type Received = Response<Vec<u8>>;

/// Sends a request once and receives the whole response.
async fn send(client: &Client, request: Request<Buffer>) -> Result<Received, Failure> {
    let no_response = |error: reqwest::Error| {
        let lost = lost_request(&error.without_url());
        Failure::NoResponse(lost.message)
    };
    let (parts, body) = request.into_parts();
    let url = parts.uri.to_string();
    let mut sending = client.request(parts.method, url).headers(parts.headers);
    if !body.is_empty() {
        sending = sending.body(body.to_bytes());
    }
    let mut response = sending.send().await.map_err(no_response)?;
    let mut received = Response::new(Vec::new());
    *received.status_mut() = response.status();
    *received.headers_mut() = std::mem::take(response.headers_mut());
    while let Some(chunk) = response.chunk().await.map_err(no_response)? {
        if received.body().len() + chunk.len() > MAX_RESPONSE_BYTES {
            return Err(Failure::Other("the service sent more than it was asked for".into()));
        }
        received.body_mut().extend_from_slice(&chunk);
    }
    Ok(received)
}

/// The text of an XML element without attributes; empty if there is none.
fn element(xml: &str, name: &str) -> String {
    let inside = xml.split_once(&format!("<{name}>")).map_or("", |(_, rest)| rest);
    let text = inside.split_once(&format!("</{name}>")).map_or("", |(text, _)| text);
    text.trim().chars().take(300).collect()
}

fn whole(received: Received) -> Response<HttpBody> {
    received.map(|body| {
        let length = body.len() as u64;
        HttpBody::new(stream::iter([Ok(Buffer::from(body))]), Some(length))
    })
}

/// The failure as the library's error. It never asks the library to try again.
fn error(failure: Failure, of_bucket: bool) -> opendal::Error {
    let kind = match &failure {
        Failure::Refused { status, .. } if of_bucket => match StatusCode::from_u16(*status) {
            Ok(StatusCode::NOT_FOUND) => ErrorKind::NotFound,
            Ok(StatusCode::FORBIDDEN) => ErrorKind::PermissionDenied,
            Ok(StatusCode::CONFLICT | StatusCode::PRECONDITION_FAILED) => ErrorKind::ConditionNotMatch,
            _ => ErrorKind::Unexpected,
        },
        _ => ErrorKind::Unexpected,
    };
    opendal::Error::new(kind, failure.to_string()).set_source(failure)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_and_message_of_an_error_are_found() {
        let xml = "<?xml version=\"1.0\"?><Error><Code>\n NoSuchKey </Code><Message>no</Message></Error>";
        assert_eq!((element(xml, "Code"), element(xml, "Message")), ("NoSuchKey".into(), "no".into()));
        assert_eq!((element("<Code>half", "Code"), element("", "Code")), (String::new(), String::new()));
    }

    #[test]
    fn only_passing_failures_are_repeated() {
        let refused = |status, code: &str| {
            is_passing(&Failure::Refused { status, code: code.into(), message: String::new() })
        };
        assert!(
            refused(503, "") && refused(409, "ConditionalRequestConflict") && refused(400, "RequestTimeout")
        );
        assert!(!refused(412, "PreconditionFailed") && !refused(501, "NotImplemented") && !refused(403, ""));
    }
}
