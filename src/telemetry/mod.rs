//! Reports for other machines: the metrics, as a file and as pushes, and the notification at the
//! end of a run.

mod group;
pub mod metrics;
mod metrics_text;
pub mod notify;
pub mod push;
