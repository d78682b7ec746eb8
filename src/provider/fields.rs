//! The fields of an envelope as they stand in it, whatever its format: their names, and what a value may be. Pure.

/// The names a field goes by, the first one before the others.
pub(super) const CODE: &[&str] = &["Code", "code"];
pub(super) const MESSAGE: &[&str] = &["Message", "message"];
pub(super) const REQUEST_ID: &[&str] = &["RequestId", "requestId", "requestid"];
pub(super) const DATA: &[&str] = &["Data", "data"];

/// Whether a field of this name is looked at.
pub(super) fn is_known(name: &str) -> bool {
    [CODE, MESSAGE, REQUEST_ID, DATA].iter().any(|names| names.contains(&name))
}

/// The fields as they stand, those that are known.
pub(super) type Fields = Vec<(String, Value)>;

/// A field's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    /// Null, or an element that is not there.
    Nothing,
    /// Text; of what is no text, the text that stands there.
    Text(String),
    /// It stands there, but no text can be made of it.
    Unreadable {
        /// What stands there.
        raw: String,
        /// Why it cannot be read.
        why: &'static str,
    },
}

impl Value {
    /// The text, where there is some.
    pub(super) fn into_text(self) -> Option<String> {
        match self {
            Self::Nothing => None,
            Self::Text(text) | Self::Unreadable { raw: text, .. } => Some(text),
        }
    }
}
