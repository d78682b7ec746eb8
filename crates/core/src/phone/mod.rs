//! Phone numbers: how they are spelled, where they are in a text, when two are equal, how they are
//! masked.
//!
//! The data files keep the numbers of ledger and provider unless `--mask-phones` is given. What
//! people see (log, errors, report, metrics, notification) always passes [`mask_text`].
//!
//! | question | file |
//! | --- | --- |
//! | Which characters are digits, and which separate them? | `digits` |
//! | Which escapes stand for a character? | `escapes` |
//! | Where are the digits of a text? | `scan` |
//! | Which digits are dates, ids and the like? | `harmless` |
//! | Which digits are a phone number? | `numbers` |
//! | What is shown of them? | `mask` |
//! | When are two numbers equal? | `compare` |

mod compare;
mod digits;
mod escapes;
mod harmless;
mod mask;
mod numbers;
mod scan;

pub use compare::{normalize_number, same_masked_number, same_number};
pub use digits::{digit_like, digits_of};
pub use mask::{mask_known, mask_number, mask_planned, mask_text};
pub use numbers::{MIN_DIGITS, Number, all_numbers_in, contains_number, mobile_numbers_in, numbers_in};

/// The fields that hold phone numbers.
pub const NUMBER_FIELDS: [&str; 4] = ["caller", "callee", "caller_show_number", "callee_show_number"];

#[cfg(test)]
mod tests;
