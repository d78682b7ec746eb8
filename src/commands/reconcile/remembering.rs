//! What the store remembers of a run's rows: open calls, and open discrepancies.

use super::context::RunContext;
use crate::error::{Error, Result};
use crate::note::Note;
use crate::publish::Remember;
use crate::sorted_records;
use crate::store::{DiscrepancyChanges, NewDiscrepancies, NewDiscrepancy, OpenItem, OpenItems};

/// Open calls written to the store at a time.
const OPEN_AT_ONCE: usize = 1_000;

/// What the store has to remember. Open calls are written at once, discrepancies with the end of
/// the run.
pub(super) struct Remembering<'a> {
    run: &'a RunContext<'a>,
    open: Vec<OpenItem>,
    new: NewDiscrepancies,
}

impl<'a> Remembering<'a> {
    /// Nothing yet.
    pub(super) fn new(run: &'a RunContext<'a>) -> Self {
        Self { run, open: Vec::new(), new: NewDiscrepancies::default() }
    }

    /// Writes the remaining open calls. Returns all by age, and the new discrepancies.
    ///
    /// # Errors
    ///
    /// Exit 6 if the store cannot be written.
    pub(super) fn finish(self) -> Result<(OpenItems, NewDiscrepancies)> {
        let (store, scope) = (&self.run.store, self.run.scope());
        store.note_open(scope, &self.open)?;
        Ok((store.open_items(scope)?, self.new))
    }
}

impl Remember for Remembering<'_> {
    fn open_call(&mut self, call: OpenItem) -> Result<()> {
        self.open.push(call);
        if self.open.len() < OPEN_AT_ONCE {
            return Ok(());
        }
        self.run.store.note_open(self.run.scope(), &std::mem::take(&mut self.open))
    }

    fn new_discrepancy(&mut self, new: &NewDiscrepancy) -> Result<()> {
        self.new.push(new).map_err(unusable)
    }
}

/// The note on discrepancies that the store has no room for; `None` if it has.
///
/// # Errors
///
/// Exit 6 if a temporary file cannot be read.
pub(super) fn note(changes: &DiscrepancyChanges) -> Result<Option<Note>> {
    let discrepancies = changes.not_remembered().map_err(unusable)? as u64;
    Ok((discrepancies > 0).then_some(Note::NotRemembered { discrepancies }))
}

fn unusable(error: std::io::Error) -> Error {
    sorted_records::failed(&std::env::temp_dir(), error)
}
