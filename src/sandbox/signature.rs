//! How the gateway reads and verifies signatures: version 1.0 (HMAC-SHA1 over all parameters) and ACS3-HMAC-SHA256
//! (version 3, over the canonical request).
//!
//! Written a second time, from the provider's page and apart from `provider::sign`: decoding, encoding and the
//! strings to sign share no line with the client's, so that the sandbox can fail the client. Pure.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

/// A name with its value, as they were sent and decoded.
pub(super) type Pair = (String, String);

/// What an `Authorization` of version 3 begins with.
pub(super) const ACS3: &str = "ACS3-HMAC-SHA256";

/// The pairs of a query or a form, decoded; `None` when an escape is broken or the text is no UTF-8.
pub(super) fn decode_pairs(raw: &str) -> Option<Vec<Pair>> {
    let mut pairs = Vec::new();
    for pair in raw.split('&').filter(|pair| !pair.is_empty()) {
        let cut = pair.find('=');
        let (name, value) = (&pair[..cut.unwrap_or(pair.len())], cut.map_or("", |at| &pair[at + 1..]));
        pairs.push((decode(name)?, decode(value)?));
    }
    Some(pairs)
}

fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => nibble(rest.next()?)? << 4 | nibble(rest.next()?)?,
            // As every server reads a form; a client that means a plus sign must escape it.
            b'+' => b' ',
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

fn encode_into(out: &mut String, text: &str) {
    const DIGITS: [char; 16] =
        ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'];
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(DIGITS[usize::from(byte >> 4)]);
            out.push(DIGITS[usize::from(byte & 15)]);
        }
    }
}

/// What the client must have signed: all pairs but the signature itself, in byte order of their names.
pub(super) fn string_to_sign(method: &str, pairs: &[Pair]) -> String {
    let mut text = format!("{method}&%2F&");
    encode_into(&mut text, &canonical_query(pairs));
    text
}

/// All pairs but the signature itself, in byte order of their names, encoded.
fn canonical_query(pairs: &[Pair]) -> String {
    let mut sorted: Vec<&Pair> = pairs.iter().filter(|(name, _)| name != "Signature").collect();
    sorted
        .sort_by(|a, b| a.0.as_bytes().cmp(b.0.as_bytes()).then_with(|| a.1.as_bytes().cmp(b.1.as_bytes())));
    let mut canonical = String::new();
    for (name, value) in sorted {
        if !canonical.is_empty() {
            canonical.push('&');
        }
        encode_into(&mut canonical, name);
        canonical.push('=');
        encode_into(&mut canonical, value);
    }
    canonical
}

/// An `Authorization` header of version 3, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Authorization<'a> {
    /// The access key's id.
    pub(super) credential: &'a str,
    /// The names of the headers that are signed, as they stand there.
    pub(super) signed_headers: &'a str,
    /// Lower-case hex.
    pub(super) signature: &'a str,
}

impl<'a> Authorization<'a> {
    /// `None` when a part is missing or empty, or stands twice.
    pub(super) fn read(header: &'a str) -> Option<Self> {
        let parts = header.trim().strip_prefix(ACS3)?.strip_prefix(' ')?;
        let (mut credential, mut signed_headers, mut signature) = (None, None, None);
        for part in parts.split(',') {
            let (name, value) = part.trim().split_once('=')?;
            let place = match name {
                "Credential" => &mut credential,
                "SignedHeaders" => &mut signed_headers,
                "Signature" => &mut signature,
                _ => return None,
            };
            if place.replace(value).is_some() || value.is_empty() {
                return None;
            }
        }
        Some(Self { credential: credential?, signed_headers: signed_headers?, signature: signature? })
    }
}

/// The canonical request of version 3. `signed_headers` have to be sorted, in lower case, and joined by `;`; `header`
/// gives their values, `payload` is the SHA-256 of the body in hex.
pub(super) fn canonical_request<'a>(
    method: &str,
    query: &[Pair],
    signed_headers: &str,
    header: impl Fn(&str) -> Option<&'a str>,
    payload: &str,
) -> String {
    let mut text = format!("{method}\n/\n{}\n", canonical_query(query));
    for name in signed_headers.split(';') {
        text.push_str(&format!("{name}:{}\n", header(name).unwrap_or_default().trim()));
    }
    text.push_str(&format!("\n{signed_headers}\n{payload}"));
    text
}

/// What the client must have signed of a canonical request.
pub(super) fn string_to_sign_3(canonical_request: &str) -> String {
    format!("{ACS3}\n{}", sha256_hex(canonical_request.as_bytes()))
}

/// SHA-256 in lower-case hex.
pub(super) fn sha256_hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut hex = String::with_capacity(64);
    for byte in Sha256::digest(bytes) {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}

/// Whether `signature` (hex) is that of `text` under `secret`; compared in constant time.
pub(super) fn verify_3(text: &str, secret: &str, signature: &str) -> bool {
    let digits: Option<Vec<u8>> = signature.bytes().map(nibble).collect();
    let Some(digits) = digits.filter(|digits| digits.len() == 64) else { return false };
    let bytes: Vec<u8> = digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect();
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { return false };
    mac.update(text.as_bytes());
    mac.verify_slice(&bytes).is_ok()
}

/// Whether `signature` (base64) is that of `text` under `secret`; compared in constant time.
pub(super) fn verify(text: &str, secret: &str, signature: &str) -> bool {
    let Ok(signature) = STANDARD.decode(signature) else { return false };
    let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(&[secret.as_bytes(), b"&"].concat()) else { return false };
    mac.update(text.as_bytes());
    mac.verify_slice(&signature).is_ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::provider::sign;

    const VECTORS: &str = include_str!("../../tests/data/signature-vectors.json");

    #[test]
    fn the_published_vectors_are_verified() {
        let vectors: serde_json::Value = serde_json::from_str(VECTORS).unwrap();
        let vectors = vectors["rpc_v1"].as_array().unwrap();
        assert!(vectors.len() >= 16);
        for vector in vectors {
            let text = |name: &str| vector[name].as_str().unwrap();
            let pairs: Vec<Pair> = vector["params"]
                .as_object()
                .unwrap()
                .iter()
                .map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()))
                .collect();
            let signed = string_to_sign(text("method"), &pairs);
            assert_eq!(signed, text("string_to_sign"), "{}", text("name"));
            assert!(verify(&signed, text("access_key_secret"), text("signature")), "{}", text("name"));
            assert!(!verify(&signed, "another", text("signature")), "{}", text("name"));
        }
    }

    #[test]
    fn the_published_vectors_of_version_3_are_verified() {
        let vectors: serde_json::Value = serde_json::from_str(VECTORS).unwrap();
        let vectors = vectors["acs3"].as_array().unwrap();
        assert!(vectors.len() >= 3);
        for vector in vectors {
            let text = |name: &str| vector[name].as_str().unwrap();
            let query = vector["query"].as_object().unwrap().iter();
            let query: Vec<Pair> =
                query.map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())).collect();
            let header = |name: &str| vector["headers"][name].as_str();
            let given = Authorization::read(text("authorization")).unwrap();
            assert_eq!((given.credential, given.signature), (text("access_key_id"), text("signature")));
            let payload = text("hashed_payload");
            let canonical = canonical_request(text("method"), &query, given.signed_headers, header, payload);
            assert_eq!(canonical, text("canonical_request"), "{}", text("name"));
            let signed = string_to_sign_3(&canonical);
            assert_eq!(signed, text("string_to_sign"), "{}", text("name"));
            assert!(verify_3(&signed, text("access_key_secret"), given.signature));
            assert!(!verify_3(&signed, "another", given.signature));
            assert!(!verify_3(&signed, text("access_key_secret"), &given.signature[1..]));
        }
    }

    #[test]
    fn an_authorization_has_three_parts_once_each() {
        let whole = "ACS3-HMAC-SHA256 Credential=a, SignedHeaders=host;x-acs-date, Signature=00";
        assert_eq!(Authorization::read(whole).unwrap().signed_headers, "host;x-acs-date");
        for broken in [
            "",
            "ACS3-HMAC-SHA256",
            "ACS3-HMAC-SHA256 Credential=a,SignedHeaders=host",
            "ACS3-HMAC-SHA256 Credential=,SignedHeaders=host,Signature=00",
            "ACS3-HMAC-SHA256 Credential=a,Credential=a,SignedHeaders=host,Signature=00",
            "ACS3-HMAC-SHA256 Credential=a,SignedHeaders=host,Signature=00,More=1",
            "Basic Credential=a,SignedHeaders=host,Signature=00",
        ] {
            assert_eq!(Authorization::read(broken), None, "{broken}");
        }
    }

    #[test]
    fn what_the_client_signs_is_verified_and_nothing_else() {
        for value in ["1^2", "a b", "阿里云 语音", "1+1", "*", "~x~", "", "%5E", "a=b&c", "\u{1f600}"] {
            let params = [("CallId", value), ("AccessKeyId", "testid"), ("a", "1"), ("B", "2")];
            let signature = sign::signature("POST", &params, "testsecret");
            let pairs = decode_pairs(&sign::encode_pairs(&params)).unwrap();
            assert_eq!(pairs[0].1, value);
            let text = string_to_sign("POST", &pairs);
            assert!(verify(&text, "testsecret", &signature), "{value}");
            assert!(!verify(&string_to_sign("GET", &pairs), "testsecret", &signature), "{value}");
            let mut tampered = pairs.clone();
            tampered[0].1.push('x');
            assert!(!verify(&string_to_sign("POST", &tampered), "testsecret", &signature), "{value}");
        }
    }

    #[test]
    fn a_broken_escape_or_bytes_that_are_no_text_are_not_read() {
        for raw in ["a=%", "a=%5", "a=%5g", "%ff=1", "a=%e9"] {
            assert_eq!(decode_pairs(raw), None, "{raw}");
        }
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(
            decode_pairs("a=1+1&&b&c=x=y%5e").unwrap(),
            [pair("a", "1 1"), pair("b", ""), pair("c", "x=y^")]
        );
    }
}
