//! What discrepancies say.

use super::causes;
use super::{rows, words};
use crate::output::lang::Lang;
use reconcile_core::message::{Contradiction, Message};
use reconcile_core::phone::mask_text;
use reconcile_core::status::{Failure, FailureKind};

/// A discrepancy in words. A column of the ledger or the provider's message may hold a phone
/// number.
#[must_use]
pub fn message(lang: Lang, message: &Message) -> String {
    match lang {
        Lang::En => message.to_string(),
        Lang::Zh => zh(message),
    }
}

fn zh(message: &Message) -> String {
    match message {
        Message::NotAsked => "尚未查询；下次运行再查".to_owned(),
        Message::NotFound { product, day } => {
            let product = words::product(Lang::Zh, *product).map_or_else(|| product.shown(), str::to_owned);
            format!(
                "服务商没有这一通话的记录（产品 {product}，{day}）：呼叫 ID 不存在，或产品、日期、账号有误"
            )
        }
        Message::NoDuration => "通话已接通，但记录中尚无通话时长；下次运行再查".to_owned(),
        Message::NotFinal => "通话状态尚未终结；下次运行再查".to_owned(),
        Message::TooRecent => "尚无记录，但通话时间较近，暂不计为无记录；下次运行再查".to_owned(),
        Message::LookupFailed => "查询失败".to_owned(),
        Message::Failed(failure) => failed(failure),
        Message::UnknownState => "状态码不在服务商的任何码表中".to_owned(),
        Message::OtherDay => "服务商的记录在相邻日期".to_owned(),
        Message::Amended { field } => format!("记录终结后，服务商更改了{}", name(field)),
        Message::RecordLost => "服务商曾有已终结的记录，现已无记录；仍以已存的记录为准".to_owned(),
        Message::ReceiptDiffers { field } => format!("记录的{}与回执不一致", name(field)),
        Message::NoRecordOfReceipt => "服务商推送过回执，但没有记录".to_owned(),
        Message::MissingInLedger => "服务商推送过这一通话的回执，台账中没有对应的行".to_owned(),
        Message::Differs { field, later_line: 0, .. } => format!("{}不一致", name(field)),
        Message::Differs { field, later_line, file } => {
            let of = if file.is_empty() { String::new() } else { format!("“{file}”") };
            format!("{}不一致；台账的值取自{of}第 {later_line} 行", name(field))
        }
        Message::Contradiction(rule) => contradiction(*rule).to_owned(),
        Message::SameCall { line, file, fields } => {
            let of = if file.is_empty() { String::new() } else { format!("“{file}”") };
            let row = format!("{of}第 {line} 行");
            if fields.is_empty() {
                return format!("与{row}为同一通话，各项相同");
            }
            let fields: Vec<String> = fields.iter().map(|field| name(field)).collect();
            let fields = fields.join("、");
            format!("与{row}为同一通话；{fields}不同；以{row}为准，仅在其无值时取本行")
        }
        Message::Unusable(row) => rows::unusable(Lang::Zh, row),
        Message::Masked(text) => text.to_string(),
    }
}

/// The field's name; the name of a column carried through in quotes.
fn name(field: &str) -> String {
    words::field(Lang::Zh, field).map_or_else(|| format!("“{field}”"), str::to_owned)
}

fn failed(failed: &Failure) -> String {
    let next = match failed.kind {
        FailureKind::Malformed => "下次运行再查",
        FailureKind::Exhausted => "多次尝试均失败；下次运行再查",
        FailureKind::Rejected => "以后的运行不再查询，除非要求全部重查",
    };
    format!("{}；{next}", mask_text(&causes::failure(&failed.code, &failed.message)))
}

fn contradiction(rule: Contradiction) -> &'static str {
    match rule {
        Contradiction::OtherCall => "记录的呼叫 ID 与所查的不同",
        Contradiction::DurationVsSpan => "通话时长不等于结束时间减开始时间",
        Contradiction::AnsweredWithoutTalk => "已接通，但通话时长为 0 秒",
        Contradiction::TalkWithoutAnswer => "未接通，但通话时长不为 0 秒",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::texts::checks::assert_translated;
    use chrono::NaiveDate;
    use reconcile_core::compared::FIELDS;
    use reconcile_core::product::ProductId;
    use reconcile_core::row_problem::{CallIdProblem, RowProblem, Unusable};

    fn failed(code: &str, message: &str, kind: FailureKind) -> Message {
        Message::Failed(Box::new(Failure { kind, code: code.into(), message: message.into() }))
    }

    /// Every message.
    fn all() -> Vec<Message> {
        let day = NaiveDate::default();
        let same = |fields: &[&str]| Message::SameCall {
            line: 7,
            file: "".into(),
            fields: fields.iter().map(ToString::to_string).collect(),
        };
        let row = Unusable {
            problem: RowProblem::CallId(CallIdProblem::Missing),
            column: Some(1),
            offset: Some(9),
        };
        let mut all = vec![
            Message::NotAsked,
            Message::NotFound { product: ProductId(11_000_000_300_006), day },
            Message::NotFound { product: ProductId(7), day },
            Message::NoDuration,
            Message::NotFinal,
            Message::TooRecent,
            Message::LookupFailed,
            failed("isv.X", "isv.X", FailureKind::Rejected),
            failed("MalformedData", "Data is not JSON", FailureKind::Malformed),
            failed("timeout", "timed out after 10 s", FailureKind::Exhausted),
            failed("HTTP 503", "not the provider's answer: down", FailureKind::Exhausted),
            Message::UnknownState,
            Message::OtherDay,
            Message::Amended { field: "duration_s" },
            Message::ReceiptDiffers { field: "duration_s" },
            Message::NoRecordOfReceipt,
            Message::MissingInLedger,
            Message::Amended { field: "b_end_at" },
            Message::RecordLost,
            same(&[]),
            same(&["duration_s", "callee", "ledger_dept"]),
            Message::Unusable(Box::new(row)),
        ];
        all.extend(Contradiction::ALL.map(Message::Contradiction));
        for field in FIELDS {
            all.extend([0, 9].map(|later_line| Message::Differs { field, later_line, file: "".into() }));
        }
        all
    }

    #[test]
    fn every_message_has_both_languages() {
        let mut seen = std::collections::BTreeSet::new();
        for it in all() {
            let (en, zh) = (message(Lang::En, &it), message(Lang::Zh, &it));
            assert_eq!(en, it.to_string());
            assert_translated(&en, &zh, &["ID", "MalformedData", "HTTP", "isv.X", "ledger_dept"]);
            assert!(!zh.contains("--"), "an option is named: {zh}");
            assert!(seen.insert(zh.clone()), "said twice: {zh}");
        }
    }

    #[test]
    fn a_foreign_message_is_quoted_and_its_numbers_are_masked() {
        let it = failed("isv.X", "号码 13812345678 无效。", FailureKind::Rejected);
        let zh = message(Lang::Zh, &it);
        assert_eq!(zh, "服务商返回 isv.X：“号码 138****5678 无效”；以后的运行不再查询，除非要求全部重查");
        assert!(message(Lang::En, &it).starts_with("isv.X: 号码 138****5678 无效; "));
        let column =
            Message::SameCall { line: 2, file: "b.csv".into(), fields: ["ledger_13812345678".into()].into() };
        let shown = crate::shown::shown(&message(Lang::Zh, &column));
        assert!(shown.contains("138****5678") && !shown.contains("13812345678"), "{shown}");
    }

    #[test]
    fn a_masked_text_stays_as_it_is() {
        let masked = Message::Masked("callee differs".into());
        assert_eq!(message(Lang::Zh, &masked), "callee differs");
    }
}
