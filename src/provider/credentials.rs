//! Where the access key comes from: the provider's three environment variables.

use secrecy::{ExposeSecret as _, SecretString};

use crate::error::{Error, Result};

const KEY_ID: &str = "ALIBABA_CLOUD_ACCESS_KEY_ID";
const KEY_SECRET: &str = "ALIBABA_CLOUD_ACCESS_KEY_SECRET";
const TOKEN: &str = "ALIBABA_CLOUD_SECURITY_TOKEN";

/// An access key. Its secrets cannot be printed and are wiped from memory.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// `AccessKeyId`.
    pub access_key_id: String,
    secret: SecretString,
    token: Option<SecretString>,
}

impl Credentials {
    /// A key with its secret, and the security token of a temporary one.
    #[must_use]
    pub fn new(access_key_id: String, secret: String, token: Option<String>) -> Self {
        Self { access_key_id, secret: secret.into(), token: token.map(Into::into) }
    }

    /// Reads the environment.
    ///
    /// # Errors
    ///
    /// Exit 2 when a variable is missing or not text; names the variable, never a value.
    pub fn from_env() -> Result<Self> {
        let read =
            |name: &str| std::env::var(name).ok().map(|v| v.trim().to_owned()).filter(|v| !v.is_empty());
        let missing = |name: &str| {
            Error::usage(format!("no credentials: the environment variable {name} is not set")).hint(format!(
                "set {KEY_ID} and {KEY_SECRET}, or try the job with --sandbox, which needs none"
            ))
        };
        let id = read(KEY_ID).ok_or_else(|| missing(KEY_ID))?;
        let secret = read(KEY_SECRET).ok_or_else(|| missing(KEY_SECRET))?;
        Ok(Self::new(id, secret, read(TOKEN)))
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
}
