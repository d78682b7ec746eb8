//! SIGINT, SIGTERM and SIGHUP: the first one stops the run in an orderly way, the second one ends
//! the process at once. SIGHUP stays ignored if it was ignored at the start, as under nohup.

use crate::error::{Error, Result};
use crate::stop::{Reason, Stop};

/// Returns a [`Stop`] that the first signal stops.
///
/// A second signal ends the process at once, with the exit code of a process that the signal
/// killed. Nothing in the store is lost. Needs an event loop that nothing blocks.
///
/// # Errors
///
/// Exit 2 when the system refuses the signal handlers.
pub fn install() -> Result<Stop> {
    let stop = Stop::default();
    let stopper = stop.clone();
    let mut signals = Signals::new()?;
    tokio::spawn(async move {
        stopper.stop(Reason::Signal(signals.next().await.name));
        let Signal { name, number } = signals.next().await;
        tracing::error!(
            exit_code = 128 + number,
            means = "No outputs were written; all answers are stored",
            to_do = "run the same command again to resume",
            "{name} again: ended at once"
        );
        #[allow(clippy::exit, reason = "requested twice; the store is consistent at every instant")]
        std::process::exit(128 + number);
    });
    Ok(stop)
}

/// A received signal.
#[derive(Debug, Clone, Copy)]
pub struct Signal {
    /// `SIGTERM`, `SIGINT`, `SIGHUP` or `Ctrl-C`.
    pub name: &'static str,
    /// The number of the signal.
    pub number: i32,
}

/// The signals that people and service managers send to stop a process.
pub struct Signals {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    /// `None` if the signal is ignored.
    #[cfg(unix)]
    hangup: Option<tokio::signal::unix::Signal>,
}

#[cfg(unix)]
impl Signals {
    /// Installs the signal handlers.
    ///
    /// # Errors
    ///
    /// Exit 2 when the system refuses them.
    pub fn new() -> Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let install =
            |kind| signal(kind).map_err(|e| Error::usage("signal handlers cannot be installed").because(e));
        Ok(Self {
            terminate: install(SignalKind::terminate())?,
            interrupt: install(SignalKind::interrupt())?,
            hangup: if is_ignored(SIGHUP) { None } else { Some(install(SignalKind::hangup())?) },
        })
    }

    /// Waits for the next signal.
    pub async fn next(&mut self) -> Signal {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.terminate.recv() => Signal { name: "SIGTERM", number: 15 },
            _ = self.interrupt.recv() => Signal { name: "SIGINT", number: 2 },
            _ = hangup => Signal { name: "SIGHUP", number: SIGHUP },
        }
    }
}

#[cfg(unix)]
const SIGHUP: i32 = 1;

/// True if the process was started with this signal ignored. False where the system does not say.
#[cfg(unix)]
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    ignored.is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}

#[cfg(not(unix))]
impl Signals {
    /// Installs the signal handlers.
    ///
    /// # Errors
    ///
    /// None on this system.
    pub fn new() -> Result<Self> {
        Ok(Self {})
    }

    /// Waits for the next signal.
    pub async fn next(&mut self) -> Signal {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        Signal { name: "Ctrl-C", number: 2 }
    }
}
