//! Reads arguments, environment and configuration file, and reports wrong usage.

use std::error::Error as _;
use std::ffi::OsString;
use std::io::Write as _;
use std::path::PathBuf;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgMatches, FromArgMatches as _};

use super::config_file::ConfigFile;
use super::definitions::{Cli, Command, LogFormat, command};
use super::values;
use crate::console::messages;
use crate::error::{Error, Result};
use crate::shown_url::{hide_words, word};

impl Cli {
    /// Reads the process's arguments, its environment, and the configuration file. For `--help` and
    /// `--version` it prints the text and ends the process.
    ///
    /// # Errors
    ///
    /// Exit 2 for wrong usage and for a wrong file.
    pub fn read() -> Result<Self> {
        Self::read_from(&std::env::args_os().collect::<Vec<_>>())
    }

    fn read_from(words: &[OsString]) -> Result<Self> {
        let file = match leniently(words).and_then(|matches| matches.get_one::<PathBuf>("config").cloned()) {
            Some(path) => ConfigFile::read(&path, &command())?,
            None => ConfigFile::default(),
        };
        let parse = |file: &ConfigFile| {
            file.apply(command()).try_get_matches_from(words).map_err(|e| wrong_usage(&e, words))
        };
        let mut program = command();
        program.build();
        let matches = parse(&file)?;
        let used = Used::of(&program, &matches);
        let overridden = file.overridden(used.command, used.matches)?;
        let file = file.without(&overridden);
        let matches = if overridden.is_empty() { matches } else { parse(&file)? };
        let mut cli = Self::from_arg_matches(&matches).map_err(|e| wrong_usage(&e, words))?;
        cli.money = file.money().clone();
        if matches!(cli.command, Some(Command::Config(_))) {
            let used = Used::of(&program, &matches);
            cli.values_in_effect = file.dump(used.command, used.matches);
        }
        Ok(cli)
    }

    /// Whether the command line is that of a run or its plan, to report that it is wrong.
    #[must_use]
    pub fn is_run_only() -> bool {
        let words: Vec<OsString> = std::env::args_os().collect();
        let matches = command().ignore_errors(true).try_get_matches_from(words).ok();
        matches.as_ref().and_then(ArgMatches::subcommand_name).is_none_or(|name| name == "plan")
    }

    /// The format of the messages and whether they are quiet, to report that the command line is
    /// wrong.
    #[must_use]
    pub fn of_messages_only() -> (LogFormat, bool) {
        let words: Vec<OsString> = std::env::args_os().collect();
        let Some(matches) = leniently(&words) else { return (LogFormat::default(), false) };
        // After a mistake, an option may be without its default.
        let quiet = matches.get_one("quiet").copied().unwrap_or_default();
        (matches.get_one("log_format").copied().unwrap_or_default(), quiet)
    }
}

/// The command in use, the job or a subcommand, with its arguments.
struct Used<'a> {
    command: &'a clap::Command,
    matches: &'a ArgMatches,
}

impl<'a> Used<'a> {
    fn of(command: &'a clap::Command, matches: &'a ArgMatches) -> Self {
        let sub = matches.subcommand();
        let sub =
            sub.and_then(|(name, matches)| Some(Self { command: command.find_subcommand(name)?, matches }));
        sub.unwrap_or(Self { command, matches })
    }
}

/// The arguments that can be understood, without the mistakes; a subcommand's if there is one.
fn leniently(words: &[OsString]) -> Option<ArgMatches> {
    let matches = command().ignore_errors(true).try_get_matches_from(words).ok()?;
    Some(matches.subcommand().map_or_else(|| matches.clone(), |(_, sub)| sub.clone()))
}

/// Says how to see all options of the command in use.
fn help_hint(error: &clap::Error, words: &[OsString]) -> String {
    if let (ErrorKind::ArgumentConflict, Some(ContextValue::String(name))) =
        (error.kind(), error.get(ContextKind::InvalidSubcommand))
    {
        return format!("write the options after the command; `reconcile {name} --help` shows all options");
    }
    let matches = command().ignore_errors(true).try_get_matches_from(words).ok();
    let sub = matches.as_ref().and_then(ArgMatches::subcommand_name);
    let command = sub.map_or_else(String::new, |name| format!(" {name}"));
    format!("`reconcile{command} --help` shows all options")
}

/// Wrong usage as an [`Error`]. For help and version it prints the text and ends the process.
fn wrong_usage(error: &clap::Error, words: &[OsString]) -> Error {
    if !error.use_stderr() {
        return match messages::printed(error.print().and_then(|()| std::io::stdout().flush())) {
            Err(unwritten) => unwritten,
            #[allow(clippy::exit, reason = "nothing but the text was asked for")]
            Ok(()) => std::process::exit(0),
        };
    }
    let more = help_hint(error, words);
    if let Some(what) = wrong_value(error) {
        return Error::usage(what).hint(more);
    }
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return Error::usage("the name of a command is missing").hint(more);
    }
    let text = shown(&error.to_string(), words);
    let mut blocks =
        text.trim().split("\n\n").map(|block| block.split_whitespace().collect::<Vec<_>>().join(" "));
    let what = blocks.next().unwrap_or_default();
    let tips: String =
        blocks.filter_map(|block| block.strip_prefix("tip: ").map(|tip| format!("{tip}; "))).collect();
    Error::usage(what.strip_prefix("error: ").unwrap_or(&what)).hint(format!("{tips}{more}"))
}

/// The text without what may be secret of the words that it quotes.
fn shown(text: &str, words: &[OsString]) -> String {
    let words: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
    hide_words(text, words.iter().map(AsRef::as_ref))
}

/// What is wrong with an option's value; `None` if something else is wrong.
fn wrong_value(error: &clap::Error) -> Option<String> {
    let text = |kind| match error.get(kind)? {
        ContextValue::String(text) => Some(text.as_str()),
        _ => None,
    };
    let option = text(ContextKind::InvalidArg)?.split([' ', '[']).next()?;
    let value = text(ContextKind::InvalidValue).filter(|value| !value.is_empty())?;
    let why = match (error.kind(), error.get(ContextKind::ValidValue)) {
        (ErrorKind::ValueValidation, _) => error.source()?.to_string(),
        (ErrorKind::InvalidValue, Some(ContextValue::Strings(names))) => values::needs_one_of(names),
        _ => return None,
    };
    Some(values::complaint(option, Some(&word(value)), &why))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_wrong_value_is_reported_with_what_the_option_needs() {
        for (option, value, what) in [
            ("--rate", "fast", "--rate needs a unit, for example 100/min, not \"fast\""),
            ("--concurrency", "0", "--concurrency needs auto or a whole number from 1 to 1024, not \"0\""),
            ("--progress", "loud", "--progress needs one of auto, always, never, not \"loud\""),
            ("--lang", "fr", "--lang needs en or zh, not \"fr\""),
        ] {
            let words = ["reconcile", option, value].map(OsString::from);
            assert_eq!(Cli::read_from(&words).unwrap_err().what, what);
        }
    }
}
