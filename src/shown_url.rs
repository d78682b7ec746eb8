//! What messages may show of a URL: scheme, host and port of a URL that was understood and holds no
//! user name or password. Anything else is described without its text.

use reqwest::Url;

/// Stands for a URL that is not shown.
const NOT_SHOWN: &str = "(a URL, not shown)";

/// Every spelling of `@` in a parsed URL: as it is, percent-encoded, and in full width.
const AT_SIGNS: [&str; 4] = ["@", "%40", "%EF%BC%A0", "%EF%B9%AB"];

/// Scheme, host and port of a URL; `None` if the URL may hold a user name or a password.
#[must_use]
pub fn origin(url: &Url) -> Option<String> {
    // An `@` in the path may be the end of a password with a `/` in it.
    let may_hold_user_info = AT_SIGNS.iter().any(|at| url.as_str().contains(at));
    if may_hold_user_info || url.password().is_some() {
        return None;
    }
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    Some(format!("{}://{}{port}", url.scheme(), url.host_str()?))
}

/// The URL as messages may show it.
#[must_use]
pub fn shown(url: &Url) -> String {
    origin(url).unwrap_or_else(|| NOT_SHOWN.to_owned())
}

/// A word of the command line, a file or the environment as messages may show it.
///
/// Only a word that looks like a URL, or like `user:password@host`, is changed.
#[must_use]
pub fn word(word: &str) -> String {
    if !may_hold_secret(word) {
        return word.to_owned();
    }
    let value = |text: &str| Url::parse(text).map_or_else(|_| NOT_SHOWN.to_owned(), |url| shown(&url));
    match word.split_once('=') {
        // An option with its value. A URL's own `=` comes after `://`.
        Some((option, text)) if !may_hold_secret(option) => format!("{option}={}", value(text)),
        _ => value(word),
    }
}

/// True if the word may be a URL or hold a user name with a password.
#[must_use]
pub fn may_hold_secret(word: &str) -> bool {
    let user_info = word.rsplit_once('@').is_some_and(|(before, _)| before.contains([':', '/', '\\']));
    let lower = word.to_ascii_lowercase();
    user_info
        || word.contains("://")
        || (word.starts_with("//") || word.contains("=//")) && word.contains(['@', '?'])
        || lower.contains("%40")
        || ["http:", "https:"].iter().any(|scheme| lower.contains(scheme))
}

/// True if the whole word may be shown: it is no URL, or has only scheme, host, port and path.
#[must_use]
pub fn is_plain(word: &str) -> bool {
    let url = word.split_once('=').filter(|(option, _)| !may_hold_secret(option));
    let url = url.map_or(word, |(_, value)| value);
    let plain = |url: Url| origin(&url).is_some() && url.query().is_none() && url.fragment().is_none();
    !may_hold_secret(word) || Url::parse(url).is_ok_and(plain)
}

/// A text that may quote these words, with each of them as messages may show it.
#[must_use]
pub fn hide_words<'a>(text: &str, words: impl Iterator<Item = &'a str>) -> String {
    let mut secret: Vec<&str> = words.filter(|word| may_hold_secret(word)).collect();
    // A message may quote an option's value alone.
    secret.extend(secret.clone().iter().filter_map(|word| Some(word.split_once('=')?.1)));
    secret.retain(|word| may_hold_secret(word));
    secret.sort_unstable_by_key(|word| std::cmp::Reverse(word.len()));
    secret.iter().fold(text.to_owned(), |text, secret| text.replace(secret, &word(secret)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_scheme_host_and_port_of_a_url_are_shown() {
        for (given, shown) in [
            ("https://host:8443/path?token=x#y", "https://host:8443"),
            ("ftp://x/y", "ftp://x"),
            ("http://[::1]:80/", "http://[::1]"),
            ("https://user:pw@host", NOT_SHOWN),
            ("https://user:pw@host:99999", NOT_SHOWN),
            ("https:/user:pw@host", NOT_SHOWN),
            ("//user:pw@host", NOT_SHOWN),
            ("user:pw@host:99999", NOT_SHOWN),
            ("https://token/x@host", NOT_SHOWN),
            ("https%3A//user%3Apw%40host", NOT_SHOWN),
            ("--endpont=https://user:pw@host", "--endpont=(a URL, not shown)"),
            ("--rate=fast", "--rate=fast"),
            ("calls@night.csv", "calls@night.csv"),
        ] {
            assert_eq!(word(given), shown, "{given}");
        }
    }

    #[test]
    fn a_quoted_word_is_replaced_with_and_without_its_option() {
        let words = ["--x=https://u:pw@h", "b"];
        let text = "unexpected '--x=https://u:pw@h', and 'https://u:pw@h', near b";
        let shown = hide_words(text, words.into_iter());
        assert_eq!(shown, "unexpected '--x=(a URL, not shown)', and '(a URL, not shown)', near b");
    }
}
