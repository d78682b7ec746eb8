//! The text of a ledger, as UTF-8, whatever its bytes are.
//!
//! Owns encoding_rs. The encoding is known by a byte order mark, by the zero bytes of UTF-16, or, at the first byte that
//! is not ASCII, by what the next MiB reads best as: UTF-8 or GB18030 (which GBK is a part of). Promises that line
//! ends stay what they are, that memory is bounded, and that what is malformed never becomes a character: it arrives as
//! a byte that no UTF-8 has ([`MALFORMED`]), so that the row which has it is found to be invalid.

use std::collections::VecDeque;
use std::io::{Error, ErrorKind, Read, Result};

use encoding_rs::{Decoder, DecoderResult};

use super::unpack::{Unpacked, foreign};

/// What stands for a malformed sequence in text that was not UTF-8.
const MALFORMED: u8 = 0xFF;

/// Bytes read before anything is decided: enough for the zero bytes of UTF-16 to show.
const BEGINNING: usize = 4 * 1024;

/// Bytes, from the first that is not ASCII, on which the choice between UTF-8 and GB18030 rests.
const EVIDENCE: usize = 1 << 20;

/// Bytes decoded at a time.
const CHUNK: usize = 64 * 1024;

/// How the bytes are to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    /// So far; the first other byte decides.
    Ascii,
    Utf8,
    Utf16Le,
    Utf16Be,
    Gb18030,
}

impl Encoding {
    /// As people call it. ASCII is UTF-8.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Ascii | Self::Utf8 => "UTF-8",
            Self::Utf16Le => "UTF-16 (little-endian)",
            Self::Utf16Be => "UTF-16 (big-endian)",
            Self::Gb18030 => "GB18030",
        }
    }

    /// The decoder, unless the bytes are UTF-8 as they are.
    fn decoder(self) -> Option<Decoder> {
        let encoding = match self {
            Self::Ascii | Self::Utf8 => return None,
            Self::Utf16Le => encoding_rs::UTF_16LE,
            Self::Utf16Be => encoding_rs::UTF_16BE,
            Self::Gb18030 => encoding_rs::GB18030,
        };
        Some(encoding.new_decoder_without_bom_handling())
    }
}

/// A reader of the ledger's text as UTF-8.
pub(super) struct Text<R> {
    source: Unpacked<R>,
    encoding: Encoding,
    /// Bytes of the byte order mark.
    mark: u64,
    decoder: Option<Decoder>,
    /// The decoder has given its last.
    ended: bool,
    /// Read and not yet handed over; `raw[at..]` is left.
    raw: Vec<u8>,
    at: usize,
    eof: bool,
    /// Decoded and not yet handed over, from `given` on.
    decoded: Vec<u8>,
    given: usize,
    offsets: Offsets,
}

/// Where lines begin in the text and in the bytes, where the two differ.
#[derive(Default)]
struct Offsets {
    /// Bytes of text made so far, and of the bytes they were made of.
    text: u64,
    bytes: u64,
    /// The text up to here is its bytes.
    same_until: u64,
    /// Beginnings of lines not yet asked for: (in the text, in the bytes).
    lines: VecDeque<(u64, u64)>,
}

impl<R: Read> Text<R> {
    /// Fails when the source cannot be read or is no text at all.
    pub(super) fn new(source: R) -> Result<Self> {
        let mut text = Self {
            source: Unpacked::new(source)?,
            encoding: Encoding::Ascii,
            mark: 0,
            decoder: None,
            ended: false,
            raw: Vec::new(),
            at: 0,
            eof: false,
            decoded: Vec::new(),
            given: 0,
            offsets: Offsets::default(),
        };
        text.fill(BEGINNING)?;
        text.refuse_other_kinds()?;
        let (encoding, mark) = beginning(&text.raw[..text.raw.len().min(BEGINNING)]);
        text.at = mark;
        text.mark = mark as u64;
        text.choose(encoding);
        Ok(text)
    }

    pub(super) fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// Whether the file says itself that it is Unicode.
    pub(super) fn has_mark(&self) -> bool {
        self.mark > 0
    }

    pub(super) fn packing(&self) -> Option<&'static str> {
        self.source.packing()
    }

    /// Where a line that begins at this byte of the text begins in the unpacked file. Lines have to be asked for in
    /// order; those passed over are forgotten.
    pub(super) fn offset_of(&mut self, in_text: u64) -> u64 {
        if self.decoder.is_none() || in_text <= self.offsets.same_until {
            return in_text + self.mark;
        }
        let lines = &mut self.offsets.lines;
        while lines.len() > 1 && lines[1].0 <= in_text {
            lines.pop_front();
        }
        lines.front().map_or(self.offsets.same_until, |(_, bytes)| *bytes) + self.mark
    }

    /// Reads what is left and returns the SHA-256 of the file, in lower-case hex.
    pub(super) fn finish(self) -> Result<String> {
        self.source.finish()
    }

    fn refuse_other_kinds(&self) -> Result<()> {
        let table = || {
            self.raw.starts_with(b"PAR1").then_some("it is a Parquet file inside an archive; unpack it first")
        };
        let wide = || {
            let marks: [&[u8]; 2] = [b"\xFF\xFE\0\0", b"\0\0\xFE\xFF"];
            marks.iter().any(|mark| self.raw.starts_with(mark)).then_some("it is UTF-32; save it as UTF-8")
        };
        let page = || {
            let start = self.raw.trim_ascii_start();
            let is = |tag: &[u8]| start.get(..tag.len()).is_some_and(|found| found.eq_ignore_ascii_case(tag));
            let tags: [&[u8]; 4] = [b"<html", b"<!doctype html", b"<table", b"<?xml"];
            tags.iter().any(|tag| is(tag)).then_some(
                "it is HTML or XML, as some systems export under the name .xls; save it as `CSV UTF-8`",
            )
        };
        match foreign(&self.raw).or_else(table).or_else(wide).or_else(page) {
            Some(what) => Err(Error::new(ErrorKind::InvalidData, what)),
            None => Ok(()),
        }
    }

    fn choose(&mut self, encoding: Encoding) {
        self.encoding = encoding;
        self.decoder = encoding.decoder();
        self.offsets.same_until = self.offsets.text;
        self.offsets.bytes = self.offsets.text;
    }

    /// The next byte is not ASCII: what is it?
    fn decide(&mut self) -> Result<()> {
        self.fill(EVIDENCE)?;
        // Never more than that, even where more is at hand: how the bytes arrive must decide nothing.
        let ahead = &self.raw[self.at..];
        let evidence = &ahead[..ahead.len().min(EVIDENCE)];
        let encoding = reads_best_as(evidence, evidence.len() < EVIDENCE);
        self.choose(encoding);
        Ok(())
    }

    /// Reads until `wanted` bytes are at hand or the source ends.
    fn fill(&mut self, wanted: usize) -> Result<()> {
        self.raw.drain(..self.at);
        self.at = 0;
        while self.raw.len() < wanted && !self.eof {
            let kept = self.raw.len();
            self.raw.resize(kept + CHUNK, 0);
            let got = self.source.read(&mut self.raw[kept..]);
            self.raw.truncate(kept + *got.as_ref().unwrap_or(&0));
            match got {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                got => self.eof = got? == 0,
            }
        }
        Ok(())
    }

    /// Hands over bytes that are UTF-8 as they are; while nothing is decided, only up to the byte that decides.
    fn pass(&mut self, into: &mut [u8]) -> Result<usize> {
        let mut got = (self.raw.len() - self.at).min(into.len());
        if got > 0 {
            into[..got].copy_from_slice(&self.raw[self.at..self.at + got]);
            got = self.undecided(&into[..got]).unwrap_or(got);
            self.at += got;
            if self.at == self.raw.len() {
                // The evidence may have been large.
                (self.raw, self.at) = (Vec::new(), 0);
            }
        } else if !self.eof {
            got = self.source.read(into)?;
            self.eof = got == 0;
            if let Some(other) = self.undecided(&into[..got]) {
                self.raw.extend_from_slice(&into[other..got]);
                got = other;
            }
        }
        self.offsets.text += got as u64;
        Ok(got)
    }

    /// The first byte in these that decides what they are, if that is not known.
    fn undecided(&self, bytes: &[u8]) -> Option<usize> {
        (self.encoding == Encoding::Ascii && !bytes.is_ascii())
            .then(|| bytes.iter().position(|byte| !byte.is_ascii()))?
    }

    /// Decodes a chunk line by line, to know where in the bytes each line begins.
    fn decode(&mut self) -> Result<()> {
        self.decoded.clear();
        self.given = 0;
        if self.raw.len() - self.at < CHUNK {
            self.fill(CHUNK)?;
        }
        let Some(decoder) = &mut self.decoder else { return Ok(()) };
        let last = self.eof && self.raw.len() - self.at <= CHUNK;
        let mut end = self.raw.len().min(self.at + CHUNK);
        if !last {
            end -= (end - self.at) % 2;
        }
        while self.at < end {
            let line = line_length(&self.raw[self.at..end], self.encoding);
            let piece = &self.raw[self.at..self.at + line.unwrap_or(end - self.at)];
            let before = self.decoded.len();
            decode(decoder, piece, &mut self.decoded, false);
            self.at += piece.len();
            self.offsets.text += (self.decoded.len() - before) as u64;
            self.offsets.bytes += piece.len() as u64;
            if line.is_some() {
                self.offsets.lines.push_back((self.offsets.text, self.offsets.bytes));
            }
        }
        if last {
            // What is left over in the decoder is half a character.
            decode(decoder, &[], &mut self.decoded, true);
            self.ended = true;
        }
        Ok(())
    }
}

impl<R: Read> Read for Text<R> {
    fn read(&mut self, into: &mut [u8]) -> Result<usize> {
        while self.decoder.is_none() {
            let got = self.pass(into)?;
            if got > 0 || self.at == self.raw.len() || into.is_empty() {
                return Ok(got);
            }
            self.decide()?;
        }
        while self.given == self.decoded.len() && !self.ended {
            self.decode()?;
        }
        let len = (self.decoded.len() - self.given).min(into.len());
        into[..len].copy_from_slice(&self.decoded[self.given..self.given + len]);
        self.given += len;
        Ok(len)
    }
}

/// The encoding that the first bytes tell, and the length of their byte order mark.
fn beginning(raw: &[u8]) -> (Encoding, usize) {
    const MARKS: [(&[u8], Encoding); 4] = [
        (b"\xEF\xBB\xBF", Encoding::Utf8),
        (b"\xFF\xFE", Encoding::Utf16Le),
        (b"\xFE\xFF", Encoding::Utf16Be),
        (b"\x84\x31\x95\x33", Encoding::Gb18030),
    ];
    if let Some((mark, encoding)) = MARKS.iter().find(|(mark, _)| raw.starts_with(mark)) {
        return (*encoding, mark.len());
    }
    // Delimiters, digits and line ends have a zero byte in UTF-16; other text has none.
    let zeros = |odd: usize| raw.iter().skip(odd).step_by(2).filter(|byte| **byte == 0).count();
    let (even, odd, units) = (zeros(0), zeros(1), raw.len() / 2);
    let many = |zeros: usize, others: usize| zeros * 5 >= units && zeros > 2 * others;
    match units {
        0 => (Encoding::Ascii, 0),
        _ if many(odd, even) => (Encoding::Utf16Le, 0),
        _ if many(even, odd) => (Encoding::Utf16Be, 0),
        _ => (Encoding::Ascii, 0),
    }
}

/// UTF-8, unless that has more malformed sequences than GB18030 and than long characters, which common Chinese in
/// GB18030 hardly ever looks like. `whole` says that the bytes end with the file.
fn reads_best_as(bytes: &[u8], whole: bool) -> Encoding {
    let (mut characters, mut malformed) = (0, 0);
    let mut rest = bytes.len();
    for chunk in bytes.utf8_chunks() {
        rest -= chunk.valid().len() + chunk.invalid().len();
        characters += chunk.valid().chars().filter(|c| c.len_utf8() > 2).count();
        let cut_off = rest == 0 && !whole;
        malformed += usize::from(!chunk.invalid().is_empty() && !cut_off);
    }
    if malformed == 0 || characters > malformed {
        return Encoding::Utf8;
    }
    let mut decoder = encoding_rs::GB18030.new_decoder_without_bom_handling();
    let mut text = Vec::new();
    decode(&mut decoder, bytes, &mut text, whole);
    let malformed_otherwise = text.iter().filter(|byte| **byte == MALFORMED).count();
    if malformed_otherwise < malformed { Encoding::Gb18030 } else { Encoding::Utf8 }
}

/// The length of the line with its end, if it ends here. The bytes of CR and LF are nothing else in GB18030.
fn line_length(bytes: &[u8], encoding: Encoding) -> Option<usize> {
    let unit = |pair: &[u8]| match encoding {
        Encoding::Utf16Be => u16::from_be_bytes([pair[0], pair[1]]),
        _ => u16::from_le_bytes([pair[0], pair[1]]),
    };
    let ends = |pair: &[u8]| matches!(unit(pair), 0x0A | 0x0D);
    match encoding {
        Encoding::Utf16Le | Encoding::Utf16Be => bytes.chunks_exact(2).position(ends).map(|at| 2 * at + 2),
        _ => memchr::memchr2(b'\n', b'\r', bytes).map(|at| at + 1),
    }
}

/// Adds the text of these bytes.
fn decode(decoder: &mut Decoder, mut bytes: &[u8], text: &mut Vec<u8>, last: bool) {
    loop {
        let kept = text.len();
        let room = decoder.max_utf8_buffer_length_without_replacement(bytes.len());
        text.resize(kept + room.unwrap_or(4 * bytes.len() + 16), 0);
        let (result, read, written) =
            decoder.decode_to_utf8_without_replacement(bytes, &mut text[kept..], last);
        text.truncate(kept + written);
        bytes = &bytes[read..];
        match result {
            DecoderResult::InputEmpty => return,
            DecoderResult::OutputFull => {}
            DecoderResult::Malformed(..) => text.push(MALFORMED),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    /// Gives its bytes a few at a time, to put every boundary everywhere.
    struct Trickle<'a>(&'a [u8], usize);

    impl Read for Trickle<'_> {
        fn read(&mut self, into: &mut [u8]) -> Result<usize> {
            let len = self.1.min(into.len()).min(self.0.len());
            into[..len].copy_from_slice(&self.0[..len]);
            self.0 = &self.0[len..];
            Ok(len)
        }
    }

    fn read(bytes: &[u8], step: usize) -> (Vec<u8>, Encoding) {
        let mut text = Text::new(Trickle(bytes, step)).unwrap();
        let mut all = Vec::new();
        text.read_to_end(&mut all).unwrap();
        (all, text.encoding())
    }

    fn utf16(text: &str, little: bool) -> Vec<u8> {
        let bytes = |unit: u16| if little { unit.to_le_bytes() } else { unit.to_be_bytes() };
        text.encode_utf16().flat_map(bytes).collect()
    }

    fn gb18030(text: &str) -> Vec<u8> {
        encoding_rs::GB18030.encode(text).0.into_owned()
    }

    const SAMPLE: &str = "呼叫ID,被叫号码,备注\r\n1^2,138,联通😀\n3^4,139,é\r5^6,,\n";

    #[test]
    fn every_encoding_gives_the_same_text() {
        for (bytes, encoding) in [
            (SAMPLE.as_bytes().to_vec(), Encoding::Utf8),
            ([b"\xEF\xBB\xBF", SAMPLE.as_bytes()].concat(), Encoding::Utf8),
            (gb18030(SAMPLE), Encoding::Gb18030),
            ([b"\x84\x31\x95\x33".to_vec(), gb18030(SAMPLE)].concat(), Encoding::Gb18030),
            (utf16(SAMPLE, true), Encoding::Utf16Le),
            (utf16(SAMPLE, false), Encoding::Utf16Be),
            ([b"\xFF\xFE".to_vec(), utf16(SAMPLE, true)].concat(), Encoding::Utf16Le),
            ([b"\xFE\xFF".to_vec(), utf16(SAMPLE, false)].concat(), Encoding::Utf16Be),
        ] {
            for step in [1, 7, usize::MAX] {
                let (text, found) = read(&bytes, step);
                assert_eq!((String::from_utf8(text).unwrap().as_str(), found), (SAMPLE, encoding));
            }
        }
    }

    #[test]
    fn what_decides_may_come_late() {
        let ascii = "1^2,plain\n".repeat(300_000);
        for (tail, encoding) in [(gb18030("通话"), Encoding::Gb18030), ("通话".into(), Encoding::Utf8)] {
            let (text, found) = read(&[ascii.as_bytes(), &tail].concat(), usize::MAX);
            assert_eq!(found, encoding);
            assert!(text.ends_with("通话".as_bytes()));
        }
    }

    #[test]
    fn damage_does_not_change_what_the_rest_is_and_never_becomes_a_character() {
        let cut = |mut bytes: Vec<u8>, at: usize| {
            bytes.remove(at);
            bytes
        };
        for (bytes, encoding) in [
            (cut(SAMPLE.into(), 1), Encoding::Utf8),
            (b"call_id\n\xB5\n".to_vec(), Encoding::Utf8),
            (cut(gb18030(SAMPLE), 7), Encoding::Gb18030),
            (utf16("1\u{4e00},\n2,,\n", true)[..9].to_vec(), Encoding::Utf16Le),
            (b"\xFF\xFE\x00\xD8\n\x00".to_vec(), Encoding::Utf16Le),
        ] {
            let (text, found) = read(&bytes, usize::MAX);
            assert_eq!(found, encoding);
            assert!(String::from_utf8(text).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn what_lies_behind_the_evidence_decides_nothing() {
        let mut bytes = b"\xE9t".to_vec();
        bytes.resize(EVIDENCE, b' ');
        bytes.extend_from_slice("\n通话通话\n".as_bytes());
        for step in [1_000, usize::MAX] {
            assert_eq!(read(&bytes, step).1, Encoding::Gb18030);
        }
        assert_eq!(read(&bytes[EVIDENCE..], usize::MAX).1, Encoding::Utf8);
    }

    #[test]
    fn the_offset_of_every_line_is_that_in_the_bytes() {
        for (bytes, unit) in
            [(SAMPLE.as_bytes().to_vec(), None), (gb18030(SAMPLE), None), (utf16(SAMPLE, true), Some(2))]
        {
            let mut text = Text::new(bytes.as_slice()).unwrap();
            let mut all = Vec::new();
            text.read_to_end(&mut all).unwrap();
            let unit = unit.unwrap_or(1);
            let starts = |bytes: &[u8], unit: usize| -> Vec<u64> {
                let ends = bytes
                    .chunks(unit)
                    .enumerate()
                    .filter(|(_, c)| matches!(c[0], b'\n' | b'\r') && c[1..].iter().all(|b| *b == 0));
                std::iter::once(0).chain(ends.map(|(at, _)| ((at + 1) * unit) as u64)).collect()
            };
            let (in_text, in_bytes) = (starts(&all, 1), starts(&bytes, unit));
            assert_eq!(in_text.len(), in_bytes.len());
            for (at, wanted) in in_text.iter().zip(in_bytes) {
                assert_eq!(text.offset_of(*at), wanted);
            }
        }
    }

    #[test]
    fn what_is_no_text_is_named() {
        for (bytes, name) in [
            (b"PAR1....".as_slice(), "Parquet"),
            (b"  <!DOCTYPE html>", "HTML"),
            (b"\xFF\xFE\0\0a\0\0\0", "UTF-32"),
        ] {
            assert!(Text::new(bytes).err().unwrap().to_string().contains(name));
        }
    }

    proptest! {
        #[test]
        fn the_text_does_not_depend_on_how_the_bytes_arrive(bytes: Vec<u8>, step in 1_usize..9) {
            let whole = Text::new(bytes.as_slice()).map(|_| read(&bytes, usize::MAX));
            prop_assume!(whole.is_ok());
            prop_assert_eq!(read(&bytes, step), whole.unwrap());
        }

        #[test]
        fn gb18030_is_told_from_utf8(text in "[a-z,]{0,9}[呼叫主被号码通话时长状态客户北京上海订单提醒成功失败]{2,40}") {
            prop_assert_eq!(read(text.as_bytes(), usize::MAX).1, Encoding::Utf8);
            let bytes = gb18030(&text);
            prop_assume!(std::str::from_utf8(&bytes).is_err());
            prop_assert_eq!(read(&bytes, usize::MAX).1, Encoding::Gb18030);
        }
    }
}
