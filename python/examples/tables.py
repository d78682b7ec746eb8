"""What both table examples share: the key of the details, a night's files, reading by DuckDB."""

import importlib
import pathlib

import duckdb
import pyarrow.dataset

KEY = ["call_id", "prod_id", "call_date"]


def read_night(path):
    """The details of one run: a Parquet file, or the folder of `--partition-by call_date`."""
    return pyarrow.dataset.dataset(path, format="parquet").to_table()


def duckdb_with(extensions):
    """A connection with these extensions, from the packages `duckdb-extension-NAME`.

    Where DuckDB may download them, `INSTALL name; LOAD name` does the same.
    """
    connection = duckdb.connect()
    for name in extensions:
        folder = pathlib.Path(importlib.import_module(f"duckdb_extension_{name}").__file__).parent
        file = folder / f"extensions/v{duckdb.__version__}/{name}.duckdb_extension"
        connection.execute(f"LOAD '{file}'")
    return connection


def print_counts(extensions, scan):
    """Prints the calls of a table by day and status, as DuckDB reads them."""
    counts = f"SELECT call_date, status, count(*) AS calls FROM {scan} GROUP BY ALL ORDER BY ALL"
    duckdb_with(extensions).sql(counts).show()
