//! What this program does with a bucket: list, read, write, and create objects.

use futures::{StreamExt as _, TryStreamExt as _, stream};
use opendal::Operator;

use super::client::connect;
use super::error::Failure;
use super::url::ObjectUrl;
use crate::error::Result;
use crate::provider::credentials::Access;

/// Bytes read in one request.
const RANGE_BYTES: u64 = 8 << 20;
/// Ranges of an object that are read at a time.
const RANGES_AT_ONCE: usize = 4;

/// A bucket of a service.
#[derive(Debug)]
pub(super) struct Bucket {
    operator: Operator,
}

impl Bucket {
    /// The bucket of this URL. Sends requests only if keys or the region are to be found out.
    ///
    /// # Errors
    ///
    /// Exit 2 if endpoint, certificates or keys cannot be used.
    pub(super) async fn open(of: &ObjectUrl, access: &Access) -> Result<Self> {
        Ok(Self { operator: connect(of, access).await? })
    }

    /// The names of the objects directly below a prefix.
    pub(super) async fn names(&self, prefix: &ObjectUrl) -> Result<Vec<String>, Failure> {
        let folder = format!("{}/", prefix.key);
        let entries = self.operator.list(&folder).await.map_err(|e| Failure::of(&e))?;
        Ok(entries.iter().map(|entry| entry.name().to_owned()).collect())
    }

    /// A small object as a whole.
    pub(super) async fn read(&self, object: &ObjectUrl) -> Result<Vec<u8>, Failure> {
        self.operator.read(&object.key).await.map(|body| body.to_vec()).map_err(|e| Failure::of(&e))
    }

    /// Reads an object piece by piece, all of one version. Returns its length.
    ///
    /// # Errors
    ///
    /// The object cannot be read, or `write` fails.
    pub(super) async fn read_pieces<E: From<Failure>>(
        &self,
        object: &ObjectUrl,
        mut write: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<u64, E> {
        let about = self.operator.stat(&object.key).await.map_err(|e| Failure::of(&e))?;
        let length = about.content_length();
        let starts = (0..length).step_by(usize::try_from(RANGE_BYTES).unwrap_or(usize::MAX));
        let ranges = starts.map(|start| {
            let range = start..length.min(start + RANGE_BYTES);
            let wanted = range.end - range.start;
            let mut reading = self.operator.read_with(&object.key).range(range);
            if let Some(etag) = about.etag() {
                reading = reading.if_match(etag);
            }
            async move {
                let piece = reading.await.map_err(|e| Failure::of(&e))?;
                if piece.len() as u64 == wanted { Ok(piece) } else { Err(Failure::wrong_length()) }
            }
        });
        let mut pieces = stream::iter(ranges).buffered(RANGES_AT_ONCE);
        while let Some(piece) = pieces.try_next().await? {
            piece.to_bytes().chunks(1 << 20).try_for_each(&mut write)?;
        }
        Ok(length)
    }

    /// Writes a small object.
    pub(super) async fn write(&self, object: &ObjectUrl, body: Vec<u8>) -> Result<(), Failure> {
        let written = self.operator.write_with(&object.key, body).content_type("application/json").await;
        written.map(drop).map_err(|e| Failure::of(&e))
    }

    /// Creates a small object. Some services ignore that it must not exist, or refuse to promise it
    /// ([`Failure::is_unsupported`]).
    pub(super) async fn create(&self, object: &ObjectUrl, body: Vec<u8>) -> Result<(), Failure> {
        let creating = self.operator.write_with(&object.key, body).content_type("application/json");
        creating.if_not_exists(true).await.map(drop).map_err(|e| Failure::of(&e))
    }

    /// A writer of an object in parts of this size.
    pub(super) async fn writer(
        &self,
        object: &ObjectUrl,
        part_bytes: usize,
        content_type: Option<&str>,
    ) -> Result<opendal::Writer, Failure> {
        let mut writer = self.operator.writer_with(&object.key).chunk(part_bytes).concurrent(RANGES_AT_ONCE);
        if let Some(content_type) = content_type {
            writer = writer.content_type(content_type);
        }
        writer.await.map_err(|e| Failure::of(&e))
    }
}
