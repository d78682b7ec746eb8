//! What a run asks beside its ledger, from its settings.

use chrono::{DateTime, Days, TimeDelta, Utc};

use crate::cli::Settings;
use crate::collect::BesideWanted;
use reconcile_core::ask_again::Scope;
use reconcile_core::calendar::day_of;

/// Open calls of earlier ledgers are asked for this many days after they were made.
const OPEN_DAYS: Days = Days::new(14);

/// What the run asks beside its ledger. `accounts` are the names of its accounts in the store, in
/// their order.
pub(crate) fn wanted(
    settings: &Settings,
    scope: &Scope,
    accounts: Vec<Option<String>>,
    started_at: DateTime<Utc>,
) -> BesideWanted {
    let today = day_of(started_at);
    let before = |age| TimeDelta::from_std(age).ok().and_then(|age| started_at.checked_sub_signed(age));
    BesideWanted {
        scope: scope.clone(),
        open_days: today.checked_sub_days(OPEN_DAYS).unwrap_or(today)..=today,
        records_since: settings.recheck.map(|age| before(age).unwrap_or(DateTime::<Utc>::MIN_UTC)),
        sample_percent: settings.recheck_sample,
        accounts,
    }
}
