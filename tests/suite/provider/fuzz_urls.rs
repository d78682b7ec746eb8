//! No error, log or report shows a user name, password, path or query of a URL, in any spelling.
//!
//! Thousands of odd URLs are built from a fixed seed. Each holds a marker where a secret may be.

use fastrand::Rng;
use reconcile::http_client::UrlSetting;
use reconcile::provider::WireFormat;
use reconcile::provider::credentials::{CredentialCache, Credentials};
use reconcile::provider::http::{Connection, HttpProvider};
use reconcile::shown_url;
use reconcile::telemetry::notify::Target;

use crate::support::{Bench, ledger};

const MARKER: &str = "s3cretmarker";

/// Spellings of a URL's beginning, of what separates its parts, and of its end.
const SCHEMES: [&str; 18] = [
    "https://",
    "http://",
    "HTTPS://",
    "https:/",
    "https:",
    "https:\\\\",
    "https//",
    "//",
    "",
    "ftp://",
    "file://",
    "data:",
    "ht tp://",
    "https:///",
    "https%3A//",
    "socks5://",
    " https://",
    "https://\t",
];
const BETWEEN: [&str; 8] = [":", "%3A", "：", ";", "::", ":@", "/", "#"];
const AT: [&str; 7] = ["@", "%40", "＠", "@@", "\\@", "/@", "?@"];
const HOSTS: [&str; 12] = [
    "host",
    "host:99999",
    "host:port",
    "[::1",
    "[::1]:80",
    "127.0.0.1",
    "256.256.256.256",
    "",
    "ho st",
    "xn--a",
    "host:",
    "münchen.example",
];
const TAILS: [&str; 6] = ["", "/", "/path", "?q=1", "#f", "/%zz"];
const AROUND: [&str; 9] = ["", "a", "%", "%00", "用户", "/", "\\", "?", "#"];

/// A secret as somebody may write it: among other characters, or percent-encoded in part.
fn secret(random: &mut Rng) -> String {
    let marker = match random.u8(0..3) {
        0 => MARKER.to_uppercase(),
        _ => MARKER.to_owned(),
    };
    let around = |random: &mut Rng| *random.choice(&AROUND).unwrap();
    // In a user name `/`, `?` and `#` end the host, so the marker would be the host's name.
    format!("{}{marker}{}", around(random).trim_matches(['/', '\\', '?', '#']), around(random))
}

fn odd_url(random: &mut Rng) -> String {
    let pick = |random: &mut Rng, from: &[&'static str]| *random.choice(from).unwrap();
    let (scheme, host, tail) = (pick(random, &SCHEMES), pick(random, &HOSTS), pick(random, &TAILS));
    let secret = secret(random);
    match random.u8(0..5) {
        // Without a host, the path would be the host.
        0 if !host.is_empty() => format!("{scheme}{host}/{secret}{tail}"),
        1 => format!("{scheme}{host}?token={secret}{tail}"),
        2 => format!("{scheme}user{}{secret}{}{host}{tail}", pick(random, &BETWEEN), pick(random, &AT)),
        3 => {
            format!("{scheme}{secret}{}pw{}{host}{tail}", pick(random, &BETWEEN[..3]), pick(random, &AT[..3]))
        }
        _ => format!("{scheme}{secret}@{host}{tail}"),
    }
}

#[track_caller]
fn assert_hidden(text: &str, url: &str) {
    assert!(!text.to_lowercase().contains(MARKER), "{url:?} is shown in {text:?}");
}

/// Everything that an error may show.
fn all_of(error: &reconcile::error::Error) -> String {
    let source = error.source.as_ref().map(|source| format!("{source} {source:?}"));
    format!("{error} {:?} {source:?}", error.hint)
}

#[test]
fn no_parser_of_urls_shows_a_secret() {
    let mut random = Rng::with_seed(19);
    let (mut accepted, mut refused) = (0, 0);
    for _ in 0..20_000 {
        let url = odd_url(&mut random);
        let setting = UrlSetting { name: "the endpoint", value: &url, example: "https://x" };
        match setting.parse() {
            Ok(url) => {
                accepted += 1;
                assert_hidden(&shown_url::shown(&url), url.as_str());
            }
            Err(error) => {
                refused += 1;
                assert_hidden(&all_of(&error), &url);
            }
        }
        match Target::parse(&url, false) {
            Ok(target) => assert_hidden(&format!("{target:?}"), &url),
            Err(error) => assert_hidden(&all_of(&error), &url),
        }
        // Other words of a command line are shown, if they do not look like a URL.
        if url.contains("://") || url.starts_with("//") && url.contains(['@', '?']) {
            assert_hidden(&shown_url::word(&format!("--endpoint={url}")), &url);
            let words = ["reconcile", url.as_str()];
            let text = format!("error: unexpected argument '{url}' found");
            assert_hidden(&shown_url::hide_words(&text, words.into_iter()), &url);
        }
    }
    assert!(accepted > 500 && refused > 5_000, "{accepted} accepted, {refused} refused");
}

#[test]
fn no_provider_shows_a_secret_of_its_endpoint() {
    let mut random = Rng::with_seed(20);
    let key = Credentials::new("testid".into(), "testsecret".into(), None);
    let keys = std::sync::Arc::new(CredentialCache::of_static_key(key, "a test"));
    for _ in 0..2_000 {
        let endpoint = odd_url(&mut random);
        let connection = Connection {
            endpoint: endpoint.clone(),
            timeout: std::time::Duration::from_secs(1),
            wire_format: WireFormat::Json,
            ca_file: None,
            insecure_http: false,
        };
        if let Err(error) = HttpProvider::new(&connection, keys.clone()) {
            assert_hidden(&all_of(&error), &endpoint);
        }
    }
}

#[test]
fn no_run_shows_a_secret_of_a_url() {
    let bench = Bench::new(&ledger(1));
    let urls = [
        format!("https://user:{MARKER}@host:99999"),
        format!("https:/user:{MARKER}@host"),
        format!("//user:{MARKER}@host"),
        format!("user:{MARKER}@host:99999"),
        format!("https://user%3A{MARKER}%40host"),
        format!("https://{MARKER}/@host"),
        format!("ftp://host?{MARKER}"),
        format!("http://host.invalid?token={MARKER}"),
        format!("https://user:{MARKER} x@host"),
    ];
    let mut seen = Vec::new();
    for url in &urls {
        let shown = |arguments: &[&str], variables: &[(&str, &str)]| {
            let mut command = bench.command(arguments);
            command.envs(variables.iter().copied());
            let run = bench.start_command(command).wait();
            assert_hidden(&run.stderr, url);
            run
        };
        let mut check = |arguments: &[&str], variables: &[(&str, &str)]| {
            let run = shown(arguments, variables);
            assert_eq!(run.code, Some(2), "{url}: {}", run.stderr);
            seen.push(run.stderr);
        };
        // A URL that is accepted for one of these is hidden as well.
        shown(&["--notify-url", url, "--offline"], &[]);
        let robot = ["--notify-url", "http://127.0.0.1:9/", "--notify-format", "wecom", "--offline"];
        shown(&[&robot[..], &["--notify-link", url]].concat(), &[]);
        shown(&["--sts-endpoint", url, "--offline"], &[]);
        shown(&["--metrics-push", url, "--insecure-http", "--offline"], &[]);
        check(&["--endpoint", url], &[]);
        check(&[url], &[]);
        check(&[&format!("--endpont={url}")], &[]);
        check(&["--rate", url], &[]);
        check(&[], &[("RECONCILE_CONCURRENCY", url)]);
        bench.write("c.toml", &format!("rate = {url:?}\n"));
        check(&["--config", "c.toml"], &[]);
        bench.write("c.toml", &format!("endpoint = {url:?}\n"));
        assert_hidden(&bench.bare(&["config", "--config", "c.toml"]), url);
    }
    assert!(seen[0].contains("the provider's endpoint is not a URL: invalid port number"), "{}", seen[0]);
}
