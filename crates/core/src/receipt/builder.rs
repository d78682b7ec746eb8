//! Reads the values of a receipt, one after the other.
//!
//! The rules for values are those of the ledger: `="0571"`, `１０`, `10.0` and a time with a zone
//! are read, an empty text and `NULL` are no value. Scientific notation is an error.

use chrono::SubsecRound as _;
use compact_str::{CompactString, ToCompactString as _};

use super::field::{FIELDS, InputName, ReceiptField};
use super::problem::ReceiptProblem;
use super::value::Receipt;
use crate::calendar::provider_text;
use crate::data_fields::LONGEST_CALL_S;
use crate::ledger_row::LedgerTime;
use crate::ledger_times::YEARS;
use crate::ledger_values::{bare, check_call_id, is_null, number_text, seconds, time};
use crate::quick_parse::{self, trimmed};

/// The state code of a key press. It is an event, not the result of a call.
const KEY_PRESS: &str = "300000";

/// A receipt whose values are being read.
#[derive(Debug, Default)]
pub struct ReceiptBuilder {
    values: [Option<CompactString>; FIELDS.len()],
    /// `ring_time`, which counts only without `b_ring_time`.
    ring_time: Option<CompactString>,
    is_other_message: bool,
}

impl ReceiptBuilder {
    /// Adds a value. A number is given as its text.
    ///
    /// # Errors
    ///
    /// The value has not the form of its field, or another value of the field came before.
    pub fn add(&mut self, name: InputName, text: &str) -> Result<(), ReceiptProblem> {
        let text = bare(text);
        if text.is_empty() || is_null(text) {
            return Ok(());
        }
        let field = match name {
            InputName::Field(field) => field,
            InputName::RingTime => ReceiptField::RingTime,
            InputName::Unused => return Ok(()),
            InputName::OtherMessage => {
                self.is_other_message = true;
                return Ok(());
            }
        };
        let Some(value) = value_of(field, text)? else { return Ok(()) };
        let place = match name {
            InputName::RingTime => &mut self.ring_time,
            _ => &mut self.values[field as usize],
        };
        match place.replace(value) {
            Some(before) if place.as_ref() != Some(&before) => Err(ReceiptProblem::Twice(field)),
            _ => Ok(()),
        }
    }

    /// The receipt.
    ///
    /// # Errors
    ///
    /// It has no CallId, nothing else, neither time nor state, or is another message.
    pub fn finish(mut self) -> Result<Receipt, ReceiptProblem> {
        let is_key_press = self.values[ReceiptField::StatusCode as usize].as_deref() == Some(KEY_PRESS);
        if self.is_other_message || is_key_press {
            return Err(ReceiptProblem::OtherMessage);
        }
        let ring_time = &mut self.values[ReceiptField::RingTime as usize];
        *ring_time = ring_time.take().or(self.ring_time);
        let receipt = Receipt::of_values(self.values).ok_or(ReceiptProblem::NoCallId)?;
        // Every push has both. Other lists of calls may have all other names.
        let marks = [ReceiptField::OriginateTime, ReceiptField::StatusCode];
        let has = |field: ReceiptField| receipt.text(field).is_some();
        match (marks.into_iter().any(has), FIELDS.into_iter().skip(1).any(has)) {
            (true, _) => Ok(receipt),
            (false, true) => Err(ReceiptProblem::NoReceipt),
            (false, false) => Err(ReceiptProblem::Empty),
        }
    }
}

/// The value of a field in its one form, such as `2026-11-16 10:00:08` and `49`; `None` for a word
/// without a meaning.
fn value_of(field: ReceiptField, text: &str) -> Result<Option<CompactString>, ReceiptProblem> {
    use ReceiptField as F;
    Ok(match field {
        F::CallId => {
            check_call_id(text).map_err(|_| ReceiptProblem::BadCallId)?;
            if text.contains('*') || !text.bytes().any(|byte| byte.is_ascii_digit()) {
                return Err(ReceiptProblem::BadCallId);
            }
            Some(text.into())
        }
        F::Duration => Some(seconds_text(text).ok_or(ReceiptProblem::NotSeconds(field))?),
        F::HangupDirection => direction(text).map(Into::into),
        F::StatusMsg => Some(trimmed(text).into()),
        field if field.is_time() => Some(time_text(text).ok_or(ReceiptProblem::NotATime(field))?),
        // A state or a phone number.
        _ => Some(number_text(field.name(), text).map_err(|_| ReceiptProblem::NotAValue(field))?),
    })
}

/// Whole seconds, also with `秒`, in digits.
fn seconds_text(text: &str) -> Option<CompactString> {
    let number = text.strip_suffix('秒').map_or(text, str::trim_end);
    let seconds =
        seconds("duration", number).ok().filter(|seconds| (0..=LONGEST_CALL_S).contains(seconds))?;
    Some(seconds.to_compact_string())
}

/// A time in whole seconds, as the provider writes it.
fn time_text(text: &str) -> Option<CompactString> {
    if quick_parse::local_time(text).is_some_and(|local| YEARS.contains(&chrono::Datelike::year(&local))) {
        return Some(text.into());
    }
    let instant = time("time", text).ok().map(|parsed| parsed.time).and_then(LedgerTime::instant)?;
    Some(provider_text(instant.trunc_subsecs(0)))
}

/// Who hung up, as a record says it: 0 is the callee, 1 the caller.
fn direction(text: &str) -> Option<&'static str> {
    match text {
        "0" | "用户" | "User" | "user" | "bleg" => Some("0"),
        "1" | "机器" | "aleg" => Some("1"),
        _ => None,
    }
}
