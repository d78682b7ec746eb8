//! The form in which progress is shown, and its pace.

use std::io::IsTerminal as _;
use std::time::Duration;

/// The time between two plain lines.
pub(super) const MINUTE: Duration = Duration::from_secs(60);

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A bar, redrawn in place.
    Bar,
    /// A plain line a minute.
    Lines,
    /// Nothing.
    Silent,
}

impl Form {
    /// A bar if standard error is a terminal that can draw one, else plain lines.
    #[must_use]
    pub fn automatic() -> Self {
        let dumb = std::env::var("TERM").is_ok_and(|t| t == "dumb");
        if std::io::stderr().is_terminal() && !dumb { Self::Bar } else { Self::Lines }
    }

    /// The time between two updates.
    pub(super) fn pace(self) -> Duration {
        match self {
            Self::Bar => Duration::from_millis(200),
            Self::Lines | Self::Silent => MINUTE,
        }
    }
}
