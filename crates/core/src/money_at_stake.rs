//! The money at stake: the amount that a discrepancy puts in doubt. The seconds are in
//! [`seconds_at_stake`](crate::seconds_at_stake).

use crate::amended::LOST;
use crate::decimal::Decimal;
use crate::detail::CallDetail;
use crate::discrepancy::{Discrepancy, Kind};
use crate::ledger_row::Expected;
use crate::tariff::{Legs, Tariff};

/// The amount that a discrepancy puts in doubt; `None` if a value for it is missing.
///
/// - A different duration: the difference between the charges for the two durations. So it is 0
///   where both are billed as the same units.
/// - A call that the provider was asked for and does not confirm, or a duplicate row: the charge
///   for the ledger's duration. A call that was not asked puts nothing in doubt.
/// - An unknown state, a record that the provider lost, or a call that the ledger lacks: the charge
///   for what the provider says.
/// - Every other discrepancy: 0.
#[must_use]
pub fn money_at_stake(
    tariff: &Tariff,
    expected: &Expected,
    detail: Option<&CallDetail>,
    what: &Discrepancy,
) -> Option<Decimal> {
    match what.kind {
        Kind::Mismatch | Kind::Inconsistent | Kind::ReceiptDiffers if what.field == "duration_s" => {
            let Some(delta) = what.delta else { return Some(Decimal::ZERO) };
            if tariff.legs == Legs::Two {
                return None;
            }
            let provider_s = detail?.duration_s?;
            let provider = tariff.charge(provider_s)?.amount;
            let other = tariff.charge(provider_s.checked_sub(delta)?)?.amount;
            Some(provider.minus(other).abs())
        }
        Kind::NotFound | Kind::Pending | Kind::Failed | Kind::Malformed | Kind::Duplicate => {
            tariff.of_ledger(expected).map(|charge| charge.amount)
        }
        Kind::Amended | Kind::ReceiptDiffers if what.field == LOST => {
            tariff.of_record(detail?).map(|charge| charge.amount)
        }
        Kind::UnknownState | Kind::MissingInLedger => tariff.of_record(detail?).map(|charge| charge.amount),
        Kind::Amended
        | Kind::ReceiptDiffers
        | Kind::Mismatch
        | Kind::Inconsistent
        | Kind::InvalidRow
        | Kind::OtherDay
        | Kind::Deferred => Some(Decimal::ZERO),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::message::Message;
    use crate::normalize::normalize;
    use crate::tariff::Increments;

    #[test]
    fn the_money_at_stake_depends_on_kind_and_field() {
        let tariff = Tariff {
            increments: Increments::new(60, 60).unwrap(),
            price: Decimal::parse("0.055").unwrap(),
            currency: "CNY".into(),
            legs: Legs::One,
            from: None,
            to: None,
        };
        let detail = normalize(r#"{"duration":125,"state":"1"}"#).unwrap();
        let expected = Expected { duration_s: Some(61), ..Expected::default() };
        let stake = |tariff: &Tariff, kind, field: &str, delta| {
            let what = Discrepancy::new(kind, Message::NotAsked).field(field).delta(delta);
            money_at_stake(tariff, &expected, Some(&detail), &what).map(Decimal::short)
        };
        let one = |kind, field, delta| stake(&tariff, kind, field, delta);
        let amount = |text: &str| Some(text.to_owned());
        assert_eq!(one(Kind::Mismatch, "duration_s", Some(64)), amount("0.055"), "3 units instead of 2");
        assert_eq!(one(Kind::Mismatch, "duration_s", Some(4)), amount("0.00"), "3 units on both sides");
        assert_eq!(one(Kind::Mismatch, "duration_s", Some(-60)), amount("0.055"));
        assert_eq!(one(Kind::Inconsistent, "duration_s", Some(125)), amount("0.165"));
        assert_eq!(one(Kind::Inconsistent, "duration_s", None), amount("0.00"));
        assert_eq!(one(Kind::Mismatch, "called_at", Some(28_800)), amount("0.00"));
        assert_eq!(one(Kind::NotFound, "", None), amount("0.11"));
        assert_eq!(one(Kind::Duplicate, "", None), amount("0.11"));
        assert_eq!(one(Kind::Deferred, "", None), amount("0.00"));
        assert_eq!(one(Kind::UnknownState, "state", None), amount("0.165"));
        assert_eq!(one(Kind::Mismatch, "duration_s", Some(126)), None, "a negative duration");
        let two = Tariff { legs: Legs::Two, ..tariff.clone() };
        assert_eq!(stake(&two, Kind::Mismatch, "duration_s", Some(1)), None);
        assert_eq!(stake(&two, Kind::NotFound, "", None), None);
    }
}
