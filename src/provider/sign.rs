//! Signature version 1.0 of the provider's gateway (RPC style, HMAC-SHA1). Pure except for the
//! nonces.
//!
//! Source: the provider's signature page. The tests check every published vector.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit as _, Mac as _};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha1::Sha1;

use super::key::Credentials;

/// Everything except `A-Z a-z 0-9 - _ . ~` is encoded; space is `%20`, never `+`.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The initial capacity in bytes. A signed form without a security token fits in it, so its buffer
/// does not grow.
const FORM_LEN: usize = 512;

/// Encoded `name=value` pairs, joined by `&` in the given order: also the body of a form.
#[must_use]
pub fn encode_pairs(params: &[(&str, &str)]) -> String {
    let mut pairs = String::with_capacity(FORM_LEN);
    for (name, value) in params {
        if !pairs.is_empty() {
            pairs.push('&');
        }
        pairs.extend(utf8_percent_encode(name, RESERVED));
        pairs.push('=');
        pairs.extend(utf8_percent_encode(value, RESERVED));
    }
    pairs
}

/// The string to sign: method, path and the sorted parameters, each encoded once more.
#[must_use]
pub fn string_to_sign(method: &str, params: &[(&str, &str)]) -> String {
    let mut sorted = params.to_vec();
    sorted.sort_unstable();
    let mut to_sign = String::with_capacity(FORM_LEN);
    to_sign.extend([method, "&%2F&"]);
    to_sign.extend(utf8_percent_encode(&encode_pairs(&sorted), RESERVED));
    to_sign
}

/// The signature of these parameters (in any order) in base64, not yet encoded for the wire.
#[must_use]
pub fn signature(method: &str, params: &[(&str, &str)], secret: &str) -> String {
    let key = format!("{secret}&");
    // HMAC takes keys of any length, so this cannot fail; the provider would refuse an empty
    // signature.
    let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(key.as_bytes()) else { return String::new() };
    mac.update(string_to_sign(method, params).as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

/// A time in the gateway's format, such as `2026-11-24T22:00:00Z`.
#[must_use]
pub fn timestamp(now: DateTime<Utc>) -> String {
    now.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// The body of a signed POST: the operation's own parameters, the common ones with a new nonce, and
/// the signature.
#[must_use]
pub fn form(key: &Credentials, own: &[(&str, &str)], now: DateTime<Utc>) -> String {
    let (nonce, timestamp) = (uuid::Uuid::new_v4().to_string(), timestamp(now));
    let mut params = own.to_vec();
    params.extend([
        ("AccessKeyId", key.access_key_id.as_str()),
        ("SignatureMethod", "HMAC-SHA1"),
        ("SignatureNonce", nonce.as_str()),
        ("SignatureVersion", "1.0"),
        ("Timestamp", timestamp.as_str()),
    ]);
    params.extend(key.token().map(|token| ("SecurityToken", token)));
    let signature = signature("POST", &params, key.secret());
    params.push(("Signature", &signature));
    encode_pairs(&params)
}

/// Replaces the string to sign in a text by `note`.
///
/// The provider quotes that string when it refuses a signature. The string contains the security
/// token. `length` gives its length, from the texts before it and from its start on.
#[must_use]
pub(crate) fn without_string_to_sign(
    text: &str,
    length: impl FnOnce(&str, &str) -> usize,
    note: &str,
) -> String {
    const MARKER: &str = "string to sign is";
    let Some(at) = text.find(MARKER).map(|at| at + MARKER.len()) else { return text.to_owned() };
    let rest = &text[at..];
    let end = length(&text[..at], rest);
    format!("{} ({note}){}", &text[..at], &rest[end..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_id_s_caret_is_encoded_twice_in_the_string_to_sign() {
        let signed = string_to_sign("POST", &[("CallId", "116014888060^102816313060"), ("A", " *~+")]);
        assert_eq!(signed, "POST&%2F&A%3D%2520%252A~%252B%26CallId%3D116014888060%255E102816313060");
    }
}
