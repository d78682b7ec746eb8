//! `reconcile purge` and `reconcile forget`: delete personal data that is no longer needed.

use std::path::PathBuf;
use std::sync::Arc;

use chrono::{Datelike as _, TimeDelta, Utc};

use crate::cli::{ForgetArgs, PurgeArgs};
use crate::clock::SystemClock;
use crate::console::messages;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::export::{self, ExportFolder, Found};
use crate::store::{self, Erased, StoreLocation};
use crate::words::{count, plural};
use reconcile_core::calendar::day_of;
use reconcile_core::phone::{self, digits_of};

/// What happens when exported files are deleted.
const LOST: &str = "rows that the store no longer has are lost with";
/// Fewest digits of a number to forget. Shorter numbers would occur in most calls.
const FEWEST_DIGITS: usize = 5;

/// Deletes the stored calls that were made longer ago than the given time.
///
/// # Errors
///
/// Exit 2 when there is no store; exit 5 when a run holds it; exit 6 when it cannot be written.
pub fn purge(args: &PurgeArgs) -> Result<Exit> {
    purge_calls(args).map_err(|error| with_help(error, "purge"))
}

fn purge_calls(args: &PurgeArgs) -> Result<Exit> {
    let age = TimeDelta::from_std(args.older_than).ok();
    let before = age.and_then(|age| Utc::now().checked_sub_signed(age)).map(day_of);
    let before = before.filter(|day| day.year() >= 1970).ok_or_else(|| {
        Error::usage("--older-than reaches back to before 1970").hint("give a shorter time, such as 90d")
    })?;
    let store = store::open_existing(&args.store.location(), Arc::new(SystemClock::new()))?;
    let erased = store.purge(before)?;
    messages::print(&format!(
        "deleted {} made before {before}, and {}; {}",
        plural(erased.calls, "call"),
        plural(erased.requests, "request"),
        sizes(&erased)
    ))?;
    name_copies(&args.store.location())?;
    Ok(Exit::Success)
}

/// Deletes every stored answer that contains the given phone number.
///
/// # Errors
///
/// Exit 2 when it is not a phone number, or there is no store or no such export; exit 5 when a run
/// holds the store; exit 6 when it cannot be written, or an exported file cannot be read.
pub fn forget(args: &ForgetArgs) -> Result<Exit> {
    forget_number(args).map_err(|error| with_help(error, "forget"))
}

fn forget_number(args: &ForgetArgs) -> Result<Exit> {
    let number = digits_of(&args.number);
    if number.len() < FEWEST_DIGITS || args.number.chars().any(char::is_alphabetic) {
        return Err(Error::usage(format!("{} is not a phone number", phone::mask_number(&args.number)))
            .hint("give its digits, with or without +86, spaces and hyphens"));
    }
    let store = store::open_existing(&args.store.location(), Arc::new(SystemClock::new()))?;
    // No export may begin now: it could write the answers that are erased here.
    let exports = args.exports.as_deref().filter(|path| !path.as_os_str().is_empty());
    let exports = exports.map(ExportFolder::open).transpose()?;
    let erased = store.forget(&number)?;
    say_erased(&erased, &number)?;
    name_copies(&args.store.location())?;
    exports.map_or(Ok(()), |folder| name_files(&export::search(&folder, &number)?))?;
    Ok(Exit::Success)
}

fn say_erased(erased: &Erased, number: &str) -> Result<()> {
    let (calls, number) = (plural(erased.calls, "call"), phone::mask_number(number));
    let done = match erased.calls {
        0 => format!("no stored answer contains {number}"),
        _ => format!(
            "deleted the answers of {calls} with {number}; no run asks for them again, unless the number is in the \
             CallId"
        ),
    };
    messages::print(&format!(
        "{done}; {}; earlier outputs, ledgers and backups may still contain the number",
        sizes(erased)
    ))
}

/// Names the copies of the store from before an upgrade: erasing does not reach them.
fn name_copies(location: &StoreLocation) -> Result<()> {
    let copies = store::upgrade_copies(location);
    let heading = match copies.len() as u64 {
        0 => return Ok(()),
        1 => "1 copy of the store from before an upgrade was not changed; delete it, too:".to_owned(),
        n => format!(
            "{} copies of the store from before an upgrade were not changed; delete them, too:",
            count(n)
        ),
    };
    name_paths(&heading, &copies)
}

/// Names the exported files that still contain the number. The names go to standard output, because
/// messages would mask the digits in them.
///
/// # Errors
///
/// Exit 6 when a file cannot be read: it may contain the number, too.
fn name_files(found: &Found) -> Result<()> {
    let heading = match found.with_number.len() as u64 {
        0 => format!("no exported file contains the number; {} searched", plural(found.searched, "file")),
        1 => format!("1 exported file still contains the number; delete it, then export again; {LOST} it:"),
        n => format!(
            "{} still contain the number; delete them, then export again; {LOST} them:",
            plural(n, "exported file")
        ),
    };
    name_paths(&heading, &found.with_number)?;
    let unreadable = plural(found.unreadable.len() as u64, "exported file");
    if found.unreadable.is_empty() {
        return Ok(());
    }
    name_paths(&format!("{unreadable} cannot be read:"), &found.unreadable)?;
    Err(Error::output(format!("the number may still be in {unreadable} that cannot be read"))
        .hint("delete what cannot be read, export again, then run the same command again"))
}

fn name_paths(heading: &str, paths: &[PathBuf]) -> Result<()> {
    messages::print_line(heading)?;
    paths.iter().try_for_each(|path| messages::print_line(&format!("  {}", path.display())))
}

/// The error; wrong usage also names the command's own help.
fn with_help(error: Error, command: &str) -> Error {
    let help = format!("`reconcile {command} --help` shows all options");
    match (error.exit, error.hint.clone()) {
        (Exit::Usage, Some(hint)) => error.hint(format!("{hint}; {help}")),
        (Exit::Usage, None) => error.hint(help),
        _ => error,
    }
}

/// The store's size before and after.
fn sizes(erased: &Erased) -> String {
    format!("the store has {} bytes ({} before)", erased.bytes_after, erased.bytes_before)
}
