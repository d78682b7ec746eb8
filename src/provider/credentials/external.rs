//! Keys that another program prints, as JSON in the form of a profile. Nothing that it says is shown: it may hold the
//! secret.

use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use tokio::process::Command;

use super::Credentials;
use super::source::{Failure, Given, given};
use crate::error::{Error, Result};

const TIMEOUT: Duration = Duration::from_secs(60);

/// The program with its arguments, which are not shown.
#[derive(Clone)]
pub(super) struct Process {
    program: String,
    arguments: Vec<String>,
}

impl std::fmt::Debug for Process {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Process({})", self.program)
    }
}

/// As the provider's command-line tool reads it.
#[derive(Deserialize)]
struct Printed {
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

impl Process {
    /// The command, split as a shell splits it; no shell runs it.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub(super) fn parse(command: &str) -> Result<Self, String> {
        let mut words =
            shlex::split(command).ok_or("process_command has a quote that is never closed")?.into_iter();
        let program = words.next().ok_or("process_command is empty")?;
        Ok(Self { program, arguments: words.collect() })
    }

    pub(super) async fn give(&self) -> Result<Given, Failure> {
        let mut command = Command::new(&self.program);
        command
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true);
        let output = tokio::time::timeout(TIMEOUT, command.output()).await;
        let output =
            output.map_err(|_| Failure::Away(format!("`{}` gave no key within a minute", self.program)))?;
        let output = output.map_err(|e| self.wrong("cannot be run").because(e))?;
        if !output.status.success() {
            return Err(Failure::Away(format!("`{}` ended with {}", self.program, output.status)));
        }
        read(&output.stdout).map_err(|why| self.wrong(&format!("printed no key: {why}")).into())
    }

    fn wrong(&self, why: &str) -> Error {
        Error::usage(format!("the program `{}` of the profile's process_command {why}", self.program)).hint(
            "run it by hand: it has to print {\"mode\": \"StsToken\", \"access_key_id\": …, \"access_key_secret\": …, \
             \"sts_token\": …, \"expiration\": …} on standard output, and nothing else",
        )
    }
}

fn read(bytes: &[u8]) -> Result<Given, String> {
    let printed: Printed =
        serde_json::from_slice(bytes).map_err(|_| "no JSON object with texts".to_owned())?;
    if printed.access_key_id.is_empty() || printed.access_key_secret.is_empty() {
        return Err("access_key_id or access_key_secret is missing".into());
    }
    let token = Some(printed.sts_token).filter(|token| !token.is_empty());
    match printed.mode.to_ascii_lowercase().as_str() {
        "ststoken" if token.is_none() => return Err("sts_token is missing".into()),
        "" | "ak" | "ststoken" => {}
        _ => return Err("its mode is neither AK nor StsToken".into()),
    }
    let key = Credentials::new(printed.access_key_id, printed.access_key_secret, token);
    if printed.expiration.is_empty() {
        Ok(Given { key, lifetime: None })
    } else {
        given(key, &printed.expiration, None)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_command_is_split_as_a_shell_splits_it() {
        let process = Process::parse(r#"/opt/get-key --for "voice night" 'a b' c"#).unwrap();
        assert_eq!(process.arguments, ["--for", "voice night", "a b", "c"]);
        assert!(!format!("{process:?}").contains("voice"));
        assert!(Process::parse("  ").is_err() && Process::parse("a 'b").is_err());
    }

    #[test]
    fn what_is_printed_is_read_and_never_quoted() {
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
