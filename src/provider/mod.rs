//! The provider: how a question is signed, sent and understood.
//!
//! [`sign`], [`wire`] (with `charset`, `envelope`, `fields` and `xml`), [`codes`] and [`states`] are pure;
//! [`credentials`] finds the access key and keeps it fresh; [`http`] knows the HTTP library.

mod charset;
pub mod codes;
pub mod credentials;
mod envelope;
mod fields;
pub mod http;
pub mod sign;
pub mod wire;
mod xml;

use std::future::Future;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use crate::stop::Reason;
use reconcile_core::product::ProductId;
use wire::Reply;

/// What is asked: one call on one day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// `CallId`.
    pub call_id: String,
    /// `ProdId`.
    pub prod_id: ProductId,
    /// The day (UTC+8) whose midnight is sent as `QueryDate`.
    pub day: NaiveDate,
}

/// The form of the answers that is asked for. What comes is known by its content.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum WireFormat {
    /// `Format=JSON`.
    #[default]
    Json,
    /// `Format=XML`.
    Xml,
}

impl WireFormat {
    /// The value of `Format`. It is always sent: the provider's pages disagree on what comes without it.
    #[must_use]
    pub fn parameter(self) -> &'static str {
        match self {
            Self::Json => "JSON",
            Self::Xml => "XML",
        }
    }
}

/// What was made of the provider's `Date`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Correction {
    /// How far this machine's clock is behind the provider's.
    pub behind: TimeDelta,
    /// It was not known before.
    pub first: bool,
}

/// One attempt at one call: the seam at which tests replace the network.
pub trait Provider: Send + Sync {
    /// Sends one freshly signed request and waits for its end. Never sends twice: no retries, no
    /// redirects. A failure is a [`Reply::Lost`], not an error.
    fn ask(&self, question: &Question) -> impl Future<Output = Reply> + Send;

    /// Waits until there is a key to sign with that has not expired, and says which: they are counted. Whoever gives
    /// it is another service than the provider, so this is no request under the cap.
    ///
    /// # Errors
    ///
    /// Why there is none; the run stops for it.
    fn ready(&self) -> impl Future<Output = Result<u64, Reason>> + Send {
        async { Ok(0) }
    }

    /// The provider finds the key of this number expired: gets another, if there can be one. False when there is none.
    ///
    /// # Errors
    ///
    /// As [`Provider::ready`].
    fn renew_key(&self, refused: u64) -> impl Future<Output = Result<bool, Reason>> + Send {
        let _ = refused;
        async { Ok(false) }
    }

    /// The provider found a time stamp too old or too new, and its clock says `date`: signs with the provider's time
    /// from now on. `None` when the clocks agree, and there is nothing to correct.
    fn correct_clock(&self, date: DateTime<Utc>) -> Option<Correction> {
        let _ = date;
        None
    }
}
