//! Typed cells as ledger values, and damage that spreadsheets do to them.

use rust_xlsxwriter::{ExcelDateTime, Format, Formula, Worksheet};

use super::{Parts, assert_lines, lines, text_row, workbook};

fn header(sheet: &mut Worksheet, names: &[&str]) {
    sheet.write_row(0, 0, names.iter().copied()).unwrap();
}

fn format(code: &str) -> Format {
    Format::new().set_num_format(code)
}

fn at(hour: u16) -> ExcelDateTime {
    ExcelDateTime::from_ymd(2026, 11, 1).unwrap().and_hms(hour, 5, 7).unwrap()
}

#[test]
fn typed_cells_become_ledger_values() {
    let bytes = workbook(|sheet| {
        let names = ["CallId", "prod_id", "called_at", "query_date", "callee", "caller", "state", "answered"];
        header(sheet, &names);
        sheet.write_row(0, 8, ["duration", "started_at", "ended_at", "n", "share", "code", "ok"]).unwrap();
        sheet.write(1, 0, "1^1").unwrap();
        sheet.write(1, 1, 11_000_000_300_006_u64).unwrap();
        sheet.write_with_format(1, 2, at(9), &format("yyyy\"年\"m\"月\"d\"日\" h:mm:ss")).unwrap();
        let day = ExcelDateTime::from_ymd(2026, 11, 2).unwrap();
        sheet.write_with_format(1, 3, &day, &format("yyyy/m/d")).unwrap();
        sheet.write(1, 4, 13_800_000_001_u64).unwrap();
        sheet.write_with_format(1, 5, 5_344_750_000_u64, &format("00000000000")).unwrap();
        sheet.write_with_format(1, 6, 200_000, &format("0.00E+00")).unwrap();
        sheet.write(1, 7, true).unwrap();
        let talk = ExcelDateTime::from_hms(0, 1, 15).unwrap();
        sheet.write_with_format(1, 8, &talk, &format("[h]:mm:ss")).unwrap();
        sheet.write_with_format(1, 9, at(9), &format("h:mm")).unwrap();
        sheet.write(1, 10, "2026/11/1 9:06").unwrap();
        sheet.write(1, 11, 12.0).unwrap();
        sheet.write_with_format(1, 12, 0.155, &format("0.0%")).unwrap();
        sheet.write_with_format(1, 13, 7, &format("000")).unwrap();
        sheet.write(1, 14, false).unwrap();
    });
    assert_lines(
        &bytes,
        "2 1^1 2026-11-01 prod_id=11000000300006 called_at=2026-11-01 09:05:07 query_date=2026-11-02 \
         caller=05344750000 callee=13800000001 state=200000 answered=true duration_s=75 started_at=2026-11-01 \
         09:05:07 ended_at=2026-11-01 09:06:00 ledger_n=12 ledger_share=15.5% ledger_code=007 ledger_ok=FALSE",
    );
}

#[test]
fn digits_that_a_number_has_lost_have_the_reason_of_csv() {
    let bytes = workbook(|sheet| {
        header(sheet, &["call_id", "prod_id", "called_at", "callee", "duration"]);
        for (row, (column, value)) in
            [(0, 1.160_148_880_601_02e23), (1, 1.1e16), (2, 2e17), (3, 1.38e20), (4, 1e16)]
                .into_iter()
                .enumerate()
        {
            let row = row as u32 + 1;
            sheet.write_row(row, 0, ["1^1", "7", "2026-11-01", "1", "1"]).unwrap();
            sheet.write(row, column, value).unwrap();
        }
    });
    let why = "a spreadsheet changed this number to scientific notation and dropped digits; export the column as \
               text from the original system";
    assert_lines(
        &bytes,
        &format!(
            "2! call_id 1 \"1.16014888060102E+23\"
             3! prod_id 2 \"1.1E+16\"
             4! called_at 3 \"2E+17\"
             5! callee 4 \"1.38E+20\"
             6! duration_s 5 \"1E+16\"
             line 2: {why} (column 1)
             line 3: {why} (column 2)
             line 4: {why} (column 3)
             line 5: {why} (column 4)
             line 6: {why} (column 5)"
        ),
    );
}

#[test]
fn call_ids_with_zeros_after_fifteen_digits_are_noted() {
    let bytes = workbook(|sheet| {
        header(sheet, &["call_id", "called_at"]);
        for row in 1..=6 {
            sheet.write(row, 0, 1_160_148_880_600_000_u64 + 10 * u64::from(row)).unwrap();
            sheet.write(row, 1, "2026-11-01").unwrap();
        }
    });
    let found = lines(&bytes);
    assert!(found.starts_with("2 1160148880600010 2026-11-01\n3 1160148880600020 "), "{found}");
    assert!(
        found.contains("6 rows (first: line 2): the CallId has only digits, and only zeros after the 15th")
    );
}

#[test]
fn errors_and_formulas_without_a_result_are_unusable() {
    let cell = |cell: &str| {
        let id = "<c t=\"inlineStr\"><is><t>1^1</t></is></c>";
        format!("{id}<c t=\"inlineStr\"><is><t>2026-11-01</t></is></c>{cell}")
    };
    let mut rows = text_row(1, &["call_id", "called_at", "duration", "note"]);
    for (row, cells) in [
        (3, cell("<c r=\"C3\" t=\"e\"><v>#N/A</v></c>")),
        (4, cell("<c r=\"C4\" t=\"e\"><f>A1</f><v>#SPILL!</v></c>")),
        (5, cell("<c r=\"C5\"><f>SUM(A1:A2)</f></c>")),
        (6, cell("<c r=\"C6\"><f>SUM(A1:A2)</f><v></v></c>")),
        (7, cell("<c r=\"C7\"><f>SUM(A1:A2)</f><v>75</v></c>")),
        (8, cell("<c r=\"C8\" t=\"str\"><f>\"\"</f><v></v></c>")),
        (9, cell("<c r=\"D9\" t=\"e\"><v>#REF!</v></c>")),
        (10, cell("<c r=\"D10\"><f>A1</f></c>")),
        (11, "<c t=\"e\"><v>#NAME?</v></c>".to_owned()),
        (12, "<c><f>A1</f></c><c><f>A1</f></c>".to_owned()),
    ] {
        rows += &format!("<row r=\"{row}\">{cells}</row>");
    }
    let result = "holds a formula without a stored result; open the workbook in a spreadsheet program and save it \
                  there";
    assert_lines(
        &Parts::of_rows(&rows).bytes(),
        &format!(
            "3! duration_s 3 \"#N/A\"
             4! duration_s 3 \"#SPILL!\"
             5! duration_s 3 \"\"
             6! duration_s 3 \"\"
             7 1^1 2026-11-01 duration_s=75 ledger_note=
             8 1^1 2026-11-01 ledger_note=
             9 1^1 2026-11-01 ledger_note=#REF!
             10 1^1 2026-11-01 ledger_note=
             11! call_id 1 \"#NAME?\"
             12! call_id 1 \"\"
             line 3: cell C3 holds the error #N/A; correct its formula, or leave the cell empty (column 3)
             line 4: cell C4 holds the error #SPILL!; correct its formula, or leave the cell empty (column 3)
             line 5: cell C5 {result} (column 3)
             line 6: cell C6 {result} (column 3)
             line 11: cell A11 holds the error #NAME?; correct its formula, or leave the cell empty (column 1)
             line 12: cell A12 {result} (column 1)
             note: 4 rows (first: line 5): a formula has no stored result, so its cell is read as unusable or empty. \
             Open the workbook in a spreadsheet program and save it there"
        ),
    );
}

#[test]
fn a_zero_that_was_never_calculated_is_no_result() {
    let bytes = workbook(|sheet| {
        header(sheet, &["call_id", "called_at", "duration"]);
        for row in 1..=2 {
            sheet.write_row(row, 0, ["1^1", "2026-11-01"]).unwrap();
        }
        sheet.write(1, 2, Formula::new("=1+1")).unwrap();
        sheet.write(2, 2, Formula::new("=1+1").set_result("2")).unwrap();
    });
    let found = lines(&bytes);
    assert!(found.starts_with("2! duration_s 3 \"\"\n3 1^1 2026-11-01 duration_s=2\n"), "{found}");
}

#[test]
fn a_workbook_that_counts_from_1904_has_the_same_days() {
    let cell = |style: u8, value: f64| format!("<c s=\"{style}\"><v>{value}</v></c>");
    let row = |number: u64, value: String| {
        format!("<row r=\"{number}\"><c t=\"inlineStr\"><is><t>1^1</t></is></c>{value}</row>")
    };
    let rows = [
        text_row(1, &["call_id", "called_at", "duration"]),
        row(2, cell(1, 44_865.5)),
        row(3, cell(0, 44_865.5)),
        row(4, cell(0, 1_793_495_107.0) + &cell(2, 75.0 / 86_400.0)),
    ]
    .concat();
    let mut parts = Parts::of_rows(&rows);
    parts.change("xl/workbook.xml", "<workbookPr/>", "<workbookPr date1904=\"1\"/>");
    let found = lines(&parts.bytes());
    assert!(
        found.starts_with(
            "2 1^1 2026-11-01 called_at=2026-11-01 12:00:00\n3 1^1 2026-11-01 called_at=2026-11-01 12:00:00\n\
             4 1^1 2026-11-01 called_at=2026-11-01 09:05:07 duration_s=75\n"
        ),
        "{found}"
    );
    assert!(found.contains("1 row (line 3): a time is a spreadsheet's serial number"), "{found}");
    let without = Parts::of_rows(&rows).bytes();
    assert!(lines(&without).starts_with("2 1^1 2022-10-31 called_at=2022-10-31 12:00:00\n"));
}

#[test]
fn a_cell_without_a_clear_meaning_is_unusable() {
    let bytes = workbook(|sheet| {
        header(sheet, &["call_id", "called_at", "duration"]);
        for row in 1..=5 {
            sheet.write_row(row, 0, ["1^1", "2026-11-01"]).unwrap();
        }
        let quarter = ExcelDateTime::from_hms(1, 15, 0).unwrap();
        sheet.write_with_format(1, 2, &quarter, &format("h:mm")).unwrap();
        sheet.write_with_format(2, 2, 0.75, &format("0%")).unwrap();
        sheet.write_with_format(3, 2, at(9), &format("yyyy-mm-dd")).unwrap();
        sheet.write_with_format(4, 2, 74.5 / 86_400.0, &format("h:mm:ss")).unwrap();
        let time = ExcelDateTime::from_hms(9, 5, 7).unwrap();
        sheet.write_with_format(5, 1, &time, &format("h:mm:ss")).unwrap();
    });
    let seconds = "not a number of whole seconds; write only digits, such as 75 (column 3)";
    assert_lines(
        &bytes,
        &format!(
            "2! duration_s 3 \"1:15:00\"
             3! duration_s 3 \"75%\"
             4! duration_s 3 \"2026-11-01 09:05:07\"
             5! duration_s 3 \"0:01:14.500\"
             6! called_at 2 \"9:05:07\"
             line 2: cell C2 shows hours and minutes without seconds, so it is not clear what it means; write the talk \
             time in seconds, such as 75 (column 3)
             line 3: {seconds}
             line 4: {seconds}
             line 5: {seconds}
             line 6: cell B6 is a time of day or a duration without a day; write YYYY-MM-DD HH:MM:SS (UTC+8) \
             (column 2)"
        ),
    );
}

#[test]
fn texts_are_read_however_they_are_written() {
    let mut parts = Parts::of_sheet(
        "<x:worksheet xmlns:x=\"u\"><x:sheetData><x:row>\
         <x:c t=\"s\"><x:v>0</x:v></x:c><x:c t=\"s\"><x:v>1</x:v></x:c><x:c t=\"s\"><x:v>2</x:v></x:c></x:row>\
         <x:row><x:c t=\"inlineStr\"><x:is><x:r><x:t>1</x:t></x:r><x:r><x:t>^1</x:t></x:r></x:is></x:c>\
         <x:c t=\"d\"><x:v>2026-11-01T09:05:07</x:v></x:c>\
         <x:c t=\"str\"><x:v>a_x000A_b &lt;&amp;&#99;</x:v></x:c></x:row></x:sheetData></x:worksheet>",
    );
    let phonetic = "<rPh sb=\"0\" eb=\"1\"><t>tonghua</t></rPh><phoneticPr fontId=\"1\"/>";
    parts.change(
        "xl/sharedStrings.xml",
        "</sst>",
        &format!(
            "<si><r><rPr><b/></rPr><t>通话</t></r>{phonetic}<r><t xml:space=\"preserve\"> ID</t></r></si>\
             <si><t>called_at</t></si><si><t>备_x0041_注</t></si></sst>"
        ),
    );
    assert_lines(&parts.bytes(), "2 1^1 2026-11-01 called_at=2026-11-01 09:05:07 ledger_备A注=a\\nb <&c");
}
