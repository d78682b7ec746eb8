//! Holds the key in use, and fetches a temporary one anew before it expires.
//!
//! Promises: no more than one fetch at a time, whoever waits; while the old key lives, nobody waits for the new one;
//! a key whose time is over is never given out. Time runs by the monotonic clock. Fetching is no request to the
//! provider, so it takes no place under the cap.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::Instant;

use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::provider::credentials::Credentials;
use crate::provider::credentials::source::{Failure, Found, Given, Source};
use crate::provider::credentials::web::Web;
use crate::stop::Reason;

/// A key is fetched anew so long before it expires, or a quarter of its lifetime before, if that is shorter. (The
/// provider's tools: three minutes.)
const AHEAD: Duration = Duration::from_secs(180);
/// While the old key lives, a failed fetch is tried again after this.
const AGAIN: Duration = Duration::from_secs(10);
/// How often a key is asked for when there is none left to go on with.
const TRIES: u32 = 5;
/// The pause after the first of them; doubled after each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// A key that was fetched because the one before was refused, and is refused within this time, will not get better.
const NO_BETTER: Duration = Duration::from_secs(60);

/// The key in use.
#[derive(Debug, Clone)]
struct Held {
    key: Arc<Credentials>,
    /// Counts the keys.
    no: u64,
    fetched: Instant,
    renew_at: Option<Instant>,
    ends_at: Option<Instant>,
    /// The one before was refused as expired.
    after_refusal: bool,
}

impl Held {
    fn is_past(at: Option<Instant>) -> bool {
        at.is_some_and(|at| at <= Instant::now())
    }

    fn usable(&self) -> bool {
        !Self::is_past(self.ends_at)
    }

    fn fresh(&self) -> bool {
        self.usable() && !Self::is_past(self.renew_at)
    }
}

/// Whose key it is, as far as that is known without asking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Its last four characters.
    pub key: String,
    /// It has a security token.
    pub temporary: bool,
    /// Of its role.
    pub account: Option<String>,
    /// Of its role.
    pub role: Option<String>,
    /// By the clock of whoever gave it; `None` where nobody says, or never.
    pub expires_at: Option<DateTime<Utc>>,
}

/// The key in use, and where the next one comes from.
#[derive(Debug)]
pub struct CredentialCache {
    source: Source,
    origin: String,
    warnings: Vec<String>,
    web: Web,
    held: RwLock<Option<Held>>,
    /// Whoever fetches has it.
    turn: Mutex<()>,
}

impl CredentialCache {
    pub(super) fn new(found: Found, web: Web) -> Self {
        let Found { source, origin, warnings } = found;
        Self { source, origin, warnings, web, held: RwLock::default(), turn: Mutex::default() }
    }

    /// Of a key that is there and stays as it is.
    #[must_use]
    pub fn fixed(key: Credentials, origin: &str) -> Self {
        Self::new(Found::new(Source::Fixed(key), origin.to_owned()), Web::new(None))
    }

    /// Where the key comes from, for people.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// What is to be said of it: a file that others can read.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The key in use, unless its time is over.
    #[must_use]
    pub fn current(&self) -> Option<Arc<Credentials>> {
        self.held().filter(Held::usable).map(|held| held.key)
    }

    /// Waits until there is a key that has not expired; returns its number.
    ///
    /// # Errors
    ///
    /// What the run stops for: the source refuses, or cannot be reached.
    pub async fn ready(&self) -> Result<u64, Reason> {
        self.number().await.map_err(|failure| self.reason(failure))
    }

    /// Fetches a key in place of number `refused`, which the provider finds expired. False when that is of no use:
    /// the source gives no other, or the refused one was fetched just for this.
    ///
    /// # Errors
    ///
    /// As [`CredentialCache::ready`].
    pub async fn renew(&self, refused: u64) -> Result<bool, Reason> {
        if !self.source.renews() {
            return Ok(false);
        }
        let turn = self.turn.lock().await;
        let Some(held) = self.held() else { return Ok(false) };
        if held.no != refused {
            return Ok(true);
        }
        if held.after_refusal && held.fetched.elapsed() < NO_BETTER {
            return Ok(false);
        }
        self.fetch_with_patience(&turn, true).await.map(|_| true).map_err(|failure| self.reason(failure))
    }

    /// Whose key it is; fetches it where need be.
    ///
    /// # Errors
    ///
    /// As its source refuses it; exit 4 when it cannot be reached.
    pub async fn identity(&self) -> Result<Identity> {
        self.number().await.map_err(|failure| match failure {
            Failure::Refused(error) => error,
            Failure::Away(why) => {
                Error::new(Exit::Incomplete, format!("no key can be had from {}: {why}", self.origin))
                    .hint("it may go away by itself: try again")
            }
        })?;
        // Just fetched: if its time is over already, there is nothing to show of it.
        let Some(held) = self.held() else { return Err(self.expired()) };
        let (account, role) = self.source.role().map(account_and_role).unwrap_or_default();
        let key = held.key;
        let (temporary, expires_at) = (key.token().is_some(), key.expires_at);
        Ok(Identity { key: key.tail(), temporary, account, role, expires_at })
    }

    async fn number(&self) -> Result<u64, Failure> {
        let held = self.held();
        if let Some(held) = held.as_ref().filter(|held| held.fresh()) {
            return Ok(held.no);
        }
        let Some(old) = held.filter(Held::usable) else {
            let turn = self.turn.lock().await;
            // Somebody may have fetched one while this one waited.
            if let Some(held) = self.held().filter(Held::usable) {
                return Ok(held.no);
            }
            return self.fetch_with_patience(&turn, false).await;
        };
        // Nobody waits for the new key while the old one lives, but for the one who fetches it.
        if let Ok(turn) = self.turn.try_lock() {
            // Nor is it fetched twice, where another has been quicker.
            if let Some(held) = self.held().filter(Held::fresh) {
                return Ok(held.no);
            }
            match self.fetch(&turn, false).await {
                Ok(no) => return Ok(no),
                Err(failure) => self.put_off(&failure),
            }
        }
        if old.usable() { Ok(old.no) } else { Box::pin(self.number()).await }
    }

    /// Fetches when there is nothing left to go on with: what may go away is waited for.
    async fn fetch_with_patience(
        &self,
        turn: &MutexGuard<'_, ()>,
        after_refusal: bool,
    ) -> Result<u64, Failure> {
        let mut pause = FIRST_PAUSE;
        for _ in 1..TRIES {
            match self.fetch(turn, after_refusal).await {
                Err(Failure::Away(why)) => tracing::debug!(why, "no key yet"),
                ended => return ended,
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        self.fetch(turn, after_refusal).await
    }

    /// Only whoever has the turn fetches.
    async fn fetch(&self, _turn: &MutexGuard<'_, ()>, after_refusal: bool) -> Result<u64, Failure> {
        // Counted from before the request: the key is no younger than that.
        let fetched = Instant::now();
        let Given { key, lifetime } = self.source.give(&self.web).await?;
        let at = |after: Duration| fetched.checked_add(after);
        let ends_at = lifetime.and_then(at);
        if Held::is_past(ends_at) {
            if self.source.renews() {
                return Err(Failure::Away("the key that was given has expired already".into()));
            }
            return Err(Failure::Refused(self.expired()));
        }
        let renew_at =
            lifetime.filter(|_| self.source.renews()).and_then(|left| at(left - AHEAD.min(left / 4)));
        let no = self.held().map_or(1, |held| held.no + 1);
        let held = Held { key: Arc::new(key), no, fetched, renew_at, ends_at, after_refusal };
        tracing::debug!(key = held.key.tail(), no, "a key is fetched");
        *self.held.write().unwrap_or_else(PoisonError::into_inner) = Some(held);
        Ok(no)
    }

    fn put_off(&self, failure: &Failure) {
        let why = match failure {
            Failure::Away(why) => why,
            Failure::Refused(error) => &error.what,
        };
        tracing::debug!(why, "no new key yet; the old one still lives");
        if let Some(held) = self.held.write().unwrap_or_else(PoisonError::into_inner).as_mut() {
            held.renew_at = Instant::now().checked_add(AGAIN);
        }
    }

    /// What a run stops for.
    fn reason(&self, failure: Failure) -> Reason {
        match failure {
            // What is wrong with the setup is wrong usage only as long as nothing was sent.
            Failure::Refused(error) if self.held().is_some() => {
                Reason::Failed(Arc::new(Error { exit: Exit::Fatal, ..error }))
            }
            Failure::Refused(error) => Reason::Failed(Arc::new(error)),
            Failure::Away(why) => Reason::NoKey(why),
        }
    }

    fn expired(&self) -> Error {
        Error::new(Exit::Fatal, format!("the security token from {} has expired", self.origin))
            .hint("get a fresh one, then run the same command again: it goes on from here")
    }

    fn held(&self) -> Option<Held> {
        self.held.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// `acs:ram::1234567890123456:role/name` has both; a role's name alone has no account.
fn account_and_role(role: &str) -> (Option<String>, Option<String>) {
    let parts: Vec<&str> = role.split(':').collect();
    let text = |part: &str| Some(part.to_owned()).filter(|part| !part.is_empty());
    match parts.as_slice() {
        ["acs", "ram", _, account, name] => (text(account), text(name.strip_prefix("role/").unwrap_or(name))),
        _ => (None, text(role)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_arn_tells_account_and_role() {
        let told = |role: &str| {
            let (account, role) = account_and_role(role);
            (account.unwrap_or_default(), role.unwrap_or_default())
        };
        assert_eq!(
            told("acs:ram::1234567890123456:role/night/voice"),
            ("1234567890123456".into(), "night/voice".into())
        );
        assert_eq!(told("EcsVoice"), (String::new(), "EcsVoice".into()));
    }

    #[test]
    fn a_keeper_cannot_be_made_to_print_a_secret() {
        let key = Credentials::new("LTAIid".into(), "hunter2".into(), Some("hunter2".into()));
        let shown = format!("{:?}", CredentialCache::fixed(key, "a test"));
        assert!(shown.contains("a test") && !shown.contains("hunter2"), "{shown}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_static_token_is_given_out_until_its_time_is_over() {
        let key = Credentials::new("id".into(), "s".into(), Some("t".into()));
        let keeper =
            CredentialCache::fixed(key.until(Some(Utc::now() + chrono::TimeDelta::hours(1))), "a test");
        let no = keeper.ready().await.unwrap();
        assert_eq!(no, 1);
        tokio::time::advance(Duration::from_secs(3500)).await;
        assert_eq!(keeper.ready().await.unwrap(), 1);
        assert!(keeper.current().is_some() && !keeper.renew(no).await.unwrap());
        tokio::time::advance(Duration::from_secs(101)).await;
        assert!(keeper.current().is_none(), "no request is signed with it any longer");
    }
}
