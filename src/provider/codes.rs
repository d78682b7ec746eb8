//! The one table of the provider's codes: what each means for a call and for the run. Pure.
//!
//! Classified by `Code` first and by HTTP status second, because the provider's pages disagree on the
//! status. Sources: the error pages of the voice service and of the gateway; the classes are ours.

/// What an error means for this call and for all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Too many requests: everybody slows down; this call tries again.
    Throttle,
    /// May go away by itself: tried again after a pause.
    Transient,
    /// Like [`Class::Transient`], but not worth more than three tries: it may be about this call alone.
    Doubtful,
    /// The gateway has seen this nonce; tried again at once with a new one.
    Nonce,
    /// The clocks disagree; signed once more with a new time stamp, then the run stops.
    Clock,
    /// The provider says in an error that it has no such record.
    NoRecord,
    /// Permanent for this call; the run goes on.
    Row,
    /// The same for every call: the run stops at once. Says what the operator has to do.
    Fatal(&'static str),
}

const KEYS: &str = "check ALIBABA_CLOUD_ACCESS_KEY_ID and ALIBABA_CLOUD_ACCESS_KEY_SECRET: \
                    the key must exist, be active, and belong to the secret";
const TOKEN: &str = "get a fresh security token (ALIBABA_CLOUD_SECURITY_TOKEN) that belongs to this key, \
                     then run the same command again";
const PERMISSION: &str =
    "grant the key's user the RAM action dyvms:QueryCallDetailByCallId, then run the same command again";
const ACCOUNT: &str = "settle the account (arrears, product not opened, account state) in the provider's console, \
                       then run the same command again";
const REQUEST: &str = "check --endpoint: the gateway does not know this operation there";
const FORMAT: &str = "this is a fault of reconcile or of a proxy that alters requests; please report it";

use Class::{Clock, Doubtful, Fatal, NoRecord, Nonce, Row, Throttle, Transient};

/// Every code that is known, with its class.
pub const CODES: &[(&str, Class)] = &[
    // Flow control.
    ("Throttling", Throttle),
    ("Throttling.User", Throttle),
    ("Throttling.Api", Throttle),
    ("isv.BUSINESS_LIMIT_CONTROL", Throttle),
    // May go away.
    ("isp.SYSTEM_ERROR", Transient),
    ("InternalError", Transient),
    ("ServiceUnavailable", Transient),
    ("isp.GATEWAY_ERROR", Doubtful),
    ("isp.UNKNOWN", Doubtful),
    // Signing.
    ("SignatureNonceUsed", Nonce),
    ("InvalidTimeStamp.Expired", Clock),
    ("InvalidTimeStamp.Format", Fatal(FORMAT)),
    ("SignatureDoesNotMatch", Fatal(KEYS)),
    ("IncompleteSignature", Fatal(KEYS)),
    ("InvalidSignatureMethod", Fatal(FORMAT)),
    ("InvalidVersion", Fatal(REQUEST)),
    ("UnsupportedHTTPMethod", Fatal(REQUEST)),
    // Keys and permission.
    ("InvalidAccessKeyId.NotFound", Fatal(KEYS)),
    ("InvalidAccessKeyId.Inactive", Fatal(KEYS)),
    ("InvalidSecurityToken.Expired", Fatal(TOKEN)),
    ("InvalidSecurityToken.Malformed", Fatal(TOKEN)),
    ("InvalidSecurityToken.MismatchWithAccessKey", Fatal(TOKEN)),
    ("MissingSecurityToken", Fatal(TOKEN)),
    ("Forbidden.RAM", Fatal(PERMISSION)),
    ("NoPermission", Fatal(PERMISSION)),
    ("Forbidden", Fatal(PERMISSION)),
    ("Forbidden.RiskControl", Fatal(PERMISSION)),
    ("isp.RAM_PERMISSION_DENY", Fatal(PERMISSION)),
    // Account.
    ("isp.RES_OWNER_ID_UNKNOWN", Fatal(ACCOUNT)),
    ("isp.USER_NOT_EXIST", Fatal(ACCOUNT)),
    ("isp.USER_ASSERT_NOT_EXIST", Fatal(ACCOUNT)),
    ("isv.OUT_OF_SERVICE", Fatal(ACCOUNT)),
    ("isv.PRODUCT_UN_SUBSCRIPT", Fatal(ACCOUNT)),
    ("isv.PRODUCT_UNSUBSCRIBE", Fatal(ACCOUNT)),
    ("isv.ACCOUNT_NOT_EXISTS", Fatal(ACCOUNT)),
    ("isv.ACCOUNT_ABNORMAL", Fatal(ACCOUNT)),
    ("isv.AMOUNT_NOT_ENOUGH", Fatal(ACCOUNT)),
    ("isv.AMOUNT_NOT_ENOUG", Fatal(ACCOUNT)),
    // Endpoint.
    ("InvalidAction.NotFound", Fatal(REQUEST)),
    ("InvalidApi.NotFound", Fatal(REQUEST)),
    ("InvalidProduct.NotFound", Fatal(REQUEST)),
    ("InvalidProtocol.NeedSsl", Fatal("use an https:// endpoint")),
    // No such record, said as an error.
    ("100008.0", NoRecord),
    ("isv.BILLID_NOT_EXIST", NoRecord),
    ("BillidNotExist", NoRecord),
    // Permanent for this call. Codes of the dialling operations are in no list here: like every
    // unknown code they are permanent for the call and kept with their text.
    ("InvalidParameter.date", Row),
    ("InvalidParameters", Row),
    ("InvalidParameter", Row),
    ("isv.INVALID_PARAMETERS", Row),
    ("isv.PARAM_LENGTH_LIMIT", Row),
    ("isv.PARAM_NOT_SUPPORT_URL", Row),
];

/// Parameters that every request has; without one, no request can succeed.
const SYSTEM_PARAMETERS: [&str; 9] = [
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
    if let Some((_, class)) = CODES.iter().find(|(known, _)| *known == code) {
        return *class;
    }
    if code.starts_with("Throttling.") {
        return Throttle;
    }
    if let Some(name) = code.strip_prefix("Missing") {
        return if SYSTEM_PARAMETERS.contains(&name) { Fatal(FORMAT) } else { Row };
    }
    match http_status {
        429 => Throttle,
        500.. => Transient,
        _ => Row,
    }
}

/// The class of a reply that has no code at all: a proxy's page, an empty or a cut body.
#[must_use]
pub fn classify_status(http_status: u16) -> Class {
    if http_status == 429 { Throttle } else { Transient }
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
    }

    #[test]
    fn no_code_stands_in_the_table_twice() {
        for (i, (code, _)) in CODES.iter().enumerate() {
            assert!(CODES[..i].iter().all(|(other, _)| other != code), "{code}");
        }
    }
}
