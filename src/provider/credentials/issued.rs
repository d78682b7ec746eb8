//! An issued key with its lifetime, or the reason why none was issued.
//!
//! The lifetime counts from the issuer's own time if its response has a `Date`, because this
//! machine's clock may be wrong. After that, the monotonic clock counts.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Deserialize;

use crate::error::Error;
use crate::provider::key::Credentials;

/// A key that a source issued.
#[derive(Debug)]
pub(super) struct IssuedKey {
    pub(super) key: Credentials,
    /// The time until it expires; `None` if unknown.
    pub(super) lifetime: Option<Duration>,
}

impl IssuedKey {
    /// A key that expires at the RFC 3339 time `expiration`. `now` is the issuer's time; without
    /// it, this machine's clock is used.
    ///
    /// # Errors
    ///
    /// The time cannot be read.
    pub(super) fn expiring(
        key: Credentials,
        expiration: &str,
        now: Option<DateTime<Utc>>,
    ) -> Result<Self, String> {
        let expires_at = DateTime::parse_from_rfc3339(expiration.trim())
            .map_err(|_| "its expiration is not a time such as 2026-11-24T22:00:00Z")?
            .to_utc();
        let left = expires_at - now.unwrap_or_else(Utc::now);
        let lifetime = Some(left.to_std().unwrap_or_default());
        Ok(Self { key: key.expiring_at(Some(expires_at)), lifetime })
    }
}

/// Why no key was issued.
#[derive(Debug)]
pub(super) enum KeyError {
    /// The cause may be temporary; says what happened.
    Unavailable(String),
    /// The cause is permanent.
    Refused(Error),
}

impl From<Error> for KeyError {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

/// A temporary key in the JSON of STS, the metadata service and credentials URIs.
#[derive(Deserialize, Default)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct TemporaryKey {
    /// `Success`; STS omits it.
    code: Option<String>,
    access_key_id: Option<String>,
    access_key_secret: Option<String>,
    security_token: Option<String>,
    expiration: Option<String>,
}

impl TemporaryKey {
    /// The key, if it is complete. `now` is the issuer's time.
    ///
    /// # Errors
    ///
    /// What is missing or wrong, in words that quote nothing.
    pub(super) fn into_issued(self, now: Option<DateTime<Utc>>) -> Result<IssuedKey, String> {
        let required = |value: Option<String>, name: &str| {
            value.filter(|text| !text.trim().is_empty()).ok_or_else(|| format!("{name} is missing"))
        };
        if self.code.is_some_and(|code| code != "Success") {
            return Err("its Code is not Success".into());
        }
        let id = required(self.access_key_id, "AccessKeyId")?;
        let secret = required(self.access_key_secret, "AccessKeySecret")?;
        let token = required(self.security_token, "SecurityToken")?;
        let key = Credentials::new(id, secret, Some(token));
        if let Some(why) = key.quotation_marks() {
            return Err(why);
        }
        IssuedKey::expiring(key, &required(self.expiration, "Expiration")?, now)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn issued(json: &str) -> Result<IssuedKey, String> {
        let now = DateTime::parse_from_rfc3339("2030-01-01T00:00:00Z").unwrap().to_utc();
        serde_json::from_str::<TemporaryKey>(json).unwrap().into_issued(Some(now))
    }

    #[test]
    fn a_lifetime_is_counted_from_the_issuer_s_time() {
        let json = r#"{"Code":"Success","AccessKeyId":"STS.a","AccessKeySecret":"s","SecurityToken":"t",
                       "Expiration":"2030-01-01T01:00:00Z","LastUpdated":"x"}"#;
        assert_eq!(issued(json).unwrap().lifetime, Some(Duration::from_secs(3600)));
        let past = json.replace("2030-01-01T01", "2029-01-01T01");
        assert_eq!(issued(&past).unwrap().lifetime, Some(Duration::ZERO));
    }

    #[test]
    fn errors_name_what_is_missing_and_quote_nothing() {
        let half = r#"{"AccessKeyId":"STS.a","AccessKeySecret":"hunter2","SecurityToken":null}"#;
        assert_eq!(issued(half).unwrap_err(), "SecurityToken is missing");
        let odd = r#"{"AccessKeyId":"a","AccessKeySecret":"s","SecurityToken":"t","Expiration":"hunter2"}"#;
        let error = issued(odd).unwrap_err();
        assert!(error.contains("expiration") && !error.contains("hunter2"), "{error}");
    }
}
