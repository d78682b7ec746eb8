"""The wheel gives the program's rows."""

import csv
import re

import conftest
import ledgers
import program
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import reconcile


KINDS = [
    "deferred", "duplicate", "failed", "inconsistent", "invalid_row", "malformed", "mismatch", "not_found",
    "other_day", "pending", "unknown_state",
]  # fmt: skip


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    """The sample ledger as texts, the answers to it, and the program's outputs."""
    folder = tmp_path_factory.mktemp("sample")
    program.run(
        *("--sandbox", "--input", program.SAMPLE, "--out", folder / "details.parquet", "--rate", "1000/s"),
        *("--discrepancies", folder / "discrepancies.parquet"),
    )
    with open(program.SAMPLE, newline="", encoding="utf-8") as file:
        reader = csv.reader(file)
        header = next(reader)
        rows = [(reader.line_num, row) for row in reader]
    # A table has no row with too many values.
    whole = [[line, *row] for line, row in rows if len(row) == len(header)]
    assert len(whole) == len(rows) - 1
    ledger = pa.table(dict(zip(["line", *header], map(list, zip(*whole)))))
    return ledger, program.answers(folder / "reconcile.sandbox.db"), program.Outputs(folder)


def test_the_sample(sample):
    ledger, answers, wanted = sample
    found = reconcile.compare(ledger, answers)
    assert program.differences(wanted.details, found.details) == []
    # A column of a table has no place in a file.
    messages = [re.sub(r", byte \d+\)$", ")", message) for message in wanted.discrepancies["message"].to_pylist()]
    at = wanted.discrepancies.schema.get_field_index("message")
    discrepancies = wanted.discrepancies.set_column(at, "message", pa.array(messages))
    is_whole = pc.invert(pc.starts_with(discrepancies["message"], "the row has 15 fields"))
    assert program.differences(discrepancies.filter(is_whole), found.discrepancies) == []
    totals = found.totals.to_dict()
    assert (totals["rows"], totals["calls"], totals["headline"]["agree"]) == (95, 86, 57)
    assert set(program.counted(found.totals, wanted.summary)) == {
        "rows", "invalid", "headline", "bridge", "discrepancies", "discrepancies_total",
    }  # fmt: skip


def test_normalized_records_are_those_of_the_details(sample):
    ledger, answers, wanted = sample
    records = pa.Table.from_batches([reconcile.normalize(answers)])
    assert records.column_names == reconcile.RECORDS_SCHEMA.names
    by_id = {row["call_id"]: row for row in records.to_pylist()}
    for row in wanted.details.select(records.column_names).to_pylist():
        record = by_id[row["call_id"]]
        # Without the ledger, a record on another day is known only by its day.
        assert record == row


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("planted")


def compared(seed, store, folder):
    """A random ledger by the program, offline over the same answers; and the arguments of compare."""
    ledger, options, call = ledgers.table(seed)
    path = folder / "ledger.parquet"
    pq.write_table(ledger, path)
    program.run(
        *("--offline", "--input", path, "--out", folder / "details.parquet", "--store", store),
        *("--discrepancies", folder / "discrepancies.parquet", "--max-unusable", "100%", *options),
    )
    return ledger, call, program.Outputs(folder)


def test_a_hundred_planted_ledgers(store, answers, folder):
    kinds, statuses = set(), set()
    for seed in range(conftest.LEDGERS):
        ledger, call, wanted = compared(seed, store, folder)
        found = reconcile.compare(ledger, answers, **call)
        assert program.differences(wanted.details, found.details) == [], seed
        assert program.differences(wanted.discrepancies, found.discrepancies) == [], seed
        assert program.counted(found.totals, wanted.summary) == {}, seed
        found.totals.check()
        kinds |= set(wanted.discrepancies["kind"].to_pylist())
        statuses |= set(wanted.details["status"].to_pylist())
    # The sample has records that contradict themselves.
    assert kinds == {*KINDS} - {"inconsistent"}
    assert statuses == {"found", "not_found", "pending", "failed", "deferred"}


def test_the_order_of_the_rows_changes_nothing(answers):
    ledger, call = ledgers.plain_table(3)
    ledger = ledger.append_column("line", pa.array(range(2, len(ledger) + 2)))
    turned = ledger.take(list(reversed(range(len(ledger)))))
    in_order, found = (reconcile.compare(table, answers, **call) for table in (ledger, turned))
    assert found.details == in_order.details
    assert found.discrepancies == in_order.discrepancies
    assert found.totals == in_order.totals


def test_the_newest_answer_counts(answers):
    older = answers.set_column(
        answers.schema.get_field_index("fetched_at"), "fetched_at",
        pc.subtract(answers["fetched_at"], pa.scalar(60_000_000, pa.duration("us"))),
    )  # fmt: skip
    older = older.set_column(older.schema.get_field_index("data"), "data", pa.nulls(len(older), pa.string()))
    ledger, _, call = ledgers.table(1)
    wanted = reconcile.compare(ledger, answers, **call)
    for both in ([answers, older], [older, answers]):
        assert reconcile.compare(ledger, pa.Table.from_batches(both), **call).details == wanted.details


def test_the_right_side_of_an_outer_join_is_read(answers):
    ledger, _, call = ledgers.table(2)
    nothing = pa.table({field.name: pa.nulls(4, field.type) for field in answers.schema})
    joined = pa.concat_tables([nothing, pa.Table.from_batches([answers])])
    wanted = reconcile.compare(ledger, answers, **call)
    assert reconcile.compare(ledger, joined, **call).details == wanted.details
    assert reconcile.normalize(nothing).to_pylist() == [dict.fromkeys(reconcile.RECORDS_SCHEMA.names)] * 4


def test_kind_and_day_of_an_answer_may_be_missing(answers):
    """Then the code tells the kind. An export without open answers needs no more."""
    settled = answers.filter(pc.is_in(answers["answer"], pa.array(["final", "rejected"])))
    same_day = settled.filter(pc.equal(settled["call_date"], settled["found_date"]))
    ledger, _, call = ledgers.table(4)
    wanted = reconcile.compare(ledger, same_day, **call)
    assert wanted.totals.to_dict()["failed"] > 0
    found = reconcile.compare(ledger, same_day.drop_columns(["answer", "found_date"]), **call)
    assert found.details == wanted.details


def test_the_defaults_of_product_and_day_are_used(answers):
    first = answers.slice(0, 1).to_pylist()[0]
    ledger = pa.table({"call_id": [first["call_id"]]})
    found = reconcile.compare(ledger, answers, prod_id=first["prod_id"], call_date=first["call_date"])
    assert found.details["request_id"].to_pylist() == [first["request_id"]]
    named = reconcile.compare(ledger, answers, prod_id=ledgers.PRODUCTS[first["prod_id"]], call_date=first["call_date"])
    assert named.details == found.details
    assert reconcile.compare(ledger, answers).discrepancies["kind"].to_pylist() == ["invalid_row"]
