//! Which operation a request names, and whether the sandbox supports it.

use crate::sandbox::refusal::Refusal;
use crate::sandbox::request::Request;

/// An operation of the simulated provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    /// `QueryCallDetailByCallId` of the voice service.
    QueryCallDetail,
    /// `AssumeRole` of STS.
    AssumeRole,
}

impl Operation {
    /// The operation of a request.
    ///
    /// # Errors
    ///
    /// Action or version is missing, unknown or wrong, or the operation has no reply in the
    /// format.
    pub(super) fn of(request: &Request) -> Result<Self, Refusal> {
        let (action, version) = if request.is_version_3() {
            (request.need_header("x-acs-action", "Action")?, request.need_header("x-acs-version", "Version")?)
        } else {
            (request.params.need("Action")?, request.params.need("Version")?)
        };
        let operation = Self::named(action).ok_or_else(Refusal::unknown_action)?;
        if version != operation.version() {
            let message = "Specified parameter Version is not valid.";
            return Err(Refusal::new(400, "InvalidVersion", message));
        }
        operation.check_format(request.params.get("Format"))?;
        Ok(operation)
    }

    fn named(action: &str) -> Option<Self> {
        match action {
            "QueryCallDetailByCallId" => Some(Self::QueryCallDetail),
            "AssumeRole" => Some(Self::AssumeRole),
            _ => None,
        }
    }

    fn version(self) -> &'static str {
        match self {
            Self::QueryCallDetail => "2017-05-25",
            Self::AssumeRole => "2015-04-01",
        }
    }

    fn check_format(self, format: Option<&str>) -> Result<(), Refusal> {
        let supported: &[&str] = match self {
            Self::QueryCallDetail => &["JSON", "XML"],
            Self::AssumeRole => &["JSON"],
        };
        let is_supported = |format: &str| supported.iter().any(|known| known.eq_ignore_ascii_case(format));
        if format.is_none_or(is_supported) {
            return Ok(());
        }
        let supported = supported.join(" and ");
        let message =
            format!("Specified parameter Format is not valid: the sandbox writes {supported} here.");
        Err(Refusal::new(400, "InvalidParameter.Format", message))
    }
}
