//! Why a run is incomplete. `Display` is the reason in English.

use std::fmt;

use crate::failures::Cause;
use crate::stop::Reason;
use crate::words::plural;

/// Why some calls of a run have no answer.
#[derive(Debug, Clone)]
pub enum Incomplete {
    /// The run was stopped; `None` without a known reason.
    Stopped(Option<Reason>),
    /// Some accounts were stopped, and the others were not.
    Accounts(Vec<StoppedAccount>),
    /// Calls failed on every attempt.
    Exhausted {
        /// Their number.
        calls: u64,
        /// The most frequent cause.
        cause: Option<Cause>,
    },
    /// An offline run, in which calls have no stored answer.
    Offline {
        /// Their number.
        calls: u64,
    },
}

/// An account that was stopped before all its calls were asked for.
#[derive(Debug, Clone)]
pub struct StoppedAccount {
    /// Its name.
    pub name: String,
    /// Why.
    pub because: Reason,
}

/// The most accounts that a message names.
pub const NAMED_ACCOUNTS: usize = 5;

impl fmt::Display for Incomplete {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stopped(None) => f.write_str("the run was stopped"),
            Self::Stopped(Some(reason)) => reason.fmt(f),
            Self::Accounts(stopped) => {
                for (at, StoppedAccount { name, because }) in stopped.iter().take(NAMED_ACCOUNTS).enumerate()
                {
                    let separator = if at > 0 { "; " } else { "" };
                    write!(f, "{separator}the account {name} was stopped: {because}")?;
                }
                match stopped.len().saturating_sub(NAMED_ACCOUNTS) {
                    0 => Ok(()),
                    more => write!(f, "; and {more} more"),
                }
            }
            Self::Exhausted { calls, cause } => {
                write!(f, "{} failed on every attempt", plural(*calls, "call"))?;
                cause.as_ref().map_or(Ok(()), |cause| write!(f, ": {cause}"))
            }
            Self::Offline { calls } => {
                let have = if *calls == 1 { "has" } else { "have" };
                write!(f, "{} {have} no stored answer (offline run)", plural(*calls, "call"))
            }
        }
    }
}
