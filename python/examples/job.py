"""What the engine jobs share: arguments, batches of whole calls, and the check of the totals.

An engine brings the rows of ledger and answers together by their *key*: the letters and digits of
the CallId. A ledger row without a CallId has its line as key, or else one worker would get all such
rows. Each row has its key, and either a ledger row or an answer:

    key                       ledger                               answer
    116092070332102894141802  {line: 2, call_id: 116092070332^…}   null
    116092070332102894141802  null                                 {call_id: 116092070332^…}
"""

import argparse
import json
import pickle
import sys

import pyarrow
import pyarrow.compute
import reconcile

# Removed from a CallId to make its key. Spaces around it must not matter.
NO_KEY = "[^0-9A-Za-z]"

STATUSES = ("found", "not_found", "pending", "failed", "deferred")

# Compared at once, unless one call has more.
BATCH_BYTES = 64 << 20


def arguments(description):
    """The arguments `ledger`, `answers` and `out`: paths, or URLs that the engine can read."""
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("ledger", help="Parquet of the ledger, with call_id and line")
    parser.add_argument("answers", help="folder written by `reconcile export --to`")
    parser.add_argument("out", help="folder for details.parquet and discrepancies.parquet")
    return parser.parse_args()


def whole_calls(batches, limit=BATCH_BYTES):
    """Cuts batches that are sorted by `key` into tables. No call is in two of them.

    A table has about `limit` bytes, or more if a single call has more.
    """
    waiting = []
    for batch in batches:
        waiting.append(batch)
        if sum(each.nbytes for each in waiting) < limit:
            continue
        table = pyarrow.Table.from_batches(waiting)
        last_call = pyarrow.compute.index(table["key"], table["key"][-1]).as_py()
        if last_call > 0:
            yield table[:last_call]
            waiting = table[last_call:].to_batches()
    if waiting:
        yield pyarrow.Table.from_batches(waiting)


def results(ledger, answers):
    """Compares calls. A row of the result has either `details`, or `discrepancies`, or `totals`."""
    compared = reconcile.compare(ledger, answers)
    columns = {
        "details": compared.details.to_struct_array(),
        "discrepancies": compared.discrepancies.to_struct_array(),
        "totals": pyarrow.array([pickle.dumps(compared.totals)]),
    }
    parts = [pyarrow.table({name: column}) for name, column in columns.items()]
    return pyarrow.concat_tables(parts, promote_options="default")


def compare_sorted(batches):
    """Yields the results of batches that are sorted by `key`."""
    for table in whole_calls(batches):
        yield results(rows_of(table, "ledger"), rows_of(table, "answer"))


def rows_of(table, column):
    """The rows in a column of structs, as a table."""
    return pyarrow.Table.from_struct_array(table[column].combine_chunks().drop_null())


def add_up(parts):
    """The totals of all parts, from the column `totals` of the results."""
    return sum(map(pickle.loads, parts), reconcile.Totals())


def finish(rows, by_status, by_kind, totals):
    """Prints the control totals: lines for people on standard error, JSON on standard output.

    Ends the program with exit 1 if they do not add up. `rows` is the number of ledger rows.
    `by_status` and `by_kind` are the rows of the written details and discrepancies, as the engine
    counts them. `totals` are those of the comparison.
    """
    for line in totals.check():
        print(f"{line['rule']}: {line['numbers']}", file=sys.stderr)
    counted = totals.to_dict()
    kinds = {kind: number for kind, number in counted["discrepancies"].items() if number}
    statuses = {status: counted[status] for status in STATUSES if counted[status]}
    for what, expected, actual in [
        ("rows of the ledger", counted["rows"], rows),
        ("details by status", statuses, dict(by_status)),
        ("discrepancies by kind", kinds, dict(by_kind)),
    ]:
        if expected != actual:
            sys.exit(f"{what}: {expected} were compared, but there are {actual}")
    print(json.dumps(counted))
