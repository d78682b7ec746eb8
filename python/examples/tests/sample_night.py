"""A night of the sample data: the ledger, the exported answers, and what the program makes of them.

The ledger is the sample's with three additions that could harm an engine: a call that thousands of
later rows name, hundreds of rows without a CallId, and a CallId with spaces around it.
"""

import csv
import os
import pathlib
import sys

import pyarrow
import pyarrow.dataset
import pyarrow.parquet
import pytest

EXAMPLES = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(EXAMPLES), str(EXAMPLES.parent / "tests")]
import program  # noqa: E402


def require(module):
    """Skips the test if the module is not installed. In CI every module has to be."""
    if not os.environ.get("CI"):
        pytest.importorskip(module)


def ledger_rows():
    with open(program.SAMPLE, encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    # A Parquet file has no row of a wrong width.
    rows = [dict(zip(header, row)) for row in rows if len(row) == len(header)]
    later = [rows[0] | {"duration": str(second % 50)} for second in range(3_000)]
    without_call_id = [rows[1] | {"call_id": ""}] * 300
    with_spaces = [rows[2] | {"call_id": f" {rows[2]['call_id']} "}]
    return rows + later[:1_000] + without_call_id + later[1_000:] + with_spaces


def prepare(folder):
    """Writes all files of the night.

    `calls.parquet` is the ledger for the program, `ledger.parquet` the same for engines, `lake` has
    the answers. The program's files are `night.parquet` and so on.
    """
    store = ["--store", folder / "sample.db"]
    sandbox = ["--sandbox", *store]
    program.run(*sandbox, "--input", program.SAMPLE, "--out", folder / "details.parquet")
    program.run("export", *store, "--to", folder / "lake")
    ledger = pyarrow.Table.from_pylist(ledger_rows())
    pyarrow.parquet.write_table(ledger, folder / "calls.parquet")
    lines = pyarrow.array(range(2, 2 + len(ledger)))
    pyarrow.parquet.write_table(ledger.append_column("line", lines), folder / "ledger.parquet")
    publish = [*sandbox, "--offline", "--input", folder / "calls.parquet", "--max-unusable", "100%"]
    publish += ["--discrepancies", folder / "night.discrepancies.parquet"]
    program.run(*publish, "--out", folder / "night.parquet")


def read(path):
    """A file, or a folder of files, as a table."""
    return pyarrow.dataset.dataset(path, format="parquet").to_table()


def rows(path):
    """Details or discrepancies, in the order of the ledger."""
    table = read(path)
    order = [name for name in ("ledger_line", "kind", "field") if name in table.column_names]
    return table.sort_by([(name, "ascending") for name in order])
