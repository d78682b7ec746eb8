//! The gateway of the simulated provider: what every request must pass before it is answered.
//!
//! Owns the order of the checks, the nonces it has seen and the flow control. Promises that a refused request
//! spends nothing of the cap, and that memory is bounded. The clocks come in as arguments.
//!
//! The order: the operation · the parts of the signature · the key · its security token · the time stamp · the nonce · the
//! signature · the flow control. What the question itself lacks comes after that.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use secrecy::ExposeSecret as _;
use sha2::{Digest as _, Sha256};

use super::accounts::Account;
use super::signature::{self, Authorization, Pair};
use super::sts::{self, Sts};

/// How far a time stamp may lie from the gateway's clock, in either direction.
const CLOCK_MARGIN: TimeDelta = TimeDelta::minutes(15);
/// How long a nonce is remembered: as long as a time stamp that was early by the whole margin stays valid.
const NONCE_LIFE: Duration = Duration::from_secs(2 * 15 * 60);
/// How many nonces are remembered; the oldest go first.
const NONCES: usize = 200_000;

/// The parameters of one request, decoded: those of the query, then those of the body.
pub(super) struct Params {
    pairs: Vec<Pair>,
    of_query: usize,
}

impl Params {
    /// The parameters of query and body together; a name that comes twice is refused.
    pub(super) fn read(query: &str, body: &str) -> Result<Self, Refusal> {
        let mut pairs =
            signature::decode_pairs(query).ok_or_else(|| incomplete("an escape is broken, or no UTF-8"))?;
        let of_query = pairs.len();
        pairs.extend(
            signature::decode_pairs(body).ok_or_else(|| incomplete("an escape is broken, or no UTF-8"))?,
        );
        let mut names = HashSet::new();
        if let Some((twice, _)) = pairs.iter().find(|(name, _)| !names.insert(name.as_str())) {
            return Err(incomplete(&format!("{twice} is given twice")));
        }
        Ok(Self { pairs, of_query })
    }

    /// A parameter that is there and not empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        value(&self.pairs, name)
    }

    /// A parameter without which nothing goes.
    pub(super) fn need(&self, name: &str) -> Result<&str, Refusal> {
        self.get(name).ok_or_else(|| missing(name))
    }
}

fn value<'a>(pairs: &'a [Pair], name: &str) -> Option<&'a str> {
    pairs.iter().find(|(known, _)| known == name).map(|(_, v)| v.as_str()).filter(|v| !v.is_empty())
}

fn missing(name: &str) -> Refusal {
    Refusal::new(400, format!("Missing{name}"), format!("{name} is mandatory for this action."))
}

fn incomplete(why: &str) -> Refusal {
    let message = format!("The request signature does not conform to Aliyun standards: {why}.");
    Refusal::new(400, "IncompleteSignature", message)
}

/// A request as it was received. Nothing in it is believed yet.
pub(super) struct Heard {
    pub(super) method: String,
    pub(super) params: Params,
    /// Names in lower case.
    pub(super) headers: Vec<Pair>,
    pub(super) body: Vec<u8>,
}

impl Heard {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        value(&self.headers, name)
    }

    /// Which version of the signature it has.
    pub(super) fn is_version_3(&self) -> bool {
        self.header("authorization").is_some()
    }

    /// The version of its signature.
    pub(super) fn signature_version(&self) -> &'static str {
        if self.is_version_3() { signature::ACS3 } else { "1.0" }
    }

    /// The id of the key that it names.
    pub(super) fn claimed_key(&self) -> Option<&str> {
        match self.header("authorization") {
            Some(text) => Authorization::read(text).map(|authorization| authorization.credential),
            None => self.params.get("AccessKeyId"),
        }
    }

    /// Whether STS is asked, not the voice service.
    pub(super) fn is_for_sts(&self) -> bool {
        self.action().is_ok_and(|(action, _)| action == sts::ACTION)
    }

    /// Which operation is meant.
    fn action(&self) -> Result<(&str, &str), Refusal> {
        if !self.is_version_3() {
            return Ok((self.params.need("Action")?, self.params.need("Version")?));
        }
        let need = |header, name| self.header(header).ok_or_else(|| missing(name));
        Ok((need("x-acs-action", "Action")?, need("x-acs-version", "Version")?))
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

    /// Flow control, with how long to wait.
    pub(super) fn throttled(wait: Duration) -> Self {
        let ms = wait.as_micros().div_ceil(1000).max(1);
        Self {
            retry_after_ms: Some(u64::try_from(ms).unwrap_or(u64::MAX)),
            ..Self::new(400, "Throttling.User", "Request was denied due to user flow control.")
        }
    }
}

/// What a request says of itself, in either version of the signature.
struct Claims<'a> {
    key: &'a str,
    token: Option<&'a str>,
    timestamp: &'a str,
    nonce: &'a str,
    signed: Signed<'a>,
}

enum Signed<'a> {
    Version1 { signature: &'a str },
    Version3 { authorization: Authorization<'a> },
}

impl<'a> Claims<'a> {
    fn read(heard: &'a Heard) -> Result<Self, Refusal> {
        match heard.header("authorization") {
            Some(text) => Self::version_3(heard, text),
            None => Self::version_1(&heard.params),
        }
    }

    fn version_1(params: &'a Params) -> Result<Self, Refusal> {
        let claims = Self {
            key: params.need("AccessKeyId")?,
            signed: Signed::Version1 { signature: params.need("Signature")? },
            token: params.get("SecurityToken"),
            timestamp: "",
            nonce: "",
        };
        let (method, version) = (params.need("SignatureMethod")?, params.need("SignatureVersion")?);
        let (nonce, timestamp) = (params.need("SignatureNonce")?, params.need("Timestamp")?);
        if method != "HMAC-SHA1" {
            return Err(method_unknown());
        }
        if version != "1.0" {
            return Err(incomplete("only SignatureVersion 1.0 is valid"));
        }
        Ok(Self { timestamp, nonce, ..claims })
    }

    fn version_3(heard: &'a Heard, text: &'a str) -> Result<Self, Refusal> {
        let algorithm = text.trim().split(' ').next().unwrap_or_default();
        if algorithm != signature::ACS3 {
            return Err(method_unknown());
        }
        let authorization = Authorization::read(text).ok_or_else(|| {
            incomplete("Authorization needs Credential, SignedHeaders and Signature, once each")
        })?;
        let need = |header, name| heard.header(header).ok_or_else(|| missing(name));
        if heard.header("x-acs-content-sha256").is_none() {
            return Err(incomplete("the header x-acs-content-sha256 is missing"));
        }
        signed_headers(heard, authorization.signed_headers)?;
        Ok(Self {
            key: authorization.credential,
            token: heard.header("x-acs-security-token"),
            timestamp: need("x-acs-date", "Timestamp")?,
            nonce: need("x-acs-signature-nonce", "SignatureNonce")?,
            signed: Signed::Version3 { authorization },
        })
    }

    /// Whether what was received is what the holder of the secret has signed.
    fn verify(&self, heard: &Heard, secret: &str) -> Result<(), Refusal> {
        let (text, right) = match &self.signed {
            Signed::Version1 { signature } => {
                let text = signature::string_to_sign(&heard.method, &heard.params.pairs);
                let right = signature::verify(&text, secret, signature);
                (text, right)
            }
            Signed::Version3 { authorization } => {
                let query = &heard.params.pairs[..heard.params.of_query];
                // The hash of the body that came, whatever the header says of it.
                let payload = signature::sha256_hex(&heard.body);
                let header = |name: &str| heard.header(name);
                let signed_headers = authorization.signed_headers;
                let canonical =
                    signature::canonical_request(&heard.method, query, signed_headers, header, &payload);
                let text = signature::string_to_sign_3(&canonical);
                let right = signature::verify_3(&text, secret, authorization.signature)
                    && heard.header("x-acs-content-sha256") == Some(&payload);
                (text, right)
            }
        };
        if right {
            return Ok(());
        }
        let message = format!(
            "Specified signature is not matched with our calculation. server string to sign is:{text}"
        );
        Err(Refusal::new(400, "SignatureDoesNotMatch", message))
    }
}

fn method_unknown() -> Refusal {
    let message = "Specified signature method is not valid: only HMAC-SHA1 and ACS3-HMAC-SHA256 are.";
    Refusal::new(400, "InvalidSignatureMethod", message)
}

/// `SignedHeaders` has to be sorted, in lower case, and to name `host`, `content-type` where it was sent, and every
/// `x-acs-` header.
fn signed_headers(heard: &Heard, names: &str) -> Result<(), Refusal> {
    let names: Vec<&str> = names.split(';').collect();
    if !names.is_sorted() || names.iter().any(|name| name.bytes().any(|b| b.is_ascii_uppercase())) {
        return Err(incomplete("SignedHeaders is not sorted, or not in lower case"));
    }
    let must = |name: &str| matches!(name, "host" | "content-type") || name.starts_with("x-acs-");
    match heard.headers.iter().find(|(name, _)| must(name) && !names.contains(&name.as_str())) {
        Some((name, _)) => Err(incomplete(&format!("the header {name} is not signed"))),
        None => Ok(()),
    }
}

/// What the gateway knows and remembers.
pub(super) struct Gateway {
    accounts: HashMap<String, Arc<Account>>,
    /// The keys that were given for a time.
    pub(super) sts: Sts,
    cap_requests: usize,
    cap_window: Duration,
    memory: Mutex<Memory>,
}

#[derive(Default)]
struct Memory {
    nonces: HashSet<u128>,
    nonces_by_age: VecDeque<(Instant, u128)>,
    /// The accepted arrivals of each key that may still count.
    arrivals: HashMap<String, VecDeque<Instant>>,
}

impl Gateway {
    pub(super) fn new(accounts: Vec<Account>, cap_requests: u32, cap_window: Duration) -> Self {
        let accounts = accounts.into_iter().map(|account| (account.id.clone(), Arc::new(account))).collect();
        let cap_requests = usize::try_from(cap_requests).unwrap_or(usize::MAX);
        Self { accounts, sts: Sts::default(), cap_requests, cap_window, memory: Mutex::default() }
    }

    /// Whose request it is that arrived at `now`, which the gateway's clock calls `utc`; or why it is not believed.
    pub(super) fn verify(
        &self,
        heard: &Heard,
        utc: DateTime<Utc>,
        now: Instant,
    ) -> Result<Arc<Account>, Refusal> {
        operation(heard)?;
        let claims = Claims::read(heard)?;
        let known = self.accounts.get(claims.key).cloned().or_else(|| self.sts.account(claims.key));
        let account = known.ok_or_else(|| {
            Refusal::new(404, "InvalidAccessKeyId.NotFound", "Specified access key is not found.")
        })?;
        if account.inactive {
            return Err(inactive());
        }
        self.token(&account, claims.token, utc)?;
        timestamp(claims.timestamp, utc)?;
        self.memory().nonce(claims.key, claims.nonce, now)?;
        claims.verify(heard, account.secret.expose_secret())?;
        Ok(account)
    }

    /// Counts a request that is believed, or refuses it when it would be one too many.
    pub(super) fn admit(&self, account: &Account, now: Instant) -> Result<(), Refusal> {
        self.memory().arrival(&account.owner, self.cap_requests, self.cap_window, now)
    }

    fn memory(&self) -> std::sync::MutexGuard<'_, Memory> {
        // A poisoned lock only means that another request panicked; what it guards is whole at every moment.
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn token(&self, account: &Account, given: Option<&str>, utc: DateTime<Utc>) -> Result<(), Refusal> {
        let is = |account: &Account, given: &str| {
            account.token.as_ref().is_some_and(|token| token.expose_secret() == given)
        };
        match (given, &account.token) {
            (None, None) => Ok(()),
            (None, Some(_)) => Err(missing("SecurityToken")),
            (Some(given), _) if is(account, given) => {
                if account.expires.is_some_and(|end| utc >= end) {
                    Err(token_expired())
                } else {
                    Ok(())
                }
            }
            (Some(given), _) => {
                let another = self.accounts.values().any(|account| is(account, given)) || self.sts.has(given);
                let code = if another { "MismatchWithAccessKey" } else { "Malformed" };
                let code = format!("InvalidSecurityToken.{code}");
                Err(Refusal::new(400, code, "Specified SecurityToken is malformed, or another key's."))
            }
        }
    }
}

/// The key is disabled.
pub(super) fn inactive() -> Refusal {
    Refusal::new(400, "InvalidAccessKeyId.Inactive", "Specified access key is disabled.")
}

/// The token is past its end.
pub(super) fn token_expired() -> Refusal {
    Refusal::new(400, "InvalidSecurityToken.Expired", "Specified SecurityToken is expired.")
}

/// Whether there is such an operation, and whether the answer's format is one that the sandbox speaks.
fn operation(heard: &Heard) -> Result<(), Refusal> {
    let (action, version) = heard.action()?;
    let is_sts = action == sts::ACTION;
    if !is_sts && action != "QueryCallDetailByCallId" {
        let message = "Specified api is not found, please check your url and method.";
        return Err(Refusal::new(404, "InvalidAction.NotFound", message));
    }
    if version != if is_sts { sts::VERSION } else { "2017-05-25" } {
        return Err(Refusal::new(400, "InvalidVersion", "Specified parameter Version is not valid."));
    }
    let spoken: &[&str] = if is_sts { &["JSON"] } else { &["JSON", "XML"] };
    let known = |format: &str| spoken.iter().any(|known| known.eq_ignore_ascii_case(format));
    if heard.params.get("Format").is_some_and(|format| !known(format)) {
        let spoken = spoken.join(" and ");
        let message = format!("Specified parameter Format is not valid: the sandbox speaks {spoken} here.");
        return Err(Refusal::new(400, "InvalidParameter.Format", message));
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
        Err(Refusal::throttled(window.saturating_sub(age)))
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
        Gateway::new(vec![Account::new("testid", "testsecret")], cap, Duration::from_secs(60))
    }

    fn heard(query: &str, body: &str) -> Heard {
        let params = Params::read(query, body).unwrap();
        Heard { method: "POST".into(), params, headers: Vec::new(), body: body.into() }
    }

    fn pass(gateway: &Gateway, heard: &Heard, now: Instant) -> Result<(), Refusal> {
        gateway.verify(heard, utc(), now).and_then(|account| gateway.admit(&account, now))
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
        let refusal = pass(&gateway(100), &heard("", &form(changes)), Instant::now()).unwrap_err();
        (refusal.status, refusal.code)
    }

    fn check(gateway: &Gateway, nonce: &str, now: Instant) -> Result<(), Refusal> {
        pass(gateway, &heard("", &form(&[("SignatureNonce", nonce)])), now)
    }

    #[test]
    fn a_signed_request_passes_from_query_and_body_together() {
        let form = form(&[]);
        let (query, body) = form.split_at(form.find("&ProdId").unwrap());
        assert_eq!(pass(&gateway(100), &heard(query, body), Instant::now()), Ok(()));
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
            let heard = heard("", &form(&[("Timestamp", edge)]));
            assert_eq!(pass(&gateway(100), &heard, Instant::now()), Ok(()), "{edge}");
        }
        for (query, body) in [("a=%5", ""), ("a=1", "a=1"), ("", "a=1&a=2")] {
            assert_eq!(Params::read(query, body).err().unwrap().code, "IncompleteSignature");
        }
    }

    #[test]
    fn a_tampered_request_is_refused_with_the_string_that_should_have_been_signed() {
        let tampered = form(&[]).replace("116014888060", "116014888061");
        let refusal = pass(&gateway(100), &heard("", &tampered), Instant::now()).unwrap_err();
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

    #[test]
    fn a_format_may_be_written_in_any_case() {
        assert_eq!(pass(&gateway(1), &heard("", &form(&[("Format", "json")])), Instant::now()), Ok(()));
    }

    #[test]
    fn a_temporary_key_needs_its_token_until_that_ends() {
        let temporary = |id: &str, token: &str| Account {
            token: Some(token.to_owned().into()),
            expires: Some(utc() + TimeDelta::seconds(1)),
            ..Account::new(id, "testsecret")
        };
        let accounts = || vec![temporary("testid", "t-1"), temporary("other", "t-2")];
        let code = |token: &str, utc: DateTime<Utc>| {
            let gateway = Gateway::new(accounts(), 100, Duration::from_secs(60));
            let heard = heard("", &form(&[("SecurityToken", token)]));
            let verified = gateway.verify(&heard, utc, Instant::now()).map(|account| account.id.clone());
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
        let refusal = pass(&gateway, &heard("", &form(&[])), Instant::now()).unwrap_err();
        assert_eq!((refusal.status, refusal.code.as_str()), (400, "InvalidAccessKeyId.Inactive"));
    }
}
