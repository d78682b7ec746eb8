//! The requests so far: how many the gateway admitted, and the tries of each call.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use chrono::NaiveDate;

use super::chance::call_hash;
use crate::locked::lock;

/// The numbers on which faults decide about one request.
#[derive(Debug, Clone, Copy)]
pub(super) struct RequestContext {
    /// A hash of the CallId.
    pub(super) call_hash: u64,
    /// Tries of this call, this one included.
    pub(super) attempt: u32,
    /// Requests that the gateway admitted, this one included.
    pub(super) request_no: u64,
    /// The time since the sandbox started.
    pub(super) since_start: Duration,
    /// The time since the call's first try.
    pub(super) since_first_try: Duration,
    /// The day that the call's first try asked for; `None` if it had none.
    pub(super) first_day: Option<NaiveDate>,
}

/// The tries of one call.
struct CallTries {
    first: Instant,
    first_day: Option<NaiveDate>,
    count: u32,
}

/// All admitted requests.
pub(super) struct History {
    started: Instant,
    requests: AtomicU64,
    tries: Mutex<HashMap<u64, CallTries>>,
}

impl History {
    /// Starts to count now.
    pub(super) fn new() -> Self {
        Self { started: Instant::now(), requests: AtomicU64::new(0), tries: Mutex::default() }
    }

    /// How many requests were counted.
    pub(super) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Counts a request for a call and a day.
    pub(super) fn count(&self, call_id: &str, day: Option<NaiveDate>, now: Instant) -> RequestContext {
        let call_hash = call_hash(call_id);
        let request_no = self.requests.fetch_add(1, Ordering::Relaxed) + 1;
        let mut tries = lock(&self.tries);
        let call = tries.entry(call_hash).or_insert(CallTries { first: now, first_day: day, count: 0 });
        call.count = call.count.saturating_add(1);
        RequestContext {
            call_hash,
            attempt: call.count,
            request_no,
            since_start: now.saturating_duration_since(self.started),
            since_first_try: now.saturating_duration_since(call.first),
            first_day: call.first_day,
        }
    }
}
