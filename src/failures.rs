//! The reasons of failed requests or calls, counted, and the most frequent one in words. Memory is
//! bounded.

use std::collections::BTreeMap;

use crate::provider::LostReason;

/// Reasons that are counted apart. Later ones only count in the sum.
const MAX_REASONS: usize = 64;
/// Longest text of a reason, in characters.
const MAX_CHARS: usize = 160;

/// The reasons of failures, each with its number.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Failures {
    reasons: BTreeMap<String, Reason>,
    total: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Reason {
    cause: Cause,
    count: u64,
}

/// The most frequent reason of failures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// What happened, in words: `cannot resolve dyvmsapi.aliyuncs.com`. A provider's error has its
    /// code and its message. Foreign text may hold a phone number.
    pub words: String,
    /// What to do about it, if the reason tells.
    pub to_do: Option<&'static str>,
}

impl Failures {
    /// Counts a failure with this code, or with the word for a request without a response.
    pub fn add(&mut self, code: &str, message: &str) {
        self.total += 1;
        let lost = LostReason::ALL.into_iter().find(|lost| lost.as_str() == code);
        // Messages of the provider may name a request, so its code alone is the key.
        let key = if lost.is_some() { format!("{code} {message}") } else { code.to_owned() };
        if let Some(reason) = self.reasons.get_mut(&key) {
            reason.count += 1;
        } else if self.reasons.len() < MAX_REASONS {
            let cause = Cause::new(code, lost, message);
            self.reasons.insert(key, Reason { cause, count: 1 });
        }
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
        self.reasons.values().rev().max_by_key(|reason| reason.count).map(|reason| &reason.cause)
    }
}

impl Cause {
    fn new(code: &str, lost: Option<LostReason>, message: &str) -> Self {
        let words = match (lost, message.trim()) {
            (Some(_) | None, "") => code.to_owned(),
            (Some(_), message) => message.to_owned(),
            (None, message) if message == code => code.to_owned(),
            (None, message) => format!("{code}: {message}"),
        };
        let words = words.chars().take(MAX_CHARS).collect();
        Self { to_do: lost.and_then(|lost| to_do(lost, message)), words }
    }
}

fn to_do(lost: LostReason, message: &str) -> Option<&'static str> {
    match lost {
        LostReason::Connect if message.contains("proxy") => Some("check the proxy and its password"),
        LostReason::Connect if message.starts_with("TLS") => Some("check the endpoint, and any proxy"),
        LostReason::Connect if message.contains("resolve") => Some("check DNS or the proxy"),
        LostReason::Connect => Some("check the endpoint, and any firewall or proxy"),
        LostReason::Timeout | LostReason::Cut | LostReason::Transport => {
            Some("check the network, and any proxy")
        }
        LostReason::Certificate => Some("check the endpoint and this machine's clock"),
        LostReason::KeyExpired => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn cause(failures: &[(&str, &str)]) -> Option<String> {
        let mut counted = Failures::default();
        failures.iter().for_each(|(code, message)| counted.add(code, message));
        counted.most_frequent().map(|cause| cause.words.clone())
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
        assert_eq!((failures.total(), failures.reasons.len()), (1_000, MAX_REASONS));
    }
}
