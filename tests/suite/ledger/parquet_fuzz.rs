//! Seeded damage to Parquet ledgers: thousands of files, each of which gives rows or an error.
//!
//! `RECONCILE_FUZZ_CASES` sets the number of cases.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Decimal128Array, DictionaryArray, Float64Array, Int64Array, ListArray,
    RecordBatch, StringArray, TimestampMillisecondArray,
};
use arrow::datatypes::Int32Type;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::properties::{WriterProperties, WriterVersion};
use reconcile::ledger::{Input, LedgerError, Options};
use tempfile::TempDir;

use crate::support::number_from_environment;

const ROWS: usize = 300;

fn batch() -> RecordBatch {
    let texts = |text: &dyn Fn(usize) -> String| -> ArrayRef {
        Arc::new((0..ROWS).map(|row| Some(text(row))).collect::<StringArray>())
    };
    let numbers = |number: &dyn Fn(usize) -> i64| -> Vec<i64> { (0..ROWS).map(number).collect() };
    let dictionary: DictionaryArray<Int32Type> =
        (0..ROWS).map(|row| if row % 3 == 0 { "13800000001" } else { "" }).collect();
    let lists = (0..ROWS).map(|row| Some((0..row as i32 % 4).map(Some)));
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("call_id", texts(&|row| format!("{row}^{row}"))),
        ("prod_id", Arc::new(Int64Array::from(numbers(&|_| 11_000_000_300_006)))),
        (
            "called_at",
            Arc::new(TimestampMillisecondArray::from(numbers(&|row| 1_793_495_107_000 + row as i64))),
        ),
        ("callee", Arc::new(dictionary)),
        ("answered", Arc::new((0..ROWS).map(|row| Some(row % 2 == 0)).collect::<BooleanArray>())),
        ("duration", Arc::new((0..ROWS).map(|row| Some(row as f64)).collect::<Float64Array>())),
        ("cost", Arc::new((0..ROWS).map(|row| Some(row as i128)).collect::<Decimal128Array>())),
        ("tags", Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>(lists))),
        ("note", texts(&|row| "备注 ".repeat(row % 9))),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

/// The same rows in four forms: both versions of pages, several encodings and compressions.
fn valid_files(folder: &Path) -> Vec<Vec<u8>> {
    let properties = |version| WriterProperties::builder().set_writer_version(version);
    let (v1, v2) = (WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0);
    let zstd = Compression::ZSTD(ZstdLevel::try_new(1).unwrap());
    let forms = [
        properties(v1).set_compression(Compression::UNCOMPRESSED),
        properties(v1).set_compression(Compression::SNAPPY).set_max_row_group_row_count(Some(100)),
        properties(v2).set_compression(zstd).set_dictionary_enabled(false),
        properties(v2)
            .set_data_page_row_count_limit(50)
            .set_write_batch_size(10)
            .set_dictionary_enabled(false)
            .set_column_encoding("note".into(), Encoding::DELTA_LENGTH_BYTE_ARRAY),
    ];
    let batch = batch();
    forms
        .into_iter()
        .map(|form| {
            let path = folder.join("valid.parquet");
            let file = File::create(&path).unwrap();
            let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(form.build())).unwrap();
            writer.write(&batch).unwrap();
            writer.close().unwrap();
            std::fs::read(path).unwrap()
        })
        .collect()
}

/// Damages a file in one of six ways.
fn damage(file: &mut Vec<u8>, random: &mut fastrand::Rng) {
    let footer_len = file.len().saturating_sub(8);
    let declared = u32::from_le_bytes(file[footer_len..footer_len + 4].try_into().unwrap()) as usize;
    let footer = footer_len.saturating_sub(declared)..footer_len;
    match random.u8(..6) {
        0 => file.truncate(random.usize(..file.len())),
        1 => {
            let (from, to) = (random.usize(..file.len()), random.usize(..file.len()));
            let len = random.usize(..64).min(file.len() - from.max(to));
            file.copy_within(from..from + len, to);
        }
        2 => file[footer_len + random.usize(..4)] = random.u8(..),
        // Most numbers of the file are in its description.
        3 if !footer.is_empty() => {
            for _ in 0..random.usize(1..4) {
                file[random.usize(footer.clone())] = random.u8(..);
            }
        }
        4 => {
            let at = random.usize(..file.len());
            file.drain(at..(at + random.usize(1..16)).min(file.len()));
        }
        _ => {
            for _ in 0..random.usize(1..8) {
                let at = random.usize(..file.len());
                file[at] = if random.bool() { random.u8(..) } else { file[at] ^ 1 << random.u8(..8) };
            }
        }
    }
}

/// Number of rows, or the error, with which the ledger ends.
fn read(path: &Path) -> Result<usize, LedgerError> {
    let input = Input::open(path)?;
    let mut rows = 0;
    for record in input.ledger(&Options::default())? {
        record?;
        rows += 1;
        assert!(rows <= 100 * ROWS, "a file of {ROWS} rows has no end");
    }
    Ok(rows)
}

#[test]
fn damaged_parquet_files_give_rows_or_an_error_in_words() {
    let dir = TempDir::new().unwrap();
    let files = valid_files(dir.path());
    let path = dir.path().join("calls.parquet");
    for file in &files {
        std::fs::write(&path, file).unwrap();
        assert_eq!(read(&path).unwrap(), ROWS);
    }
    let (mut with_rows, mut with_error, mut contradictions) = (0, 0, 0);
    let mut random = fastrand::Rng::with_seed(18);
    for _ in 0..number_from_environment("RECONCILE_FUZZ_CASES").unwrap_or(3_000) {
        let mut file = random.choice(&files).unwrap().clone();
        for _ in 0..random.usize(1..3) {
            if file.len() > 12 {
                damage(&mut file, &mut random);
            }
        }
        std::fs::write(&path, &file).unwrap();
        match read(&path) {
            Ok(_) => with_rows += 1,
            Err(error) => {
                with_error += 1;
                let words = error.to_string();
                contradictions += usize::from(words.contains("contradict"));
                assert!(words.contains("calls.parquet") && !words.contains("panicked"), "{words}");
            }
        }
    }
    assert!(with_rows > 50 && with_error > 50, "{with_rows} with rows, {with_error} with an error");
    assert!(contradictions < with_error, "{contradictions} of {with_error}");
}
