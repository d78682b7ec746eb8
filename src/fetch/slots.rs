//! The bounds on the calls in work: before, during and after their requests are in flight.
//!
//! A slot is held from sending to reply only: nobody holds one while the disk works. With N slots
//! (`--concurrency`):
//!
//! - at most N calls are between plan and slot. They wait for a turn, a place, their row on disk,
//!   and then a slot. Their rows are on disk, but nothing was sent.
//! - at most N requests are at the provider.
//! - at most N answers wait for the disk without a slot. Further ones keep their slots meanwhile,
//!   so a slow disk slows the run down.
//!
//! So a killed process leaves at most 3 × N requests without a recorded end, and the next one
//! repeats at most 2 × N: those that were sent and whose answer was not on disk.
//!
//! A call stays in work until it has its answer, between two attempts as well: at most 3 × N calls,
//! but at least 16. So a fault that is the same for every call is met by few of them. Only a call
//! that waits for its own limit leaves its room to another one.

use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Semaphore;

use super::concurrency::{Concurrency, NeededSlots};
use crate::locked::lock;
use reconcile_core::rate::Rate;

/// Calls that may be in work with any number of slots. In an outage they take turns with the
/// probes, so that none is given up.
const FEWEST_IN_WORK: usize = 16;

/// The slots of a run. Clones share them.
#[derive(Debug, Clone)]
pub struct Slots(Arc<Stages>);

/// The calls in work, and the three stages of their requests.
#[derive(Debug)]
struct Stages {
    in_work: Arc<Stage>,
    waiting: Arc<Stage>,
    in_flight: Arc<Stage>,
    storing: Arc<Stage>,
    size: Mutex<Size>,
}

/// The present size, and the rule that changes it.
#[derive(Debug)]
struct Size {
    slots: usize,
    /// `None` if the number is fixed.
    needed: Option<NeededSlots>,
}

/// A semaphore that can shrink while passes are taken.
#[derive(Debug)]
struct Stage {
    free: Semaphore,
    /// Taken passes that are not free again when they are given back.
    surplus: Mutex<usize>,
}

/// A pass of a stage. It is given back when dropped.
#[derive(Debug)]
struct Pass(Arc<Stage>);

/// A call in work.
#[derive(Debug)]
pub struct InWork {
    slots: Slots,
    pass: Option<Pass>,
    /// Taken with the call, for its first request.
    waiting: Option<Waiting>,
}

/// A call between plan and slot.
#[derive(Debug)]
pub(super) struct Waiting {
    slots: Slots,
    _pass: Pass,
}

/// A request in flight.
#[derive(Debug)]
pub(super) struct Slot {
    slots: Slots,
    pass: Pass,
}

impl Slots {
    /// The slots of a run with this cap.
    #[must_use]
    pub fn new(concurrency: Concurrency, rate: Rate) -> Self {
        let (slots, needed) = match concurrency {
            Concurrency::Fixed(number) => (number.get(), None),
            Concurrency::Auto => {
                let needed = NeededSlots::new(rate);
                (needed.number(), Some(needed))
            }
        };
        let sized = |size| Arc::new(Stage { free: Semaphore::new(size), surplus: Mutex::default() });
        let (in_work, stage) = (sized(calls_in_work(slots)), || sized(slots));
        let size = Mutex::new(Size { slots, needed });
        Self(Arc::new(Stages { in_work, waiting: stage(), in_flight: stage(), storing: stage(), size }))
    }

    /// Waits until another call may be taken in work, first come, first served.
    pub async fn enter(&self) -> InWork {
        let pass = Some(self.0.in_work.pass().await);
        InWork { slots: self.clone(), pass, waiting: Some(self.wait().await) }
    }

    async fn wait(&self) -> Waiting {
        Waiting { _pass: self.0.waiting.pass().await, slots: self.clone() }
    }

    /// The present number of slots.
    #[must_use]
    pub fn number(&self) -> usize {
        lock(&self.0.size).slots
    }

    /// Notes a round trip; the number of slots follows.
    fn note(&self, round_trip: Duration) {
        let mut size = lock(&self.0.size);
        let Some(needed) = &mut size.needed else { return };
        let slots = needed.after(round_trip);
        for stage in [&self.0.waiting, &self.0.in_flight, &self.0.storing] {
            stage.resize(size.slots, slots);
        }
        self.0.in_work.resize(calls_in_work(size.slots), calls_in_work(slots));
        size.slots = slots;
    }
}

/// The calls that may be in work with this number of slots.
fn calls_in_work(slots: usize) -> usize {
    (3 * slots).max(FEWEST_IN_WORK)
}

impl InWork {
    /// Waits until the call's next request may wait for its turn, first come, first served.
    pub(super) async fn wait(&mut self) -> Waiting {
        match self.waiting.take() {
            Some(waiting) => waiting,
            None => self.slots.wait().await,
        }
    }

    /// Leaves its room in work to another call during `wait`, then waits for room.
    pub(super) async fn leave_during(&mut self, wait: impl Future<Output = ()>) {
        self.pass = None;
        wait.await;
        self.pass = Some(self.slots.0.in_work.pass().await);
    }
}

impl Waiting {
    /// Waits for a free slot, first come, first served.
    pub(super) async fn slot(&self) -> Slot {
        Slot { pass: self.slots.0.in_flight.pass().await, slots: self.slots.clone() }
    }
}

impl Slot {
    /// Notes that the provider answered this request after `round_trip`.
    pub(super) fn answered(&self, round_trip: Duration) {
        self.slots.note(round_trip);
    }

    /// Waits until the answer is on disk. Gives the slot back before, as soon as at most N other
    /// answers wait for the disk.
    pub(super) async fn store<T>(self, commit: impl Future<Output = T>) -> T {
        let mut commit = pin!(commit);
        let _storing = tokio::select! {
            biased;
            done = &mut commit => return done,
            storing = self.slots.0.storing.pass() => storing,
        };
        drop(self.pass);
        commit.await
    }
}

impl Stage {
    async fn pass(self: &Arc<Self>) -> Pass {
        // The semaphore is never closed, so there is always a permit.
        if let Ok(permit) = self.free.acquire().await {
            permit.forget();
        }
        Pass(self.clone())
    }

    fn resize(&self, from: usize, to: usize) {
        let mut surplus = lock(&self.surplus);
        let (more, fewer) = (to.saturating_sub(from), from.saturating_sub(to));
        let kept = more.min(*surplus);
        self.free.add_permits(more - kept);
        *surplus = *surplus - kept + fewer - self.free.forget_permits(fewer);
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let mut surplus = lock(&self.0.surplus);
        match surplus.checked_sub(1) {
            Some(left) => *surplus = left,
            None => self.0.free.add_permits(1),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::future::{pending, ready};
    use std::num::NonZeroUsize;

    use futures::FutureExt as _;

    use super::*;

    fn fixed(slots: usize) -> Slots {
        let concurrency = Concurrency::Fixed(NonZeroUsize::new(slots).unwrap());
        Slots::new(concurrency, "100/min".parse().unwrap())
    }

    /// Takes as many as there are now.
    fn all<T>(take: impl Fn() -> Option<T>) -> Vec<T> {
        std::iter::from_fn(take).collect()
    }

    fn wait_all(slots: &Slots) -> Vec<Waiting> {
        all(|| slots.wait().now_or_never())
    }

    #[test]
    fn each_stage_has_room_for_as_many_calls_as_slots() {
        let slots = fixed(3);
        let waiting = wait_all(&slots);
        assert_eq!(waiting.len(), 3);
        let in_flight = all(|| waiting[0].slot().now_or_never());
        assert_eq!(in_flight.len(), 3);
        let mut storing: Vec<_> =
            in_flight.into_iter().map(|slot| Box::pin(slot.store(pending::<()>()))).collect();
        storing.iter_mut().for_each(|commit| assert!(commit.now_or_never().is_none()));
        let mut more = all(|| waiting[0].slot().now_or_never());
        assert_eq!(more.len(), 3);
        // There is no room for a fourth answer: its slot stays taken.
        let mut fourth = Box::pin(more.remove(0).store(pending::<()>()));
        assert!((&mut fourth).now_or_never().is_none());
        drop(more);
        assert_eq!(all(|| waiting[0].slot().now_or_never()).len(), 2);
        drop(storing);
        assert!((&mut fourth).now_or_never().is_none());
        assert_eq!(all(|| waiting[0].slot().now_or_never()).len(), 3);
    }

    #[test]
    fn calls_in_work_are_bounded_and_a_limited_call_leaves_its_room() {
        for (slots, most) in [(1, 16), (5, 16), (6, 18)] {
            let slots = fixed(slots);
            // Each has sent a request and waits for its next attempt.
            let begin = || {
                let mut call = slots.enter().now_or_never()?;
                call.wait().now_or_never().map(|_| call)
            };
            let mut calls = all(begin);
            assert_eq!(calls.len(), most);
            let mut limited = Box::pin(calls[0].leave_during(pending()));
            assert!((&mut limited).now_or_never().is_none());
            assert_eq!(all(begin).len(), 1);
        }
    }

    #[test]
    fn an_answer_that_is_on_disk_needs_no_room() {
        let waiting = wait_all(&fixed(1));
        let commit = waiting[0].slot().now_or_never().map(|slot| slot.store(ready(7)));
        assert_eq!(commit.and_then(|commit| commit.now_or_never()), Some(7));
        assert!(waiting[0].slot().now_or_never().is_some());
    }

    #[test]
    fn the_number_of_slots_changes_while_all_are_taken() {
        let slots = Slots::new(Concurrency::Auto, "100/s".parse().unwrap());
        let waiting = wait_all(&slots);
        let slot = waiting[0].slot().now_or_never().unwrap();
        assert_eq!((waiting.len(), slots.number()), (16, 16));
        (0..100).for_each(|_| slot.answered(Duration::from_millis(250)));
        let more = wait_all(&slots);
        assert_eq!((waiting.len() + more.len(), slots.number()), (30, 30));
        (0..2_000).for_each(|_| slot.answered(Duration::from_millis(1)));
        assert_eq!(slots.number(), 16);
        drop(waiting);
        assert_eq!(wait_all(&slots).len(), 2, "14 are still in work");
        drop(more);
        assert_eq!(wait_all(&slots).len(), 16);
        (0..100).for_each(|_| slot.answered(Duration::from_millis(250)));
        assert_eq!(wait_all(&slots).len(), 30);
    }
}
