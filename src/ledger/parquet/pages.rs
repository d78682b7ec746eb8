//! The pages of a Parquet file, as their headers describe them. No page is unpacked, except those
//! with a delta encoding of texts.

use std::io::{self, Read as _};
use std::sync::Arc;

use parquet::basic::Encoding;
use parquet::column::page::{Page, PageReader as _};
use parquet::errors::ParquetError;
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::reader::Length as _;
use parquet::file::serialized_reader::SerializedPageReader;

use super::delta_lengths::{claimed_count, longest_text};
use super::thrift::Thrift;
use crate::ledger::ledger_bytes::LedgerBytes;

/// Most texts in a page with a delta encoding of texts.
const MAX_DELTA_TEXTS: u64 = 1 << 22;
/// Lengths of a page's header to try, in bytes. It may hold the page's largest value.
const HEADER_LENGTHS: [u64; 3] = [1 << 10, 1 << 16, 1 << 23];

/// Why a file is refused.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    /// What is wrong with the file.
    #[error("{0}")]
    Damaged(&'static str),
    /// The file would need too much memory.
    #[error("it needs {needed_mib} MiB of memory at once; at most {allowed_mib} MiB are allowed")]
    TooLarge { needed_mib: u64, allowed_mib: u64 },
    /// The file cannot be read.
    #[error(transparent)]
    Unreadable(#[from] io::Error),
    /// The Parquet reader's reason.
    #[error(transparent)]
    Parquet(#[from] ParquetError),
}

pub(super) type Result<T> = std::result::Result<T, Refused>;

/// Reads `len` bytes at this offset.
pub(super) fn read(bytes: &LedgerBytes, at: u64, len: u64) -> Result<Vec<u8>> {
    let mut read = Vec::new();
    bytes.from(at).take(len).read_to_end(&mut read)?;
    Ok(read)
}

/// A page, as its header describes it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct PageInfo {
    /// 0 for data, 1 for an index, 2 for a dictionary, 3 for data in the second format.
    kind: u64,
    /// Bytes of the page in the file.
    packed: u64,
    /// Bytes of the unpacked page.
    pub(super) unpacked: u64,
    /// Number of values and nulls.
    pub(super) values: u64,
    /// Number of rows, if the header says it.
    pub(super) rows: Option<u64>,
    /// Number of the encoding.
    encoding: u64,
}

impl PageInfo {
    /// Reads the header. Returns it and its length.
    fn read(header: &[u8]) -> Option<(Self, u64)> {
        let (mut thrift, mut page) = (Thrift(header), Self::default());
        thrift.fields(&mut |thrift, number, kind| match number {
            1 => number_in(thrift).map(|n| page.kind = n),
            2 => number_in(thrift).map(|n| page.unpacked = n),
            3 => number_in(thrift).map(|n| page.packed = n),
            5 | 7 | 8 => thrift.fields_of(kind, &mut |thrift, field, kind| match (number, field) {
                (_, 1) => number_in(thrift).map(|n| page.values = n),
                (8, 3) => number_in(thrift).map(|n| page.rows = Some(n)),
                (5, 2) | (8, 4) => number_in(thrift).map(|n| page.encoding = n),
                _ => thrift.skip(kind),
            }),
            _ => thrift.skip(kind),
        })?;
        Some((page, (header.len() - thrift.0.len()) as u64))
    }

    pub(super) fn is_dictionary(&self) -> bool {
        self.kind == 2
    }

    /// Bytes that the page needs while it is unpacked.
    pub(super) fn memory(&self) -> u64 {
        self.unpacked + self.packed
    }

    /// True for texts whose lengths, or whose beginnings, depend on the text before.
    pub(super) fn has_delta_texts(&self) -> bool {
        !self.is_dictionary() && is_delta(self.encoding)
    }
}

/// DELTA_LENGTH_BYTE_ARRAY or DELTA_BYTE_ARRAY.
fn is_delta(encoding: u64) -> bool {
    matches!(encoding, 6 | 7)
}

/// A number that must not be negative.
fn number_in(thrift: &mut Thrift<'_>) -> Option<u64> {
    thrift.integer()?.try_into().ok()
}

/// Calls `each` for every page of a column chunk.
///
/// # Errors
/// A page does not lie in the file, has impossible numbers, or needs more than `allowed` bytes.
pub(super) fn for_each_page(
    bytes: &LedgerBytes,
    column: &ColumnChunkMetaData,
    allowed: u64,
    each: &mut dyn FnMut(PageInfo),
) -> Result<()> {
    let (mut at, len) = column.byte_range();
    let end = at.checked_add(len).filter(|end| *end <= bytes.len());
    let end = end.ok_or(Refused::Damaged("a column does not lie in the file"))?;
    while at < end {
        let (page, header_len) = page_at(bytes, at, end)?;
        at = at + header_len + page.packed;
        let is_possible = at <= end && page.unpacked <= i32::MAX as u64 && page.values <= i32::MAX as u64;
        if !is_possible || (page.is_dictionary() && page.values > page.unpacked) {
            return Err(Refused::Damaged("a page has impossible sizes"));
        }
        if page.memory() > allowed {
            return Err(too_large(page.memory(), allowed));
        }
        if page.has_delta_texts() && page.values > MAX_DELTA_TEXTS {
            return Err(Refused::Damaged("a page has more texts than any program writes"));
        }
        each(page);
    }
    Ok(())
}

/// The error for a file that needs more memory than allowed, both in bytes.
pub(super) fn too_large(needed: u64, allowed: u64) -> Refused {
    Refused::TooLarge { needed_mib: needed.div_ceil(1 << 20), allowed_mib: allowed >> 20 }
}

fn page_at(bytes: &LedgerBytes, at: u64, end: u64) -> Result<(PageInfo, u64)> {
    for len in HEADER_LENGTHS {
        let header = read(bytes, at, len.min(end - at))?;
        if let Some(page) = PageInfo::read(&header) {
            return Ok(page);
        }
    }
    Err(Refused::Damaged("the header of a page makes no sense"))
}

/// Length in bytes of the longest text in a column chunk whose texts begin with a part of the one
/// before; 0 if it has none. All its pages must have been checked before.
///
/// # Errors
/// A page is damaged.
pub(super) fn longest_delta_text(bytes: &LedgerBytes, column: &ColumnChunkMetaData) -> Result<u64> {
    let mut pages = SerializedPageReader::new(Arc::new(bytes.clone()), column, 0, None)?;
    let mut longest = 0;
    while let Some(page) = pages.get_next_page()? {
        let encoding = page.encoding();
        if !page.is_data_page() || !is_delta(encoding as u64) {
            continue;
        }
        let lengths = values_of(&page, column).and_then(|values| match encoding {
            Encoding::DELTA_BYTE_ARRAY => longest_text(values, page.num_values().into()),
            _ => claimed_count(values).filter(|count| *count <= page.num_values().into()).map(|_| 0),
        });
        longest = longest.max(lengths.ok_or(Refused::Damaged("the lengths of texts make no sense"))?);
    }
    Ok(longest)
}

/// The bytes of a data page after its levels.
fn values_of<'a>(page: &'a Page, column: &ColumnChunkMetaData) -> Option<&'a [u8]> {
    match page {
        Page::DataPage { buf, def_level_encoding, rep_level_encoding, .. } => {
            let descriptor = column.column_descr();
            let levels = [
                (descriptor.max_rep_level(), *rep_level_encoding),
                (descriptor.max_def_level(), *def_level_encoding),
            ];
            let mut rest = &buf[..];
            for (_, encoding) in levels.into_iter().filter(|(max, _)| *max > 0) {
                let (len, levels) = rest.split_first_chunk()?;
                let len = usize::try_from(u32::from_le_bytes(*len)).ok()?;
                rest = levels.get(len..).filter(|_| encoding == Encoding::RLE)?;
            }
            Some(rest)
        }
        Page::DataPageV2 { buf, def_levels_byte_len, rep_levels_byte_len, .. } => {
            buf.get(usize::try_from(def_levels_byte_len.checked_add(*rep_levels_byte_len)?).ok()?..)
        }
        Page::DictionaryPage { .. } => None,
    }
}
