//! Compares two runs by their discrepancy files, and by their summaries where they are given.
//!
//! ```text
//!  A, B ─► run_ids (store) ─► run_files (summary, SHA-256, discrepancy file)
//!       ─► compare ─► 256 parts by identity ─► pairs ─► counts, largest new
//!                                                   └─► 256 parts by place ─► changes_csv
//!       ─► summaries ─► headline, tie-out, patterns, notes
//! ```
//!
//! Memory holds one part, whatever the number of rows.

mod changes_csv;
mod compare;
mod counts;
mod pairs;
mod run_files;
mod run_ids;
mod side;
mod summaries;

pub(crate) use changes_csv::ChangesCsv;
pub(crate) use compare::{ListedRow, compare};
pub(crate) use counts::{Change, GroupCounts};
pub(crate) use run_files::Run;
pub(crate) use run_ids::{open_run, run_id};
pub(crate) use side::Side;
pub(crate) use summaries::{NumberChange, SummaryChanges, arrow, may_have_receipts, note_on_unseen, notes};
