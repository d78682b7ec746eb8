//! The way of a run's files into object storage: the local folder in which they wait, and their
//! publication.

use crate::cli::Settings;
use crate::error::Result;
use crate::objects::{ObjectUrl, Publication, PublishedRun, Staging};
use crate::place::folder_of;

/// Files on their way into object storage.
pub(super) struct Upload {
    staging: Staging,
    publication: Publication,
}

impl Upload {
    /// Creates the local folder and takes the number of the run; `None` if the files stay on this
    /// machine. Only the run that holds the store may do this.
    ///
    /// # Errors
    ///
    /// Exit 2 if endpoint, bucket or key cannot be used; exit 6 if the folder cannot be created, or
    /// the service cannot be reached.
    pub(super) fn prepare(settings: &Settings) -> Result<Option<Self>> {
        let outputs = &settings.outputs;
        let Some(root) = &outputs.published_to else { return Ok(None) };
        let folder = folder_of(&outputs.details);
        if settings.store.file().is_none() {
            Staging::remove_left(folder);
        }
        let staging = Staging::create(folder)?;
        Ok(Some(Self { staging, publication: Publication::begin(root, &settings.access)? }))
    }

    /// Writes to the bucket that the run has started.
    ///
    /// # Errors
    ///
    /// Exit 2 or 6 if it cannot be written.
    pub(super) fn start(&mut self, run_id: &str) -> Result<()> {
        self.publication.start(run_id)
    }

    /// Whether another run was published there before.
    pub(super) fn has_earlier_run(&self) -> bool {
        self.publication.has_earlier_run()
    }

    /// Uploads all files and makes them visible in one step. Returns their folder.
    ///
    /// # Errors
    ///
    /// Exit 6 if a file or the commit cannot be written, or another run has taken the number.
    pub(super) fn commit(&self, run: &PublishedRun<'_>) -> Result<ObjectUrl> {
        self.publication.commit(&self.staging.files()?, run)?;
        Ok(self.publication.folder())
    }
}
