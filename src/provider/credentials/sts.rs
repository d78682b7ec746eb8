//! Keys for roles. STS (Security Token Service) issues them for another key (`AssumeRole`) or for a
//! token of another identity provider (`AssumeRoleWithOIDC`).
//!
//! Source: the provider's STS pages, version 2015-04-01. The code that signs the provider's
//! questions also signs `AssumeRole`.

use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::issued::{IssuedKey, KeyError, TemporaryKey};
use super::service::{Method, ServiceClient, ServiceRequest};
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::provider::codes::Class;
use crate::provider::key::Credentials;
use crate::provider::sign;
use crate::provider::wire::{self, Answer, Body, Received, Reply};
use reconcile_core::phone;

/// Time limit for one request to STS.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A role, and the session to start in it.
#[derive(Debug, Clone)]
pub(super) struct Role {
    pub(super) endpoint: String,
    pub(super) arn: String,
    /// The session's name, which the provider's audit shows.
    pub(super) session: String,
    pub(super) duration_s: u32,
    pub(super) policy: Option<String>,
    pub(super) external_id: Option<String>,
}

/// A role that a token assumes. The token's file is read each time, because its owner renews it.
#[derive(Debug, Clone)]
pub(super) struct OidcRole {
    pub(super) role: Role,
    pub(super) provider_arn: String,
    pub(super) token_file: PathBuf,
}

/// The answer of STS.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct StsAnswer {
    credentials: TemporaryKey,
}

impl Role {
    /// The default duration of a session in seconds, as in the provider's own tools.
    pub(super) const DURATION_S: u32 = 3600;
    /// The default name of a session.
    pub(super) const SESSION: &str = "reconcile";

    fn parameters<'a>(&'a self, action: &'a str, duration: &'a str) -> Vec<(&'static str, &'a str)> {
        let mut parameters = vec![
            ("Action", action),
            ("Format", "JSON"),
            ("Version", "2015-04-01"),
            ("RoleArn", self.arn.as_str()),
            ("RoleSessionName", self.session.as_str()),
            ("DurationSeconds", duration),
        ];
        parameters.extend(self.policy.as_deref().map(|policy| ("Policy", policy)));
        parameters.extend(self.external_id.as_deref().map(|id| ("ExternalId", id)));
        parameters
    }

    /// Gets a key for the role, signed with the key that assumes it.
    pub(super) async fn assume(
        &self,
        services: &ServiceClient,
        key: &Credentials,
    ) -> Result<IssuedKey, KeyError> {
        let received = self.send(services, self.form(key, Utc::now())).await?;
        let date = received.date;
        if received.status != 200
            && let Some(date) = date
            && understand(received.clone()).body == Body::Error(Class::Clock)
        {
            // This machine's clock is off: sign once more with the time of STS.
            return self.read(self.send(services, self.form(key, date)).await?);
        }
        self.read(received)
    }

    fn form(&self, key: &Credentials, now: DateTime<Utc>) -> String {
        let duration = self.duration_s.to_string();
        sign::form(key, &self.parameters("AssumeRole", &duration), now)
    }

    async fn send(&self, services: &ServiceClient, form: String) -> Result<Received, KeyError> {
        let (url, method) = (self.endpoint.as_str(), Method::Form(form));
        services.send(ServiceRequest { url, method, timeout: TIMEOUT, no_proxy: false }).await
    }

    /// The key in the response, or why it has none.
    fn read(&self, received: Received) -> Result<IssuedKey, KeyError> {
        if received.status != 200 {
            return Err(self.error(&understand(received)));
        }
        serde_json::from_slice::<StsAnswer>(&received.body)
            .map_err(|_| "it is not an answer of STS".to_owned())
            .and_then(|answer| answer.credentials.into_issued(received.date))
            .map_err(|why| {
                let what = format!("the answer of STS for the role {} cannot be used: {why}", self.arn);
                refused(what, "check the STS endpoint, and any proxy in between")
            })
    }

    fn error(&self, answer: &Answer) -> KeyError {
        let (arn, code, message) = (&self.arn, &answer.code, phone::mask_text(&answer.message));
        let refused = |to_do| refused(format!("STS refuses the role {arn}: {code}: {message}"), to_do);
        match answer.body {
            Body::Error(
                Class::Throttle
                | Class::CallLimit
                | Class::Limit
                | Class::Transient
                | Class::Doubtful
                | Class::Nonce
                | Class::Clock,
            ) => KeyError::Unavailable(format!("STS issued no key for the role {arn}: {code}: {message}")),
            Body::Error(Class::Route(to_do)) => refused(to_do),
            _ => refused(what_to_do(code)),
        }
    }
}

fn refused(what: String, to_do: &str) -> KeyError {
    let hint = format!("{to_do}; then run the same command again");
    KeyError::Refused(Error::new(Exit::Fatal, what).hint(hint))
}

fn understand(received: Received) -> Answer {
    wire::understand(&Reply::Received(received))
}

/// What to do about a refusal by STS.
fn what_to_do(code: &str) -> &'static str {
    let begins_with = |family: &str| code.starts_with(family);
    if begins_with("EntityNotExist") {
        "check the role's ARN: there is no such role"
    } else if code.contains("OIDC") {
        "check the OIDC token file, and that the identity provider and the role trust it"
    } else if begins_with("NoPermission") || begins_with("Forbidden") || begins_with("AuthenticationFail") {
        "let the key's user call sts:AssumeRole on this role, and let the role's trust policy name that user"
    } else if begins_with("InvalidAccessKeyId")
        || begins_with("Signature")
        || begins_with("IncompleteSignature")
    {
        "check the access key that assumes the role: it must exist, be active, and belong to its secret"
    } else if begins_with("InvalidSecurityToken") || begins_with("MissingSecurityToken") {
        "get a fresh security token for the key that assumes the role"
    } else if begins_with("InvalidParameter") {
        "check the profile's values: session name, policy, and expired_seconds, which is at least 900 \
         and at most the role's longest session"
    } else {
        "look up the code in the provider's list of STS errors"
    }
}

impl OidcRole {
    /// Gets a key for the role. The request is not signed: the token proves the identity.
    pub(super) async fn assume(&self, services: &ServiceClient) -> Result<IssuedKey, KeyError> {
        let token = self.token()?;
        let (duration, nonce) = (self.role.duration_s.to_string(), uuid::Uuid::new_v4().to_string());
        let timestamp = sign::timestamp(Utc::now());
        let mut parameters = self.role.parameters("AssumeRoleWithOIDC", &duration);
        parameters.extend([
            ("OIDCProviderArn", self.provider_arn.as_str()),
            ("OIDCToken", token.as_str()),
            ("SignatureNonce", nonce.as_str()),
            ("Timestamp", timestamp.as_str()),
        ]);
        self.role.read(self.role.send(services, sign::encode_pairs(&parameters)).await?)
    }

    fn token(&self) -> Result<String> {
        let wrong = |why: &str| {
            Error::usage(format!("the OIDC token file {} {why}", self.token_file.display())).hint(
                "check ALIBABA_CLOUD_OIDC_TOKEN_FILE or the profile's oidc_token_file, and the program that \
                 writes the file",
            )
        };
        let token =
            std::fs::read_to_string(&self.token_file).map_err(|e| wrong("cannot be read").because(e))?;
        let token = token.trim();
        if token.is_empty() { Err(wrong("is empty")) } else { Ok(token.to_owned()) }
    }
}
