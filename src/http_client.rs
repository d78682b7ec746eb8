//! HTTP clients and the URLs they reach. All clients of this program are built here.
//!
//! Promises: a client sends each request once, on a connection of its own; redirects and reqwest's
//! own retries are off. A second response on a connection, which nobody asked for, thus ends with
//! the connection and cannot answer another request. Proxies come from the usual environment
//! variables; a service on this machine is reached without one. TLS is rustls with the platform's
//! root certificates and those of the CA file.

use std::path::Path;
use std::time::Duration;

use reqwest::header::{CONNECTION, HeaderMap, HeaderValue};
use reqwest::{Certificate, Client, ClientBuilder, Url};

use crate::error::{Error, Result};
use crate::resolver::SystemResolver;
use crate::shown_url;

/// Maximum number of headers of a response. More end the exchange with an error.
const MAX_HEADERS: usize = 100;

/// The options that differ between clients.
#[derive(Debug, Clone, Copy)]
pub struct ClientOptions<'a> {
    /// Time limit for one request, from connect to last byte.
    pub timeout: Duration,
    /// PEM file of certificates to trust besides the platform's.
    pub ca_file: Option<&'a Path>,
    /// Ignores the proxies of the environment.
    pub no_proxy: bool,
}

/// Builds the client for the service at `url`.
///
/// # Errors
///
/// Exit 2 when the CA file cannot be used or TLS cannot be set up.
pub fn build(url: &Url, options: ClientOptions<'_>) -> Result<Client> {
    builder(url, options)?.build().map_err(|e| not_set_up(options.ca_file, e))
}

/// As [`build`], but bodies stay as they are sent: packed if the service has stored them so.
///
/// # Errors
///
/// As [`build`].
pub fn build_without_unpacking(url: &Url, options: ClientOptions<'_>) -> Result<Client> {
    builder(url, options)?.no_gzip().build().map_err(|e| not_set_up(options.ca_file, e))
}

fn builder(url: &Url, options: ClientOptions<'_>) -> Result<ClientBuilder> {
    let ClientOptions { timeout, ca_file, no_proxy } = options;
    let no_proxy = no_proxy || is_loopback(url);
    // Without a TLS provider reqwest panics, even for http://. A second call fails, because there
    // is a provider already; that is harmless.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = Client::builder()
        .timeout(timeout)
        .connect_timeout(connect_timeout(timeout))
        .pool_max_idle_per_host(0)
        .default_headers(HeaderMap::from_iter([(CONNECTION, HeaderValue::from_static("close"))]))
        .http1_only()
        .http1_max_headers(MAX_HEADERS)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .dns_resolver(SystemResolver)
        .user_agent(concat!("reconcile/", env!("CARGO_PKG_VERSION")));
    if no_proxy {
        builder = builder.no_proxy();
    }
    Ok(match ca_file {
        Some(path) => builder.tls_certs_merge(certificates(path)?),
        // Neither the service nor a proxy speaks TLS, so the platform's roots may be missing.
        None if no_proxy && url.scheme() == "http" => builder.tls_certs_only([]),
        None => builder,
    })
}

/// The part of a request's time limit in which the connection must be made: name, TCP, proxy, TLS.
///
/// It is shorter than the whole limit. So a request that ends at the whole limit was possibly sent,
/// and one that ends at this limit certainly was not.
fn connect_timeout(timeout: Duration) -> Duration {
    timeout / 10 * 9
}

/// The certificates of the CA file, at least one.
fn certificates(path: &Path) -> Result<Vec<Certificate>> {
    let wrong = |why: &str| {
        Error::usage(format!("the certificate file {} {why}", path.display())).hint(
            "give a PEM file with the authority's certificate, between BEGIN CERTIFICATE and END CERTIFICATE",
        )
    };
    let pem = std::fs::read(path).map_err(|e| wrong("cannot be read").because(e))?;
    let certificates = Certificate::from_pem_bundle(&pem)
        .map_err(|e| wrong("holds a certificate that cannot be read").because(e.without_url()))?;
    if certificates.is_empty() { Err(wrong("holds no certificate")) } else { Ok(certificates) }
}

fn not_set_up(ca_file: Option<&Path>, error: reqwest::Error) -> Error {
    let hint = match ca_file {
        Some(path) => format!("check that {} holds certificates of an authority", path.display()),
        None => "install the system's certificates (package ca-certificates), or set ca-file to a file of \
             certificates"
            .into(),
    };
    Error::usage("the HTTP client cannot be set up").hint(hint).because(error.without_url())
}

/// A URL as the operator gave it.
#[derive(Debug, Clone, Copy)]
pub struct UrlSetting<'a> {
    /// What the URL is, for errors, such as `the STS endpoint`.
    pub name: &'a str,
    /// The URL. It may hold a secret.
    pub value: &'a str,
    /// A valid URL, for hints.
    pub example: &'a str,
}

impl UrlSetting<'_> {
    /// Parses the URL.
    ///
    /// # Errors
    ///
    /// Exit 2 when it is not an http(s) URL, or contains a user name or password. The error shows
    /// at most scheme, host and port, and nothing of a URL that cannot be parsed.
    pub fn parse(&self) -> Result<Url> {
        let Self { name, value, example, .. } = self;
        let wrong = |what: String| {
            Error::usage(format!("{name}{what}")).hint(format!("give a URL such as {example}"))
        };
        let url = Url::parse(value).map_err(|e| wrong(format!(" is not a URL: {e}")))?;
        if !url.username().is_empty() || url.password().is_some() || url.path().contains('@') {
            // They would show up in messages, in the outputs and in the process list. An `@` in the
            // path may end a password with a `/`.
            return Err(Error::usage(format!("{name} contains a user name or password"))
                .hint("remove them; the service needs neither"));
        }
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            let shown = shown_url::origin(&url).map(|origin| format!(" {origin}")).unwrap_or_default();
            return Err(wrong(format!("{shown} is not an http:// or https:// URL")));
        }
        Ok(url)
    }

    /// Parses the URL of a service that gets reports. It may hold secrets, such as a user name with
    /// its password. `insecure_http` allows http:// to other machines.
    ///
    /// # Errors
    ///
    /// Exit 2 when it is not an http(s) URL, or when http:// is not allowed. The error shows at
    /// most scheme, host and port.
    pub fn parse_secret(&self, insecure_http: bool) -> Result<Url> {
        let Self { name, value, example } = self;
        let hint = format!("use a URL such as {example}");
        let url = Url::parse(value)
            .map_err(|e| Error::usage(format!("{name} is invalid")).hint(hint.clone()).because(e))?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            return Err(Error::usage(format!("{name} does not start with http:// or https://")).hint(hint));
        }
        if is_clear_text(&url) && !insecure_http {
            return Err(Error::usage(format!("{name} {}/… is not encrypted", shown_url::shown(&url)))
                .hint("use https://, or allow plain HTTP with --insecure-http if the network is safe"));
        }
        Ok(url)
    }
}

/// The innermost cause of a request without a reply, which is the most precise one. Without the
/// URL.
#[must_use]
pub fn root_cause(error: reqwest::Error) -> String {
    fn innermost(error: &dyn std::error::Error) -> String {
        error.source().map_or_else(|| error.to_string(), innermost)
    }
    innermost(&error.without_url())
}

/// True if the URL's host is this machine.
#[must_use]
pub fn is_loopback(url: &Url) -> bool {
    match url.host_str() {
        Some("localhost") => true,
        Some(host) => {
            host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
        }
        None => false,
    }
}

/// True if the text is a URL of plain HTTP, in any spelling that [`UrlSetting::parse`] accepts.
#[must_use]
pub fn is_plain_http(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| url.scheme() == "http")
}

/// True if requests to the URL leave this machine unencrypted.
#[must_use]
pub fn is_clear_text(url: &Url) -> bool {
    url.scheme() == "http" && !is_loopback(url)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn parse(value: &str) -> Result<Url> {
        UrlSetting { name: "the endpoint", value, example: "https://x" }.parse()
    }

    #[test]
    fn an_endpoint_must_be_an_http_url() {
        assert!(parse("https://dyvmsapi.aliyuncs.com").is_ok());
        assert!(parse("dyvmsapi.aliyuncs.com").is_err());
        assert!(parse("ftp://dyvmsapi.aliyuncs.com").is_err());
    }

    #[test]
    fn errors_show_neither_passwords_nor_secret_urls() {
        let refused = parse("https://me:s3cret@dyvmsapi.aliyuncs.com").unwrap_err();
        assert!(!refused.to_string().contains("s3cret"), "{refused}");
        let refused = parse("ftp://x/s3cret").unwrap_err();
        assert!(!refused.to_string().contains("s3cret"), "{refused}");
    }

    #[test]
    fn only_this_machine_is_loopback() {
        assert!(is_loopback(&parse("http://[::1]:80").unwrap()));
        assert!(is_loopback(&parse("http://localhost").unwrap()));
        let elsewhere = parse("http://192.0.2.1").unwrap();
        assert!(!is_loopback(&elsewhere) && is_clear_text(&elsewhere));
    }
}
