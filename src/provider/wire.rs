//! From bytes to what the provider said: the envelope, its `Data`, and errors in all their places. Pure.

use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::codes::{self, Class};

/// How one request ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// A whole HTTP response came back.
    Received {
        /// HTTP status.
        status: u16,
        /// How long the provider asks to wait, if it does.
        retry_after: Option<Duration>,
        /// The body.
        body: Vec<u8>,
    },
    /// None did.
    Lost {
        /// In a word: `timeout`, `connect`, `cut`, `transport`.
        code: &'static str,
        /// The library's message, without the URL.
        message: String,
    },
}

/// What an answer says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// `OK`, with `Data`, byte for byte.
    Data(String),
    /// `OK` (or an error that means it), and no record.
    NoRecord,
    /// An error.
    Error(Class),
}

/// A reply, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// What it says.
    pub said: Said,
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
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(rename = "Code", alias = "code")]
    code: Option<String>,
    #[serde(rename = "Message", alias = "message")]
    message: Option<String>,
    #[serde(rename = "RequestId", alias = "requestId", alias = "requestid")]
    request_id: Option<String>,
    #[serde(rename = "Data", alias = "data", borrow)]
    data: Option<&'a RawValue>,
}

/// How much of an unexpected body is kept, in characters.
const EXCERPT: usize = 120;

/// Understands a reply.
#[must_use]
pub fn understand(reply: &Reply) -> Answer {
    match reply {
        Reply::Lost { code, message } => Answer {
            said: Said::Error(Class::Transient),
            code: (*code).to_owned(),
            message: message.clone(),
            request_id: None,
            http_status: None,
            retry_after: None,
        },
        Reply::Received { status, retry_after, body } => {
            let mut answer = understand_body(*status, body);
            answer.http_status = Some(*status);
            answer.retry_after = *retry_after;
            answer
        }
    }
}

fn understand_body(status: u16, body: &[u8]) -> Answer {
    let Ok(Envelope { code: Some(code), message, request_id, data }) = serde_json::from_slice(body) else {
        return no_envelope(status, body);
    };
    let said = if code == "OK" {
        data.and_then(data_text).map_or(Said::NoRecord, Said::Data)
    } else {
        match codes::classify(&code, status) {
            Class::NoRecord => Said::NoRecord,
            class => Said::Error(class),
        }
    };
    let message = without_string_to_sign(message.unwrap_or_default());
    Answer { said, code, message, request_id, http_status: None, retry_after: None }
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

/// `Data` as text: JSON in a string, as a rule; an object is taken as it stands. Missing, null, empty,
/// blank and `{}` all say that there is no record.
fn data_text(raw: &RawValue) -> Option<String> {
    let raw = raw.get();
    // A string that JSON cannot decode (a lone surrogate) is kept as received, to be reported as malformed.
    let text = serde_json::from_str::<Option<String>>(raw).unwrap_or_else(|_| Some(raw.to_owned()))?;
    let bare = text.trim();
    (!bare.is_empty() && bare != "{}" && bare != "null").then_some(text)
}

/// Something else altogether: a proxy's page, an empty body, half a JSON text.
fn no_envelope(status: u16, body: &[u8]) -> Answer {
    let excerpt: String = String::from_utf8_lossy(body).split_whitespace().collect::<Vec<_>>().join(" ");
    let excerpt: String = excerpt.chars().take(EXCERPT).collect();
    Answer {
        said: Said::Error(codes::classify_status(status)),
        code: format!("HTTP {status}"),
        message: if excerpt.is_empty() {
            "empty body".into()
        } else {
            format!("not the provider's answer: {excerpt}")
        },
        request_id: None,
        http_status: None,
        retry_after: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(status: u16, body: &str) -> Said {
        understand(&Reply::Received { status, retry_after: None, body: body.as_bytes().to_vec() }).said
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
            assert_eq!(said(200, body), Said::NoRecord, "{body}");
        }
    }

    #[test]
    fn data_is_kept_byte_for_byte_and_an_object_as_it_stands() {
        assert_eq!(said(200, r#"{"Data":"{\"a\": 1}","Code":"OK"}"#), Said::Data(r#"{"a": 1}"#.into()));
        assert_eq!(said(200, r#"{"Data":{"a": 1},"Code":"OK"}"#), Said::Data(r#"{"a": 1}"#.into()));
    }

    #[test]
    fn an_error_is_understood_at_http_200_and_with_lower_case_keys() {
        assert_eq!(said(200, r#"{"Code":"isp.SYSTEM_ERROR"}"#), Said::Error(Class::Transient));
        assert_eq!(said(400, r#"{"code":"Throttling.User","message":"m"}"#), Said::Error(Class::Throttle));
    }

    #[test]
    fn what_was_signed_is_not_kept() {
        let body = r#"{"Code":"SignatureDoesNotMatch","Message":"no match. server string to sign is:GET&SecurityToken%3Dt"}"#;
        let answer = understand(&Reply::Received { status: 400, retry_after: None, body: body.into() });
        assert_eq!(answer.message, "no match. server string to sign is (not shown)");
    }

    #[test]
    fn a_page_that_is_no_envelope_is_classified_by_its_status() {
        assert_eq!(said(502, "<html>Bad Gateway</html>"), Said::Error(Class::Transient));
        assert_eq!(said(429, ""), Said::Error(Class::Throttle));
        assert_eq!(said(200, r#"{"Code":"OK","Da"#), Said::Error(Class::Transient));
    }
}
