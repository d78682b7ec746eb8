//! A key from a URL, usually of a small service on the same machine, as the provider's tools use
//! it.

use std::time::Duration;

use super::issued::{IssuedKey, KeyError, TemporaryKey};
use super::service::{Method, ServiceClient, ServiceRequest, ServiceUrl};
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::http_client::UrlSetting;
use crate::provider::wire::Received;

const TIMEOUT: Duration = Duration::from_secs(10);

/// The URL. Its path and query may be secret, so only its origin is shown.
#[derive(Clone)]
pub(super) struct CredentialsUri {
    url: String,
    origin: String,
}

impl std::fmt::Debug for CredentialsUri {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CredentialsUri({})", self.origin)
    }
}

impl CredentialsUri {
    /// Parses the URL.
    ///
    /// # Errors
    ///
    /// Exit 2 when it is not a URL, or the key would travel unencrypted.
    pub(super) fn parse(value: &str, insecure_http: bool) -> Result<Self> {
        let (name, example) = ("the credentials URI", "https://keys.example.com");
        let setting = UrlSetting { name, value, example };
        let ServiceUrl { url, origin } = ServiceUrl::parse(&setting, Some(insecure_http))?;
        Ok(Self { url, origin })
    }

    /// Scheme, host and port.
    pub(super) fn origin(&self) -> &str {
        &self.origin
    }

    /// Gets a key from the URL.
    pub(super) async fn issue(&self, services: &ServiceClient) -> Result<IssuedKey, KeyError> {
        let (url, method) = (self.url.as_str(), Method::Get(&[]));
        let received =
            services.send(ServiceRequest { url, method, timeout: TIMEOUT, no_proxy: false }).await?;
        if let status @ (429 | 500..) = received.status {
            return Err(KeyError::Unavailable(format!("{} answers HTTP {status}", self.origin)));
        }
        read(&received).map_err(|why| {
            let what = format!("the credentials URI at {} returns no key: {why}", self.origin);
            KeyError::Refused(Error::new(Exit::Fatal, what).hint(
                "check ALIBABA_CLOUD_CREDENTIALS_URI or the profile's credentials_uri, and the service there",
            ))
        })
    }
}

fn read(received: &Received) -> Result<IssuedKey, String> {
    if received.status != 200 {
        return Err(format!("it answers HTTP {}", received.status));
    }
    serde_json::from_slice::<TemporaryKey>(&received.body)
        .map_err(|_| "it is not JSON".to_owned())
        .and_then(|key| key.into_issued(received.date))
        .map_err(|why| format!("its answer cannot be used: {why}"))
}
