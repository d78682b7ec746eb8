//! One call to its outcome: take a place, put the request on disk, send, understand, decide.
//!
//! Every attempt passes here, so every attempt takes a place under the cap and is on disk before it
//! is sent.

mod adaptive_rate;
mod anomalies;
pub mod cap;
pub mod retry;
mod shape;

use std::sync::Arc;
use std::time::Duration;

use chrono::NaiveDate;

use crate::clock::Moment;
use crate::error::Result;
use crate::provider::codes::Class;
use crate::provider::wire::{self, Answer, Body};
use crate::provider::{Provider, Question};
use crate::stop::{Reason, Stop};
use crate::store::{BegunRequest, Decision, NewRequest, Origin, Purpose, RequestEnd, RequestLog};
use cap::Cap;
use reconcile_core::answer::{AnswerKind, NewAnswer};
use reconcile_core::ask_again::Scope;
use reconcile_core::call::CallKey;
use reconcile_core::normalize::normalize;
use reconcile_core::phone;
use retry::{Corrections, Policy, Verdict};

pub use anomalies::Anomalies;

/// All that the fetch stage tells the world outside.
pub trait Monitor: Send + Sync {
    /// A request came back with this code, or this word for what happened instead.
    fn came_back(&self, code: &str);
    /// The provider throttled.
    fn throttled(&self);
    /// A call has its answer.
    fn ended(&self, kind: AnswerKind);
}

/// One call that is to be asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Which.
    pub key: CallKey,
    /// The day to begin with.
    pub first_day: NaiveDate,
    /// The day to ask when the first has no record.
    pub other_day: Option<NaiveDate>,
}

/// How a job ended, in this run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It has an answer of this kind.
    Answered(AnswerKind),
    /// The run was stopped first.
    Deferred,
}

/// All that an attempt needs. Shared by all jobs of a run.
pub struct Fetcher<P> {
    /// Who is asked.
    pub provider: P,
    /// The cap.
    pub cap: Arc<Cap>,
    /// How often and how patiently.
    pub policy: Policy,
    /// The durable store.
    pub store: Arc<dyn RequestLog>,
    /// Which run this is.
    pub scope: Scope,
    /// What is told of it.
    pub monitor: Arc<dyn Monitor>,
    /// What it finds out about the run as a whole.
    pub watch: Anomalies,
    /// Where it is told to stop.
    pub stop: Stop,
}

impl<P: Provider> Fetcher<P> {
    /// Asks until the call has its answer or the run stops. A failed call is a value; what is the
    /// same for all calls, the store's failures among it, goes to [`Stop`].
    pub async fn fetch(&self, job: Job) -> Ended {
        match self.ask_days(&job).await {
            Ok(ended) => ended,
            Err(error) => {
                self.stop.stop(Reason::Failed(Arc::new(error)));
                Ended::Deferred
            }
        }
    }

    async fn ask_days(&self, job: &Job) -> Result<Ended> {
        let ended = self.ask_day(job, job.first_day, job.other_day, Purpose::First).await?;
        match (ended, job.other_day) {
            (Ended::Answered(AnswerKind::NoRecord), Some(day)) => {
                self.ask_day(job, day, None, Purpose::OtherDay).await
            }
            _ => Ok(ended),
        }
    }

    /// Asks for one day until there is an answer, `then` being the day to be asked if it has no
    /// record.
    async fn ask_day(
        &self,
        job: &Job,
        day: NaiveDate,
        then: Option<NaiveDate>,
        first: Purpose,
    ) -> Result<Ended> {
        let question = Question { call_id: job.key.call_id.clone(), prod_id: job.key.prod_id, day };
        for attempt in 1.. {
            let purpose = if attempt == 1 { first } else { Purpose::Retry };
            let request = NewRequest { key: job.key.clone(), asked_date: day, purpose };
            let Some((verdict, kind)) = self.attempt(&question, request, then, attempt).await? else { break };
            match verdict {
                Verdict::Done | Verdict::Exhausted => {
                    return Ok(kind.map_or(Ended::Deferred, Ended::Answered));
                }
                Verdict::Stop(_) => break,
                Verdict::Again { after, whole_run } => self.pause(after, whole_run).await,
            }
        }
        Ok(Ended::Deferred)
    }

    /// One attempt; `None` when the run was stopped before it was sent.
    async fn attempt(
        &self,
        question: &Question,
        request: NewRequest,
        then: Option<NaiveDate>,
        attempt: u32,
    ) -> Result<Option<(Verdict, Option<AnswerKind>)>> {
        let place = tokio::select! {
            biased;
            () = self.stop.stopped() => return Ok(None),
            place = self.cap.take() => place,
        };
        let Some(key) = self.key().await else { return Ok(None) };
        let begun = self.store.begin_request(&self.scope, request).await?;
        let reply = self.provider.ask(question).await;
        // The reply is proof that the request has arrived: from here on the place cools. The record
        // says so a moment earlier, so that what the next process counts, and what the audit finds,
        // is never ahead of the cap.
        let (at, taken_at) = (self.store.moment(), place.taken_at());
        drop(place);
        if let Some(is_sandbox) = reply.is_sandbox() {
            self.admit(is_sandbox, &begun, at).await?;
        }
        let answer = wire::understand(&reply);
        let throttled = answer.body == Body::Error(Class::Throttle);
        if throttled {
            self.cap.throttled(taken_at, retry::hint(&answer));
        } else if answer.http_status.is_some() {
            self.cap.let_through(taken_at);
        }
        let corrections =
            Corrections { clock: self.correct_clock(&answer), key: self.renew_key(&answer, key).await };
        self.watch.observe(&answer);
        let verdict = retry::decide(&self.policy, attempt, &answer, corrections, fastrand::f64());
        let kept = keep(&answer, &verdict, question.day, then);
        let kind = kept.as_ref().map(|a| a.kind);
        self.report(question, attempt, &answer, &verdict, throttled);
        let (decision, pause) = decision(&verdict);
        let (http_status, code) = (answer.http_status, answer.code.clone());
        let end = RequestEnd { at, http_status, code, throttled, decision, pause };
        if let Verdict::Stop(advice) = verdict {
            let (code, message) = (answer.code, phone::mask_text(&answer.message));
            self.stop.stop(Reason::Fatal { code, message, advice });
        }
        self.store.end_request(&self.scope, begun, end, kept).await?;
        Ok(Some((verdict, kind)))
    }

    /// The number of the key to sign with; `None` when the run is stopped. The place that is held
    /// is not used while this waits: it counts from when the request is sent.
    async fn key(&self) -> Option<u64> {
        let ready = tokio::select! {
            biased;
            () = self.stop.stopped() => return None,
            ready = self.provider.ready() => ready,
        };
        ready.map_err(|reason| self.stop.stop(reason)).ok()
    }

    /// Whether an answer about the security token brought another key.
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

    /// Make-believe never mixes with the real: an answer of the other origin than the store's ends
    /// the run, and nothing of it is kept but that it was asked for.
    async fn admit(&self, is_sandbox: bool, begun: &BegunRequest, at: Moment) -> Result<()> {
        let origin = if is_sandbox { Origin::Sandbox } else { Origin::Provider };
        let Err(error) = self.store.admit(origin) else { return Ok(()) };
        let (code, decision) = ("other_nature".to_owned(), Decision::Stopped);
        let end = RequestEnd { at, http_status: None, code, throttled: false, decision, pause: None };
        self.store.end_request(&self.scope, begun.clone(), end, None).await?;
        Err(error)
    }

    /// Whether an answer about the time stamp told the provider's time, which is signed with from
    /// now on.
    fn correct_clock(&self, answer: &Answer) -> bool {
        let date = answer.date.filter(|_| answer.body == Body::Error(Class::Clock));
        let correction = date.and_then(|date| self.provider.correct_clock(date));
        if let Some(correction) = correction.filter(|correction| correction.first) {
            self.watch.clock_is_off(correction.behind);
        }
        correction.is_some()
    }

    fn report(&self, question: &Question, attempt: u32, answer: &Answer, verdict: &Verdict, throttled: bool) {
        self.monitor.came_back(&answer.code);
        if throttled {
            self.monitor.throttled();
        }
        if matches!(answer.body, Body::Error(_)) {
            tracing::debug!(
                call_id = question.call_id,
                attempt,
                code = answer.code,
                said = phone::mask_text(&answer.message),
                ?verdict,
                "attempt failed"
            );
        }
    }

    /// Waits before the next attempt, or until the run is stopped.
    async fn pause(&self, after: Duration, whole_run: bool) {
        if whole_run {
            self.cap.hold(after);
            return;
        }
        tokio::select! {
            () = tokio::time::sleep(after) => {}
            () = self.stop.stopped() => {}
        }
    }
}

/// A verdict, as it is put on disk.
fn decision(verdict: &Verdict) -> (Decision, Option<Duration>) {
    match verdict {
        Verdict::Done => (Decision::Answered, None),
        Verdict::Again { after, .. } => (Decision::Again, Some(*after)),
        Verdict::Exhausted => (Decision::GaveUp, None),
        Verdict::Stop(_) => (Decision::Stopped, None),
    }
}

/// The answer that a verdict makes of what came back; `None` while the call is still being tried.
fn keep(answer: &Answer, verdict: &Verdict, day: NaiveDate, then: Option<NaiveDate>) -> Option<NewAnswer> {
    let (kind, data) = match (&answer.body, verdict) {
        (Body::Data(data), Verdict::Done) => (kind_of(data), Some(data.clone())),
        (Body::NoRecord, Verdict::Done) => (AnswerKind::NoRecord, None),
        (Body::Malformed { text, .. }, Verdict::Done) => (AnswerKind::Malformed, Some(text.clone())),
        (Body::Error(_), Verdict::Done) => (AnswerKind::Rejected, None),
        (_, Verdict::Exhausted) => (AnswerKind::Exhausted, None),
        _ => return None,
    };
    Some(NewAnswer {
        kind,
        found_date: day,
        next_date: then.filter(|_| kind == AnswerKind::NoRecord),
        request_id: answer.request_id.clone(),
        code: answer.code.as_str().into(),
        message: answer.message.as_str().into(),
        data,
    })
}

fn kind_of(data: &str) -> AnswerKind {
    match normalize(data) {
        Ok(detail) if detail.is_final => AnswerKind::Final,
        Ok(_) => AnswerKind::Interim,
        Err(_) => AnswerKind::Malformed,
    }
}
