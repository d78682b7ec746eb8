//! A call record as the provider writes it, and changes to its text.

use serde::Serialize;
use serde_json::Value;

/// A call record with the provider's names and order of fields.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CallRecord {
    pub(super) call_id: String,
    pub(super) end_date: String,
    pub(super) state_desc: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) caller: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) caller_show_number: Option<String>,
    pub(super) callee: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) b_start_time: Option<String>,
    pub(super) gmt_create: String,
    pub(super) duration: i64,
    pub(super) callee_show_number: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) b_ring_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) b_end_time: Option<String>,
    pub(super) state: String,
    pub(super) start_date: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) hangup_direction: Option<u8>,
}

impl CallRecord {
    /// The text of `Data`.
    pub(super) fn data(&self) -> String {
        // Serializing text and numbers cannot fail.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// `Data` of a call in progress: its state is not final.
pub(crate) fn interim(data: &str) -> String {
    let empty = || Value::from("");
    with_fields(
        data,
        &[
            ("state", "200103".into()),
            ("stateDesc", "呼叫建立,正在通话".into()),
            ("duration", 0.into()),
            ("startDate", empty()),
            ("endDate", empty()),
        ],
    )
}

/// `Data` with a state code that no table of the provider has.
pub(crate) fn with_unknown_state(data: &str) -> String {
    with_fields(data, &[("state", "502".into()), ("stateDesc", "502".into())])
}

/// `Data` with typographic quotes, as the provider's own page prints it. It is not JSON.
pub(crate) fn malformed(data: &str) -> String {
    data.replace("{\"", "{“").replace('"', "”")
}

/// `Data` with some fields replaced. Text that is not a JSON object is returned unchanged.
fn with_fields(data: &str, fields: &[(&str, Value)]) -> String {
    let Ok(Value::Object(mut record)) = serde_json::from_str(data) else { return data.to_owned() };
    for (name, value) in fields {
        record.insert((*name).to_owned(), value.clone());
    }
    Value::Object(record).to_string()
}
