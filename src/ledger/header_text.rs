//! Header names as text: how they are compared, and how messages print them.

use super::values::narrow;

/// Most characters of a header that are compared for similarity; a header may be a megabyte long.
const COMPARED: usize = 64;

/// Most characters of a header that a message prints.
const PRINTED: usize = 40;

/// Most headers that a message lists.
const LISTED: usize = 30;

/// A header without what does not count: case, full width, white space, `_` and `-`.
pub(super) fn normalized(header: &str) -> String {
    let counts = |c: &char| !c.is_whitespace() && !matches!(c, '_' | '-' | '\u{feff}');
    header.chars().map(narrow).filter(counts).flat_map(char::to_lowercase).collect()
}

/// Number of characters to insert, delete or change to turn one header into the other, both
/// normalized.
pub(super) fn distance(one: &str, other: &str) -> usize {
    let start = |header: &str| normalized(header).chars().take(COMPARED).collect::<String>();
    strsim::levenshtein(&start(one), &start(other))
}

/// True for a header with as many digits as a phone number: it is data.
pub(super) fn looks_like_data(header: &str) -> bool {
    header.chars().filter(|c| c.is_numeric()).count() >= 7
}

/// A header for messages: short, printable, and with masked digits if it could be a phone number.
/// The first row of a file without a header is data.
pub(super) fn printable(header: &str) -> String {
    let mask = looks_like_data(header);
    let replace = |c: char| match c {
        c if c.is_control() => '\u{fffd}',
        c if mask && c.is_numeric() => '*',
        c => c,
    };
    let header = header.trim();
    let mut text: String = header.chars().take(PRINTED).map(replace).collect();
    if header.chars().nth(PRINTED).is_some() {
        text.push('…');
    }
    text
}

/// The printable headers of a ledger, separated by commas; only the first thirty.
pub(super) fn in_backticks(headers: &[String]) -> String {
    let mut list: Vec<String> = headers.iter().take(LISTED).map(|header| format!("`{header}`")).collect();
    if headers.len() > list.len() {
        list.push(format!("and {} more", headers.len() - list.len()));
    }
    list.join(", ")
}
