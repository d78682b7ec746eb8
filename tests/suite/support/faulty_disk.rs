//! Lets system calls of the binary fail. `tests/preload/disk_faults.c` does it, preloaded into the
//! process; the program itself knows nothing of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::skip;

/// Errors of a disk, with their numbers on Linux.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Errno {
    /// An input or output error.
    Eio = 5,
    /// No space is left.
    Enospc = 28,
    /// The user's quota is used up.
    Edquot = 122,
}

impl Errno {
    pub const ALL: [Self; 3] = [Self::Enospc, Self::Eio, Self::Edquot];
}

/// How long a fault lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mode {
    /// One call fails.
    Once,
    /// This call fails, and all later ones.
    Lasting,
    /// This call writes half of its bytes, and all later ones fail.
    Half,
    /// The process is killed in place of the call.
    Kill,
}

impl Mode {
    fn word(self) -> &'static str {
        match self {
            Self::Once => "once",
            Self::Lasting => "lasting",
            Self::Half => "half",
            Self::Kill => "kill",
        }
    }
}

/// A fault of the disk, at the call with this number, counted from 1.
#[derive(Debug, Clone, Copy)]
pub struct Fault {
    pub at: usize,
    pub errno: Errno,
    pub mode: Mode,
}

/// A system call that writes, syncs, renames, makes or deletes a file in the watched folder.
#[derive(Debug, Clone)]
pub struct DiskCall {
    pub name: String,
    /// False if the call failed, wrote half, or was replaced by the kill.
    pub made: bool,
    /// Relative to the watched folder; empty for the folder itself.
    pub path: String,
}

impl DiskCall {
    /// The file that the program would name: without the endings of unfinished files and of SQLite.
    pub fn file(&self) -> &str {
        let name = self.path.rsplit('/').next().unwrap_or("");
        let name = name.strip_prefix('.').unwrap_or(name);
        let endings = [".unfinished", "-wal", "-shm", "-journal", ".lock"];
        endings.iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(name)
    }
}

/// A folder whose system calls are watched, and the log of them.
pub struct FaultyDisk {
    folder: PathBuf,
    log: PathBuf,
}

impl FaultyDisk {
    /// Watches this folder. The log is in its subfolder `home`. `None`, with a message, on machines
    /// that cannot do it; in CI that is a failure.
    pub fn watching(folder: &Path) -> Option<Self> {
        let folder = folder.canonicalize().unwrap();
        let disk = Self { log: folder.join("home/disk-calls"), folder };
        if !is_available() {
            skip("system calls cannot be trapped on this machine");
            return None;
        }
        Some(disk)
    }

    /// Preloads the library into this command. Without a fault the calls are only counted.
    pub fn attach(&self, command: &mut Command, fault: Option<Fault>) {
        attach(command, &self.folder, &self.log);
        if let Some(Fault { at, errno, mode }) = fault {
            command
                .env("DISK_FAULTS_AT", at.to_string())
                .env("DISK_FAULTS_ERRNO", (errno as i32).to_string())
                .env("DISK_FAULTS_MODE", mode.word());
        }
    }

    /// The calls of the last process, in their order.
    pub fn calls(&self) -> Vec<DiskCall> {
        let log = String::from_utf8_lossy(&fs::read(&self.log).unwrap()).into_owned();
        let call = |line: &str| {
            let mut words = line.splitn(4, ' ').skip(1);
            let mut next = || words.next().unwrap_or("").to_owned();
            DiskCall { name: next(), made: next() == "made", path: next() }
        };
        log.lines().skip(1).map(call).collect()
    }
}

fn attach(command: &mut Command, folder: &Path, log: &Path) {
    command.env("LD_PRELOAD", library()).env("DISK_FAULTS_UNDER", folder).env("DISK_FAULTS_LOG", log);
}

/// The library, compiled once for each process of tests.
fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/preload/disk_faults.c");
        // Another process may compile it at the same time, or have it loaded.
        let own = folder.join(format!("disk_faults-{}.so", std::process::id()));
        let mut compiler = Command::new("cc");
        compiler.args(["-Wall", "-Wextra", "-Werror", "-O1", "-shared", "-fPIC", "-o"]).arg(&own).arg(source);
        let output = compiler.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let library = folder.join("disk_faults.so");
        fs::rename(&own, &library).unwrap();
        library
    })
}

/// True if this machine lets a process trap its own system calls.
fn is_available() -> bool {
    static AVAILABLE: OnceLock<bool> = OnceLock::new();
    *AVAILABLE.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let mut command = Command::new(env!("CARGO_BIN_EXE_reconcile"));
        command.arg("--version");
        attach(&mut command, folder.path(), &log);
        let ended = command.output().is_ok_and(|output| output.status.success());
        ended && fs::read_to_string(log).is_ok_and(|log| log.starts_with("0 begin made"))
    })
}
