"""Prints some columns of a discrepancy file, as pandas or Polars reads them, as one JSON list of rows.

    read_csv.py pandas|polars FILE

Every value is text; empty cells are "".
"""
import json
import sys

COLUMNS = ["call_id", "ledger_line", "kind", "expected", "callee", "seconds_at_stake", "ledger_备注"]


def with_pandas(path):
    import pandas

    frame = pandas.read_csv(path, dtype=str, keep_default_na=False)
    return frame[COLUMNS].values.tolist()


def with_polars(path):
    import polars

    frame = polars.read_csv(path, infer_schema=False)
    return [list(row) for row in frame.select(COLUMNS).fill_null("").rows()]


json.dump({"pandas": with_pandas, "polars": with_polars}[sys.argv[1]](sys.argv[2]), sys.stdout)
