//! The night in one sentence, for the report, the last line of a run and the notification.

use super::lang::Lang;
use crate::texts;
use crate::words::{count, plural};
use reconcile_core::discrepancy::Kind;
use reconcile_core::totals::Totals;
use reconcile_core::trend::Trend;

/// The calls by category, what each side lacks, and what is unusual, in one sentence without its
/// full stop. Agreement and difference are always named, the others only if there are any.
pub(crate) fn sentence(lang: Lang, totals: &Totals, trend: &Trend) -> String {
    let counts = counts(lang, totals);
    match texts::unusual(lang, trend) {
        Some(unusual) => format!("{counts}{}{unusual}", lang.choose("; ", "；")),
        None => counts,
    }
}

fn counts(lang: Lang, totals: &Totals) -> String {
    let h = totals.headline();
    let always = [(h.agree, WORDS[0]), (h.differ, WORDS[1])];
    let others = [h.not_compared, h.missing, h.waiting, h.failed].into_iter().zip(WORDS.into_iter().skip(2));
    let parts = always.into_iter().chain(others.filter(|(n, _)| *n > 0));
    let parts: Vec<String> = parts.map(|(n, words)| words.part(lang, n)).collect();
    let lacking = missing_in_ledger(lang, totals.of_kind(Kind::MissingInLedger));
    let unusable = unusable_rows(lang, h.unusable_rows);
    match lang {
        Lang::En => format!("{}: {}{lacking}{unusable}", plural(totals.calls, "call"), parts.join(", ")),
        Lang::Zh => format!("共 {} 通通话：{}{lacking}{unusable}", count(totals.calls), parts.join("，")),
    }
}

/// The words after a number of calls.
#[derive(Clone, Copy)]
struct Words {
    one: &'static str,
    several: &'static str,
    zh: &'static str,
}

impl Words {
    fn part(self, lang: Lang, n: u64) -> String {
        match lang {
            Lang::En => format!("{} {}", count(n), if n == 1 { self.one } else { self.several }),
            Lang::Zh => format!("{} 通{}", count(n), self.zh),
        }
    }
}

const WORDS: [Words; 6] = [
    Words { one: "agrees", several: "agree", zh: "一致" },
    Words { one: "differs", several: "differ", zh: "有差异" },
    Words { one: "has nothing to compare", several: "have nothing to compare", zh: "无可比对项" },
    Words {
        one: "is missing at the provider", several: "are missing at the provider", zh: "服务商无记录"
    },
    Words { one: "waits", several: "wait", zh: "待结果" },
    Words { one: "failed", several: "failed", zh: "查询失败" },
];

/// The part on calls that only the provider has; empty without any. They are not among the calls
/// of the ledger.
fn missing_in_ledger(lang: Lang, n: u64) -> String {
    match lang {
        _ if n == 0 => String::new(),
        Lang::En if n == 1 => "; 1 more call is missing in the ledger".to_owned(),
        Lang::En => format!("; {} more calls are missing in the ledger", count(n)),
        Lang::Zh => format!("；另有 {} 通台账无记录", count(n)),
    }
}

/// The end of the sentence; empty without unusable rows.
fn unusable_rows(lang: Lang, n: u64) -> String {
    match lang {
        _ if n == 0 => String::new(),
        Lang::En if n == 1 => "; 1 ledger row is unusable".to_owned(),
        Lang::En => format!("; {} ledger rows are unusable", count(n)),
        Lang::Zh => format!("；另有 {} 行台账无法使用", count(n)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sentence_names_every_category_that_has_calls() {
        let totals = Totals {
            calls: 89,
            clean: 57,
            with_discrepancies: 19,
            not_compared: 3,
            not_found: 4,
            pending: 1,
            deferred: 1,
            failed: 4,
            invalid: 7,
            discrepancies: [(Kind::MissingInLedger, 2), (Kind::NotFound, 4)].into(),
            ..Totals::default()
        };
        assert_eq!(
            counts(Lang::En, &totals),
            "89 calls: 57 agree, 19 differ, 3 have nothing to compare, 4 are missing at the provider, \
             2 wait, 4 failed; 2 more calls are missing in the ledger; 7 ledger rows are unusable"
        );
        assert_eq!(
            counts(Lang::Zh, &totals),
            "共 89 通通话：57 通一致，19 通有差异，3 通无可比对项，4 通服务商无记录，2 通待结果，4 通查询失败；\
             另有 2 通台账无记录；另有 7 行台账无法使用"
        );
    }

    #[test]
    fn one_call_is_singular_and_empty_categories_are_left_out() {
        let one = Totals { calls: 1, clean: 1, invalid: 1, ..Totals::default() };
        assert_eq!(counts(Lang::En, &one), "1 call: 1 agrees, 0 differ; 1 ledger row is unusable");
        assert_eq!(counts(Lang::En, &Totals::default()), "0 calls: 0 agree, 0 differ");
        assert_eq!(counts(Lang::Zh, &Totals::default()), "共 0 通通话：0 通一致，0 通有差异");
    }
}
