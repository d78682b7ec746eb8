//! Everything that the program prints: messages, progress, and the log on standard error.

pub mod closing;
mod command_line;
pub mod log;
pub mod messages;
pub mod opening;
pub mod progress;
mod progress_counts;
mod progress_form;

use std::fmt::Display;

/// How a run prints its messages.
#[derive(Debug, Clone)]
pub struct Console {
    /// No messages unless something is wrong.
    pub quiet: bool,
    /// Lines instead of a bar, which debug messages would break.
    pub lines_only: bool,
    /// The command line as typed, without secrets: the command that resumes this run. If it holds a
    /// phone number, the words that say so instead.
    pub command: String,
}

impl Console {
    /// The console of this process.
    #[must_use]
    pub fn of_process(quiet: bool, lines_only: bool) -> Self {
        Self { quiet, lines_only, command: command_line::without_secrets(std::env::args_os()) }
    }

    /// One line on standard error, unless quiet.
    pub(crate) fn say(&self, line: &str) {
        if !self.quiet {
            messages::say(line);
        }
    }

    /// A note on ledger or run, unless quiet.
    pub(crate) fn note(&self, note: &impl Display) {
        self.say(&format!("note: {note}"));
    }
}
