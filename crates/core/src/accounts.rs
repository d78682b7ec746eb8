//! Several accounts in one run: the figures of each, and the traffic of all.

use crate::discrepancy::Kind;
use crate::merge::Merge as _;
use crate::rate::Rate;
use crate::status::Status;
use crate::totals::Totals;
use crate::traffic::{Slowdown, Traffic};

/// The figures of one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountFigures {
    /// Its cap.
    pub cap: Rate,
    /// The calls that name it first, and their discrepancies. Unusable rows belong to no account,
    /// and neither do calls that only receipts name.
    pub totals: Totals,
    /// Its requests.
    pub traffic: Traffic,
}

/// The place of the account that used the largest share of its cap; 0 without an account.
#[must_use]
pub fn nearest_to_cap(accounts: &[AccountFigures]) -> usize {
    let used = |at: usize| u128::from(accounts[at].traffic.evidence.most_in_any_window);
    let cap = |at: usize| u128::from(accounts[at].cap.requests.get());
    // Of equal shares the first one.
    let larger = |best: usize, at: usize| if used(at) * cap(best) > used(best) * cap(at) { at } else { best };
    (0..accounts.len()).reduce(larger).unwrap_or(0)
}

/// The requests of all accounts. No window spans two accounts, so the evidence is that of the
/// account that used the largest share of its cap. The accounts slow down side by side, so the
/// longest time of each kind counts.
#[must_use]
pub fn traffic_of_all(accounts: &[AccountFigures]) -> Traffic {
    let mut all = Traffic::default();
    for Traffic { requests, first_tries, retries, other_day_tries, throttled, slowdown, .. } in
        accounts.iter().map(|account| &account.traffic)
    {
        all.requests += requests;
        all.first_tries += first_tries;
        all.retries += retries;
        all.other_day_tries += other_day_tries;
        all.throttled += throttled;
        all.slowdown = Slowdown {
            halvings: all.slowdown.halvings + slowdown.halvings,
            held: all.slowdown.held.max(slowdown.held),
            slowed: all.slowdown.slowed.max(slowdown.slowed),
        };
    }
    let nearest = accounts.get(nearest_to_cap(accounts));
    Traffic { evidence: nearest.map(|account| account.traffic.evidence).unwrap_or_default(), ..all }
}

/// True if the accounts sum up to the totals and the traffic of the run, and each kept its cap.
#[must_use]
pub fn add_up(accounts: &[AccountFigures], totals: &Totals, traffic: &Traffic) -> bool {
    let mut sum = Totals::default();
    accounts.iter().for_each(|account| sum.merge(account.totals.clone()));
    let of_calls = |t: &Totals| {
        let is_of_account = |kind: Kind| !matches!(kind, Kind::InvalidRow | Kind::MissingInLedger);
        let kinds = t.discrepancies.iter().map(|(kind, n)| (*kind, *n));
        let kinds: Vec<(Kind, u64)> = kinds.filter(|(kind, n)| is_of_account(*kind) && *n > 0).collect();
        let statuses = Status::ALL.map(|status| t.with_status(status));
        (t.calls, statuses, t.clean, t.with_discrepancies, t.not_compared, t.duplicates, kinds)
    };
    let requests = |x: &Traffic| [x.requests, x.first_tries, x.retries, x.other_day_tries, x.throttled];
    let keeps_cap = |account: &AccountFigures| {
        account.traffic.evidence.most_in_any_window <= u64::from(account.cap.requests.get())
    };
    of_calls(&sum) == of_calls(totals)
        && requests(&traffic_of_all(accounts)) == requests(traffic)
        && accounts.iter().all(keeps_cap)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::cap_audit::Evidence;

    fn account(cap: &str, most: u64) -> AccountFigures {
        let mut totals = Totals::default();
        totals.add_call(Status::Found, 0, true);
        let evidence = Evidence { most_in_any_window: most, ..Evidence::default() };
        let traffic = Traffic { requests: most, first_tries: most, evidence, ..Traffic::default() };
        AccountFigures { cap: cap.parse().unwrap(), totals, traffic }
    }

    #[test]
    fn the_largest_share_of_a_cap_stands_for_all() {
        let accounts = [account("100/min", 60), account("10/s", 9), account("1000/min", 500)];
        assert_eq!(nearest_to_cap(&accounts), 1);
        let all = traffic_of_all(&accounts);
        assert_eq!((all.requests, all.evidence.most_in_any_window), (569, 9));
        assert_eq!(nearest_to_cap(&[account("1/s", 1), account("2/s", 2)]), 0);
        assert_eq!(traffic_of_all(&[]), Traffic::default());
    }

    #[test]
    fn a_lost_call_or_request_or_a_broken_cap_is_noticed() {
        let accounts = [account("100/min", 60), account("10/s", 9)];
        let mut totals = Totals { rows: 4, invalid: 2, ..Totals::default() };
        (0..2).for_each(|_| totals.add_call(Status::Found, 0, true));
        (0..2).for_each(|_| totals.add_discrepancy(Kind::InvalidRow, None));
        let traffic = traffic_of_all(&accounts);
        assert!(add_up(&accounts, &totals, &traffic));
        assert!(!add_up(&accounts[..1], &totals, &traffic));
        assert!(!add_up(&accounts, &totals, &Traffic { throttled: 1, ..traffic }));
        totals.add_discrepancy(Kind::Mismatch, None);
        assert!(!add_up(&accounts, &totals, &traffic));
        let broken = [account("1/s", 2)];
        assert!(!add_up(&broken, &broken[0].totals, &broken[0].traffic));
    }
}
