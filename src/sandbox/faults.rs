//! What can go wrong, by name: `--faults 503=2%,cut=0.5%,late=30s,throttle-burst=every 5m`.
//!
//! Owns the names, what each does, and the chance. Promises that what befalls a request depends on the seed, the CallId
//! and the attempt alone, so that a rehearsal can be repeated; only what is told by the clock (`late`, bursts, spells
//! in time) depends on it. The clock comes in as an argument.

use std::time::Duration;

use Befalls::{Calls, FirstTries, Requests};
use chrono::TimeDelta;
use strsim::damerau_levenshtein;

use super::gateway::{Refusal, inactive, token_expired};

/// What is made of a request that the gateway has let pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum What {
    /// What the records say.
    Record,
    /// `OK` without `Data`.
    NoRecord,
    /// The record, in a state that is not final.
    Interim,
    /// The record, as if it stood on a neighbour of the day that was asked for first.
    OtherDay,
    /// The record, as text that is no JSON.
    Malformed,
    /// The record, with a state in no table.
    UnknownState,
    /// `OK` with this `Data`.
    Data(String),
    /// An error.
    Error(Refusal),
    /// No answer of the provider's but a page, as a proxy sends one.
    Page {
        /// HTTP status.
        status: u16,
    },
    /// HTTP 200 with nothing in it.
    Empty,
    /// Half of the answer, as if it were whole.
    Truncated,
    /// The connection ends in the middle of the answer.
    Cut,
    /// The connection ends before the answer.
    Dropped,
    /// Nothing comes until the client gives up.
    Never,
}

/// The same, with how long it takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) what: What,
    /// Before the answer begins.
    pub(super) delay: Duration,
    /// From its first byte to its last.
    pub(super) drip: Duration,
}

impl From<What> for Step {
    fn from(what: What) -> Self {
        Self { what, delay: Duration::ZERO, drip: Duration::ZERO }
    }
}

/// Whom a fault befalls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Befalls {
    /// A share of the requests; the next try of the same call may pass.
    Requests,
    /// A share of the calls, at their first try.
    FirstTries,
    /// A share of the calls, at every try.
    Calls,
}

/// A fault that comes by chance.
#[derive(Debug, PartialEq, Eq)]
struct Fault {
    name: &'static str,
    befalls: Befalls,
    about: &'static str,
}

const fn fault(name: &'static str, befalls: Befalls, about: &'static str) -> Fault {
    Fault { name, befalls, about }
}

/// All of them, in the order of the help.
const FAULTS: [Fault; 25] = [
    fault("500", Requests, "InternalError, HTTP 500"),
    fault("502", Requests, "a proxy's page, HTTP 502"),
    fault("503", Requests, "ServiceUnavailable, HTTP 503"),
    fault("504", Requests, "a proxy's page, HTTP 504"),
    fault("429", Requests, "Throttling, HTTP 429"),
    fault("throttle", Requests, "Throttling.User, HTTP 400, to wait a second"),
    fault("limit", Requests, "isv.BUSINESS_LIMIT_CONTROL, HTTP 200"),
    fault("system-error", Requests, "isp.SYSTEM_ERROR, HTTP 200"),
    fault("gateway-error", Requests, "isp.GATEWAY_ERROR, HTTP 200"),
    fault("unknown-error", Requests, "isp.UNKNOWN, HTTP 200"),
    fault("nonce-used", Requests, "SignatureNonceUsed, HTTP 400"),
    fault("html", Requests, "a page instead of the answer, HTTP 200"),
    fault("empty", Requests, "nothing instead of the answer, HTTP 200"),
    fault("truncated", Requests, "half of the answer, as if it were whole"),
    fault("cut", Requests, "the connection ends in the middle of the answer"),
    fault("drop", Requests, "the connection ends without an answer"),
    fault("stall", Requests, "no answer until the client gives up"),
    fault("slow", Requests, "the answer takes two seconds from its first byte to its last"),
    fault("not-yet", FirstTries, "no record at first, then the record"),
    fault("interim", FirstTries, "a state that is not final at first, then the record"),
    fault("other-day", Calls, "the record stands on the neighbouring day"),
    fault("other-product", Calls, "never a record, as with the wrong product"),
    fault("malformed", Calls, "Data that is no JSON"),
    fault("unknown-state", Calls, "a state in none of the provider's tables"),
    fault("rejected", Calls, "InvalidParameters, HTTP 400"),
];

/// What ends a run while it lasts, and other conditions, each with the form of its value.
const CONDITIONS: [(&str, &str, &str); 7] = [
    ("late", "30s", "a record appears so long after its call is first asked for"),
    ("skew", "20m", "the provider's clock is ahead by so much (-20m: behind)"),
    ("throttle-burst", "every 5m", "everything is throttled for a tenth of that time, ten seconds at most"),
    ("denied", "500..520", "Forbidden.RAM from the 500th request to the 520th; or 10m..12m; or 500.."),
    ("token-expired", "500..520", "InvalidSecurityToken.Expired; as denied"),
    ("key-disabled", "500..520", "InvalidAccessKeyId.Inactive; as denied"),
    ("arrears", "500..520", "isv.OUT_OF_SERVICE; as denied"),
];

/// How long a slow answer takes.
const SLOW: Duration = Duration::from_secs(2);

/// What `--help` says of the names.
#[must_use]
pub fn faults_help() -> String {
    let line = |name: &str, about: &str| format!("  {name:<24} {about}\n");
    let list = |requests: bool| -> String {
        let listed = FAULTS.iter().filter(|fault| (fault.befalls == Requests) == requests);
        listed.map(|fault| line(fault.name, fault.about)).collect()
    };
    let conditions = CONDITIONS.iter().map(|(name, value, about)| line(&format!("{name}={value}"), about));
    format!(
        "Faults with a share of the requests, such as 503=2%:\n{}With a share of the calls:\n{}With a value of their \
         own:\n{}",
        list(true),
        list(false),
        conditions.collect::<String>()
    )
}

/// What a fault's name, or `record` or `no-record`, makes of a request.
///
/// # Errors
///
/// The name is none; which one is near.
pub(super) fn step(name: &str) -> Result<Step, String> {
    let error = |status, code: &str, message: &str| What::Error(Refusal::new(status, code, message));
    let what = match name {
        "record" => What::Record,
        "no-record" | "not-yet" | "other-product" => What::NoRecord,
        "500" => error(500, "InternalError", "The request processing has failed due to some unknown error."),
        "503" => error(
            503,
            "ServiceUnavailable",
            "The request has failed due to a temporary failure of the server.",
        ),
        "502" => What::Page { status: 502 },
        "504" => What::Page { status: 504 },
        "429" => error(429, "Throttling", "Request was denied due to request throttling."),
        "throttle" => What::Error(Refusal::throttled(Duration::from_secs(1))),
        "limit" => error(200, "isv.BUSINESS_LIMIT_CONTROL", "该被叫号触发被叫流控,partnerId=,prodId="),
        "system-error" => error(200, "isp.SYSTEM_ERROR", "系统错误，请稍后重试"),
        "gateway-error" => error(200, "isp.GATEWAY_ERROR", "网元处理调用失败"),
        "unknown-error" => error(200, "isp.UNKNOWN", "未知错误"),
        "nonce-used" => error(400, "SignatureNonceUsed", "Specified signature nonce was used already."),
        "html" => What::Page { status: 200 },
        "empty" => What::Empty,
        "truncated" => What::Truncated,
        "cut" => What::Cut,
        "drop" => What::Dropped,
        "stall" => What::Never,
        "slow" => return Ok(Step { drip: SLOW, ..What::Record.into() }),
        "interim" => What::Interim,
        "other-day" => What::OtherDay,
        "malformed" => What::Malformed,
        "unknown-state" => What::UnknownState,
        "rejected" => error(400, "InvalidParameters", "The specified parameters are invalid."),
        "denied" => What::Error(denied()),
        "token-expired" => What::Error(token_expired()),
        "key-disabled" => What::Error(inactive()),
        "arrears" => What::Error(arrears()),
        _ => {
            return Err(no_such(
                name,
                &["record", "no-record", "denied", "token-expired", "key-disabled", "arrears"],
            ));
        }
    };
    Ok(what.into())
}

/// The user lacks the permission.
pub(super) fn denied() -> Refusal {
    let message =
        "User not authorized to operate on the specified resource, or this API doesn't support RAM.";
    Refusal::new(403, "Forbidden.RAM", message)
}

fn arrears() -> Refusal {
    Refusal::new(200, "isv.OUT_OF_SERVICE", "业务停机")
}

fn no_such(name: &str, more: &[&'static str]) -> String {
    let known = FAULTS.iter().map(|fault| fault.name).chain(more.iter().copied());
    let near =
        known.map(|known| (damerau_levenshtein(name, known), known)).min_by_key(|(distance, _)| *distance);
    let near = near.map_or("", |(_, known)| known);
    format!("there is no fault `{name}`; did you mean `{near}`? `reconcile sandbox --help` lists them")
}

/// From when until when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Span {
    /// The so-manieth requests, counted from 1.
    Requests(u64, u64),
    /// So long after the start.
    Time(Duration, Duration),
}

impl Span {
    fn parse(text: &str) -> Option<Self> {
        let (from, to) = text.split_once("..")?;
        if let Ok(from) = from.parse() {
            let to = if to.is_empty() { u64::MAX } else { to.parse().ok()? };
            return (from < to).then_some(Self::Requests(from, to));
        }
        let from = humantime::parse_duration(from).ok()?;
        let to = if to.is_empty() { Duration::MAX } else { humantime::parse_duration(to).ok()? };
        (from < to).then_some(Self::Time(from, to))
    }

    fn contains(self, request: u64, since_start: Duration) -> bool {
        match self {
            Self::Requests(from, to) => (from..to).contains(&request),
            Self::Time(from, to) => (from..to).contains(&since_start),
        }
    }
}

/// One request, as chance and clock see it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    /// A hash of the CallId.
    pub(super) call: u64,
    /// Tries of that call, this one included.
    pub(super) attempt: u32,
    /// Requests that the gateway has let pass, this one included.
    pub(super) request: u64,
    /// Since the sandbox started.
    pub(super) since_start: Duration,
    /// Since the call was first asked for.
    pub(super) since_first: Duration,
}

/// All that is to go wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Faults {
    /// By chance: the fault, what it does, and below which number of 2^64 it befalls.
    shares: Vec<(&'static Fault, Step, u64)>,
    late: Option<Duration>,
    skew: TimeDelta,
    burst_every: Option<Duration>,
    spells: Vec<(&'static str, Refusal, Span)>,
}

impl Faults {
    /// Reads `name=value` pairs, separated by commas.
    ///
    /// # Errors
    ///
    /// What is wrong with which of them, and the nearest name.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut faults = Self::default();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (name, value) = part
                .split_once('=')
                .ok_or_else(|| format!("`{part}` has no value; write a name and a share, such as 503=2%"))?;
            faults.add(name.trim(), value.trim())?;
        }
        Ok(faults)
    }

    fn add(&mut self, name: &str, value: &str) -> Result<(), String> {
        let wrong = |form: &str| format!("`{name}={value}`: write {name}={form}");
        if let Some(fault) = FAULTS.iter().find(|fault| fault.name == name) {
            let below = share(value).map_err(|why| format!("`{name}={value}`: {why}"))?;
            self.shares.push((fault, step(name)?, below));
            return Ok(());
        }
        let Some((known, form, _)) = CONDITIONS.iter().find(|(known, ..)| *known == name) else {
            return Err(no_such(name, &CONDITIONS.map(|(known, ..)| known)));
        };
        match name {
            "late" => self.late = Some(humantime::parse_duration(value).map_err(|_| wrong(form))?),
            "skew" => self.skew = skew(value).ok_or_else(|| wrong(form))?,
            "throttle-burst" => {
                let every = value.strip_prefix("every").map(str::trim);
                let every = every.and_then(|every| humantime::parse_duration(every).ok());
                self.burst_every = Some(every.filter(|every| !every.is_zero()).ok_or_else(|| wrong(form))?);
            }
            _ => {
                let span = Span::parse(value).ok_or_else(|| wrong(form))?;
                let What::Error(refusal) = step(name)?.what else { return Err(wrong(form)) };
                self.spells.push((known, refusal, span));
            }
        }
        Ok(())
    }

    /// How far the provider's clock is ahead of this machine's.
    #[must_use]
    pub(super) fn skew(&self) -> TimeDelta {
        self.skew
    }

    /// What befalls a request, with its name; `None` when nothing does. Of several the one that was named first.
    pub(super) fn befall(&self, seed: u64, at: Moment) -> Option<(&'static str, Step)> {
        if let Some((name, refusal, _)) =
            self.spells.iter().find(|(.., span)| span.contains(at.request, at.since_start))
        {
            return Some((name, What::Error(refusal.clone()).into()));
        }
        if let Some(left) = self.burst_left(at.since_start) {
            return Some(("throttle-burst", What::Error(Refusal::throttled(left)).into()));
        }
        let befallen = self.shares.iter().zip(1_u64..).find(|((fault, _, below), no)| {
            let attempt = match fault.befalls {
                Requests => u64::from(at.attempt),
                FirstTries if at.attempt > 1 => return false,
                FirstTries | Calls => 0,
            };
            chance(seed, at.call, no << 32 | attempt) < *below
        });
        if let Some(((fault, step, _), _)) = befallen {
            return Some((fault.name, step.clone()));
        }
        let late = self.late.is_some_and(|late| at.since_first < late);
        late.then(|| ("late", What::NoRecord.into()))
    }

    /// How long the burst goes on, if there is one.
    fn burst_left(&self, since_start: Duration) -> Option<Duration> {
        let every = self.burst_every?;
        let length = (every / 10).min(Duration::from_secs(10));
        let ms = |d: Duration| d.as_micros();
        let into = ms(since_start) % ms(every).max(1);
        // None at the very start: the first burst comes after the first period.
        let on = ms(since_start) >= ms(every) && into < ms(length);
        let left = ms(length).saturating_sub(into);
        on.then(|| Duration::from_micros(u64::try_from(left).unwrap_or(u64::MAX)))
    }
}

/// A number that is the same for the same three (SplitMix64).
pub(super) fn chance(seed: u64, call: u64, no: u64) -> u64 {
    let mut z = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ call ^ no.wrapping_mul(0xd134_2543_de82_ef95);
    z = z.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// `2%` as that share of 2^64.
///
/// # Errors
///
/// It is no share; what one is.
pub fn share(text: &str) -> Result<u64, String> {
    let percent = text.strip_suffix('%').and_then(|n| n.trim().parse::<f64>().ok());
    let percent = percent.filter(|percent| *percent >= 0.0 && *percent <= 100.0);
    let percent = percent.ok_or("write a share from 0% to 100%, such as 0.5%")?;
    // Beyond the largest whole number the cast saturates, which is what 100% means.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    Ok((percent / 100.0 * 18_446_744_073_709_551_616.0) as u64)
}

fn skew(text: &str) -> Option<TimeDelta> {
    let behind = text.strip_prefix('-');
    let by = TimeDelta::from_std(humantime::parse_duration(behind.unwrap_or(text)).ok()?).ok()?;
    // What lies beyond the calendar cannot be a clock.
    let by = Some(by).filter(|by| *by < TimeDelta::days(36_500))?;
    Some(if behind.is_some() { -by } else { by })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const README: &str = include_str!("../../README.md");

    fn at(call: u64, attempt: u32) -> Moment {
        let (request, since) = (1, Duration::ZERO);
        Moment { call, attempt, request, since_start: since, since_first: since }
    }

    fn name(faults: &Faults, seed: u64, at: Moment) -> Option<&'static str> {
        faults.befall(seed, at).map(|(name, _)| name)
    }

    #[test]
    fn every_name_can_be_given_and_does_something() {
        for fault in &FAULTS {
            let faults = Faults::parse(&format!("{}=100%", fault.name)).unwrap();
            let (befallen, step) = faults.befall(0, at(7, 1)).unwrap();
            assert_eq!(befallen, fault.name);
            assert!(step.what != What::Record || !step.drip.is_zero(), "{befallen}");
            assert!(faults_help().contains(fault.name) && faults_help().contains(fault.about));
            assert!(README.contains(&format!("`{}`", fault.name)), "{befallen} is not in the README");
            // At the second try only what befalls requests or calls as such.
            assert_eq!(name(&faults, 0, at(7, 2)).is_some(), fault.befalls != FirstTries, "{befallen}");
        }
        for (name, value, _) in CONDITIONS {
            assert!(README.contains(&format!("`{name}={value}`")), "{name} is not in the README");
            assert_ne!(Faults::parse(&format!("{name}={value}")).unwrap(), Faults::default(), "{name}");
        }
    }

    #[test]
    fn a_share_is_kept_and_repeats_with_its_seed() {
        let faults = Faults::parse("503=2%, cut=0.5%,rejected=10%").unwrap();
        let befallen = |seed, attempt| -> Vec<_> {
            (0..100_000_u64).map(|call| name(&faults, seed, at(chance(0, call, 0), attempt))).collect()
        };
        let first = befallen(1, 1);
        let count = |wanted| first.iter().filter(|name| **name == Some(wanted)).count();
        assert!((1_800..2_200).contains(&count("503")), "{}", count("503"));
        assert!((400..600).contains(&count("cut")), "{}", count("cut"));
        assert_eq!(first, befallen(1, 1));
        assert_ne!(first, befallen(2, 1));
        let second = befallen(1, 2);
        let both = |wanted| first.iter().zip(&second).filter(|(a, b)| **a == Some(wanted) && a == b).count();
        assert!(both("503") < 100, "a request's fault is another at the next try: {}", both("503"));
        assert!(both("rejected") > count("rejected") * 9 / 10, "a call's fault stays with it");
    }

    #[test]
    fn spells_and_bursts_come_and_go() {
        let faults = Faults::parse("denied=3..5,arrears=10m..,throttle-burst=every 1m").unwrap();
        let told = |request, since_start| {
            let at = Moment { request, since_start, ..at(1, 1) };
            name(&faults, 0, at)
        };
        let s = Duration::from_secs;
        assert_eq!([2, 3, 4, 5].map(|n| told(n, s(0))), [None, Some("denied"), Some("denied"), None]);
        assert_eq!(told(9, s(600)), Some("arrears"));
        assert_eq!(told(9, s(3)), None);
        assert_eq!([60, 65, 66, 121].map(|n| told(9, s(n)).is_some()), [true, true, false, true]);
        let late = Faults::parse("late=30s").unwrap();
        let at = |since_first| Moment { since_first, ..at(1, 1) };
        assert_eq!(name(&late, 0, at(s(29))), Some("late"));
        assert_eq!(name(&late, 0, at(s(30))), None);
        assert_eq!(Faults::parse("skew=-20m").unwrap().skew(), TimeDelta::minutes(-20));
    }

    #[test]
    fn what_is_wrong_is_named_with_what_is_near() {
        for (text, says) in [
            ("503", "has no value"),
            ("503=2", "`503=2`: write a share"),
            ("503=101%", "write a share"),
            ("cutt=1%", "did you mean `cut`"),
            ("trottle-burst=every 5m", "did you mean `throttle-burst`"),
            ("late=soon", "write late=30s"),
            ("throttle-burst=5m", "write throttle-burst=every 5m"),
            ("denied=2%", "write denied=500..520"),
            ("denied=9..3", "write denied=500..520"),
            ("skew=500years", "write skew=20m"),
        ] {
            let error = Faults::parse(text).unwrap_err();
            assert!(error.contains(says), "{text}: {error}");
        }
        assert!(step("recrod").unwrap_err().contains("`record`"));
    }
}
