//! Situations from the field, each with its right value: whole runs over the ledger as it came,
//! with what the provider said.

use serde_json::{Value, json};

use crate::support::provider::Reply;
use crate::support::{Bench, Run, column, id};

const PRODUCT: &str = "11000000300006";

/// The record of the i-th call: on the given hour of 25 May 2024, at minute i.
fn detail(i: usize, hour: usize) -> Value {
    let time = |seconds: usize| {
        let (minute, second) = (i + seconds / 60, seconds % 60);
        format!("2024-05-25 {hour:02}:{minute:02}:{second:02}")
    };
    json!({
        "callId": id(i), "caller": "", "callee": callee(i), "calleeShowNumber": "057100001837",
        "callerShowNumber": "", "gmtCreate": time(0), "startDate": time(8),
        "endDate": time(28 + i), "duration": 20 + i, "state": "200000", "stateDesc": "用户接听"
    })
}

fn callee(i: usize) -> String {
    (12_510_000_000_u64 + 7_919 * i as u64).to_string()
}

/// A bench whose provider knows the first ten calls.
fn bench(ledger: impl AsRef<[u8]>, hour: usize) -> Bench {
    let bench = Bench::new("");
    std::fs::write(bench.path("calls.csv"), ledger).unwrap();
    bench.provider.answer_with(move |request| {
        let found = (0..10).find(|i| id(*i) == request.call_id());
        found.map_or_else(|| Reply::data(""), |i| Reply::ok(&detail(i, hour)))
    });
    bench
}

/// A ledger of ten rows below this header row.
fn ledger(header: &str, row: impl Fn(usize) -> String) -> String {
    let rows = (0..10).map(|i| row(i) + "\n");
    std::iter::once(format!("{header}\n")).chain(rows).collect()
}

fn called_at(i: usize) -> String {
    format!("2024-05-25 10:{i:02}:00")
}

/// Runs with product and day for rows without them.
fn run(bench: &Bench) -> Run {
    bench.run(&["--prod-id", PRODUCT, "--call-date", "2024-05-25"]).exits(0)
}

/// Asserts that this number of calls agrees, and that there is no discrepancy but unusable rows.
#[track_caller]
fn assert_agree(bench: &Bench, calls: u64, unusable: u64) {
    let summary = bench.summary();
    summary.assert_totals();
    assert_eq!(bench.kinds(), vec![("invalid_row".to_owned(), "call_id".to_owned()); unusable as usize]);
    assert_eq!((summary.number("clean"), summary.number("invalid")), (calls, unusable));
}

#[test]
fn callback_header() {
    let row = |i| format!("{},2024-05-25 18:{i:02}:08,,{},200003,,{},o{i}", id(i), 20 + i, callee(i));
    let header = "call_id,start_time,end_time,duration,status_code,caller,callee,out_id";
    let bench = bench(ledger(header, row), 10);
    run(&bench);
    let rows = bench.discrepancies();
    assert_eq!(rows.len(), 20);
    for (field, expected, actual, delta) in [
        ("state", "200003", "200000", ""),
        ("started_at", "2024-05-25 18:00:08", "2024-05-25 10:00:08", "-28800"),
    ] {
        let of_field: Vec<_> = rows.iter().filter(|row| row["field"] == field).cloned().collect();
        assert_eq!(column(&of_field, "delta"), [delta; 10]);
        let first = [&of_field[0]["kind"], &of_field[0]["expected"], &of_field[0]["actual"]];
        assert_eq!(first, ["mismatch", expected, actual]);
    }
    // Other names of the callback and of the request for a call.
    for (header, wanted) in [
        ("call_id,originate_time,CalledNumber,CalledShowNumber", "called_at callee callee_show_number"),
        (
            "CallId,originateTime,caller_show_num,callee_show_num",
            "called_at callee_show_number caller_show_number",
        ),
        ("callId,startTime,endTime,statusCode,duration", "duration_s ended_at started_at state"),
    ] {
        let bench =
            self::bench(format!("{header}\n{}{}\n", id(0), ",".repeat(header.matches(',').count())), 10);
        let plan =
            bench.command_output(&["plan", "--json", "--prod-id", PRODUCT, "--call-date", "2024-05-25"]);
        let plan: Value = serde_json::from_str(&plan).unwrap();
        let columns = plan["columns"].as_array().unwrap();
        let mut fields: Vec<&str> = columns[1..].iter().filter_map(|c| c["name"].as_str()).collect();
        fields.sort_unstable();
        assert_eq!(fields.join(" "), wanted, "{header}");
    }
}

#[test]
fn a_column_that_looks_like_a_field_is_named() {
    let header = "call_id,calee,status,b_time,通话时长(分钟),originate_time,call_time,remark";
    let bench = bench(ledger(header, |i| format!("{},1,2,3,4,{},,", id(i), called_at(i))), 10);
    let run = run(&bench);
    let run =
        run.says("note: column `calee` is carried, not read; if it holds `callee`, use --map 'callee=calee'");
    let run = run
        .says("--map 'state=status'")
        .says("`通话时长(分钟)` is carried, not read: its header names another unit or time zone");
    assert!(!run.stderr.contains("remark") && !run.stderr.contains("call_time"), "{}", run.stderr);
    bench.run(&["--prod-id", PRODUCT, "--map", "callee=calee"]).exits(0);
    assert!(bench.kinds().contains(&("mismatch".to_owned(), "callee".to_owned())));
}

#[test]
fn plan_shows_what_every_column_is_used_for() {
    let header = "通话编号,产品,拨打时间,被叫,CalledNumber,时长(秒),duration,备注,reconcile_reason";
    let bench = bench(ledger(header, |i| format!("{},语音通知,{},,,,,,", id(i), called_at(i))), 10);
    let text = bench.command_output(&["plan"]);
    for line in [
        "columns read     call_id from `通话编号`, prod_id from `产品`, called_at from `拨打时间`, duration_s from `duration`",
        "columns carried  ledger_被叫, ledger_CalledNumber, ledger_时长(秒), ledger_备注",
        "columns ignored  reconcile_reason",
        "note: the columns `被叫`, `CalledNumber` all look like `callee`, so none of them is read; choose one with --map 'callee=被叫' or --map 'callee=CalledNumber'",
        "note: column `时长(秒)` is carried, not read: `duration_s` is read from column `duration`; --map 'duration_s=时长(秒)' reads it instead",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
}

#[test]
fn chinese_header() {
    let row = |i| format!("{},语音通知,{},{},99,200000,2024-05-25 00:00:01", id(i), called_at(i), callee(i));
    let text = ledger("通话ID,产品,呼叫时间,被叫号码,通话时长(秒),通话状态,接通时间", row);
    let bench = bench(encoding_rs::GB18030.encode(&text).0, 10);
    run(&bench).says("--map 'started_at=接通时间'");
    let rows = bench.discrepancies();
    assert_eq!(column(&rows, "field"), ["duration_s"; 10]);
    assert_eq!(column(&rows, "expected"), ["99"; 10]);
    assert_eq!(column(&rows, "actual")[..4], ["20", "21", "22", "23"]);
    let products = ["语音通知", "语音验证码", "点击拨号", "智能外呼", "语音IVR"];
    let text = ledger("通话编号,产品,拨打时间,被叫,主叫,时长（秒）", |i| {
        format!("{},{},{},{},,{}", id(i), products[i % 5], called_at(i), callee(i), 20 + i)
    });
    let bench = self::bench(text, 10);
    run(&bench);
    assert_agree(&bench, 10, 0);
    let numbers = ["11000000300006", "11010000138001", "11000000300004", "11030000180001", "11000000300005"];
    assert_eq!(column(&bench.details(), "prod_id")[..5], numbers);
}

#[test]
fn floats_from_pandas() {
    let row = |i| format!("{},{PRODUCT}.0,{},{}.0,200000.0,{}.0", id(i), called_at(i), callee(i), 20 + i);
    let bench = bench(ledger("call_id,prod_id,called_at,callee,state,duration", row), 10);
    run(&bench);
    assert_agree(&bench, 10, 0);
}

#[test]
fn unit_separator() {
    let row = |i| {
        let mark = if i < 3 { "\u{1f}" } else { "" };
        format!(
            "{mark}{},{PRODUCT},\u{1f}{},\u{1f}{},200000,\u{1f}{}",
            id(i),
            called_at(i),
            callee(i),
            20 + i
        )
    };
    let bench = bench(ledger("call_id,prod_id,called_at,callee,state,duration", row), 10);
    run(&bench)
        .says("call_id: the CallId contains a control character or a line break (3 rows, first: line 2)");
    assert_agree(&bench, 7, 3);
    assert_eq!(bench.provider.seen(), 7);
}

#[test]
fn backtick() {
    let row = |i| {
        let mark = if i < 3 { "`" } else { "" };
        format!("{mark}{},{PRODUCT},{},`{},`200000,`{}", id(i), called_at(i), callee(i), 20 + i)
    };
    let bench = bench(ledger("call_id,prod_id,called_at,callee,state,duration", row), 10);
    run(&bench);
    assert_agree(&bench, 7, 3);
    assert_eq!(bench.provider.seen(), 7);
}

#[test]
fn big5() {
    for text in [
        ledger("call_id,called_at,備註,場景", |i| {
            format!("{},{},客戶投訴，已回訪,客服部", id(i), called_at(i))
        }),
        ledger("呼叫ID,product,呼叫時間,備註", |i| {
            format!("{},{PRODUCT},{},客戶投訴", id(i), called_at(i))
        }),
    ] {
        let (bytes, _, damaged) = encoding_rs::BIG5.encode(&text);
        assert!(!damaged);
        let bench = bench(bytes, 10);
        bench.run(&[]).exits(2).says("probably text in Big5").says("convert it to UTF-8");
        assert_eq!(bench.provider.seen(), 0);
    }
}

#[test]
fn comma_only_lines() {
    let row = |i| format!("{},{PRODUCT},{},{}", id(i), called_at(i), callee(i));
    for line in [",,,\n", ",,,,,,,\n", " ,\t,,\n", "\"\",\"\",\"\",\"\"\n", "   \n"] {
        let text = ledger("call_id,prod_id,called_at,callee", row) + &line.repeat(30);
        let bench = bench(text, 10);
        run(&bench).says("30 rows (first: line 12): only separators or spaces");
        assert_agree(&bench, 10, 0);
        assert_eq!(bench.summary().number("rows"), 10);
    }
}

#[test]
fn joined_with_header() {
    for header in ["call_id", "call_id,callee"] {
        let row = |i| if header == "call_id" { id(i) } else { format!("{},{}", id(i), callee(i)) };
        let text = ledger(header, row);
        let (first, second) = text.split_at(text.find(&id(5)).unwrap());
        let bench = bench(format!("{first}{header}\n{second}"), 10);
        run(&bench).says("1 row (line 7): the header row again. It is passed over");
        assert_eq!(bench.provider.asked_for("call_id").len(), 0);
        assert_eq!((bench.provider.seen(), bench.kinds().len()), (10, 0));
    }
    let bench = bench(format!("call_id,callee\n{},\nCallId,called_at\n{},2024\n", id(0), id(1)), 10);
    run(&bench).says("call_id: a header row of another file (1 row, line 3)");
    assert_eq!(bench.provider.asked_for("CallId").len(), 0);
}

#[test]
fn mysql_outfile() {
    let remarks = [
        "ok",
        "He said \\\"no\\\"",
        "a\\\", b",
        "C:\\\\dir\\\\",
        "\\N",
        "two\\\nlines",
        "ok",
        "x\\\"",
        "\\\"",
        "y\\\"",
    ];
    let row =
        |i: usize| format!("\"{}\",{PRODUCT},\"{}\",{},\"{}\"", id(i), called_at(i), 20 + i, remarks[i]);
    let bench = bench(ledger("call_id,prod_id,called_at,duration,remark", row), 10);
    run(&bench).says("5 rows (first: line 3): backslash escapes in quotes, as MySQL writes them");
    assert_agree(&bench, 10, 0);
    let details = bench.details();
    assert_eq!(column(&details, "ledger_remark")[1..3], ["He said \"no\"", "a\", b"]);
    assert_eq!(column(&details, "ledger_remark")[7..], ["x\"", "\"", "y\""]);
}

#[test]
fn lines_above_the_header() {
    let row = |i| format!("{}\t,{PRODUCT} ,{}  ,{}   ,{}   ,", id(i), called_at(i), 20 + i, callee(i));
    let table =
        ledger("call_id             ,prod_id     ,called_at           ,duration  ,callee      ,", row);
    let below =
        "------------------------,,,,,\n合计,,,245,,\n导出时间：[2024-05-26 08:00:00] 用户：测试,,,,,\n";
    let above = format!("语音通话记录导出,,,,\n起始时间：[2024-05-25 00:00:00],,,,\n{}", ",,,,\n".repeat(18));
    for above in [above.clone(), format!("标题行,,,,\n{above}"), "title\n\n\"a\nb\n".to_owned()] {
        let lines = above.lines().count();
        let text = format!("{above}{table}{below}");
        let bench = bench(encoding_rs::GB18030.encode(&text).0, 10);
        let hint = format!(
            "line {} looks like the header row; pass over the lines above it with --skip-lines {lines}",
            lines + 1
        );
        bench.run(&[]).exits(2).says(&hint);
        let run = bench.run(&["--skip-lines", &lines.to_string()]).exits(0);
        run.says("a total below or above the calls, not a call (1 row");
        assert_agree(&bench, 10, 3);
        assert_eq!(column(&bench.discrepancies(), "ledger_line")[0], (lines + 12).to_string());
    }
}

#[test]
fn digits_gone() {
    let row = |i: usize| {
        format!(
            "{},{PRODUCT},{},{}",
            116_014_888_060_102_000 + i as u64 / 2 * 1_000_000,
            called_at(i),
            callee(i)
        )
    };
    let text = ledger("call_id,prod_id,called_at,callee", row);
    let bench = bench(&text, 10);
    let note = "10 rows (first: line 2): the CallId has only digits, and only zeros after the 15th";
    bench.run(&[]).exits(0).says(note).says("a spreadsheet dropped their last digits");
    // A whole night of such CallIds is not asked for.
    let rows = text.lines().skip(1).collect::<Vec<_>>().join("\n");
    bench.write("calls.csv", &format!("{text}{rows}\n"));
    let asked = bench.provider.seen();
    bench.run(&["--refresh"]).exits(2).says("a spreadsheet dropped the digits after the 15th (20 rows)");
    assert_eq!(bench.provider.seen(), asked);
    bench.run(&["--max-unusable", "100%"]).exits(0);
}

#[test]
fn querydate_is_today() {
    let row = |i| format!("171665460000{i}^{},{PRODUCT},2024-06-03", 102_816_310_000_u64 + i as u64);
    let bench = bench(ledger("call_id,prod_id,query_date", row), 10);
    let note = "10 rows (first: line 2): the CallId contains a time on another day than the row. \
                The provider is asked for the row's day";
    bench.run(&[]).exits(0).says(note);
    let text = "call_id,prod_id,called_at\n1716652802000^1,11000000300006,2024-05-25 23:59:59\n";
    bench.write("calls.csv", text);
    let run = bench.run(&[]).exits(0);
    assert!(!run.stderr.contains("another day"), "a call at midnight: {}", run.stderr);
}

#[test]
fn calls_ahead_of_the_clock() {
    let now = chrono::Utc::now();
    let later =
        |hours: i64| (now + chrono::TimeDelta::hours(8 + hours)).format("%Y-%m-%d %H:%M:%S").to_string();
    let text = format!(
        "call_id,prod_id,called_at\n{},{PRODUCT},{}\n{},{PRODUCT},{}\n{},{PRODUCT},{}\n",
        id(0),
        later(-1),
        id(1),
        later(8),
        id(2),
        later(7)
    );
    let run = bench(text, 10).run(&[]).exits(0);
    run.says("2 rows (first: line 3): the call is ahead of this machine's clock, by up to")
        .says("the time zone");
}

#[test]
fn a_zstd_window_that_is_too_large_is_named() {
    let bench = Bench::new("");
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.window_log(29).unwrap();
    std::io::Write::write_all(&mut encoder, crate::support::ledger(3).as_bytes()).unwrap();
    std::fs::write(bench.path("calls.csv.zst"), encoder.finish().unwrap()).unwrap();
    let run = bench.run(&["--input", "calls.csv.zst"]).exits(2);
    run.says("its zstd data has a window of more than 128 MiB").says("pack it again without --long");
}
