//! All files that a run writes: details, discrepancies, report, summary, rejects, workbook and SQL
//! views.

mod all_outputs;
mod check_targets;
pub(crate) mod csv_form;
mod details;
mod digests;
mod discrepancies;
mod encoded_rows;
mod file_format;
pub(crate) mod headline;
pub mod lang;
mod mask;
mod packed_rows;
mod partitions;
mod paths;
mod provenance;
mod read_back;
mod rejects;
mod renames;
mod report;
pub(crate) mod schema;
mod summary;
mod summary_decisions;
mod summary_json;
mod summary_money;
mod summary_receipts;
mod summary_trend;
pub(crate) mod table;
mod views;
mod workbook;

pub use all_outputs::{ClosedOutputs, Outputs};
pub use csv_form::{ByteOrderMark, CsvForm};
pub use encoded_rows::{EncodedRows, RowEncoder, RowForms};
pub use lang::Lang;
pub use mask::{MaskPhones, TokenKey, own_numbers};
pub use paths::Paths;
pub use provenance::{LedgerFile, Provenance};
pub use rejects::OldRejects;
pub(crate) use report::{KnownCall, masked};
pub use summary::{AccountSummary, MoneySummary, Rechecked, Summary, with_shown_codes};
pub use summary_receipts::ReceiptsSummary;
pub(crate) use table::ROW_GROUP;
