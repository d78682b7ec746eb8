//! The form of a ledger: encoding, delimiter and packing. `Display` is the form in English.

use std::fmt;

use super::encoding::Encoding;
use super::file_kind::Packing;

/// The form of a ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LedgerForm {
    /// A Parquet file.
    Parquet,
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
    pub(super) fn is_usual(self) -> bool {
        self == Self::Text { encoding: Encoding::Utf8.name(), delimiter: b',', packing: None }
    }
}

impl fmt::Display for LedgerForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Parquet => f.write_str("Parquet; its first row counts as line 2"),
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
