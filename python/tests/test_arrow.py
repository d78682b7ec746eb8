"""Arrow data goes in and out without a copy, from and to each library."""

import threading

import duckdb
import ledgers
import polars as pl
import pyarrow as pa
import pytest
import reconcile

PASSED_ON = {"call_id": "call_id", "prod_id": "prod_id", "data": "raw", "request_id": "request_id",
             "attempts": "attempts", "fetched_at": "fetched_at"}  # fmt: skip


def addresses(array):
    """Where the values of an array are."""
    return [buffer.address for buffer in array.buffers() if buffer is not None and buffer.size]


def test_normalize_copies_no_column_of_pyarrow(answers):
    records = reconcile.normalize(answers)
    assert isinstance(records, pa.RecordBatch)
    for own, name in PASSED_ON.items():
        assert addresses(records[name])[-1] == addresses(answers[own])[-1], name
        assert records[name] == answers[own]
    part = answers.slice(7, 20)
    assert addresses(reconcile.normalize(part)["raw"])[-1] == addresses(answers["data"])[-1]


def test_normalize_copies_no_column_of_polars(answers):
    frame = pl.from_arrow(answers)
    exported = pa.RecordBatchReader.from_stream(frame).read_next_batch()
    records = reconcile.normalize(frame)
    for own, name in PASSED_ON.items():
        assert addresses(exported[own])[-1] == addresses(records[name])[-1], name
    assert pl.from_arrow(records)["raw"].to_list() == frame["data"].to_list()


def test_compare_passes_columns_of_the_ledger_on(answers):
    calls = answers.select(["call_id", "prod_id"])
    note = pa.array([f"note {row}" for row in range(len(answers))])
    ledger = pa.record_batch([calls["call_id"], calls["prod_id"], answers["call_date"], note],
                             names=["call_id", "prod_id", "query_date", "note"])  # fmt: skip
    found = reconcile.compare(ledger, answers)
    assert len(found.details) == len(answers)
    assert addresses(found.details["ledger_note"]) == addresses(note)


def test_all_libraries_give_the_same_rows(answers):
    ledger, _, call = ledgers.table(5)
    wanted = reconcile.compare(ledger, answers, **call)
    con = duckdb.connect()
    con.sql("SET TimeZone = 'UTC'")
    of_duckdb = con.from_arrow(ledger), con.from_arrow(pa.Table.from_batches([answers]))
    of_polars = pl.from_arrow(ledger), pl.from_arrow(answers)
    of_batches = ledger.to_batches(max_chunksize=7), pa.Table.from_batches([answers]).to_batches(max_chunksize=999)
    as_tables = tuple(pa.Table.from_batches(batches) for batches in of_batches)
    for own_ledger, own_answers in (of_duckdb, of_polars, as_tables):
        found = reconcile.compare(own_ledger, own_answers, **call)
        assert found.details.to_pylist() == wanted.details.to_pylist()
        assert found.discrepancies.to_pylist() == wanted.discrepancies.to_pylist()
        assert found.totals == wanted.totals
    details = wanted.details
    talk = sum(seconds for seconds in details["duration_s"].to_pylist() if seconds)
    assert duckdb.sql("SELECT count(*), sum(duration_s) FROM details").fetchall() == [(len(details), talk)]
    assert pl.DataFrame(details)["ledger_line"].to_list() == details["ledger_line"].to_pylist()


def test_the_schemas_are_those_of_the_results(answers):
    ledger, _, call = ledgers.table(5)
    found = reconcile.compare(ledger, answers, **call)
    carried = ["ledger_Campaign", "ledger_ticket"]
    assert found.details.schema.names == reconcile.DETAILS_SCHEMA.names + carried
    assert found.discrepancies.schema.names == reconcile.DISCREPANCIES_SCHEMA.names + carried
    assert found.details.drop_columns(carried).schema == reconcile.DETAILS_SCHEMA
    assert found.discrepancies.drop_columns(carried).schema == reconcile.DISCREPANCIES_SCHEMA
    assert found.details["ledger_ticket"].type == ledger["ticket"].type
    assert reconcile.normalize(answers).schema == reconcile.RECORDS_SCHEMA
    typed = reconcile.LEDGER_SCHEMA.empty_table()
    assert len(reconcile.compare(typed, reconcile.ANSWERS_SCHEMA.empty_table()).details) == 0


@pytest.mark.parametrize("use", [lambda a: reconcile.normalize(a), lambda a: reconcile.compare(LEDGER, a)])
def test_other_threads_run_meanwhile(answers, use):
    many = pa.Table.from_batches([answers] * 4).combine_chunks().to_batches()[0]
    begun, ended = threading.Event(), threading.Event()

    def work():
        begun.set()
        use(many)
        ended.set()

    thread = threading.Thread(target=work)
    thread.start()
    begun.wait()
    turns = 0
    while not ended.is_set():
        turns += 1
    thread.join()
    # Without a release, only a few hundred turns fit before and after the call.
    assert turns > 20_000


LEDGER = pa.table({"call_id": ["1^2"], "prod_id": [7], "query_date": ["2026-11-16"]})
