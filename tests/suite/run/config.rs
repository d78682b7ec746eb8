//! The configuration file: precedence, mistakes and the dump.

use std::path::Path;
use std::process::Command;

use crate::support::{Bench, KEY_ID, id, ledger};

/// Names and values of environment variables.
type Variables<'a> = &'a [(&'a str, &'a str)];

/// Runs the binary in this folder with these variables. Returns exit code, standard output and
/// standard error.
fn run_binary(bench: &Bench, arguments: &[&str], variables: Variables<'_>) -> (i32, String, String) {
    let run = bench.run_exactly(arguments, variables);
    (run.code.unwrap(), run.stdout, run.stderr)
}

/// The line of an option in the output of `reconcile config`, with single spaces.
fn config_line(bench: &Bench, arguments: &[&str], variables: &[(&str, &str)], option: &str) -> String {
    let (code, stdout, stderr) = run_binary(bench, &[&["config"], arguments].concat(), variables);
    assert_eq!((code, stderr.as_str()), (0, ""), "{stdout}");
    let line = stdout.lines().find(|line| line.trim_start_matches("# ").starts_with(&format!("{option} ")));
    line.unwrap_or_else(|| panic!("no {option} in {stdout}")).split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn flags_override_variables_which_override_the_file() {
    let bench = Bench::new(&ledger(0));
    bench.write("r.toml", "# nightly\nrate = \"7/min\"\n");
    let (file, variable, flag) = (["--config", "r.toml"], [("RECONCILE_RATE", "8/min")], "--rate=9/min");
    let cases: [(&[&str], Variables<'_>, &str); 5] = [
        (&[], &[], "rate = \"100/min\" # default"),
        (&file, &[], "rate = \"7/min\" # r.toml:2"),
        (&[], &[("RECONCILE_CONFIG", "r.toml")], "rate = \"7/min\" # r.toml:2"),
        (&file, &variable, "rate = \"8/min\" # RECONCILE_RATE"),
        (&[file[0], file[1], flag], &variable, "rate = \"9/min\" # --rate"),
    ];
    for (arguments, variables, expected) in cases {
        assert_eq!(config_line(&bench, arguments, variables, "rate"), expected, "{arguments:?}");
    }
}

#[test]
fn the_file_alone_can_describe_a_run() {
    let bench = Bench::new(&ledger(3).replace("call_id", "Ticket"));
    let text = format!(
        "input = \"calls.csv\"\nout = 'details.parquet'\nendpoint = \"{}\"\nrate = \"100000/min\"\nconcurrency = 2\n\
         map = [\"call_id=Ticket\"]\nexit-code = true\nprogress = \"never\"\nquiet = true\nsql = true\nprod-id = 11000000300006\n",
        bench.provider.endpoint()
    );
    bench.write("r.toml", &text);
    let mut command = bench.command(&[]);
    let mut alone = Command::new(command.get_program());
    alone.args(["--config", "r.toml"]).current_dir(bench.path(".")).env_clear();
    alone.envs(command.env("X", "").get_envs().filter_map(|(name, value)| Some((name, value?))));
    let run = bench.start_command(alone).wait().exits(0);
    assert_eq!(run.stderr, "");
    assert_eq!(bench.provider.asked_for(&id(2)).len(), 1);
    assert!(bench.path("details.sql").exists(), "`sql = true` writes details.sql beside --out");
}

#[test]
fn the_file_may_hold_options_of_single_commands() {
    let bench = Bench::new(&ledger(1));
    bench.run(&[]).exits(0);
    bench.write("r.toml", "older-than = \"1d\"\njson = true\nrate = \"50/min\"\n");
    let (code, stdout, stderr) = run_binary(&bench, &["purge", "--config", "r.toml"], &[]);
    assert_eq!((code, stderr.as_str()), (0, ""), "{stdout}");
    let (code, stdout, _) = run_binary(&bench, &["verify-cap", "--config", "r.toml"], &[]);
    assert!(code == 0 && stdout.starts_with('{'), "{stdout}");
    let (code, _, stderr) = run_binary(&bench, &["purge"], &[]);
    assert!(code == 2 && stderr.contains("--older-than"), "{stderr}");
}

#[test]
fn a_flag_overrides_the_options_of_the_file_it_excludes() {
    let bench = Bench::new(&ledger(1));
    bench.write(
        "r.toml",
        "endpoint = \"http://127.0.0.1:9\"\nrefresh = true\nquiet = true\nsandbox = false\n",
    );
    let file = ["--config", "r.toml", "--sandbox", "--offline", "-v"];
    for (option, expected) in [
        ("sandbox", "sandbox = true # --sandbox"),
        ("endpoint", "# endpoint is excluded"),
        ("refresh", "refresh = false # default"),
        ("quiet", "quiet = false # default"),
    ] {
        assert_eq!(config_line(&bench, &file, &[], option), expected);
    }
    let off = [("RECONCILE_SANDBOX", "false")];
    let line = config_line(&bench, &["--config", "r.toml"], &off, "endpoint");
    assert_eq!(
        line, "endpoint = \"http://127.0.0.1:9\" # r.toml:1",
        "an option that is off excludes nothing"
    );
    bench.run(&["--config", "r.toml", "--sandbox", "--offline"]).exits(4);
    assert_eq!(bench.provider.seen(), 0);
}

/// Texts of a configuration file, each with words of the errors it causes.
const MISTAKES: [(&str, &[&str]); 16] = [
    ("\ninptu = \"a\"", &["r.toml:2: there is no option `inptu`; the nearest is `input`"]),
    ("prod_id = 1", &["r.toml:1: there is no option `prod_id`; the nearest is `prod-id`"]),
    ("config = \"b.toml\"", &["r.toml:1: there is no option `config`"]),
    ("help = true", &["r.toml:1: there is no option `help`"]),
    ("rate = \"fast\"", &["r.toml:1: `rate` needs a unit, for example 100/min, not \"fast\""]),
    (
        "# a\n\nconcurrency = 0",
        &["r.toml:3: `concurrency` needs auto or a whole number from 1 to 1024, not \"0\""],
    ),
    ("progress = \"loud\"", &["r.toml:1: `progress` needs one of auto, always, never, not \"loud\""]),
    (
        "deadline = 06:30:00",
        &["r.toml:1: `deadline` needs a time of day, for example 06:30, not \"06:30:00\""],
    ),
    ("sandbox = \"yes\"", &["r.toml:1: `sandbox` needs true or false", "to do: write sandbox = true"]),
    ("rate = [\"1/s\", \"2/s\"]", &["r.toml:1: `rate` needs one value, not a table or a list"]),
    ("[requests]\nrate = \"1/s\"", &["r.toml:1: there is no option `requests`"]),
    (
        "map = [\"call_id\"]",
        &["r.toml:1: `map` needs FIELD=HEADER, for example caller=From, not \"call_id\""],
    ),
    ("rate = 100/min", &["r.toml:1: ", "texts in quotes"]),
    ("rate = \"1/s\"\nrate = \"2/s\"", &["r.toml:2: duplicate key"]),
    ("refresh = true\n\noffline = true", &["r.toml:3: `offline` excludes `refresh` in line 1"]),
    ("notify-url = [\"https://x/t0ken\"]", &["r.toml:1: `notify-url` needs one value"]),
];

#[test]
fn a_mistake_in_the_file_is_reported_with_its_line() {
    let bench = Bench::new(&ledger(1));
    for (text, expected) in MISTAKES {
        bench.write("r.toml", text);
        let run = bench.run(&["--config", "r.toml"]).exits(2);
        for words in expected.iter().chain(&["Nothing was sent (exit 2).", "to do: "]) {
            assert!(run.stderr.contains(words), "{text}: no `{words}` in\n{}", run.stderr);
        }
        assert!(!run.stderr.contains("t0ken"), "{}", run.stderr);
    }
    bench.run(&["--config", "nowhere.toml"]).exits(2).says("--config nowhere.toml cannot be read");
    assert_eq!(bench.provider.seen(), 0);
    assert!(!bench.path("reconcile.db").exists());
}

#[test]
fn every_option_has_its_variable_and_its_key() {
    let bench = Bench::new(&ledger(0));
    let names: Vec<String> = bench
        .bare(&["config"])
        .lines()
        .skip(1)
        .map(|line| line.trim_start_matches("# ").split(' ').next().unwrap().to_owned())
        .collect();
    assert!(names.len() > 35, "{names:?}");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cli");
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let source: String = files.map(|path| std::fs::read_to_string(path).unwrap()).collect();
    for name in names.iter().filter(|name| !matches!(name.as_str(), "verbose" | "quiet")) {
        let variable = format!("\"RECONCILE_{}\"", name.to_uppercase().replace('-', "_"));
        assert!(source.contains(&variable), "{variable} is not read");
    }
    // Every option of every command has a variable, except `-v` and `-q`.
    for option in source.split("#[arg(").skip(1) {
        let (definition, field) = option.split_once(")]").unwrap();
        let field = field.trim_start().lines().next().unwrap();
        let by_hand = field.contains("verbose: ") || field.contains("quiet: ");
        assert!(
            by_hand || !definition.contains("long") || definition.contains("env = \"RECONCILE_"),
            "{field}"
        );
    }
}

#[test]
fn the_dump_can_be_read_back_and_shows_no_secret() {
    let bench = Bench::new(&ledger(0));
    let given = [
        "--input",
        "a \"b\"\\c.csv",
        "--rate",
        "50/min",
        "--map",
        "caller=Von",
        "--map",
        "callee=An",
        "--sandbox",
    ];
    let (code, first, _) = run_binary(
        &bench,
        &[&["config"][..], &given].concat(),
        &[("RECONCILE_NOTIFY_URL", "https://x.example/t0ken")],
    );
    assert_eq!(code, 0);
    assert!(first.contains("# notify-url is set, and not shown") && !first.contains("t0ken"), "{first}");
    assert!(first.contains("# endpoint is excluded\n"), "{first}");
    bench.write("dump.toml", &first);
    let (code, second, stderr) = run_binary(&bench, &["config", "--config", "dump.toml"], &[]);
    assert_eq!((code, stderr.as_str()), (0, ""));
    let values = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        lines.map(|line| line.rsplit_once("  # ").unwrap().0.trim_end().to_owned()).collect()
    };
    assert_eq!(values(&second), values(&first));
}

#[test]
fn help_and_dump_show_no_secret_from_variables() {
    let bench = Bench::new(&ledger(0));
    let variables =
        [("RECONCILE_NOTIFY_URL", "https://x.example/t0ken"), ("ALIBABA_CLOUD_ACCESS_KEY_SECRET", KEY_ID)];
    for arguments in [&["--help"][..], &["plan", "--help"], &["config"], &["man"], &["completions", "zsh"]] {
        let (code, stdout, stderr) = run_binary(&bench, arguments, &variables);
        assert_eq!(code, 0, "{stderr}");
        assert!(!format!("{stdout}{stderr}").contains("t0ken"), "{arguments:?}");
    }
    let wrong = [("RECONCILE_NOTIFY_URL", "http://x.example/t0ken")];
    let (code, _, stderr) = run_binary(&bench, &["--sandbox", "-i", "calls.csv", "-o", "d.parquet"], &wrong);
    assert_eq!(code, 2);
    assert!(stderr.contains("http://x.example/…") && !stderr.contains("t0ken"), "{stderr}");
}
