//! Where the access key comes from, as the provider's own tools find it, and how it is kept fresh.
//!
//! [`find`] looks along the provider's default chain; the first source that is set up is the one, and one that is set
//! up wrongly is an error, never passed over for the next: another key may be another account. [`CredentialCache`] holds the
//! key, and fetches it anew before it expires where its source gives temporary ones. No secret leaves this folder but
//! for signing: none stands in an error, a message or `Debug`.

mod cache;
mod chain;
mod config_json;
mod ecs;
mod environment;
mod external;
mod files;
mod ini;
mod profile;
mod source;
mod sts;
mod uri;
mod web;

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret as _, SecretString};

pub use cache::{CredentialCache, Identity};
pub use chain::{Access, find};
pub use environment::Environment;
pub use files::readable_by_others;

/// An access key. Its secrets cannot be printed and are wiped from memory.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// `AccessKeyId`.
    pub access_key_id: String,
    secret: SecretString,
    token: Option<SecretString>,
    expires_at: Option<DateTime<Utc>>,
}

impl Credentials {
    /// A key with its secret, and the security token of a temporary one.
    #[must_use]
    pub fn new(access_key_id: String, secret: String, token: Option<String>) -> Self {
        let token = token.map(Into::into);
        Self { access_key_id, secret: secret.into(), token, expires_at: None }
    }

    /// The same key, valid until then by the clock of whoever gave it.
    #[must_use]
    fn until(self, expires_at: Option<DateTime<Utc>>) -> Self {
        Self { expires_at, ..self }
    }

    /// The secret, for signing only.
    #[must_use]
    pub(super) fn secret(&self) -> &str {
        self.secret.expose_secret()
    }

    /// The security token, for the request only.
    #[must_use]
    pub(super) fn token(&self) -> Option<&str> {
        self.token.as_ref().map(|t| t.expose_secret())
    }

    /// The key's last four characters, as it may be shown.
    #[must_use]
    fn tail(&self) -> String {
        let id: Vec<char> = self.access_key_id.chars().collect();
        id[id.len().saturating_sub(4)..].iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_cannot_be_printed() {
        let shown = format!("{:?}", Credentials::new("LTAIid".into(), "s3cret".into(), Some("t0ken".into())));
        assert!(shown.contains("LTAIid"));
        assert!(!shown.contains("s3cret") && !shown.contains("t0ken"), "{shown}");
    }

    #[test]
    fn only_the_end_of_a_key_is_shown() {
        let tail = |id: &str| Credentials::new(id.into(), "s".into(), None).tail();
        assert_eq!([tail("LTAI5tABCDwxyz"), tail("abc"), tail("")], ["wxyz", "abc", ""]);
    }
}
