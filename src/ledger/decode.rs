//! Decodes the text of a ledger to UTF-8.
//!
//! Line ends stay as they are, and memory is bounded. An invalid sequence never becomes a
//! character: its row is invalid.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Result};

use encoding_rs::Decoder;

use super::encoding::{Encoding, decode};
use super::file_kind::{ContentError, FileKind, Packing};
use super::unpack::Unpacked;

/// Number of bytes read before the encoding is chosen: enough to show the zero bytes of UTF-16.
const HEAD: usize = 4 * 1024;

/// Number of bytes that decide between UTF-8 and GB18030, from the first non-ASCII byte on.
const EVIDENCE: usize = 1 << 20;

/// Bytes decoded at a time.
const CHUNK: usize = 64 * 1024;

/// A reader of the ledger's text as UTF-8.
pub(super) struct Utf8Reader<R> {
    source: Unpacked<R>,
    encoding: Encoding,
    /// Length of the byte order mark.
    mark: u64,
    /// `None` if the bytes are UTF-8 already.
    decoder: Option<Decoder>,
    /// True once the decoder has processed the last byte.
    decoder_finished: bool,
    /// Bytes of the source; those from `raw_at` on are not processed yet.
    raw: Vec<u8>,
    raw_at: usize,
    eof: bool,
    /// Decoded text; from `decoded_at` on it is not returned yet.
    decoded: Vec<u8>,
    decoded_at: usize,
    lines: LineOffsets,
}

/// Where lines begin in the text and in the bytes, if the two differ.
#[derive(Default)]
struct LineOffsets {
    /// Bytes of text so far.
    text: u64,
    /// Source bytes decoded so far.
    bytes: u64,
    /// Up to this offset the text equals the bytes.
    equal_until: u64,
    /// Beginnings of lines, as (offset in text, offset in bytes), not requested so far.
    beginnings: VecDeque<(u64, u64)>,
}

impl<R: Read> Utf8Reader<R> {
    /// Reads the first bytes.
    ///
    /// # Errors
    /// The source cannot be read, or is not text ([`ContentError::OtherKind`]).
    pub(super) fn new(source: R) -> Result<Self> {
        let mut reader = Self {
            source: Unpacked::new(source)?,
            encoding: Encoding::Ascii,
            mark: 0,
            decoder: None,
            decoder_finished: false,
            raw: Vec::new(),
            raw_at: 0,
            eof: false,
            decoded: Vec::new(),
            decoded_at: 0,
            lines: LineOffsets::default(),
        };
        reader.fill(HEAD)?;
        if let Some(kind) = FileKind::of_content(&reader.raw) {
            return Err(ContentError::OtherKind(kind).into());
        }
        let (encoding, mark) = Encoding::of_beginning(&reader.raw[..reader.raw.len().min(HEAD)]);
        reader.raw_at = mark;
        reader.mark = mark as u64;
        reader.set_encoding(encoding);
        Ok(reader)
    }

    pub(super) fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// True if the file begins with a byte order mark.
    pub(super) fn has_byte_order_mark(&self) -> bool {
        self.mark > 0
    }

    pub(super) fn packing(&self) -> Option<Packing> {
        self.source.packing()
    }

    /// Offset in the unpacked file of a line that begins at this offset in the text. The calls must
    /// be in ascending order: earlier lines are forgotten.
    pub(super) fn offset_of(&mut self, in_text: u64) -> u64 {
        if self.decoder.is_none() || in_text <= self.lines.equal_until {
            return in_text + self.mark;
        }
        let beginnings = &mut self.lines.beginnings;
        while beginnings.len() > 1 && beginnings[1].0 <= in_text {
            beginnings.pop_front();
        }
        beginnings.front().map_or(self.lines.equal_until, |(_, bytes)| *bytes) + self.mark
    }

    /// Reads the rest of the source and returns the checksum of the file.
    pub(super) fn finish(self) -> Result<u32> {
        self.source.finish()
    }

    fn set_encoding(&mut self, encoding: Encoding) {
        self.encoding = encoding;
        self.decoder = encoding.decoder();
        self.lines.equal_until = self.lines.text;
        self.lines.bytes = self.lines.text;
    }

    /// Chooses between UTF-8 and GB18030 at the first byte that is not ASCII.
    fn choose_encoding(&mut self) -> Result<()> {
        self.fill(EVIDENCE)?;
        // Never more bytes, even if more are buffered: the choice must not depend on how the bytes
        // arrive.
        let ahead = &self.raw[self.raw_at..];
        let evidence = &ahead[..ahead.len().min(EVIDENCE)];
        let encoding = Encoding::of_non_ascii(evidence, evidence.len() < EVIDENCE);
        if encoding == Encoding::Gb18030 && Encoding::may_be_big5(evidence) {
            return Err(ContentError::OtherKind(FileKind::Big5).into());
        }
        self.set_encoding(encoding);
        Ok(())
    }

    /// Reads until `wanted` bytes are buffered or the source ends.
    fn fill(&mut self, wanted: usize) -> Result<()> {
        self.raw.drain(..self.raw_at);
        self.raw_at = 0;
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

    /// Copies bytes that are UTF-8 already, up to the byte that decides the encoding.
    fn copy_utf8(&mut self, into: &mut [u8]) -> Result<usize> {
        let mut got = (self.raw.len() - self.raw_at).min(into.len());
        if got > 0 {
            into[..got].copy_from_slice(&self.raw[self.raw_at..self.raw_at + got]);
            got = self.deciding_byte(&into[..got]).unwrap_or(got);
            self.raw_at += got;
            if self.raw_at == self.raw.len() {
                // A new buffer, because the evidence may have been large.
                (self.raw, self.raw_at) = (Vec::new(), 0);
            }
        } else if !self.eof {
            got = self.source.read(into)?;
            self.eof = got == 0;
            if let Some(at) = self.deciding_byte(&into[..got]) {
                self.raw.extend_from_slice(&into[at..got]);
                got = at;
            }
        }
        self.lines.text += got as u64;
        Ok(got)
    }

    /// Position of the byte that decides the encoding; `None` if there is none, or no need.
    fn deciding_byte(&self, bytes: &[u8]) -> Option<usize> {
        (self.encoding == Encoding::Ascii && !bytes.is_ascii())
            .then(|| bytes.iter().position(|byte| !byte.is_ascii()))?
    }

    /// Decodes a chunk line by line, and notes where each line begins in the bytes.
    fn decode_chunk(&mut self) -> Result<()> {
        self.decoded.clear();
        self.decoded_at = 0;
        if self.raw.len() - self.raw_at < CHUNK {
            self.fill(CHUNK)?;
        }
        let Some(decoder) = &mut self.decoder else { return Ok(()) };
        let last = self.eof && self.raw.len() - self.raw_at <= CHUNK;
        let mut end = self.raw.len().min(self.raw_at + CHUNK);
        if !last {
            end -= (end - self.raw_at) % 2;
        }
        while self.raw_at < end {
            let line = self.encoding.line_length(&self.raw[self.raw_at..end]);
            let piece = &self.raw[self.raw_at..self.raw_at + line.unwrap_or(end - self.raw_at)];
            let before = self.decoded.len();
            decode(decoder, piece, &mut self.decoded, false);
            self.raw_at += piece.len();
            self.lines.text += (self.decoded.len() - before) as u64;
            self.lines.bytes += piece.len() as u64;
            if line.is_some() {
                self.lines.beginnings.push_back((self.lines.text, self.lines.bytes));
            }
        }
        if last {
            // The decoder may still hold half a character.
            decode(decoder, &[], &mut self.decoded, true);
            self.decoder_finished = true;
        }
        Ok(())
    }
}

impl<R: Read> Read for Utf8Reader<R> {
    fn read(&mut self, into: &mut [u8]) -> Result<usize> {
        while self.decoder.is_none() {
            let got = self.copy_utf8(into)?;
            if got > 0 || self.raw_at == self.raw.len() || into.is_empty() {
                return Ok(got);
            }
            self.choose_encoding()?;
        }
        while self.decoded_at == self.decoded.len() && !self.decoder_finished {
            self.decode_chunk()?;
        }
        let len = (self.decoded.len() - self.decoded_at).min(into.len());
        into[..len].copy_from_slice(&self.decoded[self.decoded_at..self.decoded_at + len]);
        self.decoded_at += len;
        Ok(len)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    /// Returns only a few bytes at a time. So chunks end at every position.
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
        let mut text = Utf8Reader::new(Trickle(bytes, step)).unwrap();
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
    fn the_first_non_ascii_byte_may_come_late() {
        let ascii = "1^2,plain\n".repeat(300_000);
        for (tail, encoding) in [(gb18030("通话"), Encoding::Gb18030), ("通话".into(), Encoding::Utf8)] {
            let (text, found) = read(&[ascii.as_bytes(), &tail].concat(), usize::MAX);
            assert_eq!(found, encoding);
            assert!(text.ends_with("通话".as_bytes()));
        }
    }

    #[test]
    fn damage_changes_no_encoding_and_becomes_no_character() {
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
    fn bytes_after_the_first_mib_decide_nothing() {
        let mut bytes = b"\xE9t".to_vec();
        bytes.resize(EVIDENCE, b' ');
        bytes.extend_from_slice("\n通话通话\n".as_bytes());
        for step in [1_000, usize::MAX] {
            assert_eq!(read(&bytes, step).1, Encoding::Gb18030);
        }
        assert_eq!(read(&bytes[EVIDENCE..], usize::MAX).1, Encoding::Utf8);
    }

    #[test]
    fn big5_is_refused_and_traditional_chinese_in_gb18030_is_read() {
        for text in [
            "呼叫ID,呼叫時間,備註\n1^2,,客戶投訴，已回訪\n",
            "call_id,備註\n1^1,客服部回電\n",
            "客戶,場次,結果\n",
        ] {
            let (bytes, _, damaged) = encoding_rs::BIG5.encode(text);
            let error = Utf8Reader::new(bytes.as_ref()).unwrap().read_to_end(&mut Vec::new()).unwrap_err();
            assert!(!damaged && error.to_string().contains("Big5"), "{text}: {error}");
            assert_eq!(read(&gb18030(text), usize::MAX).1, Encoding::Gb18030, "{text}");
        }
    }

    #[test]
    fn every_line_has_its_offset_in_the_bytes() {
        for (bytes, unit) in
            [(SAMPLE.as_bytes().to_vec(), None), (gb18030(SAMPLE), None), (utf16(SAMPLE, true), Some(2))]
        {
            let mut text = Utf8Reader::new(bytes.as_slice()).unwrap();
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

    proptest! {
        #[test]
        fn the_text_does_not_depend_on_how_bytes_arrive(bytes: Vec<u8>, step in 1_usize..9) {
            let all = |step| {
                let (mut text, mut all) = (Utf8Reader::new(Trickle(&bytes, step)).ok()?, Vec::new());
                text.read_to_end(&mut all).ok().map(|_| (all, text.encoding()))
            };
            prop_assert_eq!(all(step), all(usize::MAX));
        }

        #[test]
        fn gb18030_and_utf8_are_distinguished(text in "[a-z,]{0,9}[呼叫主被号码通话时长状态客户北京上海订单提醒成功失败]{2,40}") {
            prop_assert_eq!(read(text.as_bytes(), usize::MAX).1, Encoding::Utf8);
            let bytes = gb18030(&text);
            prop_assume!(std::str::from_utf8(&bytes).is_err());
            prop_assert_eq!(read(&bytes, usize::MAX).1, Encoding::Gb18030);
        }
    }
}
