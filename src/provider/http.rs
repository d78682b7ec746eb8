//! The provider over HTTP: one signed request per question.
//!
//! Promises: exactly one request per question reaches the network. The client neither retries nor
//! follows redirects, and the request is a POST, which no proxy repeats by itself. (If a connection
//! is dead before a byte was written, reqwest uses another one: that is still one request.) Every
//! request has a new nonce and time stamp.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::header::CONTENT_TYPE;

use super::client::{ClockCorrection, Provider};
use super::credentials::CredentialCache;
use super::http_exchange::{FORM, exchange};
use super::key::Credentials;
use super::lost::{LostDetail, LostReason, LostRequest};
use super::question::{OPERATION, Question, WireFormat};
use super::sign;
use super::wire::{Received, Reply};
use crate::error::{Error, Result};
use crate::http_client::{self, ClientOptions, UrlSetting};
use crate::recording::{Exchange, Recorder};
use crate::shown_url;
use crate::stop::Reason;
use reconcile_core::calendar::midnight_ms;

/// Two clocks agree within this difference. `Date` has whole seconds, and the response takes time.
const CLOCK_TOLERANCE: TimeDelta = TimeDelta::seconds(60);

/// How the provider is reached.
#[derive(Debug, Clone)]
pub struct Connection {
    /// The provider's URL.
    pub endpoint: String,
    /// Time limit for one request, from connect to last byte.
    pub timeout: Duration,
    /// The requested format of the answers.
    pub wire_format: WireFormat,
    /// PEM file of certificates to trust besides the platform's.
    pub ca_file: Option<PathBuf>,
    /// Allows `http://` beyond this machine.
    pub insecure_http: bool,
}

/// The provider over HTTP.
pub struct HttpProvider {
    client: reqwest::Client,
    endpoint: reqwest::Url,
    keys: Arc<CredentialCache>,
    format: WireFormat,
    /// Time limit of one request.
    timeout: Duration,
    recorder: Option<Arc<Recorder>>,
    /// Set once this machine's clock was found to be wrong.
    provider_time: OnceLock<ProviderTime>,
}

/// The provider's clock, which advances with the monotonic clock: later changes of this machine's
/// clock do not move it.
struct ProviderTime {
    date: DateTime<Utc>,
    /// When the provider's clock read `date`.
    at: Instant,
}

impl ProviderTime {
    fn now(&self) -> DateTime<Utc> {
        self.date + TimeDelta::from_std(self.at.elapsed()).unwrap_or_default()
    }
}

impl HttpProvider {
    /// A client for the provider at this endpoint.
    ///
    /// # Errors
    ///
    /// Exit 2 when the endpoint is not an http(s) URL or would be reached unencrypted, when the CA
    /// file cannot be used, or when TLS cannot be set up.
    pub fn new(connection: &Connection, keys: Arc<CredentialCache>) -> Result<Self> {
        let Connection { endpoint, timeout, wire_format, ca_file, insecure_http } = connection;
        let endpoint = UrlSetting {
            name: "the provider's endpoint",
            value: endpoint,

            example: "https://dyvmsapi.aliyuncs.com",
        }
        .parse()?;
        if http_client::is_clear_text(&endpoint) && !insecure_http {
            return Err(in_clear_text(&endpoint));
        }
        let options = ClientOptions { timeout: *timeout, ca_file: ca_file.as_deref(), no_proxy: false };
        let client = http_client::build(&endpoint, options)?;
        let (format, provider_time) = (*wire_format, OnceLock::new());
        let timeout = *timeout;
        Ok(Self { client, endpoint, keys, format, timeout, recorder: None, provider_time })
    }

    /// The same provider with other keys.
    #[must_use]
    pub fn with_keys(&self, keys: Arc<CredentialCache>) -> Self {
        let (client, endpoint, provider_time) = (self.client.clone(), self.endpoint.clone(), OnceLock::new());
        let &Self { format, timeout, .. } = self;
        Self { client, endpoint, keys, format, timeout, recorder: self.recorder.clone(), provider_time }
    }

    /// The same provider, with every answer recorded.
    #[must_use]
    pub fn recorded(self, recorder: Arc<Recorder>) -> Self {
        Self { recorder: Some(recorder), ..self }
    }

    /// The provider's address: scheme, host, and a port other than the scheme's. Never user,
    /// password, path or parameters.
    #[must_use]
    pub fn address(&self) -> String {
        self.endpoint.origin().ascii_serialization()
    }

    /// Adds a response to the recording, with the headers that affect how it is read.
    fn record(&self, question: &Question, received: Option<&Received>) {
        let Some(recorder) = &self.recorder else { return };
        let mut exchange = Exchange::lost(&question.call_id, question.prod_id.0, question.day);
        if let Some(received) = received {
            let wait = received.retry_after.map(|wait| wait.as_millis().to_string());
            let headers = [("content-type", received.content_type.clone()), ("x-acs-retry-after", wait)];
            exchange = exchange.answered(received.status, &received.body);
            exchange.headers =
                headers.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect();
        }
        recorder.note(exchange);
    }

    /// A timeout says how long the time limit is.
    fn with_time_limit(&self, lost: LostRequest) -> LostRequest {
        if lost.reason != LostReason::Timeout {
            return lost;
        }
        let detail = LostDetail::TimedOut(self.timeout.as_secs_f64().to_string());
        LostRequest { message: detail.to_string(), ..lost }
    }

    /// The time to sign with, and whether it is the provider's.
    fn now(&self) -> (DateTime<Utc>, bool) {
        self.provider_time.get().map_or_else(|| (Utc::now(), false), |time| (time.now(), true))
    }

    /// The signed form of a question.
    fn form(&self, question: &Question, key: &Credentials, now: DateTime<Utc>) -> String {
        let prod_id = question.prod_id.0.to_string();
        let query_date = midnight_ms(question.day).to_string();
        let parameters = [
            ("Action", OPERATION),
            ("CallId", question.call_id.as_str()),
            ("Format", self.format.parameter()),
            ("ProdId", prod_id.as_str()),
            ("QueryDate", query_date.as_str()),
            ("RegionId", "cn-hangzhou"),
            ("Version", "2017-05-25"),
        ];
        sign::form(key, &parameters, now)
    }
}

impl Provider for HttpProvider {
    async fn ask(&self, question: &Question) -> Reply {
        let (now, by_provider_time) = self.now();
        let Some(key) = self.keys.current() else {
            // It expired while the store wrote the request to disk.
            let message = LostDetail::KeyExpired.to_string();
            return Reply::Lost(LostRequest { reason: LostReason::KeyExpired, message });
        };
        let form = self.form(question, &key, now);
        let request = self.client.post(self.endpoint.clone()).header(CONTENT_TYPE, FORM).body(form);
        let result = exchange(request, &self.endpoint).await;
        self.record(question, result.as_ref().ok());
        match result {
            Ok(received) => Reply::Received(Received { by_provider_time, ..received }),
            Err(lost) => Reply::Lost(self.with_time_limit(lost)),
        }
    }

    async fn ready(&self) -> Result<u64, Reason> {
        self.keys.ready().await
    }

    async fn renew_key(&self, refused: u64) -> Result<bool, Reason> {
        self.keys.renew(refused).await
    }

    fn correct_clock(&self, date: DateTime<Utc>) -> Option<ClockCorrection> {
        let behind = date - Utc::now();
        let first = self.provider_time.get().is_none();
        if first && behind.abs() <= CLOCK_TOLERANCE {
            return None;
        }
        let first = first && self.provider_time.set(ProviderTime { date, at: Instant::now() }).is_ok();
        Some(ClockCorrection { behind, first })
    }
}

fn in_clear_text(endpoint: &reqwest::Url) -> Error {
    Error::usage(format!(
        "the provider's endpoint {} is not encrypted: phone numbers, the access key's id and \
         signatures would travel in clear text",
        shown_url::shown(endpoint)
    ))
    .hint("use https://, or set insecure-http to allow plain HTTP if the network is safe")
}
