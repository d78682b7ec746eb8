//! Object storage: ledgers that are read from a bucket, and runs that are published to one.
//!
//! A run is published below the prefix that the operator names:
//!
//! ```text
//! runs/<number>-<run id>/<attempt>/…   the files of a run; each process has a folder of its own
//! commits/<number, 20 digits>.json     created once, after all files; names folder and files
//! ```
//!
//! Promises: a reader that takes the highest commit sees all files of a run or none of them. No
//! file of a run is overwritten by another process: the names of folders are unique. A commit is
//! created once; `publication` says what a service without conditional requests leaves open. Every
//! file is read back and compared before the commit. No error and no `Debug` output contains a
//! secret.

mod bucket;
mod client;
mod commit;
mod download;
mod endpoint;
mod error;
mod oss_signer;
mod publication;
mod staging;
mod transport;
mod upload;
mod url;

pub(crate) use commit::PublishedRun;
pub(crate) use download::download;
pub(crate) use publication::Publication;
pub(crate) use staging::Staging;
pub use url::{ObjectUrl, Service};
