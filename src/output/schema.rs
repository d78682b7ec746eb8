//! The columns of the files, and the values that a cell can hold.

pub(crate) use reconcile_core::columns::{
    Cell, Column, ColumnType, DETAILS, DISCREPANCIES, MONEY, SCHEMA_VERSION, call_key,
};
