"""The stub file says what the module has."""

import subprocess
import sys

CONFIG = "[mypy]\nignore_missing_imports = True\n"
# The extension below the package, and what PyO3 adds to every class of its kind.
ALLOWED = "reconcile.reconcile\nreconcile.Totals.__radd__\n"


def test_the_stub_has_what_the_module_has(tmp_path):
    (tmp_path / "mypy.ini").write_text(CONFIG)
    (tmp_path / "allowed").write_text(ALLOWED)
    command = [sys.executable, "-m", "mypy.stubtest", "reconcile", "--allowlist", tmp_path / "allowed"]
    done = subprocess.run(
        [*command, "--mypy-config-file", tmp_path / "mypy.ini"], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 0, done.stdout + done.stderr
