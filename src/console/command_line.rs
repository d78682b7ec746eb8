//! The command line as typed, so that a message can name the command that resumes a run.

use std::ffi::OsString;

use crate::shown_url;

/// The option whose value may hold a secret.
const SECRET: &str = "--notify-url";

/// The words as one line, quoted for a shell, without the option that may hold a secret.
pub(super) fn without_secrets(words: impl IntoIterator<Item = OsString>) -> String {
    let mut words = words.into_iter().map(|word| word.to_string_lossy().into_owned());
    let mut kept = Vec::new();
    while let Some(word) = words.next() {
        match word.strip_prefix(SECRET) {
            Some("") => drop(words.next()),
            Some(rest) if rest.starts_with('=') => {}
            _ if !shown_url::is_plain(&word) => kept.push("…".into()),
            _ => kept.push(word),
        }
    }
    shlex::try_join(kept.iter().map(String::as_str)).unwrap_or_else(|_| kept.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_left_out_in_both_spellings() {
        let line = |words: &[&str]| without_secrets(words.iter().map(OsString::from));
        assert_eq!(line(&["reconcile", "--notify-url", "https://x/s", "-i", "a b"]), "reconcile -i 'a b'");
        assert_eq!(line(&["reconcile", "--notify-url=https://x/s", "-q"]), "reconcile -q");
        assert_eq!(line(&["--endpoint", "http://x:1/a"]), "--endpoint http://x:1/a");
        assert_eq!(line(&["--endpoint=https://u:s@x", "-i", "a"]), "'…' -i a");
    }
}
