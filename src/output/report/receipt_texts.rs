//! The texts of the report's section on receipts, in English and Chinese. Pure.

use std::collections::BTreeMap;

use crate::output::lang::Lang;

/// All texts of the section by their key.
pub(super) fn texts(lang: Lang) -> BTreeMap<&'static str, &'static str> {
    TEXTS.iter().map(|(key, en, zh)| (*key, lang.choose(en, zh))).collect()
}

/// The texts: key, English, Chinese. Those of the calls have their key in the summary.
const TEXTS: &[(&str, &str, &str)] = &[
    ("receipts", "The provider’s receipts", "服务商回执"),
    ("answered", "Calls of the ledger that a receipt answers", "由回执得到结果的台账通话"),
    ("trust", "How far receipts are trusted", "回执的采信方式"),
    ("trust_full", "a receipt answers its call", "回执即为通话结果"),
    (
        "trust_sample",
        "a receipt answers its call, but a sample of these calls is asked for nevertheless",
        "回执即为通话结果，但其中抽样的通话仍会查询",
    ),
    (
        "trust_none",
        "a receipt answers no call, and only shows calls that the ledger lacks",
        "回执不作为通话结果，仅用于发现台账缺少的通话",
    ),
    ("caption", "The calls of the receipts, by what they are to the ledger", "回执所涉通话与台账的关系"),
    ("answering", "a call of the ledger", "对应台账中的一通通话"),
    (
        "not_answering",
        "named by the ledger, but on another day, without a certain day, under several products, or in an unusable row",
        "台账中有，但日期不同或无法确定、列于多个产品，或所在行无法使用",
    ),
    ("missing_in_ledger", "missing in the ledger", "台账无记录"),
    (
        "outside",
        "not in the ledger, and not certainly on its days",
        "台账中没有，且不能确定在其所涵盖的日期内",
    ),
    ("undated", "not in the ledger, and without a time", "台账中没有，且没有时间"),
    ("checked", "Calls of the sample that were asked for and compared", "抽样查询并比对的通话"),
    ("differing", "of these with a differing receipt", "其中与回执不一致"),
    (
        "refuted",
        "The sample shows that more than 1 % of the receipts differ. Do not rely on calls that only a receipt answers.",
        "抽样结果表明超过 1% 的回执与查询记录不一致；仅由回执得到结果的通话不可依赖。",
    ),
    ("files", "Files with receipts", "含回执的文件"),
    ("skipped", "other files", "其他文件"),
    ("read", "receipts read", "已读取的回执"),
    ("duplicates", "further ones of the same call", "同一通话的重复回执"),
    ("invalid", "unreadable", "无法读取"),
    ("contradicted", "calls whose receipts contradict each other", "回执互相矛盾的通话"),
    (
        "text",
        "A receipt is what the provider pushed when the call ended. It is kept beside the provider’s own record, and where the two differ, this is a discrepancy.",
        "回执是服务商在通话结束时推送的记录，与服务商自身的查询记录分开保存；两者不一致时列为差异。",
    ),
    (
        "seen",
        "Calls that the ledger lacks are known from the receipts alone. A call whose receipt was lost is not seen.",
        "台账缺少的通话仅能从回执得知；回执丢失的通话无法发现。",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_is_used_and_in_both_languages() {
        let (en, zh) = (texts(Lang::En), texts(Lang::Zh));
        assert_eq!(en.len(), TEXTS.len(), "a key is listed twice");
        let page = include_str!("report.html");
        for (key, text) in &en {
            assert_ne!(Some(text), zh.get(key), "not translated: {key}");
            let is_used = page.contains(&format!("r.{key} ")) || page.contains(&format!("\"{key}\""));
            assert!(is_used, "{key} is not used");
        }
    }
}
