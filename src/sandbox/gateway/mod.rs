//! The gateway of the simulated provider: the checks that every request must pass.
//!
//! The order of the checks: operation, parts of the signature, access key, security token, time
//! stamp, nonce, signature, flow control. A refused request does not count toward the cap. The
//! parameters of the call query are checked later. Both clocks are arguments.

mod accounts;
mod claims;
mod flow_control;
mod nonces;
mod operation;
mod signature;
mod sts;
mod timestamp;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use secrecy::ExposeSecret as _;

use super::refusal::Refusal;
use super::request::{Params, Request};
use crate::locked::lock;
use claims::Claims;
use flow_control::FlowControl;
use nonces::Nonces;
use sts::Sts;

pub use accounts::{Account, TEST_ACCOUNT, parse_accounts};
pub(crate) use claims::{claimed_key, signature_version};
pub(crate) use operation::Operation;

/// The accounts, and the memory of earlier requests.
pub(super) struct Gateway {
    accounts: HashMap<String, Arc<Account>>,
    sts: Sts,
    nonces: Mutex<Nonces>,
    flow_control: Mutex<FlowControl>,
}

/// A request whose signature is right.
pub(super) struct Verified {
    /// The account that signed it.
    pub(super) account: Arc<Account>,
    /// The operation that it names.
    pub(super) operation: Operation,
}

impl Gateway {
    /// A gateway that knows these accounts and allows each key `cap_requests` in any window.
    pub(super) fn new(accounts: Vec<Account>, cap_requests: u32, cap_window: Duration) -> Self {
        let accounts = accounts.into_iter().map(|account| (account.id.clone(), Arc::new(account)));
        Self {
            accounts: accounts.collect(),
            sts: Sts::default(),
            nonces: Mutex::default(),
            flow_control: Mutex::new(FlowControl::new(cap_requests, cap_window)),
        }
    }

    /// Verifies a request that arrived at `now`. `provider_time` is the same instant by the
    /// gateway's clock.
    ///
    /// # Errors
    ///
    /// The refusal of the first failed check.
    pub(super) fn verify(
        &self,
        request: &Request,
        provider_time: DateTime<Utc>,
        now: Instant,
    ) -> Result<Verified, Refusal> {
        let operation = Operation::of(request)?;
        let claims = Claims::read(request)?;
        let account = self.account(claims.key)?;
        self.check_token(&account, claims.token, provider_time)?;
        timestamp::check(claims.timestamp, provider_time)?;
        lock(&self.nonces).remember(claims.key, claims.nonce, now)?;
        claims.verify(request, account.secret.expose_secret())?;
        Ok(Verified { account, operation })
    }

    /// Counts a verified request.
    ///
    /// # Errors
    ///
    /// `Throttling.User` above the cap.
    pub(super) fn admit(&self, account: &Account, now: Instant) -> Result<(), Refusal> {
        lock(&self.flow_control).admit(&account.owner, account.cap, now)
    }

    /// Issues a temporary key: the reply of STS, in JSON.
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
        self.sts.assume_role(account, params, provider_time)
    }

    fn account(&self, key: &str) -> Result<Arc<Account>, Refusal> {
        let known = self.accounts.get(key).cloned().or_else(|| self.sts.account(key));
        let account = known.ok_or_else(|| {
            Refusal::new(404, "InvalidAccessKeyId.NotFound", "Specified access key is not found.")
        })?;
        if account.inactive { Err(Refusal::inactive_key()) } else { Ok(account) }
    }

    fn check_token(
        &self,
        account: &Account,
        token: Option<&str>,
        provider_time: DateTime<Utc>,
    ) -> Result<(), Refusal> {
        let Some(token) = token else {
            return if account.token.is_none() { Ok(()) } else { Err(Refusal::missing("SecurityToken")) };
        };
        if account.has_token(token) {
            let expired = account.expires.is_some_and(|end| provider_time >= end);
            return if expired { Err(Refusal::expired_token()) } else { Ok(()) };
        }
        let of_another =
            self.accounts.values().any(|other| other.has_token(token)) || self.sts.has_token(token);
        let code = if of_another { "MismatchWithAccessKey" } else { "Malformed" };
        let code = format!("InvalidSecurityToken.{code}");
        Err(Refusal::new(400, code, "Specified SecurityToken is malformed or belongs to another key."))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use chrono::TimeDelta;

    use super::*;
    use crate::provider::sign;

    const NOW: &str = "2026-11-23T10:00:00Z";

    fn utc() -> DateTime<Utc> {
        DateTime::parse_from_rfc3339(NOW).unwrap().to_utc()
    }

    fn gateway(cap: u32) -> Gateway {
        Gateway::new(vec![Account::new("testid", "testsecret")], cap, Duration::from_secs(60))
    }

    fn request(query: &str, body: &str) -> Request {
        let params = Params::read(query, body).unwrap();
        Request { method: "POST".into(), params, headers: Vec::new(), body: body.into() }
    }

    fn pass(gateway: &Gateway, request: &Request, now: Instant) -> Result<(), Refusal> {
        gateway.verify(request, utc(), now).and_then(|verified| gateway.admit(&verified.account, now))
    }

    /// A signed form with some parameters changed; an empty value removes the parameter.
    fn form(changes: &[(&str, &str)]) -> String {
        let mut params = vec![
            ("AccessKeyId", "testid"),
            ("Action", "QueryCallDetailByCallId"),
            ("CallId", "116014888060^102816313060"),
            ("Format", "JSON"),
            ("ProdId", "11000000300006"),
            ("QueryDate", "1793894400000"),
            ("SignatureMethod", "HMAC-SHA1"),
            ("SignatureNonce", "n-1"),
            ("SignatureVersion", "1.0"),
            ("Timestamp", NOW),
            ("Version", "2017-05-25"),
        ];
        for (name, value) in changes {
            params.retain(|(known, _)| known != name);
            if !value.is_empty() {
                params.push((name, value));
            }
        }
        let signature = sign::signature("POST", &params, "testsecret");
        if !changes.contains(&("Signature", "")) {
            params.push(("Signature", &signature));
        }
        sign::encode_pairs(&params)
    }

    fn refused(changes: &[(&str, &str)]) -> (u16, String) {
        let refusal = pass(&gateway(100), &request("", &form(changes)), Instant::now()).unwrap_err();
        (refusal.status, refusal.code)
    }

    #[test]
    fn a_signed_request_passes_from_query_and_body_together() {
        let form = form(&[]);
        let (query, body) = form.split_at(form.find("&ProdId").unwrap());
        assert_eq!(pass(&gateway(100), &request(query, body), Instant::now()), Ok(()));
    }

    #[test]
    fn each_refusal_has_its_code_and_status() {
        for (name, value, status, code) in [
            ("Action", "", 400, "MissingAction"),
            ("Action", "SingleCallByTts", 404, "InvalidAction.NotFound"),
            ("Version", "", 400, "MissingVersion"),
            ("Version", "2017-05-26", 400, "InvalidVersion"),
            ("Format", "YAML", 400, "InvalidParameter.Format"),
            ("AccessKeyId", "", 400, "MissingAccessKeyId"),
            ("AccessKeyId", "nobody", 404, "InvalidAccessKeyId.NotFound"),
            ("Signature", "", 400, "MissingSignature"),
            ("SignatureMethod", "", 400, "MissingSignatureMethod"),
            ("SignatureMethod", "HMAC-SHA256", 400, "InvalidSignatureMethod"),
            ("SignatureVersion", "", 400, "MissingSignatureVersion"),
            ("SignatureVersion", "2.0", 400, "IncompleteSignature"),
            ("SignatureNonce", "", 400, "MissingSignatureNonce"),
            ("Timestamp", "", 400, "MissingTimestamp"),
            ("Timestamp", "2026-11-23 10:00:00", 400, "InvalidTimeStamp.Format"),
            ("Timestamp", "2026-11-23T10:15:01Z", 400, "InvalidTimeStamp.Expired"),
            ("Timestamp", "2026-11-23T09:44:59Z", 400, "InvalidTimeStamp.Expired"),
        ] {
            assert_eq!(refused(&[(name, value)]), (status, code.to_owned()), "{name}={value}");
        }
        for edge in ["2026-11-23T10:15:00Z", "2026-11-23T09:45:00Z"] {
            let request = request("", &form(&[("Timestamp", edge)]));
            assert_eq!(pass(&gateway(100), &request, Instant::now()), Ok(()), "{edge}");
        }
    }

    #[test]
    fn a_tampered_request_is_refused_with_the_right_string_to_sign() {
        let tampered = form(&[]).replace("116014888060", "116014888061");
        let refusal = pass(&gateway(100), &request("", &tampered), Instant::now()).unwrap_err();
        assert_eq!((refusal.status, refusal.code.as_str()), (400, "SignatureDoesNotMatch"));
        let says =
            "Specified signature is not matched with our calculation. server string to sign is:POST&%2F&";
        assert!(refusal.message.starts_with(says) && refusal.message.contains("CallId%3D116014888061%255E"));
        assert!(!refusal.message.contains("testsecret"));
    }

    #[test]
    fn a_nonce_is_accepted_for_one_request() {
        let (gateway, start) = (gateway(100), Instant::now());
        let outcome = || pass(&gateway, &request("", &form(&[])), start);
        assert_eq!(outcome(), Ok(()));
        assert_eq!(outcome().unwrap_err().code, "SignatureNonceUsed");
    }

    #[test]
    fn requests_above_the_cap_are_throttled() {
        let (gateway, start) = (gateway(1), Instant::now());
        let outcome = |nonce: &str| pass(&gateway, &request("", &form(&[("SignatureNonce", nonce)])), start);
        assert_eq!(outcome("1"), Ok(()));
        assert_eq!(outcome("2").unwrap_err().code, "Throttling.User");
    }

    #[test]
    fn the_format_may_be_in_any_case() {
        assert_eq!(pass(&gateway(1), &request("", &form(&[("Format", "json")])), Instant::now()), Ok(()));
    }

    #[test]
    fn a_temporary_key_needs_its_token_until_it_expires() {
        let temporary = |id: &str, token: &str| Account {
            token: Some(token.to_owned().into()),
            expires: Some(utc() + TimeDelta::seconds(1)),
            ..Account::new(id, "testsecret")
        };
        let accounts = || vec![temporary("testid", "t-1"), temporary("other", "t-2")];
        let code = |token: &str, utc: DateTime<Utc>| {
            let gateway = Gateway::new(accounts(), 100, Duration::from_secs(60));
            let request = request("", &form(&[("SecurityToken", token)]));
            let verified = gateway.verify(&request, utc, Instant::now());
            let verified = verified.map(|verified| verified.account.id.clone());
            verified.map_err(|refusal| refusal.code)
        };
        assert_eq!(code("t-1", utc()), Ok("testid".into()));
        let late = utc() + TimeDelta::seconds(1);
        assert_eq!(code("t-1", late), Err("InvalidSecurityToken.Expired".into()));
        assert_eq!(code("t-2", utc()), Err("InvalidSecurityToken.MismatchWithAccessKey".into()));
        assert_eq!(code("t-3", utc()), Err("InvalidSecurityToken.Malformed".into()));
        assert_eq!(code("", utc()), Err("MissingSecurityToken".into()));
        assert_eq!(refused(&[("SecurityToken", "t-1")]).1, "InvalidSecurityToken.Malformed");
    }

    #[test]
    fn a_disabled_key_is_refused() {
        let account = Account { inactive: true, ..Account::new("testid", "testsecret") };
        let gateway = Gateway::new(vec![account], 1, Duration::from_secs(60));
        let refusal = pass(&gateway, &request("", &form(&[])), Instant::now()).unwrap_err();
        assert_eq!((refusal.status, refusal.code.as_str()), (400, "InvalidAccessKeyId.Inactive"));
    }
}
