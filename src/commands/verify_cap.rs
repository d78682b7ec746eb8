//! `reconcile verify-cap`: whether the cap was kept, according to the store's record of requests.

use serde::Serialize;

use super::answer::{answer, open_store, table};
use crate::cli::VerifyCapArgs;
use crate::error::Result;
use crate::exit::Exit;
use crate::store::SessionEvidence;
use crate::words::plural;
use reconcile_core::cap_audit::Evidence;

/// The answer; with `--json` these are its keys.
#[derive(Serialize)]
struct Verdict {
    held: bool,
    requests: u64,
    throttled: u64,
    sessions: Vec<Session>,
}

/// The requests of one process, and what the cap allows.
#[derive(Serialize)]
struct Session {
    session_no: i64,
    started_at: String,
    boot_id: String,
    cap: String,
    held: bool,
    most_in_any_window: u64,
    requests: u64,
    allowance: u64,
    throttled: u64,
    sending_s: f64,
    shortest_s: f64,
}

impl Session {
    fn new(s: SessionEvidence) -> Self {
        let Evidence { requests, most_in_any_window, sending_us, shortest_us, allowance } = s.evidence;
        #[allow(clippy::cast_precision_loss, reason = "microseconds of a session are far below 2^53")]
        let seconds = |us: i64| us as f64 / 1e6;
        Self {
            session_no: s.session_no,
            started_at: s.started_at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
            boot_id: s.boot_id,
            cap: s.rate.to_string(),
            held: most_in_any_window <= u64::from(s.rate.requests.get()),
            most_in_any_window,
            requests,
            allowance,
            throttled: s.throttled,
            sending_s: seconds(sending_us),
            shortest_s: seconds(shortest_us),
        }
    }

    fn line(&self) -> String {
        format!(
            "session {}, started {}, cap {}: at most {} requests in any window; {} sent in {:.1} s (the cap allows {} in \
             that time){}",
            self.session_no,
            self.started_at,
            self.cap,
            self.most_in_any_window,
            self.requests,
            self.sending_s,
            self.allowance,
            if self.held { "" } else { "  BROKEN" }
        )
    }
}

/// Recomputes the most requests that can have reached the provider in any window. It reads the
/// record only and shares no code with the limiter.
///
/// # Errors
///
/// Exit 2 when there is no store; exit 6 when it cannot be read.
pub fn verify_cap(args: &VerifyCapArgs) -> Result<Exit> {
    let reader = open_store(&args.store.path())?;
    let sessions: Vec<Session> = reader.evidence()?.into_iter().map(Session::new).collect();
    let verdict = Verdict {
        held: sessions.iter().all(|session| session.held),
        requests: sessions.iter().map(|session| session.requests).sum(),
        throttled: sessions.iter().map(|session| session.throttled).sum(),
        sessions,
    };
    answer(args.json, &verdict, || lines(&verdict))?;
    Ok(if verdict.held { Exit::Success } else { Exit::Discrepancies })
}

fn lines(verdict: &Verdict) -> Vec<String> {
    let broken = verdict.sessions.iter().filter(|session| !session.held).count() as u64;
    let cap = match broken {
        0 => "kept in every window".to_owned(),
        n => format!("BROKEN in {}", plural(n, "session")),
    };
    let mut lines: Vec<String> = verdict.sessions.iter().map(Session::line).collect();
    let sessions = plural(verdict.sessions.len() as u64, "session");
    lines.extend(table(&[
        ("cap", cap),
        ("requests", format!("{} in {sessions}", verdict.requests)),
        ("throttled", verdict.throttled.to_string()),
    ]));
    let mut boots: Vec<&str> = verdict.sessions.iter().map(|session| session.boot_id.as_str()).collect();
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
