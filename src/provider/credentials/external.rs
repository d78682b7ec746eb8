//! A key that another program prints, as JSON in the form of a profile. Errors never show the
//! program's output, which may contain the secret.

use std::io;
use std::pin::pin;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

#[cfg(unix)]
use rustix::process::{Pid, Signal, kill_process_group};
use serde::Deserialize;
use tokio::io::AsyncReadExt as _;
use tokio::process::{Child, Command};

use super::issued::{IssuedKey, KeyError};
use crate::error::{Error, Result};
use crate::provider::key::Credentials;

/// Time limit of the program.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Maximum number of bytes that the program may print. A key has about 1 KiB.
const OUTPUT_LIMIT: u64 = 1 << 20;
/// How long the rest of the output may take after the program has ended.
const AFTER_END: Duration = Duration::from_millis(500);

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
        let ended = tokio::time::timeout(TIMEOUT, self.run()).await.map_err(|_| {
            KeyError::Unavailable(format!("`{}` printed no key within {TIMEOUT:?}", self.program))
        })?;
        let (status, output) = ended.map_err(|e| self.unusable("cannot be run").because(e))?;
        let Some(status) = status else {
            return Err(self.unusable("printed more than 1 MiB").into());
        };
        if !status.success() {
            return Err(KeyError::Unavailable(format!("`{}` ended with {status}", self.program)));
        }
        read(&output).map_err(|why| self.unusable(&format!("printed no key: {why}")).into())
    }

    /// Runs the program to its end. Returns its status, `None` if its output is too long, and its
    /// output.
    async fn run(&self) -> io::Result<(Option<ExitStatus>, Vec<u8>)> {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut running = Running::start(command)?;
        let Some(stdout) = running.0.stdout.take() else { return Ok((None, Vec::new())) };
        let mut output = Vec::new();
        let mut stdout = stdout.take(OUTPUT_LIMIT + 1);
        let status = {
            let mut reading = pin!(stdout.read_to_end(&mut output));
            tokio::select! {
                read = &mut reading => match read? as u64 > OUTPUT_LIMIT {
                    true => None,
                    false => Some(running.0.wait().await?),
                },
                status = running.0.wait() => {
                    // A process that it started may hold the output open. What it printed itself
                    // is there already.
                    let _ = tokio::time::timeout(AFTER_END, reading).await;
                    Some(status?)
                }
            }
        };
        let too_long = output.len() as u64 > OUTPUT_LIMIT;
        Ok((status.filter(|_| !too_long), output))
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
    if let Some(why) = key.quotation_marks() {
        return Err(why);
    }
    if output.expiration.is_empty() {
        Ok(IssuedKey { key, lifetime: None })
    } else {
        IssuedKey::expiring(key, &output.expiration, None)
    }
}

/// A running program. Dropped before its end, it is killed together with the processes that it
/// started.
struct Running(Child);

impl Running {
    fn start(mut command: Command) -> io::Result<Self> {
        #[cfg(unix)]
        command.process_group(0);
        command.kill_on_drop(true).spawn().map(Self)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // The id is gone once the program has ended: then its group is left alone.
        #[cfg(unix)]
        if let Some(group) = self.0.id().and_then(|id| Pid::from_raw(id.cast_signed())) {
            // It may have ended at this moment.
            let _ = kill_process_group(group, Signal::KILL);
        }
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
