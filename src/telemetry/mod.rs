//! What other machines are told of a run: the metrics file and the posted end.

pub mod metrics;
pub mod notify;
