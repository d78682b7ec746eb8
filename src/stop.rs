//! Stops a run because of a deadline, a signal, the provider, or the store.
//!
//! A stopped run sends no new requests and awaits those in flight. The first reason counts.

use tokio::sync::watch;

use crate::error::Error;

/// Why a run stopped before it asked for all calls.
#[derive(Debug, Clone)]
pub enum Reason {
    /// The deadline or the longest duration, in words.
    Time(String),
    /// A signal, by name.
    Signal(&'static str),
    /// There is no key to sign with, for this reason. The cause may be temporary.
    NoKey(String),
    /// The provider refuses every call for the same reason.
    Fatal {
        /// The provider's code.
        code: String,
        /// Its message, masked.
        message: String,
        /// What the operator should do.
        advice: &'static str,
    },
    /// No connection to the provider was ever made, in words.
    Unreachable(String),
    /// The provider stopped answering for too long, in words.
    Silent(String),
    /// The store or the ledger failed.
    Failed(std::sync::Arc<Error>),
}

impl Reason {
    /// The reason in a few words, for the outputs.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Time(what) => format!("{what} was reached"),
            Self::Signal(name) => format!("stopped by {name}"),
            Self::NoKey(why) => format!("no key could be obtained: {why}"),
            Self::Fatal { code, .. } => format!("the provider refused with {code}"),
            Self::Unreachable(what) | Self::Silent(what) => what.clone(),
            Self::Failed(error) => error.to_string(),
        }
    }
}

/// The switch that stops a run. All parts that can stop the run, or must notice, share it.
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
    /// Stops the run. A later reason changes nothing.
    pub fn stop(&self, reason: Reason) {
        self.sender.send_if_modified(|current| {
            let first = current.is_none();
            if first {
                *current = Some(reason);
            }
            first
        });
    }

    /// The reason, if the run was stopped.
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
