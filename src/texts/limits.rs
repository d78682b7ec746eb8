//! The sentence on a limit.

use crate::output::lang::Lang;
use crate::words::count;
use reconcile_core::materiality::{Limit, Measured};

/// What was measured, and whether the limit is kept.
#[must_use]
pub fn limit(lang: Lang, measured: &Measured) -> String {
    let [value, limit] = [measured.value, measured.limit.value()].map(|n| number(measured.limit, n));
    let (what, unit) = match (lang, measured.limit) {
        (Lang::En, Limit::Seconds(_)) => ("talk seconds at stake", ""),
        (Lang::En, Limit::Percent(_)) => ("differing and missing calls", " %"),
        (Lang::En, Limit::Rows(_)) => ("open and disputed discrepancies", ""),
        (Lang::Zh, Limit::Seconds(_)) => ("差异涉及时长", " 秒"),
        (Lang::Zh, Limit::Percent(_)) => ("有差异与无记录的通话", "%"),
        (Lang::Zh, Limit::Rows(_)) => ("未处理与争议的差异", " 条"),
    };
    let state = match measured.is_above() {
        true => lang.choose("Above the limit", "超过限额"),
        false => lang.choose("Within the limit", "未超限额"),
    };
    match lang {
        Lang::En => format!("{state}: {what} {value}{unit}, limit {limit}{unit}"),
        Lang::Zh => format!("{state}：{what} {value}{unit}，限额 {limit}{unit}"),
    }
}

/// A number in the unit of the limit. Three decimals are enough for a percentage.
fn number(limit: Limit, value: f64) -> String {
    match limit {
        Limit::Percent(_) => ((value * 1e3).round() / 1e3).to_string(),
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a whole number from 0 up"
        )]
        Limit::Seconds(_) | Limit::Rows(_) => count(value as u64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::texts::checks::assert_translated;

    #[test]
    fn a_limit_has_both_languages() {
        for limit_of in [Limit::Seconds(1_800), Limit::Percent(0.5), Limit::Rows(3)] {
            for value in [0.0, 1e6] {
                let measured = Measured { limit: limit_of, value };
                assert_translated(&limit(Lang::En, &measured), &limit(Lang::Zh, &measured), &[]);
            }
        }
        let above = Measured { limit: Limit::Percent(0.5), value: 1.25 };
        assert_eq!(
            limit(Lang::En, &above),
            "Above the limit: differing and missing calls 1.25 %, limit 0.5 %"
        );
    }
}
