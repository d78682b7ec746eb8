//! The note on the outages of a run.

use std::fmt;
use std::time::Duration;

use crate::failures::Cause;
use crate::words::whole_seconds;

/// The outages of a run. `Display` is the note in English.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutageNote {
    /// Their number.
    pub count: u32,
    /// How long they lasted in all.
    pub total: Duration,
    /// Why requests failed in the last one.
    pub cause: Cause,
}

impl fmt::Display for OutageNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (total, cause) = (whole_seconds(self.total), &self.cause);
        match self.count {
            1 => write!(f, "the provider could not be reached for {total}: {cause}"),
            count => write!(
                f,
                "the provider could not be reached {count} times, for {total} in all; the last time: {cause}"
            ),
        }
    }
}
