//! How the gateway verifies signatures of version 1.0 and of version 3.
//!
//! Version 1.0 is HMAC-SHA1 over all parameters; version 3 is ACS3-HMAC-SHA256 over the canonical
//! request. The sandbox has its own code for both, written from the provider's page. It shares
//! nothing with the client's `provider::sign`, so a mistake there is refused here.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

use crate::hex::hex;
use crate::sandbox::request::{Pair, hex_digit};

/// The name of the algorithm. An `Authorization` of version 3 begins with it.
pub(super) const ACS3: &str = "ACS3-HMAC-SHA256";

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

/// The string that the client must sign in version 1.0.
pub(super) fn string_to_sign(method: &str, pairs: &[Pair]) -> String {
    let mut text = format!("{method}&%2F&");
    encode_into(&mut text, &canonical_query(pairs));
    text
}

/// All pairs except the signature, encoded, in byte order of their names.
fn canonical_query(pairs: &[Pair]) -> String {
    let mut sorted: Vec<&Pair> = pairs.iter().filter(|(name, _)| name != "Signature").collect();
    // `str` compares byte by byte.
    sorted.sort();
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

/// The parts of an `Authorization` header of version 3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Authorization<'a> {
    /// The id of the access key.
    pub(super) credential: &'a str,
    /// The names of the signed headers, joined by `;`.
    pub(super) signed_headers: &'a str,
    /// The signature in lower-case hexadecimal digits.
    pub(super) signature: &'a str,
}

impl<'a> Authorization<'a> {
    /// Reads a header; `None` if a part is missing, empty, unknown or repeated.
    pub(super) fn read(header: &'a str) -> Option<Self> {
        let parts = header.trim().strip_prefix(ACS3)?.strip_prefix(' ')?;
        let (mut credential, mut signed_headers, mut signature) = (None, None, None);
        for part in parts.split(',') {
            let (name, value) = part.trim().split_once('=')?;
            let part = match name {
                "Credential" => &mut credential,
                "SignedHeaders" => &mut signed_headers,
                "Signature" => &mut signature,
                _ => return None,
            };
            if part.replace(value).is_some() || value.is_empty() {
                return None;
            }
        }
        Some(Self { credential: credential?, signed_headers: signed_headers?, signature: signature? })
    }
}

/// The canonical request of version 3.
///
/// `signed_headers` must be sorted, in lower case and joined by `;`. `header` returns a header's
/// value. `payload` is the SHA-256 of the body in hexadecimal digits.
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

/// The string that the client must sign in version 3.
pub(super) fn string_to_sign_3(canonical_request: &str) -> String {
    format!("{ACS3}\n{}", sha256_hex(canonical_request.as_bytes()))
}

/// The SHA-256 in lower-case hexadecimal digits.
pub(super) fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Whether `signature` (hexadecimal) is that of `text` in version 3. Takes constant time.
pub(super) fn verify_3(text: &str, secret: &str, signature: &str) -> bool {
    let digits: Option<Vec<u8>> = signature.bytes().map(hex_digit).collect();
    let Some(digits) = digits.filter(|digits| digits.len() == 64) else { return false };
    let bytes: Vec<u8> = digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect();
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { return false };
    mac.update(text.as_bytes());
    mac.verify_slice(&bytes).is_ok()
}

/// Whether `signature` (base64) is that of `text` in version 1.0. Takes constant time.
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
    use crate::sandbox::request::decode_pairs;

    const VECTORS: &str = include_str!("../../../tests/data/signature-vectors.json");

    #[test]
    fn the_published_vectors_of_version_1_are_verified() {
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
            let read = Authorization::read(text("authorization")).unwrap();
            assert_eq!((read.credential, read.signature), (text("access_key_id"), text("signature")));
            let payload = text("hashed_payload");
            let canonical = canonical_request(text("method"), &query, read.signed_headers, header, payload);
            assert_eq!(canonical, text("canonical_request"), "{}", text("name"));
            let signed = string_to_sign_3(&canonical);
            assert_eq!(signed, text("string_to_sign"), "{}", text("name"));
            assert!(verify_3(&signed, text("access_key_secret"), read.signature));
            assert!(!verify_3(&signed, "another", read.signature));
            assert!(!verify_3(&signed, text("access_key_secret"), &read.signature[1..]));
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
    fn a_signature_is_valid_only_for_its_own_request() {
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
}
