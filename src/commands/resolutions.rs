//! `reconcile resolutions`: a file of resolutions to fill in.

use std::io::BufWriter;
use std::path::Path;

use chrono::Utc;

use crate::cli::ResolutionsArgs;
use crate::console::messages;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::place::Place;
use crate::resolutions::{FillIn, FilledIn};
use crate::staged::{Staged, unwritable};
use crate::words::plural;
use reconcile_core::calendar::day_of;

/// Writes the file, and on standard error what is in it.
///
/// # Errors
///
/// Exit 2 when a file cannot be read, or another file is at the path to write; exit 6 when the file
/// cannot be written.
pub fn resolutions(args: &ResolutionsArgs) -> Result<Exit> {
    let (from, old) = (args.from.as_path(), args.resolutions.as_deref());
    let fill_in = FillIn { from, old, today: day_of(Utc::now()) };
    let filled = match &args.to {
        Some(to) => {
            check_target(to, old)?;
            let mut staged = Staged::create(to)?;
            let filled = fill_in.write(BufWriter::new(staged.writer()?), &|e| unwritable(to, e))?;
            staged.sync()?;
            staged.rename()?;
            staged.sync_folder()?;
            filled
        }
        None => to_standard_output(&fill_in)?,
    };
    lines(filled).iter().for_each(|line| messages::say(line));
    Ok(Exit::Success)
}

fn to_standard_output(fill_in: &FillIn<'_>) -> Result<FilledIn> {
    let failed = |e: csv::Error| {
        Error::output("cannot write to standard output")
            .hint("check free space where it is redirected to, then run the same command again")
            .because(e)
    };
    fill_in.write(std::io::stdout().lock(), &failed)
}

/// Checks that no file is overwritten but the one whose decisions are kept.
///
/// # Errors
///
/// Exit 2 when another one would be.
fn check_target(to: &Path, old: Option<&Path>) -> Result<()> {
    let is_there = to.symlink_metadata().is_ok();
    let is = |one: &Path| matches!((Place::of(one), Place::of(to)), (Ok(one), Ok(to)) if one.is(&to));
    if !is_there || old.is_some_and(is) {
        return Ok(());
    }
    Err(Error::usage(format!("{} is there already", to.display()))
        .hint("write to another file; to keep its decisions and add rows, name it with --resolutions, too"))
}

fn lines(filled: FilledIn) -> Vec<String> {
    let FilledIn { open, kept, without_call_id } = filled;
    let kept = if kept > 0 { format!("; {} kept", plural(kept, "row")) } else { String::new() };
    let open = format!("{} to decide on{kept}", plural(open, "open discrepancy"));
    let left_out = (without_call_id > 0).then(|| {
        let are = if without_call_id == 1 { "is" } else { "are" };
        format!(
            "{} without a CallId {are} left out; correct the ledger, or write a rule (a row without call_id)",
            plural(without_call_id, "discrepancy")
        )
    });
    std::iter::once(open).chain(left_out).collect()
}
