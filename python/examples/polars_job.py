"""Compares a ledger with exported answers in Polars, in memory.

    python polars_job.py ledger.parquet lake/ out/
"""

import job
import polars
import reconcile


def main():
    paths = job.arguments(__doc__)
    ledger = polars.read_parquet(paths.ledger)
    answers = polars.read_parquet(f"{paths.answers}/**/*.parquet", hive_partitioning=False)
    compared = reconcile.compare(ledger, answers)
    for name in ("details", "discrepancies"):
        rows = polars.DataFrame(getattr(compared, name))
        rows.write_parquet(f"{paths.out}/{name}.parquet", mkdir=True)
    counts = [
        polars.scan_parquet(f"{paths.out}/{name}.parquet").group_by(group).len().collect().rows()
        for name, group in (("details", "status"), ("discrepancies", "kind"))
    ]
    job.finish(len(ledger), *counts, compared.totals)


if __name__ == "__main__":
    main()
