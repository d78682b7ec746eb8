//! The limits above which a night is no longer immaterial: seconds at stake, a share of the calls,
//! or a number of rows.

use crate::totals::Totals;

/// A limit. Only what is above it fails.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Limit {
    /// Talk seconds at stake.
    Seconds(u64),
    /// Differing and missing calls, in percent of all calls.
    Percent(f64),
    /// Open and disputed discrepancies.
    Rows(u64),
}

/// A limit, and what was measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measured {
    /// The limit.
    pub limit: Limit,
    /// The measured seconds, percent or rows.
    pub value: f64,
}

impl Limit {
    /// A duration such as `30min`, a share such as `0.5%`, or a number of rows.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(percent) = text.strip_suffix('%') {
            let is_plain = percent.bytes().all(|b| b.is_ascii_digit() || b == b'.');
            let percent: Option<f64> = percent.parse().ok().filter(|_| is_plain);
            return percent.filter(|percent| *percent <= 100.0).map(Self::Percent);
        }
        let rows = text.parse().ok().filter(|_| text.bytes().all(|b| b.is_ascii_digit()));
        rows.map(Self::Rows).or_else(|| {
            let duration = humantime::parse_duration(text).ok()?;
            (duration.subsec_nanos() == 0).then_some(Self::Seconds(duration.as_secs()))
        })
    }

    /// The unit of the value: `seconds`, `percent` or `rows`.
    #[must_use]
    pub fn unit(self) -> &'static str {
        match self {
            Self::Seconds(_) => "seconds",
            Self::Percent(_) => "percent",
            Self::Rows(_) => "rows",
        }
    }

    /// The limit in its unit.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "no ledger has so many rows or seconds")]
    pub fn value(self) -> f64 {
        match self {
            Self::Seconds(most) | Self::Rows(most) => most as f64,
            Self::Percent(most) => most,
        }
    }

    /// What these totals are in the unit of the limit. `at_stake_s` are the seconds at stake.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "no ledger has so many rows or seconds")]
    pub fn measure(self, totals: &Totals, at_stake_s: u64) -> Measured {
        let value = match self {
            Self::Seconds(_) => at_stake_s as f64,
            Self::Rows(_) => totals.decisions.unsettled() as f64,
            Self::Percent(_) if totals.calls == 0 => 0.0,
            Self::Percent(_) => 100.0 * totals.unsettled_calls() as f64 / totals.calls as f64,
        };
        Measured { limit: self, value }
    }
}

impl Measured {
    /// True if the value is above the limit.
    #[must_use]
    pub fn is_above(&self) -> bool {
        self.value > self.limit.value()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discrepancy::Kind;
    use crate::resolution::Decision;
    use crate::status::Status;

    #[test]
    fn a_limit_is_a_duration_a_share_or_a_number() {
        for (text, limit) in [
            ("0", Limit::Rows(0)),
            ("12", Limit::Rows(12)),
            ("30min", Limit::Seconds(1_800)),
            ("90s", Limit::Seconds(90)),
            ("0s", Limit::Seconds(0)),
            ("1h 30m", Limit::Seconds(5_400)),
            ("0.5%", Limit::Percent(0.5)),
            ("0%", Limit::Percent(0.0)),
        ] {
            assert_eq!(Limit::parse(text), Some(limit), "{text}");
        }
        for text in ["", "%", "-1", "101%", "nan%", "5 %", "1e1%", "0.5", "many", "500ms", "+3"] {
            assert_eq!(Limit::parse(text), None, "{text}");
        }
    }

    #[test]
    fn only_what_is_above_a_limit_fails() {
        let mut totals = Totals::default();
        for _ in 0..198 {
            totals.add_call(Status::Found, 0, true);
        }
        totals.add_call(Status::Found, 2, true);
        totals.add_call(Status::NotFound, 1, false);
        for decision in [None, Some(Decision::Disputed), Some(Decision::Accepted)] {
            totals.add_discrepancy(Kind::Mismatch, decision);
        }
        let is_above = |limit: Limit| limit.measure(&totals, 60).is_above();
        assert_eq!((is_above(Limit::Rows(1)), is_above(Limit::Rows(2))), (true, false));
        assert_eq!((is_above(Limit::Seconds(59)), is_above(Limit::Seconds(60))), (true, false));
        assert_eq!((is_above(Limit::Percent(0.99)), is_above(Limit::Percent(1.0))), (true, false));
        totals.settled_calls = 1;
        assert!(!Limit::Percent(0.5).measure(&totals, 60).is_above());
        assert!(!Limit::Percent(0.0).measure(&Totals::default(), 0).is_above());
    }
}
