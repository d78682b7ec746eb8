//! Copies a ledger from a bucket to a temporary file, as if it came from standard input.

use std::fs::File;
use std::io::Write as _;

use super::bucket::Bucket;
use super::error::Failure;
use super::url::ObjectUrl;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::provider::credentials::Access;
use crate::threads;

/// Why a download ended.
enum Ended {
    Remote(Failure),
    Disk(std::io::Error),
}

impl From<Failure> for Ended {
    fn from(failure: Failure) -> Self {
        Self::Remote(failure)
    }
}

/// The object in a temporary file without a name, which never outlives the process. Blocks the
/// thread.
///
/// # Errors
///
/// Exit 2 if the object cannot be read, exit 6 if the temporary file cannot be written.
pub(crate) fn download(object: &ObjectUrl, access: &Access) -> Result<File> {
    let mut copy = tempfile::tempfile().map_err(|e| no_room(object, e))?;
    let filled = threads::event_loop()?.block_on(async {
        let bucket = Bucket::open(object, access).await?;
        let write = |piece: &[u8]| copy.write_all(piece).map_err(Ended::Disk);
        bucket.read_pieces(object, write).await.map_err(|ended| match ended {
            // Each piece must be of the version that was there first.
            Ended::Remote(failure) if failure.is_other() => {
                Error::usage(format!("the ledger {object} changed while it was read"))
                    .hint("wait until no program writes it, then run the same command again")
            }
            Ended::Remote(failure) => failure.to_error("cannot read the ledger", object, Exit::Usage),
            Ended::Disk(e) => no_room(object, e),
        })
    });
    filled.map(|_| copy)
}

fn no_room(object: &ObjectUrl, e: std::io::Error) -> Error {
    let folder = std::env::temp_dir();
    Error::output(format!("cannot copy {object} to a temporary file in {}", folder.display()))
        .hint("free space there, or name another folder with the environment variable TMPDIR")
        .because(e)
}
