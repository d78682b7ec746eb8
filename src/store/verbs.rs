//! The traits of a store that a process has opened for writing: its verbs (operations), and what
//! each of them promises. [`super::reader`] has those of a reader.

use std::sync::Arc;
use std::time::Duration;

use chrono::NaiveDate;
use futures::future::BoxFuture;
use reconcile_core::answer::NewAnswer;
use reconcile_core::ask_again::Scope;
use reconcile_core::call::CallKey;
use reconcile_core::rate::Rate;
use reconcile_core::receipt::Receipt;
use reconcile_core::since::OpenBefore;
use reconcile_core::traffic::{Sending, Traffic};

use super::erased::Erased;
use super::open_discrepancies::RunEnd;
use super::open_items::{OpenItem, OpenItems};
use super::origin::Origin;
use super::places::Places;
use super::reader::Reader;
use super::request::{BegunRequest, NewRequest, RequestEnd};
use super::run_history::{RunFigures, RunHistory};
use super::run_identity::{AccountCap, Destination, RunIdentity};
use super::store_note::StoreNote;
use crate::clock::Moment;
use crate::error::{Error, Result};
use crate::stop::Stop;

/// The verbs that the fetch stage needs: each request is recorded before it is sent.
pub trait RequestLog: Send + Sync {
    /// Both clocks, now.
    fn moment(&self) -> Moment;

    /// Checks the origin of an answer before the answer is stored.
    ///
    /// If a store was created for a real provider and the first answer is simulated, the store is
    /// marked as simulated.
    ///
    /// # Errors
    ///
    /// Exit 2 if the store is of the other origin: the answer must not be stored. Exit 6 if the
    /// store cannot be written.
    fn admit(&self, answer: Origin) -> Result<()>;

    /// True if a request may be sent now. False while this process cannot prove that it still has
    /// its places: the lease of a database has a deadline, the lock of a file has none. Check it
    /// immediately before each request.
    fn may_send(&self) -> bool;

    /// Waits until requests may be sent again. It waits for ever if they may not: the run is
    /// stopped then.
    fn until_may_send(&self) -> BoxFuture<'_, ()>;

    /// Records a request and counts it among the call's attempts. It is on disk when this returns.
    ///
    /// # Errors
    ///
    /// Exit 6 if the store cannot be written: the request must not be sent.
    fn begin_request<'a>(
        &'a self,
        scope: &'a Scope,
        request: NewRequest,
    ) -> BoxFuture<'a, Result<BegunRequest>>;

    /// Records the end of a request, with the call's answer if there is one. Both are on disk when
    /// this returns.
    ///
    /// Whether the answer takes the place of an earlier one is decided by
    /// [`AnswerKind::replaces`](reconcile_core::answer::AnswerKind::replaces). If a final record
    /// changed, or the provider has none any more, both answers are kept: [`Reader::amended`] finds
    /// them.
    ///
    /// # Errors
    ///
    /// Exit 6 if the store cannot be written: the answer does not count.
    fn end_request<'a>(
        &'a self,
        scope: &'a Scope,
        begun: BegunRequest,
        end: RequestEnd,
        answer: Option<NewAnswer>,
    ) -> BoxFuture<'a, Result<()>>;
}

/// A store that this process has opened for writing. A file is locked; a database is not.
pub trait Store: RequestLog {
    /// The origin of its answers.
    fn origin(&self) -> Origin;

    /// What its user should know about it; nothing if it is as it should be.
    fn notes(&self) -> Vec<StoreNote>;

    /// Random bytes of this store, drawn at the first call. A recording derives its replacements of
    /// phone numbers from them. So the next run with this store can continue the recording.
    ///
    /// # Errors
    ///
    /// Exit 6 if the store cannot be written.
    fn secret(&self) -> Result<Vec<u8>>;

    /// Begins a session for each of these caps, in one run. They resume the newest run if that run
    /// is unfinished and has the same identity; otherwise they begin a new run. Returns their
    /// scopes in the order of the caps.
    ///
    /// The session of an account counts the requests of this account, and those without an account.
    ///
    /// Requests without a recorded end count as failed now: their process may have worked until
    /// this moment. Then the rule of [`reconcile_core::arrival`] applies.
    ///
    /// # Errors
    ///
    /// Exit 6 if the store cannot be written. In a database also exit 5 if another run works on the
    /// ledger, exit 2 if another run sends under another cap for an account, and exit 4 if the run
    /// is stopped while it stands by.
    fn begin_sessions(
        &self,
        identity: &RunIdentity,
        destination: &Destination,
        caps: &[AccountCap],
    ) -> Result<Vec<Scope>>;

    /// Begins the session of a run with one account, which has no name, at an address that is not
    /// recorded.
    ///
    /// # Errors
    ///
    /// As [`Store::begin_sessions`].
    fn begin_session(&self, identity: &RunIdentity, rate: Rate, timeout: Duration) -> Result<Scope> {
        let destination = Destination { endpoint: None, timeout };
        let scopes = self.begin_sessions(identity, &destination, &[AccountCap { account: None, rate }])?;
        scopes.into_iter().next().ok_or_else(|| Error::bug("the store began no session"))
    }

    /// How long requests of earlier sessions still take each place under the cap.
    ///
    /// If sessions are missing, because the store was deleted or restored from a backup, all places
    /// are taken for a whole window: the requests of these sessions are unknown.
    ///
    /// # Errors
    ///
    /// Exit 6 if the store cannot be read.
    fn places_taken(&self, scope: &Scope, rate: Rate) -> Result<Vec<Duration>>;

    /// Gives this session its places under the cap, now and while it sends. `places` has none yet.
    /// If the account's other sessions change, or the process can no longer prove which places it
    /// has, the store changes them; if they are lost, it stops the run by `stop`.
    ///
    /// # Errors
    ///
    /// Exit 6 if the store cannot be read or written.
    fn hold_places(&self, scope: &Scope, rate: Rate, places: Arc<dyn Places>, stop: &Stop) -> Result<()>;

    /// Notes that all calls have been asked for. Frees the memory that recording requests needs. In
    /// a database, other sessions then get the places. A later request takes the memory again.
    fn release_writer(&self);

    /// A reader of this store, for another thread.
    ///
    /// # Errors
    ///
    /// Exit 6 if the store cannot be read.
    fn reader(&self) -> Result<Box<dyn Reader>>;

    /// The number of requests that this session sent, and the evidence that it kept the cap.
    ///
    /// # Errors
    ///
    /// Exit 6 if the store cannot be read.
    fn traffic(&self, scope: &Scope) -> Result<Traffic>;

    /// The same for the sessions of several accounts, in their order.
    ///
    /// # Errors
    ///
    /// Exit 6 if the store cannot be read.
    fn traffic_of_all(&self, scopes: &[Scope]) -> Result<Vec<Traffic>> {
        scopes.iter().map(|scope| self.traffic(scope)).collect()
    }

    /// The requests of this session, window by window, and the codes that led to another try.
    ///
    /// # Errors
    ///
    /// Exit 6 if the store cannot be read.
    fn sending(&self, scope: &Scope) -> Result<Sending>;

    /// The requests over time of one of these sessions, which is the one at `points_of`, and the
    /// codes of all. The sessions began together.
    ///
    /// # Errors
    ///
    /// Exit 6 if the store cannot be read.
    fn sending_of_all(&self, scopes: &[Scope], points_of: usize) -> Result<Sending> {
        let all = scopes.iter().map(|scope| self.sending(scope)).collect::<Result<_>>()?;
        Ok(Sending::with_retries_of_all(all, points_of))
    }

    /// Deletes damaged answers, so that their calls are asked again. Takes the numbers from
    /// [`Reader::take_damaged`].
    ///
    /// # Errors
    ///
    /// Exit 6 if the store cannot be written.
    fn discard(&self, damaged: &[i64]) -> Result<()>;

    /// Keeps the receipts of calls. A stored receipt of a call stays, with what the new one adds by
    /// the rule of [`merge`](reconcile_core::receipt::merge). Calls that they settle are no longer
    /// open.
    ///
    /// # Errors
    ///
    /// Exit 6 if the store cannot be written.
    fn keep_receipts(&self, scope: &Scope, receipts: &[(CallKey, Receipt)]) -> Result<()>;

    /// Records calls of this run's ledger without a lasting answer.
    ///
    /// # Errors
    ///
    /// Exit 6 if the store cannot be written.
    fn note_open(&self, scope: &Scope, items: &[OpenItem]) -> Result<()>;

    /// Clears the open items that now have a lasting answer. Returns the others by age.
    ///
    /// # Errors
    ///
    /// Exit 6 if the store cannot be written.
    fn open_items(&self, scope: &Scope) -> Result<OpenItems>;

    /// Notes the figures of this run in place of those that were noted before. They count once the
    /// run has ended. Deletes the figures of runs that began more than 400 days ago.
    ///
    /// # Errors
    ///
    /// Exit 6 if the store cannot be written.
    fn note_figures(&self, scope: &Scope, noted: &RunFigures) -> Result<()>;

    /// This run, and the other ended runs of a series with their figures.
    ///
    /// # Errors
    ///
    /// Exit 6 if the store cannot be read.
    fn run_history(&self, scope: &Scope, series: &str) -> Result<RunHistory>;

    /// The discrepancies that were open before this run, also if it was resumed.
    ///
    /// # Errors
    ///
    /// Exit 6 if the store cannot be read.
    fn open_before(&self, scope: &Scope) -> Result<OpenBefore>;

    /// Ends the sessions of this process. With `run`, the run ends too: its outputs are in place.
    /// Without it, the next session resumes the run.
    ///
    /// The open discrepancies change in the same step.
    ///
    /// # Errors
    ///
    /// Exit 6 if the store cannot be written. Then nothing has changed.
    fn end_session(&self, scope: &Scope, run: Option<RunEnd>) -> Result<()>;

    /// Erases all calls of days before this one, their receipts, requests and open discrepancies,
    /// and what is remembered of unusable rows that only runs before this day have read.
    ///
    /// # Errors
    ///
    /// Exit 5 if a run works in a database; exit 6 if the store cannot be written. Erasing needs as
    /// much free space as the store's size.
    fn purge(&self, before: NaiveDate) -> Result<Erased>;

    /// Erases every answer and receipt that contains this phone number in any spelling. The calls
    /// are not asked again. A call whose CallId contains the number is deleted with its open item
    /// and open discrepancies. Those of all unusable rows are deleted: nobody can tell which row
    /// had it.
    ///
    /// # Errors
    ///
    /// As [`Store::purge`].
    fn forget(&self, number: &str) -> Result<Erased>;
}
