//! Splits the text of a ledger into records, and hands them to the CSV parser one at a time.
//!
//! Owns what the parser cannot say for itself: the physical line and the byte at which a record begins, the
//! largest record ([`MAX_RECORD`]), and the way on after a quote that is never closed. Promises that memory stays
//! below [`MAX_RECORD`] plus two read chunks whatever the input is, that the outcome does not depend on how the
//! input arrives in pieces, and that every byte belongs to exactly one record or line end.

use std::io::{ErrorKind, Read, Result};

use memchr::{memchr, memchr2, memchr2_iter};

/// The largest record in bytes. A real row is a few hundred; what is longer is a quote never closed.
pub(super) const MAX_RECORD: usize = 1 << 20;

/// Bytes asked of the source at a time.
const CHUNK: usize = 64 * 1024;

/// How much of a record that is given up is kept to be shown.
pub(super) const KEPT: usize = 64 * 1024;

/// Where a record begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// Physical line, from 1.
    pub(super) line: u64,
    /// Bytes of text before it.
    pub(super) offset: u64,
}

/// What [`Split::advance`] came upon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece {
    /// A whole record, now to be read through [`Read`].
    Record(Place),
    /// A quote is opened and not closed before the input ends, or before [`MAX_RECORD`]. Reading goes
    /// on with the line after that quote, so that one bad row does not swallow the good ones below it.
    Unclosed(Place),
    /// A line without such a quote, yet longer than [`MAX_RECORD`]. It is skipped.
    TooLong(Place),
    /// The input is at its end.
    End,
}

/// Where in a record the scan stands; the same states as the parser's, so that both agree on where a
/// record ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    FieldStart,
    Plain,
    Quoted,
    QuoteInQuoted,
}

/// A reader that yields one record per [`Split::advance`], always ended by a single `\n`.
pub(super) struct Split<R> {
    source: R,
    delimiter: u8,
    buf: Vec<u8>,
    /// Everything before this is done with.
    start: usize,
    /// Physical line of `buf[start]`.
    line: u64,
    /// Bytes of text before `buf[0]`.
    gone: u64,
    eof: bool,
    /// The part of `buf` that the parser has yet to read.
    out: std::ops::Range<usize>,
    newline_due: bool,
    /// The present record holds no quote.
    plain: bool,
    /// Of the record given up last: its beginning, at most [`KEPT`] bytes.
    lost: Vec<u8>,
}

impl<R: Read> Split<R> {
    /// Splits `source`, whose fields are separated by `delimiter`.
    pub(super) fn new(source: R, delimiter: u8) -> Self {
        Self {
            source,
            delimiter,
            buf: Vec::new(),
            start: 0,
            line: 1,
            gone: 0,
            eof: false,
            out: 0..0,
            newline_due: false,
            plain: false,
            lost: Vec::new(),
        }
    }

    /// The first line that is not blank, still to be split; longer where quotes hold line ends. At most [`KEPT`]
    /// bytes. Fails when the source cannot be read.
    pub(super) fn peek(&mut self) -> Result<&[u8]> {
        self.skip_line_ends()?;
        let (mut at, mut quoted, mut first) = (0, false, None);
        while at < KEPT && (self.start + at < self.buf.len() || self.fill()?) {
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

    /// From now on fields are separated by this byte.
    pub(super) fn set_delimiter(&mut self, delimiter: u8) {
        self.delimiter = delimiter;
    }

    /// Goes to the next record, past blank lines. Fails when the source cannot be read.
    pub(super) fn advance(&mut self) -> Result<Piece> {
        self.skip_line_ends()?;
        let place = Place { line: self.line, offset: self.gone + self.start as u64 };
        let plain = self.line_without_quotes();
        self.plain = plain.is_some();
        if let Some(len) = plain {
            self.take(len, false)?;
            return Ok(Piece::Record(place));
        }
        let (mut at, mut quote_at, mut spans) = (0, 0, false);
        let mut state = State::FieldStart;
        loop {
            if at == MAX_RECORD {
                return self.give_up(place, at, (state == State::Quoted).then_some(quote_at));
            }
            if self.start + at == self.buf.len() && !self.fill()? {
                if state == State::Quoted {
                    return self.give_up(place, at, Some(quote_at));
                }
                break;
            }
            let byte = self.buf[self.start + at];
            let is_line_end = matches!(byte, b'\n' | b'\r');
            state = match (state, byte) {
                (State::Quoted, b'"') => State::QuoteInQuoted,
                (State::Quoted, _) => {
                    spans |= is_line_end;
                    State::Quoted
                }
                _ if is_line_end => break,
                _ if byte == self.delimiter => State::FieldStart,
                (State::FieldStart, b'"') => {
                    quote_at = at;
                    State::Quoted
                }
                (State::QuoteInQuoted, b'"') => State::Quoted,
                _ => State::Plain,
            };
            at += 1;
        }
        if at == 0 {
            return Ok(Piece::End);
        }
        self.take(at, spans)?;
        Ok(Piece::Record(place))
    }

    /// The present record, where it holds no quote and thus needs no parser; it is read then.
    pub(super) fn plain(&mut self) -> Option<&[u8]> {
        if !self.plain {
            return None;
        }
        self.newline_due = false;
        Some(&self.buf[std::mem::take(&mut self.out)])
    }

    /// What the last piece that was no record says, as far as it is kept, and whether that is all of it.
    pub(super) fn lost(&self) -> (&[u8], bool) {
        (&self.lost, self.lost.len() < KEPT)
    }

    /// The physical line that comes next.
    pub(super) fn line(&self) -> u64 {
        self.line
    }

    /// The source, to be asked about what was read.
    pub(super) fn source(&self) -> &R {
        &self.source
    }

    pub(super) fn source_mut(&mut self) -> &mut R {
        &mut self.source
    }

    pub(super) fn into_source(self) -> R {
        self.source
    }

    /// The length of the next record where that is its line: where no quote stands before the line end at hand.
    fn line_without_quotes(&self) -> Option<usize> {
        let ahead = &self.buf[self.start..];
        let len = memchr2(b'\n', b'\r', ahead)?;
        (len < MAX_RECORD && memchr(b'"', &ahead[..len]).is_none()).then_some(len)
    }

    /// Offers `len` bytes to the parser and moves past them and their line end.
    fn take(&mut self, len: usize, spans: bool) -> Result<()> {
        // The line end is looked at first: doing so may move the bytes within the buffer.
        if self.buf.get(self.start + len) == Some(&b'\r') && self.start + len + 1 == self.buf.len() {
            self.fill()?;
        }
        let end = self.start + len;
        if spans {
            self.line += line_ends(&self.buf[self.start..end]);
        }
        self.out = self.start..end;
        self.newline_due = true;
        self.start = end;
        self.pass_line_end()
    }

    /// Leaves a record that cannot be read, for the line after its unclosed quote (or, without one,
    /// after its bytes so far).
    fn give_up(&mut self, place: Place, scanned: usize, quote_at: Option<usize>) -> Result<Piece> {
        let mut from = self.start + quote_at.unwrap_or(scanned);
        self.line += line_ends(&self.buf[self.start..from]);
        self.lost.clear();
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
                break;
            }
            from = 0;
        }
        Ok(if quote_at.is_some() { Piece::Unclosed(place) } else { Piece::TooLong(place) })
    }

    fn keep(&mut self, range: std::ops::Range<usize>) {
        let room = KEPT - self.lost.len();
        let bytes = &self.buf[range];
        self.lost.extend_from_slice(&bytes[..bytes.len().min(room)]);
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

    /// Drops what is done with and reads a chunk; `false` at the end of the source.
    fn fill(&mut self) -> Result<bool> {
        if self.eof {
            return Ok(false);
        }
        self.buf.drain(..self.start);
        self.gone += self.start as u64;
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

impl<R> Read for Split<R> {
    /// Reads on in the present record only: 0 at its end.
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

/// Physical line ends in `bytes`: LF, CRLF and a CR of its own.
fn line_ends(bytes: &[u8]) -> u64 {
    let ends = |at: &usize| bytes[*at] == b'\n' || bytes.get(at + 1) != Some(&b'\n');
    memchr2_iter(b'\n', b'\r', bytes).filter(ends).count() as u64
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use proptest::prelude::*;

    /// Gives its bytes a few at a time, to put every boundary everywhere.
    struct Trickle<'a>(&'a [u8], usize);

    impl Read for Trickle<'_> {
        fn read(&mut self, into: &mut [u8]) -> Result<usize> {
            let len = self.1.min(self.0.len()).min(into.len());
            into[..len].copy_from_slice(&self.0[..len]);
            self.0 = &self.0[len..];
            Ok(len)
        }
    }

    fn at(line: u64, offset: u64) -> Place {
        Place { line, offset }
    }

    fn pieces(bytes: &[u8], step: usize) -> Vec<(Piece, Vec<u8>)> {
        let mut split = Split::new(Trickle(bytes, step), b',');
        let mut all = Vec::new();
        loop {
            let piece = split.advance().unwrap();
            let mut text = Vec::new();
            match piece {
                Piece::End => return all,
                Piece::Record(_) => drop(split.read_to_end(&mut text).unwrap()),
                _ => {}
            }
            all.push((piece, text));
        }
    }

    fn lines(bytes: &[u8]) -> Vec<u64> {
        let line = |(piece, _): &(Piece, Vec<u8>)| match piece {
            Piece::Record(at) | Piece::Unclosed(at) | Piece::TooLong(at) => at.line,
            Piece::End => 0,
        };
        pieces(bytes, usize::MAX).iter().map(line).collect()
    }

    #[test]
    fn a_record_knows_the_physical_line_on_which_it_begins() {
        assert_eq!(lines(b"h\na\nb\n"), [1, 2, 3]);
        assert_eq!(lines(b"h\r\na\r\nb"), [1, 2, 3]);
        assert_eq!(lines(b"h\ra\rb\r"), [1, 2, 3]);
        assert_eq!(lines(b"h\n\n\na\n\r\nb\n"), [1, 4, 6]);
        assert_eq!(lines(b"h\n\"x\ny\r\nz\",1\nb\n\n\"c\rd\"\ne"), [1, 2, 5, 7, 9]);
    }

    #[test]
    fn an_unclosed_quote_costs_only_its_own_line() {
        let all = pieces(b"h\na,\"b\nc\nd\n", usize::MAX);
        assert_eq!(all[1].0, Piece::Unclosed(at(2, 2)));
        assert_eq!((all[2].0, all[2].1.as_slice()), (Piece::Record(at(3, 7)), b"c\n".as_slice()));
        assert_eq!(all.len(), 4);
        // The quote that is not closed may stand below a field that properly spans lines.
        assert_eq!(lines(b"h\n\"a\nb\",\"c\nd\n"), [1, 2, 4]);
    }

    #[test]
    fn a_record_beyond_the_limit_is_left_and_the_next_line_is_read() {
        for (head, piece) in [("x", Piece::TooLong(at(2, 2))), ("\"", Piece::Unclosed(at(2, 2)))] {
            let text = format!("h\n{head}{}\nafter\n", "y".repeat(3 * MAX_RECORD));
            let mut split = Split::new(text.as_bytes(), b',');
            split.advance().unwrap();
            assert_eq!(split.advance().unwrap(), piece);
            let (kept, whole) = split.lost();
            assert_eq!((kept.len(), whole), (KEPT, false));
            assert_eq!(split.advance().unwrap(), Piece::Record(at(3, text.len() as u64 - 6)));
            assert!(split.buf.capacity() < 4 * MAX_RECORD);
        }
        let text = format!("h\n\"a\n{}", "row\n".repeat(MAX_RECORD / 2));
        let all = pieces(text.as_bytes(), usize::MAX);
        assert_eq!(all.len(), 2 + MAX_RECORD / 2);
        assert_eq!(all[1].0, Piece::Unclosed(at(2, 2)));
    }

    #[test]
    fn what_is_given_up_is_kept_to_be_shown() {
        let mut split = Split::new(b"h\n\"a\nb\",\"c\nd\n".as_slice(), b',');
        split.advance().unwrap();
        split.advance().unwrap();
        assert_eq!(split.lost(), (b"\"a\nb\",\"c".as_slice(), true));
    }

    #[test]
    fn the_first_line_can_be_looked_at_before_anything_is_split() {
        for (text, first) in [
            ("\n\r\na;b\nc", "a;b"),
            ("a,b", "a,b"),
            ("\"a\nb\",c\nd", "\"a\nb\",c"),
            ("\"a\nb\nc", "\"a"),
            ("", ""),
        ] {
            let mut split = Split::new(Trickle(text.as_bytes(), 1), b',');
            assert_eq!(split.peek().unwrap(), first.as_bytes());
            let first_record = matches!(split.advance().unwrap(), Piece::Record(_));
            assert_eq!(first_record, !first.is_empty() && !text.starts_with("\"a\nb\nc"));
        }
    }

    proptest! {
        #[test]
        fn records_do_not_depend_on_how_the_bytes_arrive(
            text in "[a,\"\r\n]{0,60}", step in 1_usize..7,
        ) {
            prop_assert_eq!(pieces(text.as_bytes(), step), pieces(text.as_bytes(), usize::MAX));
        }

        #[test]
        fn records_are_the_parsers_own(text in "[a,\"\r\n]{0,60}") {
            let all = pieces(text.as_bytes(), usize::MAX);
            prop_assume!(all.iter().all(|(piece, _)| matches!(piece, Piece::Record(_))));
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
