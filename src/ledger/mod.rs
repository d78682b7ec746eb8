//! Reads the ledger: one row per call that the company believes it made.
//!
//! ```text
//!  file ─► unpack ─► decode ─► split ─► CSV parser ─► cells ─► row
//!          CRC-32    UTF-8     records  only if quoted         values
//!          gzip
//!          zstd
//!  file ─► parquet/ or workbook/ ───────────────────► cells ─► row
//!          Parquet    .xlsx
//! ```
//!
//! Every record below the header row becomes one [`Record`](reconcile_core::ledger_row::Record), in
//! order. A row that cannot be used never stops the run and is never dropped: it becomes an
//! [`InvalidRow`](reconcile_core::ledger_row::InvalidRow). A [`LedgerError`] means that the file as
//! a whole cannot be read.
//!
//! Several files may be one ledger ([`LedgerFiles`]): their rows follow each other.
//!
//! Memory holds only the current record, of at most 1 MiB, and the buffers of the stages. A longer
//! record is nearly always a quote that is never closed. It becomes an invalid row, and reading
//! resumes on the line after that quote.

mod affected;
mod batches;
mod carried;
mod cells;
mod columns;
mod decode;
mod delimiter;
mod duplicates;
mod encoding;
mod error;
mod escapes;
mod file_kind;
mod files;
mod findings;
mod fingerprints;
mod form;
mod header;
mod header_text;
mod input;
mod joined;
mod layout;
mod ledger_bytes;
mod note;
mod options;
mod parquet;
mod passed_over;
mod quotes;
mod raw_batch;
mod raw_record;
mod reader;
mod reasons;
mod records;
mod row;
mod scan;
mod scanned_file;
mod scanned_ledger;
mod similar;
mod split;
mod table_rows;
mod text_file;
mod text_table;
mod unpack;
mod workbook;

pub use affected::AffectedRows;
pub use batches::{BatchLimit, BatchParser, BatchReader};
pub use columns::{Column, ColumnNote, REASON_COLUMN, Role};
pub use duplicates::{DuplicateCalls, Repeat};
pub use error::{HeaderError, LedgerError};
pub use file_kind::{FileKind, Packing};
pub use files::{LedgerFiles, LedgerRows};
pub use form::LedgerForm;
pub use input::{Input, TableForm};
pub use layout::Layout;
pub use ledger_bytes::LedgerBytes;
pub use note::{Finding, LedgerNote};
pub use options::Options;
pub use raw_batch::RawBatch;
pub use reader::LedgerReader;
pub use reasons::{Reason, SHOWN as REASONS_SHOWN, most_frequent};
pub use scan::LedgerScan;
pub use scanned_file::ScannedFile;
pub use scanned_ledger::ScannedLedger;
pub use table_rows::{TableRow, TableRows};
pub use text_file::TextFile;
pub use text_table::{TableKind, TextTable};
