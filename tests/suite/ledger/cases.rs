//! The cases. Each is named for its cause: the program or the habit that makes such files.

use std::io::Write as _;

use super::{Case, case};

/// A Chinese ledger, the most common kind.
const CHINESE: &str = "呼叫ID,呼叫时间,被叫号码,备注\r\n116^1,2026-11-01 09:05:07,13800000001,张伟\r\n\
                       116^2,2026-11-01 09:06:00,13800000002,已接通\r\n";

/// The expected rows of [`CHINESE`] in every encoding.
const CHINESE_ROWS: &str =
    "2 116^1 2026-11-01 called_at=2026-11-01 09:05:07 callee=13800000001 ledger_备注=张伟
     3 116^2 2026-11-01 called_at=2026-11-01 09:06:00 callee=13800000002 ledger_备注=已接通";

fn gb18030(text: &str) -> Vec<u8> {
    encoding_rs::GB18030.encode(text).0.into_owned()
}

fn utf16(text: &str, mark: bool, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    let mark = if mark { "\u{feff}" } else { "" };
    format!("{mark}{text}").encode_utf16().flat_map(bytes).collect()
}

pub fn gz(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let mut packing = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packing.write_all(bytes.as_ref()).unwrap();
    packing.finish().unwrap()
}

fn zst(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    zstd::encode_all(bytes.as_ref(), 3).unwrap()
}

/// A ledger with one call per time.
fn called(times: &[&str]) -> String {
    let rows = times.iter().enumerate().map(|(i, time)| format!("{i}^1,\"{time}\"\n"));
    std::iter::once("call_id,called_at\n".to_owned()).chain(rows).collect()
}

pub fn cases() -> Vec<Case> {
    [
        encodings(),
        packing(),
        delimiters(),
        headers(),
        spreadsheets(),
        times(),
        values(),
        invalid(),
        whole(),
        refused(),
        exports(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn encodings() -> Vec<Case> {
    let with = |before: &[u8], text: &[u8]| [before, text].concat();
    let (le, be) = (u16::to_le_bytes, u16::to_be_bytes);
    vec![
        case("MySQL on Linux: UTF-8", CHINESE, CHINESE_ROWS),
        case("Excel, CSV UTF-8: a byte order mark", with(b"\xEF\xBB\xBF", CHINESE.as_bytes()), CHINESE_ROWS),
        case(
            "Excel on a Chinese Windows, CSV: GBK",
            gb18030(CHINESE),
            "2 116^1 2026-11-01 called_at=2026-11-01 09:05:07 callee=13800000001 ledger_备注=张伟
             3 116^2 2026-11-01 called_at=2026-11-01 09:06:00 callee=13800000002 ledger_备注=已接通
             ~ GB18030",
        ),
        case(
            "a name that only GB18030 has, in four bytes",
            gb18030("call_id,called_at,客户\n1^1,2026-11-01,㐀𠮷\n"),
            "2 1^1 2026-11-01 ledger_客户=㐀𠮷
             ~ GB18030",
        ),
        case(
            "GB18030 with its own byte order mark",
            with(b"\x84\x31\x95\x33", &gb18030("call_id,called_at\n1^1,2026-11-01\n")),
            "2 1^1 2026-11-01
             ~ GB18030",
        ),
        case(
            "Excel, Unicode text: UTF-16 with tabs",
            utf16(&CHINESE.replace(',', "\t"), true, le),
            "2 116^1 2026-11-01 called_at=2026-11-01 09:05:07 callee=13800000001 ledger_备注=张伟
             3 116^2 2026-11-01 called_at=2026-11-01 09:06:00 callee=13800000002 ledger_备注=已接通
             ~ UTF-16 (little-endian), separated by tab",
        ),
        case(
            "a Java program on Unix: UTF-16, big-endian",
            utf16(CHINESE, true, be),
            "2 116^1 2026-11-01 called_at=2026-11-01 09:05:07 callee=13800000001 ledger_备注=张伟
             3 116^2 2026-11-01 called_at=2026-11-01 09:06:00 callee=13800000002 ledger_备注=已接通
             ~ UTF-16 (big-endian)",
        ),
        case(
            "SQL Server's bcp -w: UTF-16 without a mark",
            utf16(CHINESE, false, le),
            "2 116^1 2026-11-01 called_at=2026-11-01 09:05:07 callee=13800000001 ledger_备注=张伟
             3 116^2 2026-11-01 called_at=2026-11-01 09:06:00 callee=13800000002 ledger_备注=已接通
             ~ UTF-16 (little-endian)",
        ),
        case(
            "UTF-16, big-endian, without a mark",
            utf16("call_id,called_at\n1^1,2026-11-01\n", false, be),
            "2 1^1 2026-11-01
             ~ UTF-16 (big-endian)",
        ),
        case(
            "the first Chinese character comes late, in GBK",
            with(
                format!("call_id,called_at,dept,pad\n1^1,2026-11-01,x,{}\n", "-".repeat(200_000)).as_bytes(),
                &gb18030("2^1,2026-11-01,通话,\n"),
            ),
            "2 1^1 2026-11-01 ledger_dept=x ledger_pad=--------------------…
             3 2^1 2026-11-01 ledger_dept=通话 ledger_pad=
             ~ GB18030",
        ),
        case(
            "one damaged character in a UTF-8 file",
            with(CHINESE.as_bytes(), b"116^3,2026-11-01,138,\xE5\x8F\n"),
            "2 116^1 2026-11-01 called_at=2026-11-01 09:05:07 callee=13800000001 ledger_备注=张伟
             3 116^2 2026-11-01 called_at=2026-11-01 09:06:00 callee=13800000002 ledger_备注=已接通
             4! - 4@138 \"\u{fffd}\"",
        ),
        case(
            "a fixed-length column that cuts a GBK character in half",
            with(&gb18030(CHINESE), b"116^3,2026-11-01,138,\xCD\xA8\xBB\n"),
            "2 116^1 2026-11-01 called_at=2026-11-01 09:05:07 callee=13800000001 ledger_备注=张伟
             3 116^2 2026-11-01 called_at=2026-11-01 09:06:00 callee=13800000002 ledger_备注=已接通
             4! - 4@121 \"通\u{fffd}\"
             ~ GB18030",
        ),
        case(
            "a UTF-16 file cut off in the middle of a character",
            {
                let mut cut = utf16("call_id,called_at\n1^1,2026-11-01\n2^2,2026-11-0", true, le);
                cut.push(b'1');
                cut
            },
            "2 1^1 2026-11-01
             3! called_at 2@68 \"2026-11-0\u{fffd}\"
             ~ UTF-16",
        ),
        case(
            "an earlier conversion lost characters and wrote \u{fffd} for them",
            "call_id,called_at,callee,note\n1^1,2026-11-01,1\u{fffd}8,\n2^1,2026-11-01,138,a\u{fffd}\n",
            "2! callee 3@30 \"1\u{fffd}8\"
             3 2^1 2026-11-01 callee=138 ledger_note=a\u{fffd}",
        ),
    ]
}

fn packing() -> Vec<Case> {
    let (head, tail) = ("call_id,called_at\n1^1,2026-11-01\n", "2^1,2026-11-01\n");
    vec![
        case(
            "mysqldump | gzip",
            gz([head, tail].concat()),
            "2 1^1 2026-11-01\n 3 2^1 2026-11-01\n ~ from gzip",
        ),
        case(
            "cat of one .gz a day: several members",
            [gz(head), gz(tail)].concat(),
            "2 1^1 2026-11-01\n 3 2^1 2026-11-01\n ~ from gzip",
        ),
        case("zstd", zst([head, tail].concat()), "2 1^1 2026-11-01\n 3 2^1 2026-11-01\n ~ from zstd"),
        case(
            "cat of several .zst",
            [zst(head), zst(tail)].concat(),
            "2 1^1 2026-11-01\n 3 2^1 2026-11-01\n ~ from zstd",
        ),
        case(
            "GBK, gzip and semicolons at once",
            gz(gb18030("通话ID;呼叫时间;部门\n1^1;2026-11-01;客服\n")),
            "2 1^1 2026-11-01 ledger_部门=客服\n ~ GB18030, separated by `;`, unpacked from gzip",
        ),
        case("an interrupted transfer", &gz(head.repeat(50))[..40], "error: gzip data is cut off"),
        case(
            "bytes after the archive",
            [zst(head), b"oops".to_vec()].concat(),
            "error: zstd data is damaged",
        ),
    ]
}

fn delimiters() -> Vec<Case> {
    vec![
        case("LF", "call_id,called_at\n1^1,2026-11-01\n", "2 1^1 2026-11-01"),
        case("Excel for the Mac before OS X: CR", "call_id,called_at\r1^1,2026-11-01\r", "2 1^1 2026-11-01"),
        case(
            "files joined from several systems: CRLF, LF and CR mixed",
            "call_id,called_at\r\n1^1,2026-11-01\n2^1,2026-11-01\r3^1,2026-11-01\r\n\r\n4^1,2026-11-01",
            "2 1^1 2026-11-01\n 3 2^1 2026-11-01\n 4 3^1 2026-11-01\n 6 4^1 2026-11-01",
        ),
        case(
            "Excel in a country of decimal commas: semicolons",
            "call_id;called_at;cost\n1^1;2026-11-01;1,5\n",
            "2 1^1 2026-11-01 ledger_cost=1,5\n ~ separated by `;`",
        ),
        case(
            "Hive and MaxCompute: tabs",
            "call_id\tcalled_at\tnote\n1^1\t2026-11-01\ta, b; c\n",
            "2 1^1 2026-11-01 ledger_note=a, b; c\n ~ separated by tab",
        ),
        case(
            "bars, as old billing systems write",
            "call_id|called_at\n1^1|2026-11-01\n",
            "2 1^1 2026-11-01\n ~ separated by `|`",
        ),
        case(
            "Excel's own line about the delimiter",
            "sep=;\r\ncall_id;called_at\r\n1^1;2026-11-01\r\n",
            "3 1^1 2026-11-01\n ~ separated by `;`",
        ),
        case(
            "another delimiter inside a quoted header",
            "\"call_id\",\"a;b;c;d\"\n1^1,x\n",
            "2! called_at -@20 \"\"",
        ),
        case(
            "a column named call_id among commas and bars; --delimiter decides",
            "call_id|x,called_at|y,call_id\n1|2,2026-11-01|3,1^1\n",
            "2! called_at 2@30 \"2026-11-01|3\"",
        )
        .delimiter(b',')
        .map("called_at", "called_at|y"),
        case(
            "a comma, a quote and a line end inside a value",
            "call_id,called_at,note\n1^1,2026-11-01,\"a,\"\"b\"\"\nc\"\n2^1,2026-11-01,\n",
            "2 1^1 2026-11-01 ledger_note=a,\\\"b\\\"\\nc\n 4 2^1 2026-11-01 ledger_note=",
        ),
    ]
}

fn headers() -> Vec<Case> {
    vec![
        case(
            "the contract's names",
            "call_id,prod_id,called_at,query_date,caller,callee,caller_show_number,callee_show_number,state,answered,\
             duration_s,started_at,ended_at\n1^1,ivr,2026-11-01 09:00:00,2026-11-02,1,2,3,4,200000,true,9,\
             2026-11-01 09:00:01,2026-11-01 09:00:10\n",
            "2 1^1 2026-11-01 prod_id=11000000300005 called_at=2026-11-01 09:00:00 query_date=2026-11-02 caller=1 \
             callee=2 caller_show_number=3 callee_show_number=4 state=200000 answered=true duration_s=9 \
             started_at=2026-11-01 09:00:01 ended_at=2026-11-01 09:00:10",
        ),
        case(
            "the provider's own names, as in its answers",
            "callId,ProdId,gmtCreate,caller,callee,callerShowNumber,calleeShowNumber,state,duration,startDate,endDate,\
             stateDesc\n1^1,11000000300006,2026-11-01 09:00:00,1,2,3,4,200000,9,2026-11-01 09:00:01,\
             2026-11-01 09:00:10,用户接听\n",
            "2 1^1 2026-11-01 prod_id=11000000300006 called_at=2026-11-01 09:00:00 caller=1 callee=2 \
             caller_show_number=3 callee_show_number=4 state=200000 duration_s=9 started_at=2026-11-01 09:00:01 \
             ended_at=2026-11-01 09:00:10 ledger_stateDesc=用户接听",
        ),
        case(
            "Chinese names",
            "通话ID,产品ID,呼叫时间,查询日期,主叫号码,被叫号码,主叫显号,被叫显号,通话状态,是否接通,通话时长,开始时间,结束时间\n\
             1^1,ivr,2026-11-01 09:00:00,2026-11-02,1,2,3,4,200000,是,9,2026-11-01 09:00:01,2026-11-01 09:00:10\n",
            "2 1^1 2026-11-01 prod_id=11000000300005 called_at=2026-11-01 09:00:00 query_date=2026-11-02 caller=1 \
             callee=2 caller_show_number=3 callee_show_number=4 state=200000 answered=true duration_s=9 \
             started_at=2026-11-01 09:00:01 ended_at=2026-11-01 09:00:10",
        ),
        case(
            "names typed by hand: case, spaces, full width",
            "Call ID, CALLED-AT ,ＣＡＬＬＥＥ\n1^1,2026-11-01,138\n",
            "2 1^1 2026-11-01 callee=138",
        ),
        case("a system with unknown names: --map", "话单号,时间\n1^1,2026-11-01\n", "2 1^1 2026-11-01")
            .map("call_id", "话单号")
            .map("called_at", "时间"),
        case("a mistyped call_id", "cal_id,called_at\n1^1,2026-11-01\n", "error: no column `call_id`"),
        case("a table without calls", "name,amount\nx,1\n", "error: no column `call_id`"),
        case("no header row", "116^1,13800000001\n116^2,13800000002\n", "error: no column `call_id`"),
        case(
            "a delimiter that is not known",
            "call_id~called_at\n1^1~2026-11-01\n",
            "error: no column `call_id`",
        ),
        case(
            "a join that left two columns of one name",
            "call_id,callee,callee\n",
            "error: two columns for `callee`",
        ),
        case("two names of one field", "CallId,呼叫ID,called_at\n", "error: two columns for `call_id`"),
        case("--map with a mistyped header", "id,when\n", "error: names the column `idd`")
            .map("call_id", "idd"),
        case("--map with a mistyped field", "id,when\n", "error: names `calld`").map("calld", "id"),
        case(
            "carried columns with the same name",
            "call_id,called_at,Note,note,,line\n1^1,2026-11-01,a,b,c,d\n",
            "2 1^1 2026-11-01 ledger_Note=a ledger_note_2=b ledger_column_5=c ledger_line_2=d
             ~ column 4 of the ledger is named `ledger_note_2` in the outputs
             ~ column 6 of the ledger is named `ledger_line_2` in the outputs",
        ),
    ]
}

fn spreadsheets() -> Vec<Case> {
    vec![
        case(
            "Excel made a product of 14 digits scientific",
            "call_id,prod_id,called_at\n1^1,1.1E+13,2026-11-01\n",
            "2! prod_id 2@26 \"1.1E+13\"",
        ),
        case(
            "Excel made a time in milliseconds scientific",
            "call_id,called_at\n1^1,1.77E+12\n",
            "2! called_at 2@18 \"1.77E+12\"",
        ),
        case(
            "Excel made a phone number scientific",
            "call_id,called_at,callee\n1^1,2026-11-01,8.61381E+12\n",
            "2! callee 3@25 \"8.61381E+12\"",
        ),
        case(
            "a CallId without its ^ became a number",
            "call_id,called_at\n1.16015E+23,2026-11-01\n",
            "2! call_id 1@18 \"1.16015E+23\"",
        ),
        case(
            "text to columns split the CallId at its ^: one field too many",
            "call_id,called_at\n116014888060,^102816313060,2026-11-01\n",
            "2! - -@18 \"3\"",
        ),
        case(
            "text to columns split the CallId into two columns",
            "call_id,rest,called_at\n116014888060,^102816313060,2026-11-01\n",
            "2 116014888060 2026-11-01 ledger_rest=^102816313060
             ~ the CallId was split at its `^` into two columns",
        ),
        case(
            "only half of the CallId was exported",
            "call_id,called_at\n116014888060^,2026-11-01\n^102816313060,2026-11-01\n",
            "2! call_id 1@18 \"116014888060^\"\n 3! call_id 1@43 \"^102816313060\"",
        ),
        case(
            "an export dropped the ^ of the CallId",
            "call_id,called_at\n116014888060102816313060,2026-11-01\n",
            "2 116014888060102816313060 2026-11-01\n ~ 1 row (line 2): the CallId has only digits",
        ),
        case(
            "an input method typed the CallId in full width",
            "call_id,called_at\n116014888060＾102816313060,2026-11-01\n１^1,2026-11-01\n",
            "2! call_id 1@18 \"116014888060＾102816313060\"\n 3! call_id 1@57 \"１^1\"",
        ),
        case(
            "a CallId in quotes or a formula, to keep a spreadsheet from reading it as a number",
            "call_id,called_at\n\"=\"\"116^1\"\"\",2026-11-01\n'116^2,2026-11-01\n",
            "2! call_id 1@18 \"=\\\"116^1\\\"\"\n 3! call_id 1@42 \"'116^2\"",
        ),
        case(
            "Excel dropped the leading zeros of all fixed-line numbers",
            "call_id,called_at,caller,callee\n1^1,2026-11-01,5344750000,13800000001\n2^1,2026-11-01,1088888888,4001234567\n",
            "2 1^1 2026-11-01 caller=5344750000 callee=13800000001
             3 2^1 2026-11-01 caller=1088888888 callee=4001234567
             ~ `caller`: 2 rows (first: line 2) of 2 may lack a leading 0",
        ),
        case(
            "leading zeros that are there stay, and are not missed elsewhere",
            "call_id,called_at,caller\n1^1,2026-11-01,05344750000\n2^1,2026-11-01,5344750000\n",
            "2 1^1 2026-11-01 caller=05344750000\n 3 2^1 2026-11-01 caller=5344750000",
        ),
        case(
            "numbers kept as text by a formula or an apostrophe",
            "call_id,called_at,caller,callee\n1^1,2026-11-01,\"=\"\"05344750000\"\"\",'0571\n",
            "2 1^1 2026-11-01 caller=05344750000 callee=0571",
        ),
        case(
            "Excel's date: slashes, no zeros",
            called(&["2026/11/1 9:05", "2026/11/1 9:05:07", "2026/11/1"]),
            "2 0^1 2026-11-01 called_at=2026-11-01 09:05:00
             3 1^1 2026-11-01 called_at=2026-11-01 09:05:07
             4 2^1 2026-11-01",
        ),
        case(
            "Excel's date as a number: serial days",
            called(&["45962.37", "45962"]),
            "2 0^1 2025-11-01 called_at=2025-11-01 08:52:48
             3 1^1 2025-11-01
             ~ 2 rows (first: line 2): a time is a spreadsheet's serial number",
        ),
        case(
            "Excel's short date, without a year",
            called(&["11月1日", "11月1日 9:05", "1-Nov"]),
            "2! called_at 2@18 \"11月1日\"\n 3! called_at 2@34 \"11月1日 9:05\"\n 4! called_at 2@55 \"1-Nov\"",
        ),
        case(
            "Excel in America: month first",
            called(&["11/1/2026", "11/1/2026 9:05", "11/1/26"]),
            "2! called_at 2@18 \"11/1/2026\"\n 3! called_at 2@34 \"11/1/2026 9:05\"\n 4! called_at 2@55 \"11/1/26\"",
        ),
        case(
            "the twelve-hour clock",
            called(&["2026/11/1 9:05 PM", "2026/11/1 下午9:05"]),
            "2! called_at 2@18 \"2026/11/1 9:05 PM\"\n 3! called_at 2@42 \"2026/11/1 下午9:05\"",
        ),
        case(
            "columns too narrow, exported as shown",
            called(&["########"]),
            "2! called_at 2@18 \"########\"",
        ),
    ]
}

fn times() -> Vec<Case> {
    vec![
        case("Unix seconds", called(&["1793495107"]), "2 0^1 2026-11-01 called_at=2026-11-01 09:05:07"),
        case(
            "Unix milliseconds",
            called(&["1793495107000"]),
            "2 0^1 2026-11-01 called_at=2026-11-01 09:05:07",
        ),
        case(
            "MySQL's UNIX_TIMESTAMP(6)",
            called(&["1793495107.250000"]),
            "2 0^1 2026-11-01 called_at=2026-11-01 09:05:07",
        ),
        case(
            "RFC 3339",
            called(&["2026-11-01T01:05:07Z", "2026-11-01T09:05:07.5+08:00"]),
            "2 0^1 2026-11-01 called_at=2026-11-01 09:05:07\n 3 1^1 2026-11-01 called_at=2026-11-01 09:05:07",
        ),
        case(
            "DuckDB's TIMESTAMPTZ",
            called(&["2026-11-01 01:05:07+00"]),
            "2 0^1 2026-11-01 called_at=2026-11-01 09:05:07",
        ),
        case(
            "MySQL's DATETIME",
            called(&["2026-11-01 09:05:07", "2026-11-01 09:05:07.000000", "2026-11-01"]),
            "2 0^1 2026-11-01 called_at=2026-11-01 09:05:07
             3 1^1 2026-11-01 called_at=2026-11-01 09:05:07
             4 2^1 2026-11-01",
        ),
        case(
            "Chinese dates",
            called(&["2026年11月1日 9:05", "2026年11月1日", "2026年11月1日9时5分7秒"]),
            "2 0^1 2026-11-01 called_at=2026-11-01 09:05:00
             3 1^1 2026-11-01
             4 2^1 2026-11-01 called_at=2026-11-01 09:05:07",
        ),
        case(
            "a date typed with full-width digits",
            called(&["２０２６／１１／１\u{3000}９：０５"]),
            "2 0^1 2026-11-01 called_at=2026-11-01 09:05:00",
        ),
        case("MaxCompute's partition", "call_id,query_date\n1^1,20261101\n", "2 1^1 2026-11-01"),
        case(
            "a day just past midnight in UTC+8",
            called(&["2026-10-31T16:00:00Z"]),
            "2 0^1 2026-11-01 called_at=2026-11-01 00:00:00",
        ),
        case(
            "only the CallId contains the day",
            "call_id\n1793495107000^1\n116014888060^1\n",
            "2 1793495107000^1 2026-11-01\n 3! called_at -@24 \"\"",
        ),
        case(
            "MySQL's zero date",
            called(&["0000-00-00 00:00:00"]),
            "2! called_at 2@18 \"0000-00-00 00:00:00\"",
        ),
        case("microseconds", called(&["1793495107000000"]), "2! called_at 2@18 \"1793495107000000\""),
        case(
            "days that do not exist",
            called(&["2026-02-30", "2026-11-01 25:00"]),
            "2! called_at 2@18 \"2026-02-30\"\n 3! called_at 2@35 \"2026-11-01 25:00\"",
        ),
        case("a word instead of a time", called(&["yesterday"]), "2! called_at 2@18 \"yesterday\""),
        case("another century", called(&["1926-11-01"]), "2! called_at 2@18 \"1926-11-01\""),
    ]
}

fn values() -> Vec<Case> {
    vec![
        case(
            "an input method typed numbers in full width",
            "call_id,prod_id,called_at,callee,answered,duration_s\n1^1,１１００００００３００００６,2026-11-01,＋８６－１３８,ＹＥＳ,７５\n",
            "2 1^1 2026-11-01 prod_id=11000000300006 callee=+86-138 answered=true duration_s=75",
        ),
        case(
            "a number copied from an address book, with marks of direction around it",
            "call_id,called_at,callee\n1^1,2026-11-01,\u{202d}13800000001\u{202c}\n",
            "2 1^1 2026-11-01 callee=13800000001",
        ),
        case(
            "cat of files that each begin with a byte order mark",
            "call_id,called_at\n1^1,2026-11-01\n\u{feff}call_id,called_at\n\u{feff}2^1,2026-11-01\n",
            "2 1^1 2026-11-01\n 4! call_id 1@54 \"\\u{feff}2^1\"\n ~ 1 row (line 3): the header row again",
        ),
        case(
            "full width in a column of one's own stays",
            "call_id,called_at,note\n1^1,2026-11-01,Ａ＋\n",
            "2 1^1 2026-11-01 ledger_note=Ａ＋",
        ),
        case(
            "what datacompy takes for a number: 05344750000",
            "call_id,called_at,callee,ledger_no\n0001^01,2026-11-01,05344750000,007\n",
            "2 0001^01 2026-11-01 callee=05344750000 ledger_ledger_no=007",
        ),
        case(
            "MySQL's and Hive's NULL",
            "call_id,called_at,ended_at,state,note\n1^1,2026-11-01,\\N,NULL,NULL\n",
            "2 1^1 2026-11-01 ledger_note=NULL\n ~ 1 row (line 2): a value is NULL",
        ),
        case(
            "yes and no in the words of four systems",
            "call_id,called_at,answered\n1^1,2026-11-01,是\n2^1,2026-11-01,FALSE\n3^1,2026-11-01,1\n4^1,2026-11-01,n\n5^1,2026-11-01,√\n",
            "2 1^1 2026-11-01 answered=true
             3 2^1 2026-11-01 answered=false
             4 3^1 2026-11-01 answered=true
             5 4^1 2026-11-01 answered=false
             6! answered 3@101 \"√\"",
        ),
        case(
            "a duration as a spreadsheet shows it",
            "call_id,called_at,duration_s\n1^1,2026-11-01,0:01:15\n2^1,2026-11-01,75.0\n",
            "2! duration_s 3@29 \"0:01:15\"\n 3 2^1 2026-11-01 duration_s=75",
        ),
        case(
            "a product by its name in the console",
            "call_id,prod_id,called_at\n1^1,Voice Notification,2026-11-01\n2^1,语音通知,2026-11-01\n",
            "2 1^1 2026-11-01 prod_id=11000000300006\n 3 2^1 2026-11-01 prod_id=11000000300006",
        ),
        case("no product anywhere", "call_id,called_at\n1^1,2026-11-01\n", "2! prod_id -@18 \"\"")
            .without_product(),
    ]
}

fn invalid() -> Vec<Case> {
    vec![
        case(
            "rows without a CallId",
            "call_id,called_at\n,2026-11-01\n \u{3000},2026-11-01\n",
            "2! call_id 1@18 \"\"\n 3! call_id 1@30 \"\"",
        ),
        case(
            "an address with a comma, not quoted",
            "call_id,called_at,address\n1^1,2026-11-01,Hangzhou, Wenyi Rd\n2^1,2026-11-01,x\n",
            "2! - -@26 \"4\"\n 3 2^1 2026-11-01 ledger_address=x",
        ),
        case(
            "a note with a line end, not quoted",
            "call_id,called_at,note\n1^1,2026-11-01,first\nsecond\n2^1,2026-11-01,x\n",
            "2 1^1 2026-11-01 ledger_note=first\n 3! - -@44 \"1\"\n 4 2^1 2026-11-01 ledger_note=x",
        ),
        case(
            "a quote that is never closed",
            "call_id,called_at,note\n1^1,2026-11-01,\"5\n2^1,2026-11-01,x\n",
            "2! - -@23 \"\"\n 3 2^1 2026-11-01 ledger_note=x",
        ),
        case(
            "a file that ends in the middle of a row",
            "call_id,called_at,note\n1^1,2026-11-01,x\n2^1,2026-",
            "2 1^1 2026-11-01 ledger_note=x\n 3! - -@40 \"2\"",
        ),
        case(
            "a full disk left a line of megabytes",
            [
                b"call_id,called_at\n1^1,2026-11-01\n".to_vec(),
                vec![0; 3 << 20],
                b"\n2^1,2026-11-01\n".to_vec(),
            ]
            .concat(),
            "2 1^1 2026-11-01\n 3! - -@33 \"\"\n 4 2^1 2026-11-01",
        ),
        case(
            "a total below the rows",
            "call_id,called_at,duration_s\n1^1,2026-11-01,9\nTOTAL,,9\n",
            "2 1^1 2026-11-01 duration_s=9\n 3! call_id 1@46 \"TOTAL\"",
        ),
        case(
            "a line end inside a CallId",
            "call_id,called_at\n\"1^1\n\",2026-11-01\n\"2\n^1\",2026-11-01\n",
            "2 1^1 2026-11-01\n 4! call_id 1@36 \"2\\n^1\"",
        ),
        case(
            "the right lines and bytes in UTF-16 with marks and blank lines",
            utf16("call_id,called_at\r\n\r\n呼1^1,soon\r\n2^1,2026-11-01\r\n", true, u16::to_le_bytes),
            "3! called_at 2@44 \"soon\"\n 4 2^1 2026-11-01\n ~ UTF-16",
        ),
    ]
}

fn whole() -> Vec<Case> {
    vec![
        case("an export without a single row", "call_id,called_at\n", ""),
        case(
            "the same export appended twice",
            "call_id,called_at\n1^1,2026-11-01\n1^1,2026-11-01\ncall_id,called_at\n",
            "2 1^1 2026-11-01\n 3 1^1 2026-11-01\n ~ 1 row (line 4): the header row again",
        ),
        case("no end of line at the end", "call_id,called_at\n1^1,2026-11-01", "2 1^1 2026-11-01"),
        case("blank lines everywhere", "\n\ncall_id,called_at\n\n\n1^1,2026-11-01\n\n", "6 1^1 2026-11-01"),
    ]
}

fn refused() -> Vec<Case> {
    vec![
        case("an empty file", "", "error: is empty"),
        case("an empty archive", gz(""), "error: is empty"),
        case("a zip archive that is cut off", "PK\x03\x04", "error: cannot read the workbook"),
        case("an .xls that is HTML", "<html><table><tr><td>call_id</td></tr></table>", "error: HTML"),
        case("an old .xls workbook", b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1", "error: old Excel workbook"),
        case("another compression", "BZh91AY", "error: bzip2"),
        case("UTF-32", b"\xFF\xFE\0\0c\0\0\0a\0\0\0", "error: UTF-32"),
        case("Parquet in an archive", gz("PAR1...."), "error: Parquet file inside an archive"),
        case(
            "a file that only begins like Parquet",
            "PAR1 and no more",
            "error: cannot read the Parquet file",
        ),
        case("a header that is damaged", b"call_id,\xB5\n1,2\n", "error: not valid UTF-8"),
        case(
            "a header with a quote that is never closed",
            "call_id,\"called_at\n1^1,2026-11-01\n",
            "error: never closed",
        ),
    ]
}

/// What consoles, databases and programs put around the rows and values.
fn exports() -> Vec<Case> {
    vec![
        case(
            "pandas made whole numbers floating-point numbers, and gaps NaN",
            "call_id,prod_id,query_date,callee,state,answered,duration\n\
             1^1,11000000300006.0,20261101.0,12510000000.0,200000.0,1.0,20.0\n2^1,nan,20261101.0,NaN,,0.0,None\n",
            "2 1^1 2026-11-01 prod_id=11000000300006 callee=12510000000 state=200000 answered=true duration_s=20
             3 2^1 2026-11-01 answered=false
             ~ 1 row (line 3): a value is NULL, \\N, NaN",
        ),
        case(
            "pandas made the CallId a floating-point number",
            "call_id,called_at\n116014888060.0,2026-11-01\n",
            "2! call_id 1@18 \"116014888060.0\"",
        ),
        case(
            "control characters around values",
            "call_id,called_at,callee,duration\n1^1,\u{1f}2026-11-01 09:05:07,\u{1f}138\u{1e},\u{0}7\u{7f}\n\u{1f}2^1,2026-11-01,,\n3^1,2026-11-01,\u{1f},\n",
            "2 1^1 2026-11-01 called_at=2026-11-01 09:05:07 callee=138 duration_s=7
             3! call_id 1@69 \"\\u{1f}2^1\"
             4 3^1 2026-11-01",
        ),
        case(
            "a console marks numbers as text with a backtick or a curly apostrophe",
            "call_id,called_at,callee,duration\n1^1,`2026-11-01,`138`,’7\n`2^1,2026-11-01,`138,`7\n",
            "2 1^1 2026-11-01 callee=138 duration_s=7\n 3! call_id 1@61 \"`2^1\"",
        ),
        case(
            "a spreadsheet exports rows that were only formatted",
            "call_id,called_at,note\n1^1,2026-11-01,x\n,,\n , \u{3000},\n\"\",\"\",\"\"\n,,,,,,\n",
            "2 1^1 2026-11-01 ledger_note=x\n ~ 4 rows (first: line 3): only separators or spaces",
        ),
        case(
            "files with different columns were joined",
            "call_id,called_at\n1^1,2026-11-01\nCallId,callee\n2^1,138\n",
            "2 1^1 2026-11-01\n 3! call_id 1@33 \"CallId\"\n 4! called_at 2@47 \"138\"",
        ),
        case(
            "MySQL's INTO OUTFILE with quotes",
            r#"call_id,called_at,note
"1^1","2026-11-01","x\""
"2^1","2026-11-01","a\", b"
"3^1","2026-11-01","C:\\dir\\"
"4^1","2026-11-01","He said \"no\""
"#,
            "2 1^1 2026-11-01 ledger_note=x\\\"
             3 2^1 2026-11-01 ledger_note=a\\\", b
             4 3^1 2026-11-01 ledger_note=C:\\\\\\\\dir\\\\\\\\
             5 4^1 2026-11-01 ledger_note=He said \\\"no\\\"
             ~ 3 rows (first: line 2): backslash escapes",
        ),
        case(
            "a quote that only the next row closes",
            "call_id,note,called_at\n1^1,\"5 inch,2026-11-01\n\"2^1\",x,2026-11-01\n3^1,y,2026-11-01\n",
            "2! - -@23 \"\"\n 3 2^1 2026-11-01 ledger_note=x\n 4 3^1 2026-11-01 ledger_note=y",
        ),
        case(
            "lines and totals around the calls",
            "call_id,called_at,note\n----,,\n1^1,2026-11-01,\n合 计：,,1\n共1条记录,,\n导出时间：[2026-11-01],,\nTotal 1\n",
            "2! call_id 1@23 \"----\"
             3 1^1 2026-11-01 ledger_note=
             4! call_id 1@46 \"合 计：\"
             5! call_id 1@60 \"共1条记录\"
             6! call_id 1@76 \"导出时间：[2026-11-01]\"
             7! - -@106 \"1\"",
        ),
        case(
            "lines above the header row",
            "通话记录导出,,\n\ncall_id ,called_at,\n1^1,2026-11-01,\n",
            "error: has no column `call_id`",
        ),
        case(
            "a spreadsheet kept 15 digits of every CallId",
            "call_id,called_at\n116014888060102000,2026-11-01\n116014888061102000,2026-11-01\n",
            "2 116014888060102000 2026-11-01\n 3 116014888061102000 2026-11-01
             ~ 2 rows (first: line 2): the CallId has only digits, and only zeros after the 15th",
        ),
        case(
            "some CallIds of digits end in zeros",
            "call_id,called_at\n116014888060102000,2026-11-01\n116014888061102001,2026-11-01\n",
            "2 116014888060102000 2026-11-01\n 3 116014888061102001 2026-11-01
             ~ 2 rows (first: line 2): the CallId has only digits. An export may have dropped its `^`",
        ),
        case(
            "the day of the export instead of the day of the call",
            "call_id,query_date\n1793495107000^1,2026-11-09\n1793495107000^2,2026-11-01\n",
            "2 1793495107000^1 2026-11-09\n 3 1793495107000^2 2026-11-01
             ~ 1 row (line 2): the CallId contains a time on another day",
        ),
        case("Excel in Taiwan: Big5", big5("call_id,called_at,備註\n1^1,2026-11-01,客戶投訴\n"), "error: Big5"),
    ]
}

fn big5(text: &str) -> Vec<u8> {
    encoding_rs::BIG5.encode(text).0.into_owned()
}
