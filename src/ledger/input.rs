//! Where the ledger's bytes come from. They are read more than once, so what can be read only once, such as
//! standard input or a pipe, is put aside in a temporary file first.

use std::fs::File;
use std::io::{self, Read, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::columnar::MAGIC;
use super::{Ledger, Options};
use crate::error::{Error, Result};

/// A ledger that can be read as often as needed.
#[derive(Debug)]
pub struct Input {
    /// What messages and outputs call it.
    name: String,
    path: PathBuf,
    /// Removed when this is dropped; nobody else may read it meanwhile.
    aside: Option<NamedTempFile>,
}

impl Input {
    /// Takes the ledger at `path`; `-` is standard input.
    ///
    /// # Errors
    ///
    /// Exit 2 when it cannot be opened or read, or is a folder.
    pub fn open(path: &Path) -> Result<Self> {
        if path == Path::new("-") {
            return Self::putaside("standard input".into(), &mut io::stdin().lock());
        }
        let name = path.display().to_string();
        let mut file = open(path, &name)?;
        let kind = file.metadata().map_err(|e| unreadable(&name, e))?.file_type();
        if kind.is_dir() {
            return Err(
                Error::usage(format!("the ledger {name} is a folder")).hint("name a file in it with --input")
            );
        }
        if kind.is_file() {
            return Ok(Self { name, path: path.to_owned(), aside: None });
        }
        Self::putaside(name, &mut file)
    }

    fn putaside(name: String, source: &mut impl Read) -> Result<Self> {
        let mut aside = NamedTempFile::new().map_err(no_room)?;
        let mut chunk = vec![0; 64 * 1024];
        loop {
            match source.read(&mut chunk) {
                Ok(0) => break,
                Ok(got) => aside.write_all(&chunk[..got]).map_err(no_room)?,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(unreadable(&name, e)),
            }
        }
        Ok(Self { name, path: aside.path().to_owned(), aside: Some(aside) })
    }

    /// What messages and outputs call it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file, where the ledger is one that somebody keeps.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.aside.is_none().then_some(self.path.as_path())
    }

    /// Reads it from its beginning.
    ///
    /// # Errors
    ///
    /// Exit 2 when it cannot be opened, and as [`Ledger::open`].
    pub fn ledger(&self, options: &Options) -> Result<Ledger<File>> {
        let mut file = open(&self.path, &self.name)?;
        let mut head = Vec::new();
        let begin = (&mut file).take(MAGIC.len() as u64).read_to_end(&mut head).and_then(|_| file.rewind());
        begin.map_err(|e| unreadable(&self.name, e))?;
        if head == MAGIC {
            Ledger::open_parquet(file, &self.name, options)
        } else {
            Ledger::open(file, &self.name, options)
        }
    }
}

fn open(path: &Path, name: &str) -> Result<File> {
    File::open(path).map_err(|e| {
        Error::usage(format!("cannot open the ledger {name}"))
            .hint("check --input; nothing was sent")
            .because(e)
    })
}

/// Temporary files hold what can be read only once, and the fingerprints of a large ledger.
pub(super) fn no_room(e: io::Error) -> Error {
    let folder = std::env::temp_dir();
    Error::output(format!("temporary files cannot be written or read in {}", folder.display()))
        .hint(
            "make room there, or name another folder with the environment variable TMPDIR; nothing was sent",
        )
        .because(e)
}

fn unreadable(name: &str, e: io::Error) -> Error {
    Error::usage(format!("cannot read the ledger {name}")).hint("check --input; nothing was sent").because(e)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_can_be_read_only_once_is_read_twice() {
        let input = Input::putaside("standard input".into(), &mut "call_id\na\n".as_bytes()).unwrap();
        for _ in 0..2 {
            assert_eq!(input.ledger(&Options::default()).unwrap().count(), 1);
        }
        assert_eq!((input.name(), input.path()), ("standard input", None));
    }

    #[test]
    fn a_folder_and_a_missing_file_are_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        assert!(Input::open(dir.path()).unwrap_err().what.contains("is a folder"));
        let missing = Input::open(&dir.path().join("nowhere.csv")).unwrap_err();
        assert!(missing.what.contains("nowhere.csv"), "{missing}");
    }
}
