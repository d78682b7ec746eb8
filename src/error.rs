//! The error that ends a run: which way it ends, what is wrong, where, and what to do.
//!
//! A look-up that fails is no error but a value that flows on; only what is the same for every call,
//! or for the machine, comes here.

use crate::exit::Exit;

/// An error that ends the program.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct Error {
    /// How the program ends.
    pub exit: Exit,
    /// What is wrong and where, without a full stop.
    pub what: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// What it comes from.
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// Ends with `exit`, saying `what`.
    #[must_use]
    pub fn new(exit: Exit, what: impl Into<String>) -> Self {
        Self { exit, what: what.into(), hint: None, source: None }
    }

    /// Wrong usage or input.
    #[must_use]
    pub fn usage(what: impl Into<String>) -> Self {
        Self::new(Exit::Usage, what)
    }

    /// An output or the store could not be written.
    #[must_use]
    pub fn output(what: impl Into<String>) -> Self {
        Self::new(Exit::Output, what)
    }

    /// The system starts no more threads for this process.
    pub(crate) fn no_more_threads(e: std::io::Error) -> Self {
        Self::output("no more threads can be started")
            .hint("raise the limit of processes and threads (ulimit -u), then run the same command again")
            .because(e)
    }

    /// Adds what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds where it comes from.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }
}
