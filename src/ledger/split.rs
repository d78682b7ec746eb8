//! Splits the text of a ledger into records.
//!
//! It does what the CSV parser cannot do: it knows the physical line and the byte at which a record
//! begins, limits the length of a record ([`MAX_RECORD`]), and resumes after a quote that is never
//! closed. For any input, memory stays below [`MAX_RECORD`] plus two chunks. The records do not
//! depend on how the bytes arrive. Every byte belongs to exactly one record or line end.

use std::io::{ErrorKind, Read, Result};

use memchr::{memchr, memchr2, memchr2_iter};

use super::escapes::{RecordEnd, record_end};
use super::quotes::{QuoteScan, Step};

/// Longest record in bytes. A real row has a few hundred. A longer record nearly always has a quote
/// that is never closed.
pub(super) const MAX_RECORD: usize = 1 << 20;

/// Bytes requested from the source at a time.
const CHUNK: usize = 64 * 1024;

/// Maximum number of bytes of a skipped record that are kept for the rejects.
pub(super) const MAX_KEPT: usize = 64 * 1024;

/// Where a record begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Position {
    /// Physical line, from 1.
    pub(super) line: u64,
    /// Bytes of text before it.
    pub(super) offset: u64,
}

/// The next record of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NextRecord {
    /// A whole record, which can now be read through [`Read`].
    Whole(Position),
    /// A whole record with backslash escapes in quotes, as MySQL writes them.
    Escaped(Position),
    /// A record with a quote that is not closed before the end of the input, or before
    /// [`MAX_RECORD`], or is closed on a later line in the middle of a cell. The next record begins
    /// on the line after that quote. So one bad row does not swallow the good rows below it.
    UnclosedQuote(Position),
    /// A line longer than [`MAX_RECORD`] without such a quote. It is skipped.
    TooLong(Position),
    /// The end of the input.
    End,
}

/// A reader that returns one record after each call of [`Splitter::advance`]. A single `\n` ends
/// each record.
pub(super) struct Splitter<R> {
    source: R,
    delimiter: u8,
    buf: Vec<u8>,
    /// Start of the next record in `buf`.
    start: usize,
    /// Physical line of `buf[start]`.
    line: u64,
    /// Bytes of text before `buf[0]`.
    dropped: u64,
    eof: bool,
    /// Part of `buf` that the parser has not read yet.
    out: std::ops::Range<usize>,
    newline_due: bool,
    /// True if the current record has no quote.
    unquoted: bool,
    /// True if the input ends with the current record, without a line end.
    is_open: bool,
    /// Beginning of the record skipped last: at most [`MAX_KEPT`] bytes.
    skipped: Vec<u8>,
}

impl<R: Read> Splitter<R> {
    /// Splits `source`, whose cells are separated by `delimiter`.
    pub(super) fn new(source: R, delimiter: u8) -> Self {
        Self {
            source,
            delimiter,
            buf: Vec::new(),
            start: 0,
            line: 1,
            dropped: 0,
            eof: false,
            out: 0..0,
            newline_due: false,
            unquoted: false,
            is_open: false,
            skipped: Vec::new(),
        }
    }

    /// The first line that is not blank, without consuming it. Quotes may hold line ends. At most
    /// [`MAX_KEPT`] bytes.
    ///
    /// # Errors
    /// The source cannot be read.
    pub(super) fn peek(&mut self) -> Result<&[u8]> {
        self.skip_line_ends()?;
        let (mut at, mut quoted, mut first) = (0, false, None);
        while at < MAX_KEPT && (self.start + at < self.buf.len() || self.fill()?) {
            match self.buf[self.start + at] {
                b'"' => quoted = !quoted,
                b'\n' | b'\r' if !quoted => return Ok(&self.buf[self.start..self.start + at]),
                b'\n' | b'\r' => first = first.or(Some(at)),
                _ => {}
            }
            at += 1;
        }
        // A quote that is never closed ends with its line.
        let end = if quoted { first.unwrap_or(at) } else { at };
        Ok(&self.buf[self.start..self.start + end])
    }

    /// Sets the delimiter of the records that follow.
    pub(super) fn set_delimiter(&mut self, delimiter: u8) {
        self.delimiter = delimiter;
    }

    /// Moves to the next record; blank lines are skipped.
    ///
    /// # Errors
    /// The source cannot be read.
    pub(super) fn advance(&mut self) -> Result<NextRecord> {
        self.skip_line_ends()?;
        let position = Position { line: self.line, offset: self.dropped + self.start as u64 };
        let line = self.line_without_quotes();
        self.unquoted = line.is_some();
        self.is_open = false;
        if let Some(len) = line {
            self.offer(len, false)?;
            return Ok(NextRecord::Whole(position));
        }
        self.scan(position)
    }

    /// Finds the end of a record that may have quotes.
    fn scan(&mut self, position: Position) -> Result<NextRecord> {
        let (mut at, mut quotes) = (0, QuoteScan::default());
        loop {
            let is_end = at == MAX_RECORD || (self.start + at == self.buf.len() && !self.fill()?);
            if is_end && quotes.is_open() {
                return self.unclosed(position, at, &quotes);
            }
            if at == MAX_RECORD {
                return self.skip(position, at, None);
            }
            if is_end {
                break;
            }
            match quotes.step(at, self.buf[self.start + at], self.delimiter) {
                Step::Next => at += 1,
                Step::End => break,
                Step::ClosedTooLate => return self.unclosed(position, at, &quotes),
                Step::MayBeEscaped => {
                    if let Some(len) = self.escaped_length()? {
                        return self.offer_escaped(position, len);
                    }
                    quotes.may_be_escaped = false;
                }
            }
        }
        if at == 0 {
            return Ok(NextRecord::End);
        }
        self.offer(at, quotes.spans_lines)?;
        Ok(NextRecord::Whole(position))
    }

    /// The record whose last quote is not closed as CSV requires: with backslash escapes if they
    /// make it whole, else skipped.
    fn unclosed(&mut self, position: Position, scanned: usize, quotes: &QuoteScan) -> Result<NextRecord> {
        if quotes.may_be_escaped
            && let Some(len) = self.escaped_length()?
        {
            return self.offer_escaped(position, len);
        }
        self.skip(position, scanned, Some(quotes.quote_at))
    }

    fn offer_escaped(&mut self, position: Position, len: usize) -> Result<NextRecord> {
        self.offer(len, true)?;
        Ok(NextRecord::Escaped(position))
    }

    /// Length of the next record with backslash escapes; `None` if it has no such escapes, or is
    /// longer than [`MAX_KEPT`].
    fn escaped_length(&mut self) -> Result<Option<usize>> {
        loop {
            let ahead = &self.buf[self.start..];
            let text = &ahead[..ahead.len().min(MAX_KEPT)];
            match record_end(text, self.delimiter, self.eof && text.len() == ahead.len()) {
                RecordEnd::At(len) => return Ok(Some(len)),
                RecordEnd::Later if text.len() < MAX_KEPT => drop(self.fill()?),
                RecordEnd::Later | RecordEnd::Broken => return Ok(None),
            }
        }
    }

    /// Consumes and returns the current record, which has backslash escapes.
    pub(super) fn take_escaped(&mut self) -> &[u8] {
        self.newline_due = false;
        &self.buf[std::mem::take(&mut self.out)]
    }

    /// Passes over this number of lines, whatever they contain.
    ///
    /// # Errors
    /// The source cannot be read.
    pub(super) fn pass_lines(&mut self, lines: u64) -> Result<()> {
        let last = self.line + lines;
        while self.line < last && (self.start < self.buf.len() || self.fill()?) {
            let rest = &self.buf[self.start..];
            self.start += memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
            self.pass_line_end()?;
        }
        Ok(())
    }

    /// Consumes and returns the current record if it has no quote and thus needs no parser.
    pub(super) fn take_unquoted(&mut self) -> Option<&[u8]> {
        if !self.unquoted {
            return None;
        }
        self.newline_due = false;
        Some(&self.buf[std::mem::take(&mut self.out)])
    }

    /// The kept beginning of the record skipped last, and whether that is all of it.
    pub(super) fn skipped(&self) -> (&[u8], bool) {
        (&self.skipped, self.skipped.len() < MAX_KEPT)
    }

    /// True if the input ends with the current record, without a line end.
    pub(super) fn is_open(&self) -> bool {
        self.is_open
    }

    /// Physical line of the next record.
    pub(super) fn line(&self) -> u64 {
        self.line
    }

    pub(super) fn source(&self) -> &R {
        &self.source
    }

    pub(super) fn source_mut(&mut self) -> &mut R {
        &mut self.source
    }

    pub(super) fn into_source(self) -> R {
        self.source
    }

    /// Length of the next line, if it is in the buffer and has no quote.
    fn line_without_quotes(&self) -> Option<usize> {
        let ahead = &self.buf[self.start..];
        let len = memchr2(b'\n', b'\r', ahead)?;
        (len < MAX_RECORD && memchr(b'"', &ahead[..len]).is_none()).then_some(len)
    }

    /// Offers `len` bytes to the parser and moves past them and their line end.
    fn offer(&mut self, len: usize, spans_lines: bool) -> Result<()> {
        // Completing the line end comes first, because it may move the bytes within the buffer.
        if self.buf.get(self.start + len) == Some(&b'\r') && self.start + len + 1 == self.buf.len() {
            self.fill()?;
        }
        let end = self.start + len;
        if spans_lines {
            self.line += line_ends(&self.buf[self.start..end]);
        }
        self.out = self.start..end;
        self.newline_due = true;
        self.start = end;
        self.is_open = end == self.buf.len();
        self.pass_line_end()
    }

    /// Skips a record that cannot be read. The next record begins on the line after its unclosed
    /// quote, or after its `scanned` bytes if it has no such quote.
    fn skip(&mut self, position: Position, scanned: usize, quote_at: Option<usize>) -> Result<NextRecord> {
        let mut from = self.start + quote_at.unwrap_or(scanned);
        self.line += line_ends(&self.buf[self.start..from]);
        self.skipped.clear();
        self.keep(self.start..from);
        loop {
            let rest = &self.buf[from..];
            if let Some(found) = memchr2(b'\n', b'\r', rest) {
                self.keep(from..from + found);
                self.start = from + found;
                self.pass_line_end()?;
                break;
            }
            self.keep(from..self.buf.len());
            self.start = self.buf.len();
            if !self.fill()? {
                self.is_open = true;
                break;
            }
            from = 0;
        }
        Ok(match quote_at {
            Some(_) => NextRecord::UnclosedQuote(position),
            None => NextRecord::TooLong(position),
        })
    }

    fn keep(&mut self, range: std::ops::Range<usize>) {
        let room = MAX_KEPT - self.skipped.len();
        let bytes = &self.buf[range];
        self.skipped.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn skip_line_ends(&mut self) -> Result<()> {
        while self.start < self.buf.len() || self.fill()? {
            if !matches!(self.buf[self.start], b'\n' | b'\r') {
                break;
            }
            self.pass_line_end()?;
        }
        Ok(())
    }

    /// Moves past one LF, CRLF or CR, if one is next.
    fn pass_line_end(&mut self) -> Result<()> {
        match self.buf.get(self.start) {
            Some(b'\n') => self.start += 1,
            Some(b'\r') => {
                if self.start + 1 == self.buf.len() {
                    self.fill()?;
                }
                self.start += if self.buf.get(self.start + 1) == Some(&b'\n') { 2 } else { 1 };
            }
            _ => return Ok(()),
        }
        self.line += 1;
        Ok(())
    }

    /// Drops the consumed bytes and reads a chunk; `false` at the end of the source.
    fn fill(&mut self) -> Result<bool> {
        if self.eof {
            return Ok(false);
        }
        self.buf.drain(..self.start);
        self.dropped += self.start as u64;
        self.start = 0;
        let kept = self.buf.len();
        self.buf.resize(kept + CHUNK, 0);
        let got = loop {
            match self.source.read(&mut self.buf[kept..]) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                got => break got,
            }
        };
        self.buf.truncate(kept + *got.as_ref().unwrap_or(&0));
        self.eof = got? == 0;
        Ok(!self.eof)
    }
}

impl<R> Read for Splitter<R> {
    /// Reads the current record only; returns 0 at its end.
    fn read(&mut self, into: &mut [u8]) -> Result<usize> {
        let len = self.out.len().min(into.len());
        into[..len].copy_from_slice(&self.buf[self.out.start..self.out.start + len]);
        self.out.start += len;
        if self.newline_due && len < into.len() {
            into[len] = b'\n';
            self.newline_due = false;
            return Ok(len + 1);
        }
        Ok(len)
    }
}

/// Number of physical line ends: LF, CRLF, or CR without LF.
fn line_ends(bytes: &[u8]) -> u64 {
    let ends = |at: &usize| bytes[*at] == b'\n' || bytes.get(at + 1) != Some(&b'\n');
    memchr2_iter(b'\n', b'\r', bytes).filter(ends).count() as u64
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use proptest::prelude::*;

    /// Returns only a few bytes at a time. So chunks end at every position.
    struct Trickle<'a>(&'a [u8], usize);

    impl Read for Trickle<'_> {
        fn read(&mut self, into: &mut [u8]) -> Result<usize> {
            let len = self.1.min(self.0.len()).min(into.len());
            into[..len].copy_from_slice(&self.0[..len]);
            self.0 = &self.0[len..];
            Ok(len)
        }
    }

    fn at(line: u64, offset: u64) -> Position {
        Position { line, offset }
    }

    fn records(bytes: &[u8], step: usize) -> Vec<(NextRecord, Vec<u8>)> {
        let mut splitter = Splitter::new(Trickle(bytes, step), b',');
        let mut all = Vec::new();
        loop {
            let next = splitter.advance().unwrap();
            let mut text = Vec::new();
            match next {
                NextRecord::End => return all,
                NextRecord::Whole(_) => drop(splitter.read_to_end(&mut text).unwrap()),
                NextRecord::Escaped(_) => text.extend_from_slice(splitter.take_escaped()),
                _ => {}
            }
            all.push((next, text));
        }
    }

    fn lines(bytes: &[u8]) -> Vec<u64> {
        let line = |(next, _): &(NextRecord, Vec<u8>)| match next {
            NextRecord::Whole(at)
            | NextRecord::Escaped(at)
            | NextRecord::UnclosedQuote(at)
            | NextRecord::TooLong(at) => at.line,
            NextRecord::End => 0,
        };
        records(bytes, usize::MAX).iter().map(line).collect()
    }

    #[test]
    fn a_record_knows_its_physical_line() {
        assert_eq!(lines(b"h\na\nb\n"), [1, 2, 3]);
        assert_eq!(lines(b"h\r\na\r\nb"), [1, 2, 3]);
        assert_eq!(lines(b"h\ra\rb\r"), [1, 2, 3]);
        assert_eq!(lines(b"h\n\n\na\n\r\nb\n"), [1, 4, 6]);
        assert_eq!(lines(b"h\n\"x\ny\r\nz\",1\nb\n\n\"c\rd\"\ne"), [1, 2, 5, 7, 9]);
    }

    #[test]
    fn an_unclosed_quote_costs_only_its_own_line() {
        let all = records(b"h\na,\"b\nc\nd\n", usize::MAX);
        assert_eq!(all[1].0, NextRecord::UnclosedQuote(at(2, 2)));
        assert_eq!((all[2].0, all[2].1.as_slice()), (NextRecord::Whole(at(3, 7)), b"c\n".as_slice()));
        assert_eq!(all.len(), 4);
        // The unclosed quote may come after a cell that spans lines.
        assert_eq!(lines(b"h\n\"a\nb\",\"c\nd\n"), [1, 2, 4]);
    }

    #[test]
    fn a_quote_closed_in_the_next_row_costs_only_its_own_line() {
        assert_eq!(lines(b"h\n1,\"5\n\"2\",b\n3,c\n"), [1, 2, 3, 4]);
        assert_eq!(lines(b"h\n1,\"a\"b\n2\n"), [1, 2, 3]);
    }

    #[test]
    fn backslash_escapes_end_no_record_in_the_wrong_place() {
        let text = b"h\n\"1\",\"x\\\"\"\n\"2\",\"a\\\", b\"\n\"3\",\"two\\\n\\\"lines\"\n\"4\",\"C:\\\"\n\"5\",\"y\\\"\"";
        for step in [1, 3, usize::MAX] {
            let all = records(text, step);
            let escaped = |(next, _): &(NextRecord, Vec<u8>)| matches!(next, NextRecord::Escaped(_));
            assert_eq!(all.iter().map(escaped).collect::<Vec<_>>(), [false, true, true, true, false, true]);
        }
        assert_eq!(lines(text), [1, 2, 3, 4, 6, 7]);
    }

    #[test]
    fn lines_can_be_passed_over() {
        for text in ["a\n\n\"b\nc\n", "a\r\n\r\n\"b\r\nc\r\n", "a\r\r\"b\rc\r"] {
            let mut splitter = Splitter::new(Trickle(text.as_bytes(), 1), b',');
            splitter.pass_lines(3).unwrap();
            let offset = text.find('c').unwrap() as u64;
            assert_eq!(splitter.advance().unwrap(), NextRecord::Whole(at(4, offset)));
        }
        let mut splitter = Splitter::new(b"a\n".as_slice(), b',');
        splitter.pass_lines(9).unwrap();
        assert_eq!(splitter.advance().unwrap(), NextRecord::End);
    }

    #[test]
    fn a_too_long_record_is_skipped_up_to_the_next_line() {
        for (head, next) in
            [("x", NextRecord::TooLong(at(2, 2))), ("\"", NextRecord::UnclosedQuote(at(2, 2)))]
        {
            let text = format!("h\n{head}{}\nafter\n", "y".repeat(3 * MAX_RECORD));
            let mut splitter = Splitter::new(text.as_bytes(), b',');
            splitter.advance().unwrap();
            assert_eq!(splitter.advance().unwrap(), next);
            let (kept, whole) = splitter.skipped();
            assert_eq!((kept.len(), whole), (MAX_KEPT, false));
            assert_eq!(splitter.advance().unwrap(), NextRecord::Whole(at(3, text.len() as u64 - 6)));
            assert!(splitter.buf.capacity() < 4 * MAX_RECORD);
        }
        let text = format!("h\n\"a\n{}", "row\n".repeat(MAX_RECORD / 2));
        let all = records(text.as_bytes(), usize::MAX);
        assert_eq!(all.len(), 2 + MAX_RECORD / 2);
        assert_eq!(all[1].0, NextRecord::UnclosedQuote(at(2, 2)));
    }

    #[test]
    fn the_beginning_of_a_skipped_record_is_kept() {
        let mut splitter = Splitter::new(b"h\n\"a\nb\",\"c\nd\n".as_slice(), b',');
        splitter.advance().unwrap();
        splitter.advance().unwrap();
        assert_eq!(splitter.skipped(), (b"\"a\nb\",\"c".as_slice(), true));
    }

    #[test]
    fn the_first_line_can_be_peeked() {
        for (text, first) in [
            ("\n\r\na;b\nc", "a;b"),
            ("a,b", "a,b"),
            ("\"a\nb\",c\nd", "\"a\nb\",c"),
            ("\"a\nb\nc", "\"a"),
            ("", ""),
        ] {
            let mut splitter = Splitter::new(Trickle(text.as_bytes(), 1), b',');
            assert_eq!(splitter.peek().unwrap(), first.as_bytes());
            let first_record = matches!(splitter.advance().unwrap(), NextRecord::Whole(_));
            assert_eq!(first_record, !first.is_empty() && !text.starts_with("\"a\nb\nc"));
        }
    }

    proptest! {
        #[test]
        fn records_do_not_depend_on_how_bytes_arrive(
            text in "[a,\"\r\n]{0,60}", step in 1_usize..7,
        ) {
            prop_assert_eq!(records(text.as_bytes(), step), records(text.as_bytes(), usize::MAX));
        }

        #[test]
        fn splitter_and_parser_find_the_same_records(text in "[a,\"\r\n]{0,60}") {
            let all = records(text.as_bytes(), usize::MAX);
            prop_assume!(all.iter().all(|(next, _)| matches!(next, NextRecord::Whole(_))));
            let parse = |bytes: &[u8]| -> Vec<csv::ByteRecord> {
                let mut builder = csv::ReaderBuilder::new();
                let reader = builder.has_headers(false).flexible(true).from_reader(bytes);
                reader.into_byte_records().map(|record| record.unwrap()).collect()
            };
            let mut ours = Vec::new();
            for (_, bytes) in &all {
                let one = parse(bytes);
                prop_assert_eq!(one.len(), 1);
                ours.extend(one);
            }
            prop_assert_eq!(ours, parse(text.as_bytes()));
        }
    }
}
