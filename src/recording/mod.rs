//! A recording of the provider's answers: JSON lines that the sandbox can replay.
//!
//! The first line is a header; every other line is an [`Exchange`]. A recording can be shared.
//! Phone numbers are replaced by others of the same form; the same number always gets the same
//! replacement, in every spelling. It holds no key, no signature and no security token. CallIds
//! stay as they are, unless one is a mobile number. Only the file's owner can read it.

mod exchange;
mod replacer;

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::locked::lock;
use crate::regular_file::{self, Readers};
use replacer::NumberReplacer;

pub use exchange::Exchange;

/// The first bytes of every recording.
const MARK: &str = "{\"reconcile_recording\":";
/// The version of the file format.
const VERSION: u32 = 1;
/// Bytes that are read of the first line. That of a recording is far shorter.
const LONGEST_HEADER: u64 = 4_096;

/// The first line.
#[derive(Debug, Serialize, Deserialize)]
struct Header {
    /// The version of the file format.
    reconcile_recording: u32,
    /// Random text: the same number gets a different replacement in every file.
    salt: String,
    /// Proves that a secret is the one that started the file, without revealing it.
    check: String,
}

/// Writes a recording.
pub struct Recorder {
    path: PathBuf,
    replacer: NumberReplacer,
    /// `None` after a failed write.
    file: Mutex<Option<File>>,
}

impl Recorder {
    /// Starts a recording, or continues one that was started with the same secret. So the same
    /// command continues its recording after an interruption. The secret itself is never written.
    ///
    /// # Errors
    ///
    /// Exit 2 if the file exists and is not a recording with this secret, or is a link; exit 6 if
    /// it cannot be written.
    pub fn open(path: &Path, secret: &[u8]) -> Result<Self> {
        let failed = |e: std::io::Error| {
            Error::output(format!("the recording {} cannot be written", path.display()))
                .hint("check the folder, its permissions and the free space")
                .because(e)
        };
        check_target(path)?;
        let mut options = File::options();
        let options = options.read(true).append(true).create(true);
        let mut file = regular_file::open(path, options, Readers::Owner).map_err(failed)?;
        let mut first = Vec::new();
        BufReader::new((&file).take(LONGEST_HEADER)).read_until(b'\n', &mut first).map_err(failed)?;
        let first = String::from_utf8_lossy(&first);
        let replacer = if first.is_empty() {
            regular_file::set_mode(&file, 0o600).map_err(failed)?;
            let salt = uuid::Uuid::new_v4().simple().to_string();
            let replacer = replacer(secret, &salt)?;
            let header = Header { reconcile_recording: VERSION, check: replacer.check(), salt };
            let line = serde_json::to_string(&header).unwrap_or_default();
            file.write_all(format!("{line}\n").as_bytes()).map_err(failed)?;
            replacer
        } else {
            let replacer = replacer_of(path, &first, secret)?;
            // Another program may have copied the file with other permissions.
            regular_file::set_mode(&file, 0o600).map_err(failed)?;
            end_last_line(&mut file).map_err(failed)?;
            replacer
        };
        Ok(Self { path: path.to_owned(), replacer, file: Mutex::new(Some(file)) })
    }

    /// Adds an exchange with its numbers replaced. A failed write ends the recording with one
    /// warning; the run continues.
    pub fn note(&self, exchange: Exchange) {
        let exchange = self.replacer.exchange(exchange);
        let mut line = serde_json::to_vec(&exchange).unwrap_or_default();
        line.push(b'\n');
        let mut file = lock(&self.file);
        if let Some(Err(error)) = file.as_mut().map(|file| file.write_all(&line)) {
            let path = self.path.display();
            tracing::warn!("the recording {path} cannot be written: {error}; nothing more is recorded");
            *file = None;
        }
    }
}

/// Refuses anything but a regular file in place of a recording. A link is refused, too.
///
/// # Errors
///
/// Exit 2 if there is such a thing.
pub(crate) fn check_target(path: &Path) -> Result<()> {
    let kind = path.symlink_metadata().ok().map(|metadata| metadata.file_type());
    kind.and_then(regular_file::other_kind).map_or(Ok(()), |problem| {
        Err(Error::usage(format!("the recording {} {problem}", path.display()))
            .hint("name a regular file, or one that does not exist yet"))
    })
}

fn replacer(secret: &[u8], salt: &str) -> Result<NumberReplacer> {
    NumberReplacer::new(secret, salt)
        .ok_or_else(|| Error::usage("a recording needs a secret to replace phone numbers with"))
}

/// The replacer of an existing recording, made from its first line.
fn replacer_of(path: &Path, first_line: &str, secret: &[u8]) -> Result<NumberReplacer> {
    let header = read_header(path, first_line)?;
    let replacer = replacer(secret, &header.salt)?;
    if replacer.check() == header.check {
        return Ok(replacer);
    }
    let what =
        format!("{} is the recording of another store; only that store can continue it", path.display());
    Err(Error::usage(what).hint("choose another file"))
}

/// Adds the line end that a crash cut off, so that only one line is lost.
fn end_last_line(file: &mut File) -> std::io::Result<()> {
    use std::io::{Seek as _, SeekFrom};
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    if last == *b"\n" { Ok(()) } else { file.write_all(b"\n") }
}

fn read_header(path: &Path, line: &str) -> Result<Header> {
    let wrong = |why: &str| {
        Error::usage(format!("{} {why}", path.display())).hint("choose a recording, or a new file")
    };
    let header = Some(line).filter(|line| line.starts_with(MARK));
    let header: Option<Header> = header.and_then(|line| serde_json::from_str(line).ok());
    let header = header.ok_or_else(|| wrong("exists and is not a recording"))?;
    if header.reconcile_recording == VERSION {
        Ok(header)
    } else {
        Err(wrong("is a recording of another version"))
    }
}

/// True if a file is a recording.
#[must_use]
pub fn is_recording(path: &Path) -> bool {
    let mut begin = [0; MARK.len()];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut begin));
    read.is_ok() && begin == *MARK.as_bytes()
}

/// Reads a recording. Lines that a crash cut off are skipped, with a warning about the first one.
///
/// # Errors
///
/// Exit 2 if the file cannot be read, or if no line is an exchange.
pub fn read(path: &Path) -> Result<Vec<Exchange>> {
    let unreadable =
        |e: std::io::Error| Error::usage(format!("cannot read the recording {}", path.display())).because(e);
    let mut lines = BufReader::new(File::open(path).map_err(unreadable)?).lines();
    read_header(path, &lines.next().transpose().map_err(unreadable)?.unwrap_or_default())?;
    let (mut exchanges, mut broken) = (Vec::new(), None);
    for (line, no) in lines.zip(2_u64..) {
        match serde_json::from_str(&line.map_err(unreadable)?) {
            Ok(exchange) => exchanges.push(exchange),
            Err(error) => broken = broken.or(Some((no, error))),
        }
    }
    let Some((no, error)) = broken else { return Ok(exchanges) };
    let what = format!("line {no} of the recording {} is not a recorded answer", path.display());
    if exchanges.is_empty() {
        return Err(Error::usage(what).because(error));
    }
    tracing::warn!("{what}; it is skipped");
    Ok(exchanges)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_recording_is_continued_only_with_its_secret() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("night.jsonl");
        let day = "2026-11-20".parse().unwrap();
        let exchange = Exchange::lost("1^1", 7, day).answered(200, b"{\"callee\":\"13812345678\"}");
        for _ in 0..2 {
            Recorder::open(&path, b"secret").ok().unwrap().note(exchange.clone());
        }
        assert!(is_recording(&path));
        // A crash in the middle of a line loses only that line.
        File::options().append(true).open(&path).unwrap().write_all(b"{\"call_id\":\"1^").unwrap();
        Recorder::open(&path, b"secret").ok().unwrap().note(Exchange::lost("1^2", 7, day));
        let read = read(&path).unwrap();
        assert_eq!((read.len(), &read[0]), (3, &read[1]));
        assert!(!std::fs::read_to_string(&path).unwrap().contains("13812345678"));
        assert!(Recorder::open(&path, b"another").err().unwrap().what.contains("another store"));
        std::fs::write(&path, "call_id\n").unwrap();
        assert!(Recorder::open(&path, b"secret").err().unwrap().what.contains("is not a recording"));
        assert!(!is_recording(&path));
    }
}
