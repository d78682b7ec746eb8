//! The bytes of a ledger: checksummed as stored, then unpacked.
//!
//! The checksum (CRC-32) covers every byte of the file, including bytes after the last member of an
//! archive. It tells whether two readings read the same bytes. The packing is recognized by the
//! first bytes, not by the name.

use std::io::{BufReader, Error, ErrorKind, Read, Result};

use flate2::bufread::MultiGzDecoder;

use super::file_kind::{ContentError, FileKind, Packing};

/// Packed bytes requested from the file at a time.
const CHUNK: usize = 64 * 1024;

/// Number of first bytes that identify a file's kind.
const HEAD: usize = 16;

/// A reader that computes the checksum of all bytes read. It reads the first bytes in advance.
pub(super) struct Checksummed<R> {
    source: R,
    checksum: crc32fast::Hasher,
    /// First bytes of the file that are not returned yet.
    head: Vec<u8>,
}

impl<R: Read> Checksummed<R> {
    fn new(source: R) -> Result<Self> {
        let mut checksummed =
            Self { source, checksum: crc32fast::Hasher::new(), head: Vec::with_capacity(HEAD) };
        checksummed.source.by_ref().take(HEAD as u64).read_to_end(&mut checksummed.head)?;
        checksummed.checksum.update(&checksummed.head);
        Ok(checksummed)
    }

    fn finish(mut self) -> Result<u32> {
        let mut chunk = vec![0; CHUNK];
        self.head.clear();
        while self.read_uninterrupted(&mut chunk)? > 0 {}
        Ok(self.checksum.finalize())
    }

    fn read_uninterrupted(&mut self, into: &mut [u8]) -> Result<usize> {
        loop {
            match self.read(into) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                got => return got,
            }
        }
    }
}

impl<R: Read> Read for Checksummed<R> {
    fn read(&mut self, into: &mut [u8]) -> Result<usize> {
        if !self.head.is_empty() {
            let len = self.head.len().min(into.len());
            into[..len].copy_from_slice(&self.head[..len]);
            self.head.drain(..len);
            return Ok(len);
        }
        let got = self.source.read(into)?;
        self.checksum.update(&into[..got]);
        Ok(got)
    }
}

pub(super) type Buffered<R> = BufReader<Checksummed<R>>;

/// A reader of the file's unpacked bytes.
pub(super) enum Unpacked<R> {
    /// The file is not packed.
    AsStored(Checksummed<R>),
    Gzip(Box<MultiGzDecoder<Buffered<R>>>),
    Zstd(Box<zstd::Decoder<'static, Buffered<R>>>),
}

impl<R: Read> Unpacked<R> {
    /// Recognizes the packing.
    ///
    /// # Errors
    /// The source cannot be read, or is a file of another kind ([`ContentError::OtherKind`]).
    pub(super) fn new(source: R) -> Result<Self> {
        let checksummed = Checksummed::new(source)?;
        if let Some(kind) = FileKind::of_file(&checksummed.head) {
            return Err(ContentError::OtherKind(kind).into());
        }
        Ok(if checksummed.head.starts_with(b"\x1F\x8B") {
            let buffered = BufReader::with_capacity(CHUNK, checksummed);
            Self::Gzip(Box::new(MultiGzDecoder::new(buffered)))
        } else if is_zstd(&checksummed.head) {
            Self::Zstd(Box::new(zstd::Decoder::new(checksummed)?))
        } else {
            Self::AsStored(checksummed)
        })
    }

    /// How the file is packed, if at all.
    pub(super) fn packing(&self) -> Option<Packing> {
        match self {
            Self::AsStored(_) => None,
            Self::Gzip(_) => Some(Packing::Gzip),
            Self::Zstd(_) => Some(Packing::Zstd),
        }
    }

    /// Reads the rest of the source and returns the checksum of all its bytes.
    pub(super) fn finish(self) -> Result<u32> {
        match self {
            Self::AsStored(checksummed) => checksummed.finish(),
            Self::Gzip(decoder) => decoder.into_inner().into_inner().finish(),
            Self::Zstd(decoder) => decoder.finish().into_inner().finish(),
        }
    }
}

impl<R: Read> Read for Unpacked<R> {
    fn read(&mut self, into: &mut [u8]) -> Result<usize> {
        match self {
            Self::AsStored(checksummed) => checksummed.read(into),
            Self::Gzip(decoder) => decoder.read(into).map_err(|error| packed(Packing::Gzip, error)),
            Self::Zstd(decoder) => decoder.read(into).map_err(|error| packed(Packing::Zstd, error)),
        }
    }
}

/// The error of a decoder.
fn packed(packing: Packing, error: Error) -> Error {
    match error.kind() {
        ErrorKind::Interrupted => error,
        ErrorKind::UnexpectedEof => ContentError::CutOff(packing).into(),
        // zstd has no other kind for this error.
        _ if packing == Packing::Zstd && error.to_string().contains("too much memory") => {
            ContentError::ZstdWindow.into()
        }
        _ => ContentError::Damaged(packing, error).into(),
    }
}

/// True for the beginning of a zstd frame, or of one of its sixteen kinds of skippable frames.
fn is_zstd(head: &[u8]) -> bool {
    head.starts_with(b"\x28\xB5\x2F\xFD") || matches!(head, [0x50..=0x5F, 0x2A, 0x4D, 0x18, ..])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::io::Write as _;

    fn gz(bytes: &[u8]) -> Vec<u8> {
        let mut packing = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packing.write_all(bytes).unwrap();
        packing.finish().unwrap()
    }

    fn read(bytes: &[u8]) -> (String, u32) {
        let mut unpacked = Unpacked::new(bytes).unwrap();
        let mut text = String::new();
        unpacked.read_to_string(&mut text).unwrap();
        (text, unpacked.finish().unwrap())
    }

    #[test]
    fn all_members_are_read_and_the_checksum_is_the_whole_file_s() {
        let zst = |bytes: &[u8]| zstd::encode_all(bytes, 1).unwrap();
        for file in [
            b"one,two".to_vec(),
            [gz(b"one,"), gz(b""), gz(b"two")].concat(),
            [zst(b"one,"), zst(b"two")].concat(),
            [b"\x50\x2A\x4D\x18\x02\0\0\0hi".to_vec(), zst(b"one,two")].concat(),
        ] {
            let checksum = crc32fast::hash(&file);
            assert_eq!(read(&file), ("one,two".to_owned(), checksum));
            assert_eq!(Unpacked::new(file.as_slice()).unwrap().finish().unwrap(), checksum);
        }
    }

    #[test]
    fn cut_off_or_damaged_data_is_an_error() {
        let whole = gz(&vec![b'x'; 100_000]);
        let mut text = Vec::new();
        let error = Unpacked::new(&whole[..whole.len() - 9]).unwrap().read_to_end(&mut text).unwrap_err();
        assert!(error.to_string().contains("gzip data is cut off"), "{error}");
        let damaged = [gz(b"one"), b"more".to_vec()].concat();
        let error = Unpacked::new(damaged.as_slice()).unwrap().read_to_end(&mut text).unwrap_err();
        assert!(error.to_string().contains("gzip data"), "{error}");
        let whole = zstd::encode_all([b'x'; 999].as_slice(), 1).unwrap();
        let error = Unpacked::new(&whole[..whole.len() - 2]).unwrap().read_to_end(&mut text).unwrap_err();
        assert!(error.to_string().contains("zstd data is cut off"), "{error}");
    }
    #[test]
    fn a_zstd_window_that_is_too_large_is_named() {
        let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
        encoder.window_log(29).unwrap();
        encoder.write_all(&[b'x'; 100]).unwrap();
        let packed = encoder.finish().unwrap();
        let error = Unpacked::new(packed.as_slice()).unwrap().read_to_end(&mut Vec::new()).unwrap_err();
        assert!(error.to_string().contains("window is larger than 128 MiB"), "{error}");
    }
}
