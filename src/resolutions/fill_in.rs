//! Makes a file of resolutions to fill in: the rows of an old one, and a row for each discrepancy
//! that is still open.
//!
//! An event gets no row: it is told once, so a decision could only be made when it is over.
//!
//! Memory holds the old file. The discrepancies pass through, but for the keys of duplicates and
//! unusable rows, of which several may be alike.

use std::collections::HashSet;
use std::io::Write;
use std::path::Path;

use chrono::NaiveDate;

use super::discrepancy_file::{FoundRow, FoundRows};
use super::file::{self, Texts};
use crate::error::{Error, Result};
use crate::output::csv_form::{MARK, guarded};
use reconcile_core::discrepancy::Kind;
use reconcile_core::product::ProductId;
use reconcile_core::resolution_entry::COLUMNS;
use reconcile_core::resolutions::{EntryUse, Resolutions};

/// The columns that name a discrepancy: the first of [`COLUMNS`].
const KEYS: usize = 7;

/// What is filled in.
#[derive(Debug, Clone, Copy)]
pub struct FillIn<'a> {
    /// The discrepancy file.
    pub from: &'a Path,
    /// The old file of resolutions.
    pub old: Option<&'a Path>,
    /// The day in UTC+8, on which decisions may have expired.
    pub today: NaiveDate,
}

/// What was written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FilledIn {
    /// Open discrepancies, a row each.
    pub open: u64,
    /// Rows of the old file.
    pub kept: u64,
    /// Open discrepancies without a CallId. A row without one would be a rule.
    pub without_call_id: u64,
}

/// The old file.
#[derive(Default)]
struct Old {
    rows: Vec<Texts>,
    decisions: Resolutions,
    /// The discrepancies of its rows without a decision.
    undecided: HashSet<Vec<String>>,
    byte_order_mark: bool,
}

impl FillIn<'_> {
    /// Writes the file as CSV. `failed` makes the error of a failed write.
    ///
    /// # Errors
    ///
    /// Exit 2 when a file cannot be read, and the error of `failed`.
    pub fn write(&self, into: impl Write, failed: &dyn Fn(csv::Error) -> Error) -> Result<FilledIn> {
        let old = self.old.map(|path| Old::read(path, self.today)).transpose()?;
        let is_new = old.is_none();
        let Old { rows, decisions, mut undecided, byte_order_mark } = old.unwrap_or_default();
        let found = FoundRows::open(self.from)?;
        let mut into = into;
        if byte_order_mark || found.needs_byte_order_mark() {
            into.write_all(MARK).map_err(|e| failed(e.into()))?;
        }
        let mut csv = csv::Writer::from_writer(into);
        csv.write_record(COLUMNS).map_err(failed)?;
        let mut filled = FilledIn { kept: rows.len() as u64, ..FilledIn::default() };
        for row in rows {
            csv.write_record(row.iter().map(|text| guarded(text).into_owned())).map_err(failed)?;
        }
        let mut used = EntryUse::default();
        for row in found {
            let row = row?;
            if row.row.what.kind.is_event() {
                continue;
            }
            let is_open =
                if is_new { !row.is_decided } else { decisions.find(&[&row.row], &mut used).is_none() };
            let Some(key) = row.key().filter(|_| is_open) else {
                filled.without_call_id += u64::from(is_open);
                continue;
            };
            let may_repeat = matches!(row.row.what.kind, Kind::Duplicate | Kind::InvalidRow);
            if undecided.contains(&key) || (may_repeat && !undecided.insert(key.clone())) {
                continue;
            }
            filled.open += 1;
            let empty = std::iter::repeat_n(String::new(), COLUMNS.len() - KEYS);
            let texts = key.iter().map(|text| guarded(text).into_owned()).chain(empty);
            csv.write_record(texts).map_err(failed)?;
        }
        csv.flush().map_err(|e| failed(e.into()))?;
        Ok(filled)
    }
}

impl Old {
    /// Rows without a decision are kept only if somebody has written something into them.
    fn read(path: &Path, today: NaiveDate) -> Result<Self> {
        let (mut old, mut entries) = (Self::default(), Vec::new());
        old.byte_order_mark = file::read(path, &mut |texts, entry| {
            let is_touched = texts[KEYS..].iter().any(|text| !text.trim().is_empty());
            if entry.is_none() && is_touched {
                old.undecided.insert(texts[..KEYS].iter().map(|text| text.trim().to_owned()).collect());
            }
            if entry.is_some() || is_touched {
                old.rows.push(texts.map(str::to_owned));
            }
            entries.extend(entry);
        })?;
        old.decisions = file::decisions(path, entries, today)?;
        Ok(old)
    }
}

impl FoundRow {
    /// The texts of the columns that name the discrepancy; `None` without a CallId. A product has
    /// its name, because spreadsheets round a number of 14 digits.
    fn key(&self) -> Option<Vec<String>> {
        let row = &self.row;
        let product =
            row.prod_id.map(|id| ProductId(id).name().map_or_else(|| id.to_string(), str::to_owned));
        let key = [
            row.call_id.clone()?,
            product.unwrap_or_default(),
            row.call_date.map(|day| day.to_string()).unwrap_or_default(),
            row.what.kind.as_str().to_owned(),
            row.what.field.clone(),
            row.what.expected.as_deref().unwrap_or_default().to_owned(),
            row.what.actual.as_deref().unwrap_or_default().to_owned(),
        ];
        Some(key.into())
    }
}
