//! A request without a response, and the word for the reason.

/// Why a request has no response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LostReason {
    /// The time limit passed.
    Timeout,
    /// No connection could be made: name, TCP, proxy or TLS.
    Connect,
    /// The provider's certificate is not trusted.
    Certificate,
    /// The connection ended in the middle of the response.
    Cut,
    /// Any other error of the connection.
    Transport,
    /// The key expired, so the request was not sent.
    KeyExpired,
}

impl LostReason {
    /// All reasons.
    pub const ALL: [Self; 6] =
        [Self::Timeout, Self::Connect, Self::Certificate, Self::Cut, Self::Transport, Self::KeyExpired];

    /// True if the request certainly never left this machine: it cannot reach the provider later.
    #[must_use]
    pub fn never_sent(self) -> bool {
        match self {
            Self::Connect | Self::Certificate | Self::KeyExpired => true,
            Self::Timeout | Self::Cut | Self::Transport => false,
        }
    }

    /// The word for the reason. The store and the outputs use it as the error code.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Connect => "connect",
            Self::Certificate => "certificate",
            Self::Cut => "cut",
            Self::Transport => "transport",
            Self::KeyExpired => "expired",
        }
    }
}

/// A request without a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LostRequest {
    /// Why there is no response.
    pub reason: LostReason,
    /// Why, in words, without the URL.
    pub message: String,
}
