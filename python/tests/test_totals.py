"""Totals of parts add up to those of the whole."""

import functools
import pickle
import random

import ledgers
import pyarrow as pa
import pytest
import reconcile


def parts(answers, ways):
    """A ledger as a whole, and divided by call: details, discrepancies and totals of each part."""
    ledger, call = ledgers.plain_table(7)
    name = next(name for name in ledger.column_names if name in ledgers.NAMES["call_id"])
    ledger = ledger.append_column("line", pa.array(range(2, len(ledger) + 2)))
    # The rows of a call are all in one part.
    part_of = [hash((value or "").strip()) % ways for value in ledger[name].to_pylist()]
    divided = [ledger.filter(pa.array([part == own for own in part_of])) for part in range(ways)]
    whole = reconcile.compare(ledger, answers, **call)
    return whole, [reconcile.compare(part, answers, **call) for part in divided]


def rows(batches):
    table = pa.concat_tables([pa.Table.from_batches([batch]) for batch in batches])
    return sorted(table.to_pylist(), key=lambda row: (row["ledger_line"], row.get("kind", "")))


@pytest.mark.parametrize("ways", [1, 2, 7])
def test_parts_add_up_to_the_whole(answers, ways):
    whole, divided = parts(answers, ways)
    random.Random(ways).shuffle(divided)
    totals = reconcile.Totals()
    for part in divided:
        totals.merge(part.totals)
    assert totals == whole.totals
    assert totals == sum((part.totals for part in divided), reconcile.Totals())
    assert totals == functools.reduce(lambda a, b: a + b, [part.totals for part in divided])
    assert rows([part.details for part in divided]) == rows([whole.details])
    assert rows([part.discrepancies for part in divided]) == rows([whole.discrepancies])
    assert [line["foots"] for line in totals.check()] == [True] * 5
    steps = totals.to_dict()["bridge"]
    assert sum(step["seconds"] for step in steps[:-1]) == steps[-1]["seconds"]


def test_totals_can_be_pickled(answers):
    whole, _ = parts(answers, 1)
    copy = pickle.loads(pickle.dumps(whole.totals))
    assert copy == whole.totals and copy.to_dict() == whole.totals.to_dict()
    copy.merge(copy)
    assert copy == whole.totals + whole.totals != whole.totals
    assert pickle.loads(pickle.dumps(reconcile.Totals())) == reconcile.Totals()
    with pytest.raises(ValueError, match="count them again"):
        copy.__setstate__(b"{}")


def test_totals_that_lack_a_row_do_not_add_up(answers):
    whole, _ = parts(answers, 1)
    state = whole.totals.__getstate__()
    for key in [b'"rows":', b'"found":', b'"clean":', b'"invalid":', b'"invalid_row":']:
        broken = reconcile.Totals()
        broken.__setstate__(state.replace(key, key + b"1", 1))
        with pytest.raises(reconcile.TieOutError, match="does not add up"):
            broken.check()


def test_only_totals_are_added():
    with pytest.raises(TypeError):
        reconcile.Totals() + 1
    with pytest.raises(TypeError):
        reconcile.Totals().merge({})
