//! The columns and the format of a ledger, as its owner wrote it.

/// A ledger's own columns and format. Rejected rows are written in the same form: they can be
/// corrected and read again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Layout {
    /// The header row.
    pub names: Vec<String>,
    /// Field delimiter.
    pub delimiter: u8,
    /// True if the rejects need a byte order mark: the ledger had one, or was not UTF-8. Its
    /// owner's program may not recognize UTF-8 without the mark.
    pub byte_order_mark: bool,
    /// Which of a row's carried values is the name of its file; `None` if the ledger is one file.
    pub file_column: Option<usize>,
}
