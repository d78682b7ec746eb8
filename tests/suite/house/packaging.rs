//! Files for operators: systemd units, crontab, package, image, alert rules, completions and manual
//! pages. External tools check them. If a tool is missing, its test fails in CI, and elsewhere it
//! is skipped with a message.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use reconcile::fetch::cap::Cap;
use reconcile_core::rate::Rate;
use toml::de::{DeTable, DeValue};

use crate::support::rust_files::{files_below, root};
use crate::support::{Bench, ledger, skip, venv};

fn packaged(name: &str) -> String {
    fs::read_to_string(root().join("packaging").join(name)).unwrap()
}

/// A tool of the system; `None`, with a message, if it is missing.
fn tool(name: &str) -> Option<Command> {
    let found = std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|folder| folder.join(name))
        .find(|p| p.is_file());
    if found.is_none() {
        skip(&format!("there is no {name} on this machine"));
    }
    found.map(Command::new)
}

fn printed(arguments: &[&str]) -> String {
    Bench::new(&ledger(0)).bare(arguments)
}

/// The names of the commands, as the help lists them.
fn commands() -> Vec<String> {
    let help = printed(&["-h"]);
    let listed = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let names = listed
        .lines()
        .filter(|line| !line.starts_with("    "))
        .map(|line| line.split_whitespace().next().unwrap());
    names.filter(|name| *name != "help").map(str::to_owned).collect()
}

/// The units with the tested binary in place of the installed one.
fn units() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let service =
        packaged("reconcile@.service").replace("/usr/bin/reconcile", env!("CARGO_BIN_EXE_reconcile"));
    fs::write(dir.path().join("reconcile@.service"), service).unwrap();
    fs::write(dir.path().join("reconcile@.timer"), packaged("reconcile@.timer")).unwrap();
    dir
}

#[test]
fn systemd_accepts_the_units_and_the_service_is_confined() {
    let units = units();
    let Some(mut verify) = tool("systemd-analyze") else { return };
    verify
        .args(["verify", "--man=no"])
        .args(["reconcile@night.service", "reconcile@night.timer"].map(|name| units.path().join(name)));
    let output = verify.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && !stderr.contains("reconcile@"), "{stderr}");

    let Some(mut security) = tool("systemd-analyze") else { return };
    // The threshold is in tenths: the rating must be at most 1.5. It is 10 for a service without
    // any restriction.
    security
        .args(["security", "--offline=true", "--threshold=15"])
        .arg(units.path().join("reconcile@.service"));
    venv::output(&mut security, "the service is confined");
}

#[test]
fn the_packaged_configuration_can_be_read() {
    let path = root().join("packaging/reconcile.toml");
    let dump = printed(&["config", "--config", path.to_str().unwrap()]);
    assert!(dump.lines().filter(|line| line.contains("packaging/reconcile.toml:")).count() >= 5, "{dump}");
    // The options in comments are valid too.
    let all: String = packaged("reconcile.toml")
        .lines()
        .map(|line| {
            let option = line
                .strip_prefix("# ")
                .filter(|rest| rest.split(" = ").next().is_some_and(|key| !key.contains(' ')));
            let is_set = |rest: &&str| rest.contains(" = ") || rest.starts_with('[');
            format!("{}\n", option.filter(is_set).unwrap_or(line))
        })
        .collect();
    let bench = Bench::new(&ledger(0));
    bench.write("all.toml", &all);
    let dump = bench.bare(&["config", "--config", "all.toml"]);
    assert!(dump.contains("mask-phones = \"partial\"") && dump.contains("# notify-url is set"), "{dump}");
    assert!(dump.contains("[[tariff.\"voice-notification\"]]") && dump.contains("[bill]"), "{dump}");
}

#[test]
fn the_line_of_the_crontab_runs() {
    let text = packaged("crontab");
    let line = text.lines().find(|line| line.starts_with(|c: char| c.is_ascii_digit())).unwrap();
    let mut fields = line.splitn(6, ' ').map(str::trim);
    let times: Vec<&str> = fields.by_ref().take(5).collect();
    assert_eq!(times, ["5", "0", "*", "*", "*"]);
    let command = fields.next().unwrap();
    // In a crontab an unescaped % ends the command.
    assert!(!command.contains('%'), "{command}");
    let bench = Bench::new(&ledger(1));
    fs::create_dir_all(bench.path("etc")).unwrap();
    bench.write("etc/environment", "RECONCILE_SANDBOX=true\n");
    let config = packaged("reconcile.toml").replace("/var/lib/reconcile/", "");
    bench.write("etc/reconcile.toml", &config);
    fs::copy(bench.path("calls.csv"), bench.path("ledger.csv")).unwrap();
    let here = bench.path("");
    let command = command
        .replace("/etc/reconcile", here.join("etc").to_str().unwrap())
        .replace("/var/lib/reconcile", here.to_str().unwrap())
        .replace("/usr/bin/reconcile", env!("CARGO_BIN_EXE_reconcile"));
    let output = Command::new("sh").args(["-c", &command]).env_clear().output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty() && output.stdout.is_empty(), "{output:?}");
    assert!(bench.path("details.parquet").exists() && bench.path("reconcile.prom").exists());
}

fn inner<'t, 'a>(table: &'t DeTable<'a>, key: &str) -> &'t DeTable<'a> {
    match table.get(key).map(toml::Spanned::get_ref) {
        Some(DeValue::Table(table)) => table,
        other => panic!("{key} is {other:?}"),
    }
}

/// The assets of the Debian package: source, target, mode.
fn assets() -> Vec<[String; 3]> {
    let text = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let manifest = DeTable::parse(&text).unwrap();
    let deb = ["package", "metadata", "deb"].iter().fold(manifest.get_ref(), |table, key| inner(table, key));
    let DeValue::Array(assets) = deb.get("assets").unwrap().get_ref() else { panic!("no assets") };
    let asset = |asset: &DeValue<'_>| match asset {
        DeValue::Array(parts) => {
            let parts: Vec<String> = parts
                .iter()
                .map(|part| match part.get_ref() {
                    DeValue::String(text) => text.to_string(),
                    other => panic!("{other:?}"),
                })
                .collect();
            parts.try_into().unwrap()
        }
        other => panic!("{other:?}"),
    };
    assets.iter().map(|value| asset(value.get_ref())).collect()
}

#[test]
fn every_packaged_file_exists_or_is_built() {
    let script = packaged("build-release.sh");
    let assets = assets();
    for [source, target, mode] in &assets {
        if let Some(name) = source.strip_prefix("target/package-files/") {
            let name = name.replace("man/*.1", "man/reconcile.1");
            assert!(script.contains(&format!("\"$built/{name}\"")), "{source} is not built");
        } else if let Some((folder, ending)) = source.split_once('*') {
            let files = fs::read_dir(root().join(folder)).unwrap().map(|file| file.unwrap().path());
            let found = files.filter(|path| path.to_str().unwrap().ends_with(ending)).count();
            assert!(found > 0, "{source} names no file");
        } else if source != "target/release/reconcile" {
            assert!(root().join(source).is_file(), "{source} does not exist");
        }
        assert!(!target.starts_with('/') && matches!(mode.as_str(), "644" | "755"), "{target} {mode}");
    }
    // The package installs what the service starts and reads.
    let installed = |path: &str| {
        let is = |[source, target, _]: &[String; 3]| {
            let name = Path::new(source).file_name().unwrap().to_str().unwrap();
            *target == path || format!("{target}{name}") == path
        };
        assets.iter().any(is)
    };
    let service = packaged("reconcile@.service").replace("%i", "reconcile");
    for path in ["/usr/bin/reconcile", "/etc/reconcile/reconcile.toml"] {
        assert!(service.contains(path) && installed(&path[1..]), "{path}");
    }
    // Every command has a page.
    let with_page = script.lines().find_map(|line| line.strip_prefix("for command in ")).unwrap();
    let with_page: Vec<&str> = with_page.trim_end_matches("; do").split(' ').collect();
    assert_eq!(with_page, commands());
}

#[test]
fn binstall_asks_for_the_archives_of_a_release() {
    let text = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let manifest = DeTable::parse(&text).unwrap();
    let path = ["package", "metadata", "binstall"];
    let binstall = path.iter().fold(manifest.get_ref(), |table, key| inner(table, key));
    let named = |key: &str| match binstall.get(key).map(toml::Spanned::get_ref) {
        Some(DeValue::String(text)) => text
            .replace("{ name }", env!("CARGO_PKG_NAME"))
            .replace("{ bin }{ binary-ext }", "reconcile")
            .replace("{ version }", "$version")
            .replace("{ target }", "$target"),
        other => panic!("{key} is {other:?}"),
    };
    let script = packaged("build-release.sh");
    let name = script.lines().find_map(|line| line.trim().strip_prefix("name=")).unwrap();
    assert!(script.contains("> \"dist/$name.tar.gz\""), "the archive has another name");
    assert_eq!(named("pkg-url"), format!("{{ repo }}/releases/download/v$version/{name}.tar.gz"));
    // The binary lies in the archive's only folder.
    assert!(script.contains("cp \"target/$target/dist/reconcile\" ") && script.contains("-c \"$name\""));
    assert_eq!(named("bin-dir"), format!("{name}/reconcile"));
}

#[test]
fn the_scripts_have_no_syntax_errors() {
    for name in ["build-release.sh", "debian/postinst", "debian/prerm"] {
        let shell = if name.ends_with(".sh") { "bash" } else { "sh" };
        let output = Command::new(shell).arg("-n").arg(root().join("packaging").join(name)).output().unwrap();
        assert!(output.status.success(), "{name}: {output:?}");
    }
}

#[test]
fn an_enabled_timer_of_version_0_1_stays_enabled() {
    let dir = tempfile::tempdir().unwrap();
    let (wants, tools) = (dir.path().join("system/timers.target.wants"), dir.path().join("tools"));
    fs::create_dir_all(&wants).unwrap();
    fs::create_dir(&tools).unwrap();
    // The user exists, and its folder is not made.
    for name in ["getent", "install"] {
        std::os::unix::fs::symlink("/bin/true", tools.join(name)).unwrap();
    }
    let script = packaged("debian/postinst")
        .replace("/etc/systemd/system", dir.path().join("system").to_str().unwrap())
        .replace("/run/systemd/system", "/nowhere");
    let path = format!("{}:/usr/bin:/bin", tools.display());
    let configure = || {
        let mut shell = Command::new("sh");
        shell.args(["-c", &script, "postinst", "configure"]).env("PATH", &path);
        venv::output(&mut shell, "the package is configured");
        let links = fs::read_dir(&wants).unwrap().map(|entry| entry.unwrap().path());
        links
            .map(|link| (link.file_name().unwrap().to_owned(), link.read_link().unwrap()))
            .collect::<Vec<_>>()
    };
    assert!(configure().is_empty(), "a new installation enables nothing");
    std::os::unix::fs::symlink("/nowhere/reconcile.timer", wants.join("reconcile.timer")).unwrap();
    let unit = PathBuf::from("/usr/lib/systemd/system/reconcile@.timer");
    for _ in 0..2 {
        assert_eq!(configure(), [("reconcile@reconcile.timer".into(), unit.clone())]);
    }
}

#[test]
fn the_image_is_pinned_small_and_not_run_as_root() {
    let file = packaged("Dockerfile");
    let instructions: Vec<Vec<&str>> = file
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
        .map(|line| line.split_whitespace().collect())
        .collect();
    let all = |name: &str| {
        instructions
            .iter()
            .filter(|words| words[0] == name)
            .map(|words| words[1..].to_vec())
            .collect::<Vec<_>>()
    };
    for from in all("FROM") {
        let tag = from[0].rsplit_once(':').map_or("", |(_, tag)| tag);
        assert!(!tag.is_empty() && tag != "latest", "{from:?} is not pinned");
    }
    assert!(all("FROM").last().unwrap()[0].contains("distroless"));
    let user = all("USER").pop().unwrap()[0].to_owned();
    assert!(user.split(':').all(|id| id.parse::<u32>().is_ok_and(|id| id > 0)), "{user}");
    // Files copied from the tree exist, and the ignore file lets them through.
    let ignore = packaged("Dockerfile.dockerignore");
    for copy in all("COPY").iter().filter(|copy| !copy[0].starts_with("--from")) {
        for source in &copy[..copy.len() - 1] {
            assert!(root().join(source).exists() && ignore.contains(&format!("!{source}\n")), "{source}");
        }
    }
    // The toolchain of the image is not older than the minimum version.
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let least =
        manifest.lines().find_map(|line| line.strip_prefix("rust-version = ")).unwrap().trim_matches('"');
    let image = all("FROM")[0][0].split(':').nth(1).unwrap().split('-').next().unwrap();
    let minor = |version: &str| version.split('.').nth(1).unwrap().parse::<u32>().unwrap();
    assert!(minor(image) >= minor(least), "{image} < {least}");
}

#[test]
fn the_image_has_every_file_that_the_program_includes() {
    let file = packaged("Dockerfile");
    let copied: Vec<PathBuf> = file
        .lines()
        .filter_map(|line| line.strip_prefix("COPY "))
        .filter(|copy| !copy.starts_with("--from"))
        .flat_map(|copy| copy.split_whitespace().rev().skip(1))
        .map(|source| root().join(source))
        .collect();
    let mut included = 0;
    for (path, text) in files_below("src").into_iter().chain(files_below("crates")) {
        // Unit tests are not in the image's build.
        let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
        for start in ["include_str!(\"", "include_bytes!(\""] {
            for name in code.split(start).skip(1).filter_map(|rest| rest.split('"').next()) {
                let file = path.parent().unwrap().join(name).canonicalize().unwrap();
                assert!(copied.iter().any(|source| file.starts_with(source)), "{}", file.display());
                included += 1;
            }
        }
    }
    assert!(included >= 5, "only {included} included files were found");
}

/// Every `reconcile_…` name in a text.
fn metrics_in(text: &str) -> BTreeSet<&str> {
    let is_name = |c: char| c.is_ascii_lowercase() || c == '_';
    text.split(|c| !is_name(c))
        .filter(|word| word.starts_with("reconcile_") && word.len() > "reconcile_".len())
        .collect()
}

#[test]
fn alert_rules_and_docs_name_existing_metrics() {
    let snapshot = fs::read_to_string(root().join("tests/snapshots/metrics.snap")).unwrap();
    let metrics = metrics_in(&snapshot);
    let page = fs::read_to_string(root().join("docs/operating.md")).unwrap();
    for (name, text) in [("alerts.yml", packaged("alerts.yml")), ("operating.md", page)] {
        let named = metrics_in(&text);
        assert!(named.len() >= 4, "{name}: {named:?}");
        let unknown: Vec<_> = named.difference(&metrics).collect();
        assert!(unknown.is_empty(), "{name} names {unknown:?}");
    }
    for alert in packaged("alerts.yml").split("- alert: ").skip(1) {
        for part in ["expr: ", "severity: ", "summary: ", "action: "] {
            assert!(alert.contains(part), "no {part} in {alert}");
        }
    }
}

#[test]
fn the_capacity_table_agrees_with_the_cap() {
    let page = fs::read_to_string(root().join("docs/operating.md")).unwrap();
    let table =
        page.split("| calls | at 100/min | at 100/s |\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let rows: Vec<Vec<&str>> = table
        .lines()
        .skip(1)
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    assert!(rows.len() >= 6, "{rows:?}");
    for row in rows {
        let calls: u64 = row[0].replace(',', "").parse().unwrap();
        let shortest = ["100/min", "100/s"].map(|rate| {
            let rate: Rate = rate.parse().unwrap();
            let left = Cap::new(rate, rate.requests, &[]).forecast(calls).all_sent_in;
            humantime::format_duration(Duration::from_secs(left.as_secs())).to_string()
        });
        assert_eq!(row[1..], shortest, "{calls} calls");
    }
}

fn completions(shell: &str, name: &str) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    fs::write(&path, printed(&["completions", shell])).unwrap();
    (dir, path)
}

#[test]
fn bash_completes_options_and_commands() {
    let (_dir, path) = completions("bash", "reconcile.bash");
    let Some(mut bash) = tool("bash") else { return };
    let script = format!(
        "set -eu; source '{}'; complete -p reconcile; for word in --me pl; do COMP_WORDS=(reconcile $word); COMP_CWORD=1; \
         _reconcile reconcile $word reconcile || true; echo \"${{COMPREPLY[*]}}\"; done",
        path.display()
    );
    let printed =
        venv::output(bash.args(["--noprofile", "--norc", "-c", &script]), "the completions load in bash");
    assert!(printed.contains("--metrics-file") && printed.contains("plan"), "{printed}");
}

#[test]
fn zsh_completes_options_and_commands() {
    let (dir, _) = completions("zsh", "_reconcile");
    let Some(mut zsh) = tool("zsh") else { return };
    let script = format!(
        "fpath=('{0}' $fpath); autoload -U compinit && compinit -u -d '{0}/dump' && print $_comps[reconcile] && \
         autoload +X _reconcile && functions _reconcile",
        dir.path().display()
    );
    let printed = venv::output(zsh.args(["-f", "-e", "-c", &script]), "the completions load in zsh");
    assert!(printed.starts_with("_reconcile\n") && printed.contains("--metrics-file"), "{printed}");
}

#[test]
fn fish_completes_options_and_commands() {
    let (dir, path) = completions("fish", "reconcile.fish");
    let Some(mut fish) = tool("fish") else { return };
    let script =
        format!("source '{}'; complete -C 'reconcile --me'; complete -C 'reconcile pl'", path.display());
    let fish =
        fish.args(["--no-config", "-c", &script]).env("HOME", dir.path()).env("XDG_DATA_HOME", dir.path());
    let printed = venv::output(fish, "the completions load in fish");
    assert!(printed.contains("--metrics-file") && printed.contains("plan"), "{printed}");
}

#[test]
fn man_shows_every_page_without_a_warning() {
    let dir = tempfile::tempdir().unwrap();
    let page = |arguments: &[&str]| {
        let path = dir.path().join(format!("{}.1", arguments.join("-")));
        fs::write(&path, printed(arguments)).unwrap();
        path
    };
    let main = page(&["man"]);
    let others: Vec<(String, PathBuf)> =
        commands().into_iter().map(|command| (command.clone(), page(&["man", &command]))).collect();
    for (title, path) in [(String::new(), &main)]
        .into_iter()
        .chain(others.iter().map(|(name, path)| (format!("-{name}"), path)))
    {
        let Some(mut man) = tool("man") else { return };
        let man = man
            .args(["--warnings", "-l"])
            .arg(path)
            .env("MANPAGER", "cat")
            .env("LC_ALL", "C.UTF-8")
            .env("MANWIDTH", "100");
        let output = man.output().unwrap();
        let (text, stderr) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success() && stderr.is_empty(), "{}: {stderr}", path.display());
        assert!(
            text.contains("NAME") && text.to_lowercase().contains(&format!("reconcile{title}")),
            "{text}"
        );
    }
    let Some(mut lint) = tool("mandoc") else { return };
    venv::output(lint.args(["-Tlint", "-W", "error"]).arg(&main), "mandoc finds no error in the page");
    let Some(mut man) = tool("man") else { return };
    let text = venv::output(
        man.arg("-l").arg(&main).env("MANPAGER", "cat").env("LC_ALL", "C.UTF-8"),
        "the page is shown",
    );
    for heading in ["SYNOPSIS", "OPTIONS", "SUBCOMMANDS", "EXIT STATUS", "ENVIRONMENT", "FILES", "EXAMPLES"] {
        assert!(text.contains(heading), "no {heading} in {text}");
    }
}

#[test]
fn an_unknown_manual_page_is_refused_with_the_known_ones() {
    let run = Bench::new(&ledger(0)).run_exactly(&["man", "nothing"], &[]);
    assert_eq!(run.code, Some(2));
    assert!(
        run.stderr.contains("no command `nothing`") && run.stderr.contains("verify-cap"),
        "{}",
        run.stderr
    );
}

#[test]
fn the_version_names_the_commit_it_was_built_from() {
    let printed = printed(&["--version"]);
    let git = Command::new("git").args(["rev-parse", "--short=12", "HEAD"]).current_dir(root()).output();
    let commit =
        git.ok().filter(|git| git.status.success()).map(|git| String::from_utf8(git.stdout).unwrap());
    let version = env!("CARGO_PKG_VERSION");
    match commit.map(|commit| commit.trim().to_owned()).filter(|_| root().join(".git").exists()) {
        Some(commit) => assert_eq!(printed, format!("reconcile {version} ({commit})\n")),
        None => assert_eq!(printed, format!("reconcile {version}\n")),
    }
}
