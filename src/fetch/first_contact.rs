//! The first connection of a run under several accounts: some of them try, and the others wait for
//! it, because all ask the same provider.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// Whether an account of the run has made a connection. Each account has a part of it.
#[derive(Debug, Clone, Default)]
pub struct FirstContact {
    made: watch::Sender<bool>,
    /// `None` if the account does not wait for others.
    waits_until: Option<Instant>,
}

impl FirstContact {
    /// The part of an account that waits for others, at most this long: each of them may be stopped
    /// for its own reason.
    #[must_use]
    pub fn of_waiting_account(&self, at_most: Duration) -> Self {
        Self { waits_until: Some(Instant::now() + at_most), ..self.clone() }
    }

    /// Waits until this account may send its first request.
    pub(super) async fn wait(&self) {
        let Some(waits_until) = self.waits_until else { return };
        let mut made = self.made.subscribe();
        tokio::select! {
            _ = made.wait_for(|made| *made) => {}
            () = sleep_until(waits_until) => {}
        }
    }

    /// Notes that a connection was made.
    pub(super) fn note_made(&self) {
        self.made.send_if_modified(|made| !std::mem::replace(made, true));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn others_wait_for_the_first_connection_but_not_forever() {
        let first = FirstContact::default();
        let other = first.of_waiting_account(Duration::from_secs(90));
        let begun = Instant::now();
        first.wait().await;
        assert_eq!(begun.elapsed(), Duration::ZERO);
        other.wait().await;
        assert_eq!(begun.elapsed().as_secs(), 90);
        let other = first.of_waiting_account(Duration::from_secs(90));
        let waits = tokio::spawn(async move { other.wait().await });
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(!waits.is_finished());
        first.note_made();
        assert!(waits.await.is_ok() && begun.elapsed().as_secs() == 91);
    }
}
