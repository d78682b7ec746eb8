//! The reasons of failed requests or calls, counted, and the most frequent one in words. Memory is
//! bounded.

use std::fmt;

use reconcile_core::lines::Lines;
use reconcile_core::merge::Merge;

use crate::provider::lost::LostReason;

/// Reasons that are counted apart. The others only count in the sum.
const MAX_REASONS: usize = 64;
/// Longest text of a reason, in characters.
const MAX_CHARS: usize = 160;

/// The reasons of failures, each with its number.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Failures {
    reasons: Lines<String, Reason, MAX_REASONS>,
    total: u64,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Reason {
    cause: Cause,
    count: u64,
}

/// The reason of a failure. `Display` says what happened: `cannot resolve dyvmsapi.aliyuncs.com`,
/// or the provider's code with its message. Foreign text may hold a phone number.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cause {
    /// The provider's code, or the word for a request without a response.
    pub code: String,
    /// The message that came with it; empty if there was none.
    pub message: String,
}

/// What to do about a failure. `Display` is the advice in English.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "`Display` says what they mean")]
pub enum ToDo {
    CheckProxyPassword,
    CheckEndpointAndProxy,
    CheckDns,
    CheckEndpointAndFirewall,
    CheckNetwork,
    CheckEndpointAndClock,
}

impl Failures {
    /// Counts a failure with this code, or with the word for a request without a response.
    pub fn add(&mut self, code: &str, message: &str) {
        self.total += 1;
        let lost = LostReason::parse(code);
        // Messages of the provider may name a request, so its code alone is the key.
        let key = if lost.is_some() { format!("{code} {message}") } else { code.to_owned() };
        let reason = self.reasons.line(&key);
        if reason.count == 0 {
            reason.cause = Cause::new(code, message).shortened();
        }
        reason.count += 1;
    }

    /// The number of failures.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The most frequent reason; `None` without failures. Of equally frequent ones the first by
    /// name, so that the outputs do not depend on the order of the failures.
    #[must_use]
    pub fn most_frequent(&self) -> Option<&Cause> {
        let reasons = self.reasons.iter().filter(|(key, _)| key.is_some()).map(|(_, reason)| reason);
        let first_of_equals =
            reasons.reduce(|most, other| if other.count > most.count { other } else { most });
        first_of_equals.map(|reason| &reason.cause)
    }
}

/// The failures of later rows follow: the words of a reason are those of its first failure.
impl Merge for Failures {
    fn merge(&mut self, other: Self) {
        let Self { reasons, total } = other;
        self.reasons.merge(reasons);
        self.total.merge(total);
    }
}

impl Merge for Reason {
    fn merge(&mut self, other: Self) {
        let Self { cause, count } = other;
        if self.count == 0 {
            self.cause = cause;
        }
        self.count.merge(count);
    }
}

impl Cause {
    /// The reason of a failure with this code and this message.
    #[must_use]
    pub fn new(code: &str, message: &str) -> Self {
        let message = message.trim();
        let message = if message == code { "" } else { message };
        Self { code: code.to_owned(), message: message.to_owned() }
    }

    /// The same with a message of at most [`MAX_CHARS`] characters in all.
    fn shortened(self) -> Self {
        let code: String = self.code.chars().take(MAX_CHARS).collect();
        let before = if self.lost().is_some() { 0 } else { code.chars().count() + 2 };
        let message = self.message.chars().take(MAX_CHARS.saturating_sub(before)).collect();
        Self { code, message }
    }

    /// Why there was no response; `None` if there was one.
    #[must_use]
    pub fn lost(&self) -> Option<LostReason> {
        LostReason::parse(&self.code)
    }

    /// What to do about it, if the reason tells.
    #[must_use]
    pub fn to_do(&self) -> Option<ToDo> {
        let message = &self.message;
        match self.lost()? {
            LostReason::Connect if message.contains("proxy") => Some(ToDo::CheckProxyPassword),
            LostReason::Connect if message.starts_with("TLS") => Some(ToDo::CheckEndpointAndProxy),
            LostReason::Connect if message.contains("resolve") => Some(ToDo::CheckDns),
            LostReason::Connect => Some(ToDo::CheckEndpointAndFirewall),
            LostReason::Timeout | LostReason::Cut | LostReason::Transport => Some(ToDo::CheckNetwork),
            LostReason::Certificate => Some(ToDo::CheckEndpointAndClock),
            LostReason::KeyExpired => None,
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.lost(), self.message.as_str()) {
            (_, "") => f.write_str(&self.code),
            (Some(_), message) => f.write_str(message),
            (None, message) => write!(f, "{}: {message}", self.code),
        }
    }
}

impl fmt::Display for ToDo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CheckProxyPassword => "check the proxy and its password",
            Self::CheckEndpointAndProxy => "check the endpoint, and any proxy",
            Self::CheckDns => "check DNS or the proxy",
            Self::CheckEndpointAndFirewall => "check the endpoint, and any firewall or proxy",
            Self::CheckNetwork => "check the network, and any proxy",
            Self::CheckEndpointAndClock => "check the endpoint and this machine's clock",
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn cause(failures: &[(&str, &str)]) -> Option<String> {
        let mut counted = Failures::default();
        failures.iter().for_each(|(code, message)| counted.add(code, message));
        counted.most_frequent().map(ToString::to_string)
    }

    #[test]
    fn the_most_frequent_reason_is_told_in_words() {
        assert_eq!(cause(&[]), None);
        let lost = ("connect", "cannot resolve x.test");
        assert_eq!(cause(&[("HTTP 503", ""), lost, lost]).unwrap(), "cannot resolve x.test");
        let (first, second) = (("isv.X", "request 1 failed"), ("isv.X", "request 2 failed"));
        assert_eq!(cause(&[lost, first, second]).unwrap(), "isv.X: request 1 failed");
        assert_eq!(cause(&[("isp.SYSTEM_ERROR", "isp.SYSTEM_ERROR")]).unwrap(), "isp.SYSTEM_ERROR");
        assert_eq!(cause(&[("b", ""), ("a", "")]), cause(&[("a", ""), ("b", "")]));
    }

    #[test]
    fn the_number_of_reasons_is_bounded() {
        let mut failures = Failures::default();
        (0..1_000).for_each(|n| failures.add(&format!("code {n}"), ""));
        assert_eq!((failures.total(), failures.reasons.iter().count()), (1_000, MAX_REASONS + 1));
    }
}
