//! Why an attempt to post failed, in words without secrets, and whether another may succeed.

use std::time::Duration;

use reqwest::StatusCode;

use super::chat::Chat;
use super::platform::RobotRequest;
use super::reply::{self, NotAccepted};
use crate::http_client::root_cause;
use crate::shown::shown;

/// Pause between two attempts.
const PAUSE: Duration = Duration::from_secs(1);
/// Pause after a platform said that it is busy or got too many messages.
const PAUSE_WHEN_BUSY: Duration = Duration::from_secs(5);
/// Longest message of a platform that is shown, in characters.
const MAX_CHARS: usize = 200;
/// Shortest value in a URL's query, in characters, that is hidden.
const SHORTEST_VALUE: usize = 4;
/// Shortest part of a URL's path, in characters, that is hidden. Shorter ones are words.
const SHORTEST_PART: usize = 12;

/// A failed attempt.
#[derive(Debug)]
pub(super) struct FailedAttempt {
    pub(super) reason: String,
    pub(super) to_do: &'static str,
    /// The pause after which another attempt may succeed; `None` if it cannot.
    pub(super) again_after: Option<Duration>,
}

impl FailedAttempt {
    /// An attempt that fails each time.
    pub(super) fn for_good(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), to_do: "check the notification URL", again_after: None }
    }

    /// An attempt without a whole reply.
    pub(super) fn without_reply(e: reqwest::Error) -> Self {
        let reason = if e.is_timeout() { "no answer in ten seconds".into() } else { root_cause(e) };
        Self { again_after: Some(PAUSE), ..Self::for_good(reason) }
    }

    /// Checks the status of a reply.
    pub(super) fn check_status(status: StatusCode) -> Result<(), Self> {
        if status.is_success() {
            return Ok(());
        }
        let is_passing = status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS;
        let reason = format!("HTTP {}", status.as_u16());
        Err(Self { again_after: is_passing.then_some(PAUSE), ..Self::for_good(reason) })
    }

    /// Checks status and body of a platform's reply. Both must say that the message was accepted.
    pub(super) fn check_reply(
        chat: &Chat,
        request: &RobotRequest,
        status: StatusCode,
        body: &[u8],
    ) -> Result<(), Self> {
        let (name, by_status) = (chat.platform.name(), Self::check_status(status));
        match (reply::read(chat.platform, body), by_status) {
            (Ok(()), by_status) => by_status,
            (Err(NotAccepted::Unclear(_)), Err(failed)) => Err(failed),
            (Err(NotAccepted::Unclear(what)), Ok(())) => Err(Self::for_good(format!(
                "HTTP {}, but {what}, so {name} did not say that it took the message",
                status.as_u16()
            ))),
            (Err(NotAccepted::Refused(refusal)), by_status) => {
                let message = shown(&without_secrets(&refusal.message, request, chat.secret()));
                let message: String = message.chars().take(MAX_CHARS).collect();
                let colon = if message.is_empty() { "" } else { ": " };
                let reason = format!(
                    "{name} refused it with HTTP {}, {}{colon}{message}",
                    status.as_u16(),
                    refusal.code()
                );
                let by_code = refusal.is_passing().then_some(PAUSE_WHEN_BUSY);
                let by_status = by_status.err().and_then(|failed| failed.again_after);
                Err(Self { reason, to_do: refusal.to_do(), again_after: by_code.or(by_status) })
            }
        }
    }
}

/// A platform's message without the parts of the request that only its robot may know: the secret,
/// the signature, and what may be a token in the URL.
fn without_secrets(message: &str, request: &RobotRequest, secret: Option<&str>) -> String {
    let url = &request.url;
    let as_sent = url.query().unwrap_or_default().split('&').filter_map(|pair| Some(pair.split_once('=')?.1));
    let values = url.query_pairs().map(|(_, value)| value.into_owned()).chain(as_sent.map(str::to_owned));
    let values = values.filter(|value| value.chars().count() >= SHORTEST_VALUE);
    let parts = url.path().split('/').filter(|part| part.len() >= SHORTEST_PART).map(str::to_owned);
    let of_user = [url.username(), url.password().unwrap_or_default()].map(str::to_owned);
    let of_robot = [secret, request.sign.as_deref()].into_iter().flatten().map(str::to_owned);
    let mut secrets: Vec<String> = values.chain(parts).chain(of_user).chain(of_robot).collect();
    secrets.retain(|secret| !secret.is_empty());
    secrets.sort_unstable_by_key(|secret| std::cmp::Reverse(secret.len()));
    secrets.iter().fold(message.to_owned(), |message, secret| message.replace(secret, "…"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use reqwest::Url;

    use super::*;
    use crate::output::Lang;
    use crate::telemetry::notify::Platform;

    fn request(url: &str) -> RobotRequest {
        RobotRequest { url: Url::parse(url).unwrap(), body: String::new(), sign: Some("s1gn+/=".into()) }
    }

    fn check(platform: Platform, status: u16, body: &str) -> Result<(), FailedAttempt> {
        let chat = Chat::new(platform, Lang::En).signed("SECs3cret".into());
        let request =
            request("https://x.test/open-apis/bot/v2/hook/0a1b2c3d-4e5f-6071?access_token=t0%2Bken");
        FailedAttempt::check_reply(&chat, &request, StatusCode::from_u16(status).unwrap(), body.as_bytes())
    }

    #[test]
    fn both_status_and_code_must_say_that_it_was_accepted() {
        let ok = r#"{"errcode":0,"errmsg":"ok"}"#;
        let seconds = |attempt: &FailedAttempt| attempt.again_after.map(|pause| pause.as_secs());
        assert!(check(Platform::WeCom, 200, ok).is_ok());
        for (status, body, reason, again) in [
            (500, ok, "HTTP 500", Some(1)),
            (302, ok, "HTTP 302", None),
            (
                200,
                "",
                "HTTP 200, but the reply is empty, so WeCom did not say that it took the message",
                None,
            ),
            (502, "<html>", "HTTP 502", Some(1)),
            (200, r#"{"errcode":93000,"errmsg":""}"#, "WeCom refused it with HTTP 200, errcode 93000", None),
            (
                200,
                r#"{"errcode":45009,"errmsg":"x"}"#,
                "WeCom refused it with HTTP 200, errcode 45009: x",
                Some(5),
            ),
            (
                503,
                r#"{"errcode":40008,"errmsg":"x"}"#,
                "WeCom refused it with HTTP 503, errcode 40008: x",
                Some(1),
            ),
        ] {
            let failed = check(Platform::WeCom, status, body).unwrap_err();
            assert_eq!((failed.reason.as_str(), seconds(&failed)), (reason, again), "{status} {body}");
        }
    }

    #[test]
    fn a_reply_that_repeats_the_request_shows_no_secret() {
        let message = "no 0a1b2c3d-4e5f-6071 t0+ken t0%2Bken SECs3cret s1gn+/= of 13812345678 \u{1b}[K\n";
        let body = serde_json::json!({ "errcode": 1, "errmsg": message.to_owned() + &"x".repeat(1_000) });
        let failed = check(Platform::DingTalk, 200, &body.to_string()).unwrap_err();
        let shown =
            r"DingTalk refused it with HTTP 200, errcode 1: no … … … … … of 138****5678 \u{1b}[K\nxxx";
        assert!(failed.reason.starts_with(shown), "{}", failed.reason);
        assert_eq!(
            failed.reason.chars().count(),
            "DingTalk refused it with HTTP 200, errcode 1: ".len() + MAX_CHARS
        );
        assert!(!format!("{failed:?}").contains("ken"));
    }
}
