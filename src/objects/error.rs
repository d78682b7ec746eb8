//! Errors of object storage: which bucket and key, what the service said, and what to do.

use std::error::Error as StdError;

use super::url::{ObjectUrl, Service};
use crate::error::Error;
use crate::exit::Exit;

/// Why a request to a service failed.
#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum Failure {
    /// The service answered with an error.
    #[error("the service answered HTTP {status}{}{}", before(" ", .code), before(": ", .message))]
    Refused {
        /// HTTP status.
        status: u16,
        /// The service's code; empty if it gave none.
        code: String,
        /// The service's message, which is not secret; may be empty.
        message: String,
    },
    /// There was no whole response.
    #[error("{0}")]
    NoResponse(String),
    /// No key was found, or none could be fetched.
    #[error("no access key for the bucket{}", before(": ", .0))]
    NoKey(String),
    /// The library refused the request or did not understand the response.
    #[error("{0}")]
    Other(String),
}

impl Failure {
    /// Why this operation failed. Its own text may name signed URLs, so it is not used.
    pub(super) fn of(error: &opendal::Error) -> Self {
        let mut cause: &(dyn StdError + 'static) = error;
        loop {
            if let Some(failure) = cause.downcast_ref::<Self>() {
                return failure.clone();
            }
            match cause.source() {
                Some(next) => cause = next,
                None => break,
            }
        }
        // The library wraps failures while it looks for a key in its own text only.
        if error.to_string().contains("reqsign::Sign") {
            return Self::NoKey(String::new());
        }
        Self::Other(format!("the response cannot be used ({})", error.kind()))
    }

    /// Whether the service has no such object.
    pub(super) fn is_missing(&self) -> bool {
        matches!(self, Self::Refused { status: 404, code, .. } if code != "NoSuchBucket")
    }

    /// A response whose body has another length than the request asked for.
    pub(super) fn wrong_length() -> Self {
        Self::Other("the service sent another number of bytes than it was asked for".into())
    }

    /// Whether the condition of a request does not hold: there is an object of this name already,
    /// or it is another version.
    pub(super) fn is_other(&self) -> bool {
        matches!(self, Self::Refused { status: 409 | 412, .. })
    }

    /// Whether the service does not know conditional requests.
    pub(super) fn is_unsupported(&self) -> bool {
        matches!(self, Self::Refused { status: 501, .. })
    }

    /// Whether the operator's setup is wrong: the bucket, the key, the region or the clock.
    fn is_of_setup(&self) -> bool {
        match self {
            Self::Refused { status, code, .. } => {
                matches!(status, 301 | 307 | 400 | 401) || code == "NoSuchBucket" || is_about_key(code)
            }
            Self::NoKey(_) => true,
            Self::NoResponse(_) | Self::Other(_) => false,
        }
    }

    /// What to do about it.
    fn hint(&self, service: Service) -> &'static str {
        match (self, service) {
            (Self::Refused { code, .. }, _) if code == "NoSuchBucket" => {
                "create the bucket, or correct its name, endpoint or region"
            }
            (Self::Refused { code, .. }, _) if code == "RequestTimeTooSkewed" => "set this machine's clock",
            (Self::NoKey(_), Service::S3) => {
                "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE or a role"
            }
            (Self::NoKey(_), Service::Oss) => {
                "try again; if it stays so, check the profile of the access key"
            }
            (Self::Refused { code, .. }, Service::S3) if is_about_key(code) => {
                "check the access key in AWS_ACCESS_KEY_ID or in the profile of AWS_PROFILE"
            }
            (Self::Refused { code, .. }, Service::Oss) if is_about_key(code) => {
                "check the access key of the provider's profile or environment"
            }
            (Self::Refused { status: 301 | 307 | 400, .. }, Service::S3) => {
                "set AWS_REGION to the bucket's region, or AWS_ENDPOINT_URL to its service"
            }
            (Self::Refused { status: 301 | 307 | 400, .. }, Service::Oss) => {
                "set OSS_REGION to the bucket's region, or OSS_ENDPOINT to its service"
            }
            (Self::Refused { status: 403, .. }, _) => {
                "let the key's user list the bucket, and read and write objects in it"
            }
            (Self::Refused { status: 404, .. }, _) => "check bucket and key",
            (Self::NoResponse(_), _) => "check the endpoint, DNS, the network and any proxy",
            (Self::Refused { .. } | Self::Other(_), _) => "the cause may be temporary: try again",
        }
    }

    /// The error that ends the program: `doing` is what failed, such as "cannot read".
    pub(super) fn to_error(&self, doing: &str, url: &ObjectUrl, exit: Exit) -> Error {
        let error = Error::new(exit, format!("{doing} {url}")).because(self.clone());
        match exit {
            Exit::Output => error.hint(format!(
                "{}; then run the same command again; stored answers are kept",
                self.hint(url.service)
            )),
            _ => error.hint(self.hint(url.service)),
        }
    }

    /// As [`Failure::to_error`], before the first request: a wrong setup is exit 2, else exit 6.
    pub(super) fn to_error_at_start(&self, doing: &str, url: &ObjectUrl) -> Error {
        self.to_error(doing, url, if self.is_of_setup() { Exit::Usage } else { Exit::Output })
    }
}

fn is_about_key(code: &str) -> bool {
    const CODES: [&str; 6] = [
        "InvalidAccessKeyId",
        "SignatureDoesNotMatch",
        "ExpiredToken",
        "InvalidToken",
        "SecurityTokenExpired",
        "InvalidSecurityToken",
    ];
    CODES.contains(&code)
}

/// The text after a separator; empty if there is no text.
fn before(separator: &str, text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("{separator}{text}") }
}
