//! Parquet files that claim or contain far more than they are worth, and damaged ones.
//!
//! The memory of the binary is limited from outside. So a file that takes too much ends it.

use std::process::Command;

use crate::support::{Bench, Run, ledger};

/// Kilobytes of address space that the binary gets. It needs 256 MiB for pages, at most.
const LIMIT_KB: u64 = 660_000;
const MB: u64 = 1_000_000;

/// Writes Thrift's compact protocol.
#[derive(Default)]
struct Thrift {
    bytes: Vec<u8>,
    last: Vec<u8>,
}

impl Thrift {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
    }

    fn head(&mut self, number: u8, kind: u8) {
        if self.last.is_empty() {
            self.last.push(0);
        }
        let last = self.last.last_mut().unwrap();
        self.bytes.push((number - *last) << 4 | kind);
        *last = number;
    }

    fn number(mut self, number: u8, value: u64) -> Self {
        self.head(number, 6);
        self.varint(value << 1);
        self
    }

    fn text(mut self, number: u8, text: &[u8]) -> Self {
        self.head(number, 8);
        self.varint(text.len() as u64);
        self.bytes.extend(text);
        self
    }

    /// A list with elements of this kind: structs, or texts with their lengths.
    fn list(mut self, number: u8, kind: u8, claimed: u64, elements: &[Vec<u8>]) -> Self {
        self.head(number, 9);
        self.bytes.push(0xF0 | kind);
        self.varint(claimed);
        self.bytes.extend(elements.concat());
        self
    }

    fn inner(mut self, number: u8, bytes: &[u8]) -> Self {
        self.head(number, 12);
        self.bytes.extend(bytes);
        self
    }

    fn end(mut self) -> Vec<u8> {
        self.bytes.push(0);
        self.bytes
    }
}

fn thrift() -> Thrift {
    Thrift::default()
}

const DATA: u64 = 0;
const DICTIONARY: u64 = 2;
const PLAIN: u64 = 0;
const DELTA_LENGTH: u64 = 6;
const DELTA: u64 = 7;
const RLE_DICTIONARY: u64 = 8;

/// A page with its header. The data is packed with zstd.
fn page(kind: u64, unpacked: u64, values: u64, encoding: u64, packed: &[u8]) -> Vec<u8> {
    let header = thrift().number(1, kind).number(2, unpacked).number(3, packed.len() as u64);
    let of_kind = thrift().number(1, values).number(2, encoding);
    let header = match kind {
        DICTIONARY => header.inner(7, &of_kind.end()),
        _ => header.inner(5, &of_kind.number(3, 3).number(4, 3).end()),
    };
    [header.end(), packed.to_vec()].concat()
}

fn zst(data: &[u8]) -> Vec<u8> {
    zstd::encode_all(data, 1).unwrap()
}

/// `before`, then this number of zeros, packed.
fn zeros_after(before: &[u8], zeros: u64) -> Vec<u8> {
    let zeros = std::io::Read::take(std::io::repeat(0), zeros);
    zstd::encode_all(std::io::Read::chain(before, zeros), 1).unwrap()
}

/// A page with one text of zeros.
fn page_of_one_text(kind: u64, len: u64) -> Vec<u8> {
    let length = u32::try_from(len).unwrap().to_le_bytes();
    page(kind, len + 4, 1, PLAIN, &zeros_after(&length, len))
}

/// Indexes into a dictionary, all 0: one run.
fn zero_indexes(count: u64) -> Vec<u8> {
    let mut run = Thrift::default();
    run.varint(count << 1);
    let data = [vec![1], run.bytes, vec![0]].concat();
    page(DATA, data.len() as u64, count, RLE_DICTIONARY, &zst(&data))
}

/// A column: its node in the schema, its name, its pages, and whether they begin with a dictionary.
struct Column {
    nodes: Vec<Vec<u8>>,
    physical: u64,
    path: Vec<&'static [u8]>,
    pages: Vec<u8>,
    has_dictionary: bool,
    values: u64,
}

const BYTES: u64 = 6;
const FIXED: u64 = 7;

fn texts(pages: Vec<u8>, has_dictionary: bool, values: u64) -> Column {
    let node = thrift().number(1, BYTES).number(3, 0).text(4, b"call_id").number(6, 0).end();
    Column { nodes: vec![node], physical: BYTES, path: vec![b"call_id"], pages, has_dictionary, values }
}

fn file(columns: &[Column], rows: u64) -> Vec<u8> {
    let mut nodes = vec![thrift().text(4, b"m").number(5, columns.len() as u64).end()];
    let (mut file, mut chunks) = (b"PAR1".to_vec(), Vec::new());
    for column in columns {
        nodes.extend(column.nodes.clone());
        let (at, len) = (file.len() as u64, column.pages.len() as u64);
        file.extend(&column.pages);
        let path: Vec<Vec<u8>> =
            column.path.iter().map(|part| [&[part.len() as u8], *part].concat()).collect();
        let metadata = thrift().number(1, column.physical).list(2, 5, 1, &[vec![0]]);
        let metadata = metadata.list(3, 8, path.len() as u64, &path).number(4, 6).number(5, column.values);
        let mut metadata = metadata.number(6, len).number(7, len).number(9, at);
        if column.has_dictionary {
            metadata = metadata.number(11, at);
        }
        chunks.push(thrift().number(2, at).inner(3, &metadata.end()).end());
    }
    let group = thrift().list(1, 12, chunks.len() as u64, &chunks).number(2, 1).number(3, rows).end();
    let footer = thrift().number(1, 1).list(2, 12, nodes.len() as u64, &nodes);
    with_footer(file, &footer.number(3, rows).list(4, 12, 1, &[group]).end())
}

fn with_footer(mut file: Vec<u8>, footer: &[u8]) -> Vec<u8> {
    file.extend(footer);
    file.extend((footer.len() as u32).to_le_bytes());
    file.extend(b"PAR1");
    file
}

/// Plans a run over this ledger with limited memory.
fn plan(bytes: &[u8]) -> Run {
    let bench = Bench::new("");
    std::fs::write(bench.path("calls.parquet"), bytes).unwrap();
    let program = bench.command(&[]).get_program().to_owned();
    let mut command = Command::new("sh");
    command.args(["-c", &format!("ulimit -v {LIMIT_KB}; exec \"$0\" \"$@\"")]).arg(program);
    command.args(["plan", "--json", "-i", "calls.parquet", "-o", "d.parquet", "--prod-id", "1"]);
    command.current_dir(bench.path("")).env_clear().env("HOME", bench.path("home"));
    let run = bench.start_command(command).wait();
    assert!(!run.stderr.contains("panicked"), "{}", run.stderr);
    run
}

#[track_caller]
fn assert_refused(bytes: &[u8], why: &str) {
    assert!(bytes.len() < 300_000, "{} bytes", bytes.len());
    let run = plan(bytes).exits(2).says("the Parquet file calls.parquet is damaged");
    run.says(why).says("to do:").says("Nothing was sent (exit 2).");
}

/// Asserts that every row is read, and is unusable because it is too long.
#[track_caller]
fn assert_rows_too_long(bytes: &[u8], rows: u64) {
    assert!(bytes.len() < 300_000, "{} bytes", bytes.len());
    let run = plan(bytes).exits(2);
    run.says(&format!("none of the {rows} rows")).says("the row is longer than 1 MiB");
}

#[test]
fn pages_that_claim_or_contain_gigabytes_are_refused() {
    let needs = "MiB of memory at once; at most 256 MiB are allowed";
    let claims = page(DATA, i32::MAX as u64, 1, PLAIN, &zst(b"\x01\0\0\0a"));
    assert_refused(&file(&[texts(claims, false, 1)], 1), needs);
    assert_refused(&file(&[texts(page_of_one_text(DATA, 500 * MB), false, 1)], 1), needs);
    let page = page_of_one_text(DATA, 60 * MB);
    let columns: Vec<Column> = (0..5).map(|_| texts(page.clone(), false, 1)).collect();
    assert_refused(&file(&columns, 1), needs);
}

#[test]
fn a_long_text_in_a_dictionary_is_not_copied_for_each_row() {
    let pages = [page_of_one_text(DICTIONARY, 100 * MB), zero_indexes(5_000)].concat();
    assert_rows_too_long(&file(&[texts(pages, true, 5_000)], 5_000), 5_000);
}

#[test]
fn pages_of_single_long_texts_are_read_one_after_the_other() {
    let pages = page_of_one_text(DATA, 100 * MB).repeat(20);
    assert_rows_too_long(&file(&[texts(pages, false, 20)], 20), 20);
}

#[test]
fn dictionaries_and_lengths_that_claim_too_much_are_refused() {
    let dictionary = page(DICTIONARY, 5, i32::MAX as u64, PLAIN, &zst(b"\x01\0\0\0a"));
    let pages = [dictionary, zero_indexes(1)].concat();
    assert_refused(&file(&[texts(pages, true, 1)], 1), "a page has impossible sizes");
    // Blocks of 128 values in 4 miniblocks, and 2^31 - 1 values in the page's data.
    let claimed = |count: u64| {
        let mut header = Thrift::default();
        [128, 4, count, 0].into_iter().for_each(|value| header.varint(value));
        header.bytes
    };
    for encoding in [DELTA_LENGTH, DELTA] {
        let data = claimed(i32::MAX as u64);
        let pages = page(DATA, data.len() as u64, 3, encoding, &zst(&data));
        assert_refused(&file(&[texts(pages, false, 3)], 3), "the lengths of texts make no sense");
        let pages = page(DATA, data.len() as u64, i32::MAX as u64, encoding, &zst(&data));
        assert_refused(&file(&[texts(pages, false, 3)], 3), "more texts than any program writes");
    }
}

/// DELTA_BINARY_PACKED: blocks of 128 values in 4 miniblocks, each with 0 or 32 bits a value.
fn deltas(values: &[i64]) -> Vec<u8> {
    let zigzag = |value: i64| (value << 1 ^ value >> 63) as u64;
    let mut data = Thrift::default();
    [128, 4, values.len() as u64, zigzag(values[0])].into_iter().for_each(|value| data.varint(value));
    let deltas: Vec<i64> = values.windows(2).map(|pair| pair[1] - pair[0]).collect();
    for block in deltas.chunks(128) {
        let least = *block.iter().min().unwrap();
        data.varint(zigzag(least));
        let is_equal = |miniblock: &[i64]| miniblock.iter().all(|delta| *delta == least);
        let mut widths: Vec<u8> = block.chunks(32).map(|part| if is_equal(part) { 0 } else { 32 }).collect();
        widths.resize(4, 0);
        data.bytes.extend(widths);
        for miniblock in block.chunks(32).filter(|part| !is_equal(part)) {
            let packed = |at: usize| (miniblock.get(at).unwrap_or(&least) - least) as u32;
            data.bytes.extend((0..32).flat_map(|at| packed(at).to_le_bytes()));
        }
    }
    data.bytes
}

#[test]
fn texts_that_repeat_the_one_before_are_read_in_small_batches() {
    // 800 texts of 2 MB: the first one in full, the others as the same again.
    const LEN: u64 = 2 * MB;
    let (mut prefixes, mut suffixes) = (vec![LEN as i64; 800], vec![0; 800]);
    (prefixes[0], suffixes[0]) = (0, LEN as i64);
    let lengths = [deltas(&prefixes), deltas(&suffixes)].concat();
    let pages = page(DATA, lengths.len() as u64 + LEN, 800, DELTA, &zeros_after(&lengths, LEN));
    assert_rows_too_long(&file(&[texts(pages, false, 800)], 800), 800);
}

#[test]
fn columns_nested_too_deeply_do_not_overflow_the_stack() {
    let group = thrift().number(3, 0).text(4, b"g").number(5, 1).end();
    let mut nodes = vec![group; 100_000];
    nodes.push(thrift().number(1, BYTES).number(3, 0).text(4, b"call_id").end());
    let footer =
        thrift().number(1, 1).list(2, 12, nodes.len() as u64, &nodes).number(3, 0).list(4, 12, 0, &[]);
    let bytes = with_footer(b"PAR1".to_vec(), &footer.end());
    let run = plan(&bytes).exits(2).says("its description makes no sense");
    run.says("Nothing was sent (exit 2).");
    let claims = thrift().number(1, 1).list(2, 12, u32::MAX.into(), &[vec![0]]).number(3, 0).end();
    assert_refused(&with_footer(b"PAR1".to_vec(), &claims), "its description makes no sense");
    let child = thrift().text(4, b"m").number(5, i32::MAX as u64).end();
    let claims = thrift().number(1, 1).list(2, 12, 1, &[child]).number(3, 0).list(4, 12, 0, &[]).end();
    assert_refused(&with_footer(b"PAR1".to_vec(), &claims), "its description makes no sense");
}

#[test]
fn values_of_a_claimed_length_are_refused() {
    let node = thrift().number(1, FIXED).number(2, i32::MAX as u64).number(3, 0).text(4, b"call_id").end();
    let pages = [page_of_one_text(DICTIONARY, 100 * MB), zero_indexes(5_000)].concat();
    let path: Vec<&[u8]> = vec![b"call_id"];
    let column =
        Column { nodes: vec![node], physical: FIXED, path, pages, has_dictionary: true, values: 5_000 };
    assert_refused(&file(&[column], 5_000), "MiB of memory at once");
}

#[test]
fn the_limit_leaves_room_for_a_usual_run() {
    let bench = Bench::new(&ledger(3));
    let command = format!("ulimit -v {LIMIT_KB}; exec \"$0\" \"$@\"");
    let run = bench.command(&[]);
    let mut limited = Command::new("sh");
    limited.args(["-c", &command]).arg(run.get_program()).args(run.get_args()).current_dir(bench.path(""));
    limited.env_clear().envs(run.get_envs().filter_map(|(name, value)| Some((name, value?))));
    bench.start_command(limited).wait().exits(0);
}
