//! Encodes rows for all files of a run, on any number of threads.
//!
//! Each thread has a [`RowEncoder`] for consecutive rows of the ledger. It gives them as
//! [`EncodedRows`], which [`Outputs::append`](super::Outputs::append) writes in the order of the
//! ledger. What is written depends only on the rows.

use std::sync::Arc;

use super::details::{DetailsEncoder, DetailsForm, EncodedDetails};
use super::discrepancies::{DiscrepancyEncoder, DiscrepancyForm, cells};
use super::mask::MaskPhones;
use super::packed_rows::PackedRows;
use super::rejects::{EncodedRejects, RejectsEncoder};
use super::report::{KnownCall, Largest, LargestForm};
use crate::error::{Error, Result};
use reconcile_core::call::CallKey;
use reconcile_core::discrepancy::{DiscrepancyRow, Kind};
use reconcile_core::ledger_row::{InvalidRow, LedgerRow};
use reconcile_core::money::CallMoney;
use reconcile_core::product::ProductId;
use reconcile_core::resolution::Decision;
use reconcile_core::status::Lookup;
use reconcile_core::tie_out::{About, Written};

/// Rows that need this many bytes are written before further ones are encoded, but for those of a
/// row group.
const HELD_BYTES: usize = 1 << 20;

/// What every thread needs to encode rows.
pub struct RowForms {
    pub(super) details: DetailsForm,
    /// The number of carried columns before those of money; `None` without a tariff.
    pub(super) money: Option<usize>,
    /// `None` if a workbook takes the place of the discrepancy file.
    pub(super) discrepancies: Option<Arc<DiscrepancyForm>>,
    pub(super) has_workbook: bool,
    pub(super) mask: MaskPhones,
    pub(super) largest: Arc<LargestForm>,
    pub(super) settled: Arc<LargestForm>,
    pub(super) amended: Arc<LargestForm>,
    pub(super) reject_delimiter: u8,
    /// As in [`Layout`](crate::ledger::Layout).
    pub(super) file_column: Option<usize>,
    /// Columns of a discrepancy, the carried ones included.
    pub(super) discrepancy_columns: usize,
}

impl RowForms {
    /// Whether discrepancies are also packed, for a Parquet file or a workbook.
    fn packs_discrepancies(&self) -> bool {
        self.has_workbook || self.discrepancies.as_ref().is_some_and(|form| !form.is_text())
    }
}

/// Encodes consecutive rows of the ledger on one thread. Memory holds the encoded row group, of at
/// most 32 MiB, and 1 MiB of other rows; a single row may exceed it.
pub struct RowEncoder {
    forms: Arc<RowForms>,
    details: DetailsEncoder,
    is_row_group_full: bool,
    text: Option<DiscrepancyEncoder>,
    rejects: RejectsEncoder,
    packed: PackedRows,
    /// Of the packed rows, if a workbook has them.
    counted: Written,
    largest: Largest,
    settled: Largest,
    amended: Largest,
}

/// Rows that are ready to be written.
pub struct EncodedRows {
    pub(super) details: EncodedDetails,
    pub(super) text: Vec<u8>,
    pub(super) rejects: Option<EncodedRejects>,
    pub(super) packed: PackedRows,
    pub(super) counted: Written,
    pub(super) largest: Largest,
    pub(super) settled: Largest,
    pub(super) amended: Largest,
}

impl RowEncoder {
    /// An encoder before its first row.
    #[must_use]
    pub fn new(forms: Arc<RowForms>) -> Self {
        Self {
            details: forms.details.encoder(),
            is_row_group_full: false,
            text: forms.discrepancies.clone().filter(|form| form.is_text()).map(DiscrepancyEncoder::new),
            rejects: RejectsEncoder::new(forms.reject_delimiter, forms.file_column),
            packed: PackedRows::default(),
            counted: Written::default(),
            largest: Largest::new(forms.largest.clone()),
            settled: Largest::new(forms.settled.clone()),
            amended: Largest::new(forms.amended.clone()),
            forms,
        }
    }

    /// Whether the numbers of a discrepancy's call are masked anywhere: in the data files, or in
    /// the report, if it lists a discrepancy of this kind with this many seconds at stake.
    #[must_use]
    pub fn needs_own_numbers(&self, kind: Kind, at_stake_s: u64) -> bool {
        self.forms.mask.is_on() || self.largest.lists(at_stake_s) || kind == Kind::Amended
    }

    /// The row as the discrepancy file shows it; `None` if it masks no numbers.
    pub(crate) fn masked(&self, row: &DiscrepancyRow) -> Option<DiscrepancyRow> {
        self.forms.mask.is_on().then(|| self.forms.mask.mask_discrepancy(row).into_owned())
    }

    /// Adds a call to the details. `money` is written where there is a tariff.
    ///
    /// # Errors
    ///
    /// Exit 6 if it cannot be encoded.
    pub fn add_call(
        &mut self,
        row: &LedgerRow,
        lookup: &Lookup,
        discrepancies: u64,
        money: CallMoney<'_>,
    ) -> Result<()> {
        let (row, lookup) = self.forms.mask.mask_call(row, lookup);
        let money = self.forms.money.map(|accounts| (money, accounts));
        self.is_row_group_full |= self.details.push(&row, &lookup, discrepancies, money)?;
        Ok(())
    }

    /// Adds a discrepancy. `call` is what the run knows of its call, for the report.
    ///
    /// # Errors
    ///
    /// Exit 6 if it cannot be encoded.
    pub(crate) fn add_discrepancy(
        &mut self,
        row: &DiscrepancyRow,
        call: Option<KnownCall<'_>>,
    ) -> Result<()> {
        let list = if row.is_settled() { &mut self.settled } else { &mut self.largest };
        let mut listed = list.add(row, call);
        if row.what.kind == Kind::Amended {
            listed = listed.and_then(|()| self.amended.add(row, call));
        }
        listed.map_err(|e| Error::bug("cannot list a discrepancy in the report").because(e))?;
        let row = self.forms.mask.mask_discrepancy(row);
        let message = row.what.message.to_string();
        if self.forms.packs_discrepancies() {
            self.packed.push(cells(&row, &message, self.forms.discrepancy_columns));
        }
        if self.forms.has_workbook {
            let decision = row.decision().map_or("", Decision::as_str);
            let call = call_of(&row);
            let about = About::new(row.ledger_line.is_some(), call.as_ref());
            self.counted.add_discrepancy(row.what.kind.as_str(), decision, about);
        }
        self.text.as_mut().map_or(Ok(()), |text| text.push(&row, &message))
    }

    /// Adds an unusable row of the ledger to the rejects. A masked run writes none: masked rows
    /// cannot be used again, and the discrepancies name each line.
    ///
    /// # Errors
    ///
    /// Exit 6 if it cannot be encoded.
    pub fn add_reject(&mut self, row: &InvalidRow) -> Result<()> {
        if self.forms.mask.is_on() { Ok(()) } else { self.rejects.push(row) }
    }

    /// The rows so far, if they must be written before further ones are added.
    ///
    /// # Errors
    ///
    /// Exit 6 if they cannot be encoded.
    pub fn take_full(&mut self) -> Result<Option<EncodedRows>> {
        let text = self.text.as_ref().map_or(0, DiscrepancyEncoder::held_bytes);
        let packed = self.packed.held_bytes() + self.details.held_bytes();
        let is_full = text + packed + self.rejects.held_bytes() >= HELD_BYTES;
        if !is_full && !self.is_row_group_full {
            return Ok(None);
        }
        let at_end = std::mem::take(&mut self.is_row_group_full);
        self.take(at_end).map(Some)
    }

    /// The rows that were not taken before.
    ///
    /// # Errors
    ///
    /// Exit 6 if they cannot be encoded.
    pub fn finish(mut self) -> Result<EncodedRows> {
        self.take(true)
    }

    fn take(&mut self, at_end: bool) -> Result<EncodedRows> {
        let largest = Largest::new(self.forms.largest.clone());
        let settled = Largest::new(self.forms.settled.clone());
        let amended = Largest::new(self.forms.amended.clone());
        Ok(EncodedRows {
            details: self.details.take(at_end)?,
            text: self.text.as_mut().map_or(Ok(Vec::new()), DiscrepancyEncoder::take)?,
            rejects: self.rejects.take()?,
            packed: std::mem::take(&mut self.packed),
            counted: std::mem::take(&mut self.counted),
            largest: std::mem::replace(&mut self.largest, largest),
            settled: std::mem::replace(&mut self.settled, settled),
            amended: std::mem::replace(&mut self.amended, amended),
        })
    }
}

/// The call of a discrepancy; `None` for an unusable row.
fn call_of(row: &DiscrepancyRow) -> Option<CallKey> {
    let call_id = row.call_id.clone().filter(|id| !id.is_empty())?;
    Some(CallKey { call_id, prod_id: ProductId(row.prod_id?), day: row.call_date? })
}
