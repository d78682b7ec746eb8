//! The results of a run's requests so far, for the display and the metrics.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use crate::fetch::Monitor;
use crate::locked::lock;
use reconcile_core::answer::AnswerKind;

/// Results of this run's requests so far.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) done: AtomicU64,
    pub(super) found: AtomicU64,
    pub(super) throttled: AtomicU64,
    pub(super) by_kind: Mutex<BTreeMap<&'static str, u64>>,
    /// Calls that follow because the receipts are refuted.
    pub(super) refuted: AtomicU64,
    /// Calls beside those of the ledger: those to look at, and those that have their answer.
    pub(super) beside: [AtomicU64; 2],
    pub(super) by_code: Mutex<BTreeMap<String, u64>>,
}

/// The results of one account's requests. They count for the run, too.
#[derive(Debug, Default)]
pub(super) struct AccountCounts {
    pub(super) all: Arc<Counts>,
    pub(super) done: AtomicU64,
    /// Calls that follow because the receipts are refuted.
    pub(super) refuted: AtomicU64,
    /// As in [`Counts`].
    pub(super) beside: [AtomicU64; 2],
}

impl Monitor for AccountCounts {
    fn came_back(&self, code: &str) {
        self.all.came_back(code);
    }

    fn throttled(&self) {
        self.all.throttled();
    }

    fn ended(&self, kind: AnswerKind) {
        self.done.fetch_add(1, Ordering::Relaxed);
        self.all.ended(kind);
    }

    fn receipts_are_refuted(&self, calls: u64) {
        self.refuted.fetch_add(calls, Ordering::Relaxed);
        self.all.receipts_are_refuted(calls);
    }

    fn begins_beside(&self, calls: u64) {
        self.beside[0].fetch_add(calls, Ordering::Relaxed);
        self.all.begins_beside(calls);
    }

    fn ended_beside(&self) {
        self.beside[1].fetch_add(1, Ordering::Relaxed);
        self.all.ended_beside();
    }
}

/// Codes that are counted one by one; all further ones are counted as `other`. A run meets only a
/// few, and codes that a broken proxy invents must not fill the memory.
const CODES_AT_MOST: usize = 64;

impl Monitor for Counts {
    fn came_back(&self, code: &str) {
        let mut by_code = lock(&self.by_code);
        let full = by_code.len() >= CODES_AT_MOST;
        match by_code.get_mut(code) {
            Some(n) => *n += 1,
            None if full => *by_code.entry("other".into()).or_default() += 1,
            None => drop(by_code.insert(code.to_owned(), 1)),
        }
    }

    fn throttled(&self) {
        self.throttled.fetch_add(1, Ordering::Relaxed);
    }

    fn ended(&self, kind: AnswerKind) {
        if kind == AnswerKind::Final {
            self.found.fetch_add(1, Ordering::Relaxed);
        }
        *lock(&self.by_kind).entry(kind.as_str()).or_default() += 1;
        self.done.fetch_add(1, Ordering::Relaxed);
    }

    fn receipts_are_refuted(&self, calls: u64) {
        self.refuted.fetch_add(calls, Ordering::Relaxed);
    }

    fn begins_beside(&self, calls: u64) {
        self.beside[0].fetch_add(calls, Ordering::Relaxed);
    }

    fn ended_beside(&self) {
        self.beside[1].fetch_add(1, Ordering::Relaxed);
    }
}
