//! The fields of an envelope in either format: their names, and the values they may have. Pure.

// The accepted names of each field; earlier names take precedence.

pub(super) const CODE: &[&str] = &["Code", "code"];
pub(super) const MESSAGE: &[&str] = &["Message", "message"];
pub(super) const REQUEST_ID: &[&str] = &["RequestId", "requestId", "requestid"];
pub(super) const DATA: &[&str] = &["Data", "data"];

/// Why a text is not an envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotEnvelope {
    /// It begins and ends like an envelope, but is not valid JSON or XML.
    Invalid,
    /// It is something else, or part of an envelope.
    Other,
}

/// True if a field with this name is read.
pub(super) fn is_known(name: &str) -> bool {
    [CODE, MESSAGE, REQUEST_ID, DATA].iter().any(|names| names.contains(&name))
}

/// Known fields with their values, in the order of the envelope.
pub(super) type Fields = Vec<(String, FieldValue)>;

/// A field's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum FieldValue {
    /// Null, or a missing element.
    Nothing,
    /// The text of a string, or the source text of a number, an object or an array.
    Text(String),
    /// Source text that cannot be decoded.
    Unreadable {
        /// The source text.
        raw: String,
        /// Why it cannot be decoded.
        why: &'static str,
    },
}

impl FieldValue {
    /// The text, or the source text of an unreadable value; `None` for null.
    pub(super) fn into_text(self) -> Option<String> {
        match self {
            Self::Nothing => None,
            Self::Text(text) | Self::Unreadable { raw: text, .. } => Some(text),
        }
    }
}
