//! DuckDB at a pinned version, installed by the tests themselves. Owns the virtual environment below cargo's
//! target directory.
//!
//! Whoever comes first installs, the others wait at a lock file. An installation counts only once its mark is
//! written, so one that was cut off is made again.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const PACKAGE: &str = "duckdb-cli==1.5.5";

/// The executable, installed if need be.
fn executable() -> PathBuf {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR"));
    fs::create_dir_all(root).unwrap();
    let lock = File::create(root.join("duckdb-venv.lock")).unwrap();
    lock.lock().unwrap();
    let venv = root.join("duckdb-venv");
    let (duckdb, mark) = (venv.join("bin/duckdb"), venv.join("installed"));
    // A virtual environment works only where it was made; the target directory may have been moved since.
    let made = format!("{PACKAGE} in {}", venv.display());
    if fs::read_to_string(&mark).is_ok_and(|mark| mark == made) && duckdb.exists() {
        return duckdb;
    }
    if venv.exists() {
        fs::remove_dir_all(&venv).unwrap();
    }
    let mut make = Command::new("python3");
    done(
        make.args(["-m", "venv"]).arg(&venv),
        "the tests read Parquet with DuckDB and need python3 with venv",
    );
    let mut install = Command::new(venv.join("bin/pip"));
    install.args(["install", "--quiet", "--disable-pip-version-check", PACKAGE]);
    done(&mut install, "the tests read Parquet with DuckDB, which comes from the Python package index");
    fs::write(&mark, made).unwrap();
    duckdb
}

fn done(command: &mut Command, why: &str) {
    let output = command.stdin(Stdio::null()).output();
    let output = output.unwrap_or_else(|error| panic!("{why}; {command:?} did not start: {error}"));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{why}; {command:?} failed:\n{stderr}");
}

/// What `duckdb -c SQL` prints in this folder, in UTC, without colour and without anybody's settings.
pub fn query(folder: &Path, flags: &[&str], sql: &str) -> String {
    let home = tempfile::TempDir::new().unwrap();
    let output = Command::new(executable())
        .args(flags)
        .args(["-c", sql])
        .current_dir(folder)
        .env("HOME", home.path())
        .env("TZ", "UTC")
        .env("NO_COLOR", "1")
        .env("TERM", "dumb")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "DuckDB refused:\n{sql}\n{stderr}");
    String::from_utf8(output.stdout).unwrap()
}
