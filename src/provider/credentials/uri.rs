//! Keys that a URL gives: a small service beside the program, as the provider's tools expect it.

use std::time::Duration;

use super::chain::Context;
use super::source::{Failure, Given, Temporary};
use super::web::{Ask, Web};
use crate::error::{Error, Result};
use crate::exit::Exit;

const TIMEOUT: Duration = Duration::from_secs(10);

/// Where. What follows host and port may be secret, and is not shown.
#[derive(Clone)]
pub(super) struct Uri {
    url: String,
    place: String,
}

impl std::fmt::Debug for Uri {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Uri({})", self.place)
    }
}

impl Uri {
    /// # Errors
    ///
    /// Exit 2 when it is no URL, or would bring the key in clear text.
    pub(super) fn parse(text: &str, context: &Context<'_>) -> Result<Self> {
        let (url, place) = Web::url("the credentials URI", text, Some(context.insecure_http))?;
        Ok(Self { url, place })
    }

    /// Scheme, host and port.
    pub(super) fn place(&self) -> &str {
        &self.place
    }

    pub(super) async fn give(&self, web: &Web) -> Result<Given, Failure> {
        let received = web.send(&self.url, Ask::Get(&[]), TIMEOUT, false).await?;
        let why = match received.status {
            200 => {
                let read = serde_json::from_slice::<Temporary>(&received.body)
                    .map_err(|_| "it is no JSON".to_owned());
                match read.and_then(|answer| answer.given(received.date)) {
                    Ok(given) => return Ok(given),
                    Err(why) => format!("its answer cannot be used: {why}"),
                }
            }
            status @ (429 | 500..) => {
                return Err(Failure::Away(format!("{} answers HTTP {status}", self.place)));
            }
            status => format!("it answers HTTP {status}"),
        };
        Err(Failure::Refused(
            Error::new(Exit::Fatal, format!("the credentials URI at {} gives no key: {why}", self.place))
                .hint("check ALIBABA_CLOUD_CREDENTIALS_URI or the profile's credentials_uri, and the service behind it"),
        ))
    }
}
