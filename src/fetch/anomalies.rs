//! Findings over many answers. Each finding is logged once as a warning, and is noted in summary
//! and report.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::failures::Failures;
use crate::locked::lock;
use crate::provider::codes::{self, Class, Suspicion};
use crate::provider::wire::{Answer, Body};

/// After this many answers in a row with the same suspicious code, and no record so far, there is a
/// warning.
pub const IN_A_ROW: u32 = 10;

/// Two clocks agree within this difference. `Date` has whole seconds.
const CLOCK_TOLERANCE: TimeDelta = TimeDelta::seconds(60);

/// A finding over many answers. `Display` is the note in English.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AnswerNote {
    /// Many answers in a row had the same suspicious code.
    Suspicion {
        /// The code.
        code: String,
        /// What it may mean.
        advice: Suspicion,
    },
    /// This machine's clock and the provider's differ.
    WrongClock {
        /// By how many minutes.
        minutes: u64,
        /// True if this machine's clock is ahead of the provider's.
        is_ahead: bool,
    },
}

impl fmt::Display for AnswerNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Suspicion { code, advice } => {
                write!(f, "{IN_A_ROW} answers in a row were {code} and no record was found: {advice}")
            }
            Self::WrongClock { minutes, is_ahead } => {
                let far = humantime::format_duration(Duration::from_secs(60 * minutes));
                let side = if *is_ahead { "ahead of" } else { "behind" };
                write!(
                    f,
                    "this machine's clock is {far} {side} the provider's; the provider's clock decides how old a call \
                     is. Set this machine's clock (NTP)"
                )
            }
        }
    }
}

/// Watches all answers of a run.
#[derive(Debug, Clone, Default)]
pub struct Anomalies(Arc<Mutex<Seen>>);

#[derive(Debug, Default)]
struct Seen {
    /// True if a record was found: permission and product are right.
    found: bool,
    code: String,
    in_a_row: u32,
    notes: Vec<AnswerNote>,
    /// How far this machine's clock is behind the provider's. `None` until the clocks differ.
    behind: Option<TimeDelta>,
    clock_is_noted: bool,
    failures: Failures,
    kept_records: u64,
}

impl Anomalies {
    /// The findings so far.
    #[must_use]
    pub fn notes(&self) -> Vec<AnswerNote> {
        lock(&self.0).notes.clone()
    }

    /// The requests that failed. Throttled ones have their own count.
    #[must_use]
    pub fn failures(&self) -> Failures {
        lock(&self.0).failures.clone()
    }

    /// Calls of the ledger that failed on every attempt, and keep the record of an earlier run.
    #[must_use]
    pub fn kept_records(&self) -> u64 {
        lock(&self.0).kept_records
    }

    /// Counts such a call.
    pub(crate) fn record_is_kept(&self) {
        lock(&self.0).kept_records += 1;
    }

    /// Adds an answer.
    pub(super) fn observe(&self, answer: &Answer) {
        let mut seen = lock(&self.0);
        if matches!(answer.body, Body::Error(class) if class != Class::Throttle) {
            seen.failures.add(&answer.code, &answer.message);
        }
        let suspicion = codes::suspicion(&answer.code);
        if matches!(answer.body, Body::Data(_)) || suspicion.is_none() {
            seen.found |= matches!(answer.body, Body::Data(_));
            seen.in_a_row = 0;
            return;
        }
        if seen.code != answer.code {
            (seen.code, seen.in_a_row) = (answer.code.clone(), 0);
        }
        seen.in_a_row += 1;
        if let Some(advice) = suspicion.filter(|_| seen.in_a_row == IN_A_ROW && !seen.found) {
            seen.say(AnswerNote::Suspicion { code: answer.code.clone(), advice });
        }
    }

    /// When an answer came, by the provider's clock; `None` if the clocks agree.
    ///
    /// The provider's `Date` lies between the times at which the request was sent and the answer
    /// came. An answer without it is aged by the last difference.
    pub(super) fn provider_time(
        &self,
        answer: &Answer,
        asked_at: DateTime<Utc>,
        came_at: DateTime<Utc>,
    ) -> Option<DateTime<Utc>> {
        let date = answer.date.filter(|_| matches!(answer.body, Body::Data(_) | Body::NoRecord));
        if let Some(date) = date {
            let behind = (date - came_at).max(TimeDelta::zero()) + (date - asked_at).min(TimeDelta::zero());
            let is_off = behind.abs() > CLOCK_TOLERANCE;
            lock(&self.0).behind = is_off.then_some(behind);
            if is_off {
                self.clock_is_off(behind);
            }
        }
        lock(&self.0).behind.map(|behind| came_at + behind)
    }

    /// Notes once that this machine's clock is behind the provider's by this much.
    pub(super) fn clock_is_off(&self, behind: TimeDelta) {
        if std::mem::replace(&mut lock(&self.0).clock_is_noted, true) {
            return;
        }
        // `Date` has whole seconds, so the difference is known to the minute.
        let minutes = (behind.num_seconds().unsigned_abs() + 30) / 60;
        let is_ahead = behind < TimeDelta::zero();
        lock(&self.0).say(AnswerNote::WrongClock { minutes, is_ahead });
    }
}

impl Seen {
    fn say(&mut self, note: AnswerNote) {
        if !self.notes.contains(&note) {
            tracing::warn!("{note}");
            self.notes.push(note);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::wire::{Reply, understand};

    fn observe(anomalies: &Anomalies, code: &str, times: u32) {
        let data = if code == "OK" { r#","Data":"{\"state\":1}""# } else { "" };
        for _ in 0..times {
            anomalies.observe(&understand(&Reply::received(200, format!(r#"{{"Code":"{code}"{data}}}"#))));
        }
    }

    #[test]
    fn many_gateway_errors_in_a_row_cause_one_warning() {
        let anomalies = Anomalies::default();
        observe(&anomalies, "isp.GATEWAY_ERROR", IN_A_ROW - 1);
        observe(&anomalies, "isp.SYSTEM_ERROR", 1);
        observe(&anomalies, "isp.GATEWAY_ERROR", IN_A_ROW - 1);
        assert_eq!(anomalies.notes(), []);
        observe(&anomalies, "isp.GATEWAY_ERROR", 10 * IN_A_ROW);
        let notes = anomalies.notes();
        assert!(
            notes.len() == 1 && notes[0].to_string().contains("dyvms:QueryCallDetailByCallId"),
            "{notes:?}"
        );
        observe(&anomalies, "InvalidParameter.date", IN_A_ROW);
        assert!(
            anomalies.notes().len() == 2 && anomalies.notes()[1].to_string().contains("called_at"),
            "{:?}",
            anomalies.notes()
        );
    }

    #[test]
    fn after_a_found_record_there_is_no_warning() {
        let anomalies = Anomalies::default();
        observe(&anomalies, "OK", 1);
        observe(&anomalies, "isp.GATEWAY_ERROR", 10 * IN_A_ROW);
        assert_eq!(anomalies.notes(), []);
    }

    #[test]
    fn a_slow_answer_is_no_wrong_clock() {
        let at = |seconds| DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds);
        let anomalies = Anomalies::default();
        let mut answer = understand(&Reply::received(200, r#"{"Code":"OK"}"#));
        let mut time = |date: Option<i64>| {
            answer.date = date.map(at);
            anomalies.provider_time(&answer, at(1_000), at(1_300))
        };
        assert_eq!(time(None), None);
        for date in [940, 1_000, 1_150, 1_360] {
            assert_eq!(time(Some(date)), None, "{date}");
        }
        assert_eq!(time(Some(1_361)), Some(at(1_361)));
        assert_eq!(time(None), Some(at(1_361)), "the difference is known");
        assert_eq!(time(Some(400)), Some(at(700)));
        assert_eq!(time(Some(1_100)), None, "the clock was set");
        assert_eq!(anomalies.notes().len(), 1, "{:?}", anomalies.notes());
    }

    #[test]
    fn the_note_says_whether_the_clock_is_behind_or_ahead() {
        let anomalies = Anomalies::default();
        anomalies.clock_is_off(TimeDelta::minutes(-75));
        assert!(
            anomalies.notes()[0].to_string().contains("1h 15m ahead of the provider's"),
            "{:?}",
            anomalies.notes()
        );
    }
}
