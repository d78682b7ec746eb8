//! The files of the given paths: a file itself, and all files of a folder. Also says why a file
//! cannot be read.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::ledger::{FileKind, LedgerError};
use crate::shown::shown;

/// Names of skipped files that are kept.
const MAX_NAMES: usize = 20;

/// A file that may hold receipts.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ReceiptFile {
    pub(super) path: PathBuf,
    /// True if it was given itself, not only its folder.
    pub(super) is_given: bool,
}

/// Files of a folder that hold no receipts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SkippedFiles {
    /// Their number.
    pub count: u64,
    /// The first of them, as messages show them.
    pub first: Vec<String>,
}

impl SkippedFiles {
    pub(super) fn add(&mut self, path: &Path) {
        self.count += 1;
        if self.first.len() < MAX_NAMES {
            self.first.push(name(path));
        }
    }
}

/// A path as messages show it.
pub(super) fn name(path: &Path) -> String {
    shown(&path.display().to_string())
}

/// The files of these paths, in the order of the paths and of the names. Hidden files and folders
/// are left out; links to folders are skipped.
///
/// # Errors
///
/// Exit 2 if a path does not exist, cannot be read, or is standard input.
pub(super) fn find(paths: &[PathBuf], skipped: &mut SkippedFiles) -> Result<Vec<ReceiptFile>> {
    let mut files = Vec::new();
    for path in paths {
        if path == Path::new("-") {
            return Err(
                Error::usage("receipts cannot be read from standard input").hint("name a file or a folder")
            );
        }
        let metadata = fs::metadata(path).map_err(|e| unreadable(path, e))?;
        if metadata.is_dir() {
            add_folder(path, skipped, &mut files)?;
        } else {
            files.push(ReceiptFile { path: path.clone(), is_given: true });
        }
    }
    Ok(files)
}

fn add_folder(folder: &Path, skipped: &mut SkippedFiles, files: &mut Vec<ReceiptFile>) -> Result<()> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder).map_err(|e| unreadable(folder, e))? {
        let entry = entry.map_err(|e| unreadable(folder, e))?;
        if !entry.file_name().as_encoded_bytes().starts_with(b".") {
            entries.push(entry.path());
        }
    }
    entries.sort();
    for path in entries {
        let kind = path.symlink_metadata().map_err(|e| unreadable(&path, e))?.file_type();
        if kind.is_dir() {
            add_folder(&path, skipped, files)?;
        } else if fs::metadata(&path).is_ok_and(|target| target.is_file()) {
            files.push(ReceiptFile { path, is_given: false });
        } else {
            skipped.add(&path);
        }
    }
    Ok(())
}

fn unreadable(path: &Path, source: std::io::Error) -> Error {
    cannot_open(path).because(source)
}

/// The error for a path that cannot be opened.
pub(super) fn cannot_open(path: &Path) -> Error {
    Error::usage(format!("the receipts {} cannot be opened", name(path)))
        .hint("check that the path exists and that you may read it")
}

/// The error for receipts that cannot be read, or not to their end. The ledger's own messages would
/// name a ledger.
pub(super) fn unreadable_receipts(path: &Path, error: LedgerError) -> Error {
    const COPY: &str = "copy the file again, or leave it out";
    let refused = |what: String, hint: &str| {
        Error::usage(format!("the receipts {} {what}", name(path))).hint(hint.to_owned())
    };
    let lines = |line: Option<u64>| match line {
        None => "cannot be read to their end".to_owned(),
        Some(line) => format!("cannot be read to their end, from line {line} on"),
    };
    // The rows of Parquet are counted as if the names of the columns were line 1.
    let rows = |line: Option<u64>| lines(line.map(|line| line.saturating_sub(1))).replace(" line ", " row ");
    match error {
        LedgerError::TemporaryFile { .. } | LedgerError::NoThread { .. } | LedgerError::NoRecord { .. } => {
            error.into()
        }
        LedgerError::Open { source, .. } => cannot_open(path).because(source),
        LedgerError::OtherKind { kind, .. } => refused(format!("are {kind}"), advice(kind)),
        LedgerError::Changed { .. } => refused(
            "changed while they were read".into(),
            "wait until no program writes to the file, then run the same command again",
        ),
        LedgerError::Read { line, source, .. } => refused(lines(line), COPY).because(source),
        LedgerError::Packed { line, packing, source: None, .. } => {
            refused(format!("{}: their {packing} data is cut off", lines(line)), COPY)
        }
        LedgerError::Packed { line, packing, source: Some(source), .. } => {
            let what = format!("{}: their {packing} data is damaged", lines(line));
            refused(what, COPY).because(source)
        }
        LedgerError::ZstdWindow { .. } => refused(
            "have zstd data with a window of more than 128 MiB".into(),
            "pack them again with a smaller window, or unpack them",
        ),
        LedgerError::Parquet { line, source, .. } => Error {
            source: Some(source),
            ..refused(
                rows(line),
                "write the file again, compressed with zstd, snappy, gzip or not at all, or export it as CSV",
            )
        },
        LedgerError::DamagedParquet { line, why, .. } => refused(
            format!("{}: {why}", rows(line)),
            "write the file again, with smaller row groups and pages if it is not damaged, or export it as CSV",
        ),
        // What is left concerns the header row or workbooks, which hold no receipts.
        _ => refused(lines(None), COPY),
    }
}

/// How to turn a file of another kind into receipts. A workbook holds none.
fn advice(kind: FileKind) -> &'static str {
    match kind {
        FileKind::Pdf => "export the receipts as CSV or JSON",
        FileKind::OldWorkbook
        | FileKind::BinaryWorkbook
        | FileKind::OpenDocument
        | FileKind::EncryptedWorkbook => "save the sheet as `CSV UTF-8`",
        _ => kind.advice(),
    }
}
