//! The simulated provider: from a request as received to an HTTP response.
//!
//! The order: the gateway's checks, the injected fault, the parameters of the call query, the
//! records. The journal gets every request. This file uses no HTTP library.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use super::call_query::CallQuery;
use super::calls::Calls;
use super::chance::draw;
use super::envelope::Format;
use super::faults;
use super::gateway::{self, Account, Gateway, Operation, Verified};
use super::history::History;
use super::journal::{Journal, JournalEntry};
use super::options::Options;
use super::refusal::Refusal;
use super::reply::{Effect, Reply, Step};
use super::request::{Params, Request};
use super::response::{HttpResponse, ResponseWriter};
use super::scenario::Scenario;
use crate::error;
use reconcile_core::rate::Rate;

/// How many characters of a CallId or a key's id the journal keeps.
const ID_LENGTH: usize = 128;
/// The draws of latency use this number instead of a call's hash.
const LATENCY: u64 = 0x1a7e_4c1e;

/// The simulated provider, without HTTP.
pub(super) struct SimulatedProvider {
    gateway: Gateway,
    calls: Calls,
    scenario: Scenario,
    journal: Journal,
    history: History,
    writer: ResponseWriter,
    clock_ahead: TimeDelta,
    seed: u64,
    /// The shortest and the longest time that a reply takes.
    latency: (Duration, Duration),
}

/// The reply to a request, before the response is written.
struct HandledRequest {
    reply: Reply,
    step: Step,
    /// The journal's word for this reply.
    verdict: &'static str,
    attempt: u32,
    authenticated: bool,
}

impl HandledRequest {
    /// A reply that no fault changes.
    fn new(reply: Reply, verdict: &'static str) -> Self {
        Self { reply, step: Effect::Record.into(), verdict, attempt: 0, authenticated: false }
    }

    fn refused(refusal: Refusal, verdict: &'static str) -> Self {
        Self::new(Reply::Refused(refusal), verdict)
    }

    fn authenticated(self) -> Self {
        Self { authenticated: true, ..self }
    }
}

impl SimulatedProvider {
    /// A provider with these options. `host` is the `HostId` of its errors.
    ///
    /// # Errors
    ///
    /// The sample data cannot be read, which is a bug.
    pub(super) fn new(options: Options, host: String) -> error::Result<Self> {
        let requests = NonZeroU32::new(options.cap_requests).unwrap_or(NonZeroU32::MIN);
        Ok(Self {
            gateway: Gateway::new(options.accounts, options.cap_requests, options.cap_window),
            calls: options.calls.map_or_else(Calls::sample, Ok)?,
            journal: Journal::new(Rate { requests, window: options.cap_window }),
            history: History::new(),
            writer: ResponseWriter { host },
            clock_ahead: options.clock_ahead + options.scenario.faults.skew(),
            scenario: options.scenario,
            seed: options.seed,
            latency: options.latency,
        })
    }

    /// The time by the provider's clock.
    fn provider_time(&self) -> DateTime<Utc> {
        Utc::now() + self.clock_ahead
    }

    /// The sandbox's own JSON page at a path; `None` if there is none.
    pub(super) fn page(&self, path: &str) -> Option<Value> {
        match path {
            "/_sandbox/stats" => Some(self.journal.stats()),
            "/_sandbox/requests" => Some(self.journal.requests()),
            "/_sandbox/planted" => Some(self.calls.planted()),
            _ => None,
        }
    }

    /// Answers a request, or the refusal of one that could not be read.
    pub(super) fn answer(&self, received: Result<Request, Refusal>) -> HttpResponse {
        let now = Instant::now();
        match received {
            Ok(request) => self.respond(Some(&request), self.handle(&request, now), now),
            Err(refusal) => self.respond(None, HandledRequest::refused(refusal, "refused"), now),
        }
    }

    /// Writes the response and adds the request to the journal.
    fn respond(&self, request: Option<&Request>, handled: HandledRequest, now: Instant) -> HttpResponse {
        let HandledRequest { reply, step, verdict, attempt, authenticated } = handled;
        let format = request.map_or(Format::Json, Format::of);
        let mut response = self.writer.write(format, reply, &step, self.provider_time());
        response.delay += self.latency();
        let shortened =
            |text: Option<&str>| text.map(|text| text.chars().take(ID_LENGTH).collect::<String>());
        let call_id = request.and_then(|request| request.params.get("CallId"));
        let entry = JournalEntry {
            at: self.provider_time(),
            account: shortened(request.and_then(gateway::claimed_key)),
            authenticated,
            signature: request.map_or("none", gateway::signature_version),
            call_id: shortened(call_id).unwrap_or_default(),
            attempt,
            verdict,
            code: response.code.clone(),
            status: response.sent_status(),
        };
        self.journal.add(entry, now);
        response
    }

    fn handle(&self, request: &Request, now: Instant) -> HandledRequest {
        let account = match self.gateway.verify(request, self.provider_time(), now) {
            Ok(Verified { account, operation: Operation::AssumeRole }) => {
                return self.assume_role(&account, &request.params);
            }
            Ok(Verified { account, operation: Operation::QueryCallDetail }) => account,
            Err(refusal) => return HandledRequest::refused(refusal, "refused"),
        };
        if let Err(refusal) = self.gateway.admit(&account, now) {
            return HandledRequest::refused(refusal, "throttled").authenticated();
        }
        if account.denied {
            return HandledRequest::refused(Refusal::not_authorized(), "denied").authenticated();
        }
        self.query_call(&request.params, now).authenticated()
    }

    /// STS is another service: its requests do not count toward the cap and get no faults.
    fn assume_role(&self, account: &Account, params: &Params) -> HandledRequest {
        match self.gateway.assume_role(account, params, self.provider_time()) {
            Ok(key) => HandledRequest::new(Reply::Key(key), "key_given"),
            Err(refusal) => HandledRequest::refused(refusal, "refused"),
        }
    }

    fn query_call(&self, params: &Params, now: Instant) -> HandledRequest {
        let query = CallQuery::read(params);
        let call_id = params.get("CallId").unwrap_or_default();
        let context = self.history.count(call_id, query.as_ref().ok().map(|query| query.day), now);
        let injection = self.scenario.inject(self.seed, call_id, &context);
        let (fault, step) = match injection {
            Some(injection) => (Some(injection.name), injection.step),
            None => (None, Effect::Record.into()),
        };
        let reply = match query {
            // An injected error comes before the check of the parameters.
            Err(refusal) => match &step.effect {
                Effect::Error(error) => Reply::Refused(error.clone()),
                _ => Reply::Refused(refusal),
            },
            Ok(query) => {
                let record_reply = || self.calls.reply(self.seed, &query, context.attempt);
                let other_day_reply = || {
                    let first_day = context.first_day.filter(|first| *first != query.day)?;
                    let query = CallQuery { day: first_day, ..query };
                    Some(self.calls.reply(self.seed, &query, context.attempt))
                };
                faults::apply(&step.effect, record_reply, other_day_reply)
            }
        };
        let verdict = fault.unwrap_or_else(|| verdict(&reply));
        HandledRequest { step, attempt: context.attempt, ..HandledRequest::new(reply, verdict) }
    }

    fn latency(&self) -> Duration {
        let (least, most) = self.latency;
        if most.is_zero() {
            return least;
        }
        let draw = draw(self.seed, LATENCY, self.history.requests());
        let range_us = u64::try_from(most.saturating_sub(least).as_micros()).unwrap_or(u64::MAX);
        least + Duration::from_micros(draw % range_us.saturating_add(1))
    }
}

/// The journal's word for a reply that no fault changed.
fn verdict(reply: &Reply) -> &'static str {
    match reply {
        Reply::Data(_) => "answered",
        Reply::NoRecord => "no_record",
        Reply::Refused(_) => "refused",
        Reply::Page { .. } => "page",
        Reply::Recorded(_) => "replayed",
        Reply::Key(_) => "key_given",
    }
}
