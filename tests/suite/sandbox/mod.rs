//! The simulated provider itself: the provider's own SDKs, wrong signatures, and runs with every
//! fault.

mod sdks;
mod slow_clients;
mod whole_runs;
mod wrong_signatures;
