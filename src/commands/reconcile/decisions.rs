//! What the decisions on discrepancies, the limits, tariffs and bill mean for a run.

use chrono::{DateTime, Utc};

use crate::cli::Settings;
use crate::error::Result;
use crate::money;
use crate::note::Note;
use crate::resolutions::{self, ResolutionNote};
use reconcile_core::calendar::day_of;
use reconcile_core::materiality::Measured;
use reconcile_core::money::MoneyRules;
use reconcile_core::resolutions::{LeftOver, Resolutions};
use reconcile_core::totals::Totals;

/// The decisions that hold on the day of the start; none without a file.
///
/// # Errors
///
/// Exit 2 when the file cannot be read, or a row of it has no meaning.
pub(crate) fn read(settings: &Settings, started_at: DateTime<Utc>) -> Result<Resolutions> {
    let file = settings.resolutions.as_deref();
    file.map_or_else(|| Ok(Resolutions::default()), |file| resolutions::load(file, day_of(started_at)))
}

/// The tariffs, and the sums of the bill.
///
/// # Errors
///
/// Exit 2 when the bill cannot be read, or a row of it has no meaning.
pub(crate) fn money(settings: &Settings) -> Result<MoneyRules> {
    let bill = (!settings.bills.is_empty()).then(|| money::load(&settings.bills, &settings.money.items));
    Ok(MoneyRules { tariffs: settings.money.tariffs.clone(), bill: bill.transpose()? })
}

/// The decisions for a run that began at this time. A resumed run began earlier than this process.
///
/// # Errors
///
/// Exit 2 when two entries decide on one discrepancy on that day.
pub(super) fn of_run(
    settings: &Settings,
    loaded: Resolutions,
    run_started_at: DateTime<Utc>,
) -> Result<Resolutions> {
    let Some(file) = settings.resolutions.as_deref() else { return Ok(loaded) };
    resolutions::on_day(file, loaded, day_of(run_started_at))
}

/// The notes on entries of the file that decided nothing.
pub(super) fn notes(settings: &Settings, left_over: &LeftOver) -> Vec<Note> {
    let file = settings.resolutions.as_ref().and_then(|path| path.file_name()).unwrap_or_default();
    let notes = ResolutionNote::all(&file.to_string_lossy(), left_over);
    notes.into_iter().map(Note::Resolutions).collect()
}

/// The limits of the run, and what was measured.
pub(super) fn measured(settings: &Settings, totals: &Totals, at_stake_s: u64) -> Vec<Measured> {
    settings.fail_above.iter().map(|limit| limit.measure(totals, at_stake_s)).collect()
}

/// Whether the discrepancies change the exit code. Without a limit, an unsettled one does, if that
/// is wanted.
pub(super) fn is_above(settings: &Settings, totals: &Totals, limits: &[Measured]) -> bool {
    if limits.is_empty() {
        return settings.exit_code && totals.decisions.unsettled() > 0;
    }
    limits.iter().any(Measured::is_above)
}
