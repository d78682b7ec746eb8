//! The faults of a sandbox: `503=2%,cut=0.5%,late=30s,throttle-burst=every 5m`.
//!
//! A fault by chance depends on seed, CallId and attempt alone, so a run can be repeated. `late`,
//! bursts and spells with times depend on the clock, which is an argument.

mod effects;
mod of_receipts;
mod spell;
mod table;

use std::time::Duration;

use chrono::TimeDelta;

use super::chance::{Share, draw, parse_share};
use super::history::RequestContext;
use super::refusal::Refusal;
use super::reply::{Effect, Step};
use of_receipts::{RECEIPT_FAULTS, draws};
use spell::{Span, Spell};
use table::{Affects, CONDITIONS, FAULTS, Fault, refusal, unknown_fault};

pub(crate) use effects::apply;
pub(crate) use of_receipts::ReceiptFault;
pub(crate) use table::step;

pub use table::faults_help;

/// A fault that is injected into one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Injection {
    /// The fault's name, or `script`.
    pub(super) name: &'static str,
    pub(super) step: Step,
}

/// A fault and its share.
#[derive(Debug, Clone, PartialEq, Eq)]
struct FaultShare {
    fault: &'static Fault,
    step: Step,
    share: Share,
}

/// All configured faults.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Faults {
    shares: Vec<FaultShare>,
    late: Option<Duration>,
    skew: TimeDelta,
    burst_every: Option<Duration>,
    spells: Vec<Spell>,
    of_receipts: Vec<(ReceiptFault, Share)>,
}

impl Faults {
    /// Reads `name=value` pairs, separated by commas.
    ///
    /// # Errors
    ///
    /// The wrong pair, with the right form or the nearest name.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut faults = Self::default();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').ok_or_else(|| {
                format!("`{part}` has no value; write a name and a share, for example 503=2%")
            })?;
            faults.add(name.trim(), value.trim())?;
        }
        Ok(faults)
    }

    fn add(&mut self, name: &str, value: &str) -> Result<(), String> {
        if let Some(fault) = FAULTS.iter().find(|fault| fault.name == name) {
            let share = parse_share(value).map_err(|why| format!("`{name}={value}`: {why}"))?;
            self.shares.push(FaultShare { fault, step: step(name)?, share });
            return Ok(());
        }
        if let Some((_, fault, _)) = RECEIPT_FAULTS.iter().find(|(known, ..)| *known == name) {
            let share = parse_share(value).map_err(|why| format!("`{name}={value}`: {why}"))?;
            self.of_receipts.push((*fault, share));
            return Ok(());
        }
        let Some(condition) = CONDITIONS.iter().find(|condition| condition.name == name) else {
            let others = CONDITIONS.iter().map(|condition| condition.name);
            return Err(unknown_fault(name, others.chain(RECEIPT_FAULTS.iter().map(|(known, ..)| *known))));
        };
        self.add_condition(condition.name, value)
            .ok_or_else(|| format!("`{name}={value}`: write {name}={}", condition.example))
    }

    /// Adds a condition; `None` if its value has the wrong form.
    fn add_condition(&mut self, name: &'static str, value: &str) -> Option<()> {
        match name {
            "late" => self.late = Some(humantime::parse_duration(value).ok()?),
            "skew" => self.skew = parse_skew(value)?,
            "throttle-burst" => {
                let every = humantime::parse_duration(value.strip_prefix("every")?.trim()).ok()?;
                self.burst_every = Some(Some(every).filter(|every| !every.is_zero())?);
            }
            _ => self.spells.push(Spell { name, refusal: refusal(name)?, span: Span::parse(value)? }),
        }
        Some(())
    }

    /// How far the provider's clock is ahead of this machine's clock.
    pub(super) fn skew(&self) -> TimeDelta {
        self.skew
    }

    /// The fault of a call's receipt, if any: the first one listed that chance selects.
    pub(super) fn of_receipt(&self, seed: u64, call_hash: u64) -> Option<ReceiptFault> {
        let mut listed = self.of_receipts.iter().zip(1_u64..);
        listed.find(|((_, share), no)| draws(*share, seed, call_hash, *no)).map(|((fault, _), _)| *fault)
    }

    /// The fault for a request, if any. If several match, spells and bursts come first, then the
    /// first one listed.
    pub(super) fn inject(&self, seed: u64, request: &RequestContext) -> Option<Injection> {
        if let Some(spell) = self.spells.iter().find(|spell| spell.span.contains(request)) {
            let step = Effect::Error(spell.refusal.clone()).into();
            return Some(Injection { name: spell.name, step });
        }
        if let Some(left) = self.burst_left(request.since_start) {
            let step = Effect::Error(Refusal::throttled(left)).into();
            return Some(Injection { name: "throttle-burst", step });
        }
        let drawn = self.shares.iter().zip(1_u64..).find(|(share, no)| share.draws(seed, request, *no));
        if let Some((FaultShare { fault, step, .. }, _)) = drawn {
            return Some(Injection { name: fault.name, step: step.clone() });
        }
        let late = self.late.is_some_and(|late| request.since_first_attempt < late);
        late.then(|| Injection { name: "late", step: Effect::NoRecord.into() })
    }

    /// The time until the current burst ends; `None` between bursts.
    fn burst_left(&self, since_start: Duration) -> Option<Duration> {
        let every = self.burst_every?;
        let length = (every / 10).min(Duration::from_secs(10)).as_micros();
        let (every, since_start) = (every.as_micros(), since_start.as_micros());
        let into_period = since_start % every.max(1);
        // The first burst comes after the first period, not at the start.
        let in_burst = since_start >= every && into_period < length;
        let left = length.saturating_sub(into_period);
        in_burst.then(|| Duration::from_micros(u64::try_from(left).unwrap_or(u64::MAX)))
    }
}

impl FaultShare {
    /// Whether chance injects this fault, the `no`th in the list, into a request.
    fn draws(&self, seed: u64, request: &RequestContext, no: u64) -> bool {
        let attempt = match self.fault.affects {
            Affects::Requests => u64::from(request.attempt),
            Affects::FirstAttempts if request.attempt > 1 => return false,
            Affects::LaterAttempts if request.attempt == 1 => return false,
            Affects::FirstAttempts | Affects::LaterAttempts | Affects::Calls => 0,
        };
        self.share.includes(draw(seed, request.call_hash, no << 32 | attempt))
    }
}

/// A duration with or without a minus sign, of less than 100 years.
fn parse_skew(text: &str) -> Option<TimeDelta> {
    let behind = text.strip_prefix('-');
    let by = TimeDelta::from_std(humantime::parse_duration(behind.unwrap_or(text)).ok()?).ok()?;
    let by = Some(by).filter(|by| *by < TimeDelta::days(36_500))?;
    Some(if behind.is_some() { -by } else { by })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// The page that documents the faults.
    const DOCUMENTATION: &str = include_str!("../../../docs/sandbox.md");

    fn request(call_hash: u64, attempt: u32) -> RequestContext {
        let (since_start, since_first_attempt) = (Duration::ZERO, Duration::ZERO);
        RequestContext {
            call_hash,
            attempt,
            request_no: 1,
            since_start,
            since_first_attempt,
            first_day: None,
        }
    }

    fn injected(faults: &Faults, seed: u64, request: &RequestContext) -> Option<&'static str> {
        faults.inject(seed, request).map(|injection| injection.name)
    }

    #[test]
    fn every_fault_does_something_and_is_documented() {
        for fault in &FAULTS {
            let name = fault.name;
            let faults = Faults::parse(&format!("{name}=100%")).unwrap();
            let attempt = if fault.affects == Affects::LaterAttempts { 2 } else { 1 };
            let injection = faults.inject(0, &request(7, attempt)).unwrap();
            assert_eq!(injection.name, name);
            assert!(injection.step.effect != Effect::Record || !injection.step.drip.is_zero(), "{name}");
            assert!(faults_help().contains(name) && faults_help().contains(fault.about));
            assert!(DOCUMENTATION.contains(&format!("`{name}`")), "{name} is not documented");
            let [first, second] = [1, 2].map(|attempt| injected(&faults, 0, &request(7, attempt)).is_some());
            assert_eq!(first, fault.affects != Affects::LaterAttempts, "{name}");
            assert_eq!(second, fault.affects != Affects::FirstAttempts, "{name}");
        }
    }

    #[test]
    fn every_fault_of_receipts_is_documented_and_kept_to_its_share() {
        for (name, fault, about) in RECEIPT_FAULTS {
            let faults = Faults::parse(&format!("{name}=10%,503=100%")).unwrap();
            let count =
                (0..10_000).filter(|call| faults.of_receipt(1, draw(0, *call, 0)) == Some(fault)).count();
            assert!((850..1_150).contains(&count), "{name}: {count}");
            assert_eq!(injected(&faults, 1, &request(7, 1)), Some("503"), "no request is affected");
            assert!(faults_help().contains(name) && faults_help().contains(about));
            assert!(DOCUMENTATION.contains(&format!("`{name}`")), "{name} is not documented");
        }
        assert!(Faults::parse("receipt-los=1%").unwrap_err().contains("did you mean `receipt-lost`"));
        assert!(Faults::parse("receipt-lost=1").unwrap_err().contains("write a share"));
    }

    #[test]
    fn every_condition_does_something_and_is_documented() {
        for condition in &CONDITIONS {
            let text = format!("{}={}", condition.name, condition.example);
            assert!(DOCUMENTATION.contains(&format!("`{text}`")), "{text} is not documented");
            assert_ne!(Faults::parse(&text).unwrap(), Faults::default(), "{text}");
        }
    }

    #[test]
    fn a_share_is_kept_and_repeats_with_its_seed() {
        let faults = Faults::parse("503=2%, cut=0.5%,rejected=10%").unwrap();
        let names = |seed, attempt| -> Vec<_> {
            (0..100_000_u64)
                .map(|call| injected(&faults, seed, &request(draw(0, call, 0), attempt)))
                .collect()
        };
        let first = names(1, 1);
        let count = |wanted| first.iter().filter(|name| **name == Some(wanted)).count();
        assert!((1_800..2_200).contains(&count("503")), "{}", count("503"));
        assert!((400..600).contains(&count("cut")), "{}", count("cut"));
        assert_eq!(first, names(1, 1));
        assert_ne!(first, names(2, 1));
        let second = names(1, 2);
        let both = |wanted| first.iter().zip(&second).filter(|(a, b)| **a == Some(wanted) && a == b).count();
        assert!(both("503") < 100, "each attempt has its own draw: {}", both("503"));
        assert!(both("rejected") > count("rejected") * 9 / 10, "all attempts at a call have the same draw");
    }

    #[test]
    fn spells_and_bursts_begin_and_end() {
        let faults = Faults::parse("denied=3..5,arrears=10m..,throttle-burst=every 1m").unwrap();
        let name = |request_no, since_start| {
            injected(&faults, 0, &RequestContext { request_no, since_start, ..request(1, 1) })
        };
        let s = Duration::from_secs;
        assert_eq!([2, 3, 4, 5].map(|n| name(n, s(0))), [None, Some("denied"), Some("denied"), None]);
        assert_eq!(name(9, s(600)), Some("arrears"));
        assert_eq!(name(9, s(3)), None);
        assert_eq!([60, 65, 66, 121].map(|n| name(9, s(n)).is_some()), [true, true, false, true]);
    }

    #[test]
    fn a_late_record_appears_after_its_time() {
        let late = Faults::parse("late=30s").unwrap();
        let name = |seconds| {
            let since_first_attempt = Duration::from_secs(seconds);
            injected(&late, 0, &RequestContext { since_first_attempt, ..request(1, 1) })
        };
        assert_eq!((name(29), name(30)), (Some("late"), None));
    }

    #[test]
    fn the_clock_may_be_behind() {
        assert_eq!(Faults::parse("skew=-20m").unwrap().skew(), TimeDelta::minutes(-20));
    }

    #[test]
    fn a_wrong_fault_is_named_with_what_to_write() {
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
