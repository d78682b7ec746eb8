//! The end of a run, posted to a URL: the summary of one whose files stand, else the error. Knows reqwest.
//!
//! Promises: it takes at most two tries of ten seconds, changes nothing of how the run ends, and never shows more of the URL than
//! scheme, host and port, since the rest may be a secret.

use std::path::Path;
use std::time::Duration;

use reqwest::header::CONTENT_TYPE;

use crate::console::log;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::http_client::{self, ClientOptions, is_clear_text};

/// For one try, from connect to the status.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Between the two tries.
const PAUSE: Duration = Duration::from_secs(1);

/// Where the end is posted.
#[derive(Clone)]
pub struct Target {
    url: reqwest::Url,
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.origin())
    }
}

/// What went wrong with one try, and whether another may do better.
struct Refused {
    why: String,
    again: bool,
}

impl Target {
    /// Reads `--notify-url`.
    ///
    /// # Errors
    ///
    /// Exit 2 when it is no http(s) URL, or plain http beyond this machine without `insecure_http`; names no more than
    /// its host.
    pub fn parse(text: &str, insecure_http: bool) -> Result<Self> {
        let hint = "give a URL such as https://hooks.example.com/night";
        let url = reqwest::Url::parse(text)
            .map_err(|e| Error::usage("--notify-url is no URL").hint(hint).because(e))?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            return Err(Error::usage("--notify-url is no http:// or https:// URL").hint(hint));
        }
        let target = Self { url };
        if is_clear_text(&target.url) && !insecure_http {
            let what =
                format!("--notify-url {}/…: over http:// it would travel in clear text", target.origin());
            return Err(
                Error::usage(what).hint("use https://, or add --insecure-http where the way there is safe")
            );
        }
        Ok(target)
    }

    fn origin(&self) -> String {
        self.url.origin().ascii_serialization()
    }

    /// Posts how a run ended: the summary's text where its files stand. A failure is told, and that is all.
    pub async fn post(&self, ended: &Result<Exit>, summary: &Path, ca_file: Option<&Path>) {
        let (exit, body) = match ended {
            Ok(exit) => (*exit, std::fs::read_to_string(summary).map_err(|e| e.to_string())),
            Err(error) => (error.exit, Ok(failure(error))),
        };
        let sent = match (body, self.client(ca_file)) {
            (Ok(body), Ok(client)) => self.deliver(&client, exit, &body).await,
            (Err(why), _) | (_, Err(why)) => Err(why),
        };
        if let Err(why) = sent {
            tracing::warn!(
                because = why,
                means =
                    format!("whoever is told there does not know yet; the exit code stays {}", exit.code()),
                to_do = "check --notify-url",
                "the end of the run could not be posted to {}/…",
                self.origin()
            );
        }
    }

    fn client(&self, ca_file: Option<&Path>) -> Result<reqwest::Client, String> {
        let options = ClientOptions { timeout: TIMEOUT, ca_file, no_proxy: false };
        http_client::build(&self.url, options).map_err(|e| e.to_string())
    }

    async fn deliver(&self, client: &reqwest::Client, exit: Exit, body: &str) -> Result<(), String> {
        match self.once(client, exit, body).await {
            Err(refused) if refused.again => {
                tokio::time::sleep(PAUSE).await;
                self.once(client, exit, body).await.map_err(|refused| refused.why)
            }
            sent => sent.map_err(|refused| refused.why),
        }
    }

    async fn once(&self, client: &reqwest::Client, exit: Exit, body: &str) -> Result<(), Refused> {
        let request = client
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header("X-Reconcile-Exit-Code", exit.code().to_string())
            .body(body.to_owned());
        let lost = |e: reqwest::Error| {
            let why =
                if e.is_timeout() { "no answer in ten seconds".into() } else { because(&e.without_url()) };
            Refused { why, again: true }
        };
        let status = request.send().await.map_err(lost)?.status();
        let again = status.is_server_error() || status.as_u16() == 429;
        if status.is_success() {
            Ok(())
        } else {
            Err(Refused { why: format!("HTTP {}", status.as_u16()), again })
        }
    }
}

/// The innermost cause says it best.
fn because(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), because)
}

/// What is posted of a run that has no outputs of its own.
fn failure(error: &Error) -> String {
    let body = serde_json::json!({
        "error": error.exit.word(),
        "exit_code": error.exit.code(),
        "what": error.what,
        "hint": error.hint,
        "run_id": log::run(),
    });
    body.to_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_url_is_refused_without_showing_its_secret() {
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
}
