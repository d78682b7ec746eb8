//! Encoding of the Parquet files: compression, page sizes, statistics, Bloom filter, sort order.

use arrow::datatypes::{DataType, Schema};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::Result;
use parquet::file::metadata::{KeyValue, SortingColumn};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::schema::types::ColumnPath;

/// Rows, ten times as many as DuckDB works on at once. Each core encodes a row group of its own, so
/// larger ones need more memory. DuckDB reads files with larger ones as fast.
pub(crate) const ROW_GROUP: usize = 20_480;
/// Bytes. If a column's dictionary grows beyond this, the column continues without one: a large
/// dictionary saves little, and each value has to be searched in it. An example is `callee`.
const MAX_DICTIONARY: usize = 1 << 17;
/// Bytes before compression. Pages of the usual 1 MiB exceed the processor's cache, and their
/// memory returns to the system again and again. Smaller pages also compress better; much smaller
/// ones are slow to read.
const PAGE: usize = 1 << 17;
/// Long texts that rarely repeat. A dictionary of them only costs memory.
const WITHOUT_DICTIONARY: [&str; 4] = ["call_id", "request_id", "raw", "data"];
/// Columns with few different values. Their dictionaries leave nothing to compress, and each
/// compressed column needs a quarter of a MiB on each core.
const WITHOUT_COMPRESSION: [&str; 17] = [
    "prod_id",
    "product",
    "call_date",
    "status",
    "billable_minutes",
    "state",
    "outcome",
    "answered",
    "state_desc",
    "hangup_by",
    "error_code",
    "attempts",
    "discrepancies",
    "source",
    "kind",
    "field",
    "resolution",
];
/// Readers look up single calls in this column.
const BLOOM_FILTERED: &str = "call_id";
/// 1 % of the row groups without the call are read nevertheless.
const FALSE_POSITIVE_RATE: f64 = 0.01;
/// Both tables are in the order of this column.
const SORTED_BY: &str = "ledger_line";

/// Properties of a file with this schema and this key-value metadata.
pub(super) fn writer_properties(schema: &Schema, metadata: &[(String, String)]) -> Result<WriterProperties> {
    let pairs = metadata.iter().map(|(key, value)| KeyValue::new(key.clone(), value.clone())).collect();
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
        .set_dictionary_page_size_limit(MAX_DICTIONARY)
        .set_data_page_size_limit(PAGE)
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_column_bloom_filter_fpp(BLOOM_FILTERED.into(), FALSE_POSITIVE_RATE)
        .set_column_bloom_filter_max_ndv(BLOOM_FILTERED.into(), ROW_GROUP as u64)
        .set_sorting_columns(sorting_columns(schema))
        .set_key_value_metadata(Some(pairs));
    for field in schema.fields() {
        if field.name() == SORTED_BY || matches!(field.data_type(), DataType::Timestamp(..)) {
            properties = delta_encoded(properties, field.name());
        }
    }
    for name in WITHOUT_COMPRESSION {
        properties = properties.set_column_compression(name.into(), Compression::UNCOMPRESSED);
    }
    for name in WITHOUT_DICTIONARY {
        properties = properties.set_column_dictionary_enabled(ColumnPath::from(name), false);
    }
    // Nobody searches a range of these, and their statistics would make the footer large.
    for name in ["raw", "data", "request_id"] {
        properties =
            properties.set_column_statistics_enabled(ColumnPath::from(name), EnabledStatistics::None);
    }
    Ok(properties.build())
}

/// Line numbers and times rarely repeat, but each is close to the one before.
fn delta_encoded(properties: WriterPropertiesBuilder, name: &str) -> WriterPropertiesBuilder {
    let column = ColumnPath::from(name);
    properties
        .set_column_dictionary_enabled(column.clone(), false)
        .set_column_encoding(column, Encoding::DELTA_BINARY_PACKED)
}

fn sorting_columns(schema: &Schema) -> Option<Vec<SortingColumn>> {
    let column_idx = i32::try_from(schema.index_of(SORTED_BY).ok()?).ok()?;
    Some(vec![SortingColumn { column_idx, descending: false, nulls_first: false }])
}
