//! The chat platforms: the request that posts a message to a robot, and its signature. Pure.
//!
//! Sources: the platforms' pages on robots of a group. The tests check the signatures against
//! values that Python's hmac computed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::Url;
use serde_json::{Value, json};
use sha2::Sha256;

use super::message::Message;
use crate::exit::Exit;

/// A chat platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Platform {
    /// DingTalk.
    DingTalk,
    /// WeCom.
    WeCom,
    /// Feishu.
    Feishu,
}

/// A request to a platform's robot.
pub(super) struct RobotRequest {
    pub(super) url: Url,
    /// JSON.
    pub(super) body: String,
    /// The signature in it, if it is signed.
    pub(super) sign: Option<String>,
}

impl Platform {
    /// The name in messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::DingTalk => "DingTalk",
            Self::WeCom => "WeCom",
            Self::Feishu => "Feishu",
        }
    }

    /// Whether its robots can demand a signature.
    #[must_use]
    pub fn has_signature(self) -> bool {
        self != Self::WeCom
    }

    /// The request that posts this message to the robot at `url`, signed if there is a secret.
    pub(super) fn request(
        self,
        url: &Url,
        message: &Message,
        secret: Option<&str>,
        now: DateTime<Utc>,
    ) -> RobotRequest {
        match self {
            Self::DingTalk => {
                let sign = secret.map(|secret| DingTalkSign::new(secret, now.timestamp_millis()));
                let url = sign.as_ref().map_or_else(|| url.clone(), |sign| sign.signed(url));
                let body = json!({
                    "msgtype": "markdown",
                    "markdown": { "title": message.title, "text": markdown(message, "\n\n") },
                    "at": { "isAtAll": false },
                });
                RobotRequest { url, body: body.to_string(), sign: sign.map(|sign| sign.sign) }
            }
            Self::WeCom => {
                let body =
                    json!({ "msgtype": "markdown", "markdown": { "content": markdown(message, "\n") } });
                RobotRequest { url: url.clone(), body: body.to_string(), sign: None }
            }
            Self::Feishu => {
                let mut body = json!({ "msg_type": "interactive", "card": card(message) });
                let timestamp = now.timestamp();
                let sign = secret.map(|secret| feishu_sign(secret, timestamp));
                if let Some(sign) = &sign {
                    body["timestamp"] = timestamp.to_string().into();
                    body["sign"] = sign.as_str().into();
                }
                RobotRequest { url: url.clone(), body: body.to_string(), sign }
            }
        }
    }
}

/// The message as Markdown. DingTalk breaks a line only at an empty one.
fn markdown(message: &Message, line_break: &str) -> String {
    let link = message.link.as_ref().map(|(text, url)| format!("[{text}]({url})"));
    let lines = [format!("### {}", message.title)].into_iter().chain(message.lines.iter().cloned());
    lines.chain(link).collect::<Vec<_>>().join(line_break)
}

/// The message as a card of Feishu: a coloured title, plain text, and the link as a button. Plain
/// text can neither link nor mention.
fn card(message: &Message) -> Value {
    let plain = |text: &str| json!({ "tag": "plain_text", "content": text });
    let mut elements = vec![json!({ "tag": "div", "text": plain(&message.lines.join("\n")) })];
    if let Some((text, url)) = &message.link {
        let button = json!({ "tag": "button", "text": plain(text), "url": url, "type": "primary" });
        elements.push(json!({ "tag": "action", "actions": [button] }));
    }
    json!({
        "config": { "wide_screen_mode": true },
        "header": { "title": plain(&message.title), "template": colour(message.exit) },
        "elements": elements,
    })
}

/// The name of a card's colour.
fn colour(exit: Exit) -> &'static str {
    match exit {
        Exit::Success => "green",
        Exit::Discrepancies | Exit::Incomplete => "orange",
        Exit::Usage | Exit::Fatal | Exit::Busy | Exit::Output => "red",
    }
}

/// A signature of DingTalk, which is a part of the URL.
struct DingTalkSign {
    timestamp_ms: i64,
    sign: String,
}

impl DingTalkSign {
    fn new(secret: &str, timestamp_ms: i64) -> Self {
        let text = format!("{timestamp_ms}\n{secret}");
        Self { timestamp_ms, sign: hmac_sha256(secret.as_bytes(), text.as_bytes()) }
    }

    /// The URL with this signature in place of an old one. Its other parameters stay as they are.
    fn signed(&self, url: &Url) -> Url {
        let is_other = |pair: &&str| !pair.starts_with("timestamp=") && !pair.starts_with("sign=");
        let others: Vec<&str> = url.query().unwrap_or_default().split('&').filter(is_other).collect();
        let mut url = url.clone();
        url.set_query(Some(&others.join("&")).filter(|query| !query.is_empty()).map(String::as_str));
        url.query_pairs_mut()
            .append_pair("timestamp", &self.timestamp_ms.to_string())
            .append_pair("sign", &self.sign);
        url
    }
}

/// Feishu's signature: the text is the key, and nothing is signed with it.
fn feishu_sign(secret: &str, timestamp: i64) -> String {
    hmac_sha256(format!("{timestamp}\n{secret}").as_bytes(), b"")
}

/// HMAC-SHA256 in base64.
fn hmac_sha256(key: &[u8], text: &[u8]) -> String {
    // HMAC takes keys of any length, so this cannot fail; the platform would refuse an empty
    // signature.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return String::new() };
    mac.update(text);
    STANDARD.encode(mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Secrets with times, for which Python's hmac, hashlib and base64 computed the signatures.
    const SECRETS: [&str; 3] = ["SEC000", "密钥 SEC+/=", LONG];
    const LONG: &str = "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk";

    #[test]
    fn signatures_are_those_of_an_independent_program() {
        assert_eq!(LONG.len(), 100, "longer than a block of SHA-256");
        for (secret, timestamp_ms, sign) in [
            (SECRETS[0], 1_577_262_236_757, "0mUoy51oaZiRp9zSbtu3Gh7pbwvH33YBGob4MsxeXA4="),
            (SECRETS[1], 1_764_115_200_123, "nUHDMvY9BlvhjND9xet6yTqKW4lxi9FsE5YrUTS8Hkc="),
            (SECRETS[2], 0, "MID5V7/x0qNnmYEHp8OZI0kpwHrnnQwqaHsvJ6jztq8="),
        ] {
            assert_eq!(DingTalkSign::new(secret, timestamp_ms).sign, sign);
        }
        for (secret, timestamp, sign) in [
            ("demo", 1_599_360_473, "l1N0gAcBjdwBvGm1xMjOF0XSyaLRpR7tuO5dHfhAYc8="),
            (SECRETS[1], 1_764_115_200, "Iqk14IaHj7trmKP9HA4Znm8eRUmHnnKaUzFIdyDMND4="),
            (SECRETS[2], 0, "hgUb4qkLeeYB5m+kEFIjStJY645a/csI2oWeWdcQmwo="),
        ] {
            assert_eq!(feishu_sign(secret, timestamp), sign);
        }
    }

    fn message() -> Message {
        Message {
            exit: Exit::Incomplete,
            title: "reconcile: calls.csv – incomplete".into(),
            lines: vec!["one".into(), "two".into()],
            link: Some(("Open the report", "https://files.example.com/night%20(1)".into())),
        }
    }

    fn signed_url(url: &str, secret: Option<&str>) -> String {
        let now = DateTime::from_timestamp_millis(1_577_262_236_757).unwrap();
        Platform::DingTalk.request(&Url::parse(url).unwrap(), &message(), secret, now).url.into()
    }

    #[test]
    fn a_signed_url_keeps_all_its_other_parameters() {
        let sign = "timestamp=1577262236757&sign=0mUoy51oaZiRp9zSbtu3Gh7pbwvH33YBGob4MsxeXA4%3D";
        let host = "https://oapi.dingtalk.com/robot/send";
        for (given, kept) in [
            ("?access_token=a%20b%2Bc+d&x", "?access_token=a%20b%2Bc+d&x&"),
            ("?timestamp=1&access_token=abc&sign=old%3D&signs=1", "?access_token=abc&signs=1&"),
            ("?sign=old", "?"),
            ("", "?"),
        ] {
            assert_eq!(signed_url(&format!("{host}{given}"), Some("SEC000")), format!("{host}{kept}{sign}"));
            assert_eq!(signed_url(&format!("{host}{given}"), None), format!("{host}{given}"));
        }
    }

    #[test]
    fn only_a_signed_body_of_feishu_has_time_and_signature() {
        let url = Url::parse("https://open.feishu.cn/open-apis/bot/v2/hook/x").unwrap();
        let now = DateTime::from_timestamp_millis(1_599_360_473_999).unwrap();
        let body = |secret| -> Value {
            serde_json::from_str(&Platform::Feishu.request(&url, &message(), secret, now).body).unwrap()
        };
        let signed = body(Some("demo"));
        assert_eq!(signed["timestamp"], "1599360473", "a text, in seconds");
        assert_eq!(signed["sign"], "l1N0gAcBjdwBvGm1xMjOF0XSyaLRpR7tuO5dHfhAYc8=");
        let unsigned = body(None);
        assert!(unsigned.get("timestamp").is_none() && unsigned.get("sign").is_none(), "{unsigned}");
        assert_eq!(unsigned["card"], signed["card"]);
        assert_eq!(unsigned["card"]["header"]["template"], "orange");
        assert_eq!(unsigned["card"]["elements"][0]["text"]["content"], "one\ntwo");
    }

    #[test]
    fn a_card_is_green_orange_or_red() {
        let colours = Exit::ALL.map(colour);
        assert_eq!(colours, ["green", "orange", "red", "red", "orange", "red", "red"]);
    }
}
