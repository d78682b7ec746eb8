"""Prints a workbook as openpyxl and pandas read it, as one JSON object.

    workbook.py FILE

Every cell is a pair of its type and its text. The types that pandas finds are those of the sheet `all`.
"""
import json
import sys

import openpyxl
import pandas


def cell(cell):
    assert cell.hyperlink is None and cell.data_type in "sndi", (cell.coordinate, cell.data_type)
    return None if cell.value is None else [type(cell.value).__name__, str(cell.value)]


def sheet(sheet):
    first = [cell.column_letter for cell in sheet[1]]
    return {
        "name": sheet.title,
        "frozen": sheet.freeze_panes,
        "filter": sheet.auto_filter.ref,
        "bold": [cell.font.b for cell in sheet[1]],
        "widths": [sheet.column_dimensions[letter].width for letter in first],
        "formats": [cell.number_format for cell in sheet[2]] if sheet.max_row > 1 else [],
        "rows": [[cell(value) for value in row] for row in sheet.iter_rows()],
    }


path = sys.argv[1]
text = {name: str for name in ["call_id", "prod_id", "callee", "expected", "actual"]}
frame = pandas.read_excel(path, sheet_name="all", dtype=text)
assert frame["prod_id"].dropna().map(lambda text: isinstance(text, str)).all()
json.dump(
    {
        "sheets": [sheet(each) for each in openpyxl.load_workbook(path)],
        "pandas": {name: str(kind) for name, kind in frame.dtypes.items()},
        "pandas_rows": len(frame),
    },
    sys.stdout,
)
