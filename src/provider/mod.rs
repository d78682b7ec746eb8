//! The provider's client: signs a question, sends it, and reads the answer.
//!
//! [`sign`], [`wire`] (with `charset`, `envelope`, `fields` and `xml`) and [`codes`] are pure: they
//! do no I/O. [`credentials`] finds the access key and renews it. [`http`] sends the request.

mod charset;
mod client;
pub mod codes;
pub mod credentials;
mod envelope;
mod fields;
pub mod http;
mod http_exchange;
mod key;
pub mod lost;
mod question;
pub mod sign;
pub mod wire;
mod xml;

pub use client::{ClockCorrection, Provider};
pub(crate) use http_exchange::lost_request;
pub use lost::{LostReason, LostRequest};
pub use question::{OPERATION, Question, WireFormat};
