"""Compares time and memory of publishing with DuckDB, which does the same work on the same inputs.

DuckDB reads the ledger (CSV) and the raw answers (JSON lines; `Data` is JSON in a string), joins
them, gives each field its type, and classifies the differences. It writes details (Parquet, zstd,
its own row groups) and discrepancies (CSV) in ledger order. It does less than the program: it has
no report, masks, tie-out, checksums or ages, and finds only unusable rows without a CallId.
Program and DuckDB run one after the other, several times.

    CALLS=1000000 python3 benches/peers/publish.py [runs] [--cores 1,2,4,8,16]

With `--cores`, both run on that many cores (CPU affinity), for each of the numbers. `cargo bench
--bench publish` builds the program and makes the inputs. The script installs two versions of
DuckDB from PyPI below target/: one that is always the same, and the current one.
"""

import argparse
import os
import pathlib
import resource
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
CALLS = os.environ.get("CALLS", "1000000")
DUCKDB = ["1.5.5", "2.0.1"]

RECORD = """{"callId":"VARCHAR","caller":"VARCHAR","callee":"VARCHAR","callerShowNumber":"VARCHAR",
"calleeShowNumber":"VARCHAR","gmtCreate":"TIMESTAMP","startDate":"TIMESTAMP","endDate":"TIMESTAMP",
"aRingTime":"TIMESTAMP","aEndTime":"TIMESTAMP","bRingTime":"TIMESTAMP","bStartTime":"TIMESTAMP",
"bEndTime":"TIMESTAMP","duration":"BIGINT","state":"VARCHAR","stateDesc":"VARCHAR","hangupDirection":"BIGINT"}"""

SQL = f"""
SET TimeZone = 'UTC';
CREATE TABLE ledger AS
  SELECT row_number() OVER () + 1 AS ledger_line, * FROM read_csv('calls.csv', header = true, columns = {{
    'call_id': 'VARCHAR', 'prod_id': 'BIGINT', 'called_at': 'TIMESTAMP', 'callee': 'VARCHAR', 'state': 'VARCHAR',
    'answered': 'VARCHAR', 'duration': 'BIGINT', 'started_at': 'TIMESTAMP', 'ended_at': 'TIMESTAMP',
    'dept': 'VARCHAR', 'order_no': 'VARCHAR'}});
CREATE TABLE numbered AS
  SELECT *, row_number() OVER (PARTITION BY call_id, prod_id, called_at::DATE ORDER BY ledger_line) AS nth
  FROM ledger WHERE call_id IS NOT NULL;
CREATE TABLE joined AS
  SELECT l.*, a.RequestId AS request_id, a.Data AS raw, d.*,
    CASE d.state WHEN '200000' THEN 'answered' WHEN '200002' THEN 'busy' WHEN '200003' THEN 'no_answer'
      ELSE 'unknown' END AS outcome,
    CASE d.state WHEN '200000' THEN d.duration > 0 WHEN '200002' THEN false WHEN '200003' THEN false END AS was_answered,
    CASE WHEN a.Data IS NULL THEN 'not_found' ELSE 'found' END AS status
  FROM (SELECT * FROM numbered WHERE nth = 1) l
  LEFT JOIN (SELECT *, from_json(Data, '{RECORD}') AS d FROM read_json('answers.jsonl', format = 'newline_delimited',
    columns = {{'call_id': 'VARCHAR', 'prod_id': 'BIGINT', 'call_date': 'DATE', 'RequestId': 'VARCHAR',
      'Code': 'VARCHAR', 'Message': 'VARCHAR', 'Data': 'VARCHAR'}})) a
  ON a.call_id = l.call_id AND a.prod_id = l.prod_id AND a.call_date = l.called_at::DATE;
"""

SQL_OUT = """
CREATE TABLE differences AS
  SELECT call_id, ledger_line, 'not_found' AS kind, '' AS field, NULL AS expected, NULL AS actual, NULL::BIGINT AS delta,
    called_at::DATE AS call_date, prod_id, dept, order_no FROM joined WHERE status = 'not_found'
  UNION ALL SELECT call_id, ledger_line, 'duplicate', '', NULL, NULL, NULL, called_at::DATE, prod_id, dept, order_no
    FROM numbered WHERE nth > 1
  UNION ALL SELECT call_id, ledger_line, 'invalid_row', 'call_id', NULL, NULL, NULL, NULL, NULL, dept, order_no
    FROM ledger WHERE call_id IS NULL
  UNION ALL SELECT call_id, ledger_line, 'mismatch', 'callee', callee, callee_1, NULL, called_at::DATE, prod_id, dept,
    order_no FROM joined WHERE regexp_replace(callee, '[ -]|^(\\+86|0086|86)', '', 'g')
      <> regexp_replace(callee_1, '[ -]|^(\\+86|0086|86)', '', 'g')
  UNION ALL SELECT call_id, ledger_line, 'mismatch', 'state', state, state_1, NULL, called_at::DATE, prod_id, dept,
    order_no FROM joined WHERE state <> state_1
  UNION ALL SELECT call_id, ledger_line, 'mismatch', 'answered', answered, was_answered::VARCHAR, NULL,
    called_at::DATE, prod_id, dept, order_no FROM joined WHERE (answered = 'yes') <> was_answered
  UNION ALL SELECT call_id, ledger_line, 'mismatch', 'duration_s', duration::VARCHAR, duration_1::VARCHAR,
    duration_1 - duration, called_at::DATE, prod_id, dept, order_no FROM joined WHERE duration <> duration_1
  UNION ALL SELECT call_id, ledger_line, 'mismatch', 'called_at', called_at::VARCHAR, gmtCreate::VARCHAR,
    epoch(gmtCreate - called_at)::BIGINT, called_at::DATE, prod_id, dept, order_no FROM joined
    WHERE called_at <> gmtCreate
  UNION ALL SELECT call_id, ledger_line, 'mismatch', 'started_at', started_at::VARCHAR, startDate::VARCHAR,
    epoch(startDate - started_at)::BIGINT, called_at::DATE, prod_id, dept, order_no FROM joined
    WHERE started_at <> startDate OR (was_answered = false AND (started_at IS NULL) <> (startDate IS NULL))
  UNION ALL SELECT call_id, ledger_line, 'mismatch', 'ended_at', ended_at::VARCHAR, endDate::VARCHAR,
    epoch(endDate - ended_at)::BIGINT, called_at::DATE, prod_id, dept, order_no FROM joined
    WHERE ended_at <> endDate OR (was_answered = false AND (ended_at IS NULL) <> (endDate IS NULL))
  UNION ALL SELECT call_id, ledger_line, 'inconsistent', 'duration_s', epoch(endDate - startDate)::VARCHAR,
    duration_1::VARCHAR, duration_1 - epoch(endDate - startDate)::BIGINT, called_at::DATE, prod_id, dept, order_no
    FROM joined WHERE epoch(endDate - startDate)::BIGINT <> duration_1;
COPY (
  SELECT j.call_id, j.prod_id, 'voice-notification' AS product, j.called_at::DATE AS call_date, j.status, j.caller,
    callee_1 AS callee, callerShowNumber AS caller_show_number, calleeShowNumber AS callee_show_number,
    timezone('Asia/Shanghai', gmtCreate) AS created_at, timezone('Asia/Shanghai', startDate) AS started_at,
    timezone('Asia/Shanghai', endDate) AS ended_at, timezone('Asia/Shanghai', aRingTime) AS a_ring_at,
    timezone('Asia/Shanghai', aEndTime) AS a_end_at, timezone('Asia/Shanghai', bRingTime) AS b_ring_at,
    timezone('Asia/Shanghai', bStartTime) AS b_start_at, timezone('Asia/Shanghai', bEndTime) AS b_end_at,
    duration_1 AS duration_s, (duration_1 + 59) // 60 AS billable_minutes, state_1 AS state, outcome,
    was_answered AS answered, stateDesc AS state_desc,
    CASE hangupDirection WHEN 0 THEN 'callee' WHEN 1 THEN 'caller' END AS hangup_by, request_id,
    coalesce(n.rows, 0) AS discrepancies, j.ledger_line, raw, j.dept AS ledger_dept, j.order_no AS ledger_order_no
  FROM joined j LEFT JOIN (SELECT call_id, call_date, count(*) AS rows FROM differences GROUP BY ALL) n
    ON n.call_id = j.call_id AND n.call_date = j.called_at::DATE
  ORDER BY j.ledger_line
) TO 'duckdb.parquet' (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, ROW_GROUP_SIZE 122880);
COPY (SELECT * FROM differences ORDER BY ledger_line, kind) TO 'duckdb.csv' (FORMAT csv, HEADER);
"""


def with_duckdb(folder):
    """Does the work in DuckDB. Runs in a separate process, so that its memory can be measured."""
    import duckdb

    os.chdir(folder)
    connection = duckdb.connect()
    connection.execute(SQL + SQL_OUT)


def run(command, folder, cores=None):
    """Runs a command in this folder, on this many cores or on all.

    Returns elapsed seconds, CPU seconds and peak MiB.
    """
    allowed = sorted(os.sched_getaffinity(0))[:cores]
    begin = time.monotonic()
    process = subprocess.Popen(command, cwd=folder, preexec_fn=lambda: os.sched_setaffinity(0, allowed))
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - begin
    if status:
        sys.exit(f"{command} failed")
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def installed(version):
    """The Python that has this version of DuckDB."""
    venv = ROOT / "target" / f"peers-venv-{version}"
    if not (venv / "bin" / "pip").exists():
        subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    subprocess.run([venv / "bin" / "pip", "install", "--quiet", f"duckdb=={version}"], check=True)
    return venv / "bin" / "python"


def compare(ours, peers, folder, runs, cores):
    """Runs program and peers in turn, and prints each run and the medians. `peers` are commands by
    name."""
    times, ratios = [], {name: [] for name in peers}
    print(f"{CALLS} calls on {cores or 'all'} cores   seconds    CPU s      MiB")
    for _ in range(runs):
        wall, cpu, mib = run(ours, folder, cores)
        times.append(wall)
        print(f"{'reconcile':24}{wall:13.2f}{cpu:9.2f}{mib:9.0f}")
        for name, command in peers.items():
            other, cpu, mib = run(command, folder, cores)
            ratios[name].append(wall / other)
            print(f"{name:24}{other:13.2f}{cpu:9.2f}{mib:9.0f}    ratio {wall / other:.3f}", flush=True)
    print(f"median of {runs} runs: {statistics.median(times):.2f} s")
    for name, values in ratios.items():
        print(f"median of the ratios to {name}: {statistics.median(values):.3f}", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("runs", nargs="?", type=int, default=5)
    parser.add_argument("--cores", type=lambda text: [int(n) for n in text.split(",")], default=[None])
    options = parser.parse_args()
    folder = ROOT / "target" / f"publish-{CALLS}"
    folder.mkdir(exist_ok=True)
    prepare = dict(os.environ, FOLDER=str(folder), CALLS=CALLS, RUNS="0")
    subprocess.run(["cargo", "bench", "--quiet", "--bench", "publish"], cwd=ROOT, env=prepare, check=True)
    ours = [ROOT / "target/release/reconcile", "-q", "--offline", "--input", "calls.csv", "--out", "details.parquet"]
    script = pathlib.Path(__file__).resolve()
    peers = {f"DuckDB {version}": [installed(version), script, "--duckdb", folder] for version in DUCKDB}
    for cores in options.cores:
        compare(ours, peers, folder, options.runs, cores)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--duckdb"]:
        with_duckdb(sys.argv[2])
    else:
        main()
