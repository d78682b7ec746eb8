//! What the simulated provider knows of a call.
//!
//! Owns the table of the sample data (`sample-data/provider.json`) and the invention of records for all other
//! calls. Promises that an answer is a pure function of (CallId, product, day): no clock, no chance. The one
//! exception are the faults of the table, which befall the first tries of a call in each process.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Datelike, NaiveDate, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};

use super::gateway::Refusal;
use crate::call::{day_of, from_provider_local, provider_text};
use crate::error::{Error, Result};

/// The calls of the sample ledger.
const SAMPLE: &str = include_str!("../../sample-data/provider.json");

/// What the sandbox says of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Told {
    /// `OK` with this `Data`.
    Data(String),
    /// `OK` without `Data`.
    NoRecord,
    /// An error.
    Refused(Refusal),
    /// No answer of the provider's but a page, as a proxy sends one.
    Page {
        /// HTTP status.
        status: u16,
    },
}

/// An error as the table writes it; without a code it is a proxy's page.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fault {
    http: u16,
    code: Option<String>,
    #[serde(default)]
    message: String,
}

impl Fault {
    fn told(&self) -> Told {
        match &self.code {
            Some(code) => Told::Refused(Refusal::new(self.http, code.clone(), self.message.clone())),
            None => Told::Page { status: self.http },
        }
    }
}

/// A call of the table. With neither `record` nor `data` nor `error` there is no record of it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    prod_id: i64,
    /// The day on which the record stands.
    day: NaiveDate,
    /// The record; its text is sent as `Data`, byte for byte.
    record: Option<Box<RawValue>>,
    /// `Data` that is no JSON.
    data: Option<String>,
    /// The error that answers every try.
    error: Option<Fault>,
    /// The errors that answer the first tries.
    #[serde(default)]
    first: Vec<Fault>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    #[serde(rename = "about")]
    _about: String,
    calls: HashMap<String, Entry>,
}

/// All that the sandbox knows.
pub(super) struct Records {
    table: HashMap<String, Entry>,
    /// Tries so far of the calls that have faults.
    tries: Mutex<HashMap<String, usize>>,
}

impl Records {
    /// Reads the table.
    pub(super) fn sample() -> Result<Self> {
        let table: Table = serde_json::from_str(SAMPLE)
            .map_err(|e| Error::usage("the sandbox's own table of calls cannot be read").because(e))?;
        Ok(Self { table: table.calls, tries: Mutex::default() })
    }

    /// Answers for a call on a day.
    pub(super) fn tell(&self, call_id: &str, prod_id: i64, day: NaiveDate) -> Told {
        let Some(entry) = self.table.get(call_id) else { return invented(call_id, day) };
        if let Some(fault) = self.fault(call_id, &entry.first) {
            return fault.told();
        }
        if let Some(error) = &entry.error {
            return error.told();
        }
        // Another product or another day finds nothing, silently, as with the provider.
        if (entry.prod_id, entry.day) != (prod_id, day) {
            return Told::NoRecord;
        }
        let record = entry.record.as_deref().map(|record| record.get().to_owned());
        record.or_else(|| entry.data.clone()).map_or(Told::NoRecord, Told::Data)
    }

    fn fault<'a>(&self, call_id: &str, first: &'a [Fault]) -> Option<&'a Fault> {
        if first.is_empty() {
            return None;
        }
        let mut tries = self.tries.lock().unwrap_or_else(PoisonError::into_inner);
        let so_far = tries.entry(call_id.to_owned()).or_default();
        let fault = first.get(*so_far);
        *so_far = so_far.saturating_add(1);
        fault
    }
}

/// A record as the provider writes it, with its names and in its order.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Record<'a> {
    call_id: &'a str,
    end_date: String,
    state_desc: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    caller: Option<String>,
    callee: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    b_start_time: Option<String>,
    gmt_create: String,
    duration: i64,
    callee_show_number: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    b_ring_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    b_end_time: Option<String>,
    state: &'a str,
    start_date: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    hangup_direction: Option<u8>,
}

/// How an invented call ends.
struct End {
    /// Up to which of a thousand calls end so.
    below: u64,
    state: &'static str,
    desc: &'static str,
    /// Whether the callee's phone rings.
    rings: bool,
    /// The longest talk in seconds; none is 0.
    talk: u64,
}

const fn end(below: u64, state: &'static str, desc: &'static str, rings: bool, talk: u64) -> End {
    End { below, state, desc, rings, talk }
}

/// The ends of invented calls; what lies above the last has no record.
const ENDS: [End; 9] = [
    end(700, "200000", "用户接听", true, 90),
    end(760, "200001", "用户提前挂机未完整收听", true, 8),
    end(820, "200002", "用户占线", false, 0),
    end(900, "200003", "用户收到呼叫但未接听", true, 0),
    end(930, "200010", "关机", false, 0),
    end(950, "200007", "用户无法接通(不在服务区)", false, 0),
    end(965, "200005", "被叫用户无法接通", false, 0),
    end(975, "200004", "空号", false, 0),
    end(980, "200011", "停机", false, 0),
];

/// Numbers that calls are shown as; nobody's, for no number within a city begins with 0.
const SHOWN: [&str; 2] = ["057100001836", "057100001837"];

/// A stream of numbers that are the same for the same CallId: each is a hash of it and of the number's place.
struct Dice<'a> {
    call_id: &'a str,
    thrown: u8,
}

impl<'a> Dice<'a> {
    fn new(call_id: &'a str) -> Self {
        Self { call_id, thrown: 0 }
    }

    /// A number below `sides`.
    fn throw(&mut self, sides: u64) -> u64 {
        let digest = Sha256::new().chain_update([self.thrown]).chain_update(self.call_id).finalize();
        self.thrown = self.thrown.wrapping_add(1);
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&digest[..8]);
        u64::from_le_bytes(bytes) % sides.max(1)
    }

    /// A number of seconds from `least`, below `least + more`.
    fn seconds(&mut self, least: i64, more: u64) -> TimeDelta {
        TimeDelta::seconds(least.saturating_add_unsigned(self.throw(more)))
    }
}

/// The record of a call that is in no table: the same for the same CallId and day.
fn invented(call_id: &str, day: NaiveDate) -> Told {
    // The service did not exist before; a `QueryDate` in seconds reads as a day of 1970.
    if day.year() < 2015 {
        return Told::NoRecord;
    }
    let mut dice = Dice::new(call_id);
    let fate = dice.throw(1000);
    let Some(end) = ENDS.iter().find(|end| fate < end.below) else { return Told::NoRecord };
    let created = match instant_in(call_id) {
        Some(instant) if day_of(instant) != day => return Told::NoRecord,
        Some(instant) => instant,
        // From half past eight in the morning until half past nine at night.
        None => from_provider_local(day.and_time(chrono::NaiveTime::MIN)) + dice.seconds(30_600, 46_800),
    };
    let ring = created + dice.seconds(1, 4);
    let answered = end.talk > 0;
    let start = ring + dice.seconds(3, 18);
    let duration = if answered { dice.seconds(1, end.talk) } else { TimeDelta::zero() };
    // Of a call that nobody answers, the ringing ends.
    let over = if answered { start + duration } else { ring + dice.seconds(20, 26) };
    let when = |said: bool, at: DateTime<Utc>| said.then(|| provider_text(at));
    let record = Record {
        call_id,
        end_date: when(answered, over).unwrap_or_default(),
        state_desc: end.desc,
        caller: (dice.throw(16) == 0).then(|| format!("12500{:06}", dice.throw(1_000_000))),
        callee: format!("12500{:06}", dice.throw(1_000_000)),
        b_start_time: when(answered, start),
        gmt_create: provider_text(created),
        duration: duration.num_seconds(),
        callee_show_number: if dice.throw(3) == 0 { SHOWN[0] } else { SHOWN[1] },
        b_ring_time: when(end.rings, ring),
        b_end_time: when(end.rings, over),
        state: end.state,
        start_date: when(answered, start).unwrap_or_default(),
        hangup_direction: answered.then(|| u8::from(dice.throw(4) == 0)),
    };
    serde_json::to_string(&record).map_or(Told::NoRecord, Told::Data)
}

/// The instant in a CallId whose front part is Unix milliseconds, to the whole second.
fn instant_in(call_id: &str) -> Option<DateTime<Utc>> {
    let (front, _) = call_id.split_once('^')?;
    let ms: i64 =
        front.parse().ok().filter(|_| front.len() == 13 && front.bytes().all(|b| b.is_ascii_digit()))?;
    DateTime::from_timestamp(ms.div_euclid(1000), 0).filter(|t| (2015..=2100).contains(&t.year()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;
    use crate::detail::CallDetail;
    use crate::normalize::normalize;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn record(call_id: &str, on: NaiveDate) -> Option<CallDetail> {
        match invented(call_id, on) {
            Told::Data(data) => Some(normalize(&data).unwrap()),
            Told::NoRecord => None,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_same_call_has_the_same_record_always() {
        let (one, other) = (Records::sample().unwrap(), Records::sample().unwrap());
        let on = day("2026-11-20");
        for n in 0..50 {
            let call_id = format!("116012854{n:03}^102814271{n:03}");
            assert_eq!(one.tell(&call_id, 7, on), other.tell(&call_id, 7, on));
            assert_eq!(one.tell(&call_id, 7, on), one.tell(&call_id, 7, on));
        }
    }

    #[test]
    fn an_invented_record_never_contradicts_itself() {
        let on = day("2026-11-20");
        let (mut none, mut answered) = (0, 0);
        for n in 0..2000 {
            let call_id = format!("116012{n:06}^102814271000");
            let Some(d) = record(&call_id, on) else {
                none += 1;
                continue;
            };
            assert_eq!(d.call_id.as_deref(), Some(call_id.as_str()));
            assert_eq!(d.created_at.map(day_of), Some(on));
            assert!(d.is_final && d.state_known && d.callee.is_some());
            assert_eq!(d.answered, d.duration_s.map(|s| s > 0));
            match (d.started_at, d.ended_at) {
                (Some(start), Some(end)) => assert_eq!(Some((end - start).num_seconds()), d.duration_s),
                (start, end) => assert_eq!((d.answered, start, end), (Some(false), None, None)),
            }
            answered += i32::from(d.answered == Some(true));
        }
        assert!((10..=80).contains(&none), "{none} of 2000 have no record");
        assert!((1400..=1650).contains(&answered), "{answered} of 2000 were answered");
    }

    #[test]
    fn a_call_id_that_says_its_time_has_a_record_on_that_day_alone() {
        // 2026-05-26 17:01:41 in UTC+8.
        let call_id =
            (0..).map(|n| format!("1779786101083^{n}")).find(|id| record(id, day("2026-05-26")).is_some());
        let call_id = call_id.unwrap();
        let created = record(&call_id, day("2026-05-26")).unwrap().created_at.unwrap();
        assert_eq!(provider_text(created), "2026-05-26 17:01:41");
        assert_eq!(record(&call_id, day("2026-05-25")), None);
        assert_eq!(record(&call_id, day("2026-05-27")), None);
        assert_eq!(record("116012854210^102814271000", day("1970-01-18")), None);
    }

    #[test]
    fn a_call_of_the_table_is_found_for_its_product_on_its_day_alone() {
        let records = Records::sample().unwrap();
        assert!(!records.table.is_empty());
        for (call_id, entry) in records.table.iter().filter(|(_, e)| e.first.is_empty() && e.error.is_none())
        {
            let told = records.tell(call_id, entry.prod_id, entry.day);
            let known = entry.record.is_some() || entry.data.is_some();
            assert_eq!(matches!(told, Told::Data(_)), known, "{call_id}");
            assert_eq!(records.tell(call_id, entry.prod_id + 1, entry.day), Told::NoRecord, "{call_id}");
            let next = entry.day.succ_opt().unwrap();
            assert_eq!(records.tell(call_id, entry.prod_id, next), Told::NoRecord, "{call_id}");
        }
    }

    #[test]
    fn the_faults_of_the_table_befall_the_first_tries_only() {
        let records = Records::sample().unwrap();
        let faulty: Vec<_> = records.table.iter().filter(|(_, e)| !e.first.is_empty()).collect();
        assert!(!faulty.is_empty());
        for (call_id, entry) in faulty {
            for _ in &entry.first {
                let told = records.tell(call_id, entry.prod_id, entry.day);
                assert!(matches!(told, Told::Refused(_) | Told::Page { .. }), "{call_id}: {told:?}");
            }
            assert!(matches!(records.tell(call_id, entry.prod_id, entry.day), Told::Data(_)), "{call_id}");
        }
    }

    #[test]
    fn the_table_gives_each_call_one_answer() {
        for (call_id, entry) in &Records::sample().unwrap().table {
            let given = [entry.record.is_some(), entry.data.is_some(), entry.error.is_some()];
            assert!(given.into_iter().filter(|given| *given).count() <= 1, "{call_id}");
        }
    }
}
