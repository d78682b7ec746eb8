//! Reports for other machines: the metrics file, and the notification at the end of a run.

pub mod metrics;
mod metrics_text;
pub mod notify;
