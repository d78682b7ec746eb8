//! Refusals: the errors with which the simulated provider refuses a request.

use std::time::Duration;

/// An error in the provider's own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    /// HTTP status.
    pub(super) status: u16,
    /// `Code`.
    pub(super) code: String,
    /// `Message`.
    pub(super) message: String,
    /// `x-acs-retry-after`, in milliseconds.
    pub(super) retry_after_ms: Option<u64>,
}

impl Refusal {
    /// A refusal without a time to wait.
    pub(super) fn new(status: u16, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { status, code: code.into(), message: message.into(), retry_after_ms: None }
    }

    /// Flow control, with the time to wait.
    pub(super) fn throttled(wait: Duration) -> Self {
        let ms = wait.as_micros().div_ceil(1000).max(1);
        Self {
            retry_after_ms: Some(u64::try_from(ms).unwrap_or(u64::MAX)),
            ..Self::new(400, "Throttling.User", "Request was denied due to user flow control.")
        }
    }

    /// The HTTP method or path belongs to no API.
    pub(super) fn unknown_path() -> Self {
        Self::unknown_api("InvalidApi.NotFound")
    }

    /// The service has no such operation.
    pub(super) fn unknown_action() -> Self {
        Self::unknown_api("InvalidAction.NotFound")
    }

    fn unknown_api(code: &str) -> Self {
        Self::new(404, code, "Specified api is not found, please check your url and method.")
    }

    /// A required parameter or header is missing or empty.
    pub(super) fn missing(name: &str) -> Self {
        Self::new(400, format!("Missing{name}"), format!("{name} is mandatory for this action."))
    }

    /// The parameters of the call query are wrong.
    pub(super) fn invalid_parameters() -> Self {
        Self::new(400, "InvalidParameters", "The specified parameters are invalid.")
    }

    /// A part of the signature breaks the provider's rules.
    pub(super) fn incomplete_signature(why: &str) -> Self {
        let message = format!("The request signature does not conform to Aliyun standards: {why}.");
        Self::new(400, "IncompleteSignature", message)
    }

    /// An earlier request had the same nonce.
    pub(super) fn nonce_used() -> Self {
        Self::new(400, "SignatureNonceUsed", "Specified signature nonce was used already.")
    }

    /// The access key is disabled.
    pub(super) fn inactive_key() -> Self {
        Self::new(400, "InvalidAccessKeyId.Inactive", "Specified access key is disabled.")
    }

    /// The security token has expired.
    pub(super) fn expired_token() -> Self {
        Self::new(400, "InvalidSecurityToken.Expired", "Specified SecurityToken is expired.")
    }

    /// The user has no permission for this operation.
    pub(super) fn not_authorized() -> Self {
        let message =
            "User not authorized to operate on the specified resource, or this API doesn't support RAM.";
        Self::new(403, "Forbidden.RAM", message)
    }

    /// The account is in arrears.
    pub(super) fn arrears() -> Self {
        Self::new(200, "isv.OUT_OF_SERVICE", "业务停机")
    }
}
