//! Keys that a service or a program issues: how each is requested, and how it is renewed in
//! mid-run. The services are simulated (`support::keys`).

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::Utc;
use serde_json::{Value, json};

use crate::support::keys::{
    Mint, ak, assert_signed, config_json, in_home, keys_seen, metadata, printed_json, run, secret_of, sts,
    uri, whoami,
};
use crate::support::provider::{Provider, Reply};
use crate::support::sandbox::Server;
use crate::support::{Bench, column, ledger};

const HOUR: Duration = Duration::from_secs(3600);
const ROLE: &str = "acs:ram::1234567890123456:role/voice-night";

/// A bench whose provider accepts only the keys of this mint.
fn bench(calls: usize, mint: &Mint) -> Bench {
    let bench = Bench::new(&ledger(calls));
    let mint = mint.clone();
    bench.provider.answer_with(move |request| mint.check(request));
    bench
}

/// Writes `p`, the current profile, and other profiles.
fn profile(bench: &Bench, profile: &Value, others: &[Value]) {
    let mut profile = profile.clone();
    profile["name"] = "p".into();
    let all = [&[profile][..], others].concat();
    config_json(bench, &json!({"current": "p", "profiles": all}));
}

/// Writes a profile that assumes the role.
fn role_profile(bench: &Bench) {
    let mut value = ak("p", "LTAIuser");
    value["mode"] = "RamRoleArn".into();
    value["ram_role_arn"] = ROLE.into();
    profile(bench, &value, &[]);
}

#[track_caller]
fn all_found(bench: &Bench, calls: usize) {
    bench.assert_all_found(calls);
    bench.provider.requests().iter().for_each(assert_signed);
}

#[test]
fn a_role_is_assumed_by_a_signed_request_and_its_key_is_used() {
    let mint = Mint::default();
    let (bench, service) = (bench(3, &mint), sts(&mint, HOUR));
    let mut value = ak("p", "LTAIuser");
    let fields = json!({"mode": "RamRoleArn", "ram_role_arn": ROLE, "ram_session_name": "night", "expired_seconds": 900,
                        "external_id": "ours", "policy": "{\"Version\":\"1\"}"});
    value.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    profile(&bench, &value, &[]);
    let endpoint = [("RECONCILE_STS_ENDPOINT", service.endpoint())];
    let variables = [(endpoint[0].0, endpoint[0].1.as_str())];
    run(&bench, &[], &variables).exits(0);
    all_found(&bench, 3);
    assert_eq!(keys_seen(&bench.provider), ["STS.1"]);
    let asked = service.requests();
    assert_eq!(asked.len(), 1);
    assert_signed(&asked[0]);
    for (name, value) in [
        ("Action", "AssumeRole"),
        ("Version", "2015-04-01"),
        ("AccessKeyId", "LTAIuser"),
        ("RoleArn", ROLE),
        ("RoleSessionName", "night"),
        ("DurationSeconds", "900"),
        ("ExternalId", "ours"),
        ("Policy", "{\"Version\":\"1\"}"),
    ] {
        assert_eq!(asked[0].param(name), value, "{name}");
    }
    let who = printed_json(&whoami(&bench, &["--json", "--sts-endpoint", &service.endpoint()], &[]));
    assert_eq!((&who["account"], &who["role"]), (&json!("1234567890123456"), &json!("voice-night")));
    assert_eq!((&who["key"], &who["temporary"]), (&json!("TS.2"), &json!(true)));
    assert!((3590..=3600).contains(&who["expires_in_s"].as_i64().unwrap()), "{who}");
    assert!(who["source"].as_str().unwrap().ends_with("mode RamRoleArn"), "{who}");
}

#[test]
fn a_chain_of_roles_is_followed_to_its_first_key() {
    let mint = Mint::default();
    let (bench, service) = (bench(2, &mint), sts(&mint, HOUR));
    let hop = |name: &str, source: &str| {
        json!({"name": name, "mode": "ChainableRamRoleArn", "ram_role_arn": format!("acs:ram::1:role/{name}"),
               "ram_session_name": "night", "source_profile": source})
    };
    profile(&bench, &hop("p", "middle"), &[hop("middle", "user"), ak("user", "LTAIuser")]);
    run(&bench, &["--sts-endpoint", &service.endpoint()], &[]).exits(0);
    all_found(&bench, 2);
    let asked = service.requests();
    asked.iter().for_each(assert_signed);
    let hops: Vec<_> = asked.iter().map(|r| (r.param("AccessKeyId"), r.param("RoleArn"))).collect();
    assert_eq!(hops, [("LTAIuser", "acs:ram::1:role/middle"), ("STS.1", "acs:ram::1:role/p")]);
    assert!(asked[1].param("SecurityToken").contains("STS.1"));
    assert_eq!(keys_seen(&bench.provider), ["STS.2"]);
}

#[test]
fn a_role_in_the_file_of_the_sdks_is_assumed() {
    let mint = Mint::default();
    let (bench, service) = (bench(2, &mint), sts(&mint, HOUR));
    let secret = secret_of("LTAIini");
    let section = format!(
        "[default]\ntype = ram_role_arn\naccess_key_id = LTAIini\naccess_key_secret = {secret}\nrole_arn = {ROLE}\n\
         role_session_name = ini\n"
    );
    in_home(&bench, ".alibabacloud/credentials", &section);
    run(&bench, &["--sts-endpoint", &service.endpoint()], &[]).exits(0);
    all_found(&bench, 2);
    assert_eq!(service.requests()[0].param("RoleSessionName"), "ini");
}

#[test]
fn an_oidc_token_is_exchanged_for_a_key() {
    let mint = Mint::default();
    let (bench, service) = (bench(2, &mint), sts(&mint, HOUR));
    bench.write("token", "hunter2-oidc\n");
    let endpoint = service.endpoint();
    let by_variables = [
        ("ALIBABA_CLOUD_ROLE_ARN", ROLE),
        ("ALIBABACLOUD_OIDC_PROVIDER_ARN", "acs:ram::1:oidc-provider/k8s"),
        ("ALIBABA_CLOUD_OIDC_TOKEN_FILE", "token"),
        ("ALIBABA_CLOUD_ROLE_SESSION_NAME", "pod"),
        ("RECONCILE_STS_ENDPOINT", endpoint.as_str()),
    ];
    // OIDC comes before every profile.
    config_json(&bench, &json!({"current": "x", "profiles": [ak("x", "LTAIx")]}));
    run(&bench, &[], &by_variables).exits(0);
    all_found(&bench, 2);
    let oidc = json!({"mode": "OIDC", "ram_role_arn": ROLE, "oidc_provider_arn": "acs:ram::1:oidc-provider/k8s",
                      "oidc_token_file": "token"});
    profile(&bench, &oidc, &[]);
    bench.write("token", "hunter2-renewed");
    run(&bench, &["--refresh"], &by_variables[4..]).exits(0);
    let asked = service.requests();
    let sent: Vec<_> = asked.iter().map(|r| (r.param("OIDCToken"), r.param("RoleSessionName"))).collect();
    assert_eq!(sent, [("hunter2-oidc", "pod"), ("hunter2-renewed", "reconcile")]);
    for request in &asked {
        assert_eq!(request.param("Action"), "AssumeRoleWithOIDC");
        assert_eq!(request.param("OIDCProviderArn"), "acs:ram::1:oidc-provider/k8s");
        assert_eq!((request.param("Signature"), request.param("AccessKeyId")), ("", ""), "it is not signed");
    }
    assert_eq!(keys_seen(&bench.provider), ["STS.1", "STS.2"]);
    fs::remove_file(bench.path("token")).unwrap();
    run(&bench, &["--refresh"], &by_variables).exits(2).says("OIDC token file token cannot be read");
}

#[test]
fn the_metadata_service_gives_a_key_after_all_other_sources() {
    for (version_2, role, given) in
        [(true, "EcsVoice", ""), (false, "EcsVoice", ""), (true, "EcsVoice", "EcsVoice")]
    {
        let mint = Mint::default();
        let (bench, service) = (bench(2, &mint), metadata(&mint, role, version_2, HOUR));
        let endpoint = service.endpoint();
        let variables = [
            ("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "false"),
            ("ALIBABA_CLOUD_ECS_METADATA_SERVICE_ENDPOINT", endpoint.as_str()),
            ("ALIBABA_CLOUD_ECS_METADATA", given),
        ];
        run(&bench, &[], &variables).exits(0);
        all_found(&bench, 2);
        let who = printed_json(&whoami(&bench, &["--json"], &variables));
        assert_eq!((&who["role"], &who["account"]), (&json!("EcsVoice"), &Value::Null));
        // A profile comes first, and the service is not asked.
        let asked = service.seen();
        config_json(&bench, &json!({"current": "x", "profiles": [ak("x", "LTAIx")]}));
        let other = printed_json(&whoami(&bench, &["--json"], &variables));
        assert_eq!((&other["key"], service.seen()), (&json!("TAIx"), asked));
        // A profile may have this mode.
        profile(&bench, &json!({"mode": "EcsRamRole", "ram_role_name": role}), &[]);
        run(&bench, &["--refresh"], &variables[..2]).exits(0);
        assert!(service.seen() > asked);
    }
}

#[test]
fn a_machine_without_a_usable_role_is_reported() {
    let mint = Mint::default();
    let bench = bench(1, &mint);
    let lacks = |service: &Provider, version_1_off: &str| {
        let endpoint = service.endpoint();
        let variables = [
            ("ALIBABA_CLOUD_ECS_METADATA_DISABLED", ""),
            ("ALIBABA_CLOUD_ECS_METADATA_SERVICE_ENDPOINT", endpoint.as_str()),
            ("ALIBABA_CLOUD_IMDSV1_DISABLED", version_1_off),
        ];
        run(&bench, &[], &variables).exits(2)
    };
    lacks(&metadata(&mint, "", true, HOUR), "").says("no RAM role is attached to this machine");
    lacks(&metadata(&mint, "EcsVoice", false, HOUR), "true").says("ALIBABA_CLOUD_IMDSV1_DISABLED");
    // A silent service costs no more than its timeout.
    let silent = Provider::start();
    silent.by_default(Reply::stall());
    let began = std::time::Instant::now();
    lacks(&silent, "").says("timeout").says("ALIBABA_CLOUD_CREDENTIALS_URI is not set");
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    assert_eq!((silent.seen(), bench.provider.seen()), (1, 0));
}

#[test]
fn a_url_from_variable_or_profile_gives_a_key() {
    let mint = Mint::default();
    let (bench, service) = (bench(2, &mint), uri(&mint, HOUR));
    let url = format!("{}/keys?for=hunter2", service.endpoint());
    run(&bench, &[], &[("ALIBABA_CLOUD_CREDENTIALS_URI", &url)]).exits(0);
    all_found(&bench, 2);
    profile(&bench, &json!({"mode": "CredentialsURI", "credentials_uri": url}), &[]);
    run(&bench, &["--refresh"], &[]).exits(0);
    let asked = service.requests();
    assert_eq!((asked.len(), asked[1].method.as_str(), asked[1].path.as_str()), (2, "GET", "/keys"));

    for (reply, code, says) in [
        (Reply::json(200, &json!({"Code": "Failed"})), 3, "Code is not Success"),
        (
            Reply::json(200, &json!({"AccessKeyId": "a", "AccessKeySecret": "hunter2"})),
            3,
            "SecurityToken is missing",
        ),
        (Reply::raw(200, "text/plain", "hunter2"), 3, "not JSON"),
        (Reply::html(404), 3, "HTTP 404"),
        (Reply::empty(302).header("Location", "http://hunter2/"), 3, "HTTP 302"),
        (Reply::json(200, &mint.key(Duration::ZERO)), 4, "has already expired"),
    ] {
        service.by_default(reply);
        run(&bench, &["--refresh"], &[]).exits(code).says(says);
        assert_eq!(whoami(&bench, &[], &[]).code, Some(code), "{says}");
    }
    assert_eq!(bench.provider.seen(), 4);
}

#[test]
fn an_external_program_gives_a_key() {
    let mint = Mint::default();
    let bench = bench(2, &mint);
    let given = mint.key(HOUR);
    let printed = json!({"mode": "StsToken", "access_key_id": given["AccessKeyId"], "access_key_secret": given["AccessKeySecret"],
                         "sts_token": given["SecurityToken"], "expiration": given["Expiration"]});
    let script = |text: &str| {
        let path = in_home(&bench, "give key.sh", &format!("#!/bin/sh\necho hunter2 >&2\n{text}\n"));
        crate::support::keys::mode(&path, 0o700);
        path
    };
    let path = script(&format!("test \"$1\" = 'for night' && echo '{printed}'"));
    profile(
        &bench,
        &json!({"mode": "External", "process_command": format!("'{}' \"for night\"", path.display())}),
        &[],
    );
    run(&bench, &[], &[]).exits(0);
    all_found(&bench, 2);
    let who = printed_json(&whoami(&bench, &["--json"], &[]));
    assert!(who["expires_in_s"].as_i64().unwrap() > 3000, "{who}");
    for (text, code, says) in [
        ("echo hunter2", 2, "printed no key"),
        ("echo '{\"mode\":\"AK\",\"access_key_id\":\"a\"}'", 2, "access_key_secret is missing"),
        ("exit 7", 4, "exit status: 7"),
    ] {
        script(text);
        run(&bench, &["--refresh"], &[]).exits(code).says(says);
    }
    assert_eq!(bench.provider.seen(), 2);
}

#[test]
fn one_task_renews_a_key_before_it_expires() {
    let mint = Mint::default();
    let (bench, service) = (bench(120, &mint), sts(&mint, Duration::from_secs(3)));
    role_profile(&bench);
    let options = ["--rate", "20/s", "--burst", "1", "--sts-endpoint", &service.endpoint()];
    run(&bench, &[&options[..], &["--concurrency", "16"]].concat(), &[]).exits(0);
    all_found(&bench, 120);
    // The run takes six seconds; keys live for three and are renewed after two and a quarter. The
    // provider would refuse an expired key.
    let keys = keys_seen(&bench.provider);
    assert!((3..=5).contains(&keys.len()), "{keys:?}");
    assert!(
        mint.issued() <= keys.len() as u64 + 1,
        "{} keys were fetched, {} used",
        mint.issued(),
        keys.len()
    );
    assert_eq!(
        (bench.provider.seen(), bench.summary().number("requests")),
        (120, 120),
        "no request was in vain"
    );
    assert_eq!(bench.summary().number("retries"), 0);
}

/// Runs for four seconds with short-lived keys: they are renewed, and no request is repeated.
#[track_caller]
fn renewed_in_mid_run(bench: &Bench, options: &[&str], variables: &[(&str, &str)]) {
    run(bench, &[options, &["--rate", "20/s", "--burst", "1"]].concat(), variables).exits(0);
    all_found(bench, 80);
    let keys = keys_seen(&bench.provider);
    assert!((2..=4).contains(&keys.len()), "{keys:?}");
    assert_eq!((bench.provider.seen(), bench.summary().number("retries")), (80, 0));
}

const SHORT: Duration = Duration::from_secs(3);

#[test]
fn the_key_of_the_machine_is_renewed_in_mid_run() {
    let mint = Mint::default();
    let (bench, service) = (bench(80, &mint), metadata(&mint, "EcsVoice", true, SHORT));
    let endpoint = service.endpoint();
    let variables = [
        ("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "false"),
        ("ALIBABA_CLOUD_ECS_METADATA_SERVICE_ENDPOINT", endpoint.as_str()),
    ];
    renewed_in_mid_run(&bench, &[], &variables);
}

#[test]
fn the_key_from_a_url_is_renewed_in_mid_run() {
    let mint = Mint::default();
    let (bench, service) = (bench(80, &mint), uri(&mint, SHORT));
    renewed_in_mid_run(&bench, &[], &[("ALIBABA_CLOUD_CREDENTIALS_URI", &service.endpoint())]);
}

#[test]
fn the_key_of_an_oidc_role_is_renewed_in_mid_run() {
    let mint = Mint::default();
    let (bench, service) = (bench(80, &mint), sts(&mint, SHORT));
    bench.write("token", "hunter2");
    let variables = [
        ("ALIBABA_CLOUD_ROLE_ARN", ROLE),
        ("ALIBABA_CLOUD_OIDC_PROVIDER_ARN", "acs:ram::1:oidc-provider/k8s"),
        ("ALIBABA_CLOUD_OIDC_TOKEN_FILE", "token"),
    ];
    renewed_in_mid_run(&bench, &["--sts-endpoint", &service.endpoint()], &variables);
}

#[test]
fn the_key_from_a_program_is_renewed_in_mid_run() {
    let mint = Mint::default();
    let bench = bench(80, &mint);
    // The program prints the n-th key when it runs for the n-th time.
    for n in 1..=5 {
        let key = mint.key(SHORT * n);
        let printed = json!({"mode": "StsToken", "access_key_id": key["AccessKeyId"], "sts_token": key["SecurityToken"],
                             "access_key_secret": key["AccessKeySecret"], "expiration": key["Expiration"]});
        in_home(&bench, &format!("key-{n}"), &printed.to_string());
    }
    let script = "#!/bin/sh\ncd \"${0%/*}\" && echo >> asked && cat \"key-$(wc -l < asked)\"\n";
    let path = in_home(&bench, "give", script);
    crate::support::keys::mode(&path, 0o700);
    profile(&bench, &json!({"mode": "External", "process_command": path.display().to_string()}), &[]);
    renewed_in_mid_run(&bench, &[], &[]);
}

#[test]
fn a_key_refused_as_expired_is_renewed_once_for_all_requests() {
    let mint = Mint::default();
    let (bench, service) = (bench(60, &mint), sts(&mint, HOUR));
    role_profile(&bench);
    // The provider refuses the first key after twenty requests, before the expiry that STS gave.
    let (count, accepted) = (AtomicUsize::new(0), mint);
    bench.provider.answer_with(move |request| {
        let first = request.param("AccessKeyId") == "STS.1";
        if first && count.fetch_add(1, Ordering::Relaxed) >= 20 {
            let refusal =
                Reply::code(400, "InvalidSecurityToken.Expired", "Specified SecurityToken is expired.");
            return refusal.after(Duration::from_millis(30));
        }
        accepted.check(request)
    });
    run(&bench, &["--concurrency", "8", "--sts-endpoint", &service.endpoint()], &[]).exits(0);
    all_found(&bench, 60);
    assert_eq!((service.seen(), keys_seen(&bench.provider)), (2, vec!["STS.1".into(), "STS.2".into()]));
    assert!(bench.provider.seen() <= 60 + 8, "{}", bench.provider.seen());
}

#[test]
fn a_refused_renewed_key_ends_the_run() {
    let mint = Mint::default();
    let (bench, service) = (bench(20, &mint), sts(&mint, HOUR));
    role_profile(&bench);
    bench.provider.by_default(Reply::code(
        400,
        "InvalidSecurityToken.Expired",
        "Specified SecurityToken is expired.",
    ));
    let ended = run(&bench, &["--concurrency", "1", "--sts-endpoint", &service.endpoint()], &[]).exits(3);
    ended.says("InvalidSecurityToken.Expired").says("the profile `p`");
    // One more call may be asked for while the key is renewed.
    let seen = bench.provider.seen();
    assert!(service.seen() == 2 && (2..=3).contains(&seen), "{seen} requests");
}

#[test]
fn a_refusal_by_sts_ends_the_run_with_advice() {
    for (status, code, says) in [
        (403, "NoPermission", "sts:AssumeRole"),
        (404, "EntityNotExist.Role", "check the role's ARN"),
        (404, "InvalidAccessKeyId.NotFound", "the access key that assumes the role"),
        (400, "InvalidParameter.DurationSeconds", "expired_seconds"),
        (400, "SomethingNew", "list of STS errors"),
    ] {
        let mint = Mint::default();
        let (bench, service) = (bench(2, &mint), Provider::start());
        role_profile(&bench);
        service.by_default(Reply::code(
            status,
            code,
            "hidden; server string to sign is:POST&SecurityToken%3Dhunter2",
        ));
        let options = ["--sts-endpoint", &service.endpoint()];
        run(&bench, &options, &[]).exits(3).says(code).says(says).says(ROLE);
        let asked = whoami(&bench, &options, &[]);
        assert_eq!((asked.code, asked.stdout.as_str()), (Some(3), ""), "{asked:?}");
        assert_eq!((bench.provider.seen(), service.seen()), (0, 2));
    }
}

#[test]
fn only_a_long_outage_of_sts_leaves_the_run_incomplete() {
    let mint = Mint::default();
    let (bench, service) = (bench(3, &mint), sts(&mint, HOUR));
    role_profile(&bench);
    service.script("", [Reply::code(503, "ServiceUnavailable", "later"), Reply::dropped()]);
    let options = ["--sts-endpoint", &service.endpoint()];
    run(&bench, &options, &[]).exits(0);
    all_found(&bench, 3);
    assert_eq!((service.seen(), bench.provider.seen()), (3, 3));

    bench.write("calls.csv", &ledger(5));
    service.by_default(Reply::code(503, "ServiceUnavailable", "later"));
    run(&bench, &options, &[]).exits(4).says("no key could be obtained").says("ServiceUnavailable");
    assert!(!bench.summary().complete());
    assert_eq!(column(&bench.details(), "status"), ["found", "found", "found", "deferred", "deferred"]);
    assert_eq!(bench.provider.seen(), 3);
}

#[test]
fn no_request_waits_for_sts_while_the_old_key_is_valid() {
    let mint = Mint::default();
    let (bench, service) = (bench(90, &mint), Provider::start());
    role_profile(&bench);
    // The first key lives for six seconds and is renewed after four and a half; STS then answers
    // slowly.
    let (minted, first) = (mint.clone(), AtomicUsize::new(0));
    service.answer_with(move |_| match first.fetch_add(1, Ordering::Relaxed) {
        0 => Reply::json(200, &json!({"Credentials": minted.key(Duration::from_secs(6))})),
        _ => Reply::json(200, &json!({"Credentials": minted.key(HOUR)})).after(Duration::from_millis(1200)),
    });
    let arrivals = Arc::new(Mutex::new(Vec::new()));
    let (seen, accepted) = (arrivals.clone(), mint);
    bench.provider.answer_with(move |request| {
        seen.lock().unwrap().push(Utc::now());
        accepted.check(request)
    });
    let options = ["--rate", "15/s", "--burst", "1", "--sts-endpoint", &service.endpoint()];
    run(&bench, &options, &[]).exits(0);
    all_found(&bench, 90);
    let arrivals = arrivals.lock().unwrap();
    let longest = arrivals.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
    assert!(longest.num_milliseconds() < 900, "the run sent nothing for {longest}");
    assert_eq!((service.seen(), bench.summary().number("retries")), (2, 0));
}

#[test]
fn a_wrong_clock_is_corrected_for_sts_too() {
    let mint = Mint::default();
    let (bench, service) = (bench(2, &mint), sts(&mint, HOUR));
    role_profile(&bench);
    let ahead = Utc::now() + chrono::TimeDelta::hours(5);
    let date = ahead.format("%a, %d %b %Y %H:%M:%S GMT").to_string();
    service.script("", [Reply::code(400, "InvalidTimeStamp.Expired", "expired").header("Date", &date)]);
    run(&bench, &["--sts-endpoint", &service.endpoint()], &[]).exits(0);
    all_found(&bench, 2);
    let asked = service.requests();
    assert_eq!(asked.len(), 2);
    assert_eq!(asked[1].param("Timestamp")[..16], ahead.format("%Y-%m-%dT%H:%M").to_string()[..]);
    asked.iter().for_each(assert_signed);
}

#[test]
fn the_sandbox_issues_the_key_of_a_role_and_accepts_it() {
    let sandbox = Server::start(&[]);
    let url = sandbox.url();
    let bench = Bench::new(&ledger(5));
    let user =
        json!({"name": "user", "mode": "AK", "access_key_id": "testid", "access_key_secret": "testsecret"});
    let mode = "ChainableRamRoleArn";
    let hop = |name: &str, source: &str| json!({"name": name, "mode": mode, "ram_role_arn": ROLE, "source_profile": source});
    profile(&bench, &hop("p", "middle"), &[hop("middle", "user"), user]);
    let options = ["--endpoint", &url, "--sts-endpoint", &url];
    run(&bench, &options, &[]).exits(0);
    let summary = bench.summary();
    summary.assert_totals();
    assert_eq!((summary.number("failed"), summary.number("retries")), (0, 0));
    let who = printed_json(&whoami(&bench, &["--json", "--sts-endpoint", &url], &[]));
    assert_eq!((&who["role"], &who["temporary"]), (&json!("voice-night"), &json!(true)));
    // A wrong secret gets no key.
    let mut wrong = ak("p", "testid");
    wrong["mode"] = "RamRoleArn".into();
    wrong["ram_role_arn"] = ROLE.into();
    profile(&bench, &wrong, &[]);
    run(&bench, &[&options[..], &["--refresh"]].concat(), &[]).exits(3).says("SignatureDoesNotMatch");
}
