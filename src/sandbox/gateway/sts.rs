//! STS of the simulated provider: `AssumeRole` issues a temporary key.
//!
//! The gateway accepts that key with its token until it expires. The sandbox has no list of roles,
//! so any role may be assumed. Requests with a temporary key count toward the cap of the account
//! that requested it, as at the provider. The request for the key itself does not count: STS is
//! another service. Memory is bounded. The clock is an argument.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::json;

use super::accounts::Account;
use crate::locked::lock;
use crate::sandbox::envelope::new_request_id;
use crate::sandbox::refusal::Refusal;
use crate::sandbox::request::Params;

/// The most temporary keys that are remembered. The first to expire is forgotten first.
const CAPACITY: usize = 1_000;
/// How long a temporary key may last, in seconds. The provider sets these limits for a role.
const DURATIONS_S: std::ops::RangeInclusive<i64> = 900..=43_200;

/// The issued keys.
#[derive(Default)]
pub(super) struct Sts {
    issued: Mutex<HashMap<String, Arc<Account>>>,
}

impl Sts {
    /// The account of an issued key, expired or not.
    pub(super) fn account(&self, key: &str) -> Option<Arc<Account>> {
        lock(&self.issued).get(key).cloned()
    }

    /// Whether an issued key has this token.
    pub(super) fn has_token(&self, token: &str) -> bool {
        lock(&self.issued).values().any(|account| account.has_token(token))
    }

    /// Issues a key for a verified request. Returns the reply, in JSON.
    ///
    /// # Errors
    ///
    /// A parameter is missing or wrong.
    pub(super) fn assume_role(
        &self,
        account: &Account,
        params: &Params,
        provider_time: DateTime<Utc>,
    ) -> Result<String, Refusal> {
        let arn = params.need("RoleArn")?;
        let session = params.need("RoleSessionName")?;
        if !is_role(arn) {
            return Err(invalid("RoleArn"));
        }
        let duration_s = params.get("DurationSeconds").unwrap_or("3600").parse().ok();
        let duration_s = duration_s.filter(|s| DURATIONS_S.contains(s));
        let duration_s = duration_s.ok_or_else(|| invalid("DurationSeconds"))?;
        let random = || uuid::Uuid::new_v4().simple().to_string();
        let (key, secret, token) = (format!("STS.{}", random()), random(), random() + &random());
        let expires = provider_time + TimeDelta::seconds(duration_s);
        let assumed = format!("{}/{session}", arn.replace(":role/", ":assumed-role/"));
        let reply = json!({
            "RequestId": new_request_id(),
            "AssumedRoleUser": {"Arn": assumed, "AssumedRoleId": session},
            "Credentials": {
                "AccessKeyId": key, "AccessKeySecret": secret, "SecurityToken": token,
                "Expiration": expires.to_rfc3339_opts(SecondsFormat::Secs, true)
            }
        });
        let issued = Account {
            owner: account.owner.clone(),
            token: Some(token.into()),
            expires: Some(expires),
            cap: account.cap,
            denied: account.denied,
            ..Account::new(&key, &secret)
        };
        self.remember(issued, provider_time);
        Ok(reply.to_string())
    }

    fn remember(&self, new: Account, provider_time: DateTime<Utc>) {
        let mut issued = lock(&self.issued);
        // An expired key is remembered for an hour, so that it is refused as expired, not as
        // unknown.
        let remembered_until = |known: &Account| known.expires.map(|end| end + TimeDelta::hours(1));
        issued.retain(|_, known| remembered_until(known).is_some_and(|end| end > provider_time));
        if issued.len() >= CAPACITY
            && let Some((first, _)) = issued.iter().min_by_key(|(_, known)| known.expires)
        {
            let first = first.clone();
            issued.remove(&first);
        }
        issued.insert(new.id.clone(), Arc::new(new));
    }
}

/// Whether the text has the form `acs:ram::ACCOUNT:role/NAME`.
fn is_role(arn: &str) -> bool {
    let parts = arn.strip_prefix("acs:ram::").and_then(|rest| rest.split_once(":role/"));
    parts.is_some_and(|(account, name)| !name.is_empty() && account.bytes().all(|b| b.is_ascii_digit()))
}

fn invalid(parameter: &str) -> Refusal {
    let message = format!("The parameter {parameter} is wrongly formed.");
    Refusal::new(400, format!("InvalidParameter.{parameter}"), message)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use secrecy::ExposeSecret as _;

    use super::*;

    fn account() -> Account {
        Account::new("owner", "secret")
    }

    fn params(pairs: &[(&str, &str)]) -> Params {
        Params::read(&crate::provider::sign::encode_pairs(pairs), "").unwrap()
    }

    fn assumed(sts: &Sts, utc: DateTime<Utc>) -> (String, String) {
        let params =
            params(&[("RoleArn", "acs:ram::1:role/x"), ("RoleSessionName", "s"), ("DurationSeconds", "900")]);
        let answer: serde_json::Value =
            serde_json::from_str(&sts.assume_role(&account(), &params, utc).unwrap()).unwrap();
        let text = |name: &str| answer["Credentials"][name].as_str().unwrap().to_owned();
        (text("AccessKeyId"), text("SecurityToken"))
    }

    #[test]
    fn an_issued_key_has_a_token_an_expiry_and_an_owner() {
        let (sts, now) = (Sts::default(), Utc::now());
        let (key, token) = assumed(&sts, now);
        let issued = sts.account(&key).unwrap();
        assert_eq!(issued.expires, Some(now + TimeDelta::seconds(900)));
        assert_eq!((issued.id.as_str(), issued.owner.as_str()), (key.as_str(), "owner"));
        assert_eq!(issued.token.as_ref().unwrap().expose_secret(), token);
        assert!(sts.has_token(&token) && !sts.has_token("another") && sts.account("STS.x").is_none());
    }

    #[test]
    fn a_wrong_parameter_is_named() {
        for (name, value) in [("RoleArn", "x"), ("RoleArn", "acs:ram::x:role/y"), ("DurationSeconds", "899")]
        {
            let mut pairs = vec![("RoleArn", "acs:ram::1:role/x"), ("RoleSessionName", "s")];
            pairs.retain(|(known, _)| *known != name);
            pairs.push((name, value));
            let refusal = Sts::default().assume_role(&account(), &params(&pairs), Utc::now()).unwrap_err();
            assert_eq!(refusal.code, format!("InvalidParameter.{name}"));
        }
    }

    #[test]
    fn the_first_key_to_expire_is_forgotten_first() {
        let (sts, now) = (Sts::default(), Utc::now());
        let (first, _) = assumed(&sts, now);
        (0..CAPACITY)
            .for_each(|i| drop(assumed(&sts, now + TimeDelta::milliseconds(i64::try_from(i).unwrap() + 1))));
        let issued = sts.issued.lock().unwrap();
        assert!(issued.len() == CAPACITY && !issued.contains_key(&first));
    }
}
