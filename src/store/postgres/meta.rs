//! The table `meta`: the origin of the store's answers, and its secret.

use postgres::GenericClient;

use super::errors::{Done, damaged};
use crate::error::Result;
use crate::store::current_origin::{accepts, unexpected_store};
use crate::store::origin::{ExpectedOrigin, Origin};
use crate::store::stored_word::Word as _;

/// What `meta` says about the origin.
#[derive(Debug, Clone, Copy)]
pub(super) struct FoundOrigin {
    /// `None` if it is missing or unknown.
    origin: Option<Origin>,
    is_filled_over_http: bool,
    /// True if the store has any answer.
    pub(super) has_answers: bool,
}

impl FoundOrigin {
    /// Returns the store's origin if the run accepts it.
    ///
    /// # Errors
    ///
    /// Exit 2 if the run does not accept it; exit 6 if it is unknown.
    pub(super) fn check(&self, store: &str, expected: Option<ExpectedOrigin>) -> Result<Origin> {
        let found =
            self.origin.ok_or_else(|| damaged(store, "it does not say whether its answers are real"))?;
        if accepts(expected, found, || Ok(self.is_filled_over_http))? {
            Ok(found)
        } else {
            Err(unexpected_store(store, "database", found))
        }
    }
}

/// Reads the origin.
pub(super) fn read_origin(c: &mut impl GenericClient) -> Done<FoundOrigin> {
    let sql = "SELECT (SELECT value FROM meta WHERE key = 'nature'),
                      EXISTS (SELECT FROM meta WHERE key = 'filled_over' AND value = 'http'),
                      EXISTS (SELECT FROM call WHERE answer IS NOT NULL)";
    let row = c.query_one(sql, &[])?;
    let word: Option<&str> = row.try_get(0)?;
    Ok(FoundOrigin {
        origin: word.and_then(Origin::parse),
        is_filled_over_http: row.try_get(1)?,
        has_answers: row.try_get(2)?,
    })
}

/// Fixes the origin of a store without answers, and marks it if it is simulated. Returns false if
/// another process has fixed the other origin.
pub(super) fn fix_origin(c: &mut impl GenericClient, answer: Origin) -> Done<bool> {
    let mut transaction = c.transaction()?;
    let row = transaction.query_one(
        "INSERT INTO meta (key, value) VALUES ('first_answer', $1)
         ON CONFLICT (key) DO UPDATE SET value = meta.value RETURNING value",
        &[&answer.word()],
    )?;
    let is_ours = row.try_get::<_, &str>(0)? == answer.word();
    if is_ours && answer == Origin::Sandbox {
        let sql = "UPDATE meta SET value = $1 WHERE key = 'nature' AND value <> $1";
        if transaction.execute(sql, &[&answer.word()])? > 0 {
            transaction.batch_execute(
                "INSERT INTO meta (key, value) VALUES ('filled_over', 'http') ON CONFLICT DO NOTHING",
            )?;
        }
    }
    transaction.commit()?;
    Ok(is_ours)
}

/// The store's secret, drawn if there is none yet.
pub(super) fn secret(c: &mut impl GenericClient) -> Done<Vec<u8>> {
    let drawn = [uuid::Uuid::new_v4(), uuid::Uuid::new_v4()].map(|id| id.simple().to_string()).concat();
    let row = c.query_one(
        "INSERT INTO meta (key, value) VALUES ('secret', $1)
         ON CONFLICT (key) DO UPDATE SET value = meta.value RETURNING value",
        &[&drawn],
    )?;
    Ok(row.try_get::<_, String>(0)?.into_bytes())
}
