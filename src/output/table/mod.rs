//! Tables as Parquet files: writing them, and reading them back.

mod properties;
pub(crate) mod reader;
mod writer;

pub(crate) use writer::Table;
