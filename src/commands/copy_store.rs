//! `reconcile store copy`: moves a store to another place.

use crate::cli::CopyArgs;
use crate::clock::SystemClock;
use crate::console::messages;
use crate::error::Result;
use crate::exit::Exit;
use crate::store::{self, CopiedTable};
use crate::words::plural;

/// Copies a store, verifies the copy, and retires the source.
///
/// # Errors
///
/// Exit 2 when there is no source, or the target is not empty; exit 5 when a run holds one of them;
/// exit 6 when one cannot be read or written, or when they differ.
pub fn copy_store(args: &CopyArgs) -> Result<Exit> {
    let copied = store::copy(&args.from, &args.to, &SystemClock::new())?;
    let table = |CopiedTable { name, rows, checksum }: &CopiedTable| {
        format!("{name:<10}  {}, checksum {checksum:08x} in both", plural(*rows, "row"))
    };
    copied.tables.iter().try_for_each(|copied| messages::print_line(&table(copied)))?;
    messages::print(&format!("copied {} to {}; no run uses {0} any more", args.from, args.to))?;
    for copy in store::upgrade_copies(&args.from) {
        let copy = copy.display();
        messages::print_line(&format!(
            "{copy} is a copy of {} from before an upgrade; use it no more",
            args.from
        ))?;
    }
    Ok(Exit::Success)
}
