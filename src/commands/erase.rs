//! `reconcile purge` and `reconcile forget`: personal data that is not to be kept any longer.

use std::sync::Arc;

use chrono::{TimeDelta, Utc};

use super::count;
use crate::cli::{ForgetArgs, PurgeArgs};
use crate::clock::SystemClock;
use crate::console::messages;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::store::{self, Erased};
use reconcile_core::calendar::day_of;
use reconcile_core::phone::{self, normalize_number};

/// Fewer digits would be found in half of the calls.
const FEWEST_DIGITS: usize = 5;

/// Erases what is older than the given time.
///
/// # Errors
///
/// Exit 2 when there is no store; exit 5 when a run holds it; exit 6 when it cannot be written.
pub fn purge(args: &PurgeArgs) -> Result<Exit> {
    let age = TimeDelta::from_std(args.older_than).ok();
    let before = age.and_then(|age| Utc::now().checked_sub_signed(age)).map(day_of);
    let before = before.ok_or_else(|| Error::usage("--older-than: nothing is that old"))?;
    let store = store::open_existing(&args.store.path(), Arc::new(SystemClock::new()))?;
    let erased = store.purge(before)?;
    messages::print(&format!(
        "erased {} made before {before} and {}; {}",
        count(erased.calls, "call"),
        count(erased.requests, "request"),
        shrunk(&erased)
    ));
    Ok(Exit::Success)
}

/// Erases a number from all answers.
///
/// # Errors
///
/// Exit 2 when it is no number or there is no store; exit 5 when a run holds it; exit 6 when it cannot be written.
pub fn forget(args: &ForgetArgs) -> Result<Exit> {
    let number = normalize_number(&args.number);
    let digits = number.chars().filter(char::is_ascii_digit).count();
    if digits < FEWEST_DIGITS || !number.chars().all(|c| c.is_ascii_digit() || c == '+') {
        return Err(Error::usage(format!("{} is not a phone number", phone::mask_text(&args.number)))
            .hint("give it in digits, with or without +86, spaces and hyphens"));
    }
    let store = store::open_existing(&args.store.path(), Arc::new(SystemClock::new()))?;
    let erased = store.forget(&number)?;
    messages::print(&format!(
        "erased the answers of {} with {}; they will not be asked for again. {}. Outputs, ledgers and backups that were \
         made before still have the number",
        count(erased.calls, "call"),
        phone::mask_number(&number),
        shrunk(&erased)
    ));
    Ok(Exit::Success)
}

fn shrunk(erased: &Erased) -> String {
    format!("the store has {} bytes, it had {}", erased.bytes_after, erased.bytes_before)
}
