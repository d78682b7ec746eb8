//! Copies a file to a bucket, and reads it back.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::bucket::Bucket;
use super::error::Failure;
use super::url::ObjectUrl;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::hex::hex;

/// Bytes of a part. The services accept at least 5 MiB in at most 10,000 parts.
const PART_BYTES: u64 = 8 << 20;
/// Most parts of a file.
const MAX_PARTS: u64 = 9_000;
/// Times that a file is uploaded until it reads back as it was.
const TRIES: usize = 2;

/// Length and SHA-256 of an object.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Digest {
    pub(super) bytes: u64,
    /// In hexadecimal digits.
    pub(super) sha256: String,
}

/// Uploads a file, in parts if it is large. Returns its digest, which is also that of the object.
///
/// # Errors
///
/// Exit 6 if the file cannot be read, or the object cannot be written or reads back as another.
pub(super) async fn upload(bucket: &Bucket, file: &Path, object: &ObjectUrl) -> Result<Digest> {
    let failed = |failure: Failure| failure.to_error("cannot write", object, Exit::Output);
    for _ in 0..TRIES {
        let sent = send(bucket, file, object).await?;
        if read_back(bucket, object).await.map_err(failed)? == sent {
            return Ok(sent);
        }
        tracing::debug!("{object} does not read back as it was written; writing it again");
    }
    Err(Error::output(format!("{object} does not read back as it was written"))
        .hint("check the bucket's service and any proxy, then run the same command again"))
}

async fn send(bucket: &Bucket, file: &Path, object: &ObjectUrl) -> Result<Digest> {
    let unreadable = |e: std::io::Error| {
        Error::output(format!("cannot read {} to upload it", file.display()))
            .hint("check the disk, then run the same command again")
            .because(e)
    };
    let failed = |failure: Failure| failure.to_error("cannot write", object, Exit::Output);
    let mut source = File::open(file).map_err(unreadable)?;
    let part_bytes = part_bytes(source.metadata().map_err(unreadable)?.len());
    let part_len = usize::try_from(part_bytes).unwrap_or(usize::MAX);
    let mut writer = bucket.writer(object, part_len, content_type(file)).await.map_err(failed)?;
    let (mut hash, mut bytes) = (Sha256::new(), 0);
    loop {
        let mut part = Vec::new();
        source.by_ref().take(part_bytes).read_to_end(&mut part).map_err(unreadable)?;
        if part.is_empty() {
            break;
        }
        hash.update(&part);
        bytes += part.len() as u64;
        if let Err(e) = writer.write(part).await {
            // What the service holds of the parts costs room until it is removed.
            let _ = writer.abort().await;
            return Err(failed(Failure::of(&e)));
        }
    }
    if let Err(e) = writer.close().await {
        let _ = writer.abort().await;
        return Err(failed(Failure::of(&e)));
    }
    Ok(Digest { bytes, sha256: hex(&hash.finalize()) })
}

async fn read_back(bucket: &Bucket, object: &ObjectUrl) -> Result<Digest, Failure> {
    let mut hash = Sha256::new();
    let hashed = bucket.read_pieces::<Failure>(object, |piece| {
        hash.update(piece);
        Ok(())
    });
    let bytes = hashed.await?;
    Ok(Digest { bytes, sha256: hex(&hash.finalize()) })
}

/// The size of the parts of a file of this length.
fn part_bytes(length: u64) -> u64 {
    PART_BYTES.max(length.div_ceil(MAX_PARTS))
}

/// What a browser takes the file for.
fn content_type(file: &Path) -> Option<&'static str> {
    match file.extension()?.to_str()? {
        "html" => Some("text/html; charset=utf-8"),
        "json" => Some("application/json"),
        "csv" => Some("text/csv; charset=utf-8"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_any_size_has_at_most_9_000_parts() {
        assert_eq!((part_bytes(0), part_bytes(1 << 30)), (PART_BYTES, PART_BYTES));
        let largest = 48 << 40;
        assert!(largest / part_bytes(largest) <= MAX_PARTS && part_bytes(largest) < 6 << 30);
    }
}
