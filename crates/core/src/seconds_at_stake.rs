//! The seconds at stake: the talk time that a discrepancy puts in doubt.

use crate::amended::LOST;
use crate::discrepancy::{Discrepancy, Kind};
use crate::ledger_row::LedgerRow;

/// The talk seconds that a discrepancy puts in doubt. `row` is `None` for a call that the ledger
/// does not name, `provider_s` the talk seconds of the provider's record.
///
/// - A different duration: the difference. So is a changed duration of a call that the ledger does
///   not name. If the ledger names the call, its comparison says whether they differ.
/// - A call that the provider was asked for and does not confirm, or a duplicate row: the ledger's
///   duration. A call that was not asked puts nothing in doubt.
/// - An unknown state, a record that the provider lost, or a call that the ledger lacks: the
///   provider's duration.
/// - Every other discrepancy: 0.
#[must_use]
pub fn seconds_at_stake(row: Option<&LedgerRow>, provider_s: Option<i64>, what: &Discrepancy) -> u64 {
    let ledger = || row.and_then(|row| row.expected.duration_s).map_or(0, i64::unsigned_abs);
    let provider = || provider_s.map_or(0, i64::unsigned_abs);
    match what.kind {
        Kind::Amended if row.is_some() && what.field != LOST => 0,
        Kind::Amended | Kind::Mismatch | Kind::Inconsistent | Kind::ReceiptDiffers
            if what.field == "duration_s" =>
        {
            what.delta.map_or(0, i64::unsigned_abs)
        }
        Kind::NotFound | Kind::Pending | Kind::Failed | Kind::Malformed | Kind::Duplicate => ledger(),
        Kind::Amended | Kind::ReceiptDiffers if what.field == LOST => provider(),
        Kind::UnknownState | Kind::MissingInLedger => provider(),
        Kind::Amended
        | Kind::ReceiptDiffers
        | Kind::Mismatch
        | Kind::Inconsistent
        | Kind::InvalidRow
        | Kind::OtherDay
        | Kind::Deferred => 0,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::call::CallKey;
    use crate::ledger_row::Expected;
    use crate::message::Message;
    use crate::normalize::normalize;
    use crate::product::ProductId;
    use crate::quick_parse;

    fn row(duration_s: i64) -> LedgerRow {
        let day = quick_parse::day("2026-11-16").unwrap();
        let key = CallKey { call_id: "1^2".into(), prod_id: ProductId(7), day };
        let expected = Expected { duration_s: Some(duration_s), ..Expected::default() };
        LedgerRow { line: 2, key, expected, query_date: None, carried: Vec::new() }
    }

    #[test]
    fn the_seconds_at_stake_depend_on_the_kind_and_the_field() {
        let row = row(61);
        let detail = normalize(r#"{"duration":7,"state":"1"}"#).unwrap();
        let stake = |kind, field: &str, delta| {
            seconds_at_stake(
                Some(&row),
                detail.duration_s,
                &Discrepancy::new(kind, Message::NotAsked).field(field).delta(delta),
            )
        };
        assert_eq!(stake(Kind::Mismatch, "duration_s", Some(-54)), 54);
        assert_eq!(stake(Kind::Mismatch, "called_at", Some(28_800)), 0);
        assert_eq!(stake(Kind::Amended, "duration_s", Some(3)), 0);
        assert_eq!(stake(Kind::Amended, "status", None), 7);
        assert_eq!(stake(Kind::Amended, "ended_at", Some(3)), 0);
        assert_eq!(stake(Kind::NotFound, "", None), 61);
        assert_eq!(stake(Kind::Duplicate, "", None), 61);
        assert_eq!(stake(Kind::Deferred, "", None), 0);
        assert_eq!(stake(Kind::UnknownState, "state", None), 7);
        assert_eq!(stake(Kind::OtherDay, "call_date", None), 0);
        let amended = Discrepancy::new(Kind::Amended, Message::NotAsked).field("duration_s").delta(Some(-3));
        assert_eq!(seconds_at_stake(None, detail.duration_s, &amended), 3);
        assert_eq!(seconds_at_stake(None, detail.duration_s, &amended.field("ended_at")), 0);
        assert_eq!(stake(Kind::ReceiptDiffers, "duration_s", Some(5)), 5);
        assert_eq!(stake(Kind::ReceiptDiffers, "state", None), 0);
    }
}
