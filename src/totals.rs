//! What is counted, and the tie-out.
//!
//! Owns [`Totals`], what the files say of them ([`Written`]), and the lines of the contract that must foot. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::ser::SerializeStruct as _;

use crate::audit::Evidence;
use crate::call::CallKey;
use crate::detail::Status;
use crate::discrepancy::Kind;

/// The ledger's and the provider's figure for the same calls.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BothSides {
    /// Calls for which both sides give a value.
    pub calls: u64,
    /// Sum over the ledger's values.
    pub ledger: i64,
    /// Sum over the provider's values.
    pub provider: i64,
}

/// With the difference, which is what a reader looks for.
impl serde::Serialize for BothSides {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("BothSides", 4)?;
        fields.serialize_field("calls", &self.calls)?;
        fields.serialize_field("ledger", &self.ledger)?;
        fields.serialize_field("provider", &self.provider)?;
        fields.serialize_field("difference", &self.provider.saturating_sub(self.ledger))?;
        fields.end()
    }
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
    pub discrepancies: BTreeMap<Kind, u64>,
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
        *self.discrepancies.entry(kind).or_default() += 1;
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

/// The record of what this process sent, for people: as many windows as it took, and what was tried again.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Sending {
    /// Windows of the cap that share a point; 1 unless the run took very long.
    pub windows_per_point: u64,
    /// From the first request on.
    pub points: Vec<SendingPoint>,
    /// Tries that were followed by another one, by the code that came back.
    pub tried_again: Vec<(String, u64)>,
}

/// One window of the cap, or the fullest of several.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct SendingPoint {
    /// Which, from 0.
    pub point: u64,
    /// The requests sent in it.
    pub requests: u64,
    /// Of those of the point, the ones that the provider throttled.
    pub throttled: u64,
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

/// What details and discrepancies say once they are written, read back from the files themselves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Written {
    /// Rows of the details, by status.
    by_status: BTreeMap<String, u64>,
    /// Of the found ones, those without a discrepancy.
    clean: u64,
    /// And those with one at least.
    with_discrepancies: u64,
    /// The sum of the details' column `discrepancies`.
    counted: u64,
    /// The same, each call weighed with its fingerprint.
    counted_by_call: u128,
    /// Rows of the discrepancy file, by kind.
    by_kind: BTreeMap<String, u64>,
    /// Those that name a call of the details, weighed in the same way.
    named_by_call: u128,
}

impl Written {
    /// Counts a row of the details.
    pub fn add_call(&mut self, status: &str, discrepancies: u64) {
        add(&mut self.by_status, status);
        if status == Status::Found.as_str() {
            self.clean += u64::from(discrepancies == 0);
            self.with_discrepancies += u64::from(discrepancies > 0);
        }
        self.counted += discrepancies;
    }

    /// Counts how many discrepancies a row of the details says that its call has.
    pub fn add_discrepancies_of(&mut self, call: &CallKey, discrepancies: u64) {
        let weighed = call.fingerprint().wrapping_mul(discrepancies.into());
        self.counted_by_call = self.counted_by_call.wrapping_add(weighed);
    }

    /// Counts a row of the discrepancy file; an unusable row of the ledger names no call.
    pub fn add_discrepancy(&mut self, kind: &str, call: Option<&CallKey>) {
        add(&mut self.by_kind, kind);
        if let Some(call) = call {
            self.named_by_call = self.named_by_call.wrapping_add(call.fingerprint());
        }
    }

    /// Takes over what another part of the same files says.
    pub fn add(&mut self, other: Self) {
        let Self { by_status, clean, with_discrepancies, counted, counted_by_call, by_kind, named_by_call } =
            other;
        for (counts, others) in [(&mut self.by_status, by_status), (&mut self.by_kind, by_kind)] {
            others.into_iter().for_each(|(word, count)| *counts.entry(word).or_default() += count);
        }
        self.clean += clean;
        self.with_discrepancies += with_discrepancies;
        self.counted += counted;
        self.counted_by_call = self.counted_by_call.wrapping_add(counted_by_call);
        self.named_by_call = self.named_by_call.wrapping_add(named_by_call);
    }

    fn status(&self, status: Status) -> u64 {
        self.by_status.get(status.as_str()).copied().unwrap_or(0)
    }

    fn kind(&self, kind: Kind) -> u64 {
        self.by_kind.get(kind.as_str()).copied().unwrap_or(0)
    }

    /// Whether what was counted while writing is what was written.
    fn is_what_was_counted(&self, t: &Totals) -> bool {
        let statuses = [
            (Status::Found, t.found),
            (Status::NotFound, t.not_found),
            (Status::Pending, t.pending),
            (Status::Failed, t.failed),
            (Status::Deferred, t.deferred),
        ];
        let kinds = t.discrepancies.iter().map(|(kind, n)| (kind.as_str().to_owned(), *n));
        statuses.iter().all(|(status, n)| self.status(*status) == *n)
            && self.by_status.values().sum::<u64>() == t.calls
            && (self.clean, self.with_discrepancies) == (t.clean, t.with_discrepancies)
            && (self.kind(Kind::InvalidRow), self.kind(Kind::Duplicate)) == (t.invalid, t.duplicates)
            && self.by_kind == kinds.collect()
    }
}

fn add(counts: &mut BTreeMap<String, u64>, word: &str) {
    match counts.get_mut(word) {
        Some(count) => *count += 1,
        None => drop(counts.insert(word.to_owned(), 1)),
    }
}

fn line(rule: &'static str, numbers: String, foots: bool) -> TieOutLine {
    TieOutLine { rule, numbers, foots }
}

/// A sum and its parts.
fn sum(rule: &'static str, whole: u64, parts: &[u64]) -> TieOutLine {
    let texts: Vec<String> = parts.iter().map(u64::to_string).collect();
    line(rule, format!("{whole} = {}", texts.join(" + ")), whole == parts.iter().sum::<u64>())
}

/// The tie-out of the contract, section 5, and what the two data files owe one another: from the ledger's rows as they
/// were read, the files as they were written and the store's record. A line that does not foot is a bug.
#[must_use]
pub fn tie_out(t: &Totals, w: &Written, x: &Traffic, cap_requests: u64) -> Vec<TieOutLine> {
    let (invalid, calls) = (w.kind(Kind::InvalidRow), w.by_status.values().sum());
    let statuses = [Status::Found, Status::NotFound, Status::Pending, Status::Failed, Status::Deferred];
    let found = w.status(Status::Found);
    let rows = w.by_kind.values().sum();
    let most = x.evidence.most_in_any_window;
    vec![
        sum("rows = invalid + duplicates + calls", t.rows, &[invalid, w.kind(Kind::Duplicate), calls]),
        sum(
            "calls = found + not_found + pending + failed + deferred",
            calls,
            &statuses.map(|status| w.status(status)),
        ),
        sum("found = clean + with_discrepancies", found, &[w.clean, w.with_discrepancies]),
        sum("discrepancies = invalid + those of the calls", rows, &[invalid, w.counted]),
        line(
            "each call has as many discrepancies as its row says",
            format!("{} of {calls} calls", calls.saturating_sub(w.clean)),
            w.counted_by_call == w.named_by_call,
        ),
        line(
            "the files hold what was counted",
            format!("{calls} calls, {rows} discrepancies"),
            w.is_what_was_counted(t),
        ),
        sum(
            "requests = first_tries + retries + other_day_tries",
            x.requests,
            &[x.first_tries, x.retries, x.other_day_tries],
        ),
        line("most_in_any_window <= cap", format!("{most} <= {cap_requests}"), most <= cap_requests),
    ]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::call::ProductId;
    use crate::parse;

    fn call(id: &str) -> CallKey {
        CallKey { call_id: id.into(), prod_id: ProductId(7), day: parse::day("2026-11-16").unwrap() }
    }

    /// Three rows: a clean call, one with two mismatches, and one that cannot be used.
    fn counted() -> Totals {
        let mut t = Totals { rows: 3, invalid: 1, ..Totals::default() };
        t.add_call(Status::Found, 0);
        t.add_call(Status::Found, 2);
        for kind in [Kind::Mismatch, Kind::Mismatch, Kind::InvalidRow] {
            t.add_discrepancy(kind);
        }
        t
    }

    /// call, status, discrepancies
    type Detail = (&'static str, &'static str, u64);
    /// kind, call
    type Found = (&'static str, Option<&'static str>);

    /// As the files have it.
    fn written(details: &[Detail], discrepancies: &[Found]) -> Written {
        let mut w = Written::default();
        for (id, status, n) in details {
            w.add_call(status, *n);
            w.add_discrepancies_of(&call(id), *n);
        }
        discrepancies.iter().for_each(|(kind, id)| w.add_discrepancy(kind, id.map(call).as_ref()));
        w
    }

    /// The rules that do not foot.
    fn broken(w: &Written) -> Vec<&'static str> {
        let lines = tie_out(&counted(), w, &Traffic::default(), 100);
        lines.iter().filter(|line| !line.foots).map(|line| line.rule).collect()
    }

    #[test]
    fn files_that_hold_what_was_counted_foot() {
        let details = [("a", "found", 0), ("b", "found", 2)];
        let discrepancies = [("mismatch", Some("b")), ("mismatch", Some("b")), ("invalid_row", None)];
        assert_eq!(broken(&written(&details, &discrepancies)), Vec::<&str>::new());
    }

    #[test]
    fn a_row_that_is_lost_doubled_or_changed_in_either_file_does_not_foot() {
        let details = [("a", "found", 0), ("b", "found", 2)];
        let good = [("mismatch", Some("b")), ("mismatch", Some("b")), ("invalid_row", None)];
        let each_call = "each call has as many discrepancies as its row says";
        let cases: [(&[Detail], &[Found], &str); 7] = [
            (&details[..1], &good, "rows = invalid + duplicates + calls"),
            (&[details[0], details[1], details[1]], &good, "rows = invalid + duplicates + calls"),
            (
                &[("a", "found", 0), ("b", "lost", 2)],
                &good,
                "calls = found + not_found + pending + failed + deferred",
            ),
            (&[("a", "found", 1), ("b", "found", 1)], &good, "the files hold what was counted"),
            (&details, &good[1..], "discrepancies = invalid + those of the calls"),
            (&details, &[good[0], ("mismatch", Some("a")), good[2]], each_call),
            (&details, &[good[0], ("other_day", Some("b")), good[2]], "the files hold what was counted"),
        ];
        for (details, discrepancies, rule) in cases {
            let rules = broken(&written(details, discrepancies));
            assert!(rules.contains(&rule), "{rule} is not among {rules:?}");
        }
    }

    #[test]
    fn requests_and_the_cap_must_foot_too() {
        let evidence = Evidence { most_in_any_window: 101, ..Evidence::default() };
        let x = Traffic { requests: 3, first_tries: 2, evidence, ..Traffic::default() };
        let lines = tie_out(&Totals::default(), &Written::default(), &x, 100);
        let broken: Vec<&str> = lines.iter().filter(|l| !l.foots).map(|l| l.numbers.as_str()).collect();
        assert_eq!(broken, ["3 = 2 + 0 + 0", "101 <= 100"]);
    }
}
