//! The provider: how a question is signed, sent and understood.
//!
//! [`sign`], [`wire`], [`codes`] and [`states`] are pure; [`credentials`] reads the environment;
//! [`http`] is the one place that knows the HTTP library.

pub mod codes;
pub mod credentials;
pub mod http;
pub mod sign;
pub mod states;
pub mod wire;

use std::future::Future;

use chrono::NaiveDate;

use crate::call::ProductId;
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

/// One attempt at one call: the seam at which tests replace the network.
pub trait Provider: Send + Sync {
    /// Sends one freshly signed request and waits for its end. Never sends twice: no retries, no
    /// redirects. A failure is a [`Reply::Lost`], not an error.
    fn ask(&self, question: &Question) -> impl Future<Output = Reply> + Send;
}
