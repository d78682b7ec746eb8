//! The rules of the tie-out with their numbers, and the sentences on a slow-down.

use crate::output::lang::Lang;
use crate::words::count;
use reconcile_core::tie_out::{Numbers, Rule};
use reconcile_core::traffic::Slowdown;

/// A rule of the tie-out.
#[must_use]
pub fn tie_out_rule(lang: Lang, rule: Rule) -> &'static str {
    let zh = match rule {
        Rule::Rows => "行数 = 无法使用的行 + 重复行 + 通话",
        Rule::Calls => "通话 = 已查得 + 服务商无记录 + 待结果 + 查询失败 + 未查询",
        Rule::Found => "已查得 = 一致 + 有差异 + 无可比对项",
        Rule::Discrepancies => "差异 = 无法使用的行 + 台账通话的差异 + 其他通话的差异",
        Rule::DiscrepanciesOfEachCall => "各通话的差异条数与明细行一致；有差异的通话",
        Rule::Decisions => "差异 = 未处理 + 接受 + 争议 + 已更正 + 核销",
        Rule::AsCounted => "文件内容与计数一致",
        Rule::Requests => "请求 = 首次请求 + 重试 + 相邻日期的请求",
        Rule::Cap => "任一时间窗内的请求数 ≤ 上限",
        Rule::Receipts => "有回执的通话 = 台账已有 + 台账无记录 + 其他日期",
        Rule::Accounts => "各账号之和与总数一致，且各账号均未超过上限",
    };
    let en = match rule {
        Rule::Discrepancies => "discrepancies = invalid rows + those of the calls + those of other calls",
        Rule::DiscrepanciesOfEachCall => {
            "each call has as many discrepancies as its row says; calls with any"
        }
        rule => rule.as_str(),
    };
    lang.choose(en, zh)
}

/// The numbers of a rule.
#[must_use]
pub fn tie_out_numbers(lang: Lang, numbers: &Numbers) -> String {
    match (lang, numbers) {
        (Lang::En, numbers) | (Lang::Zh, numbers @ Numbers::Sum { .. }) => numbers.to_string(),
        (Lang::Zh, Numbers::PartOfCalls { part, calls }) => format!("{part} 通，共 {calls} 通"),
        (Lang::Zh, Numbers::Files { calls, discrepancies }) => {
            format!("{calls} 通通话，{discrepancies} 条差异")
        }
        (Lang::Zh, Numbers::Accounts { accounts, calls, requests }) => {
            format!("{accounts} 个账号：{calls} 通通话，{requests} 次请求")
        }
        (Lang::Zh, Numbers::Limit { number, limit }) => format!("{number} ≤ {limit}"),
    }
}

/// How throttling slowed the run down; `None` if it did not.
#[must_use]
pub fn slowdown(lang: Lang, slowdown: &Slowdown) -> Option<String> {
    if lang == Lang::En || slowdown.halvings == 0 {
        return slowdown.sentences();
    }
    let halvings = count(slowdown.halvings);
    let [slowed, held] = [slowdown.slowed, slowdown.held].map(|span| span.as_secs_f64().round());
    let paused = if held > 0.0 { format!("，其中 {held} 秒未发送请求") } else { String::new() };
    Some(format!(
        "请求数未达上限，服务商仍予限流，可能有其他程序共用此账号；请求速率减半 {halvings} 次，降速 {slowed} 秒{paused}"
    ))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::texts::checks::assert_translated;

    #[test]
    fn every_rule_has_both_languages() {
        for rule in Rule::ALL {
            assert_translated(tie_out_rule(Lang::En, rule), tie_out_rule(Lang::Zh, rule), &[]);
        }
    }

    #[test]
    fn numbers_have_both_languages() {
        let sum = Numbers::Sum { whole: 3, parts: vec![1, 2] };
        assert_eq!(tie_out_numbers(Lang::Zh, &sum), "3 = 1 + 2");
        assert_eq!(tie_out_numbers(Lang::Zh, &Numbers::Limit { number: 3, limit: 100 }), "3 ≤ 100");
        for numbers in
            [Numbers::PartOfCalls { part: 2, calls: 3 }, Numbers::Files { calls: 3, discrepancies: 4 }]
        {
            let (en, zh) = (tie_out_numbers(Lang::En, &numbers), tie_out_numbers(Lang::Zh, &numbers));
            assert_translated(&en, &zh, &[]);
        }
    }

    #[test]
    fn a_slow_down_has_both_languages() {
        assert_eq!(slowdown(Lang::Zh, &Slowdown::default()), None);
        let once = Slowdown { halvings: 1, slowed: Duration::from_secs(29), held: Duration::ZERO };
        for held in [Duration::ZERO, Duration::from_millis(4_400)] {
            let it = Slowdown { held, ..once };
            let texts = [Lang::En, Lang::Zh].map(|lang| slowdown(lang, &it).unwrap_or_default());
            assert_translated(&texts[0], &texts[1], &[]);
        }
    }
}
