//! The script of the report: it sorts, filters and opens rows, and works under the page's policy.
//! Without it the page is whole.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::house::readme::{sample, sample_run};
use crate::support::browser::{Task, assert_sound, open};
use crate::support::{Bench, id};

const REPORT: &str = "out/details.report.html";

/// Texts of the cells of a column.
fn column(class: &str) -> String {
    format!("return [...document.querySelectorAll('#rows tbody td.{class}')].map((cell) => cell.textContent)")
}

/// Presses the button in the header of a column.
fn sort(column: usize) -> String {
    format!("document.querySelectorAll('#rows th button')[{column}].click()")
}

/// Chooses an option of a filter.
fn choose(filter: usize, value: &str) -> String {
    format!(
        "const select = document.querySelectorAll('.filters select')[{filter}]; select.value = '{value}';
         select.dispatchEvent(new Event('change'))"
    )
}

/// Types a text into the filter.
fn search(text: &str) -> String {
    format!(
        "const input = document.querySelector('.filters input'); input.value = '{text}';
         input.dispatchEvent(new Event('input'))"
    )
}

const COUNT: &str = "return document.querySelector('.count').textContent";

/// Opens the sample's report and runs the steps.
fn steps(bench: &Bench, steps: &[String]) -> Option<Vec<Value>> {
    let task = Task { steps: steps.to_vec(), ..Task::new(&bench.path(REPORT)) };
    let mut opened = open(&[task])?;
    assert_sound(&opened[0]);
    Some(std::mem::take(&mut opened[0].steps))
}

fn numbers(column: &Value) -> Vec<u64> {
    column.as_array().unwrap().iter().map(|n| n.as_str().unwrap().replace(',', "").parse().unwrap()).collect()
}

#[test]
fn each_column_sorts_in_both_directions() {
    let state = "return [...document.querySelectorAll('#rows th')].map((th) => th.getAttribute('aria-sort'))";
    let mut all = vec![column("seconds"), state.to_owned()];
    for at in 0..7 {
        let class = ["line", "call", "what", "ledger", "provider", "message", "seconds"][at];
        all.extend([sort(at), column(class), state.to_owned(), sort(at), column(class), state.to_owned()]);
    }
    let Some(results) = steps(&sample_run(), &all) else { return };
    let first = numbers(&results[0]);
    assert!(first.is_sorted_by(|a, b| a >= b) && first.len() == 46, "{first:?}");
    assert_eq!(results[1][6], "descending");
    for at in 0..7 {
        let [_, values, state, _, reversed, other_state] = &results[2 + 6 * at..8 + 6 * at] else { panic!() };
        let is_number = at == 0 || at == 6;
        if is_number {
            let (one, other) = (numbers(values), numbers(reversed));
            let (up, down) = if at == 0 { (one, other) } else { (other, one) };
            assert!(up.is_sorted() && down.is_sorted_by(|a, b| a >= b), "{up:?} {down:?}");
        } else {
            assert_ne!(values, reversed, "column {at}");
        }
        let directions = [state[at].as_str().unwrap(), other_state[at].as_str().unwrap()];
        let expected = if at == 6 { ["descending", "ascending"] } else { ["ascending", "descending"] };
        // The last column was sorted by before.
        assert!(directions == expected || at == 6, "column {at}: {directions:?}");
        let sorted = state.as_array().unwrap().iter().filter(|state| !state.is_null()).count();
        assert_eq!(sorted, 1, "one column is marked");
    }
}

#[test]
fn filters_show_only_matching_rows_and_their_number() {
    let bench = sample_run();
    let all = [
        choose(0, "mismatch"),
        COUNT.to_owned(),
        column("what"),
        choose(1, "duration_s"),
        COUNT.to_owned(),
        column("what"),
        choose(3, "2026-11-17"),
        COUNT.to_owned(),
        "document.querySelector('.filters button').click()".to_owned(),
        COUNT.to_owned(),
        search("cs-10728"),
        COUNT.to_owned(),
        search("no such text"),
        COUNT.to_owned(),
        "return document.querySelector('.count').getAttribute('role')".to_owned(),
    ];
    let Some(results) = steps(&bench, &all) else { return };
    let summary = bench.summary_at("out/details.summary.json").0;
    let mismatches = summary["discrepancies"]["mismatch"].as_u64().unwrap();
    assert_eq!(results[1], format!("Discrepancies shown: {mismatches} of {mismatches}"));
    assert!(results[2].as_array().unwrap().iter().all(|what| what.as_str().unwrap().contains("mismatch")));
    let durations = summary["fields"]["duration_s"]["different"].as_u64().unwrap();
    assert_eq!(results[4], format!("Discrepancies shown: {durations} of {durations}"));
    assert!(results[5].as_array().unwrap().iter().all(|what| what.as_str().unwrap().contains("duration_s")));
    assert_ne!(results[7], results[4]);
    assert_eq!(results[9], "Discrepancies shown: 46 of 46");
    assert_eq!(results[11], "Discrepancies shown: 1 of 1");
    assert_eq!(results[13], "Discrepancies shown: 0 of 0");
    assert_eq!(results[14], "status");
}

#[test]
fn a_row_opens_to_all_that_is_known_and_masks_numbers() {
    let bench = sample_run();
    let open_row = "const button = [...document.querySelectorAll('#rows td button')]
            .find((button) => button.textContent === '52');
        button.click();
        const more = button.closest('tr').nextSibling;
        return [button.getAttribute('aria-expanded'), more.textContent]";
    let close =
        "const button = document.querySelector('#rows td button[aria-expanded=true]'); button.click();
        return [button.getAttribute('aria-expanded'), document.querySelectorAll('tr.more').length]";
    let whole = "document.querySelectorAll('#rows td button').forEach((button) => button.click());
        return document.body.textContent";
    let Some(results) = steps(&bench, &[open_row.into(), close.into(), whole.into()]) else { return };
    let more = results[0][1].as_str().unwrap();
    assert_eq!(results[0][0], "true");
    for known in ["The ledger expects", "The provider’s record", "The lookup", "RequestId", "requests so far"]
    {
        assert!(more.contains(known), "{known}: {more}");
    }
    assert!(more.contains("****"), "{more}");
    assert_eq!(results[1], serde_json::json!(["false", 0]));
    let whole = results[2].as_str().unwrap();
    let callees = callees_of_the_sample();
    assert!(callees.len() > 50, "only {} callees", callees.len());
    let shown = callees.iter().filter(|callee| whole.contains(callee.as_str())).count();
    assert_eq!(shown, 0, "callees that are not masked");
}

/// The numbers called, by the sample's ledger and by its provider. The test looks for these, not
/// for anything shaped like a number: a RequestId or a digest may have eleven digits in a row.
fn callees_of_the_sample() -> std::collections::BTreeSet<String> {
    let ledger = std::fs::read(sample("calls.csv")).unwrap();
    let mut rows = csv::ReaderBuilder::new().flexible(true).from_reader(ledger.as_slice());
    let column = rows.headers().unwrap().iter().position(|name| name == "callee").unwrap();
    let of_ledger: Vec<String> = rows.records().map(|row| row.unwrap()[column].to_owned()).collect();
    let provider: Value = serde_json::from_slice(&std::fs::read(sample("provider.json")).unwrap()).unwrap();
    let calls = provider["calls"].as_object().unwrap().values();
    let of_provider = calls.filter_map(|call| call["record"]["callee"].as_str().map(str::to_owned));
    let is_number = |callee: &String| callee.len() >= 11 && callee.bytes().all(|byte| byte.is_ascii_digit());
    of_ledger.into_iter().chain(of_provider).filter(is_number).collect()
}

#[test]
fn two_thousand_rows_are_shown_in_parts_and_all_are_searched() {
    let dir = tempfile::TempDir::new().unwrap();
    let (store, scope) =
        crate::outputs::planted_discrepancies::filled_store(&dir.path().join("reconcile.db"), 0);
    let mut text = String::from("call_id,prod_id,called_at,duration_s\n");
    // The first row is not asked for; the others name the same call.
    (0..2_501).for_each(|i| text.push_str(&format!("{},11000000300006,2024-05-26,{i}\n", id(0))));
    std::fs::write(dir.path().join("calls.csv"), text).unwrap();
    crate::outputs::planted_discrepancies::publish_ledger(dir.path(), store.as_ref(), &scope);
    let further = |button: usize| format!("document.querySelectorAll('.further button')[{button}].click()");
    let hidden = "return document.querySelector('.further').hidden";
    let steps = [
        COUNT.to_owned(),
        further(0),
        COUNT.to_owned(),
        search("2501"),
        COUNT.to_owned(),
        hidden.to_owned(),
        search(""),
        further(1),
        COUNT.to_owned(),
        hidden.to_owned(),
        column("line"),
    ];
    let task = Task { steps: steps.to_vec(), ..Task::new(&dir.path().join("details.report.html")) };
    let without_script = Task { script: false, ..Task::new(&task.file) };
    let rows = "return [document.querySelectorAll('#rows tbody tr').length,
        document.querySelector('main').innerText.includes('the largest 2,000 of 2,501')]";
    let Some(opened) = open(&[task, without_script.step(rows)]) else { return };
    opened.iter().for_each(assert_sound);
    let results = &opened[0].steps;
    assert_eq!(results[0], "Discrepancies shown: 100 of 2,000");
    assert_eq!(results[2], "Discrepancies shown: 200 of 2,000");
    assert_eq!((&results[4], &results[5]), (&"Discrepancies shown: 1 of 1".into(), &true.into()));
    assert_eq!((&results[8], &results[9]), (&"Discrepancies shown: 2,000 of 2,000".into(), &true.into()));
    let lines = numbers(&results[10]);
    assert_eq!(lines, (503..=2_502).rev().collect::<Vec<_>>(), "those with the most seconds at stake");
    assert_eq!(opened[1].steps[0], serde_json::json!([100, true]));
}

#[test]
fn a_night_without_a_discrepancy_says_so_and_has_no_controls() {
    let bench = Bench::new(&crate::support::ledger(3));
    bench.run(&[]).exits(0);
    let state = "return [document.querySelectorAll('button, select, input, #data').length,
        document.querySelector('#discrepancies').textContent.includes('None: ledger and provider agree')]";
    let task = Task { axe: true, validate: true, ..Task::new(&bench.path("details.report.html")) };
    let Some(opened) = open(&[task.step(state)]) else { return };
    assert_sound(&opened[0]);
    assert_eq!(opened[0].steps[0], serde_json::json!([0, true]));
    assert!(opened[0].axe.is_empty() && opened[0].validate.is_empty(), "{opened:?}");
}

#[test]
fn without_a_script_the_page_is_whole_and_has_no_dead_controls() {
    let bench = sample_run();
    let state = "return [document.querySelectorAll('button, select, input').length,
        document.querySelectorAll('#rows tbody tr').length]";
    let task = Task { script: false, ..Task::new(&bench.path(REPORT)) }.step(state);
    let Some(opened) = open(&[task]) else { return };
    assert_sound(&opened[0]);
    assert_eq!(opened[0].steps[0], serde_json::json!([0, 46]));
}

#[test]
fn the_policy_allows_only_the_page_s_own_script_and_style() {
    let page = std::fs::read_to_string(sample_run().path(REPORT)).unwrap();
    let content = |start: &str, end: &str| page.split_once(start).unwrap().1.split_once(end).unwrap().0;
    let sha256 = |text: &str| BASE64_STANDARD.encode(Sha256::digest(text));
    let (style, script) = (sha256(content("<style>", "</style>")), sha256(content("<script>", "</script>")));
    let policy = format!("default-src 'none'; style-src 'sha256-{style}'; script-src 'sha256-{script}'");
    assert_eq!(content("Content-Security-Policy\" content=\"", "\">"), policy);
    assert_eq!(page.matches("<script").count(), 2, "the data, and the script");
}

#[test]
fn no_text_of_a_ledger_becomes_markup() {
    let bench = Bench::new(
        "call_id,prod_id,called_at,duration_s,note\n\
         <b>1</b>,11000000300006,2026-11-16,x</script><script>alert(1)</script>,<img src=x>\n\
         1^1,11000000300006,2026-11-16,5,<!--<script>\n",
    );
    bench.run(&["--offline"]).exits(4);
    let text = "return [document.querySelectorAll('script').length, document.querySelectorAll('img').length,
        document.querySelectorAll('#rows td button').forEach((button) => button.click()),
        document.querySelector('#rows').textContent]";
    let Some(opened) = open(&[Task::new(&bench.path("details.report.html")).step(text)]) else { return };
    assert_sound(&opened[0]);
    let result = &opened[0].steps[0];
    assert_eq!((&result[0], &result[1]), (&2.into(), &0.into()));
    let shown = result[3].as_str().unwrap();
    assert!(
        shown.contains("x</script><script>alert(1)</script>") && shown.contains("<!--<script>"),
        "{shown}"
    );
}
