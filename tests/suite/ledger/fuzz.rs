//! Randomly damaged ledgers: no panic, no lost row. A second, simpler parser counts and finds the
//! records.
//!
//! The suite runs it for three seconds. `RECONCILE_FUZZ_SECONDS=3600 cargo test --test suite --
//! --nocapture ledger::fuzz` runs for an hour, each time with new seeds. A failure prints its seed;
//! `RECONCILE_FUZZ_SEED` repeats it.

use std::io::{Read, Write as _};
use std::time::{Duration, Instant};

use fastrand::Rng;
use reconcile::ledger::{Layout, LedgerReader, Options};
use reconcile_core::ledger_row::Record;
use reconcile_core::product::ProductId;
use reconcile_core::row_problem::RowProblem;

use crate::support::number_from_environment;

/// The longest record, as in the reader.
const MAX_RECORD: usize = 1 << 20;

/// Byte sequences that damage a ledger.
const TOKENS: [&[u8]; 24] = [
    b"\"",
    b"\"\"",
    b",",
    b";",
    b"\t",
    b"|",
    b"\n",
    b"\r",
    b"\r\n",
    b"\0",
    b"\xFF",
    b"\x80",
    b"\x81",
    b"^",
    b"\xEF\xBB\xBF",
    b"\xEF\xBF\xBD",
    b"\xE3\x80\x80",
    b"\xD8\x00",
    b"NULL",
    b"1.1E+13",
    b"2026-11-01",
    b"sep=;\n",
    b"=\"1\"",
    b"\xCD\xA8\xBB\xB0",
];

/// A reader that returns its bytes in small pieces.
struct Trickle<'a>(&'a [u8], usize);

impl Read for Trickle<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let len = self.1.min(self.0.len()).min(into.len());
        into[..len].copy_from_slice(&self.0[..len]);
        self.0 = &self.0[len..];
        Ok(len)
    }
}

/// A whole ledger in one of the encodings.
fn seed(random: &mut Rng) -> Vec<u8> {
    let delimiter = *random.choice(&[",", ",", ";", "\t", "|"]).unwrap();
    let end = *random.choice(&["\n", "\r\n", "\r"]).unwrap();
    let headers = [
        ["call_id", "called_at", "callee", "note"],
        ["呼叫ID", "呼叫时间", "被叫号码", "备注"],
        ["CallId", "gmtCreate", "duration", "部门"],
    ];
    let values = [
        "1^1",
        "2026-11-01 09:05:07",
        "13800000001",
        "75",
        "张伟",
        "é",
        "",
        "\"a,b\"",
        "\"x\ny\"",
        "45962.37",
    ];
    let mut lines = vec![random.choice(&headers).unwrap().map(str::to_owned).join(delimiter)];
    for i in 0..random.usize(0..12) {
        let cells = [format!("{i}^{}", random.u32(..)), "2026-11-01".into(), "7".into(), String::new()];
        let cell = |(at, cell): (usize, String)| {
            if at > 0 && random.bool() { (*random.choice(&values).unwrap()).to_owned() } else { cell }
        };
        lines.push(cells.into_iter().enumerate().map(cell).collect::<Vec<_>>().join(delimiter));
    }
    let text = lines.join(end);
    match random.u8(0..8) {
        0..3 => text.into_bytes(),
        3 => format!("\u{feff}{text}").into_bytes(),
        4 | 5 => encoding_rs::GB18030.encode(&text).0.into_owned(),
        6 => format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect(),
        _ => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
    }
}

fn damage(bytes: &mut Vec<u8>, random: &mut Rng) {
    let at = random.usize(0..=bytes.len());
    let some = at..(at + random.usize(0..20)).min(bytes.len());
    match random.u8(0..7) {
        0 if at < bytes.len() => bytes[at] ^= 1 << random.u8(0..8),
        1 => drop(bytes.drain(some)),
        2 => bytes.truncate(at),
        3 => {
            let copy = bytes[some].to_vec();
            bytes.splice(at..at, copy);
        }
        4 => {
            let other = seed(random);
            let from = random.usize(0..=other.len());
            bytes.splice(at..at, other[from..].iter().copied());
        }
        5 if random.u16(0..300) == 0 => {
            let byte = *random.choice(b"x,\"\n").unwrap();
            bytes.splice(at..at, std::iter::repeat_n(byte, MAX_RECORD + random.usize(0..10)));
        }
        _ => drop(bytes.splice(at..at, random.choice(&TOKENS).unwrap().iter().copied())),
    }
}

fn pack(bytes: &[u8], random: &mut Rng) -> Vec<u8> {
    match random.u8(0..8) {
        0 => {
            let mut packing = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            packing.write_all(bytes).unwrap();
            packing.finish().unwrap()
        }
        1 => zstd::encode_all(bytes, 1).unwrap(),
        _ => bytes.to_vec(),
    }
}

/// All unpacked bytes at once; `None` for a damaged archive.
fn unpack(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut all = Vec::new();
    if bytes.starts_with(b"\x1F\x8B") {
        flate2::read::MultiGzDecoder::new(bytes).read_to_end(&mut all).ok()?;
    } else if bytes.starts_with(b"\x28\xB5\x2F\xFD") || matches!(bytes, [0x50..=0x5F, 0x2A, 0x4D, 0x18, ..]) {
        all = zstd::decode_all(bytes).ok()?;
    } else {
        all = bytes.to_vec();
    }
    Some(all)
}

/// The text of these bytes; malformed sequences become U+FFFD.
fn text(bytes: &[u8], form: &str) -> String {
    let encoding = match form {
        _ if form.starts_with("UTF-16 (little") => encoding_rs::UTF_16LE,
        _ if form.starts_with("UTF-16 (big") => encoding_rs::UTF_16BE,
        _ if form.starts_with("GB18030") => encoding_rs::GB18030,
        _ => return String::from_utf8_lossy(bytes).into_owned(),
    };
    encoding.decode_without_bom_handling(bytes).0.into_owned()
}

/// Counts the records without the program's reader. A record whose quote is not closed within 1
/// MiB, or is closed on a later line in the middle of a cell, ends with its line.
fn count(text: &[u8], delimiter: u8) -> usize {
    let is_end = |byte: u8| matches!(byte, b'\n' | b'\r');
    let line_end = |from: usize| (from..text.len()).find(|at| is_end(text[*at])).unwrap_or(text.len());
    let (mut at, mut records) = (0, 0);
    loop {
        while at < text.len() && is_end(text[at]) {
            at += 1;
        }
        if at == text.len() {
            return records;
        }
        records += 1;
        let (start, mut field_start, mut quote) = (at, true, None);
        // The quote of a cell that spans lines and has just been closed.
        let mut closed_later = None;
        at = loop {
            if at - start == MAX_RECORD || (at == text.len() && quote.is_some()) {
                break line_end(quote.unwrap_or(at));
            }
            let Some(byte) = text.get(at).copied() else { break at };
            if let Some(quote) = closed_later.take()
                && byte != delimiter
                && !is_end(byte)
            {
                break line_end(quote);
            }
            match quote {
                Some(_) if byte == b'"' && text.get(at + 1) == Some(&b'"') && at + 1 - start < MAX_RECORD => {
                    at += 1
                }
                Some(from) if byte == b'"' => {
                    quote = None;
                    closed_later = text[from..at].iter().any(|byte| is_end(*byte)).then_some(from);
                }
                Some(_) => {}
                None if is_end(byte) => break at,
                None if byte == b'"' && field_start => quote = Some(at),
                None => {}
            }
            // Text after a closing quote is kept as it is.
            field_start = quote.is_none() && byte == delimiter;
            at += 1;
        };
    }
}

/// The first record of a text, as the csv crate reads it.
fn first_record(text: &[u8], delimiter: u8) -> Vec<String> {
    let mut builder = csv::ReaderBuilder::new();
    // The crate removes the first mark.
    let text = [b"\xEF\xBB\xBF", text].concat();
    let mut reader =
        builder.has_headers(false).flexible(true).delimiter(delimiter).from_reader(text.as_slice());
    let mut record = csv::ByteRecord::new();
    reader.read_byte_record(&mut record).unwrap();
    record.iter().map(|cell| String::from_utf8_lossy(cell).into_owned()).collect()
}

/// All records and the reader; `None` if the whole file is refused.
fn read(source: impl Read, options: &Options) -> Option<(Vec<Record>, LedgerReader<impl Read>)> {
    let mut ledger = LedgerReader::open(source, "fuzz", options).ok()?;
    let records = ledger.by_ref().collect::<Result<Vec<_>, _>>().ok()?;
    Some((records, ledger))
}

/// Whether the reader gave up on a record, because its quote is never closed or it is too long.
fn is_given_up(record: &Record) -> bool {
    matches!(record, Record::Invalid(row) if matches!(row.reason, RowProblem::UnclosedQuote { .. } | RowProblem::TooLong))
}

/// Checks one ledger. Returns true when it could be read.
fn check(bytes: &[u8], random: &mut Rng) -> bool {
    let options = Options { prod_id: Some(ProductId(7)), ..Options::default() };
    let whole = read(bytes, &options);
    let step = random.usize(1..200).max(bytes.len() / 1_000);
    let trickled = read(Trickle(bytes, step), &options);
    let Some((records, ledger)) = whole else {
        assert!(trickled.is_none());
        return false;
    };
    assert_eq!(records, trickled.unwrap().0, "read in pieces of {step} bytes");
    let (form, layout) = (ledger.form().to_string(), ledger.layout());
    let unpacked = unpack(bytes).expect("a readable file can be unpacked");
    let all = text(&unpacked, &form);
    let body = all.strip_prefix('\u{feff}').unwrap_or(&all);
    // A line `sep=` is a separate record.
    let sep = body.trim_start_matches(['\n', '\r']).to_ascii_lowercase();
    let above = 1 + usize::from(sep.starts_with("sep=") || sep.starts_with("\"sep="));
    // Malformed sequences are longer in this text than in the reader's. So the two counts may
    // differ near the longest record.
    let near_limit = body.len() > MAX_RECORD / 2;
    // Backslash escapes are read as MySQL means them.
    if !near_limit && !body.contains("\\\"") {
        let found = records.len() + usize::try_from(ledger.passed_over()).unwrap();
        assert_eq!(found + above, count(body.as_bytes(), layout.delimiter), "{form}");
    }
    let places = records.iter().map(|record| match record {
        Record::Row(row) => row.line,
        Record::Invalid(row) => row.line,
    });
    assert!(places.is_sorted_by(|a, b| a < b), "line numbers decrease");
    let rejects: Vec<_> = records
        .iter()
        .filter(|record| !is_given_up(record))
        .filter_map(|record| match record {
            Record::Invalid(row) => Some(row),
            Record::Row(_) => None,
        })
        .collect();
    for row in &rejects {
        let from = usize::try_from(row.offset.unwrap()).unwrap();
        // The greatest length of these values in any encoding, with quotes.
        let length: usize = row.original.iter().map(|value| 4 * value.len() + 8).sum();
        let here = text(&unpacked[from..unpacked.len().min(from + length)], &form);
        assert_eq!(first_record(here.as_bytes(), layout.delimiter), row.original, "at byte {from}");
    }
    read_rejects_again(&records, &layout, &options);
    true
}

/// Writes the rejects as the program does, and asserts that they are read as the same number of
/// rows.
fn read_rejects_again(records: &[Record], layout: &Layout, options: &Options) {
    let delimiter = layout.delimiter;
    let mut csv = csv::WriterBuilder::new().flexible(true).delimiter(delimiter).from_writer(Vec::new());
    csv.write_record(&layout.names).unwrap();
    let mut rejected = 0;
    for record in records {
        if let Record::Invalid(row) = record {
            csv.write_record(&row.original).unwrap();
            rejected += 1;
        }
    }
    let mut bytes = csv.into_inner().unwrap();
    if layout.byte_order_mark || bytes.contains(&0) {
        bytes.splice(0..0, *b"\xEF\xBB\xBF");
    }
    if bytes.len() > MAX_RECORD {
        // Doubled quotes may have made a row too long.
        return;
    }
    let options = Options { delimiter: Some(delimiter), ..options.clone() };
    let again = read(bytes.as_slice(), &options);
    let again = again
        .unwrap_or_else(|| panic!("rejects cannot be read again: {:?}", String::from_utf8_lossy(&bytes)))
        .0;
    assert_eq!(again.len(), rejected, "{}", String::from_utf8_lossy(&bytes));
}

/// Makes, damages and checks the ledger of one seed. Returns true if it could be read.
fn check_seed(no: u64) -> bool {
    let mut random = Rng::with_seed(no);
    let mut bytes = seed(&mut random);
    for _ in 0..random.usize(0..6) {
        damage(&mut bytes, &mut random);
    }
    let mut bytes = pack(&bytes, &mut random);
    if random.u8(0..16) == 0 {
        damage(&mut bytes, &mut random);
    }
    check(&bytes, &mut random)
}

#[test]
fn damage_causes_no_panic_and_loses_no_row() {
    if let Some(no) = number_from_environment("RECONCILE_FUZZ_SEED") {
        check_seed(no);
        return;
    }
    let seconds = number_from_environment("RECONCILE_FUZZ_SECONDS");
    // The suite always uses the same seeds.
    let first = seconds.map_or(0, |_| u64::from(fastrand::u32(..)) << 32);
    let end = Instant::now() + Duration::from_secs(seconds.unwrap_or(3));
    let (mut no, mut read) = (first, 0_u64);
    while Instant::now() < end {
        let result = std::panic::catch_unwind(|| check_seed(no));
        read += u64::from(result.unwrap_or_else(|_| panic!("RECONCILE_FUZZ_SEED={no}")));
        no += 1;
    }
    let ledgers = no - first;
    assert!(read * 2 > ledgers, "only {read} of {ledgers} ledgers could be read at all");
    #[allow(clippy::print_stdout)]
    if seconds.is_some() {
        println!("{ledgers} ledgers from seed {first}, {read} of them readable: no panic, no lost row");
    }
}
