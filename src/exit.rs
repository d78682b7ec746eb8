//! Every way to end, one line each. The numbers are the contract's.

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Every call has its answer and the four files are written.
    Success = 0,
    /// The same, and there are discrepancies (only with `--exit-code`).
    Discrepancies = 1,
    /// Wrong usage, configuration, credentials or input: nothing was sent.
    Usage = 2,
    /// Stopped by the provider for a reason that is the same for every call.
    Fatal = 3,
    /// Deadline, signal, or transient errors that outlasted all attempts; outputs are marked.
    Incomplete = 4,
    /// Another run holds the store.
    Busy = 5,
    /// An output or the store could not be written.
    Output = 6,
}

impl Exit {
    /// The process's exit code.
    #[must_use]
    pub fn code(self) -> u8 {
        self as u8
    }
}
