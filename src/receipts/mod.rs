//! The provider's receipts, read from files and joined with the calls of a ledger.
//!
//! ```text
//!  files ─► form ─► pieces ─► receipt ─┐
//!           table ──────────► receipt ─┴─► sorted by CallId ─┐
//!  ledger ─► calls ──────────────────────► sorted by CallId ─┴─► join ─► answered calls, by row
//!                                                                   └──► receipts without a row
//! ```
//!
//! A receipt knows only a CallId, and files and ledger have different orders. So both are divided
//! into 256 parts by a digest of the CallId (`SortedRecords`), and joined
//! part by part. What comes out is sorted again: the answered calls by their row, so that it can be
//! read along with the ledger, and the receipts without a row in the order in which they were read.
//! Memory holds one part of each; the rest is in temporary files without a name, of some 200 bytes
//! for each receipt and for each call.
//!
//! What a run does with them:
//!
//! 1. **Before it asks**: [`Receipts::collect`], [`LedgerCalls::of`], [`JoinedReceipts::join`].
//!    Then [`JoinedReceipts::answered`] gives each call that a receipt answers, with its key, in
//!    the order of the ledger. The store keeps each receipt as `Receipt::to_data` gives it. Of it
//!    and the operation's answer, `Source::counting` says which counts. A call that its receipt
//!    answers is asked for only if `ReceiptsTrust::asks` says so.
//! 2. **While it asks**: first for the calls that no receipt answers, and for the sample. If
//!    `CheckedReceipts::is_refuted` then says so, for all other calls with receipts (`collect`).
//! 3. **When it publishes**: the stored receipt is read by the same `normalize` as a record.
//! 4. **At the end**: [`JoinedReceipts::missing`] gives the calls that no row names and that are
//!    within the days of the ledger.
//!
//! The names without links are in [`reconcile_core::receipt`].
//!
//! A call of the ledger has at most one receipt here, and the same files and ledger always give the
//! same rows in the same order. So a run that was killed and began again finds the same.

mod answered;
mod base64_line;
mod collect;
mod covered_days;
mod files;
mod form;
mod invalid;
mod join;
mod ledger_calls;
mod note;
mod pieces;
mod read;
#[cfg(test)]
mod tests;

pub use answered::{Answered, AnsweredCall, Missing};
pub use collect::{ReadReceipts, Receipts};
pub use files::SkippedFiles;
pub use invalid::{Examples, InvalidReceipts, MAX_EXAMPLES, Place};
pub use join::JoinedReceipts;
pub use ledger_calls::LedgerCalls;
pub use note::ReceiptNote;
