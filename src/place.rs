//! Places of files: which paths are the same file, also before the file exists.
//!
//! Two paths are the same file if they have the same device and inode, which also covers hard links
//! and folders that ignore case. A file that does not exist yet is known by its folder and name.

use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::regular_file::{self, FileId};

/// Most links that are followed for one path, as on Linux.
const MOST_LINKS: usize = 40;

/// Where a file is, or will be.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    /// Without links, `.` and `..`; `None` for an open file without a path.
    path: Option<PathBuf>,
    /// `None` if there is no such file yet.
    id: Option<FileId>,
}

impl Place {
    /// The place that a path names.
    ///
    /// # Errors
    ///
    /// Its folder does not exist or cannot be read.
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        let path = resolve(path)?;
        let id = path.metadata().ok().as_ref().and_then(regular_file::id);
        Ok(Self { path: Some(path), id })
    }

    /// The place of a name in a folder, whatever is there. The path must be without links.
    pub(crate) fn of_name(path: &Path) -> Self {
        Self { path: Some(path.to_owned()), id: None }
    }

    /// Whether both are the same file.
    pub(crate) fn is(&self, other: &Self) -> bool {
        (self.path.is_some() && self.path == other.path) || (self.id.is_some() && self.id == other.id)
    }

    /// Whether this is a file below that folder.
    pub(crate) fn is_below(&self, folder: &Self) -> bool {
        match (&self.path, &folder.path) {
            (Some(path), Some(folder)) => path != folder && path.starts_with(folder),
            _ => false,
        }
    }
}

/// The files that standard input, output and error of this process are, with their names.
#[cfg(unix)]
pub(crate) fn standard_streams() -> Vec<(&'static str, Place)> {
    let (input, output, error) = (io::stdin(), io::stdout(), io::stderr());
    let places = [
        ("the file of standard input", of_open_file(input)),
        ("the file of standard output", of_open_file(output)),
        ("the file of standard error", of_open_file(error)),
    ];
    places.into_iter().filter_map(|(name, place)| Some((name, place?))).collect()
}

/// This system's standard library does not say which files they are.
#[cfg(not(unix))]
pub(crate) fn standard_streams() -> Vec<(&'static str, Place)> {
    Vec::new()
}

/// The place of an open file; `None` unless it is a regular file.
#[cfg(unix)]
fn of_open_file(file: impl std::os::fd::AsFd) -> Option<Place> {
    let file = std::fs::File::from(file.as_fd().try_clone_to_owned().ok()?);
    let metadata = file.metadata().ok().filter(std::fs::Metadata::is_file)?;
    Some(Place { path: None, id: regular_file::id(&metadata) })
}

/// The path without links, `.` and `..`. The file itself need not exist, but its folder must. A
/// link to a file that does not exist yet gives the path of that file.
///
/// # Errors
///
/// The folder does not exist or cannot be read, or links go round in a circle.
pub(crate) fn resolve(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        let Some(name) = path.file_name() else { return path.canonicalize() };
        let folder = folder_of(&path).canonicalize()?;
        let place = folder.join(name);
        match place.read_link() {
            Ok(to) => path = folder.join(to),
            Err(_) => return Ok(place),
        }
    }
    Err(io::Error::new(ErrorKind::InvalidInput, "its symbolic links go round in a circle"))
}

/// The folder of a path, in a form that can be opened: `.` for a file name without a folder.
pub(crate) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A path that is the same file as an earlier one, and that one; `None` without such a path.
pub(crate) fn same_file<P: AsRef<Path>>(paths: &[P]) -> Option<(&Path, &Path)> {
    let (mut by_path, mut by_id) = (HashMap::new(), HashMap::new());
    for path in paths.iter().map(AsRef::as_ref) {
        // A URL, or a path in a folder that does not exist, is only its own text.
        let place = Place::of(path).unwrap_or_else(|_| Place::of_name(path));
        let earlier = place.path.and_then(|place| by_path.insert(place, path));
        let earlier = place.id.and_then(|id| by_id.insert(id, path)).or(earlier);
        if let Some(earlier) = earlier {
            return Some((path, earlier));
        }
    }
    None
}

#[cfg(all(test, unix))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_file_is_known_before_it_exists() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::create_dir(at("folder")).unwrap();
        symlink("folder", at("alias")).unwrap();
        symlink("alias/new", at("link")).unwrap();
        symlink("../link", at("folder/chain")).unwrap();
        symlink("round", at("round")).unwrap();
        let place = |name: &str| Place::of(&at(name)).unwrap();
        for path in ["folder/new", "alias/new", "./folder/../alias/new", "link", "folder/chain"] {
            assert!(place(path).is(&place("folder/new")), "{path}");
            assert!(place(path).is_below(&place("alias")), "{path}");
            assert!(!place(path).is(&place("new")), "{path}");
        }
        assert!(!place("folder").is_below(&place("alias")) && place("folder").is(&place("alias")));
        assert!(Place::of(&at("round")).is_err() && Place::of(&at("nowhere/x")).is_err());
    }

    #[test]
    fn hard_links_and_open_files_are_the_same_file() {
        let dir = tempfile::tempdir().unwrap();
        let (one, two) = (dir.path().join("one"), dir.path().join("two"));
        std::fs::write(&one, "x").unwrap();
        std::fs::hard_link(&one, &two).unwrap();
        let place = Place::of(&one).unwrap();
        assert!(place.is(&Place::of(&two).unwrap()));
        assert!(place.is(&of_open_file(std::fs::File::open(&two).unwrap()).unwrap()));
        assert!(of_open_file(std::fs::File::open("/dev/null").unwrap()).is_none());
    }
}
