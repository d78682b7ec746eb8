//! The configuration file: the command line's options by their long names, in TOML; and where each value that holds comes
//! from. Owns toml.
//!
//! No option is written down here. Keys, kinds and values are those of the commands' own definitions, and a value of the
//! file takes the place of the option's default, so flags and environment beat it. So does an option given there that
//! excludes one of the file: `--sandbox` beats the file's `endpoint`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::error::{Error, Result};

/// The options that are no keys: they are asked for once, by hand, or say where the file is.
const NO_KEYS: [&str; 3] = ["help", "version", "config"];

/// One line of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    key: String,
    line: usize,
    values: Vec<String>,
}

/// What the file says, checked against the options that there are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConfigFile {
    path: PathBuf,
    entries: Vec<Entry>,
}

impl ConfigFile {
    /// Reads the file. `command` has the options that it may name, its own and those of its subcommands.
    ///
    /// # Errors
    ///
    /// Exit 2, with file and line, when it cannot be read, is no TOML, or names an option that there is not or a value
    /// that the option does not take. A secret value is never quoted.
    pub fn read(path: &Path, command: &Command) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|e| {
            let hint = "give a file of options, one a line: rate = \"50/min\"; `reconcile config` prints one";
            Error::usage(format!("--config {} cannot be read", path.display())).hint(hint).because(e)
        })?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        let table = DeTable::parse(text).map_err(|e| {
            let line = e.span().map_or(1, |span| line(text, span.start));
            wrong(path, line, e.message())
                .hint("the file is TOML: one option a line, texts in quotes: rate = \"50/min\"")
        })?;
        let mut entries = Vec::new();
        for (key, value) in table.get_ref() {
            let entry_line = line(text, key.span().start);
            let values = known(command, key.get_ref()).and_then(|arg| values(arg, value));
            let values = values.map_err(|(what, hint)| wrong(path, entry_line, &what).hint(hint))?;
            entries.push(Entry { key: key.get_ref().to_string(), line: entry_line, values });
        }
        Ok(Self { path: path.to_owned(), entries })
    }

    /// The file without what was beaten.
    #[must_use]
    pub fn without(mut self, beaten: &[String]) -> Self {
        self.entries.retain(|entry| !beaten.contains(&entry.key));
        self
    }

    /// The command with the file's values in place of its defaults.
    #[must_use]
    pub fn apply(&self, command: Command) -> Command {
        let give = |command: Command| {
            command.mut_args(|arg| match self.entry(&arg) {
                Some(entry) => arg.required(false).default_values(entry.values.clone()),
                None => arg,
            })
        };
        give(command).mut_subcommands(give)
    }

    /// The keys that an option given on the command line or by environment excludes.
    ///
    /// # Errors
    ///
    /// Exit 2 when two keys of the file exclude each other.
    pub fn beaten(&self, command: &Command, matches: &ArgMatches) -> Result<Vec<String>> {
        let mut beaten = Vec::new();
        for arg in command.get_arguments() {
            for other in command.get_arg_conflicts_with(arg) {
                match (self.in_force(matches, arg), self.in_force(matches, other)) {
                    (Some(one), Some(two)) => return Err(self.contradiction(one, two)),
                    (Some(one), None) if explicit(matches, other) => beaten.push(one.key.clone()),
                    (None, Some(two)) if explicit(matches, arg) => beaten.push(two.key.clone()),
                    _ => {}
                }
            }
        }
        Ok(beaten)
    }

    fn contradiction(&self, one: &Entry, two: &Entry) -> Error {
        let (first, last) = if one.line < two.line { (one, two) } else { (two, one) };
        let what = format!("`{}` excludes `{}` of line {}", last.key, first.key, first.line);
        wrong(&self.path, last.line, &what).hint("leave one of the two out")
    }

    fn entry(&self, arg: &Arg) -> Option<&Entry> {
        let key = arg.get_long()?;
        self.entries.iter().find(|entry| entry.key == key)
    }

    /// The file's entry, where it is what holds and says something: `sandbox = false` excludes nothing.
    fn in_force(&self, matches: &ArgMatches, arg: &Arg) -> Option<&Entry> {
        let holds = source(matches, arg) == Some(ValueSource::DefaultValue);
        self.entry(arg).filter(|entry| holds && entry.values != ["false"])
    }

    /// Every option of the command with the value that holds, as TOML, and where it comes from. Secrets are not shown.
    #[must_use]
    pub fn dump(&self, command: &Command, matches: &ArgMatches) -> String {
        let mut lines: Vec<(String, String)> = Vec::new();
        let said = |arg: &Arg| explicit(matches, arg) || self.in_force(matches, arg).is_some();
        for arg in command.get_arguments().filter(|arg| is_key(arg)) {
            let Some(key) = arg.get_long() else { continue };
            let from = self.origin(matches, arg);
            let is_excluded =
                |by: &Arg| said(by) && (excludes(command, arg, by) || excludes(command, by, arg));
            let is_flag = matches!(arg.get_action(), ArgAction::SetTrue);
            lines.push(match (matches.get_raw(arg.get_id().as_str()), from) {
                // Fed back, its default would stand against what excludes it; a flag that is off does not.
                _ if !is_flag && !said(arg) && command.get_arguments().any(is_excluded) => {
                    (format!("# {key} is excluded"), String::new())
                }
                (Some(_), Some(from)) if is_secret(arg) => (format!("# {key} is set, and not shown"), from),
                (Some(raw), Some(from)) => {
                    let values: Vec<String> = raw.map(|v| v.to_string_lossy().into_owned()).collect();
                    (format!("{key} = {}", shown(arg, &values)), from)
                }
                _ => (format!("# {key} is not set"), String::new()),
            });
        }
        let width = lines.iter().map(|(text, _)| text.chars().count()).max().unwrap_or(0).min(60);
        let mut text = match self.path.as_os_str().is_empty() {
            true => "# No --config file.\n".to_owned(),
            false => format!("# --config {}\n", self.path.display()),
        };
        for (line, from) in lines {
            let line = if from.is_empty() { line } else { format!("{line:<width$}  # {from}") };
            // A text may be written; writing to one cannot fail.
            let _ = writeln!(text, "{line}");
        }
        text
    }

    /// Where the value that holds comes from; `None` when there is none.
    fn origin(&self, matches: &ArgMatches, arg: &Arg) -> Option<String> {
        match source(matches, arg)? {
            ValueSource::CommandLine => Some(format!("--{}", arg.get_long()?)),
            ValueSource::EnvVariable => Some(arg.get_env()?.to_string_lossy().into_owned()),
            _ => Some(match self.entry(arg) {
                Some(entry) => format!("{}:{}", self.path.display(), entry.line),
                None => "default".into(),
            }),
        }
    }
}

fn wrong(path: &Path, line: usize, what: &str) -> Error {
    Error::usage(format!("{}:{line}: {what}", path.display()))
}

/// Lines are counted from 1.
fn line(text: &str, at: usize) -> usize {
    text.as_bytes().iter().take(at).filter(|b| **b == b'\n').count() + 1
}

/// What is wrong, and what to do.
type Complaint = (String, String);

fn is_key(arg: &Arg) -> bool {
    arg.get_long().is_some_and(|long| !NO_KEYS.contains(&long))
}

/// Values that environment and messages must not show.
fn is_secret(arg: &Arg) -> bool {
    arg.is_hide_env_values_set()
}

fn source(matches: &ArgMatches, arg: &Arg) -> Option<ValueSource> {
    matches.value_source(arg.get_id().as_str())
}

/// Whether an option is defined as one that excludes another.
fn excludes(command: &Command, one: &Arg, other: &Arg) -> bool {
    command.get_arg_conflicts_with(one).iter().any(|excluded| excluded.get_id() == other.get_id())
}

/// Given on the command line or by environment; `RECONCILE_SANDBOX=false` excludes nothing.
fn explicit(matches: &ArgMatches, arg: &Arg) -> bool {
    let off = matches!(matches.try_get_one::<bool>(arg.get_id().as_str()), Ok(Some(false)));
    !off && matches!(source(matches, arg), Some(ValueSource::CommandLine | ValueSource::EnvVariable))
}

/// The option of this name, of the command or of one of its subcommands.
fn known<'a>(command: &'a Command, key: &str) -> Result<&'a Arg, Complaint> {
    let all = || {
        let subs = command.get_subcommands().flat_map(Command::get_arguments);
        command.get_arguments().chain(subs).filter(|arg| is_key(arg))
    };
    all().find(|arg| arg.get_long() == Some(key)).ok_or_else(|| {
        let distance = |long: &str| strsim::damerau_levenshtein(long, key);
        let nearest = all().filter_map(Arg::get_long).min_by_key(|long| distance(long)).unwrap_or_default();
        let what = format!("there is no option `{key}`; the nearest is `{nearest}`");
        (what, "keys are the long names of the options; `reconcile config` prints them all".into())
    })
}

/// The values as they would stand on the command line.
fn values(arg: &Arg, value: &Spanned<DeValue<'_>>) -> Result<Vec<String>, Complaint> {
    let key = arg.get_long().unwrap_or_default();
    let is_flag = matches!(arg.get_action(), ArgAction::SetTrue);
    let several = matches!(arg.get_action(), ArgAction::Append);
    let values = match value.get_ref() {
        DeValue::Boolean(on) if is_flag => return Ok(vec![on.to_string()]),
        _ if is_flag => return Err((format!("`{key}` is true or false"), format!("write {key} = true"))),
        DeValue::Array(items) if several => items.iter().map(|item| scalar(item.get_ref())).collect(),
        single => scalar(single).map(|text| vec![text]),
    };
    let values: Vec<String> = values.ok_or_else(|| {
        let how = if several { format!("{key} = [\"…\", \"…\"]") } else { format!("{key} = \"…\"") };
        (format!("`{key}` is one value, not a table or a list"), format!("write {how}"))
    })?;
    let complain = |(value, why): (&String, String)| {
        let value = if is_secret(arg) { String::new() } else { format!(" = {value:?}") };
        (format!("`{key}`{value}: {why}"), "see reconcile --help for what it may be".into())
    };
    let refused = values.iter().find_map(|value| Some((value, refusal(arg, value)?)));
    refused.map(complain).map_or(Ok(values.clone()), Err)
}

fn scalar(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) => Some(number.to_string()),
        DeValue::Float(number) => Some(number.to_string()),
        DeValue::Datetime(at) => Some(at.to_string()),
        DeValue::Boolean(on) => Some(on.to_string()),
        DeValue::Array(_) | DeValue::Table(_) => None,
    }
}

/// Why the option does not take this value; the option's own parser says so.
fn refusal(arg: &Arg, value: &str) -> Option<String> {
    let alone =
        Arg::new("value").long("value").require_equals(true).value_parser(arg.get_value_parser().clone());
    let probe = Command::new("probe").no_binary_name(true).arg(alone);
    let error = probe.try_get_matches_from([format!("--value={value}")]).err()?;
    let names: Vec<String> =
        arg.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect();
    let reason = std::error::Error::source(&error).map(ToString::to_string);
    Some(reason.unwrap_or_else(|| match names.is_empty() {
        true => "this cannot be".into(),
        false => format!("not one of {}", names.join(", ")),
    }))
}

/// A value as TOML. What JSON writes between quotes reads the same in TOML.
fn shown(arg: &Arg, values: &[String]) -> String {
    let quoted = |text: &String| {
        let number = text.len() < 18 && text.parse::<u64>().is_ok_and(|n| n.to_string() == *text);
        if number { text.clone() } else { serde_json::Value::from(text.as_str()).to_string() }
    };
    match arg.get_action() {
        ArgAction::SetTrue => values.first().is_some_and(|value| value == "true").to_string(),
        ArgAction::Append => format!("[{}]", values.iter().map(quoted).collect::<Vec<_>>().join(", ")),
        _ => values.first().map(quoted).unwrap_or_default(),
    }
}
