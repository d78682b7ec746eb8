//! A source of keys, and what it gives. Owns how long a key lives.
//!
//! A lifetime is counted from the giver's own clock, where it says its time, and runs by the monotonic clock: this
//! machine's may be off.

use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::future::BoxFuture;
use serde::Deserialize;

use super::Credentials;
use super::ecs::EcsRole;
use super::external::Process;
use super::sts::{AssumeRole, OidcRole};
use super::uri::Uri;
use super::web::Web;
use crate::error::{Error, Result};

/// Where a key comes from, each time that one is needed.
#[derive(Debug, Clone)]
pub(super) enum Source {
    /// It stands there, and that is all there is.
    Fixed(Credentials),
    /// STS gives it for another key.
    Role(Box<AssumeRole>),
    /// STS gives it for a token of another identity provider.
    Oidc(OidcRole),
    /// The metadata service of the machine gives it.
    Ecs(EcsRole),
    /// A URL gives it.
    Uri(Uri),
    /// Another program gives it.
    External(Process),
}

/// A source that is set up.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) source: Source,
    /// Where, for people.
    pub(super) origin: String,
    /// What is to be said of it.
    pub(super) warnings: Vec<String>,
}

/// What became of looking at one place.
#[derive(Debug)]
pub(super) enum Looked {
    /// It is set up there.
    Found(Found),
    /// It is not; says what lacks.
    Lacks(String),
}

impl Looked {
    /// With something to be said of what is found.
    pub(super) fn warned(self, warning: Option<String>) -> Self {
        match self {
            Self::Found(mut found) => {
                found.warnings.extend(warning);
                Self::Found(found)
            }
            lacks @ Self::Lacks(_) => lacks,
        }
    }
}

impl Found {
    pub(super) fn new(source: Source, origin: String) -> Self {
        Self { source, origin, warnings: Vec::new() }
    }
}

/// A key that was given.
#[derive(Debug)]
pub(super) struct Given {
    pub(super) key: Credentials,
    /// How long it will live; `None` where nobody says.
    pub(super) lifetime: Option<Duration>,
}

/// Why none was given.
#[derive(Debug)]
pub(super) enum Failure {
    /// May go away by itself; says what happened.
    Away(String),
    /// It will not.
    Refused(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

impl Source {
    /// Asks for a key.
    pub(super) fn give<'a>(&'a self, web: &'a Web) -> BoxFuture<'a, Result<Given, Failure>> {
        Box::pin(async move {
            match self {
                Self::Fixed(key) => {
                    let lifetime = key.expires_at.map(|at| (at - Utc::now()).to_std().unwrap_or_default());
                    Ok(Given { key: key.clone(), lifetime })
                }
                Self::Role(role) => role.give(web).await,
                Self::Oidc(role) => role.give(web).await,
                Self::Ecs(role) => role.give(web).await,
                Self::Uri(uri) => uri.give(web).await,
                Self::External(process) => process.give().await,
            }
        })
    }

    /// Whether asking again may give another key.
    pub(super) fn renews(&self) -> bool {
        !matches!(self, Self::Fixed(_))
    }

    /// The role whose key it is, by ARN or by name.
    pub(super) fn role(&self) -> Option<&str> {
        match self {
            Self::Role(role) => Some(role.arn()),
            Self::Oidc(role) => Some(role.arn()),
            Self::Ecs(role) => role.name(),
            Self::Fixed(_) | Self::Uri(_) | Self::External(_) => None,
        }
    }
}

/// A temporary key as STS, the metadata service and credentials URIs write it.
#[derive(Deserialize, Default)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct Temporary {
    /// `Success`, where it is said at all.
    code: Option<String>,
    access_key_id: Option<String>,
    access_key_secret: Option<String>,
    security_token: Option<String>,
    expiration: Option<String>,
}

impl Temporary {
    /// The key, if it is whole. `date` is the giver's time.
    ///
    /// # Errors
    ///
    /// What lacks, in words; quotes nothing.
    pub(super) fn given(self, date: Option<DateTime<Utc>>) -> Result<Given, String> {
        let whole = |value: Option<String>, name: &str| {
            value.filter(|text| !text.trim().is_empty()).ok_or_else(|| format!("{name} is missing"))
        };
        if self.code.is_some_and(|code| code != "Success") {
            return Err("its Code is not Success".into());
        }
        let id = whole(self.access_key_id, "AccessKeyId")?;
        let secret = whole(self.access_key_secret, "AccessKeySecret")?;
        let token = whole(self.security_token, "SecurityToken")?;
        let key = Credentials::new(id, secret, Some(token));
        given(key, &whole(self.expiration, "Expiration")?, date)
    }
}

/// A key that expires at the time that `text` says, now being `date`.
///
/// # Errors
///
/// The time cannot be read.
pub(super) fn given(key: Credentials, text: &str, date: Option<DateTime<Utc>>) -> Result<Given, String> {
    let expires_at = DateTime::parse_from_rfc3339(text.trim())
        .map_err(|_| "its expiration is no time like 2026-11-24T22:00:00Z")?
        .to_utc();
    let left = expires_at - date.unwrap_or_else(Utc::now);
    Ok(Given { key: key.until(Some(expires_at)), lifetime: Some(left.to_std().unwrap_or_default()) })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn temporary(json: &str) -> Result<Given, String> {
        let date = DateTime::parse_from_rfc3339("2030-01-01T00:00:00Z").unwrap().to_utc();
        serde_json::from_str::<Temporary>(json).unwrap().given(Some(date))
    }

    #[test]
    fn a_lifetime_is_counted_from_the_giver_s_own_time() {
        let json = r#"{"Code":"Success","AccessKeyId":"STS.a","AccessKeySecret":"s","SecurityToken":"t",
                       "Expiration":"2030-01-01T01:00:00Z","LastUpdated":"x"}"#;
        assert_eq!(temporary(json).unwrap().lifetime, Some(Duration::from_secs(3600)));
        let past = json.replace("2030-01-01T01", "2029-01-01T01");
        assert_eq!(temporary(&past).unwrap().lifetime, Some(Duration::ZERO));
    }

    #[test]
    fn what_lacks_is_named_and_nothing_quoted() {
        let half = r#"{"AccessKeyId":"STS.a","AccessKeySecret":"hunter2","SecurityToken":null}"#;
        assert_eq!(temporary(half).unwrap_err(), "SecurityToken is missing");
        let odd = r#"{"AccessKeyId":"a","AccessKeySecret":"s","SecurityToken":"t","Expiration":"hunter2"}"#;
        let error = temporary(odd).unwrap_err();
        assert!(error.contains("expiration") && !error.contains("hunter2"), "{error}");
    }
}
