//! The simulated provider: an HTTP server on 127.0.0.1 that answers as the provider's gateway does.
//!
//! ```text
//!  command ─► server ─► simulated_provider ─► gateway ─► faults · scenario ─► calls ─► response
//!                              └─► journal
//! ```
//!
//! It needs no credentials and knows no real call. It checks signatures and the cap with its own
//! code, not with the client's. So a run against it shows whether the client is right. Every
//! response carries the header `x-reconcile-sandbox: 1`. No request makes it panic.

mod bill;
mod call_query;
mod calls;
mod chance;
mod command;
mod envelope;
mod faults;
mod gateway;
mod history;
mod journal;
mod options;
mod receipts;
mod refusal;
mod reply;
mod request;
mod response;
mod scenario;
mod server;
mod simulated_provider;
#[cfg(test)]
mod tests;

pub use bill::BillOut;
pub use calls::Calls;
pub use chance::{Share, parse_share};
pub use command::{ServeOptions, serve};
pub use faults::{Faults, faults_help};
pub use gateway::{Account, TEST_ACCOUNT, parse_accounts};
pub use options::Options;
pub use scenario::Scenario;
pub use server::Sandbox;
