//! What is counted, and the tie-out.
//!
//! Owns [`Totals`] and the four lines of the contract that must foot. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::audit::Evidence;
use crate::detail::Status;
use crate::discrepancy::Kind;

/// The ledger's and the provider's figure for the same calls.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct BothSides {
    /// Calls for which both sides give a value.
    pub calls: u64,
    /// Sum over the ledger's values.
    pub ledger: i64,
    /// Sum over the provider's values.
    pub provider: i64,
}

impl BothSides {
    /// Counts one call that both sides speak of.
    pub fn add(&mut self, ledger: i64, provider: i64) {
        self.calls += 1;
        self.ledger += ledger;
        self.provider += provider;
    }
}

/// What publishing counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Totals {
    /// Records of the ledger.
    pub rows: u64,
    /// Rows that could not be used.
    pub invalid: u64,
    /// Later rows that name the same call.
    pub duplicates: u64,
    /// Distinct calls.
    pub calls: u64,
    /// By status.
    pub found: u64,
    /// No record on any day asked.
    pub not_found: u64,
    /// No record yet, or not final.
    pub pending: u64,
    /// Look-ups that ended in an error.
    pub failed: u64,
    /// Of those, the ones that may succeed another time and make the run incomplete.
    pub exhausted: u64,
    /// Not asked.
    pub deferred: u64,
    /// Found, and nothing to say.
    pub clean: u64,
    /// Found, with discrepancies.
    pub with_discrepancies: u64,
    /// Discrepancies by kind.
    pub discrepancies: BTreeMap<&'static str, u64>,
    /// Calls whose answer was in the store before this process began.
    pub from_store: u64,
}

impl Totals {
    /// Counts one call.
    pub fn add_call(&mut self, status: Status, discrepancies: u64) {
        self.calls += 1;
        match status {
            Status::Found => self.found += 1,
            Status::NotFound => self.not_found += 1,
            Status::Pending => self.pending += 1,
            Status::Failed => self.failed += 1,
            Status::Deferred => self.deferred += 1,
        }
        if status == Status::Found {
            if discrepancies == 0 {
                self.clean += 1;
            } else {
                self.with_discrepancies += 1;
            }
        }
    }

    /// Counts one row of the discrepancy file.
    pub fn add_discrepancy(&mut self, kind: Kind) {
        *self.discrepancies.entry(kind.as_str()).or_default() += 1;
    }

    /// All rows of the discrepancy file.
    #[must_use]
    pub fn discrepancies_total(&self) -> u64 {
        self.discrepancies.values().sum()
    }
}

/// What this process sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// All requests.
    pub requests: u64,
    /// First try of a call.
    pub first_tries: u64,
    /// Further tries of the same question.
    pub retries: u64,
    /// First try on the neighbouring day.
    pub other_day_tries: u64,
    /// Answers in which the provider throttled.
    pub throttled: u64,
    /// What the record of them says of the cap.
    pub evidence: Evidence,
    /// How the provider slowed the run down.
    pub slowdown: Slowdown,
}

/// How often and how long a run was slowed down by a provider that throttles although the cap holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Slowdown {
    /// How often the rate was halved.
    pub halvings: u64,
    /// How long nobody could send.
    pub held: Duration,
    /// How long the rate was below the cap.
    pub slowed: Duration,
}

impl Slowdown {
    /// In words, if there was any.
    #[must_use]
    pub fn text(&self) -> Option<String> {
        let times = match self.halvings {
            0 => return None,
            1 => "once".to_owned(),
            n => format!("{n} times"),
        };
        let (held, slowed) = (self.held.as_secs_f64(), self.slowed.as_secs_f64());
        Some(format!(
            "the provider throttled although the cap held, so others use the account: the rate was halved {times}, \
             nothing was sent for {held:.0} s, and {slowed:.0} s passed below the cap"
        ))
    }
}

/// One line of the tie-out.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct TieOutLine {
    /// The equation in words.
    pub rule: &'static str,
    /// The same with its numbers.
    pub numbers: String,
    /// Whether it foots.
    pub foots: bool,
}

/// The tie-out of the contract, section 5. A line that does not foot is a bug.
#[must_use]
pub fn tie_out(t: &Totals, x: &Traffic, cap_requests: u64) -> Vec<TieOutLine> {
    vec![
        TieOutLine {
            rule: "rows = invalid + duplicates + calls",
            numbers: format!("{} = {} + {} + {}", t.rows, t.invalid, t.duplicates, t.calls),
            foots: t.rows == t.invalid + t.duplicates + t.calls,
        },
        TieOutLine {
            rule: "calls = found + not_found + pending + failed + deferred",
            numbers: format!(
                "{} = {} + {} + {} + {} + {}",
                t.calls, t.found, t.not_found, t.pending, t.failed, t.deferred
            ),
            foots: t.calls == t.found + t.not_found + t.pending + t.failed + t.deferred,
        },
        TieOutLine {
            rule: "found = clean + with_discrepancies",
            numbers: format!("{} = {} + {}", t.found, t.clean, t.with_discrepancies),
            foots: t.found == t.clean + t.with_discrepancies,
        },
        TieOutLine {
            rule: "requests = first_tries + retries + other_day_tries",
            numbers: format!("{} = {} + {} + {}", x.requests, x.first_tries, x.retries, x.other_day_tries),
            foots: x.requests == x.first_tries + x.retries + x.other_day_tries,
        },
        TieOutLine {
            rule: "most_in_any_window <= cap",
            numbers: format!("{} <= {cap_requests}", x.evidence.most_in_any_window),
            foots: x.evidence.most_in_any_window <= cap_requests,
        },
    ]
}
