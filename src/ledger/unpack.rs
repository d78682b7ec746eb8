//! The bytes of a ledger: hashed as they are on disk, then unpacked.
//!
//! Owns SHA-256, flate2 and zstd. Promises that the digest is over every byte of the file, also over those that
//! the last member of an archive leaves over, and that what is packed is known by its first bytes, not by its name.

use std::io::{BufReader, Error, ErrorKind, Read, Result};

use flate2::bufread::MultiGzDecoder;
use sha2::{Digest as _, Sha256};

/// Packed bytes asked of the file at a time.
const CHUNK: usize = 64 * 1024;

/// How many bytes tell one form from another.
const MAGIC: usize = 16;

/// A reader that takes the SHA-256 of all that passes through it, and can look at the beginning first.
struct Hashed<R> {
    source: R,
    hash: Sha256,
    head: Vec<u8>,
}

impl<R: Read> Hashed<R> {
    fn new(source: R) -> Result<Self> {
        let mut hashed = Self { source, hash: Sha256::new(), head: Vec::with_capacity(MAGIC) };
        hashed.source.by_ref().take(MAGIC as u64).read_to_end(&mut hashed.head)?;
        hashed.hash.update(&hashed.head);
        Ok(hashed)
    }

    fn finish(mut self) -> Result<String> {
        let mut chunk = vec![0; CHUNK];
        self.head.clear();
        while self.read_whole(&mut chunk)? > 0 {}
        Ok(self.hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
    }

    fn read_whole(&mut self, into: &mut [u8]) -> Result<usize> {
        loop {
            match self.read(into) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                got => return got,
            }
        }
    }
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, into: &mut [u8]) -> Result<usize> {
        if !self.head.is_empty() {
            let len = self.head.len().min(into.len());
            into[..len].copy_from_slice(&self.head[..len]);
            self.head.drain(..len);
            return Ok(len);
        }
        let got = self.source.read(into)?;
        self.hash.update(&into[..got]);
        Ok(got)
    }
}

type Buffered<R> = BufReader<Hashed<R>>;

enum Form<R> {
    Plain(Hashed<R>),
    Gzip(Box<MultiGzDecoder<Buffered<R>>>),
    Zstd(Box<zstd::Decoder<'static, Buffered<R>>>),
}

/// A reader of what is in the file.
pub(super) struct Unpacked<R> {
    form: Form<R>,
}

impl<R: Read> Unpacked<R> {
    /// Fails when the source cannot be read, or is a file of another kind, which the error names.
    pub(super) fn new(source: R) -> Result<Self> {
        let hashed = Hashed::new(source)?;
        if let Some(kind) = foreign(&hashed.head) {
            return Err(Error::new(ErrorKind::InvalidData, kind));
        }
        let form = if hashed.head.starts_with(b"\x1F\x8B") {
            let buffered = BufReader::with_capacity(CHUNK, hashed);
            Form::Gzip(Box::new(MultiGzDecoder::new(buffered)))
        } else if is_zstd(&hashed.head) {
            Form::Zstd(Box::new(zstd::Decoder::new(hashed)?))
        } else {
            Form::Plain(hashed)
        };
        Ok(Self { form })
    }

    /// What the bytes were packed with, if anything.
    pub(super) fn packing(&self) -> Option<&'static str> {
        match self.form {
            Form::Plain(_) => None,
            Form::Gzip(_) => Some("gzip"),
            Form::Zstd(_) => Some("zstd"),
        }
    }

    /// Reads what is left and returns the SHA-256 of all bytes of the source, in lower-case hex.
    pub(super) fn finish(self) -> Result<String> {
        match self.form {
            Form::Plain(hashed) => hashed.finish(),
            Form::Gzip(unpacking) => unpacking.into_inner().into_inner().finish(),
            Form::Zstd(unpacking) => unpacking.finish().into_inner().finish(),
        }
    }
}

impl<R: Read> Read for Unpacked<R> {
    fn read(&mut self, into: &mut [u8]) -> Result<usize> {
        let packed = |name: &str, error: Error| match error.kind() {
            ErrorKind::Interrupted => error,
            ErrorKind::UnexpectedEof => Error::new(
                error.kind(),
                format!("the {name} data breaks off; copy the file anew, or pack it anew"),
            ),
            kind => Error::new(
                kind,
                format!("the {name} data is damaged ({error}); copy the file anew, or pack it anew"),
            ),
        };
        match &mut self.form {
            Form::Plain(hashed) => hashed.read(into),
            Form::Gzip(unpacking) => unpacking.read(into).map_err(|error| packed("gzip", error)),
            Form::Zstd(unpacking) => unpacking.read(into).map_err(|error| packed("zstd", error)),
        }
    }
}

/// A frame, or one of the sixteen kinds of frame that are to be skipped.
fn is_zstd(head: &[u8]) -> bool {
    let skippable = |head: &[u8]| matches!(head, [0x50..=0x5F, 0x2A, 0x4D, 0x18, ..]);
    head.starts_with(b"\x28\xB5\x2F\xFD") || skippable(head)
}

/// What the beginning of a file is known to be that is no ledger, and what to do about it.
pub(super) fn foreign(head: &[u8]) -> Option<&'static str> {
    const FORMS: [(&[u8], &str); 9] = [
        (
            b"PK\x03\x04",
            "it is an Excel workbook or a zip archive; save the sheet as `CSV UTF-8`, or unpack it",
        ),
        (b"\xD0\xCF\x11\xE0", "it is an old Excel workbook (.xls); save the sheet as `CSV UTF-8`"),
        (b"BZh", "it is packed with bzip2; unpack it first, or pack it as .gz or .zst"),
        (b"\xFD7zXZ\0", "it is packed with xz; unpack it first, or pack it as .gz or .zst"),
        (b"7z\xBC\xAF\x27\x1C", "it is a 7z archive; unpack it first"),
        (b"Rar!\x1A\x07", "it is a rar archive; unpack it first"),
        (b"SQLite format 3\0", "it is an SQLite database; export the table as CSV or Parquet"),
        (b"%PDF-", "it is a PDF; export the ledger as CSV"),
        (b"ORC", "it is an ORC file; export the table as CSV or Parquet"),
    ];
    // `ORC` alone could begin a header; the format's own version byte cannot.
    let text = |magic: &[u8]| magic == b"ORC" && head.get(3).is_some_and(|byte| *byte >= b' ');
    FORMS.iter().find(|(magic, _)| head.starts_with(magic) && !text(magic)).map(|(_, what)| *what)
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

    fn read(bytes: &[u8]) -> (String, String) {
        let mut unpacked = Unpacked::new(bytes).unwrap();
        let mut text = String::new();
        unpacked.read_to_string(&mut text).unwrap();
        (text, unpacked.finish().unwrap())
    }

    #[test]
    fn every_member_is_read_and_the_digest_is_that_of_the_file() {
        let zst = |bytes: &[u8]| zstd::encode_all(bytes, 1).unwrap();
        for file in [
            b"one,two".to_vec(),
            [gz(b"one,"), gz(b""), gz(b"two")].concat(),
            [zst(b"one,"), zst(b"two")].concat(),
            [b"\x50\x2A\x4D\x18\x02\0\0\0hi".to_vec(), zst(b"one,two")].concat(),
        ] {
            let digest: String = Sha256::digest(&file).iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(read(&file), ("one,two".to_owned(), digest.clone()));
            assert_eq!(Unpacked::new(file.as_slice()).unwrap().finish().unwrap(), digest);
        }
    }

    #[test]
    fn what_breaks_off_or_is_damaged_is_an_error_and_no_end() {
        let whole = gz(&vec![b'x'; 100_000]);
        let mut text = Vec::new();
        let error = Unpacked::new(&whole[..whole.len() - 9]).unwrap().read_to_end(&mut text).unwrap_err();
        assert!(error.to_string().contains("gzip data breaks off"), "{error}");
        let damaged = [gz(b"one"), b"more".to_vec()].concat();
        let error = Unpacked::new(damaged.as_slice()).unwrap().read_to_end(&mut text).unwrap_err();
        assert!(error.to_string().contains("gzip data"), "{error}");
        let whole = zstd::encode_all([b'x'; 999].as_slice(), 1).unwrap();
        let error = Unpacked::new(&whole[..whole.len() - 2]).unwrap().read_to_end(&mut text).unwrap_err();
        assert!(error.to_string().contains("zstd data breaks off"), "{error}");
    }

    #[test]
    fn a_file_of_another_kind_is_named() {
        for (head, name) in [(b"PK\x03\x04rest".as_slice(), "Excel"), (b"BZh9", "bzip2"), (b"ORC\x01", "ORC")]
        {
            assert!(Unpacked::new(head).err().unwrap().to_string().contains(name), "{name}");
        }
        assert!(foreign(b"ORCID,call_id").is_none());
    }
}
