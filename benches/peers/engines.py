"""Compares the totals of the engine jobs with the program's, and measures how fast the jobs are.

Ledger and answers are those of `cargo bench --bench publish`; the answers leave the store by
`reconcile export`. Each job of python/examples runs over two ledgers, of 10,000 calls and of
`CALLS`. The difference of the two CPU times is that of the rows, without start and end of the
engine. Spark has two local workers with a core each.

    CALLS=1000000 python3 benches/peers/engines.py [ENGINE…]

It needs a release build of the program and Java 17. It installs the wheel and the engines below
target/.
"""

import ctypes
import json
import os
import pathlib
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "python" / "examples"
RECONCILE = ROOT / "target" / "release" / "reconcile"
BIN = ROOT / "target" / "engines-venv" / "bin"
CALLS = int(os.environ.get("CALLS", "1000000"))
FEW_CALLS = 10_000
PR_SET_CHILD_SUBREAPER = 36
SPARK = [
    BIN / "spark-submit",
    "--master=local-cluster[2,1,1024]",
    "--conf=spark.ui.enabled=false",
    f"--py-files={EXAMPLES / 'job.py'}",
]
PYTHON = [BIN / "python"]
ENGINES = {"spark": SPARK, "ray": PYTHON, "polars": PYTHON, "duckdb": PYTHON}

LEDGER = """
COPY (SELECT row_number() OVER () + 1 AS line, * FROM read_csv('calls.csv', all_varchar = true))
TO 'ledger.parquet'
"""


def install():
    """Installs engines and wheel into a virtual environment, unless they are there."""
    if (BIN / "spark-submit").exists():
        return
    subprocess.run([sys.executable, "-m", "venv", BIN.parent], check=True)
    pip = [BIN / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "-r", EXAMPLES / "requirements.txt"], check=True)
    subprocess.run([*pip, ROOT / "python"], check=True)


def prepare(calls):
    """Makes ledger and answers. Returns their folder and the program's totals."""
    folder = ROOT / "target" / f"publish-{calls}"
    folder.mkdir(exist_ok=True)
    inputs = dict(os.environ, FOLDER=str(folder), CALLS=str(calls), RUNS="0")
    bench = ["cargo", "bench", "--quiet", "--bench", "publish"]
    subprocess.run(bench, cwd=ROOT, env=inputs, check=True)
    export = ["export", "-q", "--store", "reconcile.db", "--to", "lake"]
    publish = ["-q", "--offline", "--input", "calls.csv", "--out", "details.parquet"]
    for command in (export, publish):
        subprocess.run([RECONCILE, *command], cwd=folder, check=True)
    ledger = [BIN / "python", "-c", f"import duckdb; duckdb.sql({LEDGER!r})"]
    subprocess.run(ledger, cwd=folder, check=True)
    return folder, json.loads((folder / "details.summary.json").read_text())


def descendants():
    """The processes below this one, and the CPU seconds of each."""
    parents, seconds = {}, {}
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            # The name, in brackets, may contain spaces.
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has just ended
        parents[int(folder.name)] = int(fields[1])
        seconds[int(folder.name)] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    below = {os.getpid()}
    while found := {pid for pid, parent in parents.items() if parent in below} - below:
        below |= found
    return {pid: seconds[pid] for pid in below - {os.getpid()}}


def run(engine, folder, expected):
    """Runs a job. Returns elapsed and CPU seconds. Its totals must be the expected ones."""
    paths = ["ledger.parquet", "lake", f"out-{engine}"]
    job = [*ENGINES[engine], EXAMPLES / f"{engine}_job.py", *paths]
    environment = dict(os.environ, PYSPARK_PYTHON=str(BIN / "python"))
    begin, earlier = time.monotonic(), descendants()
    cpu = dict(earlier)
    with open(folder / "printed", "w+") as printed:
        outputs = {"stdout": printed, "stderr": printed}
        process = subprocess.Popen(job, cwd=folder, env=environment, **outputs)
        while process.poll() is None:
            cpu |= descendants()
            time.sleep(0.1)
        wall = time.monotonic() - begin
        printed.seek(0)
        lines = printed.read().splitlines()
    if process.returncode:
        sys.exit("\n".join(lines))
    totals = json.loads(next(line for line in reversed(lines) if line.startswith("{")))
    different = [name for name, value in totals.items() if value != expected.get(name, 0)]
    if different:
        sys.exit(f"{engine}: other totals than the program's: {', '.join(different)}")
    return wall, sum(cpu.values()) - sum(earlier.values())


def main():
    # Daemons, such as Ray's, become children of this process when their parent ends.
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
    install()
    few, many = prepare(FEW_CALLS), prepare(CALLS)
    rows = many[1]["rows"] - few[1]["rows"]
    print(f"{os.cpu_count()} cores. The totals are the program's. A billion rows: on one core.")
    print(f"engine   {FEW_CALLS} calls    CPU   {CALLS} calls    CPU   load", end="")
    print("   rows/s/core   a billion")
    for engine in sys.argv[1:] or ENGINES:
        (wall, cpu), (long, long_cpu) = (run(engine, *night) for night in (few, many))
        rate, load = rows / (long_cpu - cpu), os.getloadavg()[0]
        print(f"{engine:7}{wall:11.1f} s{cpu:7.1f}{long:13.1f} s{long_cpu:7.1f}{load:7.1f}", end="")
        print(f"{rate:14.0f}{1e9 / rate / 3600:10.1f} h", flush=True)


if __name__ == "__main__":
    main()
