//! `packaging/kubernetes.yaml`: valid for Kubernetes, confined, and with the promised retries.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::support::rust_files::root;
use crate::support::{Bench, ledger, venv};

fn manifest() -> PathBuf {
    root().join("packaging/kubernetes.yaml")
}

/// The documents of the manifest.
fn documents() -> Vec<Value> {
    let script = "import json, sys, yaml; print(json.dumps(list(yaml.safe_load_all(open(sys.argv[1])))))";
    let mut python = venv::kubernetes("python");
    let printed = venv::output(python.args(["-c", script]).arg(manifest()), "the manifest is YAML");
    serde_json::from_str(&printed).unwrap()
}

/// The document of this kind.
fn document(kind: &str) -> Value {
    let found = documents().into_iter().find(|document| document["kind"] == kind);
    found.unwrap_or_else(|| panic!("no {kind}"))
}

fn job() -> Value {
    document("CronJob")["spec"]["jobTemplate"]["spec"].clone()
}

#[test]
fn the_manifest_is_valid_for_old_and_new_kubernetes() {
    for version in ["1.31", "1.37.0"] {
        let mut validate = venv::kubernetes("kubernetes-validate");
        validate.args(["--strict", "--kubernetes-version", version]).arg(manifest());
        venv::output(&mut validate, "the manifest is valid");
    }
    // The check can fail.
    let text = fs::read_to_string(manifest()).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let wrong = dir.path().join("wrong.yaml");
    fs::write(&wrong, text.replace("backoffLimit", "backofLimit")).unwrap();
    let mut validate = venv::kubernetes("kubernetes-validate");
    let output = validate.args(["--strict", "--kubernetes-version", "1.31"]).arg(wrong).output().unwrap();
    assert!(!output.status.success());
}

/// What Kubernetes does with a pod that ended with this code: the first rule that matches decides,
/// and a pod without a rule is counted.
fn action(job: &Value, code: u64) -> String {
    let rules = job["podFailurePolicy"]["rules"].as_array().unwrap();
    let matches = |rule: &&Value| {
        let on = &rule["onExitCodes"];
        let is_listed = on["values"].as_array().is_some_and(|codes| codes.iter().any(|c| c == code));
        match on["operator"].as_str() {
            Some("In") => is_listed,
            Some("NotIn") => !is_listed,
            _ => false,
        }
    };
    rules.iter().find(matches).map_or_else(|| "Count".into(), |rule| rule["action"].as_str().unwrap().into())
}

#[test]
fn exit_codes_fail_the_job_or_are_retried_as_promised() {
    let job = job();
    for (codes, expected) in
        [(&[2][..], "FailJob"), (&[3, 1, 130, 143], "Count"), (&[4, 5, 6, 137], "Ignore")]
    {
        for code in codes {
            assert_eq!(action(&job, *code), expected, "exit {code}");
        }
    }
    // A Job fails when more pods are counted than this. So exit 3 has one try and two retries.
    assert_eq!(job["backoffLimit"], 2);
    assert_eq!(job["template"]["spec"]["restartPolicy"], "Never", "podFailurePolicy needs it");
    let rules = job["podFailurePolicy"]["rules"].as_array().unwrap();
    let name = &job["template"]["spec"]["containers"][0]["name"];
    for rule in rules.iter().filter(|rule| rule["onExitCodes"].is_object()) {
        assert_eq!(&rule["onExitCodes"]["containerName"], name);
        // Kubernetes refuses 0 in such a rule.
        assert!(rule["onExitCodes"]["values"].as_array().unwrap().iter().all(|code| *code != 0));
    }
    assert!(rules.iter().any(|rule| rule["onPodConditions"][0]["type"] == "DisruptionTarget"));
}

#[test]
fn the_job_ends_before_the_deadline_of_its_configuration() {
    let cron = document("CronJob")["spec"].clone();
    assert_eq!((&cron["timeZone"], &cron["concurrencyPolicy"]), (&"Asia/Shanghai".into(), &"Forbid".into()));
    let schedule: Vec<&str> = cron["schedule"].as_str().unwrap().split(' ').collect();
    let number = |text: &str| text.parse::<u64>().unwrap();
    let starts_at = number(schedule[1]) * 3_600 + number(schedule[0]) * 60;
    let latest_end = starts_at
        + cron["startingDeadlineSeconds"].as_u64().unwrap()
        + cron["jobTemplate"]["spec"]["activeDeadlineSeconds"].as_u64().unwrap();
    let text = document("ConfigMap")["data"]["reconcile.toml"].as_str().unwrap().to_owned();
    let deadline = text.split("deadline = \"").nth(1).unwrap();
    let (hours, minutes) = (number(&deadline[..2]), number(&deadline[3..5]));
    assert!(latest_end <= hours * 3_600 + minutes * 60, "{latest_end}");
}

#[test]
fn the_configuration_of_the_manifest_is_read() {
    let bench = Bench::new(&ledger(0));
    bench.write("r.toml", document("ConfigMap")["data"]["reconcile.toml"].as_str().unwrap());
    let dump = bench.bare(&["config", "--config", "r.toml"]);
    for line in [
        "input = \"s3://",
        "out = \"s3://",
        "wait = \"true\"",
        "deadline = \"06:30\"",
        "# metrics-push is set",
    ] {
        assert!(dump.contains(line), "no {line} in {dump}");
    }
    assert!(dump.contains("store = \"postgres://") || dump.contains("# store is set"), "{dump}");
    // The configuration holds no secret, and the pod reads this very file.
    let pod = job()["template"]["spec"].clone();
    let container = &pod["containers"][0];
    assert_eq!(container["args"][1], "/etc/reconcile/reconcile.toml");
    let mounts = container["volumeMounts"].as_array().unwrap();
    assert!(mounts.iter().any(|mount| mount["mountPath"] == "/etc/reconcile" && mount["name"] == "config"));
    let volumes = pod["volumes"].as_array().unwrap();
    let is_config = |volume: &Value| volume["name"] == "config" && volume["configMap"]["name"] == "reconcile";
    assert!(volumes.iter().any(is_config));
}

#[test]
fn the_pod_is_confined_and_gets_its_secrets_from_secrets() {
    let pod = job()["template"]["spec"].clone();
    let container = &pod["containers"][0];
    let security = &container["securityContext"];
    assert_eq!(security["readOnlyRootFilesystem"], true);
    assert_eq!(security["allowPrivilegeEscalation"], false);
    assert_eq!(security["capabilities"]["drop"][0], "ALL");
    assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
    assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault");
    for account in
        [&pod["automountServiceAccountToken"], &document("ServiceAccount")["automountServiceAccountToken"]]
    {
        assert_eq!(*account, false);
    }
    for limit in ["cpu", "memory"] {
        assert!(container["resources"]["limits"][limit].is_string(), "{limit}");
    }
    // The user of the image.
    let dockerfile = fs::read_to_string(root().join("packaging/Dockerfile")).unwrap();
    let user = dockerfile.lines().find_map(|line| line.strip_prefix("USER ")).unwrap();
    assert_eq!(user, format!("{0}:{0}", pod["securityContext"]["runAsUser"]));
    // Writable is only what TMPDIR names.
    let variables = container["env"].as_array().unwrap();
    let variable = |name: &str| variables.iter().find(|variable| variable["name"] == name).unwrap();
    assert_eq!(variable("TMPDIR")["value"], "/tmp");
    let writable: Vec<&Value> = container["volumeMounts"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|mount| mount["readOnly"] != true)
        .map(|mount| &mount["mountPath"])
        .collect();
    assert_eq!(writable, ["/tmp"]);
    // Each Secret is one that the comment at the top creates.
    let text = fs::read_to_string(manifest()).unwrap();
    for name in ["ALIBABA_CLOUD_ACCESS_KEY_SECRET", "PGPASSWORD", "AWS_SECRET_ACCESS_KEY"] {
        let secret = &variable(name)["valueFrom"]["secretKeyRef"];
        let (of, key) = (secret["name"].as_str().unwrap(), secret["key"].as_str().unwrap());
        let created = text.split(&format!("create secret generic {of} ")).nth(1).unwrap();
        assert!(
            created.split("kubectl").next().unwrap().contains(&format!("--from-literal={key}=…")),
            "{name}"
        );
        assert!(variable(name).get("value").is_none(), "{name}");
    }
}
