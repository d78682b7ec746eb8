//! Requests to the services that give keys: STS, the metadata service, credentials URIs. They go to other services
//! than the provider's, so they take no place under the cap.
//!
//! Nothing of what is sent or received stands in an error.

use std::path::PathBuf;
use std::time::Duration;

use super::source::Failure;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::provider::codes::{self, Class};
use crate::provider::http;
use crate::provider::wire::{Received, Reply};

const EXAMPLE: &str = "https://sts.aliyuncs.com";
const CERTIFICATE: &str = "check this machine's clock; where a proxy opens TLS, or the service is one of your own, \
                           name its authority's certificate with --ca-file";

/// How such services are reached.
#[derive(Debug, Clone)]
pub(super) struct Web {
    ca_file: Option<PathBuf>,
}

/// One request.
pub(super) enum Ask<'a> {
    Get(&'a [(&'static str, &'a str)]),
    Put(&'a [(&'static str, &'a str)]),
    /// A form, encoded.
    Form(String),
}

impl Web {
    pub(super) fn new(ca_file: Option<PathBuf>) -> Self {
        Self { ca_file }
    }

    /// The URL, and its scheme, host and port, which may be shown. Over `http://`, keys travel on this machine only,
    /// or where that is `allowed`; `None` where it cannot be.
    ///
    /// # Errors
    ///
    /// Exit 2, naming what gave it (an option or a variable).
    pub(super) fn url(given_by: &str, text: &str, allowed: Option<bool>) -> Result<(String, String)> {
        let url = http::parse_url(given_by, text, EXAMPLE)?;
        let origin = url.origin().ascii_serialization();
        if url.scheme() == "http" && !http::is_loopback(&url) && allowed != Some(true) {
            let leave = allowed.map_or("", |_| ", or add --insecure-http where the way there is safe");
            let what = format!("{given_by} ({origin}): over http:// the key would travel in clear text");
            return Err(Error::usage(what).hint(format!("use https://, or a service on this machine{leave}")));
        }
        Ok((url.into(), origin))
    }

    /// Sends it, once. `direct` is without a proxy in any case; what comes back may be an error of the service's.
    pub(super) async fn send(
        &self,
        url: &str,
        ask: Ask<'_>,
        timeout: Duration,
        direct: bool,
    ) -> Result<Received, Failure> {
        let url = http::parse_url("the service for keys", url, EXAMPLE)?;
        let client = http::client(&url, timeout, self.ca_file.as_deref(), direct)?;
        let origin = url.origin().ascii_serialization();
        let (request, headers) = match ask {
            Ask::Get(headers) => (client.get(url.clone()), headers),
            Ask::Put(headers) => (client.put(url.clone()), headers),
            Ask::Form(form) => {
                (client.post(url.clone()).header("content-type", http::FORM).body(form), &[][..])
            }
        };
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        match http::receive(request, &url).await {
            Ok(received) => Ok(received),
            Err(error) => Err(lost(&origin, &http::lost(&error))),
        }
    }
}

/// What did not come back may come the next time, but for a certificate that is not trusted.
fn lost(origin: &str, reply: &Reply) -> Failure {
    let Reply::Lost { code, message } = reply else { return Failure::Away(format!("{origin}: no answer")) };
    let what = format!("{origin}: {code}: {message}");
    match codes::classify_lost(code) {
        Class::Route(_) => Failure::Refused(Error::new(Exit::Fatal, what).hint(CERTIFICATE)),
        _ => Failure::Away(what),
    }
}
