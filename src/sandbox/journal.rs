//! The journal: the received requests, each with time, account and verdict.
//!
//! Memory is bounded: the journal keeps the newest 10,000 requests and the arrivals of one window.
//! It never holds a signature, a secret or a phone number.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use crate::locked::lock;
use reconcile_core::rate::Rate;

/// The number of newest requests to keep.
const REQUESTS_KEPT: usize = 10_000;
/// The number of arrivals to keep for each key, to find the most in any window.
const ARRIVALS_KEPT: usize = 1_000_000;

/// One request and its verdict.
#[derive(Debug, Clone)]
pub(super) struct JournalEntry {
    /// The time by the provider's clock.
    pub(super) at: DateTime<Utc>,
    /// The id of the access key that the request claims to use.
    pub(super) account: Option<String>,
    /// Whether the signature proves this claim.
    pub(super) authenticated: bool,
    /// `1.0`, `ACS3-HMAC-SHA256` or `none`.
    pub(super) signature: &'static str,
    /// `CallId`; empty if the request has none.
    pub(super) call_id: String,
    /// The number of this attempt at the call, from 1; 0 for a request that was not admitted.
    pub(super) attempt: u32,
    /// `answered`, `no_record`, `refused`, `throttled`, …, or the injected fault's name.
    pub(super) verdict: &'static str,
    /// `Code`; empty if there was none.
    pub(super) code: String,
    /// HTTP status; 0 if no response was sent.
    pub(super) status: u16,
}

impl JournalEntry {
    fn json(&self, no: u64) -> Value {
        json!({
            "no": no,
            "at": self.at.to_rfc3339_opts(SecondsFormat::Millis, true),
            "account": self.account,
            "believed": self.authenticated,
            "signature": self.signature,
            "call_id": self.call_id,
            "attempt": self.attempt,
            "verdict": self.verdict,
            "code": self.code,
            "status": self.status,
        })
    }
}

/// The arrivals of one key within the window that ends with the latest one.
#[derive(Debug, Default)]
struct Window {
    arrivals: VecDeque<Instant>,
    /// The most arrivals in any window so far.
    most: usize,
}

impl Window {
    fn add(&mut self, now: Instant, length: Duration) {
        while self.arrivals.front().is_some_and(|first| now.saturating_duration_since(*first) >= length) {
            self.arrivals.pop_front();
        }
        if self.arrivals.len() < ARRIVALS_KEPT {
            self.arrivals.push_back(now);
        }
        self.most = self.most.max(self.arrivals.len());
    }
}

#[derive(Debug, Default)]
struct Counts {
    newest: VecDeque<JournalEntry>,
    requests: u64,
    verdicts: BTreeMap<&'static str, u64>,
    codes: BTreeMap<String, u64>,
    accounts: HashMap<String, Window>,
}

/// All requests so far.
#[derive(Debug)]
pub(super) struct Journal {
    cap: Rate,
    started_at: DateTime<Utc>,
    counts: Mutex<Counts>,
}

impl Journal {
    /// An empty journal that starts now.
    pub(super) fn new(cap: Rate) -> Self {
        Self { cap, started_at: Utc::now(), counts: Mutex::default() }
    }

    /// Adds a request that arrived at `now`.
    pub(super) fn add(&self, entry: JournalEntry, now: Instant) {
        let mut counts = lock(&self.counts);
        counts.requests += 1;
        *counts.verdicts.entry(entry.verdict).or_default() += 1;
        // The codes are bounded: those of the gateway and those that a scenario lists.
        if !entry.code.is_empty() {
            match counts.codes.get_mut(&entry.code) {
                Some(count) => *count += 1,
                None => drop(counts.codes.insert(entry.code.clone(), 1)),
            }
        }
        if let Some(account) = entry.account.as_ref().filter(|_| entry.authenticated) {
            match counts.accounts.get_mut(account) {
                Some(window) => window.add(now, self.cap.window),
                None => counts.accounts.entry(account.clone()).or_default().add(now, self.cap.window),
            }
        }
        if counts.newest.len() == REQUESTS_KEPT {
            counts.newest.pop_front();
        }
        counts.newest.push_back(entry);
    }

    /// The counts, as `/_sandbox/stats` shows them.
    pub(super) fn stats(&self) -> Value {
        let counts = lock(&self.counts);
        let most = counts.accounts.values().map(|window| window.most).max().unwrap_or(0);
        let by_account: BTreeMap<&str, usize> =
            counts.accounts.iter().map(|(id, window)| (id.as_str(), window.most)).collect();
        json!({
            "started_at": self.started_at.to_rfc3339_opts(SecondsFormat::Millis, true),
            "requests": counts.requests,
            "verdicts": counts.verdicts,
            "codes": counts.codes,
            "cap": { "requests": self.cap.requests, "window_s": self.cap.window.as_secs_f64() },
            "most_in_any_window": most,
            "most_by_account": by_account,
        })
    }

    /// The newest requests in order of arrival, as `/_sandbox/requests` shows them.
    pub(super) fn requests(&self) -> Value {
        let counts = lock(&self.counts);
        let first = counts.requests - u64::try_from(counts.newest.len()).unwrap_or(0) + 1;
        let requests: Vec<Value> =
            counts.newest.iter().zip(first..).map(|(entry, no)| entry.json(no)).collect();
        json!({ "requests": requests, "seen": counts.requests, "kept_at_most": REQUESTS_KEPT })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn entry(account: &str) -> JournalEntry {
        JournalEntry {
            at: Utc::now(),
            account: Some(account.into()),
            authenticated: !account.is_empty(),
            signature: "1.0",
            call_id: "1^1".into(),
            attempt: 1,
            verdict: "answered",
            code: "OK".into(),
            status: 200,
        }
    }

    #[test]
    fn the_most_in_any_window_is_counted_by_key() {
        let (journal, start) = (Journal::new("3/s".parse().unwrap()), Instant::now());
        for (account, ms) in
            [("a", 0), ("b", 10), ("a", 900), ("a", 999), ("a", 1000), ("", 1000), ("a", 3000)]
        {
            journal.add(entry(account), start + Duration::from_millis(ms));
        }
        let stats = journal.stats();
        assert_eq!((stats["requests"].as_u64(), stats["most_in_any_window"].as_u64()), (Some(7), Some(3)));
        assert_eq!(stats["most_by_account"], json!({ "a": 3, "b": 1 }));
        assert_eq!(stats["codes"]["OK"], 7);
    }

    #[test]
    fn only_the_newest_requests_are_kept() {
        let journal = Journal::new("3/s".parse().unwrap());
        for _ in 0..REQUESTS_KEPT + 5 {
            journal.add(entry("a"), Instant::now());
        }
        let kept = journal.requests();
        let requests = kept["requests"].as_array().unwrap();
        assert_eq!((requests.len(), requests[0]["no"].as_u64()), (REQUESTS_KEPT, Some(6)));
        assert_eq!(kept["seen"], REQUESTS_KEPT + 5);
    }
}
