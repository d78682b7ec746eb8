//! What a chat message says of a run, in English and Chinese. Pure.
//!
//! Promises: foreign texts (the ledger's name, causes, errors) are masked, on one line and
//! shortened. They hold nothing that a platform reads as a link, a mention or a format. Every
//! message is at most [`MAX_BYTES`] long, and its link is never cut.

use std::cmp::Reverse;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::failures::Cause;
use crate::incomplete::Incomplete;
use crate::output::{Lang, headline};
use crate::shown::shown;
use crate::texts;
use crate::words::count;
use reconcile_core::discrepancy::Kind;
use reconcile_core::materiality::Measured;
use reconcile_core::since::SinceLast;
use reconcile_core::totals::Totals;
use reconcile_core::trend::Trend;

/// Longest message in bytes: the smallest limit of a platform, which is WeCom's.
const MAX_BYTES: usize = 4_096;
/// Longest link in bytes. A link is never cut.
pub(super) const MAX_LINK_BYTES: usize = 1_024;
/// Longest name of a ledger in bytes.
const MAX_NAME_BYTES: usize = 200;
/// Longest foreign text in bytes. A message has at most two.
const MAX_TEXT_BYTES: usize = 780;
/// Room for everything else: the program's own words, numbers and Markdown.
const OWN_BYTES: usize = 1_040;
const _: () = assert!(MAX_NAME_BYTES + 2 * MAX_TEXT_BYTES + MAX_LINK_BYTES + OWN_BYTES <= MAX_BYTES);
/// How many kinds of discrepancies a message names.
const MAX_KINDS: usize = 3;

/// A run whose outputs are written, for its notification.
#[derive(Debug, Clone)]
pub struct WrittenRun {
    /// The exit code.
    pub exit: Exit,
    /// Whether the answers are simulated.
    pub is_sandbox: bool,
    /// Counts of rows and calls.
    pub totals: Totals,
    /// Talk seconds at stake.
    pub at_stake_s: u64,
    /// What changed since the last run.
    pub since_last: SinceLast,
    /// The limits of the run, and what was measured.
    pub limits: Vec<Measured>,
    /// The nights before this one, and what is usual.
    pub trend: Trend,
    /// Why some calls have no answer; `None` if all have one.
    pub incomplete_because: Option<Incomplete>,
    /// The most frequent reason of failures; `None` if nothing failed.
    pub cause: Option<Cause>,
    /// The text of the summary file, or why it cannot be read.
    pub summary: Result<String, String>,
}

/// A message for a chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Message {
    /// How the run ended.
    pub(super) exit: Exit,
    /// The program, the ledger and how the run ended.
    pub(super) title: String,
    /// The text, one thought a line.
    pub(super) lines: Vec<String>,
    /// The link's text and its URL.
    pub(super) link: Option<(&'static str, String)>,
}

impl Message {
    /// The message on a run over this ledger, which ended so.
    pub(super) fn new(
        ended: &Result<WrittenRun>,
        ledger: &[PathBuf],
        lang: Lang,
        link: Option<&str>,
    ) -> Self {
        let (exit, mut lines, link_text) = match ended {
            Ok(run) => (run.exit, lines_of_run(run, lang), lang.choose("Open the report", "打开报告")),
            Err(error) => (
                error.exit,
                lines_of_error(error, lang),
                lang.choose("Open the last report", "打开上次的报告"),
            ),
        };
        let meaning = match lang {
            Lang::En => format!("Exit code {}: {}", exit.code(), exit_words(exit, lang)),
            Lang::Zh => format!("退出码 {}：{}", exit.code(), exit_words(exit, lang)),
        };
        lines.push(meaning);
        let names: Vec<String> = ledger.iter().map(|file| file_name(file, lang)).collect();
        let name = foreign(&names.join(lang.choose(", ", "、")), MAX_NAME_BYTES);
        Self {
            exit,
            title: match lang {
                Lang::En => format!("reconcile: {name} – {}", state(exit, lang)),
                Lang::Zh => format!("reconcile 对账：{name} – {}", state(exit, lang)),
            },
            lines,
            link: link.map(|url| (link_text, url.to_owned())),
        }
    }
}

/// The name of a file of the ledger.
fn file_name(ledger: &Path, lang: Lang) -> String {
    if ledger == Path::new("-") {
        return lang.choose("standard input", "标准输入").to_owned();
    }
    let name = ledger.file_name().unwrap_or(ledger.as_os_str());
    name.to_string_lossy().into_owned()
}

fn state(exit: Exit, lang: Lang) -> &'static str {
    match exit {
        Exit::Success | Exit::Discrepancies => lang.choose("complete", "完整"),
        Exit::Incomplete => lang.choose("incomplete", "不完整"),
        Exit::Usage | Exit::Fatal | Exit::Busy | Exit::Output => lang.choose("failed", "失败"),
    }
}

fn exit_words(exit: Exit, lang: Lang) -> &'static str {
    let (en, zh) = match exit {
        Exit::Success => (exit.meaning(), "所有通话均有结果，全部文件已写出"),
        Exit::Discrepancies => (
            "every call has its answer and all files are written; there are discrepancies",
            "所有通话均有结果，全部文件已写出；存在差异",
        ),
        Exit::Usage => (exit.meaning(), "用法、配置、凭证或输入有误"),
        Exit::Fatal => {
            (exit.meaning(), "服务商拒绝所有请求（密钥、权限、欠费或时钟），或始终无法连接；原有输出保持不变")
        }
        Exit::Incomplete => (
            exit.meaning(),
            "不完整（截止时间、信号、服务中断，或所有尝试均失败的通话）；再次执行同一命令即可继续",
        ),
        Exit::Busy => (exit.meaning(), "另一个运行正在使用存储库，或正在数据库中处理同一台账"),
        Exit::Output => (exit.meaning(), "输出文件或存储库无法写入；数据没有丢失"),
    };
    lang.choose(en, zh)
}

fn lines_of_run(run: &WrittenRun, lang: Lang) -> Vec<String> {
    let mut lines = vec![headline::sentence(lang, &run.totals, &run.trend)];
    if run.is_sandbox {
        let simulated = lang.choose("Every answer is simulated by the sandbox", "所有结果均由沙箱模拟");
        lines.push(simulated.to_owned());
    }
    if run.at_stake_s > 0 {
        lines.push(match lang {
            Lang::En => format!("Talk seconds at stake: {}", count(run.at_stake_s)),
            Lang::Zh => format!("差异涉及时长（秒）：{}", count(run.at_stake_s)),
        });
    }
    lines.extend(run.limits.iter().map(|measured| texts::limit(lang, measured)));
    lines.extend(frequent_kinds(&run.totals, lang));
    lines.extend(since_last(&run.since_last, lang));
    lines.extend(decided(&run.totals, lang));
    let because = run.incomplete_because.as_ref().map(|because| texts::incomplete(lang, because));
    let because = because.as_deref();
    lines.extend(because.map(|why| labelled(lang, "Incomplete", "不完整的原因", why)));
    // The reason of an incomplete run may name the cause already.
    let cause = run.cause.as_ref().map(|cause| texts::cause(lang, cause));
    let cause = cause.filter(|words| because.is_none_or(|because| !because.contains(words)));
    lines.extend(
        cause.map(|words| labelled(lang, "Most frequent cause of failures", "最常见的失败原因", &words)),
    );
    lines
}

fn lines_of_error(error: &Error, lang: Lang) -> Vec<String> {
    let mut lines = vec![labelled(lang, "Error", "错误", &error.what)];
    lines.extend(error.hint.as_ref().map(|hint| labelled(lang, "To do", "处理办法", hint)));
    lines
}

/// A foreign text after its label. So it never begins a line, where `#` or `>` would format it.
fn labelled(lang: Lang, en: &'static str, zh: &'static str, text: &str) -> String {
    let (label, colon) = (lang.choose(en, zh), lang.choose(": ", "："));
    format!("{label}{colon}{}", foreign(text, MAX_TEXT_BYTES))
}

/// The most frequent kinds of discrepancies; `None` without discrepancies.
fn frequent_kinds(totals: &Totals, lang: Lang) -> Option<String> {
    let mut kinds: Vec<(Kind, u64)> = totals.discrepancies.iter().map(|(kind, n)| (*kind, *n)).collect();
    kinds.retain(|(_, n)| *n > 0);
    kinds.sort_by_key(|(_, n)| Reverse(*n));
    kinds.truncate(MAX_KINDS);
    let kinds: Vec<String> = kinds
        .iter()
        .map(|(kind, n)| match lang {
            Lang::En => format!("{} ({})", texts::kind(lang, *kind), count(*n)),
            Lang::Zh => format!("{} {}", texts::kind(lang, *kind), count(*n)),
        })
        .collect();
    (!kinds.is_empty()).then(|| match lang {
        Lang::En => format!("Most frequent discrepancies: {}", kinds.join(", ")),
        Lang::Zh => format!("最多的差异：{}", kinds.join("、")),
    })
}

/// How many discrepancies are new, and how many are resolved; `None` if neither.
fn since_last(changes: &SinceLast, lang: Lang) -> Option<String> {
    let (new, resolved) = (count(changes.new), count(changes.resolved));
    (changes.new + changes.resolved > 0).then(|| match lang {
        Lang::En => format!("Since the last run: {new} new, {resolved} resolved"),
        Lang::Zh => format!("与上次相比：新增 {new} 条，已消除 {resolved} 条"),
    })
}

/// How many discrepancies are still open; `None` without any decision.
fn decided(totals: &Totals, lang: Lang) -> Option<String> {
    let decisions = totals.decisions;
    let (open, disputed, settled) = (decisions.open, decisions.disputed, decisions.settled());
    (disputed + settled > 0).then(|| match lang {
        Lang::En => {
            format!("Open: {}, disputed: {}, settled: {}", count(open), count(disputed), count(settled))
        }
        Lang::Zh => {
            format!("未处理 {} 条，争议 {} 条，已处理 {} 条", count(open), count(disputed), count(settled))
        }
    })
}

/// A foreign text as a message may show it, in at most so many bytes.
fn foreign(text: &str, at_most: usize) -> String {
    shortened(&neutral(&shown(text)), at_most)
}

/// The text with full-width signs in place of those that format, link or mention. The platforms
/// agree on no other way to escape them. A `_` between letters or digits formats nothing and stays,
/// so names and codes can be copied.
fn neutral(text: &str) -> String {
    let mut neutral = String::with_capacity(text.len() + 8);
    let (mut before, mut rest) = (' ', text.chars());
    while let Some(c) = rest.next() {
        let after = rest.as_str();
        let is_inside = before.is_alphanumeric() && after.starts_with(char::is_alphanumeric);
        neutral.push(match c {
            '[' => '［',
            ']' => '］',
            '<' => '＜',
            '>' => '＞',
            '@' => '＠',
            '*' => '＊',
            '`' => '｀',
            '~' => '～',
            '&' => '＆',
            '_' if !is_inside => '＿',
            ':' if after.starts_with("//") => '：',
            c => c,
        });
        before = c;
    }
    neutral
}

/// The beginning of the text, in at most so many bytes, with `…` if its end is missing.
fn shortened(text: &str, at_most: usize) -> String {
    const MARK: char = '…';
    if text.len() <= at_most {
        return text.to_owned();
    }
    let ends = text.char_indices().map(|(at, _)| at).take_while(|at| at + MARK.len_utf8() <= at_most);
    let end = ends.last().unwrap_or(0);
    format!("{}{MARK}", &text[..end])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeMap;

    use chrono::NaiveDate;
    use reconcile_core::trend::{Night, NightFigures};

    use super::*;

    /// A trend of quiet nights; `odd` is tonight's number of everything.
    fn trend(odd: u64) -> Trend {
        let night = |n: u64| {
            let day = NaiveDate::default() + chrono::TimeDelta::days(n.cast_signed());
            let odd = if n == 9 { odd } else { 0 };
            let figures = NightFigures {
                calls: Some(odd.max(1)),
                differ: Some(odd),
                missing: Some(odd),
                at_stake_s: Some(odd),
                duration_s: Some(odd),
                ..NightFigures::default()
            };
            Night { day, run_id: String::new(), is_complete: true, figures }
        };
        Trend::new((0..9).map(night).collect(), night(9))
    }

    fn run(exit: Exit) -> WrittenRun {
        let totals = Totals {
            calls: 86,
            clean: 57,
            with_discrepancies: 19,
            not_found: 4,
            pending: 2,
            failed: 4,
            invalid: 7,
            discrepancies: BTreeMap::from([
                (Kind::Duplicate, 2),
                (Kind::InvalidRow, 7),
                (Kind::Mismatch, 19),
                (Kind::NotFound, 4),
                (Kind::OtherDay, 0),
            ]),
            ..Totals::default()
        };
        let cause = Cause::new("connect", "cannot resolve x.test");
        WrittenRun {
            summary: Ok("{}".into()),
            exit,
            is_sandbox: false,
            totals,
            at_stake_s: 1_234,
            since_last: SinceLast { new: 3, recurring: 29, resolved: 1 },
            limits: Vec::new(),
            trend: trend(0),
            incomplete_because: None,
            cause: Some(cause),
        }
    }

    fn message(ended: &Result<WrittenRun>, ledger: &str, lang: Lang) -> Message {
        Message::new(ended, &[ledger.into()], lang, Some("https://files.example.com/night"))
    }

    #[test]
    fn a_message_tells_the_night_in_both_languages() {
        let en = message(&Ok(run(Exit::Success)), "in/calls_2026.csv", Lang::En);
        assert_eq!(en.title, "reconcile: calls_2026.csv – complete");
        assert_eq!(
            en.lines,
            [
                "86 calls: 57 agree, 19 differ, 4 are missing at the provider, 2 wait, 4 failed; 7 ledger rows are \
                 unusable",
                "Talk seconds at stake: 1234",
                "Most frequent discrepancies: values differ (19), unusable row (7), missing at the provider (4)",
                "Since the last run: 3 new, 1 resolved",
                "Most frequent cause of failures: cannot resolve x.test",
                "Exit code 0: every call has its answer and all files are written",
            ]
        );
        assert_eq!(en.link.unwrap().0, "Open the report");
        let zh = message(&Ok(run(Exit::Discrepancies)), "-", Lang::Zh);
        assert_eq!(zh.title, "reconcile 对账：标准输入 – 完整");
        assert_eq!(
            zh.lines,
            [
                "共 86 通通话：57 通一致，19 通有差异，4 通服务商无记录，2 通待结果，4 通查询失败；另有 7 行台账无法使用",
                "差异涉及时长（秒）：1234",
                "最多的差异：数值不一致 19、无法使用的行 7、服务商无记录 4",
                "与上次相比：新增 3 条，已消除 1 条",
                "最常见的失败原因：无法解析域名 x.test",
                "退出码 1：所有通话均有结果，全部文件已写出；存在差异",
            ]
        );
        assert_eq!(zh.link.unwrap().0, "打开报告");
    }

    #[test]
    fn a_night_without_differences_is_told_in_two_lines() {
        let quiet = WrittenRun {
            totals: Totals { calls: 1, clean: 1, ..Totals::default() },
            at_stake_s: 0,
            since_last: SinceLast::default(),
            cause: None,
            ..run(Exit::Success)
        };
        let quiet = message(&Ok(quiet), "calls.csv", Lang::En);
        assert_eq!(quiet.lines.len(), 2, "{:?}", quiet.lines);
        let simulated = WrittenRun { is_sandbox: true, ..run(Exit::Success) };
        let simulated = message(&Ok(simulated), "calls.csv", Lang::Zh);
        assert_eq!(simulated.lines[1], "所有结果均由沙箱模拟");
    }

    #[test]
    fn an_unusual_night_is_named_in_the_first_line() {
        let odd = WrittenRun { trend: trend(1_000), ..run(Exit::Success) };
        let en = message(&Ok(odd.clone()), "calls.csv", Lang::En).lines.remove(0);
        let named = "7 ledger rows are unusable; unusual: 100% missing, usually 0% to 0.3%; 100% differ, ";
        assert!(en.contains(named), "{en}");
        let zh = message(&Ok(odd), "calls.csv", Lang::Zh).lines.remove(0);
        assert!(zh.contains("；异于往日：服务商无记录 100%（往日 0% 至 0.3%）"), "{zh}");
    }

    #[test]
    fn a_cause_in_the_reason_is_not_repeated() {
        let written = run(Exit::Incomplete);
        let because = Some(Incomplete::Exhausted { calls: 4, cause: written.cause.clone() });
        let written = Ok(WrittenRun { incomplete_because: because, ..written });
        for (lang, label) in [(Lang::En, "\nIncomplete: 4 calls"), (Lang::Zh, "\n不完整的原因：4 通通话")]
        {
            let lines = message(&written, "calls.csv", lang).lines.join("\n");
            assert_eq!(lines.matches("x.test").count(), 1, "{lines}");
            assert!(lines.contains(label), "{lines}");
        }
    }

    #[test]
    fn an_error_is_told_with_what_to_do() {
        let error = Error::new(Exit::Fatal, "the provider refuses 13812345678").hint("check the key");
        let zh = message(&Err(error), "calls.csv", Lang::Zh);
        assert_eq!(zh.title, "reconcile 对账：calls.csv – 失败");
        let exit = "退出码 3：服务商拒绝所有请求（密钥、权限、欠费或时钟），或始终无法连接；原有输出保持不变";
        let lines = ["错误：the provider refuses 138＊＊＊＊5678", "处理办法：check the key", exit];
        assert_eq!(zh.lines, lines);
        assert_eq!(zh.link.unwrap().0, "打开上次的报告");
        let en = message(&Err(Error::new(Exit::Busy, "held")), "calls.csv", Lang::En);
        let exit = "Exit code 5: another run holds the store or, in a database, works on the same ledger";
        assert_eq!(en.lines, ["Error: held", exit]);
    }

    #[test]
    fn foreign_texts_can_neither_link_nor_mention_nor_format() {
        let bad = "**[x](http://evil.example)** <@all> @所有人 `a`~~b~~ &#91; <at id=all></at> _i_ a_b\n# c\u{202e}\u{1b}";
        let error = message(&Err(Error::new(Exit::Usage, bad).hint(bad)), "x", Lang::En).lines.join("\n");
        for text in [foreign(bad, 1_000), error] {
            assert!(!text.contains(['[', ']', '<', '@', '*', '`', '~', '&', '\u{1b}', '\u{202e}']), "{text}");
            assert!(!text.contains("://") && !text.contains("_i_") && text.contains("a_b"), "{text}");
            assert!(!text.contains("\n#"), "{text}");
        }
        let title = |name| message(&Ok(run(Exit::Success)), name, Lang::En).title;
        assert_eq!(
            title("in/[13812345678](x) **y**"),
            "reconcile: ［138＊＊＊＊5678］(x) ＊＊y＊＊ – complete"
        );
    }

    /// The length of the longest form of a message: Markdown with two line ends after each line.
    fn length(message: &Message) -> usize {
        let lines: usize = message.lines.iter().map(|line| line.len() + 2).sum();
        let link = message.link.as_ref().map_or(0, |(text, url)| text.len() + url.len() + 4);
        "### ".len() + message.title.len() + 2 + lines + link
    }

    #[test]
    fn no_text_makes_a_message_longer_than_its_limit() {
        let link = format!("https://x.test/{}", "a".repeat(MAX_LINK_BYTES - 15));
        for part in ["a", "[", "账", "\u{1b}", "😀", "13812345678 "] {
            let long: String = part.chars().cycle().take(20_000).collect();
            let cause = Some(Cause::new("isv.X", &long));
            let most = u64::MAX / 8;
            let written = WrittenRun {
                is_sandbox: true,
                at_stake_s: most,
                since_last: SinceLast { new: most, recurring: most, resolved: most },
                incomplete_because: Some(Incomplete::Exhausted {
                    calls: most,
                    cause: Some(Cause::new("isv.Y", &long)),
                }),
                cause,
                trend: trend(most),
                totals: Totals {
                    calls: most,
                    clean: most,
                    with_discrepancies: most,
                    not_compared: most,
                    not_found: most,
                    pending: most,
                    failed: most,
                    invalid: most,
                    discrepancies: Kind::ALL.into_iter().map(|kind| (kind, most)).collect(),
                    ..Totals::default()
                },
                ..run(Exit::Incomplete)
            };
            let failed = |exit| Err(Error::new(exit, long.clone()).hint(long.clone()));
            for lang in [Lang::En, Lang::Zh] {
                for ended in Exit::ALL.map(failed).into_iter().chain([Ok(written.clone())]) {
                    let message = Message::new(&ended, &[long.clone().into()], lang, Some(&link));
                    assert!(length(&message) <= MAX_BYTES, "{} {part:?}", length(&message));
                    assert_eq!(message.link.as_ref().unwrap().1, link);
                    let last = message.lines.last().unwrap();
                    assert!(last.contains(exit_words(message.exit, lang)), "the exit code is cut: {last}");
                }
            }
        }
    }

    #[test]
    fn a_text_is_shortened_between_characters() {
        assert_eq!(shortened("账单", 6), "账单");
        assert_eq!(shortened("账单对账", 11), "账单…");
        assert_eq!(shortened("账单对账", 9), "账单…");
        assert_eq!(shortened("abcdef", 5), "ab…");
        assert_eq!(shortened("abcdef", 1), "…");
    }
}
