//! The texts of the report in English and Chinese. One table holds both, so that no text lacks a
//! language. The words of the outputs (kinds, statuses, fields) are in `src/texts/`. Pure.

use std::collections::BTreeMap;

use crate::output::lang::Lang;

/// All texts of the page by their key.
pub(super) fn texts(lang: Lang) -> BTreeMap<&'static str, &'static str> {
    TEXTS.iter().map(|(key, en, zh)| (*key, lang.choose(en, zh))).collect()
}

/// The texts that the page's script shows.
pub(super) fn of_script(lang: Lang) -> BTreeMap<&'static str, &'static str> {
    SCRIPT_KEYS.iter().map(|key| (*key, text(lang, key))).collect()
}

/// The text with this key. An unknown key, which a test excludes, gives empty text.
pub(super) fn text(lang: Lang, key: &str) -> &'static str {
    TEXTS.iter().find(|(known, ..)| *known == key).map_or("", |(_, en, zh)| lang.choose(en, zh))
}

/// Keys of the script's texts.
const SCRIPT_KEYS: [&str; 31] = [
    "actual",
    "all",
    "colon",
    "count",
    "day",
    "expected",
    "field",
    "filters",
    "kind",
    "line",
    "more_columns",
    "more_ledger",
    "more_lookup",
    "more_receipt",
    "more_record",
    "open_row",
    "open_since",
    "other_amended",
    "other_duplicate",
    "other_inconsistent",
    "other_missing_in_ledger",
    "other_receipt_differs",
    "product",
    "reset",
    "search",
    "seconds",
    "at_stake",
    "show_all",
    "show_more",
    "since_new",
    "the_call",
];

/// The texts of the page: key, English, Chinese.
const TEXTS: &[(&str, &str, &str)] = &[
    ("title", "Reconciliation of", "对账报告："),
    ("skip", "Skip to the result", "跳到结果"),
    ("sections", "Sections", "章节"),
    ("result", "Result", "结果"),
    ("colon", ": ", "："),
    ("semicolon", "; ", "；"),
    ("comma", ", ", "，"),
    ("stop", ".", "。"),
    ("complete", "Complete", "完整"),
    ("complete_text", "every call has an answer.", "所有通话均已查询。"),
    (
        "complete_waits",
        "The answer to a call that waits is not final, so the next run asks again.",
        "待结果的通话尚无最终结果，下次运行将再次查询。",
    ),
    ("see_notes", "Read the notes.", "查看说明。"),
    ("incomplete", "Incomplete", "不完整"),
    (
        "missing",
        "Open calls are marked “not asked” or “lookup failed”. To go on:",
        "未查得的通话标为“未查询”或“查询失败”。继续运行：",
    ),
    (
        "missing_offline",
        "Open calls are marked “not asked” or “lookup failed”. Run it without offline to ask for them.",
        "未查得的通话标为“未查询”或“查询失败”。取消离线后再次运行即可查询。",
    ),
    ("failures", "Most frequent cause of failures", "最常见的失败原因"),
    ("sandbox", "Sandbox", "沙箱"),
    (
        "sandbox_text",
        "a simulated provider made up every answer on this page. Nothing here is about a real call.",
        "本页所有结果均由模拟服务商生成，与真实通话无关。",
    ),
    ("run", "run", "运行编号"),
    ("bridge", "From the ledger’s talk time to the provider’s", "从台账时长到服务商时长"),
    (
        "bridge_caption",
        "The steps from the ledger’s talk time to the provider’s, with seconds, minutes and calls",
        "从台账通话时长到服务商通话时长的各步：秒数、分钟数与通话数",
    ),
    (
        "bridge_text",
        "The steps add up. Of the ledger total, unusable rows and duplicate rows, the number is that of rows. A value that is missing or unreadable counts as 0 seconds.",
        "各步相加等于服务商合计。台账合计、无法使用的行与重复行按行计数。缺失或无法读取的时长按 0 秒计。",
    ),
    ("since_last", "Discrepancies since the last run", "与上次运行相比的差异"),
    ("since_new", "new", "新增"),
    ("since_recurring", "open before", "延续"),
    ("since_resolved", "resolved", "已消除"),
    ("open_since", "open since", "挂账起始日"),
    ("step", "step", "步骤"),
    ("bar", "bar", "条形图"),
    ("seconds", "seconds", "秒数"),
    ("minutes_short", "minutes", "分钟"),
    ("calls", "calls", "通话数"),
    ("causes", "Causes that explain many rows", "可解释多行差异的原因"),
    ("no_causes", "No single cause explains many discrepancies.", "没有可解释多行差异的单一原因。"),
    ("most_at_stake", "Most talk time at stake", "涉及时长最多的差异"),
    ("trend", "From night to night", "历次对比"),
    (
        "trend_desc",
        "Each small dot is a night, the large dot at the right is this one. The band is what was usual in the nights before, the line their median.",
        "每个小点为一次对账，右侧大点为本次；色带为此前的通常范围，横线为其中位数。",
    ),
    ("trend_young", "What is usual is known after seven nights.", "满七次对账后方可判断通常范围。"),
    ("trend_incomplete", "incomplete", "本次不完整"),
    (
        "trend_text",
        "A night is the newest run of a day (UTC+8) over a ledger of this name; days and numbers in the name do not count. Of an incomplete night only the calls count. The duration is that of the day’s longest run.",
        "每天（北京时间）对同名台账的最近一次运行计为一次对账，名称中的数字不计。不完整的对账只计通话数。用时取当天最长的一次运行。",
    ),
    ("trend_caption", "The nights, the newest first", "历次对账（最近在前）"),
    ("median", "median before", "此前中位数"),
    ("usual_low", "usual from", "通常下限"),
    ("usual_high", "usual to", "通常上限"),
    ("discrepancies", "Discrepancies", "差异"),
    (
        "no_discrepancies",
        "None: ledger and provider agree in everything that was compared.",
        "无差异：所比对的各项，台账与服务商均一致。",
    ),
    (
        "kinds_caption",
        "Discrepancies by kind. The upper bar is the number of rows, the lower bar the seconds at stake.",
        "按类别的差异。上条为行数，下条为涉及秒数。",
    ),
    ("kind", "kind", "类别"),
    ("rows", "rows", "行数"),
    ("share", "share", "占比"),
    ("at_stake", "seconds at stake", "涉及秒数"),
    ("all", "all", "全部"),
    ("what_kinds_mean", "What the kinds mean", "各类别的含义"),
    (
        "at_stake_text",
        "Seconds at stake are the talk time that a discrepancy makes doubtful: the difference of two talk times; the ledger’s talk time of a call that the provider does not confirm, and of a duplicate row; the provider’s talk time of a call in an unknown state, or missing in the ledger.",
        "涉及秒数即差异所涉及的通话时长：时长不一致的取差值；服务商未确认的通话与重复行取台账时长；状态未知与台账无记录的取服务商时长。",
    ),
    ("single", "Single discrepancies", "逐条差异"),
    ("largest_first", "Those with the most seconds at stake come first.", "按涉及秒数从大到小排列。"),
    ("only_listed", "This page has the largest {} of {}.", "本页列出其中最大的 {} 条，共 {} 条。"),
    (
        "no_script",
        "Without JavaScript this page shows the hundred largest.",
        "未启用 JavaScript 时，本页只显示最大的一百条。",
    ),
    ("rest", "All of them are in the discrepancy file:", "全部差异见差异文件："),
    ("masked", "Phone numbers are masked on this page.", "本页电话号码均已脱敏。"),
    ("line", "line", "行号"),
    ("call", "call", "通话"),
    ("what", "what", "差异"),
    ("expected", "ledger says", "台账"),
    ("actual", "provider says", "服务商"),
    ("message", "message", "说明"),
    ("other_amended", "before", "此前"),
    ("other_duplicate", "first row", "首行"),
    ("other_inconsistent", "its other values give", "按其他数值应为"),
    ("other_missing_in_ledger", "sent at", "发出时间"),
    ("other_receipt_differs", "the receipt says", "回执为"),
    ("filters", "Filter the discrepancies", "筛选差异"),
    ("product", "product", "产品"),
    ("day", "day", "日期"),
    ("search", "text", "文字"),
    ("reset", "Show all again", "清除筛选"),
    ("show_more", "Show 100 more", "再显示 100 条"),
    ("show_all", "Show all", "全部显示"),
    ("count", "Discrepancies shown: {shown} of {all}", "已显示 {shown} 条，共 {all} 条"),
    ("open_row", "all that is known of the call", "该通话的全部信息"),
    ("the_call", "The call", "通话"),
    ("more_ledger", "The ledger expects", "台账预期"),
    ("more_record", "The provider’s record", "服务商记录"),
    ("more_receipt", "What the receipt says", "回执内容"),
    ("more_lookup", "The lookup", "查询过程"),
    ("more_columns", "Other columns of the ledger", "台账的其他列"),
    ("resolved", "Decisions", "处理结果"),
    ("resolved_caption", "Discrepancies by the decision of the ledger’s owner", "按台账负责人处理结果的差异"),
    ("decision", "decision", "处理结果"),
    (
        "resolved_text",
        "Accepted, corrected and written-off discrepancies stay in the files, but are no longer at stake.",
        "已接受、已更正与已核销的差异仍保留在文件中，但不再计入涉及时长。",
    ),
    ("settled_s", "Their talk time in seconds", "其通话时长（秒）"),
    ("left_over", "Entries of the file that decide nothing", "未起作用的处理结果条目"),
    ("stale", "stale", "已失效"),
    ("expired", "expired", "已过期"),
    ("unused", "unused", "未匹配"),
    ("settled_elsewhere", "Settled ones are listed under the decisions.", "已处理的差异列于处理结果一节。"),
    ("settled_rows", "Settled discrepancies, at most one hundred", "已处理的差异（最多一百条）"),
    ("amended", "Records that changed", "已变更的记录"),
    ("rechecked", "Final records looked at again", "已核查的终结记录"),
    ("changed", "calls whose record changed", "记录有变更的通话"),
    ("lost", "calls whose record is gone", "记录已消失的通话"),
    (
        "amended_text",
        "The store keeps both answers. What changed is compared with the ledger as it is now; a record that is gone still counts.",
        "本地缓存保留前后两次结果。变更后的记录以现值与台账比对；已消失的记录仍然有效。",
    ),
    ("amended_rows", "Changed fields, at most one hundred", "变更的字段（最多一百条）"),
    ("before", "before", "变更前"),
    ("now", "now", "现在"),
    ("above_limit", "Above the limit", "超过限额"),
    ("within_limit", "Within the limit", "未超限额"),
    ("limit", "limit", "限额"),
    ("limit_percent", "differing and missing calls in percent", "有差异与无记录的通话百分比"),
    ("limit_rows", "open and disputed discrepancies", "未处理与争议的差异"),
    ("age_classes", "Open calls by age", "按挂账时间的未结通话"),
    ("age_nights", "nights", "天数"),
    ("rejected", "Unusable rows by reason", "无法使用的行（按原因）"),
    ("reason", "reason", "原因"),
    ("first_line", "first line", "首行行号"),
    ("field", "field", "字段"),
    ("others", "others", "其他"),
    ("against", "Ledger against provider", "台账与服务商对比"),
    (
        "against_caption",
        "Ledger against provider: all calls, by product and by day",
        "台账与服务商对比：全部、按产品、按日期",
    ),
    (
        "against_text",
        "Answered calls, talk time and minutes are those of the found calls for which both sides give a value. The minutes are each call’s seconds rounded up: an estimate.",
        "接通数、通话时长与计费分钟只统计双方都有值的已查得通话。计费分钟为每通秒数向上取整之和，仅为估计。",
    ),
    (
        "unseen",
        "Calls that the provider has and the ledger lacks cannot be seen: the provider is asked by CallId, and no receipts were given. This page does not say that there are none.",
        "服务商有而台账没有的通话无法发现，因为只能按 CallId 查询，且未提供回执。本报告不涵盖此类通话，不代表不存在。",
    ),
    ("account", "account", "账号"),
    ("most_of_account", "most in any window", "任一时间窗最多"),
    ("accounts", "Accounts", "各账号"),
    ("by_product", "by product", "按产品"),
    ("by_day", "by day", "按日期"),
    ("ledger", "ledger", "台账"),
    ("provider", "provider", "服务商"),
    ("found", "found", "已查得"),
    ("answered", "answered", "接通"),
    ("talk_s", "talk time, s", "通话时长（秒）"),
    ("minutes", "billable minutes", "计费分钟"),
    ("difference", "difference", "差额"),
    ("compared", "What was compared", "比对范围"),
    ("compared_caption", "What was compared, field by field", "逐字段的比对范围"),
    (
        "compared_text",
        "A call agrees only if at least one expected value was compared and all compared values are equal. A value that the first row of a call lacks comes from a later row.",
        "仅当至少比对了一项预期值且所比对的值全部相同时，通话才算一致。同一通话的首行缺少的值取自后续行。",
    ),
    ("nothing_compared", "The ledger expects no value that could be compared.", "台账没有可比对的预期值。"),
    ("fields_expected", "expected", "有预期值"),
    ("fields_compared", "compared", "已比对"),
    ("fields_equal", "equal", "相同"),
    ("equal_share", "equal share", "相同占比"),
    ("fields_different", "different", "不同"),
    ("fields_not_comparable", "the record lacks it", "记录中缺失"),
    ("tolerated", "Matched within a tolerance", "容差内一致"),
    ("matches", "matches", "条数"),
    ("largest_s", "largest, s", "最大（秒）"),
    ("tolerance_s", "tolerance, s", "容差（秒）"),
    ("open", "Open items by age", "挂账（按账龄）"),
    (
        "open_none",
        "None: every call of this ledger has its lasting answer.",
        "无：本台账的所有通话均已查得最终结果。",
    ),
    ("first_seen", "first seen", "首次出现"),
    ("age", "age", "账龄"),
    ("status", "status", "状态"),
    ("cleared", "Open before and settled now", "此前挂账、本次已结"),
    ("elsewhere", "open and only in earlier ledgers", "挂账且仅见于更早的台账"),
    ("earlier_open", "Open calls of earlier ledgers, within 14 days", "更早台账的挂账通话（14 天内）"),
    ("earlier_settled", "settled now", "本次已结"),
    ("earlier_still", "asked and still open", "已查询、仍挂账"),
    ("earlier_not_asked", "not asked", "本次未查询"),
    ("behaviour", "Call behaviour", "呼叫情况"),
    ("outcome", "outcome", "呼叫结果"),
    ("outcomes_caption", "Calls by outcome", "各呼叫结果的通话数"),
    ("no_records", "The provider has no record of any call.", "服务商没有任何通话记录。"),
    ("rate", "Answer rate", "接通率"),
    (
        "rate_desc",
        "Answered calls in percent, by the hour (UTC+8) in which the calls were made",
        "按呼叫时段（北京时间）的接通率（%）",
    ),
    ("talk", "Talk time", "通话分钟"),
    (
        "talk_desc",
        "Talk minutes by the hour (UTC+8) in which the calls were made",
        "按呼叫时段（北京时间）的通话分钟数",
    ),
    ("the_numbers", "The numbers", "数值"),
    ("hours", "Calls by hour of the day (UTC+8)", "按时段的通话（北京时间）"),
    ("hour", "hour", "时段"),
    ("evidence", "Evidence", "审计依据"),
    (
        "evidence_text",
        "For the auditor: how the run worked, and how its numbers can be checked.",
        "供审计使用：本次运行的经过，以及数值的核对方法。",
    ),
    ("ran", "Run and requests", "运行与请求"),
    ("cap", "cap", "请求上限"),
    (
        "most",
        "most that can have reached the provider in any window",
        "任一时间窗内可能到达服务商的最多请求数",
    ),
    ("requests", "requests", "请求"),
    ("throttled", "throttled", "被限流"),
    ("from_store", "answered from the store", "取自本地缓存"),
    ("took_s", "took, s", "用时（秒）"),
    ("slowed", "slowed down", "降速"),
    ("timeline", "Requests over time", "请求数走势"),
    (
        "timeline_desc",
        "Requests in each window of the cap, in minutes since the first request. The dashed line is the cap. A dot marks windows in which the provider throttled.",
        "每个时间窗内的请求数，横轴为自首次请求起的分钟数。虚线为请求上限，圆点为被服务商限流的时间窗。",
    ),
    ("no_requests", "Nothing was sent: every answer was stored.", "未发送请求：结果均取自本地缓存。"),
    (
        "retries_desc",
        "Tries that were followed by another one, by the code of the reply",
        "随后又重试的请求（按返回码）",
    ),
    ("code", "code", "返回码"),
    ("no_retries", "Nothing was tried again.", "没有重试。"),
    ("controls", "Control totals", "勾稽核对"),
    (
        "controls_text",
        "The numbers are computed from the files as they were written. In each rule both sides must be equal.",
        "数值由写出的文件重新计算。每条规则的两边必须相等。",
    ),
    ("statuses", "Calls by status", "各状态的通话数"),
    ("meaning", "meaning", "含义"),
    ("tie_out", "Totals that must add up", "必须相符的合计"),
    ("rule", "rule", "规则"),
    ("numbers", "numbers", "数值（两边）"),
    ("adds_up", "adds up", "是否相符"),
    ("yes", "yes", "是"),
    ("no", "no", "否"),
    ("notes", "Notes", "说明"),
    ("no_notes", "None.", "无。"),
    ("files", "Files", "文件"),
    (
        "files_caption",
        "The files of this run, without this page. Compare a file with its SHA-256 before you rely on it.",
        "本次运行的文件（不含本页）。使用文件前请核对其 SHA-256。",
    ),
    ("file", "file", "文件名"),
    ("bytes", "bytes", "字节数"),
    ("sign", "Sign-off", "签署"),
    ("prepared_by", "Prepared by", "编制人"),
    ("reviewed_by", "Reviewed by", "复核人"),
    ("date", "Date", "日期"),
    ("source_store", "the store (an earlier run asked)", "本地缓存（此前已查询）"),
    ("source_asked", "asked in this run", "本次查询"),
    ("source_receipt", "a receipt that the provider pushed", "服务商推送的回执"),
    ("party_caller", "caller", "主叫"),
    ("party_callee", "callee", "被叫"),
    ("field_product", "product", "产品"),
    ("field_outcome", "outcome", "呼叫结果"),
    ("field_day_asked", "day asked", "查询日期"),
    ("field_day_found", "day of the record", "记录日期"),
    ("field_attempts", "requests so far", "累计请求数"),
    ("field_fetched_at", "answered at", "返回时间"),
    ("field_source", "source", "来源"),
    ("field_request_id", "RequestId", "请求编号"),
    ("field_error_code", "error code", "错误码"),
    ("field_error_message", "error message", "错误信息"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_is_in_both_languages() {
        let (en, zh) = (texts(Lang::En), texts(Lang::Zh));
        assert_eq!(en.len(), TEXTS.len(), "a key is listed twice");
        assert!(en.values().chain(zh.values()).all(|text| !text.is_empty()));
        let same: Vec<_> = en.iter().filter(|(key, text)| zh.get(*key) == Some(*text)).collect();
        assert!(same.is_empty(), "not translated: {same:?}");
    }

    #[test]
    fn chinese_texts_have_full_width_punctuation() {
        for (key, _, zh) in TEXTS {
            let chars: Vec<char> = zh.chars().collect();
            let half_width =
                |pair: &[char]| !pair[0].is_ascii() && matches!(pair[1], ',' | ':' | ';' | '(' | ')' | '.');
            assert!(!chars.windows(2).any(half_width), "{key}: {zh}");
        }
    }

    #[test]
    fn the_page_uses_every_text() {
        let page = concat!(
            include_str!("report.html"),
            include_str!("report.js"),
            include_str!("page.rs"),
            include_str!("charts.rs"),
            include_str!("strips.rs"),
            include_str!("labels.rs")
        );
        let is_used = |key: &str| {
            let after = |start: &str| {
                page.split(start)
                    .skip(1)
                    .any(|rest| !rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_'))
            };
            after(&format!("t.{key}"))
                || after(&format!("texts.{key}"))
                || page.contains(&format!("\"{key}\""))
        };
        let composed = ["more_", "field_", "other_"];
        for (key, ..) in TEXTS {
            assert!(composed.iter().any(|start| key.starts_with(start)) || is_used(key), "{key} is not used");
        }
        assert!(SCRIPT_KEYS.iter().all(|key| TEXTS.iter().any(|(known, ..)| known == key)));
    }
}
