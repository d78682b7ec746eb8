//! The command line as typed, so that a message can name the command that resumes a run.

use std::ffi::OsString;

use crate::shown::shown;
use crate::shown_url;

/// The option whose value may hold a secret, and those that are refused without it.
const NOTIFY: [&str; 4] = ["--notify-url", "--notify-format", "--notify-secret-file", "--notify-link"];
/// Stands for a command that cannot be shown as typed.
pub(super) const SAME_COMMAND: &str = "run the same command again";

/// The words as one line, quoted for a shell, without the option that may hold a secret and those
/// that need it. A command with a phone number or a control character is not shown: the masked one
/// would not work.
pub(super) fn without_secrets(words: impl IntoIterator<Item = OsString>) -> String {
    let words: Vec<String> = words.into_iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let has_url = words.iter().any(|word| option_of(word) == NOTIFY[0]);
    let left_out = if has_url { &NOTIFY[..] } else { &[] };
    let mut words = words.into_iter();
    let mut kept = Vec::new();
    while let Some(word) = words.next() {
        if left_out.contains(&option_of(&word)) {
            if !word.contains('=') {
                words.next();
            }
        } else if shown_url::is_plain(&word) {
            kept.push(word);
        } else {
            return SAME_COMMAND.to_owned();
        }
    }
    let line = shlex::try_join(kept.iter().map(String::as_str)).unwrap_or_else(|_| kept.join(" "));
    if shown(&line) == line { line } else { SAME_COMMAND.to_owned() }
}

/// The option's name in `--option` and `--option=value`.
fn option_of(word: &str) -> &str {
    word.split('=').next().unwrap_or(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(words: &[&str]) -> String {
        without_secrets(words.iter().map(OsString::from))
    }

    #[test]
    fn a_secret_is_left_out_in_both_spellings() {
        assert_eq!(line(&["reconcile", "--notify-url", "https://x/s", "-i", "a b"]), "reconcile -i 'a b'");
        assert_eq!(line(&["reconcile", "--notify-url=https://x/s", "-q"]), "reconcile -q");
        let chat = ["reconcile", "--notify-format", "wecom", "--notify-link", "https://y/z", "-q"];
        assert_eq!(line(&[&chat[..], &["--notify-url", "https://x/s"]].concat()), "reconcile -q");
        assert_eq!(line(&chat), chat.join(" "), "the URL is from the environment or the file");
        assert_eq!(line(&["--endpoint", "http://x:1/a"]), "--endpoint http://x:1/a");
        assert_eq!(line(&["--endpoint=https://u:s@x", "-i", "a"]), SAME_COMMAND);
    }

    #[test]
    fn a_command_that_works_only_unmasked_is_not_shown() {
        for name in ["13800138000.csv", "138 0013-8000.csv", "a\u{1b}[2K.csv", "a\nb"] {
            assert_eq!(line(&["reconcile", "-i", name]), SAME_COMMAND, "{name}");
        }
        let ordinary = "reconcile -i calls-20261126.csv --prod-id 11000000300006 --rate 100/min";
        assert_eq!(line(&ordinary.split(' ').collect::<Vec<_>>()), ordinary);
    }
}
