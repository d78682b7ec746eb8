//! Erasing: what is old, and what belongs to one number. What is erased is in no page of the file any more.

use chrono::{NaiveDate, TimeDelta};
use rusqlite::{Connection, params};

use super::checksum::checksum;
use super::rows::{COLUMNS, answer_of, key_of};
use super::{Store, failed, lock, us};
use crate::error::Result;
use reconcile_core::answer::{AnswerKind, NewAnswer};
use reconcile_core::phone::normalize_number;

/// Requests younger than this stay: the cap of the next runs counts them.
const COUNTED: TimeDelta = TimeDelta::days(2);
/// The code of an answer that was erased on request.
const FORGOTTEN: &str = "Forgotten";

/// What was erased.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Erased {
    /// Calls.
    pub calls: u64,
    /// Requests.
    pub requests: u64,
    /// Bytes of the file before.
    pub bytes_before: u64,
    /// Bytes of the file after.
    pub bytes_after: u64,
}

impl Store {
    /// Erases all calls of days before this one, with their requests.
    ///
    /// # Errors
    ///
    /// Exit 6 when the store cannot be written; shrinking it needs as much free space as it has bytes.
    pub fn purge(&self, before: NaiveDate) -> Result<Erased> {
        let counted_from = us(self.moment().wall - COUNTED);
        self.erase(|c| {
            let day = before.to_string();
            // A call that comes later must not be given their number: the newest row stays, without its call.
            c.execute(
                "UPDATE request SET call_no = 0 WHERE call_no IN (SELECT call_no FROM call WHERE call_date < ?1)",
                [&day],
            )?;
            let calls = c.execute("DELETE FROM call WHERE call_date < ?1", [&day])?;
            c.execute("DELETE FROM open_item WHERE call_date < ?1", [&day])?;
            let requests = c.execute(
                "DELETE FROM request WHERE call_no = 0 AND sent_at < ?1
                   AND request_no < (SELECT max(request_no) FROM request)",
                [counted_from],
            )?;
            Ok((calls, requests))
        })
    }

    /// Erases every answer that has this number in it, and remembers of those calls only that they are not to be
    /// asked for again.
    ///
    /// # Errors
    ///
    /// Exit 6 when the store cannot be written; shrinking it needs as much free space as it has bytes.
    pub fn forget(&self, number: &str) -> Result<Erased> {
        self.erase(|c| Ok((forget_answers(c, &normalize_number(number))?, 0)))
    }

    fn erase(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<(usize, usize)>) -> Result<Erased> {
        let size = || std::fs::metadata(&self.path).map_or(0, |file| file.len());
        let bytes_before = size();
        let (calls, requests) = self.write(work)?;
        let connection = lock(&self.writer.connection);
        // Rewritten as a whole, so that no free page keeps what was erased; and its log emptied.
        connection
            .execute_batch("VACUUM; PRAGMA wal_checkpoint(TRUNCATE);")
            .map_err(|e| failed(&self.path, "shrunk", e))?;
        Ok(Erased { calls: calls as u64, requests: requests as u64, bytes_before, bytes_after: size() })
    }
}

fn forget_answers(c: &Connection, number: &str) -> rusqlite::Result<usize> {
    let mut rows =
        c.prepare(&format!("SELECT {COLUMNS} FROM call WHERE data IS NOT NULL OR message IS NOT NULL"))?;
    let mut rows = rows.query([])?;
    let mut forget = c.prepare(
        "UPDATE call SET answer = ?2, next_date = NULL, request_id = NULL, code = ?3, message = ?4, data = NULL,
                         checksum = ?5 WHERE call_no = ?1",
    )?;
    let mut forgotten = 0;
    while let Some(row) = rows.next()? {
        let (Some(key), Some(stored)) = (key_of(row)?, answer_of(row)?) else { continue };
        if !names(&stored.answer, number) {
            continue;
        }
        let answer = NewAnswer {
            kind: AnswerKind::Rejected,
            next_date: None,
            request_id: None,
            code: FORGOTTEN.into(),
            message: "the answer was erased on request".into(),
            data: None,
            ..stored.answer
        };
        let sum = checksum(&key, &answer, stored.session_no, row.get(7)?);
        let call_no: i64 = row.get(0)?;
        forget.execute(params![
            call_no,
            answer.kind.as_str(),
            answer.code.as_str(),
            answer.message.as_str(),
            sum
        ])?;
        forgotten += 1;
    }
    Ok(forgotten)
}

/// Whether the number stands in the answer, however written and wherever: in a value of its record, inside a longer text,
/// or in a text that is no record.
fn names(answer: &NewAnswer, number: &str) -> bool {
    let in_data = answer.data.as_deref().is_some_and(|data| match serde_json::from_str(data) {
        Ok(record) => is_in(&record, number),
        Err(_) => mentions(data, number),
    });
    in_data || mentions(&answer.message, number)
}

fn is_in(value: &serde_json::Value, number: &str) -> bool {
    match value {
        serde_json::Value::String(text) => mentions(text, number),
        serde_json::Value::Number(n) => mentions(&n.to_string(), number),
        serde_json::Value::Array(items) => items.iter().any(|item| is_in(item, number)),
        serde_json::Value::Object(fields) => fields.values().any(|field| is_in(field, number)),
        serde_json::Value::Null | serde_json::Value::Bool(_) => false,
    }
}

/// Whether one of the numbers in a text is this one. A run of digits is a number by itself, and so is one that spaces,
/// `-` and a leading `+` are part of.
fn mentions(text: &str, number: &str) -> bool {
    let written = |c: char| c.is_ascii_digit() || matches!(c, ' ' | '-' | '+');
    let is_it = |run: &str| normalize_number(run) == number;
    text.split(|c: char| !written(c)).any(is_it) || text.split(|c: char| !c.is_ascii_digit()).any(is_it)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_found_however_it_is_written_and_not_inside_a_longer_one() {
        let number = normalize_number("+86 139-1111-2222");
        for text in [
            "13911112222",
            "+86 139 1111 2222",
            "8613911112222",
            "transferred to 139-1111-2222, then cut",
            "转接13911112222",
            "1779786101083-13911112222",
        ] {
            assert!(mentions(text, &number), "{text}");
        }
        for text in ["", "139111122223", "1139111122220", "1391111222", "2026-05-26 17:01:51"] {
            assert!(!mentions(text, &number), "{text}");
        }
    }
}
