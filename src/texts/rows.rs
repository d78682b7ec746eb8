//! Why rows of the ledger are unusable, and what to do about them.

use super::words;
use crate::output::lang::Lang;
use crate::words::count;
use reconcile_core::product::{PRODUCTS, ProductId};
use reconcile_core::row_problem::{
    CallIdProblem, CellProblem, RowProblem, TimeProblem, Unusable, WidthAdvice,
};

/// Why a row is unusable, and what to do about it.
#[must_use]
pub fn reason(lang: Lang, problem: &RowProblem) -> String {
    match lang {
        Lang::En => problem.to_string(),
        Lang::Zh => zh(problem),
    }
}

/// Why a row is unusable, without what to do about it.
pub(super) fn short_reason(lang: Lang, problem: &RowProblem) -> String {
    match lang {
        Lang::En => problem.what(),
        Lang::Zh => zh(problem).split('；').next().unwrap_or_default().to_owned(),
    }
}

/// Why a row is unusable, what to do about it, and where it is.
pub(super) fn unusable(lang: Lang, row: &Unusable) -> String {
    if lang == Lang::En {
        return row.to_string();
    }
    let column = row.column.map(|column| format!("第 {column} 列"));
    let offset = row.offset.map(|offset| format!("偏移 {offset} 字节"));
    let place: Vec<String> = column.into_iter().chain(offset).collect();
    let reason = zh(&row.problem);
    if place.is_empty() { reason } else { format!("{reason}（{}）", place.join("，")) }
}

fn zh(problem: &RowProblem) -> String {
    let fixed = match problem {
        RowProblem::UnclosedQuote { is_whole: true } => "引号未闭合；请补上引号，值内的引号请写两次",
        RowProblem::UnclosedQuote { is_whole: false } => {
            "引号未闭合；请补上引号，值内的引号请写两次（仅保留前 64 KiB）"
        }
        RowProblem::TooLong => "该行超过 1 MiB；请检查文件是否损坏（仅保留前 64 KiB）",
        RowProblem::WrongWidth { found, header, advice } => {
            let (found, header, advice) = (count(*found), count(*header), width_advice(*advice));
            return format!("该行有 {found} 个字段，表头有 {header} 个；{advice}");
        }
        RowProblem::Total => "这是合计行，不是通话；请删除该行",
        RowProblem::Ruler => "这是分隔线，不是通话；请删除该行",
        RowProblem::OtherHeader => "这是另一个文件的表头；只可合并列相同的文件",
        RowProblem::Prose => "这是通话前后的说明文字，不是通话；请删除该行",
        RowProblem::CallId(problem) => return call_id(*problem),
        RowProblem::NoProduct => "该行没有产品；请填写产品，或为没有产品的行统一设置",
        RowProblem::UnknownProduct => {
            let names = PRODUCTS.iter().filter_map(|(id, _)| words::product(Lang::Zh, ProductId(*id)));
            let names = names.collect::<Vec<_>>().join("、");
            return format!("不是产品；请填写产品编号，或下列名称之一：{names}");
        }
        RowProblem::NoDay => "该行没有日期；请填写呼叫时间或查询日期，或为没有日期的行统一设置",
        RowProblem::NoAccount => "该行没有账号；请填写账号文件中的一个账号",
        RowProblem::UnknownAccount => "不是账号文件中的账号；请更正名称，或将该账号加入账号文件",
        RowProblem::NotYesOrNo => "既不是“是”也不是“否”；请写 true 或 false、1 或 0、yes 或 no、是或否",
        RowProblem::NotSeconds => "不是整秒数；请只写数字，例如 75",
        RowProblem::TooManySeconds => "秒数超过一年；请把该字段映射到通话时长所在的列",
        RowProblem::ScientificNotation => {
            "电子表格将此数改成了科学计数法并丢失了位数；请从原系统将该列按文本导出"
        }
        RowProblem::LostCharacters => "此值在先前的转码中丢失了字符（显示为 \u{fffd}）；请从原系统重新导出",
        RowProblem::InvalidBytes { column, encoding } => {
            let column = words::field(Lang::Zh, column).unwrap_or(column);
            return format!(
                "“{column}”含有不符合 {encoding} 编码的字节（显示为 \u{fffd}）；请重新导出该行，或予以更正"
            );
        }
        RowProblem::Time(problem) => return time(*problem),
        RowProblem::Cell(at) => return format!("单元格 {} {}", at.cell, cell_problem(&at.problem)),
    };
    fixed.to_owned()
}

fn cell_problem(problem: &CellProblem) -> String {
    let fixed = match problem {
        CellProblem::NoResult => "是没有存储结果的公式；请用电子表格软件打开工作簿并保存",
        CellProblem::Error(error) => return format!("是错误值 {error}；请更正其公式，或将该单元格留空"),
        CellProblem::NoSeconds => "只显示时和分、没有秒，含义不明；请以秒填写通话时长，例如 75",
        CellProblem::HiddenPart => "只显示了时长的一部分；请将格式设为 [h]:mm:ss，或以秒填写通话时长",
        CellProblem::OtherUnit => "显示的单位不是秒；请以秒填写通话时长，例如 75",
        CellProblem::NoDay => "是没有日期的时刻或时长；请写 YYYY-MM-DD HH:MM:SS（北京时间）",
    };
    fixed.to_owned()
}

fn call_id(problem: CallIdProblem) -> String {
    let fixed = match problem {
        CallIdProblem::Missing => "该行没有呼叫 ID；请补填或删除该行",
        CallIdProblem::ControlCharacter => "呼叫 ID 含控制字符或换行；请删去",
        CallIdProblem::Long { limit } => {
            return format!("呼叫 ID 超过 {limit} 字节；请确认该列确为呼叫 ID");
        }
        CallIdProblem::Decimal => "呼叫 ID 被某个程序改成了带小数点的数；请从原系统将该列按文本导出",
        CallIdProblem::FullWidth => "呼叫 ID 含全角字符，应为数字和 ^；请从原系统重新导出",
        CallIdProblem::Invisible => "呼叫 ID 含不可见字符，例如字节顺序标记；请重新录入，或从原系统重新导出",
        CallIdProblem::Quoted => "呼叫 ID 含引号或电子表格公式；请只写呼叫 ID",
        CallIdProblem::Half => "呼叫 ID 在 ^ 处被拆开，缺了一半；请将两半放在同一列",
    };
    fixed.to_owned()
}

fn width_advice(advice: WidthAdvice) -> &'static str {
    match advice {
        WidthAdvice::JoinCallId => "呼叫 ID 在 ^ 处被拆成两段，请合并",
        WidthAdvice::NoBackslashes => "值的末尾被反斜杠转义（MySQL 的写法），导出时请改为双写引号",
        WidthAdvice::AddFields => "请补齐缺少的字段，或为含换行的值加上引号",
        WidthAdvice::AddQuotes => "请为含分隔符的值加上引号",
        WidthAdvice::NameColumns => "请删去表格右侧的值，或在表头行为其列命名",
    }
}

fn time(problem: TimeProblem) -> String {
    let what = match problem {
        TimeProblem::NotATime => "不是时间".to_owned(),
        TimeProblem::NoYear => "日期缺少年份，电子表格常如此显示".to_owned(),
        TimeProblem::AmbiguousOrder => "日、月、年的顺序不明确".to_owned(),
        TimeProblem::TwelveHourClock => "采用了 12 小时制".to_owned(),
        TimeProblem::ZeroDate => return "全零日期，有些数据库以此表示缺失；请将单元格留空".to_owned(),
        TimeProblem::NonexistentTime => "该日期或时刻不存在".to_owned(),
        TimeProblem::ImplausibleYear(day) => format!("读作 {day}，不在 2000 至 2100 年之间"),
    };
    format!("{what}；请写 YYYY-MM-DD HH:MM:SS（北京时间）、RFC 3339，或 Unix 秒数、毫秒数")
}

#[cfg(test)]
mod tests {
    use reconcile_core::row_problem::CellAtFault;

    use super::*;
    use crate::texts::checks::assert_translated;
    use chrono::NaiveDate;

    const ALLOWED: [&str; 19] = [
        "B7",
        "#N/A",
        "[h]:mm:ss",
        "ID",
        "KiB",
        "MiB",
        "MySQL",
        "IVR",
        "SIP",
        "true",
        "false",
        "yes",
        "no",
        "GB18030",
        "ledger_dept",
        "YYYY-MM-DD",
        "HH:MM:SS",
        "RFC",
        "Unix",
    ];

    /// Every problem. The match says which ones there are; a new one belongs into the list.
    fn all() -> Vec<RowProblem> {
        let widths = [
            WidthAdvice::JoinCallId,
            WidthAdvice::NoBackslashes,
            WidthAdvice::AddFields,
            WidthAdvice::AddQuotes,
            WidthAdvice::NameColumns,
        ];
        let times = [
            TimeProblem::NotATime,
            TimeProblem::NoYear,
            TimeProblem::AmbiguousOrder,
            TimeProblem::TwelveHourClock,
            TimeProblem::ZeroDate,
            TimeProblem::NonexistentTime,
            TimeProblem::ImplausibleYear(NaiveDate::default()),
        ];
        let invalid_bytes =
            |column: &str| RowProblem::InvalidBytes { column: column.to_owned(), encoding: "GB18030" };
        let others = [
            RowProblem::UnclosedQuote { is_whole: true },
            RowProblem::UnclosedQuote { is_whole: false },
            RowProblem::TooLong,
            RowProblem::Total,
            RowProblem::Ruler,
            RowProblem::OtherHeader,
            RowProblem::Prose,
            RowProblem::CallId(CallIdProblem::Missing),
            RowProblem::CallId(CallIdProblem::ControlCharacter),
            RowProblem::CallId(CallIdProblem::Long { limit: 256 }),
            RowProblem::CallId(CallIdProblem::Decimal),
            RowProblem::CallId(CallIdProblem::FullWidth),
            RowProblem::CallId(CallIdProblem::Invisible),
            RowProblem::CallId(CallIdProblem::Quoted),
            RowProblem::CallId(CallIdProblem::Half),
            RowProblem::NoProduct,
            RowProblem::UnknownProduct,
            RowProblem::NoDay,
            RowProblem::NotYesOrNo,
            RowProblem::NotSeconds,
            RowProblem::TooManySeconds,
            RowProblem::ScientificNotation,
            RowProblem::LostCharacters,
            invalid_bytes("ledger_dept"),
            invalid_bytes("callee"),
        ];
        let widths = widths.map(|advice| RowProblem::WrongWidth { found: 2, header: 3, advice });
        let cells = [
            CellProblem::NoResult,
            CellProblem::Error("#N/A".into()),
            CellProblem::NoSeconds,
            CellProblem::HiddenPart,
            CellProblem::OtherUnit,
            CellProblem::NoDay,
        ];
        let cells =
            cells.map(|problem| RowProblem::Cell(Box::new(CellAtFault { cell: "B7".into(), problem })));
        others.into_iter().chain(widths).chain(times.map(RowProblem::Time)).chain(cells).collect()
    }

    #[test]
    fn every_reason_has_both_languages() {
        for problem in all() {
            let (en, zh) = (reason(Lang::En, &problem), reason(Lang::Zh, &problem));
            assert_translated(&en.replace("是 or 否", ""), &zh, &ALLOWED);
            assert!(!zh.contains("--"), "{zh}");
            assert_eq!(crate::shown::shown(&zh), zh, "a number of the text itself is masked");
            let short = short_reason(Lang::Zh, &problem);
            assert_translated(&short_reason(Lang::En, &problem), &short, &ALLOWED);
            assert!(zh.starts_with(&short) && short.len() < zh.len(), "no advice: {zh}");
        }
    }

    #[test]
    fn the_place_of_a_row_follows_its_reason() {
        let row =
            |column, offset| Unusable { problem: RowProblem::CallId(CallIdProblem::Missing), column, offset };
        let zh = |row| unusable(Lang::Zh, &row);
        assert_eq!(zh(row(None, None)), "该行没有呼叫 ID；请补填或删除该行");
        assert_eq!(zh(row(Some(3), None)), "该行没有呼叫 ID；请补填或删除该行（第 3 列）");
        assert_eq!(
            zh(row(Some(3), Some(512))),
            "该行没有呼叫 ID；请补填或删除该行（第 3 列，偏移 512 字节）"
        );
        assert_eq!(
            unusable(Lang::En, &row(None, Some(512))),
            format!("{} (byte 512)", RowProblem::CallId(CallIdProblem::Missing))
        );
    }
}
