//! `reconcile verify-cap`: whether the cap was kept, according to the store's record of requests.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;

use super::answer::{answer, open_store, table};
use crate::cli::VerifyCapArgs;
use crate::error::Result;
use crate::exit::Exit;
use crate::shown::shown;
use crate::store::{AccountShares, CapRecord, SessionEvidence};
use crate::words::plural;
use crate::zone;
use reconcile_core::cap_audit::{Evidence, Shares, Verdict};

/// The answer; with `--json` these are its keys.
#[derive(Serialize)]
struct Answer {
    held: bool,
    /// `held`, `broken` or `cannot be proven`.
    verdict: &'static str,
    /// Why the cap cannot be proven, in sentences.
    doubts: Vec<String>,
    requests: u64,
    throttled: u64,
    sessions: Vec<Session>,
    /// Only accounts whose places several sessions can share.
    accounts: Vec<Account>,
}

/// The sum of the places that the sessions of an account held.
#[derive(Serialize)]
struct Account {
    account: String,
    cap: String,
    held: bool,
    #[serde(serialize_with = "as_word")]
    verdict: Verdict,
    changes: u64,
    most_places: u64,
    missing: u64,
    #[serde(skip)]
    of: u32,
}

impl Account {
    fn new(shares: AccountShares) -> Self {
        let AccountShares { account, rate, shares } = shares;
        let verdict = shares.verdict();
        let Shares { changes, most, missing, .. } = shares;
        Self {
            account,
            cap: rate.to_string(),
            held: verdict == Verdict::Held,
            verdict,
            changes,
            most_places: most,
            missing,
            of: rate.requests.get(),
        }
    }

    fn line(&self) -> String {
        format!(
            "{}, cap {}: its sessions held at most {} of {} places together, in {}{}",
            self.name(),
            self.cap,
            self.most_places,
            self.of,
            plural(self.changes, "change"),
            flag(self.verdict)
        )
    }

    /// Why the sum cannot be proven, in a sentence.
    fn doubt(&self) -> Option<String> {
        (self.missing > 0).then(|| {
            format!(
                "The {}: the record of {} of places is missing.",
                self.name(),
                plural(self.missing, "change")
            )
        })
    }

    fn name(&self) -> String {
        match self.account.as_str() {
            "" => "account without a name".to_owned(),
            name => format!("account {}", shown(name)),
        }
    }
}

/// The end of a line with this verdict.
fn flag(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Held => "",
        Verdict::CannotBeProven => "  CANNOT BE PROVEN",
        Verdict::Broken => "  BROKEN",
    }
}

/// The requests of one process, and what the cap allows.
#[derive(Serialize)]
struct Session {
    session_no: i64,
    #[serde(serialize_with = "as_utc")]
    started_at: DateTime<Utc>,
    boot_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<String>,
    cap: String,
    held: bool,
    #[serde(serialize_with = "as_word")]
    verdict: Verdict,
    most_in_any_window: u64,
    most_if_late: u64,
    requests: u64,
    no_reply: u64,
    missing: u64,
    over_places: u64,
    allowance: u64,
    throttled: u64,
    sending_s: f64,
    shortest_s: f64,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn as_word<S: serde::Serializer>(verdict: &Verdict, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(verdict.as_str())
}

fn as_utc<S: serde::Serializer>(at: &DateTime<Utc>, serializer: S) -> std::result::Result<S::Ok, S::Error> {
    serializer.serialize_str(&at.to_rfc3339_opts(SecondsFormat::Secs, true))
}

impl Session {
    fn new(s: SessionEvidence) -> Self {
        let verdict = s.evidence.verdict(s.rate);
        let Evidence { requests, most_in_any_window, most_if_late, no_reply, missing, over_places, .. } =
            s.evidence;
        #[allow(clippy::cast_precision_loss, reason = "microseconds of a session are far below 2^53")]
        let seconds = |us: i64| us as f64 / 1e6;
        Self {
            session_no: s.session_no,
            started_at: s.started_at,
            boot_id: s.boot_id,
            account: s.account.as_deref().map(shown),
            cap: s.rate.to_string(),
            held: verdict == Verdict::Held,
            verdict,
            most_in_any_window,
            most_if_late,
            requests,
            no_reply,
            missing,
            over_places,
            allowance: s.evidence.allowance,
            throttled: s.throttled,
            sending_s: seconds(s.evidence.sending_us),
            shortest_s: seconds(s.evidence.shortest_us),
        }
    }

    fn line(&self) -> String {
        format!(
            "session {}, started {}{}, cap {}: at most {} requests in any window; {} sent in {:.1} s (the cap allows {} in \
             that time){}",
            self.session_no,
            zone::date_and_time(self.started_at),
            self.account.as_ref().map(|name| format!(", account {name}")).unwrap_or_default(),
            self.cap,
            self.most_in_any_window,
            self.requests,
            self.sending_s,
            self.allowance,
            flag(self.verdict)
        )
    }

    /// Why this session's cap cannot be proven, in sentences.
    fn doubts(&self) -> Vec<String> {
        let n = self.session_no;
        let mut doubts = Vec::new();
        if self.verdict == Verdict::CannotBeProven && self.most_if_late > self.most_in_any_window {
            doubts.push(format!(
                "Session {n}: {} in it or in the hour before got no reply. Such a request counts as arriving until one \
                 time limit after its failure. If they arrived later, all together, a window held up to {} requests.",
                plural(self.no_reply, "request"),
                self.most_if_late
            ));
        }
        if self.over_places > 0 {
            doubts.push(format!(
                "Session {n}: a window can have held {} more than the places that the session had then.",
                plural(self.over_places, "request")
            ));
        }
        if self.missing > 0 {
            doubts
                .push(format!("Session {n}: the record of {} is missing.", plural(self.missing, "request")));
        }
        doubts
    }
}

/// Recomputes the most requests that can have reached the provider in any window. It reads the
/// record only and shares no code with the limiter, only the rule of [`reconcile_core::arrival`].
///
/// # Errors
///
/// Exit 2 when there is no store; exit 6 when it cannot be read.
pub fn verify_cap(args: &VerifyCapArgs) -> Result<Exit> {
    let CapRecord { sessions, accounts, missing_sessions, names, copy_of } =
        open_store(&args.store.location())?.cap_record()?;
    let sessions: Vec<Session> = sessions.into_iter().map(Session::new).collect();
    let accounts: Vec<Account> = accounts.into_iter().map(Account::new).collect();
    let mut doubts: Vec<String> = sessions.iter().flat_map(Session::doubts).collect();
    doubts.extend(accounts.iter().filter_map(Account::doubt));
    let verdicts = sessions.iter().map(|session| session.verdict);
    let mut verdict =
        verdicts.chain(accounts.iter().map(|account| account.verdict)).max().unwrap_or(Verdict::Held);
    if names > 1 {
        verdict = verdict.max(Verdict::CannotBeProven);
        doubts.push(format!(
            "The store has {names} names (hard links). A run under another name may have recorded its requests elsewhere."
        ));
    }
    if let Some(source) = copy_of {
        verdict = verdict.max(Verdict::CannotBeProven);
        doubts.push(format!(
            "The store is an unfinished copy of {source}, so requests may be missing. Verify that store."
        ));
    }
    let result = Answer {
        held: verdict == Verdict::Held,
        verdict: verdict.as_str(),
        doubts,
        requests: sessions.iter().map(|session| session.requests).sum(),
        throttled: sessions.iter().map(|session| session.throttled).sum(),
        sessions,
        accounts,
    };
    answer(args.json, &result, || lines(&result, missing_sessions))?;
    Ok(if result.held { Exit::Success } else { Exit::Discrepancies })
}

fn lines(answer: &Answer, missing_sessions: u64) -> Vec<String> {
    let broken = answer.sessions.iter().filter(|session| session.verdict == Verdict::Broken).count() as u64;
    let cap = match (broken, answer.held) {
        (0, true) => "kept in every window".to_owned(),
        (0, false) if answer.verdict == Verdict::Broken.as_str() => "BROKEN".to_owned(),
        (0, false) => "CANNOT BE PROVEN".to_owned(),
        (n, _) => format!("BROKEN in {}", plural(n, "session")),
    };
    let mut lines: Vec<String> = answer.sessions.iter().map(Session::line).collect();
    lines.extend(answer.accounts.iter().map(Account::line));
    let sessions = plural(answer.sessions.len() as u64, "session");
    lines.extend(table(&[
        ("cap", cap),
        ("requests", format!("{} in {sessions}", answer.requests)),
        ("throttled", answer.throttled.to_string()),
    ]));
    lines.extend(answer.doubts.iter().cloned());
    if missing_sessions > 0 {
        let are = if missing_sessions == 1 { "is" } else { "are" };
        lines.push(format!(
            "{} {are} not in this store, because it was deleted or restored from a backup. Nothing can be said about \
             their requests. The first session after them waited for a whole window.",
            plural(missing_sessions, "earlier session")
        ));
    }
    let mut boots: Vec<&str> = answer.sessions.iter().map(|session| session.boot_id.as_str()).collect();
    boots.dedup();
    if boots.len() > 1 {
        lines.push(format!(
            "The machine was started {} times, or the store was moved. Windows across such a start cannot be recomputed, \
             because only the wall clock spans them. The first run after it waited for a whole window.",
            boots.len()
        ));
    }
    lines
}
