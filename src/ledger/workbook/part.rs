//! A part of a workbook, unpacked while it is read.
//!
//! The part is read to exactly the length that the directory declares, and its CRC-32 is checked at
//! the end. So a damaged part is always an error, never another number.

use std::io::{self, BufReader, ErrorKind, Read, Take};

use crc32fast::Hasher;
use flate2::bufread::DeflateDecoder;

use super::refused::Damage;
use crate::ledger::file_kind::ContentError;
use crate::ledger::ledger_bytes::LedgerBytes;

/// Packed bytes requested from the file at a time.
const CHUNK: usize = 64 * 1024;

/// Where a part is in the file, and what the directory says about it.
#[derive(Debug)]
pub(super) struct Place {
    /// Offset of the local header.
    pub(super) header: u64,
    /// Bytes of the packed part.
    pub(super) packed: u64,
    /// Bytes of the unpacked part.
    pub(super) unpacked: u64,
    /// CRC-32 of the unpacked part.
    pub(super) crc: u32,
    pub(super) is_encrypted: bool,
    /// Whether the part is packed; `None` if in an unsupported way.
    pub(super) is_deflated: Option<bool>,
}

/// A reader of a part's unpacked bytes.
pub(super) struct PartReader {
    source: Source,
    /// Bytes still to come.
    left: u64,
    hash: Hasher,
    crc: u32,
}

enum Source {
    Stored(Take<LedgerBytes>),
    Deflated(DeflateDecoder<BufReader<Take<LedgerBytes>>>),
}

impl PartReader {
    pub(super) fn new(packed: Take<LedgerBytes>, is_deflated: bool, place: &Place) -> Self {
        let source = if is_deflated {
            Source::Deflated(DeflateDecoder::new(BufReader::with_capacity(CHUNK, packed)))
        } else {
            Source::Stored(packed)
        };
        Self { source, left: place.unpacked, hash: Hasher::new(), crc: place.crc }
    }

    fn read_source(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match &mut self.source {
            Source::Stored(bytes) => bytes.read(into),
            Source::Deflated(decoder) => decoder.read(into).map_err(|error| {
                let is_own =
                    error.get_ref().is_some_and(<dyn std::error::Error + Send + Sync>::is::<ContentError>);
                match error.kind() {
                    ErrorKind::InvalidData | ErrorKind::InvalidInput | ErrorKind::UnexpectedEof
                        if !is_own =>
                    {
                        Damage("a part of it cannot be unpacked").into()
                    }
                    _ => error,
                }
            }),
        }
    }
}

impl Read for PartReader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if into.is_empty() {
            return Ok(0);
        }
        let got = self.read_source(into)?;
        self.hash.update(&into[..got]);
        match self.left.checked_sub(got as u64) {
            None => return Err(Damage("a part of it is longer than its directory says").into()),
            Some(left) => self.left = left,
        }
        if got == 0 && (self.left > 0 || self.hash.clone().finalize() != self.crc) {
            return Err(Damage("a part of it does not match its checksum").into());
        }
        Ok(got)
    }
}
