//! The error that ends the program: its exit code, what is wrong and where, and what to do.
//!
//! A failed lookup of one call is not an [`Error`]; it is an answer like any other. An [`Error`] is
//! a problem of the whole run, such as a refused key or a full disk.

use crate::exit::Exit;

/// An error that ends the program.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct Error {
    /// How the program ends.
    pub exit: Exit,
    /// What is wrong and where, without a full stop.
    pub what: String,
    /// What to do about it, without a full stop.
    pub hint: Option<String>,
    /// True if this run has already sent requests to the provider. The message then does not say
    /// "Nothing was sent".
    pub after_requests: bool,
    /// True if the store's database cannot be reached, or does not answer. It may come back.
    pub is_store_away: bool,
    /// The underlying error.
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// A result whose error ends the program.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error that ends the program with `exit`; `what` says what is wrong.
    #[must_use]
    pub fn new(exit: Exit, what: impl Into<String>) -> Self {
        Self {
            exit,
            what: what.into(),
            hint: None,
            after_requests: false,
            is_store_away: false,
            source: None,
        }
    }

    /// Wrong usage, configuration, credentials or input (exit 2).
    #[must_use]
    pub fn usage(what: impl Into<String>) -> Self {
        Self::new(Exit::Usage, what)
    }

    /// An output or the store could not be written (exit 6).
    #[must_use]
    pub fn output(what: impl Into<String>) -> Self {
        Self::new(Exit::Output, what)
    }

    /// A bug of this program (exit 6).
    #[must_use]
    pub fn bug(what: impl Into<String>) -> Self {
        Self::output(what).hint("this is a bug in reconcile: please report it, with this message")
    }

    /// The system refuses to start another thread (exit 6).
    pub(crate) fn no_more_threads(e: std::io::Error) -> Self {
        Self::output("cannot start another thread")
            .hint("raise the limit of processes and threads (ulimit -u), then run the same command again")
            .because(e)
    }

    /// The same error of a store that may come back.
    #[must_use]
    pub(crate) fn of_store_away(self) -> Self {
        Self { is_store_away: true, ..self }
    }

    /// Adds what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds the underlying error.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }
}
