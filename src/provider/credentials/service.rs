//! Requests to the services that issue keys: STS, the metadata service, credentials URIs. They are
//! not the provider's voice service, so their requests take no place under the cap.
//!
//! No error quotes anything that was sent or received.

use std::path::PathBuf;
use std::time::Duration;

use super::issued::KeyError;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::http_client::{self, ClientOptions, UrlSetting};
use crate::provider::codes::{self, Class};
use crate::provider::http_exchange::{FORM, exchange};
use crate::provider::lost::LostRequest;
use crate::provider::wire::Received;
use crate::shown_url;

const EXAMPLE: &str = "https://sts.aliyuncs.com";
const CERTIFICATE: &str = "check this machine's clock; if a proxy intercepts TLS, or the service is your own, \
                           set ca-file to the certificate of its authority";

/// Sends requests to the services that issue keys.
#[derive(Debug, Clone)]
pub(super) struct ServiceClient {
    ca_file: Option<PathBuf>,
}

/// The method of a request, with its headers or its body.
pub(super) enum Method<'a> {
    Get(&'a [(&'static str, &'a str)]),
    Put(&'a [(&'static str, &'a str)]),
    /// A POST of an encoded form.
    Form(String),
}

/// One request to a service.
pub(super) struct ServiceRequest<'a> {
    pub(super) url: &'a str,
    pub(super) method: Method<'a>,
    pub(super) timeout: Duration,
    /// Ignores the proxies of the environment.
    pub(super) no_proxy: bool,
}

impl ServiceClient {
    pub(super) fn new(ca_file: Option<PathBuf>) -> Self {
        Self { ca_file }
    }

    /// Sends a request once. The response may be the service's error.
    pub(super) async fn send(&self, request: ServiceRequest<'_>) -> Result<Received, KeyError> {
        let ServiceRequest { url, method, timeout, no_proxy } = request;
        let name = "the URL of the service that issues keys";
        let url = UrlSetting { name, value: url, example: EXAMPLE }.parse()?;
        let options = ClientOptions { timeout, ca_file: self.ca_file.as_deref(), no_proxy };
        let client = http_client::build(&url, options)?;
        let (request, headers) = match method {
            Method::Get(headers) => (client.get(url.clone()), headers),
            Method::Put(headers) => (client.put(url.clone()), headers),
            Method::Form(form) => (client.post(url.clone()).header("content-type", FORM).body(form), &[][..]),
        };
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let origin = shown_url::shown(&url);
        exchange(request, &url).await.map_err(|lost| no_response(&origin, &lost))
    }
}

/// The next attempt may get a response, unless the certificate is not trusted.
fn no_response(origin: &str, lost: &LostRequest) -> KeyError {
    let LostRequest { reason, message } = lost;
    let what = format!("the request to {origin} failed ({}): {message}", reason.as_str());
    match codes::classify_lost(*reason) {
        Class::Route(_) => KeyError::Refused(Error::new(Exit::Fatal, what).hint(CERTIFICATE)),
        _ => KeyError::Unavailable(what),
    }
}

/// The URL of a service, as configured.
pub(super) struct ServiceUrl {
    pub(super) url: String,
    /// Scheme, host and port, which may be shown.
    pub(super) origin: String,
}

impl ServiceUrl {
    /// Parses a URL. A service over `http://` must be on this machine, unless `insecure_http` is
    /// true. With `None` it must be on this machine in any case.
    ///
    /// # Errors
    ///
    /// Exit 2 when it is not a URL, or would be reached unencrypted.
    pub(super) fn parse(setting: &UrlSetting<'_>, insecure_http: Option<bool>) -> Result<Self> {
        let url = setting.parse()?;
        let origin = shown_url::shown(&url);
        if http_client::is_clear_text(&url) && insecure_http != Some(true) {
            let allow = insecure_http
                .map_or("", |_| ", or set insecure-http to allow plain HTTP if the network is safe");
            let what =
                format!("{} ({origin}) is not encrypted: the key would travel in clear text", setting.name);
            return Err(Error::usage(what).hint(format!("use https://, or a service on this machine{allow}")));
        }
        Ok(Self { url: url.into(), origin })
    }
}
