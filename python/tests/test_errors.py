"""An error says which input, row and column is at fault."""

import datetime
import subprocess
import sys

import pyarrow as pa
import pytest
import reconcile

LEDGER = pa.table({"call_id": ["1^2", "3^4"], "prod_id": [7, 7], "query_date": ["2026-11-16"] * 2})
ANSWER = {
    "call_id": "1^2", "prod_id": 7, "call_date": datetime.date(2026, 11, 16), "code": "OK", "message": "OK",
    "data": '{"state":"200000","duration":4}', "request_id": "R",
    "fetched_at": datetime.datetime(2026, 11, 17, tzinfo=datetime.timezone.utc), "attempts": 1,
    "answer": "final", "found_date": datetime.date(2026, 11, 16),
}  # fmt: skip


def answers(*changes):
    return pa.Table.from_pylist([ANSWER, *({**ANSWER, **change} for change in changes)], reconcile.ANSWERS_SCHEMA)


def fails(where, what, call):
    with pytest.raises(reconcile.InputError, match=what) as raised:
        call()
    error = raised.value
    assert isinstance(error, ValueError)
    assert (error.input, error.row, error.column) == where
    named = [where[0]] + [f"row {where[1]}"] * (where[1] is not None) + [f"column {where[2]}"] * (where[2] is not None)
    assert str(error).startswith(", ".join(named) + ": "), error


def test_an_answer_without_a_part_of_its_key_has_a_row():
    for column in ["call_id", "prod_id", "call_date", "fetched_at"]:
        given = answers({}, {column: None})
        fails(("answers", 2, column), "fill it in", lambda: reconcile.normalize(given))
        fails(("answers", 2, column), "fill it in", lambda: reconcile.compare(LEDGER, given))


def test_an_unknown_kind_of_answer_has_a_row():
    given = answers({"call_id": "3^4", "answer": "perhaps"})
    fails(("answers", 1, "answer"), "'?\"perhaps\" is no kind", lambda: reconcile.normalize(given))
    fails(("answers", 1, "answer"), "no kind of answer", lambda: reconcile.compare(LEDGER, given))


def test_a_missing_column_is_named():
    for column in ["call_id", "data", "code", "attempts", "fetched_at"]:
        fails(("answers", None, column), "no such column", lambda: reconcile.normalize(answers().drop_columns(column)))
    fails(("ledger", None, "call_id"), "columns are prod_id, query_date",
          lambda: reconcile.compare(LEDGER.drop_columns("call_id"), answers()))  # fmt: skip


def test_a_column_of_another_type_is_named():
    times = answers().set_column(7, "fetched_at", pa.array(["2026-11-17"]))
    fails(("answers", None, "fetched_at"), "it has the type Utf8; make it a timestamp", lambda: reconcile.normalize(times))
    lists = LEDGER.append_column("duration_s", pa.array([[1], [2]]))
    fails(("ledger", None, "duration_s"), "it has the type List.*; make it a text", lambda: reconcile.compare(lists, answers()))


def test_a_value_outside_the_calendar_makes_its_row_unusable():
    far = {"query_date": pa.array([2**31 - 1] * 2, pa.int32()).cast(pa.date32())}
    for column, values in {**far, "called_at": pa.array([2**62] * 2, pa.timestamp("us"))}.items():
        ledger = LEDGER.drop_columns("query_date").append_column(column, values)
        found = reconcile.compare(ledger, answers()).discrepancies.to_pylist()
        assert [(row["kind"], row["field"]) for row in found] == [("invalid_row", column)] * 2
    seconds = LEDGER.append_column("called_at", pa.array([2**62] * 2, pa.timestamp("s")))
    fails(("ledger", None, "called_at"), "cannot be read as Timestamp", lambda: reconcile.compare(seconds, answers()))


def test_two_columns_of_one_field_are_an_error_unless_one_has_its_name():
    twice = LEDGER.append_column("呼叫时间", pa.array(["", ""])).append_column("gmt_create", pa.array(["", ""]))
    fails(("ledger", None, "呼叫时间"), "gmt_create is the same field, called_at",
          lambda: reconcile.compare(twice, answers()))  # fmt: skip
    named = twice.append_column("called_at", pa.array(["2026-11-16 10:00:00"] * 2))
    found = reconcile.compare(named, answers())
    assert found.details.schema.names[-2:] == ["ledger_呼叫时间", "ledger_gmt_create"]
    same = LEDGER.append_column("x", pa.array(["", ""])).append_column("ledger_x", pa.array(["", ""]))
    fails(("ledger", None, "ledger_x"), "two columns become ledger_x", lambda: reconcile.compare(same, answers()))


def test_a_row_without_a_line_has_a_row():
    lines = LEDGER.append_column("line", pa.array([2, None], pa.int64()))
    fails(("ledger", 1, "line"), "number all rows", lambda: reconcile.compare(lines, answers()))


def test_damaged_data_is_an_error():
    bad = pa.Array.from_buffers(pa.string(), 1, [None, pa.py_buffer(bytes(4) + b"\1\0\0\0"), pa.py_buffer(b"\xff")])
    damaged = answers().set_column(5, "data", bad)
    with pytest.raises(ValueError, match="(?i)utf-?8"):
        reconcile.normalize(damaged)
    with pytest.raises(ValueError, match="(?i)utf-?8"):
        reconcile.normalize(damaged.to_batches()[0])


@pytest.mark.parametrize("what", [None, [1], "calls.csv", {"call_id": ["1^2"]}])
def test_an_object_without_arrow_data_is_a_type_error(what):
    with pytest.raises(TypeError, match="ledger needs Arrow data"):
        reconcile.compare(what, answers())


def test_options_out_of_range_are_errors():
    for options in [{"duration_tolerance": -1}, {"time_tolerance": -1}, {"settle": datetime.timedelta(seconds=-1)}]:
        with pytest.raises(ValueError, match="0 or more"):
            reconcile.compare(LEDGER, answers(), **options)
    with pytest.raises(ValueError, match="product number or name"):
        reconcile.compare(LEDGER, answers(), prod_id="nothing")
    with pytest.raises(TypeError):
        reconcile.compare(LEDGER, answers(), 5)


def test_the_module_is_no_program():
    done = subprocess.run([sys.executable, "-m", "reconcile"], capture_output=True, text=True)
    assert done.returncode != 0 and "__main__" in done.stderr


def test_rows_without_any_value_are_passed_over():
    for empty in (pa.nulls(2), pa.nulls(2, pa.string()), pa.array(["", " \ufeff"])):
        found = reconcile.compare(pa.table({"call_id": empty, "note": pa.nulls(2)}), answers())
        assert (found.totals, len(found.discrepancies)) == (reconcile.Totals(), 0)


def test_the_day_of_a_row_may_be_named_as_in_the_answers():
    named = LEDGER.rename_columns(["call_id", "prod_id", "call_date"])
    assert reconcile.compare(named, answers()).details == reconcile.compare(LEDGER, answers()).details
    both = LEDGER.append_column("call_date", pa.array(["2026-11-17"] * 2))
    found = reconcile.compare(both, answers()).details
    assert found["ledger_call_date"].to_pylist() == ["2026-11-17"] * 2
    assert found["status"].to_pylist() == ["found", "deferred"]
