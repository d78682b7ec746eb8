//! The table `share`: who held how many places of an account, for the audit.

use std::collections::BTreeMap;

use postgres::Transaction;
use reconcile_core::cap_audit::{PlacesChange, Shares};
use reconcile_core::rate::Rate;

use super::errors::Done;
use crate::store::endings::timeout;
use crate::store::history::AccountShares;
use crate::store::units::rate_of;

/// The changes that a session made to its own places, in their order.
pub(super) fn of_session(t: &mut Transaction<'_>, session_no: i64) -> Done<Vec<PlacesChange>> {
    let rows = t.query(
        "SELECT at_boot_us, places, resting, rest_us FROM share
         WHERE session_no = $1 AND at_boot_us IS NOT NULL ORDER BY change_no",
        &[&session_no],
    )?;
    let change = |row: &postgres::Row| {
        Ok(PlacesChange {
            at_us: row.try_get(0)?,
            places: places(row.try_get(1)?),
            resting: places(row.try_get(2)?),
            rest: timeout(row.try_get(3)?),
        })
    };
    Ok(rows.iter().map(change).collect::<Result<_, postgres::Error>>()?)
}

/// The sums of the shares of each account.
pub(super) fn of_accounts(t: &mut Transaction<'_>) -> Done<Vec<AccountShares>> {
    let rows = t.query(
        "SELECT share.account, change_no, session_no, share.places, cap_requests, cap_window_us
         FROM share JOIN session USING (session_no) ORDER BY share.account, change_no",
        &[],
    )?;
    let mut accounts: BTreeMap<String, AccountShares> = BTreeMap::new();
    for row in rows {
        let (account, rate): (String, Rate) = (row.try_get(0)?, rate_of(row.try_get(4)?, row.try_get(5)?));
        let of_account = accounts.entry(account.clone()).or_insert_with(|| AccountShares {
            account,
            rate,
            shares: Shares::default(),
        });
        of_account.rate = rate;
        let (change_no, session_no) = (row.try_get(1)?, row.try_get(2)?);
        of_account.shares.push(change_no, session_no, places(row.try_get(3)?), rate.requests.get());
    }
    Ok(accounts.into_values().collect())
}

/// A number of places. A damaged value counts as none.
fn places(number: i32) -> u32 {
    u32::try_from(number).unwrap_or(0)
}
