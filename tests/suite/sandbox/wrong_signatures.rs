//! Wrongly signed requests are refused. A right client is changed in one way at a time, in both
//! versions of the signature.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{TimeDelta, Utc};
use hmac::{Hmac, KeyInit, Mac};
use reconcile::hex::hex;
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

use crate::support::sandbox::Server;
use crate::support::{KEY_ID, SECRET};

/// A CallId with characters that clients often encode wrongly.
const CALL_ID: &str = "116014888060^a b*c~d";

/// How a mutant encodes a byte; `None` where it encodes as the right client does.
type Encode = fn(u8) -> Option<&'static str>;

/// What a mutant changes in the signed text; the sent request is right.
#[derive(Clone, Copy)]
struct Mutant {
    encode: Encode,
    sorted: bool,
    /// The parameter or header that is left out.
    unsigned: &'static str,
}

const RIGHT: Mutant = Mutant { encode: |_| None, sorted: true, unsigned: "" };

impl Mutant {
    fn encoded(self, text: &str) -> String {
        let byte = |b: u8| match (self.encode)(b) {
            Some(wrong) => wrong.to_owned(),
            None if b.is_ascii_alphanumeric() || b"-_.~".contains(&b) => char::from(b).to_string(),
            None => format!("%{b:02X}"),
        };
        text.bytes().map(byte).collect()
    }

    fn canonical(self, pairs: &[(&str, String)]) -> String {
        let mut pairs: Vec<_> = pairs.iter().filter(|(name, _)| *name != self.unsigned).collect();
        if self.sorted {
            pairs.sort();
        } else {
            pairs.sort_by(|a, b| b.cmp(a));
        }
        let pairs =
            pairs.iter().map(|(name, value)| format!("{}={}", self.encoded(name), self.encoded(value)));
        pairs.collect::<Vec<_>>().join("&")
    }
}

fn mac<M: Mac + KeyInit>(secret: &str, text: &str) -> Vec<u8> {
    let mut mac = <M as KeyInit>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn question() -> Vec<(&'static str, String)> {
    vec![
        ("CallId", CALL_ID.into()),
        ("ProdId", "11000000300006".into()),
        ("QueryDate", "1793894400000".into()),
    ]
}

/// Nonce and time of a signature.
struct Stamp {
    nonce: String,
    time: String,
}

fn stamp(nonce: &str, age: TimeDelta) -> Stamp {
    Stamp { nonce: nonce.into(), time: (Utc::now() - age).format("%Y-%m-%dT%H:%M:%SZ").to_string() }
}

/// Sends one request, signed by the mutant in version 1 of the signature.
fn version_1(server: &Server, mutant: Mutant, stamp: &Stamp) -> (u16, String) {
    let mut pairs = question();
    pairs.extend([
        ("AccessKeyId", KEY_ID.to_owned()),
        ("Action", "QueryCallDetailByCallId".into()),
        ("Format", "JSON".into()),
        ("SignatureMethod", "HMAC-SHA1".into()),
        ("SignatureNonce", stamp.nonce.clone()),
        ("SignatureVersion", "1.0".into()),
        ("Timestamp", stamp.time.clone()),
        ("Version", "2017-05-25".into()),
    ]);
    let text = format!("POST&%2F&{}", RIGHT.encoded(&mutant.canonical(&pairs)));
    let signature = STANDARD.encode(mac::<Hmac<Sha1>>(&format!("{SECRET}&"), &text));
    pairs.push(("Signature", signature));
    let form = RIGHT.canonical(&pairs);
    server.post("/", &[("Content-Type", "application/x-www-form-urlencoded")], &form)
}

/// The same in version 3.
fn version_3(server: &Server, mutant: Mutant, stamp: &Stamp) -> (u16, String) {
    let empty = hex(&Sha256::digest(b""));
    let headers = [
        ("host", server.address.as_str()),
        ("x-acs-action", "QueryCallDetailByCallId"),
        ("x-acs-content-sha256", empty.as_str()),
        ("x-acs-date", stamp.time.as_str()),
        ("x-acs-signature-nonce", stamp.nonce.as_str()),
        ("x-acs-version", "2017-05-25"),
    ];
    let mut signed: Vec<_> = headers.iter().filter(|(name, _)| *name != mutant.unsigned).collect();
    if !mutant.sorted {
        signed.reverse();
    }
    let names: Vec<&str> = signed.iter().map(|(name, _)| *name).collect();
    let names = names.join(";");
    let lines: String = signed.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
    let canonical = format!("POST\n/\n{}\n{lines}\n{names}\n{empty}", mutant.canonical(&question()));
    let text = format!("ACS3-HMAC-SHA256\n{}", hex(&Sha256::digest(canonical)));
    let signature = hex(&mac::<Hmac<Sha256>>(SECRET, &text));
    let authorization =
        format!("ACS3-HMAC-SHA256 Credential={KEY_ID},SignedHeaders={names},Signature={signature}");
    let mut sent: Vec<(&str, &str)> = headers[1..].to_vec();
    sent.push(("Authorization", &authorization));
    server.post(&format!("/?{}", RIGHT.canonical(&question())), &sent, "")
}

type Client = fn(&Server, Mutant, &Stamp) -> (u16, String);
const CLIENTS: [Client; 2] = [version_1, version_3];
const WRONG: &str = "SignatureDoesNotMatch";

fn fresh() -> Stamp {
    stamp(&uuid::Uuid::new_v4().to_string(), TimeDelta::zero())
}

#[test]
fn a_correctly_signed_request_is_answered() {
    let server = Server::start(&[]);
    for client in CLIENTS {
        assert_eq!(client(&server, RIGHT, &fresh()), (200, "OK".into()));
    }
}

#[test]
fn a_wrongly_encoded_character_is_refused() {
    let server = Server::start(&[]);
    let mutants: [(&str, Encode); 7] = [
        ("^ left as it is", |b| (b == b'^').then_some("^")),
        ("^ in lower case", |b| (b == b'^').then_some("%5e")),
        ("^ encoded twice", |b| (b == b'^').then_some("%255E")),
        ("* left as it is", |b| (b == b'*').then_some("*")),
        ("space as +", |b| (b == b' ').then_some("+")),
        ("space left as it is", |b| (b == b' ').then_some(" ")),
        ("~ encoded", |b| (b == b'~').then_some("%7E")),
    ];
    for client in CLIENTS {
        for (name, encode) in mutants {
            let refused = client(&server, Mutant { encode, ..RIGHT }, &fresh());
            assert_eq!(refused, (400, WRONG.into()), "{name}");
        }
    }
}

#[test]
fn unsorted_parameters_are_refused() {
    let server = Server::start(&[]);
    let mutant = Mutant { sorted: false, ..RIGHT };
    assert_eq!(version_1(&server, mutant, &fresh()), (400, WRONG.into()));
    assert_eq!(version_3(&server, mutant, &fresh()), (400, "IncompleteSignature".into()));
}

#[test]
fn an_unsigned_parameter_or_header_is_refused() {
    let server = Server::start(&[]);
    for unsigned in ["CallId", "ProdId", "QueryDate", "SignatureNonce", "Timestamp", "AccessKeyId", "Action"]
    {
        let refused = version_1(&server, Mutant { unsigned, ..RIGHT }, &fresh());
        assert_eq!(refused, (400, WRONG.into()), "{unsigned}");
    }
    for unsigned in ["CallId", "ProdId", "QueryDate"] {
        let refused = version_3(&server, Mutant { unsigned, ..RIGHT }, &fresh());
        assert_eq!(refused, (400, WRONG.into()), "{unsigned}");
    }
    for unsigned in ["host", "x-acs-action", "x-acs-date", "x-acs-signature-nonce", "x-acs-content-sha256"] {
        let refused = version_3(&server, Mutant { unsigned, ..RIGHT }, &fresh());
        assert_eq!(refused, (400, "IncompleteSignature".into()), "{unsigned}");
    }
}

#[test]
fn a_nonce_is_accepted_only_once() {
    let server = Server::start(&[]);
    for (client, nonce) in CLIENTS.iter().zip(["one", "three"]) {
        let stamp = stamp(nonce, TimeDelta::zero());
        assert_eq!(client(&server, RIGHT, &stamp), (200, "OK".into()));
        assert_eq!(client(&server, RIGHT, &stamp), (400, "SignatureNonceUsed".into()));
    }
}

#[test]
fn an_old_or_malformed_time_stamp_is_refused() {
    let server = Server::start(&[]);
    for client in CLIENTS {
        for (minutes, code) in
            [(16, "InvalidTimeStamp.Expired"), (-16, "InvalidTimeStamp.Expired"), (14, "OK")]
        {
            let stamp = Stamp { nonce: fresh().nonce, ..stamp("", TimeDelta::minutes(minutes)) };
            assert_eq!(client(&server, RIGHT, &stamp).1, code, "{minutes} minutes old");
        }
        let stamp = Stamp { time: "2026-11-24 10:00:00".into(), ..fresh() };
        assert_eq!(client(&server, RIGHT, &stamp), (400, "InvalidTimeStamp.Format".into()));
    }
}
