"""Prints schema and rows of a Parquet file, as pyarrow or Polars reads them, as one JSON object.

    read.py pyarrow|polars FILE

Every value is text: times as microseconds since 1970, days as YYYY-MM-DD.
"""
import datetime
import json
import sys

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


def text(value):
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime.datetime):
        return str((value - EPOCH) // datetime.timedelta(microseconds=1))
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, int):
        return str(value)
    raise TypeError(f"no column of the details has the type {type(value)}")


def with_pyarrow(path):
    import pyarrow.parquet

    table = pyarrow.parquet.read_table(path, partitioning=None)
    file = pyarrow.parquet.ParquetFile(path)
    for i in range(file.metadata.num_row_groups):
        group = file.metadata.row_group(i)
        assert group.column(0).has_column_index and group.column(0).has_offset_index
        assert group.column(0).compression == "ZSTD"
        assert group.column(0).statistics.has_min_max
    return {field.name: str(field.type) for field in table.schema}, table.to_pylist()


def with_polars(path):
    import polars

    frame = polars.read_parquet(path, hive_partitioning=False)
    return {name: str(kind) for name, kind in frame.schema.items()}, frame.to_dicts()


schema, rows = {"pyarrow": with_pyarrow, "polars": with_polars}[sys.argv[1]](sys.argv[2])
rows = [{name: text(value) for name, value in row.items() if value is not None} for row in rows]
json.dump({"schema": list(schema.items()), "rows": rows}, sys.stdout)
