//! What the simulated provider saw: every request with its time, account and verdict, and the most in any window.
//!
//! Promises bounded memory (the newest 10,000 requests, and the arrivals of one window), and that no signature, no
//! secret and no phone number is ever in it.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use reconcile_core::rate::Rate;

/// So many of the newest requests are kept.
pub(super) const REQUESTS_KEPT: usize = 10_000;
/// So many arrivals of one key are remembered for the most in any window.
const ARRIVALS_KEPT: usize = 1_000_000;

/// One request, as it was judged.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) at: DateTime<Utc>,
    /// The access key's id that it names.
    pub(super) account: Option<String>,
    /// It is that account's: the signature is right, and so is what comes before it.
    pub(super) believed: bool,
    /// `1.0` or `ACS3-HMAC-SHA256`.
    pub(super) signature: &'static str,
    pub(super) call_id: String,
    /// Which try of that call, from 1; 0 when it was never counted.
    pub(super) attempt: u32,
    /// `answered`, `no_record`, `refused`, `throttled`, or the fault that befell it.
    pub(super) verdict: &'static str,
    /// `Code`; empty when there was none.
    pub(super) code: String,
    /// HTTP status; 0 when there was no answer.
    pub(super) status: u16,
}

impl Entry {
    fn json(&self, no: u64) -> Value {
        json!({
            "no": no,
            "at": self.at.to_rfc3339_opts(SecondsFormat::Millis, true),
            "account": self.account,
            "believed": self.believed,
            "signature": self.signature,
            "call_id": self.call_id,
            "attempt": self.attempt,
            "verdict": self.verdict,
            "code": self.code,
            "status": self.status,
        })
    }
}

/// The arrivals of one key within the window that ends now.
#[derive(Debug, Default)]
struct Window {
    arrivals: VecDeque<Instant>,
    most: usize,
}

impl Window {
    fn arrive(&mut self, now: Instant, window: Duration) {
        while self.arrivals.front().is_some_and(|first| now.saturating_duration_since(*first) >= window) {
            self.arrivals.pop_front();
        }
        if self.arrivals.len() < ARRIVALS_KEPT {
            self.arrivals.push_back(now);
        }
        self.most = self.most.max(self.arrivals.len());
    }
}

#[derive(Debug, Default)]
struct Seen {
    newest: VecDeque<Entry>,
    requests: u64,
    verdicts: BTreeMap<&'static str, u64>,
    codes: BTreeMap<String, u64>,
    accounts: HashMap<String, Window>,
}

/// All that was seen.
#[derive(Debug)]
pub(super) struct Journal {
    cap: Rate,
    started_at: DateTime<Utc>,
    seen: Mutex<Seen>,
}

impl Journal {
    pub(super) fn new(cap: Rate) -> Self {
        Self { cap, started_at: Utc::now(), seen: Mutex::default() }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        // A poisoned lock only means that another request panicked; a count is right or one behind.
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a request that arrived at `now`.
    pub(super) fn note(&self, entry: Entry, now: Instant) {
        let mut seen = self.seen();
        seen.requests += 1;
        *seen.verdicts.entry(entry.verdict).or_default() += 1;
        // Codes may be a scenario's own; there are no more of them than it has.
        if !entry.code.is_empty() {
            match seen.codes.get_mut(&entry.code) {
                Some(count) => *count += 1,
                None => drop(seen.codes.insert(entry.code.clone(), 1)),
            }
        }
        if let Some(account) = entry.account.as_ref().filter(|_| entry.believed) {
            match seen.accounts.get_mut(account) {
                Some(window) => window.arrive(now, self.cap.window),
                None => seen.accounts.entry(account.clone()).or_default().arrive(now, self.cap.window),
            }
        }
        if seen.newest.len() == REQUESTS_KEPT {
            seen.newest.pop_front();
        }
        seen.newest.push_back(entry);
    }

    /// The counts.
    pub(super) fn stats(&self) -> Value {
        let seen = self.seen();
        let most = seen.accounts.values().map(|window| window.most).max().unwrap_or(0);
        let by_account: BTreeMap<&str, usize> =
            seen.accounts.iter().map(|(id, window)| (id.as_str(), window.most)).collect();
        json!({
            "started_at": self.started_at.to_rfc3339_opts(SecondsFormat::Millis, true),
            "requests": seen.requests,
            "verdicts": seen.verdicts,
            "codes": seen.codes,
            "cap": { "requests": self.cap.requests, "window_s": self.cap.window.as_secs_f64() },
            "most_in_any_window": most,
            "most_by_account": by_account,
        })
    }

    /// The newest requests, the oldest of them first.
    pub(super) fn requests(&self) -> Value {
        let seen = self.seen();
        let first = seen.requests - u64::try_from(seen.newest.len()).unwrap_or(0) + 1;
        let requests: Vec<Value> =
            seen.newest.iter().zip(first..).map(|(entry, no)| entry.json(no)).collect();
        json!({ "requests": requests, "seen": seen.requests, "kept_at_most": REQUESTS_KEPT })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn entry(account: &str) -> Entry {
        Entry {
            at: Utc::now(),
            account: Some(account.into()),
            believed: !account.is_empty(),
            signature: "1.0",
            call_id: "1^1".into(),
            attempt: 1,
            verdict: "answered",
            code: "OK".into(),
            status: 200,
        }
    }

    #[test]
    fn the_most_in_any_window_is_that_of_one_key() {
        let (journal, start) = (Journal::new("3/s".parse().unwrap()), Instant::now());
        for (account, ms) in
            [("a", 0), ("b", 10), ("a", 900), ("a", 999), ("a", 1000), ("", 1000), ("a", 3000)]
        {
            journal.note(entry(account), start + Duration::from_millis(ms));
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
            journal.note(entry("a"), Instant::now());
        }
        let kept = journal.requests();
        let requests = kept["requests"].as_array().unwrap();
        assert_eq!((requests.len(), requests[0]["no"].as_u64()), (REQUESTS_KEPT, Some(6)));
        assert_eq!(kept["seen"], REQUESTS_KEPT + 5);
    }
}
