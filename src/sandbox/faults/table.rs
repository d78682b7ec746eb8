//! The names of all faults and conditions, and what each one does to a reply.

use std::time::Duration;

use strsim::damerau_levenshtein;

use Affects::{Calls, FirstAttempts, LaterAttempts, Requests};

use super::of_receipts::RECEIPT_FAULTS;
use crate::sandbox::refusal::Refusal;
use crate::sandbox::reply::{Effect, Step};

/// Whether a fault's share is a share of the requests or of the calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Affects {
    /// A share of the requests: the next attempt at the same call may succeed.
    Requests,
    /// A share of the calls, at their first attempt only.
    FirstAttempts,
    /// A share of the calls, at every attempt but the first.
    LaterAttempts,
    /// A share of the calls, at every attempt.
    Calls,
}

/// A fault that occurs by chance.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) name: &'static str,
    pub(super) affects: Affects,
    /// The line of the help.
    pub(super) about: &'static str,
}

const fn fault(name: &'static str, affects: Affects, about: &'static str) -> Fault {
    Fault { name, affects, about }
}

/// All faults, in the order of the help.
pub(super) const FAULTS: [Fault; 27] = [
    fault("500", Requests, "InternalError, HTTP 500"),
    fault("502", Requests, "a proxy's page, HTTP 502"),
    fault("503", Requests, "ServiceUnavailable, HTTP 503"),
    fault("504", Requests, "a proxy's page, HTTP 504"),
    fault("429", Requests, "Throttling, HTTP 429"),
    fault("throttle", Requests, "Throttling.User, HTTP 400, with a wait of one second"),
    fault("limit", Requests, "isv.BUSINESS_LIMIT_CONTROL, HTTP 200"),
    fault("system-error", Requests, "isp.SYSTEM_ERROR, HTTP 200"),
    fault("gateway-error", Requests, "isp.GATEWAY_ERROR, HTTP 200"),
    fault("unknown-error", Requests, "isp.UNKNOWN, HTTP 200"),
    fault("nonce-used", Requests, "SignatureNonceUsed, HTTP 400"),
    fault("html", Requests, "an HTML page instead of the answer, HTTP 200"),
    fault("empty", Requests, "an empty body, HTTP 200"),
    fault("truncated", Requests, "half of the body; its length looks right"),
    fault("cut", Requests, "the connection ends in the middle of the answer"),
    fault("drop", Requests, "the connection ends without an answer"),
    fault("stall", Requests, "no answer until the client gives up"),
    fault("slow", Requests, "two seconds from the first byte to the last"),
    fault("not-yet", FirstAttempts, "no record at the first attempt, then the record"),
    fault("interim", FirstAttempts, "a state that is not final at the first attempt, then the record"),
    fault("amended", LaterAttempts, "another record from the second attempt on"),
    fault("lost", LaterAttempts, "no record from the second attempt on"),
    fault("other-day", Calls, "the record is found only on the neighbouring day"),
    fault("other-product", Calls, "no record at any attempt, as for a wrong product"),
    fault("malformed", Calls, "Data that is not JSON"),
    fault("unknown-state", Calls, "a state in none of the provider's tables"),
    fault("rejected", Calls, "InvalidParameters, HTTP 400"),
];

/// A fault with another kind of value than a share.
pub(super) struct Condition {
    pub(super) name: &'static str,
    /// The form of its value.
    pub(super) example: &'static str,
    /// The line of the help.
    pub(super) about: &'static str,
}

const fn condition(name: &'static str, example: &'static str, about: &'static str) -> Condition {
    Condition { name, example, about }
}

/// All conditions, in the order of the help.
pub(super) const CONDITIONS: [Condition; 7] = [
    condition("late", "30s", "no record until this long after the call's first request"),
    condition("skew", "20m", "the provider's clock is ahead by this much (-20m: behind)"),
    condition(
        "throttle-burst",
        "every 5m",
        "every request is throttled for a tenth of that time, at most ten seconds",
    ),
    condition(
        "denied",
        "500..520",
        "Forbidden.RAM from the 500th to the 519th request; also 10m..12m, or 500..",
    ),
    condition("token-expired", "500..520", "InvalidSecurityToken.Expired; as denied"),
    condition("key-disabled", "500..520", "InvalidAccessKeyId.Inactive; as denied"),
    condition("arrears", "500..520", "isv.OUT_OF_SERVICE; as denied"),
];

/// The list of all faults for the help of `reconcile sandbox`.
#[must_use]
pub fn faults_help() -> String {
    let line = |name: &str, about: &str| format!("  {name:<24} {about}\n");
    let list = |requests: bool| -> String {
        let listed = FAULTS.iter().filter(|fault| (fault.affects == Requests) == requests);
        listed.map(|fault| line(fault.name, fault.about)).collect()
    };
    let conditions: String = CONDITIONS
        .iter()
        .map(|condition| line(&format!("{}={}", condition.name, condition.example), condition.about))
        .collect();
    let of_receipts: String = RECEIPT_FAULTS.iter().map(|(name, _, about)| line(name, about)).collect();
    format!(
        "Faults with a share of the requests, for example 503=2%:\n{}\
         Faults with a share of the calls:\n{}\
         Faults with a share of the receipts of --receipts-out:\n{of_receipts}\
         Faults with other values:\n{conditions}",
        list(true),
        list(false),
    )
}

/// The step for the name of a fault, for `record` or for `no-record`.
///
/// # Errors
///
/// The name is unknown; the message names the nearest one.
pub(crate) fn step(name: &str) -> Result<Step, String> {
    if let Some(refusal) = refusal(name) {
        return Ok(Effect::Error(refusal).into());
    }
    let effect = match name {
        "record" => Effect::Record,
        "no-record" | "not-yet" | "lost" | "other-product" => Effect::NoRecord,
        "502" => Effect::Page { status: 502 },
        "504" => Effect::Page { status: 504 },
        "html" => Effect::Page { status: 200 },
        "empty" => Effect::Empty,
        "truncated" => Effect::Truncated,
        "cut" => Effect::Cut,
        "drop" => Effect::Dropped,
        "stall" => Effect::Never,
        "slow" => return Ok(Step { drip: Duration::from_secs(2), ..Effect::Record.into() }),
        "interim" => Effect::Interim,
        "amended" => Effect::Amended,
        "other-day" => Effect::OtherDay,
        "malformed" => Effect::Malformed,
        "unknown-state" => Effect::UnknownState,
        _ => {
            let spells = ["denied", "token-expired", "key-disabled", "arrears"];
            return Err(unknown_fault(name, ["record", "no-record"].into_iter().chain(spells)));
        }
    };
    Ok(effect.into())
}

/// The error that a fault replies; `None` if it does something else.
pub(super) fn refusal(name: &str) -> Option<Refusal> {
    let refusal = Refusal::new;
    Some(match name {
        "500" => {
            refusal(500, "InternalError", "The request processing has failed due to some unknown error.")
        }
        "503" => {
            let message = "The request has failed due to a temporary failure of the server.";
            refusal(503, "ServiceUnavailable", message)
        }
        "429" => refusal(429, "Throttling", "Request was denied due to request throttling."),
        "throttle" => Refusal::throttled(Duration::from_secs(1)),
        "limit" => refusal(200, "isv.BUSINESS_LIMIT_CONTROL", "该被叫号触发被叫流控,partnerId=,prodId="),
        "system-error" => refusal(200, "isp.SYSTEM_ERROR", "系统错误，请稍后重试"),
        "gateway-error" => refusal(200, "isp.GATEWAY_ERROR", "网元处理调用失败"),
        "unknown-error" => refusal(200, "isp.UNKNOWN", "未知错误"),
        "nonce-used" => Refusal::nonce_used(),
        "rejected" => Refusal::invalid_parameters(),
        "denied" => Refusal::not_authorized(),
        "token-expired" => Refusal::expired_token(),
        "key-disabled" => Refusal::inactive_key(),
        "arrears" => Refusal::arrears(),
        _ => return None,
    })
}

/// The message about an unknown name. It suggests the nearest name among all faults and `more`.
pub(super) fn unknown_fault(name: &str, more: impl Iterator<Item = &'static str>) -> String {
    let known = FAULTS.iter().map(|fault| fault.name).chain(more);
    let nearest = known.min_by_key(|known| damerau_levenshtein(name, known)).unwrap_or_default();
    format!("there is no fault `{name}`; did you mean `{nearest}`?")
}
