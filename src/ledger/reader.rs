//! Reads a ledger row by row.

use std::io::Read;

use reconcile_core::ledger_row::Record;

use super::columns::{Column, ColumnNote};
use super::error::{LedgerError, Result};
use super::findings::Findings;
use super::form::LedgerForm;
use super::header::Header;
use super::layout::Layout;
use super::ledger_bytes::LedgerBytes;
use super::note::LedgerNote;
use super::options::Options;
use super::raw_record::RawRecord;
use super::records::{OpenRow, Records};
use super::row::RowReader;

/// A ledger that is being read: an iterator over its records.
///
/// An item is an error only if the source cannot be read any further; it is then the last one.
pub struct LedgerReader<R> {
    records: Records<R>,
    rows: RowReader,
    raw: RawRecord,
    failed: bool,
}

impl<R: Read> LedgerReader<R> {
    /// Reads the header row of a CSV text. `ledger` is its name in messages, such as its path.
    ///
    /// # Errors
    /// The source cannot be read, is empty, or is not text. The header row is damaged, has no
    /// `call_id`, has two columns for one field, or does not match `options.map`.
    pub fn open(source: R, ledger: &str, options: &Options) -> Result<Self> {
        let (mut records, names) = Records::open_csv(source, ledger, options)?;
        let header = header(&names, &mut records, options, ledger)?;
        Ok(Self::from_parts(records, RowReader::new(header, options.clone())))
    }

    pub(super) fn from_parts(records: Records<R>, rows: RowReader) -> Self {
        Self { records, rows, raw: RawRecord::default(), failed: false }
    }

    /// Its columns.
    pub(super) fn header(&self) -> &Header {
        &self.rows.header
    }

    /// What was noticed in the rows read so far.
    pub(super) fn findings(&self) -> &Findings {
        &self.rows.findings
    }

    /// Reads the rest of the source and returns the checksum (CRC-32) of all its bytes.
    ///
    /// # Errors
    /// The source cannot be read to its end.
    pub fn finish(self) -> Result<u32> {
        self.records.finish()
    }

    fn read(&mut self) -> Result<Option<Record>> {
        let found = self.records.advance(&mut self.raw)?;
        Ok(found.then(|| self.rows.read(self.raw.take())))
    }

    pub(super) fn open_row(&self) -> Option<OpenRow> {
        self.records.open_row()
    }

    /// True if the account is a field of the ledger.
    #[must_use]
    pub fn has_account(&self) -> bool {
        self.rows.header.has_account
    }

    /// Output names of the columns carried through, `ledger_<name>`, in the order of the header
    /// row.
    #[must_use]
    pub fn carried(&self) -> Vec<String> {
        self.rows.header.carried_names()
    }

    /// What each column is used for, and notes on columns that look like a field.
    #[must_use]
    pub fn columns(&self) -> (Vec<Column>, Vec<ColumnNote>) {
        (self.rows.header.uses(), self.rows.header.notes.clone())
    }

    /// Records that were passed over so far: those without any value, and repeated header rows.
    #[must_use]
    pub fn passed_over(&self) -> u64 {
        self.records.passed_over()
    }

    /// The ledger's own columns.
    #[must_use]
    pub fn layout(&self) -> Layout {
        let header = &self.rows.header;
        let file_column = header.among.as_ref().map(|_| usize::from(header.has_account));
        Layout { file_column, ..self.records.layout(header.own_headers()) }
    }

    /// Encoding, delimiter and packing, as far as the ledger was read.
    #[must_use]
    pub fn form(&self) -> LedgerForm {
        self.records.form()
    }

    /// Notes for the log: how the ledger is read, unless it is UTF-8 with commas; renamed columns;
    /// signs of damage. Complete once all rows were read.
    #[must_use]
    pub fn notes(&self) -> Vec<LedgerNote> {
        let form = self.form();
        let unusual = (!form.is_usual()).then_some(LedgerNote::Form(form));
        unusual
            .into_iter()
            .chain(self.rows.header.carried.notes.iter().cloned())
            .chain(self.records.notes())
            .chain(self.rows.findings.notes())
            .collect()
    }
}

impl LedgerReader<LedgerBytes> {
    /// The two stages of reading: the records, and the values of their rows.
    pub(super) fn into_parts(self) -> (Records<LedgerBytes>, RowReader) {
        (self.records, self.rows)
    }

    /// Reads the footer of a Parquet file.
    ///
    /// # Errors
    /// The file is damaged or has an unsupported form, or its columns cannot be used (see
    /// [`LedgerReader::open`]).
    pub(super) fn open_parquet(bytes: LedgerBytes, ledger: &str, options: &Options) -> Result<Self> {
        let (records, names) = Records::open_parquet(bytes, ledger)?;
        let header = Header::new(&names, options, ledger)?;
        records.check_times(&header)?;
        Ok(Self::from_parts(records, RowReader::new(header, options.clone())))
    }

    /// Reads the header row of a sheet of a workbook.
    ///
    /// # Errors
    /// The file is damaged or no workbook, has no such sheet, or the columns of the sheet cannot be
    /// used (see [`LedgerReader::open`]).
    pub(super) fn open_workbook(bytes: LedgerBytes, ledger: &str, options: &Options) -> Result<Self> {
        let (mut records, names) = Records::open_workbook(bytes, ledger, options)?;
        let place = records.place();
        let header = header(&names, &mut records, options, &place)?;
        records.set_uses(&header);
        Ok(Self::from_parts(records, RowReader::new(header, options.clone())))
    }
}

/// Assigns the columns of a header row to fields. The error names a later row that suits better.
fn header<R: Read>(
    names: &[String],
    records: &mut Records<R>,
    options: &Options,
    ledger: &str,
) -> Result<Header> {
    Header::new(names, options, ledger).map_err(|error| match error {
        LedgerError::Header { ledger, problem, .. } if problem.may_be_too_early() => {
            LedgerError::Header { ledger, problem, later_header: records.later_header(options) }
        }
        error => error,
    })
}

impl<R: Read> Iterator for LedgerReader<R> {
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use chrono::NaiveDate;
    use compact_str::CompactString;
    use proptest::prelude::*;
    use reconcile_core::ledger_row::{InvalidRow, LedgerRow, LedgerTime};
    use reconcile_core::product::ProductId;

    fn all_with(text: &[u8], options: &Options) -> Vec<Record> {
        LedgerReader::open(text, "calls.csv", options).unwrap().map(|record| record.unwrap()).collect()
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

    fn refused(text: &[u8]) -> LedgerError {
        LedgerReader::open(text, "calls.csv", &Options::default()).err().unwrap()
    }

    #[test]
    fn a_full_row_is_read_with_untouched_carried_columns() {
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
    fn a_row_has_the_physical_line_on_which_it_begins() {
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
    fn the_day_comes_from_the_first_source_with_one() {
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
            found[3].starts_with("called_at: the row has no day") && found[3].contains("call date"),
            "{}",
            found[3]
        );
        let mut ledger = LedgerReader::open(text.as_slice(), "calls.csv", &options).unwrap();
        assert_eq!(ledger.by_ref().count(), 4);
        let findings = &ledger.rows.findings;
        assert_eq!((findings.days_from_call_id, findings.without_day), (1, 1));
        options.call_date = NaiveDate::from_ymd_opt(2026, 4, 1);
        assert_eq!(days(&options)[2..], ["2026-04-01", "2026-04-01"]);
    }

    #[test]
    fn a_row_without_product_takes_the_default_or_is_invalid() {
        let text = b"call_id,prod_id,query_date\na,,2026-06-01\nb,1.1E+13,2026-06-01\nc,0,2026-06-01\n";
        assert_eq!(row(&all(text)[0]).key.prod_id, ProductId(7));
        let records = all_with(text, &Options::default());
        let none = invalid(&records[0]);
        assert_eq!((none.field, none.call_id.as_deref()), ("prod_id", Some("a")));
        assert!(
            none.reason.to_string().contains("no product")
                && none.reason.to_string().contains("set a product")
        );
        assert!(invalid(&records[1]).reason.to_string().contains("spreadsheet"));
        assert_eq!(invalid(&records[1]).found, "1.1E+13");
        assert!(invalid(&records[2]).reason.to_string().contains("voice-notification"));
    }

    #[test]
    fn an_invalid_value_keeps_its_field_and_text() {
        let text = b"call_id,query_date,answered,duration_s,started_at,callee,dept\n\
                     a,2026-06-01,perhaps,,,,x\na,2026-06-01,,12.5,,,x\na,2026-06-01,,,soon,,x\n\
                     a,never,,,,,x\n ,2026-06-01,,,,,x\n1.16E+11,2026-06-01,,,,,x\n\
                     a,2026-06-01,,,,1.38E+10,x\n";
        let found: Vec<(&str, CompactString)> =
            all(text).iter().map(|record| (invalid(record).field, invalid(record).found.clone())).collect();
        let wanted = [
            ("answered", "perhaps"),
            ("duration_s", "12.5"),
            ("started_at", "soon"),
            ("query_date", "never"),
            ("call_id", ""),
            ("call_id", "1.16E+11"),
            ("callee", "1.38E+10"),
        ];
        assert_eq!(found, wanted.map(|(field, found)| (field, found.into())));
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
        assert!(invalid(&records[0]).reason.to_string().contains("UTF-8"));
        assert_eq!(invalid(&records[1]).field, "");
        assert!(invalid(&records[1]).reason.to_string().contains("`ledger_dept`"));
        assert_eq!((invalid(&records[2]).field, &invalid(&records[2]).call_id), ("call_id", &None));
    }

    #[test]
    fn an_unclosed_quote_costs_one_row() {
        let records = all(b"call_id,query_date\na,\"2026-06-01\nb,2026-06-01\n");
        assert!(invalid(&records[0]).reason.to_string().contains("a quote is never closed"));
        assert_eq!((invalid(&records[0]).line, row(&records[1]).line, records.len()), (2, 3, 2));
    }

    #[test]
    fn a_ledger_without_a_usable_header_is_refused() {
        for text in [b"".as_slice(), b"\xEF\xBB\xBF", b"\n\r\n"] {
            assert!(matches!(refused(text), LedgerError::Empty { .. }));
        }
        assert!(matches!(refused(b"when,who\n"), LedgerError::Header { .. }));
        assert!(refused(b"call_id,\xB5\n").to_string().contains("not valid UTF-8"));
        assert!(refused(b"call_id,\"x\n1,2\n").to_string().contains("never closed"));
        assert!(all(b"call_id\n").is_empty());
    }

    #[test]
    fn a_broken_source_is_one_error_and_then_the_end() {
        struct Broken(usize);
        impl Read for Broken {
            fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
                self.0 += 1;
                if self.0 > 9_000 {
                    return Err(std::io::Error::other("gone"));
                }
                into[..8].copy_from_slice(if self.0 == 1 { b"call_id\n" } else { b"a^bcdef\n" });
                Ok(8)
            }
        }
        let mut ledger = LedgerReader::open(Broken(0), "calls.csv", &Options::default()).unwrap();
        assert!(matches!(ledger.next(), Some(Ok(Record::Invalid(_)))));
        let error = ledger.find_map(Result::err).unwrap();
        assert!(
            matches!(error, LedgerError::Read { line: Some(_), source, .. } if source.to_string() == "gone")
        );
        assert!(ledger.next().is_none());
    }

    #[test]
    fn the_checksum_covers_the_rest_of_the_file() {
        let text = b"call_id\na\nb\n".as_slice();
        let mut begun = LedgerReader::open(text, "calls.csv", &Options::default()).unwrap();
        begun.next();
        let mut read = LedgerReader::open(text, "calls.csv", &Options::default()).unwrap();
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
        fn arbitrary_bytes_below_a_header_never_panic(bytes: Vec<u8>) {
            let mut text = b"call_id,query_date,answered\n".to_vec();
            text.extend(&bytes);
            if let Ok(ledger) = LedgerReader::open(text.as_slice(), "calls.csv", &Options::default()) {
                ledger.for_each(drop);
            }
        }

        #[test]
        fn every_record_of_the_parser_becomes_one_record(
            text in "([ab,]|2026-06-01|yes|\"[a,\r\n]?\"|\r|\n|é){0,40}",
        ) {
            let text = format!("call_id,query_date,answered\n{text}");
            let mut builder = csv::ReaderBuilder::new();
            let reader = builder.flexible(true).from_reader(text.as_bytes());
            let mut ledger = LedgerReader::open(text.as_bytes(), "calls.csv", &Options::default()).unwrap();
            let records: Vec<Record> = ledger.by_ref().map(|record| record.unwrap()).collect();
            let is_unclosed = |record: &Record| {
                matches!(record, Record::Invalid(row) if row.reason.to_string().contains("never closed"))
            };
            prop_assume!(!records.iter().any(is_unclosed));
            let found = records.len() as u64 + ledger.passed_over();
            prop_assert_eq!(found, reader.into_byte_records().count() as u64);
        }
    }
}
