//! A message of the provider's queue: one JSON object in base64.

use base64::Engine as _;
use base64::alphabet::{Alphabet, STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// The JSON in a line of base64, with or without padding and quotes; `None` for any other line.
pub(super) fn json_in(line: &[u8]) -> Option<Vec<u8>> {
    let line = line.trim_ascii();
    let line = line.strip_prefix(b"\"").unwrap_or(line);
    let line = line.strip_suffix(b",").unwrap_or(line);
    let line = line.strip_suffix(b"\"").unwrap_or(line);
    // `{"` and `{ ` begin with this letter; `{` and a line end do so as well.
    if line.first() != Some(&b'e') {
        return None;
    }
    let json = [&STANDARD, &URL_SAFE].into_iter().find_map(|alphabet| decoder(alphabet).decode(line).ok())?;
    json.trim_ascii_start().starts_with(b"{").then_some(json)
}

fn decoder(alphabet: &Alphabet) -> GeneralPurpose {
    let any_padding = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    GeneralPurpose::new(alphabet, any_padding)
}
