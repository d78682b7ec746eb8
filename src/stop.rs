//! Stops a run because of a deadline, a signal, the provider, or the store.
//!
//! A stopped run sends no new requests and awaits those in flight. The first reason counts.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, FixedOffset};
use tokio::sync::watch;

use crate::error::Error;
use crate::failures::Cause;
use crate::words::whole_seconds;
use crate::zone::time_of_day;

/// Why a run stopped before it asked for all calls. `Display` says it in a few words.
#[derive(Debug, Clone)]
pub enum Reason {
    /// A time limit was reached.
    Time(TimeLimit),
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
    /// No connection to the provider was ever made.
    Unreachable(Silence),
    /// The provider stopped answering for too long.
    Silent(Silence),
    /// The store or the ledger failed.
    Failed(std::sync::Arc<Error>),
}

/// A limit for the time that a run takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeLimit {
    /// A time of day.
    Deadline(DateTime<FixedOffset>),
    /// The longest duration of the run.
    MaxDuration(Duration),
}

/// The provider's silence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Silence {
    /// Why the last request failed.
    pub cause: Cause,
    /// True if the last request never left this machine.
    pub never_sent: bool,
    /// How long it has lasted, if that is worth saying.
    pub lasted: Option<Duration>,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Time(limit) => write!(f, "{limit} was reached"),
            Self::Signal(name) => write!(f, "stopped by {name}"),
            Self::NoKey(why) => write!(f, "no key could be obtained: {why}"),
            Self::Fatal { code, .. } => write!(f, "the provider refused with {code}"),
            Self::Unreachable(silence) | Self::Silent(silence) => silence.fmt(f),
            Self::Failed(error) => error.fmt(f),
        }
    }
}

/// `the deadline 06:30 UTC+8`
impl fmt::Display for TimeLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deadline(at) => write!(f, "the deadline {}", time_of_day(*at)),
            Self::MaxDuration(duration) => {
                write!(f, "the maximum duration {}", humantime::format_duration(*duration))
            }
        }
    }
}

impl fmt::Display for Silence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = if self.never_sent { "cannot be reached" } else { "does not answer" };
        write!(f, "the provider {what}: {}", self.cause)?;
        self.lasted.map_or(Ok(()), |lasted| write!(f, " (for {})", whole_seconds(lasted)))
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
