//! What many answers together say about the run as a whole: told once as a warning, and kept for summary and report.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::TimeDelta;

use crate::provider::codes;
use crate::provider::wire::{Answer, Body};

/// So many answers in a row with the same suspicious code, and no record so far, are no accident.
const IN_A_ROW: u32 = 10;

/// Listens to all answers of a run.
#[derive(Debug, Clone, Default)]
pub struct Anomalies(Arc<Mutex<Seen>>);

#[derive(Debug, Default)]
struct Seen {
    /// A record was found: then permission and product are right.
    found: bool,
    code: String,
    in_a_row: u32,
    notes: Vec<String>,
}

impl Anomalies {
    /// What was found out so far, in sentences.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        self.lock().notes.clone()
    }

    /// Hears an answer.
    pub(super) fn hear(&self, answer: &Answer) {
        let mut heard = self.lock();
        let suspicion = codes::suspicion(&answer.code);
        if matches!(answer.body, Body::Data(_)) || suspicion.is_none() {
            heard.found |= matches!(answer.body, Body::Data(_));
            heard.in_a_row = 0;
            return;
        }
        if heard.code != answer.code {
            (heard.code, heard.in_a_row) = (answer.code.clone(), 0);
        }
        heard.in_a_row += 1;
        if let Some(advice) = suspicion.filter(|_| heard.in_a_row == IN_A_ROW && !heard.found) {
            heard.say(format!(
                "{IN_A_ROW} answers in a row were {} and no record was found: {advice}",
                answer.code
            ));
        }
    }

    /// The machine's clock is so far behind the provider's.
    pub(super) fn clock_is_off(&self, behind: TimeDelta) {
        // `Date` has whole seconds: to the minute is all that can be said.
        let minutes = (behind.num_seconds().unsigned_abs() + 30) / 60;
        let far = humantime::format_duration(Duration::from_secs(60 * minutes));
        let side = if behind < TimeDelta::zero() { "ahead of" } else { "behind" };
        self.lock().say(format!(
            "this machine's clock is {far} {side} the provider's; requests are signed with the provider's time. \
             Set the clock (NTP): how old a call is, and with it pending or not_found, is still told by it"
        ));
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        // What it guards is whole at every moment.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seen {
    fn say(&mut self, note: String) {
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

    fn hear(watch: &Anomalies, code: &str, times: u32) {
        let data = if code == "OK" { r#","Data":"{\"state\":1}""# } else { "" };
        for _ in 0..times {
            watch.hear(&understand(&Reply::received(200, format!(r#"{{"Code":"{code}"{data}}}"#))));
        }
    }

    #[test]
    fn many_gateway_errors_in_a_row_are_suspected_once() {
        let watch = Anomalies::default();
        hear(&watch, "isp.GATEWAY_ERROR", IN_A_ROW - 1);
        hear(&watch, "isp.SYSTEM_ERROR", 1);
        hear(&watch, "isp.GATEWAY_ERROR", IN_A_ROW - 1);
        assert_eq!(watch.notes(), Vec::<String>::new());
        hear(&watch, "isp.GATEWAY_ERROR", 10 * IN_A_ROW);
        let notes = watch.notes();
        assert!(notes.len() == 1 && notes[0].contains("dyvms:QueryCallDetailByCallId"), "{notes:?}");
        hear(&watch, "InvalidParameter.date", IN_A_ROW);
        assert!(watch.notes().len() == 2 && watch.notes()[1].contains("called_at"), "{:?}", watch.notes());
    }

    #[test]
    fn where_a_record_was_found_nothing_is_suspected() {
        let watch = Anomalies::default();
        hear(&watch, "OK", 1);
        hear(&watch, "isp.GATEWAY_ERROR", 10 * IN_A_ROW);
        assert_eq!(watch.notes(), Vec::<String>::new());
    }

    #[test]
    fn a_clock_is_said_to_be_behind_or_ahead() {
        let watch = Anomalies::default();
        watch.clock_is_off(TimeDelta::minutes(-75));
        assert!(watch.notes()[0].contains("1h 15m ahead of the provider's"), "{:?}", watch.notes());
    }
}
