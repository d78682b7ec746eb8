//! What the owner of a ledger decided on a discrepancy, and how many discrepancies have which
//! decision.

use compact_str::CompactString;

use crate::merge::Merge;

/// A decision on a discrepancy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// The difference is explained and stays.
    Accepted,
    /// The other side has to explain or change it. It stays at stake.
    Disputed,
    /// One side has corrected its records.
    Corrected,
    /// The amount is given up.
    WrittenOff,
}

impl Decision {
    /// Every decision, in the order of the outputs.
    pub const ALL: [Self; 4] = [Self::Accepted, Self::Disputed, Self::Corrected, Self::WrittenOff];

    /// The word in the outputs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Disputed => "disputed",
            Self::Corrected => "corrected",
            Self::WrittenOff => "written_off",
        }
    }

    /// The word in Chinese.
    #[must_use]
    pub fn zh(self) -> &'static str {
        match self {
            Self::Accepted => "接受",
            Self::Disputed => "争议",
            Self::Corrected => "已更正",
            Self::WrittenOff => "核销",
        }
    }

    /// The decision with this word, in English or Chinese. Case, and `-` or a space for `_`, do not
    /// matter.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        let word = word.trim();
        let english = word.to_ascii_lowercase().replace([' ', '-'], "_");
        Self::ALL.into_iter().find(|decision| decision.as_str() == english || decision.zh() == word)
    }

    /// True if the discrepancy is no longer at stake.
    #[must_use]
    pub fn is_settled(self) -> bool {
        self != Self::Disputed
    }
}

/// The decision on a discrepancy, with its reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolution {
    /// The decision.
    pub decision: Decision,
    /// Why, in the owner's words; may be empty.
    pub reason: CompactString,
}

/// Discrepancies by decision.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct DecisionCounts {
    /// Discrepancies without a decision.
    pub open: u64,
    /// Accepted discrepancies.
    pub accepted: u64,
    /// Disputed discrepancies.
    pub disputed: u64,
    /// Corrected discrepancies.
    pub corrected: u64,
    /// Discrepancies that are written off.
    pub written_off: u64,
}

impl DecisionCounts {
    /// Counts a discrepancy; `None` is an open one.
    pub fn add(&mut self, decision: Option<Decision>) {
        *match decision {
            None => &mut self.open,
            Some(Decision::Accepted) => &mut self.accepted,
            Some(Decision::Disputed) => &mut self.disputed,
            Some(Decision::Corrected) => &mut self.corrected,
            Some(Decision::WrittenOff) => &mut self.written_off,
        } += 1;
    }

    /// Each count with its key in the outputs, in their order.
    #[must_use]
    pub fn by_word(&self) -> [(&'static str, u64); 5] {
        [
            ("open", self.open),
            (Decision::Accepted.as_str(), self.accepted),
            (Decision::Disputed.as_str(), self.disputed),
            (Decision::Corrected.as_str(), self.corrected),
            (Decision::WrittenOff.as_str(), self.written_off),
        ]
    }

    /// The discrepancies that somebody still has to work on: open and disputed ones.
    #[must_use]
    pub fn unsettled(&self) -> u64 {
        self.open + self.disputed
    }

    /// The discrepancies that are no longer at stake.
    #[must_use]
    pub fn settled(&self) -> u64 {
        self.accepted + self.corrected + self.written_off
    }
}

impl Merge for DecisionCounts {
    fn merge(&mut self, other: Self) {
        let Self { open, accepted, disputed, corrected, written_off } = other;
        self.open.merge(open);
        self.accepted.merge(accepted);
        self.disputed.merge(disputed);
        self.corrected.merge(corrected);
        self.written_off.merge(written_off);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decision_is_read_in_both_languages() {
        for decision in Decision::ALL {
            assert_eq!(Decision::parse(decision.as_str()), Some(decision));
            assert_eq!(Decision::parse(decision.zh()), Some(decision));
        }
        for word in ["Written off", "WRITTEN-OFF", " written_off "] {
            assert_eq!(Decision::parse(word), Some(Decision::WrittenOff), "{word}");
        }
        for word in ["", "ok", "accept", "接 受", "written  off"] {
            assert_eq!(Decision::parse(word), None, "{word}");
        }
    }

    #[test]
    fn every_discrepancy_has_one_count() {
        let mut counts = DecisionCounts::default();
        counts.add(None);
        Decision::ALL.into_iter().for_each(|decision| counts.add(Some(decision)));
        assert_eq!(counts.by_word().map(|(_, n)| n), [1; 5]);
        assert_eq!((counts.unsettled(), counts.settled()), (2, 3));
    }
}
