//! Posts the result of a run to a URL: to a program as JSON, or to a robot of a chat.
//!
//! A program gets the summary if the outputs were written, else the error. A chat gets a short
//! message (`message`); it counts as told only if the platform's own code says so.
//!
//! Promises: two attempts of ten seconds at most, and no influence on the exit code. Only the URL's
//! scheme, host and port are shown, because the rest may be a secret.

mod chat;
mod failed_attempt;
mod message;
mod platform;
mod reply;

use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::Utc;
use reqwest::header::CONTENT_TYPE;

use crate::console::log;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::http_client::{self, ClientOptions, UrlSetting};
use crate::shown::shown;
use crate::shown_url;
pub use chat::Chat;
use failed_attempt::FailedAttempt;
use message::Message;
pub use message::WrittenRun;
pub use platform::Platform;

/// Limit of one attempt, from connecting to the last byte.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Most bytes of a platform's reply that are read.
const REPLY_LIMIT: usize = 64 * 1024;

/// The URL that results are posted to, and the form in which they are.
#[derive(Clone)]
pub struct Target {
    url: reqwest::Url,
    /// `None` if the result is posted as JSON.
    chat: Option<Chat>,
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.origin())
    }
}

/// The files that a notification tells of or needs.
#[derive(Debug, Clone, Copy)]
pub struct Files<'a> {
    /// The files of the ledger; `-` is standard input, and they may be in object storage.
    pub ledger: &'a [PathBuf],
    /// PEM file of certificates to trust besides the platform's.
    pub ca_file: Option<&'a Path>,
}

/// What is posted.
enum Content<'a> {
    Json(String),
    Message(&'a Chat, Message),
}

impl Target {
    /// The target with this URL, which gets JSON. `insecure_http` allows http:// to other machines.
    ///
    /// # Errors
    ///
    /// Exit 2 if it is not an http(s) URL, or if http:// is not allowed. The message shows at most
    /// scheme, host and port.
    pub fn parse(url: &str, insecure_http: bool) -> Result<Self> {
        let example = "https://hooks.example.com/reconcile";
        let setting = UrlSetting { name: "the notification URL", value: url, example };
        Ok(Self { url: setting.parse_secret(insecure_http)?, chat: None })
    }

    /// The same URL as a robot of this chat.
    #[must_use]
    pub fn to_chat(self, chat: Chat) -> Self {
        Self { chat: Some(chat), ..self }
    }

    /// The URL as messages may show it.
    fn origin(&self) -> String {
        shown_url::shown(&self.url)
    }

    /// Posts the result of a run. A failure causes only a warning.
    pub async fn post(&self, ended: &Result<WrittenRun>, files: Files<'_>) {
        let exit = ended.as_ref().map_or_else(|error| error.exit, |run| run.exit);
        let posted = match (self.content(ended, files), self.client(files.ca_file)) {
            (Ok(content), Ok(client)) => self.post_with_retry(&client, exit, &content).await,
            (Err(reason), _) | (_, Err(reason)) => Err(FailedAttempt::for_good(reason)),
        };
        if let Err(failed) = posted {
            // The host of such a URL may be a part of a password.
            let host = self.url.host_str().filter(|_| shown_url::origin(&self.url).is_none());
            let reason =
                host.map_or_else(|| failed.reason.clone(), |host| failed.reason.replace(host, "the host"));
            tracing::warn!(
                because = reason,
                means = format!("no notification was sent; the exit code stays {}", exit.code()),
                to_do = failed.to_do,
                "cannot post the result to {}/…",
                self.origin()
            );
        }
    }

    /// What is posted of this result: for a chat a message, else the text of the summary or the
    /// error.
    fn content(&self, ended: &Result<WrittenRun>, files: Files<'_>) -> Result<Content<'_>, String> {
        if let Some(chat) = &self.chat {
            return Ok(Content::Message(chat, Message::new(ended, files.ledger, chat.lang, chat.link())));
        }
        Ok(Content::Json(match ended {
            Ok(run) => run.summary.clone()?,
            Err(error) => error_json(error),
        }))
    }

    fn client(&self, ca_file: Option<&Path>) -> Result<reqwest::Client, String> {
        let options = ClientOptions { timeout: TIMEOUT, ca_file, no_proxy: false };
        http_client::build(&self.url, options).map_err(|e| e.to_string())
    }

    async fn post_with_retry(
        &self,
        client: &reqwest::Client,
        exit: Exit,
        content: &Content<'_>,
    ) -> Result<(), FailedAttempt> {
        match self.post_once(client, exit, content).await {
            Err(FailedAttempt { again_after: Some(pause), .. }) => {
                tokio::time::sleep(pause).await;
                self.post_once(client, exit, content).await
            }
            posted => posted,
        }
    }

    async fn post_once(
        &self,
        client: &reqwest::Client,
        exit: Exit,
        content: &Content<'_>,
    ) -> Result<(), FailedAttempt> {
        let exit_code = exit.code().to_string();
        let send = |url: reqwest::Url, content_type: &'static str, body: String| {
            let request = client.post(url).header(CONTENT_TYPE, content_type).body(body);
            request.header("X-Reconcile-Exit-Code", &exit_code).send()
        };
        match content {
            Content::Json(body) => {
                let response = send(self.url.clone(), "application/json", body.clone()).await;
                FailedAttempt::check_status(response.map_err(FailedAttempt::without_reply)?.status())
            }
            Content::Message(chat, message) => {
                // Each attempt is signed anew: a signature is valid only for a time.
                let request = chat.platform.request(&self.url, message, chat.secret(), Utc::now());
                let json = "application/json; charset=utf-8";
                let response = send(request.url.clone(), json, request.body.clone()).await;
                let response = response.map_err(FailedAttempt::without_reply)?;
                let status = response.status();
                let body = beginning(response).await.map_err(FailedAttempt::without_reply)?;
                FailedAttempt::check_reply(chat, &request, status, &body)
            }
        }
    }
}

/// The first bytes of a reply's body, up to [`REPLY_LIMIT`].
async fn beginning(mut response: reqwest::Response) -> reqwest::Result<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        let room = REPLY_LIMIT - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if body.len() == REPLY_LIMIT {
            break;
        }
    }
    Ok(body)
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
