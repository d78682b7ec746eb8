//! The tie-out: the equations between ledger, details, discrepancies and requests that must hold.
//!
//! [`tie_out`] checks them on [`Written`], which is read back from the written files.

use std::collections::BTreeMap;
use std::fmt;

use crate::accounts::{AccountFigures, add_up};
use crate::call::CallKey;
use crate::discrepancy::Kind;
use crate::receipt::JoinCounts;
use crate::resolution::DecisionCounts;
use crate::status::Status;
use crate::totals::Totals;
use crate::traffic::Traffic;

/// The word of a row without a decision.
const OPEN: &str = "open";

/// A rule of the tie-out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "`as_str` says what they require")]
pub enum Rule {
    Rows,
    Calls,
    Found,
    Discrepancies,
    DiscrepanciesOfEachCall,
    Decisions,
    AsCounted,
    Requests,
    Cap,
    Accounts,
    Receipts,
}

impl Rule {
    /// Every rule, in the order of the tie-out.
    pub const ALL: [Self; 11] = [
        Self::Rows,
        Self::Calls,
        Self::Found,
        Self::Discrepancies,
        Self::DiscrepanciesOfEachCall,
        Self::Decisions,
        Self::AsCounted,
        Self::Requests,
        Self::Cap,
        Self::Accounts,
        Self::Receipts,
    ];

    /// The rule in the words of the summary.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rows => "rows = invalid + duplicates + calls",
            Self::Calls => "calls = found + not_found + pending + failed + deferred",
            Self::Found => "found = clean + with_discrepancies + not_compared",
            Self::Discrepancies => "discrepancies = invalid + those of the calls + those of other calls",
            Self::DiscrepanciesOfEachCall => "each call has as many discrepancies as its row says",
            Self::Decisions => "discrepancies = open + accepted + disputed + corrected + written_off",
            Self::AsCounted => "the files hold what was counted",
            Self::Requests => "requests = first_tries + retries + other_day_tries",
            Self::Cap => "most_in_any_window <= cap",
            Self::Receipts => "calls with receipts = in_ledger + missing_in_ledger + on other days",
            Self::Accounts => "the accounts sum up to the totals, and each keeps its cap",
        }
    }
}

impl serde::Serialize for Rule {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// The numbers of a rule. `Display` is the text of the summary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Numbers {
    /// A sum.
    Sum {
        /// The sum.
        whole: u64,
        /// Its parts.
        parts: Vec<u64>,
    },
    /// A part of the calls.
    PartOfCalls {
        /// The part.
        part: u64,
        /// All calls.
        calls: u64,
    },
    /// What the files hold.
    Files {
        /// Calls.
        calls: u64,
        /// Discrepancies.
        discrepancies: u64,
    },
    /// What the accounts have together.
    Accounts {
        /// Their number.
        accounts: u64,
        /// Calls.
        calls: u64,
        /// Requests.
        requests: u64,
    },
    /// A number and its limit.
    Limit {
        /// The number.
        number: u64,
        /// The limit.
        limit: u64,
    },
}

impl fmt::Display for Numbers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sum { whole, parts } => {
                let parts: Vec<String> = parts.iter().map(u64::to_string).collect();
                write!(f, "{whole} = {}", parts.join(" + "))
            }
            Self::PartOfCalls { part, calls } => write!(f, "{part} of {calls} calls"),
            Self::Files { calls, discrepancies } => {
                write!(f, "{calls} calls, {discrepancies} discrepancies")
            }
            Self::Accounts { accounts, calls, requests } => {
                write!(f, "{accounts} accounts: {calls} calls, {requests} requests")
            }
            Self::Limit { number, limit } => write!(f, "{number} <= {limit}"),
        }
    }
}

impl serde::Serialize for Numbers {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// One line of the tie-out.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct TieOutLine {
    /// The rule.
    pub rule: Rule,
    /// The rule's numbers.
    pub numbers: Numbers,
    /// True if the numbers obey the rule. Accountants say that the line foots.
    #[serde(rename = "foots")]
    pub adds_up: bool,
}

/// The counts of the written details and discrepancies, read back from the files.
///
/// Statuses and kinds are counted by their words in the files. So an unknown word is noticed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Written {
    /// Rows of the details by the word in the column `status`.
    by_status: BTreeMap<String, u64>,
    /// Found calls without discrepancies. The files do not say what was compared of them.
    without_discrepancies: u64,
    /// Found calls with discrepancies.
    with_discrepancies: u64,
    /// The sum of the details' column `discrepancies`.
    counted: u64,
    /// The same sum, with each call's number multiplied by the call's fingerprint.
    counted_by_call: u128,
    /// Rows of the discrepancy file by the word in the column `kind`.
    by_kind: BTreeMap<String, u64>,
    /// Rows of the discrepancy file by the word in the column `resolution`.
    by_decision: BTreeMap<String, u64>,
    /// The sum of the fingerprints of the ledger's calls in the discrepancy file.
    named_by_call: u128,
    /// Rows of the discrepancy file about calls that the ledger does not name.
    of_other_calls: u64,
}

/// What a row of the discrepancy file is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About<'a> {
    /// A call of the ledger.
    Call(&'a CallKey),
    /// An unusable row of the ledger.
    UnusableRow,
    /// A call that the ledger does not name.
    OtherCall,
}

impl<'a> About<'a> {
    /// What a row is about that names this call. `has_line` is true if it has a line of the ledger.
    #[must_use]
    pub fn new(has_line: bool, call: Option<&'a CallKey>) -> Self {
        match call {
            _ if !has_line => Self::OtherCall,
            Some(call) => Self::Call(call),
            None => Self::UnusableRow,
        }
    }
}

impl Written {
    /// Counts a row of the details.
    pub fn add_call(&mut self, status: &str, discrepancies: u64) {
        add(&mut self.by_status, status);
        if status == Status::Found.as_str() {
            self.without_discrepancies += u64::from(discrepancies == 0);
            self.with_discrepancies += u64::from(discrepancies > 0);
        }
        self.counted += discrepancies;
    }

    /// Counts the discrepancies that a row of the details gives for its call.
    pub fn add_discrepancies_of(&mut self, call: &CallKey, discrepancies: u64) {
        let weight = call.fingerprint().wrapping_mul(discrepancies.into());
        self.counted_by_call = self.counted_by_call.wrapping_add(weight);
    }

    /// Counts a row of the discrepancy file by its `kind` and its `resolution`, which is empty for
    /// an open one.
    pub fn add_discrepancy(&mut self, kind: &str, resolution: &str, about: About<'_>) {
        add(&mut self.by_kind, kind);
        add(&mut self.by_decision, if resolution.is_empty() { OPEN } else { resolution });
        match about {
            About::Call(call) => {
                self.named_by_call = self.named_by_call.wrapping_add(call.fingerprint());
            }
            About::UnusableRow => {}
            About::OtherCall => self.of_other_calls += 1,
        }
    }

    /// Adds the counts of another part of the same files.
    pub fn add(&mut self, other: Self) {
        let Self {
            by_status,
            without_discrepancies,
            with_discrepancies,
            counted,
            counted_by_call,
            by_kind,
            by_decision,
            named_by_call,
            of_other_calls,
        } = other;
        for (counts, others) in [
            (&mut self.by_status, by_status),
            (&mut self.by_kind, by_kind),
            (&mut self.by_decision, by_decision),
        ] {
            others.into_iter().for_each(|(word, count)| *counts.entry(word).or_default() += count);
        }
        self.without_discrepancies += without_discrepancies;
        self.with_discrepancies += with_discrepancies;
        self.counted += counted;
        self.counted_by_call = self.counted_by_call.wrapping_add(counted_by_call);
        self.named_by_call = self.named_by_call.wrapping_add(named_by_call);
        self.of_other_calls += of_other_calls;
    }

    /// True if these are all rows of `other` that have a decision, and only these.
    #[must_use]
    pub fn has_decisions_of(&self, other: &Self) -> bool {
        let decided = |(word, _): &(&String, &u64)| *word != OPEN;
        self.by_decision.iter().eq(other.by_decision.iter().filter(decided))
    }

    fn with_status(&self, status: Status) -> u64 {
        self.by_status.get(status.as_str()).copied().unwrap_or(0)
    }

    /// The rows by the words of [`DecisionCounts::by_word`], in its order.
    fn by_decision(&self) -> [u64; 5] {
        let rows = |(word, _)| self.by_decision.get(word).copied().unwrap_or(0);
        DecisionCounts::default().by_word().map(rows)
    }

    fn of_kind(&self, kind: Kind) -> u64 {
        self.by_kind.get(kind.as_str()).copied().unwrap_or(0)
    }

    /// Rows of the details.
    fn calls(&self) -> u64 {
        self.by_status.values().sum()
    }

    /// True if the files contain what was counted while they were written.
    fn is_equal_to(&self, t: &Totals) -> bool {
        let kinds = t.discrepancies.iter().map(|(kind, n)| (kind.as_str().to_owned(), *n));
        Status::ALL.into_iter().all(|status| self.with_status(status) == t.with_status(status))
            && self.calls() == t.calls
            && (self.without_discrepancies, self.with_discrepancies)
                == (t.clean + t.not_compared, t.with_discrepancies)
            && (self.of_kind(Kind::InvalidRow), self.of_kind(Kind::Duplicate)) == (t.invalid, t.duplicates)
            && self.by_kind == kinds.collect()
            && self.of_other_calls == t.of_other_calls
            && self.by_decision() == t.decisions.by_word().map(|(_, n)| n)
    }
}

fn add(counts: &mut BTreeMap<String, u64>, word: &str) {
    match counts.get_mut(word) {
        Some(count) => *count += 1,
        None => drop(counts.insert(word.to_owned(), 1)),
    }
}

fn line(rule: Rule, numbers: Numbers, adds_up: bool) -> TieOutLine {
    TieOutLine { rule, numbers, adds_up }
}

/// The line of a sum and its parts.
fn sum(rule: Rule, whole: u64, parts: &[u64]) -> TieOutLine {
    line(rule, Numbers::Sum { whole, parts: parts.to_vec() }, whole == parts.iter().sum::<u64>())
}

/// The lines of the tie-out that concern only what was counted.
#[must_use]
pub fn of_totals(t: &Totals) -> Vec<TieOutLine> {
    let of_kinds = |kinds: &[Kind]| kinds.iter().filter_map(|kind| t.discrepancies.get(kind)).sum::<u64>();
    let others = of_kinds(&[Kind::InvalidRow, Kind::Duplicate]) + t.of_other_calls;
    let rest = t.discrepancies_total() - others;
    vec![
        sum(Rule::Rows, t.rows, &[t.invalid, t.duplicates, t.calls]),
        sum(Rule::Calls, t.calls, &Status::ALL.map(|status| t.with_status(status))),
        sum(Rule::Found, t.found, &[t.clean, t.with_discrepancies, t.not_compared]),
        sum(
            Rule::Discrepancies,
            t.discrepancies_total(),
            &[t.invalid, t.duplicates + rest, t.of_other_calls],
        ),
        sum(Rule::Decisions, t.discrepancies_total(), &t.decisions.by_word().map(|(_, n)| n)),
    ]
}

/// The lines of the tie-out.
///
/// `t` was counted while the rows were read and written, `w` was read back from the written files,
/// and `x` comes from the store. A line that does not add up is a bug.
#[must_use]
pub fn tie_out(t: &Totals, w: &Written, x: &Traffic, cap_requests: u64) -> Vec<TieOutLine> {
    let (invalid, duplicates, calls) = (w.of_kind(Kind::InvalidRow), w.of_kind(Kind::Duplicate), w.calls());
    let by_status = Status::ALL.map(|status| w.with_status(status));
    let found = w.with_status(Status::Found);
    let rows = w.by_kind.values().sum();
    let most = x.evidence.most_in_any_window;
    vec![
        sum(Rule::Rows, t.rows, &[invalid, duplicates, calls]),
        sum(Rule::Calls, calls, &by_status),
        sum(
            Rule::Found,
            found,
            &[w.without_discrepancies.saturating_sub(t.not_compared), w.with_discrepancies, t.not_compared],
        ),
        sum(Rule::Discrepancies, rows, &[invalid, w.counted, w.of_other_calls]),
        line(
            Rule::DiscrepanciesOfEachCall,
            Numbers::PartOfCalls { part: calls.saturating_sub(w.without_discrepancies), calls },
            w.counted_by_call == w.named_by_call,
        ),
        sum(Rule::Decisions, rows, &w.by_decision()),
        line(Rule::AsCounted, Numbers::Files { calls, discrepancies: rows }, w.is_equal_to(t)),
        sum(Rule::Requests, x.requests, &[x.first_tries, x.retries, x.other_day_tries]),
        line(Rule::Cap, Numbers::Limit { number: most, limit: cap_requests }, most <= cap_requests),
    ]
}

/// The line of the tie-out about the accounts.
#[must_use]
pub fn of_accounts(t: &Totals, x: &Traffic, accounts: &[AccountFigures]) -> TieOutLine {
    let calls = accounts.iter().map(|account| account.totals.calls).sum();
    let requests = accounts.iter().map(|account| account.traffic.requests).sum();
    let numbers = Numbers::Accounts { accounts: accounts.len() as u64, calls, requests };
    line(Rule::Accounts, numbers, add_up(accounts, t, x))
}

/// The line of the tie-out about the receipts. The calls that the ledger lacks are read back.
#[must_use]
pub fn of_receipts(w: &Written, counts: &JoinCounts) -> TieOutLine {
    let JoinCounts { calls, answering, not_answering, outside, undated, .. } = *counts;
    let missing = w.of_kind(Kind::MissingInLedger);
    sum(Rule::Receipts, calls, &[answering + not_answering, missing, outside + undated])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::cap_audit::Evidence;
    use crate::discrepancy::Kind;
    use crate::product::ProductId;
    use crate::quick_parse;
    use crate::resolution::Decision;

    fn call(id: &str) -> CallKey {
        CallKey { call_id: id.into(), prod_id: ProductId(7), day: quick_parse::day("2026-11-16").unwrap() }
    }

    /// Three rows: a clean call, a call with two mismatches, and an unusable row.
    fn counted() -> Totals {
        let mut t = Totals { rows: 3, invalid: 1, ..Totals::default() };
        t.add_call(Status::Found, 0, true);
        t.add_call(Status::Found, 2, true);
        for kind in [Kind::Mismatch, Kind::Mismatch, Kind::InvalidRow] {
            t.add_discrepancy(kind, None);
        }
        t
    }

    /// A row of the details: call, status, discrepancies.
    type Detail = (&'static str, &'static str, u64);
    /// A row of the discrepancies: kind, call.
    type Found = (&'static str, Option<&'static str>);

    /// The counts of files with these rows.
    fn written(details: &[Detail], discrepancies: &[Found]) -> Written {
        let mut w = Written::default();
        for (id, status, n) in details {
            w.add_call(status, *n);
            w.add_discrepancies_of(&call(id), *n);
        }
        for (kind, id) in discrepancies {
            let call = id.map(call);
            w.add_discrepancy(kind, "", About::new(true, call.as_ref()));
        }
        w
    }

    /// The rules that do not add up.
    fn broken(w: &Written) -> Vec<&'static str> {
        let lines = tie_out(&counted(), w, &Traffic::default(), 100);
        lines.iter().filter(|line| !line.adds_up).map(|line| line.rule.as_str()).collect()
    }

    #[test]
    fn files_that_hold_what_was_counted_add_up() {
        let details = [("a", "found", 0), ("b", "found", 2)];
        let discrepancies = [("mismatch", Some("b")), ("mismatch", Some("b")), ("invalid_row", None)];
        assert_eq!(broken(&written(&details, &discrepancies)), Vec::<&str>::new());
    }

    #[test]
    fn a_lost_doubled_or_changed_row_is_noticed() {
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
            (&details, &good[1..], Rule::Discrepancies.as_str()),
            (&details, &[good[0], ("mismatch", Some("a")), good[2]], each_call),
            (&details, &[good[0], ("other_day", Some("b")), good[2]], "the files hold what was counted"),
        ];
        for (details, discrepancies, rule) in cases {
            let rules = broken(&written(details, discrepancies));
            assert!(rules.contains(&rule), "{rule} is not among {rules:?}");
        }
    }

    #[test]
    fn rows_of_other_calls_are_beside_those_of_the_calls() {
        let details = [("a", "found", 0), ("b", "found", 2)];
        let good = [("mismatch", Some("b")), ("mismatch", Some("b")), ("invalid_row", None)];
        let mut w = written(&details, &good);
        w.add_discrepancy("amended", "", About::OtherCall);
        assert!(broken(&w).contains(&Rule::AsCounted.as_str()), "it was not counted");
        let mut t = counted();
        t.add_discrepancy(Kind::Amended, None);
        assert!(!tie_out(&t, &w, &Traffic::default(), 100).iter().all(|line| line.adds_up));
        t.of_other_calls += 1;
        let lines = tie_out(&t, &w, &Traffic::default(), 100);
        assert!(lines.iter().all(|line| line.adds_up), "{lines:?}");
        assert_eq!(lines[3].numbers.to_string(), "4 = 1 + 2 + 1");
        assert_eq!(of_totals(&t)[3].numbers.to_string(), "4 = 1 + 2 + 1");
    }

    #[test]
    fn the_decisions_of_the_file_are_those_that_were_counted() {
        let rules = |word: &str| {
            let mut w = written(&[("a", "found", 1)], &[]);
            w.add_discrepancy("mismatch", word, About::Call(&call("a")));
            let mut t = Totals { rows: 1, ..Totals::default() };
            t.add_call(Status::Found, 1, true);
            t.add_discrepancy(Kind::Mismatch, Some(Decision::Accepted));
            let lines = tie_out(&t, &w, &Traffic::default(), 100);
            lines.into_iter().filter(|line| !line.adds_up).map(|line| line.rule).collect::<Vec<_>>()
        };
        assert_eq!(rules("accepted"), []);
        assert_eq!(rules("disputed"), [Rule::AsCounted]);
        assert_eq!(rules(""), [Rule::AsCounted]);
        assert_eq!(rules("agreed"), [Rule::Decisions, Rule::AsCounted]);
    }

    #[test]
    fn requests_and_the_cap_are_checked_too() {
        let evidence = Evidence { most_in_any_window: 101, ..Evidence::default() };
        let x = Traffic { requests: 3, first_tries: 2, evidence, ..Traffic::default() };
        let lines = tie_out(&Totals::default(), &Written::default(), &x, 100);
        let broken: Vec<String> =
            lines.iter().filter(|l| !l.adds_up).map(|l| l.numbers.to_string()).collect();
        assert_eq!(broken, ["3 = 2 + 0 + 0", "101 <= 100"]);
    }

    #[test]
    fn parts_of_the_files_count_as_the_whole() {
        let details = [("a", "found", 0), ("b", "found", 2), ("c", "pending", 1)];
        let found = [("mismatch", Some("b")), ("mismatch", Some("b")), ("pending", Some("c"))];
        let mut whole = written(&details, &found);
        whole.add_discrepancy("amended", "accepted", About::OtherCall);
        let mut parts = Written::default();
        for n in 0..3 {
            parts.add(written(&details[n..=n], &found[n..=n]));
        }
        let mut last = Written::default();
        last.add_discrepancy("amended", "accepted", About::OtherCall);
        parts.add(last);
        assert_eq!(parts, whole);
        assert_eq!((parts.counted, parts.of_other_calls, parts.calls()), (3, 1, 3));
        assert_eq!((parts.without_discrepancies, parts.with_discrepancies), (1, 1));
    }

    #[test]
    fn the_resolved_file_has_all_decided_rows_and_no_others() {
        let rows = |words: &[&str]| {
            let mut w = Written::default();
            words.iter().for_each(|word| w.add_discrepancy("mismatch", word, About::UnusableRow));
            w
        };
        let all = rows(&["", "accepted", "disputed", "accepted"]);
        assert!(rows(&["accepted", "accepted", "disputed"]).has_decisions_of(&all));
        assert!(!rows(&["accepted", "disputed"]).has_decisions_of(&all));
        assert!(!rows(&["accepted", "accepted"]).has_decisions_of(&all));
        assert!(!rows(&["", "accepted", "accepted", "disputed"]).has_decisions_of(&all));
    }

    #[test]
    fn every_count_of_the_files_is_compared_with_what_was_counted() {
        let w = written(
            &[("a", "found", 0), ("b", "found", 2)],
            &[("mismatch", Some("b")), ("mismatch", Some("b")), ("invalid_row", None)],
        );
        assert!(w.is_equal_to(&counted()));
        let changes: [fn(&mut Totals); 11] = [
            |t| t.found += 1,
            |t| t.pending += 1,
            |t| t.calls += 1,
            |t| t.clean += 1,
            |t| t.not_compared += 1,
            |t| t.with_discrepancies += 1,
            |t| t.invalid += 1,
            |t| t.duplicates += 1,
            |t| *t.discrepancies.entry(Kind::Mismatch).or_default() += 1,
            |t| t.of_other_calls += 1,
            |t| t.decisions.accepted += 1,
        ];
        for (at, change) in changes.into_iter().enumerate() {
            let mut t = counted();
            change(&mut t);
            assert!(!w.is_equal_to(&t), "change {at}");
        }
        // The files cannot tell a call without a compared value from a clean one.
        let t = Totals { clean: 0, not_compared: 1, ..counted() };
        assert!(w.is_equal_to(&t));
    }

    #[test]
    fn the_totals_add_up_before_a_file_is_written() {
        let broken = |t: &Totals| -> Vec<Rule> {
            of_totals(t).into_iter().filter(|line| !line.adds_up).map(|line| line.rule).collect()
        };
        let mut t = counted();
        (0..2).for_each(|_| t.add_discrepancy(Kind::Duplicate, None));
        (t.rows, t.duplicates) = (5, 2);
        assert_eq!(broken(&t), []);
        let texts: Vec<String> = of_totals(&t).iter().map(|line| line.numbers.to_string()).collect();
        let wanted = ["5 = 1 + 2 + 2", "2 = 2 + 0 + 0 + 0 + 0", "2 = 1 + 1 + 0"];
        assert_eq!(texts[..3], wanted);
        assert_eq!(texts[3..], ["5 = 1 + 4 + 0", "5 = 5 + 0 + 0 + 0 + 0"]);
        assert_eq!(broken(&Totals { invalid: 2, ..t.clone() }), [Rule::Rows, Rule::Discrepancies]);
        assert_eq!(broken(&Totals { clean: 2, ..t }), [Rule::Found]);
    }

    #[test]
    fn the_accounts_are_a_line_of_their_own() {
        let account = |calls| {
            let mut totals = Totals::default();
            (0..calls).for_each(|_| totals.add_call(Status::Found, 0, true));
            let traffic = Traffic { requests: calls, first_tries: calls, ..Traffic::default() };
            AccountFigures { cap: "100/min".parse().unwrap(), totals, traffic }
        };
        let (accounts, whole) = ([account(2), account(3)], account(5));
        let line = of_accounts(&whole.totals, &whole.traffic, &accounts);
        assert_eq!(line.numbers.to_string(), "2 accounts: 5 calls, 5 requests");
        assert!(line.adds_up && line.rule == Rule::Accounts);
        assert!(!of_accounts(&whole.totals, &whole.traffic, &accounts[..1]).adds_up);
    }

    #[test]
    fn a_line_is_written_with_its_rule_and_numbers_in_words() {
        let lines = tie_out(&counted(), &Written::default(), &Traffic::default(), 100);
        let text = serde_json::to_string(&lines[8]).unwrap();
        assert_eq!(text, r#"{"rule":"most_in_any_window <= cap","numbers":"0 <= 100","foots":true}"#);
        let files = Numbers::Files { calls: 2, discrepancies: 3 };
        assert_eq!(files.to_string(), "2 calls, 3 discrepancies");
        let words: std::collections::BTreeSet<&str> = Rule::ALL.iter().map(|rule| rule.as_str()).collect();
        assert_eq!(words.len(), Rule::ALL.len());
        let details = [("a", "found", 0), ("b", "found", 2)];
        let each_call = &tie_out(&counted(), &written(&details, &[]), &Traffic::default(), 100)[4];
        assert_eq!(each_call.numbers.to_string(), "1 of 2 calls");
    }
}
