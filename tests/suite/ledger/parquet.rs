//! Parquet ledgers from pandas, DuckDB, Hive and Spark. Rows count from line 2, as if the header
//! were on line 1.

use std::fmt::Write as _;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, DictionaryArray, Float64Array,
    Int32Array, Int64Array, ListArray, RecordBatch, StringArray, TimestampMicrosecondArray,
    TimestampMillisecondArray,
};
use arrow::datatypes::Int32Type;
use parquet::arrow::ArrowWriter;
use parquet::data_type::{ByteArray, ByteArrayType, Int96, Int96Type};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use reconcile::ledger::Options;
use reconcile_core::product::ProductId;
use tempfile::TempDir;

use super::{outcome, read};
use crate::support::duckdb;

/// 2026-11-01 09:05:07 in UTC+8.
const AT_MS: i64 = 1_793_495_107_000;

fn texts(values: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

fn write(path: &Path, columns: Vec<(&str, ArrayRef)>) {
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut writer = ArrowWriter::try_new(File::create(path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

/// Records and messages of the file, in the form of the cases.
fn lines(path: &Path) -> String {
    let options = Options { prod_id: Some(ProductId(7)), ..Options::default() };
    let (mut lines, words) = outcome(read(path, &options), &path.display().to_string());
    for line in words.lines().filter(|line| !line.starts_with("note: the ledger is read as Parquet")) {
        writeln!(lines, "{line}").unwrap();
    }
    lines
}

fn assert_lines(path: &Path, wanted: &str) {
    let wanted: Vec<&str> = wanted.lines().map(str::trim).collect();
    let found = lines(path);
    assert_eq!(found.lines().collect::<Vec<_>>(), wanted);
}

#[test]
fn parquet_types_become_ledger_values() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("calls.parquet");
    let zoned = TimestampMillisecondArray::from(vec![AT_MS]).with_timezone("Asia/Shanghai");
    let list = ListArray::from_iter_primitive::<Int32Type, _, _>([Some([Some(1), Some(2)])]);
    let dictionary: DictionaryArray<Int32Type> = ["13800000001"].into_iter().collect();
    write(
        &path,
        vec![
            ("CallId", texts(&["1^1"])),
            ("prod_id", Arc::new(Int64Array::from(vec![11_000_000_300_006]))),
            ("called_at", Arc::new(zoned)),
            ("query_date", Arc::new(Date32Array::from(vec![20_759]))),
            ("callee", Arc::new(dictionary)),
            ("caller", Arc::new(BinaryArray::from_vec(vec![b"05344750000"]))),
            ("state", Arc::new(Int32Array::from(vec![200_000]))),
            ("answered", Arc::new(BooleanArray::from(vec![true]))),
            ("duration", Arc::new(Float64Array::from(vec![75.0]))),
            // Without a zone: local time, as a DATETIME of a database in China.
            ("started_at", Arc::new(TimestampMicrosecondArray::from(vec![AT_MS * 1000 + 8 * 3_600_000_000]))),
            ("tags", Arc::new(list)),
            ("cost", Arc::new(Decimal128Array::from(vec![150]).with_precision_and_scale(10, 2).unwrap())),
        ],
    );
    assert_lines(
        &path,
        "2 1^1 2026-11-01 prod_id=11000000300006 called_at=2026-11-01 09:05:07 query_date=2026-11-02 \
         caller=05344750000 callee=13800000001 state=200000 answered=true duration_s=75 \
         started_at=2026-11-01 09:05:07 ledger_tags=[1, 2] ledger_cost=1.50",
    );
}

#[test]
fn whole_numbers_that_pandas_made_floats_are_whole_again() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("calls.parquet");
    let floats = |values: [f64; 3]| -> ArrayRef { Arc::new(Float64Array::from(values.to_vec())) };
    let missing: StringArray = [Some("1^1"), None, Some("3^1")].into_iter().collect();
    write(
        &path,
        vec![
            ("call_id", Arc::new(missing)),
            ("prod_id", floats([11_000_000_300_006.0, f64::NAN, f64::NAN])),
            ("called_at", floats([1_793_495_107_000.0, 1_793_495_107.0, 45_962.25])),
            ("caller", floats([5_344_750_000.0, 1.0, f64::NAN])),
            ("duration", floats([75.0, 1.0, 7.5])),
        ],
    );
    assert_lines(
        &path,
        "2 1^1 2026-11-01 prod_id=11000000300006 called_at=2026-11-01 09:05:07 caller=5344750000 duration_s=75
         3! call_id 1 \"\"
         4! duration_s 5 \"7.5\"
         line 3: the row has no CallId; fill it in, or remove the row (column 1)
         line 4: not a number of whole seconds; write only digits, such as 75 (column 5)
         note: `caller`: 1 row (line 2) of 1 may lack a leading 0. The value looks like a fixed-line number without it, \
         and no value of the column begins with 0. A spreadsheet may have dropped the zeros. Nothing is changed. Export \
         the column as text",
    );
}

#[test]
fn files_from_duckdb_are_read_with_every_compression() {
    let dir = TempDir::new().unwrap();
    for codec in ["snappy", "zstd", "gzip", "uncompressed"] {
        let sql = format!(
            "SET TimeZone = 'UTC'; COPY (SELECT (i + 1) || '^1' AS call_id, TIMESTAMPTZ '2026-11-01 01:05:07+00' AS called_at, \
             13800000001::HUGEINT AS callee, i % 2 = 0 AS answered, NULL AS ended_at, '备注' AS note, \
             sum(i)::HUGEINT AS duration FROM range(3000) t(i) GROUP BY i ORDER BY i) \
             TO '{codec}.parquet' (FORMAT parquet, CODEC '{codec}', ROW_GROUP_SIZE 1000)"
        );
        duckdb::query(dir.path(), &[], &sql);
        let found = lines(&dir.path().join(format!("{codec}.parquet")));
        let found: Vec<&str> = found.lines().collect();
        assert_eq!(found.len(), 3_000, "{codec}");
        for (at, i) in [(0, 0), (2_999, 2_999)] {
            let wanted = format!(
                "{} {}^1 2026-11-01 called_at=2026-11-01 09:05:07 callee=13800000001 answered={} duration_s={i} ledger_note=备注",
                i + 2,
                i + 1,
                i % 2 == 0
            );
            assert_eq!(found[at], wanted, "{codec}");
        }
    }
}

/// Writes a file as old versions of Spark and Hive did: texts as bytes, timestamps in 96 bits.
fn write_old_format(path: &Path, call_ids: &[&[u8]]) {
    let schema = "message m { required binary call_id; required binary callee; required int96 called_at; }";
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let mut writer = SerializedFileWriter::new(File::create(path).unwrap(), schema, Arc::default()).unwrap();
    let mut rows = writer.next_row_group().unwrap();
    let ids: Vec<ByteArray> = call_ids.iter().map(|id| id.to_vec().into()).collect();
    for _ in 0..2 {
        let mut column = rows.next_column().unwrap().unwrap();
        column.typed::<ByteArrayType>().write_batch(&ids, None, None).unwrap();
        column.close().unwrap();
    }
    let mut column = rows.next_column().unwrap().unwrap();
    let mut at = Int96::new();
    at.set_data(0, 0, 2_461_346);
    column.typed::<Int96Type>().write_batch(&vec![at; ids.len()], None, None).unwrap();
    column.close().unwrap();
    rows.close().unwrap();
    writer.close().unwrap();
}

#[test]
fn errors_name_what_cannot_be_read_exactly() {
    let dir = TempDir::new().unwrap();
    let path = |name: &str| dir.path().join(name);
    write_old_format(&path("int96"), &[b"1^1"]);
    write(&path("no_call_id"), vec![("cal_id", texts(&["1^1"])), ("when", texts(&["2026-11-01"]))]);
    write(&path("twice"), vec![("call_id", texts(&["1^1"])), ("CallId", texts(&["1^1"]))]);
    let (call_ids, damaged) = (texts(&["1^1", "2^1"]), BinaryArray::from_vec(vec![b"138", b"\xFF38"]));
    let days = texts(&["2026-11-01", "2026-11-01"]);
    write(&path("bytes"), vec![("call_id", call_ids), ("callee", Arc::new(damaged)), ("called_at", days)]);
    let whole = std::fs::read(path("bytes")).unwrap();
    std::fs::write(path("cut"), &whole[..whole.len() - 20]).unwrap();
    let mut all = String::new();
    for name in ["int96", "no_call_id", "twice", "bytes", "cut"] {
        let found = lines(&path(name)).replace(&path(name).display().to_string(), "calls.parquet");
        writeln!(all, "# {name}\n{}", found.replace("calls.csv", "calls.parquet")).unwrap();
    }
    crate::support::snapshot::shows("ledgers_parquet", &all);
    // In a carried column such a timestamp only needs to be shown.
    let options = Options { map: vec![("query_date".into(), "callee".into())], ..Options::default() };
    assert!(read(&path("int96"), &options).unwrap_err().what.contains("INT96"));
}

#[test]
fn a_damaged_parquet_file_never_causes_a_panic() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("calls.parquet");
    let ids: Vec<String> = (0..200).map(|i| format!("{i}^{i}")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    write(&path, vec![("call_id", texts(&ids)), ("called_at", texts(&["2026-11-01"; 200]))]);
    let whole = std::fs::read(&path).unwrap();
    let mut random = fastrand::Rng::with_seed(1);
    for _ in 0..300 {
        let mut bytes = whole.clone();
        for _ in 0..random.usize(1..4) {
            let at = random.usize(4..bytes.len());
            bytes[at] = random.u8(..);
        }
        std::fs::write(&path, bytes).unwrap();
        let _ = lines(&path);
    }
}
