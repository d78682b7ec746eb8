//! Generated records: for calls that no table holds, and for the rows of a ledger.
//!
//! A record depends on seed, CallId, day and row alone. It never contradicts itself unless the row
//! does.

use chrono::{DateTime, Datelike, NaiveDate, NaiveTime, TimeDelta, Utc};
use compact_str::CompactString;
use sha2::{Digest as _, Sha256};

use super::record::CallRecord;
use crate::sandbox::chance::first_64_bits;
use reconcile_core::calendar::{day_of, from_provider_local, provider_text};
use reconcile_core::call::called_at_of;
use reconcile_core::ledger_row::{Expected, LedgerTime};
use reconcile_core::phone::normalize_number;

/// How a call ends.
struct CallEnd {
    /// A call ends this way if its draw (0 to 999) is below this number and not below that of an
    /// earlier entry of [`ENDS`].
    below: u64,
    state: &'static str,
    description: &'static str,
    /// Whether the callee's phone rings.
    rings: bool,
    /// The longest talk in seconds; 0 for an unanswered call.
    longest_talk_s: u64,
}

impl CallEnd {
    fn answered(&self) -> bool {
        self.longest_talk_s > 0
    }

    fn of_state(state: &str) -> Option<&'static Self> {
        ENDS.iter().find(|end| end.state == state)
    }
}

const fn end(
    below: u64,
    state: &'static str,
    description: &'static str,
    rings: bool,
    longest_talk_s: u64,
) -> CallEnd {
    CallEnd { below, state, description, rings, longest_talk_s }
}

/// The ends of generated calls. A call has no record if its draw is not below the last number.
const ENDS: [CallEnd; 9] = [
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
const ANSWERED: &CallEnd = &ENDS[0];
const UNANSWERED: &CallEnd = &ENDS[3];

/// Caller numbers that the callee sees. Nobody has them: no local number begins with 0.
const CALLEE_SHOW_NUMBERS: [&str; 2] = ["057100001836", "057100001837"];

/// A sequence of numbers that depends on seed and CallId alone. Each number is a hash of both and
/// of its index.
struct Dice<'a> {
    seed: u64,
    call_id: &'a str,
    index: u8,
}

impl<'a> Dice<'a> {
    fn new(seed: u64, call_id: &'a str) -> Self {
        Self { seed, call_id, index: 0 }
    }

    /// A number below `sides`.
    fn throw(&mut self, sides: u64) -> u64 {
        let mut hash = Sha256::new().chain_update([self.index]).chain_update(self.call_id);
        if self.seed != 0 {
            hash.update(self.seed.to_le_bytes());
        }
        self.index = self.index.wrapping_add(1);
        first_64_bits(&hash.finalize()) % sides.max(1)
    }

    /// From `least` seconds up to, but not including, `least + range` seconds.
    fn seconds(&mut self, least: i64, range: u64) -> TimeDelta {
        TimeDelta::seconds(least.saturating_add_unsigned(self.throw(range)))
    }

    /// A mobile number that nobody has.
    fn mobile_number(&mut self) -> String {
        format!("12500{:06}", self.throw(1_000_000))
    }
}

/// The record of a call that no table holds. Some calls have none.
pub(super) fn record(seed: u64, call_id: &str, day: NaiveDate) -> Option<CallRecord> {
    // The service did not exist before 2015. A `QueryDate` in seconds reads as a day of 1970.
    if day.year() < 2015 {
        return None;
    }
    let mut dice = Dice::new(seed, call_id);
    let draw = dice.throw(1000);
    let end = ENDS.iter().find(|end| draw < end.below)?;
    if time_in_call_id(call_id).is_some_and(|time| day_of(time) != day) {
        return None;
    }
    let timeline = Timeline::new(&mut dice, end, call_id, day, &Expected::default());
    Some(timeline.record(call_id, end, dice))
}

/// A record that agrees with a ledger row. Fields that the row lacks are generated.
pub(super) fn record_for_row(seed: u64, call_id: &str, day: NaiveDate, row: &Expected) -> CallRecord {
    let mut dice = Dice::new(seed, call_id);
    let draw = dice.throw(ENDS[ENDS.len() - 1].below);
    let end = end_for_row(draw, row);
    let mut record = Timeline::new(&mut dice, end, call_id, day, row).record(call_id, end, dice);
    let number = |number: &Option<CompactString>| number.as_deref().map(normalize_number);
    record.caller = number(&row.caller).or(record.caller);
    record.caller_show_number = number(&row.caller_show_number);
    record.callee = number(&row.callee).unwrap_or(record.callee);
    record.callee_show_number = number(&row.callee_show_number).unwrap_or(record.callee_show_number);
    if let Some(state) = &row.state {
        let known = CallEnd::of_state(state);
        record.state_desc = known.map_or(state.as_str(), |end| end.description).to_owned();
        record.state = state.to_string();
    }
    record
}

/// The end that the row implies; without one, the drawn end.
fn end_for_row(draw: u64, row: &Expected) -> &'static CallEnd {
    let drawn = ENDS.iter().find(|end| draw < end.below).unwrap_or(ANSWERED);
    let known = row.state.as_deref().and_then(CallEnd::of_state);
    let answered = row
        .answered
        .or(row.duration_s.map(|s| s > 0))
        .or(known.map(CallEnd::answered))
        .or(row.started_at.map(|_| true));
    match answered {
        None => drawn,
        Some(answered) if known.unwrap_or(drawn).answered() == answered => known.unwrap_or(drawn),
        Some(true) => ANSWERED,
        Some(false) => UNANSWERED,
    }
}

/// The times of a call.
struct Timeline {
    created: DateTime<Utc>,
    ringing: DateTime<Utc>,
    /// The start of the talk.
    start: DateTime<Utc>,
    /// The end of the talk, or of the ringing if nobody answers.
    end: DateTime<Utc>,
    duration: TimeDelta,
    /// The start and the end of the talk that a row claims for an unanswered call.
    claimed: [Option<DateTime<Utc>>; 2],
}

impl Timeline {
    fn new(dice: &mut Dice<'_>, end: &CallEnd, call_id: &str, day: NaiveDate, row: &Expected) -> Self {
        let answered = end.answered();
        let (made, started) = (whole_seconds(row.called_at), whole_seconds(row.started_at));
        let ended = whole_seconds(row.ended_at);
        let talk = row.duration_s.map(TimeDelta::seconds).or(started.zip(ended).map(|(from, to)| to - from));
        let drawn_talk = if answered { dice.seconds(1, end.longest_talk_s) } else { TimeDelta::zero() };
        // With an end but no duration, the talk must not begin before the call was made.
        let start_before = |to: DateTime<Utc>| match talk {
            Some(talk) => to - talk,
            None => (to - drawn_talk).max(made.unwrap_or(to - drawn_talk)),
        };
        let known_start = started.or(ended.filter(|_| answered).map(start_before));
        let created = made
            .or(time_in_call_id(call_id).filter(|time| day_of(*time) == day))
            .or_else(|| known_start.map(|start| start - dice.seconds(5, 18)))
            .unwrap_or_else(|| time_of_day(day, dice));
        let ringing = created + dice.seconds(1, 4);
        let start = known_start.unwrap_or_else(|| ringing + dice.seconds(3, 18));
        let duration = talk.unwrap_or_else(|| match ended {
            Some(to) if answered && to > start => to - start,
            _ => drawn_talk,
        });
        let ringing_ends = ringing + dice.seconds(20, 26);
        let end = if answered { ended.unwrap_or(start + duration) } else { ringing_ends };
        let claimed = if answered { [None; 2] } else { [started, ended] };
        Self { created, ringing, start, end, duration, claimed }
    }

    /// The record with these times; the other fields are drawn.
    fn record(&self, call_id: &str, end: &CallEnd, mut dice: Dice<'_>) -> CallRecord {
        let time_if = |condition: bool, time: DateTime<Utc>| condition.then(|| provider_text(time).into());
        let [claimed_start, claimed_end] =
            self.claimed.map(|time| time.map(|time| provider_text(time).into()));
        let answered = end.answered();
        CallRecord {
            call_id: call_id.to_owned(),
            end_date: time_if(answered, self.end).or(claimed_end).unwrap_or_default(),
            state_desc: end.description.to_owned(),
            caller: (dice.throw(16) == 0).then(|| dice.mobile_number()),
            caller_show_number: None,
            callee: dice.mobile_number(),
            b_start_time: time_if(answered, self.start),
            gmt_create: provider_text(self.created).into(),
            duration: self.duration.num_seconds(),
            callee_show_number: CALLEE_SHOW_NUMBERS[usize::from(dice.throw(3) != 0)].to_owned(),
            b_ring_time: time_if(end.rings, self.ringing),
            b_end_time: time_if(end.rings, self.end),
            state: end.state.to_owned(),
            start_date: time_if(answered, self.start).or(claimed_start).unwrap_or_default(),
            hangup_direction: answered.then(|| u8::from(dice.throw(4) == 0)),
        }
    }
}

/// A row's time in whole seconds, as the provider has them; `None` for a day without a time.
fn whole_seconds(time: Option<LedgerTime>) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(time.and_then(LedgerTime::instant)?.timestamp(), 0)
}

/// A time of a day, from 08:30 to 21:30 in UTC+8.
fn time_of_day(day: NaiveDate, dice: &mut Dice<'_>) -> DateTime<Utc> {
    from_provider_local(day.and_time(NaiveTime::MIN)) + dice.seconds(30_600, 46_800)
}

/// The time in a CallId, cut to the whole second.
fn time_in_call_id(call_id: &str) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(called_at_of(call_id)?.timestamp(), 0)
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
        record(0, call_id, on).map(|record| normalize(&record.data()).unwrap())
    }

    #[test]
    fn a_generated_record_never_contradicts_itself() {
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
    fn a_call_id_with_a_time_has_a_record_only_on_that_day() {
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
    fn another_seed_generates_other_records() {
        let (id, on) = ("116012854210^102814271000", day("2026-11-20"));
        assert_eq!(record(1, id, on), record(1, id, on));
        assert_ne!(record(1, id, on), record(2, id, on));
    }

    #[test]
    fn a_record_agrees_with_its_row_and_with_itself() {
        let at = |text: &str| Some(LedgerTime::Instant(text.parse().unwrap()));
        let on = day("2026-11-20");
        for n in 0..500 {
            let id = format!("116012{n:06}^102814271000");
            let empty = Expected::default();
            for row in [
                Expected { answered: Some(n % 2 == 0), ..empty.clone() },
                Expected { duration_s: Some(n % 3 * 7), ..empty.clone() },
                Expected {
                    state: Some("200010".into()),
                    callee: Some("+86 125-0000-0001".into()),
                    ..empty.clone()
                },
                Expected { started_at: at("2026-11-20T02:00:00.7Z"), duration_s: Some(9), ..empty.clone() },
                Expected { ended_at: at("2026-11-20T02:00:30Z"), answered: Some(true), ..empty.clone() },
                Expected {
                    started_at: at("2026-11-20T02:00:00Z"),
                    ended_at: at("2026-11-20T02:00:30Z"),
                    called_at: at("2026-11-20T01:59:50.5Z"),
                    ..empty.clone()
                },
                empty,
            ] {
                let detail = normalize(&record_for_row(0, &id, on, &row).data()).unwrap();
                let instant =
                    |time: Option<LedgerTime>| time.and_then(LedgerTime::instant).map(|t| t.timestamp());
                let same = |row_time: Option<LedgerTime>, time: Option<DateTime<Utc>>| {
                    assert!(
                        row_time.is_none() || instant(row_time) == time.map(|t| t.timestamp()),
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
