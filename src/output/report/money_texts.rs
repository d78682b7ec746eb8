//! The texts of the report's section on money, in English and Chinese. Pure.

use std::collections::BTreeMap;

use crate::output::lang::Lang;

/// All texts of the section by their key.
pub(super) fn texts(lang: Lang) -> BTreeMap<&'static str, &'static str> {
    TEXTS.iter().map(|(key, en, zh)| (*key, lang.choose(en, zh))).collect()
}

/// The texts: key, English, Chinese. Those of the rules have the rule's word as their key.
const TEXTS: &[(&str, &str, &str)] = &[
    ("money", "Money", "金额"),
    ("sides", "What found calls cost by the tariffs", "已查得通话按资费计算的金额"),
    ("expected", "by the ledger", "按台账"),
    ("amount", "by the provider’s records", "按服务商记录"),
    ("without", "no amount", "无金额"),
    (
        "sides_text",
        "Only calls with an amount on both sides are summed. The last column counts the others: without one by the ledger, without one by the provider.",
        "仅汇总双方均有金额的通话；最后一列为其余通话数：台账无金额、服务商无金额。",
    ),
    ("bridge", "From the ledger’s amount to the provider’s", "从台账金额到服务商金额"),
    (
        "bridge_text",
        "The steps add up. Unusable rows are not in it, because they name no product.",
        "各步相加等于服务商合计。无法使用的行不指明产品，故不计入。",
    ),
    ("at_stake", "Money at stake", "涉及金额"),
    ("unknown", "Discrepancies whose money at stake is not known", "涉及金额未知的差异数"),
    ("settled", "Money that decisions have settled", "已由处理决定结清的金额"),
    ("no_tariff", "Calls without a tariff on their day", "当日没有资费的通话数"),
    ("bill", "The provider’s bill", "服务商账单"),
    ("days", "days", "天数"),
    ("computed", "by the calls", "按通话"),
    ("billed", "billed", "账单"),
    ("gross", "before discounts", "折前"),
    ("rule", "rounding that gives the bill", "可还原账单的取整规则"),
    ("call_60_60", "each call to whole minutes", "每通通话按整分钟取整"),
    ("call_6_6", "each call to 6 seconds", "每通通话按 6 秒取整"),
    ("call_30_6", "each call to 6 seconds, 30 at least", "每通通话按 6 秒取整，至少 30 秒"),
    ("seconds", "per second, not rounded", "按秒，不取整"),
    ("day_60", "the day’s sum to whole minutes", "每日合计按整分钟取整"),
    ("ambiguous", "not decided by these days; possible", "这些天数无法区分；可能为"),
    ("none", "none of the known ones", "已知规则均不符"),
    ("no_days", "no complete day to compare", "没有可比对的完整日期"),
    ("closest", "closest", "最接近"),
    ("closest_off", "seconds off", "相差秒数"),
    ("by_day", "Bill and calls by day", "逐日比对账单与通话"),
    ("talk_s", "talk seconds", "通话秒数"),
    ("billed_s", "billed seconds", "账单秒数"),
    ("further_days", "Further days are in the summary.", "其余日期见汇总文件。"),
    ("other_days", "Days of the bill without calls in the ledger", "账单中台账没有通话的天数"),
    ("several_currencies", "in several currencies, see the bill", "含多种币种，详见账单"),
    ("items", "Items of the bill that are not compared", "账单中未比对的计费项"),
    ("item", "item", "计费项"),
    ("why", "why", "原因"),
    ("unmapped", "no product", "未指定产品"),
    ("order", "order", "订购"),
    ("refund", "refund", "退款"),
    ("adjustment", "adjustment", "调账"),
    ("currency", "currency", "币种"),
    (
        "bill_text",
        "Sums are compared, never calls: a bill has none. Billed is after discounts and before coupons.",
        "仅比对合计，不比对单通通话，因为账单没有通话明细。账单金额为折后、抵扣代金券前的金额。",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use reconcile_core::billing_rule::{BillingRule, RuleSearch};

    #[test]
    fn every_text_is_used_and_in_both_languages() {
        let (en, zh) = (texts(Lang::En), texts(Lang::Zh));
        assert_eq!(en.len(), TEXTS.len(), "a key is listed twice");
        let page = include_str!("report.html");
        let by_word = ["order", "refund", "adjustment", "ambiguous", "none", "no_days"];
        let rules = BillingRule::ALL.map(BillingRule::as_str);
        for (key, text) in &en {
            assert_ne!(Some(text), zh.get(key), "not translated: {key}");
            let is_used = page.contains(&format!("m.{key} ")) || by_word.contains(key) || rules.contains(key);
            assert!(is_used, "{key} is not used");
        }
        assert!(rules.iter().all(|rule| en.contains_key(rule)));
        let results = [RuleSearch::NoDays, RuleSearch::None, RuleSearch::Several(Vec::new())];
        assert!(results.iter().all(|result| en.contains_key(result.as_str())));
    }
}
