//! The sources of the access key: the environment, both kinds of profile files, and the error
//! without a key.

use serde_json::{Value, json};

use crate::support::keys::{ak, config_json, in_home, keys_seen, mode, printed_json, run, secret_of, whoami};
use crate::support::provider::{Provider, Reply};
use crate::support::{Bench, column, ledger};

/// The key id that the provider sees with these options and variables.
#[track_caller]
fn key_used(bench: &Bench, options: &[&str], variables: &[(&str, &str)]) -> String {
    run(bench, &[options, &["--refresh"]].concat(), variables).exits(0);
    let request = bench.provider.requests().pop().unwrap();
    crate::support::keys::assert_signed(&request);
    request.param("AccessKeyId").to_owned()
}

/// Writes three profiles of the command-line tool; the second is the current one.
fn three(bench: &Bench) {
    let profiles = [ak("first", "LTAIfirst"), ak("second", "LTAIsecond"), ak("third", "LTAIthird")];
    config_json(bench, &json!({"current": "second", "profiles": profiles, "meta_path": ""}));
}

#[test]
fn a_named_profile_is_used_else_the_current_one() {
    let bench = Bench::new(&ledger(1));
    three(&bench);
    let by = |name| [(name, "third")];
    assert_eq!(key_used(&bench, &[], &[]), "LTAIsecond");
    assert_eq!(key_used(&bench, &["--profile", "first"], &by("ALIBABA_CLOUD_PROFILE")), "LTAIfirst");
    for variable in ["RECONCILE_PROFILE", "ALIBABACLOUD_PROFILE", "ALIBABA_CLOUD_PROFILE", "ALICLOUD_PROFILE"]
    {
        assert_eq!(key_used(&bench, &[], &by(variable)), "LTAIthird", "{variable}");
    }
    // Without a current profile none is used.
    config_json(&bench, &json!({"profiles": [ak("first", "LTAIfirst")]}));
    run(&bench, &[], &[]).exits(2).says("names no current profile");
}

#[test]
fn both_names_of_the_sdks_file_are_read() {
    let section = |name: &str, id: &str| {
        let secret = secret_of(id);
        format!("[{name}]\ntype = access_key # comment\naccess_key_id = {id}\naccess_key_secret = {secret}\n")
    };
    for (name, other) in [("credentials.ini", "credentials"), ("credentials", "credentials.ini")] {
        let bench = Bench::new(&ledger(1));
        in_home(&bench, &format!(".alibabacloud/{name}"), &section("default", "LTAIone"));
        assert_eq!(key_used(&bench, &[], &[]), "LTAIone", "{name}");
        // A section that is missing in one file is taken from the other.
        in_home(&bench, &format!(".alibabacloud/{other}"), &section("ops", "LTAItwo"));
        assert_eq!(key_used(&bench, &["--profile", "ops"], &[]), "LTAItwo", "{other}");
        assert_eq!(key_used(&bench, &[], &[]), "LTAIone");
        bench.write("given", &section("default", "LTAIgiven"));
        assert_eq!(key_used(&bench, &[], &[("ALIBABA_CLOUD_CREDENTIALS_FILE", "given")]), "LTAIgiven");
    }
}

#[test]
fn environment_keys_precede_profiles_except_a_named_one() {
    let bench = Bench::new(&ledger(1));
    three(&bench);
    let secret = secret_of("LTAIenv");
    for prefix in ["ALIBABA_CLOUD_", "ALIBABACLOUD_", "ALICLOUD_", ""] {
        let [id_name, secret_name] =
            ["ACCESS_KEY_ID", "ACCESS_KEY_SECRET"].map(|name| format!("{prefix}{name}"));
        let variables = [(id_name.as_str(), "LTAIenv"), (secret_name.as_str(), secret.as_str())];
        assert_eq!(key_used(&bench, &[], &variables), "LTAIenv", "{prefix}");
        assert_eq!(key_used(&bench, &["--profile", "third"], &variables), "LTAIthird");
    }
    let half = [("ALIBABA_CLOUD_ACCESS_KEY_ID", "LTAIenv")];
    run(&bench, &[], &half)
        .exits(2)
        .says("ALIBABA_CLOUD_ACCESS_KEY_SECRET is not")
        .says("or unset ALIBABA_CLOUD_ACCESS_KEY_ID");
}

#[test]
fn a_token_in_the_environment_is_sent_with_its_key() {
    let bench = Bench::new(&ledger(1));
    let secret = secret_of("STS.env");
    let variables = [
        ("ALIBABA_CLOUD_ACCESS_KEY_ID", "STS.env"),
        ("ALIBABA_CLOUD_ACCESS_KEY_SECRET", secret.as_str()),
        ("ALIBABA_CLOUD_SECURITY_TOKEN", "hunter2+/="),
    ];
    assert_eq!(key_used(&bench, &[], &variables), "STS.env");
    assert_eq!(bench.provider.requests()[0].param("SecurityToken"), "hunter2+/=");
}

#[test]
fn the_file_of_the_cli_precedes_the_file_of_the_sdks() {
    let bench = Bench::new(&ledger(1));
    three(&bench);
    let secret = secret_of("LTAIini");
    in_home(
        &bench,
        ".alibabacloud/credentials",
        &format!("[default]\ntype=access_key\naccess_key_id=LTAIini\naccess_key_secret={secret}\n"),
    );
    assert_eq!(key_used(&bench, &[], &[]), "LTAIsecond");
    for switch in ["ALIBABA_CLOUD_CLI_PROFILE_DISABLED", "ALIBABA_CLOUD_IGNORE_PROFILE"] {
        assert_eq!(key_used(&bench, &[], &[(switch, "TRUE")]), "LTAIini", "{switch}");
    }
    bench.write("elsewhere.json", &json!({"current": "x", "profiles": [ak("x", "LTAIelse")]}).to_string());
    assert_eq!(key_used(&bench, &[], &[("ALIBABA_CLOUD_CONFIG_FILE", "elsewhere.json")]), "LTAIelse");
    // The tool's file before it is configured.
    config_json(
        &bench,
        &json!({"current": "default", "profiles": [{"name": "default", "mode": "AK", "access_key_id": ""}]}),
    );
    assert_eq!(key_used(&bench, &[], &[]), "LTAIini");
}

#[test]
fn without_credentials_the_error_lists_every_source() {
    let bench = Bench::new(&ledger(1));
    let metadata = Provider::start();
    let endpoint = metadata.endpoint();
    let variables = [
        ("ALIBABA_CLOUD_ECS_METADATA_SERVICE_ENDPOINT", endpoint.as_str()),
        ("ALIBABA_CLOUD_ROLE_ARN", "acs:ram::1:role/x"),
    ];
    let lacks = [
        "nor an alias of it is set",
        "ALIBABA_CLOUD_OIDC_PROVIDER_ARN, ALIBABA_CLOUD_OIDC_TOKEN_FILE are not set",
        ".aliyun/config.json does not exist",
        "credentials.ini does not exist",
        ".alibabacloud/credentials does not exist",
        "ALIBABA_CLOUD_ECS_METADATA_DISABLED",
        "ALIBABA_CLOUD_CREDENTIALS_URI is not set",
        "aliyun configure",
        "--sandbox",
    ];
    let run = run(&bench, &[], &variables).exits(2);
    lacks.into_iter().fold(run, |run, lack| run.says(lack));
    assert_eq!((bench.provider.seen(), metadata.seen()), (0, 0), "no service is asked");
    assert!(bench.output_bytes().iter().all(Option::is_none) && !bench.path("reconcile.db").exists());
    let asked = whoami(&bench, &[], &variables);
    assert_eq!(asked.code, Some(2), "{asked:?}");
}

#[test]
fn a_named_profile_that_does_not_exist_is_an_error() {
    let bench = Bench::new(&ledger(1));
    three(&bench);
    let secret = secret_of("LTAIenv");
    let key = [("ALIBABA_CLOUD_ACCESS_KEY_ID", "LTAIenv"), ("ALIBABA_CLOUD_ACCESS_KEY_SECRET", &secret)];
    run(&bench, &["--profile", "ops"], &key)
        .exits(2)
        .says("the profile `ops` was not found")
        .says("has no profile `ops`");
    run(&bench, &[], &[("ALIBABA_CLOUD_PROFILE", "ops")]).exits(2).says("`ops` (ALIBABA_CLOUD_PROFILE)");
    assert_eq!(bench.provider.seen(), 0);
}

#[test]
fn an_unusable_profile_is_an_error_with_advice() {
    let key = |profile: Value| {
        let mut whole = ak("p", "LTAIwhole");
        whole.as_object_mut().unwrap().extend(profile.as_object().unwrap().clone());
        whole
    };
    let role = "acs:ram::1:role/x";
    for (profile, says, to_do) in [
        (
            json!({"mode": "AK", "access_key_id": "LTAI"}),
            "access_key_secret is missing",
            "aliyun configure --profile p --mode AK",
        ),
        (key(json!({"mode": "stsTOKEN"})), "sts_token is missing (mode StsToken)", "--mode StsToken"),
        (key(json!({"mode": "RamRoleArn"})), "ram_role_arn is missing", "--mode RamRoleArn"),
        (
            key(json!({"mode": "RamRoleArn", "ram_role_arn": role, "expired_seconds": "hunter2"})),
            "expired_seconds",
            "900",
        ),
        (
            json!({"mode": "ChainableRamRoleArn", "ram_role_arn": role}),
            "source_profile is missing",
            "--mode Chain",
        ),
        (
            json!({"mode": "ChainableRamRoleArn", "ram_role_arn": role, "source_profile": "q"}),
            "`q` does not exist",
            "name another",
        ),
        (
            json!({"mode": "ChainableRamRoleArn", "ram_role_arn": role, "source_profile": "p"}),
            "p → p",
            "its own key",
        ),
        (json!({"mode": "EcsRamRole"}), "ALIBABA_CLOUD_ECS_METADATA_DISABLED", "unset"),
        (json!({"mode": "OIDC", "ram_role_arn": role}), "oidc_provider_arn is missing", "--mode OIDC"),
        (json!({"mode": "External"}), "process_command is missing", "--mode External"),
        (json!({"mode": "External", "process_command": "x 'hunter2"}), "unclosed quote", "quotes"),
        (
            json!({"mode": "External", "process_command": "./no-such --token hunter2"}),
            "`./no-such`",
            "by hand",
        ),
        (json!({"mode": "CredentialsURI"}), "credentials_uri is missing", "--mode CredentialsURI"),
        (
            json!({"mode": "CredentialsURI", "credentials_uri": "ftp://x/hunter2"}),
            "not an http:// or https:// URL",
            "https://",
        ),
        (
            json!({"mode": "CredentialsURI", "credentials_uri": "http://192.0.2.1/hunter2"}),
            "clear text",
            "insecure-http",
        ),
        (
            json!({"mode": "CloudSSO"}),
            "no security token yet",
            "aliyun configure --profile p --mode CloudSSO",
        ),
        (
            key(json!({"mode": "OAuth", "sts_token": "t", "sts_expiration": 1_700_000_000})),
            "expired at 2023-11-15 06:13:20 UTC+8",
            "--mode OAuth",
        ),
        (
            key(json!({"mode": "StsToken", "sts_token": "t", "sts_expiration": 1})),
            "expired at 1970-01-01 08:00:01 UTC+8",
            "--mode StsToken",
        ),
        (json!({"mode": "RsaKeyPair"}), "outdated", "RamRoleArn"),
        (json!({"mode": "RamRoleArnWithRoleName"}), "outdated", "ChainableRamRoleArn"),
        (json!({"mode": "BearerToken"}), "must be signed", "use a profile of the mode"),
        (json!({"mode": "Anonymous"}), "must be signed", "use a profile of the mode"),
        (json!({"mode": "Telepathy"}), "no mode `Telepathy`", "use a profile of the mode"),
    ] {
        let bench = Bench::new(&ledger(1));
        let mut profile = profile;
        profile["name"] = "p".into();
        config_json(&bench, &json!({"current": "p", "profiles": [profile]}));
        let secret = secret_of("LTAIini");
        let ini = format!("[default]\ntype=access_key\naccess_key_id=LTAIini\naccess_key_secret={secret}\n");
        in_home(&bench, ".alibabacloud/credentials", &ini);
        run(&bench, &[], &[]).exits(2).says(says).says(to_do);
        assert_eq!(bench.provider.seen(), 0, "{says}");
    }
}

#[test]
fn an_unreadable_file_is_reported_without_its_contents() {
    for (name, text, says) in [
        (
            ".aliyun/config.json",
            r#"{"current":"x","profiles":[{"access_key_secret":"hunter2"#,
            "line 1, column",
        ),
        (".aliyun/config.json", r#"{"current":"hunter2","profiles":"hunter2"}"#, "line 1, column"),
        (".alibabacloud/credentials", "[default]\nhunter2", "line 2 has no `=`"),
        (".alibabacloud/credentials.ini", "[default]\naccess_key_secret=hunter2", "has no `type`"),
        (".alibabacloud/credentials.ini", "[default]\ntype=rsa_key_pair\nprivate_key=hunter2", "outdated"),
    ] {
        let bench = Bench::new(&ledger(1));
        in_home(&bench, name, text);
        run(&bench, &[], &[]).exits(2).says(name.rsplit('/').next().unwrap()).says(says);
        assert_eq!(bench.provider.seen(), 0);
    }
    let bench = Bench::new(&ledger(1));
    config_json(&bench, &json!({"current": "gone", "profiles": [ak("a", "LTAIa"), ak("b", "LTAIb")]}));
    run(&bench, &[], &[]).exits(2).says("names the profile `gone` as current").says("(a, b)");
    std::fs::create_dir_all(bench.path("home/.alibabacloud/credentials.ini")).unwrap();
    run(&bench, &[], &[("ALIBABA_CLOUD_CLI_PROFILE_DISABLED", "true")]).exits(2).says("cannot be read");
}

#[test]
fn a_file_that_others_can_read_causes_a_warning() {
    let bench = Bench::new(&ledger(1));
    let ini = format!(
        "[ini]\ntype=access_key\naccess_key_id=LTAIini\naccess_key_secret={}\n",
        secret_of("LTAIini")
    );
    let files = [
        ("second", in_home(&bench, ".aliyun/config.json", "")),
        ("ini", in_home(&bench, ".alibabacloud/credentials.ini", &ini)),
    ];
    three(&bench);
    for (profile, path) in files {
        let options = ["--profile", profile];
        for (bits, warned) in [(0o644, true), (0o640, true), (0o604, true), (0o600, false), (0o400, false)] {
            mode(&path, bits);
            let warning =
                format!("others can read the credentials file {0}; `chmod 600 {0}`", path.display());
            assert_eq!(run(&bench, &options, &[]).exits(0).stderr.contains(&warning), warned, "{bits:o}");
            let asked = whoami(&bench, &[&options[..], &["--json"]].concat(), &[]);
            assert_eq!(asked.stderr.contains(&warning), warned, "{bits:o}");
            assert_eq!(printed_json(&asked)["warnings"].as_array().unwrap().len(), usize::from(warned));
        }
    }
}

#[test]
fn whoami_shows_the_source_of_the_key_and_no_secret() {
    let bench = Bench::new(&ledger(1));
    three(&bench);
    let asked = whoami(&bench, &[], &[]);
    assert_eq!(asked.code, Some(0), "{asked:?}");
    for words in ["the profile `second` of ", "config.json, mode AK", "…cond (static)", "expires  never"] {
        assert!(asked.stdout.contains(words), "{words} in {}", asked.stdout);
    }
    assert!(!asked.stdout.contains("LTAIsecond"), "{}", asked.stdout);
    let sso = json!({"name": "sso", "mode": "CloudSSO", "access_key_id": "STS.cached", "access_key_secret": "hunter2",
                     "sts_token": "hunter2", "sts_expiration": 4_000_000_000_u64});
    config_json(&bench, &json!({"current": "sso", "profiles": [sso]}));
    let cached = printed_json(&whoami(&bench, &["--json"], &[]));
    assert_eq!(cached["key"], "ched");
    assert_eq!((&cached["temporary"], &cached["expires_at"]), (&json!(true), &json!("2096-10-02T07:06:40Z")));
    assert!(cached["expires_in_s"].as_i64().unwrap() > 1_000_000_000);
    assert_eq!(bench.provider.seen(), 0);
}

#[test]
fn after_an_expired_token_a_fresh_one_resumes_the_run() {
    let bench = Bench::new(&ledger(6));
    let with = |id: &str| {
        let mut profile = ak("night", id);
        profile["mode"] = "StsToken".into();
        profile["sts_token"] = "hunter2".into();
        config_json(&bench, &json!({"current": "night", "profiles": [profile]}));
    };
    with("STS.old");
    let count = std::sync::atomic::AtomicUsize::new(0);
    bench.provider.answer_with(move |request| {
        let old = request.param("AccessKeyId") == "STS.old";
        if old && count.fetch_add(1, std::sync::atomic::Ordering::Relaxed) >= 3 {
            return Reply::code(400, "InvalidSecurityToken.Expired", "Specified SecurityToken is expired.");
        }
        Reply::record()
    });
    let ended = run(&bench, &["--concurrency", "1"], &[]).exits(3);
    ended.says("InvalidSecurityToken.Expired").says("the profile `night`").says("fresh security token");
    assert_eq!(bench.provider.seen(), 4);
    with("STS.new");
    run(&bench, &[], &[]).exits(0);
    assert_eq!(column(&bench.details(), "status"), ["found"; 6]);
    assert_eq!(
        (bench.provider.seen(), keys_seen(&bench.provider)),
        (7, vec!["STS.old".into(), "STS.new".into()])
    );
}

#[test]
fn a_token_that_expires_in_mid_run_is_not_sent_again() {
    let bench = Bench::new(&ledger(200));
    let expires = chrono::Utc::now().timestamp() + 3;
    let mut profile = ak("night", "STS.soon");
    profile["mode"] = "StsToken".into();
    profile["sts_token"] = "hunter2".into();
    profile["sts_expiration"] = expires.into();
    config_json(&bench, &json!({"current": "night", "profiles": [profile]}));
    let latest = std::sync::Arc::new(std::sync::Mutex::new(0));
    let seen = latest.clone();
    bench.provider.answer_with(move |_| {
        *seen.lock().unwrap() = chrono::Utc::now().timestamp_millis();
        Reply::record()
    });
    let options = ["--rate", "20/s", "--burst", "1", "--concurrency", "4"];
    run(&bench, &options, &[])
        .exits(3)
        .says("the security token from the profile `night`")
        .says("resumes from here");
    let latest = *latest.lock().unwrap();
    assert!(latest < expires * 1000 + 500, "sent {} ms after it expired", latest - expires * 1000);
    assert!((5..80).contains(&bench.provider.seen()), "{}", bench.provider.seen());
}

#[test]
fn offline_and_sandbox_need_no_credentials() {
    let bench = Bench::new(&ledger(1));
    run(&bench, &["--offline"], &[]).exits(4);
    run(&bench, &["--sandbox"], &[]).exits(0);
    assert_eq!(bench.provider.seen(), 0);
}

#[test]
fn without_credentials_nothing_is_sent() {
    let bench = Bench::new(&ledger(2));
    let mut command = bench.command(&[]);
    command.env_remove("ALIBABA_CLOUD_ACCESS_KEY_ID").env_remove("ALIBABA_CLOUD_ACCESS_KEY_SECRET");
    bench.start_command(command).wait().exits(2).says("ALIBABA_CLOUD_ACCESS_KEY_ID");
    assert_eq!(bench.provider.seen(), 0);
    assert!(bench.output_bytes().iter().all(Option::is_none));
}
