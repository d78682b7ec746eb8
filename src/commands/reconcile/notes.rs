//! The notes of a run on its ledger, settings and key. They are printed at the start and written to
//! report and summary.

use crate::cli::{Settings, column_notes, missing_defaults_notes};
use crate::ledger::{LedgerScan, most_frequent};
use crate::output::OldRejects;
use crate::provider::credentials::CredentialCache;
use crate::words::plural;

/// All notes, in the order in which they are printed.
pub(super) fn at_start(
    settings: &Settings,
    scan: &LedgerScan,
    keys: Option<&CredentialCache>,
    old_rejects: OldRejects,
) -> Vec<String> {
    let mut notes = on_ledger(scan);
    notes.extend(settings.secret_notes.iter().cloned());
    notes.extend(keys.iter().flat_map(|keys| keys.warnings().iter().cloned()));
    notes.extend(unusable_rows(settings, scan));
    notes.extend(missing_defaults_notes(scan));
    notes.extend(left_rejects(settings, old_rejects));
    notes
}

/// The notes on the ledger's form and columns.
pub(crate) fn on_ledger(scan: &LedgerScan) -> Vec<String> {
    let mut notes = scan.notes.clone();
    notes.extend(column_notes(scan));
    let without_day = scan.days_from_call_id;
    if without_day > 0 {
        let have = if without_day == 1 { "has" } else { "have" };
        notes.push(format!("{} {have} no day; the day is taken from the CallId", plural(without_day, "row")));
    }
    notes
}

fn left_rejects(settings: &Settings, old: OldRejects) -> Option<String> {
    let rejects = settings.outputs.rejects.file_name().unwrap_or_default().to_string_lossy();
    (old == OldRejects::Foreign)
        .then(|| format!("{rejects} is no list of rejects, so it may be another file; it is left as it is"))
}

fn unusable_rows(settings: &Settings, scan: &LedgerScan) -> Option<String> {
    let (invalid, reasons) = (scan.invalid, most_frequent(&scan.reasons));
    if invalid == 0 {
        return None;
    }
    let rows = plural(invalid, "row");
    if settings.mask.is_on() {
        return Some(format!(
            "{rows} cannot be used; see the discrepancies (with masked phone numbers there is no rejects file). \
             The most frequent reasons: {reasons}"
        ));
    }
    let rejects = settings.outputs.rejects.file_name().unwrap_or_default().to_string_lossy();
    let them = if invalid == 1 { "it" } else { "them" };
    Some(format!(
        "{rows} cannot be used; {rejects} lists {them} for correction. The most frequent reasons: {reasons}"
    ))
}
