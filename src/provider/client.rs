//! The provider as the fetch stage sees it. Tests implement this trait without a network.

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
    /// True if the difference was not known before.
    pub first: bool,
}

/// Sends one attempt at one call.
pub trait Provider: Send + Sync {
    /// Sends one freshly signed request and waits until it ends. Never sends twice: no retries, no
    /// redirects. A failed request is a [`Reply::Lost`], not an error.
    fn ask(&self, question: &Question) -> impl Future<Output = Reply> + Send;

    /// Waits for a key that has not expired, and returns its number. Keys are counted from 1. The
    /// key comes from another service, so fetching it is not a request under the cap.
    ///
    /// # Errors
    ///
    /// The reason why the run stops: there is no key.
    fn ready(&self) -> impl Future<Output = Result<u64, Reason>> + Send {
        async { Ok(0) }
    }

    /// Replaces key number `refused`, which the provider refused as expired. Returns false if there
    /// is no other key.
    ///
    /// # Errors
    ///
    /// As [`Provider::ready`].
    fn renew_key(&self, refused: u64) -> impl Future<Output = Result<bool, Reason>> + Send {
        let _ = refused;
        async { Ok(false) }
    }

    /// Signs with the provider's time from now on. The provider refused a time stamp, and its clock
    /// reads `date`. Returns `None` if the clocks agree: then nothing is corrected.
    fn correct_clock(&self, date: DateTime<Utc>) -> Option<ClockCorrection> {
        let _ = date;
        None
    }
}
