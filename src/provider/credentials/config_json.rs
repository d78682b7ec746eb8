//! The profiles of the provider's command-line tool, `~/.aliyun/config.json`. Promises that an
//! error never quotes the file.
//!
//! The requested profile is used, or else the one that the file names as `current`. The order of
//! the profiles does not matter.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use super::context::Context;
use super::environment::Environment;
use super::files::{self, ReadableFile, SecretFile};
use super::lookup::LookupResult;
use super::profile::{FileFormat, Profile};
use super::profile_source;
use crate::error::{Error, Result};

/// The file as the tool writes it. Unknown fields of a profile are ignored.
#[derive(Deserialize)]
struct ConfigFile {
    #[serde(default)]
    current: Option<String>,
    #[serde(default)]
    profiles: Option<Vec<BTreeMap<String, Value>>>,
}

/// Looks for the requested profile, or else for the current one.
///
/// # Errors
///
/// Exit 2 when the file cannot be read, or the profile cannot be used.
pub(super) fn look(context: &Context<'_>) -> Result<LookupResult> {
    let environment = context.environment;
    for switch in ["ALIBABA_CLOUD_CLI_PROFILE_DISABLED", "ALIBABA_CLOUD_IGNORE_PROFILE"] {
        if environment.is_on(switch) {
            return Ok(LookupResult::Missing(format!("switched off by {switch}")));
        }
    }
    let Some(path) = path(environment) else {
        return Ok(LookupResult::Missing("this user has no home folder".into()));
    };
    let file = path.display();
    let Some(text) = files::read(&path)? else {
        return Ok(LookupResult::Missing(format!("{file} does not exist")));
    };
    let (current, profiles) = parse(&text, &path)?;
    let Some(name) = context.requested.as_ref().map(|requested| requested.name.clone()).or(current) else {
        return Ok(LookupResult::Missing(format!("{file} names no current profile")));
    };
    match profiles.iter().find(|profile| profile.name == name) {
        Some(profile) => {
            let result = profile_source::look(profile, context, &profiles)?;
            Ok(result.with_warning(ReadableFile::find(SecretFile::Credentials, &path)))
        }
        None if context.requested.is_some() => {
            Ok(LookupResult::Missing(format!("{file} has no profile `{name}`")))
        }
        None => {
            let names = names(&profiles);
            Err(Error::usage(format!("{file} names the profile `{name}` as current, but does not have it"))
                .hint(format!(
                    "choose one of its profiles ({names}), or set up `{name}` with \
                     `aliyun configure`"
                )))
        }
    }
}

/// The path of the file; `None` if this user has no home folder.
pub(super) fn path(environment: &Environment) -> Option<PathBuf> {
    let given = environment.get("ALIBABA_CLOUD_CONFIG_FILE").map(PathBuf::from);
    given.or_else(|| environment.in_home(".aliyun/config.json"))
}

fn names(profiles: &[Profile]) -> String {
    let names: Vec<&str> = profiles.iter().map(|profile| profile.name.as_str()).collect();
    names.join(", ")
}

/// The name of the current profile, and all profiles.
fn parse(text: &str, path: &Path) -> Result<(Option<String>, Vec<Profile>)> {
    let file: ConfigFile = serde_json::from_str(text).map_err(|e| {
        // The parser's own message may quote a value, so only its position is used.
        let (file, line, column) = (path.display(), e.line(), e.column());
        Error::usage(format!(
            "the credentials file {file} cannot be read: line {line}, column {column} is not what \
             `aliyun configure` writes"
        ))
        .hint("correct it there, or write the file again with `aliyun configure`")
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
    Profile { name, file: path.display().to_string(), format: FileFormat::Json, values }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn profiles_are_read_despite_unknown_fields() {
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
    fn errors_name_the_line_and_quote_nothing() {
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
