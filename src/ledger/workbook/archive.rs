//! The zip archive that a workbook is: its parts by name.

use std::collections::HashMap;
use std::io::{self, BufReader, Read};

use memchr::memmem;
use zip::{CompressionMethod, ZipArchive};

use super::part::{PartReader, Place};
use super::refused::{Refused, Result};
use crate::ledger::ledger_bytes::LedgerBytes;

/// First bytes of every zip archive with a file in it.
pub(in crate::ledger) const MAGIC: &[u8; 4] = b"PK\x03\x04";

/// Most parts of an archive. Workbooks have dozens.
const MAX_PARTS: usize = 100_000;
/// Bytes to which any part may unpack.
const ALWAYS_ALLOWED: u64 = 256 << 20;
/// A larger part may unpack to this many times its packed size. Sheets need some 30 times.
const ALLOWED_TIMES: u64 = 200;
/// Bytes of a local header before the name, and the positions of two lengths in it.
const LOCAL_HEADER: usize = 30;

/// A zip archive.
pub(super) struct Archive {
    bytes: LedgerBytes,
    places: HashMap<String, Place>,
}

impl Archive {
    /// Reads the directory of the archive.
    ///
    /// # Errors
    /// The directory is damaged or missing.
    pub(super) fn open(bytes: LedgerBytes) -> Result<Self> {
        let archive = ZipArchive::new(BufReader::new(bytes.from(0)))?;
        if archive.len() > MAX_PARTS {
            return Err(Refused::Damaged("it has more than 100,000 parts"));
        }
        let mut places = HashMap::with_capacity(archive.len());
        for at in 0..archive.len() {
            let entry = archive.by_index_data(at)?;
            let place = Place {
                header: entry.header_start(),
                packed: entry.compressed_size(),
                unpacked: entry.size(),
                crc: entry.crc32(),
                is_encrypted: entry.encrypted(),
                is_deflated: match entry.compression() {
                    CompressionMethod::Stored => Some(false),
                    CompressionMethod::DEFLATE => Some(true),
                    _ => None,
                },
            };
            if places.insert(part_name(&entry.name()?), place).is_some() {
                return Err(Refused::Damaged("two of its parts have the same name"));
            }
        }
        Ok(Self { bytes, places })
    }

    /// True if the archive has a part of this name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.places.contains_key(&part_name(name))
    }

    /// A reader of a part's unpacked bytes; `None` if there is no such part.
    ///
    /// # Errors
    /// The part is packed in an unsupported way, is too large, or is outside the file.
    pub(super) fn part(&self, name: &str) -> Result<Option<PartReader>> {
        let Some(place) = self.places.get(&part_name(name)) else { return Ok(None) };
        let Some(is_deflated) = place.is_deflated.filter(|_| !place.is_encrypted) else {
            return Err(Refused::Damaged("a part of it is encrypted, or packed in an unsupported way"));
        };
        let allowed = ALWAYS_ALLOWED.max(place.packed.saturating_mul(ALLOWED_TIMES));
        if place.unpacked > allowed {
            return Err(Refused::TooLarge { part: name.to_owned(), allowed_mib: allowed >> 20 });
        }
        let mut header = [0; LOCAL_HEADER];
        self.bytes.from(place.header).read_exact(&mut header)?;
        let length = |at: usize| u64::from(u16::from_le_bytes([header[at], header[at + 1]]));
        let start = place.header.saturating_add(LOCAL_HEADER as u64 + length(26) + length(28));
        let end = start.saturating_add(place.packed);
        if !header.starts_with(MAGIC) || end > self.bytes.size() {
            return Err(Refused::Damaged("a part of it is not where its directory says"));
        }
        Ok(Some(PartReader::new(self.bytes.from(start).take(place.packed), is_deflated, place)))
    }

    /// A reader of a part that another part lists.
    ///
    /// # Errors
    /// As of [`Self::part`], or there is no such part.
    pub(super) fn listed_part(&self, name: &str) -> Result<PartReader> {
        self.part(name)?.ok_or(Refused::Damaged("a part of it is missing"))
    }

    /// Bytes of the whole file.
    pub(super) fn len(&self) -> u64 {
        self.bytes.size()
    }
}

/// A name as parts are found by it: without a leading `/`, in lower case. Some programs write `\`.
fn part_name(name: &str) -> String {
    name.trim_start_matches(['/', '\\']).replace('\\', "/").to_lowercase()
}

/// True if a file in the format of Excel 2003 holds an encrypted workbook.
///
/// # Errors
/// The file cannot be read.
pub(in crate::ledger) fn holds_encrypted_package(mut source: impl Read) -> io::Result<bool> {
    // Its directory has names in UTF-16.
    let name: Vec<u8> = "EncryptedPackage".bytes().flat_map(|byte| [byte, 0]).collect();
    let finder = memmem::Finder::new(&name);
    let (mut chunk, mut kept) = (vec![0; 64 * 1024], 0);
    loop {
        let got = source.read(&mut chunk[kept..])?;
        let filled = kept + got;
        if got == 0 || finder.find(&chunk[..filled]).is_some() {
            return Ok(got > 0);
        }
        let keep = filled.min(name.len() - 1);
        chunk.copy_within(filled - keep..filled, 0);
        kept = keep;
    }
}
