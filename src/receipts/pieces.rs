//! Splits the text of a file into objects: those of an array, of lines, of arrays on lines, or one
//! after the other. The array is never held as a whole.
//!
//! This is no JSON parser: each piece is parsed by itself. A broken object costs only itself. Where
//! no object spans lines it ends with its line. Elsewhere it ends where JSON allows no further
//! object: in a text that spans lines, or at a `{` in the place of a name.

use std::io::{ErrorKind, Read, Result};

use memchr::{memchr, memchr2, memchr3};

/// Longest piece.
pub(super) const MAX_PIECE: usize = 1 << 20;
/// Bytes read at a time.
const CHUNK: usize = 64 * 1024;

/// The objects of a text.
pub(super) struct Pieces<R> {
    source: R,
    by_line: bool,
    buffer: Vec<u8>,
    /// Bytes before it were passed.
    start: usize,
    /// The line at `start`.
    line: u64,
    is_at_end: bool,
}

/// A part of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Piece<'a> {
    /// The line on which it begins.
    pub(super) line: u64,
    /// Its bytes; none if it is too long.
    pub(super) bytes: &'a [u8],
    pub(super) is_too_long: bool,
}

/// What a scan of an object has found so far.
#[derive(Default)]
struct Scan {
    /// Scanned bytes.
    at: usize,
    /// The open brackets.
    open: Vec<u8>,
    in_text: bool,
    /// The last byte outside of texts that is no white space; `"` for a text.
    last: u8,
}

/// How a scan ended.
enum End {
    /// More bytes are needed.
    Later,
    /// The object, whole or broken, has this many bytes.
    At(usize),
}

impl<R: Read> Pieces<R> {
    /// The objects of this text. With `by_line`, no object spans lines.
    pub(super) fn new(source: R, by_line: bool) -> Self {
        Self { source, by_line, buffer: Vec::new(), start: 0, line: 1, is_at_end: false }
    }

    /// The line up to which the text was read.
    pub(super) fn line(&self) -> u64 {
        self.line
    }

    /// The next piece; `None` at the end.
    ///
    /// # Errors
    ///
    /// The source cannot be read.
    pub(super) fn next(&mut self) -> Result<Option<Piece<'_>>> {
        if !self.pass_separators()? {
            return Ok(None);
        }
        let line = self.line;
        let len = match self.buffer[self.start] {
            b'{' => self.object()?,
            b'"' => self.quoted()?,
            _ => self.other()?,
        };
        let from = self.start;
        self.start += len;
        self.line += lines(&self.buffer[from..self.start]);
        if len > MAX_PIECE {
            self.pass_line()?;
            return Ok(Some(Piece { line, bytes: &[], is_too_long: true }));
        }
        Ok(Some(Piece { line, bytes: &self.buffer[from..self.start], is_too_long: false }))
    }

    /// Passes white space, and the brackets and commas around objects. Returns false at the end.
    fn pass_separators(&mut self) -> Result<bool> {
        loop {
            let ahead = &self.buffer[self.start..];
            let is_separator = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b'[' | b']' | b',');
            let passed = ahead.iter().position(|byte| !is_separator(byte));
            let len = passed.unwrap_or(ahead.len());
            self.line += lines(&ahead[..len]);
            self.start += len;
            if passed.is_some() {
                return Ok(true);
            }
            if !self.fill()? {
                return Ok(false);
            }
        }
    }

    /// Length of the object at the start, whole or broken. It is above [`MAX_PIECE`] if the object
    /// is too long.
    fn object(&mut self) -> Result<usize> {
        let mut scan = Scan::default();
        loop {
            match scan.scan(&self.buffer[self.start..], self.by_line) {
                End::At(len) => return Ok(len),
                End::Later if scan.at > MAX_PIECE => return Ok(scan.at),
                End::Later => {
                    if !self.fill()? {
                        return Ok(scan.at);
                    }
                }
            }
        }
    }

    /// Length of the quoted text at the start, which ends with its line at the latest.
    fn quoted(&mut self) -> Result<usize> {
        let mut scanned = 1;
        loop {
            let ahead = &self.buffer[self.start..];
            if let Some(at) = memchr2(b'"', b'\n', &ahead[scanned..]) {
                return Ok(scanned + at + usize::from(ahead[scanned + at] == b'"'));
            }
            scanned = ahead.len();
            if scanned > MAX_PIECE || !self.fill()? {
                return Ok(scanned);
            }
        }
    }

    /// Length of what is no object: up to the end of the line or the next object.
    fn other(&mut self) -> Result<usize> {
        let mut scanned = 0;
        loop {
            let ahead = &self.buffer[self.start..];
            let found = if self.by_line {
                memchr(b'\n', &ahead[scanned..])
            } else {
                memchr2(b'\n', b'{', &ahead[scanned..])
            };
            if let Some(at) = found {
                return Ok(scanned + at);
            }
            scanned = ahead.len();
            if scanned > MAX_PIECE || !self.fill()? {
                return Ok(scanned);
            }
        }
    }

    /// Passes the rest of a line.
    fn pass_line(&mut self) -> Result<()> {
        loop {
            if let Some(at) = memchr(b'\n', &self.buffer[self.start..]) {
                self.start += at;
                return Ok(());
            }
            self.start = self.buffer.len();
            if !self.fill()? {
                return Ok(());
            }
        }
    }

    /// Drops the passed bytes and reads more; false at the end.
    fn fill(&mut self) -> Result<bool> {
        if self.is_at_end {
            return Ok(false);
        }
        self.buffer.drain(..self.start);
        self.start = 0;
        let kept = self.buffer.len();
        self.buffer.resize(kept + CHUNK, 0);
        let got = loop {
            match self.source.read(&mut self.buffer[kept..]) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                got => break got,
            }
        };
        self.buffer.truncate(kept + *got.as_ref().unwrap_or(&0));
        self.is_at_end = got? == 0;
        Ok(!self.is_at_end)
    }
}

impl Scan {
    /// Scans on in the text, which begins with the object.
    fn scan(&mut self, text: &[u8], by_line: bool) -> End {
        while let Some(byte) = text.get(self.at).copied() {
            if self.in_text {
                match self.pass_text(text) {
                    Some(end) => return end,
                    None => continue,
                }
            }
            match byte {
                b'\n' if by_line => return End::At(self.at),
                b' ' | b'\t' | b'\r' | b'\n' => {}
                b'"' => (self.in_text, self.last) = (true, byte),
                b'{' if !self.may_open() => return End::At(self.at),
                b'{' | b'[' => {
                    self.open.push(byte);
                    self.last = byte;
                }
                b'}' | b']' => {
                    self.open.pop();
                    self.last = byte;
                    if self.open.is_empty() {
                        return End::At(self.at + 1);
                    }
                }
                _ => self.last = byte,
            }
            self.at += 1;
        }
        End::Later
    }

    /// Passes a text up to its closing quote. Returns the end of the object if the text is broken,
    /// or if more bytes are needed.
    fn pass_text(&mut self, text: &[u8]) -> Option<End> {
        let Some(found) = memchr3(b'"', b'\\', b'\n', &text[self.at..]) else {
            self.at = text.len();
            return Some(End::Later);
        };
        let at = self.at + found;
        match text[at] {
            b'\n' => {
                self.at = at;
                return Some(End::At(at));
            }
            b'\\' if at + 1 == text.len() => {
                self.at = at;
                return Some(End::Later);
            }
            b'\\' if text[at + 1] == b'\n' => self.at = at + 1,
            b'\\' => self.at = at + 2,
            _ => (self.at, self.in_text) = (at + 1, false),
        }
        None
    }

    /// True if JSON allows an object here.
    fn may_open(&self) -> bool {
        match self.open.last() {
            None => true,
            Some(b'{') => self.last == b':',
            Some(_) => matches!(self.last, b'[' | b','),
        }
    }
}

fn lines(bytes: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', bytes).count() as u64
}
