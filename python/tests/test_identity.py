"""The identities of discrepancies are those that the program's store keeps."""

import contextlib
import sqlite3

import ledgers
import program
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import reconcile


def test_the_subjects_are_those_of_the_store(tmp_path):
    program.run(
        *("--sandbox", "--input", program.SAMPLE, "--out", tmp_path / "details.parquet", "--rate", "1000/s"),
        *("--discrepancies", tmp_path / "discrepancies.parquet"),
        # The product of a call that only a receipt names is null.
        *("--receipts", program.SAMPLE.with_name("receipts.jsonl"), "--receipts-trust", "full"),
    )
    outputs = program.Outputs(tmp_path)
    assert len(set(outputs.since.to_pylist())) == 1 and outputs.since.null_count == 0
    found = outputs.discrepancies
    identities = reconcile.discrepancy_identity(found)
    assert identities.schema == reconcile.IDENTITIES_SCHEMA
    with contextlib.closing(sqlite3.connect(tmp_path / "reconcile.sandbox.db")) as db:
        stored = set(db.execute("SELECT subject, kind, field FROM open_discrepancy"))
    # The store knows a call by the day in the ledger.
    moved = set(found.filter(pc.equal(found["kind"], "other_day"))["call_id"].to_pylist())
    rows = zip(*(column.to_pylist() for column in (identities["subject"], found["kind"], found["field"], found["call_id"])))
    keys = {(subject, kind, field or "") for subject, kind, field, call_id in rows if call_id not in moved}
    assert moved and len(keys) > 20
    assert sum(kind == "missing_in_ledger" for _, kind, _ in keys) == 3
    assert keys <= stored
    # Rows with equal identities, such as later rows, are one in the store.
    assert len(set(identities["identity"].to_pylist())) == len(stored)


def test_a_known_discrepancy_keeps_its_identity():
    table = pa.table({
        "call_id": ["1^2", None, None],
        "prod_id": [11_000_000_300_006, None, None],
        "call_date": pa.array(["2026-11-16", None, None]).cast(pa.date32()),
        "kind": ["mismatch", "invalid_row", "mismatch"],
        "field": ["duration_s", "duration_s", "caller"],
        "actual": ["5", "1:15", None],
        "ledger_a": [None, 1, None],
    })  # fmt: skip
    assert reconcile.discrepancy_identity(table).to_pydict() == {
        "identity": ["674c5dbcf5d07433d57e1a4e4818a5e3", "5ffc297924a5f45826f0753c1ee35de1", None],
        "subject": [3_400_328_171_177_414_774, 1_652_383_853_689_350_800, None],
    }


def test_a_missing_column_is_named(answers):
    found = reconcile.compare(ledgers.table(1)[0], answers).discrepancies
    with pytest.raises(reconcile.InputError) as error:
        reconcile.discrepancy_identity(found.drop_columns(["kind"]))
    assert (error.value.input, error.value.column) == ("discrepancies", "kind")
    assert reconcile.discrepancy_identity(found).num_rows == len(found)
