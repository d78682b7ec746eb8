//! The model of the database: its tables, its transactions, and failovers that lose commits.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use reconcile::store::lease::{Change, Claim, Raised, Renewed, RowState, SessionRow};
use reconcile_core::rate::Rate;
use tokio::time::Instant;

/// How long a lost commit can be undone.
const KEPT: Duration = Duration::from_secs(120);

/// A row of the table of sessions.
#[derive(Debug, Clone)]
pub(super) struct Session {
    pub(super) account: String,
    /// The boot of its host.
    pub(super) boot: (usize, u64),
    pub(super) beat: i64,
    pub(super) places: u32,
    pub(super) wants: bool,
    pub(super) state: RowState,
    pub(super) timeout: Duration,
    /// The wall clock of its host at its last renewal. Only a wrong design reads it.
    pub(super) renewed_at_us: i64,
}

/// A row of the table of requests. Times are those of the host's boot clock.
#[derive(Debug, Clone, Copy)]
pub(super) struct Request {
    pub(super) end: Option<End>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct End {
    pub(super) at_us: i64,
    pub(super) was_sent: bool,
    pub(super) has_reply: bool,
}

/// What a commit replaced.
enum Before {
    Session(i64, Option<Session>),
    Request((i64, i64), Option<Request>),
    Timeline(String, Option<String>),
}

/// The tables.
#[derive(Default)]
pub(super) struct Database {
    sessions: BTreeMap<i64, Session>,
    requests: BTreeMap<(i64, i64), Request>,
    /// The timeline on which each account is settled.
    settled_on: BTreeMap<String, String>,
    pub(super) timeline: u64,
    history: VecDeque<(Instant, Before)>,
    pub(super) down_until: Option<Instant>,
    /// When each place is free, by the server's clock. Only a wrong design uses it.
    places: BTreeMap<(String, u32), Option<Instant>>,
    /// How far the clock of the server is ahead.
    server_ahead: Duration,
    /// Transactions so far.
    pub(super) statements: u64,
}

pub(super) type Shared = Rc<RefCell<Database>>;

/// A clock reading: the boot, its boot clock, and its wall clock.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading {
    pub(super) boot: (usize, u64),
    pub(super) boot_us: i64,
    pub(super) wall_us: i64,
}

impl Database {
    fn note(&mut self, before: Before) {
        let now = Instant::now();
        while self.history.front().is_some_and(|(at, _)| now - *at >= KEPT) {
            self.history.pop_front();
        }
        self.history.push_back((now, before));
    }

    fn set_session(&mut self, no: i64, session: Session) {
        let before = self.sessions.insert(no, session);
        self.note(Before::Session(no, before));
    }

    /// Another server becomes the primary. It lacks the commits of the last `lost`.
    pub(super) fn fail_over(&mut self, lost: Duration, down_for: Duration) {
        let now = Instant::now();
        while self.history.back().is_some_and(|(at, _)| now - *at < lost) {
            match self.history.pop_back().unwrap().1 {
                Before::Session(no, before) => restore(&mut self.sessions, no, before),
                Before::Request(no, before) => restore(&mut self.requests, no, before),
                Before::Timeline(account, before) => restore(&mut self.settled_on, account, before),
            }
        }
        self.timeline += 1;
        self.server_ahead += Duration::from_secs(5);
        self.down_until = Some(now + down_for);
    }

    pub(super) fn is_down(&self) -> bool {
        self.down_until.is_some_and(|until| Instant::now() < until)
    }

    pub(super) fn begin(&mut self, session: Session) -> i64 {
        let no = self.sessions.keys().next_back().map_or(1, |newest| newest + 1);
        self.set_session(no, session);
        no
    }

    /// Ends a session whose row is as claimed.
    pub(super) fn end(&mut self, claim: &Claim) -> bool {
        let Some(mut session) = self.claimed(claim) else { return false };
        session.state = RowState::Ended;
        self.set_session(claim.session_no, session);
        true
    }

    fn claimed(&self, claim: &Claim) -> Option<Session> {
        let session = self.sessions.get(&claim.session_no)?;
        let is_claimed =
            session.state == RowState::Live && (session.beat, session.places) == (claim.beat, claim.places);
        is_claimed.then(|| session.clone())
    }

    fn row(no: i64, session: &Session) -> SessionRow {
        SessionRow {
            session_no: no,
            account: session.account.clone(),
            beat: session.beat,
            places: session.places,
            wants: session.wants,
            state: session.state,
            timeout: session.timeout,
        }
    }

    pub(super) fn renew(&mut self, claims: &[Claim], wall_us: i64) -> Renewed {
        let mut session_nos = Vec::new();
        for claim in claims {
            let Some(session) = self.claimed(claim) else { continue };
            let session = Session { beat: session.beat + 1, renewed_at_us: wall_us, ..session };
            self.set_session(claim.session_no, session);
            session_nos.push(claim.session_no);
        }
        Renewed { session_nos, timeline: self.timeline.to_string() }
    }

    pub(super) fn read(&self, mine: &[i64], known: &[i64]) -> Vec<SessionRow> {
        let accounts: Vec<&str> =
            mine.iter().filter_map(|no| self.sessions.get(no)).map(|s| s.account.as_str()).collect();
        let is_asked = |no: i64, session: &Session| {
            mine.contains(&no)
                || known.contains(&no)
                || (session.state == RowState::Live && accounts.contains(&session.account.as_str()))
        };
        let rows = self.sessions.iter().filter(|(no, session)| is_asked(**no, session));
        rows.map(|(no, session)| Self::row(*no, session)).collect()
    }

    pub(super) fn lower(&mut self, change: &Change) -> bool {
        let Some(session) = self.claimed(&change.from) else { return false };
        let (beat, places, wants) = (session.beat + 1, change.places, change.wants);
        self.set_session(change.from.session_no, Session { beat, places, wants, ..session });
        true
    }

    fn live(&self, account: &str) -> Vec<SessionRow> {
        let live = |session: &Session| session.account == account && session.state == RowState::Live;
        let live = self.sessions.iter().filter(|(_, session)| live(session));
        live.map(|(no, session)| Self::row(*no, session)).collect()
    }

    pub(super) fn raise(&mut self, change: &Change, rate: Rate, now: Reading) -> Option<Raised> {
        let session = self.claimed(&change.from)?;
        let (account, no) = (session.account.clone(), change.from.session_no);
        let others: u32 =
            self.live(&account).iter().filter(|row| row.session_no != no).map(|row| row.places).sum();
        let free = rate.requests.get().saturating_sub(others);
        let places = change.places.min(free).max(session.places);
        let (beat, wants) = (session.beat + 1, change.wants);
        self.set_session(no, Session { beat, places, wants, ..session });
        let fenced: Vec<_> = self
            .sessions
            .values()
            .filter(|session| session.account == account && session.state == RowState::Fenced)
            .collect();
        let timeline = self.timeline.to_string();
        let is_settled = *self.settled_on.get(&account).map_or("0", String::as_str) == timeline;
        Some(Raised {
            live: self.live(&account),
            taken: self.taken(&account, rate, now),
            fenced: i64::try_from(fenced.len()).unwrap(),
            fenced_lately: fenced.iter().map(|session| session.timeout).max(),
            unsettled: (!is_settled).then_some(timeline),
        })
    }

    pub(super) fn settle(&mut self, session_no: i64, timeline: String) {
        let Some(account) = self.sessions.get(&session_no).map(|session| session.account.clone()) else {
            return;
        };
        let before = self.settled_on.insert(account.clone(), timeline);
        self.note(Before::Timeline(account, before));
    }

    /// How long requests of sessions that are not live take a place each. Those of the same boot
    /// exactly; the newest ones of other boots as if they had arrived just now.
    fn taken(&self, account: &str, rate: Rate, now: Reading) -> Vec<Duration> {
        let (mut taken, mut of_other_boots) = (Vec::new(), 0);
        let ended = self.sessions.iter().rev();
        let ended = ended.filter(|(_, s)| s.account == account && s.state != RowState::Live);
        for (no, session) in ended {
            for (_, request) in self.requests.range((*no, 0)..(no + 1, 0)).rev() {
                if request.end.is_some_and(|end| !end.was_sent) {
                    continue;
                }
                let rest =
                    request.end.filter(|end| end.has_reply).map_or(session.timeout, |_| Duration::ZERO);
                let left = rest + rate.cooldown();
                if session.boot == now.boot {
                    let at_us = request.end.map_or(now.boot_us, |end| end.at_us);
                    let left_us = at_us + i64::try_from(left.as_micros()).unwrap() - now.boot_us;
                    taken.extend(u64::try_from(left_us).ok().map(Duration::from_micros));
                } else if of_other_boots < rate.requests.get() {
                    of_other_boots += 1;
                    taken.push(left);
                }
            }
        }
        taken
    }

    pub(super) fn take_over(&mut self, no: i64, beat: i64) -> bool {
        let Some(session) = self.sessions.get(&no) else { return false };
        let can = session.state == RowState::Live && session.beat == beat;
        if can {
            let session = Session { state: RowState::Fenced, ..session.clone() };
            self.set_session(no, session);
        }
        can
    }

    /// Records a request; false if the session is not live.
    pub(super) fn begin_request(&mut self, session_no: i64, request_no: i64) -> bool {
        let is_live = self.sessions.get(&session_no).is_some_and(|s| s.state == RowState::Live);
        if is_live {
            let key = (session_no, request_no);
            let before = self.requests.insert(key, Request { end: None });
            self.note(Before::Request(key, before));
        }
        is_live
    }

    /// Records the end of a request, if it is there; false if the session is not live.
    pub(super) fn end_request(&mut self, session_no: i64, request_no: i64, end: End) -> bool {
        let is_live = self.sessions.get(&session_no).is_some_and(|s| s.state == RowState::Live);
        let key = (session_no, request_no);
        if is_live && self.requests.contains_key(&key) {
            let before = self.requests.insert(key, Request { end: Some(end) });
            self.note(Before::Request(key, before));
        }
        is_live
    }

    /// A free place by the server's clock.
    pub(super) fn take_place(&mut self, account: &str, places: u32) -> Option<u32> {
        let now = Instant::now() + self.server_ahead;
        let key = |place| (account.to_owned(), place);
        let is_free = |free_at: Option<&Option<Instant>>| match free_at {
            None => true,
            Some(free_at) => free_at.is_some_and(|free_at| free_at <= now),
        };
        let free = (0..places).find(|place| is_free(self.places.get(&key(*place))))?;
        self.places.insert(key(free), None);
        Some(free)
    }

    pub(super) fn free_place(&mut self, account: &str, place: u32, after: Duration) {
        let free_at = Instant::now() + self.server_ahead + after;
        self.places.insert((account.to_owned(), place), Some(free_at));
    }

    /// The live sessions of an account whose lease has ended by this wall clock: a wrong design.
    pub(super) fn overdue_by_wall(&self, account: &str, wall_us: i64, lease_us: i64) -> Vec<(i64, i64)> {
        let is_overdue = |session: &Session| {
            session.account == account
                && session.state == RowState::Live
                && wall_us - session.renewed_at_us > lease_us
        };
        let overdue = self.sessions.iter().filter(|(_, session)| is_overdue(session));
        overdue.map(|(no, session)| (*no, session.beat)).collect()
    }
}

fn restore<K: Ord, V>(rows: &mut BTreeMap<K, V>, key: K, before: Option<V>) {
    match before {
        Some(before) => drop(rows.insert(key, before)),
        None => drop(rows.remove(&key)),
    }
}
