//! Holds the key in use, and renews a temporary one before it expires.
//!
//! Promises: at most one task fetches a key at a time. While the old key is valid, no other task
//! waits for the new one. An expired key is never used. Times are measured with the monotonic
//! clock. Fetching a key is not a request to the provider, so it is not under the cap.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::MutexGuard;
use tokio::time::Instant;

use super::files::ReadableFile;
use super::identity::Identity;
use super::issued::{IssuedKey, KeyError};
use super::lookup::FoundSource;
use super::service::ServiceClient;
use super::source::Source;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::locked::lock;
use crate::provider::key::Credentials;
use crate::stop::Reason;

/// A key is renewed this long before it expires, or after three quarters of its lifetime if that is
/// later. (The provider's tools: three minutes.)
const RENEW_BEFORE: Duration = Duration::from_secs(180);
/// The pause after a failed renewal while the old key is valid.
const RENEWAL_PAUSE: Duration = Duration::from_secs(10);
/// Attempts to fetch a key when there is no valid one.
const ATTEMPTS: u32 = 5;
/// The pause after the first of these attempts; it doubles after each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// If a key that replaced a refused one is itself refused within this time, no other key is tried.
const NO_SECOND_RENEWAL: Duration = Duration::from_secs(60);

/// The key in use.
#[derive(Debug, Clone)]
struct CurrentKey {
    key: Arc<Credentials>,
    /// The number of the key, counted from 1.
    number: u64,
    fetched_at: Instant,
    renew_at: Option<Instant>,
    expires_at: Option<Instant>,
    /// True if the provider refused the previous key as expired.
    after_refusal: bool,
}

impl CurrentKey {
    fn is_valid(&self) -> bool {
        !is_past(self.expires_at)
    }

    /// True if it is valid and not due for renewal.
    fn is_fresh(&self) -> bool {
        self.is_valid() && !is_past(self.renew_at)
    }
}

fn is_past(at: Option<Instant>) -> bool {
    at.is_some_and(|at| at <= Instant::now())
}

/// The key in use and the source of the next one.
#[derive(Debug)]
pub struct CredentialCache {
    source: Source,
    origin: String,
    warnings: Vec<ReadableFile>,
    services: ServiceClient,
    current: Mutex<Option<CurrentKey>>,
    /// Held by the task that fetches a key.
    fetching: tokio::sync::Mutex<()>,
}

impl CredentialCache {
    pub(super) fn new(found: FoundSource, services: ServiceClient) -> Self {
        let FoundSource { source, origin, warnings } = found;
        Self { source, origin, warnings, services, current: Mutex::default(), fetching: Default::default() }
    }

    /// A cache of one static key.
    #[must_use]
    pub fn of_static_key(key: Credentials, origin: &str) -> Self {
        Self::new(FoundSource::new(Source::Static(key), origin.to_owned()), ServiceClient::new(None))
    }

    /// Where the key comes from, for messages.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// A name for the account of a permanent key; `None` if the source issues temporary keys.
    #[must_use]
    pub(crate) fn account_name(&self) -> Option<String> {
        match &self.source {
            Source::Static(key) => key.account_name(),
            _ => None,
        }
    }

    /// Warnings for the operator, such as a credentials file that others can read.
    #[must_use]
    pub fn warnings(&self) -> &[ReadableFile] {
        &self.warnings
    }

    /// The key in use, unless it has expired.
    #[must_use]
    pub fn current(&self) -> Option<Arc<Credentials>> {
        self.current_key().filter(CurrentKey::is_valid).map(|current| current.key)
    }

    /// Waits for a valid key and returns its number.
    ///
    /// # Errors
    ///
    /// The reason why the run stops: the source refuses, or cannot be reached.
    pub async fn ready(&self) -> Result<u64, Reason> {
        self.valid_key().await.map_err(|error| self.reason(error))
    }

    /// Replaces key number `refused`, which the provider refused as expired. Returns false if no
    /// other key can help: the source has none, or the refused key was already a replacement.
    ///
    /// # Errors
    ///
    /// As [`CredentialCache::ready`].
    pub async fn renew(&self, refused: u64) -> Result<bool, Reason> {
        if !self.source.is_renewable() {
            return Ok(false);
        }
        let turn = self.fetching.lock().await;
        let Some(current) = self.current_key() else { return Ok(false) };
        if current.number != refused {
            return Ok(true);
        }
        if current.after_refusal && current.fetched_at.elapsed() < NO_SECOND_RENEWAL {
            return Ok(false);
        }
        self.fetch_with_retries(&turn, true).await.map(|_| true).map_err(|error| self.reason(error))
    }

    /// The owner of the key in use. Fetches a key if there is none.
    ///
    /// # Errors
    ///
    /// The source's refusal; exit 4 when the source cannot be reached.
    pub async fn identity(&self) -> Result<Identity> {
        self.valid_key().await.map_err(|error| match error {
            KeyError::Refused(error) => error,
            KeyError::Unavailable(why) => {
                Error::new(Exit::Incomplete, format!("no key could be obtained from {}: {why}", self.origin))
                    .hint("the cause may be temporary: try again")
            }
        })?;
        let current = self.current_key().ok_or_else(|| self.expired())?;
        Ok(Identity::new(&current.key, self.source.role()))
    }

    /// The number of a valid key; fetches one if it is due.
    async fn valid_key(&self) -> Result<u64, KeyError> {
        let current = self.current_key();
        if let Some(current) = current.as_ref().filter(|current| current.is_fresh()) {
            return Ok(current.number);
        }
        let Some(old) = current.filter(CurrentKey::is_valid) else {
            let turn = self.fetching.lock().await;
            // Another task may have fetched a key while this one waited.
            if let Some(current) = self.current_key().filter(CurrentKey::is_valid) {
                return Ok(current.number);
            }
            return self.fetch_with_retries(&turn, false).await;
        };
        // While the old key is valid, only the task that fetches the new one waits for it.
        if let Ok(turn) = self.fetching.try_lock() {
            // Another task may have fetched it in the meantime.
            if let Some(current) = self.current_key().filter(CurrentKey::is_fresh) {
                return Ok(current.number);
            }
            match self.fetch(&turn, false).await {
                Ok(number) => return Ok(number),
                Err(error) => self.postpone_renewal(&error),
            }
        }
        if old.is_valid() { Ok(old.number) } else { Box::pin(self.valid_key()).await }
    }

    /// Fetches a key when there is no valid one; retries while the source is unavailable.
    async fn fetch_with_retries(
        &self,
        turn: &MutexGuard<'_, ()>,
        after_refusal: bool,
    ) -> Result<u64, KeyError> {
        let mut pause = FIRST_PAUSE;
        for _ in 1..ATTEMPTS {
            match self.fetch(turn, after_refusal).await {
                Err(KeyError::Unavailable(why)) => tracing::warn!("no key yet: {why}; trying again"),
                result => return result,
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        self.fetch(turn, after_refusal).await
    }

    /// Fetches a key and returns its number. Only the holder of the turn may fetch.
    async fn fetch(&self, _turn: &MutexGuard<'_, ()>, after_refusal: bool) -> Result<u64, KeyError> {
        // Taken before the request: the key must not seem valid for longer than it is.
        let fetched_at = Instant::now();
        let IssuedKey { key, lifetime } = self.source.issue(&self.services).await?;
        let after = |time: Duration| fetched_at.checked_add(time);
        let expires_at = lifetime.and_then(after);
        if is_past(expires_at) {
            if self.source.is_renewable() {
                return Err(KeyError::Unavailable("the issued key has already expired".into()));
            }
            return Err(KeyError::Refused(self.expired()));
        }
        let renew_at = lifetime
            .filter(|_| self.source.is_renewable())
            .and_then(|lifetime| after(lifetime - RENEW_BEFORE.min(lifetime / 4)));
        let number = self.current_key().map_or(1, |current| current.number + 1);
        tracing::debug!(key = key.last_four(), no = number, "a key was fetched");
        let key = Arc::new(key);
        let current = CurrentKey { key, number, fetched_at, renew_at, expires_at, after_refusal };
        *lock(&self.current) = Some(current);
        Ok(number)
    }

    fn postpone_renewal(&self, error: &KeyError) {
        let why = match error {
            KeyError::Unavailable(why) => why,
            KeyError::Refused(error) => &error.what,
        };
        tracing::debug!(why, "no new key yet; the old one is still valid");
        if let Some(current) = lock(&self.current).as_mut() {
            current.renew_at = Instant::now().checked_add(RENEWAL_PAUSE);
        }
    }

    /// The reason why a run stops after this error.
    fn reason(&self, error: KeyError) -> Reason {
        match error {
            // A wrong setup is exit 2 only if nothing was sent.
            KeyError::Refused(error) if self.current_key().is_some() => {
                Reason::Failed(Arc::new(Error { exit: Exit::Fatal, ..error }))
            }
            KeyError::Refused(error) => Reason::Failed(Arc::new(error)),
            KeyError::Unavailable(why) => Reason::NoKey(why),
        }
    }

    fn expired(&self) -> Error {
        Error::new(Exit::Fatal, format!("the security token from {} has expired", self.origin))
            .hint("get a fresh one, then run the same command again: it resumes from here")
    }

    fn current_key(&self) -> Option<CurrentKey> {
        lock(&self.current).clone()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use chrono::{TimeDelta, Utc};

    use super::*;

    #[test]
    fn a_cache_never_prints_a_secret() {
        let key = Credentials::new("LTAIid".into(), "hunter2".into(), Some("hunter2".into()));
        let printed = format!("{:?}", CredentialCache::of_static_key(key, "a test"));
        assert!(printed.contains("a test") && !printed.contains("hunter2"), "{printed}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_static_token_is_used_until_it_expires() {
        let key = Credentials::new("id".into(), "s".into(), Some("t".into()));
        let key = key.expiring_at(Some(Utc::now() + TimeDelta::hours(1)));
        let cache = CredentialCache::of_static_key(key, "a test");
        let number = cache.ready().await.unwrap();
        assert_eq!(number, 1);
        tokio::time::advance(Duration::from_secs(3500)).await;
        assert_eq!(cache.ready().await.unwrap(), 1);
        assert!(cache.current().is_some() && !cache.renew(number).await.unwrap());
        tokio::time::advance(Duration::from_secs(101)).await;
        assert!(cache.current().is_none(), "no request may be signed with it any longer");
    }
}
