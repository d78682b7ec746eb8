"""The jobs of python/examples give the program's own rows and totals."""

import collections
import json
import os
import pathlib
import subprocess
import sys

import pyarrow
import pytest
import sample_night

import job

BIN = pathlib.Path(sys.executable).parent

# Two workers with a core each, and small batches: a call is in many of them.
SPARK = [
    BIN / "spark-submit",
    "--master=local-cluster[2,1,1024]",
    "--conf=spark.ui.enabled=false",
    f"--py-files={sample_night.EXAMPLES / 'job.py'}",
    "--conf=spark.sql.execution.arrow.maxRecordsPerBatch=100",
]
ENGINES = {
    "spark": ("pyspark", SPARK),
    "ray": ("ray", [sys.executable]),
    "polars": ("polars", [sys.executable]),
    "duckdb": ("duckdb", [sys.executable]),
}


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    folder = tmp_path_factory.mktemp("night")
    sample_night.prepare(folder)
    return folder


def run(engine, folder, *paths):
    """Runs the job of an engine."""
    module, command = ENGINES[engine]
    sample_night.require(module)
    command = [*command, sample_night.EXAMPLES / f"{engine}_job.py", *paths]
    environment = os.environ | {"PYSPARK_PYTHON": sys.executable}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


@pytest.mark.parametrize("engine", ENGINES)
def test_an_engine_gives_the_rows_and_totals_of_the_program(engine, night):
    done = run(engine, night, "ledger.parquet", "lake", engine)
    assert done.returncode == 0, done.stderr
    for ours, theirs in (("", "details"), (".discrepancies", "discrepancies")):
        expected = sample_night.rows(night / f"night{ours}.parquet")
        found = sample_night.rows(night / engine / f"{theirs}.parquet")
        assert found.column_names == expected.column_names
        # Polars writes large_string.
        assert [str(kind).removeprefix("large_") for kind in found.schema.types] == [
            str(kind) for kind in expected.schema.types
        ]
        if theirs == "discrepancies":
            # What was open before is in the program's store only.
            assert expected["since"].null_count == 0 and found["since"].null_count == len(found)
            expected, found = expected.drop_columns(["since"]), found.drop_columns(["since"])
        pairs = zip(expected.to_pylist(), found.to_pylist(), strict=True)
        for number, (a, b) in enumerate(pairs):
            assert a == b, f"{theirs}, row {number}"
    summary = json.loads((night / "night.summary.json").read_text())
    totals = json.loads(done.stdout.splitlines()[-1])
    assert totals.pop("exhausted") == 0 and summary["complete"]
    assert totals == {name: summary[name] for name in totals} and totals["rows"] == 3_396
    printed = done.stdout + done.stderr
    assert "rows = invalid + duplicates + calls: 3396 = 306 + 3004 + 86" in printed


def test_totals_that_do_not_add_up_are_an_error(night, capsys):
    ledger, answers = (sample_night.read(night / name) for name in ("ledger.parquet", "lake"))
    table = job.results(ledger, answers)
    totals = job.add_up(table["totals"].drop_null().to_pylist())
    statuses = collections.Counter(job.rows_of(table, "details")["status"].to_pylist())
    kinds = collections.Counter(job.rows_of(table, "discrepancies")["kind"].to_pylist())
    job.finish(len(ledger), statuses, kinds, totals)
    assert json.loads(capsys.readouterr().out)["rows"] == len(ledger)
    for wrong in [
        (len(ledger) - 1, statuses, kinds, totals),
        (len(ledger), statuses + collections.Counter(["found"]), kinds, totals),
        (len(ledger), statuses, kinds - collections.Counter(["pending"]), totals),
        (len(ledger), statuses, kinds, totals + totals),
    ]:
        with pytest.raises(SystemExit) as end:
            job.finish(*wrong)
        assert "were compared, but there are" in end.value.code
    assert capsys.readouterr().out == ""


def test_batches_are_cut_between_calls():
    keys = ["a"] * 3 + ["b"] * 50 + ["c", "d", "e"] + ["f"] * 7
    table = pyarrow.table({"key": keys, "number": range(len(keys))})
    for rows in (1, 2, 7, 100):
        for limit in (1, 64, 10_000):
            tables = list(job.whole_calls(table.to_batches(max_chunksize=rows), limit))
            assert pyarrow.concat_tables(tables).equals(table)
            named = [set(part["key"].to_pylist()) for part in tables]
            assert sum(map(len, named)) == 6, "no call is in two tables"
    assert list(job.whole_calls([])) == []
