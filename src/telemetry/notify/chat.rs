//! How a chat is posted to: platform, language, secret and link.

use secrecy::{ExposeSecret as _, SecretString};

use super::message::MAX_LINK_BYTES;
use super::platform::Platform;
use crate::error::{Error, Result};
use crate::http_client::UrlSetting;
use crate::output::Lang;

/// How a chat is posted to.
#[derive(Debug, Clone)]
pub struct Chat {
    pub(super) platform: Platform,
    pub(super) lang: Lang,
    secret: Option<SecretString>,
    link: Option<Link>,
}

/// A link for people. It may hold a token, so `Debug` omits it.
#[derive(Clone)]
struct Link(String);

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Link")
    }
}

impl Chat {
    /// A chat with messages in this language, neither signed nor with a link.
    #[must_use]
    pub fn new(platform: Platform, lang: Lang) -> Self {
        Self { platform, lang, secret: None, link: None }
    }

    /// Signs the messages with this secret.
    #[must_use]
    pub fn signed(self, secret: String) -> Self {
        Self { secret: Some(secret.into()), ..self }
    }

    /// Ends the messages with a link to this URL.
    ///
    /// # Errors
    ///
    /// Exit 2 if it is not an http(s) URL, contains a user name or password, or is too long. The
    /// message shows at most scheme, host and port.
    pub fn linking_to(self, url: &str) -> Result<Self> {
        let name = "the link of the notification";
        let url = UrlSetting { name, value: url, example: "https://files.example.com/night.html" }.parse()?;
        // They would end the link in Markdown.
        let url = url.as_str().replace('(', "%28").replace(')', "%29");
        if url.len() > MAX_LINK_BYTES {
            let what = format!("{name} is longer than {MAX_LINK_BYTES} bytes");
            return Err(Error::usage(what).hint("give a shorter URL"));
        }
        Ok(Self { link: Some(Link(url)), ..self })
    }

    /// The secret, for signing only.
    pub(super) fn secret(&self) -> Option<&str> {
        self.secret.as_ref().map(|secret| secret.expose_secret())
    }

    pub(super) fn link(&self) -> Option<&str> {
        self.link.as_ref().map(|link| link.0.as_str())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn link(url: &str) -> Result<String> {
        let chat = Chat::new(Platform::WeCom, Lang::En).linking_to(url)?;
        Ok(chat.link().unwrap().to_owned())
    }

    #[test]
    fn a_link_cannot_end_early_or_hold_a_password() {
        assert_eq!(
            link("https://x.test/a b(1).html?n=[2]").unwrap(),
            "https://x.test/a%20b%281%29.html?n=[2]"
        );
        for url in
            ["x.test", "ftp://x.test/t0ken", "javascript:alert(1)", "https://u:t0ken@x.test/", "https://"]
        {
            let error = link(url).unwrap_err();
            assert!(error.hint.is_some() && !format!("{error:?}").contains("t0ken"), "{error:?}");
        }
        assert!(link(&format!("https://x.test/{}", "a".repeat(MAX_LINK_BYTES - 15))).is_ok());
        assert!(link(&format!("https://x.test/{}", "a".repeat(MAX_LINK_BYTES - 14))).is_err());
        assert!(link(&format!("https://x.test/{}", "(".repeat(MAX_LINK_BYTES / 2))).is_err());
    }

    #[test]
    fn neither_secret_nor_link_can_be_printed() {
        let chat = Chat::new(Platform::Feishu, Lang::Zh).signed("s3cret".into());
        let chat = chat.linking_to("https://x.test/t0ken").unwrap();
        let printed = format!("{chat:?}");
        assert!(!printed.contains("s3cret") && !printed.contains("t0ken"), "{printed}");
        assert_eq!(chat.secret(), Some("s3cret"));
    }
}
