//! The result of looking for a source of keys in one location.

use super::files::ReadableFile;
use super::source::Source;

/// A source that is set up.
#[derive(Debug)]
pub(super) struct FoundSource {
    pub(super) source: Source,
    /// Where it was found, for messages.
    pub(super) origin: String,
    /// Warnings for the operator about where it was found.
    pub(super) warnings: Vec<ReadableFile>,
}

impl FoundSource {
    pub(super) fn new(source: Source, origin: String) -> Self {
        Self { source, origin, warnings: Vec::new() }
    }
}

/// The result of looking in one location.
#[derive(Debug)]
pub(super) enum LookupResult {
    /// A source is set up there.
    Found(FoundSource),
    /// No source is set up there. Says what is missing.
    Missing(String),
}

impl LookupResult {
    /// A found source.
    pub(super) fn found(source: Source, origin: String) -> Self {
        Self::Found(FoundSource::new(source, origin))
    }

    /// The same with a warning about the source, if one was found.
    pub(super) fn with_warning(mut self, warning: Option<ReadableFile>) -> Self {
        if let Self::Found(found) = &mut self {
            found.warnings.extend(warning);
        }
        self
    }
}
