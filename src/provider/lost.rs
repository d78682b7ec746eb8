//! A request without a response, and the words for the reason.

use std::fmt;

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

    /// The reason with this word; `None` for a provider's code.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == word)
    }

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

/// Why a request has no response, in more detail than [`LostReason`]. `Display` is the message in
/// store and outputs, and [`parse`](Self::parse) reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LostDetail {
    /// No response within the time limit. Holds the limit in seconds.
    TimedOut(String),
    /// No connection within the time limit.
    NotConnectedInTime,
    /// The endpoint refused the connection.
    ConnectionRefused,
    /// This name has no address.
    Unresolved(String),
    /// The proxy wants a password.
    ProxyLogin,
    /// The proxy refused to connect.
    ProxyRefused,
    /// The certificate is not trusted. Holds the cause as the TLS library writes it.
    Certificate(String),
    /// TLS failed. Holds the cause as the TLS library writes it.
    Tls(String),
    /// The key expired before the request was sent.
    KeyExpired,
    /// Any other error, as the system or the HTTP library writes it.
    Other(String),
}

const TIMED_OUT: (&str, &str) = ("timed out after ", " s");
const NOT_CONNECTED_IN_TIME: &str = "no connection within the time limit";
const CONNECTION_REFUSED: &str = "connection refused";
const UNRESOLVED: &str = "cannot resolve ";
const PROXY_LOGIN: &str = "the proxy refused (407)";
const PROXY_REFUSED: &str = "the proxy refused to connect";
const TLS: &str = "TLS: ";
const CERTIFICATE: &str = "TLS: the certificate is not trusted: ";
const KEY_EXPIRED: &str = "the key expired before the request was sent";

impl LostDetail {
    /// Reads a message.
    #[must_use]
    pub fn parse(message: &str) -> Self {
        let after = |prefix: &str| message.strip_prefix(prefix).map(str::to_owned);
        let timed_out = || after(TIMED_OUT.0)?.strip_suffix(TIMED_OUT.1).map(str::to_owned);
        match message {
            NOT_CONNECTED_IN_TIME => Self::NotConnectedInTime,
            CONNECTION_REFUSED => Self::ConnectionRefused,
            PROXY_LOGIN => Self::ProxyLogin,
            PROXY_REFUSED => Self::ProxyRefused,
            KEY_EXPIRED => Self::KeyExpired,
            _ => None
                .or_else(|| timed_out().map(Self::TimedOut))
                .or_else(|| after(UNRESOLVED).map(Self::Unresolved))
                .or_else(|| after(CERTIFICATE).map(Self::Certificate))
                .or_else(|| after(TLS).map(Self::Tls))
                .unwrap_or_else(|| Self::Other(message.to_owned())),
        }
    }
}

impl fmt::Display for LostDetail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TimedOut(seconds) => return write!(f, "{}{seconds}{}", TIMED_OUT.0, TIMED_OUT.1),
            Self::NotConnectedInTime => NOT_CONNECTED_IN_TIME,
            Self::ConnectionRefused => CONNECTION_REFUSED,
            Self::Unresolved(name) => return write!(f, "{UNRESOLVED}{name}"),
            Self::ProxyLogin => PROXY_LOGIN,
            Self::ProxyRefused => PROXY_REFUSED,
            Self::Certificate(cause) => return write!(f, "{CERTIFICATE}{cause}"),
            Self::Tls(cause) => return write!(f, "{TLS}{cause}"),
            Self::KeyExpired => KEY_EXPIRED,
            Self::Other(message) => message,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_reads_back_as_what_it_says() {
        for detail in [
            LostDetail::TimedOut("10".into()),
            LostDetail::NotConnectedInTime,
            LostDetail::ConnectionRefused,
            LostDetail::Unresolved("x.test".into()),
            LostDetail::ProxyLogin,
            LostDetail::ProxyRefused,
            LostDetail::Certificate("invalid peer certificate: UnknownIssuer".into()),
            LostDetail::Tls("handshake failure".into()),
            LostDetail::KeyExpired,
            LostDetail::Other("connection reset by peer".into()),
        ] {
            assert_eq!(LostDetail::parse(&detail.to_string()), detail);
        }
    }
}
