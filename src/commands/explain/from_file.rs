//! The calls of a discrepancy file, each with its rows, in the order of the file.
//!
//! Rows of one call may be far apart: a later row of the ledger names it again. So they are sorted
//! by call first. Memory does not grow with the rows.

use std::path::Path;

use super::row::{ExplainedDiscrepancy, Row, rule_of};
use crate::discrepancy_file::{DiscrepancyFile, Known};
use crate::error::Result;
use crate::sorted_records::{Record, SortedRecords, key_of_place};
use reconcile_core::call::CallKey;
use reconcile_core::discrepancy::Kind;
use reconcile_core::product::ProductId;
use reconcile_core::quick_parse;

/// What is kept of a row, in this order.
const COLUMNS: [Known; 11] = [
    Known::CallId,
    Known::ProdId,
    Known::CallDate,
    Known::Account,
    Known::LedgerLine,
    Known::Kind,
    Known::Field,
    Known::Expected,
    Known::Actual,
    Known::Delta,
    Known::Message,
];

/// In place of the product of a call that only a receipt names.
pub(super) const NO_PRODUCT: ProductId = ProductId(0);

/// A call of the file, with its discrepancies by ledger line.
pub(super) struct CallOfFile {
    pub(super) key: CallKey,
    pub(super) account: Option<String>,
    pub(super) rows: Vec<Row>,
}

/// The calls of a discrepancy file.
pub(super) struct CallsOfFile {
    /// The rows, by the place of their call.
    by_call: SortedRecords,
    /// Rows that name no call, because the ledger's row is unusable.
    pub(super) without_call: u64,
}

impl CallsOfFile {
    /// Reads the whole file.
    ///
    /// # Errors
    ///
    /// Exit 2 if it cannot be read or is no discrepancy file; exit 6 if a temporary file cannot be
    /// written.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let mut file = DiscrepancyFile::open(path)?;
        let columns = file.columns().clone();
        let (mut by_key, mut rows, mut without_call) = (SortedRecords::new_in(None), 0, 0);
        let mut row = Vec::new();
        while file.next(&mut row)? {
            let texts = COLUMNS.map(|column| columns.text(&row, column));
            if texts[5] == Kind::InvalidRow.as_str() {
                without_call += 1;
                continue;
            }
            let key = key_of(&texts).ok_or_else(|| file.unusable_row("names no call"))?;
            by_key.push(key.fingerprint(), rows, texts)?;
            rows += 1;
        }
        let mut by_call = SortedRecords::new_in(None);
        for part in by_key.parts() {
            let part = part?;
            for call in part.sorted()?.chunk_by(|one, other| one.key == other.key) {
                let first = call.first().map_or(0, |record| record.no);
                for record in call {
                    by_call.push(key_of_place(first, rows), record.no, record.texts.iter().copied())?;
                }
            }
        }
        Ok(Self { by_call, without_call })
    }

    /// Passes each call to `each`, in the order in which the file first names them.
    ///
    /// # Errors
    ///
    /// Exit 6 if a temporary file cannot be read; else the error of `each`.
    pub(super) fn for_each(&self, each: &mut dyn FnMut(CallOfFile) -> Result<()>) -> Result<()> {
        for part in self.by_call.parts() {
            let part = part?;
            for call in part.sorted()?.chunk_by(|one, other| one.key == other.key) {
                if let Some(call) = CallOfFile::new(call) {
                    each(call)?;
                }
            }
        }
        Ok(())
    }
}

impl CallOfFile {
    /// Whether the ledger of the run lacks the call.
    pub(super) fn is_missing_in_ledger(&self) -> bool {
        let mut kinds = self.rows.iter().flat_map(|row| &row.discrepancies).map(|found| &found.kind);
        kinds.any(|kind| kind == Kind::MissingInLedger.as_str())
    }

    fn new(records: &[Record<'_>]) -> Option<Self> {
        let first = &records.first()?.texts;
        let mut call = Self { key: key_of(first)?, account: given(first[3]), rows: Vec::new() };
        for record in records {
            let [.., line, kind, field, expected, actual, delta, message] = record.texts[..] else {
                return None;
            };
            let line = line.parse().unwrap_or(0);
            if call.rows.last().is_none_or(|row| row.line != line) {
                call.rows.push(Row { line, discrepancies: Vec::new() });
            }
            let discrepancy = ExplainedDiscrepancy {
                kind: kind.to_owned(),
                field: field.to_owned(),
                expected: given(expected),
                actual: given(actual),
                delta: delta.parse().ok(),
                message: message.to_owned(),
                rule: rule_of(kind),
            };
            call.rows.last_mut()?.discrepancies.push(discrepancy);
        }
        Some(call)
    }
}

/// The call that a row names.
fn key_of(texts: &[&str]) -> Option<CallKey> {
    let [call_id, prod_id, day, _, _, kind, ..] = *texts else { return None };
    let prod_id = match prod_id {
        "" if kind == Kind::MissingInLedger.as_str() => NO_PRODUCT,
        id => ProductId(id.parse().ok()?),
    };
    let key = CallKey { call_id: call_id.to_owned(), prod_id, day: quick_parse::day(day)? };
    (!call_id.is_empty()).then_some(key)
}

/// Empty text is no value.
fn given(text: &str) -> Option<String> {
    Some(text.to_owned()).filter(|text| !text.is_empty())
}
