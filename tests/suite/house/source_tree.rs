//! What the compiler does not check: no circle between files, one owner for each foreign crate, and
//! the sizes of files, functions and comments.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::imports::{Sources, circles};
use crate::support::rust_files::{files_below, root};

/// A foreign crate and the only files or folders that may use it.
const OWNERS: &[(&str, &[&str])] = &[
    (
        "reqwest",
        &[
            "http_client.rs",
            "objects/",
            "provider/http.rs",
            "provider/http_exchange.rs",
            "resolver.rs",
            "shown_url.rs",
            "telemetry/group.rs",
            "telemetry/notify/",
            "telemetry/push.rs",
        ],
    ),
    ("opendal", &["objects/"]),
    ("http", &["objects/"]),
    ("reqsign_aliyun_oss", &["objects/oss_signer.rs"]),
    ("reqsign_core", &["objects/oss_signer.rs"]),
    ("quick_xml", &["ledger/workbook/", "provider/xml.rs", "sandbox/envelope.rs"]),
    ("encoding_rs", &["provider/charset.rs", "ledger/decode.rs", "ledger/encoding.rs"]),
    ("rusqlite", &["store/sqlite/"]),
    ("postgres", &["store/postgres/"]),
    ("tokio_postgres_rustls", &["store/postgres/tls.rs"]),
    ("rustls_native_certs", &["store/postgres/tls.rs"]),
    ("arrow", &["output/table/", "ledger/parquet/"]),
    ("parquet", &["output/table/", "ledger/"]),
    ("flate2", &["ledger/unpack.rs", "ledger/workbook/part.rs"]),
    ("zip", &["ledger/workbook/"]),
    ("zstd", &["ledger/unpack.rs"]),
    ("governor", &["fetch/shape.rs"]),
    ("indicatif", &["console/progress.rs"]),
    ("minijinja", &["output/report/"]),
    ("hyper", &["sandbox/server.rs"]),
    ("hyper_util", &["sandbox/server.rs"]),
    ("http_body_util", &["sandbox/server.rs"]),
    (
        "toml",
        &[
            "cli/accounts.rs",
            "cli/config_file.rs",
            "cli/money_tables.rs",
            "sandbox/gateway/accounts.rs",
            "sandbox/scenario.rs",
        ],
    ),
    ("strsim", &["cli/config_file.rs", "ledger/header_text.rs", "sandbox/faults/table.rs", "zone.rs"]),
    ("clap", &["cli/", "commands/manual.rs"]),
    ("clap_complete", &["cli/", "commands/manual.rs"]),
    ("clap_mangen", &["commands/manual.rs"]),
    ("shlex", &["provider/credentials/external.rs", "console/command_line.rs"]),
    (
        "csv",
        &[
            "commands/resolutions.rs",
            "diff/changes_csv.rs",
            "ledger/",
            "output/discrepancies.rs",
            "output/read_back.rs",
            "output/rejects.rs",
            "resolutions/fill_in.rs",
            "sandbox/bill.rs",
        ],
    ),
    ("secrecy", &["provider/key.rs", "sandbox/gateway/", "telemetry/notify/chat.rs"]),
    ("bytes", &["ledger/ledger_bytes.rs", "store/postgres/values.rs"]),
    // Signatures, and the names and numbers that a secret key replaces.
    (
        "hmac",
        &[
            "output/mask/token_key.rs",
            "provider/sign.rs",
            "recording/replacer.rs",
            "sandbox/gateway/",
            "telemetry/notify/platform.rs",
        ],
    ),
    (
        "rustix",
        &[
            "clock.rs",
            "output/partitions.rs",
            "provider/credentials/external.rs",
            "regular_file.rs",
            "signals.rs",
        ],
    ),
    ("tracing_subscriber", &["console/log.rs"]),
    ("chrono_tz", &["zone.rs"]),
    ("rust_xlsxwriter", &["output/workbook/"]),
    ("calamine", &["output/workbook/"]),
];

/// The code without its unit tests.
fn code(text: &str) -> &str {
    text.split("#[cfg(test)]\nmod tests").next().unwrap()
}

#[test]
fn no_file_imports_itself_through_others() {
    for package in ["src", "crates/core/src", "python/src"] {
        let folder = root().join(package);
        let sources = Sources::new(files_below(package).into_iter().filter_map(|(path, text)| {
            let name = path.strip_prefix(&folder).unwrap().to_str().unwrap().to_owned();
            // The unit tests of a module may be in a separate file.
            (!name.ends_with("tests.rs")).then(|| (name, code(&text).to_owned()))
        }));
        let imports = sources.imports();
        let edges: usize = imports.values().map(BTreeSet::len).sum();
        assert!(edges > 15, "only {edges} imports were found in {package}");
        assert_eq!(circles(&imports), Vec::<Vec<String>>::new(), "in {package}");
    }
}

#[test]
fn each_foreign_crate_is_named_by_its_owners_alone() {
    let folder = root().join("src");
    let sources = files_below("src");
    for (krate, owners) in OWNERS {
        let called = format!("{krate}::");
        let names = |line: &str| {
            let line = line.trim();
            !line.starts_with("//") && (line.starts_with(&called) || line.contains(&format!(" {called}")))
        };
        let users: Vec<&str> = sources
            .iter()
            .filter(|(_, text)| text.lines().any(names))
            .map(|(path, _)| path.strip_prefix(&folder).unwrap().to_str().unwrap())
            .collect();
        assert!(!users.is_empty(), "nobody uses {krate}");
        for user in users {
            let owned = |owner: &&str| user == *owner || (owner.ends_with('/') && user.starts_with(*owner));
            assert!(owners.iter().any(owned), "{user} uses {krate}");
        }
    }
}

/// A thread that starts elsewhere would panic if the system refuses it.
#[test]
fn threads_start_only_in_the_file_that_owns_them() {
    let starts = [
        "thread::spawn",
        "threads.spawn(",
        "scope.spawn(",
        "thread::Builder",
        "spawn_blocking(",
        "new_multi_thread",
    ];
    for (path, text) in files_below("src").iter().filter(|(path, _)| !path.ends_with("tests.rs")) {
        let found = starts.iter().find(|start| code(text).contains(**start));
        assert!(found.is_none() || path.ends_with("src/threads.rs"), "{} has {found:?}", path.display());
    }
}

#[test]
fn no_file_has_over_400_lines_without_its_tests() {
    let sizes: BTreeMap<PathBuf, usize> = ["src", "crates", "python/src"]
        .iter()
        .flat_map(|folder| files_below(folder))
        .filter(|(path, _)| !path.ends_with("tests.rs"))
        .map(|(path, text)| (path, code(&text).lines().count()))
        .collect();
    let large: Vec<_> = sizes.iter().filter(|(_, lines)| **lines > 400).collect();
    assert!(large.is_empty(), "{large:#?}");
}

#[test]
fn no_comment_goes_beyond_100_columns() {
    let mut wide = Vec::new();
    for folder in ["src", "crates", "python/src", "tests", "benches"] {
        for (path, text) in files_below(folder) {
            let comments = text.lines().enumerate().filter(|(_, line)| line.trim_start().starts_with("//"));
            for (number, _) in comments.filter(|(_, line)| line.chars().count() > 100) {
                wide.push(format!("{}:{}", path.display(), number + 1));
            }
        }
    }
    assert!(wide.is_empty(), "{} comments are too wide: {wide:#?}", wide.len());
}

/// The number of lines of each function. A function ends with the brace in the column of its first
/// line.
fn function_lengths(text: &str) -> Vec<usize> {
    let lines: Vec<&str> = code(text).lines().collect();
    let begins = |line: &str| {
        let code = line.trim_start();
        let words = ["pub ", "pub(crate) ", "pub(super) ", "const ", "async "];
        let name = words.iter().fold(code, |code, word| code.strip_prefix(word).unwrap_or(code));
        name.starts_with("fn ")
    };
    let length = |from: usize| {
        let column = lines[from].len() - lines[from].trim_start().len();
        let end = format!("{}}}", " ".repeat(column));
        let signature = lines[from..].iter().take_while(|line| !line.ends_with('{')).count();
        let is_body_elsewhere = lines[from..from + signature].iter().any(|line| line.ends_with(';'));
        let is_one_line = lines[from].ends_with('}') || is_body_elsewhere;
        if is_one_line { Some(1) } else { lines[from..].iter().position(|line| *line == end).map(|n| n + 1) }
    };
    (0..lines.len()).filter(|line| begins(lines[*line])).filter_map(length).collect()
}

#[test]
fn functions_have_at_most_60_lines_and_nine_in_ten_25() {
    let sources = ["src", "crates", "python/src"].into_iter().flat_map(files_below);
    let mut lengths: Vec<usize> = sources.flat_map(|(_, text)| function_lengths(&text)).collect();
    lengths.sort_unstable();
    assert!(lengths.len() > 1_000, "only {} functions were found", lengths.len());
    let (longest, p90) = (lengths[lengths.len() - 1], lengths[lengths.len() * 9 / 10]);
    assert!(longest <= 60 && p90 <= 25, "longest {longest}, p90 {p90}");
}

#[test]
fn names_of_tests_have_at_most_60_characters() {
    let mut long = Vec::new();
    for (path, text) in ["src", "crates", "tests"].into_iter().flat_map(files_below) {
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        let is_test = |line: &str| line.starts_with("#[test") || line.starts_with("#[tokio::test");
        let tests = lines.windows(2).filter(|pair| is_test(pair[0]));
        let names = tests.filter_map(|pair| pair[1].split("fn ").nth(1)?.split('(').next());
        long.extend(names.filter(|name| name.len() > 60).map(|name| format!("{}: {name}", path.display())));
    }
    assert!(long.is_empty(), "{long:#?}");
}
