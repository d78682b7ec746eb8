//! What a discrepancy says in words. `Display` is the English text of the discrepancy file.
//!
//! A message has no phone number, unless a column of the ledger is named after one. A number that
//! looks like one, in a product or in the provider's message, is masked.

use std::fmt;

use chrono::NaiveDate;
use compact_str::CompactString;

use crate::phone::{mask_planned, mask_text};
use crate::product::ProductId;
use crate::row_problem::Unusable;
use crate::status::{Failure, FailureKind};

/// A discrepancy in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// The call has no answer yet.
    NotAsked,
    /// The provider has no record of the call.
    NotFound {
        /// The product that was asked for.
        product: ProductId,
        /// The day that was asked for.
        day: NaiveDate,
    },
    /// The record of an answered call has no duration yet.
    NoDuration,
    /// The state may still change.
    NotFinal,
    /// There is no record yet, but the call is recent.
    TooRecent,
    /// The lookup failed; the store does not say why.
    LookupFailed,
    /// The lookup failed for this reason.
    Failed(Box<Failure>),
    /// The state code is in no table.
    UnknownState,
    /// The record is on the neighbouring day.
    OtherDay,
    /// A field of a final record has another value now.
    Amended {
        /// The field.
        field: &'static str,
    },
    /// The provider no longer has a final record.
    RecordLost,
    /// A field of the record differs from the receipt.
    ReceiptDiffers {
        /// The field.
        field: &'static str,
    },
    /// The provider pushed a receipt and has no record.
    NoRecordOfReceipt,
    /// The provider pushed a receipt of a call that no row names.
    MissingInLedger,
    /// The values of a field differ.
    Differs {
        /// The field.
        field: &'static str,
        /// The line of the ledger's value if a later row gives it, else 0.
        later_line: u64,
        /// The file of this line, if the ledger has several; else empty.
        file: CompactString,
    },
    /// The provider contradicts itself.
    Contradiction(Contradiction),
    /// A later row names the same call.
    SameCall {
        /// The line of the call's first row.
        line: u64,
        /// The file of this row, if the ledger has several; else empty.
        file: CompactString,
        /// The fields in which the rows differ.
        fields: Box<[String]>,
    },
    /// The row cannot be used.
    Unusable(Box<Unusable>),
    /// A text of a data file in which phone numbers are masked.
    Masked(Box<str>),
}

/// A rule that a record can break. The discrepancy's message begins with the rule's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contradiction {
    /// The record belongs to another call.
    OtherCall,
    /// The talk time is not the time between start and end.
    DurationVsSpan,
    /// The call was answered, but has no talk time.
    AnsweredWithoutTalk,
    /// The call was not answered, but has talk time.
    TalkWithoutAnswer,
}

impl Contradiction {
    /// Every rule of the kind `inconsistent`.
    pub const ALL: [Self; 4] =
        [Self::OtherCall, Self::DurationVsSpan, Self::AnsweredWithoutTalk, Self::TalkWithoutAnswer];

    /// The rule's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::OtherCall => "other_call",
            Self::DurationVsSpan => "duration_vs_span",
            Self::AnsweredWithoutTalk => "answered_without_talk",
            Self::TalkWithoutAnswer => "talk_without_answer",
        }
    }

    /// The field concerned.
    #[must_use]
    pub fn field(self) -> &'static str {
        match self {
            Self::OtherCall => "call_id",
            Self::DurationVsSpan | Self::AnsweredWithoutTalk | Self::TalkWithoutAnswer => "duration_s",
        }
    }

    /// What is wrong with a record that breaks the rule.
    #[must_use]
    pub fn rule(self) -> &'static str {
        match self {
            Self::OtherCall => "the record has another CallId than the request",
            Self::DurationVsSpan => "duration is not endDate - startDate",
            Self::AnsweredWithoutTalk => "answered, but the talk time is 0 seconds",
            Self::TalkWithoutAnswer => "not answered, but the talk time is not 0 seconds",
        }
    }
}

impl Failure {
    /// Code and message in one text, without a full stop at its end and with masked phone numbers.
    #[must_use]
    pub fn shown(&self) -> String {
        mask_text(&format!("{}: {}", self.code, self.message.trim_end_matches(['.', '。'])))
    }
}

impl FailureKind {
    fn next_run(self) -> &'static str {
        match self {
            Self::Malformed => "the next run asks again",
            Self::Exhausted => "every attempt failed; the next run asks again",
            Self::Rejected => "later runs ask again only with --refresh",
        }
    }
}

impl ProductId {
    /// The id, masked if it looks like a phone number.
    #[must_use]
    pub fn shown(self) -> String {
        mask_planned(&self.0.to_string(), &[])
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAsked => "no answer yet; the next run asks",
            Self::NotFound { product, day } => {
                let product = product.shown();
                return write!(
                    f,
                    "the provider has no record of this CallId for product {product} on {day}: the CallId does not \
                     exist, or the product, the day or the account is wrong"
                );
            }
            Self::NoDuration => {
                "the call was answered, but its record has no duration yet; the next run asks again"
            }
            Self::NotFinal => "the call's state is not final yet; the next run asks again",
            Self::TooRecent => {
                "no record yet, and the call is too recent to count as not found; the next run asks again"
            }
            Self::LookupFailed => "the lookup failed",
            Self::Failed(failure) => {
                return write!(f, "{}; {}", failure.shown(), failure.kind.next_run());
            }
            Self::UnknownState => "the state code is in none of the provider's tables",
            Self::OtherDay => "the provider has the record on the neighbouring day",
            Self::Amended { field } => {
                return write!(f, "the provider changed {field} after the record was final");
            }
            Self::RecordLost => {
                "the provider had a final record and has none now; the stored record still counts"
            }
            Self::ReceiptDiffers { field } => {
                return write!(f, "{field} of the record differs from the receipt");
            }
            Self::NoRecordOfReceipt => "the provider pushed a receipt, but has no record",
            Self::MissingInLedger => "the provider pushed a receipt of this call, but no row names it",
            Self::Differs { field, later_line: 0, .. } => return write!(f, "{field} differs"),
            Self::Differs { field, later_line, file } => {
                let of = if file.is_empty() { "" } else { " of " };
                return write!(f, "{field} differs; the ledger's value is on line {later_line}{of}{file}");
            }
            Self::Contradiction(rule) => return write!(f, "{}: {}", rule.name(), rule.rule()),
            Self::SameCall { line, file, fields } => {
                let of = if file.is_empty() { "" } else { " of " };
                if fields.is_empty() {
                    return write!(f, "names the same call as line {line}{of}{file}, with the same values");
                }
                let fields = fields.join(", ");
                return write!(
                    f,
                    "names the same call as line {line}{of}{file}; differs in {fields}; line {line}{of}{file} \
                     counts, and a later row only where it has no value"
                );
            }
            Self::Unusable(unusable) => return unusable.fmt(f),
            Self::Masked(text) => text,
        })
    }
}
