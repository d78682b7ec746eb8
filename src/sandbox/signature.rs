//! How the gateway reads and verifies a signature, version 1.0.
//!
//! Written a second time, from the provider's page and apart from `provider::sign`: decoding, encoding and the
//! string to sign share no line with the client's, so that the sandbox can fail the client. Pure.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;

/// The pairs of a query or a form, decoded; `None` when an escape is broken or the text is no UTF-8.
pub(super) fn decode_pairs(raw: &str) -> Option<Vec<(String, String)>> {
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
pub(super) fn string_to_sign(method: &str, pairs: &[(String, String)]) -> String {
    let mut sorted: Vec<&(String, String)> = pairs.iter().filter(|(name, _)| name != "Signature").collect();
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
    let mut text = format!("{method}&%2F&");
    encode_into(&mut text, &canonical);
    text
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
            let pairs: Vec<(String, String)> = vector["params"]
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
