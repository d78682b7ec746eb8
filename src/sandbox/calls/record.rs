//! A call record as the provider writes it, and changes to its text.

use chrono::{NaiveDateTime, TimeDelta};
use serde::Serialize;
use serde_json::Value;

use reconcile_core::calendar::{from_provider_local, provider_text};

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

/// `Data` with a talk that is 7 seconds longer; of an unanswered call, with another description.
pub(crate) fn amended(data: &str) -> String {
    let Ok(record) = serde_json::from_str::<Value>(data) else { return data.to_owned() };
    let text = |name: &str| record[name].as_str().unwrap_or_default();
    match record["duration"].as_i64().filter(|seconds| *seconds > 0) {
        None => with_fields(data, &[("stateDesc", format!("{}（更正）", text("stateDesc")).into())]),
        Some(seconds) => {
            let ends = ["endDate", "bEndTime"].into_iter().filter(|name| record[name].is_string());
            let ends = ends.map(|name| (name, later(text(name), 7).into()));
            let fields: Vec<(&str, Value)> = ends.chain([("duration", (seconds + 7).into())]).collect();
            with_fields(data, &fields)
        }
    }
}

/// A time some seconds later. Text that is not a time is returned unchanged.
pub(in crate::sandbox) fn later(text: &str, seconds: i64) -> String {
    let time = NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S");
    time.map_or_else(
        |_| text.to_owned(),
        |time| provider_text(from_provider_local(time) + TimeDelta::seconds(seconds)).into(),
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
