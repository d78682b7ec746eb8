//! A rule that the compiler does not check: each foreign crate has one owner.

use std::fs;
use std::path::{Path, PathBuf};

/// A foreign crate and the only files or folders that may use it.
const OWNERS: &[(&str, &[&str])] = &[
    ("reqwest", &["http_client.rs", "provider/http.rs", "provider/http_exchange.rs", "telemetry/notify.rs"]),
    ("quick_xml", &["provider/xml.rs", "sandbox/envelope.rs"]),
    ("encoding_rs", &["provider/charset.rs", "ledger/decode.rs", "ledger/encoding.rs"]),
    ("rusqlite", &["store/sqlite/"]),
    ("arrow", &["output/table/", "ledger/columnar.rs"]),
    ("parquet", &["output/table/", "ledger/columnar.rs"]),
    ("flate2", &["ledger/unpack.rs"]),
    ("zstd", &["ledger/unpack.rs"]),
    ("governor", &["fetch/shape.rs"]),
    ("indicatif", &["console/progress.rs"]),
    ("minijinja", &["output/report/"]),
    ("plotters", &["output/report/svg.rs"]),
    ("hyper", &["sandbox/server.rs"]),
    ("hyper_util", &["sandbox/server.rs"]),
    ("http_body_util", &["sandbox/server.rs"]),
    ("toml", &["cli/config_file.rs", "sandbox/gateway/accounts.rs", "sandbox/scenario.rs"]),
    ("strsim", &["cli/config_file.rs", "ledger/header_text.rs", "sandbox/faults/table.rs"]),
    ("clap", &["cli/", "commands/manual.rs"]),
    ("clap_complete", &["cli/", "commands/manual.rs"]),
    ("clap_mangen", &["commands/manual.rs"]),
    ("shlex", &["provider/credentials/external.rs", "console/command_line.rs"]),
    ("csv", &["ledger/", "output/discrepancies.rs", "output/read_back.rs", "output/rejects.rs"]),
    ("secrecy", &["provider/key.rs", "sandbox/gateway/"]),
    ("rustix", &["clock.rs", "output/partitions.rs"]),
    ("tracing_subscriber", &["console/log.rs"]),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All Rust files below a folder, with their text.
pub fn files_below(folder: &str) -> Vec<(PathBuf, String)> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.ends_with("node_modules") {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    let mut paths = Vec::new();
    walk(&root().join(folder), &mut paths);
    paths.into_iter().map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect()
}

#[test]
fn each_foreign_crate_is_used_only_by_its_owners() {
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
