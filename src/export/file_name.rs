//! The names of exported files. A name is the identity of a session, which no other session of any
//! store has, and says whether its answers are simulated.

use crate::store::{EndedSession, Origin};

const ENDING: &str = ".parquet";
const SANDBOX: &str = "sandbox-";
const RECEIPTS: &str = "-receipts";

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Contents {
    /// Answers of the operation.
    Answers,
    /// Receipts.
    Receipts,
}

/// An example of the name of a session, with a letter for each digit.
const FORM: &str = "ddddddddTddddddddddddZ-hhhhhhhh-hhhh-hhhh-hhhh-hhhhhhhhhhhh";

/// The name of the files of this session with such contents: its start in UTC and its run. `None`
/// if one of the two is damaged.
pub(super) fn name_of(session: &EndedSession, origin: Origin, contents: Contents) -> Option<String> {
    let start = session.started_at.format("%Y%m%dT%H%M%S%6fZ");
    let prefix = if origin == Origin::Sandbox { SANDBOX } else { "" };
    let end = if contents == Contents::Receipts { RECEIPTS } else { "" };
    let name = format!("{prefix}{start}-{}{end}{ENDING}", session.run_id);
    origin_of(&name).map(|_| name)
}

/// Whether the file of this name holds simulated answers; `None` for a foreign file.
pub(super) fn origin_of(name: &str) -> Option<Origin> {
    let name = name.strip_suffix(ENDING)?;
    let session = name.strip_suffix(RECEIPTS).unwrap_or(name);
    let (origin, session) = match session.strip_prefix(SANDBOX) {
        Some(session) => (Origin::Sandbox, session),
        None => (Origin::Provider, session),
    };
    let fits = |(form, c): (char, char)| match form {
        'd' => c.is_ascii_digit(),
        'h' => matches!(c, '0'..='9' | 'a'..='f'),
        other => c == other,
    };
    let is_session = session.len() == FORM.len() && FORM.chars().zip(session.chars()).all(fits);
    is_session.then_some(origin)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_name_is_made_of_a_session_and_nothing_else() {
        let mut session = EndedSession {
            session_no: 7,
            run_id: "3f2a91c0-6f0e-4c2f-9d6b-0a3c5d8e7f10".into(),
            started_at: chrono::DateTime::from_timestamp_micros(1_779_786_101_000_001).unwrap(),
        };
        let name = name_of(&session, Origin::Provider, Contents::Answers).unwrap();
        assert_eq!(name, "20260526T090141000001Z-3f2a91c0-6f0e-4c2f-9d6b-0a3c5d8e7f10.parquet");
        assert_eq!(origin_of(&name), Some(Origin::Provider));
        let simulated = name_of(&session, Origin::Sandbox, Contents::Answers).unwrap();
        assert_eq!((origin_of(&simulated), simulated), (Some(Origin::Sandbox), format!("sandbox-{name}")));
        let receipts = name_of(&session, Origin::Provider, Contents::Receipts).unwrap();
        assert_eq!(receipts, name.replace(".parquet", "-receipts.parquet"));
        assert_eq!(origin_of(&receipts), Some(Origin::Provider));
        for foreign in
            ["part-0.parquet", "", ".parquet", &name[1..], &name.replace('T', "t"), &format!("x{name}")]
        {
            assert_eq!(origin_of(foreign), None, "{foreign}");
        }
        session.run_id = "../../etc/passwd".into();
        assert_eq!(
            name_of(&session, Origin::Provider, Contents::Answers),
            None,
            "a damaged id leads nowhere"
        );
    }
}
