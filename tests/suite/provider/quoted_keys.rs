//! Keys with quotation marks around them, as a file of variables leaves them: every source names
//! the fault before anything is sent.

use serde_json::{Value, json};

use crate::support::keys::{ak, config_json, in_home, run, secret_of, whoami};
use crate::support::{Bench, ledger};

const ID: &str = "ALIBABA_CLOUD_ACCESS_KEY_ID";
const SECRET: &str = "ALIBABA_CLOUD_ACCESS_KEY_SECRET";
const TOKEN: &str = "ALIBABA_CLOUD_SECURITY_TOKEN";
const BOTH: &str = "begins and ends with quotation marks; remove them";

#[track_caller]
fn refused(bench: &Bench, variables: &[(&str, &str)], part: &str) {
    let says = format!("the {part} {BOTH}");
    run(bench, &["-q"], variables).exits(2).says(&says).says("Nothing was sent (exit 2)");
    whoami(bench, &[], variables).exits(2).says(&says);
    assert_eq!(bench.provider.seen(), 0, "{part}");
}

#[test]
fn quotation_marks_around_a_variable_are_named() {
    let bench = Bench::new(&ledger(1));
    let secret = secret_of("LTAIenv");
    let quoted = format!("\"{secret}\"");
    refused(&bench, &[(ID, "\"LTAIenv\""), (SECRET, &quoted)], "access key's id");
    refused(&bench, &[(ID, "LTAIenv"), (SECRET, &quoted)], "access key's secret");
    refused(&bench, &[(ID, "'LTAIenv'"), (SECRET, &secret)], "access key's id");
    refused(&bench, &[(ID, "LTAIenv"), (SECRET, &secret), (TOKEN, "\"\"")], "security token");
    for alias in ["ALIBABACLOUD_", "ALICLOUD_", ""] {
        let [id, secret_name] = ["ACCESS_KEY_ID", "ACCESS_KEY_SECRET"].map(|name| format!("{alias}{name}"));
        refused(&bench, &[(&id, "\"LTAIenv\""), (&secret_name, &secret)], "access key's id");
    }
}

#[test]
fn quotation_marks_in_a_profile_are_named() {
    let bench = Bench::new(&ledger(1));
    let of_tool = |profile: Value| config_json(&bench, &json!({"current": "p", "profiles": [profile]}));
    of_tool(ak("p", "“LTAIjson”"));
    refused(&bench, &[], "access key's id");
    let mut role = ak("p", "'LTAIrole'");
    (role["mode"], role["ram_role_arn"]) = ("RamRoleArn".into(), "acs:ram::1:role/x".into());
    of_tool(role);
    refused(&bench, &[], "access key's id");
    of_tool(json!({"name": "p", "mode": "External", "process_command":
        "printf '{\"mode\":\"AK\",\"access_key_id\":\"`LTAI`\",\"access_key_secret\":\"hunter2\"}'"}));
    run(&bench, &[], &[]).exits(2).says(BOTH);
    std::fs::remove_file(bench.path("home/.aliyun/config.json")).unwrap();
    let secret = secret_of("LTAIini");
    let ini =
        format!("[default]\ntype=access_key\naccess_key_id=\"LTAIini\"\naccess_key_secret='{secret}'\n");
    in_home(&bench, ".alibabacloud/credentials.ini", &ini);
    refused(&bench, &[], "access key's id");
}
