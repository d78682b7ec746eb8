//! The table of call states: the outcome, whether it is final, and whether the call was answered.
//!
//! Sources: the provider's page of carrier receipt codes, its page of call status codes, and the
//! table of its older service. Where they contradict each other, the talk time decides. The table
//! in docs/provider.md is generated from this one.

use Answered::{ByTalkTime, No, Yes};

use crate::detail::Outcome;

/// Whether a state means that the call was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answered {
    /// The call was answered.
    Yes,
    /// The call was not answered.
    No,
    /// The tables disagree, or do not say: the call was answered if it has talk time.
    ByTalkTime,
}

/// What a state code means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct State {
    /// The code, in digits.
    pub code: &'static str,
    /// The result of the call in one word.
    pub outcome: Outcome,
    /// True if the state will not change any more.
    pub is_final: bool,
    /// Whether the call was answered.
    pub answered: Answered,
    /// The provider's description, shortened.
    pub meaning: &'static str,
}

const fn ended(code: &'static str, outcome: Outcome, answered: Answered, meaning: &'static str) -> State {
    State { code, outcome, is_final: true, answered, meaning }
}

const fn under_way(code: &'static str, answered: Answered, meaning: &'static str) -> State {
    State { code, outcome: Outcome::InProgress, is_final: false, answered, meaning }
}

/// Every known state.
pub const STATES: &[State] = &[
    ended("200000", Outcome::Answered, Yes, "answered, listened to the end"),
    ended("200001", Outcome::Answered, Yes, "answered, hung up early"),
    ended("200002", Outcome::Busy, No, "busy"),
    ended("200003", Outcome::NoAnswer, No, "rang, no answer"),
    ended("200004", Outcome::InvalidNumber, No, "invalid or vacant number"),
    ended("200005", Outcome::Unreachable, No, "cannot be reached, or refused"),
    ended("200006", Outcome::Failed, ByTalkTime, "voice file could not be played"),
    ended("200007", Outcome::Unreachable, No, "out of the service area"),
    ended("200008", Outcome::Answered, Yes, "answered, no key pressed in time"),
    ended("200010", Outcome::PoweredOff, No, "phone off"),
    ended("200011", Outcome::Suspended, No, "number suspended"),
    ended("200012", Outcome::Restricted, No, "call lost or restricted"),
    ended("200130", Outcome::Failed, No, "other, unrecognized early media"),
    ended("200100", Outcome::Answered, Yes, "two-party call ended"),
    under_way("200101", No, "connecting the caller"),
    under_way("200102", ByTalkTime, "connecting the callee; or: callee answered"),
    under_way("200103", Yes, "talking"),
    under_way("200201", No, "callee ringing"),
    ended("200104", Outcome::Restricted, No, "caller number restricted"),
    ended("200105", Outcome::Restricted, No, "callee number restricted"),
    ended("200111", Outcome::Rejected, No, "callee refused (two-party)"),
    ended("200112", Outcome::Busy, No, "callee busy (two-party)"),
    ended("200113", Outcome::NoAnswer, No, "callee did not answer (two-party)"),
    ended("200116", Outcome::InvalidNumber, No, "callee number invalid (two-party)"),
    ended("200117", Outcome::Restricted, No, "display number not permitted"),
    ended("200118", Outcome::Restricted, No, "carrier bars calls at this hour"),
    ended("200119", Outcome::Restricted, No, "carrier: too many calls to this number"),
    ended("200120", Outcome::Unreachable, No, "callee out of the service area (two-party)"),
    ended("200121", Outcome::Restricted, No, "too many calls at once"),
    ended("300000", Outcome::Unknown, ByTalkTime, "key-press event of the callback, not a call's result"),
    ended("9996", Outcome::Failed, No, "call not established or already ended"),
    ended("999999", Outcome::Failed, No, "system error"),
    ended("500", Outcome::Failed, No, "carrier error"),
    ended("400", Outcome::Failed, No, "network element busy"),
    ended("482", Outcome::Unreachable, No, "callee number unavailable"),
    ended("476", Outcome::InvalidNumber, No, "number reclaimed"),
];

/// The state with this code; `None` for an unknown code.
#[must_use]
pub fn find(code: &str) -> Option<&'static State> {
    STATES.iter().find(|s| s.code == code)
}

/// What a record's state and talk time mean together.
pub(crate) struct Meaning {
    /// The result of the call.
    pub(crate) outcome: Outcome,
    /// True if the state will not change any more.
    pub(crate) is_final: bool,
    /// False for a code in no table.
    pub(crate) is_known: bool,
    /// Whether the call was answered; `None` if the record does not say.
    pub(crate) answered: Option<bool>,
}

/// Interprets a record's state and talk time.
///
/// A record without a state, or with an unknown one, is final: asking again would not explain the
/// code. Without a state, a start and talk time mean that the call was answered. An unknown code
/// may mean anything.
pub(crate) fn interpret(code: Option<&str>, duration_s: Option<i64>, has_start: bool) -> Meaning {
    let has_talk_time = duration_s.map(|s| s > 0);
    let unknown = Meaning { outcome: Outcome::Unknown, is_final: true, is_known: false, answered: None };
    let Some(code) = code else {
        let answered = (has_start && has_talk_time == Some(true)).then_some(true);
        return Meaning { is_known: true, answered, ..unknown };
    };
    let Some(state) = find(code) else { return unknown };
    let answered = match state.answered {
        Yes => Some(true),
        No => Some(false),
        ByTalkTime => has_talk_time,
    };
    Meaning { outcome: state.outcome, is_final: state.is_final, is_known: true, answered }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_code_is_in_the_table_twice() {
        for (i, state) in STATES.iter().enumerate() {
            assert!(STATES[..i].iter().all(|other| other.code != state.code), "{}", state.code);
        }
    }

    #[test]
    fn the_code_of_the_providers_example_is_unknown() {
        assert!(find("502").is_none());
    }
}
