#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use proptest::prelude::*;

use super::form::form_of;
use super::pieces::{MAX_PIECE, Pieces};
use super::*;
use crate::ledger::Input;
use reconcile_core::receipt::ReceiptProblem;

/// Returns only a few bytes at a time. So chunks end at every position.
struct Trickle<'a>(&'a [u8], usize);

impl std::io::Read for Trickle<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let len = self.1.min(self.0.len()).min(into.len());
        into[..len].copy_from_slice(&self.0[..len]);
        self.0 = &self.0[len..];
        Ok(len)
    }
}

/// The pieces with their lines; `None` for one that is too long.
fn pieces(text: &[u8], by_line: bool, step: usize) -> Vec<(u64, Option<Vec<u8>>)> {
    let mut pieces = Pieces::new(Trickle(text, step), by_line);
    let mut all = Vec::new();
    while let Some(piece) = pieces.next().unwrap() {
        all.push((piece.line, (!piece.is_too_long).then(|| piece.bytes.to_vec())));
    }
    all
}

fn texts(text: &str, by_line: bool) -> Vec<(u64, String)> {
    let all = pieces(text.as_bytes(), by_line, 7);
    all.into_iter().map(|(line, bytes)| (line, String::from_utf8(bytes.unwrap()).unwrap())).collect()
}

fn is(found: &[(u64, String)], wanted: &[(u64, &str)]) {
    let found: Vec<(u64, &str)> = found.iter().map(|(line, text)| (*line, text.trim())).collect();
    assert_eq!(found, wanted);
}

#[test]
fn objects_are_found_in_arrays_lines_and_one_after_the_other() {
    is(
        &texts("[{\"a\":1},\n {\"b\":[{\"c\":\"}\"}]}\n]\n", false),
        &[(1, "{\"a\":1}"), (2, "{\"b\":[{\"c\":\"}\"}]}")],
    );
    is(&texts("{\n \"a\":\n 1\n}\n\n{\"b\":2}", false), &[(1, "{\n \"a\":\n 1\n}"), (6, "{\"b\":2}")]);
    is(
        &texts("[{\"a\":1},{\"b\":2}]\r\n[]\r\n[{\"c\":3}]", true),
        &[(1, "{\"a\":1}"), (1, "{\"b\":2}"), (3, "{\"c\":3}")],
    );
    is(&texts("{\"a\":\"\\\"}{\\\\\"}{\"b\":2}", false), &[(1, "{\"a\":\"\\\"}{\\\\\"}"), (1, "{\"b\":2}")]);
    is(&texts("[\"eyJ9\", \"eyJ8\"]", false), &[(1, "\"eyJ9\""), (1, "\"eyJ8\"")]);
    is(&texts(" \n[\n]\n", false), &[]);
}

#[test]
fn a_broken_object_costs_only_itself() {
    let cut_off = "{\"a\":1,\n{\"b\":2}\n{\"c\":\"x\n{\"d\":4}\n{\"e\":\n{\"f\":6}\n";
    is(
        &texts(cut_off, true),
        &[
            (1, "{\"a\":1,"),
            (2, "{\"b\":2}"),
            (3, "{\"c\":\"x"),
            (4, "{\"d\":4}"),
            (5, "{\"e\":"),
            (6, "{\"f\":6}"),
        ],
    );
    is(
        &texts("{\"a\":1,\n{\"b\":2}\n{\"c\":\"x\n{\"d\":4}", false),
        &[(1, "{\"a\":1,"), (2, "{\"b\":2}"), (3, "{\"c\":\"x"), (4, "{\"d\":4}")],
    );
    is(&texts("[{\"a\":1}, null, {\"b\":2}]", false), &[(1, "{\"a\":1}"), (1, "null,"), (1, "{\"b\":2}")]);
    is(&texts("12:00 INFO {\"a\":1}\n{\"b\":2}", true), &[(1, "12:00 INFO {\"a\":1}"), (2, "{\"b\":2}")]);
    is(&texts("{\"a\":\"\\", false), &[(1, "{\"a\":\""), (1, "\\")]);
}

#[test]
fn a_too_long_object_is_passed_over() {
    let long = "x".repeat(2 * MAX_PIECE);
    for (text, after) in [
        (format!("{{\"a\":\"{long}\"}}\n{{\"b\":2}}\n"), 2),
        (format!("\"{long}\"\n{{\"b\":2}}\n"), 2),
        (format!("{long}\n\n{{\"b\":2}}\n"), 3),
    ] {
        for by_line in [true, false] {
            let all = pieces(text.as_bytes(), by_line, usize::MAX);
            assert_eq!(all, [(1, None), (after, Some(b"{\"b\":2}".to_vec()))]);
        }
    }
}

/// The lines of the receipts, and of the problems.
type Lines = (Vec<u64>, Vec<(u64, ReceiptProblem)>);

/// The lines of a file; `None` if it cannot be read or holds no
/// receipts.
fn lines_of(path: &Path) -> Option<Lines> {
    let form = form_of(&Input::open(path).unwrap(), path).ok()?;
    if matches!(form, form::Form::Other) {
        return None;
    }
    let (mut receipts, mut problems) = (Vec::new(), Vec::new());
    let done = read::read(form, false, &mut |line, receipt| {
        match receipt {
            Ok(_) => receipts.push(line),
            Err(problem) => problems.push((line, problem)),
        }
        Ok(())
    });
    done.ok().map(|()| (receipts, problems))
}

fn lines_in(bytes: &[u8], suffix: &str) -> Option<Lines> {
    let mut file = tempfile::Builder::new().suffix(suffix).tempfile().unwrap();
    std::io::Write::write_all(&mut file, bytes).unwrap();
    lines_of(file.path())
}

/// A line: a receipt in one of its forms, or damaged, or anything else.
fn any_line() -> impl Strategy<Value = (bool, String)> {
    let receipt = (0..1_000_000_u64, 0..600_u32).prop_map(|(id, duration)| {
        format!(r#"{{"call_id":"{id}^1","originate_time":"2026-11-16 10:00:00","duration":"{duration}"}}"#)
    });
    let valid = (receipt.clone(), 0..4).prop_map(|(json, form)| {
        let line = match form {
            0 => json,
            1 => STANDARD.encode(json),
            2 => URL_SAFE_NO_PAD.encode(json),
            _ => format!(" [{json}] \r"),
        };
        (true, line)
    });
    let damaged = (receipt, any::<prop::sample::Index>())
        .prop_map(|(json, at)| (false, json[..at.index(json.len() - 2) + 1].to_owned()));
    let other = "[^\r\n]{0,20}[a-z][^\r\n]{0,20}".prop_map(|text| (false, text));
    prop_oneof![valid, damaged, other]
}

proptest! {
    #[test]
    fn every_line_is_a_receipt_or_is_counted(lines in proptest::collection::vec(any_line(), 1..12)) {
        let number = |wanted: bool| -> BTreeSet<u64> {
            (1..).zip(&lines).filter(|(_, (is_valid, _))| *is_valid == wanted).map(|(no, _)| no).collect()
        };
        let text: String = lines.iter().map(|(_, line)| format!("{line}\n")).collect();
        let found = lines_in(text.as_bytes(), ".jsonl");
        let (receipts, problems) = found.unwrap();
        if number(true).is_empty() {
            prop_assert_eq!(receipts, Vec::<u64>::new());
            return Ok(());
        }
        prop_assert_eq!(receipts, number(true).into_iter().collect::<Vec<_>>());
        prop_assert_eq!(problems.into_iter().map(|(line, _)| line).collect::<BTreeSet<_>>(), number(false));
    }

    #[test]
    fn pieces_do_not_depend_on_how_bytes_arrive(
        text in "[{}\\[\\]\",:\\\\\n a1]{0,60}", by_line: bool, step in 1_usize..7,
    ) {
        let all = pieces(text.as_bytes(), by_line, usize::MAX);
        prop_assert_eq!(&pieces(text.as_bytes(), by_line, step), &all);
        // Nothing is lost but what separates objects.
        let kept: usize = all.iter().map(|(_, bytes)| bytes.as_ref().map_or(0, Vec::len)).sum();
        let separators = text.bytes().filter(|b| b" \n[],".contains(b)).count();
        prop_assert!(kept + separators >= text.len());
    }
}
