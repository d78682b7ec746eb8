//! Tariffs and the provider's bill: amounts of calls, their sums, and the rounding that gives the
//! bill.

mod bill;
mod docs;
mod mistakes;
mod tariff;

use std::collections::BTreeMap;
use std::fs;

use serde_json::{Value, json};

use crate::support::provider::Reply;
use crate::support::{Bench, id};

/// A tariff of 0.055 a begun minute, and the product of a billing item.
const CONFIG: &str = "[tariff.\"voice-notification\"]\nfirst = 60\nnext = 60\nprice = \"0.055\"\ncurrency = \"CNY\"\n\n\
                      [bill]\nvoice_min = \"voice-notification\"\n";

/// A call: its day, and the seconds of ledger and provider. Without the latter there is no record.
type Call = (&'static str, Option<i64>, Option<i64>);

/// Six calls, of which five have a record.
const CALLS: [Call; 6] = [
    ("2024-05-26", Some(61), Some(61)),
    ("2024-05-26", Some(60), Some(61)),
    ("2024-05-26", Some(121), Some(120)),
    ("2024-05-26", Some(59), None),
    ("2024-05-27", None, Some(5)),
    ("2024-05-27", Some(0), Some(0)),
];

/// A folder with a ledger of these calls and a provider with their records.
fn bench(calls: &[Call]) -> Bench {
    let mut ledger = String::from("call_id,product,called_at,duration\n");
    for (no, (day, duration_s, _)) in calls.iter().enumerate() {
        let duration = duration_s.map(|seconds| seconds.to_string()).unwrap_or_default();
        ledger += &format!("{},voice-notification,{day} 10:00:00,{duration}\n", id(no));
    }
    let bench = Bench::new(&ledger);
    for (no, (day, _, seconds)) in calls.iter().enumerate() {
        let reply = seconds.map_or_else(Reply::without_data, |seconds| {
            let state = if seconds > 0 { "200000" } else { "200002" };
            Reply::ok(&json!({
                "callId": id(no), "gmtCreate": format!("{day} 10:00:00"), "duration": seconds, "state": state
            }))
        });
        bench.provider.script(&id(no), [reply]);
    }
    bench.write("money.toml", CONFIG);
    bench
}

/// The amounts on the page by their places in the summary.
fn on_page(bench: &Bench) -> BTreeMap<String, String> {
    let page = fs::read_to_string(bench.path("details.report.html")).unwrap();
    let parts = page.split("<data value=\"").skip(1).filter_map(|part| {
        let (value, rest) = part.split_once('"')?;
        let at = rest.strip_prefix(" data-at=\"")?.split('"').next()?;
        at.starts_with("/money/").then(|| (at.to_owned(), value.to_owned()))
    });
    parts.collect()
}

/// Asserts that every amount of the page is that of the summary. Returns their number.
#[track_caller]
fn assert_page(bench: &Bench) -> usize {
    let (summary, page) = (bench.summary().0, on_page(bench));
    for (at, value) in &page {
        let expected = match summary.pointer(at).unwrap_or_else(|| panic!("no {at}")) {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        assert_eq!(value, &expected, "{at}");
    }
    page.len()
}
