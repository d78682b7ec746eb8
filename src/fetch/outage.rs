//! Outages: the provider cannot be reached, or nothing behind its gateway answers.
//!
//! If requests of three different calls in a row have no usable response, the run is in an outage.
//! Then one request at a time probes, with pauses that grow; all other calls wait. A failed probe
//! does not count as an attempt of its call, so no call is given up because of an outage. The first
//! usable response ends it.
//!
//! Until the first usable response of a run, few requests are in flight at once. If not even a
//! connection was ever made, the run ends after some probes: nothing at all can be reached.
//!
//! Time is Tokio's, so tests run hours in milliseconds. Nothing polls.

use std::pin::pin;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until};

use super::first_contact::FirstContact;
use super::outage_note::OutageNote;
use super::outage_policy::{IN_A_ROW, SOON};
use crate::failures::Cause;
use crate::locked::lock;
use crate::provider::wire::{Answer, Reply};
use crate::provider::{LostReason, LostRequest};
use crate::stop::{Reason, Silence};
use crate::words::whole_seconds;

pub use super::outage_policy::{OutagePolicy, PROBING_ACCOUNTS};

/// What the end of a request says about the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Response {
    /// The provider answered, even if with an error.
    Usable,
    /// Nothing that the provider could have meant: no response, or a gateway's HTTP 5xx.
    Failed {
        /// True if the request never left this machine.
        never_sent: bool,
        /// Why.
        cause: Cause,
    },
    /// It says nothing about the provider: the key expired before the request was sent.
    Unrelated,
}

impl Response {
    /// What a reply says, and the answer read from it.
    pub(super) fn of(reply: &Reply, answer: &Answer) -> Self {
        match reply {
            Reply::Lost(LostRequest { reason: LostReason::KeyExpired, .. }) => Self::Unrelated,
            Reply::Lost(LostRequest { reason, message }) => {
                let cause = Cause::new(reason.as_str(), message);
                Self::Failed { never_sent: reason.never_sent(), cause }
            }
            Reply::Received(received) if received.status >= 500 && answer.is_without_code() => {
                Self::Failed { never_sent: false, cause: Cause::new(&answer.code, "") }
            }
            Reply::Received(_) => Self::Usable,
        }
    }
}

/// What a failure means for its call and for the run.
#[derive(Debug, Clone)]
pub(super) enum Effect {
    /// There is no outage: it counts as an attempt.
    Counts,
    /// It is the outage's: it does not count.
    Forgiven {
        /// True if the request never left this machine.
        never_sent: bool,
    },
    /// It does not count, and the run stops for this reason.
    GiveUp(Reason),
}

/// Watches the requests of a run for outages. Shared by all attempts.
pub struct Outage {
    policy: OutagePolicy,
    contact: FirstContact,
    state: Mutex<State>,
    /// Held by the first task of each kind that waits for its turn; the others wait for this lock
    /// in order. So each probe is of another call.
    queues: [tokio::sync::Mutex<()>; 2],
    change: Notify,
    /// Counts the beginnings and ends of outages.
    changes: watch::Sender<u64>,
    /// True if the run gives up after [`SOON`].
    gives_up_soon: AtomicBool,
}

/// The kind of a call that waits for its turn. Probes are of both in turn: one call may fail for
/// its own reason, and so may the first request of every call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// It was not asked for yet.
    Fresh,
    /// It has failed.
    Retry,
}

#[derive(Debug)]
struct State {
    phase: Phase,
    in_flight: usize,
    /// The kind of the next probe, if a call of this kind waits.
    next_kind: Kind,
    /// Calls of each kind that wait for their turn.
    waiting: [usize; 2],
    /// True if a request was possibly sent: a connection was made.
    reached: bool,
    /// Failed requests since the last usable response.
    failures: u32,
    /// Requests in a row that were never sent.
    never_sent: usize,
    /// Different calls among the failures, at most [`IN_A_ROW`].
    calls: Vec<u128>,
    /// The first failure since the last usable response.
    silent_since: Option<Instant>,
    cause: Cause,
    past: PastOutages,
}

#[derive(Debug, Clone, Copy)]
enum Phase {
    /// No usable response yet.
    Start,
    Open,
    Outage {
        next_probe: Instant,
        pause: Duration,
        /// True after the first failed probe. Shorter outages are not worth a line.
        announced: bool,
    },
}

/// The announced outages that have ended.
#[derive(Debug, Clone, Default)]
struct PastOutages {
    count: u32,
    total: Duration,
    cause: Cause,
}

/// The permission to send one request. Drop it when the request has ended.
pub(super) struct Turn<'a> {
    outage: &'a Outage,
    is_probe: bool,
    change_no: u64,
}

impl Outage {
    /// A run that has sent nothing yet.
    #[must_use]
    pub fn new(policy: OutagePolicy) -> Self {
        let state = State {
            phase: Phase::Start,
            in_flight: 0,
            next_kind: Kind::Retry,
            waiting: [0; 2],
            reached: false,
            failures: 0,
            never_sent: 0,
            calls: Vec::new(),
            silent_since: None,
            cause: Cause::default(),
            past: PastOutages::default(),
        };
        Self {
            policy,
            contact: FirstContact::default(),
            state: Mutex::new(state),
            queues: Default::default(),
            change: Notify::new(),
            changes: watch::Sender::new(0),
            gives_up_soon: AtomicBool::new(false),
        }
    }

    /// The same for one of several accounts.
    #[must_use]
    pub fn of_account(policy: OutagePolicy, contact: FirstContact) -> Self {
        Self { contact, ..Self::new(policy) }
    }

    /// From now on the run gives up after a minute of silence: it waits for calls that it can do
    /// without.
    pub(super) fn give_up_soon(&self) {
        self.gives_up_soon.store(true, Ordering::Relaxed);
    }

    /// Waits until a request may be sent: at once without an outage. A dropped future leaves the
    /// queue.
    pub(super) async fn turn(&self, kind: Kind) -> Turn<'_> {
        self.contact.wait().await;
        // A call that comes later does not pass those that wait: the oldest calls go first.
        let is_alone = lock(&self.state).waiting[kind as usize] == 0;
        if is_alone && let Ok(turn) = self.try_turn(kind) {
            return turn;
        }
        let _waiting = Waiting::new(self, kind);
        let _queue = self.queues[kind as usize].lock().await;
        loop {
            let mut changed = pin!(self.change.notified());
            // A change after the next line is not missed.
            changed.as_mut().enable();
            match self.try_turn(kind) {
                Ok(turn) => return turn,
                Err(None) => changed.await,
                Err(Some(next_probe)) => tokio::select! {
                    () = sleep_until(next_probe) => {}
                    () = changed => {}
                },
            }
        }
    }

    /// A turn, or the instant to wait for; without one, the end of a request is waited for.
    fn try_turn(&self, kind: Kind) -> Result<Turn<'_>, Option<Instant>> {
        let mut state = lock(&self.state);
        let other = state.next_kind != kind && state.waiting[state.next_kind as usize] > 0;
        match state.phase {
            Phase::Start if state.in_flight >= self.policy.start_in_flight => return Err(None),
            Phase::Outage { .. } if state.in_flight > 0 => return Err(None),
            Phase::Outage { next_probe, .. } if Instant::now() < next_probe => return Err(Some(next_probe)),
            Phase::Outage { .. } if other => return Err(None),
            _ => state.in_flight += 1,
        }
        let is_probe = matches!(state.phase, Phase::Outage { .. });
        if is_probe {
            state.next_kind = if kind == Kind::Fresh { Kind::Retry } else { Kind::Fresh };
        }
        Ok(Turn { outage: self, is_probe, change_no: *self.changes.borrow() })
    }

    /// Notes the end of the request of this turn, of the call with this fingerprint.
    pub(super) fn ended(&self, turn: &Turn<'_>, call: u128, response: Response) -> Effect {
        let mut state = lock(&self.state);
        let effect = match response {
            Response::Usable => {
                self.answered(&mut state);
                Effect::Counts
            }
            Response::Unrelated if turn.is_probe => self.probe_failed(&mut state).unwrap_or(Effect::Counts),
            Response::Unrelated => Effect::Counts,
            Response::Failed { never_sent, cause } => {
                state.failed(call, never_sent, cause);
                let forgiven = Effect::Forgiven { never_sent };
                match state.phase {
                    Phase::Outage { .. } if turn.is_probe => {
                        self.probe_failed(&mut state).unwrap_or(forgiven)
                    }
                    Phase::Outage { .. } => forgiven,
                    _ if state.is_outage() => {
                        let policy = &self.policy;
                        let pause = if state.reached { policy.first_pause } else { policy.start_pause };
                        let next_probe = Instant::now() + pause;
                        state.phase = Phase::Outage { next_probe, pause, announced: false };
                        state.next_kind = Kind::Retry;
                        self.changes.send_modify(|change| *change += 1);
                        forgiven
                    }
                    _ => Effect::Counts,
                }
            }
        };
        if state.reached {
            self.contact.note_made();
        }
        drop(state);
        self.change.notify_waiters();
        effect
    }

    /// A usable response ends an outage.
    fn answered(&self, state: &mut State) {
        let silent = state.silent_since.take().map(|since| since.elapsed()).unwrap_or_default();
        if let Phase::Outage { announced, .. } = state.phase {
            self.changes.send_modify(|change| *change += 1);
            if announced {
                tracing::warn!("the provider answers again, after {}", whole_seconds(silent));
                state.past.count += 1;
                state.past.total += silent;
                state.past.cause = std::mem::take(&mut state.cause);
            }
        }
        state.phase = Phase::Open;
        (state.reached, state.failures, state.never_sent) = (true, 0, 0);
        state.calls.clear();
    }

    /// Plans the next probe; returns the reason to stop if there is none.
    fn probe_failed(&self, state: &mut State) -> Option<Effect> {
        let (now, policy) = (Instant::now(), &self.policy);
        let Phase::Outage { pause, announced, .. } = state.phase else { return None };
        let limit = match state.reached {
            true if self.gives_up_soon.load(Ordering::Relaxed) => Some(SOON),
            true => policy.gives_up_after,
            false => Some(policy.start_limit),
        };
        let give_up_at = limit.zip(state.silent_since).map(|(limit, since)| since + limit);
        let too_many = !state.reached && state.failures >= policy.start_requests;
        if too_many || give_up_at.is_some_and(|at| at <= now) {
            let silent = state.silent_since.map(|since| since.elapsed()).unwrap_or_default();
            return Some(Effect::GiveUp(state.reason(silent)));
        }
        if !announced {
            tracing::warn!("{}; nothing else is sent until it answers", state.silence(None));
        }
        let pause = pause.saturating_mul(2).min(policy.longest_pause);
        let next_probe = give_up_at.map_or(now + pause, |at| at.min(now + pause));
        state.phase = Phase::Outage { next_probe, pause, announced: true };
        None
    }

    /// The outages so far, an unfinished one included; `None` if there were none.
    #[must_use]
    pub fn note(&self) -> Option<OutageNote> {
        let state = lock(&self.state);
        let PastOutages { mut count, mut total, mut cause } = state.past.clone();
        if let (Phase::Outage { announced: true, .. }, Some(since)) = (state.phase, state.silent_since) {
            (count, total, cause) = (count + 1, total + since.elapsed(), state.cause.clone());
        }
        (count > 0).then_some(OutageNote { count, total, cause })
    }
}

impl State {
    fn failed(&mut self, call: u128, never_sent: bool, cause: Cause) {
        self.silent_since.get_or_insert_with(Instant::now);
        self.failures += 1;
        self.never_sent = if never_sent { self.never_sent + 1 } else { 0 };
        self.reached |= !never_sent;
        self.cause = cause;
        if self.calls.len() < IN_A_ROW && !self.calls.contains(&call) {
            self.calls.push(call);
        }
    }

    /// True if the failures so far cannot be the fault of single calls. A connection that cannot be
    /// made never is.
    fn is_outage(&self) -> bool {
        let at_start = matches!(self.phase, Phase::Start) && !self.reached;
        self.calls.len() >= IN_A_ROW || self.never_sent >= IN_A_ROW || at_start
    }

    fn silence(&self, lasted: Option<Duration>) -> Silence {
        Silence { cause: self.cause.clone(), never_sent: self.never_sent > 0, lasted }
    }

    fn reason(&self, silent: Duration) -> Reason {
        if self.reached {
            Reason::Silent(self.silence(Some(silent)))
        } else {
            Reason::Unreachable(self.silence(None))
        }
    }
}

/// Counts a call that waits for its turn.
struct Waiting<'a>(&'a Outage, Kind);

impl<'a> Waiting<'a> {
    fn new(outage: &'a Outage, kind: Kind) -> Self {
        lock(&outage.state).waiting[kind as usize] += 1;
        Self(outage, kind)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        lock(&self.0.state).waiting[self.1 as usize] -= 1;
        self.0.change.notify_waiters();
    }
}

impl Turn<'_> {
    /// Waits until an outage has begun or ended: a request not sent yet needs another turn.
    pub(super) async fn revoked(&self) {
        let changed = |change_no: &u64| *change_no != self.change_no;
        // The sender lives as long as the turn, so the channel cannot close while this waits.
        let _ = self.outage.changes.subscribe().wait_for(changed).await;
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        lock(&self.outage.state).in_flight -= 1;
        self.outage.change.notify_waiters();
    }
}
