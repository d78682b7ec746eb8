//! Which answer counts for a call: that of the operation, or a receipt.

use crate::answer::{AnswerKind, StoredAnswer};
use crate::settle::kind_today;

/// Where the answer that counts comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The operation was asked.
    Query,
    /// The provider pushed a receipt.
    Receipt,
}

impl Source {
    /// The word in store and outputs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::Receipt => "receipt",
        }
    }

    /// The source with this word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Query, Self::Receipt].into_iter().find(|source| source.as_str() == word)
    }

    /// The source that counts; `None` if there is no answer.
    ///
    /// A lasting answer of the operation counts before a receipt: a final record, or a permanent
    /// error. Any other answer of the operation, such as no record, counts after a final receipt
    /// and before any other receipt.
    #[must_use]
    pub fn counting(query: Option<&StoredAnswer>, receipt: Option<&StoredAnswer>) -> Option<Self> {
        let is_lasting = |answer: &StoredAnswer| {
            let is_asked = answer.answer.next_date.is_none();
            is_asked && matches!(kind_today(answer), AnswerKind::Final | AnswerKind::Rejected)
        };
        match (query, receipt) {
            (None, None) => None,
            (None, Some(_)) => Some(Self::Receipt),
            (Some(query), Some(receipt)) if !is_lasting(query) && is_lasting(receipt) => Some(Self::Receipt),
            (Some(_), _) => Some(Self::Query),
        }
    }
}
