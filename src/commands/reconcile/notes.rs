//! The notes of a run: what is remarkable about ledger, settings and key. They stand at the start,
//! and in report and summary.

use crate::cli::Settings;
use crate::ledger::LedgerScan;
use crate::provider::credentials::CredentialCache;
use crate::words::plural;

/// All notes, in the order in which they are said.
pub(super) fn at_start(
    settings: &Settings,
    scan: &LedgerScan,
    keys: Option<&CredentialCache>,
) -> Vec<String> {
    let mut notes = scan.notes.clone();
    notes.extend(settings.mask_note.clone());
    notes.extend(keys.iter().flat_map(|keys| keys.warnings().iter().cloned()));
    if scan.hinted > 0 {
        let names = if scan.hinted == 1 { "names" } else { "name" };
        notes.push(format!("{} {names} no day; it was taken from the CallId", plural(scan.hinted, "row")));
    }
    notes.extend(unusable_rows(settings, scan.invalid));
    notes
}

fn unusable_rows(settings: &Settings, invalid: u64) -> Option<String> {
    if invalid == 0 {
        return None;
    }
    let rows = plural(invalid, "row");
    if settings.mask.is_on() {
        return Some(format!(
            "{rows} cannot be used; see the discrepancies (with masked phone numbers there is no rejects file)"
        ));
    }
    let rejects = settings.outputs.rejects.file_name().unwrap_or_default().to_string_lossy();
    Some(format!("{rows} cannot be used; {rejects} lists them for correction"))
}
