//! Records for calls that are in no table: of a CallId alone, or such as a ledger's row expects them.
//!
//! Promises that a record is a pure function of seed, CallId, day and row, and that it never contradicts itself, unless
//! the row does.

use chrono::{DateTime, Datelike, NaiveDate, TimeDelta, Utc};
use compact_str::CompactString;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use reconcile_core::calendar::{day_of, from_provider_local, provider_text};
use reconcile_core::call::called_at_of;
use reconcile_core::ledger_row::{Expected, LedgerTime};
use reconcile_core::phone::normalize_number;

/// A record as the provider writes it, with its names and in its order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Record {
    pub(super) call_id: String,
    pub(super) end_date: String,
    pub(super) state_desc: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) caller: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) caller_show_number: Option<String>,
    pub(super) callee: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) b_start_time: Option<String>,
    pub(super) gmt_create: String,
    pub(super) duration: i64,
    pub(super) callee_show_number: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) b_ring_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) b_end_time: Option<String>,
    pub(super) state: String,
    pub(super) start_date: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) hangup_direction: Option<u8>,
}

impl Record {
    /// As `Data`.
    pub(super) fn text(&self) -> String {
        // Text and numbers alone are written, which cannot fail.
        serde_json::to_string(self).unwrap_or_default()
    }
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

impl End {
    fn answered(&self) -> bool {
        self.talk > 0
    }
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

/// A stream of numbers that are the same for the same seed and CallId: each is a hash of them and of its own place.
struct Dice<'a> {
    seed: u64,
    call_id: &'a str,
    thrown: u8,
}

impl<'a> Dice<'a> {
    fn new(seed: u64, call_id: &'a str) -> Self {
        Self { seed, call_id, thrown: 0 }
    }

    /// A number below `sides`.
    fn throw(&mut self, sides: u64) -> u64 {
        let mut hash = Sha256::new().chain_update([self.thrown]).chain_update(self.call_id);
        if self.seed != 0 {
            hash.update(self.seed.to_le_bytes());
        }
        let digest = hash.finalize();
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

/// The record of a call that is in no table: the same for the same CallId and day. There is none of some calls.
pub(super) fn record(seed: u64, call_id: &str, day: NaiveDate) -> Option<Record> {
    // The service did not exist before; a `QueryDate` in seconds reads as a day of 1970.
    if day.year() < 2015 {
        return None;
    }
    let mut dice = Dice::new(seed, call_id);
    let fate = dice.throw(1000);
    let end = ENDS.iter().find(|end| fate < end.below)?;
    if called_at_of(call_id).is_some_and(|instant| day_of(instant) != day) {
        return None;
    }
    Some(Shape::new(&mut dice, end, call_id, day, &Expected::default()).record(dice))
}

/// A record that is as a row of a ledger expects it; what the row does not say is invented.
pub(super) fn expected(seed: u64, call_id: &str, day: NaiveDate, row: &Expected) -> Record {
    let mut dice = Dice::new(seed, call_id);
    let fate = dice.throw(ENDS[ENDS.len() - 1].below);
    let chosen = ENDS.iter().find(|end| fate < end.below).unwrap_or(&ENDS[0]);
    let known = row.state.as_deref().and_then(|state| ENDS.iter().find(|end| end.state == state));
    let talked = row.answered.or(row.duration_s.map(|s| s > 0));
    let talked = talked.or(known.map(|end| end.talk > 0)).or(row.started_at.map(|_| true));
    let end = match talked {
        None => chosen,
        Some(talked) if known.unwrap_or(chosen).answered() == talked => known.unwrap_or(chosen),
        Some(true) => &ENDS[0],
        Some(false) => &ENDS[3],
    };
    let mut record = Shape::new(&mut dice, end, call_id, day, row).record(dice);
    let number = |number: &Option<CompactString>| number.as_deref().map(normalize_number);
    record.caller = number(&row.caller).or(record.caller);
    record.caller_show_number = number(&row.caller_show_number);
    record.callee = number(&row.callee).unwrap_or(record.callee);
    record.callee_show_number = number(&row.callee_show_number).unwrap_or(record.callee_show_number);
    if let Some(state) = &row.state {
        record.state_desc = known.map_or(state.as_str(), |end| end.desc).to_owned();
        record.state = state.to_string();
    }
    record
}

/// When what happened in a call.
struct Shape<'a> {
    call_id: &'a str,
    end: &'a End,
    created: DateTime<Utc>,
    ring: DateTime<Utc>,
    start: DateTime<Utc>,
    over: DateTime<Utc>,
    duration: TimeDelta,
    answered: bool,
    /// The row has a start, or an end, of a call that nobody answered.
    odd: [Option<DateTime<Utc>>; 2],
}

impl<'a> Shape<'a> {
    fn new(dice: &mut Dice<'_>, end: &'a End, call_id: &'a str, day: NaiveDate, row: &Expected) -> Self {
        // The provider has whole seconds.
        let whole = |time: &Option<LedgerTime>| {
            DateTime::from_timestamp(time.and_then(LedgerTime::instant)?.timestamp(), 0)
        };
        let (made, started, ended) = (whole(&row.called_at), whole(&row.started_at), whole(&row.ended_at));
        let answered = end.answered();
        let talk = row.duration_s.map(TimeDelta::seconds).or(started.zip(ended).map(|(from, to)| to - from));
        let said = called_at_of(call_id).filter(|instant| day_of(*instant) == day);
        let said = said.and_then(|instant| DateTime::from_timestamp(instant.timestamp(), 0));
        let invented = if answered { dice.seconds(1, end.talk) } else { TimeDelta::zero() };
        let begun = |to: DateTime<Utc>| {
            talk.map_or((to - invented).max(made.unwrap_or(to - invented)), |talk| to - talk)
        };
        let before = started.or(ended.filter(|_| answered).map(begun));
        let created = made.or(said).or_else(|| before.map(|start| start - dice.seconds(5, 18)));
        // From half past eight in the morning until half past nine at night.
        let created = created.unwrap_or_else(|| {
            from_provider_local(day.and_time(chrono::NaiveTime::MIN)) + dice.seconds(30_600, 46_800)
        });
        let ring = created + dice.seconds(1, 4);
        let start = before.unwrap_or_else(|| ring + dice.seconds(3, 18));
        let duration = talk
            .unwrap_or_else(|| ended.filter(|to| answered && *to > start).map_or(invented, |to| to - start));
        // Of a call that nobody answers, the ringing ends.
        let rung = ring + dice.seconds(20, 26);
        let over = if answered { ended.unwrap_or(start + duration) } else { rung };
        let odd = if answered { [None; 2] } else { [started, ended] };
        Self { call_id, end, created, ring, start, over, duration, answered, odd }
    }

    fn record(&self, mut dice: Dice<'_>) -> Record {
        let when = |said: bool, at: DateTime<Utc>| said.then(|| provider_text(at).into());
        let (answered, [odd_start, odd_end]) =
            (self.answered, self.odd.map(|at| at.map(|at| provider_text(at).into())));
        let number = |dice: &mut Dice<'_>| format!("12500{:06}", dice.throw(1_000_000));
        Record {
            call_id: self.call_id.to_owned(),
            end_date: when(answered, self.over).or(odd_end).unwrap_or_default(),
            state_desc: self.end.desc.to_owned(),
            caller: (dice.throw(16) == 0).then(|| number(&mut dice)),
            caller_show_number: None,
            callee: number(&mut dice),
            b_start_time: when(answered, self.start),
            gmt_create: provider_text(self.created).into(),
            duration: self.duration.num_seconds(),
            callee_show_number: SHOWN[usize::from(dice.throw(3) != 0)].to_owned(),
            b_ring_time: when(self.end.rings, self.ring),
            b_end_time: when(self.end.rings, self.over),
            state: self.end.state.to_owned(),
            start_date: when(answered, self.start).or(odd_start).unwrap_or_default(),
            hangup_direction: answered.then(|| u8::from(dice.throw(4) == 0)),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use reconcile_core::detail::CallDetail;
    use reconcile_core::normalize::normalize;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn detail(call_id: &str, on: NaiveDate) -> Option<CallDetail> {
        record(0, call_id, on).map(|record| normalize(&record.text()).unwrap())
    }

    #[test]
    fn an_invented_record_never_contradicts_itself() {
        let on = day("2026-11-20");
        let (mut none, mut answered) = (0, 0);
        for n in 0..2000 {
            let call_id = format!("116012{n:06}^102814271000");
            let Some(d) = detail(&call_id, on) else {
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
            (0..).map(|n| format!("1779786101083^{n}")).find(|id| detail(id, day("2026-05-26")).is_some());
        let call_id = call_id.unwrap();
        let created = detail(&call_id, day("2026-05-26")).unwrap().created_at.unwrap();
        assert_eq!(provider_text(created), "2026-05-26 17:01:41");
        assert_eq!(detail(&call_id, day("2026-05-25")), None);
        assert_eq!(detail(&call_id, day("2026-05-27")), None);
        assert_eq!(detail("116012854210^102814271000", day("1970-01-18")), None);
    }

    #[test]
    fn another_seed_invents_other_calls() {
        let (id, on) = ("116012854210^102814271000", day("2026-11-20"));
        assert_eq!(record(1, id, on), record(1, id, on));
        assert_ne!(record(1, id, on), record(2, id, on));
    }

    #[test]
    fn a_row_s_expectations_are_met_and_the_rest_fits_them() {
        let at = |text: &str| Some(LedgerTime::Instant(text.parse().unwrap()));
        let on = day("2026-11-20");
        for n in 0..500 {
            let id = format!("116012{n:06}^102814271000");
            let plain = Expected::default();
            for row in [
                Expected { answered: Some(n % 2 == 0), ..plain.clone() },
                Expected { duration_s: Some(n % 3 * 7), ..plain.clone() },
                Expected {
                    state: Some("200010".into()),
                    callee: Some("+86 125-0000-0001".into()),
                    ..plain.clone()
                },
                Expected { started_at: at("2026-11-20T02:00:00.7Z"), duration_s: Some(9), ..plain.clone() },
                Expected { ended_at: at("2026-11-20T02:00:30Z"), answered: Some(true), ..plain.clone() },
                Expected {
                    started_at: at("2026-11-20T02:00:00Z"),
                    ended_at: at("2026-11-20T02:00:30Z"),
                    called_at: at("2026-11-20T01:59:50.5Z"),
                    ..plain.clone()
                },
                plain,
            ] {
                let detail = normalize(&expected(0, &id, on, &row).text()).unwrap();
                let instant =
                    |time: Option<LedgerTime>| time.and_then(LedgerTime::instant).map(|t| t.timestamp());
                let same = |wish: Option<LedgerTime>, is: Option<DateTime<Utc>>| {
                    assert!(
                        wish.is_none() || instant(wish) == is.map(|t| t.timestamp()),
                        "{row:?} {detail:?}"
                    );
                };
                same(row.called_at, detail.created_at);
                same(row.started_at, detail.started_at);
                same(row.ended_at, detail.ended_at);
                assert!(row.answered.is_none() || row.answered == detail.answered, "{row:?} {detail:?}");
                assert!(
                    row.duration_s.is_none() || row.duration_s == detail.duration_s,
                    "{row:?} {detail:?}"
                );
                assert!(row.state.is_none() || row.state.as_deref() == detail.state.as_deref());
                assert_eq!(detail.answered, detail.duration_s.map(|s| s > 0), "{row:?} {detail:?}");
                let span = detail.started_at.zip(detail.ended_at).map(|(from, to)| (to - from).num_seconds());
                assert!(span.is_none() || span == detail.duration_s, "{row:?} {detail:?}");
                assert!(detail.is_final && detail.state_known);
            }
        }
    }
}
