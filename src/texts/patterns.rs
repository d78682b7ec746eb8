//! The sentences about patterns: the cause, how many discrepancies it explains, and what to do.

use super::words;
use crate::output::lang::Lang;
use crate::words::{count, plural};
use reconcile_core::cause::{Cause, Direction, Rounding};
use reconcile_core::patterns::Pattern;

/// A pattern in a sentence without its full stop.
#[must_use]
pub fn sentence(lang: Lang, pattern: &Pattern) -> String {
    let Pattern { rows, discrepancies, compared, fields, .. } = pattern;
    let (cause, advice) = (cause(lang, pattern), advice(lang, pattern));
    match lang {
        Lang::En => {
            let (of, fields) = (plural(*discrepancies, "discrepancy"), fields.join(", "));
            let values = plural(*compared, "compared value");
            format!("{cause}; this explains {rows} of {of} in {values} of {fields}; {advice}")
        }
        Lang::Zh => {
            let names: Vec<&str> =
                fields.iter().map(|field| words::field(lang, field).unwrap_or(field)).collect();
            let (fields, compared) = (names.join("、"), count(*compared));
            let (discrepancies, rows) = (count(*discrepancies), count(*rows));
            format!(
                "{cause}；{fields}共比对 {compared} 个值，有 {discrepancies} 条差异，其中 {rows} 条由此解释；{advice}"
            )
        }
    }
}

fn cause(lang: Lang, pattern: &Pattern) -> String {
    let whose = Whose { lang, is_part: !pattern.concerns_nearly_all() };
    let times = || whose.values("times", "时间");
    let durations = || whose.values("durations", "通话时长");
    match (pattern.cause, lang) {
        (Cause::TimesShifted { hours }, Lang::En) => {
            format!("{} are {} because of a time-zone fault", times(), early(lang, hours * 3_600))
        }
        (Cause::TimesShifted { hours }, Lang::Zh) => {
            format!("{}{}，是时区错误", times(), early(lang, hours * 3_600))
        }
        (Cause::TimesWithoutSeconds { hours, rounded }, _) => {
            let how = if rounded {
                lang.choose("rounded to the minute", "四舍五入到分钟")
            } else {
                lang.choose("cut to the minute", "截断到分钟")
            };
            let shift = early(lang, hours * 3_600);
            let without = lang.choose(" have no seconds", "没有秒");
            let text = match lang {
                Lang::En => format!("{}{without}: they are {how}", times()),
                Lang::Zh => format!("{}{without}（{how}）", times()),
            };
            match (hours, lang) {
                (0, _) => text,
                (_, Lang::En) => format!("{text}, and {shift} because of a time-zone fault"),
                (_, Lang::Zh) => format!("{text}，并且{shift}，是时区错误"),
            }
        }
        (Cause::RingingIncluded, Lang::En) => {
            format!("{} count the ringing in: they run from the call to its end", durations())
        }
        (Cause::RingingIncluded, Lang::Zh) => format!("{}计入了振铃：从呼叫算到挂断", durations()),
        (Cause::DurationsRounded(rounding), _) => durations() + &rounded(lang, rounding),
        (Cause::DurationsInMinutes(direction), Lang::En) => {
            format!("{} are minutes, {}, instead of seconds", durations(), direction_en(direction))
        }
        (Cause::DurationsInMinutes(direction), Lang::Zh) => {
            format!("{}以分钟（{}）为单位，应为秒", durations(), direction_zh(direction))
        }
        (Cause::ConstantDifference { seconds }, _) => constant(whose, seconds, &pattern.fields),
    }
}

/// The values of the ledger, all of them or a part.
#[derive(Clone, Copy)]
struct Whose {
    lang: Lang,
    is_part: bool,
}

impl Whose {
    fn values(self, en: &str, zh: &str) -> String {
        match (self.lang, self.is_part) {
            (Lang::En, false) => format!("the ledger's {en}"),
            (Lang::En, true) => format!("some of the ledger's {en}"),
            (Lang::Zh, false) => format!("台账的{zh}一律"),
            (Lang::Zh, true) => format!("台账的部分{zh}"),
        }
    }
}

/// ` are rounded up to whole minutes (60/60)`
fn rounded(lang: Lang, rounding: Rounding) -> String {
    let ((first, next), direction) = (rounding.increments(), rounding.direction());
    let (en, zh) = (direction_en(direction), direction_zh(direction));
    let (en, zh) = match (first, next) {
        (60, 60) => (format!("{en} to whole minutes"), format!("{zh}到分钟")),
        (_, 1) => (format!("at least {first} seconds"), format!("不足 {first} 秒按 {first} 秒计")),
        _ if first == next => (format!("{en} to steps of {next} seconds"), format!("按 {next} 秒{zh}")),
        _ => (
            format!("at least {first} seconds, and then {en} to steps of {next} seconds"),
            format!("不足 {first} 秒按 {first} 秒计，其后按 {next} 秒{zh}"),
        ),
    };
    match lang {
        Lang::En => format!(" are {en} ({first}/{next})"),
        Lang::Zh => format!("{zh}（{first}/{next}）"),
    }
}

fn direction_en(direction: Direction) -> &'static str {
    match direction {
        Direction::Up => "rounded up",
        Direction::Down => "rounded down",
        Direction::Nearest => "rounded",
    }
}

fn direction_zh(direction: Direction) -> &'static str {
    match direction {
        Direction::Up => "向上取整",
        Direction::Down => "向下取整",
        Direction::Nearest => "四舍五入",
    }
}

fn constant(whose: Whose, seconds: i64, fields: &[&str]) -> String {
    let lang = whose.lang;
    let exactly = lang.choose(if whose.is_part { " are exactly " } else { " are always " }, "");
    let has_times = fields.iter().any(|field| *field != "duration_s");
    let has_durations = fields.contains(&"duration_s");
    let early = early(lang, seconds);
    let short = match lang {
        Lang::En => format!("{} too {}", span(lang, seconds), if seconds > 0 { "short" } else { "long" }),
        Lang::Zh => format!("{} {}", if seconds > 0 { "少" } else { "多" }, span(lang, seconds)),
    };
    let times = format!("{}{exactly}{early}", whose.values("times", "时间"));
    let durations = format!("{}{exactly}{short}", whose.values("durations", "通话时长"));
    match (has_times, has_durations) {
        (true, false) => times,
        (false, _) => durations,
        (true, true) => times + lang.choose(", and ", "，") + &durations,
    }
}

/// `8 hours early` for positive seconds.
fn early(lang: Lang, seconds: i64) -> String {
    let span = span(lang, seconds);
    match lang {
        Lang::En => format!("{span} {}", if seconds > 0 { "early" } else { "late" }),
        Lang::Zh => format!("{} {span}", if seconds > 0 { "早" } else { "晚" }),
    }
}

/// `2 hours 30 minutes`, without a sign.
fn span(lang: Lang, seconds: i64) -> String {
    let seconds = seconds.unsigned_abs();
    let parts = [
        (seconds / 3_600, "hour", "小时"),
        (seconds / 60 % 60, "minute", "分钟"),
        (seconds % 60, "second", "秒"),
    ];
    let parts = parts.into_iter().filter(|(n, ..)| *n > 0);
    let parts: Vec<String> =
        parts.map(|(n, en, zh)| if lang == Lang::En { plural(n, en) } else { format!("{n} {zh}") }).collect();
    parts.join(" ")
}

fn advice(lang: Lang, pattern: &Pattern) -> String {
    let tolerance = |name: &str, seconds: i64, en: &str, zh: &str| match lang {
        Lang::En => format!("{en}, or set {name} to {seconds}"),
        Lang::Zh if name == "time-tolerance" => format!("{zh}，或将时间容差设为 {seconds} 秒"),
        Lang::Zh => format!("{zh}，或将通话时长容差设为 {seconds} 秒"),
    };
    match pattern.cause {
        Cause::TimesShifted { .. } => zone(lang),
        Cause::TimesWithoutSeconds { hours, .. } if hours != 0 => zone(lang),
        Cause::TimesWithoutSeconds { rounded, .. } => {
            let farthest = if rounded { 30 } else { 59 };
            tolerance("time-tolerance", farthest, "export the times with seconds", "请导出带秒的时间")
        }
        Cause::RingingIncluded => {
            lang.choose("count the duration from the answer", "请从接通时刻起计算时长").to_owned()
        }
        Cause::DurationsRounded(rounding) => {
            let (en, zh) = ("write the seconds before rounding", "请提供取整前的秒数");
            tolerance("duration-tolerance", rounding.farthest(), en, zh)
        }
        Cause::DurationsInMinutes(_) => lang.choose("write seconds", "请改为秒数").to_owned(),
        Cause::ConstantDifference { seconds } if pattern.fields == ["duration_s"] => {
            let (en, zh) = ("correct the ledger's way of measuring", "请更正台账的计时方式");
            tolerance("duration-tolerance", seconds.abs(), en, zh)
        }
        Cause::ConstantDifference { seconds } => {
            let (en, zh) = ("set the clock of the ledger's system", "请校准台账系统的时钟");
            tolerance("time-tolerance", seconds.abs(), en, zh)
        }
    }
}

fn zone(lang: Lang) -> String {
    lang.choose(
        "write the times in UTC+8, or with their zone, for example 2026-11-16T02:00:00Z",
        "请将时间换算为北京时间，或写明时区，例如 2026-11-16T02:00:00Z",
    )
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::texts::checks::assert_translated;

    fn pattern(cause: Cause, fields: &[&'static str], rows: u64) -> Pattern {
        Pattern { fields: fields.to_vec(), rows, discrepancies: 60, compared: 60, ..Pattern::new(cause) }
    }

    #[test]
    fn a_sentence_names_cause_numbers_and_advice() {
        let shifted = pattern(Cause::TimesShifted { hours: 8 }, &["called_at", "started_at"], 40);
        assert_eq!(
            sentence(Lang::En, &shifted),
            "some of the ledger's times are 8 hours early because of a time-zone fault; this explains 40 of 60 \
             discrepancies in 60 compared values of called_at, started_at; write the times in UTC+8, or with their \
             zone, for example 2026-11-16T02:00:00Z"
        );
        assert_eq!(
            sentence(Lang::Zh, &shifted),
            "台账的部分时间早 8 小时，是时区错误；呼叫时间、开始时间共比对 60 个值，有 60 条差异，其中 40 \
             条由此解释；请将时间换算为北京时间，或写明时区，例如 2026-11-16T02:00:00Z"
        );
    }

    #[test]
    fn every_cause_has_its_own_words() {
        let causes = Rounding::all().map(Cause::DurationsRounded).chain([
            Cause::TimesShifted { hours: -1 },
            Cause::TimesWithoutSeconds { hours: 0, rounded: false },
            Cause::TimesWithoutSeconds { hours: 0, rounded: true },
            Cause::TimesWithoutSeconds { hours: 8, rounded: false },
            Cause::RingingIncluded,
            Cause::DurationsInMinutes(Direction::Up),
            Cause::DurationsInMinutes(Direction::Down),
            Cause::DurationsInMinutes(Direction::Nearest),
            Cause::ConstantDifference { seconds: 2 },
            Cause::ConstantDifference { seconds: -2 },
        ]);
        let mut seen = std::collections::BTreeSet::new();
        for cause in causes {
            let pattern = pattern(cause, &["duration_s"], 58);
            for lang in [Lang::En, Lang::Zh] {
                assert!(seen.insert(sentence(lang, &pattern)), "{cause:?}: {}", sentence(lang, &pattern));
            }
            let (en, zh) = (sentence(Lang::En, &pattern), sentence(Lang::Zh, &pattern));
            assert_translated(&en, &zh, &["T02", "Z"]);
        }
        let always = pattern(Cause::ConstantDifference { seconds: 2 }, &["duration_s"], 58);
        let text = sentence(Lang::En, &always);
        assert!(text.starts_with("the ledger's durations are always 2 seconds too short; "), "{text}");
        assert!(text.ends_with("or set duration-tolerance to 2"), "{text}");
        let half_hour = pattern(Cause::ConstantDifference { seconds: -9_000 }, &["called_at"], 30);
        let text = sentence(Lang::En, &half_hour);
        assert!(text.contains("times are exactly 2 hours 30 minutes late"), "{text}");
    }
}
