//! Which file system a store is on. SQLite's log and the store's lock work only between processes
//! of one machine, so a store on a network file system could be used by two machines at once.

use std::path::Path;

use crate::error::{Error, Result};
use crate::place;
use crate::store::file_system::UnknownFileSystem;

/// File systems that several machines can use at once.
const NETWORK: &[&str] = &[
    "afs",
    "beegfs",
    "ceph",
    "cifs",
    "coda",
    "davfs",
    "gfs2",
    "glusterfs",
    "gpfs",
    "lustre",
    "ncpfs",
    "nfs",
    "nfs4",
    "ocfs2",
    "orangefs",
    "smb3",
    "smbfs",
];

/// The same, as programs outside the kernel serve them.
const NETWORK_FUSE: &[&str] = &[
    "ceph",
    "ceph-fuse",
    "curlftpfs",
    "davfs",
    "gcsfuse",
    "glusterfs",
    "goofys",
    "gvfsd-fuse",
    "hdfs",
    "jfs",
    "juicefs",
    "mount.davfs",
    "moosefs",
    "ossfs",
    "rclone",
    "s3fs",
    "seaweedfs",
    "smbnetfs",
    "sshfs",
    "weed",
];

/// Folders that a virtual machine shares with its host.
const SHARED_WITH_HOST: &[&str] = &["9p", "prl_fs", "vboxsf", "virtiofs", "vmhgfs"];

/// What the file system means for a store.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Verdict {
    /// Only this machine uses it.
    Local,
    /// Nobody knows whether another machine uses it. Holds its type.
    Unknown(String),
    /// Several machines can use it at once. Holds its type.
    Network(String),
}

/// Refuses a store on a network file system.
///
/// # Errors
///
/// Exit 2.
pub(super) fn refuse_network(store: &Path) -> Result<()> {
    let Verdict::Network(kind) = verdict_of(store) else { return Ok(()) };
    Err(Error::usage(format!(
        "the store {} is on a network file system ({kind}): two machines could use it at once, break the cap and \
         damage it",
        store.display()
    ))
    .hint("set store to a file on a local disk of the one machine that runs the job; the outputs may stay there"))
}

/// The note on a store whose file system may be shared with other machines; `None` if it is local.
pub(super) fn note(store: &Path) -> Option<UnknownFileSystem> {
    let Verdict::Unknown(kind) = verdict_of(store) else { return None };
    Some(UnknownFileSystem { kind })
}

fn verdict_of(store: &Path) -> Verdict {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let resolved = place::resolve(store).unwrap_or_else(|_| store.to_owned());
    type_of(&mounts, &resolved).map_or(Verdict::Local, |kind| judge(&kind))
}

fn judge(kind: &str) -> Verdict {
    let fuse = kind.strip_prefix("fuse.");
    if NETWORK.contains(&kind) || fuse.is_some_and(|program| NETWORK_FUSE.contains(&program)) {
        Verdict::Network(kind.to_owned())
    } else if fuse.is_some() || kind == "fuse" || SHARED_WITH_HOST.contains(&kind) {
        Verdict::Unknown(kind.to_owned())
    } else {
        Verdict::Local
    }
}

/// The type of the file system that holds an absolute path: that of the mount with the longest
/// matching mount point. Of several at one point, the last one hides the others.
///
/// A line of `mountinfo` is `36 35 98:0 /root /mount/point options … - type source options`.
fn type_of(mountinfo: &str, path: &Path) -> Option<String> {
    let mounts = mountinfo.lines().filter_map(|line| {
        let (before, after) = line.split_once(" - ")?;
        let point = unescaped(before.split(' ').nth(4)?);
        let kind = after.split(' ').next()?;
        path.starts_with(&point).then_some((Path::new(&point).components().count(), kind))
    });
    // The last of equal elements is the maximum.
    mounts.max_by_key(|(length, _)| *length).map(|(_, kind)| kind.to_owned())
}

/// Replaces the octal escapes of `mountinfo`: `\040` is a space.
fn unescaped(point: &str) -> String {
    ["\\040", "\\011", "\\012", "\\134"]
        .into_iter()
        .zip([" ", "\t", "\n", "\\"])
        .fold(point.to_owned(), |text, (escape, sign)| text.replace(escape, sign))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:40 / /srv/data rw shared:5 - nfs4 server:/export rw,vers=4.2
31 30 8:2 / /srv/data/local rw - xfs /dev/sdb rw
32 22 0:41 / /home/me/my\\040box rw - fuse.sshfs me@host: rw
33 22 0:42 / /cloud rw - fuse.unknownfs x rw
34 22 0:43 / /host rw - virtiofs share rw
35 22 0:44 / /twice rw - nfs a:/b rw
36 22 0:45 / /twice rw - tmpfs tmpfs rw
";

    #[test]
    fn the_innermost_mount_decides() {
        let network = |kind: &str| Verdict::Network(kind.into());
        let unknown = |kind: &str| Verdict::Unknown(kind.into());
        for (path, verdict) in [
            ("/var/lib/r.db", Verdict::Local),
            ("/srv/data/r.db", network("nfs4")),
            ("/srv/data/local/r.db", Verdict::Local),
            ("/srv/database/r.db", Verdict::Local),
            ("/home/me/my box/r.db", network("fuse.sshfs")),
            ("/cloud/r.db", unknown("fuse.unknownfs")),
            ("/host/r.db", unknown("virtiofs")),
            ("/twice/r.db", Verdict::Local),
        ] {
            let found = type_of(MOUNTS, Path::new(path)).map_or(Verdict::Local, |kind| judge(&kind));
            assert_eq!(found, verdict, "{path}");
        }
        assert_eq!(type_of("not a list of mounts", Path::new("/x")), None);
    }

    #[test]
    fn the_kernels_network_file_systems_are_known() {
        for kind in ["nfs", "nfs4", "cifs", "smb3", "ceph", "fuse.sshfs", "fuse.rclone", "fuse.glusterfs"] {
            assert_eq!(judge(kind), Verdict::Network(kind.into()));
        }
        for kind in ["ext4", "xfs", "btrfs", "zfs", "tmpfs", "overlay", "fuseblk"] {
            assert_eq!(judge(kind), Verdict::Local);
        }
    }
}
