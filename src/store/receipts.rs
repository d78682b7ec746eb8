//! The table `receipt`: what becomes of a receipt in the store, and what it says as an answer.
//! Pure.
//!
//! A receipt has a table of its own, beside the operation's answers. So neither replaces the other.

use chrono::{DateTime, Utc};
use reconcile_core::answer::{AnswerKind, NewAnswer, StoredAnswer, StoredCall};
use reconcile_core::call::CallKey;
use reconcile_core::receipt::{Receipt, merge};
use reconcile_core::settle::kind_today;

use super::checksum::checksum;
use super::erasing::forgotten;
use super::units::time_of;

/// Receipts that a reading returns at a time.
pub(super) const AT_ONCE: usize = 4_096;

/// A receipt as the store has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptReceipt {
    /// The call that it answers.
    pub key: CallKey,
    /// The session that read it.
    pub session_no: i64,
    /// What it says; `None` if it is damaged.
    pub answer: Option<StoredAnswer>,
}

/// The columns that both stores read, in this order.
pub(super) const COLUMNS: &str = "call_id, prod_id, call_date, session_no, read_at, data, checksum";

/// What a row of the table says besides its key.
pub(super) struct ReceiptRow {
    /// The session that read it.
    pub(super) session_no: i64,
    /// When it was read: microseconds since 1970.
    pub(super) read_at_us: i64,
    /// The receipt as JSON; `None` if it was erased on request.
    pub(super) data: Option<String>,
    /// The stored checksum.
    pub(super) checksum: Option<i64>,
}

impl ReceiptRow {
    /// The receipt of this call as an answer; `None` if it is damaged.
    pub(super) fn answer(self, key: &CallKey) -> Option<StoredAnswer> {
        let Self { session_no, read_at_us, data, checksum: sum } = self;
        let answer = answer(key, data);
        let is_whole = sum == Some(checksum(key, &answer, session_no, read_at_us));
        is_whole.then(|| StoredAnswer { answer, fetched_at: time_of(read_at_us), session_no })
    }
}

/// The answer with this data, and the checksum of its row.
pub(super) fn sum(key: &CallKey, data: Option<&str>, session_no: i64, read_at_us: i64) -> i64 {
    checksum(key, &answer(key, data.map(str::to_owned)), session_no, read_at_us)
}

fn answer(key: &CallKey, data: Option<String>) -> NewAnswer {
    data.map_or_else(|| forgotten(key.day), |data| Receipt::answer_of(data, key.day))
}

/// What to store of a receipt; `None` if the stored one stays as it is. An erased receipt stays
/// erased.
pub(super) fn to_keep(stored: Option<&StoredAnswer>, receipt: &Receipt) -> Option<String> {
    let Some(stored) = stored else { return Some(receipt.to_data()) };
    let data = stored.answer.data.as_deref()?;
    // A receipt that cannot be read is damaged, whatever its checksum says.
    let Ok(before) = Receipt::from_json(data.as_bytes()) else { return Some(receipt.to_data()) };
    let merged = merge(vec![before, receipt.clone()])?.receipt.to_data();
    (merged != data).then_some(merged)
}

/// True if the kept receipt of a call settles it: nobody has to ask for it any more.
pub(super) fn settles(key: &CallKey, data: &str, read_at: DateTime<Utc>) -> bool {
    let answer = Receipt::answer_of(data.to_owned(), key.day);
    kind_today(&StoredAnswer { answer, fetched_at: read_at, session_no: 0 }) == AnswerKind::Final
}

/// A call of which the store has only a receipt.
pub(super) fn call_with(receipt: StoredAnswer) -> StoredCall {
    StoredCall { attempts: 0, answer: None, receipt: Some(Box::new(receipt)) }
}
