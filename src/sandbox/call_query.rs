//! Which call a request asks for, and on which day.

use chrono::{DateTime, NaiveDate};

use super::refusal::Refusal;
use super::request::Params;
use reconcile_core::calendar::day_of;

/// The parameters of `QueryCallDetailByCallId`.
#[derive(Debug, Clone, Copy)]
pub(super) struct CallQuery<'a> {
    /// `CallId`.
    pub(super) call_id: &'a str,
    /// `ProdId`.
    pub(super) prod_id: i64,
    /// The day of `QueryDate` (UTC+8).
    pub(super) day: NaiveDate,
}

impl<'a> CallQuery<'a> {
    /// Reads the parameters of an admitted request.
    ///
    /// # Errors
    ///
    /// A parameter is missing or wrong.
    pub(super) fn read(params: &'a Params) -> Result<Self, Refusal> {
        let call_id = params.need("CallId")?;
        let number = |name: &str| {
            let text = params.need(name)?;
            let digits = text.bytes().all(|b| b.is_ascii_digit());
            let number = text.parse::<i64>().ok().filter(|n| digits && *n > 0);
            number.ok_or_else(|| Refusal::new(400, "InvalidParameters", format!("{name} is not a number.")))
        };
        let prod_id = number("ProdId")?;
        let instant = DateTime::from_timestamp_millis(number("QueryDate")?);
        let day = instant
            .map(day_of)
            .ok_or_else(|| Refusal::new(400, "InvalidParameter.date", "date not invalid."))?;
        Ok(Self { call_id, prod_id, day })
    }
}
