"""Commits the details of a night to a Delta table.

    python delta.py details.parquet lake/details/

A call that the table has already is replaced, so the same night twice leaves the same rows.
"""

import sys

import tables
from deltalake import DeltaTable


def upsert(folder, night):
    """Merges the night in one commit. Creates the table, and adds new columns to it."""
    table = DeltaTable.create(folder, night.schema, mode="ignore", partition_by=["call_date"])
    same_call = " AND ".join(f"stored.{name} = night.{name}" for name in tables.KEY)
    merge = table.merge(night, same_call, "night", "stored", merge_schema=True)
    merge.when_matched_update_all().when_not_matched_insert_all().execute()


def main(details, folder):
    upsert(folder, tables.read_night(details))
    tables.print_counts(["delta"], f"delta_scan('{folder}')")


if __name__ == "__main__":
    main(*sys.argv[1:])
