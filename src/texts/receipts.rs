//! Why receipts cannot be read, and what to do about them.

use crate::output::lang::Lang;
use crate::receipts::{ReceiptNote, SkippedFiles};
use crate::words::count;
use reconcile_core::checked_receipts::CheckedReceipts;
use reconcile_core::receipt::{MOST_DIFFERING_PERCENT, ReceiptProblem};

/// Why a receipt cannot be read, and what to do about it.
#[must_use]
pub fn receipt_problem(lang: Lang, problem: ReceiptProblem) -> String {
    match lang {
        Lang::En => problem.to_string(),
        Lang::Zh => zh(problem),
    }
}

/// A note on receipts in Chinese.
pub(super) fn note(note: &ReceiptNote) -> String {
    let more = |others: u64| if others > 0 { format!("，另有 {}", count(others)) } else { String::new() };
    match note {
        ReceiptNote::Invalid { problem, examples } => {
            let (number, places) = (count(examples.count), examples.places("、"));
            format!("{number} 条回执无法读取：{}；{places}{}", zh(*problem), more(examples.others()))
        }
        ReceiptNote::NoReceipts => "所给路径中没有任何回执，无法发现台账缺少的通话".to_owned(),
        ReceiptNote::Skipped(SkippedFiles { count: files, first }) => {
            let others = more(files - first.len() as u64);
            format!("{} 个文件不含回执：{}{others}", count(*files), first.join("、"))
        }
        ReceiptNote::Refuted { account, checked: CheckedReceipts { checked, differing, unchecked } } => {
            let of = account.as_ref().map(|name| format!("账号“{name}”的")).unwrap_or_default();
            let (checked, differing) = (count(*checked), count(*differing));
            let rest = match unchecked {
                0 => "有回执的通话均已查询".to_owned(),
                n => format!("仍有 {} 通通话只有回执", count(*n)),
            };
            format!(
                "{of}回执不可信：抽查的 {checked} 通通话中有 {differing} 通与服务商的记录不符，表明不符的比例超过 {MOST_DIFFERING_PERCENT}%；{rest}"
            )
        }
    }
}

fn zh(problem: ReceiptProblem) -> String {
    let fixed = match problem {
        ReceiptProblem::NotText => "不符合文件编码；请重新复制该文件",
        ReceiptProblem::NotJson => "既不是 JSON，也不是 JSON 的 base64；可能已被截断",
        ReceiptProblem::NotAnObject => "不是 JSON 对象；请每条回执写一个对象",
        ReceiptProblem::TooLong => "超过 1 MiB；请检查文件是否损坏",
        ReceiptProblem::UnclosedQuote => "引号未闭合；请补上引号",
        ReceiptProblem::WrongWidth => "值多于列；含分隔符的值请加引号",
        ReceiptProblem::NoCallId => "没有 call_id；无法对应任何通话",
        ReceiptProblem::BadCallId => "call_id 已损坏或被遮盖；请按文本导出",
        ReceiptProblem::Empty => "除 call_id 外没有任何内容",
        ReceiptProblem::NoReceipt => "不是回执：既无 originate_time，也无 status_code",
        ReceiptProblem::OtherMessage => "不是 VoiceReport 消息；请将各类消息分文件存放",
        ReceiptProblem::Twice(field) => return format!("{} 出现两次且值不同", field.name()),
        ReceiptProblem::NotAValue(field) => {
            return format!("{} 既不是文本也不是整数；可能被电子表格改动", field.name());
        }
        ReceiptProblem::NotATime(field) => {
            return format!("{} 不是时间；请写 YYYY-MM-DD HH:MM:SS（UTC+8）", field.name());
        }
        ReceiptProblem::NotSeconds(field) => return format!("{} 不是整秒数", field.name()),
    };
    fixed.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use reconcile_core::receipt::ReceiptField;

    #[test]
    fn both_languages_name_the_field() {
        let field = ReceiptField::EndTime;
        for problem in [
            ReceiptProblem::Twice(field),
            ReceiptProblem::NotAValue(field),
            ReceiptProblem::NotATime(field),
            ReceiptProblem::NotSeconds(field),
        ] {
            for lang in [Lang::En, Lang::Zh] {
                let text = receipt_problem(lang, problem);
                assert!(text.contains("end_time"), "{text}");
            }
        }
        assert!(receipt_problem(Lang::Zh, ReceiptProblem::NotJson).contains("；"));
    }

    #[test]
    fn refuted_receipts_are_named_with_their_numbers() {
        let note = |account: Option<&str>, unchecked| {
            let checked = CheckedReceipts { checked: 1_040, differing: 31, unchecked };
            let it = ReceiptNote::Refuted { account: account.map(str::to_owned), checked };
            [it.to_string(), note(&it)]
        };
        let [en, zh] = note(None, 0);
        assert_eq!(
            en,
            "the receipts are not trusted: 31 of 1040 checked calls differ from the provider's records, which shows \
             that more than 1% of all differ; all calls with receipts were asked for"
        );
        assert_eq!(
            zh,
            "回执不可信：抽查的 1040 通通话中有 31 通与服务商的记录不符，表明不符的比例超过 1%；有回执的通话均已查询"
        );
        let [en, zh] = note(Some("north"), 1);
        assert!(en.starts_with("the receipts of the account north are not trusted: 31 of"), "{en}");
        assert!(en.ends_with("; 1 call still has only its receipt"), "{en}");
        assert!(zh.starts_with("账号“north”的回执不可信") && zh.ends_with("；仍有 1 通通话只有回执"), "{zh}");
        assert!(note(None, 20_000)[0].ends_with("; 20000 calls still have only their receipts"));
    }
}
