//! Which sheet is read, and the rows around and in its table.

use rust_xlsxwriter::{Chart, ChartType, Format, Workbook};

use super::{Parts, assert_lines, lines, lines_with, options, text_row, workbook};
use reconcile::ledger::Options;

fn sheet(name: &str) -> Options {
    Options { sheet: Some(name.to_owned()), ..options() }
}

fn several_sheets() -> Vec<u8> {
    let mut workbook = Workbook::new();
    let mut chart = Chart::new(ChartType::Column);
    chart.add_series().set_values("calls!$A$1:$A$2");
    workbook.add_chartsheet().set_name("图").unwrap().insert_chart(0, 0, &chart).unwrap();
    for (name, id) in [("旧", "0^0"), ("calls", "1^1"), ("more", "2^2")] {
        let sheet = workbook.add_worksheet().set_name(name).unwrap();
        sheet.write_row(0, 0, ["call_id", "called_at"]).unwrap();
        sheet.write_row(1, 0, [id, "2026-11-01"]).unwrap();
    }
    workbook.worksheet_from_name("旧").unwrap().set_hidden(true);
    workbook.worksheet_from_name("calls").unwrap().set_active(true);
    workbook.save_to_buffer().unwrap()
}

#[test]
fn the_first_sheet_that_is_not_hidden_is_read() {
    let others =
        "note: the ledger is read as sheet `calls` of an Excel workbook; it has other sheets: `旧`, `more`";
    assert_lines(&several_sheets(), &format!("2 1^1 2026-11-01\n{others}"));
}

#[test]
fn a_sheet_is_named_also_if_it_is_hidden() {
    let bytes = several_sheets();
    for (name, wanted) in [("more", "2 2^2 "), ("MORE ", "2 2^2 "), ("旧", "2 0^0 ")] {
        assert!(lines_with(&bytes, &sheet(name)).starts_with(wanted), "{name}");
    }
    for name in ["图", "calls2", ""] {
        assert_eq!(
            lines_with(&bytes, &sheet(name)),
            format!(
                "error: calls.csv has no sheet `{name}`; its sheets are: `旧`, `calls`, `more`\n  to do: correct --sheet\n"
            )
        );
    }
    let csv = "error: calls.csv is not an Excel workbook (.xlsx), so it has no sheet `more`\n  to do: leave out --sheet, \
               or name a workbook with --input\n";
    assert_eq!(lines_with(b"call_id,called_at\n1^1,2026-11-01\n", &sheet("more")), csv);
}

#[test]
fn blank_rows_totals_and_repeated_headers_are_as_in_csv() {
    let rows = [
        text_row(3, &["通话ID", "called_at", "n"]),
        "<row r=\"4\"><c/><c s=\"1\"/></row><row/>".to_owned(),
        text_row(7, &["1^1", "2026-11-01", ""]),
        text_row(8, &[" ", "", ""]),
        text_row(9, &["通话ID", "called_at", "n"]),
        text_row(10, &["1^1"]),
        text_row(12, &["合计", "", "1"]),
        text_row(13, &["", "总数", "1"]),
        text_row(1_048_576, &["2^2", "2026-11-02"]),
    ]
    .concat();
    let total = "a total below or above the calls, not a call; remove the row (column 1)";
    assert_lines(
        &Parts::of_rows(&rows).bytes(),
        &format!(
            "7 1^1 2026-11-01 ledger_n=
             10! called_at 2 \"\"
             12! call_id 1 \"合计\"
             13! call_id 1 \"\"
             1048576 2^2 2026-11-02 ledger_n=
             line 10: the row has no day; fill in called_at or query_date, or set a call date for all rows without \
             one (column 2)
             line 12: {total}
             line 13: {total}
             note: 1 row (line 8): only separators or spaces. Such rows are passed over, like blank lines
             note: 1 row (line 9): the header row again. It is passed over"
        ),
    );
}

#[test]
fn rows_above_the_header_are_passed_over_by_number() {
    let bytes = workbook(|sheet| {
        sheet.merge_range(0, 0, 0, 1, "通话明细 2026-11", &Format::new()).unwrap();
        sheet.write(1, 0, "导出时间").unwrap();
        sheet.write_row(3, 0, ["call_id", "called_at"]).unwrap();
        sheet.write_row(4, 0, ["1^1", "2026-11-01"]).unwrap();
    });
    let found = lines(&bytes);
    assert!(found.starts_with("error: the sheet `calls` of calls.csv has no column `call_id`"), "{found}");
    assert!(
        found.contains("line 4 looks like the header row; pass over the lines above it with --skip-lines 3")
    );
    for skip_lines in [2, 3] {
        let found = lines_with(&bytes, &Options { skip_lines, ..options() });
        assert!(found.starts_with("5 1^1 2026-11-01\n"), "{found}");
    }
}

#[test]
fn hidden_rows_are_read_and_cells_beside_the_table_are_not() {
    let bytes = workbook(|sheet| {
        sheet.write_row(0, 1, ["call_id", "called_at", "", "n"]).unwrap();
        for row in 1..=4 {
            sheet.write_row(row, 1, [format!("{row}^1"), "2026-11-01".to_owned()]).unwrap();
        }
        sheet.set_row_hidden(2).unwrap();
        sheet.set_row_hidden(3).unwrap();
        sheet.set_column_hidden(1).unwrap();
        sheet.write_row(7, 1, ["5^1", "2026-11-01", "", "", "beside"]).unwrap();
        sheet.write(6, 9, "below").unwrap();
        sheet.merge_range(4, 1, 5, 1, "4^1", &Format::new()).unwrap();
        sheet.write(5, 2, "2026-11-01").unwrap();
    });
    let carried = "ledger_column_1= ledger_column_4= ledger_n=";
    let beside = "remove the values to the right of the table, or give their columns names in the header row";
    assert_lines(
        &bytes,
        &format!(
            "2 1^1 2026-11-01 {carried}
             3 2^1 2026-11-01 {carried}
             4 3^1 2026-11-01 {carried}
             5 4^1 2026-11-01 {carried}
             6! call_id 2 \"\"
             7! - - \"10\"
             8! - - \"6\"
             line 6: the row has no CallId; fill it in, or remove the row (column 2)
             line 7: the row has 10 fields, but the header has 5; {beside}
             line 8: the row has 6 fields, but the header has 5; {beside}
             note: 2 rows (first: line 3): hidden in the sheet, by a filter or by hand. They are read like all others"
        ),
    );
}

#[test]
fn an_empty_sheet_is_an_error() {
    let empty = "error: the sheet `calls` of calls.csv is empty\n  to do: add a header row with at least the column \
                 `call_id`\n";
    assert_eq!(lines(&workbook(|_| ())), empty);
    assert_eq!(lines(&Parts::of_rows("<row r=\"1\"><c t=\"str\"><v> </v></c></row>").bytes()), empty);
    assert_eq!(
        lines_with(
            &workbook(|sheet| drop(sheet.write(0, 0, "call_id"))),
            &Options { skip_lines: 1, ..options() }
        ),
        empty
    );
    let mut parts = Parts::of_rows("");
    parts.change("xl/workbook.xml", "r:id=\"rId1\"", "r:id=\"rId2\"");
    assert_eq!(
        lines(&parts.bytes()),
        "error: the workbook calls.csv has no sheet with rows\n  to do: put the calls into a sheet, with the column \
         names in the first row\n"
    );
}
