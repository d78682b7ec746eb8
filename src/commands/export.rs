//! `reconcile export`: the stored answers as Parquet files, a folder for each day.

use super::answer::open_store;
use crate::cli::ExportArgs;
use crate::console::messages;
use crate::error::Result;
use crate::exit::Exit;
use crate::export::{self, ExportFolder, Exported};
use crate::words::plural;

/// Exports the answers that the folder does not have. It reads the store without its lock, so a run
/// may work at the same time.
///
/// # Errors
///
/// Exit 2 when there is no store or the folder holds anything else; exit 6 when the store cannot be
/// read or a file cannot be written.
pub fn export(args: &ExportArgs) -> Result<Exit> {
    let reader = open_store(&args.store.location())?;
    let folder = ExportFolder::to_write(&args.to, reader.origin()?)?;
    let exported = export::export(reader.as_ref(), &folder)?;
    lines(&exported, &args.to.display().to_string())
        .iter()
        .try_for_each(|line| messages::print_line(line))?;
    Ok(Exit::Success)
}

fn lines(exported: &Exported, to: &str) -> Vec<String> {
    let done = match exported.files {
        0 => format!("no new answers for {to}"),
        files => {
            format!(
                "exported {} to {to}, in {}",
                plural(exported.answers, "answer"),
                plural(files, "new file")
            )
        }
    };
    let damaged = (exported.damaged > 0).then(|| {
        let are = if exported.damaged == 1 { "is" } else { "are" };
        format!(
            "{} {are} damaged and left out; the next run whose ledger names the call asks again",
            plural(exported.damaged, "stored answer")
        )
    });
    let open = exported.open_sessions.iter().map(|session_no| {
        format!(
            "the answers of session {session_no} are left out: it still works, or was killed; export again when it, \
             or the next run, has ended"
        )
    });
    std::iter::once(done).chain(damaged).chain(open).collect()
}
