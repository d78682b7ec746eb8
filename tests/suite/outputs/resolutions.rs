//! Decisions on discrepancies: which rows they settle, what is left over, and that summary, files,
//! page and metrics say the same.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::net::TcpListener;

use rust_xlsxwriter::{ExcelDateTime, Format, Workbook};
use serde_json::{Value, json};

use super::chinese::english_sentence;
use super::report_access::assert_accessible;
use crate::house::readme::sample_run_with;
use crate::support::provider::Reply;
use crate::support::{Bench, Row, cell, column, id, read_csv, read_parquet, read_post};

const HEADER: &str =
    "call_id,prod_id,call_date,kind,field,expected,actual,decision,reason,by,on,until,ticket";

/// A call with this talk time; `None` is a call that the provider does not know.
fn reply(talk_s: Option<i64>) -> Reply {
    let Some(talk_s) = talk_s else { return Reply::without_data() };
    let end = format!("2024-05-26 10:01:{:02}", talk_s - 20);
    Reply::ok(&json!({
        "callee": "12510000000", "gmtCreate": "2024-05-26 10:00:00", "startDate": "2024-05-26 10:00:40",
        "endDate": end, "duration": talk_s, "state": "200000"
    }))
}

/// Eight calls. The ledger says that each took 30 s.
fn night() -> Bench {
    let rows = (0..8).map(|i| format!("{},11000000300006,2024-05-26,30,12510000000\n", id(i)));
    let bench =
        Bench::new(&("call_id,prod_id,called_at,duration,callee\n".to_owned() + &rows.collect::<String>()));
    for (i, talk_s) in
        [Some(30), Some(31), Some(25), Some(32), Some(40), None, None, Some(28)].into_iter().enumerate()
    {
        bench.provider.script(&id(i), [reply(talk_s)]);
    }
    bench
}

/// A decision on the talk time of a call.
fn on_talk_time(i: usize, actual: i64, decision: &str) -> String {
    format!("{},11000000300006,2024-05-26,mismatch,duration_s,30,{actual},{decision},checked,,,,", id(i))
}

fn on_missing(i: usize, decision: &str, until: &str) -> String {
    format!("{},voice-notification,2024-05-26,not_found,,,,{decision},lost,me,2024-05-27,{until},T-1", id(i))
}

fn write_decisions(bench: &Bench, rows: &[String]) {
    bench.write("decisions.csv", &format!("{HEADER}\n{}\n", rows.join("\n")));
}

/// One entry of each sort.
fn decided() -> Bench {
    let bench = night();
    let rule = ",voice-notification,,mismatch,duration_s,,±2,已更正,within rounding,,,,".to_owned();
    let rows = [
        on_talk_time(1, 31, "accepted"),
        on_talk_time(2, 25, "disputed"),
        rule,
        on_talk_time(4, 39, "accepted"),
        on_missing(5, "核销", ""),
        on_missing(6, "accepted", "2024-06-01"),
        on_talk_time(0, 31, "accepted"),
        on_talk_time(7, 28, "").replace("checked", ""),
    ];
    write_decisions(&bench, &rows);
    bench
}

/// The decision on the discrepancy of each call.
fn decisions(rows: &[Row]) -> BTreeMap<String, String> {
    let decision =
        |row: &Row| (cell(row, "call_id").to_owned(), row.get("resolution").cloned().unwrap_or_default());
    rows.iter().map(decision).collect()
}

/// The numbers on the page by their places in the summary.
fn on_page(bench: &Bench) -> BTreeMap<String, String> {
    let page = fs::read_to_string(bench.path("details.report.html")).unwrap();
    let numbers = page.split("<data value=\"").skip(1).filter_map(|part| {
        let (value, rest) = part.split_once('"')?;
        let at = rest.strip_prefix(" data-at=\"")?.split('"').next()?;
        (!rest.contains("data-of") || !rest.split('>').next()?.contains("data-of"))
            .then(|| (at.into(), value.into()))
    });
    numbers.collect()
}

#[test]
fn every_output_counts_the_same_decisions() {
    let bench = decided();
    let options = ["--resolutions", "decisions.csv", "--metrics-file", "r.prom", "--xlsx", "night.xlsx"];
    let run = bench.run(&options).exits(0).says("7 discrepancies (2 open, 1 disputed, 4 settled)");
    let run = run.says("1 entry of decisions.csv is stale: its discrepancy has other values now (line 5)");
    let run = run.says("1 entry of decisions.csv has expired (line 7)");
    run.says("1 entry of decisions.csv matches no discrepancy of this ledger (line 8)");

    let counts = json!({
        "open": 2, "accepted": 1, "disputed": 1, "corrected": 2, "written_off": 1,
        "stale": 1, "unused": 1, "expired": 1, "settled_s": 1 + 2 + 2 + 30
    });
    let summary = bench.summary();
    summary.assert_totals();
    assert_eq!(summary.0["resolutions"], counts);
    // Totals stay, and only open and disputed seconds are at stake.
    assert_eq!(summary.0["discrepancies_total"], 7);
    assert_eq!(summary.0["headline"]["differ"], 5);
    assert_eq!(summary.0["at_stake_total_s"], 5 + 10 + 30);
    let rule = "discrepancies = open + accepted + disputed + corrected + written_off";
    let lines = summary.0["tie_out"].as_array().unwrap();
    let line = lines.iter().find(|line| line["rule"] == rule).unwrap();
    assert_eq!((&line["numbers"], &line["foots"]), (&"7 = 2 + 1 + 1 + 2 + 1".into(), &true.into()));

    let rows = bench.discrepancies();
    let wanted = [
        (1, "accepted"),
        (2, "disputed"),
        (3, "corrected"),
        (4, ""),
        (5, "written_off"),
        (6, ""),
        (7, "corrected"),
    ];
    let wanted: BTreeMap<String, String> = wanted.into_iter().map(|(i, word)| (id(i), word.into())).collect();
    assert_eq!(decisions(&rows), wanted);
    assert_eq!(column(&rows, "seconds_at_stake"), ["0", "5", "0", "10", "0", "30", "0"]);
    assert_eq!(cell(&rows[0], "reason"), "checked");
    assert_eq!(cell(&rows[2], "reason"), "within rounding");

    let shown = on_page(&bench);
    for (key, n) in counts.as_object().unwrap() {
        assert_eq!(shown.get(&format!("/resolutions/{key}")), Some(&n.to_string()), "{key}");
    }
    let metrics = fs::read_to_string(bench.path("r.prom")).unwrap();
    for (key, n) in counts.as_object().unwrap().iter().filter(|(key, _)| *key != "settled_s") {
        let line = format!("reconcile_resolutions{{decision=\"{key}\"}} {n}\n");
        assert!(metrics.contains(&line), "{line}");
    }
    let page = fs::read_to_string(bench.path("details.report.html")).unwrap();
    let section = page.split("<section id=\"resolved\"").nth(1).unwrap().split("</section>").next().unwrap();
    for (i, is_settled) in [(1, true), (2, false), (3, true), (4, false), (5, true), (6, false), (7, true)] {
        assert_eq!(section.contains(&id(i)), is_settled, "call {i}");
    }
}

#[test]
fn every_form_of_the_file_has_the_decisions() {
    let bench = decided();
    bench.run(&["--resolutions", "decisions.csv"]).exits(0);
    let csv = decisions(&bench.discrepancies());
    for name in ["d.parquet", "d.jsonl", "d.xlsx"] {
        bench.run(&["--offline", "--resolutions", "decisions.csv", "--discrepancies", name]).exits(0);
        bench.summary().assert_totals();
        let path = bench.path(name);
        let rows = match name {
            "d.parquet" => read_parquet(&path),
            "d.jsonl" => {
                let lines = fs::read_to_string(&path).unwrap();
                let row = |line: &str| serde_json::from_str::<BTreeMap<String, Value>>(line).unwrap();
                let texts = |row: BTreeMap<String, Value>| {
                    row.into_iter()
                        .filter_map(|(key, value)| Some((key, value.as_str()?.to_owned())))
                        .collect()
                };
                lines.lines().map(row).map(texts).collect()
            }
            _ => {
                bench.bare(&["resolutions", "--from", name, "--to", "open.csv"]);
                let open = read_csv(&bench.path("open.csv"));
                assert_eq!(column(&open, "call_id"), [id(4), id(6)], "a workbook is read, too");
                continue;
            }
        };
        assert_eq!(decisions(&rows), csv, "{name}");
    }
}

#[test]
fn without_a_file_every_discrepancy_is_open() {
    let bench = night();
    bench.run(&["--exit-code"]).exits(1);
    let summary = bench.summary();
    summary.assert_totals();
    assert_eq!(summary.0["resolutions"]["open"], 7);
    let text = fs::read_to_string(bench.path("details.discrepancies.csv")).unwrap();
    assert!(text.lines().next().unwrap().ends_with("seconds_at_stake,since,resolution,reason"), "{text}");
    let page = fs::read_to_string(bench.path("details.report.html")).unwrap();
    assert!(!page.contains("id=\"resolved\""));
}

#[test]
fn the_decisions_are_the_same_on_any_number_of_parts() {
    // More rows than a unit has, so that the parts are merged.
    const CALLS: usize = 45_000;
    let mut ledger = String::from("call_id,prod_id,called_at,duration\n");
    (0..CALLS).for_each(|i| ledger += &format!("{},11000000300006,2024-05-26,30\n", id(i)));
    let bench = Bench::new(&ledger);
    let deferred =
        |i: usize, decision: &str| format!("{},11000000300006,2024-05-26,deferred,,,,{decision},,,,,", id(i));
    let last = CALLS - 1;
    write_decisions(
        &bench,
        &[deferred(0, "accepted"), deferred(last, "disputed"), deferred(CALLS, "accepted")],
    );
    bench.run(&["--offline", "--resolutions", "decisions.csv"]).exits(4);
    let resolutions = &bench.summary().0["resolutions"];
    assert_eq!((&resolutions["open"], &resolutions["unused"]), (&(CALLS - 2).into(), &1.into()));
    assert_eq!((&resolutions["accepted"], &resolutions["disputed"]), (&1.into(), &1.into()));
    let rows = decisions(&bench.discrepancies());
    assert_eq!((&*rows[&id(0)], &*rows[&id(last)]), ("accepted", "disputed"));
}

#[test]
fn settled_discrepancies_do_not_change_the_exit_code() {
    let bench = night();
    let all = [",,,mismatch,,,,accepted,,,,,".to_owned(), ",,,not_found,,,,written_off,,,,,".to_owned()];
    write_decisions(&bench, &all);
    bench.run(&["--exit-code"]).exits(1);
    let options = ["--offline", "--exit-code", "--resolutions", "decisions.csv"];
    bench.run(&options).exits(0).says("7 discrepancies (0 open, 7 settled)");
    assert_eq!(bench.summary().0["at_stake_total_s"], 0);
    assert_eq!(bench.summary().0["patterns"], json!([]));
    write_decisions(&bench, &[all[0].clone(), all[1].replace("written_off", "disputed")]);
    bench.run(&options).exits(1).says("7 discrepancies (0 open, 2 disputed, 5 settled)");
    assert_eq!(bench.summary().0["at_stake_total_s"], 60);
}

#[test]
fn only_what_is_above_a_limit_fails() {
    let bench = night();
    bench.run(&[]).exits(0);
    // 20 s of different durations and 60 s of missing calls; 7 of 8 calls.
    for (limit, code) in
        [("80s", 0), ("79s", 1), ("87.5%", 0), ("87.4%", 1), ("7", 0), ("6", 1), ("1h", 0), ("0", 1)]
    {
        bench.run(&["--offline", "--fail-above", limit]).exits(code);
    }
    bench
        .run(&["--offline", "--fail-above", "1h", "--fail-above", "6"])
        .exits(1)
        .says("within the limit: talk seconds at stake 80");
    bench.run(&["--offline", "--fail-above", "7", "--exit-code"]).exits(0);
    let page = || fs::read_to_string(bench.path("details.report.html")).unwrap();
    assert!(page().contains("<body class=\"calm\">") && page().contains("Within the limit"));
    write_decisions(&bench, &[on_missing(5, "accepted", ""), on_missing(6, "disputed", "")]);
    let with = |limit: &'static str| {
        bench.run(&["--offline", "--fail-above", limit, "--resolutions", "decisions.csv"])
    };
    with("50s").exits(0);
    with("49s").exits(1).says("above the limit: talk seconds at stake 50, limit 49");
    with("75%").exits(0);
    with("74%").exits(1);
    with("6").exits(0);
    with("5").exits(1);
    assert!(page().contains("<body>") && page().contains("Above the limit"));
    let limits = &bench.summary().0["fail_above"];
    assert_eq!(*limits, json!([{ "unit": "rows", "limit": 5, "value": 6, "above": true }]));
    for wrong in ["", "many", "-1", "101%", "1.5"] {
        bench.run(&["--fail-above", wrong]).exits(2);
    }
}

#[test]
fn a_decision_made_from_a_masked_file_holds() {
    let mut ledger = String::from("call_id,prod_id,called_at,callee\n");
    (0..2).for_each(|i| ledger += &format!("{},11000000300006,2024-05-26,13912345678\n", id(i)));
    let bench = Bench::new(&ledger);
    (0..2).for_each(|i| bench.provider.script(&id(i), [reply(Some(30))]));
    bench.run(&["--mask-phones", "partial"]).exits(0);
    bench.bare(&["resolutions", "--from", "details.discrepancies.csv", "--to", "masked.csv"]);
    let masked = fs::read_to_string(bench.path("masked.csv")).unwrap();
    assert!(masked.contains(",callee,139****5678,125****0000,,"), "{masked}");
    // The second decision is made from a file with whole numbers.
    let lines: Vec<&str> = masked.lines().collect();
    let whole =
        lines[2].replace("139****5678,125****0000,,", "13912345678,12510000000,corrected,to 13912345678");
    let first = lines[1].replace("125****0000,,", "125****0000,accepted,by 13912345678");
    bench.write("decisions.csv", &format!("{}\n{first}\n{whole}\n", lines[0]));
    let run = ["--mask-phones", "partial", "--resolutions", "decisions.csv"];
    bench.run(&run).exits(0).says("2 discrepancies (0 open, 2 settled)");
    let rows = bench.discrepancies();
    assert_eq!(column(&rows, "resolution"), ["accepted", "corrected"]);
    assert_eq!(column(&rows, "reason"), ["by 139****5678", "to 139****5678"], "a reason is masked, too");
    let page = fs::read_to_string(bench.path("details.report.html")).unwrap();
    assert!(page.contains("by 139****5678") && !page.contains("13912345678"));
    bench.run(&["--resolutions", "decisions.csv"]).exits(0).says("(line 2); decide again");
    assert_eq!(column(&bench.discrepancies(), "resolution"), ["", "corrected"]);
}

#[test]
fn a_wrong_file_stops_the_run_before_it_sends_anything() {
    let bench = night();
    let cases = [
        (
            format!("{HEADER}\n{}\n", on_talk_time(1, 31, "fine")),
            "line 2 of decisions.csv: the decision \"fine\" is unknown",
        ),
        (format!("{HEADER}\n{}\n", on_missing(1, "accepted", "soon")), "until is \"soon\"; write the day as"),
        (
            format!("{HEADER}\n\n{}\n", on_talk_time(1, 31, "accepted").replace("mismatch", "missmatch")),
            "line 3 of decisions.csv: the kind \"missmatch\" is unknown; use amended, deferred",
        ),
        (
            format!("{HEADER}\n{}\n", on_talk_time(1, 31, "accepted").replace("duration_s", "talk")),
            "the field \"talk\" is unknown",
        ),
        (
            format!("{HEADER}\n{0}\n{0}\n", on_talk_time(1, 31, "accepted")),
            "line 3 of decisions.csv: line 2 already decides",
        ),
        (format!("{HEADER}\n{},x\n", on_talk_time(1, 31, "accepted")), "there are more fields than columns"),
        (
            "call_id,kind,decision\na,mismatch,accepted\n".to_owned(),
            "lacks the columns prod_id, call_date, field, expected, actual, reason",
        ),
        (format!("{HEADER},处理结果\n"), "has two columns decision"),
        (String::new(), "is empty"),
        ("PK\u{3}\u{4}".to_owned(), "cannot be read"),
    ];
    for (text, words) in cases {
        bench.write("decisions.csv", &text);
        bench.run(&["--resolutions", "decisions.csv"]).exits(2).says(words).says("nothing was sent");
        let plan = bench.run(&["--resolutions", "decisions.csv"]);
        assert_eq!(plan.code, Some(2));
    }
    // No message takes the file for the ledger.
    let others: [(&[u8], &str); 3] = [
        (b"\x1f\x8b\x08\x00no gzip", "cannot read decisions.csv: its gzip data is "),
        (b"%PDF-1.7", "to do: export it as CSV"),
        (b"", "to do: add the header row"),
    ];
    for (bytes, words) in others {
        fs::write(bench.path("decisions.csv"), bytes).unwrap();
        let run = bench.run(&["--resolutions", "decisions.csv"]).exits(2).says(words);
        assert!(!run.stderr.contains("ledger"), "{}", run.stderr);
    }
    bench.run(&["--resolutions", "nowhere.csv"]).exits(2).says("cannot be opened");
    bench.run(&["--resolutions", "home"]).exits(2).says("is a folder");
    bench.run(&["--resolutions", "-"]).exits(2).says("cannot be standard input");
    bench.run(&["--resolutions", "calls.csv"]).exits(2).says("lacks the columns");
    let same = ["--resolutions", "details.parquet"];
    bench.write("details.parquet", HEADER);
    bench.run(&same).exits(2).says("is the same file as");
    assert_eq!(bench.provider.seen(), 0);
}

#[test]
fn the_file_may_be_chinese_in_any_encoding() {
    let bench = night();
    bench.run(&[]).exits(0);
    let header = "呼叫ID;产品ID;通话日期;类别;字段;台账值;服务商值;处理结果;原因;备注";
    let row = format!("{};语音通知;2024/5/26;mismatch;duration_s;30;31;接受;四舍五入, 已确认;无", id(1));
    let text = format!("{header}\r\n{}\r\n", row.replace("语音通知", "voice-notification"));
    let (gb18030, _, _) = encoding_rs::GB18030.encode(&text);
    let utf16: Vec<u8> =
        std::iter::once(0xFEFF).chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    for bytes in [gb18030.into_owned(), utf16, text.into_bytes()] {
        fs::write(bench.path("decisions.csv"), bytes).unwrap();
        bench.run(&["--offline", "--resolutions", "decisions.csv", "--lang", "zh"]).exits(0);
        assert_eq!(cell(&bench.discrepancies()[0], "reason"), "四舍五入, 已确认");
        let page = fs::read_to_string(bench.path("details.report.html")).unwrap();
        assert!(page.contains("接受：四舍五入, 已确认"), "{page}");
    }
}

#[test]
fn a_new_file_keeps_the_decisions_of_the_old_one() {
    let bench = decided();
    bench.run(&["--resolutions", "decisions.csv"]).exits(0);
    let from = ["resolutions", "--from", "details.discrepancies.csv"];
    let fresh = bench.bare(&from);
    let fresh_rows: Vec<&str> = fresh.lines().collect();
    assert_eq!(fresh_rows[0], HEADER);
    let open = |i| format!("{},voice-notification,2024-05-26", id(i));
    assert_eq!(fresh_rows[1], format!("{},mismatch,duration_s,30,40,,,,,,", open(4)));
    assert_eq!(fresh_rows[2], format!("{},not_found,,,,,,,,,", open(6)));
    assert_eq!(fresh_rows.len(), 3, "{fresh}");

    let old = fs::read_to_string(bench.path("decisions.csv")).unwrap();
    bench.bare(&[&from[..], &["--resolutions", "decisions.csv", "--to", "decisions.csv"]].concat());
    let new = fs::read_to_string(bench.path("decisions.csv")).unwrap();
    let decided: Vec<&str> = old.lines().take(8).collect();
    assert_eq!(new.lines().take(8).collect::<Vec<_>>(), decided, "{new}");
    // The rows of the stale and of the expired entry follow; the undecided row is settled by now.
    assert_eq!(new.lines().skip(8).collect::<Vec<_>>(), fresh_rows[1..], "{new}");
    let again = bench.bare(&[&from[..], &["--resolutions", "decisions.csv"]].concat());
    assert_eq!(again.lines().count(), new.lines().count(), "rows to fill in are not doubled");

    bench.run(&["--offline", "--resolutions", "decisions.csv"]).exits(0);
    let refused = bench.run_exactly(&[&from[..], &["--to", "calls.csv"]].concat(), &[]);
    assert_eq!(refused.code, Some(2), "{}", refused.stderr);
    let no_discrepancies = bench.run_exactly(&["resolutions", "--from", "calls.csv"], &[]);
    assert!(
        no_discrepancies.stderr.contains("it has no column `ledger_line`"),
        "{}",
        no_discrepancies.stderr
    );
}

#[test]
fn formulas_in_the_new_file_are_guarded_and_read_back() {
    let bench = Bench::new(
        "call_id,prod_id,called_at\n@a^1,11000000300006,2024-05-26\n-2^1,11000000300006,2024-05-26\n",
    );
    bench.provider.by_default(Reply::without_data());
    bench.run(&[]).exits(0);
    bench.bare(&["resolutions", "--from", "details.discrepancies.csv", "--to", "decisions.csv"]);
    let text = fs::read_to_string(bench.path("decisions.csv")).unwrap();
    assert!(text.contains("\n'@a^1,") && text.contains("\n'-2^1,"), "{text}");
    bench.write("decisions.csv", &text.replace("not_found,,,,,", "not_found,,,,accepted,"));
    bench.run(&["--offline", "--resolutions", "decisions.csv", "--exit-code"]).exits(0);
    assert_eq!(column(&bench.discrepancies(), "resolution"), ["accepted"; 2]);
}

/// The sample's page with every kind of decision and limits, in this language.
fn sample_page(lang: &str) -> Bench {
    let bench = sample_run_with(&[]);
    let rules = [
        ",,,mismatch,duration_s,,,accepted,,,,,",
        ",,,not_found,,,,disputed,问题单,,,,",
        ",,,duplicate,,,,corrected,,,,,",
        ",,,pending,,,,written_off,,,,2020-01-01,",
        "gone,7,2026-11-16,not_found,,,,accepted,,,,,",
    ];
    bench.write("decisions.csv", &format!("{HEADER}\n{}\n", rules.join("\n")));
    let options =
        ["--sandbox", "--offline", "--out", "out/details.parquet", "--resolutions", "decisions.csv"];
    let limits = ["--fail-above", "1h", "--fail-above", "0.5%", "--fail-above", "1000", "--lang", lang];
    bench.run(&[&options[..], &limits[..]].concat()).exits(1);
    bench
}

#[test]
fn the_page_with_decisions_is_accessible_in_both_languages() {
    for lang in ["en", "zh"] {
        assert_accessible(&sample_page(lang), "out/details.report.html");
    }
}

#[test]
fn the_chinese_page_with_decisions_is_chinese() {
    let bench = sample_page("zh");
    let page = fs::read_to_string(bench.path("out/details.report.html")).unwrap();
    assert_eq!(english_sentence(&page), None);
    for words in ["处理结果", "已处理的差异", "超过限额", "未超限额", "争议：问题单", "已过期"]
    {
        assert!(page.contains(words), "{words}");
    }
}

#[test]
fn a_night_within_its_limits_is_told_calmly() {
    let bench = night();
    for (limit, colour, words) in [("1h", "green", "Within the limit"), ("1s", "orange", "Above the limit")] {
        let robot = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/hook", robot.local_addr().unwrap());
        let options = ["--fail-above", limit, "--notify-url", &url, "--notify-format", "feishu"];
        let run = bench.start(&options);
        let (mut stream, _) = robot.accept().unwrap();
        let (_, card) = read_post(&stream);
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n{\"code\":0}").unwrap();
        run.wait().exits(i32::from(limit == "1s"));
        let card = String::from_utf8(card).unwrap();
        assert!(card.contains(colour) && card.contains(words), "{card}");
    }
}

#[test]
fn a_call_counts_until_its_later_rows_are_settled_too() {
    let row = |i: usize, talk_s: i64| format!("{},11000000300006,2024-05-26,{talk_s}\n", id(i));
    // The second and the third call have later rows, and the third one's talk time differs, too.
    let rows = [row(0, 30), row(1, 30), row(2, 29), row(1, 31), row(1, 32), row(2, 28)];
    let bench = Bench::new(&("call_id,prod_id,called_at,duration\n".to_owned() + &rows.concat()));
    (0..3).for_each(|i| bench.provider.script(&id(i), [reply(Some(30))]));
    bench.run(&[]).exits(0);
    let share = |entries: &[&str]| {
        write_decisions(&bench, &entries.iter().map(ToString::to_string).collect::<Vec<_>>());
        let options = ["--offline", "--fail-above", "100%", "--resolutions", "decisions.csv"];
        bench.run(&options).exits(0);
        bench.summary().0["fail_above"][0]["value"].clone()
    };
    let (duplicates, mismatches) = (",,,duplicate,,,,accepted,,,,,", ",,,mismatch,,,,accepted,,,,,");
    let one = format!("{},,2024-05-26,duplicate,duration_s,30,31,accepted,,,,,", id(1))
        .replace(",,2024", ",11000000300006,2024");
    assert_eq!(share(&[]), 66.667);
    assert_eq!(share(&[mismatches]), 66.667);
    assert_eq!(share(&[&one, mismatches]), 66.667, "another later row is open");
    assert_eq!(share(&[duplicates]), 33.333);
    assert_eq!(share(&[duplicates, mismatches]), 0);
}

#[test]
fn the_file_may_be_a_workbook_with_numbers_and_dates() {
    let bench = night();
    bench.run(&[]).exits(0);
    let mut book = Workbook::new();
    let sheet = book.add_worksheet();
    let day = Format::new().set_num_format("yyyy/m/d");
    for (name, column) in HEADER.split(',').zip(0..) {
        sheet.write_string(0, column, name).unwrap();
    }
    for (column, text) in [(0, id(1)), (1, "voice-notification".into()), (3, "mismatch".into())] {
        sheet.write_string(1, column, text).unwrap();
    }
    let date = ExcelDateTime::from_ymd(2024, 5, 26).unwrap();
    sheet.write_datetime_with_format(1, 2, &date, &day).unwrap();
    sheet.write_string(1, 4, "duration_s").unwrap();
    sheet.write_number(1, 5, 30).unwrap();
    sheet.write_number(1, 6, 31).unwrap();
    sheet.write_string(1, 7, "核销").unwrap();
    sheet.write_string(1, 8, "四舍五入").unwrap();
    sheet.write_formula(3, 7, "=1+").unwrap();
    book.save(bench.path("decisions.xlsx")).unwrap();
    let options = ["--offline", "--resolutions", "decisions.xlsx"];
    bench.run(&options).exits(2).says("line 4 of decisions.xlsx").says("H4");

    book.worksheet_from_index(0).unwrap().write_blank(3, 7, &Format::new()).unwrap();
    book.save(bench.path("decisions.xlsx")).unwrap();
    bench.run(&options).exits(0).says("7 discrepancies (6 open, 1 settled)");
    let first = &bench.discrepancies()[0];
    assert_eq!((cell(first, "resolution"), cell(first, "reason")), ("written_off", "四舍五入"));
}

#[test]
fn a_resumed_run_decides_by_the_day_on_which_it_began() {
    let bench = night();
    let day = |days: i64| (chrono::Utc::now() + chrono::TimeDelta::days(days)).date_naive().to_string();
    write_decisions(&bench, &[on_missing(5, "accepted", &day(2)), on_missing(6, "accepted", &day(9))]);
    let decided = |days: i64| {
        bench.run(&["--resolutions", "decisions.csv"]).exits(0);
        let all = decisions(&bench.discrepancies());
        // As after a kill: the run goes on, and it began on another day.
        let began = format!("unixepoch('now', '{days} days') * 1000000");
        let store = rusqlite::Connection::open(bench.path("reconcile.db")).unwrap();
        let sql = format!("UPDATE run SET ended_at = NULL, complete = NULL, started_at = {began}");
        store.execute_batch(&sql).unwrap();
        [5, 6].map(|i| all[&id(i)].clone())
    };
    assert_eq!(decided(5), ["accepted", "accepted"]);
    assert_eq!(decided(12), ["", "accepted"], "the run began in five days");
    assert_eq!(decided(0), ["", ""], "it began in twelve days");
    assert_eq!(decided(0), ["accepted", "accepted"]);
}
