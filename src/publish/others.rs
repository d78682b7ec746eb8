//! Writes the rows of calls that the ledger does not name. They follow those of the ledger: first
//! the changed records, then the calls that only receipts name.
//!
//! Memory holds one row of a receipt at a time.

use compact_str::CompactString;

use super::beside::OtherRow;
use super::counted::Counted;
use super::decisions::decide;
use super::remember::Remember;
use super::sources::Sources;
use crate::error::{Error, Result};
use crate::output::{KnownCall, Outputs, RowEncoder, own_numbers};
use crate::store::NewDiscrepancy;
use reconcile_core::discrepancy::DiscrepancyRow;
use reconcile_core::discrepancy_identity::{Subject, call_id_digest};
use reconcile_core::discrepancy_rows::of_missing_call;
use reconcile_core::ledger_row::Expected;
use reconcile_core::receipt::Receipt;

/// Writes and counts them. Passes on what the store has to remember.
///
/// # Errors
///
/// Exit 6 if they cannot be written, or a temporary file cannot be read.
pub(super) fn write(
    sources: Sources<'_>,
    outputs: &mut Outputs,
    counted: &mut Counted,
    remember: &mut dyn Remember,
) -> Result<()> {
    let mut rows = OtherRows { sources, encoder: RowEncoder::new(outputs.forms()), outputs, counted };
    for row in sources.beside.other_rows() {
        rows.add_amended(row)?;
    }
    for receipt in sources.joined.iter().flat_map(|receipts| receipts.missing()) {
        if let Some(new) = rows.add_missing(&receipt?)? {
            remember.new_discrepancy(&new)?;
        }
    }
    rows.outputs.append(rows.encoder.finish()?)
}

/// The rows while they are written.
struct OtherRows<'a> {
    sources: Sources<'a>,
    encoder: RowEncoder,
    outputs: &'a mut Outputs,
    counted: &'a mut Counted,
}

impl OtherRows<'_> {
    /// Adds a row of a changed record.
    fn add_amended(&mut self, OtherRow { account, mut row }: OtherRow) -> Result<()> {
        let account = account.map(CompactString::from);
        if self.sources.by_account {
            row.carried.push(account.clone().unwrap_or_default());
        }
        // The store remembers no event, so its subject says nothing.
        self.date_and_decide(&mut row, 0);
        if let Some(account) = account.filter(|_| self.sources.by_account) {
            let own = self.counted.by_account.entry(account).or_default();
            own.of_other_calls += 1;
            own.add_discrepancy(row.what.kind, row.decision());
        }
        self.write(&row, None)
    }

    /// Adds the row of a call that only this receipt names. Returns it if it was not open before.
    fn add_missing(&mut self, receipt: &Receipt) -> Result<Option<NewDiscrepancy>> {
        let detail = receipt.detail().map_err(|e| Error::bug("a receipt does not read").because(e))?;
        let product = self.sources.ledger.options.prod_id;
        let mut row = of_missing_call(receipt, &detail, product);
        let Some(day) = row.call_date else {
            return Err(Error::bug("a receipt without a day counts as a call that the ledger lacks"));
        };
        if self.sources.by_account {
            row.carried.push(CompactString::default());
        }
        row.own_numbers = own_numbers(&Expected::default(), Some(&detail));
        let subject = Subject::of_receipt(receipt.call_id(), day).digest();
        self.date_and_decide(&mut row, subject);
        let (what, is_settled) = (&row.what, row.is_settled());
        self.counted.figures.bridge.add_missing_in_ledger(detail.duration_s);
        let of_call = (self.sources.money, product, day);
        self.counted.money.add_missing_in_ledger(of_call, &detail, what, is_settled);
        self.write(&row, Some(KnownCall::Receipt(&detail)))?;
        let is_new = row.since.is_some_and(|since| since.is_new);
        // A usable row with its CallId resolves it.
        Ok(is_new.then(|| NewDiscrepancy {
            subject,
            kind: row.what.kind,
            field: row.what.field.as_str().into(),
            call_date: Some(day),
            named: Some(call_id_digest(receipt.call_id())),
        }))
    }

    fn date_and_decide(&mut self, row: &mut DiscrepancyRow, subject: i64) {
        decide(self.sources.resolutions, &self.encoder, row, &mut self.counted.entries);
        let marks = &mut self.counted.marks;
        let since = self.sources.open_before.since(subject, row.what.kind, &row.what.field, marks);
        self.counted.since_last.add(since);
        row.since = Some(since);
    }

    fn write(&mut self, row: &DiscrepancyRow, call: Option<KnownCall<'_>>) -> Result<()> {
        self.counted.totals.of_other_calls += 1;
        self.counted.totals.add_discrepancy(row.what.kind, row.decision());
        self.counted.figures.add_discrepancy(row.what.kind, row.at_stake_s, row.is_settled());
        self.encoder.add_discrepancy(row, call)?;
        match self.encoder.take_full()? {
            Some(rows) => self.outputs.append(rows),
            None => Ok(()),
        }
    }
}
