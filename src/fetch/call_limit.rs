//! Tells a limit of one call from a limit of the account.
//!
//! The provider uses one code for both, and its text does not always say which is meant. Without
//! clear words, the other calls decide: while most of them pass, the limit is the call's.

use std::sync::Mutex;

use super::outage::Kind;
use crate::locked::lock;
use crate::provider::codes::Class;
use crate::provider::wire::{Answer, Body};

/// The last answers that count.
const WINDOW: u32 = 20;
/// If this many of them were refused, the limit is the account's.
const ACCOUNT_FROM: u32 = 10;

/// The last answers of a run: a bit for each, 1 if it was refused by an unclear limit.
#[derive(Debug, Default)]
pub struct CallLimits(Mutex<u32>);

impl CallLimits {
    /// The answer with the class [`Class::Limit`] replaced by what it means: [`Class::CallLimit`]
    /// or [`Class::Throttle`]. `kind` tells whether the call failed before.
    ///
    /// A call refused again says nothing about the others, so only its first refusal counts.
    pub(super) fn settle(&self, mut answer: Answer, kind: Kind) -> Answer {
        let is_limit = answer.body == Body::Error(Class::Limit);
        let mut last = lock(&self.0);
        if answer.http_status.is_some() && (!is_limit || kind == Kind::Fresh) {
            *last = ((*last << 1) | u32::from(is_limit)) & ((1 << WINDOW) - 1);
        }
        if is_limit {
            let of_account = last.count_ones() >= ACCOUNT_FROM;
            answer.body = Body::Error(if of_account { Class::Throttle } else { Class::CallLimit });
        }
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::wire::{Reply, understand};

    fn is_of_account(limits: &CallLimits, reply: &Reply, kind: Kind) -> bool {
        limits.settle(understand(reply), kind).body == Body::Error(Class::Throttle)
    }

    #[test]
    fn an_unclear_limit_is_the_accounts_if_half_the_calls_meet_it() {
        let limit = Reply::received(200, r#"{"Code":"isv.BUSINESS_LIMIT_CONTROL","Message":"limit"}"#);
        let record = Reply::received(200, r#"{"Code":"OK"}"#);
        let limits = CallLimits::default();
        for _ in 0..50 {
            assert!(!is_of_account(&limits, &limit, Kind::Retry), "one call, again and again");
        }
        for _ in 1..ACCOUNT_FROM {
            assert!(!is_of_account(&limits, &limit, Kind::Fresh));
        }
        assert!(is_of_account(&limits, &limit, Kind::Fresh) && is_of_account(&limits, &limit, Kind::Retry));
        for _ in 0..WINDOW {
            assert!(!is_of_account(&limits, &record, Kind::Fresh));
        }
        assert!(!is_of_account(&limits, &limit, Kind::Fresh));
    }
}
