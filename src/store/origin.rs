//! Whether answers are real or simulated. One store never holds both.

use super::stored_word::Word;

/// Where answers come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A real provider.
    Provider,
    /// A simulated provider, the sandbox.
    Sandbox,
}

impl Word for Origin {
    const ALL: &'static [Self] = &[Self::Provider, Self::Sandbox];

    fn word(self) -> &'static str {
        match self {
            Self::Provider => "provider",
            Self::Sandbox => "sandbox",
        }
    }
}

/// The stores that a run accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExpectedOrigin {
    /// Stores of this origin.
    Only(Origin),
    /// Stores of real answers, and stores that a sandbox filled over plain HTTP.
    ///
    /// For runs that ask a server over plain HTTP. Such a server may be a sandbox, so the first
    /// answer marks a new store.
    Either,
}

impl From<Origin> for ExpectedOrigin {
    fn from(origin: Origin) -> Self {
        Self::Only(origin)
    }
}

impl ExpectedOrigin {
    /// The origin of a new store, before its first answer.
    pub(super) fn of_new_store(self) -> Origin {
        match self {
            Self::Only(origin) => origin,
            Self::Either => Origin::Provider,
        }
    }
}
