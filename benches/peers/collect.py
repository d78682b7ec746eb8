"""Compares how fast the official Python SDK and this program collect the same calls.

Both ask the server of `cargo bench --bench collect`, which sends the same answer to every request
and has no cap. They run one after the other, several times. Sixteen threads of one Python process
ask with `aliyun-python-sdk-core`; more threads are no faster, because one Python process uses one
core. The program asks with `--concurrency 1024`, stores every request and answer on disk, and
writes its four files.

    CALLS=20000 python3 benches/peers/collect.py [runs]

It needs a release build of the program. It installs the SDK from PyPI below target/.
"""

import concurrent.futures
import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
RECONCILE = ROOT / "target" / "release" / "reconcile"
CALLS = int(os.environ.get("CALLS", "20000"))
THREADS = 16
SDK = "aliyun-python-sdk-core==2.16.1"
PRODUCT = "11000000300006"


def call_id(number):
    return f"{116014888060 + number:012}^{102816313060 + number:012}"


def with_sdk(port):
    """Collects with the SDK and prints calls per second. Runs in a separate process."""
    from aliyunsdkcore.client import AcsClient
    from aliyunsdkcore.request import CommonRequest

    client = AcsClient("testid", "testsecret", "cn-hangzhou", auto_retry=False)

    def ask(number):
        request = CommonRequest()
        request.set_protocol_type("http")
        request.set_domain(f"127.0.0.1:{port}")
        request.set_method("POST")
        request.set_version("2017-05-25")
        request.set_action_name("QueryCallDetailByCallId")
        for name, value in (("CallId", call_id(number)), ("ProdId", PRODUCT), ("QueryDate", "1714492800000")):
            request.add_body_params(name, value)
        return b"RequestId" in client.do_action_with_exception(request)

    begin = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
        answered = sum(pool.map(ask, range(CALLS)))
    assert answered == CALLS, f"{answered} of {CALLS} were answered"
    print(CALLS / (time.monotonic() - begin))


def with_reconcile(port):
    """Calls per second of a whole run with all four files."""
    folder = tempfile.mkdtemp()
    with open(f"{folder}/calls.csv", "w") as ledger:
        ledger.write("call_id,prod_id,called_at\n")
        ledger.writelines(f"{call_id(n)},{PRODUCT},2024-05-01 10:00:00\n" for n in range(CALLS))
    keys = {"ALIBABA_CLOUD_ACCESS_KEY_ID": "testid", "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "testsecret"}
    job = [RECONCILE, "-q", "--input", "calls.csv", "--out", "details.parquet"]
    job += ["--rate", "1000000/s", "--concurrency", "1024"]
    begin = time.monotonic()
    job += ["--endpoint", f"http://127.0.0.1:{port}"]
    subprocess.run(job, cwd=folder, env=dict(os.environ, **keys), check=True)
    rate = CALLS / (time.monotonic() - begin)
    shutil.rmtree(folder)
    return rate


def main():
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    venv = ROOT / "target" / "peers-venv"
    if not (venv / "bin" / "pip").exists():
        subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    subprocess.run([venv / "bin" / "pip", "install", "--quiet", SDK], check=True)
    serve = dict(os.environ, RECONCILE_BENCH_SERVE="1")
    command = ["cargo", "bench", "--quiet", "--bench", "collect"]
    server = subprocess.Popen(command, cwd=ROOT, env=serve, stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        port = server.stdout.readline().strip().rsplit(":", 1)[1]
        ratios = []
        for _ in range(runs):
            mine = with_reconcile(port)
            command = [venv / "bin" / "python", pathlib.Path(__file__).resolve(), "--sdk", port]
            theirs = float(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
            ratios.append(mine / theirs)
            print(f"reconcile {mine:7.0f} calls/s   SDK {theirs:6.0f} calls/s   ratio {mine / theirs:.1f}")
        print(f"median of the ratios of {runs} paired runs: {statistics.median(ratios):.1f}")
    finally:
        # Ends cargo and the server that it started.
        os.killpg(server.pid, signal.SIGTERM)
        server.wait()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--sdk"]:
        with_sdk(sys.argv[2])
    else:
        main()
