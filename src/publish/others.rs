//! Writes the rows of calls that the ledger does not name. They follow those of the ledger.

use compact_str::CompactString;

use super::beside::OtherRow;
use super::counted::Counted;
use super::decisions::decide;
use super::sources::Sources;
use crate::error::Result;
use crate::output::{Outputs, RowEncoder};

/// Writes and counts them.
///
/// # Errors
///
/// Exit 6 if they cannot be written.
pub(super) fn write(sources: Sources<'_>, outputs: &mut Outputs, counted: &mut Counted) -> Result<()> {
    let mut encoder = RowEncoder::new(outputs.forms());
    for OtherRow { account, mut row } in sources.beside.other_rows() {
        let account = account.map(CompactString::from);
        if sources.by_account {
            row.carried.push(account.clone().unwrap_or_default());
        }
        decide(sources.resolutions, &encoder, &mut row, &mut counted.entries);
        // The store remembers no event, so its subject says nothing.
        let since = sources.open_before.since(0, row.what.kind, &row.what.field, &mut counted.marks);
        counted.since_last.add(since);
        row.since = Some(since);
        counted.totals.of_other_calls += 1;
        counted.totals.add_discrepancy(row.what.kind, row.decision());
        if let Some(account) = account.filter(|_| sources.by_account) {
            let own = counted.by_account.entry(account).or_default();
            own.of_other_calls += 1;
            own.add_discrepancy(row.what.kind, row.decision());
        }
        counted.figures.add_discrepancy(row.what.kind, row.at_stake_s, row.is_settled());
        encoder.add_discrepancy(&row, None)?;
        if let Some(rows) = encoder.take_full()? {
            outputs.append(rows)?;
        }
    }
    outputs.append(encoder.finish()?)
}
