//! The readers of Parquet and of metrics that users have, at pinned versions, installed by the tests themselves. Owns the virtual
//! environment below cargo's target directory.
//!
//! Whoever comes first installs, the others wait at a lock file. An installation counts only once its mark is
//! written, so one that was cut off is made again.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const PACKAGES: [&str; 4] =
    ["duckdb-cli==1.5.5", "pyarrow==26.0.1", "polars==2.1.0", "prometheus-client==0.26.0"];

/// A command of the environment, installed if need be.
pub fn command(name: &str) -> Command {
    Command::new(folder().join("bin").join(name))
}

fn folder() -> PathBuf {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR"));
    fs::create_dir_all(root).unwrap();
    let lock = File::create(root.join("readers-venv.lock")).unwrap();
    lock.lock().unwrap();
    let venv = root.join("readers-venv");
    let mark = venv.join("installed");
    // A virtual environment works only where it was made; the target directory may have been moved since.
    let made = format!("{} in {}", PACKAGES.join(" "), venv.display());
    if fs::read_to_string(&mark).is_ok_and(|mark| mark == made) && venv.join("bin/duckdb").exists() {
        return venv;
    }
    if venv.exists() {
        fs::remove_dir_all(&venv).unwrap();
    }
    let mut make = Command::new("python3");
    let why = "the tests read the outputs with DuckDB, pyarrow, Polars and prometheus-client and need python3 with venv";
    output(make.args(["-m", "venv"]).arg(&venv), why);
    let mut install = Command::new(venv.join("bin/pip"));
    install.args(["install", "--quiet", "--disable-pip-version-check"]).args(PACKAGES);
    output(&mut install, "the readers of the outputs come from the Python package index");
    fs::write(&mark, made).unwrap();
    venv
}

/// What a command prints; one that fails fails the test.
pub fn output(command: &mut Command, why: &str) -> String {
    let output = command.stdin(Stdio::null()).output();
    let output = output.unwrap_or_else(|error| panic!("{why}; {command:?} did not start: {error}"));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{why}; {command:?} failed:\n{stderr}");
    String::from_utf8(output.stdout).unwrap()
}
