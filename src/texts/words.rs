//! The short words of the outputs: kinds, statuses, fields, outcomes, products.
//!
//! The outputs name these things by codes, such as `not_found`. Each code has a short name for
//! people, and kinds and statuses also have a rule.

use crate::output::lang::Lang;
use crate::words::count;
use reconcile_core::detail::Outcome;
use reconcile_core::discrepancy::Kind;
use reconcile_core::product::ProductId;
use reconcile_core::resolution::Decision;
use reconcile_core::status::Status;

/// The short name of a kind.
#[must_use]
pub fn kind(lang: Lang, kind: Kind) -> &'static str {
    match kind {
        Kind::Amended => lang.choose("record changed later", "记录事后变更"),
        Kind::Deferred => lang.choose("not asked", "未查询"),
        Kind::Duplicate => lang.choose("duplicate row", "重复行"),
        Kind::Failed => lang.choose("lookup failed", "查询失败"),
        Kind::Inconsistent => lang.choose("provider contradicts itself", "服务商自相矛盾"),
        Kind::InvalidRow => lang.choose("unusable row", "无法使用的行"),
        Kind::Malformed => lang.choose("unreadable record", "记录无法解析"),
        Kind::Mismatch => lang.choose("values differ", "数值不一致"),
        Kind::MissingInLedger => lang.choose("missing in the ledger", "台账无记录"),
        Kind::NotFound => lang.choose("missing at the provider", "服务商无记录"),
        Kind::OtherDay => lang.choose("on the neighbouring day", "记录在相邻日期"),
        Kind::Pending => lang.choose("waiting for an answer", "待结果"),
        Kind::ReceiptDiffers => lang.choose("receipt differs", "与回执不一致"),
        Kind::UnknownState => lang.choose("unknown state code", "未知状态码"),
    }
}

/// When there is a discrepancy of this kind.
#[must_use]
pub fn kind_rule(lang: Lang, kind: Kind) -> &'static str {
    let zh = match kind {
        Kind::Amended => "服务商更改或删除了已终结的记录",
        Kind::Deferred => "时间用完、离线运行或所属账号被中止，尚未查询",
        Kind::Duplicate => "后续行重复列出同一通话；以第一行为准，其缺失的值取自后续行",
        Kind::Failed => "查询以错误结束",
        Kind::Inconsistent => "服务商的记录自相矛盾",
        Kind::InvalidRow => "台账的这一行无法使用",
        Kind::Malformed => "服务商返回的通话数据无法解析",
        Kind::Mismatch => "台账与服务商的数值相差超过容差",
        Kind::MissingInLedger => "服务商推送过台账所涵盖日期的通话回执，台账中没有对应的行",
        Kind::NotFound => "服务商在所查日期均无记录，且通话已超过等待时限",
        Kind::OtherDay => "已查得，但记录在相邻日期",
        Kind::Pending => "尚无记录且通话未满等待时限，或记录仍可能变化",
        Kind::ReceiptDiffers => "服务商的记录与其推送的回执不一致",
        Kind::UnknownState => "状态码不在服务商的任何码表中",
    };
    lang.choose(kind.rule(), zh)
}

/// The word of a decision, by its code in the outputs; `open` is none. An unknown code is its own
/// word.
#[must_use]
pub fn decision(lang: Lang, code: &'static str) -> &'static str {
    match Decision::parse(code) {
        Some(Decision::WrittenOff) => lang.choose("written off", Decision::WrittenOff.zh()),
        Some(decision) => lang.choose(decision.as_str(), decision.zh()),
        None if code == "open" => lang.choose("open", "未处理"),
        None => code,
    }
}

/// The short name of a status.
#[must_use]
pub fn status(lang: Lang, status: Status) -> &'static str {
    match status {
        Status::Found => lang.choose("found", "已查得"),
        Status::NotFound => lang.choose("missing at the provider", "服务商无记录"),
        Status::Pending => lang.choose("waiting for an answer", "待结果"),
        Status::Failed => lang.choose("lookup failed", "查询失败"),
        Status::Deferred => lang.choose("not asked", "未查询"),
    }
}

/// When a call has this status.
#[must_use]
pub fn status_rule(lang: Lang, status: Status) -> &'static str {
    match status {
        Status::Found => lang.choose("the provider has a record in a final state", "服务商有终态记录"),
        Status::NotFound => {
            lang.choose("the provider has no record on any day asked", "服务商在所查日期均无记录")
        }
        Status::Pending => lang.choose(
            "no record yet, or the record may still change; the next run asks again",
            "尚无记录或记录仍可能变化；下次运行再查",
        ),
        Status::Failed => lang.choose("the lookup ended in an error", "查询以错误结束"),
        Status::Deferred => lang.choose("not asked; the next run asks", "未查询；下次运行再查"),
    }
}

/// The name of a field of the ledger; `None` for a column carried through, which has its own name.
#[must_use]
pub fn field(lang: Lang, code: &str) -> Option<&'static str> {
    let (en, zh) = match code {
        "call_id" => ("CallId", "呼叫 ID"),
        "prod_id" => ("product", "产品"),
        "called_at" => ("time of the call", "呼叫时间"),
        "query_date" => ("query date", "查询日期"),
        "call_date" => ("day of the call", "通话日期"),
        "caller" => ("caller", "主叫号码"),
        "callee" => ("callee", "被叫号码"),
        "caller_show_number" => ("number shown to the caller", "主叫显号"),
        "callee_show_number" => ("number shown to the callee", "被叫显号"),
        "state" => ("state code", "状态码"),
        "answered" => ("answered", "是否接通"),
        "duration_s" => ("talk time", "通话时长"),
        "started_at" => ("start", "开始时间"),
        "ended_at" => ("end", "结束时间"),
        "created_at" => ("accepted at", "受理时间"),
        "a_ring_at" => ("caller’s phone rang at", "主叫振铃时间"),
        "a_end_at" => ("caller’s leg ended at", "主叫结束时间"),
        "b_ring_at" => ("callee’s phone rang at", "被叫振铃时间"),
        "b_start_at" => ("callee answered at", "被叫接听时间"),
        "b_end_at" => ("callee’s leg ended at", "被叫结束时间"),
        "hangup_by" => ("ended by", "挂断方"),
        "state_desc" => ("state in words", "状态说明"),
        "status" => ("status", "状态"),
        _ => return None,
    };
    Some(lang.choose(en, zh))
}

/// The name of a call's outcome.
#[must_use]
pub fn outcome(lang: Lang, outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Answered => lang.choose("answered", "已接通"),
        Outcome::Busy => lang.choose("busy", "用户忙"),
        Outcome::NoAnswer => lang.choose("no answer", "无人接听"),
        Outcome::Unreachable => lang.choose("unreachable", "无法接通"),
        Outcome::PoweredOff => lang.choose("powered off", "关机"),
        Outcome::Suspended => lang.choose("suspended", "停机"),
        Outcome::InvalidNumber => lang.choose("invalid number", "空号或号码无效"),
        Outcome::Restricted => lang.choose("restricted", "呼叫受限"),
        Outcome::Rejected => lang.choose("rejected", "拒接"),
        Outcome::Failed => lang.choose("failed", "呼叫失败"),
        Outcome::InProgress => lang.choose("in progress", "进行中"),
        Outcome::Unknown => lang.choose("unknown", "未知"),
    }
}

/// The name of a product; `None` for a product without a name.
#[must_use]
pub fn product(lang: Lang, product: ProductId) -> Option<&'static str> {
    let (en, zh) = match product.name()? {
        "voice-notification" => ("voice notification", "语音通知"),
        "verification-code" => ("verification code", "语音验证码"),
        "ivr" => ("interactive voice response", "语音 IVR"),
        "click-to-dial" => ("click to dial", "点击拨号"),
        "sip" => ("SIP", "语音 SIP"),
        "smart-outbound" => ("smart outbound calls", "智能外呼"),
        name => (name, name),
    };
    Some(lang.choose(en, zh))
}

/// The name of a step of the bridge. A step without a name keeps its code.
#[must_use]
pub fn bridge_step(lang: Lang, code: &'static str) -> &'static str {
    let (en, zh) = match code {
        "ledger_total" => ("ledger total", "台账合计"),
        "unusable_rows" => ("unusable rows", "无法使用的行"),
        "duplicates" => ("duplicate rows", "重复行"),
        "missing" => ("missing at the provider", "服务商无记录"),
        "waiting" => ("waiting for an answer", "待结果"),
        "failed" => ("lookup failed", "查询失败"),
        "no_ledger_value" => ("no ledger value", "台账无时长"),
        "no_provider_value" => ("no provider value", "服务商无时长"),
        "differences_up" => ("provider says more", "服务商多计"),
        "differences_down" => ("provider says less", "服务商少计"),
        "missing_in_ledger" => ("missing in the ledger", "台账无记录"),
        "provider_total" => ("provider total", "服务商合计"),
        code => (code, code),
    };
    lang.choose(en, zh)
}

/// The name of a category of the headline. A category without a name keeps its code.
#[must_use]
pub fn category(lang: Lang, code: &'static str) -> &'static str {
    let (en, zh) = match code {
        "agree" => ("agree", "一致"),
        "differ" => ("differ", "有差异"),
        "not_compared" => ("found, but nothing to compare", "已查得，但无可比对项"),
        "missing" => ("missing at the provider", "服务商无记录"),
        "waiting" => ("waiting for an answer", "待结果"),
        "failed" => ("lookup failed", "查询失败"),
        "unusable_rows" => ("unusable rows", "无法使用的行"),
        code => (code, code),
    };
    lang.choose(en, zh)
}

/// The age of an open item in nights.
#[must_use]
pub fn age(lang: Lang, nights: u64) -> String {
    match (nights, lang) {
        (0, _) => lang.choose("tonight", "本次").to_owned(),
        (1, Lang::En) => "1 night".to_owned(),
        (_, Lang::En) => format!("{} nights", count(nights)),
        (_, Lang::Zh) => format!("{} 天", count(nights)),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::texts::checks::assert_translated;
    use reconcile_core::amended::MORE_FIELDS;
    use reconcile_core::bridge::Bridge;
    use reconcile_core::compared::FIELDS;
    use reconcile_core::product::PRODUCTS;
    use reconcile_core::totals::Headline;

    /// Checks the pairs, and that no two things have the same name.
    fn assert_names(names: impl Fn(Lang) -> Vec<&'static str>) {
        let (en, zh) = (names(Lang::En), names(Lang::Zh));
        for (en, zh) in en.iter().zip(&zh) {
            assert_translated(en, zh, &["SIP", "IVR", "ID"]);
        }
        for names in [en, zh] {
            assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "{names:?}");
        }
    }

    #[test]
    fn every_kind_and_status_has_a_name_and_a_rule() {
        assert_names(|lang| Kind::ALL.map(|it| kind(lang, it)).to_vec());
        assert_names(|lang| Kind::ALL.map(|it| kind_rule(lang, it)).to_vec());
        assert_names(|lang| Status::ALL.map(|it| status(lang, it)).to_vec());
        assert_names(|lang| Status::ALL.map(|it| status_rule(lang, it)).to_vec());
        for lang in [Lang::En, Lang::Zh] {
            let rules = Kind::ALL.map(|it| kind_rule(lang, it));
            assert!(rules.iter().all(|rule| !rule.contains("--")), "an option is named: {rules:?}");
        }
    }

    #[test]
    fn every_field_outcome_and_product_has_a_name() {
        let fields = FIELDS.into_iter().chain(["call_id", "prod_id", "query_date", "call_date"]);
        let fields = fields.chain(MORE_FIELDS);
        let fields: Vec<&str> = fields.collect();
        assert_names(|lang| fields.iter().filter_map(|code| field(lang, code)).collect());
        assert_eq!(fields.iter().filter_map(|code| field(Lang::Zh, code)).count(), fields.len());
        assert_eq!(field(Lang::Zh, "ledger_dept"), None);
        assert_names(|lang| Outcome::ALL.map(|it| outcome(lang, it)).to_vec());
        assert_names(|lang| PRODUCTS.iter().filter_map(|(id, _)| product(lang, ProductId(*id))).collect());
        assert_eq!(product(Lang::Zh, ProductId(7)), None);
    }

    #[test]
    fn every_step_and_category_has_a_name() {
        assert_names(|lang| Bridge::default().steps().map(|(code, _)| bridge_step(lang, code)).to_vec());
        assert_names(|lang| Headline::default().categories().map(|(code, _)| category(lang, code)).to_vec());
    }

    #[test]
    fn an_age_of_no_night_is_this_run() {
        assert_eq!([0, 1, 3].map(|nights| age(Lang::En, nights)), ["tonight", "1 night", "3 nights"]);
        assert_eq!([0, 1, 3].map(|nights| age(Lang::Zh, nights)), ["本次", "1 天", "3 天"]);
    }
}
