//! Programs that the tests need, at pinned versions: users' readers of Parquet, workbooks and
//! metrics, and the provider's own SDKs. The tests install them below cargo's target directory.
//!
//! The first test installs; the others wait at a lock file. An installation counts only after its
//! mark is written, so an interrupted one is repeated.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::skip;

/// A virtual environment of Python.
struct Environment {
    name: &'static str,
    packages: &'static [&'static str],
    /// A program that exists only in a complete installation.
    proof: &'static str,
}

const READERS: Environment = Environment {
    name: "readers-venv",
    packages: &[
        "duckdb-cli==1.5.5",
        "duckdb-extension-excel==1.5.5",
        "duckdb-extension-httpfs==1.5.5",
        "pyarrow==26.0.1",
        "polars==2.1.0",
        "openpyxl==3.1.5",
        "pandas==3.1.1",
        "prometheus-client==0.26.0",
    ],
    proof: "bin/duckdb",
};

const SDKS: Environment = Environment {
    name: "sdks-venv",
    packages: &[
        "aliyun-python-sdk-core==2.16.1",
        "alibabacloud_dyvmsapi20170525==5.3.0",
        "alibabacloud_tea_openapi==0.4.6",
        "darabonba-core==1.0.9",
        "alibabacloud_credentials==1.0.12",
    ],
    proof: "bin/python",
};

/// An independent server with the interface of S3.
const MOTO: Environment =
    Environment { name: "moto-venv", packages: &["moto[server]==5.2.5"], proof: "bin/moto_server" };

/// Checks manifests against the schemas of Kubernetes.
const KUBERNETES: Environment = Environment {
    name: "kubernetes-venv",
    packages: &["kubernetes-validate==1.37.0"],
    proof: "bin/kubernetes-validate",
};

/// Makes the pictures in `docs/`.
const PICTURES: Environment =
    Environment { name: "pictures-venv", packages: &["pillow==13.0.0", "pymupdf==2.0"], proof: "bin/python" };

/// A command of the environment that checks manifests, installed if necessary.
pub fn kubernetes(name: &str) -> Command {
    Command::new(KUBERNETES.folder().join("bin").join(name))
}

/// Python with what makes pictures small, installed if necessary.
pub fn python_with_pictures() -> Command {
    Command::new(PICTURES.folder().join("bin/python"))
}

/// A command of the readers' environment, installed if necessary.
pub fn command(name: &str) -> Command {
    Command::new(READERS.folder().join("bin").join(name))
}

/// DuckDB's statement that loads its extension for workbooks.
pub fn load_excel() -> String {
    load("excel")
}

/// DuckDB's statement that loads its extension for object storage.
pub fn load_httpfs() -> String {
    load("httpfs")
}

fn load(extension: &str) -> String {
    let mut command = command("python");
    command.args(["-c", &format!("import duckdb_extension_{extension} as e; print(e.__path__[0])")]);
    let folder = output(&mut command, "it comes from the Python package index");
    format!("LOAD '{}/extensions/v1.5.5/{extension}.duckdb_extension'", folder.trim())
}

/// The server moto on a free port, installed if necessary. It prints its URL to standard error.
pub fn moto_server() -> Command {
    let mut command = Command::new(MOTO.folder().join("bin/moto_server"));
    command.args(["-H", "127.0.0.1", "-p", "0"]);
    command
}

/// Python with the provider's SDKs, installed if necessary.
pub fn python_with_sdks() -> Command {
    Command::new(SDKS.folder().join("bin/python"))
}

/// A Node script of the tests with its packages.
struct NodeScript {
    /// Below `tests/`; has `package.json` and `package-lock.json`.
    folder: &'static str,
    file: &'static str,
    /// A folder that exists only in a complete installation.
    proof: &'static str,
    why: &'static str,
}

const ASK_SDKS: NodeScript = NodeScript {
    folder: "sdks/node",
    file: "ask.js",
    proof: "node_modules/@alicloud/openapi-client",
    why: "the provider's SDKs for Node come from the npm registry",
};

const CHECK_PAGES: NodeScript = NodeScript {
    folder: "browser",
    file: "check.js",
    proof: "node_modules/axe-core",
    why: "axe-core, html-validate and playwright-core come from the npm registry",
};

/// Node with the script that asks with the provider's SDKs. Without npm the test is skipped.
pub fn node_with_sdks() -> Option<Command> {
    ASK_SDKS.command()
}

/// Node with the script that checks pages in a browser. Without npm the test is skipped.
pub fn node_with_browser() -> Option<Command> {
    CHECK_PAGES.command()
}

impl NodeScript {
    /// Node with the script, where its packages are; they are installed if necessary.
    fn command(&self) -> Option<Command> {
        let there = Command::new("npm").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        if !there.is_ok_and(|status| status.success()) {
            skip("there is no npm on this machine");
            return None;
        }
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(self.folder);
        let text = |name: &str| fs::read_to_string(source.join(name)).unwrap();
        let made = text("package.json") + &text("package-lock.json");
        let name = self.folder.split('/').rev().collect::<Vec<_>>().join("-");
        let folder = installed(&format!("{name}-packages"), &made, self.proof, |folder| {
            fs::create_dir_all(folder).unwrap();
            for name in ["package.json", "package-lock.json"] {
                fs::copy(source.join(name), folder.join(name)).unwrap();
            }
            let mut install = Command::new("npm");
            install.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(folder);
            output(&mut install, self.why);
        });
        // The script stays where it is: a copy could be read by one test while another writes it.
        let mut node = Command::new("node");
        node.arg(source.join(self.file)).current_dir(&folder).env("NODE_PATH", folder.join("node_modules"));
        Some(node)
    }
}

impl Environment {
    fn folder(&self) -> PathBuf {
        installed(self.name, &self.packages.join(" "), self.proof, |venv| {
            let mut make = Command::new("python3");
            let why = "the tests need python3 with venv, for DuckDB, pyarrow, Polars and the provider's SDKs";
            output(make.args(["-m", "venv"]).arg(venv), why);
            let mut install = Command::new(venv.join("bin/pip"));
            install.args(["install", "--quiet", "--disable-pip-version-check"]).args(self.packages);
            output(&mut install, "they come from the Python package index");
        })
    }
}

/// The folder of this name with `what` in it, created if necessary.
fn installed(name: &str, what: &str, proof: &str, make: impl FnOnce(&Path)) -> PathBuf {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR"));
    fs::create_dir_all(root).unwrap();
    let lock = File::create(root.join(format!("{name}.lock"))).unwrap();
    lock.lock().unwrap();
    let folder = root.join(name);
    let mark = folder.join("installed");
    // A virtual environment works only at its own path, and the target directory may have moved.
    let made = format!("{what} in {}", folder.display());
    if fs::read_to_string(&mark).is_ok_and(|mark| mark == made) && folder.join(proof).exists() {
        return folder;
    }
    if folder.exists() {
        fs::remove_dir_all(&folder).unwrap();
    }
    make(&folder);
    fs::write(&mark, made).unwrap();
    folder
}

/// Standard output of a command; a failing command fails the test.
pub fn output(command: &mut Command, why: &str) -> String {
    let output = command.stdin(Stdio::null()).output();
    let output = output.unwrap_or_else(|error| panic!("{why}; {command:?} did not start: {error}"));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{why}; {command:?} failed:\n{stderr}");
    String::from_utf8(output.stdout).unwrap()
}
