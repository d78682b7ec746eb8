//! The table `meta`: the origin of the store's answers, and its secret.

use postgres::GenericClient;

use super::errors::{Done, damaged};
use crate::error::{Error, Result};
use crate::store::copy::{key, refuse_copied};
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

/// What `meta` says about copies of the store: the store to which it was copied, and the store of
/// which it is an unfinished copy.
#[derive(Debug, Clone, Default)]
pub(super) struct Copies {
    copied_to: Option<String>,
    copy_of: Option<String>,
}

impl Copies {
    /// Refuses a store that no run may use.
    ///
    /// # Errors
    ///
    /// Exit 2.
    pub(super) fn check(self, store: &str) -> Result<()> {
        refuse_copied(store, self.copied_to, self.copy_of)
    }

    /// The error for a store that no run may use.
    pub(super) fn refusal(self, store: &str) -> Error {
        self.check(store).err().unwrap_or_else(|| Error::bug("a store in use was refused"))
    }

    /// True if no run may use the store.
    pub(super) fn forbid_use(&self) -> bool {
        self.copied_to.is_some() || self.copy_of.is_some()
    }
}

/// Reads what `meta` says about copies.
pub(super) fn copies(c: &mut impl GenericClient) -> Done<Copies> {
    Ok(Copies { copied_to: value(c, key::RETIRED_TO)?, copy_of: value(c, key::COPY_OF)? })
}

/// A value of the table.
pub(super) fn value(c: &mut impl GenericClient, key: &str) -> Done<Option<String>> {
    let row = c.query_opt("SELECT value FROM meta WHERE key = $1", &[&key])?;
    Ok(row.map(|row| row.try_get(0)).transpose()?)
}

/// Writes a value of the table; `None` deletes it.
pub(super) fn set_value(c: &mut impl GenericClient, key: &str, value: Option<&str>) -> Done<()> {
    match value {
        Some(value) => c.execute(
            "INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            &[&key, &value],
        )?,
        None => c.execute("DELETE FROM meta WHERE key = $1", &[&key])?,
    };
    Ok(())
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
