//! The one place where a run is told to stop: by a deadline, a signal, the provider, or the store.
//!
//! Stopping means: no new requests; what is in flight is awaited. The first reason stands.

use tokio::sync::watch;

use crate::error::Error;

/// Why a run stopped before all was asked.
#[derive(Debug, Clone)]
pub enum Reason {
    /// `--deadline` or `--max-duration`; says which.
    Time(String),
    /// A signal; says which.
    Signal(&'static str),
    /// No key can be had to sign with, for a reason that may go away; says which.
    NoKey(String),
    /// The provider, for a reason that is the same for every call.
    Fatal {
        /// The provider's code.
        code: String,
        /// Its message, masked.
        message: String,
        /// What the operator has to do.
        advice: &'static str,
    },
    /// The store or the ledger failed.
    Failed(std::sync::Arc<Error>),
}

impl Reason {
    /// In a few words, for the outputs.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Time(what) => format!("{what} was reached"),
            Self::Signal(name) => format!("stopped by {name}"),
            Self::NoKey(why) => format!("no key can be had: {why}"),
            Self::Fatal { code, .. } => format!("the provider refused with {code}"),
            Self::Failed(error) => error.to_string(),
        }
    }
}

/// Shared by all that may stop a run and all that must heed it.
#[derive(Debug, Clone)]
pub struct Stop {
    sender: watch::Sender<Option<Reason>>,
}

impl Default for Stop {
    fn default() -> Self {
        Self { sender: watch::Sender::new(None) }
    }
}

impl Stop {
    /// Stops the run; a later reason changes nothing.
    pub fn stop(&self, reason: Reason) {
        self.sender.send_if_modified(|current| {
            let first = current.is_none();
            if first {
                *current = Some(reason);
            }
            first
        });
    }

    /// Why, if it was stopped.
    #[must_use]
    pub fn reason(&self) -> Option<Reason> {
        self.sender.borrow().clone()
    }

    /// Waits until the run is stopped.
    pub async fn stopped(&self) {
        // The sender lives in self, so the channel cannot close while this waits.
        let _ = self.sender.subscribe().wait_for(Option::is_some).await;
    }
}
