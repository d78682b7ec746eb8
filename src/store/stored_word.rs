//! Enums that the store keeps as words, and words that this version does not know.

use reconcile_core::status::Status;
use serde::{Serialize, Serializer};

/// An enum that the store keeps as words. The words never change.
pub trait Word: Copy + 'static {
    /// Every variant.
    const ALL: &'static [Self];

    /// The variant's word in the store.
    fn word(self) -> &'static str;

    /// The variant of a word; `None` if this version does not know the word.
    fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|known| known.word() == word)
    }
}

/// A word as read from the store.
///
/// Another version of the program, or damage, can leave a word that this version does not know.
/// The word is kept and shown to the user as it is. It is never an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoredWord<T> {
    /// This version knows the word.
    Known(T),
    /// The word as stored.
    Unknown(String),
}

impl<T: Word> StoredWord<T> {
    /// Reads a stored word.
    #[must_use]
    pub fn parse(word: &str) -> Self {
        T::parse(word).map_or_else(|| Self::Unknown(word.to_owned()), Self::Known)
    }

    /// The word as stored.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Known(known) => known.word(),
            Self::Unknown(word) => word,
        }
    }
}

impl<T: Word> Serialize for StoredWord<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl Word for Status {
    const ALL: &'static [Self] = &Self::ALL;

    fn word(self) -> &'static str {
        self.as_str()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Decision, Origin, Purpose};

    /// The words are part of the stored format.
    #[test]
    fn every_word_keeps_its_spelling() {
        fn words<T: Word + PartialEq + std::fmt::Debug>() -> Vec<&'static str> {
            T::ALL.iter().for_each(|known| assert_eq!(T::parse(known.word()), Some(*known)));
            T::ALL.iter().map(|known| known.word()).collect()
        }
        assert_eq!(words::<Origin>(), ["provider", "sandbox"]);
        assert_eq!(words::<Purpose>(), ["first", "retry", "other_day"]);
        assert_eq!(words::<Decision>(), ["answered", "again", "gave_up", "stopped"]);
        assert_eq!(words::<Status>(), ["found", "not_found", "pending", "failed", "deferred"]);
    }

    #[test]
    fn an_unknown_word_is_kept_as_stored() {
        let word = StoredWord::<Purpose>::parse("third_day");
        assert_eq!(word, StoredWord::Unknown("third_day".into()));
        assert_eq!(word.as_str(), "third_day");
        assert_eq!(serde_json::to_string(&word).ok().as_deref(), Some("\"third_day\""));
    }
}
