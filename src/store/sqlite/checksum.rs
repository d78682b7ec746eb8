//! The checksum of a call's row: SQLite notices damage to its own structure, not to what it carries.
//!
//! It covers the key by which the row was looked up, so that a damaged index that leads to another call's row is
//! noticed as well.

use chrono::{Datelike as _, NaiveDate};
use crc32fast::Hasher;

use reconcile_core::answer::NewAnswer;
use reconcile_core::call::CallKey;

/// CRC-32 over key and answer, each field with its length.
pub(super) fn checksum(key: &CallKey, answer: &NewAnswer, session_no: i64, fetched_at_us: i64) -> i64 {
    let data = answer.data.as_deref().unwrap_or_default().as_bytes();
    // Gathered first: a dozen fields of a few bytes cost more one by one than all of them as one.
    let mut all = Vec::with_capacity(256);
    let mut field = |bytes: &[u8]| {
        all.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
        all.extend_from_slice(bytes);
    };
    field(key.call_id.as_bytes());
    field(&key.prod_id.0.to_le_bytes());
    field(&days(key.day));
    field(answer.kind.as_str().as_bytes());
    field(&session_no.to_le_bytes());
    field(&fetched_at_us.to_le_bytes());
    field(&days(answer.found_date));
    field(answer.next_date.map(days).as_ref().map_or(&[], |days| &days[..]));
    field(answer.request_id.as_deref().unwrap_or_default().as_bytes());
    field(answer.code.as_bytes());
    field(answer.message.as_bytes());
    all.extend_from_slice(&(data.len() as u64).to_le_bytes());
    let mut hasher = Hasher::new();
    hasher.update(&all);
    hasher.update(data);
    i64::from(hasher.finalize())
}

fn days(day: NaiveDate) -> [u8; 4] {
    day.num_days_from_ce().to_le_bytes()
}
