//! SIGINT and SIGTERM: the first one stops the run in an orderly way, the second one ends the
//! process at once.

use crate::error::{Error, Result};
use crate::stop::{Reason, Stop};

/// Returns a [`Stop`] that the first signal stops.
///
/// A second signal ends the process at once, with the exit code of a process that the signal
/// killed. Nothing in the store is lost.
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

/// Keeps the process alive when a file reaches the limit of file sizes (`ulimit -f`): the write
/// then fails with an error that says so. By default the system would end the process without a
/// word.
///
/// # Errors
///
/// Exit 2 when the system refuses the signal handler.
#[cfg(unix)]
pub fn survive_file_size_limit() -> Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    // Tokio keeps the handler after its receiver is dropped.
    let kind = SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw());
    signal(kind).map(drop).map_err(|e| Error::usage("signal handlers cannot be installed").because(e))
}

/// This system sends no signal for it.
///
/// # Errors
///
/// None on this system.
#[cfg(not(unix))]
pub fn survive_file_size_limit() -> Result<()> {
    Ok(())
}

/// A received signal.
#[derive(Debug, Clone, Copy)]
pub struct Signal {
    /// `SIGTERM`, `SIGINT` or `Ctrl-C`.
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
        })
    }

    /// Waits for the next signal.
    pub async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.terminate.recv() => Signal { name: "SIGTERM", number: 15 },
            _ = self.interrupt.recv() => Signal { name: "SIGINT", number: 2 },
        }
    }
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
