//! What publishing passes on to the store.

use crate::error::Result;
use crate::store::{NewDiscrepancy, OpenItem};

/// What the store has to remember of the rows.
pub trait Remember {
    /// An open call.
    ///
    /// # Errors
    ///
    /// Exit 6 if it cannot be kept.
    fn open_call(&mut self, call: OpenItem) -> Result<()>;

    /// A discrepancy that was not open before.
    ///
    /// # Errors
    ///
    /// Exit 6 if it cannot be kept.
    fn new_discrepancy(&mut self, new: &NewDiscrepancy) -> Result<()>;
}
