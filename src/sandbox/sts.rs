//! STS of the simulated provider: `AssumeRole` gives a temporary key, which the gateway then accepts with its token
//! until it expires.
//!
//! Any role may be assumed: the sandbox knows none. A key counts as its account's under flow control, as the provider
//! counts, and asking for one does not count at all: STS is another service. Memory is bounded. The clock comes in as
//! an argument.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;

use super::gateway::{Params, Refusal};

/// How many keys are remembered; those that expire first go first.
const KEYS: usize = 1_000;
/// Seconds, as the provider allows for a role.
const DURATIONS_S: std::ops::RangeInclusive<i64> = 900..=43_200;

/// Whose request it is.
pub(super) struct Account {
    /// The access key id to which its requests are counted.
    pub(super) owner: String,
    pub(super) secret: SecretString,
}

struct Issued {
    owner: String,
    secret: SecretString,
    token: SecretString,
    ends: DateTime<Utc>,
}

/// The keys that were given.
#[derive(Default)]
pub(super) struct Sts {
    issued: Mutex<HashMap<String, Issued>>,
}

/// Whether STS is asked, not the voice service.
pub(super) fn is_asked(params: &Params) -> bool {
    params.get("Action") == Some("AssumeRole")
}

impl Sts {
    /// The account behind a temporary key.
    ///
    /// # Errors
    ///
    /// It was never given, or its token is missing, another's or expired.
    pub(super) fn account(&self, key: &str, params: &Params, utc: DateTime<Utc>) -> Result<Account, Refusal> {
        let issued = self.issued.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(known) = issued.get(key) else {
            return Err(Refusal::new(
                404,
                "InvalidAccessKeyId.NotFound",
                "Specified access key is not found.",
            ));
        };
        if params.need("SecurityToken")? != known.token.expose_secret() {
            let message = "Specified SecurityToken is not matched with the access key.";
            return Err(Refusal::new(400, "InvalidSecurityToken.MismatchWithAccessKey", message));
        }
        if known.ends <= utc {
            return Err(Refusal::new(
                400,
                "InvalidSecurityToken.Expired",
                "Specified SecurityToken is expired.",
            ));
        }
        Ok(Account { owner: known.owner.clone(), secret: known.secret.clone() })
    }

    /// What a request that the gateway has let pass is answered with, as JSON.
    ///
    /// # Errors
    ///
    /// A parameter is missing or wrong.
    pub(super) fn assume(&self, owner: &str, params: &Params, utc: DateTime<Utc>) -> Result<String, Refusal> {
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
            "RequestId": super::request_id(),
            "AssumedRoleUser": {"Arn": assumed, "AssumedRoleId": session},
            "Credentials": {
                "AccessKeyId": key, "AccessKeySecret": secret, "SecurityToken": token,
                "Expiration": ends.to_rfc3339_opts(SecondsFormat::Secs, true)
            }
        });
        let issued = Issued { owner: owner.to_owned(), secret: secret.into(), token: token.into(), ends };
        self.remember(key, issued, utc);
        Ok(answer.to_string())
    }

    fn remember(&self, key: String, new: Issued, utc: DateTime<Utc>) {
        let mut issued = self.issued.lock().unwrap_or_else(PoisonError::into_inner);
        // An expired key is known for another hour, so that it is refused as that.
        issued.retain(|_, known| known.ends + TimeDelta::hours(1) > utc);
        if issued.len() >= KEYS
            && let Some(first) = issued.iter().min_by_key(|(_, known)| known.ends).map(|(key, _)| key.clone())
        {
            issued.remove(&first);
        }
        issued.insert(key, new);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn params(pairs: &[(&str, &str)]) -> Params {
        Params::read(&crate::provider::sign::encode_pairs(pairs), "").unwrap()
    }

    fn assumed(sts: &Sts, utc: DateTime<Utc>) -> (String, String) {
        let asked =
            params(&[("RoleArn", "acs:ram::1:role/x"), ("RoleSessionName", "s"), ("DurationSeconds", "900")]);
        let answer: serde_json::Value =
            serde_json::from_str(&sts.assume("owner", &asked, utc).unwrap()).unwrap();
        let text = |name: &str| answer["Credentials"][name].as_str().unwrap().to_owned();
        (text("AccessKeyId"), text("SecurityToken"))
    }

    #[test]
    fn a_key_is_accepted_with_its_token_until_it_expires() {
        let (sts, now) = (Sts::default(), Utc::now());
        let (key, token) = assumed(&sts, now);
        let account = |token: &str, after: i64| {
            let params = params(&[("SecurityToken", token)]);
            sts.account(&key, &params, now + TimeDelta::seconds(after))
                .map(|account| account.owner)
                .map_err(|r| r.code)
        };
        assert_eq!(account(&token, 899), Ok("owner".into()));
        assert_eq!(account(&token, 900), Err("InvalidSecurityToken.Expired".into()));
        assert_eq!(account("another", 0), Err("InvalidSecurityToken.MismatchWithAccessKey".into()));
        assert_eq!(account("", 0), Err("MissingSecurityToken".into()));
        let stranger = sts.account("STS.x", &params(&[]), now).err().unwrap();
        assert_eq!((stranger.status, stranger.code.as_str()), (404, "InvalidAccessKeyId.NotFound"));
    }

    #[test]
    fn what_is_asked_wrongly_is_refused_by_name() {
        for (name, value) in [("RoleArn", "x"), ("RoleArn", "acs:ram::x:role/y"), ("DurationSeconds", "899")]
        {
            let mut asked = vec![("RoleArn", "acs:ram::1:role/x"), ("RoleSessionName", "s")];
            asked.retain(|(known, _)| *known != name);
            asked.push((name, value));
            let refusal = Sts::default().assume("owner", &params(&asked), Utc::now()).unwrap_err();
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
