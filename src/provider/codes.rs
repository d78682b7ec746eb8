//! The one table of the provider's codes: what each means for a call and for the run. Pure.
//!
//! Classified by `Code` first and by HTTP status second, because the provider's pages disagree on the
//! status. Sources: the error pages of the voice service and of the gateway; the classes are ours.
//! docs/provider.md is written from this table.

/// What an error means for this call and for all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Too many requests: everybody slows down; this call tries again.
    Throttle,
    /// May go away by itself: tried again after a pause.
    Transient,
    /// Like [`Class::Transient`], but not worth more than three tries: it may be about this call alone.
    Doubtful,
    /// The gateway has seen this nonce; tried again at once with a new one, and if that is refused as well,
    /// after a pause like any other transient error.
    Nonce,
    /// The clocks disagree; signed once more with the provider's time, then the run stops.
    Clock,
    /// The security token has expired or is not this key's: a new key is fetched, once, where the source gives
    /// temporary ones, and signed with; else the run stops. Says what the operator has to do.
    Token(&'static str),
    /// Something on the way to the provider that is most likely the same for every call, or else one hiccup of a
    /// proxy: tried once more after a pause, then the run stops. Says what the operator has to do.
    Route(&'static str),
    /// The provider says in an error that it has no such record.
    NoRecord,
    /// Permanent for this call; the run goes on.
    Row,
    /// The same for every call: the run stops at once. Says what the operator has to do.
    Fatal(&'static str),
}

impl Class {
    /// The word for it in docs/provider.md.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Throttle => "throttle",
            Self::Transient => "transient",
            Self::Doubtful => "doubtful",
            Self::Nonce => "nonce",
            Self::Clock => "clock",
            Self::Token(_) => "token",
            Self::Route(_) => "route",
            Self::NoRecord => "no record",
            Self::Row => "call",
            Self::Fatal(_) => "fatal",
        }
    }

    /// What the operator has to do about it, where it stops the run.
    #[must_use]
    pub fn advice(self) -> Option<&'static str> {
        match self {
            Self::Fatal(advice) | Self::Route(advice) | Self::Token(advice) => Some(advice),
            Self::Clock => Some(SET_CLOCK),
            _ => None,
        }
    }
}

/// What to do about a clock that stays off.
pub const SET_CLOCK: &str = "set this machine's clock (NTP): it must be within 15 minutes of the provider's";
const KEYS: &str = "check the access key: it must exist, be active, and belong to its secret";
const TOKEN: &str = "get a fresh security token that belongs to this key, then run the same command again";
const PERMISSION: &str =
    "grant the key's user the RAM action dyvms:QueryCallDetailByCallId, then run the same command again";
const ACCOUNT: &str = "settle the account (arrears, product not opened, account state) in the provider's console, \
                       then run the same command again";
const REQUEST: &str = "check --endpoint: the gateway does not know this operation there";
const FORMAT: &str = "this is a fault of reconcile or of a proxy that alters requests; please report it";
const NEEDS_TLS: &str = "use an https:// endpoint";
const REDIRECT: &str = "check --endpoint, and whether a proxy or a login page stands in between: the provider never \
                        redirects, and a signed request is sent nowhere else";
const PROXY_LOGIN: &str = "the proxy wants a user name and a password: put them into HTTPS_PROXY";
const CERTIFICATE: &str = "check --endpoint and this machine's clock; where a proxy opens TLS, or the provider is one \
                           of your own, name its authority's certificate with --ca-file";

use Class::{Clock, Doubtful, Fatal, NoRecord, Nonce, Route, Row, Throttle, Token, Transient};

/// A code that the provider's pages name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// `Code`.
    pub code: &'static str,
    /// What is made of it.
    pub class: Class,
    /// What it means, in a few words.
    pub meaning: &'static str,
}

const fn known(code: &'static str, class: Class, meaning: &'static str) -> Known {
    Known { code, class, meaning }
}

/// Every code that is known, with its class.
pub const CODES: &[Known] = &[
    // Flow control.
    known("Throttling", Throttle, "too many requests"),
    known("Throttling.User", Throttle, "too many requests of this account"),
    known("Throttling.Api", Throttle, "too many requests for this operation"),
    known("isv.BUSINESS_LIMIT_CONTROL", Throttle, "flow control of the business"),
    // May go away.
    known("isp.SYSTEM_ERROR", Transient, "system error"),
    known("InternalError", Transient, "internal error"),
    known("ServiceUnavailable", Transient, "unavailable for a moment"),
    known(
        "isp.GATEWAY_ERROR",
        Doubtful,
        "the network element failed: the call is not committed yet, or permission or product are missing",
    ),
    known("isp.UNKNOWN", Doubtful, "unknown error"),
    // Signing.
    known("SignatureNonceUsed", Nonce, "the nonce was seen before"),
    known("InvalidTimeStamp.Expired", Clock, "the time stamp is more than 15 minutes off"),
    known("InvalidTimeStamp.Format", Fatal(FORMAT), "the time stamp cannot be read"),
    known("SignatureDoesNotMatch", Fatal(KEYS), "wrong secret, or a request that was altered"),
    known("IncompleteSignature", Fatal(KEYS), "the signature is not whole"),
    known("InvalidSignatureMethod", Fatal(FORMAT), "unknown signature method"),
    known("InvalidVersion", Fatal(REQUEST), "unknown version of the interface"),
    known("UnsupportedHTTPMethod", Fatal(REQUEST), "HTTP method not allowed"),
    // Keys and permission.
    known("InvalidAccessKeyId.NotFound", Fatal(KEYS), "no such access key"),
    known("InvalidAccessKeyId.Inactive", Fatal(KEYS), "the access key is switched off"),
    known("InvalidSecurityToken.Expired", Token(TOKEN), "the security token has expired"),
    known("InvalidSecurityToken.Malformed", Token(TOKEN), "the security token cannot be read"),
    known(
        "InvalidSecurityToken.MismatchWithAccessKey",
        Token(TOKEN),
        "the security token belongs to another key",
    ),
    known("MissingSecurityToken", Token(TOKEN), "a temporary key without its security token"),
    known("Forbidden.RAM", Fatal(PERMISSION), "the RAM user lacks the permission"),
    known("NoPermission", Fatal(PERMISSION), "permission missing"),
    known("Forbidden", Fatal(PERMISSION), "refused"),
    known("Forbidden.RiskControl", Fatal(PERMISSION), "refused by risk control"),
    known("isp.RAM_PERMISSION_DENY", Fatal(PERMISSION), "the RAM user lacks the permission"),
    // Account.
    known("isp.RES_OWNER_ID_UNKNOWN", Fatal(ACCOUNT), "unknown owner"),
    known("isp.USER_NOT_EXIST", Fatal(ACCOUNT), "unknown user"),
    known("isp.USER_ASSERT_NOT_EXIST", Fatal(ACCOUNT), "unknown user"),
    known("isv.OUT_OF_SERVICE", Fatal(ACCOUNT), "business stopped, for arrears as a rule"),
    known("isv.PRODUCT_UN_SUBSCRIPT", Fatal(ACCOUNT), "product not opened"),
    known("isv.PRODUCT_UNSUBSCRIBE", Fatal(ACCOUNT), "product not opened"),
    known("isv.ACCOUNT_NOT_EXISTS", Fatal(ACCOUNT), "no such account"),
    known("isv.ACCOUNT_ABNORMAL", Fatal(ACCOUNT), "the account is in an abnormal state"),
    known("isv.AMOUNT_NOT_ENOUGH", Fatal(ACCOUNT), "not enough balance"),
    known("isv.AMOUNT_NOT_ENOUG", Fatal(ACCOUNT), "the same, as one page spells it"),
    // Endpoint.
    known("InvalidAction.NotFound", Fatal(REQUEST), "no such operation at this endpoint"),
    known("InvalidApi.NotFound", Fatal(REQUEST), "no such interface at this endpoint"),
    known("InvalidProduct.NotFound", Fatal(REQUEST), "no such product at this endpoint"),
    known("InvalidProtocol.NeedSsl", Fatal(NEEDS_TLS), "https is needed"),
    // No such record, said as an error.
    known("100008.0", NoRecord, "data not available"),
    known("isv.BILLID_NOT_EXIST", NoRecord, "no such bill"),
    known("BillidNotExist", NoRecord, "no such bill"),
    // Permanent for this call.
    known("InvalidParameter.date", Row, "the date is not valid"),
    known("InvalidParameters", Row, "a parameter is wrong"),
    known("InvalidParameter", Row, "a parameter is wrong"),
    known("MissingParameter", Row, "a parameter is missing"),
    known("isv.INVALID_PARAMETERS", Row, "a parameter is wrong"),
    known("isv.PARAM_LENGTH_LIMIT", Row, "a parameter is too long"),
    known("isv.PARAM_NOT_SUPPORT_URL", Row, "a parameter holds a URL"),
    // Of the dialling operations; not expected here, and about one call if they come.
    known("isv.MOBILE_NUMBER_ILLEGAL", Row, "number not valid"),
    known("isv.DISPLAY_NUMBER_ILLEGAL", Row, "display number not valid"),
    known("isv.MOBILE_COUNT_OVER_LIMIT", Row, "too many numbers"),
    known("isv.TTS_TEMPLATE_ILLEGAL", Row, "text template not valid"),
    known("isv.TEMPLATE_ILLEGAL", Row, "template not valid"),
    known("isv.TEMPLATE_PARAMS_ILLEGAL", Row, "parameters of the template not valid"),
    known("isv.TEMPLATE_MISSING_PARAMETERS", Row, "parameters of the template missing"),
    known("isv.VOICE_FILE_ILLEGAL", Row, "voice file not valid"),
    known("isv.BLACK_KEY_CONTROL_LIMIT", Row, "a parameter holds a barred word"),
    known("isv.ASR_MODEL_ERROR", Row, "speech model not valid"),
    known("isv.COMPLAINT_REJECT", Row, "barred after complaints"),
    known("ComplaintReject", Row, "barred after complaints"),
    known("isv.VOICE_ROBOT_CALLEE_LIMIT", Row, "robot: limit of the callee"),
    known("isv.VOICE_ROBOT_NOT_PERIOD", Row, "robot: outside its hours"),
    known("isv.VOICE_CALL_PERIOD_ERROR", Row, "outside the hours for calls"),
    known("isv.VOICE_CALL_FAIL", Row, "the call failed"),
];

/// Families of codes: what stands before the first dot decides for members that no page names. Without this, a
/// refusal that is the same for every call would be kept as the lasting answer of each.
pub const FAMILIES: &[Known] = &[
    known("Throttling.*", Throttle, "flow control"),
    known("InvalidAccessKeyId.*", Fatal(KEYS), "access key"),
    known("InvalidSecurityToken.*", Token(TOKEN), "security token"),
    known("Forbidden.*", Fatal(PERMISSION), "permission"),
    known("InvalidTimeStamp.*", Fatal(FORMAT), "time stamp"),
];

/// Parameters that every request has; without one, no request can succeed.
pub const SYSTEM_PARAMETERS: [&str; 9] = [
    "AccessKeyId",
    "Action",
    "Format",
    "Signature",
    "SignatureMethod",
    "SignatureNonce",
    "SignatureVersion",
    "Timestamp",
    "Version",
];

/// The class of a code that came with an HTTP status.
#[must_use]
pub fn classify(code: &str, http_status: u16) -> Class {
    if let Some(known) = CODES.iter().find(|known| known.code == code) {
        return known.class;
    }
    let of_family = |family: &&Known| code.starts_with(family.code.trim_end_matches('*'));
    if let Some(family) = FAMILIES.iter().find(of_family) {
        return family.class;
    }
    if let Some(name) = code.strip_prefix("Missing") {
        return if SYSTEM_PARAMETERS.contains(&name) { Fatal(FORMAT) } else { Row };
    }
    if code.starts_with("Invalid") {
        return Row;
    }
    match http_status {
        429 => Throttle,
        500.. => Transient,
        _ => Row,
    }
}

/// The class of a reply that has no code at all: a proxy's page, an empty or a cut body, a redirect.
#[must_use]
pub fn classify_status(http_status: u16) -> Class {
    match http_status {
        429 => Throttle,
        407 => Route(PROXY_LOGIN),
        300..=399 => Route(REDIRECT),
        _ => Transient,
    }
}

/// The class of a request that no response came back to, by the word for what happened.
#[must_use]
pub fn classify_lost(word: &str) -> Class {
    if word == "certificate" { Route(CERTIFICATE) } else { Transient }
}

/// Codes that are about one call, unless they come for one call after the other: then it is something else, and
/// what to check is said here.
#[must_use]
pub fn suspicion(code: &str) -> Option<&'static str> {
    match code {
        "isp.GATEWAY_ERROR" => Some(
            "it looks as if the permission or the product were missing. Check that the key's user may call \
             dyvms:QueryCallDetailByCallId, that the voice service is opened for this account, and that the \
             product (--prod-id) is the one that made the calls",
        ),
        "InvalidParameter.date" => Some(
            "it looks as if the days were not those of the calls. Check the ledger's called_at and query_date, \
             and --call-date; the provider may also keep records for a shorter time",
        ),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_decides_before_the_status() {
        assert_eq!(classify("Throttling.User", 400), Throttle);
        assert_eq!(classify("isp.SYSTEM_ERROR", 200), Transient);
        assert_eq!(classify("InvalidParameters", 500), Row);
    }

    #[test]
    fn an_unknown_code_is_permanent_for_its_call_unless_the_server_failed() {
        assert_eq!(classify("isv.SOMETHING_NEW", 200), Row);
        assert_eq!(classify("isv.SOMETHING_NEW", 400), Row);
        assert_eq!(classify("isv.SOMETHING_NEW", 503), Transient);
        assert_eq!(classify("isv.SOMETHING_NEW", 429), Throttle);
    }

    #[test]
    fn a_missing_parameter_is_fatal_only_when_every_request_needs_it() {
        assert!(matches!(classify("MissingTimestamp", 400), Fatal(_)));
        assert_eq!(classify("MissingCallId", 400), Row);
        assert_eq!(classify("MissingParameter", 500), Row);
        assert_eq!(classify("InvalidCallId", 500), Row);
    }

    #[test]
    fn a_member_of_a_family_that_no_page_names_is_of_its_family_s_class() {
        assert_eq!(classify("Throttling.Instance", 400), Throttle);
        assert_eq!(classify("InvalidAccessKeyId.Frozen", 403), Fatal(KEYS));
        assert_eq!(classify("Forbidden.Unauthorized", 200), Fatal(PERMISSION));
        assert_eq!(classify("ForbiddenFruit", 200), Row);
    }

    #[test]
    fn whatever_stops_the_run_says_what_to_do() {
        for known in CODES.iter().chain(FAMILIES) {
            let stops = matches!(known.class, Fatal(_) | Clock | Token(_) | Route(_));
            assert_eq!(known.class.advice().is_some_and(|a| !a.is_empty()), stops, "{}", known.code);
        }
    }

    #[test]
    fn no_code_stands_in_the_table_twice() {
        for (i, known) in CODES.iter().enumerate() {
            assert!(CODES[..i].iter().all(|other| other.code != known.code), "{}", known.code);
        }
    }
}
