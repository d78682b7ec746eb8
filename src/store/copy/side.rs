//! What a copy needs of the two stores.

use std::fmt::Display;

use super::table::{Row, Table};
use crate::error::{Error, Result};

/// Keys of the table `meta` that a copy reads and writes.
pub(in crate::store) mod key {
    /// Whether the answers are real or simulated.
    pub(in crate::store) const NATURE: &str = "nature";
    /// `http` if a sandbox filled the store over plain HTTP.
    pub(in crate::store) const FILLED_OVER: &str = "filled_over";
    /// Random; replaces phone numbers in recordings.
    pub(in crate::store) const SECRET: &str = "secret";
    /// The store to which this one was copied. No run uses it any more.
    pub(in crate::store) const RETIRED_TO: &str = "retired_to";
    /// The store of which this one is an unfinished copy. No run uses it yet.
    pub(in crate::store) const COPY_OF: &str = "copy_of";
}

/// A store that is copied, or into which another one is copied. No run can use it meanwhile.
pub(in crate::store) trait CopySide {
    /// A value of the table `meta`.
    ///
    /// # Errors
    ///
    /// Exit 6 if the store cannot be read.
    fn meta(&mut self, key: &str) -> Result<Option<String>>;

    /// Writes values of the table `meta` together; `None` deletes one.
    ///
    /// # Errors
    ///
    /// Exit 6 if the store cannot be written.
    fn set_meta(&mut self, values: &[(&str, Option<&str>)]) -> Result<()>;

    /// The next rows after this one, in the order of the table's key; the first ones without it.
    /// Empty at the end.
    ///
    /// # Errors
    ///
    /// Exit 6 if the store cannot be read.
    fn rows(&mut self, table: &'static Table, after: Option<&Row>) -> Result<Vec<Row>>;

    /// The last row of the table by its key, as far as it was added; `None` if it has none.
    ///
    /// # Errors
    ///
    /// Exit 6 if the store cannot be read.
    fn last_row(&mut self, table: &'static Table) -> Result<Option<Row>>;

    /// Adds rows, all of them or none. They follow the last row.
    ///
    /// # Errors
    ///
    /// Exit 6 if the store cannot be written.
    fn add(&mut self, table: &'static Table, rows: &[Row]) -> Result<()>;

    /// Puts the added rows into their final form.
    ///
    /// # Errors
    ///
    /// Exit 6 if the store cannot be written.
    fn finish(&mut self) -> Result<()>;
}

/// Refuses a store that no run may use: it was copied elsewhere, or is an unfinished copy.
///
/// # Errors
///
/// Exit 2.
pub(in crate::store) fn refuse_copied(
    store: impl Display,
    copied_to: Option<String>,
    copy_of: Option<String>,
) -> Result<()> {
    if let Some(target) = copied_to {
        return Err(Error::usage(format!("the store {store} was copied to {target}"))
            .hint(format!("set store to {target}; with both in use, the cap would count double")));
    }
    match copy_of {
        Some(source) => Err(Error::usage(format!("the store {store} is an unfinished copy of {source}"))
            .hint(format!("finish it: run the command that copies {source} again"))),
        None => Ok(()),
    }
}
