//! Signs requests to OSS with signature version 4 and the key that is valid now.

use std::fmt;

use http::Request;
use opendal::Buffer;
use reqsign_aliyun_oss::{Credential, RequestSigner, SigningVersion};
use reqsign_core::{Context, SignRequest as _};

use super::error::Failure;
use crate::provider::credentials::CredentialCache;

/// Signs requests to one bucket.
pub(super) struct OssSigner {
    keys: CredentialCache,
    signer: RequestSigner,
}

impl fmt::Debug for OssSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OssSigner")
    }
}

impl OssSigner {
    /// The signer for a bucket in this region, such as `cn-hangzhou`.
    pub(super) fn new(bucket: &str, region: &str, keys: CredentialCache) -> Self {
        let signer = RequestSigner::new(bucket).with_region(region).with_signing_version(SigningVersion::V4);
        Self { keys, signer }
    }

    /// The signed request.
    ///
    /// # Errors
    ///
    /// There is no valid key, or the request cannot be signed.
    pub(super) async fn sign(&self, request: Request<Buffer>) -> Result<Request<Buffer>, Failure> {
        self.keys.ready().await.map_err(|reason| Failure::NoKey(reason.to_string()))?;
        let key = self.keys.current().ok_or_else(|| Failure::NoKey("it has expired".into()))?;
        let key = Credential {
            access_key_id: key.access_key_id.clone(),
            access_key_secret: key.secret().to_owned(),
            security_token: key.token().map(str::to_owned),
            expires_in: None,
        };
        let (mut parts, body) = request.into_parts();
        let signed = self.signer.sign_request(&Context::new(), &mut parts, Some(&key), None).await;
        signed.map_err(|_| Failure::Other("the request cannot be signed".into()))?;
        Ok(Request::from_parts(parts, body))
    }
}
