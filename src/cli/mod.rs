//! Flags, environment and configuration file: what is to be done, validated once.
//!
//! Every option can be given by environment too, as `RECONCILE_` and its name, or in the file of `--config` (config.rs); a flag
//! beats the environment, and that the file. What is wrong is told before anything is opened or sent.

pub mod config_file;
mod job;
mod ledger_errors;
mod others;
mod values;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{ArgMatches, Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::provider::credentials::Access;
use crate::sandbox;
use config_file::ConfigFile;
use job::JobArgs;
use others::WhoamiArgs;

pub use job::{Answers, LedgerArgs, Settings, ShowProgress};
pub use ledger_errors::missing_defaults_notes;
pub use others::{ExplainArgs, ForgetArgs, PurgeArgs, SandboxArgs, StoreArgs, VerifyCapArgs};

/// The version, and the commit it was built from where that is known (build.rs).
const VERSION: &str = env!("RECONCILE_VERSION");

const ENVIRONMENT: &str = "Every option but -v and -q can be given by environment as RECONCILE_ and its name, such as \
    RECONCILE_RATE=50/min, and every option in the TOML file that --config names, as in rate = \"50/min\". A flag beats the \
    environment, and that the file; `reconcile config` shows what holds.";

fn exit_codes() -> String {
    let line = |exit: Exit| format!("\n  {}  {}", exit.code(), exit.meaning());
    format!("Exit codes:{}", Exit::ALL.map(line).concat())
}

/// Reconciles a ledger of voice calls with what the provider knows of them.
///
/// Asks the provider (Alibaba Cloud voice service, QueryCallDetailByCallId) for every call of the ledger, at most 100
/// requests a minute, keeps every answer in a durable store, and writes four files: the details as Parquet, the
/// discrepancies as CSV, a report as HTML, and a summary as JSON. The same command goes on where an interrupted run
/// stopped.
///
/// Credentials are found where the provider's own tools find them: in the environment (ALIBABA_CLOUD_ACCESS_KEY_ID,
/// ALIBABA_CLOUD_ACCESS_KEY_SECRET), in a profile, or by a role. `reconcile whoami` says which are used.
#[derive(Debug, Parser)]
#[command(
    name = "reconcile",
    version = VERSION,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    max_term_width = 110,
    after_help = ENVIRONMENT,
    after_long_help = format!("{ENVIRONMENT}\n\n{}", exit_codes())
)]
pub struct Cli {
    #[command(flatten)]
    job: JobArgs,
    #[command(subcommand)]
    command: Option<Command>,
    /// What `reconcile config` prints.
    #[arg(skip)]
    holds: String,
    /// TOML file of options, by their long names
    #[arg(long, global = true, env = "RECONCILE_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Say more: every failed attempt
    #[arg(short, long, global = true, conflicts_with = "quiet")]
    pub verbose: bool,
    /// Say nothing unless something is wrong
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Form of what is said on standard error
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t,
        env = "RECONCILE_LOG_FORMAT",
        value_name = "FORMAT"
    )]
    pub log_format: LogFormat,
}

/// What to do other than the job.
#[derive(Debug, Subcommand)]
enum Command {
    /// Say what a run with the same options would do and how long it takes; sends nothing
    Plan(Box<PlanArgs>),
    /// Show all that the store knows of a call
    Explain(Box<ExplainArgs>),
    /// Recompute from the store's record how many requests can have reached the provider in any window
    VerifyCap(VerifyCapArgs),
    /// Erase calls that are older than they need be
    Purge(PurgeArgs),
    /// Erase every answer that has this phone number in it
    Forget(ForgetArgs),
    /// Say which credentials a run would use, and when they expire; never the secret
    Whoami(WhoamiArgs),
    /// Run the simulated provider as a server of its own on 127.0.0.1
    Sandbox(SandboxArgs),
    /// Show every option with the value that holds and where it comes from
    Config(Box<ConfigArgs>),
    /// Print the completions for a shell
    Completions(CompletionsArgs),
    /// Print the manual page
    Man(ManArgs),
}

/// The job's options, which are shown.
#[derive(Debug, Args)]
struct ConfigArgs {
    #[command(flatten)]
    _job: JobArgs,
}

/// For which shell.
#[derive(Debug, Clone, Copy, Args)]
struct CompletionsArgs {
    shell: Shell,
}

/// Of what.
#[derive(Debug, Clone, Args)]
struct ManArgs {
    /// The page of this command [default: that of reconcile itself]
    command: Option<String>,
}

/// The job's options, and the form of the plan.
#[derive(Debug, Args)]
struct PlanArgs {
    #[command(flatten)]
    job: JobArgs,
    /// As JSON
    #[arg(long, env = "RECONCILE_JSON")]
    json: bool,
}

/// Form of the messages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Lines for people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// What the command line asks for.
#[derive(Debug)]
pub enum Action {
    /// The job.
    Reconcile(Box<Settings>),
    /// What the job would do; as JSON, if so.
    Plan(Box<Settings>, bool),
    /// What the store knows of a call.
    Explain(Box<ExplainArgs>),
    /// What the record says of the cap.
    VerifyCap(VerifyCapArgs),
    /// Erasing by age.
    Purge(PurgeArgs),
    /// Erasing by number.
    Forget(ForgetArgs),
    /// Which credentials are used; as JSON, if so.
    Whoami(Access, bool),
    /// The simulated provider, alone.
    Sandbox(Box<sandbox::ServeOptions>),
    /// This text is what `reconcile config` prints.
    Config(String),
    /// Completions for a shell.
    Completions(Shell),
    /// The manual page, of reconcile or of a command.
    Man(Option<String>),
}

impl Cli {
    /// Reads the process's arguments, its environment, and the file that they name. For `--help` and `--version` clap says
    /// what there is to say and ends the process.
    ///
    /// # Errors
    ///
    /// Exit 2 for wrong usage, and for a file that is wrong.
    pub fn read() -> Result<Self> {
        Self::read_from(&std::env::args_os().collect::<Vec<_>>())
    }

    fn read_from(words: &[OsString]) -> Result<Self> {
        let file = match leniently(words).and_then(|matches| matches.get_one::<PathBuf>("config").cloned()) {
            Some(path) => ConfigFile::read(&path, &command())?,
            None => ConfigFile::default(),
        };
        let parse = |file: &ConfigFile| {
            file.apply(command()).try_get_matches_from(words).map_err(|e| wrong_usage(&e))
        };
        let built = built();
        let matches = parse(&file)?;
        let (of, given) = used(&built, &matches);
        let beaten = file.beaten(of, given)?;
        let file = file.without(&beaten);
        let matches = if beaten.is_empty() { matches } else { parse(&file)? };
        let mut cli = Self::from_arg_matches(&matches).map_err(|e| wrong_usage(&e))?;
        let (of, given) = used(&built, &matches);
        if matches!(cli.command, Some(Command::Config(_))) {
            cli.holds = file.dump(of, given);
        }
        Ok(cli)
    }

    /// The form of the messages that was asked for, where all that was asked for cannot be had.
    #[must_use]
    pub fn log_format_at_least() -> LogFormat {
        let words: Vec<OsString> = std::env::args_os().collect();
        leniently(&words).and_then(|matches| matches.get_one("log_format").copied()).unwrap_or_default()
    }

    /// What is to be done.
    ///
    /// # Errors
    ///
    /// Exit 2 when options contradict each other.
    pub fn action(self) -> Result<Action> {
        match self.command {
            Some(Command::Plan(args)) => {
                args.job.settings().map(|settings| Action::Plan(Box::new(settings), args.json))
            }
            Some(Command::Explain(args)) => Ok(Action::Explain(args)),
            Some(Command::VerifyCap(args)) => Ok(Action::VerifyCap(args)),
            Some(Command::Purge(args)) => Ok(Action::Purge(args)),
            Some(Command::Forget(args)) => Ok(Action::Forget(args)),
            Some(Command::Whoami(args)) => Ok(Action::Whoami(args.access.access(), args.json)),
            Some(Command::Sandbox(args)) => Ok(Action::Sandbox(Box::new(args.into()))),
            Some(Command::Config(_)) => Ok(Action::Config(self.holds)),
            Some(Command::Completions(args)) => Ok(Action::Completions(args.shell)),
            Some(Command::Man(args)) => Ok(Action::Man(args.command)),
            None => self.job.settings().map(|settings| Action::Reconcile(Box::new(settings))),
        }
    }
}

/// The commands and their options. The environment is explained once, not at every option.
pub(crate) fn command() -> clap::Command {
    let quiet = |command: clap::Command| command.mut_args(|arg| arg.hide_env(true));
    let command = quiet(Cli::command()).mut_subcommands(quiet);
    // What is to be shown need not be enough for a run.
    command.mut_subcommand("config", |config| config.mut_args(|arg| arg.required(false)))
}

/// The same with each command's global options among its own.
fn built() -> clap::Command {
    let mut command = command();
    command.build();
    command
}

/// The command that is used, with what was given to it.
fn used<'a>(command: &'a clap::Command, matches: &'a ArgMatches) -> (&'a clap::Command, &'a ArgMatches) {
    let sub = matches.subcommand().and_then(|(name, given)| Some((command.find_subcommand(name)?, given)));
    sub.unwrap_or((command, matches))
}

/// What can be understood of the arguments, whatever is wrong with the rest; a subcommand's where there is one.
fn leniently(words: &[OsString]) -> Option<ArgMatches> {
    let matches = command().ignore_errors(true).try_get_matches_from(words).ok()?;
    Some(matches.subcommand().map_or_else(|| matches.clone(), |(_, sub)| sub.clone()))
}

/// What clap says of wrong usage, in the form of all errors. Help and version are printed, and the process ends.
fn wrong_usage(error: &clap::Error) -> Error {
    if !error.use_stderr() {
        error.exit();
    }
    let text = error.to_string();
    let mut blocks =
        text.trim().split("\n\n").map(|block| block.split_whitespace().collect::<Vec<_>>().join(" "));
    let what = blocks.next().unwrap_or_default();
    let tips: String =
        blocks.filter_map(|block| block.strip_prefix("tip: ").map(|tip| format!("{tip}; "))).collect();
    Error::usage(what.strip_prefix("error: ").unwrap_or(&what)).hint(format!("{tips}see reconcile --help"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;
    use chrono::TimeDelta;
    use std::time::Duration;

    fn settings(line: &str) -> Result<Settings> {
        match Cli::try_parse_from(line.split_whitespace()).unwrap().action()? {
            Action::Reconcile(settings) => Ok(*settings),
            _ => panic!("not the job"),
        }
    }

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn everything_has_the_default_of_the_contract() {
        let s = settings("reconcile --input a.csv --out out/d.parquet").unwrap();
        assert_eq!((s.rate.to_string().as_str(), s.burst.get()), ("100 per minute", 100));
        assert_eq!((s.concurrency.get(), s.max_attempts), (16, 6));
        assert_eq!(s.timeout, Duration::from_secs(10));
        assert_eq!(s.rules.settle, TimeDelta::minutes(5));
        assert_eq!(s.store, PathBuf::from("out/reconcile.db"));
        assert_eq!(s.outputs.discrepancies, PathBuf::from("out/d.discrepancies.csv"));
        assert_eq!(s.outputs.report, PathBuf::from("out/d.report.html"));
        assert_eq!(s.outputs.summary, PathBuf::from("out/d.summary.json"));
        assert_eq!(s.answers, Answers::Provider("https://dyvmsapi.aliyuncs.com".into()));
        let s = settings("reconcile --sandbox -i a.csv -o d.parquet").unwrap();
        assert_eq!((s.store, s.answers), (PathBuf::from("reconcile.sandbox.db"), Answers::Sandbox));
    }

    #[test]
    fn a_burst_beyond_the_cap_is_refused() {
        assert!(settings("reconcile -i a -o b --burst 101").is_err());
        assert_eq!(settings("reconcile -i a -o b --burst 7").unwrap().burst.get(), 7);
    }

    #[test]
    fn the_sandbox_command_needs_no_ledger() {
        let cli = Cli::try_parse_from(["reconcile", "sandbox", "--latency", "20ms..1s"]).unwrap();
        let Action::Sandbox(options) = cli.action().unwrap() else { panic!("not the sandbox") };
        assert_eq!((options.port, options.cap.to_string().as_str()), (8080, "100 per minute"));
        assert_eq!(options.plant, sandbox::Share::default());
        assert_eq!(options.latency, (Duration::from_millis(20), Duration::from_secs(1)));
        for wrong in [["--latency", "1s..20ms"], ["--latency", "1s"], ["--plant", "2%"], ["--cap", "0/min"]] {
            assert!(Cli::try_parse_from([&["reconcile", "sandbox"][..], &wrong[..]].concat()).is_err());
        }
    }
}
