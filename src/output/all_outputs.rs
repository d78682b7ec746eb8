//! Writes all files of a run, so that they appear together at its end.
//!
//! Each file is written beside its target. At the end all are synced, then all are renamed. If one
//! cannot be renamed, the error says which files are of this run.

use std::path::Path;
use std::sync::Arc;
use std::thread::scope;

use super::details::{ClosedDetails, Details};
use super::digests::WrittenFile;
use super::discrepancies::Discrepancies;
use super::encoded_rows::{EncodedRows, RowForms};
use super::file_format::is_workbook;
use super::lang::Lang;
use super::paths::Paths;
use super::provenance::Provenance;
use super::read_back::{count_details, count_discrepancies};
use super::rejects::{ClosedRejects, Rejects};
use super::renames::{Rename, rename_all};
use super::report::{self, AMENDED_ROWS, Largest, LargestForm, Listed, OPEN_ROWS, SETTLED_ROWS};
use super::schema::{ColumnType, DISCREPANCIES};
use super::summary::Summary;
use super::workbook::Workbook;
use super::{summary_json, views};
use crate::error::{Error, Result};
use crate::ledger::Layout;
use crate::staged::Staged;
use crate::threads;
use reconcile_core::tie_out::Written;
use reconcile_core::traffic::Traffic;

/// The files while their rows are written.
pub struct Outputs {
    details: Details,
    /// `None` if the first workbook takes their place.
    discrepancies: Option<Discrepancies>,
    workbooks: Vec<Workbook>,
    /// Types of the columns of a discrepancy.
    discrepancy_types: Vec<ColumnType>,
    /// Whether the cells of a CSV file are guarded against formulas.
    guard: bool,
    /// The discrepancies that the report lists.
    largest: Largest,
    /// The settled discrepancies that it lists.
    settled: Largest,
    /// The amendments that it lists.
    amended: Largest,
    others: OtherFiles,
    forms: Arc<RowForms>,
}

/// The files that are written after the details and the discrepancies.
struct OtherFiles {
    report: Staged,
    summary: Staged,
    rejects: Rejects,
    views: Option<Staged>,
}

impl OtherFiles {
    fn create(paths: &Paths, layout: &Layout) -> Result<Self> {
        Ok(Self {
            report: Staged::create(&paths.report)?,
            summary: Staged::create(&paths.summary)?,
            rejects: Rejects::new(&paths.rejects, layout),
            views: paths.sql.as_deref().map(|path| create_views(paths, path)).transpose()?,
        })
    }
}

fn create_views(paths: &Paths, target: &Path) -> Result<Staged> {
    let mut staged = Staged::create(target)?;
    staged.write_text(&views::text(paths, target))?;
    Ok(staged)
}

impl Outputs {
    /// Starts all files. `carried` names the ledger columns that details and discrepancies carry
    /// through. With tariffs, `money` is how many of them come before the columns of money. The
    /// rejects have the ledger's `layout`. The report is written in `lang`.
    ///
    /// # Errors
    ///
    /// Exit 6 if a file cannot be written.
    pub fn create(
        paths: &Paths,
        carried: &[String],
        money: Option<usize>,
        layout: &Layout,
        provenance: &Provenance,
        traffic: &Traffic,
        lang: Lang,
    ) -> Result<Self> {
        let metadata = provenance.metadata(traffic);
        let byte_order_mark = paths.csv.byte_order_mark.is_written(layout.byte_order_mark);
        let layout = &Layout { byte_order_mark, ..layout.clone() };
        let in_workbook = Some(&paths.discrepancies).filter(|path| is_workbook(path));
        let workbooks = in_workbook.into_iter().chain(&paths.workbook);
        let discrepancies = match in_workbook {
            Some(_) => None,
            None => Some(Discrepancies::create(paths, byte_order_mark, carried, &metadata)?),
        };
        let workbooks: Vec<Workbook> =
            workbooks.map(|path| Workbook::create(path, carried)).collect::<Result<_>>()?;
        let details = Details::create(&paths.details, paths.by_day, carried, money, &metadata)?;
        let types = DISCREPANCIES.iter().map(|column| column.column_type);
        let discrepancy_types: Vec<_> = types.chain(carried.iter().map(|_| ColumnType::Text)).collect();
        let forms = RowForms {
            details: details.form(),
            money,
            discrepancies: discrepancies.as_ref().map(Discrepancies::form),
            has_workbook: !workbooks.is_empty(),
            mask: provenance.mask.clone(),
            largest: Arc::new(LargestForm::new(lang, carried, layout.file_column, OPEN_ROWS)),
            settled: Arc::new(LargestForm::new(lang, carried, layout.file_column, SETTLED_ROWS)),
            amended: Arc::new(LargestForm::new(lang, carried, layout.file_column, AMENDED_ROWS)),
            reject_delimiter: layout.delimiter,
            file_column: layout.file_column,
            discrepancy_columns: discrepancy_types.len(),
        };
        Ok(Self {
            details,
            discrepancies,
            workbooks,
            discrepancy_types,
            guard: paths.csv.guard,
            largest: Largest::new(forms.largest.clone()),
            settled: Largest::new(forms.settled.clone()),
            amended: Largest::new(forms.amended.clone()),
            others: OtherFiles::create(paths, layout)?,
            forms: Arc::new(forms),
        })
    }

    /// What every thread needs to encode rows.
    #[must_use]
    pub fn forms(&self) -> Arc<RowForms> {
        self.forms.clone()
    }

    /// Writes encoded rows after those so far.
    ///
    /// # Errors
    ///
    /// Exit 6 if they cannot be written.
    pub fn append(&mut self, rows: EncodedRows) -> Result<()> {
        self.details.append(rows.details)?;
        if let Some(file) = &mut self.discrepancies {
            file.append(&rows.text)?;
            file.append_packed(&rows.packed, &self.discrepancy_types)?;
        }
        for workbook in &mut self.workbooks {
            workbook.append(rows.packed.clone(), rows.counted.clone())?;
        }
        self.largest.append(rows.largest);
        self.settled.append(rows.settled);
        self.amended.append(rows.amended);
        rows.rejects.map_or(Ok(()), |rejects| self.others.rejects.append(&rejects))
    }

    /// Closes details and discrepancies, syncs them to disk, and reads them back, for the tie-out
    /// and their digests. A workbook is not yet a file: [`ClosedOutputs::finish`] checks that it
    /// reads back as counted here.
    ///
    /// # Errors
    ///
    /// Exit 6 if they cannot be written, or do not read back as they were written.
    pub fn close(self) -> Result<(ClosedOutputs, Written)> {
        let mut written = Written::default();
        let details = self.details.finish()?;
        let discrepancies = self.discrepancies.map(Discrepancies::finish).transpose()?;
        let (files, listed) = scope(|scope| -> Result<_> {
            // The disk has time while the files are read back.
            let sync = || {
                details.sync()?;
                discrepancies.as_ref().map_or(Ok(()), Staged::sync)
            };
            let syncing = threads::start_in(scope, "sync", sync).map_err(Error::no_more_threads)?;
            // This takes a thread on each core. The digests need another one only then.
            count_details(&details, &mut written)?;
            let digests = threads::start_in(scope, "digests", || digests(&details, discrepancies.as_ref()));
            let digests = digests.map_err(Error::no_more_threads)?;
            match (&discrepancies, self.workbooks.first()) {
                (Some(file), _) => count_discrepancies(file, self.guard, &mut written)?,
                (None, workbook) => {
                    workbook.into_iter().for_each(|file| written.add(file.counted().clone()));
                }
            }
            let listed = Listed::new([self.largest, self.settled, self.amended])?;
            threads::result_of(syncing)?;
            Ok((threads::result_of(digests)?, listed))
        })?;
        let (workbooks, others) = (self.workbooks, self.others);
        Ok((ClosedOutputs { details, discrepancies, workbooks, files, listed, others }, written))
    }
}

fn digests(details: &ClosedDetails, discrepancies: Option<&Staged>) -> Result<Vec<WrittenFile>> {
    let mut files = WrittenFile::of_details(details)?;
    discrepancies.map(WrittenFile::of).transpose().map(|file| files.extend(file))?;
    Ok(files)
}

/// The files with all rows written. Report and summary follow.
pub struct ClosedOutputs {
    details: ClosedDetails,
    discrepancies: Option<Staged>,
    workbooks: Vec<Workbook>,
    /// Digests of the files so far.
    files: Vec<WrittenFile>,
    listed: Listed,
    others: OtherFiles,
}

impl ClosedOutputs {
    /// Writes workbooks, report and summary, then syncs and renames all files.
    ///
    /// # Errors
    ///
    /// Exit 6 if a file cannot be written, or a workbook does not read back as counted. Until the
    /// first rename, all old files are unchanged; afterwards the error says which files are new.
    pub fn finish(self, summary: &Summary<'_>) -> Result<()> {
        let Self { mut details, discrepancies, workbooks, files: mut digests, listed, others } = self;
        let OtherFiles { report: mut report_file, summary: mut summary_file, rejects, views } = others;
        let mut files = Vec::from_iter(discrepancies);
        let synced = files.len();
        for workbook in workbooks {
            let staged = workbook.finish(summary)?;
            digests.push(WrittenFile::of(&staged)?);
            files.push(staged);
        }
        let mut rejects = rejects.finish();
        if let ClosedRejects::File(staged) = &rejects {
            digests.push(WrittenFile::of(staged)?);
        }
        if let Some(staged) = &views {
            digests.push(WrittenFile::of(staged)?);
        }
        summary_file.write_text(&summary_json::to_json(summary, &digests)?)?;
        let summary_digest = WrittenFile::of(&summary_file)?;
        // The first file has the discrepancies: their own one, or the workbook in its place.
        let discrepancy_file =
            files.first().map(|file| report::link(report_file.target(), file.target())).unwrap_or_default();
        let page =
            report::Content { summary, files: &digests, summary_file: &summary_digest, discrepancy_file };
        report_file.write_text(&report::render(&page, listed)?)?;
        files.extend([report_file, summary_file]);
        files.extend(views);
        files[synced..].iter().try_for_each(Staged::sync)?;
        rejects.sync()?;

        let mut steps = vec![Rename::new(details.target().to_owned(), || details.rename())];
        for file in &mut files {
            steps.push(Rename::new(file.target().to_owned(), || file.rename()));
        }
        steps.push(Rename::new(rejects.target().to_owned(), || rejects.rename()));
        rename_all(steps)?;
        details.finish()?;
        files.iter().try_for_each(Staged::sync_folder)?;
        rejects.sync_folder()
    }
}
