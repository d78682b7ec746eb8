//! Checks that no output overwrites the ledger, the store or another file of the run.

use std::path::Path;

use crate::cli::Settings;
use crate::error::Result;
use crate::ledger::Input;

/// Checks the paths of all outputs before anything is sent.
///
/// # Errors
///
/// Exit 2 when an output cannot be a file at its path or would overwrite another file of the run;
/// exit 6 when its folder cannot be written to.
pub(crate) fn check(settings: &Settings, input: &Input) -> Result<()> {
    let mut others: Vec<(&str, &Path)> = vec![("--store", &settings.store)];
    others.extend(input.path().map(|path| ("--input", path)));
    others.extend(settings.metrics_file.as_deref().map(|path| ("--metrics-file", path)));
    others.extend(settings.record.as_deref().map(|path| ("--record", path)));
    settings.outputs.check(&others)
}
