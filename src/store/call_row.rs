//! A row of the table `call`.

use reconcile_core::answer::{StoredAnswer, StoredCall};
use reconcile_core::call::CallKey;

use super::checksum::checksum;

/// A call with its answer, if it has one.
pub(super) struct CallRow {
    pub(super) call_no: i64,
    /// `None` if the day is damaged.
    pub(super) key: Option<CallKey>,
    pub(super) stored: StoredCall,
    /// True if the answer's checksum is right, or if there is no answer.
    pub(super) is_whole: bool,
}

/// What a row says about its answer besides the answer.
pub(super) struct AnswerCheck {
    /// True if the row says that it has an answer.
    pub(super) has_answer: bool,
    /// When the answer was fetched, as stored.
    pub(super) fetched_at_us: Option<i64>,
    /// The stored checksum.
    pub(super) checksum: Option<i64>,
}

impl AnswerCheck {
    /// True if the answer of this call is whole, or if there is none.
    pub(super) fn is_whole(&self, key: Option<&CallKey>, answer: Option<&StoredAnswer>) -> bool {
        match (key, answer, self.fetched_at_us) {
            (Some(key), Some(a), Some(at)) => {
                self.checksum == Some(checksum(key, &a.answer, a.session_no, at))
            }
            // An answer that cannot be read is damaged.
            (_, None, _) => !self.has_answer,
            _ => false,
        }
    }
}
