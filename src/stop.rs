//! Stops a run because of a deadline, a signal, the provider, or the store.
//!
//! A stopped run sends no new requests and awaits those in flight. The first reason counts.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
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
    Failed(Arc<Error>),
}

/// Two reasons are equal if they say the same.
impl PartialEq for Reason {
    fn eq(&self, other: &Self) -> bool {
        self.to_string() == other.to_string()
    }
}

impl Eq for Reason {}

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

impl Reason {
    /// True if it is the provider's or the account's, and no other part of the run met it.
    fn is_of_provider(&self) -> bool {
        self.is_of_account() || matches!(self, Self::Unreachable(_))
    }

    /// True if it concerns only the account that met it: its key is refused or cannot be obtained,
    /// or the provider stopped answering it. A connection that cannot be made is the same for all.
    fn is_of_account(&self) -> bool {
        matches!(self, Self::NoKey(_) | Self::Fatal { .. } | Self::Silent(_))
    }
}

/// The switch that stops a run, or one of its accounts. All parts that can stop it, or must notice,
/// share it.
#[derive(Debug, Clone)]
pub struct Stop {
    sender: watch::Sender<Option<Reason>>,
    /// `None` if it stops the run itself.
    run: Option<Arc<AccountsOfRun>>,
    /// True once the account has the answers to all its own calls.
    is_beside: Arc<AtomicBool>,
}

/// A run whose accounts can be stopped one by one.
#[derive(Debug)]
struct AccountsOfRun {
    stop: Stop,
    /// Accounts with calls to ask for that have not been stopped.
    running: AtomicUsize,
}

impl Default for Stop {
    fn default() -> Self {
        Self { sender: watch::Sender::new(None), run: None, is_beside: Arc::default() }
    }
}

impl Stop {
    /// A switch for each of this number of accounts, of which `working` have calls to ask for. A
    /// reason that concerns only one account stops this account; the last one of them to be stopped
    /// stops the run. Any other reason stops the run, and so all accounts.
    #[must_use]
    pub fn for_accounts(&self, accounts: usize, working: usize) -> Vec<Self> {
        let running = AtomicUsize::new(working);
        let run = Arc::new(AccountsOfRun { stop: self.clone(), running });
        (0..accounts).map(|_| Self { run: Some(run.clone()), ..Self::default() }).collect()
    }

    /// Notes that the account has the answers to all its own calls. A reason of the provider or of
    /// the account then stops only what it asks beside them.
    pub fn own_calls_are_answered(&self) {
        self.is_beside.store(true, Ordering::SeqCst);
    }

    /// True once the account asks only for calls beside its own.
    #[must_use]
    pub fn is_beside(&self) -> bool {
        self.is_beside.load(Ordering::SeqCst)
    }

    /// Stops the run, or the account. A later reason changes nothing.
    pub fn stop(&self, reason: Reason) {
        match &self.run {
            Some(_) if self.is_beside() && reason.is_of_provider() => drop(self.set(&reason)),
            Some(run) if !reason.is_of_account() => run.stop.stop(reason),
            Some(run) => {
                let is_last = self.set(&reason) && run.running.fetch_sub(1, Ordering::SeqCst) == 1;
                if is_last {
                    run.stop.stop(reason);
                }
            }
            None => drop(self.set(&reason)),
        }
    }

    /// Sets the reason. Returns true if it is the first one.
    fn set(&self, reason: &Reason) -> bool {
        self.sender.send_if_modified(|current| {
            let first = current.is_none();
            if first {
                *current = Some(reason.clone());
            }
            first
        })
    }

    /// The reason, if the run or the account was stopped.
    #[must_use]
    pub fn reason(&self) -> Option<Reason> {
        self.own_reason().or_else(|| self.run.as_ref()?.stop.reason())
    }

    /// The reason, if this account was stopped before its own calls were answered, and not the
    /// whole run.
    #[must_use]
    pub fn own_reason(&self) -> Option<Reason> {
        self.sender.borrow().clone().filter(|_| !self.is_beside())
    }

    /// The reason, if this account was stopped after its own calls were answered, and not the whole
    /// run.
    #[must_use]
    pub fn reason_beside(&self) -> Option<Reason> {
        self.sender.borrow().clone().filter(|_| self.is_beside())
    }

    /// True if the run or the account was stopped.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.sender.borrow().is_some() || self.run.as_ref().is_some_and(|run| run.stop.is_stopped())
    }

    /// Waits until the run or the account is stopped.
    pub async fn stopped(&self) {
        // The senders live in self, so the channels cannot close while this waits.
        let mut own = self.sender.subscribe();
        match &self.run {
            None => drop(own.wait_for(Option::is_some).await),
            Some(run) => {
                let mut all = run.stop.sender.subscribe();
                tokio::select! {
                    _ = own.wait_for(Option::is_some) => {}
                    _ = all.wait_for(Option::is_some) => {}
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn refused(code: &str) -> Reason {
        Reason::Fatal { code: code.into(), message: String::new(), advice: "" }
    }

    #[tokio::test]
    async fn one_refused_account_does_not_stop_the_others() {
        let run = Stop::default();
        let accounts = run.for_accounts(2, 2);
        accounts[0].stop(refused("A"));
        accounts[0].stop(refused("A again"));
        accounts[0].stopped().await;
        assert!(!run.is_stopped() && !accounts[1].is_stopped());
        accounts[1].stop(refused("B"));
        run.stopped().await;
        assert_eq!(run.reason().unwrap().to_string(), "the provider refused with B");
        assert_eq!(accounts[0].reason().unwrap().to_string(), "the provider refused with A");
    }

    #[tokio::test]
    async fn beside_its_own_calls_an_account_stops_alone() {
        let run = Stop::default();
        let accounts = run.for_accounts(2, 1);
        accounts[0].own_calls_are_answered();
        accounts[0].stop(refused("A"));
        accounts[0].stopped().await;
        assert!(!run.is_stopped() && accounts[0].own_reason().is_none());
        assert_eq!(accounts[0].reason_beside().unwrap().to_string(), "the provider refused with A");
        accounts[1].own_calls_are_answered();
        accounts[1].stop(Reason::Signal("SIGTERM"));
        assert!(run.is_stopped() && accounts[1].reason_beside().is_none());
    }

    #[tokio::test]
    async fn what_is_the_same_for_all_stops_all() {
        let run = Stop::default();
        let accounts = run.for_accounts(2, 2);
        accounts[0].stop(Reason::Signal("SIGTERM"));
        accounts[1].stopped().await;
        assert!(run.is_stopped() && accounts[0].own_reason().is_none());
        // The only account is the run.
        let run = Stop::default();
        run.for_accounts(3, 1)[0].stop(refused("A"));
        assert!(run.is_stopped());
    }
}
