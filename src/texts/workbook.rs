//! The texts of the workbook's first sheet.

use crate::output::lang::Lang;

/// A text of the sheet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is the text that its name says")]
pub enum NightText {
    SheetName,
    Sandbox,
    Ledger,
    LedgerDigest,
    Run,
    Started,
    Version,
    MaskedNumbers,
    Complete,
    Reason,
    Yes,
    No,
    Headline,
    Bridge,
    Kinds,
    Decisions,
    Stale,
    Expired,
    Unused,
    SettledSeconds,
    SinceLast,
    New,
    Recurring,
    Resolved,
    Rechecked,
    Asked,
    Failed,
    Changed,
    Lost,
    Receipts,
    ReceiptsRead,
    Unreadable,
    Answered,
    MissingInLedger,
    LimitTitle,
    TieOut,
    Code,
    Calls,
    Seconds,
    Minutes,
    Rows,
    SecondsAtStake,
    Numbers,
    AddsUp,
    Note,
}

/// The text in this language.
#[must_use]
pub fn night_text(lang: Lang, text: NightText) -> &'static str {
    match text {
        NightText::SheetName => lang.choose("Night", "本次"),
        NightText::Sandbox => lang.choose(
            "Sandbox: every answer is made up by the simulated provider; nothing here says anything about a real call",
            "沙箱：所有结果均由模拟服务商编造，与真实通话无关",
        ),
        NightText::Ledger => lang.choose("Ledger", "台账"),
        NightText::LedgerDigest => lang.choose("SHA-256 of the ledger", "台账的 SHA-256"),
        NightText::Run => lang.choose("Run", "运行编号"),
        NightText::Started => lang.choose("Started (UTC+8)", "开始时间（UTC+8）"),
        NightText::Version => lang.choose("Version of the program", "程序版本"),
        NightText::MaskedNumbers => lang.choose("Masking of phone numbers", "号码脱敏方式"),
        NightText::Complete => lang.choose("Complete", "是否完整"),
        NightText::Reason => lang.choose("Reason", "原因"),
        NightText::Yes => lang.choose("yes", "是"),
        NightText::No => lang.choose("no", "否"),
        NightText::Headline => lang.choose("Result", "对账结果"),
        NightText::Bridge => lang.choose("From the ledger to the provider", "台账时长与服务商时长勾稽"),
        NightText::Kinds => lang.choose("Discrepancies by kind", "差异分类"),
        NightText::Decisions => lang.choose("Decisions on discrepancies", "差异处理结果"),
        NightText::Stale => lang.choose("stale entries", "已失效条目"),
        NightText::Expired => lang.choose("expired entries", "已过期条目"),
        NightText::Unused => lang.choose("unused entries", "未匹配条目"),
        NightText::SettledSeconds => lang.choose("settled seconds", "已处理差异的时长（秒）"),
        NightText::SinceLast => lang.choose("Discrepancies since the last run", "与上次运行相比的差异"),
        NightText::New => lang.choose("new", "新增"),
        NightText::Recurring => lang.choose("open before", "延续"),
        NightText::Resolved => lang.choose("resolved", "已消除"),
        NightText::Rechecked => lang.choose("Final records looked at again", "已核查的终结记录"),
        NightText::Asked => lang.choose("asked", "已查询"),
        NightText::Failed => lang.choose("without a usable answer", "无可用答复"),
        NightText::Changed => lang.choose("changed", "有变更"),
        NightText::Lost => lang.choose("lost", "已消失"),
        NightText::Receipts => lang.choose("The provider’s receipts", "服务商回执"),
        NightText::ReceiptsRead => lang.choose("receipts read", "已读取的回执"),
        NightText::Unreadable => lang.choose("unreadable receipts", "无法读取的回执"),
        NightText::Answered => lang.choose("calls answered by a receipt", "由回执得到结果的通话"),
        NightText::MissingInLedger => lang.choose("calls missing in the ledger", "台账无记录的通话"),
        NightText::LimitTitle => lang.choose("Limits", "限额"),
        NightText::TieOut => lang.choose("Tie-out", "勾稽核对"),
        NightText::Code => lang.choose("code", "代码"),
        NightText::Calls => lang.choose("calls", "通话数"),
        NightText::Seconds => lang.choose("seconds", "时长（秒）"),
        NightText::Minutes => lang.choose("minutes", "时长（分钟）"),
        NightText::Rows => lang.choose("rows", "行数"),
        NightText::SecondsAtStake => lang.choose("seconds at stake", "差异涉及时长（秒）"),
        NightText::Numbers => lang.choose("numbers", "数值"),
        NightText::AddsUp => lang.choose("adds up", "是否相符"),
        NightText::Note => lang.choose("Note", "说明"),
    }
}

/// The note on the cells of a sheet that were longer than a cell may be.
#[must_use]
pub fn cut_cells(lang: Lang, sheet: &str, cells: u64, most: usize) -> String {
    match lang {
        Lang::En if cells == 1 => {
            format!("1 cell of the sheet `{sheet}` was longer than {most} characters and is cut")
        }
        Lang::En => {
            format!("{cells} cells of the sheet `{sheet}` were longer than {most} characters and are cut")
        }
        Lang::Zh => format!("工作表“{sheet}”有 {cells} 个单元格超过 {most} 个字符，已截断"),
    }
}

/// The note on columns that a sheet has no room for.
#[must_use]
pub fn missing_columns(lang: Lang, columns: usize, most: usize) -> String {
    match lang {
        Lang::En => format!("the sheets have the first {most} of {columns} columns"),
        Lang::Zh => format!("共 {columns} 列，工作表仅含前 {most} 列"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::texts::checks::assert_translated;

    const ALL: [NightText; 45] = [
        NightText::SheetName,
        NightText::Sandbox,
        NightText::Ledger,
        NightText::LedgerDigest,
        NightText::Run,
        NightText::Started,
        NightText::Version,
        NightText::MaskedNumbers,
        NightText::Complete,
        NightText::Reason,
        NightText::Yes,
        NightText::No,
        NightText::Headline,
        NightText::Bridge,
        NightText::Kinds,
        NightText::Decisions,
        NightText::Stale,
        NightText::Expired,
        NightText::Unused,
        NightText::SettledSeconds,
        NightText::SinceLast,
        NightText::New,
        NightText::Recurring,
        NightText::Resolved,
        NightText::Rechecked,
        NightText::Asked,
        NightText::Failed,
        NightText::Changed,
        NightText::Lost,
        NightText::Receipts,
        NightText::ReceiptsRead,
        NightText::Unreadable,
        NightText::Answered,
        NightText::MissingInLedger,
        NightText::LimitTitle,
        NightText::TieOut,
        NightText::Code,
        NightText::Calls,
        NightText::Seconds,
        NightText::Minutes,
        NightText::Rows,
        NightText::SecondsAtStake,
        NightText::Numbers,
        NightText::AddsUp,
        NightText::Note,
    ];

    #[test]
    fn every_text_of_the_sheet_is_in_both_languages() {
        for text in ALL {
            let (en, zh) = (night_text(Lang::En, text), night_text(Lang::Zh, text));
            assert_translated(en, zh, &["SHA-256", "UTC+8"]);
        }
        let notes = |lang| [cut_cells(lang, "all", 2, 10), missing_columns(lang, 3, 2)];
        for (en, zh) in notes(Lang::En).iter().zip(&notes(Lang::Zh)) {
            assert_translated(en, zh, &["all"]);
        }
    }
}
