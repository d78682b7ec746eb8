//! The provider's receipts: the forms of their files, the join with a ledger, and those of the
//! sandbox.

mod attacked;
mod files;
mod fuzz;
mod join;
mod missing;
mod of_sandbox;
pub mod planted;
mod refuting;
mod runs;
mod seen;

use std::path::{Path, PathBuf};

use reconcile::receipts::Receipts;

/// A receipt of a call that was sent at this time of 2026-11-16 and lasted this long.
pub fn receipt(call_id: &str, time: &str, duration: u32) -> String {
    format!(
        r#"{{"call_id":"{call_id}","originate_time":"2026-11-16 {time}","status_code":"200000","duration":"{duration}"}}"#
    )
}

/// Writes a file of a folder.
pub fn write(folder: &Path, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, content).unwrap();
    path
}

/// The receipts of files and folders.
pub fn collect(paths: &[PathBuf]) -> Receipts {
    Receipts::collect(paths, None).unwrap_or_else(|e| panic!("{e}: {:?}", e.hint))
}
