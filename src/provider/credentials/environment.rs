//! The surroundings in which credentials are looked for: variables and the home folder. Owns the aliases of the
//! variables.
//!
//! Looked at once, so that the whole chain sees the same; tests make their own.

use std::collections::HashMap;
use std::path::PathBuf;

use super::Credentials;
use super::source::{Found, Looked, Source};
use crate::error::{Error, Result};

/// In this order (source: the provider's command-line tool). The last one is bare.
const PREFIXES: [&str; 4] = ["ALIBABA_CLOUD_", "ALIBABACLOUD_", "ALICLOUD_", ""];

/// Variables and home folder.
#[derive(Clone, Default)]
pub struct Environment {
    variables: HashMap<String, String>,
    home: Option<PathBuf>,
}

impl Environment {
    /// Of this process.
    #[must_use]
    pub fn of_process() -> Self {
        let text = |value: std::ffi::OsString| value.to_string_lossy().into_owned();
        let variables = std::env::vars_os().map(|(name, value)| (text(name), text(value))).collect();
        Self { variables, home: std::env::home_dir() }
    }

    /// A variable that is set and not empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    /// The first of the aliases `ALIBABA_CLOUD_…`, `ALIBABACLOUD_…`, `ALICLOUD_…` that is set.
    pub(super) fn aliased(&self, name: &str) -> Option<&str> {
        PREFIXES[..3].iter().find_map(|prefix| self.get(&format!("{prefix}{name}")))
    }

    /// Whether a switch is on: `true`, in any case.
    pub(super) fn is_on(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    /// A path below the home folder.
    pub(super) fn in_home(&self, path: &str) -> Option<PathBuf> {
        self.home.as_ref().map(|home| home.join(path))
    }
}

/// The key in the environment, under the first of its names.
pub(super) fn look(environment: &Environment) -> Result<Looked> {
    let mut lacks = "neither ALIBABA_CLOUD_ACCESS_KEY_ID nor an alias of it is set".to_owned();
    for prefix in PREFIXES {
        let [id_name, secret_name, token_name] =
            ["ACCESS_KEY_ID", "ACCESS_KEY_SECRET", "SECURITY_TOKEN"].map(|name| format!("{prefix}{name}"));
        match (environment.get(&id_name), environment.get(&secret_name)) {
            (Some(id), Some(secret)) => {
                let token = environment.get(&token_name).map(str::to_owned);
                let with = if token.is_some() { format!(", with {token_name}") } else { String::new() };
                let key = Credentials::new(id.to_owned(), secret.to_owned(), token);
                let origin = format!("the environment variables {id_name} and {secret_name}{with}");
                return Ok(Looked::Found(Found::new(Source::Fixed(key), origin)));
            }
            (None, None) => {}
            (id, _) => {
                let (there, missing) =
                    if id.is_some() { (id_name, secret_name) } else { (secret_name, id_name) };
                let wrong = format!("{there} is set, {missing} is not");
                // The bare names may be another program's.
                if !prefix.is_empty() {
                    return Err(half(&wrong, &missing));
                }
                lacks = wrong;
            }
        }
    }
    Ok(Looked::Lacks(lacks))
}

fn half(wrong: &str, missing: &str) -> Error {
    Error::usage(format!("half of an access key is in the environment: {wrong}"))
        .hint(format!("set the environment variable {missing}, too, or unset the other"))
}

#[cfg(test)]
impl Environment {
    /// With these variables, and a home folder where one is given.
    pub(super) fn made(variables: &[(&str, &str)], home: Option<&std::path::Path>) -> Self {
        let variables = variables.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        Self { variables, home: home.map(Into::into) }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn found(variables: &[(&str, &str)]) -> Result<String, String> {
        match look(&Environment::made(variables, None)) {
            Ok(Looked::Found(Found { source: Source::Fixed(key), .. })) => {
                Ok(format!("{} {} {}", key.access_key_id, key.secret(), key.token().unwrap_or("-")))
            }
            Ok(Looked::Found(_)) => Ok("another source".into()),
            Ok(Looked::Lacks(why)) => Err(why),
            Err(error) => Err(error.what),
        }
    }

    #[test]
    fn the_first_alias_with_a_whole_key_is_taken_with_its_own_token() {
        let mut variables = vec![
            ("ACCESS_KEY_ID", "d"),
            ("ACCESS_KEY_SECRET", "ds"),
            ("SECURITY_TOKEN", "dt"),
            ("ALICLOUD_ACCESS_KEY_ID", "c"),
            ("ALICLOUD_ACCESS_KEY_SECRET", "cs"),
        ];
        assert_eq!(found(&variables), Ok("c cs -".into()), "a token belongs to the key of its own name");
        variables.extend([("ALIBABACLOUD_ACCESS_KEY_ID", "b"), ("ALIBABACLOUD_ACCESS_KEY_SECRET", "bs")]);
        assert_eq!(found(&variables), Ok("b bs -".into()));
        variables
            .extend([("ALIBABA_CLOUD_ACCESS_KEY_ID", " a\n"), ("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "as")]);
        variables.push(("ALIBABA_CLOUD_SECURITY_TOKEN", "at"));
        assert_eq!(found(&variables), Ok("a as at".into()));
        assert_eq!(found(&variables[..3]), Ok("d ds dt".into()));
    }

    #[test]
    fn half_a_key_is_an_error_but_for_the_bare_names() {
        let half = found(&[("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "hunter2")]).unwrap_err();
        assert!(half.contains("ALIBABA_CLOUD_ACCESS_KEY_ID is not") && !half.contains("hunter2"), "{half}");
        let lacks = found(&[("ACCESS_KEY_ID", "another program's")]).unwrap_err();
        assert_eq!(lacks, "ACCESS_KEY_ID is set, ACCESS_KEY_SECRET is not");
        assert!(found(&[("ALIBABA_CLOUD_ACCESS_KEY_ID", " ")]).unwrap_err().contains("nor an alias"));
    }
}
