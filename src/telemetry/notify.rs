//! Posts the result of a run to a URL: the summary if the outputs were written, else the error.
//!
//! Promises: two attempts of ten seconds at most, and no influence on the exit code. Only the URL's
//! scheme, host and port are shown, because the rest may be a secret.

use std::path::Path;
use std::time::Duration;

use reqwest::header::CONTENT_TYPE;

use crate::console::log;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::http_client::{self, ClientOptions, is_clear_text};
use crate::shown::shown;
use crate::shown_url;

/// Limit of one attempt, from connecting to the HTTP status.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Pause between the two attempts.
const PAUSE: Duration = Duration::from_secs(1);

/// The URL that results are posted to.
#[derive(Clone)]
pub struct Target {
    url: reqwest::Url,
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.origin())
    }
}

/// A failed attempt.
struct FailedAttempt {
    reason: String,
    /// Whether a second attempt may succeed.
    retryable: bool,
}

impl Target {
    /// The target with this URL. `insecure_http` allows http:// to other machines.
    ///
    /// # Errors
    ///
    /// Exit 2 if it is not an http(s) URL, or if http:// is not allowed. The message shows at most
    /// scheme, host and port.
    pub fn parse(url: &str, insecure_http: bool) -> Result<Self> {
        let hint = "use a URL such as https://hooks.example.com/reconcile";
        let url = reqwest::Url::parse(url)
            .map_err(|e| Error::usage("the notification URL is invalid").hint(hint).because(e))?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            let what = "the notification URL does not start with http:// or https://";
            return Err(Error::usage(what).hint(hint));
        }
        let target = Self { url };
        if is_clear_text(&target.url) && !insecure_http {
            let what = format!("the notification URL {}/… is not encrypted", target.origin());
            return Err(Error::usage(what)
                .hint("use https://, or allow plain HTTP with --insecure-http if the network is safe"));
        }
        Ok(target)
    }

    /// The URL as messages may show it.
    fn origin(&self) -> String {
        shown_url::shown(&self.url)
    }

    /// Posts the result of a run: the text of the summary, or the error. A failure causes only a
    /// warning.
    pub async fn post(&self, result: &Result<Exit>, summary: &Path, ca_file: Option<&Path>) {
        let (exit, body) = match result {
            Ok(exit) => (*exit, std::fs::read_to_string(summary).map_err(|e| e.to_string())),
            Err(error) => (error.exit, Ok(error_json(error))),
        };
        let posted = match (body, self.client(ca_file)) {
            (Ok(body), Ok(client)) => self.post_with_retry(&client, exit, &body).await,
            (Err(reason), _) | (_, Err(reason)) => Err(reason),
        };
        if let Err(reason) = posted {
            // The host of such a URL may be a part of a password.
            let host = self.url.host_str().filter(|_| shown_url::origin(&self.url).is_none());
            let reason = host.map_or(reason.clone(), |host| reason.replace(host, "the host"));
            tracing::warn!(
                because = reason,
                means = format!("no notification was sent; the exit code stays {}", exit.code()),
                to_do = "check the notification URL",
                "cannot post the result to {}/…",
                self.origin()
            );
        }
    }

    fn client(&self, ca_file: Option<&Path>) -> Result<reqwest::Client, String> {
        let options = ClientOptions { timeout: TIMEOUT, ca_file, no_proxy: false };
        http_client::build(&self.url, options).map_err(|e| e.to_string())
    }

    async fn post_with_retry(&self, client: &reqwest::Client, exit: Exit, body: &str) -> Result<(), String> {
        let mut posted = self.post_once(client, exit, body).await;
        if posted.as_ref().is_err_and(|failed| failed.retryable) {
            tokio::time::sleep(PAUSE).await;
            posted = self.post_once(client, exit, body).await;
        }
        posted.map_err(|failed| failed.reason)
    }

    async fn post_once(&self, client: &reqwest::Client, exit: Exit, body: &str) -> Result<(), FailedAttempt> {
        let request = client
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header("X-Reconcile-Exit-Code", exit.code().to_string())
            .body(body.to_owned());
        let status = request.send().await.map_err(FailedAttempt::without_reply)?.status();
        if status.is_success() {
            return Ok(());
        }
        let retryable = status.is_server_error() || status.as_u16() == 429;
        Err(FailedAttempt { reason: format!("HTTP {}", status.as_u16()), retryable })
    }
}

impl FailedAttempt {
    fn without_reply(e: reqwest::Error) -> Self {
        let reason =
            if e.is_timeout() { "no answer in ten seconds".into() } else { root_cause(&e.without_url()) };
        Self { reason, retryable: true }
    }
}

/// The innermost cause, which is the most precise one.
fn root_cause(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), root_cause)
}

/// The body that is posted for a run without outputs.
fn error_json(error: &Error) -> String {
    let body = serde_json::json!({
        "error": error.exit.word(),
        "exit_code": error.exit.code(),
        "what": shown(&error.what),
        "hint": error.hint.as_deref().map(shown),
        "run_id": log::run_id(),
    });
    body.to_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_refused_url_does_not_show_its_secret() {
        let refused = [
            ("https//x/t0ken", false),
            ("ftp://hooks.example.com/t0ken", true),
            ("http://hooks.example.com/t0ken", false),
        ];
        for (url, insecure) in refused {
            let error = Target::parse(url, insecure).unwrap_err();
            assert_eq!(error.exit, Exit::Usage, "{url}");
            assert!(!format!("{error:?}").contains("t0ken"), "{error:?}");
        }
        for (url, insecure) in [
            ("https://hooks.example.com/t0ken", false),
            ("http://127.0.0.1:9/t0ken", false),
            ("http://[::1]:9/t0ken", false),
            ("http://hooks.example.com/t0ken", true),
        ] {
            let target = Target::parse(url, insecure).unwrap();
            assert!(!format!("{target:?}").contains("t0ken"), "{target:?}");
        }
    }

    #[test]
    fn the_posted_error_shows_no_number_and_no_control() {
        let error = Error::usage("138.1234.5678.csv\u{1b}[2K is empty").hint("see 138\u{200b}12345678");
        let body: serde_json::Value = serde_json::from_str(&error_json(&error)).unwrap();
        assert_eq!(body["what"], r"138.****.5678.csv\u{1b}[2K is empty");
        assert_eq!(body["hint"], "see 138\u{200b}****5678");
    }
}
