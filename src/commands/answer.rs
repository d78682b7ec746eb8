//! How a command prints its answer: as JSON, or as lines for people.

use serde::Serialize;

use crate::console::messages;
use crate::error::{Error, Result};
use crate::store::{self, Reader, StoreLocation};

/// Prints an answer as JSON, or as `lines`.
///
/// # Errors
///
/// Exit 6 when standard output cannot be written.
pub(super) fn answer(json: bool, value: &impl Serialize, lines: impl FnOnce() -> Vec<String>) -> Result<()> {
    if !json {
        return lines().iter().try_for_each(|line| print_line(line));
    }
    messages::print_json(&serde_json::to_string_pretty(value).map_err(no_json)?)
}

/// Prints one of several answers, each on its own line: as JSON, or as `lines`.
///
/// # Errors
///
/// As [`answer`].
pub(super) fn next_answer(
    json: bool,
    value: &impl Serialize,
    lines: impl FnOnce() -> Vec<String>,
) -> Result<()> {
    if !json {
        return lines().iter().try_for_each(|line| print_line(line));
    }
    messages::print_json(&serde_json::to_string(value).map_err(no_json)?)
}

fn no_json(e: serde_json::Error) -> Error {
    Error::bug("the answer cannot be written as JSON").because(e)
}

fn print_line(line: &str) -> Result<()> {
    // An empty line before a heading.
    let heading = line.strip_prefix('\n');
    if heading.is_some() {
        messages::print_line("")?;
    }
    messages::print_line(heading.unwrap_or(line))
}

/// Lines of the form `name  value`, with the values in one column.
pub(super) fn table(pairs: &[(&str, String)]) -> Vec<String> {
    let width = pairs.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    pairs.iter().map(|(name, value)| format!("{name:<width$}  {value}")).collect()
}

/// The store there, read-only.
///
/// # Errors
///
/// Exit 2 when there is none; exit 6 when it cannot be read.
pub(super) fn open_store(location: &StoreLocation) -> Result<Box<dyn Reader>> {
    store::open_reader(location, None)?.ok_or_else(|| {
        Error::usage(format!("there is no store {location}")).hint("give its path with --store")
    })
}
