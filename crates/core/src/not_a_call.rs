//! Recognizes lines around a table that are not calls: totals, rulers, titles, and header rows of
//! other files.

use compact_str::CompactString;

use crate::ledger_field::Field;
use crate::row_problem::RowProblem;

/// Words with which a total begins, in lower case and without spaces.
const TOTALS: [&str; 14] = [
    "合计",
    "总计",
    "小计",
    "共计",
    "累计",
    "汇总",
    "总数",
    "合計",
    "總計",
    "小計",
    "total",
    "subtotal",
    "grandtotal",
    "sum",
];

/// Fewest equal characters of a line such as `-----`.
const SHORTEST_RULER: usize = 3;

/// Why a row with this text as its CallId is not a call, and what to do; `None` if it may be one.
/// `others_empty` says whether all its other cells are empty.
pub fn reason(call_id: &str, others_empty: impl Fn() -> bool) -> Option<RowProblem> {
    if call_id.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    if is_total(call_id) {
        Some(RowProblem::Total)
    } else if is_ruler(call_id) {
        Some(RowProblem::Ruler)
    } else if Field::of_header(call_id) == Some(Field::CallId) {
        Some(RowProblem::OtherHeader)
    } else if is_prose(call_id) && others_empty() {
        Some(RowProblem::Prose)
    } else {
        None
    }
}

/// Why a row without a CallId is not a call: its first value is the name of a total.
#[must_use]
pub fn reason_without_call_id(mut values: impl Iterator<Item = CompactString>) -> Option<RowProblem> {
    let first = values.find(|text| !text.trim().is_empty())?;
    is_total(&first).then_some(RowProblem::Total)
}

fn is_total(text: &str) -> bool {
    // A total is short. So a long text is not copied.
    if text.len() > 200 {
        return false;
    }
    let bare: String = text.chars().filter(|c| !c.is_whitespace()).flat_map(char::to_lowercase).collect();
    let is_total = |word: &str| {
        // `summary-7` and `total_7` may be ids.
        let rest = bare.strip_prefix(word);
        rest.is_some_and(|rest| {
            !word.is_ascii() || rest.is_empty() || rest.starts_with([':', '：', '(', '（', '='])
        })
    };
    TOTALS.iter().any(|word| is_total(word)) || is_count(&bare)
}

/// True for `共10条记录`.
fn is_count(bare: &str) -> bool {
    let rest = bare.strip_prefix(['共', '计']);
    rest.is_some_and(|rest| rest.trim_start_matches([':', '：']).starts_with(|c: char| c.is_ascii_digit()))
}

/// True for a line of equal marks, which separates a table from its totals. It may have a title.
fn is_ruler(text: &str) -> bool {
    let Some(mark) = text.chars().next().filter(|c| "-=*_#~+—─━".contains(*c)) else { return false };
    text.chars().take_while(|c| *c == mark).count() >= SHORTEST_RULER
}

/// True for a text with spaces or with marks that are in no CallId.
fn is_prose(text: &str) -> bool {
    text.contains(char::is_whitespace) || text.contains(['：', ':', '，', '。', '[', '【'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_are_not_calls_are_named() {
        for (call_id, word) in [
            ("合计", "total"),
            ("合 计：", "total"),
            ("总计(条)", "total"),
            ("Total", "total"),
            ("TOTAL: 10", "total"),
            ("Grand Total", "total"),
            ("共10条记录", "total"),
            ("共 10 条", "total"),
            ("--------", "ruler"),
            ("====== 明细结束 ======", "ruler"),
            ("call_id", "header row"),
            ("通话ID", "header row"),
            ("导出时间：[2026-11-26 08:00:00] 用户：测试", "line below"),
            ("End of report", "line below"),
        ] {
            let found = reason(call_id, || true).map(|problem| problem.to_string()).unwrap_or_default();
            assert!(found.contains(word), "{call_id}: {found}");
        }
    }

    #[test]
    fn an_unusual_call_id_may_be_a_call() {
        for call_id in ["116^102", "呼叫-7", "total-7", "summary", "sum_1", "a-b", "x", "共享-7", "--"] {
            assert_eq!(reason(call_id, || true), None, "{call_id}");
        }
        assert_eq!(reason("a b", || false), None);
    }
}
