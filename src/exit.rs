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
    /// All of them, by number.
    pub const ALL: [Self; 7] = [
        Self::Success,
        Self::Discrepancies,
        Self::Usage,
        Self::Fatal,
        Self::Incomplete,
        Self::Busy,
        Self::Output,
    ];

    /// In one word, for machines.
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

    /// What it means to whoever started the program.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Success => "every call has its answer and the four files are written",
            Self::Discrepancies => "the same, and there are discrepancies (only with --exit-code)",
            Self::Usage => "wrong usage, configuration, credentials or input: nothing was sent",
            Self::Fatal => {
                "stopped by the provider for a reason that is the same for every call (keys, permission, arrears, \
                 clock): what is stored is kept, the old outputs stand"
            }
            Self::Incomplete => {
                "incomplete (deadline, signal, lasting errors): outputs are marked; the same command goes on"
            }
            Self::Busy => "another run holds the store",
            Self::Output => "an output or the store could not be written: nothing is lost",
        }
    }

    /// The process's exit code.
    #[must_use]
    pub fn code(self) -> u8 {
        self as u8
    }
}
