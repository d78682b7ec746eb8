//! What a run is: its identity, where it sends requests, and under which caps.

use std::time::Duration;

use reconcile_core::rate::Rate;

/// The identity of a run. A session resumes an unfinished run only if both are the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunIdentity {
    /// SHA-256 of the ledger, in hex.
    pub input_sha256: String,
    /// True if settled calls are asked again.
    pub refresh: bool,
}

/// Where the requests of a session go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// The provider's address, such as `https://dyvmsapi.aliyuncs.com`; `None` offline.
    pub endpoint: Option<String>,
    /// The time limit of one request.
    pub timeout: Duration,
}

/// The cap under which a session sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountCap {
    /// The account's name; `None` if none is named. Then the requests of all accounts count.
    pub account: Option<String>,
    /// At most this many requests in any window of this length.
    pub rate: Rate,
}
