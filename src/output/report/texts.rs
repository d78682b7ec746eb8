//! The texts of the report in English and Chinese. One table holds both, so that no text lacks a
//! language. Pure.

use std::collections::BTreeMap;

use crate::output::lang::Lang;
use reconcile_core::discrepancy::Kind;

/// All texts of the page by their key. The text of a kind has the key `kind_mismatch`.
pub(super) fn texts(lang: Lang) -> BTreeMap<String, &'static str> {
    let kinds = Kind::ALL.into_iter().zip(KINDS_ZH);
    let kinds = kinds.map(|(kind, zh)| (format!("kind_{}", kind.as_str()), lang.choose(kind.rule(), zh)));
    let texts = TEXTS.iter().map(|(key, en, zh)| ((*key).to_owned(), lang.choose(en, zh)));
    texts.chain(kinds).collect()
}

/// The text with this key. An unknown key, which a test excludes, gives empty text.
pub(super) fn text(lang: Lang, key: &str) -> &'static str {
    TEXTS.iter().find(|(known, ..)| *known == key).map_or("", |(_, en, zh)| lang.choose(en, zh))
}

/// Rules of the kinds in Chinese, in the order of [`Kind::ALL`].
const KINDS_ZH: [&str; 11] = [
    "时间用完或使用了 --offline，尚未查询",
    "后续行重复列出同一通话；以第一行为准，其缺失的值取自后续行",
    "查询以错误结束",
    "服务商自相矛盾",
    "台账的这一行无法使用",
    "Data 的格式不对",
    "台账与服务商都有值，且相差超过容差",
    "服务商在所查日期均无记录，且通话已超过 --settle",
    "找到了，但在相邻的一天",
    "尚无记录且通话发生未满 --settle，或记录仍可能变化",
    "状态码不在任何表中",
];

/// The texts of the page: key, English, Chinese.
const TEXTS: &[(&str, &str, &str)] = &[
    ("title", "Reconciliation of", "对账："),
    ("complete", "Complete", "完整"),
    ("complete_text", "every call has its answer", "每个通话都有结果"),
    ("incomplete", "Incomplete", "不完整"),
    (
        "missing",
        "What is missing is marked deferred or failed. To go on:",
        "缺少的部分标为 deferred 或 failed。继续运行：",
    ),
    (
        "missing_offline",
        "What is missing is marked deferred or failed. Run it without offline to ask for it.",
        "缺少的部分标为 deferred 或 failed。不使用 offline 再次运行即可查询。",
    ),
    ("failures", "Most frequent cause of failures", "最常见的失败原因"),
    ("sandbox", "Sandbox", "沙箱"),
    (
        "sandbox_text",
        "Every answer on this page is made up by the simulated provider. Nothing here says anything about a real call.",
        "本页所有结果均由模拟服务商编造，与真实通话无关。",
    ),
    ("run", "run", "运行"),
    ("calls", "calls", "通话"),
    ("headline_agree", "agree", "一致"),
    ("headline_differ", "differ", "有差异"),
    ("headline_not_compared", "found, but nothing to compare", "已查得，但无可比对项"),
    ("headline_missing", "missing at the provider", "服务商无记录"),
    ("headline_waiting", "waiting for an answer", "待结果"),
    ("headline_failed", "failed", "查询失败"),
    ("headline_unusable_rows", "unusable rows", "无法使用的行"),
    ("compared", "What was compared", "比对范围"),
    (
        "compared_text",
        "A call agrees only if at least one expected value was compared and all compared values are equal. A value that the first row of a call lacks comes from a later row.",
        "仅当至少比对了一项预期值且所比对的值全部相同时，通话才算一致。同一通话的第一行缺少的值取自后面的行。",
    ),
    ("fields_expected", "expected", "有预期值"),
    ("fields_compared", "compared", "已比对"),
    ("fields_equal", "equal", "相同"),
    ("fields_different", "different", "不同"),
    ("fields_not_comparable", "the record lacks it", "记录中缺失"),
    ("discrepancies", "discrepancies", "差异"),
    ("seconds_at_stake", "talk seconds at stake", "涉及通话秒数"),
    ("ran", "What ran", "运行情况"),
    ("ledger", "ledger", "台账"),
    ("provider", "provider", "服务商"),
    ("took_s", "took, s", "用时（秒）"),
    ("requests", "requests", "请求"),
    ("throttled", "throttled", "被限流"),
    ("from_store", "answered from the store", "由本地库直接得到"),
    ("cap", "cap", "请求上限"),
    (
        "most",
        "most that can have reached the provider in any window",
        "任一时间窗内可能到达服务商的最多请求数",
    ),
    ("slowed", "slowed down, times", "降速次数"),
    ("note", "note", "说明"),
    ("controls", "Control totals", "控制总数"),
    ("controls_text", "Computed from the files as they were written.", "由写出的文件重新计算。"),
    ("rule", "rule", "规则"),
    (
        "rule: discrepancies = invalid + those of the calls",
        "discrepancies = invalid rows + those of the calls",
        "差异 = 无法使用的行 + 各通话的差异",
    ),
    (
        "rule: each call has as many discrepancies as its row says",
        "each call has as many discrepancies as its row says; calls with any",
        "每个通话的差异数与其明细行一致；有差异的通话",
    ),
    ("rule: the files hold what was counted", "the files hold what was counted", "文件内容与计数一致"),
    ("numbers", "numbers", "数值"),
    ("foots", "foots", "相符"),
    ("yes", "yes", "是"),
    ("no", "no", "否"),
    ("status", "status", "状态"),
    ("status_found", "the provider has a record in a final state", "服务商有终态记录"),
    ("status_not_found", "the provider has no record on any day asked", "服务商在所查日期均无记录"),
    (
        "status_pending",
        "no record yet, or the record may still change; the next run asks again",
        "尚无记录或记录仍可能变化；下次运行再查",
    ),
    ("status_failed", "the look-up ended in an error", "查询以错误结束"),
    ("status_deferred", "not asked; the next run asks", "未查询；下次运行再查"),
    ("meaning", "meaning", "含义"),
    ("against", "Ledger against provider", "台账与服务商对比"),
    (
        "against_text",
        "Answered calls, talk time and minutes are over the found calls for which both sides give a value. Minutes are each call's seconds rounded up: an estimate.",
        "接通数、通话时长与计费分钟只统计双方都有值的已找到通话。计费分钟为每通秒数向上取整之和，仅为估计。",
    ),
    (
        "unseen",
        "Calls that the provider has and the ledger lacks cannot be found: the provider's operation is asked by CallId. This page says nothing about them, not even that there are none.",
        "服务商有而台账没有的通话无法发现：该接口只能按 CallId 查询。本页对此不作任何说明，也不表示没有。",
    ),
    ("all", "all", "合计"),
    ("others", "others", "其他"),
    ("by_product", "by product", "按产品"),
    ("by_day", "by day", "按日期"),
    ("found", "found", "已找到"),
    ("answered", "answered", "接通"),
    ("talk_s", "talk time, s", "通话时长（秒）"),
    ("minutes", "billable minutes", "计费分钟"),
    ("difference", "difference", "差"),
    ("kinds", "Discrepancies by kind", "差异分类"),
    ("cause", "One cause", "同一原因"),
    ("kind", "kind", "类别"),
    ("rows", "rows", "行数"),
    ("at_stake", "seconds at stake", "涉及秒数"),
    (
        "at_stake_text",
        "Seconds at stake: of a talk time that differs, the difference; of a call that the provider does not confirm and of a duplicate, what the ledger says.",
        "涉及秒数：时长不一致的取差值；服务商未确认的通话与重复行取台账时长。",
    ),
    ("none", "None.", "无。"),
    ("largest", "Largest discrepancies:", "影响最大的差异："),
    ("of_them", "of", "条，共"),
    ("rest", "All of them are in the discrepancy file:", "全部差异见差异文件："),
    ("masked", "Phone numbers are masked on this page.", "本页电话号码均已遮盖。"),
    ("line", "line", "行号"),
    ("call", "call", "通话"),
    ("what", "what", "差异"),
    ("expected", "ledger says", "台账"),
    ("actual", "provider says", "服务商"),
    ("delta_s", "delta, s", "差（秒）"),
    ("tolerated", "Matched within a tolerance", "容差内一致"),
    ("field", "field", "字段"),
    ("tolerance_s", "tolerance, s", "容差（秒）"),
    ("largest_s", "largest, s", "最大（秒）"),
    ("matches", "matches", "条数"),
    ("open", "Open items by age", "未结项（按账龄）"),
    (
        "open_none",
        "None: every call of this ledger has its lasting answer.",
        "无：本台账的每个通话都有最终结果。",
    ),
    ("first_seen", "first seen", "首次出现"),
    ("age", "age", "账龄"),
    ("tonight", "tonight", "今晚"),
    ("night", "1 night", "1 夜"),
    ("nights", " nights", " 夜"),
    ("cleared", "open before and settled now", "此前未结、本次已结"),
    ("elsewhere", "open, and only in earlier ledgers", "未结、仅见于更早的台账"),
    ("outcomes", "Outcomes", "呼叫结果"),
    ("outcome", "outcome", "结果"),
    ("outcomes_desc", "A bar for each outcome, by the number of calls", "每种结果一条，按通话数"),
    ("hours", "By hour of day", "按时段"),
    ("rate", "Answer rate", "接通率"),
    (
        "rate_desc",
        "The share of calls that were answered, by the hour (UTC+8) in which they were made; in percent",
        "按呼叫时段（北京时间）的接通比例，百分比",
    ),
    ("talk", "Talk time", "通话时长"),
    (
        "talk_desc",
        "Talk minutes by the hour (UTC+8) in which the calls were made",
        "按呼叫时段（北京时间）的通话分钟",
    ),
    ("hour", "hour", "时段"),
    ("the_numbers", "the numbers", "数值"),
    ("timeline", "Requests", "请求"),
    (
        "timeline_desc",
        "Requests in each window of the cap, in minutes since the first; the line is the cap, a dot marks windows in which the provider throttled",
        "每个时间窗内的请求数，横轴为自首次请求起的分钟；横线为上限，圆点为被服务商限流的时间窗",
    ),
    ("no_requests", "Nothing was sent: every answer was stored.", "未发送请求：结果均来自本地库。"),
    ("retries", "Tried again", "重试"),
    (
        "retries_desc",
        "Tries that were followed by another one, by the code that came back",
        "随后又重试的请求，按返回码",
    ),
    ("code", "code", "返回码"),
    ("no_retries", "Nothing was tried again.", "没有重试。"),
    ("rejected", "Rejected rows", "无法使用的行"),
    ("reason", "reason", "原因"),
    ("first_line", "first line", "首行"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_is_in_both_languages() {
        let (en, zh) = (texts(Lang::En), texts(Lang::Zh));
        assert_eq!(en.len(), TEXTS.len() + Kind::ALL.len(), "a key is listed twice");
        assert!(en.keys().eq(zh.keys()));
        assert!(en.values().chain(zh.values()).all(|text| !text.is_empty()));
        let same: Vec<_> = en.iter().filter(|(key, text)| zh.get(*key) == Some(*text)).collect();
        assert!(same.is_empty(), "not translated: {same:?}");
    }

    #[test]
    fn the_page_uses_every_text() {
        let page = concat!(include_str!("report.html"), include_str!("page.rs"), include_str!("charts.rs"));
        for (key, ..) in TEXTS {
            let used = [
                format!("t.{key} "),
                format!("t.{key}."),
                format!("\"{key}\""),
                format!("t.{key})"),
                format!("t.{key},"),
                format!("t.{key}]"),
            ];
            let composed =
                ["status_", "rule: ", "headline_", "fields_"].iter().any(|start| key.starts_with(start));
            assert!(composed || used.iter().any(|u| page.contains(u)), "{key} is not used");
        }
    }
}
