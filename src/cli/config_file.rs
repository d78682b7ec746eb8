//! The configuration file, which holds options under their long names in TOML; and the source of
//! each value in effect. Owns toml.
//!
//! No option is listed here: keys, kinds and values are those of the commands' definitions. A value
//! of the file replaces the option's default, so flags and environment variables override it. They
//! also override a key that they exclude: the flag `--sandbox` overrides the file's `endpoint`.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::money_tables::MoneyTables;
use super::values::{complaint, needs_one_of};
use crate::error::{Error, Result};
use crate::shown_url::{is_plain, word};

/// The options that are not keys of the file.
const NO_KEYS: [&str; 3] = ["help", "version", "config"];

/// One key of the file with its values.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    key: String,
    /// Counted from 1.
    line: usize,
    values: Vec<String>,
}

/// The file's content, checked against the known options. By default empty: no file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConfigFile {
    path: PathBuf,
    entries: Vec<Entry>,
    money: MoneyTables,
}

impl ConfigFile {
    /// Reads the file. Its keys may be the options of `command` and of its subcommands.
    ///
    /// # Errors
    ///
    /// Exit 2, with file and line, when the file cannot be read, is not TOML, or has an unknown key
    /// or a wrong value. A secret value is never quoted.
    pub fn read(path: &Path, command: &Command) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|e| {
            let hint =
                "write one option a line, such as rate = \"50/min\"; `reconcile config` prints an example";
            Error::usage(format!("--config {} cannot be read", path.display())).hint(hint).because(e)
        })?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        let table = DeTable::parse(text).map_err(|e| {
            let line = e.span().map_or(1, |span| line(text, span.start));
            wrong(path, line, e.message())
                .hint("write TOML: one option a line, texts in quotes, such as rate = \"50/min\"")
        })?;
        let (mut entries, mut money) = (Vec::new(), MoneyTables::default());
        for (key, value) in table.get_ref() {
            let entry_line = line(text, key.span().start);
            let is_money = money.read(key, value);
            if is_money
                .map_err(|mistake| wrong(path, line(text, mistake.at), &mistake.what).hint(mistake.hint))?
            {
                continue;
            }
            let values = known(command, key.get_ref()).and_then(|arg| values(arg, value));
            let values =
                values.map_err(|mistake| wrong(path, entry_line, &mistake.what).hint(mistake.hint))?;
            entries.push(Entry { key: key.get_ref().to_string(), line: entry_line, values });
        }
        Ok(Self { path: path.to_owned(), entries, money })
    }

    /// The tables about money.
    #[must_use]
    pub fn money(&self) -> &MoneyTables {
        &self.money
    }

    /// The file without these keys.
    #[must_use]
    pub fn without(mut self, keys: &[String]) -> Self {
        self.entries.retain(|entry| !keys.contains(&entry.key));
        self
    }

    /// The command with the file's values as its defaults.
    #[must_use]
    pub fn apply(&self, command: Command) -> Command {
        let set_defaults = |command: Command| {
            command.mut_args(|arg| match self.entry(&arg) {
                Some(entry) => arg.required(false).default_values(entry.values.clone()),
                None => arg,
            })
        };
        set_defaults(command).mut_subcommands(set_defaults)
    }

    /// The keys that are excluded by an option on the command line or in the environment.
    ///
    /// # Errors
    ///
    /// Exit 2 when two keys of the file exclude each other.
    pub fn overridden(&self, command: &Command, matches: &ArgMatches) -> Result<Vec<String>> {
        let mut overridden = Vec::new();
        for arg in command.get_arguments() {
            for other in command.get_arg_conflicts_with(arg) {
                match (self.in_effect(matches, arg), self.in_effect(matches, other)) {
                    (Some(one), Some(two)) => return Err(self.contradiction(one, two)),
                    (Some(one), None) if explicit(matches, other) => overridden.push(one.key.clone()),
                    (None, Some(two)) if explicit(matches, arg) => overridden.push(two.key.clone()),
                    _ => {}
                }
            }
        }
        Ok(overridden)
    }

    fn contradiction(&self, one: &Entry, two: &Entry) -> Error {
        let (first, last) = if one.line < two.line { (one, two) } else { (two, one) };
        let what = format!("`{}` excludes `{}` in line {}", last.key, first.key, first.line);
        wrong(&self.path, last.line, &what).hint("delete one of the two")
    }

    fn entry(&self, arg: &Arg) -> Option<&Entry> {
        let key = arg.get_long()?;
        self.entries.iter().find(|entry| entry.key == key)
    }

    /// The file's entry if it is in effect and can exclude others: `sandbox = false` excludes
    /// nothing.
    fn in_effect(&self, matches: &ArgMatches, arg: &Arg) -> Option<&Entry> {
        let is_default = source(matches, arg) == Some(ValueSource::DefaultValue);
        self.entry(arg).filter(|entry| is_default && entry.values != ["false"])
    }

    /// Every option of the command as TOML, with its value in effect and the value's source.
    /// Secrets are left out.
    #[must_use]
    pub fn dump(&self, command: &Command, matches: &ArgMatches) -> String {
        let keys = command.get_arguments().filter(|arg| is_key(arg));
        let lines: Vec<DumpLine> = keys.filter_map(|arg| self.dump_line(command, matches, arg)).collect();
        let width = lines.iter().map(|line| line.option.chars().count()).max().unwrap_or(0).min(60);
        let mut text = match self.path.as_os_str().is_empty() {
            true => "# No --config file.\n".to_owned(),
            false => format!("# --config {}\n", self.path.display()),
        };
        for DumpLine { option, origin } in lines {
            // Writing to a string cannot fail.
            let _ = match origin {
                Some(origin) => writeln!(text, "{option:<width$}  # {origin}"),
                None => writeln!(text, "{option}"),
            };
        }
        text + &self.money.as_toml()
    }

    fn dump_line(&self, command: &Command, matches: &ArgMatches, arg: &Arg) -> Option<DumpLine> {
        let key = arg.get_long()?;
        let given = |arg: &Arg| explicit(matches, arg) || self.in_effect(matches, arg).is_some();
        let excluded = |by: &Arg| given(by) && (excludes(command, arg, by) || excludes(command, by, arg));
        let is_flag = matches!(arg.get_action(), ArgAction::SetTrue);
        // Read back, its default would contradict the option that excludes it. A flag that is off
        // contradicts nothing.
        if !is_flag && !given(arg) && command.get_arguments().any(excluded) {
            return Some(DumpLine { option: format!("# {key} is excluded"), origin: None });
        }
        Some(match (matches.get_raw(arg.get_id().as_str()), self.origin(matches, arg)) {
            (Some(raw), Some(origin)) if is_secret(arg) || raw.clone().any(is_secret_url) => {
                DumpLine { option: format!("# {key} is set, and not shown"), origin: Some(origin) }
            }
            (Some(raw), Some(origin)) => {
                let values: Vec<String> = raw.map(|v| v.to_string_lossy().into_owned()).collect();
                // A file cannot have both an option and a table of one name.
                let mark = if self.money.has_table(key) { "# " } else { "" };
                DumpLine { option: format!("{mark}{key} = {}", as_toml(arg, &values)), origin: Some(origin) }
            }
            _ => DumpLine { option: format!("# {key} is not set"), origin: None },
        })
    }

    /// Where the value in effect comes from; `None` if there is no value.
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

/// A line of the dump.
struct DumpLine {
    /// `key = value`, or a comment about the key.
    option: String,
    origin: Option<String>,
}

fn wrong(path: &Path, line: usize, what: &str) -> Error {
    Error::usage(format!("{}:{line}: {what}", path.display()))
}

/// The line of a byte offset, counted from 1.
fn line(text: &str, at: usize) -> usize {
    text.as_bytes().iter().take(at).filter(|b| **b == b'\n').count() + 1
}

/// A mistake in the file.
struct Mistake {
    what: String,
    hint: String,
}

fn is_key(arg: &Arg) -> bool {
    arg.get_long().is_some_and(|long| !NO_KEYS.contains(&long))
}

/// Whether the value must not appear in messages.
fn is_secret(arg: &Arg) -> bool {
    arg.is_hide_env_values_set()
}

/// Whether the value is a URL that must not appear in messages.
fn is_secret_url(value: &OsStr) -> bool {
    !is_plain(&value.to_string_lossy())
}

fn source(matches: &ArgMatches, arg: &Arg) -> Option<ValueSource> {
    matches.value_source(arg.get_id().as_str())
}

/// Whether the definition of one option excludes the other.
fn excludes(command: &Command, one: &Arg, other: &Arg) -> bool {
    command.get_arg_conflicts_with(one).iter().any(|excluded| excluded.get_id() == other.get_id())
}

/// Whether the option is on the command line or in the environment, and can exclude others:
/// `RECONCILE_SANDBOX=false` excludes nothing.
fn explicit(matches: &ArgMatches, arg: &Arg) -> bool {
    let off = matches!(matches.try_get_one::<bool>(arg.get_id().as_str()), Ok(Some(false)));
    !off && matches!(source(matches, arg), Some(ValueSource::CommandLine | ValueSource::EnvVariable))
}

/// The option with this key, of the command or of one of its subcommands.
fn known<'a>(command: &'a Command, key: &str) -> Result<&'a Arg, Mistake> {
    let all = || {
        let subs = command.get_subcommands().flat_map(Command::get_arguments);
        command.get_arguments().chain(subs).filter(|arg| is_key(arg))
    };
    all().find(|arg| arg.get_long() == Some(key)).ok_or_else(|| {
        let distance = |long: &str| strsim::damerau_levenshtein(long, key);
        let nearest = all().filter_map(Arg::get_long).min_by_key(|long| distance(long)).unwrap_or_default();
        Mistake {
            what: format!("there is no option `{key}`; the nearest is `{nearest}`"),
            hint: "keys are the long names of the options; `reconcile config` prints them all".into(),
        }
    })
}

/// The key's values as on the command line.
fn values(arg: &Arg, value: &Spanned<DeValue<'_>>) -> Result<Vec<String>, Mistake> {
    let key = arg.get_long().unwrap_or_default();
    let is_flag = matches!(arg.get_action(), ArgAction::SetTrue);
    let is_list = matches!(arg.get_action(), ArgAction::Append);
    let values = match value.get_ref() {
        DeValue::Boolean(on) if is_flag => return Ok(vec![on.to_string()]),
        _ if is_flag => {
            let what = format!("`{key}` needs true or false");
            return Err(Mistake { what, hint: format!("write {key} = true") });
        }
        DeValue::Array(items) if is_list => items.iter().map(|item| scalar(item.get_ref())).collect(),
        single => scalar(single).map(|text| vec![text]),
    };
    let values: Vec<String> = values.ok_or_else(|| {
        let example =
            if is_list { format!("{key} = [\"…\", \"…\"]") } else { format!("{key} = \"…\"") };
        let what = format!("`{key}` needs one value, not a table or a list");
        Mistake { what, hint: format!("write {example}") }
    })?;
    let refused = values.iter().find_map(|value| Some((value, refusal(arg, value)?)));
    match refused {
        None => Ok(values),
        Some((value, why)) => {
            let value = (!is_secret(arg)).then(|| word(value));
            let what = complaint(&format!("`{key}`"), value.as_deref(), &why);
            Err(Mistake { what, hint: "`reconcile --help` describes its values".into() })
        }
    }
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

/// Why the option's own parser refuses this value; `None` if it accepts it.
fn refusal(arg: &Arg, value: &str) -> Option<String> {
    let option =
        Arg::new("value").long("value").require_equals(true).value_parser(arg.get_value_parser().clone());
    let probe = Command::new("probe").no_binary_name(true).arg(option);
    let error = probe.try_get_matches_from([format!("--value={value}")]).err()?;
    let names: Vec<String> =
        arg.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect();
    let why = std::error::Error::source(&error).map(ToString::to_string);
    Some(why.unwrap_or_else(|| match names.is_empty() {
        true => "needs another value".into(),
        false => needs_one_of(&names),
    }))
}

/// The values as TOML. A JSON string is also a TOML string.
fn as_toml(arg: &Arg, values: &[String]) -> String {
    let quoted = |text: &String| {
        let number = text.len() < 18 && text.parse::<u64>().is_ok_and(|n| n.to_string() == *text);
        if number { text.clone() } else { serde_json::Value::from(text.as_str()).to_string() }
    };
    match arg.get_action() {
        ArgAction::SetTrue => values.first().is_some_and(|value| value == "true").to_string(),
        ArgAction::Append if values.len() != 1 => {
            format!("[{}]", values.iter().map(quoted).collect::<Vec<_>>().join(", "))
        }
        _ => values.first().map(quoted).unwrap_or_default(),
    }
}
