//! The places under a cap, as a store sees them: it says how many of the account's places this
//! process has. A store never imports the cap; the cap implements this.

use std::time::Duration;

/// The places of one session. Their number may change while it sends.
pub trait Places: Send + Sync {
    /// Lowers the number of places to `target`, at once: no request takes a place while `target` or
    /// more are taken.
    ///
    /// Returns how many places this session still has: `target`, or those that are taken now if
    /// they are more. Call it again later: then more of them are free.
    fn shrink(&self, target: u32) -> u32;

    /// Sets the number of places. Of those added, some may have to rest: each entry of `resting` is
    /// the time after which one of them is free.
    fn grow(&self, places: u32, resting: &[Duration]);
}
