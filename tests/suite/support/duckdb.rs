//! DuckDB as analysts use it, without anybody's settings.

use std::path::Path;

use super::venv;

/// What `duckdb -c SQL` prints in this folder, in UTC, without colour and without anybody's settings.
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
