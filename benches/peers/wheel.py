"""Measures how many rows a second the Python wheel normalizes and compares on one core.

    pip install pyarrow && (cd python && maturin build --release) && pip install python/target/wheels/*.whl
    CALLS=1000000 taskset -c 0 python3 benches/peers/wheel.py

The times are CPU time, the best of three. The answers are in random order. One ledger has a column
type for each value, the other has only texts. Batches of 10,000 rows are what engines pass on.
"""

import datetime
import os
import random
import time

import pyarrow as pa
import pyarrow.compute  # noqa: F401
import reconcile

CALLS = int(os.environ.get("CALLS", "1000000"))
BATCH = 10_000
CHINA = datetime.timezone(datetime.timedelta(hours=8))
START = int(datetime.datetime(2026, 11, 16, tzinfo=CHINA).timestamp())
UTC = pa.timestamp("us", "UTC")


def text(second):
    return datetime.datetime.fromtimestamp(second, CHINA).strftime("%Y-%m-%d %H:%M:%S")


def record(call, at, talk):
    """The provider's `Data`."""
    start, end = text(at + 10), text(at + 10 + talk)
    return (
        f'{{"callId":"{call}","endDate":"{end}","stateDesc":"用户接听","callee":"12500000000","bStartTime":"{start}",'
        f'"gmtCreate":"{text(at)}","duration":{talk},"calleeShowNumber":"057100001836","bRingTime":"{text(at + 5)}",'
        f'"bEndTime":"{end}","state":"200000","startDate":"{start}","hangupDirection":0}}'
    )


def tables():
    """A ledger with types, the same as texts, and the answers."""
    rng = random.Random(1)
    ids = [f"1160{n:08}^1028{n:08}" for n in range(CALLS)]
    at = [START + n % 80_000 for n in range(CALLS)]
    talk = [rng.randrange(1, 200) for _ in range(CALLS)]
    instants = lambda after: pa.array([s * 1_000_000 for s in after], UTC)  # noqa: E731
    answers = {
        "call_id": ids,
        "prod_id": [11000000300006] * CALLS,
        "call_date": [datetime.date(2026, 11, 16)] * CALLS,
        "code": ["OK"] * CALLS,
        "message": ["OK"] * CALLS,
        "data": list(map(record, ids, at, talk)),
        "request_id": [f"{n:032x}" for n in range(CALLS)],
        "fetched_at": instants([START + 200_000] * CALLS),
        "attempts": [1] * CALLS,
    }
    order = rng.sample(range(CALLS), CALLS)
    # One in 50 talk times differs.
    seconds = [s + (n % 50 == 0) for n, s in enumerate(talk)]
    own = {"call_id": ids, "callee": ["12500000000"] * CALLS, "state": ["200000"] * CALLS, "note": ["x"] * CALLS}
    starts, ends = [a + 10 for a in at], [a + 10 + s for a, s in zip(at, talk)]
    typed = {"prod_id": answers["prod_id"], "answered": [True] * CALLS, "duration_s": seconds,
             "called_at": instants(at), "started_at": instants(starts), "ended_at": instants(ends)}  # fmt: skip
    texts = {"prod_id": ["voice-notification"] * CALLS, "answered": ["true"] * CALLS, "duration_s": map(str, seconds),
             "called_at": map(text, at), "started_at": map(text, starts), "ended_at": map(text, ends)}  # fmt: skip
    texts = {name: list(values) for name, values in texts.items()}
    return pa.record_batch({**own, **typed}), pa.record_batch({**own, **texts}), pa.record_batch(answers).take(order)


def measure(name, work):
    times = []
    for _ in range(3):
        begun = time.process_time()
        work()
        times.append(time.process_time() - begun)
    print(f"{name:<40} {min(times):6.2f} s {CALLS / min(times):12,.0f} rows/s")


def in_batches(ledger, answers):
    """Compares batches with the same calls on both sides."""
    totals = reconcile.Totals()
    for start in range(0, CALLS, BATCH):
        totals.merge(reconcile.compare(ledger.slice(start, BATCH), answers.slice(start, BATCH)).totals)
    return totals


def main():
    typed, texts, answers = tables()
    by_call = answers.take(pa.compute.sort_indices(answers["call_id"]))
    whole = reconcile.compare(typed, answers).totals
    assert whole == reconcile.compare(texts, answers).totals == in_batches(typed, by_call)
    assert whole.to_dict()["with_discrepancies"] == (CALLS + 49) // 50
    measure("normalize", lambda: reconcile.normalize(answers))
    measure("compare, typed columns", lambda: reconcile.compare(typed, answers))
    measure("compare, texts", lambda: reconcile.compare(texts, answers))
    measure(f"compare, typed, batches of {BATCH:,}", lambda: in_batches(typed, by_call))


main()
