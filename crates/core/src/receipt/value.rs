//! A receipt: its values, and the call that it answers.

use std::fmt::Write as _;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use compact_str::CompactString;

use super::field::{FIELDS, ReceiptField};
use crate::answer::{AnswerKind, NewAnswer};
use crate::calendar::{day_of, from_provider_local, midnight_ms};
use crate::call::{CallKey, called_at_of};
use crate::detail::CallDetail;
use crate::normalize::{Malformed, normalize};
use crate::quick_parse;

/// How long after the request was accepted a call may be sent to the carrier.
const SENT_WITHIN: TimeDelta = TimeDelta::minutes(1);

/// A receipt. Every value has one form: times are `YYYY-MM-DD HH:MM:SS` in UTC+8, seconds are
/// digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    values: [Option<CompactString>; FIELDS.len()],
}

impl Receipt {
    /// `None` without a CallId.
    pub(super) fn of_values(values: [Option<CompactString>; FIELDS.len()]) -> Option<Self> {
        values[ReceiptField::CallId as usize].is_some().then_some(Self { values })
    }

    /// The receipt with these values, in the order of [`FIELDS`]; an empty text is none. `None`
    /// without a CallId.
    ///
    /// The values must come from [`Self::texts`]: their form is not checked.
    #[must_use]
    pub fn of_texts(texts: &[&str]) -> Option<Self> {
        let mut values: [Option<CompactString>; FIELDS.len()] = Default::default();
        for (value, text) in values.iter_mut().zip(texts) {
            *value = Some(*text).filter(|text| !text.is_empty()).map(Into::into);
        }
        Self::of_values(values)
    }

    /// The values in the order of [`FIELDS`], without the empty ones at the end.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        let last = self.values.iter().rposition(Option::is_some).unwrap_or(0);
        self.values[..=last].iter().map(|value| value.as_deref().unwrap_or_default())
    }

    /// The text of a field.
    #[must_use]
    pub fn text(&self, field: ReceiptField) -> Option<&str> {
        self.values[field as usize].as_deref()
    }

    pub(super) fn set(&mut self, field: ReceiptField, text: &str) {
        self.values[field as usize] = Some(text.into());
    }

    /// The CallId.
    #[must_use]
    pub fn call_id(&self) -> &str {
        self.text(ReceiptField::CallId).unwrap_or_default()
    }

    /// The instant of a field with a time.
    #[must_use]
    pub fn time(&self, field: ReceiptField) -> Option<DateTime<Utc>> {
        quick_parse::local_time(self.text(field)?).map(from_provider_local)
    }

    /// When the call was sent to the carrier, some seconds after the request was accepted. Without
    /// that time, the first time in the receipt, or the one in the CallId.
    #[must_use]
    pub fn sent_at(&self) -> Option<DateTime<Utc>> {
        let first = || FIELDS.into_iter().filter(|f| f.is_time()).filter_map(|f| self.time(f)).min();
        let originated = self.time(ReceiptField::OriginateTime);
        originated.or_else(first).or_else(|| called_at_of(self.call_id()))
    }

    /// The day in UTC+8 on which the call was sent to the carrier.
    #[must_use]
    pub fn day(&self) -> Option<NaiveDate> {
        self.sent_at().map(day_of)
    }

    /// The first and the last day on which the request may have been accepted.
    #[must_use]
    pub fn days(&self) -> Option<(NaiveDate, NaiveDate)> {
        let day = self.day()?;
        let first = if self.surely_on().is_some() { day } else { day.pred_opt()? };
        Some((first, day))
    }

    /// The day of the call, if there is no doubt.
    ///
    /// The day on which the request was accepted decides. A call that was sent within a minute
    /// after midnight may have been accepted on the day before.
    #[must_use]
    pub fn surely_on(&self) -> Option<NaiveDate> {
        let (sent_at, day) = (self.sent_at()?, self.day()?);
        let midnight = DateTime::from_timestamp_millis(midnight_ms(day))?;
        (sent_at - midnight >= SENT_WITHIN).then_some(day)
    }

    /// True if the receipt answers this call of a ledger: CallId and day are equal, whatever the
    /// product is. A receipt whose day is in doubt answers no call: the operation is asked.
    #[must_use]
    pub fn answers(&self, key: &CallKey) -> bool {
        self.call_id() == key.call_id && self.surely_on() == Some(key.day)
    }

    /// The receipt as JSON, which [`normalize`] reads. Masked phone numbers are left out, because
    /// they would differ from every number.
    #[must_use]
    pub fn to_data(&self) -> String {
        let mut data = String::from("{");
        for field in FIELDS {
            let Some(text) = self.text(field).filter(|text| !is_masked(field, text)) else { continue };
            let separator = if data.len() > 1 { "," } else { "" };
            // Neither writing to a text nor quoting one can fail.
            let _ = match field {
                ReceiptField::Duration | ReceiptField::HangupDirection => {
                    write!(data, "{separator}\"{}\":{text}", field.name())
                }
                _ => {
                    let quoted = serde_json::to_string(text).unwrap_or_default();
                    write!(data, "{separator}\"{}\":{quoted}", field.name())
                }
            };
        }
        data + "}"
    }

    /// Stored data of a receipt as an answer. The kind of such an answer follows from its data, by
    /// [`kind_today`](crate::settle::kind_today). Without a state, nobody knows whether it is
    /// final.
    #[must_use]
    pub fn answer_of(data: String, day: NaiveDate) -> NewAnswer {
        let has_state = data.contains(r#""status_code":"#);
        NewAnswer {
            kind: if has_state { AnswerKind::Final } else { AnswerKind::Interim },
            found_date: day,
            next_date: None,
            request_id: None,
            code: CompactString::default(),
            message: CompactString::default(),
            data: Some(data),
        }
    }

    /// What the receipt says of the call, as a record would.
    ///
    /// # Errors
    ///
    /// None for a receipt that was read: its values have the form that a record's have.
    pub fn detail(&self) -> Result<CallDetail, Malformed> {
        normalize(&self.to_data())
    }
}

/// True for a phone number with masked digits, such as `130****0000`.
pub(super) fn is_masked(field: ReceiptField, text: &str) -> bool {
    field.is_number() && text.contains('*')
}
