//! Roles: keys that STS gives for another key (`AssumeRole`), or for a token of another identity provider
//! (`AssumeRoleWithOIDC`).
//!
//! Source: the provider's STS pages, version 2015-04-01. `AssumeRole` is signed by the code that signs the look-ups.

use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::Credentials;
use super::source::{Failure, Given, Source, Temporary};
use super::web::{Ask, Web};
use crate::error::Error;
use crate::exit::Exit;
use crate::provider::codes::Class;
use crate::provider::sign;
use crate::provider::wire::{self, Answer, Body, Received, Reply};
use reconcile_core::phone;

/// For one request to STS.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Which role, and for how long.
#[derive(Debug, Clone)]
pub(super) struct Role {
    pub(super) endpoint: String,
    pub(super) arn: String,
    pub(super) session: String,
    pub(super) duration_s: u32,
    pub(super) policy: Option<String>,
    pub(super) external_id: Option<String>,
}

/// A role that another key assumes.
#[derive(Debug, Clone)]
pub(super) struct AssumeRole {
    pub(super) from: Source,
    pub(super) role: Role,
}

/// A role that a token assumes; the token's file is read anew each time, for its owner renews it.
#[derive(Debug, Clone)]
pub(super) struct OidcRole {
    pub(super) role: Role,
    pub(super) provider_arn: String,
    pub(super) token_file: PathBuf,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Assumed {
    credentials: Temporary,
}

impl Role {
    /// As the provider's own tools ask for.
    pub(super) const DURATION_S: u32 = 3600;
    /// The session's name where none is given; the provider's audit shows it.
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

    async fn ask(&self, web: &Web, form: String) -> Result<Received, Failure> {
        web.send(&self.endpoint, Ask::Form(form), TIMEOUT, false).await
    }

    /// The key, or why there is none.
    fn given(&self, received: Received) -> Result<Given, Failure> {
        if received.status != 200 {
            return Err(self.failure(&understand(received)));
        }
        let assumed = serde_json::from_slice::<Assumed>(&received.body)
            .map_err(|_| "it is no answer of STS".to_owned());
        assumed.and_then(|assumed| assumed.credentials.given(received.date)).map_err(|why| {
            self.refused(
                &format!("its answer cannot be used: {why}"),
                "check --sts-endpoint, and what stands in between",
            )
        })
    }

    fn failure(&self, answer: &Answer) -> Failure {
        let said = format!("{}: {}", answer.code, phone::mask_text(&answer.message));
        match &answer.said {
            Body::Error(
                Class::Throttle | Class::Transient | Class::Doubtful | Class::Nonce | Class::Clock,
            ) => Failure::Away(format!("STS did not give the role {}: {said}", self.arn)),
            Body::Error(Class::Route(advice)) => self.refused(&said, advice),
            _ => self.refused(&said, advice(&answer.code)),
        }
    }

    fn refused(&self, why: &str, to_do: &str) -> Failure {
        let what = format!("STS refuses the role {}: {why}", self.arn);
        Failure::Refused(
            Error::new(Exit::Fatal, what).hint(format!("{to_do}. Then run the same command again")),
        )
    }
}

fn understand(received: Received) -> Answer {
    wire::understand(&Reply::Received(received))
}

/// What to do about a refusal of STS's.
fn advice(code: &str) -> &'static str {
    let begins = |family: &str| code.starts_with(family);
    if begins("EntityNotExist") {
        "check the role's ARN: there is no such role"
    } else if code.contains("OIDC") {
        "check the OIDC token file, and that the identity provider and the role trust it"
    } else if begins("NoPermission") || begins("Forbidden") || begins("AuthenticationFail") {
        "let the key's user call sts:AssumeRole on this role, and let the role's trust policy name that user"
    } else if begins("InvalidAccessKeyId") || begins("Signature") || begins("IncompleteSignature") {
        "check the access key that assumes the role: it must exist, be active, and belong to its secret"
    } else if begins("InvalidSecurityToken") || begins("MissingSecurityToken") {
        "get a fresh security token for the key that assumes the role"
    } else if begins("InvalidParameter") {
        "check the profile's values: session name, policy, and expired_seconds, which is at least 900 \
         and at most the role's longest session"
    } else {
        "look the code up in the provider's list of STS errors"
    }
}

impl AssumeRole {
    pub(super) fn arn(&self) -> &str {
        &self.role.arn
    }

    pub(super) async fn give(&self, web: &Web) -> Result<Given, Failure> {
        let key = self.from.give(web).await?.key;
        let received = self.role.ask(web, self.form(&key, Utc::now())).await?;
        let date = received.date;
        if received.status != 200
            && let Some(date) = date
            && understand(received.clone()).said == Body::Error(Class::Clock)
        {
            // This machine's clock is off: signed once more with the time of STS.
            return self.role.given(self.role.ask(web, self.form(&key, date)).await?);
        }
        self.role.given(received)
    }

    fn form(&self, key: &Credentials, now: DateTime<Utc>) -> String {
        let duration = self.role.duration_s.to_string();
        sign::form(key, &self.role.parameters("AssumeRole", &duration), now)
    }
}

impl OidcRole {
    pub(super) fn arn(&self) -> &str {
        &self.role.arn
    }

    pub(super) async fn give(&self, web: &Web) -> Result<Given, Failure> {
        let file = self.token_file.display();
        let wrong = |why: &str| {
            Error::usage(format!("the OIDC token file {file} {why}"))
                .hint("check ALIBABA_CLOUD_OIDC_TOKEN_FILE or the profile's oidc_token_file, and who writes that file")
        };
        let token =
            std::fs::read_to_string(&self.token_file).map_err(|e| wrong("cannot be read").because(e))?;
        let token = token.trim();
        if token.is_empty() {
            return Err(wrong("is empty").into());
        }
        let (duration, nonce, timestamp) =
            (self.role.duration_s.to_string(), uuid::Uuid::new_v4().to_string(), sign::timestamp(Utc::now()));
        let mut parameters = self.role.parameters("AssumeRoleWithOIDC", &duration);
        parameters.extend([
            ("OIDCProviderArn", self.provider_arn.as_str()),
            ("OIDCToken", token),
            ("SignatureNonce", nonce.as_str()),
            ("Timestamp", timestamp.as_str()),
        ]);
        self.role.given(self.role.ask(web, sign::encode_pairs(&parameters)).await?)
    }
}
