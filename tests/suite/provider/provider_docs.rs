//! The tables in docs/provider.md equal the program's tables. This module knows their format.

use std::fs;
use std::path::Path;

use reconcile::provider::LostReason;
use reconcile::provider::codes::{
    CODES, FAMILIES, KnownCode, SYSTEM_PARAMETERS, classify_lost, classify_status, suspicion,
};
use reconcile_core::message::Contradiction;
use reconcile_core::states::{Answered, STATES};

use crate::support::rust_files::files_below;

fn table(head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let head: Vec<String> = head.iter().map(ToString::to_string).collect();
    let rule = format!("| {} |\n", vec!["---"; head.len()].join(" | "));
    rows.into_iter().fold(line(&head) + &rule, |text, cells| text + &line(&cells))
}

fn codes() -> String {
    let row = |known: &KnownCode| {
        let advice = known.class.advice().unwrap_or_default();
        vec![format!("`{}`", known.code), known.class.as_str().into(), known.meaning.into(), advice.into()]
    };
    table(&["code", "class", "meaning", "what to do"], CODES.iter().map(row))
}

fn rules() -> String {
    let mut rows: Vec<Vec<String>> = FAMILIES
        .iter()
        .map(|family| vec![format!("`{}`", family.code), family.class.as_str().into()])
        .collect();
    let named = SYSTEM_PARAMETERS.map(|name| format!("`{name}`")).join(", ");
    let rest = [
        (format!("`Missing` and one of {named}"), "fatal"),
        ("`Missing…` otherwise, `Invalid…`".into(), "call"),
        ("any other with HTTP 429".into(), "throttle"),
        ("any other with HTTP 5xx".into(), "transient"),
        ("any other".into(), "call"),
    ];
    rows.extend(rest.map(|(code, class)| vec![code, class.into()]));
    table(&["code", "class"], rows)
}

fn no_code() -> String {
    let statuses = [
        (200, "HTTP 2xx"),
        (302, "HTTP 3xx"),
        (404, "HTTP 4xx"),
        (407, "HTTP 407"),
        (429, "HTTP 429"),
        (502, "HTTP 5xx"),
    ];
    let of_status = statuses.map(|(status, name)| (name.to_owned(), classify_status(status)));
    let of_reason = LostReason::ALL.map(|reason| (format!("`{}`", reason.as_str()), classify_lost(reason)));
    let rows = of_status.into_iter().chain(of_reason);
    let rows = rows
        .map(|(what, class)| vec![what, class.as_str().into(), class.advice().unwrap_or_default().into()]);
    table(&["reply", "class", "what to do"], rows)
}

fn suspicions() -> String {
    let rows = CODES
        .iter()
        .filter_map(|known| Some(vec![format!("`{}`", known.code), suspicion(known.code)?.to_string()]));
    table(&["code", "suspicion"], rows)
}

fn states() -> String {
    let rows = STATES.iter().map(|state| {
        let answered = match state.answered {
            Answered::Yes => "yes",
            Answered::No => "no",
            Answered::ByTalkTime => "by talk time",
        };
        let last = if state.is_final { "yes" } else { "no" };
        let code = format!("`{}`", state.code);
        vec![code, state.outcome.as_str().into(), last.into(), answered.into(), state.meaning.into()]
    });
    table(&["code", "outcome", "final", "answered", "meaning"], rows)
}

fn contradictions() -> String {
    let rows = Contradiction::ALL
        .map(|c| vec![format!("`{}`", c.name()), format!("`{}`", c.field()), c.rule().into()]);
    table(&["rule", "field", "what it is"], rows)
}

/// The text with `inside` between the marks of this name.
fn with(text: &str, name: &str, inside: &str) -> String {
    let (begin, end) = (format!("<!-- begin: {name} -->\n"), format!("<!-- end: {name} -->"));
    let (before, rest) = text.split_once(&begin).unwrap_or_else(|| panic!("no mark {begin}"));
    let (_, after) = rest.split_once(&end).unwrap_or_else(|| panic!("no mark {end}"));
    format!("{before}{begin}{inside}{end}{after}")
}

#[test]
fn the_tables_of_the_provider_page_are_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/provider.md");
    let written = fs::read_to_string(&path).unwrap();
    let blocks = [
        ("codes", codes()),
        ("rules", rules()),
        ("no code", no_code()),
        ("suspicions", suspicions()),
        ("states", states()),
        ("contradictions", contradictions()),
    ];
    let right = blocks.iter().fold(written.clone(), |text, (name, inside)| with(&text, name, inside));
    if std::env::var_os("RECONCILE_WRITE_DOCS").is_some() {
        fs::write(&path, &right).unwrap();
    }
    assert!(right.lines().count() > 130, "the tables are missing");
    let hint = "docs/provider.md is out of date: RECONCILE_WRITE_DOCS=1 cargo test --test suite provider_docs writes it";
    for (now, then) in right.lines().zip(written.lines()) {
        assert_eq!(now, then, "{hint}");
    }
    assert_eq!(right, written, "{hint}");
}

/// DESIGN.md lists fourteen contradictions between the provider's texts; each names an existing
/// test.
#[test]
fn every_contradiction_in_the_design_has_a_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let design = fs::read_to_string(root.join("DESIGN.md")).unwrap();
    let folders = ["src", "crates", "tests/suite"];
    let tests: String = folders.iter().flat_map(|folder| files_below(folder)).map(|(_, text)| text).collect();
    for n in 1..=14 {
        let start = format!("| C{n} |");
        let line =
            design.lines().find(|line| line.starts_with(&start)).unwrap_or_else(|| panic!("no line C{n}"));
        let named: Vec<&str> =
            line.split('`').skip(1).step_by(2).filter(|name| name.matches('_').count() > 3).collect();
        assert!(!named.is_empty(), "C{n} names no test");
        for name in named {
            assert!(tests.contains(&format!("fn {name}()")), "C{n}: there is no test {name}");
        }
    }
}
