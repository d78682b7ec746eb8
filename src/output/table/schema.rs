//! The Arrow schema of a table.

use arrow::datatypes::{DataType, Field, Schema, TimeUnit};

use crate::output::schema::{Column, ColumnType};
use reconcile_core::decimal::PRECISION;

pub(super) const UTC: &str = "UTC";
/// Places after the point, as Arrow has them.
pub(super) const PLACES: i8 = 6;

/// The columns, then a text column for each name in `carried`.
pub(super) fn table_schema(columns: &[Column], carried: &[String]) -> Schema {
    let own =
        columns.iter().map(|column| Field::new(column.name, data_type(column.column_type), column.nullable));
    let carried = carried.iter().map(|name| Field::new(name, DataType::Utf8, true));
    Schema::new(own.chain(carried).collect::<Vec<_>>())
}

fn data_type(column_type: ColumnType) -> DataType {
    match column_type {
        ColumnType::Text => DataType::Utf8,
        ColumnType::Integer => DataType::Int64,
        ColumnType::Boolean => DataType::Boolean,
        ColumnType::Date => DataType::Date32,
        ColumnType::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, Some(UTC.into())),
        ColumnType::Decimal => DataType::Decimal128(PRECISION, PLACES),
    }
}
