"""The program: how the tests start it, and what it leaves."""

import contextlib
import datetime
import json
import os
import pathlib
import re
import sqlite3
import subprocess
import threading

import pyarrow as pa
import pyarrow.parquet as pq
import reconcile

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("RECONCILE", str(ROOT / "target/debug/reconcile"))
SAMPLE = ROOT / "sample-data/calls.csv"

# 0 and 4: all files are written, whether or not every call has an answer.
WRITTEN = (0, 4)


def run(*arguments, env=None):
    """Runs the program; it must write its files."""
    command = [BINARY, *map(str, arguments), "-q"]
    done = subprocess.run(command, capture_output=True, text=True, env=env)
    assert done.returncode in WRITTEN, f"{command} ended with {done.returncode}:\n{done.stderr}"


@contextlib.contextmanager
def sandbox(*arguments):
    """The simulated provider as a server; its address."""
    command = [BINARY, "sandbox", "--port", "0", *map(str, arguments)]
    server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        first = server.stderr.readline()
        address = re.search(r"http://([^,\s]+)", first)
        assert address, f"no address in: {first}"
        # Its other messages must not fill the pipe.
        threading.Thread(target=lambda: [None for _ in server.stderr], daemon=True).start()
        yield address.group(1)
    finally:
        server.kill()
        server.wait()


def answers(store):
    """The answers of a store, in the columns of an export."""
    names = reconcile.ANSWERS_SCHEMA.names
    with contextlib.closing(sqlite3.connect(store)) as db:
        rows = db.execute(f"SELECT {', '.join(names)} FROM call WHERE answer IS NOT NULL").fetchall()
    day = datetime.date.fromisoformat
    columns = dict(zip(names, zip(*rows)))
    columns["call_date"] = [day(text) for text in columns["call_date"]]
    columns["found_date"] = [day(text) for text in columns["found_date"]]
    arrays = [pa.array(columns[field.name], field.type) for field in reconcile.ANSWERS_SCHEMA]
    return pa.record_batch(arrays, schema=reconcile.ANSWERS_SCHEMA)


class Outputs:
    """The files of a run in this folder."""

    def __init__(self, folder):
        self.details = pq.read_table(folder / "details.parquet")
        # What was open before is in the program's store only.
        table = pq.read_table(folder / "discrepancies.parquet")
        at = table.schema.get_field_index("since")
        self.since = table["since"]
        self.discrepancies = table.set_column(at, "since", pa.nulls(len(table), pa.date32()))
        self.summary = json.loads((folder / "details.summary.json").read_text())


def differences(wanted, found):
    """The differences of two tables, in words. The program carries columns as texts."""
    if wanted.column_names != found.schema.names:
        return [f"columns {found.schema.names} in place of {wanted.column_names}"]
    words = []
    for name in wanted.column_names:
        want, have = wanted[name].to_pylist(), found.column(name).to_pylist()
        if name.startswith("ledger_") and name != "ledger_line":
            want = ["" if value is None else value for value in want]
            have = ["" if value is None else str(value) for value in have]
        if len(want) != len(have):
            return [f"{len(have)} rows in place of {len(want)}"]
        differing = [(row, a, b) for row, (a, b) in enumerate(zip(want, have)) if a != b]
        words += [f"{name}, row {row}: {b!r} in place of {a!r}" for row, a, b in differing[:3]]
    return words


def counted(totals, summary):
    """The counts of the totals that differ from the summary."""
    found = totals.to_dict()
    found.pop("exhausted")
    return {key: (value, summary.get(key)) for key, value in found.items() if value != summary.get(key)}
