//! The one way to open a file that this program writes.
//!
//! Promises: only a regular file is opened. A symbolic link is never followed, so nobody can put
//! one in the place of a file and have another file overwritten. A pipe, a device, a socket or a
//! folder is refused at once; opening one could wait without end.

use std::fs::{File, FileType, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::Path;

/// Who may read a new file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Readers {
    /// Only this user.
    Owner,
    /// As the process's umask says.
    ByUmask,
}

/// Opens the regular file at `path` with these options. A file that they create has these readers.
///
/// # Errors
///
/// The path names anything but a regular file, or cannot be opened.
pub(crate) fn open(path: &Path, options: &mut OpenOptions, readers: Readers) -> io::Result<File> {
    // Opening a device can have effects of its own, so the kind is looked at before and after.
    match path.symlink_metadata() {
        Ok(metadata) => check_kind(metadata.file_type())?,
        Err(e) if e.kind() == ErrorKind::NotFound => {}
        Err(e) => return Err(e),
    }
    let file = system::safe(options, readers).open(path)?;
    check_kind(file.metadata()?.file_type())?;
    Ok(file)
}

/// Creates a file at `path`, where nothing may be.
///
/// # Errors
///
/// Something is at the path, or the file cannot be created.
pub(crate) fn create_new(path: &Path, readers: Readers) -> io::Result<File> {
    open(path, OpenOptions::new().read(true).write(true).create_new(true), readers)
}

/// Opens the file at `path` for reading. A symbolic link is followed.
///
/// # Errors
///
/// The path names anything but a regular file, or cannot be opened.
pub(crate) fn open_to_read(path: &Path) -> io::Result<File> {
    open(&path.canonicalize()?, OpenOptions::new().read(true), Readers::Owner)
}

/// What a file is if it is not a regular one, such as "is a folder".
pub(crate) fn other_kind(kind: FileType) -> Option<&'static str> {
    if kind.is_file() {
        None
    } else if kind.is_dir() {
        Some("is a folder")
    } else if kind.is_symlink() {
        Some("is a symbolic link")
    } else {
        Some("is not a regular file")
    }
}

fn check_kind(kind: FileType) -> io::Result<()> {
    let refused = |why| Err(io::Error::new(ErrorKind::InvalidInput, format!("it {why}")));
    other_kind(kind).map_or(Ok(()), refused)
}

/// Whether `path` still names this open file.
///
/// # Errors
///
/// The file cannot be examined.
pub(crate) fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    match path.symlink_metadata() {
        Ok(metadata) => Ok(id(&metadata) == id(&file.metadata()?)),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(false),
        Err(e) => Err(e),
    }
}

/// Device and inode: what a file is, by whatever path it is reached.
pub(crate) type FileId = (u64, u64);

pub(crate) use system::{check_folder_is_writable, create_private_folder, id, set_mode};

#[cfg(unix)]
mod system {
    use std::fs::{File, Metadata, OpenOptions, Permissions};
    use std::io;
    use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
    use std::path::Path;

    use rustix::fs::{Access, OFlags, access};

    use super::{FileId, Readers};

    /// The identity of a file.
    pub(crate) fn id(metadata: &Metadata) -> Option<FileId> {
        Some((metadata.dev(), metadata.ino()))
    }

    pub(super) fn safe(options: &mut OpenOptions, readers: Readers) -> &mut OpenOptions {
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
        let mode = if readers == Readers::Owner { 0o600 } else { 0o666 };
        options.custom_flags(flags.bits().cast_signed()).mode(mode)
    }

    /// Sets the permission bits of an open file.
    pub(crate) fn set_mode(file: &File, mode: u32) -> io::Result<()> {
        file.set_permissions(Permissions::from_mode(mode))
    }

    /// Creates a folder that only this user can enter.
    ///
    /// # Errors
    ///
    /// Something is at the path, or the folder cannot be created.
    pub(crate) fn create_private_folder(folder: &Path) -> io::Result<()> {
        std::fs::DirBuilder::new().mode(0o700).create(folder)
    }

    /// Whether files can be created in a folder, as far as the system says so without a try.
    ///
    /// # Errors
    ///
    /// They cannot; the error says why.
    pub(crate) fn check_folder_is_writable(folder: &Path) -> io::Result<()> {
        Ok(access(folder, Access::WRITE_OK | Access::EXEC_OK)?)
    }
}

#[cfg(not(unix))]
mod system {
    use std::fs::{File, Metadata, OpenOptions};
    use std::io;
    use std::path::Path;

    use super::{FileId, Readers};

    /// This system's standard library knows no identity of files.
    pub(crate) fn id(_: &Metadata) -> Option<FileId> {
        None
    }

    pub(super) fn safe(options: &mut OpenOptions, _: Readers) -> &mut OpenOptions {
        options
    }

    /// This system has no permission bits.
    pub(crate) fn set_mode(_: &File, _: u32) -> io::Result<()> {
        Ok(())
    }

    /// This system has no permission bits.
    pub(crate) fn create_private_folder(folder: &Path) -> io::Result<()> {
        std::fs::create_dir(folder)
    }

    /// This system tells only by a try.
    pub(crate) fn check_folder_is_writable(_: &Path) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(all(test, unix))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    fn to_write() -> OpenOptions {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true);
        options
    }

    #[test]
    fn only_a_regular_file_is_opened() {
        let dir = tempfile::tempdir().unwrap();
        let victim = dir.path().join("victim");
        std::fs::write(&victim, "precious").unwrap();
        for (name, to) in [("link", victim.as_path()), ("dangling", Path::new("nowhere"))] {
            symlink(to, dir.path().join(name)).unwrap();
        }
        let fifo = dir.path().join("fifo");
        rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, rustix::fs::Mode::RWXU).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(dir.path().join("socket")).unwrap();
        for name in ["link", "dangling", "fifo", "socket", ".", "/dev/null", "/dev/full"] {
            let path = dir.path().join(name);
            let error = open(&path, &mut to_write(), Readers::Owner).unwrap_err().to_string();
            assert!(error.starts_with("it is "), "{name}: {error}");
            assert!(create_new(&path, Readers::Owner).is_err(), "{name}");
        }
        assert!(!dir.path().join("nowhere").exists());
        assert_eq!(std::fs::read(&victim).unwrap(), b"precious");
        assert!(open_to_read(&dir.path().join("link")).is_ok());
        assert!(open_to_read(&fifo).is_err() && open_to_read(Path::new("/dev/zero")).is_err());
    }

    #[test]
    fn a_private_file_is_readable_by_its_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        let mode = |readers, name| {
            let file = open(&dir.path().join(name), &mut to_write(), readers).unwrap();
            file.metadata().unwrap().permissions().mode() & 0o777
        };
        assert_eq!(mode(Readers::Owner, "a"), 0o600);
        assert_eq!(mode(Readers::ByUmask, "b") & 0o600, 0o600);
    }

    #[test]
    fn a_replaced_file_is_told_from_the_open_one() {
        let dir = tempfile::tempdir().unwrap();
        let (path, other) = (dir.path().join("a"), dir.path().join("b"));
        let file = create_new(&path, Readers::Owner).unwrap();
        assert!(is_at(&file, &path).unwrap() && !is_at(&file, &other).unwrap());
        symlink(&path, &other).unwrap();
        assert!(!is_at(&file, &other).unwrap(), "a link is not the file");
        create_new(&dir.path().join("c"), Readers::Owner).unwrap();
        std::fs::rename(dir.path().join("c"), &path).unwrap();
        assert!(!is_at(&file, &path).unwrap());
    }
}
