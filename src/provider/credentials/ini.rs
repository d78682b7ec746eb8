//! The profile file of the provider's SDKs, `~/.alibabacloud/credentials.ini` or `~/.alibabacloud/credentials`: both
//! names are in use, by one language each, so both are read.
//!
//! Owns the form of such files: sections, `key = value`, and `#` that begins a comment, within a value too. Promises
//! that an error names the line and never quotes it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::chain::Context;
use super::files;
use super::profile::{Profile, Style};
use super::source::Looked;
use crate::error::{Error, Result};

const NAMES: [&str; 2] = [".alibabacloud/credentials.ini", ".alibabacloud/credentials"];

/// The types that the SDKs write, and the modes that they mean.
const MODES: [(&str, &str); 7] = [
    ("access_key", "AK"),
    ("sts", "StsToken"),
    ("ram_role_arn", "RamRoleArn"),
    ("ecs_ram_role", "EcsRamRole"),
    ("oidc_role_arn", "OIDC"),
    ("rsa_key_pair", "RsaKeyPair"),
    ("bearer", "BearerToken"),
];

/// The keys whose names differ from those of the command-line tool.
const KEYS: [(&str, &str); 6] = [
    ("type", "mode"),
    ("security_token", "sts_token"),
    ("role_arn", "ram_role_arn"),
    ("role_session_name", "ram_session_name"),
    ("role_name", "ram_role_name"),
    ("oidc_token_file_path", "oidc_token_file"),
];

/// The profile in the first of the two files that has it.
pub(super) fn look(context: &Context<'_>) -> Result<Looked> {
    let name = context.wanted.as_ref().map_or("default", |wanted| wanted.name.as_str());
    let mut lacks = Vec::new();
    for path in paths(context) {
        let shown = path.display().to_string();
        let Some(text) = files::read(&path)? else {
            lacks.push(format!("{shown} is not there"));
            continue;
        };
        let sections = parse(&text).map_err(|why| {
            Error::usage(format!("the credentials file {shown} cannot be read: {why}"))
                .hint("write `[default]`, `type = access_key`, `access_key_id = …` and `access_key_secret = …`, one a line")
        })?;
        let Some(values) = sections.get(name).cloned() else {
            lacks.push(format!("{shown} has no section [{name}]"));
            continue;
        };
        let profile =
            Profile { name: name.to_owned(), file: shown, style: Style::Ini, values: canonical(values) };
        let looked = profile.look(context, &[])?;
        return Ok(looked.warned(files::warning(&path)));
    }
    if lacks.is_empty() {
        lacks.push("there is no home folder".into());
    }
    Ok(Looked::Lacks(lacks.join("; ")))
}

fn paths(context: &Context<'_>) -> Vec<PathBuf> {
    match context.environment.get("ALIBABA_CLOUD_CREDENTIALS_FILE") {
        Some(path) => vec![path.into()],
        None => NAMES.iter().filter_map(|name| context.environment.in_home(name)).collect(),
    }
}

type Values = BTreeMap<String, String>;

/// The same values under the names of the command-line tool.
fn canonical(values: Values) -> Values {
    let named = |name: String| {
        KEYS.iter().find(|(ini, _)| *ini == name).map_or(name, |(_, known)| (*known).to_owned())
    };
    let mut values: Values = values.into_iter().map(|(name, value)| (named(name), value)).collect();
    if let Some(mode) = values.get_mut("mode")
        && let Some((_, known)) = MODES.iter().find(|(ini, _)| mode.eq_ignore_ascii_case(ini))
    {
        *mode = (*known).to_owned();
    }
    values
}

/// The sections by name. Keys are in lower case.
fn parse(text: &str) -> Result<BTreeMap<String, Values>, String> {
    let mut sections: BTreeMap<String, Values> = BTreeMap::new();
    let mut current = None;
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        let wrong = |why: &str| format!("line {}: {why}", at + 1);
        if let Some(name) = line.strip_prefix('[') {
            let (name, _) = name.split_once(']').ok_or_else(|| wrong("there is no `]`"))?;
            current = Some(sections.entry(name.trim().to_owned()).or_default());
            continue;
        }
        let (key, value) = line.split_once('=').ok_or_else(|| wrong("there is no `=`"))?;
        let section = current.as_mut().ok_or_else(|| wrong("it stands before the first [section]"))?;
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
        let default = canonical(sections["default"].clone());
        assert_eq!((default["mode"].as_str(), default["access_key_id"].as_str()), ("StsToken", "a=b"));
        assert_eq!(canonical(sections["ops"].clone())["ram_role_name"], "");
    }

    #[test]
    fn an_error_names_the_line_and_never_a_secret() {
        for text in ["[default]\nhunter2", "hunter2 = 1", "[hunter2\n"] {
            let error = parse(text).unwrap_err();
            assert!(error.starts_with("line ") && !error.contains("hunter2"), "{error}");
        }
    }
}
