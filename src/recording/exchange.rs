//! One question and its answer, as a line of a recording.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

/// One question and its answer.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct Exchange {
    /// `CallId`.
    pub call_id: String,
    /// `ProdId`.
    pub prod_id: i64,
    /// The day asked for (UTC+8).
    pub day: NaiveDate,
    /// HTTP status; `None` if no answer came.
    pub status: Option<u16>,
    /// The headers that decide how the answer is handled; names in lower case.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) body: Option<String>,
    /// A body that is not UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) body_base64: Option<String>,
}

impl Exchange {
    /// A question without an answer.
    #[must_use]
    pub fn lost(call_id: &str, prod_id: i64, day: NaiveDate) -> Self {
        let (call_id, headers) = (call_id.to_owned(), BTreeMap::new());
        Self { call_id, prod_id, day, status: None, headers, body: None, body_base64: None }
    }

    /// The same question with this answer.
    #[must_use]
    pub fn answered(mut self, status: u16, body: &[u8]) -> Self {
        (self.status, self.body, self.body_base64) = (Some(status), None, None);
        match std::str::from_utf8(body) {
            Ok(text) => self.body = Some(text.to_owned()),
            Err(_) => self.body_base64 = Some(STANDARD.encode(body)),
        }
        self
    }

    /// The bytes of the answer's body.
    #[must_use]
    pub fn body(&self) -> Vec<u8> {
        match &self.body_base64 {
            Some(encoded) => STANDARD.decode(encoded).unwrap_or_default(),
            None => self.body.clone().unwrap_or_default().into_bytes(),
        }
    }
}
