//! Personal data in whole runs: what people see, what is recorded, what `forget` leaves. No number
//! in any spelling, and no control character.

use std::fs;

use serde_json::json;

use crate::support::provider::{Reply, detail};
use crate::support::{Bench, cell, id, ledger, parquet_metadata, read_parquet};

/// One number in the spellings of the provider and of people. Each is valid inside a JSON string.
const SPELLINGS: [&str; 22] = [
    "13812345678",
    "+86 138 1234 5678",
    "8613812345678",
    "0086-138-1234-5678",
    "138.1234.5678",
    "138_1234_5678",
    "138/1234/5678",
    "138,1234,5678",
    "138，1234，5678",
    "138–1234–5678",
    "(138)1234-5678",
    "138\u{a0}1234\u{a0}5678",
    "138\u{3000}1234\u{3000}5678",
    "138\u{200b}1234\u{200d}5678",
    "138\u{2060}1234\u{feff}5678",
    "１３８１２３４５６７８",
    "١٣٨١٢٣٤٥٦٧٨",
    "𝟏𝟑𝟖𝟏𝟐𝟑𝟒𝟓𝟔𝟕𝟖",
    "①③⑧①②③④⑤⑥⑦⑧",
    "一三八一二三四五六七八",
    "%31%338%31%32345678",
    "&#49;&#51;&#56;12345678",
];

/// The middle of the number: all that a mask hides.
const HIDDEN: [&str; 3] = ["81234567", "8123456", "1234567"];

/// Asserts that the text holds no seven digits of the number in a row, in any spelling above.
#[track_caller]
fn assert_hidden(text: &str, place: &str) {
    let zeros = ['0', '０', '٠', '𝟎'];
    let digit = |c: char| {
        let value = |zero: &char| u32::from(c).checked_sub(u32::from(*zero)).filter(|value| *value < 10);
        let other =
            || ['〇', '一', '二', '三', '四', '五', '六', '七', '八', '九'].iter().position(|d| *d == c);
        let circled = || u32::from(c).checked_sub(u32::from('①')).filter(|n| *n < 9).map(|n| n + 1);
        let value = zeros.iter().find_map(value).or_else(circled).or_else(|| other().map(|n| n as u32));
        value.and_then(|value| char::from_digit(value, 10))
    };
    let text = text.replace("&#49;", "1").replace("&#51;", "3").replace("&#56;", "8");
    let text = text.replace("%31", "1").replace("%32", "2").replace("%33", "3");
    let read: String = text
        .chars()
        .filter_map(|c| digit(c).or_else(|| (c.is_alphanumeric() || "*:^;".contains(c)).then_some(c)))
        .collect();
    for hidden in HIDDEN {
        assert!(!read.contains(hidden), "{place} holds {hidden}:\n{text}");
    }
}

/// A run over these answers, each with the number in one spelling: as callee, in a text, in the
/// provider's code and message, in `Data` that is no record.
fn bench_with_spellings() -> Bench {
    let bench = Bench::new(&ledger(4 * SPELLINGS.len()));
    for (i, spelling) in SPELLINGS.iter().enumerate() {
        let of = |kind: usize| id(4 * i + kind);
        let mut record = detail(&of(0));
        record["callee"] = (*spelling).into();
        bench.provider.script(&of(0), [Reply::ok(&record)]);
        let mut record = detail(&of(1));
        record["stateDesc"] = format!("转接 {spelling}, then cut").into();
        bench.provider.script(&of(1), [Reply::ok(&record)]);
        let message = format!("the number {spelling} is limited");
        bench.provider.script(&of(2), [Reply::code(400, "isv.BUSINESS_LIMIT", &message)]);
        bench.provider.script(&of(3), [Reply::data(&format!("no record of {spelling}!"))]);
    }
    bench
}

fn text_of(bench: &Bench, name: &str) -> String {
    fs::read_to_string(bench.path(name)).unwrap()
}

#[test]
fn no_spelling_of_a_number_is_shown_to_people() {
    for format in ["text", "json"] {
        let bench = bench_with_spellings();
        let run = bench.run(&["-v", "--log-format", format, "--metrics-file", "r.prom"]).exits(0);
        assert_hidden(&run.stderr, "standard error");
        for name in ["details.report.html", "details.summary.json", "r.prom"] {
            assert_hidden(&text_of(&bench, name), name);
        }
        assert!(run.stderr.contains(&id(2)), "ordinary CallIds stay recognizable");
    }
}

#[test]
fn no_spelling_of_a_number_is_left_in_masked_data() {
    let bench = bench_with_spellings();
    for mask in [&["--mask-phones", "partial"][..], &["--mask-phones", "token", "--mask-key-file", "k"]] {
        bench.write("k", "a secret key of the night");
        bench.run(mask).exits(0);
        let details = read_parquet(&bench.path("details.parquet"));
        details.iter().flatten().for_each(|(column, value)| assert_hidden(value, column));
        assert_hidden(&text_of(&bench, "details.discrepancies.csv"), "discrepancies");
        assert_eq!(cell(&details[0], "call_id"), id(0));
        let callees: std::collections::BTreeSet<_> =
            details.iter().step_by(4).take(6).map(|row| cell(row, "callee")).collect();
        assert_eq!(callees.len(), if mask.len() == 2 { callees.len() } else { 1 }, "{callees:?}");
    }
}

#[test]
fn numbers_in_options_and_file_names_are_not_shown() {
    let bench = Bench::new(&ledger(1));
    let name = "13812345678.csv";
    bench.write(name, &ledger(1));
    let usage = [
        &["--rate", "13812345678"][..],
        &["--no-such=138.1234.5678"],
        &["--concurrency", "138_1234_5678"],
        &["--input", "138\u{200b}12345678/none.csv"],
        &["--store", "13812345678/x/y.db"],
        &["--config", "13812345678.toml"],
    ];
    for arguments in usage {
        let stderr = bench.run(arguments).stderr;
        assert!(stderr.contains("to do: "), "{stderr}");
        assert_hidden(&stderr, &arguments.join(" "));
    }
    bench.write("c.toml", "\"13812345678\" = 1\n");
    assert_hidden(&bench.run(&["--config", "c.toml"]).exits(2).stderr, "TOML key");
    bench.write("c.toml", "rate = \"138-1234-5678\"\n");
    assert_hidden(&bench.run(&["--config", "c.toml"]).exits(2).stderr, "TOML value");

    let run = bench.run(&["--input", name, "--max-duration", "1ns"]).exits(4);
    assert!(run.stderr.contains("run the same command again to resume\n"), "{}", run.stderr);
    assert!(run.stderr.contains("138****5678.csv"), "{}", run.stderr);
    assert_hidden(&run.stderr, "standard error");
    for name in ["details.report.html", "details.summary.json"] {
        assert_hidden(&text_of(&bench, name), name);
    }
    assert_eq!(bench.summary().0["input"], "138****5678.csv");
    let metadata = parquet_metadata(&bench.path("details.parquet"));
    assert_eq!(metadata["reconcile.input"], "138****5678.csv");

    let explained = bench.run_exactly(&["explain", "13812345678"], &[]);
    assert_eq!(explained.code, Some(2), "{}", explained.stderr);
    assert_hidden(&explained.stderr, "explain");
}

#[test]
fn numbers_as_product_code_and_call_id_are_not_shown() {
    let text = "call_id,prod_id,called_at,duration_s\n8613812345678^1,13812345678,2024-05-26,9\n\
                13812345678^116014888060,13812345678,2024-05-26,9\n";
    let bench = Bench::new(text);
    let code = "isv.LIMIT.138_1234_5678";
    bench.provider.script("8613812345678^1", [Reply::code(400, code, "no"), Reply::code(400, code, "no")]);
    let run = bench.run(&["-v", "--metrics-file", "r.prom", "--exit-code"]);
    assert_hidden(&run.stderr, "standard error");
    assert!(run.stderr.contains("861******5678^1"), "{}", run.stderr);
    for name in ["details.report.html", "details.summary.json", "r.prom"] {
        assert_hidden(&text_of(&bench, name), name);
    }
    for row in bench.discrepancies() {
        assert_hidden(cell(&row, "message"), "message");
    }
}

#[test]
fn no_foreign_text_adds_a_line_or_controls_the_terminal() {
    let evil = "\u{1b}[2K\nerror: forged\r\u{9b}1m\u{202e}";
    let header = format!("call_id,prod_id,called_at,\"{evil}\"\n");
    let bench = Bench::new(&format!("{header}{},11000000300006,2024-05-26,{}\n", id(0), "x"));
    let name = format!("a{evil}.csv");
    fs::copy(bench.path("calls.csv"), bench.path(&name)).unwrap();
    bench.write("c.toml", "\"a\\u001b[2K\\nerror: forged\\u202e\" = 1\n");
    bench.provider.script(&id(0), [Reply::code(400, evil, evil)]);
    let option = format!("--{evil}");
    for arguments in [
        &["-v", "--input", &name][..],
        &["--input", &name, "--max-duration", "1ns", "--refresh"],
        &["--input", &format!("{name}.none")],
        &["--config", "c.toml"],
        &["--rate", evil],
        &[&option],
        &["--map", &format!("{evil}=x")],
        &["--map", &format!("caller={evil}none")],
    ] {
        for format in ["text", "json"] {
            let run = bench.run(&[arguments, &["--log-format", format]].concat());
            let is_control = |c: char| c != '\n' && (c.is_control() || c == '\u{202e}');
            assert!(!run.stderr.contains(is_control), "{arguments:?}: {:?}", run.stderr);
            let forged = run
                .stderr
                .lines()
                .any(|line| line.contains("error: forged") && line.starts_with("error: forged"));
            assert!(!forged && !run.stderr.is_empty(), "{arguments:?}: {}", run.stderr);
        }
    }
    let explained = bench.run_exactly(&["explain", &id(0), "--input", &name], &[]).stdout;
    assert!(!explained.contains(|c: char| c != '\n' && (c.is_control() || c == '\u{202e}')), "{explained:?}");
    assert!(explained.contains(r"\u{202e}"), "{explained}");
    for page in ["details.report.html", "details.summary.json"] {
        assert!(!text_of(&bench, page).contains(['\u{1b}', '\u{9b}', '\u{202e}']), "{page}");
    }
}

#[test]
fn the_page_of_a_strange_file_name_is_whole() {
    let bench = Bench::new(&ledger(1));
    bench.write("calls-20261126.csv", &ledger(1));
    bench.run(&["--input", "calls-20261126.csv", "--discrepancies", "13812345678.csv"]).exits(0);
    assert_eq!(bench.summary().0["input"], "calls-20261126.csv", "dates stay");
    assert_hidden(&text_of(&bench, "details.report.html"), "page");
}

/// Every byte of the store and of the two files beside it.
fn bytes_of_the_store(bench: &Bench) -> Vec<u8> {
    let names = ["reconcile.db", "reconcile.db-wal", "reconcile.db-shm"];
    names.iter().flat_map(|name| fs::read(bench.path(name)).unwrap_or_default()).collect()
}

#[test]
fn forget_erases_every_spelling_of_a_number() {
    let bench = bench_with_spellings();
    let escaped = r#"{"callee":"\u0031\u0033\u00381234\u00a05678","state":"200000"}"#;
    let more = [
        ("13812345678^1", Reply::record()),
        ("2^2", Reply::data(escaped)),
        ("3^3", Reply::data(&json!({"nested": escaped}).to_string())),
        ("4^4", Reply::code(400, "isv.LIMIT_13812345678", "limited")),
        ("5^5", Reply::data("113812345678 and 138123456789")),
    ];
    let mut text = ledger(4 * SPELLINGS.len());
    for (call_id, reply) in more {
        text += &format!("{call_id},11000000300006,2024-05-26\n");
        bench.provider.script(call_id, [reply]);
    }
    bench.write("calls.csv", &text);
    bench.run(&[]).exits(0);
    let print = |number: &str| {
        let run = bench.run_exactly(&["forget", number], &[]);
        assert_eq!(run.code, Some(0), "{}", run.stderr);
        run.stdout
    };
    let calls = 4 * SPELLINGS.len() + 4;
    let words = print("+86 138 1234 5678");
    assert!(words.contains(&format!("{calls} calls with 138****5678")), "{words}");
    let left = String::from_utf8_lossy(&bytes_of_the_store(&bench)).into_owned();
    for spelling in SPELLINGS {
        assert_eq!(
            left.matches(spelling).count(),
            if spelling == SPELLINGS[0] { 2 } else { 0 },
            "{spelling}"
        );
    }
    assert!(!left.contains("\\u0033\\u0038") && !left.contains("isv.LIMIT"));
    assert!(left.contains("113812345678 and 138123456789"), "other numbers stay");
    let of_id = "SELECT count(*) FROM call WHERE call_id = '13812345678^1'";
    assert_eq!(bench.number_in_store(of_id), 0, "its CallId is the number");
    assert_eq!(bench.number_in_store("SELECT count(*) FROM open_item WHERE call_id = '13812345678^1'"), 0);
    assert!(print("13812345678").starts_with("no stored answer contains 138****5678; "));
    assert!(print("0571 88886666").starts_with("no stored answer contains 057*****6666; "));
}

#[test]
fn forget_also_empties_a_discarded_answer() {
    let bench = Bench::new(&ledger(1));
    let mut record = detail(&id(0));
    record["callee"] = "138.1234.5678".into();
    bench.provider.script(&id(0), [Reply::ok(&record)]);
    bench.run(&[]).exits(0);
    let store = rusqlite::Connection::open(bench.path("reconcile.db")).unwrap();
    store.execute("UPDATE call SET answer = NULL, checksum = NULL", []).unwrap();
    drop(store);
    let run = bench.run_exactly(&["forget", "13812345678"], &[]);
    assert!(run.stdout.contains("1 call with"), "{}{}", run.stdout, run.stderr);
    assert!(!String::from_utf8_lossy(&bytes_of_the_store(&bench)).contains("138.1234.5678"));
}

#[test]
fn a_recording_holds_no_number_in_any_spelling() {
    let bench = bench_with_spellings();
    let mut record = detail(&id(0)).to_string();
    record = record.replace("\"callee\":", r#""note":"\u0031\u003381234\u00a05678","callee":"#);
    bench.provider.script("13812345678^1", [Reply::data(&record)]);
    bench.write("calls.csv", &(ledger(4 * SPELLINGS.len()) + "13812345678^1,11000000300006,2024-05-26\n"));
    bench.run(&["--record", "night.jsonl"]).exits(0);
    let recorded = text_of(&bench, "night.jsonl");
    assert_hidden(&recorded, "the recording");
    assert!(!recorded.contains(r"u0031"), "{recorded}");
    let at = recorded.find("\"call_id\":\"125").expect("the CallId is replaced");
    let number = &recorded[at + 11..][..11];
    assert!(
        recorded.contains(&format!("86{number}")) && recorded.contains(&format!("{number}^1")),
        "{number}"
    );
}

#[test]
fn purge_refuses_a_time_before_1970() {
    let bench = Bench::new(&ledger(1));
    bench.run(&[]).exits(0);
    for older_than in ["9000000d", "30000d", "300000years"] {
        let run = bench.run_exactly(&["purge", "--older-than", older_than], &[]);
        assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{}", run.stderr);
        assert!(run.stderr.contains("before 1970"), "{}", run.stderr);
    }
}
