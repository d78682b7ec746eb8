//! The origin of an open store, and the answers that it accepts.

use std::sync::Mutex;

use super::origin::{ExpectedOrigin, Origin};
use crate::error::{Error, Result};
use crate::locked::lock;

/// True if a run accepts a store of this origin. `is_filled_over_http` says whether a sandbox
/// filled the store over plain HTTP.
///
/// # Errors
///
/// That of `is_filled_over_http`.
pub(super) fn accepts(
    expected: Option<ExpectedOrigin>,
    found: Origin,
    is_filled_over_http: impl FnOnce() -> Result<bool>,
) -> Result<bool> {
    match (expected, found) {
        (None, _) | (Some(ExpectedOrigin::Either), Origin::Provider) => Ok(true),
        (Some(ExpectedOrigin::Only(expected)), found) => Ok(expected == found),
        (Some(ExpectedOrigin::Either), Origin::Sandbox) => is_filled_over_http(),
    }
}

/// The store's origin, and whether it is final.
pub(super) struct CurrentOrigin(Mutex<Known>);

#[derive(Clone, Copy)]
struct Known {
    origin: Origin,
    /// True once the store has an answer.
    is_final: bool,
}

impl CurrentOrigin {
    /// The origin of a store; `has_answers` if it has any answer.
    pub(super) fn new(origin: Origin, has_answers: bool) -> Self {
        Self(Mutex::new(Known { origin, is_final: has_answers }))
    }

    /// The origin.
    pub(super) fn get(&self) -> Origin {
        lock(&self.0).origin
    }

    /// Checks the origin of an answer. The first answer of a store fixes the store's origin: `fix`
    /// gets the origin until then, and returns false if the store got another answer meanwhile.
    ///
    /// # Errors
    ///
    /// Exit 2 if the store is of the other origin; that of `fix`. `store` is its name, and `noun`
    /// is what it is.
    pub(super) fn admit(
        &self,
        answer: Origin,
        store: &str,
        noun: &str,
        fix: impl FnOnce(Origin) -> Result<bool>,
    ) -> Result<()> {
        let mut current = lock(&self.0);
        let is_other = current.origin != answer;
        let may_change = !current.is_final && current.origin == Origin::Provider;
        if is_other && !may_change || !current.is_final && !fix(current.origin)? {
            return Err(unexpected_answer(store, noun, answer));
        }
        *current = Known { origin: answer, is_final: true };
        Ok(())
    }
}

/// The error for a run that must not use this store (exit 2). `noun` is what a store is.
pub(super) fn unexpected_store(store: &str, noun: &str, found: Origin) -> Error {
    match found {
        Origin::Sandbox => {
            Error::usage(format!("{store} holds simulated answers; this run asks a real provider"))
                .hint(format!("set store to another {noun}, or delete this one"))
        }
        Origin::Provider => {
            Error::usage(format!("{store} holds real answers; simulated ones must not be added"))
                .hint(format!("set store to another {noun}; by default, simulated runs have their own"))
        }
    }
}

/// The error for an answer that must not be added to this store (exit 2).
fn unexpected_answer(store: &str, noun: &str, answer: Origin) -> Error {
    match answer {
        Origin::Provider => {
            Error::usage(format!("{store} holds simulated answers, but a server gave a real one"))
                .hint(format!("set store to another {noun}, or delete this one; the answer was not stored"))
        }
        Origin::Sandbox => {
            Error::usage(format!("{store} holds real answers, but a server gave a simulated one"))
                .hint(format!("set store to another {noun}; the answer was not stored"))
        }
    }
}
