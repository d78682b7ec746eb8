//! Tables as Parquet files: writing them, and reading them back.

mod properties;
pub(crate) mod reader;
mod row_group;
mod schema;
mod writer;

pub(crate) use properties::ROW_GROUP;
pub(crate) use row_group::{RowGroup, RowGroupEncoder, TableForm};
pub(crate) use writer::Table;
