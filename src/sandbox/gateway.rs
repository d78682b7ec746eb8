//! The gateway of the simulated provider: what every request must pass before it is answered.
//!
//! Owns the order of the checks, the nonces it has seen and the flow control. Promises that a refused request
//! spends nothing of the cap, and that memory is bounded. The clocks come in as arguments.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};

use super::signature;
use super::sts::{self, Account, Sts};

/// How far a time stamp may lie from the gateway's clock, in either direction.
const CLOCK_MARGIN: TimeDelta = TimeDelta::minutes(15);
/// How long a nonce is remembered: as long as a time stamp that was early by the whole margin stays valid.
const NONCE_LIFE: Duration = Duration::from_secs(2 * 15 * 60);
/// How many nonces are remembered; the oldest go first.
const NONCES: usize = 200_000;

/// The parameters of one request, decoded.
pub(super) struct Params(Vec<(String, String)>);

impl Params {
    /// The parameters of query and body together; a name that comes twice is refused.
    pub(super) fn read(query: &str, body: &str) -> Result<Self, Refusal> {
        let unreadable = || {
            let message = "The request signature does not conform to Aliyun standards: an escape is broken, or no UTF-8.";
            Refusal::new(400, "IncompleteSignature", message)
        };
        let mut pairs = signature::decode_pairs(query).ok_or_else(unreadable)?;
        pairs.extend(signature::decode_pairs(body).ok_or_else(unreadable)?);
        let mut names = HashSet::new();
        if let Some((twice, _)) = pairs.iter().find(|(name, _)| !names.insert(name.as_str())) {
            let message = format!(
                "The request signature does not conform to Aliyun standards: {twice} is given twice."
            );
            return Err(Refusal::new(400, "IncompleteSignature", message));
        }
        Ok(Self(pairs))
    }

    /// A parameter that is there and not empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, v)| v.as_str()).filter(|v| !v.is_empty())
    }

    /// A parameter without which nothing goes.
    pub(super) fn need(&self, name: &str) -> Result<&str, Refusal> {
        self.get(name).ok_or_else(|| {
            Refusal::new(400, format!("Missing{name}"), format!("{name} is mandatory for this action."))
        })
    }
}

/// Why a request is not answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    /// HTTP status.
    pub(super) status: u16,
    /// `Code`.
    pub(super) code: String,
    /// `Message`.
    pub(super) message: String,
    /// `x-acs-retry-after`, in milliseconds.
    pub(super) retry_after_ms: Option<u64>,
}

impl Refusal {
    pub(super) fn new(status: u16, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { status, code: code.into(), message: message.into(), retry_after_ms: None }
    }
}

/// What the gateway knows and remembers.
pub(super) struct Gateway {
    accounts: HashMap<String, SecretString>,
    cap_requests: usize,
    cap_window: Duration,
    memory: Mutex<Memory>,
    /// Temporary keys.
    pub(super) sts: Sts,
}

#[derive(Default)]
struct Memory {
    nonces: HashSet<u128>,
    nonces_by_age: VecDeque<(Instant, u128)>,
    /// The accepted arrivals of each key that may still count.
    arrivals: HashMap<String, VecDeque<Instant>>,
}

impl Gateway {
    pub(super) fn new(accounts: Vec<(String, String)>, cap_requests: u32, cap_window: Duration) -> Self {
        let accounts = accounts.into_iter().map(|(id, secret)| (id, secret.into())).collect();
        let cap_requests = usize::try_from(cap_requests).unwrap_or(usize::MAX);
        Self { accounts, cap_requests, cap_window, memory: Mutex::default(), sts: Sts::default() }
    }

    /// Passes a request that arrived at `now`, which the wall clock calls `utc`, or says why not.
    pub(super) fn check(
        &self,
        method: &str,
        params: &Params,
        utc: DateTime<Utc>,
        now: Instant,
    ) -> Result<(), Refusal> {
        operation(params)?;
        let key = params.need("AccessKeyId")?;
        let given = params.need("Signature")?;
        for name in ["SignatureMethod", "SignatureVersion", "SignatureNonce", "Timestamp"] {
            params.need(name)?;
        }
        signature_form(params)?;
        let Account { owner, secret } = self.account(key, params, utc)?;
        timestamp(params.need("Timestamp")?, utc)?;
        // A poisoned lock only means that another request panicked; what it guards is whole at every moment.
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        memory.nonce(key, params.need("SignatureNonce")?, now)?;
        let text = signature::string_to_sign(method, &params.0);
        if !signature::verify(&text, secret.expose_secret(), given) {
            let message = format!(
                "Specified signature is not matched with our calculation. server string to sign is:{text}"
            );
            return Err(Refusal::new(400, "SignatureDoesNotMatch", message));
        }
        if sts::is_asked(params) {
            return Ok(());
        }
        memory.arrival(&owner, self.cap_requests, self.cap_window, now)
    }

    /// Whose request it is: of a lasting key, or of a temporary one.
    pub(super) fn account(&self, key: &str, params: &Params, utc: DateTime<Utc>) -> Result<Account, Refusal> {
        match self.accounts.get(key) {
            Some(secret) => Ok(Account { owner: key.to_owned(), secret: secret.clone() }),
            None => self.sts.account(key, params, utc),
        }
    }
}

/// Whether there is such an operation, and whether the answer's format is one that the sandbox speaks.
fn operation(params: &Params) -> Result<(), Refusal> {
    if sts::is_asked(params) {
        return match (params.need("Version")?, params.get("Format")) {
            ("2015-04-01", Some("JSON")) => Ok(()),
            ("2015-04-01", _) => Err(Refusal::new(
                400,
                "InvalidParameter.Format",
                "Specified parameter Format is not valid: the sandbox's STS speaks JSON.",
            )),
            _ => Err(Refusal::new(400, "InvalidVersion", "Specified parameter Version is not valid.")),
        };
    }
    if params.need("Action")? != "QueryCallDetailByCallId" {
        let message = "Specified api is not found, please check your url and method.";
        return Err(Refusal::new(404, "InvalidAction.NotFound", message));
    }
    if params.need("Version")? != "2017-05-25" {
        return Err(Refusal::new(400, "InvalidVersion", "Specified parameter Version is not valid."));
    }
    if !matches!(params.get("Format"), None | Some("JSON" | "XML")) {
        let message = "Specified parameter Format is not valid: the sandbox speaks JSON and XML.";
        return Err(Refusal::new(400, "InvalidParameter.Format", message));
    }
    Ok(())
}

fn signature_form(params: &Params) -> Result<(), Refusal> {
    if params.need("SignatureMethod")? != "HMAC-SHA1" {
        let message = "Specified signature method is not valid: only HMAC-SHA1 is.";
        return Err(Refusal::new(400, "InvalidSignatureMethod", message));
    }
    if params.need("SignatureVersion")? != "1.0" {
        let message =
            "The request signature does not conform to Aliyun standards: only SignatureVersion 1.0 is valid.";
        return Err(Refusal::new(400, "IncompleteSignature", message));
    }
    Ok(())
}

fn timestamp(text: &str, utc: DateTime<Utc>) -> Result<(), Refusal> {
    let read = NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%SZ").ok().filter(|_| text.len() == 20);
    let Some(time) = read else {
        let message = "Specified time stamp or date value is not well formatted.";
        return Err(Refusal::new(400, "InvalidTimeStamp.Format", message));
    };
    if (time.and_utc() - utc).abs() > CLOCK_MARGIN {
        let message = "Specified time stamp or date value is expired.";
        return Err(Refusal::new(400, "InvalidTimeStamp.Expired", message));
    }
    Ok(())
}

impl Memory {
    /// Remembers a nonce; one that is still remembered is refused. Only half of a hash is kept, so that its
    /// length costs nothing.
    fn nonce(&mut self, key: &str, nonce: &str, now: Instant) -> Result<(), Refusal> {
        let digest = Sha256::new().chain_update(key).chain_update([0]).chain_update(nonce).finalize();
        let mut half = [0_u8; 16];
        half.copy_from_slice(&digest[..16]);
        let hash = u128::from_le_bytes(half);
        self.forget(|seen, _| now.saturating_duration_since(seen) > NONCE_LIFE);
        if !self.nonces.insert(hash) {
            let message = "Specified signature nonce was used already.";
            return Err(Refusal::new(400, "SignatureNonceUsed", message));
        }
        self.forget(|_, remembered| remembered >= NONCES);
        self.nonces_by_age.push_back((now, hash));
        Ok(())
    }

    /// Forgets the oldest nonces for as long as `old` says so of the time at which one was seen and of their
    /// number.
    fn forget(&mut self, old: impl Fn(Instant, usize) -> bool) {
        while let Some((seen, hash)) = self.nonces_by_age.front()
            && old(*seen, self.nonces_by_age.len())
        {
            self.nonces.remove(hash);
            self.nonces_by_age.pop_front();
        }
    }

    /// Counts an arrival, or refuses it when it would be one too many in the window that ends with it.
    fn arrival(&mut self, key: &str, cap: usize, window: Duration, now: Instant) -> Result<(), Refusal> {
        let arrivals = self.arrivals.entry(key.to_owned()).or_default();
        while arrivals.front().is_some_and(|first| now.saturating_duration_since(*first) >= window) {
            arrivals.pop_front();
        }
        if arrivals.len() < cap {
            arrivals.push_back(now);
            return Ok(());
        }
        let age = arrivals.front().map_or(Duration::ZERO, |first| now.saturating_duration_since(*first));
        let wait = window.saturating_sub(age).as_micros().div_ceil(1000).max(1);
        let mut refusal =
            Refusal::new(400, "Throttling.User", "Request was denied due to user flow control.");
        refusal.retry_after_ms = Some(u64::try_from(wait).unwrap_or(u64::MAX));
        Err(refusal)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::provider::sign;

    const NOW: &str = "2026-11-23T10:00:00Z";

    fn utc() -> DateTime<Utc> {
        DateTime::parse_from_rfc3339(NOW).unwrap().to_utc()
    }

    fn gateway(cap: u32) -> Gateway {
        Gateway::new(vec![("testid".into(), "testsecret".into())], cap, Duration::from_secs(60))
    }

    /// A signed form with some parameters changed (an empty value leaves the parameter out).
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
        let params = Params::read("", &form(changes)).unwrap();
        let refusal = gateway(100).check("POST", &params, utc(), Instant::now()).unwrap_err();
        (refusal.status, refusal.code)
    }

    fn check(gateway: &Gateway, nonce: &str, now: Instant) -> Result<(), Refusal> {
        gateway.check("POST", &Params::read("", &form(&[("SignatureNonce", nonce)])).unwrap(), utc(), now)
    }

    #[test]
    fn a_signed_request_passes_from_query_and_body_together() {
        let form = form(&[]);
        let (query, body) = form.split_at(form.find("&ProdId").unwrap());
        let params = Params::read(query, body).unwrap();
        assert_eq!(gateway(100).check("POST", &params, utc(), Instant::now()), Ok(()));
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
            let params = Params::read("", &form(&[("Timestamp", edge)])).unwrap();
            assert_eq!(gateway(100).check("POST", &params, utc(), Instant::now()), Ok(()), "{edge}");
        }
        for (query, body) in [("a=%5", ""), ("a=1", "a=1"), ("", "a=1&a=2")] {
            assert_eq!(Params::read(query, body).err().unwrap().code, "IncompleteSignature");
        }
    }

    #[test]
    fn a_tampered_request_is_refused_with_the_string_that_should_have_been_signed() {
        let tampered = form(&[]).replace("116014888060", "116014888061");
        let params = Params::read("", &tampered).unwrap();
        let refusal = gateway(100).check("POST", &params, utc(), Instant::now()).unwrap_err();
        assert_eq!((refusal.status, refusal.code.as_str()), (400, "SignatureDoesNotMatch"));
        let says =
            "Specified signature is not matched with our calculation. server string to sign is:POST&%2F&";
        assert!(refusal.message.starts_with(says) && refusal.message.contains("CallId%3D116014888061%255E"));
        assert!(!refusal.message.contains("testsecret"));
    }

    #[test]
    fn a_nonce_is_refused_until_it_is_forgotten() {
        let (gateway, start) = (gateway(100), Instant::now());
        assert_eq!(check(&gateway, "a", start), Ok(()));
        assert_eq!(check(&gateway, "a", start + NONCE_LIFE).unwrap_err().code, "SignatureNonceUsed");
        assert_eq!(check(&gateway, "a", start + NONCE_LIFE + Duration::from_millis(1)), Ok(()));
    }

    #[test]
    fn the_oldest_nonces_are_forgotten_first_when_there_are_too_many() {
        let (mut memory, now) = (Memory::default(), Instant::now());
        for n in 0..=NONCES {
            memory.nonce("k", &n.to_string(), now).unwrap();
        }
        assert_eq!((memory.nonces.len(), memory.nonces_by_age.len()), (NONCES, NONCES));
        assert!(memory.nonce("k", "1", now).is_err());
        assert_eq!(memory.nonce("k", "0", now), Ok(()));
    }

    #[test]
    fn the_cap_holds_in_every_window_and_refusals_do_not_count() {
        let (gateway, start) = (gateway(2), Instant::now());
        let at = |ms: u64, nonce: &str| check(&gateway, nonce, start + Duration::from_millis(ms));
        assert_eq!((at(0, "1"), at(1000, "2")), (Ok(()), Ok(())));
        let throttled = at(1500, "3").unwrap_err();
        assert_eq!((throttled.status, throttled.code.as_str()), (400, "Throttling.User"));
        assert_eq!(throttled.retry_after_ms, Some(58_500));
        assert_eq!(at(59_999, "4").unwrap_err().retry_after_ms, Some(1));
        assert_eq!(at(60_000, "5"), Ok(()));
        assert_eq!(at(60_001, "6").unwrap_err().retry_after_ms, Some(999));
        assert_eq!(at(61_000, "7"), Ok(()));
    }
}
