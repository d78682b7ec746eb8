//! Everything that a person at the terminal sees, and nothing else.

pub mod log;
pub mod messages;
pub mod progress;
