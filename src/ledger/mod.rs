//! Reads the ledger: one row per call that the company believes it made.
//!
//! ```text
//!  file ─► unpack (SHA-256; gzip, zstd) ─► text (encoding → UTF-8) ─► split (records, lines) ─► fields ─► row (values)
//!  file ─► columnar (Parquet) ───────────────────────────────────────────────────────────────► fields ─► row
//! ```
//!
//! A record with quotes passes the csv parser on its way to its fields. Promises that every record below the header becomes one [`Record`], in order, usable or not: a bad row
//! never stops the run and is never dropped. Nothing of the file is held but the present record, of at most
//! 1 MiB, and what the stages before it have read ahead; a longer one, which in practice is a quote that is never
//! closed, is an [`InvalidRow`], and reading goes on with the line after that quote. Errors are kept for what makes the
//! whole file unusable.

mod columnar;
mod delimiter;
mod duplicates;
mod fields;
mod findings;
mod fingerprints;
mod header;
mod input;
mod row;
mod source;
mod split;
mod text;
mod times;
mod unpack;
mod values;

pub use duplicates::{DuplicateCalls, LedgerScan};
pub use input::Input;
pub use source::Source;

use std::fs::File;
use std::io::{Read, Seek as _};

use chrono::NaiveDate;
use compact_str::CompactString;
use csv::ByteRecord;

use crate::error::{Error, Result};
use columnar::Table;
use fields::Fields;
use findings::Findings;
use header::{Field, Header};
use reconcile_core::ledger_row::{InvalidRow, Record};
use reconcile_core::product::ProductId;
use split::{KEPT, MAX_RECORD, Piece, Place, Split};
use text::{Encoding, Text};
use unpack::Unpacked;

/// How to read a ledger that does not say everything itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// Product of the rows that name none.
    pub prod_id: Option<ProductId>,
    /// Day (UTC+8) of the rows that name no time.
    pub call_date: Option<NaiveDate>,
    /// Columns named by hand, as (field, header).
    pub map: Vec<(String, String)>,
    /// What separates the fields; without it, the header tells.
    pub delimiter: Option<u8>,
}

/// The columns of a ledger as it writes them, to write rows that its owner can feed back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Layout {
    /// The header row.
    pub names: Vec<String>,
    /// What separates the fields.
    pub delimiter: u8,
    /// It needs a byte order mark to be shown right by those who made it: it had one, or was not UTF-8.
    pub mark: bool,
}

/// Where the records come from.
enum Rows<R> {
    Text { csv: Box<csv::Reader<Split<Text<R>>>>, delimiter: u8 },
    Parquet { table: Box<Table>, file: File, row: u64 },
}

/// A ledger being read; an iterator over its records.
///
/// An item is an error only when the source cannot be read any further; it is then the last.
pub struct Ledger<R> {
    records: Records<R>,
    present: Raw,
    values: Values,
    failed: bool,
}

/// The first half of the work: records, whose values nobody has read yet.
struct Records<R> {
    rows: Rows<R>,
    source_name: String,
}

/// A record as it stands in the ledger.
#[derive(Default)]
struct Raw {
    fields: Fields,
    /// What the parser makes of a record that needs one.
    parsed: ByteRecord,
    line: u64,
    offset: Option<u64>,
    encoding: &'static str,
    /// Not even its fields can be told apart.
    endless: Option<InvalidRow>,
    /// What is held of it, in bytes.
    len: usize,
}

/// The second half: the values of a record.
struct Values {
    header: Header,
    options: Options,
    findings: Findings,
}

impl Values {
    /// The same for another thread, with findings of its own.
    fn afresh(&self) -> Self {
        let (header, options) = (self.header.clone(), self.options.clone());
        Self { header, options, findings: Findings::default() }
    }

    fn read(&mut self, raw: &mut Raw) -> Record {
        if let Some(row) = raw.endless.take() {
            return Record::Invalid(row);
        }
        let what = (&self.header, &self.options, &raw.fields);
        let (record, remarks) = row::Source::new(what, (raw.line, raw.offset), raw.encoding).read();
        self.findings.see(&record, remarks);
        record
    }
}

impl<R: Read> Ledger<R> {
    /// Reads the header row of a text. `source_name` is what errors call the source, such as its path.
    ///
    /// # Errors
    /// Wrong usage: the source cannot be read, is empty or no text, or its header is damaged, lacks `call_id`,
    /// has two columns for one field, or lacks what `options.map` names.
    pub fn open(reader: R, source_name: &str, options: &Options) -> Result<Self> {
        let unreadable = |error| unreadable(source_name, error);
        let mut split = Split::new(Text::new(reader).map_err(unreadable)?, b',');
        let found = delimiter::find(&mut split, &options.map).map_err(unreadable)?;
        let delimiter = options.delimiter.unwrap_or(found);
        split.set_delimiter(delimiter);
        let piece = split.advance().map_err(unreadable)?;
        let mut csv = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(delimiter)
            .from_reader(split);
        let mut record = ByteRecord::new();
        match piece {
            Piece::Record(_) => parse(&mut csv, &mut record, source_name)?,
            Piece::End => {
                return Err(Error::usage(format!("{source_name} is empty"))
                    .hint("the ledger needs a header row with at least the column `call_id`"));
            }
            Piece::Unclosed(_) | Piece::TooLong(_) => {
                let what =
                    format!("the header row of {source_name} has a quote that is never closed, or no end");
                return Err(Error::usage(what).hint("is it a CSV file? Its first row must name the columns"));
            }
        }
        let encoding = csv.get_ref().source().encoding();
        let names = header_names(&record, encoding, source_name)?;
        Self::with(Rows::Text { csv: Box::new(csv), delimiter }, &names, source_name, options)
    }

    fn with(rows: Rows<R>, names: &[String], source_name: &str, options: &Options) -> Result<Self> {
        let header = Header::read(names, &options.map, source_name)?;
        let values = Values { header, options: options.clone(), findings: Findings::default() };
        let records = Records { rows, source_name: source_name.to_owned() };
        Ok(Self { records, present: Raw::default(), values, failed: false })
    }

    /// How long the record read last is, in bytes.
    #[must_use]
    pub fn last_len(&self) -> usize {
        self.present.len
    }

    /// Reads what is left and returns the SHA-256 of all bytes of the source, in lower-case hex.
    ///
    /// # Errors
    /// Wrong usage, when the source cannot be read to its end.
    pub fn finish(self) -> Result<String> {
        let digest = match self.records.rows {
            Rows::Text { csv, .. } => csv.into_inner().into_source().finish(),
            Rows::Parquet { mut file, .. } => {
                file.rewind().and_then(|()| Unpacked::new(file)).and_then(Unpacked::finish)
            }
        };
        digest.map_err(|error| unreadable(&self.records.source_name, error))
    }

    fn read(&mut self) -> Result<Option<Record>> {
        let there = self.records.advance(&mut self.present)?;
        Ok(there.then(|| self.values.read(&mut self.present)))
    }
}

impl<R: Read> Records<R> {
    /// Takes the next record; false at the end.
    fn advance(&mut self, raw: &mut Raw) -> Result<bool> {
        match &mut self.rows {
            Rows::Parquet { table, row, .. } => {
                if !table.read(&mut raw.parsed)? {
                    return Ok(false);
                }
                raw.fields.copy(&raw.parsed);
                *row += 1;
                // As if the header stood on line 1.
                (raw.line, raw.offset, raw.encoding) = (*row + 1, None, Encoding::Utf8.name());
            }
            Rows::Text { csv, delimiter } => {
                let piece = csv.get_mut().advance();
                let piece =
                    piece.map_err(|error| broken_off(&self.source_name, csv.get_ref().line(), error))?;
                let place = match piece {
                    Piece::End => return Ok(false),
                    Piece::Unclosed(place) | Piece::TooLong(place) => {
                        let closed = matches!(piece, Piece::TooLong(_));
                        let row = endless(csv.get_mut(), place, closed);
                        raw.len = row.original.iter().map(String::len).sum();
                        raw.endless = Some(row);
                        return Ok(true);
                    }
                    Piece::Record(place) => place,
                };
                if let Some(record) = csv.get_mut().plain() {
                    raw.fields.split(record, *delimiter);
                } else {
                    parse(csv, &mut raw.parsed, &self.source_name)?;
                    raw.fields.copy(&raw.parsed);
                }
                let text = csv.get_mut().source_mut();
                let offset = Some(text.offset_of(place.offset));
                (raw.line, raw.offset, raw.encoding) = (place.line, offset, text.encoding().name());
            }
        }
        raw.len = raw.fields.bytes().len();
        Ok(true)
    }
}

impl Ledger<File> {
    /// Reads the footer of a Parquet file.
    ///
    /// # Errors
    /// Wrong usage: the file is damaged, or its columns cannot be used, as with [`Ledger::open`].
    pub(crate) fn open_parquet(file: File, source_name: &str, options: &Options) -> Result<Self> {
        let own = file.try_clone().map_err(|error| unreadable(source_name, error))?;
        let table = Table::open(own, source_name)?;
        let names = table.names().to_vec();
        let rows = Rows::Parquet { table: Box::new(table), file, row: 0 };
        let ledger = Self::with(rows, &names, source_name, options)?;
        let Rows::Parquet { table, .. } = &ledger.records.rows else { return Ok(ledger) };
        let times = [Field::CalledAt, Field::QueryDate, Field::StartedAt, Field::EndedAt];
        let of_old = |field: &Field| {
            ledger.values.header.column(*field).is_some_and(|at| table.is_without_zone_rule(at))
        };
        match times.iter().find(|field| of_old(field)) {
            None => Ok(ledger),
            Some(field) => Err(Error::usage(format!(
                "the column for `{}` of {source_name} has timestamps of the old INT96 kind, which do not say their time \
                 zone",
                field.name()
            ))
            .hint("write the column as TIMESTAMP with a time zone, or as text in UTC+8")),
        }
    }
}

impl<R: Read> Ledger<R> {
    /// Output names of the columns carried through, `ledger_<name>`, in the order of the header.
    #[must_use]
    pub fn carried(&self) -> &[String] {
        &self.values.header.carried
    }

    /// The ledger's own columns.
    #[must_use]
    pub fn layout(&self) -> Layout {
        let (delimiter, mark) = match &self.records.rows {
            Rows::Text { csv, delimiter } => {
                let text = csv.get_ref().source();
                let unicode = matches!(text.encoding(), Encoding::Ascii | Encoding::Utf8);
                (*delimiter, text.has_mark() || !unicode)
            }
            Rows::Parquet { .. } => (b',', false),
        };
        Layout { names: self.values.header.names.clone(), delimiter, mark }
    }

    /// How it is read, in words, as far as it was read.
    #[must_use]
    pub fn form(&self) -> String {
        let Rows::Text { csv, delimiter } = &self.records.rows else {
            return "Parquet, its first row counted as line 2".to_owned();
        };
        let text = csv.get_ref().source();
        let packing = text.packing().map_or_else(String::new, |packing| format!(", unpacked from {packing}"));
        format!("{}, separated by {}{packing}", text.encoding().name(), delimiter::shown(*delimiter))
    }

    /// What deserves a line in the log: how it is read, where that is not plain CSV; carried columns that had to be
    /// renamed; what looks damaged. Complete when all was read.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        const PLAIN: &str = "UTF-8, separated by `,`";
        let form = self.form();
        let form = (form != PLAIN).then(|| format!("the ledger is read as {form}"));
        form.into_iter()
            .chain(self.values.header.notes.iter().cloned())
            .chain(self.values.findings.notes())
            .collect()
    }

    /// How many rows so far took their day from the CallId, no other source naming one.
    #[must_use]
    pub fn hinted(&self) -> u64 {
        self.values.findings.hinted()
    }
}

impl<R: Read> Iterator for Ledger<R> {
    type Item = Result<Record>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let item = self.read().transpose();
        self.failed = matches!(item, Some(Err(_)));
        item
    }
}

/// Parses the record to which the splitter has advanced.
fn parse<R: Read>(csv: &mut csv::Reader<Split<R>>, record: &mut ByteRecord, source_name: &str) -> Result<()> {
    match csv.read_byte_record(record) {
        Ok(true) => Ok(()),
        Ok(false) => {
            Err(Error::usage(format!("a record of {source_name} could not be parsed; this is a bug")))
        }
        Err(error) => Err(unreadable(source_name, error.into())),
    }
}

fn header_names(record: &ByteRecord, encoding: Encoding, source_name: &str) -> Result<Vec<String>> {
    let text = |bytes: &[u8]| std::str::from_utf8(bytes).map(str::to_owned);
    let names: Result<Vec<String>, _> = record.iter().map(text).collect();
    names.map_err(|error| {
        Error::usage(format!("the header row of {source_name} is not valid {}", encoding.name()))
            .hint("save the ledger as `CSV UTF-8`")
            .because(error)
    })
}

/// `error` may say itself what to do, behind a semicolon.
fn unreadable(source_name: &str, error: std::io::Error) -> Error {
    let text = error.to_string();
    let (what, hint) = text.split_once("; ").unwrap_or((&text, "check --input; what is stored is kept"));
    Error::usage(format!("cannot read the ledger {source_name}: {what}")).hint(hint).because(error)
}

/// The same, of a source that could be read up to this line.
fn broken_off(source_name: &str, line: u64, error: std::io::Error) -> Error {
    let mut error = unreadable(source_name, error);
    error.what += &format!(", at line {line} or behind it");
    error
}

/// A row of which not even the fields can be told apart. `closed` says that no quote is to blame.
fn endless<R: Read>(split: &mut Split<Text<R>>, place: Place, closed: bool) -> InvalidRow {
    let (lost, whole) = split.lost();
    let original = vec![String::from_utf8_lossy(lost).into_owned()];
    let mut reason = if closed {
        format!("the row is longer than {MAX_RECORD} bytes; is the file damaged?")
    } else {
        "a quote that is never closed; close it, or double it inside a value".to_owned()
    };
    if !whole {
        reason += &format!(" Only its first {KEPT} bytes are kept");
    }
    InvalidRow {
        line: place.line,
        offset: Some(split.source_mut().offset_of(place.offset)),
        column: None,
        call_id: None,
        field: "",
        expected: None,
        // It may be anything; the rejects have it.
        found: CompactString::default(),
        reason,
        carried: Vec::new(),
        original,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use crate::exit::Exit;
    use proptest::prelude::*;
    use reconcile_core::ledger_row::{LedgerRow, LedgerTime};

    fn all_with(text: &[u8], options: &Options) -> Vec<Record> {
        Ledger::open(text, "calls.csv", options).unwrap().map(|record| record.unwrap()).collect()
    }

    fn all(text: &[u8]) -> Vec<Record> {
        all_with(text, &Options { prod_id: Some(ProductId(7)), ..Options::default() })
    }

    fn row(record: &Record) -> &LedgerRow {
        match record {
            Record::Row(row) => row,
            Record::Invalid(invalid) => panic!("{invalid:?}"),
        }
    }

    fn invalid(record: &Record) -> &InvalidRow {
        match record {
            Record::Invalid(invalid) => invalid,
            Record::Row(row) => panic!("{row:?}"),
        }
    }

    fn refused(text: &[u8]) -> Error {
        let error = Ledger::open(text, "calls.csv", &Options::default()).err().unwrap();
        assert_eq!(error.exit, Exit::Usage);
        error
    }

    #[test]
    fn a_full_row_is_read_and_its_carried_columns_are_untouched() {
        let text = "\u{feff}CallId,产品ID,gmt_create,caller,被叫号码,主叫显号,被叫显号,state,是否接通,duration,\
                    start_date,end_date,Dept,query-date\n \
                    id^1 ,ivr,2026-06-01 10:00:00, 010-1 ,+86 138,1,2, 200000 ,是,75,\
                    2026-06-01 10:00:10,1780279285,\" a,\"\"b\"\" \",2026-06-02\n";
        let records = all(text.as_bytes());
        let row = row(&records[0]);
        assert_eq!(row.key.call_id, "id^1");
        assert_eq!(row.key.prod_id.name(), Some("ivr"));
        assert_eq!(row.key.day.to_string(), "2026-06-01");
        assert_eq!(row.expected.caller.as_deref(), Some("010-1"));
        assert_eq!(row.expected.callee.as_deref(), Some("+86 138"));
        assert_eq!(row.expected.state.as_deref(), Some("200000"));
        assert_eq!(row.expected.answered, Some(true));
        assert_eq!(row.expected.duration_s, Some(75));
        assert_eq!(row.expected.called_at.unwrap().provider_text(), "2026-06-01 10:00:00");
        assert_eq!(row.expected.started_at.unwrap().provider_text(), "2026-06-01 10:00:10");
        assert_eq!(row.expected.ended_at.unwrap().provider_text(), "2026-06-01 10:01:25");
        assert!(matches!(row.query_date, Some(LedgerTime::Day(_))));
        assert_eq!(row.carried, [" a,\"b\" "]);
        assert_eq!(row.line, 2);
    }

    #[test]
    fn empty_expected_values_are_not_compared() {
        let records =
            all("call_id,called_at,caller,state,answered,duration_s\na,2026-06-01,, ,\u{3000},\n".as_bytes());
        let expected = &row(&records[0]).expected;
        assert_eq!((&expected.caller, &expected.state), (&None, &None));
        assert_eq!((expected.answered, expected.duration_s), (None, None));
    }

    #[test]
    fn a_line_is_the_physical_one_on_which_the_row_begins() {
        for (text, wanted) in [
            ("call_id,query_date,n\na,2026-06-01,\nb,2026-06-01,\n", [2, 3]),
            ("call_id,query_date,n\r\na,2026-06-01,\r\nb,2026-06-01,\r\n", [2, 3]),
            ("call_id,query_date,n\n\n\na,2026-06-01,\n\nb,2026-06-01,", [4, 6]),
            ("\r\ncall_id,query_date,n\r\n\r\na,2026-06-01,\r\n\r\n\r\nb,2026-06-01,", [4, 7]),
            ("call_id,query_date,n\na,2026-06-01,\"x\r\ny\n\nz\"\n\nb,2026-06-01,\n", [2, 7]),
        ] {
            let lines: Vec<u64> = all(text.as_bytes()).iter().map(|record| row(record).line).collect();
            assert_eq!(lines, wanted, "{text:?}");
        }
    }

    #[test]
    fn the_day_comes_from_the_first_source_that_has_one() {
        let text = b"call_id,called_at,query_date\n1671552000000^1,1780279285,2026-05-01\n\
                     1671552000000^1,,2026-05-01\n1671552000000^1,,\nx,,\n";
        let days = |options: &Options| -> Vec<String> {
            all_with(text, options)
                .iter()
                .map(|record| match record {
                    Record::Row(row) => row.key.day.to_string(),
                    Record::Invalid(invalid) => format!("{}: {}", invalid.field, invalid.reason),
                })
                .collect()
        };
        let mut options = Options { prod_id: Some(ProductId(7)), ..Options::default() };
        let found = days(&options);
        assert_eq!(found[..3], ["2026-06-01", "2026-05-01", "2022-12-21"]);
        assert!(
            found[3].starts_with("called_at: no day") && found[3].contains("--call-date"),
            "{}",
            found[3]
        );
        let mut ledger = Ledger::open(text.as_slice(), "calls.csv", &options).unwrap();
        assert_eq!((ledger.by_ref().count(), ledger.hinted()), (4, 1));
        options.call_date = NaiveDate::from_ymd_opt(2026, 4, 1);
        assert_eq!(days(&options)[2..], ["2026-04-01", "2026-04-01"]);
    }

    #[test]
    fn a_row_without_a_product_takes_the_options_or_is_invalid() {
        let text = b"call_id,prod_id,query_date\na,,2026-06-01\nb,1.1E+13,2026-06-01\nc,0,2026-06-01\n";
        assert_eq!(row(&all(text)[0]).key.prod_id, ProductId(7));
        let records = all_with(text, &Options::default());
        let none = invalid(&records[0]);
        assert_eq!((none.field, none.call_id.as_deref()), ("prod_id", Some("a")));
        assert!(none.reason.contains("no product") && none.reason.contains("--prod-id"));
        assert!(invalid(&records[1]).reason.contains("spreadsheet"));
        assert_eq!(invalid(&records[1]).found, "1.1E+13");
        assert!(invalid(&records[2]).reason.contains("voice-notification"));
    }

    #[test]
    fn an_unreadable_value_names_its_field_and_keeps_its_text() {
        let text = b"call_id,query_date,answered,duration_s,started_at,callee,dept\n\
                     a,2026-06-01,perhaps,,,,x\na,2026-06-01,,12.0,,,x\na,2026-06-01,,,soon,,x\n\
                     a,never,,,,,x\n ,2026-06-01,,,,,x\n1.16E+11,2026-06-01,,,,,x\n\
                     a,2026-06-01,,,,1.38E+10,x\n";
        let told: Vec<(&str, CompactString)> =
            all(text).iter().map(|record| (invalid(record).field, invalid(record).found.clone())).collect();
        let wanted = [
            ("answered", "perhaps"),
            ("duration_s", "12.0"),
            ("started_at", "soon"),
            ("query_date", "never"),
            ("call_id", ""),
            ("call_id", "1.16E+11"),
            ("callee", "1.38E+10"),
        ];
        assert_eq!(told, wanted.map(|(field, found)| (field, found.into())));
        let records = all(text);
        assert_eq!((invalid(&records[0]).line, invalid(&records[6]).line), (2, 8));
        assert_eq!(invalid(&records[0]).carried, ["x"]);
        assert_eq!(invalid(&records[5]).call_id, None);
    }

    #[test]
    fn a_wrong_number_of_fields_is_an_invalid_row() {
        let records =
            all(b"call_id,query_date,dept,team\na,2026-06-01,x\na,2026-06-01,x,y,z\nb,2026-06-01,x,y\n");
        let short = invalid(&records[0]);
        assert_eq!((short.field, short.expected.as_deref(), short.found.as_str()), ("", Some("4"), "3"));
        assert_eq!(short.carried, ["x"]);
        assert_eq!(invalid(&records[1]).found, "5");
        assert_eq!(row(&records[2]).line, 4);
    }

    #[test]
    fn invalid_utf8_names_its_field() {
        let records =
            all(b"call_id,query_date,state,dept\na,2026-06-01,\xFF,x\na,2026-06-01,,\xFF\n\xFF,,,\n");
        assert_eq!(invalid(&records[0]).field, "state");
        assert!(invalid(&records[0]).reason.contains("UTF-8"));
        assert_eq!(invalid(&records[1]).field, "");
        assert!(invalid(&records[1]).reason.contains("`ledger_dept`"));
        assert_eq!((invalid(&records[2]).field, &invalid(&records[2]).call_id), ("call_id", &None));
    }

    #[test]
    fn a_quote_never_closed_costs_one_row() {
        let records = all(b"call_id,query_date\na,\"2026-06-01\nb,2026-06-01\n");
        assert!(invalid(&records[0]).reason.contains("a quote that is never closed"));
        assert_eq!((invalid(&records[0]).line, row(&records[1]).line, records.len()), (2, 3, 2));
    }

    #[test]
    fn a_ledger_without_a_usable_header_is_refused() {
        for text in [b"".as_slice(), b"\xEF\xBB\xBF", b"\n\r\n"] {
            let error = refused(text);
            assert!(error.what.contains("is empty") && error.hint.unwrap().contains("call_id"));
        }
        assert!(refused(b"when,who\n").hint.unwrap().contains("--map call_id=HEADER"));
        assert!(refused(b"call_id,\xB5\n").what.contains("not valid UTF-8"));
        assert!(refused(b"call_id,\"x\n1,2\n").what.contains("never closed"));
        assert!(all(b"call_id\n").is_empty());
    }

    #[test]
    fn a_source_that_breaks_off_is_one_error_and_then_the_end() {
        struct Broken(usize);
        impl Read for Broken {
            fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
                self.0 += 1;
                if self.0 > 9_000 {
                    return Err(std::io::Error::other("gone"));
                }
                into[..8].copy_from_slice(b"call_id\n");
                Ok(8)
            }
        }
        let mut ledger = Ledger::open(Broken(0), "calls.csv", &Options::default()).unwrap();
        assert!(matches!(ledger.next(), Some(Ok(Record::Invalid(_)))));
        assert!(matches!(ledger.find(Result::is_err), Some(Err(error)) if error.what.contains("gone")));
        assert!(ledger.next().is_none());
    }

    #[test]
    fn the_digest_covers_the_rest_of_the_file() {
        let text = b"call_id\na\nb\n".as_slice();
        let mut begun = Ledger::open(text, "calls.csv", &Options::default()).unwrap();
        begun.next();
        let mut read = Ledger::open(text, "calls.csv", &Options::default()).unwrap();
        assert_eq!(read.by_ref().count(), 2);
        assert_eq!(begun.finish().unwrap(), read.finish().unwrap());
    }

    #[test]
    fn a_long_row_arrives_whole() {
        let long = "n".repeat(300_000);
        let text = format!("call_id,query_date,dept\na,2026-06-01,\"{long}\n\"\nb,2026-06-01,\n");
        let records = all(text.as_bytes());
        assert_eq!(row(&records[0]).carried[0].len(), 300_001);
        assert_eq!(row(&records[1]).line, 4);
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_below_a_header_never_panic_and_always_end(bytes: Vec<u8>) {
            let mut text = b"call_id,query_date,answered\n".to_vec();
            text.extend(&bytes);
            let records = all(&text);
            let usable = records.iter().filter(|record| matches!(record, Record::Row(_))).count();
            let unusable = records.iter().filter(|record| matches!(record, Record::Invalid(_))).count();
            prop_assert_eq!(usable + unusable, records.len());
        }

        #[test]
        fn every_record_of_the_parser_is_a_row_or_invalid(
            text in "([ab,]|2026-06-01|yes|\"[a,\r\n]?\"|\r|\n|é){0,40}",
        ) {
            let text = format!("call_id,query_date,answered\n{text}");
            let mut builder = csv::ReaderBuilder::new();
            let reader = builder.flexible(true).from_reader(text.as_bytes());
            let records = all(text.as_bytes());
            let endless =
                |record: &Record| matches!(record, Record::Invalid(row) if row.reason.contains("quote that"));
            prop_assume!(!records.iter().any(endless));
            prop_assert_eq!(records.len(), reader.into_byte_records().count());
        }
    }
}
