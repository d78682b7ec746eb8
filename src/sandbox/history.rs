//! The requests so far: how many the gateway admitted, and the attempts at each call.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use chrono::NaiveDate;

use super::chance::call_hash;
use crate::locked::lock;

/// What the faults use to decide about one request.
#[derive(Debug, Clone, Copy)]
pub(super) struct RequestContext {
    /// A hash of the CallId.
    pub(super) call_hash: u64,
    /// The number of attempts at this call, this one included.
    pub(super) attempt: u32,
    /// The number of admitted requests, this one included.
    pub(super) request_no: u64,
    /// The time since the sandbox started.
    pub(super) since_start: Duration,
    /// The time since the call's first attempt.
    pub(super) since_first_attempt: Duration,
    /// The day that the call's first attempt asked for; `None` if it named no valid day.
    pub(super) first_day: Option<NaiveDate>,
}

/// The attempts at one call.
struct CallAttempts {
    first: Instant,
    first_day: Option<NaiveDate>,
    count: u32,
}

/// All admitted requests.
pub(super) struct History {
    started: Instant,
    requests: AtomicU64,
    attempts: Mutex<HashMap<u64, CallAttempts>>,
}

impl History {
    /// A history that starts now.
    pub(super) fn new() -> Self {
        Self { started: Instant::now(), requests: AtomicU64::new(0), attempts: Mutex::default() }
    }

    /// The number of counted requests.
    pub(super) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Counts a request for a call and a day.
    pub(super) fn count(&self, call_id: &str, day: Option<NaiveDate>, now: Instant) -> RequestContext {
        let call_hash = call_hash(call_id);
        let request_no = self.requests.fetch_add(1, Ordering::Relaxed) + 1;
        let mut attempts = lock(&self.attempts);
        let call = attempts.entry(call_hash).or_insert(CallAttempts { first: now, first_day: day, count: 0 });
        call.count = call.count.saturating_add(1);
        RequestContext {
            call_hash,
            attempt: call.count,
            request_no,
            since_start: now.saturating_duration_since(self.started),
            since_first_attempt: now.saturating_duration_since(call.first),
            first_day: call.first_day,
        }
    }
}
