//! Access keys, the files that hold them, and simulated services that issue them. A simulated
//! provider checks each key.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use reconcile::provider::sign;
use serde_json::{Value, json};

use super::provider::{Provider, Reply, Request};
use super::{Bench, Run};

/// Every secret of the tests begins with this word. The program must never show it.
pub const SECRET_WORD: &str = "hunter2";

/// Writes `.aliyun/config.json` in the test's home.
pub fn config_json(bench: &Bench, text: &Value) -> PathBuf {
    in_home(bench, ".aliyun/config.json", &text.to_string())
}

/// Writes a file below the test's home that only its owner can read.
pub fn in_home(bench: &Bench, name: &str, text: &str) -> PathBuf {
    let path = bench.path("home").join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, text).unwrap();
    mode(&path, 0o600);
    path
}

pub fn mode(path: &std::path::Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// A profile with its own access key.
pub fn ak(name: &str, id: &str) -> Value {
    json!({"name": name, "mode": "AK", "access_key_id": id, "access_key_secret": secret_of(id), "region_id": "cn-hangzhou"})
}

/// The secret of a key id.
pub fn secret_of(id: &str) -> String {
    format!("{SECRET_WORD}-of-{id}")
}

/// The command of a run that has only these keys in its environment.
pub fn command(bench: &Bench, options: &[&str], variables: &[(&str, &str)]) -> Command {
    let mut command = bench.command(options);
    command.env_remove("ALIBABA_CLOUD_ACCESS_KEY_ID").env_remove("ALIBABA_CLOUD_ACCESS_KEY_SECRET");
    command.envs(variables.iter().copied());
    command
}

/// Runs this command and asserts that it shows no secret.
#[track_caller]
pub fn run(bench: &Bench, options: &[&str], variables: &[(&str, &str)]) -> Run {
    let run = bench.start_command(command(bench, options, variables)).wait();
    assert!(!run.stderr.contains(SECRET_WORD), "a secret is in:\n{}", run.stderr);
    run
}

/// Runs `reconcile whoami` with only these keys in the environment, and asserts that it shows no
/// secret.
#[track_caller]
pub fn whoami(bench: &Bench, options: &[&str], variables: &[(&str, &str)]) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_reconcile"));
    let usual = command_environment(bench);
    command.arg("whoami").args(options).current_dir(bench.path("")).env_clear().envs(usual);
    command.envs(variables.iter().copied());
    let run = bench.start_command(command).wait();
    let said = format!("{}{}", run.stdout, run.stderr);
    assert!(!said.contains(SECRET_WORD), "a secret is in:\n{said}");
    run
}

fn command_environment(bench: &Bench) -> Vec<(String, String)> {
    let kept = |(name, value): (&std::ffi::OsStr, Option<&std::ffi::OsStr>)| {
        let (name, value) = (name.to_str()?.to_owned(), value?.to_str()?.to_owned());
        (!name.contains("ACCESS_KEY")).then_some((name, value))
    };
    bench.command(&[]).get_envs().filter_map(kept).collect()
}

/// The JSON that `whoami --json` printed.
#[track_caller]
pub fn printed_json(run: &Run) -> Value {
    assert_eq!(run.code, Some(0), "standard error was:\n{}", run.stderr);
    serde_json::from_str(&run.stdout).unwrap_or_else(|e| panic!("{e}: {}", run.stdout))
}

/// Asserts that a request is signed with its key's secret, by the published rule.
#[track_caller]
pub fn assert_signed(request: &Request) {
    assert_signed_with(request, &secret_of(request.param("AccessKeyId")));
}

/// Asserts that a request is signed with this secret.
#[track_caller]
pub fn assert_signed_with(request: &Request, secret: &str) {
    let pairs: Vec<(&str, &str)> = request
        .params
        .iter()
        .filter(|(name, _)| *name != "Signature")
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let expected = sign::signature(&request.method, &pairs, secret);
    assert_eq!(request.param("Signature"), expected, "{request:?}");
}

/// The keys that the provider saw, each once, in order of arrival.
pub fn keys_seen(provider: &Provider) -> Vec<String> {
    let mut seen: Vec<String> = Vec::new();
    for request in provider.requests() {
        let key = request.param("AccessKeyId").to_owned();
        if !seen.contains(&key) {
            seen.push(key);
        }
    }
    seen
}

/// Issues temporary keys `STS.1`, `STS.2`, …, each with its own token, and knows when each expires.
#[derive(Clone, Default)]
pub struct Mint(Arc<Minted>);

#[derive(Default)]
struct Minted {
    next: AtomicU64,
    ends: Mutex<BTreeMap<String, DateTime<Utc>>>,
}

impl Mint {
    /// A new key with this lifetime, in the format of the provider's services.
    pub fn key(&self, lifetime: Duration) -> Value {
        let no = self.0.next.fetch_add(1, Ordering::Relaxed) + 1;
        let id = format!("STS.{no}");
        let ends = Utc::now() + TimeDelta::from_std(lifetime).unwrap();
        self.0.ends.lock().unwrap().insert(id.clone(), ends);
        json!({
            "AccessKeyId": id, "AccessKeySecret": secret_of(&id), "SecurityToken": token_of(&id),
            "Expiration": ends.to_rfc3339_opts(SecondsFormat::Millis, true)
        })
    }

    /// The number of issued keys.
    pub fn issued(&self) -> u64 {
        self.0.next.load(Ordering::Relaxed)
    }

    /// Replies as the provider does: the record for a valid key with its token, else a refusal.
    pub fn check(&self, request: &Request) -> Reply {
        let id = request.param("AccessKeyId");
        let Some(ends) = self.0.ends.lock().unwrap().get(id).copied() else {
            return Reply::code(404, "InvalidAccessKeyId.NotFound", "Specified access key is not found.");
        };
        if request.param("SecurityToken") != token_of(id) {
            return Reply::code(400, "InvalidSecurityToken.MismatchWithAccessKey", "not this key's");
        }
        if ends <= Utc::now() {
            return Reply::code(400, "InvalidSecurityToken.Expired", "Specified SecurityToken is expired.");
        }
        Reply::record()
    }
}

fn token_of(id: &str) -> String {
    format!("{SECRET_WORD}-token-of-{id}+/==")
}

/// STS: issues keys with this lifetime for every role.
pub fn sts(mint: &Mint, lifetime: Duration) -> Provider {
    let service = Provider::start();
    let mint = mint.clone();
    service.answer_with(move |request| {
        let arn = format!("{}/{}", request.param("RoleArn"), request.param("RoleSessionName"));
        Reply::json(
            200,
            &json!({
                "RequestId": "6894B13B-6D71-4EF5-88FA-F32781734A7F",
                "AssumedRoleUser": {"Arn": arn, "AssumedRoleId": "34458433936495****:night"},
                "Credentials": mint.key(lifetime)
            }),
        )
    });
    service
}

/// A service at a URL that issues keys with this lifetime.
pub fn uri(mint: &Mint, lifetime: Duration) -> Provider {
    let service = Provider::start();
    let mint = mint.clone();
    service.answer_with(move |_| {
        let mut key = mint.key(lifetime);
        key["Code"] = "Success".into();
        Reply::json(200, &key)
    });
    service
}

/// The metadata service of a machine with this role. It issues keys with this lifetime, to requests
/// with a token (`version_2`) or without one.
pub fn metadata(mint: &Mint, role: &'static str, version_2: bool, lifetime: Duration) -> Provider {
    let service = Provider::start();
    let mint = mint.clone();
    service.answer_with(move |request| {
        let with_token =
            request.headers.get("x-aliyun-ecs-metadata-token").is_some_and(|t| t == "metadata-token");
        match (request.method.as_str(), request.path.as_str()) {
            ("PUT", "/latest/api/token") if version_2 => {
                assert_eq!(request.headers["x-aliyun-ecs-metadata-token-ttl-seconds"], "21600");
                Reply::raw(200, "text/plain", "metadata-token")
            }
            ("GET", path) if with_token == version_2 => {
                match path.strip_prefix("/latest/meta-data/ram/security-credentials/") {
                    Some("") if role.is_empty() => Reply::html(404),
                    Some("") => Reply::raw(200, "text/plain", format!("{role}\n")),
                    Some(name) if name == role => {
                        let mut key = mint.key(lifetime);
                        key["Code"] = "Success".into();
                        key["LastUpdated"] = "2026-11-24T00:00:00Z".into();
                        Reply::json(200, &key)
                    }
                    _ => Reply::html(404),
                }
            }
            ("GET", _) => Reply::html(403),
            _ => Reply::html(405),
        }
    });
    service
}
