//! Ledgers in Parquet: [`rows`] reads them. Checks of footer, pages and lengths come before the
//! foreign reader, so that no file takes much more memory than its size or makes it panic.

mod bounds;
mod delta_lengths;
mod pages;
mod rows;
mod thrift;

pub(super) use bounds::MAGIC;
pub(super) use rows::{NextRow, ParquetRows};
