//! Checks a Parquet file before the Parquet reader does, so that no file takes much more memory
//! than it is worth.
//!
//! The Parquet reader trusts what a file says about itself. A file of 10 KB may claim gigabytes, or
//! contain them, because its data is compressed. So these are checked first: the lengths and depths
//! in the file's description, the sizes of all pages, and the lengths in pages with a delta
//! encoding. [`rows_at_once`] then says how many rows fit into the memory allowed.

use std::collections::VecDeque;

use parquet::basic::{ConvertedType, LogicalType, Type};
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};
use parquet::file::reader::Length as _;

use super::pages::{Refused, Result, for_each_page, longest_delta_text, read, too_large};
use super::thrift::Thrift;
use crate::ledger::ledger_bytes::LedgerBytes;

/// First and last bytes of every Parquet file.
pub(in crate::ledger) const MAGIC: &[u8; 4] = b"PAR1";

/// Longest description of a file, in bytes.
const MAX_FOOTER: u64 = 64 << 20;
/// Deepest nesting of columns.
const MAX_NESTING: usize = 32;
/// Memory in bytes that any file may need for its pages.
const ALWAYS_ALLOWED: u64 = 256 << 20;
/// A larger file may need this many times its own size.
const ALLOWED_TIMES: u64 = 16;
/// Rows read at once, the best number first.
const BATCHES: [u64; 4] = [1_024, 128, 16, 1];
/// Memory in bytes for a value, besides its own bytes.
const VALUE: u64 = 24;

/// Bytes of memory, for each of [`BATCHES`].
type Memory = [u64; BATCHES.len()];

/// Checks lengths and depths in the description of a Parquet file.
///
/// # Errors
/// The description is damaged or too long.
pub(super) fn check_footer(bytes: &LedgerBytes) -> Result<()> {
    let Some(at) = bytes.len().checked_sub(8) else { return Ok(()) };
    let tail = read(bytes, at, 8)?;
    let (len, magic) = tail.split_at(4);
    let len = len.try_into().map_or(0, u32::from_le_bytes).into();
    let Some(start) = at.checked_sub(len).filter(|_| magic == MAGIC) else {
        // The Parquet reader says that the file is cut off.
        return Ok(());
    };
    if len > MAX_FOOTER {
        return Err(too_large(len, MAX_FOOTER));
    }
    check_description(&read(bytes, start, len)?).ok_or(Refused::Damaged("its description makes no sense"))
}

fn check_description(footer: &[u8]) -> Option<()> {
    let mut children_of = Vec::new();
    Thrift(footer).fields(&mut |thrift, number, kind| match number {
        2 => thrift.structs_of(kind, &mut |thrift| {
            let mut children = 0;
            thrift.fields(&mut |thrift, number, kind| match number {
                5 => thrift.integer().map(|number| children = number),
                _ => thrift.skip(kind),
            })?;
            children_of.push(usize::try_from(children).ok()?);
            Some(())
        }),
        _ => thrift.skip(kind),
    })?;
    check_nesting(&children_of)
}

/// Checks the tree of columns, which a file describes by the number of children of each.
fn check_nesting(children_of: &[usize]) -> Option<()> {
    // Children still to come, for each open level.
    let mut open: Vec<usize> = Vec::new();
    for children in children_of {
        if let Some(left) = open.last_mut() {
            *left -= 1;
        }
        if *children > 0 {
            open.push(*children);
        }
        (*children <= children_of.len() && open.len() <= MAX_NESTING).then_some(())?;
        while open.last() == Some(&0) {
            open.pop();
        }
    }
    Some(())
}

/// The number of rows to read at once.
///
/// # Errors
/// A page is damaged, or the pages of even one row need more memory than allowed.
pub(super) fn rows_at_once(bytes: &LedgerBytes, metadata: &ParquetMetaData) -> Result<usize> {
    let allowed = ALWAYS_ALLOWED.max(bytes.len().saturating_mul(ALLOWED_TIMES));
    let mut needed = Memory::default();
    for group in metadata.row_groups() {
        let mut of_group = Memory::default();
        for column in group.columns() {
            let of_column = memory_of(bytes, column, allowed)?;
            of_group.iter_mut().zip(of_column).for_each(|(sum, more)| *sum = sum.saturating_add(more));
        }
        needed.iter_mut().zip(of_group).for_each(|(most, one)| *most = one.max(*most));
    }
    let mut fitting = BATCHES.iter().zip(needed).filter(|(_, needed)| *needed <= allowed);
    match fitting.next() {
        Some((rows, _)) => Ok(usize::try_from(*rows).unwrap_or(1)),
        None => Err(too_large(needed[BATCHES.len() - 1], allowed)),
    }
}

/// Memory that a column chunk needs at once.
fn memory_of(bytes: &LedgerBytes, column: &ColumnChunkMetaData, allowed: u64) -> Result<Memory> {
    let descriptor = column.column_descr();
    let is_nested = descriptor.max_rep_level() > 0;
    let mut windows = BATCHES.map(Window::of);
    let (mut whole_chunk, mut dictionary, mut has_delta_texts) = (0, 0, false);
    for_each_page(bytes, column, allowed, &mut |page| {
        has_delta_texts |= page.has_delta_texts();
        if page.is_dictionary() {
            dictionary = page.unpacked.max(dictionary);
            whole_chunk += page.memory() + VALUE * page.values;
            return;
        }
        // A row of a nested column may have values in all pages.
        let rows = if is_nested { 0 } else { page.rows.unwrap_or(page.values) };
        whole_chunk += if is_nested { VALUE * page.values } else { 0 };
        windows.iter_mut().for_each(|window| window.add(rows, page.memory()));
    })?;
    let longest_text = if has_delta_texts { longest_delta_text(bytes, column)? } else { 0 };
    // These are copied for each row; other texts stay in their pages.
    let fixed = u64::try_from(descriptor.type_length()).unwrap_or(0).saturating_mul(2);
    let is_decimal = matches!(descriptor.logical_type_ref(), Some(LogicalType::Decimal { .. }))
        || descriptor.converted_type() == ConvertedType::DECIMAL;
    let is_copied = is_decimal && descriptor.physical_type() == Type::BYTE_ARRAY;
    let copied = if is_copied { dictionary } else { 0 };
    let row = [fixed, copied, longest_text].into_iter().fold(VALUE, u64::saturating_add);
    let sum = |window: &Window| {
        let rows = window.batch.saturating_mul(row);
        rows.saturating_add(window.most).saturating_add(whole_chunk)
    };
    Ok(windows.each_ref().map(sum))
}

/// The most bytes of pages that hold the rows of one batch.
struct Window {
    batch: u64,
    /// Rows and bytes of each page.
    pages: VecDeque<(u64, u64)>,
    rows: u64,
    bytes: u64,
    most: u64,
}

impl Window {
    fn of(batch: u64) -> Self {
        Self { batch, pages: VecDeque::new(), rows: 0, bytes: 0, most: 0 }
    }

    fn add(&mut self, rows: u64, bytes: u64) {
        // A batch with a row of the new page begins at the earliest with the last row of the first.
        while let Some((first_rows, first_bytes)) = self.pages.front().copied() {
            if self.rows - first_rows + 2 <= self.batch {
                break;
            }
            self.pages.pop_front();
            self.rows -= first_rows;
            self.bytes -= first_bytes;
        }
        self.pages.push_back((rows, bytes));
        self.rows += rows;
        self.bytes += bytes;
        self.most = self.most.max(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_counts_all_pages_that_its_rows_may_touch() {
        let most = |batch, pages: &[(u64, u64)]| {
            let mut window = Window::of(batch);
            pages.iter().for_each(|(rows, bytes)| window.add(*rows, *bytes));
            window.most
        };
        let pages = [(10, 1), (3, 5), (10, 2), (10, 9)];
        assert_eq!(most(1, &pages), 9);
        assert_eq!(most(2, &pages), 11);
        assert_eq!(most(5, &pages), 11);
        assert_eq!(most(12, &pages), 16);
        assert_eq!(most(1_024, &pages), 17);
        assert_eq!(most(1, &[(0, 4), (0, 4), (1, 1)]), 4);
    }

    #[test]
    fn columns_nested_too_deeply_are_refused() {
        assert_eq!(check_nesting(&[2, 0, 1, 0]), Some(()));
        assert_eq!(check_nesting(&[1; 1_000]), None);
        assert_eq!(check_nesting(&[1_000_000, 0]), None);
    }
}
