//! A key that another program prints, as JSON in the form of a profile. Errors never show the
//! program's output, which may contain the secret.

use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use tokio::process::Command;

use super::issued::{IssuedKey, KeyError};
use crate::error::{Error, Result};
use crate::provider::key::Credentials;

const TIMEOUT: Duration = Duration::from_secs(60);

/// The program with its arguments. The arguments may be secret, so `Debug` omits them.
#[derive(Clone)]
pub(super) struct ExternalProgram {
    program: String,
    arguments: Vec<String>,
}

impl std::fmt::Debug for ExternalProgram {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ExternalProgram({})", self.program)
    }
}

/// The program's output, as the provider's command-line tool reads it.
#[derive(Deserialize)]
struct Output {
    #[serde(default)]
    mode: String,
    #[serde(default)]
    access_key_id: String,
    #[serde(default)]
    access_key_secret: String,
    #[serde(default)]
    sts_token: String,
    #[serde(default)]
    expiration: String,
}

impl ExternalProgram {
    /// Splits the command as a shell does. It is run without a shell.
    ///
    /// # Errors
    ///
    /// What is wrong with the command.
    pub(super) fn parse(command: &str) -> Result<Self, String> {
        let mut words = shlex::split(command).ok_or("process_command has an unclosed quote")?.into_iter();
        let program = words.next().ok_or("process_command is empty")?;
        Ok(Self { program, arguments: words.collect() })
    }

    /// Runs the program and reads the key.
    pub(super) async fn issue(&self) -> Result<IssuedKey, KeyError> {
        let mut command = Command::new(&self.program);
        command
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true);
        let output = tokio::time::timeout(TIMEOUT, command.output()).await;
        let output = output.map_err(|_| {
            KeyError::Unavailable(format!("`{}` printed no key within {TIMEOUT:?}", self.program))
        })?;
        let output = output.map_err(|e| self.unusable("cannot be run").because(e))?;
        if !output.status.success() {
            return Err(KeyError::Unavailable(format!("`{}` ended with {}", self.program, output.status)));
        }
        read(&output.stdout).map_err(|why| self.unusable(&format!("printed no key: {why}")).into())
    }

    fn unusable(&self, why: &str) -> Error {
        Error::usage(format!("the program `{}` of the profile's process_command {why}", self.program)).hint(
            "run it by hand: it must print only {\"mode\": \"StsToken\", \"access_key_id\": …, \
             \"access_key_secret\": …, \"sts_token\": …, \"expiration\": …} on standard output",
        )
    }
}

fn read(bytes: &[u8]) -> Result<IssuedKey, String> {
    let output: Output =
        serde_json::from_slice(bytes).map_err(|_| "its output is not a JSON object of strings".to_owned())?;
    if output.access_key_id.is_empty() || output.access_key_secret.is_empty() {
        return Err("access_key_id or access_key_secret is missing".into());
    }
    let token = Some(output.sts_token).filter(|token| !token.is_empty());
    match output.mode.to_ascii_lowercase().as_str() {
        "ststoken" if token.is_none() => return Err("sts_token is missing".into()),
        "" | "ak" | "ststoken" => {}
        _ => return Err("its mode is neither AK nor StsToken".into()),
    }
    let key = Credentials::new(output.access_key_id, output.access_key_secret, token);
    if output.expiration.is_empty() {
        Ok(IssuedKey { key, lifetime: None })
    } else {
        IssuedKey::expiring(key, &output.expiration, None)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_command_is_split_as_a_shell_splits_it() {
        let program = ExternalProgram::parse(r#"/opt/get-key --for "voice night" 'a b' c"#).unwrap();
        assert_eq!(program.arguments, ["--for", "voice night", "a b", "c"]);
        assert!(!format!("{program:?}").contains("voice"));
        assert!(ExternalProgram::parse("  ").is_err() && ExternalProgram::parse("a 'b").is_err());
    }

    #[test]
    fn output_is_read_and_never_quoted() {
        let key =
            r#"{"mode":"StsToken","access_key_id":"STS.a","access_key_secret":"hunter2","sts_token":"t"}"#;
        assert_eq!(read(key.as_bytes()).unwrap().lifetime, None);
        let soon = key.replace("}", r#","expiration":"2020-01-01T00:00:00Z"}"#);
        assert_eq!(read(soon.as_bytes()).unwrap().lifetime, Some(Duration::ZERO));
        for wrong in [
            "hunter2",
            &key.replace("\"t\"", "\"\""),
            &key.replace("StsToken", "OAuth"),
            &key.replace("STS.a", ""),
        ] {
            let why = read(wrong.as_bytes()).unwrap_err();
            assert!(!why.contains("hunter2"), "{why}");
        }
    }
}
