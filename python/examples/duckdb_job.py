"""Compares a ledger with exported answers in DuckDB, which uses the disk if memory is too small.

    python duckdb_job.py ledger.parquet lake/ out/
"""

import pathlib

import duckdb
import job
import pyarrow.parquet

# A table's name as a value is the whole row; no column has a name with a space.
ROWS = f"""
SELECT
  regexp_replace(coalesce(nullif(trim(call_id), ''), line::VARCHAR), '{job.NO_KEY}', '', 'g')
    AS key,
  "ledger row" AS ledger, NULL AS answer
FROM ledger AS "ledger row"
UNION ALL
SELECT regexp_replace(call_id, '{job.NO_KEY}', '', 'g'), NULL, "answer row"
FROM answers AS "answer row"
ORDER BY key
"""


def main():
    paths = job.arguments(__doc__)
    pathlib.Path(paths.out).mkdir(parents=True, exist_ok=True)
    files = {name: f"{paths.out}/{name}.parquet" for name in ("details", "discrepancies")}
    ledger = duckdb.read_parquet(paths.ledger)
    answers = duckdb.read_parquet(f"{paths.answers}/**/*.parquet", hive_partitioning=False)
    writers, parts = {}, []
    for table in job.compare_sorted(duckdb.sql(ROWS).to_arrow_reader(10_000)):
        for name, file in files.items():
            part = job.rows_of(table, name)
            if name not in writers:
                writers[name] = pyarrow.parquet.ParquetWriter(file, part.schema)
            writers[name].write_table(part)
        parts += table["totals"].drop_null().to_pylist()
    for writer in writers.values():
        writer.close()
    counts = [
        duckdb.sql(f"SELECT {group}, count(*) FROM '{files[name]}' GROUP BY ALL").fetchall()
        for name, group in (("details", "status"), ("discrepancies", "kind"))
    ]
    [(ledger_rows,)] = ledger.count("*").fetchall()
    job.finish(ledger_rows, *counts, job.add_up(parts))


if __name__ == "__main__":
    main()
