//! An access key whose secrets cannot be printed.

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};

use crate::hex::hex;

const QUOTATION_MARKS: [char; 7] = ['"', '\'', '`', '“', '”', '‘', '’'];

/// An access key. Its secrets cannot be printed, and are erased from memory when it is dropped.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// `AccessKeyId`.
    pub access_key_id: String,
    secret: SecretString,
    token: Option<SecretString>,
    /// When it expires, by the issuer's clock; `None` if it never expires, or if the time is
    /// unknown.
    pub(super) expires_at: Option<DateTime<Utc>>,
}

impl Credentials {
    /// A key with its secret; a temporary key also has a security token.
    #[must_use]
    pub fn new(access_key_id: String, secret: String, token: Option<String>) -> Self {
        let token = token.map(Into::into);
        Self { access_key_id, secret: secret.into(), token, expires_at: None }
    }

    /// The same key with this expiration time, by the issuer's clock.
    #[must_use]
    pub(super) fn expiring_at(self, expires_at: Option<DateTime<Utc>>) -> Self {
        Self { expires_at, ..self }
    }

    /// The secret, for signing only.
    #[must_use]
    pub(crate) fn secret(&self) -> &str {
        self.secret.expose_secret()
    }

    /// The security token, for the request only.
    #[must_use]
    pub(crate) fn token(&self) -> Option<&str> {
        self.token.as_ref().map(|t| t.expose_secret())
    }

    /// What is wrong with a key whose id, secret or token has quotation marks at its ends; `None`
    /// if none has. They are often left of a file with `NAME="value"`, and no key has them.
    #[must_use]
    pub(super) fn quotation_marks(&self) -> Option<String> {
        let parts = [
            ("access key's id", self.access_key_id.as_str()),
            ("access key's secret", self.secret()),
            ("security token", self.token().unwrap_or_default()),
        ];
        parts.into_iter().find_map(|(part, value)| {
            let value = value.trim();
            let where_they_are = match (value.starts_with(QUOTATION_MARKS), value.ends_with(QUOTATION_MARKS))
            {
                (true, true) => "begins and ends with quotation marks; remove them",
                (true, false) => "begins with a quotation mark; remove it",
                (false, true) => "ends with a quotation mark; remove it",
                (false, false) => return None,
            };
            Some(format!("the {part} {where_they_are}"))
        })
    }

    /// A short name of the account that a permanent key belongs to: the end of its id, and six
    /// digits of a hash of it. `None` for a temporary key, whose id changes.
    #[must_use]
    pub(crate) fn account_name(&self) -> Option<String> {
        let hash = hex(&Sha256::digest(self.access_key_id.as_bytes())[..3]);
        self.token.is_none().then(|| format!("{}-{hash}", self.last_four()))
    }

    /// The last four characters of the key's id. Messages never show more.
    #[must_use]
    pub(super) fn last_four(&self) -> String {
        let id: Vec<char> = self.access_key_id.chars().collect();
        id[id.len().saturating_sub(4)..].iter().collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn secrets_cannot_be_printed() {
        let printed =
            format!("{:?}", Credentials::new("LTAIid".into(), "s3cret".into(), Some("t0ken".into())));
        assert!(printed.contains("LTAIid"));
        assert!(!printed.contains("s3cret") && !printed.contains("t0ken"), "{printed}");
    }

    #[test]
    fn quotation_marks_around_a_part_are_found() {
        let of = |id: &str, secret: &str, token: Option<&str>| {
            Credentials::new(id.into(), secret.into(), token.map(Into::into)).quotation_marks()
        };
        assert_eq!(of("LTAI", "a\"b'c", Some("t=")), None);
        let both = "begins and ends with quotation marks; remove them";
        assert_eq!(of(" 'LTAI'\n", "s", None), Some(format!("the access key's id {both}")));
        assert_eq!(of("LTAI", "“s”", None), Some(format!("the access key's secret {both}")));
        assert_eq!(of("LTAI", "s", Some("\"\"")), Some(format!("the security token {both}")));
        assert!(of("\"LTAI", "s", None).unwrap_or_default().contains("begins with a"));
        assert!(of("LTAI", "s'", None).unwrap_or_default().contains("ends with a"));
    }

    #[test]
    fn an_account_is_named_after_a_permanent_key() {
        let name = |token: Option<&str>| {
            Credentials::new("LTAI5tABCDwxyz".into(), "s".into(), token.map(Into::into)).account_name()
        };
        let permanent = name(None).unwrap();
        assert!(permanent.starts_with("wxyz-") && permanent.len() == 11, "{permanent}");
        assert_eq!(name(Some("t")), None);
    }

    #[test]
    fn only_the_end_of_a_key_is_shown() {
        let last_four = |id: &str| Credentials::new(id.into(), "s".into(), None).last_four();
        assert_eq!([last_four("LTAI5tABCDwxyz"), last_four("abc"), last_four("")], ["wxyz", "abc", ""]);
    }
}
