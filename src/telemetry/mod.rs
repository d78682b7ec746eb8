//! What other machines learn about a run: the metrics file and the notification at its end.

pub mod metrics;
mod metrics_text;
pub mod notify;
