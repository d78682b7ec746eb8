//! The details: one row per distinct call, as one Parquet file or as a folder of days.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use chrono::NaiveDate;

use super::packed_rows::PackedRows;
use super::partitions::{ClosedPartitions, Partitions};
use super::schema::{Cell, Column, ColumnType, DETAILS, MONEY};
use super::table::{RowGroup, RowGroupEncoder, Table, TableForm};
use crate::error::{Error, Result};
use crate::staged::Staged;
use reconcile_core::columns::{of_call, of_money, optional};
use reconcile_core::ledger_row::LedgerRow;
use reconcile_core::money::CallMoney;
use reconcile_core::status::Lookup;

/// The details while they are written.
pub(super) enum Details {
    File { table: Box<Table>, staged: Staged },
    Folder(Box<Partitions>),
}

/// The details with all rows written, before they are renamed.
pub(super) enum ClosedDetails {
    File(Staged),
    Folder(ClosedPartitions),
}

/// What every thread needs to encode rows of the details.
pub(super) enum DetailsForm {
    File(Arc<TableForm>),
    Folder,
}

/// Encodes rows of the details on one thread.
pub(super) enum DetailsEncoder {
    File(RowGroupEncoder),
    Folder(BTreeMap<NaiveDate, PackedRows>),
}

/// Encoded rows of the details.
pub(super) enum EncodedDetails {
    RowGroup(Option<RowGroup>),
    Days(BTreeMap<NaiveDate, PackedRows>),
}

impl DetailsForm {
    pub(super) fn encoder(&self) -> DetailsEncoder {
        match self {
            Self::File(form) => DetailsEncoder::File(RowGroupEncoder::new(form.clone())),
            Self::Folder => DetailsEncoder::Folder(BTreeMap::new()),
        }
    }
}

impl DetailsEncoder {
    /// Adds a call. Returns true if the row group is now full.
    ///
    /// # Errors
    ///
    /// Exit 6 if it cannot be encoded.
    pub(super) fn push(
        &mut self,
        row: &LedgerRow,
        lookup: &Lookup,
        discrepancies: u64,
        money: Option<(CallMoney<'_>, usize)>,
    ) -> Result<bool> {
        let cells = cells(row, lookup, discrepancies, money);
        match self {
            Self::File(row_group) => row_group.push(cells),
            Self::Folder(days) => {
                days.entry(lookup.found_on).or_default().push(cells);
                Ok(false)
            }
        }
    }

    /// Bytes of the rows that are not in a row group.
    pub(super) fn held_bytes(&self) -> usize {
        match self {
            Self::File(_) => 0,
            Self::Folder(days) => days.values().map(PackedRows::held_bytes).sum(),
        }
    }

    /// Takes what can be written. A row group only `at_end`, which is when it ends.
    ///
    /// # Errors
    ///
    /// Exit 6 if the row group cannot be encoded.
    pub(super) fn take(&mut self, at_end: bool) -> Result<EncodedDetails> {
        match self {
            Self::File(row_group) if at_end => row_group.finish().map(EncodedDetails::RowGroup),
            Self::File(_) => Ok(EncodedDetails::RowGroup(None)),
            Self::Folder(days) => Ok(EncodedDetails::Days(std::mem::take(days))),
        }
    }
}

impl Details {
    /// Starts a file, or a folder of days if `by_day` is set.
    ///
    /// # Errors
    ///
    /// Exit 6 if they cannot be written.
    pub(super) fn create(
        target: &Path,
        by_day: bool,
        carried: &[String],
        money: Option<usize>,
        metadata: &[(String, String)],
    ) -> Result<Self> {
        let before = money.unwrap_or(0).min(carried.len());
        let (accounts, carried) = carried.split_at(before);
        let columns = columns(accounts.len(), money.is_some());
        if by_day {
            return Ok(Self::Folder(Box::new(Partitions::create(target, &columns, carried, metadata)?)));
        }
        let staged = Staged::create(target)?;
        let table = Table::create(staged.writer()?, target, &columns, carried, metadata)?;
        Ok(Self::File { table: Box::new(table), staged })
    }

    pub(super) fn form(&self) -> DetailsForm {
        match self {
            Self::File { table, .. } => DetailsForm::File(table.form()),
            Self::Folder(_) => DetailsForm::Folder,
        }
    }

    /// Adds encoded rows after those so far.
    ///
    /// # Errors
    ///
    /// Exit 6 if they cannot be written.
    pub(super) fn append(&mut self, rows: EncodedDetails) -> Result<()> {
        match (self, rows) {
            (Self::File { table, .. }, EncodedDetails::RowGroup(row_group)) => {
                row_group.map_or(Ok(()), |row_group| table.append(row_group))
            }
            (Self::Folder(folder), EncodedDetails::Days(days)) => {
                days.into_iter().try_for_each(|(day, rows)| folder.append(day, &rows))
            }
            _ => Err(Error::bug("rows of the details have another form than the details")),
        }
    }

    /// Writes the remaining rows and closes the files.
    ///
    /// # Errors
    ///
    /// Exit 6 if they cannot be written.
    pub(super) fn finish(self) -> Result<ClosedDetails> {
        match self {
            Self::File { table, staged } => table.finish().map(|()| ClosedDetails::File(staged)),
            Self::Folder(folder) => folder.finish().map(ClosedDetails::Folder),
        }
    }
}

impl ClosedDetails {
    /// Syncs them to disk.
    ///
    /// # Errors
    ///
    /// Exit 6 if the disk is full or failing.
    pub(super) fn sync(&self) -> Result<()> {
        match self {
            Self::File(staged) => staged.sync(),
            Self::Folder(folder) => folder.sync(),
        }
    }

    /// Path of the finished file or folder.
    pub(super) fn target(&self) -> &Path {
        match self {
            Self::File(staged) => staged.target(),
            Self::Folder(folder) => folder.target(),
        }
    }

    /// Renames them to their path. [`ClosedDetails::finish`] must follow.
    ///
    /// # Errors
    ///
    /// Exit 6 if they cannot be renamed.
    pub(super) fn rename(&mut self) -> Result<()> {
        match self {
            Self::File(staged) => staged.rename(),
            Self::Folder(folder) => folder.rename(),
        }
    }

    /// Syncs their names to disk, and removes a replaced folder.
    ///
    /// # Errors
    ///
    /// Exit 6 if the disk is failing.
    pub(super) fn finish(self) -> Result<()> {
        match self {
            Self::File(staged) => staged.sync_folder(),
            Self::Folder(folder) => folder.finish(),
        }
    }
}

/// All columns but those that only carry a text through. `accounts` is 1 if the accounts come
/// before the money, and 0 if there are none or no money.
fn columns(accounts: usize, has_money: bool) -> Vec<Column> {
    let account = std::iter::repeat_n(optional("account", ColumnType::Text), accounts);
    DETAILS.into_iter().chain(account).chain(MONEY.into_iter().filter(|_| has_money)).collect()
}

/// Cells of a call in the order of [`DETAILS`], then the carried ones. Money comes after this many
/// of the carried ones.
fn cells<'a>(
    row: &'a LedgerRow,
    lookup: &'a Lookup,
    discrepancies: u64,
    money: Option<(CallMoney<'_>, usize)>,
) -> impl Iterator<Item = Cell<'a>> {
    let before = money.map_or(0, |(_, accounts)| accounts).min(row.carried.len());
    let (accounts, carried) = row.carried.split_at(before);
    let text = |value: &'a compact_str::CompactString| Cell::Text(Some(value));
    let money = money.into_iter().flat_map(|(money, _)| of_money(&money));
    let own = of_call(row, lookup, discrepancies).into_iter();
    own.chain(accounts.iter().map(text)).chain(money).chain(carried.iter().map(text))
}
