//! The access key in environment variables.

use super::environment::{Environment, PREFIXES};
use super::lookup::LookupResult;
use super::source::Source;
use crate::error::{Error, Result};
use crate::provider::key::Credentials;

/// Looks for a key under each prefix in turn. A security token is read under the key's own prefix.
///
/// # Errors
///
/// Exit 2 when only half of a key is set.
pub(super) fn look(environment: &Environment) -> Result<LookupResult> {
    let mut missing = "neither ALIBABA_CLOUD_ACCESS_KEY_ID nor an alias of it is set".to_owned();
    for prefix in PREFIXES {
        let [id_name, secret_name, token_name] =
            ["ACCESS_KEY_ID", "ACCESS_KEY_SECRET", "SECURITY_TOKEN"].map(|name| format!("{prefix}{name}"));
        match (environment.get(&id_name), environment.get(&secret_name)) {
            (Some(id), Some(secret)) => {
                let token = environment.get(&token_name).map(str::to_owned);
                let with = if token.is_some() { format!(", with {token_name}") } else { String::new() };
                let key = Credentials::new(id.to_owned(), secret.to_owned(), token);
                let origin = format!("the environment variables {id_name} and {secret_name}{with}");
                return Ok(LookupResult::found(Source::Static(key), origin));
            }
            (None, None) => {}
            (id, _) => {
                let (set, unset) = if id.is_some() { (id_name, secret_name) } else { (secret_name, id_name) };
                let what = format!("{set} is set, but {unset} is not");
                // Variables without a prefix may belong to another program.
                if !prefix.is_empty() {
                    return Err(half_a_key(&what, &set, &unset));
                }
                missing = what;
            }
        }
    }
    Ok(LookupResult::Missing(missing))
}

fn half_a_key(what: &str, set: &str, unset: &str) -> Error {
    Error::usage(format!("the environment holds half of an access key: {what}"))
        .hint(format!("set {unset} too, or unset {set}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::provider::credentials::lookup::FoundSource;

    fn key(variables: &[(&str, &str)]) -> Result<String, String> {
        match look(&Environment::with(variables)) {
            Ok(LookupResult::Found(FoundSource { source: Source::Static(key), .. })) => {
                Ok(format!("{} {} {}", key.access_key_id, key.secret(), key.token().unwrap_or("-")))
            }
            Ok(LookupResult::Found(_)) => Ok("another source".into()),
            Ok(LookupResult::Missing(why)) => Err(why),
            Err(error) => Err(error.what),
        }
    }

    #[test]
    fn the_first_alias_with_a_whole_key_wins_with_its_token() {
        let mut variables = vec![
            ("ACCESS_KEY_ID", "d"),
            ("ACCESS_KEY_SECRET", "ds"),
            ("SECURITY_TOKEN", "dt"),
            ("ALICLOUD_ACCESS_KEY_ID", "c"),
            ("ALICLOUD_ACCESS_KEY_SECRET", "cs"),
        ];
        assert_eq!(key(&variables), Ok("c cs -".into()), "a token belongs to the key with the same prefix");
        variables.extend([("ALIBABACLOUD_ACCESS_KEY_ID", "b"), ("ALIBABACLOUD_ACCESS_KEY_SECRET", "bs")]);
        assert_eq!(key(&variables), Ok("b bs -".into()));
        variables
            .extend([("ALIBABA_CLOUD_ACCESS_KEY_ID", " a\n"), ("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "as")]);
        variables.push(("ALIBABA_CLOUD_SECURITY_TOKEN", "at"));
        assert_eq!(key(&variables), Ok("a as at".into()));
        assert_eq!(key(&variables[..3]), Ok("d ds dt".into()));
    }

    #[test]
    fn half_a_key_is_an_error_only_with_a_prefix() {
        let half = key(&[("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "hunter2")]).unwrap_err();
        assert!(half.contains("ALIBABA_CLOUD_ACCESS_KEY_ID is not") && !half.contains("hunter2"), "{half}");
        let missing = key(&[("ACCESS_KEY_ID", "another program's")]).unwrap_err();
        assert_eq!(missing, "ACCESS_KEY_ID is set, but ACCESS_KEY_SECRET is not");
        assert!(key(&[("ALIBABA_CLOUD_ACCESS_KEY_ID", " ")]).unwrap_err().contains("nor an alias"));
    }
}
