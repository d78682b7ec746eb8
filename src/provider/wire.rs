//! From bytes to what the provider said: the envelope, its `Data`, and errors in all their places. Pure.
//!
//! Promises an answer for whatever comes back, of bounded length, and that an envelope is known by its content: neither
//! the format that was asked for nor the Content-Type decides.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::charset::{self, Text};
use super::codes::{self, Class};
use super::envelope::{self, Envelope, Reading};
use super::fields::Value;

/// The largest body that is read, in bytes; the provider's own are under 2 KiB.
pub const BODY_LIMIT: usize = 1 << 20;
/// How much is kept of an answer that `Data` cannot be taken out of, in bytes.
pub const KEPT: usize = 16 << 10;
/// The code of an answer whose `Data` cannot be read.
pub const MALFORMED: &str = "MalformedData";
/// How much of an unexpected body is kept, in characters.
const EXCERPT: usize = 120;
/// How much of `Message` is kept, in characters.
const MESSAGE: usize = 1_000;
/// How much of `Code` and `RequestId` is kept, in characters.
const NAME: usize = 128;

/// How one request ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// An HTTP response came back.
    Received(Received),
    /// None did.
    Lost {
        /// In a word: `timeout`, `connect`, `certificate`, `cut`, `transport`; `expired` when it was not sent for want of a key.
        code: &'static str,
        /// The library's message, without the URL.
        message: String,
    },
}

/// An HTTP response.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Received {
    /// HTTP status.
    pub status: u16,
    /// How long the provider asks to wait, if it does.
    pub retry_after: Option<Duration>,
    /// `Date`: what the provider's clock says.
    pub date: Option<DateTime<Utc>>,
    /// The request was signed with the provider's time, not with this machine's.
    pub by_provider_time: bool,
    /// It says itself that it is a sandbox's.
    pub is_sandbox: bool,
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// Where a redirect points to: scheme, host and port.
    pub location: Option<String>,
    /// The body.
    pub body: Vec<u8>,
    /// How long it is, if it is longer than [`BODY_LIMIT`] and was cut off there; in words.
    pub cut: Option<String>,
}

impl Reply {
    /// Whether it is a sandbox's; `None` when nothing came back.
    #[must_use]
    pub fn is_sandbox(&self) -> Option<bool> {
        match self {
            Self::Received(received) => Some(received.is_sandbox),
            Self::Lost { .. } => None,
        }
    }

    /// A response with nothing but status and body.
    #[must_use]
    pub fn received(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self::Received(Received { status, body: body.into(), ..Received::default() })
    }
}

/// What an answer says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// `OK`, with `Data`, byte for byte.
    Data(String),
    /// `OK` (or an error that means it), and no record.
    NoRecord,
    /// The provider answers, but `Data` cannot be taken out of its answer. Asking at once again would not help.
    Malformed {
        /// What there is instead, at most [`KEPT`] bytes of it.
        text: String,
        /// What is wrong with it; quotes nothing.
        why: String,
    },
    /// An error.
    Error(Class),
}

/// A reply, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// What it says.
    pub said: Body,
    /// `Code`, or a word for what happened instead (`HTTP 502`, `timeout`).
    pub code: String,
    /// `Message`, or an excerpt of what came instead.
    pub message: String,
    /// `RequestId`.
    pub request_id: Option<String>,
    /// HTTP status, when there was a response.
    pub http_status: Option<u16>,
    /// How long the provider asks to wait.
    pub retry_after: Option<Duration>,
    /// What the provider's clock said.
    pub date: Option<DateTime<Utc>>,
    /// The request was signed with the provider's time.
    pub by_provider_time: bool,
}

impl Answer {
    fn new(said: Body, code: &str, message: &str) -> Self {
        Self {
            said,
            code: tidy(code, NAME),
            message: tidy(message, MESSAGE),
            request_id: None,
            http_status: None,
            retry_after: None,
            date: None,
            by_provider_time: false,
        }
    }

    fn malformed(text: &str, why: impl Into<String>) -> Self {
        let why = why.into();
        let said = Body::Malformed { text: head(text, KEPT).to_owned(), why: why.clone() };
        Self::new(said, MALFORMED, &why)
    }
}

/// Understands a reply.
#[must_use]
pub fn understand(reply: &Reply) -> Answer {
    match reply {
        Reply::Lost { code, message } => Answer::new(Body::Error(codes::classify_lost(code)), code, message),
        Reply::Received(received) => {
            let mut answer = understand_body(received);
            answer.http_status = Some(received.status);
            answer.retry_after = received.retry_after;
            answer.date = received.date;
            answer.by_provider_time = received.by_provider_time;
            answer
        }
    }
}

fn understand_body(received: &Received) -> Answer {
    let body = charset::decode(&received.body, received.content_type.as_deref());
    let text = &*body.text;
    let good = (200..300).contains(&received.status);
    if let Some(length) = &received.cut {
        if good && envelope::begins(text) {
            let why = format!("the answer is {length}; more than {BODY_LIMIT} bytes are not read");
            return Answer::malformed(text, why);
        }
        return no_envelope(received, text);
    }
    match envelope::read(text) {
        Reading::Envelope(envelope) => enveloped(envelope, received.status, &body),
        Reading::Broken if good => Answer::malformed(text, "the answer breaks the rules of its format"),
        Reading::Broken | Reading::Other => no_envelope(received, text),
    }
}

fn enveloped(envelope: Envelope, status: u16, body: &Text<'_>) -> Answer {
    let Envelope { code, message, request_id, data, twice } = envelope;
    let mut answer = if let Some(name) = twice {
        Answer::malformed(&body.text, format!("{name} stands twice in the answer, with different values"))
    } else if code.eq_ignore_ascii_case("OK") {
        with_data(data, body.lossy, &code, message.as_deref().unwrap_or_default())
    } else {
        let said = match codes::classify(&code, status) {
            Class::NoRecord => Body::NoRecord,
            class => Body::Error(class),
        };
        Answer::new(said, &code, &without_string_to_sign(message.unwrap_or_default()))
    };
    answer.request_id = request_id.map(|id| tidy(&id, NAME));
    answer
}

fn with_data(data: Value, lossy: bool, code: &str, message: &str) -> Answer {
    match data {
        Value::Unreadable { raw, why } => Answer::malformed(&raw, format!("Data cannot be read: {why}")),
        Value::Text(text) if lossy && text.contains(char::REPLACEMENT_CHARACTER) => {
            Answer::malformed(&text, "Data holds bytes that are no text; U+FFFD stands in their place")
        }
        Value::Text(text) if !is_empty(&text) => Answer::new(Body::Data(text), code, message),
        Value::Text(_) | Value::Nothing => Answer::new(Body::NoRecord, code, message),
    }
}

/// Missing, null, empty, blank and `{}` all say that there is no record.
fn is_empty(data: &str) -> bool {
    let inner = data.trim().strip_prefix('{').and_then(|data| data.strip_suffix('}'));
    matches!(inner.unwrap_or(data).trim(), "" | "null")
}

/// A refused signature comes with all that was signed, a security token among it. That is neither stored nor
/// shown.
fn without_string_to_sign(mut message: String) -> String {
    const BEFORE: &str = "string to sign is";
    if let Some(at) = message.find(BEFORE) {
        message.truncate(at + BEFORE.len());
        message.push_str(" (not shown)");
    }
    message
}

/// Something else altogether: a redirect, a proxy's page, an empty body, half a JSON text.
fn no_envelope(received: &Received, text: &str) -> Answer {
    let status = received.status;
    let words: Vec<&str> = head(text, KEPT).split_whitespace().collect();
    let message = match (&received.location, words.is_empty()) {
        (Some(location), _) => {
            format!("not the provider's answer but a redirect to {location}, not followed")
        }
        (None, true) => "empty body".to_owned(),
        (None, false) => format!("not the provider's answer: {}", tidy(&words.join(" "), EXCERPT)),
    };
    Answer::new(Body::Error(codes::classify_status(status)), &format!("HTTP {status}"), &message)
}

/// One line of at most so many characters: what a provider sends must not steer a terminal.
fn tidy(text: &str, limit: usize) -> String {
    text.trim().chars().take(limit).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// The first bytes of a text, up to a whole character.
fn head(text: &str, bytes: usize) -> &str {
    let whole = |at: &usize| text.is_char_boundary(*at);
    &text[..(0..=bytes.min(text.len())).rev().find(whole).unwrap_or(0)]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic)]
    use super::*;

    fn said(status: u16, body: &str) -> Body {
        understand(&Reply::received(status, body)).said
    }

    #[test]
    fn every_form_of_empty_data_says_that_there_is_no_record() {
        for body in [
            r#"{"Code":"OK","Message":"OK","RequestId":"r"}"#,
            r#"{"Code":"OK","Data":null}"#,
            r#"{"Code":"OK","Data":""}"#,
            r#"{"Code":"OK","Data":" \n "}"#,
            r#"{"Code":"OK","Data":"{}"}"#,
            r#"{"Code":"OK","Data":{}}"#,
        ] {
            assert_eq!(said(200, body), Body::NoRecord, "{body}");
        }
    }

    #[test]
    fn data_is_kept_byte_for_byte_and_an_object_as_it_stands() {
        assert_eq!(said(200, r#"{"Data":"{\"a\": 1}","Code":"OK"}"#), Body::Data(r#"{"a": 1}"#.into()));
        assert_eq!(said(200, r#"{"Data":{"a": 1},"Code":"OK"}"#), Body::Data(r#"{"a": 1}"#.into()));
    }

    #[test]
    fn an_error_is_understood_at_http_200_and_with_lower_case_keys() {
        assert_eq!(said(200, r#"{"Code":"isp.SYSTEM_ERROR"}"#), Body::Error(Class::Transient));
        assert_eq!(said(400, r#"{"code":"Throttling.User","message":"m"}"#), Body::Error(Class::Throttle));
    }

    #[test]
    fn what_was_signed_is_not_kept() {
        let body = r#"{"Code":"SignatureDoesNotMatch","Message":"no match. server string to sign is:GET&SecurityToken%3Dt"}"#;
        let answer = understand(&Reply::received(400, body));
        assert_eq!(answer.message, "no match. server string to sign is (not shown)");
    }

    #[test]
    fn a_page_that_is_no_envelope_is_classified_by_its_status() {
        assert_eq!(said(502, "<html>Bad Gateway</html>"), Body::Error(Class::Transient));
        assert_eq!(said(429, ""), Body::Error(Class::Throttle));
        assert_eq!(said(200, r#"{"Code":"OK","Da"#), Body::Error(Class::Transient));
    }

    fn malformed(reply: &Reply) -> (String, String) {
        match understand(reply).said {
            Body::Malformed { text, why } => (text, why),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_answer_that_is_too_long_is_malformed_and_its_beginning_is_kept() {
        let body = format!(r#"{{"Code":"OK","Data":"{}"#, "用".repeat(BODY_LIMIT / 3));
        let received =
            Received { status: 200, cut: Some("endless".into()), body: body.into(), ..Received::default() };
        let (text, why) = malformed(&Reply::Received(received.clone()));
        assert!(
            text.len() <= KEPT && text.len() > KEPT - 3 && text.starts_with(r#"{"Code""#),
            "{}",
            text.len()
        );
        assert!(why.contains("endless") && why.contains(&BODY_LIMIT.to_string()), "{why}");
        // A page without end, or an error's, is judged by its status.
        let page = Received { body: "<html>".into(), ..received.clone() };
        assert_eq!(understand(&Reply::Received(page)).said, Body::Error(Class::Transient));
        let error = Received { status: 503, ..received };
        assert_eq!(understand(&Reply::Received(error)).said, Body::Error(Class::Transient));
    }

    #[test]
    fn what_cannot_be_taken_out_of_its_envelope_is_malformed_and_kept() {
        let (text, _) =
            malformed(&Reply::received(200, b"{\"Code\":\"OK\",\"Data\":\"{\\\"a\\\":\\\"\xff\\\"}\"}"));
        assert_eq!(text, "{\"a\":\"\u{fffd}\"}");
        let (text, _) = malformed(&Reply::received(200, r#"{"Code":"OK","Data":"\ud800"}"#));
        assert_eq!(text, r#""\ud800""#);
        let (_, why) = malformed(&Reply::received(200, r#"{"Code":"OK","Data":"1","Data":"2"}"#));
        assert!(why.starts_with("Data stands twice"), "{why}");
        let broken = r#"{"Data":"\{“a”:1\}","Code":"OK"}"#;
        assert_eq!(malformed(&Reply::received(200, broken)).0, broken);
        assert_eq!(said(500, broken), Body::Error(Class::Transient));
        // Bytes that are no text in Message alone do no harm.
        let body = b"{\"Code\":\"OK\",\"Message\":\"\xff\",\"Data\":\"{\\\"a\\\":1}\"}".to_vec();
        assert_eq!(understand(&Reply::received(200, body)).said, Body::Data(r#"{"a":1}"#.into()));
    }

    #[test]
    fn a_redirect_is_named_and_a_message_is_one_line() {
        let location = Some("https://elsewhere.example".to_owned());
        let answer = understand(&Reply::Received(Received { status: 302, location, ..Received::default() }));
        assert!(matches!(answer.said, Body::Error(Class::Route(_))));
        assert!(answer.message.contains("https://elsewhere.example"), "{}", answer.message);
        let answer = understand(&Reply::received(200, r#"{"Code":"a\u001b[31m","Message":"b\nc"}"#));
        assert_eq!((answer.code.as_str(), answer.message.as_str()), ("a [31m", "b c"));
    }
}
