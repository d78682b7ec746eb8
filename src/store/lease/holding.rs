//! One session of this process: what its row says, and how many places its cap has.
//!
//! The row never says fewer places than the cap has. So lowering changes memory first, and raising
//! changes the row first. A change whose outcome is unknown counts against this session: if it was
//! a raise, memory does not follow.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use super::shares::even_share;
use super::table::{Change, Claim, Raised, RowState, SessionRow};
use super::terms::{rest_after_failover, rest_after_take_over};
use crate::store::places::Places;
use reconcile_core::arrival::micros;
use reconcile_core::rate::Rate;

/// A session of this process. Times are microseconds of the boot clock.
pub(super) struct Holding {
    pub(super) session_no: i64,
    pub(super) account: String,
    /// The cap of the account.
    cap: Rate,
    /// The time limit of the session's requests.
    timeout: Duration,
    beat: i64,
    /// The places in the row.
    row: u32,
    /// What the row says about requests to send.
    row_wants: bool,
    /// What an unfinished change may have made of the row's places.
    attempt: Option<RangeInclusive<u32>>,
    places: Option<Arc<dyn Places>>,
    wants: bool,
    /// The places that the cap has: it may use them, or requests still take them.
    backed: u32,
    /// The places that the cap may use.
    limit: u32,
    pending: Option<Pending>,
    /// How many sessions of the account were ever taken over; `None` if not known yet.
    fenced: Option<i64>,
    /// No place that the cap does not have yet is free before.
    rest_until_us: i64,
    unsettled: Option<Unsettled>,
}

/// A timeline on which the account is not settled yet.
struct Unsettled {
    timeline: String,
    /// When nothing from an earlier primary counts any more.
    settles_at_us: i64,
}

/// A raise that is in the row, and not in memory yet.
struct Pending {
    /// The live sessions that must renew first, with their beats at the raise. A renewal proves
    /// that their memory agrees with their row.
    others: BTreeMap<i64, i64>,
    /// When requests of ended sessions free the new places, the latest first.
    free_at_us: Vec<i64>,
}

/// What a holding wants to change in its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    Nothing,
    Lower(Change),
    Raise(Change),
}

impl Holding {
    /// A session that has just begun: its row has this beat and no places.
    pub(super) fn new((session_no, beat): (i64, i64), account: String, cap: Rate, timeout: Duration) -> Self {
        Self {
            session_no,
            account,
            cap,
            timeout,
            beat,
            row: 0,
            row_wants: false,
            attempt: None,
            places: None,
            wants: false,
            backed: 0,
            limit: 0,
            pending: None,
            fenced: None,
            rest_until_us: i64::MIN,
            unsettled: None,
        }
    }

    /// The cap that the session sends under. It has no place yet.
    pub(super) fn hold(&mut self, places: Arc<dyn Places>) {
        self.places = Some(places);
        self.wants = true;
    }

    /// The session has nothing to send any more.
    pub(super) fn release(&mut self) {
        self.wants = false;
    }

    /// The account's number of places.
    pub(super) fn cap_requests(&self) -> u32 {
        self.cap.requests.get()
    }

    pub(super) fn claim(&self) -> Claim {
        Claim { session_no: self.session_no, beat: self.beat, places: self.row }
    }

    /// Notes that a change is sent. If it is made, the row's places are in this range. An earlier
    /// change of unknown outcome may still be made, late.
    pub(super) fn attempts(&mut self, places: RangeInclusive<u32>) {
        let earlier = self.attempt.take().unwrap_or_else(|| places.clone());
        self.attempt = Some(*earlier.start().min(places.start())..=*earlier.end().max(places.end()));
    }

    /// Notes a change of the row that succeeded.
    fn changed(&mut self, places: u32) {
        self.beat += 1;
        self.row = places;
        self.attempt = None;
    }

    /// Notes a renewal that succeeded.
    pub(super) fn renewed(&mut self) {
        self.changed(self.row);
    }

    /// Notes a lowering that succeeded.
    pub(super) fn lowered(&mut self, change: &Change) {
        self.changed(change.places);
        self.row_wants = change.wants;
    }

    /// True if the row is as this session left it.
    pub(super) fn agrees(&self, row: &SessionRow) -> bool {
        row.state == RowState::Live && (row.beat, row.places) == (self.beat, self.row)
    }

    /// Takes over what the row says, after a change of unknown outcome. Returns false if the row is
    /// not this session's any more: it went backwards, or another process has changed it.
    pub(super) fn adopt(&mut self, row: &SessionRow) -> bool {
        if self.agrees(row) {
            return true;
        }
        let is_made = row.state == RowState::Live
            && row.beat == self.beat + 1
            && self.attempt.as_ref().is_some_and(|attempt| attempt.contains(&row.places));
        if is_made {
            if row.places != self.row {
                self.pending = None;
            }
            self.changed(row.places);
            self.row_wants = row.wants;
        }
        is_made
    }

    /// A session of the account was taken over, or its row is gone. It may have had places that no
    /// row shows, and sent requests that no row shows: the database may have lost commits.
    pub(super) fn met_a_fence(&mut self, timeout: Duration, now_us: i64) {
        self.rest_for(rest_after_take_over(timeout, self.cap), now_us);
    }

    fn rest_for(&mut self, rest: Duration, now_us: i64) {
        self.rest_until_us = self.rest_until_us.max(now_us.saturating_add(micros(rest)));
    }

    /// Notes on which timeline the account is not settled, as a raise has found it. Sessions may
    /// have been lost with all traces.
    fn found_unsettled(&mut self, timeline: Option<&str>, now_us: i64) {
        let Some(timeline) = timeline else { return self.settled() };
        if self.unsettled.as_ref().is_some_and(|known| known.timeline == timeline) {
            return;
        }
        self.rest_for(rest_after_failover(self.timeout, self.cap), now_us);
        let (timeline, settles_at_us) = (timeline.to_owned(), self.rest_until_us);
        self.unsettled = Some(Unsettled { timeline, settles_at_us });
    }

    /// The timeline on which the account is settled now.
    pub(super) fn settles_on(&self, now_us: i64) -> Option<String> {
        let unsettled = self.unsettled.as_ref().filter(|unsettled| unsettled.settles_at_us <= now_us);
        unsettled.map(|unsettled| unsettled.timeline.clone())
    }

    /// Notes that the table says that the account is settled.
    pub(super) fn settled(&mut self) {
        self.unsettled = None;
    }

    /// Notes that one more session of the account was taken over.
    pub(super) fn count_fence(&mut self) {
        self.fenced = self.fenced.map(|fenced| fenced + 1);
    }

    /// Brings the cap in line with this session's share, as far as the row allows. Returns what to
    /// change in the row. `rows` are those of the account.
    pub(super) fn rebalance(&mut self, rows: &[&SessionRow], now_us: i64) -> Wish {
        let others: Vec<_> = rows.iter().filter(|row| row.session_no != self.session_no).collect();
        let live: Vec<_> = others.iter().filter(|row| row.state == RowState::Live).collect();
        let mut wanting: Vec<i64> = live.iter().filter(|row| row.wants).map(|row| row.session_no).collect();
        wanting.extend(Some(self.session_no).filter(|_| self.wants));
        let target = even_share(self.cap_requests(), &wanting, self.session_no);
        if let Some(pending) = &mut self.pending {
            let waits = |no: i64, beat: i64| live.iter().any(|row| row.session_no == no && row.beat <= beat);
            pending.others.retain(|no, beat| waits(*no, *beat));
        }
        if target < self.row {
            self.pending = None;
        }
        self.finish_raise(now_us);
        self.adjust_memory(target);
        let others_places: u32 = live.iter().map(|row| row.places).sum();
        let is_free = others_places.saturating_add(self.row) < self.cap_requests();
        let change = |places| Change { from: self.claim(), places, wants: self.wants };
        if self.pending.is_none() && self.row == self.backed && target > self.row && is_free {
            Wish::Raise(change(target))
        } else if self.pending.is_none() && (self.row, self.row_wants) != (self.backed, self.wants) {
            Wish::Lower(change(self.backed))
        } else {
            Wish::Nothing
        }
    }

    /// Moves the cap towards `target`, with the places that it has.
    fn adjust_memory(&mut self, target: u32) {
        let Some(places) = &self.places else { return };
        if target < self.backed {
            self.backed = places.shrink(target).max(target).min(self.backed);
            self.limit = self.limit.min(target);
        }
        let usable = target.min(self.backed);
        if usable > self.limit {
            places.grow(usable, &[]);
            self.limit = usable;
        }
    }

    /// Notes a raise that succeeded. It was asked for before `now_us`. The new places are usable
    /// when [`Self::rebalance`] finds that all others have renewed since.
    pub(super) fn raised(&mut self, raised: &Raised, now_us: i64) {
        let is_mine = |row: &&SessionRow| row.session_no == self.session_no;
        let places = raised.live.iter().find(is_mine).map_or(self.row, |row| row.places);
        self.changed(places);
        self.row_wants = self.wants;
        if self.fenced != Some(raised.fenced) {
            self.fenced = Some(raised.fenced);
            if let Some(timeout) = raised.fenced_lately {
                self.met_a_fence(timeout, now_us);
            }
        }
        self.found_unsettled(raised.unsettled.as_deref(), now_us);
        let others = raised.live.iter().filter(|row| row.session_no != self.session_no);
        let mut free_at_us: Vec<i64> =
            raised.taken.iter().map(|taken| now_us.saturating_add(micros(*taken))).collect();
        free_at_us.sort_unstable_by(|a, b| b.cmp(a));
        self.pending = (self.row > self.backed)
            .then(|| Pending { others: others.map(|row| (row.session_no, row.beat)).collect(), free_at_us });
        self.finish_raise(now_us);
    }

    /// Gives the cap the places of a raise if nobody has to renew any more.
    fn finish_raise(&mut self, now_us: i64) {
        let Some(places) = &self.places else { return };
        let Some(pending) = self.pending.take_if(|pending| pending.others.is_empty()) else { return };
        let added = (self.row - self.backed) as usize;
        let earliest = (0..added).map(|_| self.rest_until_us);
        let free_at_us = pending.free_at_us.into_iter().chain(std::iter::repeat(i64::MIN)).zip(earliest);
        let rests = free_at_us.map(|(free_at, earliest)| free_at.max(earliest).saturating_sub(now_us));
        let resting: Vec<Duration> = rests
            .filter_map(|us| u64::try_from(us).ok().filter(|us| *us > 0))
            .map(Duration::from_micros)
            .collect();
        places.grow(self.row, &resting);
        (self.backed, self.limit) = (self.row, self.row);
    }

    /// Takes all places from the cap: another process may have them.
    pub(super) fn lose(&self) {
        if let Some(places) = &self.places {
            places.shrink(0);
        }
    }
}
