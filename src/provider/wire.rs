//! Reads a reply of the provider: the envelope, its `Data`, and every form of error. Pure.
//!
//! Promises: the answer has a bounded length for any bytes. An envelope is recognized by its
//! content; neither the requested format nor the Content-Type decides.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::charset::{self, Decoded};
use super::codes::{self, Class};
use super::envelope::{self, Envelope};
use super::fields::{FieldValue, NotEnvelope};
use super::lost::LostRequest;
use super::sign::without_string_to_sign;
use reconcile_core::answer::MALFORMED;

/// Maximum number of bytes read of a body. The provider's own bodies are under 2 KiB.
pub const BODY_LIMIT: usize = 1 << 20;
/// Maximum number of bytes kept of a malformed answer.
pub const KEPT_BYTES: usize = 16 << 10;
/// Longest excerpt of an unexpected body, in characters.
const EXCERPT_CHARS: usize = 120;
/// Longest `Message`, in characters.
const MESSAGE_CHARS: usize = 1_000;
/// Longest `Code` and `RequestId`, in characters.
const NAME_CHARS: usize = 128;

/// How one request ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// An HTTP response came.
    Received(Received),
    /// No response came.
    Lost(LostRequest),
}

/// An HTTP response.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Received {
    /// HTTP status.
    pub status: u16,
    /// The pause that the provider requests.
    pub retry_after: Option<Duration>,
    /// `Date`: the time of the provider's clock.
    pub date: Option<DateTime<Utc>>,
    /// True if the request was signed with the provider's time, not with this machine's.
    pub by_provider_time: bool,
    /// True if the response is marked as a sandbox's.
    pub is_sandbox: bool,
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// The target of a redirect: scheme, host and port.
    pub location: Option<String>,
    /// The body, at most [`BODY_LIMIT`] bytes.
    pub body: Vec<u8>,
    /// Set if the body is longer than [`BODY_LIMIT`]: its full length in words, such as
    /// `67108904 bytes long`.
    pub too_long: Option<String>,
}

impl Reply {
    /// True if a sandbox answered; `None` without a response.
    #[must_use]
    pub fn is_sandbox(&self) -> Option<bool> {
        match self {
            Self::Received(received) => Some(received.is_sandbox),
            Self::Lost(_) => None,
        }
    }

    /// A response with only status and body.
    #[must_use]
    pub fn received(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self::Received(Received { status, body: body.into(), ..Received::default() })
    }
}

/// The content of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// `OK` with `Data`, kept byte for byte.
    Data(String),
    /// `OK` without a record, or an error that means there is none.
    NoRecord,
    /// The provider answered, but the answer or its `Data` cannot be read. An immediate retry would
    /// not help.
    Malformed {
        /// The answer, or its `Data`: at most [`KEPT_BYTES`] bytes.
        text: String,
        /// What is wrong with it. Never quotes the text.
        why: String,
    },
    /// An error.
    Error(Class),
}

/// The result of reading a reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The content.
    pub body: Body,
    /// `Code`; without one, words for what happened (`HTTP 502`, `timeout`).
    pub code: String,
    /// `Message`, or an excerpt of an unexpected body.
    pub message: String,
    /// `RequestId`.
    pub request_id: Option<String>,
    /// HTTP status, if there was a response.
    pub http_status: Option<u16>,
    /// The pause that the provider requests.
    pub retry_after: Option<Duration>,
    /// The time of the provider's clock.
    pub date: Option<DateTime<Utc>>,
    /// True if the request was signed with the provider's time.
    pub by_provider_time: bool,
}

impl Answer {
    /// True if the response has no code of the provider: a gateway's page, or an empty body.
    #[must_use]
    pub fn is_without_code(&self) -> bool {
        self.http_status.is_some_and(|status| self.code == status_code(status))
    }

    fn new(body: Body, code: &str, message: &str) -> Self {
        Self {
            body,
            code: one_line(code, NAME_CHARS),
            message: one_line(message, MESSAGE_CHARS),
            request_id: None,
            http_status: None,
            retry_after: None,
            date: None,
            by_provider_time: false,
        }
    }

    fn malformed(text: &str, why: impl Into<String>) -> Self {
        let why = why.into();
        let body = Body::Malformed { text: head(text, KEPT_BYTES).to_owned(), why: why.clone() };
        Self::new(body, MALFORMED, &why)
    }
}

/// Reads a reply.
#[must_use]
pub fn understand(reply: &Reply) -> Answer {
    match reply {
        Reply::Lost(LostRequest { reason, message }) => {
            Answer::new(Body::Error(codes::classify_lost(*reason)), reason.as_str(), message)
        }
        Reply::Received(received) => Answer {
            http_status: Some(received.status),
            retry_after: received.retry_after,
            date: received.date,
            by_provider_time: received.by_provider_time,
            ..read_body(received)
        },
    }
}

fn read_body(received: &Received) -> Answer {
    let body = charset::decode(&received.body, received.content_type.as_deref());
    let text = &*body.text;
    let success = (200..300).contains(&received.status);
    if let Some(length) = &received.too_long {
        if success && envelope::begins(text) {
            let why = format!("the answer is {length}; only its first {BODY_LIMIT} bytes are read");
            return Answer::malformed(text, why);
        }
        return no_envelope(received, text);
    }
    match envelope::read(text) {
        Ok(envelope) => read_envelope(envelope, received.status, &body),
        Err(NotEnvelope::Invalid) if success => {
            Answer::malformed(text, "the answer is not valid JSON or XML")
        }
        Err(_) => no_envelope(received, text),
    }
}

fn read_envelope(envelope: Envelope, status: u16, body: &Decoded<'_>) -> Answer {
    let Envelope { code, message, request_id, data, contradictory } = envelope;
    let message = message.unwrap_or_default();
    let mut answer = if let Some(name) = contradictory {
        Answer::malformed(&body.text, format!("the answer has {name} twice, with different values"))
    } else if code.eq_ignore_ascii_case("OK") {
        read_data(data, body.lossy, &code, &message)
    } else {
        let body = match codes::classify_with_text(&code, status, &message) {
            Class::NoRecord => Body::NoRecord,
            class => Body::Error(class),
        };
        Answer::new(body, &code, &without_string_to_sign(&message, |_, rest| rest.len(), "not shown"))
    };
    answer.request_id = request_id.map(|id| one_line(&id, NAME_CHARS));
    answer
}

fn read_data(data: FieldValue, lossy: bool, code: &str, message: &str) -> Answer {
    match data {
        FieldValue::Unreadable { raw, why } => Answer::malformed(&raw, format!("Data cannot be read: {why}")),
        FieldValue::Text(text) if lossy && text.contains(char::REPLACEMENT_CHARACTER) => {
            Answer::malformed(&text, "Data contains bytes that are not text; U+FFFD replaces them")
        }
        FieldValue::Text(text) if !is_empty(&text) => Answer::new(Body::Data(text), code, message),
        FieldValue::Text(_) | FieldValue::Nothing => Answer::new(Body::NoRecord, code, message),
    }
}

/// True if `Data` means that there is no record: empty, blank, `null` or `{}`.
fn is_empty(data: &str) -> bool {
    let inner = data.trim().strip_prefix('{').and_then(|data| data.strip_suffix('}'));
    matches!(inner.unwrap_or(data).trim(), "" | "null")
}

/// The answer for a body that is no envelope: a redirect, a proxy's page, an empty body, half a
/// JSON text.
fn no_envelope(received: &Received, text: &str) -> Answer {
    let status = received.status;
    let words: Vec<&str> = head(text, KEPT_BYTES).split_whitespace().collect();
    let message = match (&received.location, words.is_empty()) {
        (Some(location), _) => {
            format!("not the provider's answer but a redirect to {location}, not followed")
        }
        (None, true) => "empty body".to_owned(),
        (None, false) => format!("not the provider's answer: {}", one_line(&words.join(" "), EXCERPT_CHARS)),
    };
    Answer::new(Body::Error(codes::classify_status(status)), &status_code(status), &message)
}

/// The word in place of a code, for a response without one.
fn status_code(status: u16) -> String {
    format!("HTTP {status}")
}

/// The first `limit` characters on one line. Control characters become spaces: an answer must not
/// control a terminal.
fn one_line(text: &str, limit: usize) -> String {
    text.trim().chars().take(limit).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// The beginning of a text: at most `bytes` bytes, and only whole characters.
fn head(text: &str, bytes: usize) -> &str {
    let boundary = |at: &usize| text.is_char_boundary(*at);
    &text[..(0..=bytes.min(text.len())).rev().find(boundary).unwrap_or(0)]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic)]
    use super::*;

    fn read(status: u16, body: &str) -> Body {
        understand(&Reply::received(status, body)).body
    }

    #[test]
    fn every_form_of_empty_data_means_no_record() {
        for body in [
            r#"{"Code":"OK","Message":"OK","RequestId":"r"}"#,
            r#"{"Code":"OK","Data":null}"#,
            r#"{"Code":"OK","Data":""}"#,
            r#"{"Code":"OK","Data":" \n "}"#,
            r#"{"Code":"OK","Data":"{}"}"#,
            r#"{"Code":"OK","Data":{}}"#,
        ] {
            assert_eq!(read(200, body), Body::NoRecord, "{body}");
        }
    }

    #[test]
    fn data_is_kept_byte_for_byte_as_string_or_object() {
        assert_eq!(read(200, r#"{"Data":"{\"a\": 1}","Code":"OK"}"#), Body::Data(r#"{"a": 1}"#.into()));
        assert_eq!(read(200, r#"{"Data":{"a": 1},"Code":"OK"}"#), Body::Data(r#"{"a": 1}"#.into()));
    }

    #[test]
    fn errors_may_come_with_http_200_and_lower_case_keys() {
        assert_eq!(read(200, r#"{"Code":"isp.SYSTEM_ERROR"}"#), Body::Error(Class::Transient));
        assert_eq!(read(400, r#"{"code":"Throttling.User","message":"m"}"#), Body::Error(Class::Throttle));
    }

    #[test]
    fn the_string_to_sign_is_not_kept() {
        let body = r#"{"Code":"SignatureDoesNotMatch","Message":"no match. server string to sign is:GET&SecurityToken%3Dt"}"#;
        let answer = understand(&Reply::received(400, body));
        assert_eq!(answer.message, "no match. server string to sign is (not shown)");
    }

    #[test]
    fn the_status_decides_for_a_body_that_is_no_envelope() {
        assert_eq!(read(502, "<html>Bad Gateway</html>"), Body::Error(Class::Transient));
        assert_eq!(read(429, ""), Body::Error(Class::Throttle));
        assert_eq!(read(200, r#"{"Code":"OK","Da"#), Body::Error(Class::Transient));
    }

    fn malformed(reply: &Reply) -> (String, String) {
        match understand(reply).body {
            Body::Malformed { text, why } => (text, why),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_too_long_answer_is_malformed_and_its_start_is_kept() {
        let body = format!(r#"{{"Code":"OK","Data":"{}"#, "用".repeat(BODY_LIMIT / 3));
        let received = Received {
            status: 200,
            too_long: Some("endless".into()),
            body: body.into(),
            ..Received::default()
        };
        let (text, why) = malformed(&Reply::Received(received.clone()));
        assert!(
            text.len() <= KEPT_BYTES && text.len() > KEPT_BYTES - 3 && text.starts_with(r#"{"Code""#),
            "{}",
            text.len()
        );
        assert!(why.contains("endless") && why.contains(&BODY_LIMIT.to_string()), "{why}");
        // For a long page, or a long error, the status decides.
        let page = Received { body: "<html>".into(), ..received.clone() };
        assert_eq!(understand(&Reply::Received(page)).body, Body::Error(Class::Transient));
        let error = Received { status: 503, ..received };
        assert_eq!(understand(&Reply::Received(error)).body, Body::Error(Class::Transient));
    }

    #[test]
    fn unreadable_data_is_malformed_and_kept() {
        let (text, _) =
            malformed(&Reply::received(200, b"{\"Code\":\"OK\",\"Data\":\"{\\\"a\\\":\\\"\xff\\\"}\"}"));
        assert_eq!(text, "{\"a\":\"\u{fffd}\"}");
        let (text, _) = malformed(&Reply::received(200, r#"{"Code":"OK","Data":"\ud800"}"#));
        assert_eq!(text, r#""\ud800""#);
        let (_, why) = malformed(&Reply::received(200, r#"{"Code":"OK","Data":"1","Data":"2"}"#));
        assert!(why.contains("Data twice"), "{why}");
        let broken = r#"{"Data":"\{“a”:1\}","Code":"OK"}"#;
        assert_eq!(malformed(&Reply::received(200, broken)).0, broken);
        assert_eq!(read(500, broken), Body::Error(Class::Transient));
        // Bytes that are not text do no harm in Message.
        let body = b"{\"Code\":\"OK\",\"Message\":\"\xff\",\"Data\":\"{\\\"a\\\":1}\"}".to_vec();
        assert_eq!(understand(&Reply::received(200, body)).body, Body::Data(r#"{"a":1}"#.into()));
    }

    #[test]
    fn a_redirect_is_named_and_a_message_is_one_line() {
        let location = Some("https://elsewhere.example".to_owned());
        let answer = understand(&Reply::Received(Received { status: 302, location, ..Received::default() }));
        assert!(matches!(answer.body, Body::Error(Class::Route(_))));
        assert!(answer.message.contains("https://elsewhere.example"), "{}", answer.message);
        let answer = understand(&Reply::received(200, r#"{"Code":"a\u001b[31m","Message":"b\nc"}"#));
        assert_eq!((answer.code.as_str(), answer.message.as_str()), ("a [31m", "b c"));
    }
}
