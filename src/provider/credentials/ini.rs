//! The profile file of the provider's SDKs: `~/.alibabacloud/credentials.ini` or
//! `~/.alibabacloud/credentials`. Different SDKs use different names, so both are read.
//!
//! The files have sections, lines `key = value`, and comments after `#`, also after a value.
//! Promises that an error names the line and never quotes it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::context::Context;
use super::environment::Environment;
use super::files::{self, ReadableFile, SecretFile};
use super::lookup::LookupResult;
use super::mode::Mode;
use super::profile::{FileFormat, Profile};
use super::profile_source;
use crate::error::{Error, Result};

const NAMES: [&str; 2] = [".alibabacloud/credentials.ini", ".alibabacloud/credentials"];

/// The types that the SDKs write, and the modes they mean.
const TYPES: [(&str, Mode); 7] = [
    ("access_key", Mode::Ak),
    ("sts", Mode::StsToken),
    ("ram_role_arn", Mode::RamRoleArn),
    ("ecs_ram_role", Mode::EcsRamRole),
    ("oidc_role_arn", Mode::Oidc),
    ("rsa_key_pair", Mode::RsaKeyPair),
    ("bearer", Mode::BearerToken),
];

/// The keys whose names differ from the command-line tool's.
const KEYS: [(&str, &str); 6] = [
    ("type", "mode"),
    ("security_token", "sts_token"),
    ("role_arn", "ram_role_arn"),
    ("role_session_name", "ram_session_name"),
    ("role_name", "ram_role_name"),
    ("oidc_token_file_path", "oidc_token_file"),
];

/// Looks for the profile in both files; the first that has it decides.
///
/// # Errors
///
/// Exit 2 when a file cannot be read, or the profile cannot be used.
pub(super) fn look(context: &Context<'_>) -> Result<LookupResult> {
    let name = context.requested.as_ref().map_or("default", |requested| requested.name.as_str());
    let mut missing = Vec::new();
    for path in paths(context.environment) {
        let file = path.display().to_string();
        let Some(text) = files::read(&path)? else {
            missing.push(format!("{file} does not exist"));
            continue;
        };
        let mut sections = parse(&text).map_err(|why| {
            Error::usage(format!("the credentials file {file} cannot be read: {why}")).hint(
                "write `[default]`, `type = access_key`, `access_key_id = …` and `access_key_secret = …`, \
                 each on its own line",
            )
        })?;
        let Some(values) = sections.remove(name) else {
            missing.push(format!("{file} has no section [{name}]"));
            continue;
        };
        let values = with_tool_names(values);
        let profile = Profile { name: name.to_owned(), file, format: FileFormat::Ini, values };
        let result = profile_source::look(&profile, context, &[])?;
        return Ok(result.with_warning(ReadableFile::find(SecretFile::Credentials, &path)));
    }
    if missing.is_empty() {
        missing.push("this user has no home folder".into());
    }
    Ok(LookupResult::Missing(missing.join("; ")))
}

/// The paths of the files, in the order in which they are read.
pub(super) fn paths(environment: &Environment) -> Vec<PathBuf> {
    match environment.get("ALIBABA_CLOUD_CREDENTIALS_FILE") {
        Some(path) => vec![path.into()],
        None => NAMES.iter().filter_map(|name| environment.in_home(name)).collect(),
    }
}

type Values = BTreeMap<String, String>;

/// The same values under the command-line tool's names, with its mode for the type.
fn with_tool_names(values: Values) -> Values {
    let tool_name =
        |name: String| KEYS.iter().find(|(ini, _)| *ini == name).map_or(name, |(_, tool)| (*tool).to_owned());
    let mut values: Values = values.into_iter().map(|(name, value)| (tool_name(name), value)).collect();
    if let Some(mode) = values.get_mut("mode")
        && let Some((_, known)) = TYPES.iter().find(|(ini, _)| mode.eq_ignore_ascii_case(ini))
    {
        *mode = known.as_str().to_owned();
    }
    values
}

/// The sections by name, with their keys in lower case.
fn parse(text: &str) -> Result<BTreeMap<String, Values>, String> {
    let mut sections: BTreeMap<String, Values> = BTreeMap::new();
    let mut current = None;
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        let wrong = |why: &str| format!("line {} {why}", at + 1);
        if let Some(name) = line.strip_prefix('[') {
            let (name, _) = name.split_once(']').ok_or_else(|| wrong("has no `]`"))?;
            current = Some(sections.entry(name.trim().to_owned()).or_default());
            continue;
        }
        let (key, value) = line.split_once('=').ok_or_else(|| wrong("has no `=`"))?;
        let section = current.as_mut().ok_or_else(|| wrong("is before the first [section]"))?;
        let value = value.split('#').next().unwrap_or_default().trim();
        section.insert(key.trim().to_lowercase(), value.to_owned());
    }
    Ok(sections)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn sections_keys_and_comments_are_read() {
        let text =
            "; SDKs\r\n[default]\r\ntype=sts  # temporary\r\nAccess_Key_Id = a=b\n\n[ops]\nrole_name =\n";
        let sections = parse(text).unwrap();
        let default = with_tool_names(sections["default"].clone());
        assert_eq!((default["mode"].as_str(), default["access_key_id"].as_str()), ("StsToken", "a=b"));
        assert_eq!(with_tool_names(sections["ops"].clone())["ram_role_name"], "");
    }

    #[test]
    fn an_error_names_the_line_and_never_a_secret() {
        for text in ["[default]\nhunter2", "hunter2 = 1", "[hunter2\n"] {
            let error = parse(text).unwrap_err();
            assert!(error.starts_with("line ") && !error.contains("hunter2"), "{error}");
        }
    }
}
