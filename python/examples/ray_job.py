"""Compares a ledger with exported answers on Ray Data.

    python ray_job.py ledger.parquet lake/ out/

Each worker needs the package `reconcile` and pyarrow.
"""

import job
import pyarrow
import pyarrow.compute
import ray

# Rows of a partition; a worker holds one in memory.
PARTITION_ROWS = 200_000


def keyed(batch, side, kinds):
    """Each row in one column, beside its key. The column of the other side is null."""
    call_id = batch["call_id"]
    if side == "ledger":
        is_empty = pyarrow.compute.equal(pyarrow.compute.utf8_trim(call_id.fill_null(""), " "), "")
        call_id = pyarrow.compute.if_else(is_empty, batch["line"].cast(pyarrow.string()), call_id)
    columns = {name: pyarrow.nulls(len(batch), kind) for name, kind in kinds.items()}
    columns[side] = batch.to_struct_array()
    key = pyarrow.compute.replace_substring_regex(call_id, job.NO_KEY, "")
    return pyarrow.table({"key": key, **columns})


def compared(block):
    yield from job.compare_sorted(block.to_batches())


def main():
    paths = job.arguments(__doc__)
    arrow = {"batch_format": "pyarrow"}
    ledger = ray.data.read_parquet(paths.ledger)
    answers = ray.data.read_parquet(paths.answers, partitioning=None)
    sides = {"ledger": ledger, "answer": answers}
    kinds = {side: pyarrow.struct(rows.schema().base_schema) for side, rows in sides.items()}
    rows, others = (
        rows.map_batches(keyed, fn_args=[side, kinds], **arrow) for side, rows in sides.items()
    )
    ledger_rows = ledger.count()
    partitions = 1 + (ledger_rows + answers.count()) // PARTITION_ROWS
    rows = rows.union(others).repartition(partitions, keys=["key"], sort=True)
    # Without a batch size, a batch is a whole partition.
    results = rows.map_batches(compared, batch_size=None, **arrow).materialize()
    counts = []
    for name, group in (("details", "status"), ("discrepancies", "kind")):
        file = f"{paths.out}/{name}.parquet"
        found = results.map_batches(job.rows_of, fn_args=[name], **arrow)
        found.write_parquet(file, mode="overwrite")
        written = ray.data.read_parquet(file).select_columns([group])
        groups = written.groupby(group, num_partitions=1).count().take_all()
        counts.append([(row[group], row["count()"]) for row in groups])
    parts = [row["totals"] for row in results.select_columns("totals").take_all()]
    job.finish(ledger_rows, *counts, job.add_up(filter(None, parts)))


if __name__ == "__main__":
    main()
