//! The provider's bill against the calls.

use std::fs;

use serde_json::{Value, json};

use super::{CALLS, Call, assert_page, bench};
use crate::support::provider::Reply;
use crate::support::{Bench, id};

const HEADER: &str = "BillingDate,BillingItemCode,BillingItem,Item,Usage,UsageUnit,ListPrice,PretaxGrossAmount,\
                      PretaxAmount,DeductedByCoupons,DeductedByResourcePackage,Currency\n";

/// A row of use of the item with a product.
fn used(day: &str, minutes: &str, amount: &str) -> String {
    format!("{day},voice_min,语音通知,PayAsYouGoBill,{minutes},分钟,0.06,{amount},{amount},0,0,CNY\n")
}

/// The rule of a product.
fn named(result: &str, rules: &[&str], closest: &str, off_s: &str) -> Value {
    json!({"result": result, "rules": rules, "closest": closest, "closest_off_s": off_s})
}

/// Runs with this bill. Returns `bill` of the summary and standard error.
fn billed(bench: &Bench, text: &str) -> (Value, String) {
    bench.write("bill.csv", text);
    let run = bench.run(&["--config", "money.toml", "--bill", "bill.csv"]).exits(0);
    (bench.summary().0["money"]["bill"].clone(), run.stderr)
}

#[test]
fn sums_are_compared_and_the_rounding_is_named() {
    let bench = bench(&CALLS);
    let text = [
        HEADER.to_owned(),
        used("2024-05-26", "6", "0.33"),
        used("2024-05-27", "1", "0.055"),
        used("2024-05-28", "9", "0.495"),
        "2024-05-26,voice_min,语音通知,Refund,,,,-1.5,-1.5,0,0,CNY\n".to_owned(),
        "2024-05-26,ecs.g7,云服务器,PayAsYouGoBill,24,小时,1,24,20,4,0,CNY\n".to_owned(),
    ];
    let (bill, stderr) = billed(&bench, &text.concat());
    let product = &bill["by_product"][0];
    for (key, value) in [
        ("days", json!(2)),
        ("calls", json!(6)),
        ("computed", json!("0.385000")),
        ("billed", json!("0.385000")),
        ("difference", json!("0.000000")),
        ("incomplete_days", json!(0)),
        ("rule", named("found", &["call_60_60"], "call_60_60", "0.000000")),
    ] {
        assert_eq!(product[key], value, "{key}: {bill:#}");
    }
    assert_eq!((&bill["rows"], &bill["other_days"]), (&json!(5), &json!(1)));
    assert_eq!(bill["other_billed"]["billed"], "0.495000");
    let (apart, unmapped) = (&bill["apart"][0], &bill["unmapped"][0]);
    assert_eq!((&apart["origin"], &apart["billed"]), (&json!("refund"), &json!("-1.500000")));
    assert_eq!((&unmapped["item"], &unmapped["billed"]), (&json!("ecs.g7"), &json!("24.000000")));
    assert!(stderr.contains("items of the bill belong to no product: ecs.g7 (24.00 CNY)"), "{stderr}");
    assert!(assert_page(&bench) > 30);
    let page = fs::read_to_string(bench.path("details.report.html")).unwrap();
    assert!(page.contains("each call to whole minutes"));
}

#[test]
fn a_difference_is_shown_by_day() {
    let bench = bench(&CALLS);
    let text = [HEADER.to_owned(), used("2024-05-26", "7", "0.385"), used("2024-05-27", "1", "0.055")];
    let (bill, _) = billed(&bench, &text.concat());
    let days = bill["by_day"].as_array().unwrap();
    let differences: Vec<&str> = days.iter().map(|day| day["difference"].as_str().unwrap()).collect();
    assert_eq!(differences, ["0.055000", "0.000000"]);
    assert_eq!(bill["by_product"][0]["rule"], named("none", &[], "call_60_60", "60.000000"));
    assert_page(&bench);
}

#[test]
fn every_rounding_is_recognized_by_its_bill() {
    const CALLS: [Call; 5] = [
        ("2024-05-26", Some(61), Some(61)),
        ("2024-05-26", Some(20), Some(20)),
        ("2024-05-26", Some(121), Some(121)),
        ("2024-05-27", Some(5), Some(5)),
        ("2024-05-27", Some(35), Some(35)),
    ];
    for (rule, minutes) in [
        ("call_60_60", ["6", "2"]),
        // 66 + 24 + 126 seconds, and 6 + 36.
        ("call_6_6", ["3.6", "0.7"]),
        // 66 + 30 + 126 seconds, and 30 + 36.
        ("call_30_6", ["3.7", "1.1"]),
        // 202 and 40 seconds.
        ("seconds", ["3.366667", "0.666667"]),
        ("day_60", ["4", "1"]),
    ] {
        let bench = bench(&CALLS);
        let text =
            [HEADER.to_owned(), used("2024-05-26", minutes[0], "1"), used("2024-05-27", minutes[1], "1")];
        let (bill, _) = billed(&bench, &text.concat());
        let found = &bill["by_product"][0]["rule"];
        assert_eq!((&found["result"], &found["rules"]), (&json!("found"), &json!([rule])), "{bill:#}");
    }
}

#[test]
fn a_bill_alone_needs_no_tariff() {
    let bench = bench(&CALLS);
    bench.write("money.toml", "[bill]\n\"语音通知\" = \"voice-notification\"\n");
    let text = [HEADER.to_owned(), used("2024-05-26", "6", "0.33"), used("2024-05-27", "1", "0.055")];
    let (bill, _) = billed(&bench, &text.concat());
    assert_eq!(bill["by_product"][0]["rule"]["rules"], json!(["call_60_60"]));
    let product = &bill["by_product"][0];
    assert_eq!((&bill["by_day"][0]["computed"], &product["computed"]), (&Value::Null, &Value::Null));
    assert_eq!((&product["difference"], &product["billed"]), (&Value::Null, &json!("0.385000")));
    assert!(!bench.details()[0].contains_key("amount"));
    assert_page(&bench);
}

#[test]
fn a_bill_that_is_not_compared_is_named() {
    let bench = bench(&CALLS);
    let (bill, stderr) = billed(&bench, HEADER);
    assert_eq!((&bill["rows"], &bill["by_product"][0]["difference"]), (&json!(0), &Value::Null));
    assert!(stderr.contains("the bill has no rows, so nothing is compared with it"), "{stderr}");
    let dollars = HEADER.to_owned() + &used("2024-05-26", "6", "0.33").replace("CNY", "USD");
    let (bill, stderr) = billed(&bench, &dollars);
    assert_eq!(bill["by_product"][0]["difference"], Value::Null);
    assert!(stderr.contains("the bill of 1 day is in another currency than the tariff"), "{stderr}");
}

#[test]
fn a_day_with_a_failed_call_proves_nothing() {
    let bench = bench(&CALLS);
    let ledger = fs::read_to_string(bench.path("calls.csv")).unwrap();
    bench.write("calls.csv", &format!("{ledger}{},voice-notification,2024-05-26 11:00:00,7\n", id(9)));
    bench.provider.script(&id(9), [Reply::code(400, "isv.INVALID", "no")]);
    let text = [HEADER.to_owned(), used("2024-05-26", "6", "0.33"), used("2024-05-27", "1", "0.055")];
    let (bill, _) = billed(&bench, &text.concat());
    let product = &bill["by_product"][0];
    assert_eq!((&product["incomplete_days"], &product["rule"]["result"]), (&json!(1), &json!("ambiguous")));
}

#[test]
fn several_bills_in_other_forms_are_one() {
    let bench = bench(&CALLS);
    let day = |day: &str, minutes: &str| {
        format!(
            "账号,UsageStartTime,UsageEndTime,BillingItem,Usage,UsageUnit,PretaxAmount\n\
             1,{day} 00:00:00,{day} 23:59:59,语音通知,{minutes},分钟,0.055\n"
        )
    };
    bench.write("money.toml", "[bill]\n\"语音通知\" = \"voice-notification\"\n");
    let text = day("2024-05-26", "6");
    let (gb18030, _, _) = encoding_rs::GB18030.encode(&text);
    fs::write(bench.path("may.csv"), gb18030).unwrap();
    bench.write("june.csv", &day("2024-05-27", "1"));
    bench.run(&["--config", "money.toml", "--bill", "may.csv", "--bill", "june.csv"]).exits(0);
    let bill = &bench.summary().0["money"]["bill"];
    assert_eq!((&bill["rows"], &bill["by_product"][0]["rule"]["rules"]), (&json!(2), &json!(["call_60_60"])));
}

#[test]
fn each_currency_of_a_product_has_its_line() {
    let bench = bench(&CALLS);
    let tariff = |currency: &str, price: &str, days: &str| {
        format!(
            "[[tariff.\"voice-notification\"]]\nfirst = 60\nnext = 60\nprice = \"{price}\"\n\
             currency = \"{currency}\"\n{days}\n"
        )
    };
    let config = tariff("CNY", "0.055", "") + &tariff("USD", "0.01", "from = 2024-05-27");
    bench.write("money.toml", &(config + "[bill]\nvoice_min = \"voice-notification\"\n"));
    let dollars = used("2024-05-27", "1", "0.02").replace("CNY", "USD");
    let (bill, _) = billed(&bench, &(HEADER.to_owned() + &used("2024-05-26", "6", "0.33") + &dollars));
    let keys = ["name", "currency", "days", "calls", "computed", "billed", "difference"];
    let lines = bill["by_product"].as_array().unwrap().iter();
    let lines: Vec<[Value; 7]> = lines.map(|line| keys.map(|key| line[key].clone())).collect();
    let line = |currency: &str, calls: u64, [computed, billed, difference]: [&str; 3]| {
        json!(["voice-notification", currency, 1, calls, computed, billed, difference])
    };
    let wanted = json!([
        line("CNY", 4, ["0.330000", "0.330000", "0.000000"]),
        line("USD", 2, ["0.010000", "0.020000", "0.010000"]),
    ]);
    assert_eq!(json!(lines), wanted, "{bill:#}");
    assert_page(&bench);
    let page = fs::read_to_string(bench.path("details.report.html")).unwrap();
    let table = page.split_once("id=\"h-bill\"").unwrap().1.split_once("</table>").unwrap().0;
    for currency in ["CNY", "USD"] {
        assert_eq!(table.matches(&format!("<td>{currency}</td>")).count(), 1, "{table}");
    }
}

#[test]
fn days_without_calls_are_no_sum_of_two_currencies() {
    let bench = bench(&CALLS);
    let yuan = HEADER.to_owned() + &used("2024-05-28", "9", "0.495");
    let (bill, _) = billed(&bench, &yuan);
    let other = &bill["other_billed"];
    assert_eq!((&other["currency"], &other["billed"]), (&json!("CNY"), &json!("0.495000")));
    let page = || fs::read_to_string(bench.path("details.report.html")).unwrap();
    assert!(page().contains(">0.495</data> CNY."));
    let (bill, _) = billed(&bench, &(yuan + &used("2024-05-29", "1", "0.02").replace("CNY", "USD")));
    assert_eq!((&bill["other_days"], &bill["other_billed"]), (&json!(2), &Value::Null));
    assert!(page().contains("in several currencies"));
    assert_page(&bench);
}
