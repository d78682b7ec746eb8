//! What the fetch stage needs from a provider. Tests replace the network here.

use std::future::Future;

use chrono::{DateTime, TimeDelta, Utc};

use super::question::Question;
use super::wire::Reply;
use crate::stop::Reason;

/// The result of comparing this machine's clock with the provider's `Date`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockCorrection {
    /// How far this machine's clock is behind the provider's.
    pub behind: TimeDelta,
    /// The difference was not known before.
    pub first: bool,
}

/// Sends one attempt at one call.
pub trait Provider: Send + Sync {
    /// Sends one freshly signed request and waits until it ends. Never sends twice: no retries, no
    /// redirects. A failed request is a [`Reply::Lost`], not an error.
    fn ask(&self, question: &Question) -> impl Future<Output = Reply> + Send;

    /// Waits for a key that has not expired, and returns its number; keys are counted from 1. The
    /// key comes from another service, so waiting for it takes no place under the cap.
    ///
    /// # Errors
    ///
    /// Why the run stops: there is no key.
    fn ready(&self) -> impl Future<Output = Result<u64, Reason>> + Send {
        async { Ok(0) }
    }

    /// Replaces the key of number `refused`, which the provider rejected as expired. Returns false
    /// when there is no other key.
    ///
    /// # Errors
    ///
    /// As [`Provider::ready`].
    fn renew_key(&self, refused: u64) -> impl Future<Output = Result<bool, Reason>> + Send {
        let _ = refused;
        async { Ok(false) }
    }

    /// Signs with the provider's time from now on: it rejected a time stamp, and its clock reads
    /// `date`. Returns `None` when the clocks agree and nothing needs correcting.
    fn correct_clock(&self, date: DateTime<Utc>) -> Option<ClockCorrection> {
        let _ = date;
        None
    }
}
