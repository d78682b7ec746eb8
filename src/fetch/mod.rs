//! Asks for one call until it has an answer: wait until its request is ready, send it, read the
//! reply, decide what to do next, store it.
//!
//! Every attempt passes through this file, and through `ready.rs` before. So every attempt takes a
//! place under the cap, and is on disk before it is sent. `slots.rs` bounds the calls in work.

mod adaptive_rate;
mod anomalies;
mod call_limit;
pub mod cap;
mod concurrency;
pub mod deadline;
mod first_contact;
pub mod outage;
mod outage_note;
mod outage_policy;
mod ready;
pub mod retry;
mod shape;
mod slots;
mod stored;

use std::sync::Arc;
use std::time::Duration;

use chrono::NaiveDate;
use tokio::time::Instant;

use crate::clock::Moment;
use crate::error::Result;
use crate::provider::codes::Class;
use crate::provider::wire::{self, Answer, Body, Reply};
use crate::provider::{Provider, Question};
use crate::stop::{Reason, Stop};
use crate::store::{BegunRequest, Decision, NewRequest, Origin, Purpose, RequestEnd, RequestLog};
use cap::{Cap, Place};
use outage::{Effect, Outage, Response};
use reconcile_core::answer::AnswerKind;
use reconcile_core::arrival::rest_after_no_reply;
use reconcile_core::ask_again::Scope;
use reconcile_core::call::CallKey;
use reconcile_core::contradiction::is_other_call;
use reconcile_core::message::Contradiction;
use reconcile_core::normalize::normalize;
use reconcile_core::phone;
use retry::{Corrections, Hold, Policy, Tries, Verdict};
use slots::Waiting;
use stored::{answer_to_keep, decision};

pub use anomalies::{Anomalies, AnswerNote, IN_A_ROW as SUSPICIOUS_IN_A_ROW};
pub use call_limit::CallLimits;
pub use concurrency::Concurrency;
pub use first_contact::FirstContact;
pub use outage_note::OutageNote;
pub use slots::{InWork, Slots};

/// Receives what the fetch stage reports during a run.
pub trait Monitor: Send + Sync {
    /// A request ended with this code of the provider, or with a word for the transport error.
    fn came_back(&self, code: &str);
    /// The provider throttled a request.
    fn throttled(&self);
    /// A call has its answer.
    fn ended(&self, kind: AnswerKind);
    /// The sample has refuted the receipts; this many calls of the ledger follow.
    fn receipts_are_refuted(&self, calls: u64);
    /// All calls of the ledger have their answer; at most this many follow beside them.
    fn begins_beside(&self, calls: u64);
    /// A call beside those of the ledger has its answer.
    fn ended_beside(&self);
}

/// A call to ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// The call.
    pub key: CallKey,
    /// The day to ask first.
    pub first_day: NaiveDate,
    /// The day to ask next if the first day has no record.
    pub other_day: Option<NaiveDate>,
    /// True if it looks at a final record again.
    pub recheck: bool,
    /// True if the store has a record of it, which a failure on every attempt does not replace.
    pub has_record: bool,
}

/// How a job ended in this run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The call has an answer of this kind.
    Answered(AnswerKind),
    /// The run stopped before the call had an answer.
    Deferred,
}

/// Everything that an attempt needs. All jobs of a run share it.
pub struct Fetcher<P> {
    /// The provider.
    pub provider: P,
    /// The cap.
    pub cap: Arc<Cap>,
    /// The bounds on the calls in work.
    pub slots: Slots,
    /// How often a call is tried, and the pauses between its tries.
    pub policy: Policy,
    /// Watches for outages of the provider.
    pub outage: Outage,
    /// Tells limits of single calls from those of the account.
    pub call_limits: CallLimits,
    /// The store in which every request is recorded.
    pub store: Arc<dyn RequestLog>,
    /// The current run and session.
    pub scope: Scope,
    /// Receives the progress of the run.
    pub monitor: Arc<dyn Monitor>,
    /// Findings over all answers of the run.
    pub anomalies: Anomalies,
    /// Stops the run.
    pub stop: Stop,
}

impl<P: Provider> Fetcher<P> {
    /// Notes that all calls of the ledger have their answer. What follows is beside them.
    pub fn own_calls_are_answered(&self) {
        self.stop.own_calls_are_answered();
        self.outage.give_up_soon();
    }

    /// Asks until the call has an answer or the run stops. Its room in work is left to other calls
    /// while it waits for its own limit.
    ///
    /// A failed call is an answer too. An error that concerns all calls, such as a failed write to
    /// the store, stops the run.
    pub async fn fetch(&self, job: Job, mut call: InWork) -> Ended {
        match self.ask_days(&job, &mut call).await {
            Ok(ended) => ended,
            Err(error) => {
                self.stop.stop(Reason::Failed(Arc::new(error)));
                Ended::Deferred
            }
        }
    }

    async fn ask_days(&self, job: &Job, call: &mut InWork) -> Result<Ended> {
        let days = (job.first_day, job.other_day);
        let ended = self.ask_day(job, days, Purpose::First, call).await?;
        match (ended, job.other_day) {
            (Ended::Answered(AnswerKind::NoRecord), Some(day)) => {
                self.ask_day(job, (day, None), Purpose::OtherDay, call).await
            }
            _ => Ok(ended),
        }
    }

    /// Asks for one day until there is an answer. `other_day` is the day to ask next if this day
    /// has no record.
    async fn ask_day(
        &self,
        job: &Job,
        (day, other_day): (NaiveDate, Option<NaiveDate>),
        first: Purpose,
        call: &mut InWork,
    ) -> Result<Ended> {
        let question = Question { call_id: job.key.call_id.clone(), prod_id: job.key.prod_id, day };
        let (mut tries, mut purpose) = (Tries::default(), first);
        loop {
            let request = NewRequest { key: job.key.clone(), asked_date: day, purpose, recheck: job.recheck };
            let waiting = call.wait().await;
            let attempt = self.attempt(&question, request, other_day, &mut tries, waiting);
            let Some((verdict, kind)) = attempt.await? else { break };
            purpose = Purpose::Retry;
            match verdict {
                Verdict::Done | Verdict::Exhausted => {
                    return Ok(kind.map_or(Ended::Deferred, Ended::Answered));
                }
                Verdict::Stop(_) => break,
                Verdict::Again { hold: Hold::Run, .. } => {}
                Verdict::Again { after, hold: Hold::Call } => self.pause(after).await,
                Verdict::Again { after, hold: Hold::CallOutOfWork } => {
                    call.leave_during(self.pause(after)).await;
                }
            }
        }
        Ok(Ended::Deferred)
    }

    /// Makes one attempt. Returns `None` if the run stopped before the request was sent.
    async fn attempt(
        &self,
        question: &Question,
        request: NewRequest,
        other_day: Option<NaiveDate>,
        tries: &mut Tries,
        waiting: Waiting,
    ) -> Result<Option<(Verdict, Option<AnswerKind>)>> {
        let Some(ready) = self.ready(&request, tries.kind(), waiting).await? else { return Ok(None) };
        let (turn, begun, slot) = (ready.turn, ready.begun, ready.slot);
        let (asked_at, sent) = (self.store.moment().wall, Instant::now());
        let reply = self.provider.ask(question).await;
        let round_trip = sent.elapsed();
        // The recorded time is a moment before the place's end. So the next process and the audit
        // never count more requests in a window than the cap allowed.
        let (at, taken_at) = (self.store.moment(), ready.place.taken_at());
        self.end_place(ready.place, &reply);
        self.admit(&reply, &begun, at).await?;
        let answer = self.call_limits.settle(wire::understand(&reply), tries.kind());
        let throttled = answer.body == Body::Error(Class::Throttle);
        if throttled {
            self.cap.throttled(taken_at, retry::hint(&answer));
        } else if answer.http_status.is_some() {
            self.cap.let_through(taken_at);
        }
        let response = Response::of(&reply, &answer);
        if response == Response::Usable && !throttled {
            slot.answered(round_trip);
        }
        let corrections =
            Corrections { clock: self.correct_clock(&answer), key: self.renew_key(&answer, ready.key).await };
        self.observe(&answer);
        let effect = self.outage.ended(&turn, request.key.fingerprint(), response);
        drop(turn);
        let provider_at = self.anomalies.provider_time(&answer, asked_at, at.wall);
        let verdict = self.decide(question, &answer, corrections, effect, tries);
        let came_at = provider_at.unwrap_or(at.wall);
        let kept = answer_to_keep(&answer, &verdict, (question.day, other_day), came_at);
        let kind = kept.as_ref().map(|a| a.kind);
        self.report(question, tries, &answer, &verdict, throttled);
        let (decision, pause) = decision(&verdict);
        // A record that is asked for again is another call's; the provider's code for it is OK.
        let is_doubted = kept.is_none() && matches!(answer.body, Body::Data(_));
        let code = if is_doubted { Contradiction::OtherCall.name().to_owned() } else { answer.code.clone() };
        let (http_status, request_id) = (answer.http_status, answer.request_id);
        let end = RequestEnd { at, provider_at, http_status, code, request_id, throttled, decision, pause };
        if let Verdict::Stop(advice) = verdict {
            let (code, message) = (answer.code, phone::mask_text(&answer.message));
            self.stop.stop(Reason::Fatal { code, message, advice });
        } else if let Verdict::Again { after, hold: Hold::Run } = verdict {
            self.cap.hold(after);
        }
        slot.store(self.store.end_request(&self.scope, begun, end, kept)).await?;
        Ok(Some((verdict, kind)))
    }

    /// Notes what an answer says about all calls. Earlier calls without a record say nothing new.
    fn observe(&self, answer: &Answer) {
        if !self.stop.is_beside() {
            self.anomalies.observe(answer);
        }
    }

    /// Frees the place of a request that has ended. A reply proves that the request has arrived, so
    /// the place starts to cool. A request without a reply may still arrive; one that was never
    /// sent cannot.
    fn end_place(&self, place: Place<'_>, reply: &Reply) {
        match reply {
            Reply::Received(_) => drop(place),
            Reply::Lost(lost) if lost.reason.never_sent() => place.give_back(),
            Reply::Lost(_) => place.rest(rest_after_no_reply(self.policy.timeout)),
        }
    }

    /// Decides what to do after an attempt, and counts it.
    fn decide(
        &self,
        question: &Question,
        answer: &Answer,
        corrections: Corrections,
        effect: Effect,
        tries: &mut Tries,
    ) -> Verdict {
        tries.counted += 1;
        let verdict = retry::decide(&self.policy, tries.counted, answer, corrections, fastrand::f64());
        let may_go_on = tries.counted < self.policy.max_attempts;
        match (effect, verdict) {
            (Effect::GiveUp(reason), _) => {
                self.stop.stop(reason);
                Verdict::AT_ONCE
            }
            // A fault on the way has its own rule: it stops the run after its second time.
            (Effect::Forgiven { never_sent }, verdict @ (Verdict::Again { .. } | Verdict::Exhausted))
                if !matches!(answer.body, Body::Error(Class::Route(_))) =>
            {
                tries.forgive(verdict, never_sent, &self.policy)
            }
            (_, Verdict::Done) if may_go_on && !tries.doubted && is_in_doubt(question, answer) => {
                tries.doubted = true;
                Verdict::AT_ONCE
            }
            (_, verdict) => {
                tries.forgiven = 0;
                verdict
            }
        }
    }

    /// True if the provider refused the security token and another key has replaced it.
    async fn renew_key(&self, answer: &Answer, refused: u64) -> bool {
        if !matches!(answer.body, Body::Error(Class::Token(_))) {
            return false;
        }
        let renewed = tokio::select! {
            biased;
            () = self.stop.stopped() => return false,
            renewed = self.provider.renew_key(refused) => renewed,
        };
        renewed.unwrap_or_else(|reason| {
            self.stop.stop(reason);
            false
        })
    }

    /// Checks that an answer has the same origin as the store. An answer of the other origin stops
    /// the run; its request is recorded, but the answer is not.
    async fn admit(&self, reply: &Reply, begun: &BegunRequest, at: Moment) -> Result<()> {
        let Reply::Received(received) = reply else { return Ok(()) };
        let origin = if received.is_sandbox { Origin::Sandbox } else { Origin::Provider };
        let Err(error) = self.store.admit(origin) else { return Ok(()) };
        let end = RequestEnd {
            at,
            provider_at: None,
            http_status: Some(received.status),
            code: "other_origin".to_owned(),
            request_id: wire::understand(reply).request_id,
            throttled: false,
            decision: Decision::Stopped,
            pause: None,
        };
        self.store.end_request(&self.scope, begun.clone(), end, None).await?;
        Err(error)
    }

    /// True if the provider refused the time stamp, and requests are signed with its time from now
    /// on.
    fn correct_clock(&self, answer: &Answer) -> bool {
        let date = answer.date.filter(|_| answer.body == Body::Error(Class::Clock));
        let correction = date.and_then(|date| self.provider.correct_clock(date));
        if let Some(correction) = correction.filter(|correction| correction.first) {
            self.anomalies.clock_is_off(correction.behind);
        }
        correction.is_some()
    }

    fn report(
        &self,
        question: &Question,
        tries: &Tries,
        answer: &Answer,
        verdict: &Verdict,
        throttled: bool,
    ) {
        self.monitor.came_back(&answer.code);
        if throttled {
            self.monitor.throttled();
        }
        if matches!(answer.body, Body::Error(_)) {
            tracing::debug!(
                call_id = question.call_id,
                attempt = tries.counted + tries.forgiven,
                code = answer.code,
                reply = phone::mask_text(&answer.message),
                ?verdict,
                "attempt failed"
            );
        }
    }

    /// Waits before the next attempt, or until the run stops.
    async fn pause(&self, after: Duration) {
        tokio::select! {
            () = tokio::time::sleep(after) => {}
            () = self.stop.stopped() => {}
        }
    }
}

/// True if the answer is the record of another call: it may belong to another request.
fn is_in_doubt(question: &Question, answer: &Answer) -> bool {
    let Body::Data(data) = &answer.body else { return false };
    normalize(data).is_ok_and(|detail| is_other_call(&question.call_id, &detail))
}
