//! The claims of a request, and whether its signature proves them, in both versions.

use super::signature::{self, Authorization};
use crate::sandbox::refusal::Refusal;
use crate::sandbox::request::{Params, Request};

/// The claims of a request.
pub(super) struct Claims<'a> {
    /// `AccessKeyId`.
    pub(super) key: &'a str,
    /// `SecurityToken`.
    pub(super) token: Option<&'a str>,
    /// `Timestamp`.
    pub(super) timestamp: &'a str,
    /// `SignatureNonce`.
    pub(super) nonce: &'a str,
    proof: Proof<'a>,
}

enum Proof<'a> {
    Version1 { signature: &'a str },
    Version3 { authorization: Authorization<'a> },
}

/// The id of the access key that a request claims.
pub(crate) fn claimed_key(request: &Request) -> Option<&str> {
    match request.header("authorization") {
        Some(header) => Authorization::read(header).map(|authorization| authorization.credential),
        None => request.params.get("AccessKeyId"),
    }
}

/// The version of a request's signature, as the journal names it.
pub(crate) fn signature_version(request: &Request) -> &'static str {
    if request.is_version_3() { signature::ACS3 } else { "1.0" }
}

impl<'a> Claims<'a> {
    /// Reads the claims of a request.
    ///
    /// # Errors
    ///
    /// A part of the signature is missing or wrong.
    pub(super) fn read(request: &'a Request) -> Result<Self, Refusal> {
        match request.header("authorization") {
            Some(header) => Self::read_version_3(request, header),
            None => Self::read_version_1(&request.params),
        }
    }

    fn read_version_1(params: &'a Params) -> Result<Self, Refusal> {
        let key = params.need("AccessKeyId")?;
        let signature = params.need("Signature")?;
        let method = params.need("SignatureMethod")?;
        let version = params.need("SignatureVersion")?;
        let nonce = params.need("SignatureNonce")?;
        let timestamp = params.need("Timestamp")?;
        if method != "HMAC-SHA1" {
            return Err(unknown_method());
        }
        if version != "1.0" {
            return Err(Refusal::incomplete_signature("only SignatureVersion 1.0 is valid"));
        }
        let token = params.get("SecurityToken");
        Ok(Self { key, token, timestamp, nonce, proof: Proof::Version1 { signature } })
    }

    fn read_version_3(request: &'a Request, header: &'a str) -> Result<Self, Refusal> {
        let method = header.trim().split(' ').next().unwrap_or_default();
        if method != signature::ACS3 {
            return Err(unknown_method());
        }
        let authorization = Authorization::read(header).ok_or_else(|| {
            Refusal::incomplete_signature(
                "Authorization needs Credential, SignedHeaders and Signature, once each",
            )
        })?;
        if request.header("x-acs-content-sha256").is_none() {
            return Err(Refusal::incomplete_signature("the header x-acs-content-sha256 is missing"));
        }
        check_signed_headers(request, authorization.signed_headers)?;
        Ok(Self {
            key: authorization.credential,
            token: request.header("x-acs-security-token"),
            timestamp: request.need_header("x-acs-date", "Timestamp")?,
            nonce: request.need_header("x-acs-signature-nonce", "SignatureNonce")?,
            proof: Proof::Version3 { authorization },
        })
    }

    /// Checks the signature of a request with the key's secret.
    ///
    /// # Errors
    ///
    /// `SignatureDoesNotMatch`, with the string that the client should have signed.
    pub(super) fn verify(&self, request: &Request, secret: &str) -> Result<(), Refusal> {
        let (string_to_sign, matches) = match &self.proof {
            Proof::Version1 { signature } => {
                let text = signature::string_to_sign(&request.method, request.params.all());
                let matches = signature::verify(&text, secret, signature);
                (text, matches)
            }
            Proof::Version3 { authorization } => verify_version_3(request, authorization, secret),
        };
        if matches {
            return Ok(());
        }
        let message = format!(
            "Specified signature is not matched with our calculation. \
             server string to sign is:{string_to_sign}"
        );
        Err(Refusal::new(400, "SignatureDoesNotMatch", message))
    }
}

/// The string to sign, and whether the signature and the body's hash match.
fn verify_version_3(request: &Request, authorization: &Authorization<'_>, secret: &str) -> (String, bool) {
    // The hash of the received body; the header may claim another one.
    let payload = signature::sha256_hex(&request.body);
    let canonical = signature::canonical_request(
        &request.method,
        request.params.of_query(),
        authorization.signed_headers,
        |name| request.header(name),
        &payload,
    );
    let text = signature::string_to_sign_3(&canonical);
    let matches = signature::verify_3(&text, secret, authorization.signature)
        && request.header("x-acs-content-sha256") == Some(&payload);
    (text, matches)
}

fn unknown_method() -> Refusal {
    let message = "Specified signature method is not valid: only HMAC-SHA1 and ACS3-HMAC-SHA256 are.";
    Refusal::new(400, "InvalidSignatureMethod", message)
}

/// `SignedHeaders` must be sorted and in lower case. It must name every `x-acs-` header, `host`,
/// and `content-type` if the request has one.
fn check_signed_headers(request: &Request, names: &str) -> Result<(), Refusal> {
    let names: Vec<&str> = names.split(';').collect();
    if !names.is_sorted() || names.iter().any(|name| name.bytes().any(|b| b.is_ascii_uppercase())) {
        return Err(Refusal::incomplete_signature("SignedHeaders is not sorted or not in lower case"));
    }
    let required = |name: &str| matches!(name, "host" | "content-type") || name.starts_with("x-acs-");
    match request.headers.iter().find(|(name, _)| required(name) && !names.contains(&name.as_str())) {
        Some((name, _)) => Err(Refusal::incomplete_signature(&format!("the header {name} is not signed"))),
        None => Ok(()),
    }
}
