//! The history in the store: the requests of each call, and how each session kept the cap.

use chrono::{DateTime, Utc};
use reconcile_core::answer::{StoredAnswer, StoredCall};
use reconcile_core::call::CallKey;
use reconcile_core::cap_audit::{Evidence, Shares};
use reconcile_core::rate::Rate;

use super::amendments::OtherAnswer;
use super::receipts::call_with;
use super::request::{Decision, Purpose};
use super::stored_word::StoredWord;

/// A stored request, for `reconcile explain`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The session that sent it.
    pub session_no: i64,
    /// The account that was asked; `None` if the store knows only one account.
    pub account: Option<String>,
    /// The address that was asked, such as `https://dyvmsapi.aliyuncs.com`; `None` if the store
    /// does not know it.
    pub endpoint: Option<String>,
    /// The day that it asked for, as stored: `YYYY-MM-DD`.
    pub asked_date: String,
    /// Why it was sent.
    pub purpose: StoredWord<Purpose>,
    /// True if it was sent only to look at a final record again.
    pub recheck: bool,
    /// When it was sent.
    pub sent_at: DateTime<Utc>,
    /// True if the request has ended.
    pub replied: bool,
    /// The time from sending to the end, in microseconds of the boot clock.
    pub took_us: Option<i64>,
    /// HTTP status; `None` without a response.
    pub http_status: Option<u16>,
    /// The provider's code, or a word for the transport error; `None` while it is in flight.
    pub code: Option<String>,
    /// `RequestId` of the response; `None` without one, and in requests of earlier schemas.
    pub request_id: Option<String>,
    /// True if the provider throttled.
    pub throttled: bool,
    /// What happened to the call next; `None` while it is in flight, and in requests of schema 1.
    pub decision: Option<StoredWord<Decision>>,
    /// The pause before the next try, in microseconds.
    pub pause_us: Option<i64>,
}

/// Everything that the store has about a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownCall {
    /// The call.
    pub key: CallKey,
    /// Its answer, even if it is damaged.
    pub stored: StoredCall,
    /// True if the answer's checksum is right.
    pub is_whole: bool,
    /// Whole answers beside the one that counts, in the order in which they were noted.
    pub others: Vec<OtherAnswer>,
    /// Its requests, in the order in which they were sent.
    pub attempts: Vec<Attempt>,
}

impl KnownCall {
    /// Adds receipts to their calls. A call that has nothing else is added at the end.
    pub(super) fn add_receipts(calls: &mut Vec<Self>, receipts: Vec<(CallKey, StoredAnswer)>) {
        for (key, receipt) in receipts {
            match calls.iter_mut().find(|call| call.key == key) {
                Some(call) => call.stored.receipt = Some(Box::new(receipt)),
                None => calls.push(Self {
                    key,
                    stored: call_with(receipt),
                    is_whole: true,
                    others: Vec::new(),
                    attempts: Vec::new(),
                }),
            }
        }
    }
}

/// How one session kept the cap, recomputed from its stored requests.
#[derive(Debug, Clone, PartialEq)]
pub struct SessionEvidence {
    /// The session's number.
    pub session_no: i64,
    /// When the session began.
    pub started_at: DateTime<Utc>,
    /// The id of the machine's boot: the boot clock measured the times.
    pub boot_id: String,
    /// The account whose cap it is; `None` if the store knows only one account.
    pub account: Option<String>,
    /// The session's cap.
    pub rate: Rate,
    /// Requests that the provider throttled.
    pub throttled: u64,
    /// The result of the audit.
    pub evidence: Evidence,
}

/// How the sessions of an account shared its places.
#[derive(Debug, Clone, PartialEq)]
pub struct AccountShares {
    /// The account's name; empty if it has none.
    pub account: String,
    /// Its cap.
    pub rate: Rate,
    /// The sum of the shares.
    pub shares: Shares,
}

/// What the store's record says about the cap.
#[derive(Debug, Clone, PartialEq)]
pub struct CapRecord {
    /// Each session with requests, oldest first.
    pub sessions: Vec<SessionEvidence>,
    /// The shares of each account whose places several sessions can share, by name.
    pub accounts: Vec<AccountShares>,
    /// How many session numbers are missing, because the store was deleted or restored.
    pub missing_sessions: u64,
    /// How many names (hard links) the file has. With several, a run under another name may have
    /// recorded its requests elsewhere.
    pub names: u64,
    /// The store of which this one is an unfinished copy. Then requests may be missing.
    pub copy_of: Option<String>,
}
