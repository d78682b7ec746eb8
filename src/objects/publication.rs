//! One run on its way into a bucket: its number, its files, its commit.
//!
//! A run takes its number at its start: 1 more than the highest commit then. At its end it uploads
//! its files to a folder that no other process knows, and creates the commit of its number. Of two
//! runs with one number, the second is refused: by the service, or because it finds the commit of
//! the first. A service that does not refuse leaves a moment between this look and the creation.
//! Two runs with one number that meet in it can replace each other's commit; each of them is whole.
//! They never hide a run with a higher number.

use std::path::PathBuf;

use chrono::{SubsecRound as _, Utc};
use tokio::runtime::Runtime;

use super::bucket::Bucket;
use super::commit::{self, Commit, CommittedFile, PublishedRun};
use super::error::Failure;
use super::staging::random_letters;
use super::upload::upload;
use super::url::ObjectUrl;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::provider::credentials::Access;
use crate::threads;

/// The folder of all commits.
const COMMITS: &str = "commits";
/// The object that is written at the start of a run, so that a bucket that cannot be written is
/// noticed before the night and not after it.
const STARTED: &str = "_started.json";

/// A run on its way into a bucket.
#[derive(Debug)]
pub(crate) struct Publication {
    event_loop: Runtime,
    bucket: Bucket,
    root: ObjectUrl,
    run_no: u64,
    /// Below the root, with a slash at its end.
    folder: String,
}

impl Publication {
    /// Takes the number of a run below `root`. Writes nothing.
    ///
    /// # Errors
    ///
    /// Exit 2 if endpoint, bucket or key cannot be used; exit 6 if the service cannot be reached.
    pub(crate) fn begin(root: &ObjectUrl, access: &Access) -> Result<Self> {
        let event_loop = threads::event_loop()?;
        let (bucket, highest) = event_loop.block_on(async {
            let bucket = Bucket::open(root, access).await?;
            let highest = highest_commit(&bucket, root).await;
            highest
                .map(|highest| (bucket, highest))
                .map_err(|failure| failure.to_error_at_start("cannot list the runs in", root))
        })?;
        let run_no = highest.checked_add(1).ok_or_else(|| {
            Error::usage(format!("{root} has a run with the highest possible number"))
                .hint("name another folder of the bucket")
        })?;
        Ok(Self { event_loop, bucket, root: root.clone(), run_no, folder: String::new() })
    }

    /// Whether another run was published there before.
    pub(crate) fn has_earlier_run(&self) -> bool {
        self.run_no > 1
    }

    /// Chooses the run's folder and writes to it that the run has started.
    ///
    /// # Errors
    ///
    /// Exit 2 or 6 if it cannot be written.
    pub(crate) fn start(&mut self, run_id: &str) -> Result<()> {
        self.folder = format!("runs/{}-{run_id}/{}/", self.run_no, random_letters::<8>());
        let now = Utc::now().trunc_subsecs(0);
        let started = serde_json::json!({ "run_no": self.run_no, "run_id": run_id, "started_at": now });
        let object = self.object(STARTED);
        let written = self.event_loop.block_on(self.bucket.write(&object, started.to_string().into_bytes()));
        written.map_err(|failure| failure.to_error_at_start("cannot write", &object))
    }

    /// The run's folder.
    pub(crate) fn folder(&self) -> ObjectUrl {
        self.root.join(self.folder.trim_end_matches('/'))
    }

    /// Uploads the files, then makes all of them visible in one step.
    ///
    /// # Errors
    ///
    /// Exit 6 if a file or the commit cannot be written, or another run has taken the number.
    /// Readers still see the run before.
    pub(crate) fn commit(&self, files: &[(String, PathBuf)], run: &PublishedRun<'_>) -> Result<()> {
        self.event_loop.block_on(async {
            let mut committed = Vec::new();
            for (name, path) in files {
                let digest = upload(&self.bucket, path, &self.object(name)).await?;
                let (bytes, sha256) = (digest.bytes, digest.sha256);
                committed.push(CommittedFile { name: name.clone(), bytes, sha256 });
            }
            self.create_commit(&self.to_commit(committed, run)).await
        })
    }

    fn object(&self, name: &str) -> ObjectUrl {
        self.root.join(&format!("{}{name}", self.folder))
    }

    fn to_commit(&self, files: Vec<CommittedFile>, run: &PublishedRun<'_>) -> Commit {
        Commit {
            run_no: self.run_no,
            run_id: run.run_id.to_owned(),
            folder: self.folder.clone(),
            files,
            committed_at: Utc::now().trunc_subsecs(0),
            version: run.version.to_owned(),
            input_sha256: run.input_sha256.to_owned(),
            sandbox: run.sandbox,
            complete: run.complete,
        }
    }

    async fn create_commit(&self, commit: &Commit) -> Result<()> {
        let object = self.root.join(COMMITS).join(&commit::name(self.run_no));
        // Messages mask the digits of the commit's name.
        let doing = format!("cannot create the commit of run number {} in", self.run_no);
        let failed = |failure: Failure| failure.to_error(&doing, &self.root, Exit::Output);
        let body = serde_json::to_vec_pretty(commit)
            .map_err(|e| Error::bug("a commit cannot be written as JSON").because(e))?;
        // A service may ignore the condition, so an earlier commit is looked for first.
        if highest_commit(&self.bucket, &self.root).await.map_err(failed)? >= self.run_no {
            return Err(self.taken(None));
        }
        match self.bucket.create(&object, body.clone()).await {
            Ok(()) => {}
            // Perhaps by this run itself, if the reply to its first attempt was lost.
            Err(failure) if failure.is_other() => {}
            Err(failure) if failure.is_unsupported() => {
                // The refusal took time, in which another run may have created it.
                if self.bucket.read(&object).await.is_err_and(|failure| failure.is_missing()) {
                    self.bucket.write(&object, body.clone()).await.map_err(failed)?;
                }
            }
            // Without a reply, the commit may be there nevertheless.
            Err(failure) => {
                let found = self.bucket.read(&object).await;
                return if found.is_ok_and(|found| found == body) { Ok(()) } else { Err(failed(failure)) };
            }
        }
        let found = self.bucket.read(&object).await.map_err(failed)?;
        if found == body { Ok(()) } else { Err(self.taken(serde_json::from_slice(&found).ok())) }
    }

    /// The error for a number that another run has taken.
    fn taken(&self, by: Option<Commit>) -> Error {
        let (no, root) = (self.run_no, &self.root);
        let by = by.map(|commit| format!(" by run {}", commit.run_id)).unwrap_or_default();
        Error::output(format!("run number {no} in {root} is taken{by}: another run was published meanwhile"))
            .hint("run the same command again; it takes the next number and asks for no settled call again")
    }
}

/// The highest number of a commit; 0 without one.
async fn highest_commit(bucket: &Bucket, root: &ObjectUrl) -> Result<u64, Failure> {
    let names = bucket.names(&root.join(COMMITS)).await?;
    Ok(names.iter().filter_map(|name| commit::number(name)).max().unwrap_or(0))
}
