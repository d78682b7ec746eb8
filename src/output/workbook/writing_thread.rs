//! The thread that writes the sheets.
//!
//! The foreign writer panics if a temporary file cannot be written. The thread catches that, and
//! the run ends with the error of the disk.

use std::fs::File;
use std::io;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

use rust_xlsxwriter::XlsxError;

use super::night::Night;
use super::sheets::{SheetNames, Sheets};
use crate::caught::caught_with_words;
use crate::error::{Error, Result};
use crate::output::packed_rows::PackedRows;
use crate::output::schema::ColumnType;
use crate::staged::unwritable;
use crate::threads;

/// Batches that may wait for the thread.
const WAITING_BATCHES: usize = 4;

/// What the thread does next. If the channel closes before the end, it leaves the file unfinished.
enum Order {
    AddRows(PackedRows),
    End(Box<Night>),
}

/// How the thread ended: with the words of a panic, or an error, or without [`Order::End`].
type Ended = std::result::Result<std::result::Result<Option<SheetNames>, XlsxError>, String>;

/// The thread and its orders.
pub(super) struct WritingThread {
    orders: SyncSender<Order>,
    thread: Option<JoinHandle<Ended>>,
    target: PathBuf,
}

impl WritingThread {
    /// Starts the thread. It writes the sheets, whose columns have these types, to `file`, which
    /// will become `target`.
    ///
    /// # Errors
    ///
    /// Exit 6 if the system refuses another thread.
    pub(super) fn start(
        mut sheets: Sheets,
        types: Vec<ColumnType>,
        file: File,
        target: &Path,
    ) -> Result<Self> {
        let (orders, received) = sync_channel(WAITING_BATCHES);
        let write = move || {
            for order in received {
                match order {
                    Order::AddRows(rows) => rows.for_each(&types, |cells| sheets.add_row(cells))?,
                    Order::End(night) => return sheets.save(*night, file).map(Some),
                }
            }
            Ok(None)
        };
        let thread = threads::start("workbook", move || caught_with_words(write));
        let thread = thread.map_err(Error::no_more_threads)?;
        Ok(Self { orders, thread: Some(thread), target: target.to_owned() })
    }

    /// Writes these rows.
    ///
    /// # Errors
    ///
    /// Exit 6 if earlier rows could not be written.
    pub(super) fn add(&mut self, rows: PackedRows) -> Result<()> {
        if self.orders.send(Order::AddRows(rows)).is_ok() {
            return Ok(());
        }
        self.join().and_then(|_| Err(self.stopped()))
    }

    /// Writes the sheet of the night, then the file. Returns the names of its sheets.
    ///
    /// # Errors
    ///
    /// Exit 6 if it cannot be written.
    pub(super) fn finish(mut self, night: Night) -> Result<SheetNames> {
        // If the thread has stopped, its result says why.
        let _ = self.orders.send(Order::End(Box::new(night)));
        self.join()?.ok_or_else(|| self.stopped())
    }

    fn join(&mut self) -> Result<Option<SheetNames>> {
        let join = |thread: JoinHandle<Ended>| thread.join().unwrap_or_else(|panic| resume_unwind(panic));
        let ended = self.thread.take().map_or(Ok(Ok(None)), join);
        match ended {
            Ok(Ok(names)) => Ok(names),
            Ok(Err(XlsxError::IoError(e) | XlsxError::TempFileError(_, e))) => {
                Err(unwritable(&self.target, e))
            }
            Ok(Err(e)) => Err(unwritable(&self.target, e)),
            Err(words) => Err(match error_in(&words) {
                Some(e) => unwritable(&self.target, e),
                None => Error::bug(format!("the writer of {} stopped: {words}", self.target.display())),
            }),
        }
    }

    fn stopped(&self) -> Error {
        Error::bug(format!("the writer of {} stopped without an error", self.target.display()))
    }
}

/// The error of the system in the words of a panic, which contain it as `Os { code: 28, … }`.
fn error_in(words: &str) -> Option<io::Error> {
    let number = words.split("Os { code: ").nth(1)?.split(',').next()?;
    number.parse().ok().map(io::Error::from_raw_os_error)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_disk_error_is_read_from_the_words_of_a_panic() {
        let error = io::Error::from_raw_os_error(28);
        let words = format!("Couldn't write to xml file: {error:?}");
        assert_eq!(error_in(&words).unwrap().raw_os_error(), Some(28));
        assert!(error_in("index out of bounds").is_none());
    }
}
