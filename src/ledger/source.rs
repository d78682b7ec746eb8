//! A ledger as both passes read it: once from end to end to count it, then as often as they need.

use std::fs::File;

use super::duplicates::scan;
use super::{Input, Ledger, LedgerScan, Options};
use crate::error::Result;

/// A ledger that was read once from end to end, to be read again by both passes.
#[derive(Debug)]
pub struct Source {
    /// Where it is.
    pub input: Input,
    /// How it is read.
    pub options: Options,
    /// What the first reading found.
    pub scan: LedgerScan,
}

impl Source {
    /// Reads the ledger once.
    ///
    /// # Errors
    ///
    /// Exit 2 when it cannot be read or its header cannot be used.
    pub fn scan(input: Input, options: Options) -> Result<Self> {
        let scan = scan(&input, &options)?;
        Ok(Self { input, options, scan })
    }

    /// Reads it again from its beginning.
    ///
    /// # Errors
    ///
    /// Exit 2 when it cannot be opened any more.
    pub fn read(&self) -> Result<Ledger<File>> {
        self.input.ledger(&self.options)
    }
}
