//! DuckDB as analysts use it, without a user's settings.

use std::path::Path;

use super::venv;

/// Output of `duckdb -c SQL` in this folder: in UTC, without colour, without a user's settings.
pub fn query(folder: &Path, flags: &[&str], sql: &str) -> String {
    let home = tempfile::TempDir::new().unwrap();
    let mut command = venv::command("duckdb");
    command
        .args(flags)
        .args(["-c", sql])
        .current_dir(folder)
        .env("HOME", home.path())
        .env("TZ", "UTC")
        .env("NO_COLOR", "1")
        .env("TERM", "dumb");
    venv::output(&mut command, sql)
}
