//! The calls in work at once. A call that waits for its own limit leaves its slot to another.

use std::num::NonZeroUsize;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// As many slots as calls may be in work at once.
#[derive(Debug, Clone)]
pub struct Slots(Arc<Semaphore>);

/// One taken slot. Drop it when the call has ended.
#[derive(Debug)]
pub struct Slot {
    slots: Slots,
    permit: Option<OwnedSemaphorePermit>,
}

impl Slots {
    /// Slots for this many calls.
    #[must_use]
    pub fn new(calls: NonZeroUsize) -> Self {
        Self(Arc::new(Semaphore::new(calls.get().min(Semaphore::MAX_PERMITS))))
    }

    /// Waits for a free slot, first come, first served.
    pub async fn take(&self) -> Slot {
        Slot { permit: self.permit().await, slots: self.clone() }
    }

    async fn permit(&self) -> Option<OwnedSemaphorePermit> {
        // The semaphore is never closed, so there is always a permit.
        self.0.clone().acquire_owned().await.ok()
    }
}

impl Slot {
    /// Leaves the slot during `wait`, then waits for a free one.
    pub(super) async fn leave_during(&mut self, wait: impl Future<Output = ()>) {
        self.permit = None;
        wait.await;
        self.permit = self.slots.permit().await;
    }
}
