"""What several tests need: a store with answers, and the answers as a batch."""

import os

import ledgers
import program
import pytest

LEDGERS = 100


@pytest.fixture(scope="session")
def store(tmp_path_factory):
    """A store with the answers to the calls of all random ledgers."""
    folder = tmp_path_factory.mktemp("store")
    calls = folder / "calls.csv"
    ledgers.write_csv(calls, range(LEDGERS))
    faults = "not-yet=3%,interim=3%,other-day=3%,malformed=3%,unknown-state=3%,rejected=3%,late=1h"
    keys = {"ALIBABA_CLOUD_ACCESS_KEY_ID": "testid", "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "testsecret"}
    options = ["--calls", calls, "--plant", "30%", "--faults", faults.removesuffix(",late=1h"), "--cap", "10000/s"]
    with program.sandbox(*options) as address:
        program.run(
            *("--input", calls, "--out", folder / "details.parquet", "--store", folder / "reconcile.db"),
            *("--endpoint", f"http://{address}", "--rate", "10000/s", "--max-attempts", "2"),
            env={**os.environ, **keys},
        )
    return folder / "reconcile.db"


@pytest.fixture(scope="session")
def answers(store):
    """Its answers, in the columns of an export."""
    return program.answers(store)
