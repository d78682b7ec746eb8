//! The Chinese page is Chinese: its visible text has no English sentence. Codes, ids, file names
//! and what others wrote are not translated; the page shows them as code or in Chinese quotation
//! marks.

use crate::house::readme::sample_run_with;
use crate::support::provider::Reply;
use crate::support::{Bench, id, ledger};

/// English words in a row that make a sentence.
const SENTENCE: usize = 3;

/// The visible text outside of code, ids and numbers, one element a line.
fn visible_text(page: &str) -> String {
    let mut text = String::new();
    let (mut rest, mut skipped) = (page, Vec::<String>::new());
    while let Some((before, after)) = rest.split_once('<') {
        let (tag, after) = after.split_once('>').unwrap();
        if skipped.is_empty() {
            text += before;
        }
        let name: String =
            tag.trim_start_matches('/').chars().take_while(char::is_ascii_alphanumeric).collect();
        let is_void =
            matches!(name.as_str(), "br" | "meta" | "link" | "img" | "input" | "hr") || tag.ends_with('/');
        if tag.starts_with('/') {
            if skipped.last() == Some(&name) {
                skipped.pop();
            }
        } else if !is_void {
            let not_shown = matches!(name.as_str(), "style" | "script" | "code" | "data" | "pre" | "kbd");
            let is_value =
                ["class=\"id", "class=\"n", "class=\"line"].iter().any(|class| tag.contains(class));
            // Elements of the same name inside are counted, so that the end is found.
            if not_shown || is_value || skipped.last() == Some(&name) {
                skipped.push(name);
            }
        }
        if !matches!(tag.trim_start_matches('/').split(' ').next(), Some("span" | "b" | "br" | "wbr")) {
            text.push('\n');
        }
        rest = after;
    }
    text
}

/// The text without what others wrote, which is in Chinese quotation marks.
fn without_quotations(text: &str) -> String {
    let mut parts = text.split('“');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once('”').map_or(part, |(_, after)| after))
}

/// The first English sentence of a page.
pub(super) fn english_sentence(page: &str) -> Option<String> {
    for line in without_quotations(&visible_text(page)).lines() {
        let mut run: Vec<&str> = Vec::new();
        for word in line.split_whitespace() {
            let bare = word.trim_matches(|c: char| c.is_ascii_punctuation());
            let is_word =
                bare.len() > 1 && bare.chars().all(|c| c.is_ascii_alphabetic() || c == '\'' || c == '-');
            run = if is_word { [run, vec![word]].concat() } else { Vec::new() };
            if run.len() == SENTENCE {
                return Some(format!("{} … in: {line}", run.join(" ")));
            }
        }
    }
    None
}

#[track_caller]
fn assert_chinese(bench: &Bench, page: &str, words: &[&str]) {
    let page = std::fs::read_to_string(bench.path(page)).unwrap();
    assert!(page.contains("lang=\"zh-CN\""));
    assert_eq!(english_sentence(&page), None);
    for word in words {
        assert!(visible_text(&page).contains(word), "{word} is not on the page");
    }
}

#[test]
fn an_english_sentence_on_a_page_is_found() {
    for (page, sentence) in [
        ("<p>服务商无记录 <b>on any</b> day</p>", true),
        ("<td>the provider has no record</td>", true),
        ("<p>服务商 <code>not found at all</code> 无记录</p>", false),
        ("<td class=\"id\">a b c <i>d e f</i> g h i</td><p>无</p>", false),
        ("<td class=\"id\"><td>x</td>one two three</td><p>four five</p>", false),
        ("<p>服务商返回 isv.X：“the callee is wrong”</p>", false),
        ("<style>one two three</style><p>UTF-8 GB18030</p>", false),
        ("<p>上限 100 / 60 s</p><p>RFC 3339</p>", false),
    ] {
        assert_eq!(english_sentence(page).is_some(), sentence, "{page}");
    }
}

#[test]
fn the_page_of_the_sample_is_chinese() {
    let bench = sample_run_with(&["--lang", "zh"]);
    assert_chinese(&bench, "out/details.report.html", &["服务商无记录", "数值不一致"]);
}

/// A ledger with every damage that only makes a row unusable or causes a note.
const BAD_LEDGER: &str = "call_id,prod_id,called_at,duration,answered,calee,备注,备注\n\
    116014888060^102816313060,voice-notification,2024-05-26 10:00:00,7,1,,,\n\
    116014888060^102816313060,voice-notification,2024-05-26 10:00:00,8,1,,,\n\
    116014888061^102816313061,1.1E+13,2024-05-26,7,1,,,\n\
    116014888062^102816313062,保险,2024-05-26,7,1,,,\n\
    ,voice-notification,2024-05-26,7,1,,,\n\
    116014888063^,voice-notification,2024-05-26,7,1,,,\n\
    116014888064^102816313064,voice-notification,11/26,7,1,,,\n\
    116014888065^102816313065,voice-notification,2024-05-26,1:15,1,,,\n\
    116014888066^102816313066,voice-notification,2024-05-26,7,maybe,,,\n\
    116014888067^102816313067,voice-notification,2024-05-26,7,1\n\
    合计,,,,,,,\n\
    116014888068102816313068,voice-notification,46330.5,NULL,1,,,\n\
    ,,,,,,,\n";

#[test]
fn the_page_of_a_damaged_ledger_is_chinese() {
    let bench = Bench::new(BAD_LEDGER);
    bench.run(&["--lang", "zh", "--max-unusable", "100"]).exits(0);
    assert_chinese(&bench, "details.report.html", &["重复行", "不是产品", "该行没有呼叫 ID", "以供更正"]);
}

#[test]
fn the_page_of_a_night_with_failures_is_chinese() {
    let bench = Bench::new(&ledger(9));
    let record = |more: &str| format!("{{\"state\":\"200000\",\"duration\":7{more}}}");
    bench.provider.script(&id(0), [Reply::code(400, "InvalidParameters", "The parameter is wrong.")]);
    bench.provider.script(&id(1), vec![Reply::code(500, "isp.SYSTEM_ERROR", "The system is busy."); 2]);
    bench.provider.script(&id(2), [Reply::data("[1]")]);
    bench.provider.script(
        &id(3),
        [Reply::data(&record(",\"callId\":\"9^9\"")), Reply::data(&record(",\"callId\":\"9^9\""))],
    );
    bench.provider.script(&id(4), [Reply::data("{\"state\":\"77\"}")]);
    bench.provider.script(&id(5), [Reply::data("{\"state\":\"200103\"}")]);
    bench.provider.script(&id(6), [Reply::data("{\"state\":\"200000\",\"duration\":0}")]);
    bench.provider.script(&id(7), [Reply::without_data()]);
    bench.provider.script(&id(8), vec![Reply::empty(503); 2]);
    bench.run(&["--lang", "zh", "--max-attempts", "2"]).exits(4);
    let words = ["2 通通话多次尝试均失败", "应答来自网关而非服务商", "未知状态码"];
    assert_chinese(&bench, "details.report.html", &words);
}

#[test]
fn the_page_of_an_offline_run_is_chinese() {
    let bench = Bench::new(&ledger(3));
    bench.run(&["--lang", "zh", "--offline"]).exits(4);
    assert_chinese(&bench, "details.report.html", &["3 通通话在本地没有已存结果（离线运行）"]);
}

#[test]
fn the_page_of_a_run_that_reached_its_limit_is_chinese() {
    let bench = Bench::new(&ledger(3));
    (0..3).for_each(|i| bench.provider.script(&id(i), vec![Reply::stall(); 9]));
    bench.run(&["--lang", "zh", "--max-duration", "2s", "--timeout", "1s"]).exits(4);
    assert_chinese(&bench, "details.report.html", &["不完整"]);
}
