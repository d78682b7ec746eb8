//! The provider's own SDKs, unchanged and at pinned versions, against the sandbox. They get
//! details, and the errors that the provider would send.

use std::process::Command;

use reconcile_core::calendar::midnight_ms;
use serde_json::{Value, json};

use crate::support::sandbox::Server;
use crate::support::venv;

/// A CallId with characters that clients often encode wrongly.
const CALL_ID: &str = "116014888060^a b*c~d+语音";
/// The sandboxes that the SDKs ask.
struct Sandboxes {
    usual: Server,
    /// Its clock is 20 minutes ahead, so signatures of now have expired.
    ahead: Server,
    /// Its cap is one request an hour, which the first question uses.
    busy: Server,
}

const ACCOUNTS: &str = "testid = \"testsecret\"\nsts = { secret = \"s\", token = \"t/+=\", expires = \"1h\" }\n\
                        old = { secret = \"s\", token = \"o\", expires = \"1ms\" }\n";

impl Sandboxes {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let accounts = folder.path().join("accounts.toml");
        std::fs::write(&accounts, ACCOUNTS).unwrap();
        let usual = Server::start(&["--cap", "10000/min", "--accounts", accounts.to_str().unwrap()]);
        let ahead = Server::start(&["--faults", "skew=20m"]);
        let busy = Server::start(&["--cap", "1/h"]);
        Self { usual, ahead, busy }
    }

    /// The questions, each with its expected code and status. Only status 200 comes without an
    /// exception.
    fn questions(&self) -> Vec<(Value, &'static str, u64)> {
        let question = |server: &Server, changes: Value| {
            let day = "2026-11-20".parse().unwrap();
            let mut question = json!({
                "address": server.address,
                "key": "testid",
                "secret": "testsecret",
                "CallId": CALL_ID,
                "ProdId": "11000000300006",
                "QueryDate": midnight_ms(day).to_string(),
            });
            for (name, value) in changes.as_object().unwrap() {
                question[name] = value.clone();
            }
            question
        };
        let nothing = || json!({});
        vec![
            (question(&self.usual, nothing()), "OK", 200),
            (question(&self.usual, json!({ "method": "GET" })), "OK", 200),
            (question(&self.usual, json!({ "secret": "wrong" })), "SignatureDoesNotMatch", 400),
            (question(&self.usual, json!({ "key": "nobody" })), "InvalidAccessKeyId.NotFound", 404),
            (question(&self.usual, json!({ "CallId": "" })), "MissingCallId", 400),
            (question(&self.ahead, nothing()), "InvalidTimeStamp.Expired", 400),
            (question(&self.busy, nothing()), "OK", 200),
            (question(&self.busy, nothing()), "Throttling.User", 400),
        ]
    }

    /// The same with temporary keys, for SDKs that support them.
    fn with_tokens(&self) -> Vec<(Value, &'static str, u64)> {
        let mut questions = self.questions();
        let usual = questions[0].0.clone();
        for (key, token, code, status) in [
            ("sts", "t/+=", "OK", 200),
            ("sts", "o", "InvalidSecurityToken.MismatchWithAccessKey", 400),
            ("old", "o", "InvalidSecurityToken.Expired", 400),
        ] {
            let mut question = usual.clone();
            (question["key"], question["secret"], question["token"]) = (key.into(), "s".into(), token.into());
            questions.push((question, code, status));
        }
        questions
    }
}

/// Asks all questions with an SDK, asserts the expected answers and returns them.
#[track_caller]
fn ask(mut command: Command, questions: &[(Value, &str, u64)]) -> Vec<Value> {
    let list: Vec<&Value> = questions.iter().map(|(question, ..)| question).collect();
    command.arg(serde_json::to_string(&list).unwrap());
    let printed = venv::output(&mut command, "the SDK is asked");
    let answers: Vec<Value> = serde_json::from_str(&printed).unwrap();
    assert_eq!(answers.len(), questions.len());
    for ((question, code, status), answer) in questions.iter().zip(&answers) {
        let said = answer["code"].as_str().unwrap_or_default();
        // The Node core appends the SDK's own word for the exception to some codes.
        assert_eq!(said.trim_end_matches("Error"), *code, "{question}: {answer}");
        assert_eq!(answer["exception"].is_null(), *status == 200, "{question}: {answer}");
        if let Some(said) = answer["status"].as_u64() {
            assert_eq!(said, *status, "{question}: {answer}");
        }
        if *status == 200 {
            let data: Value = serde_json::from_str(answer["data"].as_str().unwrap()).unwrap();
            assert_eq!(data["callId"], CALL_ID);
            assert!(data["gmtCreate"].as_str().unwrap().starts_with("2026-11-20"), "{data}");
        }
    }
    answers
}

/// Asserts that every request had this version of the signature.
#[track_caller]
fn all_signed(server: &Server, version: &str) {
    let seen = server.page("requests");
    let versions: Vec<&str> =
        seen["requests"].as_array().unwrap().iter().map(|r| r["signature"].as_str().unwrap()).collect();
    assert!(!versions.is_empty() && versions.iter().all(|seen| *seen == version), "{versions:?}");
}

fn python(script: &str) -> Command {
    let mut command = venv::python_with_sdks();
    command.arg(format!("{}/tests/sdks/{script}", env!("CARGO_MANIFEST_DIR")));
    // The SDKs look for keys and proxies in the environment.
    command.env_remove("http_proxy").env_remove("HTTP_PROXY").env("PYTHONWARNINGS", "ignore");
    command
}

/// Node with an SDK. Without npm it fails in CI; elsewhere the test is skipped with a message.
fn node(sdk: &str) -> Option<Command> {
    let mut command = venv::node_with_sdks()?;
    command.arg(sdk);
    command.env_remove("http_proxy").env_remove("HTTP_PROXY");
    Some(command)
}

#[test]
fn the_python_sdk_version_1_gets_answers_and_errors() {
    let sandboxes = Sandboxes::start();
    let answers = ask(python("version_1.py"), &sandboxes.questions());
    assert_eq!(answers[2]["exception"], "ServerException");
    all_signed(&sandboxes.usual, "1.0");
}

#[test]
fn the_python_sdk_version_3_gets_answers_and_errors() {
    let sandboxes = Sandboxes::start();
    let answers = ask(python("version_3.py"), &sandboxes.with_tokens());
    let kinds: Vec<&str> = answers.iter().filter_map(|answer| answer["exception"].as_str()).collect();
    let client = "ClientException";
    assert_eq!(kinds, [client, client, client, client, "ThrottlingException", client, client]);
    all_signed(&sandboxes.usual, "ACS3-HMAC-SHA256");
}

#[test]
fn the_node_sdk_version_3_gets_answers_and_errors() {
    let Some(command) = node("openapi-client") else { return };
    let sandboxes = Sandboxes::start();
    let mut questions = sandboxes.with_tokens();
    let mut in_body = questions[0].clone();
    in_body.0["inBody"] = true.into();
    questions.push(in_body);
    ask(command, &questions);
    all_signed(&sandboxes.usual, "ACS3-HMAC-SHA256");
}

#[test]
fn the_node_sdk_version_1_gets_answers_and_errors() {
    let Some(command) = node("pop-core") else { return };
    let sandboxes = Sandboxes::start();
    ask(command, &sandboxes.with_tokens());
    all_signed(&sandboxes.usual, "1.0");
}
