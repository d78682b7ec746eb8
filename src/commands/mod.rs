//! What can be asked beside the job itself, most of it of a store. Each prints what it was asked for to standard output.

mod erase;
mod explain;
mod manual;
mod plan;
pub mod reconcile;
mod verify_cap;
mod whoami;

pub use erase::{forget, purge};
pub use explain::explain;
pub use manual::{completions, man};
pub use plan::plan;
pub use verify_cap::verify_cap;
pub use whoami::whoami;

use serde::Serialize;

use crate::console::messages;
use crate::error::{Error, Result};

/// Prints an answer: as JSON, or as the lines for people.
fn answer(json: bool, value: &impl Serialize, lines: impl FnOnce() -> Vec<String>) -> Result<()> {
    if !json {
        lines().iter().for_each(|line| messages::print(line));
        return Ok(());
    }
    let bug = |e: serde_json::Error| Error::output("the answer cannot be made; this is a bug").because(e);
    messages::print(&serde_json::to_string_pretty(value).map_err(bug)?);
    Ok(())
}

/// `name  value`, the values one below the other.
fn table(pairs: &[(&str, String)]) -> Vec<String> {
    let width = pairs.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    pairs.iter().map(|(name, value)| format!("{name:<width$}  {value}")).collect()
}

/// `1 call`, `2 calls`.
fn count(n: u64, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}
