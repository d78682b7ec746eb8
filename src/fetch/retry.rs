//! Decides what to do after an attempt. Pure.

use std::time::Duration;

use super::outage::Kind;
use crate::provider::codes::{self, Class};
use crate::provider::wire::{Answer, Body};

/// How often a call is tried, and the pauses between its tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Maximum number of tries of one call in one run, including the first.
    pub max_attempts: u32,
    /// The pause before the second try. It doubles before each further try.
    pub first_pause: Duration,
    /// The longest pause, unless the provider asks for a longer one.
    pub longest_pause: Duration,
    /// The time limit of one request. The place of one without a reply rests this long.
    pub timeout: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            max_attempts: 6,
            first_pause: Duration::from_millis(500),
            longest_pause: Duration::from_secs(60),
            timeout: Duration::from_secs(10),
        }
    }
}

/// Maximum number of tries after an error that may concern only this call.
const MAX_DOUBTFUL_TRIES: u32 = 3;
/// The longest pause that the provider may request. The provider's own clients also stop at two
/// minutes.
const LONGEST_HINT: Duration = Duration::from_secs(120);

/// What a pause holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// The call, which stays in work.
    Call,
    /// The call; another one is in work meanwhile.
    CallOutOfWork,
    /// All requests of the run.
    Run,
}

/// What happens next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The call has its answer: a record, no record, or a permanent error.
    Done,
    /// Try again.
    Again {
        /// The pause before the next try.
        after: Duration,
        /// What the pause holds.
        hold: Hold,
    },
    /// All attempts failed; the next run asks again.
    Exhausted,
    /// Stop the run. Holds advice for the operator.
    Stop(&'static str),
}

impl Verdict {
    /// Try again without a pause.
    pub(super) const AT_ONCE: Self = Self::Again { after: Duration::ZERO, hold: Hold::Call };
}

/// The tries of one call on one day.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tries {
    /// Tries that count as attempts.
    pub(super) counted: u32,
    /// Failures in a row of an outage. They do not count as attempts.
    pub(super) forgiven: u32,
    /// True if an answer had the record of another call.
    pub(super) doubted: bool,
}

impl Tries {
    /// Whether the call was tried before.
    pub(super) fn kind(&self) -> Kind {
        if self.counted + self.forgiven > 0 { Kind::Retry } else { Kind::Fresh }
    }

    /// What to do after a failure of an outage; `verdict` is what it would be outside. The try does
    /// not count, and the outage sets the pause.
    ///
    /// A request that was sent may have failed because of its call. So after as many of these
    /// failures as attempts, but at least three, the call is given up.
    pub(super) fn forgive(&mut self, verdict: Verdict, never_sent: bool, policy: &Policy) -> Verdict {
        self.counted -= 1;
        self.forgiven += u32::from(!never_sent);
        match verdict {
            _ if self.forgiven >= policy.max_attempts.max(MAX_DOUBTFUL_TRIES) => Verdict::Exhausted,
            Verdict::Again { hold: Hold::Run, .. } => verdict,
            _ => Verdict::AT_ONCE,
        }
    }
}

/// What an answer has changed for the signature of the next request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Corrections {
    /// True if requests are signed with the provider's time from now on.
    pub clock: bool,
    /// True if another key is used from now on.
    pub key: bool,
}

/// Decides what to do next. `attempt` counts this call's tries from 1; `jitter` is in [0, 1).
#[must_use]
pub fn decide(
    policy: &Policy,
    attempt: u32,
    answer: &Answer,
    corrections: Corrections,
    jitter: f64,
) -> Verdict {
    let Body::Error(class) = answer.body else { return Verdict::Done };
    let second = attempt >= policy.max_attempts.min(2);
    let tries = match class {
        Class::Call | Class::NoRecord => return Verdict::Done,
        Class::Fatal(advice) => return Verdict::Stop(advice),
        Class::Token(advice) if !corrections.key => return Verdict::Stop(advice),
        Class::Route(advice) if second => return Verdict::Stop(advice),
        // The provider's own time did not help, or the answer had no time.
        Class::Clock if answer.by_provider_time || (second && !corrections.clock) => {
            return Verdict::Stop(codes::SET_CLOCK);
        }
        Class::Doubtful => policy.max_attempts.min(MAX_DOUBTFUL_TRIES),
        _ => policy.max_attempts,
    };
    if attempt >= tries {
        return Verdict::Exhausted;
    }
    let hint = hint(answer);
    let doubled = policy.first_pause.saturating_mul(1 << (attempt - 1).min(16)).min(policy.longest_pause);
    // Equal jitter: half of the pause is fixed, the other half is random.
    let own = doubled.mul_f64(0.5 + jitter / 2.0);
    let after = hint.map_or(own, |h| h.max(own));
    match class {
        // A throttled call has no extra pause: the cap slows the whole run down.
        Class::Clock | Class::Token(_) | Class::Throttle => Verdict::AT_ONCE,
        Class::Nonce if attempt == 1 => Verdict::AT_ONCE,
        Class::CallLimit | Class::Limit => Verdict::Again { after, hold: Hold::CallOutOfWork },
        _ => Verdict::Again { after, hold: if hint.is_some() { Hold::Run } else { Hold::Call } },
    }
}

/// The pause that the provider requests, at most two minutes.
#[must_use]
pub fn hint(answer: &Answer) -> Option<Duration> {
    answer.retry_after.map(|asked| asked.min(LONGEST_HINT))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(body: Body, retry_after: Option<Duration>) -> Answer {
        Answer {
            body,
            code: "c".into(),
            message: String::new(),
            request_id: None,
            http_status: None,
            retry_after,
            date: None,
            by_provider_time: false,
        }
    }

    fn verdict(class: Class, attempt: u32, hint: Option<Duration>) -> Verdict {
        decide(&Policy::default(), attempt, &answer(Body::Error(class), hint), Corrections::default(), 0.0)
    }

    #[test]
    fn answers_and_permanent_errors_end_the_call() {
        let done = |body| {
            decide(&Policy::default(), 1, &answer(body, None), Corrections::default(), 0.5) == Verdict::Done
        };
        assert!(done(Body::NoRecord) && done(Body::Data("{}".into())) && done(Body::Error(Class::Call)));
        assert!(done(Body::Malformed { text: "x".into(), why: "y".into() }));
    }

    #[test]
    fn pauses_double_and_attempts_end() {
        let pause = |n| match verdict(Class::Transient, n, None) {
            Verdict::Again { after, hold: Hold::Call } => Some(after.as_millis()),
            _ => None,
        };
        assert_eq!(
            (1..=6).map(pause).collect::<Vec<_>>(),
            [Some(250), Some(500), Some(1000), Some(2000), Some(4000), None]
        );
        assert_eq!(verdict(Class::Transient, 6, None), Verdict::Exhausted);
        assert_eq!(verdict(Class::Doubtful, 3, None), Verdict::Exhausted);
    }

    #[test]
    fn a_hint_holds_the_whole_run() {
        let pause = Duration::from_millis(1500);
        let asked = verdict(Class::Transient, 1, Some(pause));
        assert_eq!(asked, Verdict::Again { after: pause, hold: Hold::Run });
        let day = Duration::from_secs(86_400);
        let asked = verdict(Class::Transient, 1, Some(day));
        assert_eq!(asked, Verdict::Again { after: LONGEST_HINT, hold: Hold::Run });
    }

    #[test]
    fn a_limit_of_a_call_holds_only_the_call() {
        let pause = |n, hint| match verdict(Class::CallLimit, n, hint) {
            Verdict::Again { after, hold: Hold::CallOutOfWork } => Some(after.as_millis()),
            _ => None,
        };
        let pauses = (1..=6).map(|n| pause(n, None)).collect::<Vec<_>>();
        assert_eq!(pauses, [Some(250), Some(500), Some(1000), Some(2000), Some(4000), None]);
        assert_eq!(pause(1, Some(Duration::from_secs(9))), Some(9_000));
        assert_eq!(verdict(Class::CallLimit, 6, None), Verdict::Exhausted);
    }

    #[test]
    fn a_throttled_call_has_no_pause_and_uses_up_its_attempts() {
        assert_eq!(verdict(Class::Throttle, 1, Some(Duration::from_secs(1))), Verdict::AT_ONCE);
        assert_eq!(verdict(Class::Throttle, 6, None), Verdict::Exhausted);
    }

    #[test]
    fn a_clock_error_is_tried_once_more_and_a_fatal_one_never() {
        assert_eq!(verdict(Class::Clock, 1, None), Verdict::AT_ONCE);
        assert_eq!(verdict(Class::Clock, 2, None), Verdict::Stop(codes::SET_CLOCK));
        assert_eq!(verdict(Class::Fatal("do this"), 1, None), Verdict::Stop("do this"));
        assert!(matches!(verdict(Class::Route("do that"), 1, None), Verdict::Again { .. }));
        assert_eq!(verdict(Class::Route("do that"), 2, None), Verdict::Stop("do that"));
    }

    #[test]
    fn a_corrected_clock_gets_one_more_try() {
        let fault = answer(Body::Error(Class::Clock), None);
        let true_time = Corrections { clock: true, ..Corrections::default() };
        // Earlier failures of the call do not matter.
        assert_eq!(decide(&Policy::default(), 5, &fault, true_time, 0.0), Verdict::AT_ONCE);
        assert_eq!(decide(&Policy::default(), 6, &fault, true_time, 0.0), Verdict::Exhausted);
        let with_provider_time = Answer { by_provider_time: true, ..fault };
        assert_eq!(
            decide(&Policy::default(), 1, &with_provider_time, true_time, 0.0),
            Verdict::Stop(codes::SET_CLOCK)
        );
    }

    #[test]
    fn an_expired_token_stops_the_run_unless_there_is_another() {
        let expired = answer(Body::Error(Class::Token("renew it")), None);
        let with =
            |key| decide(&Policy::default(), 1, &expired, Corrections { key, ..Corrections::default() }, 0.0);
        assert_eq!((with(false), with(true)), (Verdict::Stop("renew it"), Verdict::AT_ONCE));
    }

    #[test]
    fn a_used_nonce_is_replaced_at_once_and_then_transient() {
        assert_eq!(verdict(Class::Nonce, 1, None), Verdict::AT_ONCE);
        assert_eq!(verdict(Class::Nonce, 2, None), verdict(Class::Transient, 2, None));
        assert_eq!(verdict(Class::Nonce, 6, None), Verdict::Exhausted);
    }
}
