//! The checksum of a call's row. A database notices damage to its structure, but not to stored
//! values.
//!
//! It covers the key that was searched. So it also detects a damaged index that leads to the row of
//! another call.

use chrono::{Datelike as _, NaiveDate};
use crc32fast::Hasher;
use reconcile_core::answer::NewAnswer;
use reconcile_core::call::CallKey;

/// CRC-32 over the key and the answer, each field preceded by its length.
pub(super) fn checksum(key: &CallKey, answer: &NewAnswer, session_no: i64, fetched_at_us: i64) -> i64 {
    let data = answer.data.as_deref().unwrap_or_default().as_bytes();
    // Hashing a dozen fields of a few bytes one by one is slower than hashing them as one buffer.
    let mut fields = Vec::with_capacity(256);
    let mut field = |bytes: &[u8]| {
        fields.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
        fields.extend_from_slice(bytes);
    };
    field(key.call_id.as_bytes());
    field(&key.prod_id.0.to_le_bytes());
    field(&day_number(key.day));
    field(answer.kind.as_str().as_bytes());
    field(&session_no.to_le_bytes());
    field(&fetched_at_us.to_le_bytes());
    field(&day_number(answer.found_date));
    field(answer.next_date.map(day_number).as_ref().map_or(&[], |day| &day[..]));
    field(answer.request_id.as_deref().unwrap_or_default().as_bytes());
    field(answer.code.as_bytes());
    field(answer.message.as_bytes());
    fields.extend_from_slice(&(data.len() as u64).to_le_bytes());
    let mut hasher = Hasher::new();
    hasher.update(&fields);
    hasher.update(data);
    i64::from(hasher.finalize())
}

fn day_number(day: NaiveDate) -> [u8; 4] {
    day.num_days_from_ce().to_le_bytes()
}
