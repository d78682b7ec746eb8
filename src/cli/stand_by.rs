//! `--wait`: how long a run stands by while another one holds the store.

use std::time::Duration;

use super::values::duration;

/// How long a run stands by while another one holds the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StandBy {
    /// Until the store is free.
    UntilFree,
    /// At most this long.
    AtMost(Duration),
}

impl StandBy {
    /// The longest time; `None` without a limit.
    #[must_use]
    pub fn limit(self) -> Option<Duration> {
        match self {
            Self::UntilFree => None,
            Self::AtMost(most) => Some(most),
        }
    }
}

/// The value of `--wait`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WaitValue {
    /// The run does not stand by.
    No,
    /// It stands by.
    Yes(StandBy),
}

impl WaitValue {
    /// A duration, `true` or `false`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        match text {
            "true" => Ok(Self::Yes(StandBy::UntilFree)),
            "false" => Ok(Self::No),
            _ => duration(text)
                .map(|most| Self::Yes(StandBy::AtMost(most)))
                .map_err(|_| "needs a duration such as 2h, true or false".into()),
        }
    }

    /// How long the run stands by; `None` if it does not.
    pub(super) fn stand_by(self) -> Option<StandBy> {
        match self {
            Self::No => None,
            Self::Yes(stand_by) => Some(stand_by),
        }
    }
}
