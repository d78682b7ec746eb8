//! Standing by while another run holds a store or a ledger.

use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::stop::Stop;

/// Time between two tries.
const TRY_EVERY: Duration = Duration::from_secs(1);
/// The longest time after which a stopped run notices it.
const NOTICE_STOP_WITHIN: Duration = Duration::from_millis(100);

/// A run that stands by until what it needs is free. Without it, a run ends at once.
#[derive(Debug, Clone, Copy)]
pub struct Wait {
    /// The longest time to stand by; `None` means without a limit.
    pub limit: Option<Duration>,
}

/// Tries until it succeeds, or fails otherwise than because another run is in the way. Blocks the
/// thread. Without `wait` it tries once. A signal stops it; a deadline does not, but stops the run
/// after the waiting.
///
/// # Errors
///
/// Exit 5 if another run is still in the way at the limit; exit 4 if the run is stopped meanwhile;
/// else the error of `attempt`.
pub(super) fn stand_by<T>(
    wait: Option<Wait>,
    stop: &Stop,
    mut attempt: impl FnMut() -> Result<T>,
) -> Result<T> {
    let began = Instant::now();
    let mut has_told = false;
    loop {
        let busy = match attempt() {
            Err(error) if error.exit == Exit::Busy => error,
            done => return done,
        };
        let Some(wait) = wait else { return Err(busy) };
        let left = wait.limit.map_or(Duration::MAX, |limit| limit.saturating_sub(began.elapsed()));
        if left.is_zero() {
            return Err(wait.over(busy));
        }
        if !std::mem::replace(&mut has_told, true) {
            wait.tell(&busy);
        }
        pause(TRY_EVERY.min(left), stop)?;
    }
}

impl Wait {
    /// Says that the run stands by, and for whom.
    pub(super) fn tell(&self, busy: &Error) {
        tracing::info!("note: {}; this run stands by {}", busy.what, self.length());
    }

    /// The error at the limit.
    pub(super) fn over(&self, busy: Error) -> Error {
        let stood_by = humantime::format_duration(self.limit.unwrap_or_default());
        Error { what: format!("{}; this run stood by for {stood_by}", busy.what), ..busy }
    }

    /// How long it stands by, in words.
    fn length(&self) -> String {
        self.limit.map_or_else(
            || "until it ends".to_owned(),
            |limit| format!("for at most {}", humantime::format_duration(limit)),
        )
    }
}

/// Blocks the thread for this long, while another run is in the way.
///
/// # Errors
///
/// Exit 4 if the run is stopped meanwhile.
pub(super) fn pause(duration: Duration, stop: &Stop) -> Result<()> {
    let until = Instant::now() + duration;
    loop {
        if let Some(reason) = stop.reason() {
            let what = format!("{reason} while another run was in the way; the old outputs stay");
            return Err(Error::new(Exit::Incomplete, what).hint("run the same command again"));
        }
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        std::thread::sleep(left.min(NOTICE_STOP_WITHIN));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::stop::Reason;

    fn busy() -> Error {
        Error::new(Exit::Busy, "another run holds the store")
    }

    #[test]
    fn without_waiting_a_busy_store_is_tried_once() {
        let mut tries = 0;
        let refused = stand_by::<()>(None, &Stop::default(), || {
            tries += 1;
            Err(busy())
        });
        assert_eq!((refused.unwrap_err().exit, tries), (Exit::Busy, 1));
    }

    #[test]
    fn a_run_that_stands_by_goes_on_when_it_is_free() {
        let (wait, stop) = (Some(Wait { limit: None }), Stop::default());
        let mut tries = 0;
        let got = stand_by(wait, &stop, || {
            tries += 1;
            if tries < 2 { Err(busy()) } else { Ok(tries) }
        });
        assert_eq!(got.unwrap(), 2);
        let other = stand_by::<()>(wait, &stop, || Err(Error::usage("no store")));
        assert_eq!(other.unwrap_err().exit, Exit::Usage);
    }

    #[test]
    fn a_limit_and_a_signal_end_the_waiting() {
        let (wait, stop) = (Some(Wait { limit: Some(Duration::ZERO) }), Stop::default());
        assert_eq!(stand_by::<()>(wait, &stop, || Err(busy())).unwrap_err().exit, Exit::Busy);
        stop.stop(Reason::Signal("SIGTERM"));
        let stopped = stand_by::<()>(Some(Wait { limit: None }), &stop, || Err(busy())).unwrap_err();
        assert_eq!(stopped.exit, Exit::Incomplete);
        assert!(stopped.what.starts_with("stopped by SIGTERM"), "{}", stopped.what);
    }
}
