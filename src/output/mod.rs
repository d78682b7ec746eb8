//! The four files of a run, and beside them the rejects and, on request, the views. They appear together at its end: each is
//! written beside its target, all are synced, then all are renamed. Owns their paths, columns and texts.

mod details;
mod discrepancies;
mod masked;
mod partitions;
mod rejects;
mod report;
pub mod schema;
mod staged;
mod summary;
mod table;
mod views;

use std::io::Write as _;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};

use crate::error::{Error, Result};
use crate::ledger::Layout;
use details::{ClosedDetails, Details};
use discrepancies::{Discrepancies, Form};
use reconcile_core::discrepancy::DiscrepancyRow;
use reconcile_core::ledger_row::{InvalidRow, LedgerRow};
use reconcile_core::lookup::Lookup;
use reconcile_core::rate::Rate;
use reconcile_core::tie_out::Written;
use reconcile_core::traffic::Traffic;
use rejects::Rejects;
use staged::{Staged, unwritable};

pub use masked::{MaskPhones, TokenKey, own_numbers};
pub use report::texts::Lang;
pub use summary::Summary;

/// Where the files go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    /// Parquet.
    pub details: PathBuf,
    /// CSV, JSON lines or Parquet.
    pub discrepancies: PathBuf,
    /// HTML.
    pub report: PathBuf,
    /// JSON.
    pub summary: PathBuf,
    /// CSV in the ledger's own columns; only there when a row cannot be used.
    pub rejects: PathBuf,
    /// Views for DuckDB, where they are asked for.
    pub sql: Option<PathBuf>,
    /// The details are a folder of days, `call_date=YYYY-MM-DD`.
    pub by_day: bool,
}

impl Paths {
    /// The details' path, and beside it the others that are not given: `details.parquet` has
    /// `details.discrepancies.csv`, `details.report.html`, `details.summary.json` and, always there,
    /// `details.rejects.csv`.
    #[must_use]
    pub fn beside(
        details: PathBuf,
        discrepancies: Option<PathBuf>,
        report: Option<PathBuf>,
        summary: Option<PathBuf>,
    ) -> Self {
        Self {
            discrepancies: discrepancies.unwrap_or_else(|| details.with_extension("discrepancies.csv")),
            report: report.unwrap_or_else(|| details.with_extension("report.html")),
            summary: summary.unwrap_or_else(|| details.with_extension("summary.json")),
            rejects: details.with_extension("rejects.csv"),
            details,
            by_day: false,
            sql: None,
        }
    }

    fn named(&self) -> Vec<(&'static str, &Path)> {
        let files = [
            ("--out", self.details.as_path()),
            ("--discrepancies", self.discrepancies.as_path()),
            ("--report", self.report.as_path()),
            ("--summary", self.summary.as_path()),
            ("the rejects", self.rejects.as_path()),
        ];
        files.into_iter().chain(self.sql.iter().map(|path| ("--sql", path.as_path()))).collect()
    }

    /// Refuses what could not be written in the morning, before the night's work begins: `others` are files of
    /// the run that must not be overwritten, with what they are.
    ///
    /// # Errors
    ///
    /// Exit 2 when two of them are one file, a folder does not exist, a target is a folder, or the
    /// discrepancies' extension is none of the three; exit 6 when a folder cannot be written to.
    pub fn check(&self, others: &[(&str, &Path)]) -> Result<()> {
        if Form::of(&self.discrepancies).is_none() {
            let what = format!("--discrepancies {}: unknown extension", self.discrepancies.display());
            return Err(Error::usage(what).hint("end it with .csv, .jsonl or .parquet"));
        }
        let named = self.named();
        for (i, (option, path)) in named.iter().enumerate() {
            if self.by_day && *option == "--out" {
                partitions::check(option, path)?;
                check_folder(option, path)?;
            } else {
                check_place(option, path)?;
            }
            for (other, taken) in named[..i].iter().chain(others) {
                if same_file(path, taken) {
                    let what = format!("{option} {} is the same file as {other}", path.display());
                    return Err(Error::usage(what).hint("give each a file of its own"));
                }
            }
        }
        named.iter().try_for_each(|(_, path)| Staged::create(path).map(drop))
    }
}

fn check_place(option: &str, path: &Path) -> Result<()> {
    if path.file_name().is_none() || path.is_dir() {
        return Err(
            Error::usage(format!("{option} {} is a folder", path.display())).hint("name a file in it")
        );
    }
    check_folder(option, path)?;
    if path.exists() && !path.is_file() {
        let what = format!("{option} {} is no regular file", path.display());
        return Err(
            Error::usage(what).hint("outputs are written beside their target and renamed; name a file")
        );
    }
    Ok(())
}

/// That there is a folder to write it in.
fn check_folder(option: &str, path: &Path) -> Result<()> {
    let folder = staged::folder(path);
    if !folder.is_dir() {
        let what = format!("{option} {}: there is no folder {}", path.display(), folder.display());
        return Err(Error::usage(what).hint("make the folder first, or choose another"));
    }
    Ok(())
}

/// The same name in the same folder, or the same file by another way.
fn same_file(a: &Path, b: &Path) -> bool {
    let whole = |p: &Path| {
        p.canonicalize().or_else(|_| {
            Ok::<_, std::io::Error>(staged::folder(p).canonicalize()?.join(p.file_name().unwrap_or_default()))
        })
    };
    matches!((whole(a), whole(b)), (Ok(a), Ok(b)) if a == b)
}

/// What made the files.
#[derive(Debug, Clone)]
pub struct Provenance {
    /// The program's version.
    pub version: &'static str,
    /// The run's UUID, as in the store.
    pub run_id: String,
    /// The ledger, as named on the command line.
    pub input: String,
    /// SHA-256 of its bytes, hex.
    pub input_sha256: String,
    /// When this process began.
    pub started_at: DateTime<Utc>,
    /// The answers are make-believe.
    pub sandbox: bool,
    /// The cap.
    pub cap: Rate,
    /// How phone numbers stand in the data files.
    pub mask: MaskPhones,
}

impl Provenance {
    /// Key-value metadata of the Parquet files.
    fn metadata(&self, traffic: &Traffic) -> Vec<(String, String)> {
        let pairs = [
            ("version", self.version.to_owned()),
            ("schema_version", schema::SCHEMA_VERSION.to_owned()),
            ("run_id", self.run_id.clone()),
            ("input", self.input.clone()),
            ("input_sha256", self.input_sha256.clone()),
            ("started_at", self.started_at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)),
            ("sandbox", self.sandbox.to_string()),
            ("cap", self.cap.to_string()),
            ("requests", traffic.requests.to_string()),
            ("most_in_any_window", traffic.evidence.most_in_any_window.to_string()),
            ("mask_phones", self.mask.name().to_owned()),
        ];
        let key_id = self.mask.key_id().map(|id| ("mask_key_id", id.to_owned()));
        pairs.into_iter().chain(key_id).map(|(key, value)| (format!("reconcile.{key}"), value)).collect()
    }
}

/// The files being written.
pub struct Outputs {
    details: Details,
    discrepancies: Discrepancies,
    report: Staged,
    summary: Staged,
    rejects: Rejects,
    /// With its text.
    sql: Option<(Staged, String)>,
    /// For the report; the file has them all.
    largest: report::Largest,
    mask: MaskPhones,
}

impl Outputs {
    /// Begins them beside their targets, for a ledger with these columns: those carried through, and all as it
    /// has them.
    ///
    /// # Errors
    ///
    /// Exit 6 when one cannot be written.
    pub fn create(
        paths: &Paths,
        (carried, layout): (&[String], &Layout),
        provenance: &Provenance,
        traffic: &Traffic,
    ) -> Result<Self> {
        let metadata = provenance.metadata(traffic);
        let details = Details::create(&paths.details, paths.by_day, carried, &metadata)?;
        let discrepancies = Discrepancies::create(&paths.discrepancies, carried, &metadata)?;
        let (report, summary) = (Staged::create(&paths.report)?, Staged::create(&paths.summary)?);
        let rejects = Rejects::new(&paths.rejects, layout);
        let views = |path: &PathBuf| Ok::<_, Error>((Staged::create(path)?, views::text(paths, path)));
        let sql = paths.sql.as_ref().map(views).transpose()?;
        Ok(Self {
            details,
            discrepancies,
            report,
            summary,
            rejects,
            sql,
            largest: report::Largest::default(),
            mask: provenance.mask.clone(),
        })
    }

    /// Writes a call.
    ///
    /// # Errors
    ///
    /// Exit 6 when it cannot be written.
    pub fn call(&mut self, row: &LedgerRow, lookup: &Lookup, discrepancies: u64) -> Result<()> {
        let (row, lookup) = self.mask.call(row, lookup);
        self.details.push(&row, &lookup, discrepancies)
    }

    /// Whether phone numbers are hidden in the data files.
    #[must_use]
    pub fn masks(&self) -> bool {
        self.mask.is_on()
    }

    /// Writes a discrepancy.
    ///
    /// # Errors
    ///
    /// Exit 6 when it cannot be written.
    pub fn discrepancy(&mut self, row: &DiscrepancyRow) -> Result<()> {
        self.largest.add(row);
        self.discrepancies.push(&self.mask.discrepancy(row))
    }

    /// Writes a row that cannot be used, to be mended and fed back. A masked run writes none: what is masked cannot be
    /// fed back, and the discrepancies name each line.
    ///
    /// # Errors
    ///
    /// Exit 6 when it cannot be written.
    pub fn reject(&mut self, row: &InvalidRow) -> Result<()> {
        if self.masks() { Ok(()) } else { self.rejects.push(row) }
    }

    /// Ends details and discrepancies and reads them back: what they say now is what the tie-out is made of.
    ///
    /// # Errors
    ///
    /// Exit 6 when one cannot be written, or does not read as it was written.
    pub fn close(self) -> Result<(ClosedOutputs, Written)> {
        let mut written = Written::default();
        let closed = ClosedOutputs {
            details: self.details.finish(&mut written)?,
            discrepancies: self.discrepancies.finish(&mut written)?,
            report: self.report,
            summary: self.summary,
            rejects: self.rejects,
            sql: self.sql,
            largest: self.largest,
        };
        Ok((closed, written))
    }
}

/// The files, two of them whole: what is left to write is what people and machines are told of them.
pub struct ClosedOutputs {
    details: ClosedDetails,
    discrepancies: Staged,
    report: Staged,
    summary: Staged,
    rejects: Rejects,
    sql: Option<(Staged, String)>,
    largest: report::Largest,
}

impl ClosedOutputs {
    /// Writes report and summary, puts all of them on disk, and then in their places.
    ///
    /// # Errors
    ///
    /// Exit 6 when one cannot be written; before the first rename the old files all stand.
    pub fn finish(self, summary: &Summary<'_>) -> Result<()> {
        write(
            &self.report,
            &report::render(summary, self.largest, &file_name(self.discrepancies.target()))?,
        )?;
        write(&self.summary, &summary.to_json()?)?;
        let stale = self.rejects.target().to_owned();
        let rejects = self.rejects.finish()?;
        let none = rejects.is_none();
        let mut files = vec![self.discrepancies, self.report, self.summary];
        files.extend(rejects);
        if let Some((file, text)) = self.sql {
            write(&file, &text)?;
            files.push(file);
        }
        self.details.sync()?;
        files.iter().try_for_each(Staged::sync)?;
        self.details.rename()?;
        files.into_iter().try_for_each(Staged::rename)?;
        if none { rejects::remove_stale(&stale) } else { Ok(()) }
    }
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn write(staged: &Staged, text: &str) -> Result<()> {
    staged.writer()?.write_all(text.as_bytes()).map_err(|e| unwritable(staged.target(), e))
}
