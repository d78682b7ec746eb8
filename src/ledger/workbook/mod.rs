//! Ledgers as Excel workbooks (.xlsx, .xlsm): [`rows`] reads one sheet of them, row by row.
//!
//! ```text
//!  file ─► archive ─► part ─► xml ─┬─► package: sheets, date system ─┐
//!          zip        CRC          ├─► styles: number formats        ├─► rows ─► cells ─► row
//!          directory  limits       ├─► strings: shared texts         │
//!                                  └─► row_parser: cells of one row ─┘
//! ```
//!
//! Memory holds the shared texts, the formats and one row. Sizes, ratios and checksums are checked,
//! so that no file takes much more memory than its size, and no flipped bit changes a digit.

mod archive;
mod cell_text;
mod number_format;
mod package;
mod part;
mod refused;
mod row_parser;
mod rows;
mod strings;
mod styles;
mod xml;

pub(super) use archive::{MAGIC, holds_encrypted_package};
pub(super) use rows::WorkbookRows;
