//! The columns of a ledger in its own form.

/// A ledger's own columns. Rejected rows are written in this form, so that they can be corrected
/// and read again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Layout {
    /// The header row.
    pub names: Vec<String>,
    /// Field delimiter.
    pub delimiter: u8,
    /// True if the rejects need a byte order mark: the ledger had one, or was not UTF-8, so its
    /// owner's program may not recognize UTF-8 without it.
    pub byte_order_mark: bool,
}
