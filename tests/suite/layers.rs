//! The house keeps its order. Owns the list of modules from the ground up, and of who may use which foreign crate.

use std::fs;
use std::path::{Path, PathBuf};

/// Each module may import only modules that stand before it. Two pure parts of `provider` stand by themselves.
const GROUND_UP: &[&str] = &[
    "exit",
    "error",
    "mask",
    "parse",
    "log",
    "rate",
    "audit",
    "clock",
    "recording",
    "call",
    "detail",
    "discrepancy",
    "totals",
    "stop",
    "provider::states",
    "normalize",
    "compare",
    "patterns",
    "figures",
    "ledger",
    "provider",
    "store",
    "output",
    "messages",
    "metrics",
    "notify",
    "signals",
    "fetch",
    "progress",
    "collect",
    "publish",
    "sandbox",
    "config",
    "cli",
    "run",
    "commands",
    "lib",
    "main",
];

/// A foreign crate and the only places, files or folders, that know it. (`parquet` is also a module of `output`.)
const OWNERS: &[(&str, &[&str])] = &[
    ("reqwest", &["provider/http.rs", "notify.rs"]),
    ("quick_xml", &["provider/xml.rs", "sandbox/envelope.rs"]),
    ("encoding_rs", &["provider/charset.rs", "ledger/text.rs"]),
    ("rusqlite", &["store/sqlite/"]),
    ("arrow_array", &["output/parquet.rs", "ledger/columnar.rs"]),
    ("arrow_cast", &["ledger/columnar.rs"]),
    ("arrow_schema", &["output/parquet.rs", "ledger/columnar.rs"]),
    (
        "parquet",
        &[
            "output/parquet.rs",
            "output/mod.rs",
            "output/discrepancies.rs",
            "output/details.rs",
            "ledger/columnar.rs",
        ],
    ),
    ("flate2", &["ledger/unpack.rs"]),
    ("zstd", &["ledger/unpack.rs"]),
    ("governor", &["fetch/cap.rs"]),
    ("indicatif", &["progress.rs"]),
    ("minijinja", &["output/report.rs"]),
    ("plotters", &["output/charts.rs"]),
    ("hyper", &["sandbox/server.rs"]),
    ("hyper_util", &["sandbox/server.rs"]),
    ("http_body_util", &["sandbox/server.rs"]),
    ("toml", &["config.rs", "sandbox/accounts.rs", "sandbox/scenario.rs"]),
    ("strsim", &["config.rs", "sandbox/faults.rs"]),
    ("clap", &["cli/", "config.rs", "commands/manual.rs"]),
    ("clap_complete", &["cli/mod.rs", "commands/manual.rs"]),
    ("clap_mangen", &["commands/manual.rs"]),
    ("compact_str", &["call.rs"]),
    ("shlex", &["provider/credentials/external.rs", "main.rs"]),
    ("csv", &["ledger/", "output/discrepancies.rs", "output/rejects.rs"]),
    (
        "secrecy",
        &["provider/credentials/mod.rs", "sandbox/accounts.rs", "sandbox/gateway.rs", "sandbox/sts.rs"],
    ),
    ("rustix", &["clock.rs", "output/partitions.rs"]),
    ("tracing_subscriber", &["log.rs"]),
];

fn sources() -> Vec<(String, String)> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    walk(&root, &mut paths);
    let name = |path: &Path| path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
    paths.iter().map(|path| (name(path), fs::read_to_string(path).unwrap())).collect()
}

/// The code without its unit tests, which may reach anywhere.
fn code(text: &str) -> &str {
    text.split("#[cfg(test)]\nmod tests").next().unwrap()
}

/// `provider/states.rs` is `provider::states`.
fn floor(module: &str) -> usize {
    let by_prefix = |known: &str| module == known || module.starts_with(&format!("{known}::"));
    let (at, _) = GROUND_UP
        .iter()
        .enumerate()
        .filter(|(_, known)| by_prefix(known))
        .max_by_key(|(_, known)| known.len())
        .unwrap_or_else(|| panic!("`{module}` has no place in the order of the house"));
    at
}

#[test]
fn imports_point_down() {
    let mut seen = 0;
    for (name, text) in sources().iter().filter(|(name, _)| !matches!(name.as_str(), "main.rs" | "lib.rs")) {
        let module = name.trim_end_matches(".rs").trim_end_matches("/mod").replace('/', "::");
        let room = module.split("::").next().unwrap();
        for rest in code(text).split("crate::").skip(1) {
            let path: String =
                rest.chars().take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | ':')).collect();
            if path.split("::").next() == Some(room) && !GROUND_UP.contains(&module.as_str()) {
                continue;
            }
            let own = path.split("::").next() == Some(room);
            assert!(own || floor(&path) < floor(&module), "{name} imports crate::{path}");
            seen += 1;
        }
    }
    assert!(seen > 50, "only {seen} imports were read");
}

#[test]
fn every_module_has_its_place_in_the_order() {
    for (name, _) in sources() {
        floor(&name.trim_end_matches(".rs").trim_end_matches("/mod").replace('/', "::"));
    }
}

#[test]
fn each_foreign_crate_has_its_owners_and_nobody_else_knows_it() {
    for (krate, owners) in OWNERS {
        let mut users: Vec<String> = Vec::new();
        for (name, text) in sources() {
            let uses = |line: &str| {
                let line = line.trim();
                let called = format!("{krate}::");
                !line.starts_with("//") && (line.starts_with(&called) || line.contains(&format!(" {called}")))
            };
            if text.lines().any(uses) {
                users.push(name);
            }
        }
        assert!(!users.is_empty(), "nobody uses {krate}");
        for user in &users {
            let owned = |owner: &&str| user == *owner || (owner.ends_with('/') && user.starts_with(*owner));
            assert!(owners.iter().any(owned), "{user} uses {krate}");
        }
    }
}
