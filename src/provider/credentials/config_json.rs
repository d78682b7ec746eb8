//! The profiles of the provider's command-line tool, `~/.aliyun/config.json`. Promises that an error never quotes the
//! file.
//!
//! The profile is the one that is named, else the one that the file calls `current`; never the first.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use super::chain::Context;
use super::files;
use super::profile::{Profile, Style};
use super::source::Looked;
use crate::error::{Error, Result};

/// As the tool writes it. A profile may have fields that nobody here knows.
#[derive(Deserialize)]
struct ConfigFile {
    #[serde(default)]
    current: Option<String>,
    #[serde(default)]
    profiles: Option<Vec<BTreeMap<String, Value>>>,
}

/// The named profile, or the current one.
pub(super) fn look(context: &Context<'_>) -> Result<Looked> {
    let environment = context.environment;
    for switch in ["ALIBABA_CLOUD_CLI_PROFILE_DISABLED", "ALIBABA_CLOUD_IGNORE_PROFILE"] {
        if environment.is_on(switch) {
            return Ok(Looked::Lacks(format!("switched off by {switch}")));
        }
    }
    let given = environment.get("ALIBABA_CLOUD_CONFIG_FILE").map(PathBuf::from);
    let Some(path) = given.or_else(|| environment.in_home(".aliyun/config.json")) else {
        return Ok(Looked::Lacks("there is no home folder".into()));
    };
    let shown = path.display();
    let Some(text) = files::read(&path)? else {
        return Ok(Looked::Lacks(format!("{shown} is not there")));
    };
    let (current, profiles) = parse(&text, &path)?;
    let Some(name) = context.wanted.as_ref().map(|wanted| wanted.name.clone()).or(current) else {
        return Ok(Looked::Lacks(format!("{shown} calls no profile current")));
    };
    match profiles.iter().find(|profile| profile.name == name) {
        Some(profile) => Ok(profile.look(context, &profiles)?.warned(files::warning(&path))),
        None if context.wanted.is_some() => Ok(Looked::Lacks(format!("{shown} has no profile `{name}`"))),
        None => Err(Error::usage(format!(
            "{shown} calls the profile `{name}` current, but has none of this name"
        ))
        .hint(format!(
            "name one of its profiles with --profile ({}), or set it up with `aliyun configure`",
            names(&profiles)
        ))),
    }
}

fn names(profiles: &[Profile]) -> String {
    let names: Vec<&str> = profiles.iter().map(|profile| profile.name.as_str()).collect();
    names.join(", ")
}

/// The current profile's name, and all profiles.
fn parse(text: &str, path: &Path) -> Result<(Option<String>, Vec<Profile>)> {
    let file: ConfigFile = serde_json::from_str(text).map_err(|e| {
        // The parser's own text may quote a value.
        let shown = path.display();
        let place = format!("line {}, column {}", e.line(), e.column());
        Error::usage(format!(
            "the credentials file {shown} cannot be read: no JSON as `aliyun configure` writes it, {place}"
        ))
        .hint("mend it there, or write it anew with `aliyun configure`")
    })?;
    let profiles = file.profiles.unwrap_or_default().into_iter().map(|values| profile(values, path));
    Ok((file.current.filter(|name| !name.is_empty()), profiles.collect()))
}

fn profile(values: BTreeMap<String, Value>, path: &Path) -> Profile {
    let text = |value: Value| match value {
        Value::String(text) => Some(text),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(on) => Some(on.to_string()),
        _ => None,
    };
    let values: BTreeMap<String, String> =
        values.into_iter().filter_map(|(name, value)| Some((name, text(value)?))).collect();
    let name = values.get("name").cloned().unwrap_or_default();
    Profile { name, file: path.display().to_string(), style: Style::Json, values }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn profiles_are_read_whatever_else_stands_in_them() {
        let text = r#"{"current":"b","meta_path":"","profiles":[{"name":"a","mode":"AK","retry_count":3},
                       {"name":"b","expired_seconds":900,"enable_vpc":true,"policy":null,"output_format":["x"]}]}"#;
        let (current, profiles) = parse(text, Path::new("config.json")).unwrap();
        assert_eq!((current.as_deref(), names(&profiles).as_str()), (Some("b"), "a, b"));
        assert_eq!(
            (profiles[1].get("expired_seconds"), profiles[1].get("enable_vpc")),
            (Some("900"), Some("true"))
        );
        assert_eq!(parse("{}", Path::new("x")).unwrap().0, None);
    }

    #[test]
    fn an_error_says_where_and_never_what() {
        for text in [
            r#"{"profiles":"hunter2"}"#,
            r#"{"current":{"hunter2":1}}"#,
            "hunter2",
            r#"{"profiles":["hunter2"]}"#,
        ] {
            let error = parse(text, Path::new("config.json")).err().unwrap();
            assert!(error.what.contains("line 1") && error.source.is_none(), "{error}");
            assert!(!error.what.contains("hunter2"), "{error}");
        }
    }
}
