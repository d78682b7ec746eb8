//! The form of the CSV files: the byte order mark, times, and the guard against formulas.
//!
//! Spreadsheets take a cell that begins with one of [`RISKY`] for a formula. The guard writes a `'`
//! before such a cell. It also writes one before a cell that begins with `'`. Without one leading
//! `'`, each cell has its unguarded text again.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use reconcile_core::calendar::provider_local;

/// Whether the CSV files begin with a byte order mark. Excel needs one to recognize UTF-8.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ByteOrderMark {
    /// If the ledger had one, was not UTF-8, or was a workbook.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl ByteOrderMark {
    /// Whether to write it. `ledger_needs_it` is what the ledger suggests.
    pub(super) fn is_written(self, ledger_needs_it: bool) -> bool {
        match self {
            Self::Auto => ledger_needs_it,
            Self::Always => true,
            Self::Never => false,
        }
    }
}

/// The form of the CSV files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CsvForm {
    /// Whether they begin with a byte order mark.
    pub byte_order_mark: ByteOrderMark,
    /// Whether the discrepancies' text cells are guarded against formulas. The rejects are not:
    /// they are a ledger, which the same command reads again.
    pub guard: bool,
}

/// The byte order mark in UTF-8.
pub(crate) const MARK: &[u8] = "\u{feff}".as_bytes();

/// First characters that make a spreadsheet take a cell for a formula, some of them only in some
/// languages; and the guard itself.
const RISKY: [char; 12] = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠', '\''];

/// A cell's text with the guard.
pub(crate) fn guarded(text: &str) -> Cow<'_, str> {
    if text.starts_with(RISKY) { Cow::Owned(format!("'{text}")) } else { Cow::Borrowed(text) }
}

/// The text of a cell that may be guarded.
pub(crate) fn without_guard(cell: &str) -> &str {
    cell.strip_prefix('\'').filter(|text| text.starts_with(RISKY)).unwrap_or(cell)
}

/// The text of a guarded cell.
pub(super) fn unguarded(cell: &str) -> &str {
    cell.strip_prefix('\'').unwrap_or(cell)
}

/// An instant in UTC+8 with its offset, such as `2026-11-16 10:00:00+08:00`.
pub(crate) fn timestamp(at: DateTime<Utc>) -> String {
    provider_local(at).format("%F %T%.f+08:00").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guarded_cell_is_no_formula_and_can_be_undone() {
        for text in ["=1+1", "+8613800138000", "-5", "@a", "\t=1", "＝1", "'", "'=1", "a=1", "", "138"] {
            let cell = guarded(text);
            assert_eq!((unguarded(&cell), without_guard(&cell)), (text, text));
            assert!(!cell.starts_with(&RISKY[..11]), "{cell}");
        }
        assert_eq!(guarded("=cmd|' /C calc'!A0"), "'=cmd|' /C calc'!A0");
    }
}
