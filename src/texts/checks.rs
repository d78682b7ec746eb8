//! What the tests require of a Chinese text.

/// Checks that `zh` is a Chinese text for `en`: Han characters, full-width punctuation, a space
/// between Han and Latin, and no English word but these.
#[allow(clippy::panic, reason = "this is an assertion")]
pub(super) fn assert_translated(en: &str, zh: &str, allowed: &[&str]) {
    assert!(!en.is_empty() && !en.contains(is_han), "not English: {en}");
    if let Some(fault) = fault_of(zh, allowed) {
        panic!("{fault}: {zh}");
    }
}

/// What is wrong with a Chinese text; `None` if nothing is.
pub(super) fn fault_of(zh: &str, allowed: &[&str]) -> Option<String> {
    let without_allowed = allowed.iter().fold(zh.to_owned(), |text, word| text.replace(word, "1"));
    let is_word_char = |c: char| c.is_ascii_alphabetic() || matches!(c, '_' | '-' | '\'');
    let mut words = without_allowed.split(|c: char| !is_word_char(c));
    let chars: Vec<char> = zh.chars().collect();
    let beside = |wanted: fn(&[char]) -> bool| chars.windows(2).any(wanted);
    if !zh.contains(is_han) {
        Some("no Han character".to_owned())
    } else if let Some(word) = words.find(|word| word.chars().any(|c| c.is_ascii_alphabetic())) {
        Some(format!("English word {word}"))
    } else if beside(|pair| is_han(pair[0]) && matches!(pair[1], ',' | ':' | ';' | '(' | '!' | '?')) {
        Some("ASCII punctuation after a Han character".to_owned())
    } else if beside(|pair| matches!(pair[0], ')' | ',' | ';') && is_han(pair[1])) {
        Some("ASCII punctuation before a Han character".to_owned())
    } else if beside(|pair| {
        is_han(pair[0]) != is_han(pair[1]) && pair.iter().any(char::is_ascii_alphanumeric)
    }) {
        Some("no space between Han and Latin".to_owned())
    } else if beside(|pair| {
        is_full_width_mark(pair[0]) && pair[1] == ' ' || pair[0] == ' ' && is_full_width_mark(pair[1])
    }) {
        Some("a space beside full-width punctuation".to_owned())
    } else if beside(|pair| is_han(pair[0]) && pair[1] == '.') || zh.ends_with(['。', '.']) {
        Some("a full stop".to_owned())
    } else {
        None
    }
}

fn is_han(c: char) -> bool {
    matches!(c, '\u{4e00}'..='\u{9fff}')
}

fn is_full_width_mark(c: char) -> bool {
    matches!(c, '，' | '：' | '；' | '（' | '）' | '。' | '、' | '“' | '”')
}

#[test]
fn a_bad_chinese_text_is_noticed() {
    for bad in [
        "missing",
        "服务商 has 记录",
        "无记录,再查",
        "无记录:再查",
        "共3行",
        "第 3行",
        "第 3 行 ，再查",
        "第 3 行。",
        "（第 3 行）再查， 然后",
        "无记录(再查)",
    ] {
        assert!(fault_of(bad, &[]).is_some(), "{bad}");
    }
    for good in ["服务商无记录", "第 3 行与第 2 行相同；再查", "字段 call_id（ID）不同"]
    {
        assert_eq!(fault_of(good, &["call_id", "ID"]), None, "{good}");
    }
}
