//! SIGINT and SIGTERM: the first stops the run in good order, the second ends it at once.

use crate::error::{Error, Result};
use crate::stop::{Reason, Stop};

/// From now on signals stop what is returned. A second one ends the process at once, which loses nothing that is
/// in the store, with the exit code of a process that the signal has killed.
///
/// # Errors
///
/// Exit 2 when the system does not let signals be heeded.
pub fn install() -> Result<Stop> {
    let stop = Stop::default();
    let stopper = stop.clone();
    let mut signals = Signals::new()?;
    tokio::spawn(async move {
        let (name, _) = signals.next().await;
        stopper.stop(Reason::Signal(name));
        let (name, number) = signals.next().await;
        tracing::error!(
            exit_code = 128 + number,
            means = "no outputs were written; all answers are stored",
            to_do = "run the same command again, which goes on",
            "{name} again: ended at once"
        );
        #[allow(clippy::exit, reason = "asked for twice; the store is whole at every instant")]
        std::process::exit(128 + number);
    });
    Ok(stop)
}

/// The signals by which people and service managers stop a process.
pub struct Signals {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    /// Heeds them from now on.
    ///
    /// # Errors
    ///
    /// Exit 2 when the system does not let them be heeded.
    pub fn new() -> Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let install = |kind| signal(kind).map_err(|e| Error::usage("signals cannot be heeded").because(e));
        Ok(Self {
            terminate: install(SignalKind::terminate())?,
            interrupt: install(SignalKind::interrupt())?,
        })
    }

    /// Waits for the next one: its name and number.
    pub async fn next(&mut self) -> (&'static str, i32) {
        tokio::select! {
            _ = self.terminate.recv() => ("SIGTERM", 15),
            _ = self.interrupt.recv() => ("SIGINT", 2),
        }
    }
}

#[cfg(not(unix))]
impl Signals {
    /// Heeds them from now on.
    ///
    /// # Errors
    ///
    /// None here.
    pub fn new() -> Result<Self> {
        Ok(Self {})
    }

    /// Waits for the next one: its name and number.
    pub async fn next(&mut self) -> (&'static str, i32) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        ("Ctrl-C", 2)
    }
}
