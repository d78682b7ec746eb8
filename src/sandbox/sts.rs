//! STS of the simulated provider: `AssumeRole` gives a temporary key, which the gateway then accepts with its token
//! until it expires.
//!
//! Any role may be assumed: the sandbox knows none. A key counts as its account's under flow control, as the provider
//! counts, and asking for one does not count at all: STS is another service. Memory is bounded. The clock comes in as
//! an argument.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;

use super::accounts::Account;
use super::gateway::{Params, Refusal};
use super::simulated::request_id;

/// How many keys are remembered; those that expire first go first.
const KEYS: usize = 1_000;
/// Seconds, as the provider allows for a role.
const DURATIONS_S: std::ops::RangeInclusive<i64> = 900..=43_200;

/// Its only operation, and the version of its interface.
pub(super) const ACTION: &str = "AssumeRole";
pub(super) const VERSION: &str = "2015-04-01";

/// The keys that were given.
#[derive(Default)]
pub(super) struct Sts {
    issued: Mutex<HashMap<String, Arc<Account>>>,
}

impl Sts {
    /// The account of a key that was given, whether its time is over or not.
    pub(super) fn account(&self, key: &str) -> Option<Arc<Account>> {
        self.issued().get(key).cloned()
    }

    /// Whether some key was given with this token.
    pub(super) fn has(&self, token: &str) -> bool {
        let is = |known: &SecretString| known.expose_secret() == token;
        self.issued().values().any(|account| account.token.as_ref().is_some_and(is))
    }

    fn issued(&self) -> MutexGuard<'_, HashMap<String, Arc<Account>>> {
        // A poisoned lock only means that another request panicked; the table is whole at every moment.
        self.issued.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a request that the gateway has let pass is answered with, as JSON.
    ///
    /// # Errors
    ///
    /// A parameter is missing or wrong.
    pub(super) fn assume(
        &self,
        account: &Account,
        params: &Params,
        utc: DateTime<Utc>,
    ) -> Result<String, Refusal> {
        let wrong = |name: &str| {
            Refusal::new(
                400,
                format!("InvalidParameter.{name}"),
                format!("The parameter {name} is wrongly formed."),
            )
        };
        let (arn, session) = (params.need("RoleArn")?, params.need("RoleSessionName")?);
        let role = arn.strip_prefix("acs:ram::").and_then(|rest| rest.split_once(":role/"));
        if role.is_none_or(|(account, name)| name.is_empty() || !account.bytes().all(|b| b.is_ascii_digit()))
        {
            return Err(wrong("RoleArn"));
        }
        let duration_s = params.get("DurationSeconds").unwrap_or("3600").parse().ok();
        let duration_s =
            duration_s.filter(|s| DURATIONS_S.contains(s)).ok_or_else(|| wrong("DurationSeconds"))?;
        let random = || uuid::Uuid::new_v4().simple().to_string();
        let (key, secret, token) = (format!("STS.{}", random()), random(), random() + &random());
        let ends = utc + TimeDelta::seconds(duration_s);
        let assumed = format!("{}/{session}", arn.replace(":role/", ":assumed-role/"));
        let answer = json!({
            "RequestId": request_id(),
            "AssumedRoleUser": {"Arn": assumed, "AssumedRoleId": session},
            "Credentials": {
                "AccessKeyId": key, "AccessKeySecret": secret, "SecurityToken": token,
                "Expiration": ends.to_rfc3339_opts(SecondsFormat::Secs, true)
            }
        });
        let (token, expires, owner) = (Some(token.into()), Some(ends), account.owner.clone());
        let denied = account.denied;
        let issued = Account { owner, token, expires, denied, ..Account::new(&key, &secret) };
        self.remember(issued, utc);
        Ok(answer.to_string())
    }

    fn remember(&self, new: Account, utc: DateTime<Utc>) {
        let mut issued = self.issued();
        // An expired key is known for another hour, so that it is refused as that.
        issued.retain(|_, known| known.expires.is_some_and(|ends| ends + TimeDelta::hours(1) > utc));
        if issued.len() >= KEYS
            && let Some(first) =
                issued.iter().min_by_key(|(_, known)| known.expires).map(|(key, _)| key.clone())
        {
            issued.remove(&first);
        }
        issued.insert(new.id.clone(), Arc::new(new));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn account() -> Account {
        Account::new("owner", "secret")
    }

    fn params(pairs: &[(&str, &str)]) -> Params {
        Params::read(&crate::provider::sign::encode_pairs(pairs), "").unwrap()
    }

    fn assumed(sts: &Sts, utc: DateTime<Utc>) -> (String, String) {
        let asked =
            params(&[("RoleArn", "acs:ram::1:role/x"), ("RoleSessionName", "s"), ("DurationSeconds", "900")]);
        let answer: serde_json::Value =
            serde_json::from_str(&sts.assume(&account(), &asked, utc).unwrap()).unwrap();
        let text = |name: &str| answer["Credentials"][name].as_str().unwrap().to_owned();
        (text("AccessKeyId"), text("SecurityToken"))
    }

    #[test]
    fn a_key_is_given_with_its_token_its_end_and_its_owner() {
        let (sts, now) = (Sts::default(), Utc::now());
        let (key, token) = assumed(&sts, now);
        let given = sts.account(&key).unwrap();
        assert_eq!(given.expires, Some(now + TimeDelta::seconds(900)));
        assert_eq!((given.id.as_str(), given.owner.as_str()), (key.as_str(), "owner"));
        assert_eq!(given.token.as_ref().unwrap().expose_secret(), token);
        assert!(sts.has(&token) && !sts.has("another") && sts.account("STS.x").is_none());
    }

    #[test]
    fn what_is_asked_wrongly_is_refused_by_name() {
        for (name, value) in [("RoleArn", "x"), ("RoleArn", "acs:ram::x:role/y"), ("DurationSeconds", "899")]
        {
            let mut asked = vec![("RoleArn", "acs:ram::1:role/x"), ("RoleSessionName", "s")];
            asked.retain(|(known, _)| *known != name);
            asked.push((name, value));
            let refusal = Sts::default().assume(&account(), &params(&asked), Utc::now()).unwrap_err();
            assert_eq!(refusal.code, format!("InvalidParameter.{name}"));
        }
    }

    #[test]
    fn no_more_than_so_many_keys_are_remembered() {
        let (sts, now) = (Sts::default(), Utc::now());
        let (first, _) = assumed(&sts, now);
        (0..KEYS)
            .for_each(|i| drop(assumed(&sts, now + TimeDelta::milliseconds(i64::try_from(i).unwrap() + 1))));
        let issued = sts.issued.lock().unwrap();
        assert!(issued.len() == KEYS && !issued.contains_key(&first));
    }
}
