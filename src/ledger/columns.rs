//! What the columns of a ledger are used for, and notes on columns that may be used otherwise.
//! Headers are in printable form.

/// The column of the rejects that says why a row is unusable. In a ledger it is ignored.
pub const REASON_COLUMN: &str = "reconcile_reason";

/// A column of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its header.
    pub header: String,
    /// What it is used for.
    pub role: Role,
}

/// What a column is used for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Role {
    /// It is read as this field.
    Read(&'static str),
    /// It is carried through to the outputs under this name.
    Carried(String),
    /// It is neither read nor carried.
    Ignored,
}

/// A note on columns that are carried although they look like a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ColumnNote {
    /// On a column of one file of several.
    OfFile {
        /// The file.
        file: String,
        /// What is noted on the column.
        note: Box<ColumnNote>,
    },
    /// Another column is read as the field.
    Second {
        /// The field.
        field: &'static str,
        /// The column that is carried.
        header: String,
        /// The column that is read.
        read: String,
    },
    /// Several columns could be the field, and none is surer than the others. None is read.
    Undecided {
        /// The field.
        field: &'static str,
        /// The columns.
        headers: Vec<String>,
    },
    /// The header names a field that no column holds, and another unit or time zone.
    OtherUnit {
        /// The column.
        header: String,
        /// The field.
        field: &'static str,
    },
    /// The header is similar to the names of fields that no column holds.
    Similar {
        /// The column.
        header: String,
        /// The fields.
        fields: Vec<&'static str>,
    },
}
