//! What a chat platform's reply says: whether the message was accepted, else why not and what to
//! do. A platform answers HTTP 200 to most messages that it refuses; only its own code counts.
//! Pure.

use serde_json::Value;

use super::platform::Platform;

/// The platform's code other than 0, and its message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    platform: Platform,
    code: i64,
    /// As received. It may repeat a part of the request.
    pub(super) message: String,
}

/// Why a reply does not say that the message was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NotAccepted {
    /// The platform refuses the message.
    Refused(Refusal),
    /// The reply has no code; this says what it is.
    Unclear(&'static str),
}

/// Reads the body of a reply.
///
/// # Errors
///
/// It does not say that the message was accepted.
pub(super) fn read(platform: Platform, body: &[u8]) -> Result<(), NotAccepted> {
    if body.trim_ascii().is_empty() {
        return Err(NotAccepted::Unclear("the reply is empty"));
    }
    let reply: Value =
        serde_json::from_slice(body).map_err(|_| NotAccepted::Unclear("the reply is not JSON"))?;
    let message = |name: &str| reply[name].as_str().unwrap_or_default().to_owned();
    let (code, message) = match platform {
        Platform::DingTalk | Platform::WeCom => (reply["errcode"].as_i64(), message("errmsg")),
        // Some replies have both, and then `StatusCode` is 0 even if the message is refused.
        Platform::Feishu => match reply["code"].as_i64() {
            Some(code) => (Some(code), message("msg")),
            None => (reply["StatusCode"].as_i64(), message("StatusMessage")),
        },
    };
    match code {
        Some(0) => Ok(()),
        Some(code) => Err(NotAccepted::Refused(Refusal { platform, code, message })),
        None => Err(NotAccepted::Unclear("the reply has no code of the platform")),
    }
}

impl Refusal {
    /// The code under the platform's name for it, such as `errcode 310000`.
    pub(super) fn code(&self) -> String {
        let name = if self.platform == Platform::Feishu { "code" } else { "errcode" };
        format!("{name} {}", self.code)
    }

    /// Whether a second attempt may succeed: the platform is busy, or got too many messages.
    pub(super) fn is_passing(&self) -> bool {
        let by_code = match self.platform {
            Platform::DingTalk => [-1, 130_101, 410_100].contains(&self.code),
            Platform::WeCom => [-1, 45_009].contains(&self.code),
            Platform::Feishu => self.code == 11_232,
        };
        // Feishu's 9499 is "Bad Request" or this.
        by_code || self.message.to_ascii_lowercase().contains("too many request")
    }

    /// What to do about it.
    pub(super) fn to_do(&self) -> &'static str {
        match (self.platform, self.code) {
            (Platform::DingTalk, 310_000) => {
                "compare the robot's security settings: a keyword must be a part of each message (reconcile always is); \
                 a signature needs the robot's secret in the secret file, and a correct clock; an address list must \
                 contain this machine"
            }
            (Platform::DingTalk, 130_101 | 410_100) => {
                "let fewer programs use this robot: after 20 messages in a minute DingTalk drops all for ten minutes"
            }
            (Platform::DingTalk, 300_001 | 300_005)
            | (Platform::WeCom, 93_000)
            | (Platform::Feishu, 19_001) => {
                "check the notification URL; the platform knows no robot with its token"
            }
            (Platform::WeCom, 45_009) => {
                "let fewer programs use this robot: WeCom takes 20 messages a minute"
            }
            (Platform::Feishu, 11_232) => {
                "let the run end at another time: Feishu's limit is often reached at full and half hours; a robot may \
                 post five messages a second and 100 a minute"
            }
            (Platform::Feishu, 19_007) => "enable the robot in Feishu",
            (Platform::Feishu, 19_021) => {
                "set the secret file to a file with the robot's secret, and check this machine's clock"
            }
            (Platform::Feishu, 19_022) => "add this machine's address to the robot's address list",
            (Platform::Feishu, 19_024) => {
                "set the robot's keyword to a part of each message, such as reconcile"
            }
            _ if self.is_passing() => "nothing if this happens once: the next run posts again",
            _ => "check the notification URL, and look up the code in the platform's pages on robots",
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

    const ALL: [Platform; 3] = [Platform::DingTalk, Platform::WeCom, Platform::Feishu];

    fn refusal(platform: Platform, body: &str) -> Refusal {
        match read(platform, body.as_bytes()) {
            Err(NotAccepted::Refused(refusal)) => refusal,
            other => panic!("{body}: {other:?}"),
        }
    }

    #[test]
    fn only_the_code_zero_is_accepted() {
        for body in ["", " \n", "ok", "<html>", "[]", "{}", "0", "null", r#"{"msg":"ok"}"#, r#"{"a":"#] {
            for platform in ALL {
                assert!(matches!(read(platform, body.as_bytes()), Err(NotAccepted::Unclear(_))), "{body}");
            }
        }
        let ok = br#"{"errcode":0,"errmsg":"ok"}"#;
        assert!(read(Platform::DingTalk, ok).is_ok() && read(Platform::WeCom, ok).is_ok());
        assert!(read(Platform::Feishu, ok).is_err(), "another platform's code");
        assert!(read(Platform::WeCom, br#"{"code":0}"#).is_err());
        for body in
            [r#"{"code":0,"data":{},"msg":"success"}"#, r#"{"StatusCode":0,"StatusMessage":"success"}"#]
        {
            assert!(read(Platform::Feishu, body.as_bytes()).is_ok(), "{body}");
        }
        let body = r#"{"StatusCode":0,"StatusMessage":"","code":19007,"msg":"Bot Not Enabled"}"#;
        assert_eq!(refusal(Platform::Feishu, body).code, 19_007, "code counts, not StatusCode");
        let old = refusal(Platform::Feishu, r#"{"StatusCode":19021,"StatusMessage":"sign error"}"#);
        assert_eq!((old.code().as_str(), old.message.as_str()), ("code 19021", "sign error"));
    }

    #[test]
    fn a_limit_is_passing_and_a_wrong_setting_is_not() {
        let refused = |platform, code| Refusal { platform, code, message: String::new() };
        for (platform, passing, lasting) in [
            (Platform::DingTalk, &[-1, 130_101, 410_100][..], &[310_000, 300_001, 45_009][..]),
            (Platform::WeCom, &[-1, 45_009], &[93_000, 40_008, 11_232]),
            (Platform::Feishu, &[11_232], &[19_021, 19_022, 19_024, 9_499, -1]),
        ] {
            assert!(passing.iter().all(|code| refused(platform, *code).is_passing()), "{platform:?}");
            assert!(lasting.iter().all(|code| !refused(platform, *code).is_passing()), "{platform:?}");
        }
        let busy = refusal(Platform::Feishu, r#"{"code":9499,"msg":"too many request"}"#);
        assert!(busy.is_passing());
    }

    #[test]
    fn the_advice_names_what_may_be_wrong() {
        for (platform, code, words) in [
            (Platform::DingTalk, 310_000, "keyword"),
            (Platform::DingTalk, 310_000, "clock"),
            (Platform::DingTalk, 300_001, "URL"),
            (Platform::WeCom, 93_000, "URL"),
            (Platform::WeCom, 45_009, "20 messages a minute"),
            (Platform::WeCom, -1, "next run"),
            (Platform::Feishu, 11_232, "full and half hours"),
            (Platform::Feishu, 19_021, "secret"),
            (Platform::Feishu, 12_345, "look up the code"),
        ] {
            let refusal = Refusal { platform, code, message: String::new() };
            assert!(refusal.to_do().contains(words), "{platform:?} {code}: {}", refusal.to_do());
        }
    }
}
