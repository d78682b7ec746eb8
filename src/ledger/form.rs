//! The form of a ledger: encoding, delimiter and packing. `Display` is the form in English.

use std::fmt;

use super::encoding::Encoding;
use super::file_kind::Packing;
use super::header_text::in_backticks;

/// The form of a ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LedgerForm {
    /// A Parquet file.
    Parquet,
    /// A sheet of an Excel workbook.
    Workbook {
        /// Its name.
        sheet: String,
        /// The workbook's other sheets, which are not read.
        other_sheets: Vec<String>,
    },
    /// A text with a delimiter.
    Text {
        /// The name of its encoding.
        encoding: &'static str,
        /// The delimiter.
        delimiter: u8,
        /// What packs it.
        packing: Option<Packing>,
    },
}

impl LedgerForm {
    /// True for an unpacked text in UTF-8 with commas.
    pub(super) fn is_usual(&self) -> bool {
        *self == Self::Text { encoding: Encoding::Utf8.name(), delimiter: b',', packing: None }
    }
}

impl fmt::Display for LedgerForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Parquet => f.write_str("Parquet; its first row counts as line 2"),
            Self::Workbook { sheet, other_sheets } => {
                write!(f, "sheet `{sheet}` of an Excel workbook")?;
                match other_sheets.as_slice() {
                    [] => Ok(()),
                    others => write!(f, "; it has other sheets: {}", in_backticks(others)),
                }
            }
            Self::Text { encoding, delimiter, packing } => {
                write!(f, "{encoding}, separated by {}", printable(*delimiter))?;
                packing.map_or(Ok(()), |packing| write!(f, ", unpacked from {packing}"))
            }
        }
    }
}

/// The delimiter as people see it.
fn printable(delimiter: u8) -> String {
    if delimiter == b'\t' { "tab".to_owned() } else { format!("`{}`", char::from(delimiter)) }
}
