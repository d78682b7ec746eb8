//! One HTTP request and its response, as values that do not depend on the HTTP library.
//!
//! Used for the provider's questions and for the services that issue keys.

use std::time::Duration;

use chrono::{DateTime, Datelike as _, Utc};
use reqwest::header::{HeaderMap, RETRY_AFTER};

use super::lost::{LostDetail, LostReason, LostRequest};
use super::wire::{BODY_LIMIT, Received};
use crate::shown_url;

/// The content type of a form.
pub(super) const FORM: &str = "application/x-www-form-urlencoded";

/// The header that a sandbox adds to each of its responses.
const SANDBOX_HEADER: &str = "x-reconcile-sandbox";

/// Sends a request once and reads the response, with at most [`BODY_LIMIT`] bytes of its body.
/// `url` is the request's URL: a relative redirect is resolved against it.
pub(super) async fn exchange(
    request: reqwest::RequestBuilder,
    url: &reqwest::Url,
) -> Result<Received, LostRequest> {
    receive(request, url).await.map_err(|error| lost_request(&error.without_url()))
}

async fn receive(request: reqwest::RequestBuilder, url: &reqwest::Url) -> Result<Received, reqwest::Error> {
    let mut response = request.send().await?;
    let headers = response.headers();
    let date = header(headers, "date").and_then(http_date);
    let mut received = Received {
        status: response.status().as_u16(),
        // A date in Retry-After follows the provider's clock.
        retry_after: retry_after(headers, date.unwrap_or_else(Utc::now)),
        date,
        is_sandbox: headers.contains_key(SANDBOX_HEADER),
        content_type: header(headers, "content-type").map(str::to_owned),
        ..Received::default()
    };
    if response.status().is_redirection() {
        received.location = header(headers, "location").map(|location| redirect_origin(url, location));
    }
    let length = response.content_length();
    while let Some(chunk) = response.chunk().await? {
        let room = BODY_LIMIT - received.body.len();
        received.body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if chunk.len() > room {
            // The rest is not read: dropping the response closes the connection.
            let length = length.map(|length| format!("{length} bytes long"));
            received.too_long = Some(length.unwrap_or_else(|| "of unknown length".into()));
            break;
        }
    }
    Ok(received)
}

/// Scheme, host and port of a redirect's target. The rest may be secret.
fn redirect_origin(url: &reqwest::Url, location: &str) -> String {
    let target = url.join(location).ok();
    target.map_or_else(|| "an unreadable URL".into(), |url| shown_url::shown(&url))
}

/// The requested pause, from the provider's own header (`x-acs-retry-after`, milliseconds) or else
/// from the standard one (seconds or a date). Zero, negative and unreadable values are ignored.
fn retry_after(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let milliseconds = header(headers, "x-acs-retry-after").and_then(|value| value.parse::<u64>().ok());
    if let Some(milliseconds) = milliseconds.filter(|milliseconds| *milliseconds > 0) {
        return Some(Duration::from_millis(milliseconds));
    }
    let value = header(headers, RETRY_AFTER.as_str())?;
    if let Ok(seconds) = value.parse::<u64>() {
        return (seconds > 0).then(|| Duration::from_secs(seconds));
    }
    (http_date(value)? - now).to_std().ok().filter(|pause| !pause.is_zero())
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim)
}

/// Parses `Mon, 23 Nov 2026 10:00:30 GMT`. Years outside 1970 to 9999 overflow later arithmetic, so
/// they are rejected.
fn http_date(text: &str) -> Option<DateTime<Utc>> {
    let date = DateTime::parse_from_rfc2822(text).ok()?.to_utc();
    (1970..=9999).contains(&date.year()).then_some(date)
}

/// The reason and the message of a failed request, without its URL.
pub(crate) fn lost_request(error: &reqwest::Error) -> LostRequest {
    // A connection that was not made comes first: nothing was sent, whatever the cause was.
    let reason = if is_about_certificate(error) {
        LostReason::Certificate
    } else if error.is_connect() {
        LostReason::Connect
    } else if error.is_timeout() {
        LostReason::Timeout
    } else if error.is_body() || error.is_decode() {
        LostReason::Cut
    } else {
        LostReason::Transport
    };
    let cause = innermost(error);
    let detail = match reason {
        LostReason::Certificate => LostDetail::Certificate(cause.to_string()),
        LostReason::Connect if error.is_timeout() => LostDetail::NotConnectedInTime,
        LostReason::Connect => no_connection(cause),
        _ => LostDetail::Other(cause.to_string()),
    };
    LostRequest { reason, message: detail.to_string() }
}

/// Why no connection was made.
fn no_connection(cause: &(dyn std::error::Error + 'static)) -> LostDetail {
    let io = cause.downcast_ref::<std::io::Error>();
    if io.is_some_and(|e| e.kind() == std::io::ErrorKind::ConnectionRefused) {
        return LostDetail::ConnectionRefused;
    }
    // An I/O error does not name the error it wraps as its source.
    if io.and_then(std::io::Error::get_ref).is_some_and(|wrapped| wrapped.is::<rustls::Error>()) {
        return LostDetail::Tls(cause.to_string());
    }
    match cause.to_string().as_str() {
        "tunnel error: proxy authorization required" => LostDetail::ProxyLogin,
        "tunnel error: unsuccessful" => LostDetail::ProxyRefused,
        other => LostDetail::Other(other.to_owned()),
    }
}

/// The innermost error, which is the most precise one.
fn innermost(error: &reqwest::Error) -> &(dyn std::error::Error + 'static) {
    let mut cause: &(dyn std::error::Error + 'static) = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause
}

/// True if TLS failed because the certificate is not trusted.
fn is_about_certificate(error: &(dyn std::error::Error + 'static)) -> bool {
    if let Some(tls) = error.downcast_ref::<rustls::Error>() {
        return matches!(tls, rustls::Error::InvalidCertificate(_));
    }
    // An I/O error does not name the error it wraps as its source.
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
    fn pauses_are_read_as_milliseconds_seconds_or_a_date() {
        let now = DateTime::parse_from_rfc3339("2026-11-23T10:00:00Z").unwrap().to_utc();
        let read = |name, value| retry_after(&headers(name, value), now);
        assert_eq!(read("x-acs-retry-after", "1500"), Some(Duration::from_millis(1500)));
        assert_eq!(read("x-acs-retry-after", "-1"), None);
        assert_eq!(read("retry-after", "7"), Some(Duration::from_secs(7)));
        assert_eq!(read("retry-after", "Mon, 23 Nov 2026 10:00:30 GMT"), Some(Duration::from_secs(30)));
        assert_eq!(read("retry-after", "soon"), None);
        assert_eq!(http_date("Mon, 23 Nov 262100 10:00:30 GMT"), None);
    }
}
