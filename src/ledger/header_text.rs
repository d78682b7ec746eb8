//! Header names as text: how they are compared, and how messages print them.

use reconcile_core::ledger_field::normalized;

/// Maximum number of characters compared for similarity. A header may be a megabyte long.
const MAX_COMPARED_CHARS: usize = 64;

/// Maximum number of characters of a header in a message.
const MAX_PRINTED_CHARS: usize = 40;

/// Maximum number of headers in a message.
const MAX_LISTED: usize = 30;

/// Number of characters to insert, delete or change to turn one header into the other, both
/// normalized.
pub(super) fn distance(one: &str, other: &str) -> usize {
    let start = |header: &str| normalized(header).chars().take(MAX_COMPARED_CHARS).collect::<String>();
    strsim::levenshtein(&start(one), &start(other))
}

/// True for a header with at least as many digits as a phone number: it is probably data.
pub(super) fn looks_like_data(header: &str) -> bool {
    header.chars().filter(|c| c.is_numeric()).count() >= 7
}

/// A header for messages: short, printable, and with masked digits if it could be a phone number.
/// In a file without a header row, the first row is data.
pub(super) fn printable(header: &str) -> String {
    let mask = looks_like_data(header);
    let replace = |c: char| match c {
        c if c.is_control() => '\u{fffd}',
        c if mask && c.is_numeric() => '*',
        c => c,
    };
    let header = header.trim();
    let mut text: String = header.chars().take(MAX_PRINTED_CHARS).map(replace).collect();
    if header.chars().nth(MAX_PRINTED_CHARS).is_some() {
        text.push('…');
    }
    text
}

/// The printable headers of a ledger, separated by commas; only the first thirty.
pub(super) fn in_backticks(headers: &[String]) -> String {
    let mut list: Vec<String> = headers.iter().take(MAX_LISTED).map(|header| format!("`{header}`")).collect();
    if headers.len() > list.len() {
        list.push(format!("and {} more", headers.len() - list.len()));
    }
    list.join(", ")
}
