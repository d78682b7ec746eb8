# The checks. `just ci` runs all of them, as CI does; `just --list` shows them.

set shell := ["bash", "-euo", "pipefail", "-c"]

# Many tests wait for a process or a database, so twice as many run as there are cores.
export RUST_TEST_THREADS := env("RUST_TEST_THREADS", shell('echo $((2 * $1))', num_cpus()))

# All checks. The tests come last, so that their summary ends the log.
ci: fmt clippy doc sample-run bench-smoke python engines test

# Formatting
fmt:
    cargo fmt --all --check

# Lints. Clippy also refuses features that are newer than `rust-version` in Cargo.toml.
clippy:
    cargo clippy --locked --workspace --all-targets -- -D warnings

# API documentation without warnings
doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps --document-private-items

# The README's command over the sample data; its outputs are deleted afterwards
sample-run: (_readme "cargo run --release -- --sandbox")
    for kind in parquet discrepancies.csv report.html summary.json; do \
        test -s "details.$kind" || { echo "the sample run left no details.$kind" >&2; exit 1; }; \
    done
    rm -f details.* reconcile.sandbox.db*

# Runs the benchmarks pure, cap, ledger, sandbox and store once; their figures are not judged
bench-smoke:
    cargo bench --locked --bench pure -- --test
    cargo bench --locked --bench cap --bench ledger --bench sandbox --bench store

# The Python wheel: lints, then its tests against the program. Everything is below target/.
python:
    cargo fmt --manifest-path python/Cargo.toml --check
    cargo clippy --manifest-path python/Cargo.toml --target-dir target/wheel --locked --profile quick -- -D warnings
    cargo build --locked
    test -x target/python/bin/pip || python3 -m venv target/python
    target/python/bin/pip install --quiet --disable-pip-version-check -r python/requirements.txt
    rm -rf target/wheel/wheels
    cd python && ../target/python/bin/maturin build --profile quick --target-dir ../target/wheel --out ../target/wheel/wheels
    target/python/bin/pip install --quiet --disable-pip-version-check --force-reinstall --no-deps target/wheel/wheels/*.whl
    target/python/bin/python -m pytest -q -p no:cacheprovider python/tests

# The jobs and tables of python/examples, with 1.5 GB of engines
engines: python
    target/python/bin/pip install --quiet --disable-pip-version-check -r python/examples/requirements.txt
    target/python/bin/python -m pytest -q -p no:cacheprovider python/examples/tests

# The README's command for the tests
test: (_readme "cargo test")

# Runs the README's first command with this beginning.
_readme beginning:
    @command=$(grep -m 1 -E '^{{ beginning }}' README.md) \
        || { echo "README.md has no command that begins with: {{ beginning }}" >&2; exit 1; }; \
    echo "+ $command"; \
    eval "$command"
