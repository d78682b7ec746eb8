//! What two summaries say beside the discrepancies: the changes of their numbers and patterns, and
//! what makes the two runs hard to compare.

use std::collections::BTreeMap;

use chrono::DateTime;
use serde::Serialize;
use serde_json::{Map, Value};

use super::side::Side;
use crate::discrepancy_file::Known;
use crate::shown::shown;
use crate::words::{count, plural};

/// The numbers of the tie-out, by their keys in the summary.
const TIE_OUT: [&str; 18] = [
    "rows",
    "invalid",
    "duplicates",
    "calls",
    "found",
    "not_found",
    "pending",
    "failed",
    "deferred",
    "clean",
    "with_discrepancies",
    "not_compared",
    "discrepancies_total",
    "requests",
    "first_tries",
    "retries",
    "other_day_tries",
    "most_in_any_window",
];
/// The categories of the headline, by their keys in the summary.
const HEADLINE: [&str; 7] =
    ["agree", "differ", "not_compared", "missing", "waiting", "failed", "unusable_rows"];

/// A number of both summaries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct NumberChange {
    /// Its key in the summary.
    pub(crate) name: &'static str,
    pub(crate) before: u64,
    pub(crate) after: u64,
}

/// A pattern of one or both summaries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct PatternChange {
    /// Its name with its numbers and fields.
    pub(crate) pattern: String,
    /// Discrepancies that it explains.
    pub(crate) rows_before: u64,
    pub(crate) rows_after: u64,
}

/// The numbers and patterns of two summaries, also those without a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct SummaryChanges {
    pub(crate) headline: Vec<NumberChange>,
    pub(crate) tie_out: Vec<NumberChange>,
    pub(crate) patterns: Vec<PatternChange>,
}

impl SummaryChanges {
    /// Compares two summaries.
    pub(crate) fn new(before: &Value, after: &Value) -> Self {
        let numbers = |keys: &[&'static str], of: fn(&Value) -> &Value| {
            let number = |summary: &Value, key: &str| of(summary)[key].as_u64().unwrap_or(0);
            let change = |name: &&'static str| NumberChange {
                name,
                before: number(before, name),
                after: number(after, name),
            };
            keys.iter().map(change).collect()
        };
        Self {
            headline: numbers(&HEADLINE, |summary| &summary["headline"]),
            tie_out: numbers(&TIE_OUT, |summary| summary),
            patterns: patterns(before, after),
        }
    }
}

fn patterns(before: &Value, after: &Value) -> Vec<PatternChange> {
    let mut rows: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for (summary, is_after) in [(before, false), (after, true)] {
        for pattern in summary["patterns"].as_array().into_iter().flatten() {
            let (before, after) = rows.entry(pattern_name(pattern)).or_default();
            *(if is_after { after } else { before }) += pattern["rows"].as_u64().unwrap_or(0);
        }
    }
    let change = |(pattern, (rows_before, rows_after))| PatternChange { pattern, rows_before, rows_after };
    rows.into_iter().map(change).collect()
}

/// Such as `durations_rounded_up, increments 60/60, in duration_s`.
fn pattern_name(pattern: &Value) -> String {
    let mut name = text(&pattern["pattern"]);
    for key in ["hours", "seconds", "increments"] {
        let number = match &pattern[key] {
            Value::Number(number) if number.as_i64() != Some(0) => number.to_string(),
            Value::Array(numbers) if !numbers.is_empty() => {
                numbers.iter().map(Value::to_string).collect::<Vec<_>>().join("/")
            }
            Value::String(text) if !text.is_empty() => shown(text),
            _ => continue,
        };
        name += &format!(", {key} {number}");
    }
    let fields: Vec<String> = pattern["fields"].as_array().into_iter().flatten().map(text).collect();
    if fields.is_empty() { name } else { format!("{name}, in {}", fields.join(", ")) }
}

fn text(value: &Value) -> String {
    value.as_str().map(shown).unwrap_or_default()
}

/// Whether a run had receipts. One without a summary does not say.
pub(crate) fn may_have_receipts(summary: Option<&Value>) -> bool {
    summary.is_none_or(|summary| summary.get("receipts").is_some())
}

/// The note on calls missing in the ledger that B could not see, if there are any.
pub(crate) fn note_on_unseen(rows: u64) -> Option<String> {
    let rows = (rows > 0).then(|| plural(rows, "discrepancy"))?;
    Some(format!("{rows} of calls missing in the ledger could not be compared, because B had no receipts"))
}

/// What makes the two runs hard to compare, one sentence each without its full stop.
pub(crate) fn notes(
    (before, summary_before): (&Side, Option<&Value>),
    (after, summary_after): (&Side, Option<&Value>),
) -> Vec<String> {
    let mut notes = match (summary_before, summary_after) {
        (Some(before), Some(after)) => of_summaries(before, after),
        (None, None) => Vec::new(),
        (is_before, _) => {
            let side = if is_before.is_some() { "A" } else { "B" };
            vec![format!("only {side} has a summary, so headline, tie-out and patterns are not compared")]
        }
    };
    let has_accounts = [before, after].map(|side| side.rows == 0 || side.columns.has(Known::Account));
    if before.columns.has(Known::Account) != after.columns.has(Known::Account) && has_accounts != [true; 2] {
        let side = if has_accounts[0] { "A" } else { "B" };
        notes.push(format!("only {side} has a column `account`"));
    }
    for (side, name) in [(before, "A"), (after, "B")] {
        if side.rows > 0 && !side.columns.has(Known::SecondsAtStake) {
            notes.push(format!("{name} has no column `seconds_at_stake`, so its seconds count as 0"));
        }
    }
    notes
}

fn of_summaries(before: &Value, after: &Value) -> Vec<String> {
    let empty = Map::new();
    let (a, b) = (before.as_object().unwrap_or(&empty), after.as_object().unwrap_or(&empty));
    let (of_a, of_b) = (
        |key: &str| a.get(key).map_or_else(String::new, text),
        |key: &str| b.get(key).map_or_else(String::new, text),
    );
    let differ = |key: &str| a.get(key) != b.get(key);
    let mut notes = Vec::new();
    if !differ("run_id") {
        notes.push("A and B are the same run".to_owned());
    }
    let started = |text: &str| DateTime::parse_from_rfc3339(text).ok();
    if let (Some(a), Some(b)) = (started(&of_a("started_at")), started(&of_b("started_at")))
        && b < a
    {
        notes.push("B is older than A: what is called new is only in the older run".to_owned());
    }
    if differ("input_sha256") {
        notes.push(format!("the ledgers differ: {} in A, {} in B", of_a("input"), of_b("input")));
    }
    let accounts = [before, after].map(account_names);
    if accounts[0] != accounts[1] {
        notes.push(format!("the accounts differ: {} in A, {} in B", accounts[0], accounts[1]));
    }
    if differ("version") {
        notes.push(format!(
            "the versions of the program differ: {} wrote A, {} wrote B",
            of_a("version"),
            of_b("version")
        ));
    }
    let is_sandbox = |run: &Map<String, Value>| run.get("sandbox") == Some(&Value::Bool(true));
    match (is_sandbox(a), is_sandbox(b)) {
        (true, false) => notes.push("A has simulated answers, B real ones".to_owned()),
        (false, true) => notes.push("A has real answers, B simulated ones".to_owned()),
        _ => {}
    }
    if differ("mask_phones") {
        notes.push(format!(
            "phone numbers are masked in different ways ({} in A, {} in B): a value that has one looks changed, and a \
             call whose id has one looks new and resolved",
            of_a("mask_phones"),
            of_b("mask_phones")
        ));
    } else if differ("mask_key_id") {
        notes.push("the tokens of phone numbers have different keys, so no two of them are equal".to_owned());
    }
    for (run, name) in [(a, "A"), (b, "B")] {
        if run.get("complete") == Some(&Value::Bool(false)) {
            let because =
                run.get("incomplete_because").map_or_else(String::new, |why| format!(": {}", text(why)));
            notes.push(format!("{name} is incomplete{because}"));
        }
    }
    notes
}

/// The accounts that a summary names, or `none`.
fn account_names(summary: &Value) -> String {
    let names = summary["accounts"].as_array().into_iter().flatten().map(|account| text(&account["name"]));
    let names: Vec<String> = names.collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

/// `57`, or `57 -> 60` if the two differ.
pub(crate) fn arrow(before: u64, after: u64) -> String {
    if before == after { count(after) } else { format!("{} -> {}", count(before), count(after)) }
}
