//! What `purge` and `forget` report.

/// The numbers of erased rows, and the size of the store.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Erased {
    /// Erased calls.
    pub calls: u64,
    /// Erased requests.
    pub requests: u64,
    /// Size of the store before, in bytes.
    pub bytes_before: u64,
    /// Size of the store after, in bytes.
    pub bytes_after: u64,
}
