//! The simulated provider itself: a request as it was received → what is answered, and how.
//!
//! The order: the gateway's checks · what befalls the request (`scenario`) · the question's own parameters · the records.
//! Every request is noted in the journal. Knows no HTTP library.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::accounts::Account;
use super::envelope::{Envelope, Form};
use super::faults::{Moment, Step, What, chance, denied};
use super::gateway::{Gateway, Heard, Params, Refusal};
use super::journal::{Entry, Journal};
use super::records::{Records, Told, alter};
use super::scenario::Scenario;
use super::{Calls, Options};
use crate::error;
use reconcile_core::calendar::day_of;
use reconcile_core::rate::Rate;

/// How much of a CallId or a key's id is noted, in characters.
const NOTED: usize = 128;
/// Sets the chances of latency apart from those of faults.
const LATENCY: u64 = 0x1a7e_4c1e;
/// So long nothing comes of a request that is never answered; then its connection ends.
const NEVER: Duration = Duration::from_secs(600);

/// How an answer ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// It is whole.
    Whole,
    /// The connection ends in its middle.
    Cut,
    /// The connection ends before it.
    Dropped,
}

/// What is answered, and how.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    pub(super) ending: Ending,
    /// Before its first byte.
    pub(super) delay: Duration,
    /// From its first byte to its last.
    pub(super) drip: Duration,
}

/// When a call was asked for, and how often.
struct Asked {
    first: Instant,
    first_day: Option<NaiveDate>,
    attempts: u32,
}

/// The provider behind the server.
pub(super) struct Simulated {
    gateway: Gateway,
    records: Records,
    scenario: Scenario,
    journal: Journal,
    /// `HostId` of its answers.
    host: String,
    clock_ahead: TimeDelta,
    seed: u64,
    /// The least and the most that an answer takes.
    latency: (Duration, Duration),
    started: Instant,
    /// Requests that the gateway let pass.
    passed: AtomicU64,
    asked: Mutex<HashMap<u64, Asked>>,
}

/// What was made of a request, before it is written.
struct Judged {
    told: Told,
    step: Step,
    verdict: &'static str,
    attempt: u32,
    believed: bool,
}

impl Judged {
    fn refused(refusal: Refusal, verdict: &'static str, believed: bool) -> Self {
        Self { told: Told::Refused(refusal), step: What::Record.into(), verdict, attempt: 0, believed }
    }
}

impl Simulated {
    /// # Errors
    ///
    /// The table of the sample data cannot be read, which is a bug.
    pub(super) fn new(options: Options, host: String) -> error::Result<Self> {
        let requests = NonZeroU32::new(options.cap_requests).unwrap_or(NonZeroU32::MIN);
        let known = options.calls.map_or_else(Records::sample, |Calls(known)| Ok(known))?;
        Ok(Self {
            gateway: Gateway::new(options.accounts, options.cap_requests, options.cap_window),
            records: Records::new(known, options.seed),
            journal: Journal::new(Rate { requests, window: options.cap_window }),
            host,
            clock_ahead: options.clock_ahead + options.scenario.faults.skew(),
            scenario: options.scenario,
            seed: options.seed,
            latency: options.latency,
            started: Instant::now(),
            passed: AtomicU64::new(0),
            asked: Mutex::default(),
        })
    }

    /// What the gateway's clock says.
    fn now(&self) -> DateTime<Utc> {
        Utc::now() + self.clock_ahead
    }

    /// What a user who looks in is shown; `None` when there is no such page.
    pub(super) fn page(&self, path: &str) -> Option<Value> {
        match path {
            "/_sandbox/stats" => Some(self.journal.stats()),
            "/_sandbox/requests" => Some(self.journal.requests()),
            "/_sandbox/planted" => Some(self.records.planted()),
            _ => None,
        }
    }

    /// Answers a request, or one that could not even be read.
    pub(super) fn answer(&self, heard: &Result<Heard, Refusal>) -> Answer {
        let now = Instant::now();
        let (form, who, judged) = match heard {
            Ok(heard) => (Form::asked(heard), Some(heard), self.judge(heard, now)),
            Err(refusal) => (Form::Json, None, Judged::refused(refusal.clone(), "refused", false)),
        };
        let Judged { told, step, verdict, attempt, believed } = judged;
        let (code, answer) = self.write(form, told, &step);
        let noted = |text: Option<&str>| text.map(|text| text.chars().take(NOTED).collect::<String>());
        let status = if answer.ending == Ending::Dropped { 0 } else { answer.status };
        let entry = Entry {
            at: self.now(),
            account: noted(who.and_then(Heard::claimed_key)),
            believed,
            signature: who.map_or("none", Heard::signature_version),
            call_id: noted(who.and_then(|heard| heard.params.get("CallId"))).unwrap_or_default(),
            attempt,
            verdict,
            code,
            status,
        };
        self.journal.note(entry, now);
        answer
    }

    fn judge(&self, heard: &Heard, now: Instant) -> Judged {
        let account = match self.gateway.verify(heard, self.now(), now) {
            Ok(account) => account,
            Err(refusal) => return Judged::refused(refusal, "refused", false),
        };
        if heard.is_for_sts() {
            return self.assume(&account, &heard.params);
        }
        if let Err(refusal) = self.gateway.admit(&account, now) {
            return Judged::refused(refusal, "throttled", true);
        }
        if account.denied {
            return Judged::refused(denied(), "denied", true);
        }
        let question = question(&heard.params);
        let call_id = heard.params.get("CallId").unwrap_or_default();
        let (at, first_day) = self.count(call_id, question.as_ref().ok().map(|(.., day)| *day), now);
        let befallen = self.scenario.befall(self.seed, call_id, at);
        let (verdict, step) =
            befallen.map_or_else(|| (None, What::Record.into()), |(name, step)| (Some(name), step));
        let told = match question {
            // What ends every request ends this one as well.
            Err(_) if matches!(step.what, What::Error(_)) => alter(&step, || Told::NoRecord, || None),
            Err(refusal) => Told::Refused(refusal),
            Ok((call_id, prod_id, day)) => {
                let tell = |day| self.records.tell(call_id, prod_id, day, at.attempt);
                let elsewhere = || first_day.filter(|first| *first != day).map(tell);
                alter(&step, || tell(day), elsewhere)
            }
        };
        let verdict = verdict.unwrap_or(match &told {
            Told::Data(_) => "answered",
            Told::NoRecord => "no_record",
            Told::Refused(_) => "refused",
            Told::Page { .. } => "page",
            Told::Replayed(_) => "replayed",
            Told::Key(_) => "key_given",
        });
        Judged { told, step, verdict, attempt: at.attempt, believed: true }
    }

    /// STS is another service: nothing of the cap is spent on it, and no fault of this one befalls it.
    fn assume(&self, account: &Account, params: &Params) -> Judged {
        match self.gateway.sts.assume(account, params, self.now()) {
            Ok(key) => Judged {
                told: Told::Key(key),
                step: What::Record.into(),
                verdict: "key_given",
                attempt: 0,
                believed: false,
            },
            Err(refusal) => Judged::refused(refusal, "refused", false),
        }
    }

    /// Counts a request for a call, and says for which day it was asked for first.
    fn count(&self, call_id: &str, day: Option<NaiveDate>, now: Instant) -> (Moment, Option<NaiveDate>) {
        let call = hash(call_id);
        let request = self.passed.fetch_add(1, Ordering::Relaxed) + 1;
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let known = asked.entry(call).or_insert(Asked { first: now, first_day: day, attempts: 0 });
        known.attempts = known.attempts.saturating_add(1);
        let (since_start, since_first) =
            (now.saturating_duration_since(self.started), now.saturating_duration_since(known.first));
        (Moment { call, attempt: known.attempts, request, since_start, since_first }, known.first_day)
    }

    /// The answer, and its `Code`.
    fn write(&self, form: Form, told: Told, step: &Step) -> (String, Answer) {
        let (code, mut answer) = match told {
            Told::Data(data) => ("OK".to_owned(), self.ok(form, Some(&data))),
            Told::NoRecord => ("OK".to_owned(), self.ok(form, None)),
            Told::Refused(refusal) => (refusal.code.clone(), self.refuse(form, &refusal)),
            Told::Page { status } => (String::new(), self.page_of(status)),
            Told::Key(key) => (String::new(), self.reply(200, Some(Form::Json.content_type()), key.into())),
            Told::Replayed(replayed) => {
                let mut answer = self.reply(replayed.status.unwrap_or(0), None, replayed.body);
                answer.headers.extend(replayed.headers);
                if replayed.status.is_none() {
                    answer.ending = Ending::Dropped;
                }
                (String::new(), answer)
            }
        };
        match step.what {
            What::Empty => answer.body.clear(),
            What::Truncated => answer.body.truncate(answer.body.len() / 2),
            What::Cut => answer.ending = Ending::Cut,
            What::Dropped => answer.ending = Ending::Dropped,
            What::Never => (answer.ending, answer.delay) = (Ending::Dropped, NEVER),
            _ => {}
        }
        answer.delay += step.delay + self.latency();
        answer.drip = step.drip;
        (code, answer)
    }

    fn latency(&self) -> Duration {
        let (least, most) = self.latency;
        if most.is_zero() {
            return least;
        }
        let dice = chance(self.seed, LATENCY, self.passed.load(Ordering::Relaxed));
        let micros = u64::try_from(most.saturating_sub(least).as_micros()).unwrap_or(u64::MAX);
        least + Duration::from_micros(dice % micros.saturating_add(1))
    }

    fn ok(&self, form: Form, data: Option<&str>) -> Answer {
        let envelope = Envelope {
            request_id: request_id(),
            host_id: None,
            code: "OK",
            message: "OK",
            recommend: None,
            data,
        };
        self.reply(200, Some(form.content_type()), envelope.write(form).into())
    }

    fn refuse(&self, form: Form, refusal: &Refusal) -> Answer {
        // The service's own errors carry no more than a success does; only the gateway names itself.
        let gateway = refusal.status != 200;
        let code = refusal.code.as_str();
        let search = || format!("https://error-center.aliyun.com/status/search?Keyword={code}&source=PopGw");
        let envelope = Envelope {
            request_id: request_id(),
            host_id: gateway.then_some(self.host.as_str()),
            code,
            message: &refusal.message,
            recommend: gateway.then(search),
            data: None,
        };
        let mut answer = self.reply(refusal.status, Some(form.content_type()), envelope.write(form).into());
        if let Some(ms) = refusal.retry_after_ms {
            answer.headers.push(("x-acs-retry-after".into(), ms.to_string()));
        }
        answer
    }

    fn page_of(&self, status: u16) -> Answer {
        let page = format!("<html><head><title>{status}</title></head><body><h1>{status}</h1></body></html>");
        self.reply(status, Some("text/html"), page.into())
    }

    fn reply(&self, status: u16, content_type: Option<&str>, body: Vec<u8>) -> Answer {
        let date = self.now().format("%a, %d %b %Y %H:%M:%S GMT").to_string();
        let mut headers = vec![("x-reconcile-sandbox".to_owned(), "1".to_owned()), ("date".to_owned(), date)];
        headers.extend(content_type.map(|kind| ("content-type".to_owned(), kind.to_owned())));
        let (ending, delay, drip) = (Ending::Whole, Duration::ZERO, Duration::ZERO);
        Answer { status, headers, body, ending, delay, drip }
    }
}

/// The question's own parameters, once the gateway has let it pass.
fn question(params: &Params) -> Result<(&str, i64, NaiveDate), Refusal> {
    let call_id = params.need("CallId")?;
    let number = |name: &str| {
        let digits = params.need(name)?.bytes().all(|b| b.is_ascii_digit());
        let number = params.need(name)?.parse::<i64>().ok().filter(|n| digits && *n > 0);
        number.ok_or_else(|| Refusal::new(400, "InvalidParameters", format!("{name} is not a number.")))
    };
    let prod_id = number("ProdId")?;
    let instant = DateTime::from_timestamp_millis(number("QueryDate")?);
    let day =
        instant.map(day_of).ok_or_else(|| Refusal::new(400, "InvalidParameter.date", "date not invalid."))?;
    Ok((call_id, prod_id, day))
}

/// The beginning of a SHA-256: two calls of even a large ledger hardly ever meet.
fn hash(call_id: &str) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&Sha256::digest(call_id)[..8]);
    u64::from_le_bytes(bytes)
}

pub(super) fn request_id() -> String {
    uuid::Uuid::new_v4().to_string().to_uppercase()
}
