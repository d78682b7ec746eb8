//! Recognizes the encoding of a ledger: UTF-8, UTF-16 in both byte orders, or GB18030 with its
//! subset GBK.
//!
//! The rule:
//!
//! 1. A byte order mark names the encoding.
//! 2. Without one, many zero bytes at every second position mean UTF-16.
//! 3. Pure ASCII is read as UTF-8.
//! 4. Otherwise the first byte beyond ASCII, and up to 1 MiB from there, decide. It is GB18030 if
//!    fewer sequences are invalid in GB18030 than in UTF-8. The exception is text with more valid
//!    UTF-8 characters of three or four bytes than invalid sequences: it is damaged UTF-8. Common
//!    Chinese in GB18030 rarely looks like that.

use encoding_rs::{Decoder, DecoderResult};

/// Marks an invalid sequence in decoded text. Valid UTF-8 never contains this byte, so the row with
/// it becomes invalid.
const INVALID: u8 = 0xFF;

/// An encoding of ledgers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    /// Only ASCII so far: the first other byte decides between UTF-8 and GB18030.
    Ascii,
    Utf8,
    Utf16Le,
    Utf16Be,
    Gb18030,
}

impl Encoding {
    /// The name in messages. ASCII is UTF-8.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Ascii | Self::Utf8 => "UTF-8",
            Self::Utf16Le => "UTF-16 (little-endian)",
            Self::Utf16Be => "UTF-16 (big-endian)",
            Self::Gb18030 => "GB18030",
        }
    }

    /// A decoder to UTF-8; `None` if the bytes are UTF-8 already.
    pub(super) fn decoder(self) -> Option<Decoder> {
        let encoding = match self {
            Self::Ascii | Self::Utf8 => return None,
            Self::Utf16Le => encoding_rs::UTF_16LE,
            Self::Utf16Be => encoding_rs::UTF_16BE,
            Self::Gb18030 => encoding_rs::GB18030,
        };
        Some(encoding.new_decoder_without_bom_handling())
    }

    /// The encoding that the first bytes of a file show, and the length of the byte order mark.
    pub(super) fn of_beginning(head: &[u8]) -> (Self, usize) {
        const MARKS: [(&[u8], Encoding); 4] = [
            (b"\xEF\xBB\xBF", Encoding::Utf8),
            (b"\xFF\xFE", Encoding::Utf16Le),
            (b"\xFE\xFF", Encoding::Utf16Be),
            (b"\x84\x31\x95\x33", Encoding::Gb18030),
        ];
        if let Some((mark, encoding)) = MARKS.iter().find(|(mark, _)| head.starts_with(mark)) {
            return (*encoding, mark.len());
        }
        // Delimiters, digits and line ends have a zero byte in UTF-16; other text has none.
        let zeros = |odd: usize| head.iter().skip(odd).step_by(2).filter(|byte| **byte == 0).count();
        let (even, odd, units) = (zeros(0), zeros(1), head.len() / 2);
        let prevail = |zeros: usize, others: usize| zeros * 5 >= units && zeros > 2 * others;
        let encoding = match units {
            0 => Self::Ascii,
            _ if prevail(odd, even) => Self::Utf16Le,
            _ if prevail(even, odd) => Self::Utf16Be,
            _ => Self::Ascii,
        };
        (encoding, 0)
    }

    /// True for text in GB18030 that is more probably text in Big5: nearly all its characters
    /// are valid and common ones there, and many are rare ones or no characters of GB2312.
    pub(super) fn may_be_big5(bytes: &[u8]) -> bool {
        let (mut characters, mut in_gb2312, mut in_big5) = (0_usize, 0, 0);
        let mut rest = bytes;
        while let [lead, after @ ..] = rest {
            rest = after;
            let (0x81..=0xFE, [trail, after @ ..]) = (*lead, after) else { continue };
            rest = after;
            characters += 1;
            let is_gb2312 = matches!(lead, 0xA1..=0xA3 | 0xB0..=0xF7) && *trail >= 0xA1;
            in_gb2312 += usize::from(is_gb2312);
            // Punctuation, full-width characters, and the 5,401 common characters.
            let is_big5 =
                matches!(lead, 0xA1 | 0xA2 | 0xA4..=0xC6) && matches!(trail, 0x40..=0x7E | 0xA1..=0xFE);
            in_big5 += usize::from(is_big5);
        }
        let is_likely = characters >= 2 && in_big5 * 10 >= characters * 9 && in_gb2312 * 10 <= characters * 8;
        is_likely && {
            let mut decoder = encoding_rs::BIG5.new_decoder_without_bom_handling();
            let mut text = Vec::new();
            decode(&mut decoder, bytes, &mut text, false);
            text.iter().filter(|byte| **byte == INVALID).count() * 100 <= characters
        }
    }

    /// UTF-8 or GB18030, by the rule above. `is_rest` is true if the file ends with these bytes.
    pub(super) fn of_non_ascii(bytes: &[u8], is_rest: bool) -> Self {
        let (mut long_characters, mut invalid) = (0, 0);
        let mut left = bytes.len();
        for chunk in bytes.utf8_chunks() {
            left -= chunk.valid().len() + chunk.invalid().len();
            long_characters += chunk.valid().chars().filter(|c| c.len_utf8() > 2).count();
            let is_cut_off = left == 0 && !is_rest;
            invalid += usize::from(!chunk.invalid().is_empty() && !is_cut_off);
        }
        if invalid == 0 || long_characters > invalid {
            return Self::Utf8;
        }
        let mut decoder = encoding_rs::GB18030.new_decoder_without_bom_handling();
        let mut text = Vec::new();
        decode(&mut decoder, bytes, &mut text, is_rest);
        let invalid_in_gb18030 = text.iter().filter(|byte| **byte == INVALID).count();
        if invalid_in_gb18030 < invalid { Self::Gb18030 } else { Self::Utf8 }
    }

    /// Length of the first line with its line end; `None` if these bytes have no line end.
    pub(super) fn line_length(self, bytes: &[u8]) -> Option<usize> {
        let unit = |pair: &[u8]| match self {
            Self::Utf16Be => u16::from_be_bytes([pair[0], pair[1]]),
            _ => u16::from_le_bytes([pair[0], pair[1]]),
        };
        let is_line_end = |pair: &[u8]| matches!(unit(pair), 0x0A | 0x0D);
        match self {
            Self::Utf16Le | Self::Utf16Be => bytes.chunks_exact(2).position(is_line_end).map(|at| 2 * at + 2),
            // In GB18030 the bytes of CR and LF are part of no other character.
            _ => memchr::memchr2(b'\n', b'\r', bytes).map(|at| at + 1),
        }
    }
}

/// Appends the text of these bytes, with [`INVALID`] for each invalid sequence. `last` is true if
/// no more bytes follow.
pub(super) fn decode(decoder: &mut Decoder, mut bytes: &[u8], text: &mut Vec<u8>, last: bool) {
    let mut end = text.len();
    loop {
        let room = decoder.max_utf8_buffer_length_without_replacement(bytes.len());
        let needed = end + room.unwrap_or(4 * bytes.len() + 16) + 1;
        // Cleared once: to clear the rest after each invalid sequence would take quadratic time.
        if text.len() < needed {
            text.resize(needed, 0);
        }
        let (result, read, written) =
            decoder.decode_to_utf8_without_replacement(bytes, &mut text[end..needed - 1], last);
        bytes = &bytes[read..];
        end += written;
        match result {
            DecoderResult::InputEmpty => break,
            DecoderResult::OutputFull => {}
            DecoderResult::Malformed(..) => {
                text[end] = INVALID;
                end += 1;
            }
        }
    }
    text.truncate(end);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn megabytes_of_invalid_bytes_are_decoded_in_one_pass() {
        // If each of them cleared the room for the rest, this test would take days.
        let bytes = vec![INVALID; 4 << 20];
        for encoding in [encoding_rs::GB18030, encoding_rs::BIG5] {
            let mut decoder = encoding.new_decoder_without_bom_handling();
            let mut text = b"before".to_vec();
            decode(&mut decoder, &bytes, &mut text, true);
            assert!(text == [b"before", bytes.as_slice()].concat(), "{}", encoding.name());
        }
    }
}
