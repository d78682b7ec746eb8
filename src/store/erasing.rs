//! The rules of erasing: what replaces an answer, and which requests stay for the cap.

use chrono::{NaiveDate, TimeDelta};
use reconcile_core::answer::{AnswerKind, NewAnswer};

/// Requests younger than this are kept: the cap of the next runs counts them. Of this boot the boot
/// clock says how old they are, so a wrong wall clock deletes none of them.
pub(super) const KEPT_FOR_THE_CAP: TimeDelta = TimeDelta::days(2);
/// The code of an answer that was erased on request.
pub(super) const FORGOTTEN: &str = "Forgotten";

/// The permanent error that replaces an erased answer, so that its call is not asked again. It
/// keeps the day on which the answer was found.
pub(super) fn forgotten(found_date: NaiveDate) -> NewAnswer {
    NewAnswer {
        kind: AnswerKind::Rejected,
        next_date: None,
        request_id: None,
        code: FORGOTTEN.into(),
        message: "the answer was erased on request".into(),
        data: None,
        found_date,
    }
}
