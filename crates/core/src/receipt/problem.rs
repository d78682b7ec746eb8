//! Why a receipt is unusable. The words never quote a value.

use std::fmt;

use super::field::ReceiptField;

/// Why a receipt is unusable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReceiptProblem {
    /// The bytes are not text in the file's encoding.
    NotText,
    /// The text is neither JSON nor base64 of JSON.
    NotJson,
    /// The JSON is not an object.
    NotAnObject,
    /// It is longer than 1 MiB.
    TooLong,
    /// A row of a table has a quote that is never closed.
    UnclosedQuote,
    /// A row of a table has more values than columns.
    WrongWidth,
    /// It has no CallId.
    NoCallId,
    /// Its CallId is damaged.
    BadCallId,
    /// It has nothing but a CallId.
    Empty,
    /// It has neither `originate_time` nor `status_code`.
    NoReceipt,
    /// It is another message of the provider, such as a state on the way or a recording.
    OtherMessage,
    /// A field occurs twice with different values.
    Twice(ReceiptField),
    /// A value is neither text nor a number, or its digits are lost.
    NotAValue(ReceiptField),
    /// A value is not a time.
    NotATime(ReceiptField),
    /// A value is not a number of whole seconds.
    NotSeconds(ReceiptField),
}

impl fmt::Display for ReceiptProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotText => f.write_str("not text in the encoding of its file; copy the file again"),
            Self::NotJson => f.write_str("neither JSON nor base64 of JSON; it may be cut off"),
            Self::NotAnObject => f.write_str("no JSON object; write one object for each receipt"),
            Self::TooLong => f.write_str("longer than 1 MiB; check whether the file is damaged"),
            Self::UnclosedQuote => f.write_str("a quote is never closed; close it"),
            Self::WrongWidth => {
                f.write_str("more values than columns; put texts with a delimiter into quotes")
            }
            Self::NoCallId => f.write_str("no call_id; a receipt without one belongs to no call"),
            Self::BadCallId => f.write_str("the call_id is damaged or masked; export it as text"),
            Self::Empty => f.write_str("nothing but a call_id"),
            Self::NoReceipt => f.write_str("no receipt: it has neither originate_time nor status_code"),
            Self::OtherMessage => f.write_str(
                "another message than VoiceReport; keep the messages of each type in a file of their own",
            ),
            Self::Twice(field) => write!(f, "{} occurs twice with different values", field.name()),
            Self::NotAValue(field) => write!(
                f,
                "{} is neither text nor a whole number; a spreadsheet may have changed it",
                field.name()
            ),
            Self::NotATime(field) => {
                write!(f, "{} is no time; write YYYY-MM-DD HH:MM:SS (UTC+8)", field.name())
            }
            Self::NotSeconds(field) => write!(f, "{} is no number of whole seconds", field.name()),
        }
    }
}
