"""The table examples: a night that is committed twice, a changed night, and reading by DuckDB."""

import subprocess
import sys

import pyarrow
import pyarrow.parquet
import pytest
import sample_night

import program
import tables

COLUMNS = "call_id, prod_id, call_date, status, fetched_at, discrepancies, ledger_line"


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    """A folder with the details as one file, and as a folder of days."""
    folder = tmp_path_factory.mktemp("night")
    job = ["--sandbox", "--input", program.SAMPLE, "--store", folder / "night.db"]
    program.run(*job, "--out", folder / "details.parquet")
    program.run(*job, "--offline", "--out", folder / "days", "--partition-by", "call_date")
    return folder


class Iceberg:
    """Commits and reads as `iceberg.py` does."""

    def __init__(self, folder):
        self.folder = folder

    def commit(self, details):
        example("iceberg.py", details, self.folder)

    def rows(self):
        from pyiceberg.catalog.sql import SqlCatalog

        catalog = SqlCatalog("lake", uri=f"sqlite:///{self.folder}/catalog.db")
        location = catalog.load_table("reconcile.details").metadata_location
        return read(["avro", "iceberg"], f"iceberg_scan('{location}')")


class Delta:
    """Commits and reads as `delta.py` does."""

    def __init__(self, folder):
        self.folder = folder

    def commit(self, details):
        example("delta.py", details, self.folder)

    def rows(self):
        return read(["delta"], f"delta_scan('{self.folder}')")


FORMATS = {"pyiceberg": Iceberg, "deltalake": Delta}


@pytest.fixture(params=FORMATS)
def table(request, tmp_path):
    sample_night.require(request.param)
    return FORMATS[request.param](tmp_path / "lake")


def example(name, *arguments):
    command = [sys.executable, sample_night.EXAMPLES / name, *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "not_found" in done.stdout, "it prints what DuckDB reads"


def read(extensions, scan, columns=COLUMNS):
    connection = tables.duckdb_with(extensions)
    return connection.sql(f"SELECT {columns} FROM {scan} ORDER BY ALL").fetchall()


def test_a_night_committed_twice_leaves_the_same_rows(table, night):
    expected = read([], f"'{night}/details.parquet'")
    assert len(expected) == 86
    for details in ("details.parquet", "details.parquet", "days"):
        table.commit(night / details)
        assert table.rows() == expected


def test_a_later_night_replaces_its_calls_and_keeps_the_others(table, night, tmp_path):
    first = pyarrow.parquet.read_table(night / "details.parquet")
    pyarrow.parquet.write_table(first[:60], tmp_path / "first.parquet")
    status = first.schema.get_field_index("status")
    changed = pyarrow.array(["found"] * 40)
    second = first[46:].set_column(status, first.schema.field(status), changed)
    second = second.append_column("ledger_new", pyarrow.array(["new"] * 40))
    pyarrow.parquet.write_table(second, tmp_path / "second.parquet")
    for details in ("first.parquet", "second.parquet"):
        table.commit(tmp_path / details)
    replaced_from = first["ledger_line"][46]
    expected = read([], f"'{tmp_path}/first.parquet' WHERE ledger_line < {replaced_from}")
    expected += read([], f"'{tmp_path}/second.parquet'")
    assert sorted(map(str, table.rows())) == sorted(map(str, expected))


def test_files_of_days_are_added_as_they_are(night, tmp_path):
    """`add_files` takes every value from the files, so their days must be inside them."""
    sample_night.require("pyiceberg")
    from pyiceberg.catalog.sql import SqlCatalog

    files = sorted(str(file) for file in (night / "days").rglob("*.parquet"))
    lake = tmp_path / "lake"
    catalog = SqlCatalog("lake", uri=f"sqlite:///{tmp_path}/catalog.db", warehouse=lake.as_uri())
    catalog.create_namespace("reconcile")
    schema = pyarrow.parquet.read_schema(night / "details.parquet").remove_metadata()
    added = catalog.create_table("reconcile.details", schema)
    added.add_files(files)
    found = read(["avro", "iceberg"], f"iceberg_scan('{added.metadata_location}')")
    assert found == read([], f"'{night}/details.parquet'")
