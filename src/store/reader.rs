//! The trait of every reader: what can be asked of a store, and what each answer promises.

use std::ops::RangeInclusive;
use std::time::Duration;

use chrono::NaiveDate;
use reconcile_core::answer::StoredCall;
use reconcile_core::ask_again::Scope;
use reconcile_core::call::CallKey;

use super::amendments::Amendment;
use super::answered::{AnswerGroup, AnsweredCall, Sessions};
use super::beside::{CallNumbers, FinalCall, OpenCall, OpenCallsOf, RecheckedCalls};
use super::history::{CapRecord, KnownCall};
use super::origin::Origin;
use super::receipts::KeptReceipt;
use super::run_history::StoredRun;
use super::run_identity::{AccountCap, RunIdentity};
use crate::clock::Clock;
use crate::error::Result;

/// A read-only view of a store. It shows what this or another process writes.
pub trait Reader: Send {
    /// What the store has about each of these calls, in their order. An answer or a receipt with a
    /// wrong checksum counts as none. A database answers all of them in one exchange.
    ///
    /// # Errors
    ///
    /// Exit 6 if the store cannot be read.
    fn lookup_all(&self, keys: &[&CallKey]) -> Result<Vec<Option<StoredCall>>>;

    /// What the store has about one call, as [`Reader::lookup_all`] finds it.
    ///
    /// # Errors
    ///
    /// Exit 6 if the store cannot be read.
    fn lookup(&self, key: &CallKey) -> Result<Option<StoredCall>> {
        Ok(self.lookup_all(&[key])?.into_iter().next().flatten())
    }

    /// The damaged answers that lookups have found since the last call, for
    /// [`Store::discard`](super::Store::discard).
    fn take_damaged(&self) -> Vec<i64>;

    /// The session that [`Store::begin_sessions`](super::Store::begin_sessions) would begin now.
    /// Writes nothing.
    ///
    /// # Errors
    ///
    /// Exit 6 if the store cannot be read.
    fn preview_session(&self, identity: &RunIdentity, clock: &dyn Clock) -> Result<Scope>;

    /// How long each place under the cap is still taken.
    ///
    /// # Errors
    ///
    /// Exit 6 if the store cannot be read.
    fn places_taken(&self, clock: &dyn Clock, cap: &AccountCap) -> Result<Vec<Duration>>;

    /// Everything that the store has about the calls with this CallId, oldest first.
    ///
    /// # Errors
    ///
    /// Exit 6 if the store cannot be read.
    fn calls_named(&self, call_id: &str) -> Result<Vec<KnownCall>>;

    /// Up to three CallIds that begin like this one, for a hint after a typo.
    ///
    /// # Errors
    ///
    /// Exit 6 if the store cannot be read.
    fn similar_call_ids(&self, call_id: &str) -> Result<Vec<String>>;

    /// The runs whose id begins so, newest first; at most so many.
    ///
    /// # Errors
    ///
    /// Exit 6 if the store cannot be read.
    fn runs_named(&self, start: &str, at_most: u32) -> Result<Vec<StoredRun>>;

    /// How the sessions kept the cap, recomputed from their recorded requests.
    ///
    /// # Errors
    ///
    /// Exit 6 if the store cannot be read.
    fn cap_record(&self) -> Result<CapRecord>;

    /// Whether its answers are real or simulated.
    ///
    /// # Errors
    ///
    /// Exit 6 if the store cannot be read, or does not say so.
    fn origin(&self) -> Result<Origin>;

    /// Passes the changes of final records that a run has to tell to `each`, by the number of their
    /// call: those that no outputs have told yet, and those that a run over the same ledger has
    /// told on the same day (UTC+8) or in the same chain. Changes that another live session has
    /// noted are left to its run.
    ///
    /// # Errors
    ///
    /// Exit 6 if the store cannot be read; else the error of `each`.
    fn amended(&self, run_no: i64, each: &mut dyn FnMut(Amendment) -> Result<()>) -> Result<()>;

    /// The days in this range on which [`Reader::open_calls`] finds calls, the newest first.
    ///
    /// # Errors
    ///
    /// Exit 6 if the store cannot be read.
    fn open_days(&self, run_no: i64, days: RangeInclusive<NaiveDate>) -> Result<Vec<NaiveDate>>;

    /// The next open calls of earlier ledgers, at most a thousand. None follow the last ones.
    ///
    /// # Errors
    ///
    /// Exit 6 if the store cannot be read.
    fn open_calls(&self, wanted: &OpenCallsOf) -> Result<Vec<OpenCall>>;

    /// The numbers of the first and the last call, in windows, each for [`Reader::final_calls`].
    ///
    /// # Errors
    ///
    /// Exit 6 if the store cannot be read.
    fn call_windows(&self) -> Result<Vec<CallNumbers>>;

    /// The calls with a final record in a window of numbers, by number. A record that an older
    /// version stored as final may still change under today's rules.
    ///
    /// # Errors
    ///
    /// Exit 6 if the store cannot be read.
    fn final_calls(&self, window: &CallNumbers) -> Result<Vec<FinalCall>>;

    /// The final records that a run has asked for again.
    ///
    /// # Errors
    ///
    /// Exit 6 if the store cannot be read.
    fn rechecked_calls(&self, run_no: i64) -> Result<RecheckedCalls>;

    /// The sessions. An answer of an ended session never changes again; an answer of a later
    /// session may replace it.
    ///
    /// # Errors
    ///
    /// Exit 6 if the store cannot be read.
    fn sessions(&self) -> Result<Sessions>;

    /// The next receipts in the order of their calls, at most some thousands; none follow the last
    /// ones. A damaged one has no answer.
    ///
    /// # Errors
    ///
    /// Exit 6 if the store cannot be read.
    fn receipts_after(&self, after: Option<&CallKey>) -> Result<Vec<KeptReceipt>>;

    /// All stored answers, by session and day. Reads the whole store once.
    ///
    /// # Errors
    ///
    /// Exit 6 if the store cannot be read.
    fn answer_groups(&self) -> Result<Vec<AnswerGroup>>;

    /// Passes the answered calls with these numbers to `each`, by number, if their answer's session
    /// and their day are wanted. Holds one call in memory.
    ///
    /// # Errors
    ///
    /// Exit 6 if the store cannot be read; else the error of `each`.
    fn answered_calls(
        &self,
        calls: RangeInclusive<i64>,
        is_wanted: &dyn Fn(i64, NaiveDate) -> bool,
        each: &mut dyn FnMut(AnsweredCall) -> Result<()>,
    ) -> Result<()>;
}
