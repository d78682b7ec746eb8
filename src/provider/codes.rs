//! The table of the provider's codes: what each means for a call and for the run. Pure.
//!
//! `Code` decides first and the HTTP status second, because the provider's pages disagree on the
//! status. Sources: the error pages of the voice service and of the gateway; the classes are ours.
//! The tables of docs/provider.md are generated from these.

use std::fmt;

use super::lost::LostReason;

/// The class of an error: what it means for this call and for all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Too many requests: the whole run slows down, and this call is retried.
    Throttle,
    /// Too many requests for this call's number: only this call waits, and is retried.
    CallLimit,
    /// Too many requests, of the account or for this call's number: the text does not say which. As
    /// [`Class::CallLimit`] while other calls pass, else as [`Class::Throttle`].
    Limit,
    /// Temporary: retried after a pause.
    Transient,
    /// As [`Class::Transient`], but with at most three attempts: the cause may be only this call.
    Doubtful,
    /// The gateway has seen this nonce before: retried at once with a new one; after that, as
    /// [`Class::Transient`].
    Nonce,
    /// The clocks disagree: retried once with the provider's time, then the run stops.
    Clock,
    /// The security token has expired, or belongs to another key. A renewable key is renewed once;
    /// otherwise the run stops. Holds advice for the operator.
    Token(&'static str),
    /// A fault on the way to the provider, such as a redirect. It may concern one request, but more
    /// likely all. Retried once after a pause, then the run stops. Holds advice for the operator.
    Route(&'static str),
    /// The provider's error means that there is no such record.
    NoRecord,
    /// Permanent for this call; the run continues.
    Call,
    /// The same for every call: the run stops at once. Holds advice for the operator.
    Fatal(&'static str),
}

impl Class {
    /// The word for the class in docs/provider.md.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Throttle => "throttle",
            Self::CallLimit => "call limit",
            Self::Limit => "limit",
            Self::Transient => "transient",
            Self::Doubtful => "doubtful",
            Self::Nonce => "nonce",
            Self::Clock => "clock",
            Self::Token(_) => "token",
            Self::Route(_) => "route",
            Self::NoRecord => "no record",
            Self::Call => "call",
            Self::Fatal(_) => "fatal",
        }
    }

    /// What the operator has to do if the error stops the run.
    #[must_use]
    pub fn advice(self) -> Option<&'static str> {
        match self {
            Self::Fatal(advice) | Self::Route(advice) | Self::Token(advice) => Some(advice),
            Self::Clock => Some(SET_CLOCK),
            _ => None,
        }
    }
}

/// What to do when the clocks still disagree.
pub const SET_CLOCK: &str = "set this machine's clock (NTP): it must be within 15 minutes of the provider's";
const KEYS: &str = "check the access key: it must exist, be active, and belong to its secret";
const TOKEN: &str = "get a fresh security token that belongs to this key, then run the same command again";
const PERMISSION: &str =
    "grant the key's user the RAM action dyvms:QueryCallDetailByCallId, then run the same command again";
const ACCOUNT: &str = "correct the account (arrears, product not opened, account state) in the provider's console, \
                       then run the same command again";
const REQUEST: &str = "check the endpoint: its gateway does not know this operation";
const FORMAT: &str = "this is a fault of reconcile or of a proxy that alters requests; please report it";
const NEEDS_TLS: &str = "use an https:// endpoint";
const REDIRECT: &str = "check the endpoint, and whether a proxy or a login page answers in its place: the provider \
                        never redirects, and a signed request is sent nowhere else";
const PROXY_LOGIN: &str = "the proxy wants a user name and a password: put them into HTTPS_PROXY";
const CERTIFICATE: &str = "check the endpoint and this machine's clock; if a proxy decrypts TLS, or the endpoint has a \
                           private certificate, set ca-file to the certificate of its authority";

use Class::{
    Call, CallLimit, Clock, Doubtful, Fatal, Limit, NoRecord, Nonce, Route, Throttle, Token, Transient,
};

/// A code in the provider's documentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownCode {
    /// `Code`. In the code of a family, `*` replaces the rest.
    pub code: &'static str,
    /// The class of the code.
    pub class: Class,
    /// Its meaning in a few words.
    pub meaning: &'static str,
}

const fn known(code: &'static str, class: Class, meaning: &'static str) -> KnownCode {
    KnownCode { code, class, meaning }
}

/// Every known code with its class.
pub const CODES: &[KnownCode] = &[
    // Flow control.
    known("Throttling", Throttle, "too many requests"),
    known("Throttling.User", Throttle, "too many requests of this account"),
    known("Throttling.Api", Throttle, "too many requests for this operation"),
    known("isv.BUSINESS_LIMIT_CONTROL", Limit, "flow control, as a rule of one called number"),
    // Temporary.
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
    // No such record, reported as an error.
    known("100008.0", NoRecord, "data not available"),
    known("isv.BILLID_NOT_EXIST", NoRecord, "no such bill"),
    known("BillidNotExist", NoRecord, "no such bill"),
    // Permanent for this call.
    known("InvalidParameter.date", Call, "the date is not valid"),
    known("InvalidParameters", Call, "a parameter is wrong"),
    known("InvalidParameter", Call, "a parameter is wrong"),
    known("MissingParameter", Call, "a parameter is missing"),
    known("isv.INVALID_PARAMETERS", Call, "a parameter is wrong"),
    known("isv.PARAM_LENGTH_LIMIT", Call, "a parameter is too long"),
    known("isv.PARAM_NOT_SUPPORT_URL", Call, "a parameter holds a URL"),
    // Codes of the dialling operations. They are not expected here; if they come, they concern one
    // call.
    known("isv.MOBILE_NUMBER_ILLEGAL", Call, "number not valid"),
    known("isv.DISPLAY_NUMBER_ILLEGAL", Call, "display number not valid"),
    known("isv.MOBILE_COUNT_OVER_LIMIT", Call, "too many numbers"),
    known("isv.TTS_TEMPLATE_ILLEGAL", Call, "text template not valid"),
    known("isv.TEMPLATE_ILLEGAL", Call, "template not valid"),
    known("isv.TEMPLATE_PARAMS_ILLEGAL", Call, "parameters of the template not valid"),
    known("isv.TEMPLATE_MISSING_PARAMETERS", Call, "parameters of the template missing"),
    known("isv.VOICE_FILE_ILLEGAL", Call, "voice file not valid"),
    known("isv.BLACK_KEY_CONTROL_LIMIT", Call, "a parameter holds a barred word"),
    known("isv.ASR_MODEL_ERROR", Call, "speech model not valid"),
    known("isv.COMPLAINT_REJECT", Call, "barred after complaints"),
    known("ComplaintReject", Call, "barred after complaints"),
    known("isv.VOICE_ROBOT_CALLEE_LIMIT", Call, "robot: limit of the callee"),
    known("isv.VOICE_ROBOT_NOT_PERIOD", Call, "robot: outside its hours"),
    known("isv.VOICE_CALL_PERIOD_ERROR", Call, "outside the hours for calls"),
    known("isv.VOICE_CALL_FAIL", Call, "the call failed"),
];

/// Families of codes: the part before the first dot decides the class of an undocumented code.
/// Without them, a refusal that is the same for every call would become the final answer of each.
pub const FAMILIES: &[KnownCode] = &[
    known("Throttling.*", Throttle, "flow control"),
    known("InvalidAccessKeyId.*", Fatal(KEYS), "access key"),
    known("InvalidSecurityToken.*", Token(TOKEN), "security token"),
    known("Forbidden.*", Fatal(PERMISSION), "permission"),
    known("InvalidTimeStamp.*", Fatal(FORMAT), "time stamp"),
];

/// Parameters of every request. If one is missing, no request can succeed.
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

/// Words for the called number in the text of a limit.
const OF_THE_NUMBER: [&str; 9] = [
    "被叫",
    "同一号码",
    "同一个号码",
    "该号码",
    "手机号",
    "callee",
    "called number",
    "called party",
    "phone number",
];
/// Words for the account in the text of a limit.
const OF_THE_ACCOUNT: [&str; 8] = ["账号", "账户", "帐号", "帐户", "用户", "主叫", "account", "user"];

/// The class of a code that came with this HTTP status and this text. The text only decides whether
/// a limit is the account's or the called number's.
#[must_use]
pub fn classify_with_text(code: &str, http_status: u16, text: &str) -> Class {
    let class = classify(code, http_status);
    let text = text.to_lowercase();
    let names = |words: &[&str]| words.iter().any(|word| text.contains(word));
    match class {
        Throttle | Limit if names(&OF_THE_NUMBER) => CallLimit,
        Limit if names(&OF_THE_ACCOUNT) => Throttle,
        _ => class,
    }
}

/// The class of a code that came with this HTTP status.
#[must_use]
pub fn classify(code: &str, http_status: u16) -> Class {
    if let Some(known) = CODES.iter().find(|known| known.code == code) {
        return known.class;
    }
    let of_family = |family: &&KnownCode| code.starts_with(family.code.trim_end_matches('*'));
    if let Some(family) = FAMILIES.iter().find(of_family) {
        return family.class;
    }
    if let Some(name) = code.strip_prefix("Missing") {
        return if SYSTEM_PARAMETERS.contains(&name) { Fatal(FORMAT) } else { Call };
    }
    if code.starts_with("Invalid") {
        return Call;
    }
    match http_status {
        429 => Throttle,
        500.. => Transient,
        _ => Call,
    }
}

/// The class of a reply without a code: a proxy's page, an empty or incomplete body, a redirect.
#[must_use]
pub fn classify_status(http_status: u16) -> Class {
    match http_status {
        429 => Throttle,
        407 => Route(PROXY_LOGIN),
        300..=399 => Route(REDIRECT),
        _ => Transient,
    }
}

/// The class of a request without a response.
#[must_use]
pub fn classify_lost(reason: LostReason) -> Class {
    match reason {
        LostReason::Certificate => Route(CERTIFICATE),
        LostReason::Timeout
        | LostReason::Connect
        | LostReason::Cut
        | LostReason::Transport
        | LostReason::KeyExpired => Transient,
    }
}

/// What to check if a code that concerns only one call comes for many calls in a row.
#[must_use]
pub fn suspicion(code: &str) -> Option<Suspicion> {
    match code {
        "isp.GATEWAY_ERROR" => Some(Suspicion::NoPermission),
        "InvalidParameter.date" => Some(Suspicion::WrongDays),
        _ => None,
    }
}

/// What many answers with the same code may mean. `Display` says it with what to check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Suspicion {
    /// The permission or the product is missing.
    NoPermission,
    /// The days are not those of the calls.
    WrongDays,
}

impl fmt::Display for Suspicion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoPermission => {
                "the permission or the product may be missing; check that the key's user may call \
                 dyvms:QueryCallDetailByCallId, that the voice service is opened for this account, and that the \
                 product is the one that made the calls"
            }
            Self::WrongDays => {
                "the days may not be those of the calls; check the ledger's called_at and query_date, and the call \
                 date for rows without a day; the provider may also keep records for a shorter time"
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_decides_before_the_status() {
        assert_eq!(classify("Throttling.User", 400), Throttle);
        assert_eq!(classify("isp.SYSTEM_ERROR", 200), Transient);
        assert_eq!(classify("InvalidParameters", 500), Call);
    }

    #[test]
    fn the_text_of_a_limit_says_whose_it_is() {
        let of = |text| classify_with_text("isv.BUSINESS_LIMIT_CONTROL", 200, text);
        for text in [
            "该被叫号触发被叫流控,partnerId=,prodId=",
            "被叫流控",
            "Callee limit per minute",
            "同一个号码每小时5次",
        ] {
            assert_eq!(of(text), CallLimit, "{text}");
        }
        assert_eq!([of("该账号触发流控"), of("User QPS limit")], [Throttle; 2]);
        assert_eq!([of("触发天级流控Permits:10"), of("")], [Limit; 2]);
        assert_eq!(classify_with_text("Throttling.User", 400, "flow control"), Throttle);
        assert_eq!(classify_with_text("isp.SYSTEM_ERROR", 200, "被叫"), Transient);
    }

    #[test]
    fn an_unknown_code_ends_its_call_unless_the_server_failed() {
        assert_eq!(classify("isv.SOMETHING_NEW", 200), Call);
        assert_eq!(classify("isv.SOMETHING_NEW", 400), Call);
        assert_eq!(classify("isv.SOMETHING_NEW", 503), Transient);
        assert_eq!(classify("isv.SOMETHING_NEW", 429), Throttle);
    }

    #[test]
    fn only_a_missing_system_parameter_is_fatal() {
        assert!(matches!(classify("MissingTimestamp", 400), Fatal(_)));
        assert_eq!(classify("MissingCallId", 400), Call);
        assert_eq!(classify("MissingParameter", 500), Call);
        assert_eq!(classify("InvalidCallId", 500), Call);
    }

    #[test]
    fn an_undocumented_code_has_the_class_of_its_family() {
        assert_eq!(classify("Throttling.Instance", 400), Throttle);
        assert_eq!(classify("InvalidAccessKeyId.Frozen", 403), Fatal(KEYS));
        assert_eq!(classify("Forbidden.Unauthorized", 200), Fatal(PERMISSION));
        assert_eq!(classify("ForbiddenFruit", 200), Call);
    }

    #[test]
    fn every_class_that_stops_the_run_has_advice() {
        for known in CODES.iter().chain(FAMILIES) {
            let stops = matches!(known.class, Fatal(_) | Clock | Token(_) | Route(_));
            assert_eq!(known.class.advice().is_some_and(|a| !a.is_empty()), stops, "{}", known.code);
        }
    }

    #[test]
    fn no_code_is_in_the_table_twice() {
        for (i, known) in CODES.iter().enumerate() {
            assert!(CODES[..i].iter().all(|other| other.code != known.code), "{}", known.code);
        }
    }
}
