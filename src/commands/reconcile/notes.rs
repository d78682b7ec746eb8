//! The notes of a run on its ledger, settings and key. They are printed at the start and written to
//! report and summary.

use crate::cli::{Settings, missing_defaults};
use crate::ledger::LedgerScan;
use crate::note::Note;
use crate::output::OldRejects;
use crate::provider::credentials::CredentialCache;

/// All notes, in the order in which they are printed.
pub(super) fn at_start<'a>(
    settings: &'a Settings,
    scan: &LedgerScan,
    keys: impl Iterator<Item = &'a CredentialCache>,
    old_rejects: OldRejects,
) -> Vec<Note> {
    let mut notes = on_ledger(scan);
    let of_keys = keys.flat_map(CredentialCache::warnings);
    for note in settings.secret_notes.iter().chain(of_keys).cloned().map(Note::ReadableFile) {
        // Several accounts may have their profiles in one file.
        if !notes.contains(&note) {
            notes.push(note);
        }
    }
    notes.extend(unusable_rows(settings, scan));
    notes.extend(missing_defaults(scan));
    notes.extend(left_rejects(settings, old_rejects));
    notes
}

/// The notes on the ledger's form and columns.
pub(crate) fn on_ledger(scan: &LedgerScan) -> Vec<Note> {
    let rows = scan.days_from_call_id;
    let of_ledger = scan.notes.iter().cloned().map(Note::Ledger);
    let of_columns = scan.column_notes.iter().cloned().map(Note::Column);
    of_ledger.chain(of_columns).chain((rows > 0).then_some(Note::DayFromCallId { rows })).collect()
}

fn left_rejects(settings: &Settings, old: OldRejects) -> Option<Note> {
    (old == OldRejects::Foreign).then(|| Note::ForeignRejects { file: rejects(settings) })
}

fn unusable_rows(settings: &Settings, scan: &LedgerScan) -> Option<Note> {
    let (rows, reasons) = (scan.invalid, scan.reasons.clone());
    let rejects = (!settings.mask.is_on()).then(|| rejects(settings));
    (rows > 0).then_some(Note::UnusableRows { rows, rejects, reasons })
}

fn rejects(settings: &Settings) -> String {
    settings.outputs.rejects.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
