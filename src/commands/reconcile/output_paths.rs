//! Checks that no file that a run writes is another file of the run: an input, a secret, the store,
//! or another output.

use std::path::{Path, PathBuf};

use crate::cli::Settings;
use crate::error::{Error, Result};
use crate::ledger::{Input, LedgerFiles, LedgerScan};
use crate::output::OldRejects;
use crate::place::{self, Place};
use crate::provider::credentials::{self, Environment};
use crate::recording;
use crate::staged;
use crate::store;
use crate::telemetry::metrics;

/// A file of the run.
struct NamedFile {
    /// The name in messages, such as "the report".
    name: String,
    /// As it was given; `None` for a standard stream.
    path: Option<PathBuf>,
    place: Place,
    /// Whether the run writes it.
    is_written: bool,
}

/// Checks the paths of all files of the run. Creates nothing and changes nothing.
///
/// # Errors
///
/// Exit 2 when an output cannot be a file at its path or would overwrite another file of the run,
/// or when recording or metrics file are another kind of file; exit 6 when a folder cannot be
/// written to.
pub(crate) fn check(settings: &Settings, input: &LedgerFiles) -> Result<()> {
    let files = files(settings, input);
    for (no, file) in files.iter().enumerate() {
        for earlier in &files[..no] {
            if (file.is_written || earlier.is_written) && file.place.is(&earlier.place) {
                return Err(refused(file, &format!("is the same file as {}", earlier.name)));
            }
        }
    }
    if settings.outputs.by_day {
        check_folder_of_days(&files, &settings.outputs.details)?;
    }
    settings.outputs.check()?;
    settings.record.as_deref().map_or(Ok(()), recording::check_target)?;
    // Only who holds the store may keep what the metrics file says; this looks at its kind.
    settings.metrics_file.as_deref().map_or(Ok(()), |path| metrics::read_file(path).map(drop))
}

/// Checks that the rejects replace no other file.
///
/// # Errors
///
/// Exit 2 when they would.
pub(crate) fn check_rejects(settings: &Settings, scan: &LedgerScan) -> Result<OldRejects> {
    let will_be_written = scan.invalid > 0 && !settings.mask.is_on();
    settings.outputs.check_rejects(&scan.layout, will_be_written)
}

/// Refuses other files in the folder of the details, which is replaced as a whole.
fn check_folder_of_days(files: &[NamedFile], folder: &Path) -> Result<()> {
    let Ok(folder) = Place::of(folder) else { return Ok(()) };
    let inside = files.iter().find(|file| file.place.is_below(&folder));
    inside.map_or(Ok(()), |file| Err(refused(file, "is in the details folder, which is replaced as a whole")))
}

fn refused(file: &NamedFile, problem: &str) -> Error {
    let path = file.path.as_deref().map(|path| format!(" {}", path.display())).unwrap_or_default();
    Error::usage(format!("{}{path} {problem}", file.name)).hint("name a different file for each")
}

/// All files of the run, those that are only read first. A file whose folder does not exist is left
/// out: it is refused elsewhere if it is needed.
fn files(settings: &Settings, input: &LedgerFiles) -> Vec<NamedFile> {
    let file = |(name, path): (String, PathBuf), is_written| {
        let place = Place::of(&path).ok()?;
        Some(NamedFile { name, path: Some(path), place, is_written })
    };
    let read = read_files(settings, input).into_iter().filter_map(|named| file(named, false));
    let streams = place::standard_streams().into_iter().map(|(name, place)| NamedFile {
        name: name.to_owned(),
        path: None,
        place,
        is_written: false,
    });
    let written = written_files(settings).into_iter().filter_map(|named| file(named, true));
    let temporary = temporary_files(settings).into_iter().map(|(name, path)| NamedFile {
        name,
        place: Place::of_name(&path),
        path: Some(path),
        is_written: true,
    });
    read.chain(streams).chain(written).chain(temporary).collect()
}

/// The files that the run reads, or that hold a secret that it may use.
fn read_files(settings: &Settings, input: &LedgerFiles) -> Vec<(String, PathBuf)> {
    let given = [
        ("the file of resolutions", settings.resolutions.clone()),
        ("the configuration file", settings.config.clone()),
        ("the accounts file", settings.accounts.file.clone()),
        ("the key of masked numbers", settings.mask_key.clone()),
        ("the secret of the notification", settings.notify_secret.clone()),
        ("the file of certificates", settings.access.ca_file.clone()),
    ];
    let secrets = credentials::files_of(&Environment::of_process());
    let ledger = input.files().iter().filter_map(Input::path).map(|path| ("the ledger", path.to_owned()));
    let given = given.into_iter().filter_map(|(name, path)| Some((name, path?)));
    let receipts = settings.receipts.iter().map(|path| ("the receipts", path.clone()));
    let bills = settings.bills.iter().map(|path| ("the bill", path.clone()));
    ledger
        .chain(given)
        .chain(bills)
        .chain(receipts)
        .chain(secrets.into_iter().map(|path| ("a file of credentials", path)))
        .map(named)
        .collect()
}

/// The files that the run writes.
fn written_files(settings: &Settings) -> Vec<(String, PathBuf)> {
    let mut files = Vec::new();
    if let Some(store) = settings.store.file() {
        files.push(named(("the store", store.to_owned())));
        files.extend(store::files_beside(store).map(named));
    }
    files.extend(settings.record.clone().map(|path| named(("the recording", path))));
    files.extend(settings.outputs.files());
    files.extend(settings.metrics_file.clone().map(|path| named(("the metrics file", path))));
    files
}

/// The hidden files that are written first and then renamed. What stands at their names is never
/// written to, only removed.
fn temporary_files(settings: &Settings) -> Vec<(String, PathBuf)> {
    let mut files = settings.outputs.temporary_files();
    let metrics = settings.metrics_file.as_deref().and_then(|path| place::resolve(path).ok());
    let beside = metrics.map(|path| staged::unfinished(&path));
    files.extend(beside.map(|path| named(("the temporary file of the metrics file", path))));
    files
}

fn named((name, path): (&str, PathBuf)) -> (String, PathBuf) {
    (name.to_owned(), path)
}
