//! Sets the text of `--version`: the version in Cargo.toml, and the commit if the build is from a
//! clone. It has no time, machine or path, so that a commit gives the same text everywhere.

#![allow(clippy::print_stdout, reason = "cargo reads the standard output of build scripts")]

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let commit = commit().map(|commit| format!(" ({commit})")).unwrap_or_default();
    println!("cargo:rustc-env=RECONCILE_VERSION={}{commit}", env!("CARGO_PKG_VERSION"));
}

/// The first twelve digits of the commit; `None` without git, or if the sources are inside another
/// clone.
fn commit() -> Option<String> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let top = git(&["rev-parse", "--show-toplevel"])?;
    if Path::new(&top).canonicalize().ok()? != here.canonicalize().ok()? {
        return None;
    }
    // HEAD may only name a branch; its log changes with every commit and every change of branch.
    for file in ["HEAD", "logs/HEAD"] {
        let path = here.join(git(&["rev-parse", "--git-path", file])?);
        if path.exists() {
            println!("cargo:rerun-if-changed={}", path.display());
        }
    }
    git(&["rev-parse", "--short=12", "HEAD"])
}

/// The output of a git command; `None` if it fails or prints nothing.
fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !text.is_empty()).then_some(text)
}
