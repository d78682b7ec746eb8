//! What a request needs before it is sent, in this order: a turn, a place under the cap, a key, its
//! row on disk, and a slot.
//!
//! The place comes before the row. So the recorded time of sending is never later than the true
//! one, and never earlier than the place: the audit finds no request too many. The row comes before
//! the slot, so nobody holds a slot while the disk works. A request that waits for a slot holds its
//! place and wastes none: while all slots are taken, no other request could use the place, and it
//! is free again one cooldown after the reply, however early it was taken.
//!
//! A request whose row is on disk may still be withdrawn, because the run stops, an outage begins
//! or ends, the run is slowed down, or this process can no longer prove that it has its places. It
//! was not sent: it gives its place back and is counted nowhere. The next try then waits until the
//! store may send again, so a lapsed lease costs each request one row at most.
//!
//! The last check and the sending are one step of a task, without a wait between them.

use super::Fetcher;
use super::cap::Place;
use super::outage::{Kind, Turn};
use super::slots::{Slot, Waiting};
use crate::error::Result;
use crate::provider::Provider;
use crate::store::{BegunRequest, NewRequest, RequestEnd};

/// A request that may be sent now.
pub(super) struct Ready<'a> {
    pub(super) turn: Turn<'a>,
    /// Taken before `begun` was recorded.
    pub(super) place: Place<'a>,
    /// The number of the key.
    pub(super) key: u64,
    /// Its row on disk.
    pub(super) begun: BegunRequest,
    pub(super) slot: Slot,
}

impl<P: Provider> Fetcher<P> {
    /// Waits until a request may be sent; `None` if the run stops.
    ///
    /// # Errors
    ///
    /// Exit 6 if the store cannot be written.
    pub(super) async fn ready(
        &self,
        request: &NewRequest,
        kind: Kind,
        waiting: Waiting,
    ) -> Result<Option<Ready<'_>>> {
        loop {
            let Some(()) = self.lease().await else { return Ok(None) };
            let Some((turn, place)) = self.turn_and_place(kind).await else { return Ok(None) };
            let Some(key) = self.key().await else { return Ok(None) };
            if !self.store.may_send() {
                place.give_back();
                continue;
            }
            let begun = self.store.begin_request(&self.scope, request.clone()).await?;
            if let Some(slot) = self.slot(&turn, &place, &waiting).await {
                return Ok(Some(Ready { turn, place, key, begun, slot }));
            }
            drop(turn);
            let end = RequestEnd::withdrawn(self.store.moment());
            self.store.end_request(&self.scope, begun, end, None).await?;
            // Only now: without its end on disk, the audit would count it beside the next request.
            place.give_back();
        }
    }

    /// Waits until the store says that requests may be sent; `None` if the run stops.
    async fn lease(&self) -> Option<()> {
        if self.store.may_send() {
            return Some(());
        }
        tokio::select! {
            biased;
            () = self.stop.stopped() => None,
            () = self.store.until_may_send() => Some(()),
        }
    }

    /// Waits for a turn, then for a place under the cap; `None` if the run stops. An outage that
    /// begins or ends meanwhile starts the wait again.
    async fn turn_and_place(&self, kind: Kind) -> Option<(Turn<'_>, Place<'_>)> {
        loop {
            let turn = tokio::select! {
                biased;
                () = self.stop.stopped() => return None,
                turn = self.outage.turn(kind) => turn,
            };
            tokio::select! {
                biased;
                () = self.stop.stopped() => return None,
                () = turn.revoked() => {}
                place = self.cap.take() => return Some((turn, place)),
            }
        }
    }

    /// Waits for a valid key and returns its number; `None` if the run stops. The place stays taken
    /// during the wait: it starts to cool only after the reply.
    async fn key(&self) -> Option<u64> {
        let ready = tokio::select! {
            biased;
            () = self.stop.stopped() => return None,
            ready = self.provider.ready() => ready,
        };
        ready.map_err(|reason| self.stop.stop(reason)).ok()
    }

    /// Waits for a slot; `None` if the request must be withdrawn.
    async fn slot(&self, turn: &Turn<'_>, place: &Place<'_>, waiting: &Waiting) -> Option<Slot> {
        tokio::select! {
            biased;
            () = self.stop.stopped() => None,
            () = turn.revoked() => None,
            slot = waiting.slot() => {
                Some(slot).filter(|_| !place.is_revoked() && self.store.may_send())
            }
        }
    }
}
