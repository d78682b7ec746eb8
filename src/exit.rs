//! The exit codes, and which of them a run ends with. The numbers are the contract's.

/// How the program ends. The number is its exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Every call has its answer and all files are written.
    Success = 0,
    /// As [`Self::Success`], and there are discrepancies, or more than a limit allows (only on
    /// request).
    Discrepancies = 1,
    /// Wrong usage, configuration, credentials or input.
    Usage = 2,
    /// The provider refuses every request for the same reason, or was never reached.
    Fatal = 3,
    /// Incomplete: a deadline, a signal, an outage, or calls that failed on every attempt. The
    /// outputs are marked incomplete.
    Incomplete = 4,
    /// Another run holds the store or, in a database, works on the same ledger.
    Busy = 5,
    /// An output or the store could not be written, or the program has a bug.
    Output = 6,
}

impl Exit {
    /// All exit codes, by number.
    pub const ALL: [Self; 7] = [
        Self::Success,
        Self::Discrepancies,
        Self::Usage,
        Self::Fatal,
        Self::Incomplete,
        Self::Busy,
        Self::Output,
    ];

    /// The exit code of a run whose outputs are written: 0, 1 or 4.
    ///
    /// `complete` is true if every call has its answer, and `is_above_limit` if the discrepancies
    /// change the exit code. All other codes come from an [`Error`](crate::error::Error).
    #[must_use]
    pub fn of_written_run(complete: bool, is_above_limit: bool) -> Self {
        if !complete {
            Self::Incomplete
        } else if is_above_limit {
            Self::Discrepancies
        } else {
            Self::Success
        }
    }

    /// The word for machines.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Discrepancies => "discrepancies",
            Self::Usage => "usage",
            Self::Fatal => "fatal",
            Self::Incomplete => "incomplete",
            Self::Busy => "busy",
            Self::Output => "output",
        }
    }

    /// The meaning, as help and manual page list it.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Success => "every call has its answer and all files are written",
            Self::Discrepancies => {
                "as 0, and there are unsettled discrepancies (with --exit-code) or more than --fail-above allows"
            }
            Self::Usage => "wrong usage, configuration, credentials or input",
            Self::Fatal => {
                "the provider refuses every request (keys, permission, arrears, clock) or was never reached; the old outputs stay"
            }
            Self::Incomplete => {
                "incomplete (deadline, signal, outage, calls that failed on every attempt); the same command resumes"
            }
            Self::Busy => "another run holds the store or, in a database, works on the same ledger",
            Self::Output => "an output or the store could not be written; nothing is lost",
        }
    }

    /// The exit code of the process.
    #[must_use]
    pub fn code(self) -> u8 {
        self as u8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn discrepancies_change_the_exit_code_only_above_a_limit() {
        for (complete, is_above_limit, exit) in [
            (true, false, Exit::Success),
            (true, true, Exit::Discrepancies),
            (false, false, Exit::Incomplete),
            (false, true, Exit::Incomplete),
        ] {
            assert_eq!(Exit::of_written_run(complete, is_above_limit), exit);
        }
    }
}
