//! The options of the notification, and the file of `--notify-secret-file`.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use crate::error::{Error, Result};
use crate::output::Lang;
use crate::provider::credentials::{ReadableFile, SecretFile};
use crate::telemetry::notify::{Chat, Platform, Target};

/// Most bytes of the secret's file that are read.
const SECRET_LIMIT: u64 = 64 * 1024;

const WRITE_THE_SECRET: &str = "write the secret that the platform shows for the robot into the first line of the file, and `chmod 600` the file";

/// The form of the notification.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum NotifyFormat {
    /// The summary or the error as JSON
    #[default]
    Json,
    /// A message to a robot of DingTalk
    Dingtalk,
    /// A message to a robot of WeCom
    Wecom,
    /// A message to a robot of Feishu
    Feishu,
}

impl NotifyFormat {
    fn platform(self) -> Option<Platform> {
        match self {
            Self::Json => None,
            Self::Dingtalk => Some(Platform::DingTalk),
            Self::Wecom => Some(Platform::WeCom),
            Self::Feishu => Some(Platform::Feishu),
        }
    }
}

/// Where and how the result is posted.
#[derive(Debug, Args)]
pub(super) struct NotifyArgs {
    /// Post the summary or the error to this URL at the end; the URL is never shown in full
    #[arg(
        long,
        env = "RECONCILE_NOTIFY_URL",
        value_name = "URL",
        hide_env_values = true,
        help_heading = "Monitoring",
        hide_short_help = true
    )]
    notify_url: Option<String>,
    /// Form of what is posted: JSON, or a message to a robot of a chat in the language of --lang
    #[arg(
        long,
        env = "RECONCILE_NOTIFY_FORMAT",
        value_name = "FORMAT",
        value_enum,
        default_value_t,
        help_heading = "Monitoring",
        hide_short_help = true
    )]
    notify_format: NotifyFormat,
    /// File with the secret of the robot, which signs the messages (dingtalk, feishu)
    #[arg(
        long,
        env = "RECONCILE_NOTIFY_SECRET_FILE",
        value_name = "PATH",
        help_heading = "Monitoring",
        hide_short_help = true
    )]
    notify_secret_file: Option<PathBuf>,
    /// URL that messages to a chat link to, such as the report on a file server
    #[arg(
        long,
        env = "RECONCILE_NOTIFY_LINK",
        value_name = "URL",
        help_heading = "Monitoring",
        hide_short_help = true
    )]
    notify_link: Option<String>,
}

/// The settings of the notification.
pub(super) struct NotifySettings {
    /// Where the result is posted.
    pub(super) target: Option<Target>,
    /// The file with the secret.
    pub(super) secret_file: Option<PathBuf>,
    /// A warning about this file.
    pub(super) note: Option<ReadableFile>,
}

impl NotifyArgs {
    /// Reads the secret if there is one.
    ///
    /// # Errors
    ///
    /// Exit 2 when the options contradict each other, or a URL or the secret cannot be used.
    pub(super) fn settings(self, lang: Lang, insecure_http: bool) -> Result<NotifySettings> {
        self.check()?;
        let mut target = match &self.notify_url {
            Some(url) => Some(Target::parse(url, insecure_http)?),
            None => None,
        };
        let mut note = None;
        if let Some(platform) = self.notify_format.platform() {
            let mut chat = Chat::new(platform, lang);
            if let Some(path) = &self.notify_secret_file {
                chat = chat.signed(secret(path)?);
                note = ReadableFile::find(SecretFile::NotifySecret, path);
            }
            if let Some(url) = &self.notify_link {
                chat = chat.linking_to(url)?;
            }
            target = target.map(|target| target.to_chat(chat));
        }
        Ok(NotifySettings { target, secret_file: self.notify_secret_file, note })
    }

    /// Checks that no option is without the one that it needs.
    ///
    /// # Errors
    ///
    /// Exit 2 when one is.
    fn check(&self) -> Result<()> {
        let platform = self.notify_format.platform();
        if self.notify_secret_file.is_some() && !platform.is_some_and(Platform::has_signature) {
            return Err(Error::usage("--notify-secret-file is only for --notify-format dingtalk or feishu")
                .hint("leave it out: JSON and messages to WeCom are not signed"));
        }
        if self.notify_link.is_some() && platform.is_none() {
            return Err(Error::usage("--notify-link is only for --notify-format dingtalk, wecom or feishu")
                .hint("leave it out: JSON holds the summary itself, not a message with a link"));
        }
        match platform {
            Some(platform) if self.notify_url.is_none() => {
                Err(Error::usage("--notify-format needs --notify-url").hint(format!(
                    "give the URL of the robot in {}, for example in RECONCILE_NOTIFY_URL",
                    platform.name()
                )))
            }
            _ => Ok(()),
        }
    }
}

/// The secret: the first line of the file, trimmed.
fn secret(path: &Path) -> Result<String> {
    let wrong = |why: &str| {
        Error::usage(format!("--notify-secret-file {} {why}", path.display())).hint(WRITE_THE_SECRET)
    };
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(SECRET_LIMIT).read_to_end(&mut bytes))
        .map_err(|e| wrong("cannot be read").because(e))?;
    let text = std::str::from_utf8(&bytes).map_err(|_| wrong("is not UTF-8 text"))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    match text.lines().next().map(str::trim).filter(|line| !line.is_empty()) {
        Some(secret) => Ok(secret.to_owned()),
        None => Err(wrong("has an empty first line")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use clap::Parser as _;

    use super::*;

    #[derive(Debug, clap::Parser)]
    struct Probe {
        #[command(flatten)]
        notify: NotifyArgs,
    }

    fn settings(words: &[&str]) -> Result<NotifySettings> {
        let words = ["probe"].iter().chain(words);
        Probe::try_parse_from(words).unwrap().notify.settings(Lang::En, false)
    }

    const URL: [&str; 2] = ["--notify-url", "https://x.test/t0ken"];

    #[test]
    fn options_without_the_one_they_need_are_refused() {
        for (words, what) in [
            (&["--notify-format", "dingtalk"][..], "--notify-format needs --notify-url"),
            (&["--notify-link", "https://y.test"], "--notify-link is only for"),
            (&["--notify-secret-file", "/dev/null"], "--notify-secret-file is only for"),
            (
                &["--notify-format", "wecom", "--notify-secret-file", "/dev/null"],
                "--notify-secret-file is only for",
            ),
        ] {
            let error = settings(words).err().unwrap();
            assert!(error.what.starts_with(what) && error.hint.is_some(), "{error:?}");
        }
        assert!(settings(&[&URL[..], &["--notify-format", "wecom"]].concat()).unwrap().target.is_some());
        assert!(settings(&[]).unwrap().target.is_none());
    }

    #[test]
    fn the_secret_is_the_first_line_without_its_spaces() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        let read = |text: &[u8]| {
            std::fs::write(&path, text).unwrap();
            secret(&path)
        };
        assert_eq!(read(b"SEC1").unwrap(), "SEC1");
        assert_eq!(read("\u{feff} SEC 1\t\r\nsecond".as_bytes()).unwrap(), "SEC 1");
        for (text, why) in [
            (&b""[..], "has an empty first line"),
            (b" \nSEC1", "has an empty first line"),
            (b"\xff\xfeS\0", "is not UTF-8 text"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.what.ends_with(why) && error.hint.is_some(), "{error:?}");
        }
        for path in [dir.path(), &dir.path().join("nowhere")] {
            assert!(secret(path).unwrap_err().what.ends_with("cannot be read"));
        }
    }
}
