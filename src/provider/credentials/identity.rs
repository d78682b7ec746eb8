//! The owner of the key in use, as far as it is known without a request.

use crate::provider::key::Credentials;
use chrono::{DateTime, Utc};

/// The owner of the key in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The key's last four characters.
    pub key: String,
    /// True if the key has a security token.
    pub temporary: bool,
    /// The account of the role, if the key is a role's.
    pub account: Option<String>,
    /// The name of the role, if the key is a role's.
    pub role: Option<String>,
    /// When the key expires, by the issuer's clock; `None` if it never expires, or if the time is
    /// unknown.
    pub expires_at: Option<DateTime<Utc>>,
}

impl Identity {
    /// The identity of a key. `role` is the ARN or the name of its role.
    pub(super) fn new(key: &Credentials, role: Option<&str>) -> Self {
        let (account, role) = role.map(account_and_role).unwrap_or_default();
        let (temporary, expires_at) = (key.token().is_some(), key.expires_at);
        Self { key: key.last_four(), temporary, account, role, expires_at }
    }
}

/// Account and name in an ARN such as `acs:ram::1234567890123456:role/name`. Any other text is the
/// name itself.
fn account_and_role(role: &str) -> (Option<String>, Option<String>) {
    let parts: Vec<&str> = role.split(':').collect();
    let text = |part: &str| Some(part.to_owned()).filter(|part| !part.is_empty());
    match parts.as_slice() {
        ["acs", "ram", _, account, name] => (text(account), text(name.strip_prefix("role/").unwrap_or(name))),
        _ => (None, text(role)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_has_account_and_role() {
        let read = |role: &str| {
            let (account, role) = account_and_role(role);
            (account.unwrap_or_default(), role.unwrap_or_default())
        };
        assert_eq!(
            read("acs:ram::1234567890123456:role/night/voice"),
            ("1234567890123456".into(), "night/voice".into())
        );
        assert_eq!(read("EcsVoice"), (String::new(), "EcsVoice".into()));
    }
}
