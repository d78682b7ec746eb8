//! Paths of all files that a run writes.

use std::path::{Path, PathBuf};

use super::csv_form::CsvForm;
use super::partitions;
use crate::objects::ObjectUrl;
use crate::place::resolve;
use crate::staged;

/// Where the files of a run are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    /// Parquet file, or a folder if `by_day` is set.
    pub details: PathBuf,
    /// CSV, JSON lines, Parquet or a workbook, by extension.
    pub discrepancies: PathBuf,
    /// HTML.
    pub report: PathBuf,
    /// JSON.
    pub summary: PathBuf,
    /// CSV in the ledger's own columns. The file exists only if the ledger has unusable rows.
    pub rejects: PathBuf,
    /// Workbook beside the other files; `None` writes no such file.
    pub workbook: Option<PathBuf>,
    /// SQL views for DuckDB; `None` writes no such file.
    pub sql: Option<PathBuf>,
    /// Writes the details as a folder with one subfolder a day, `call_date=YYYY-MM-DD`.
    pub by_day: bool,
    /// Form of the CSV files.
    pub csv: CsvForm,
    /// The folder in object storage to which the files are uploaded; `None` if they stay at their
    /// paths. All paths are then in one folder, which the run creates.
    pub published_to: Option<ObjectUrl>,
}

impl Paths {
    /// The given paths. A missing path is derived from the details' path: `details.parquet` gives
    /// `details.discrepancies.csv`, `details.report.html` and `details.summary.json`. The rejects
    /// always are `details.rejects.csv`.
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
            workbook: None,
            csv: CsvForm::default(),
            sql: None,
            published_to: None,
        }
    }

    /// The same files in a folder of object storage, for messages.
    #[must_use]
    pub(crate) fn in_folder(&self, folder: &ObjectUrl) -> Self {
        let place = |path: &PathBuf| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            PathBuf::from(folder.join(&name).to_string())
        };
        Self {
            details: place(&self.details),
            discrepancies: place(&self.discrepancies),
            report: place(&self.report),
            summary: place(&self.summary),
            rejects: place(&self.rejects),
            workbook: self.workbook.as_ref().map(place),
            sql: self.sql.as_ref().map(place),
            ..self.clone()
        }
    }

    /// Every file with its name for messages.
    #[must_use]
    pub fn files(&self) -> Vec<(String, PathBuf)> {
        self.all().into_iter().map(|(file, path)| (file.to_string(), path.to_owned())).collect()
    }

    /// True if an earlier run wrote one of the four main files.
    #[must_use]
    pub fn have_old_outputs(&self) -> bool {
        [&self.details, &self.discrepancies, &self.report, &self.summary].iter().any(|path| path.exists())
    }

    /// The hidden files and folders beside the files, with their names for messages. Their own
    /// folders are without links.
    #[must_use]
    pub fn temporary_files(&self) -> Vec<(String, PathBuf)> {
        let mut files = Vec::new();
        for (file, path) in self.all() {
            // Without its folder the file is refused anyway.
            let Ok(path) = resolve(path) else { continue };
            files.push((format!("the temporary file of {file}"), staged::unfinished(&path)));
            if file == OutputFile::Details && self.by_day {
                let folders = [partitions::unfinished(&path), partitions::moved_aside(&path)];
                files.extend(folders.map(|path| (format!("the temporary folder of {file}"), path)));
            }
        }
        files
    }

    /// Every file with its path.
    pub(super) fn all(&self) -> Vec<(OutputFile, &Path)> {
        let files = [
            (OutputFile::Details, self.details.as_path()),
            (OutputFile::Discrepancies, self.discrepancies.as_path()),
            (OutputFile::Report, self.report.as_path()),
            (OutputFile::Summary, self.summary.as_path()),
            (OutputFile::Rejects, self.rejects.as_path()),
        ];
        let options = [(OutputFile::Workbook, &self.workbook), (OutputFile::Views, &self.sql)];
        let given = options.into_iter().filter_map(|(file, path)| Some((file, path.as_deref()?)));
        files.into_iter().chain(given).collect()
    }
}

/// One of the files. Messages name it as it is displayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OutputFile {
    Details,
    Discrepancies,
    Report,
    Summary,
    Rejects,
    Workbook,
    Views,
}

impl std::fmt::Display for OutputFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Details => "the details file",
            Self::Discrepancies => "the discrepancy file",
            Self::Report => "the report",
            Self::Summary => "the summary",
            Self::Rejects => "the rejects file",
            Self::Workbook => "the workbook",
            Self::Views => "the SQL file",
        })
    }
}
