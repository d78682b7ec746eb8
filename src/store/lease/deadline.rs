//! The deadline of a process's lease: until when it may send.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use futures::future::BoxFuture;
use tokio::sync::Notify;

use super::terms::LEASE;
use crate::clock::Clock;
use reconcile_core::arrival::micros;

/// A process's lease. The fetch stage asks it before each request; the keeper extends it.
pub struct Lease {
    clock: Arc<dyn Clock>,
    /// By the boot clock, which goes on while the process or the machine sleeps.
    deadline_us: AtomicI64,
    is_lost: AtomicBool,
    renewed: Notify,
}

impl Lease {
    /// A lease that has not begun.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let deadline_us = AtomicI64::new(i64::MIN);
        Self { clock, deadline_us, is_lost: AtomicBool::new(false), renewed: Notify::new() }
    }

    /// True if a request may be sent now.
    #[must_use]
    pub fn may_send(&self) -> bool {
        self.may_send_at(self.clock.now().boot_us)
    }

    /// True if a request may be sent at this time of the boot clock.
    #[must_use]
    pub fn may_send_at(&self, boot_us: i64) -> bool {
        !self.is_lost() && boot_us <= self.deadline_us.load(Ordering::SeqCst)
    }

    /// Waits until requests may be sent again; for ever if the lease is lost.
    pub fn until_may_send(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            loop {
                let renewed = self.renewed.notified();
                if self.may_send() {
                    return;
                }
                renewed.await;
            }
        })
    }

    /// True if another process may have the places of this one.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.is_lost.load(Ordering::SeqCst)
    }

    /// Extends the lease by a renewal that succeeded. It began at `before_us` of the boot clock.
    pub(super) fn renewed(&self, before_us: i64) {
        self.deadline_us.fetch_max(before_us.saturating_add(micros(LEASE)), Ordering::SeqCst);
        self.renewed.notify_waiters();
    }

    /// Ends the lease for good.
    pub(super) fn lose(&self) {
        self.is_lost.store(true, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::atomic::AtomicI64;

    use chrono::DateTime;
    use futures::FutureExt as _;

    use super::*;
    use crate::clock::Moment;

    struct SetClock(AtomicI64);

    impl Clock for SetClock {
        fn now(&self) -> Moment {
            Moment { wall: DateTime::UNIX_EPOCH, boot_us: self.0.load(Ordering::SeqCst) }
        }

        fn boot_id(&self) -> &'static str {
            "boot-1"
        }

        fn boot_us_is_uptime(&self) -> bool {
            true
        }
    }

    #[test]
    fn a_lease_ends_at_its_deadline_and_goes_on_after_a_renewal() {
        let clock = Arc::new(SetClock(AtomicI64::new(0)));
        let lease = Lease::new(clock.clone());
        assert!(!lease.may_send(), "it has not begun");
        lease.renewed(0);
        assert!(lease.until_may_send().now_or_never().is_some());
        clock.0.store(micros(LEASE), Ordering::SeqCst);
        assert!(lease.may_send());
        clock.0.fetch_add(1, Ordering::SeqCst);
        assert!(!lease.may_send());
        let mut waiting = lease.until_may_send();
        assert!((&mut waiting).now_or_never().is_none());
        // A renewal that was begun earlier moves nothing back.
        lease.renewed(5);
        assert!(waiting.now_or_never().is_some());
        lease.renewed(0);
        assert!(lease.may_send());
        lease.lose();
        lease.renewed(10);
        assert!(!lease.may_send() && lease.until_may_send().now_or_never().is_none());
    }
}
