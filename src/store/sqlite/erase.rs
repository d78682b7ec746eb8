//! Erases old calls, and answers that contain a phone number. Afterwards no page of the file
//! contains the erased data.

use chrono::{NaiveDate, TimeDelta};
use reconcile_core::answer::{AnswerKind, NewAnswer};
use reconcile_core::phone::normalize_number;
use rusqlite::{Connection, params};

use super::call_row::{COLUMNS, answer_of, key_of};
use super::checksum::checksum;
use super::database::Database;
use super::units::time_us;
use crate::clock::Moment;
use crate::error::Result;
use crate::store::erased::Erased;

/// Requests younger than this are kept: the cap of the next runs counts them. Of this boot the boot
/// clock says how old they are, so a wrong wall clock deletes none of them.
const KEPT_FOR_THE_CAP: TimeDelta = TimeDelta::days(2);
/// The code of an answer that was erased on request.
const FORGOTTEN: &str = "Forgotten";

/// The number of erased rows.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ErasedRows {
    calls: usize,
    requests: usize,
}

/// Erases rows in one transaction, then shrinks the file.
///
/// # Errors
///
/// Exit 6 if the store cannot be written.
pub(super) fn erase(
    database: &Database,
    work: impl FnOnce(&Connection) -> rusqlite::Result<ErasedRows>,
) -> Result<Erased> {
    let size = || std::fs::metadata(database.path()).map_or(0, |file| file.len());
    let bytes_before = size();
    let ErasedRows { calls, requests } = database.write(work)?;
    database.shrink()?;
    Ok(Erased { calls: calls as u64, requests: requests as u64, bytes_before, bytes_after: size() })
}

/// Deletes the calls of days before this one, and the requests of sessions that are older.
///
/// The requests of a session are deleted together. So each session is recorded whole or not at all,
/// and the audit can tell a purged session from a damaged one.
pub(super) fn purge(
    c: &Connection,
    before: NaiveDate,
    boot_id: &str,
    now: Moment,
) -> rusqlite::Result<ErasedRows> {
    let day = before.to_string();
    // SQLite can give the number of a deleted call to a later call. So kept requests no longer
    // refer to their call.
    c.execute(
        "UPDATE request SET call_no = 0 WHERE call_no IN (SELECT call_no FROM call WHERE call_date < ?1)",
        [&day],
    )?;
    let calls = c.execute("DELETE FROM call WHERE call_date < ?1", [&day])?;
    c.execute("DELETE FROM open_item WHERE call_date < ?1", [&day])?;
    // The newest requests stay: the cap of the next session counts them, and the next request must
    // not get the number of a deleted one. A window of a session never held more than its cap.
    let requests = c.execute(
        "DELETE FROM request WHERE session_no IN (
           SELECT session_no FROM request JOIN session USING (session_no) GROUP BY session_no
           HAVING max(call_no) = 0
              AND max(sent_at) < ?1
              AND (boot_id <> ?2 OR max(sent_boot_us) < ?3)
              AND max(request_no) <= (SELECT max(request_no) FROM request)
                                     - 2 * (SELECT max(cap_requests) FROM session))",
        params![
            time_us(now.wall - KEPT_FOR_THE_CAP),
            boot_id,
            now.boot_us - KEPT_FOR_THE_CAP.num_microseconds().unwrap_or(i64::MAX)
        ],
    )?;
    Ok(ErasedRows { calls, requests })
}

/// Erases the answers that contain a phone number. A permanent error replaces them, so their calls
/// are not asked again.
pub(super) fn forget(c: &Connection, number: &str) -> rusqlite::Result<ErasedRows> {
    let number = normalize_number(number);
    let mut rows =
        c.prepare(&format!("SELECT {COLUMNS} FROM call WHERE data IS NOT NULL OR message IS NOT NULL"))?;
    let mut rows = rows.query([])?;
    let mut forget = c.prepare(
        "UPDATE call SET answer = ?2, next_date = NULL, request_id = NULL, code = ?3, message = ?4, data = NULL,
                         checksum = ?5 WHERE call_no = ?1",
    )?;
    let mut erased = ErasedRows::default();
    while let Some(row) = rows.next()? {
        let (Some(key), Some(stored)) = (key_of(row)?, answer_of(row)?) else { continue };
        if !is_in_answer(&number, &stored.answer) {
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
        erased.calls += 1;
    }
    Ok(erased)
}

/// True if an answer contains the number in any notation: as a value of its record, inside a
/// longer text, or in `Data` that is not JSON.
fn is_in_answer(number: &str, answer: &NewAnswer) -> bool {
    let is_in_data = answer.data.as_deref().is_some_and(|data| match serde_json::from_str(data) {
        Ok(record) => is_in_value(number, &record),
        Err(_) => is_in_text(number, data),
    });
    is_in_data || is_in_text(number, &answer.message)
}

fn is_in_value(number: &str, value: &serde_json::Value) -> bool {
    match value {
        serde_json::Value::String(text) => is_in_text(number, text),
        serde_json::Value::Number(n) => is_in_text(number, &n.to_string()),
        serde_json::Value::Array(items) => items.iter().any(|item| is_in_value(number, item)),
        serde_json::Value::Object(fields) => fields.values().any(|field| is_in_value(number, field)),
        serde_json::Value::Null | serde_json::Value::Bool(_) => false,
    }
}

/// True if the text contains the number. Two notations are recognized: digits only, and digits with
/// spaces, `-` and `+` between them.
fn is_in_text(number: &str, text: &str) -> bool {
    let is_notation = |c: char| c.is_ascii_digit() || matches!(c, ' ' | '-' | '+');
    let is_it = |run: &str| normalize_number(run) == number;
    text.split(|c: char| !is_notation(c)).any(is_it) || text.split(|c: char| !c.is_ascii_digit()).any(is_it)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_found_in_every_notation() {
        let number = normalize_number("+86 139-1111-2222");
        for text in [
            "13911112222",
            "+86 139 1111 2222",
            "8613911112222",
            "transferred to 139-1111-2222, then cut",
            "转接13911112222",
            "1779786101083-13911112222",
        ] {
            assert!(is_in_text(&number, text), "{text}");
        }
    }

    #[test]
    fn a_number_inside_a_longer_one_is_not_found() {
        let number = normalize_number("+86 139-1111-2222");
        for text in ["", "139111122223", "1139111122220", "1391111222", "2026-05-26 17:01:51"] {
            assert!(!is_in_text(&number, text), "{text}");
        }
    }
}
