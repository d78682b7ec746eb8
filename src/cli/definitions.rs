//! The commands and the general options as clap definitions, and the texts at the end of the help.

use std::path::PathBuf;

use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use super::command_options::{
    DiffArgs, ExplainArgs, ExportArgs, ForgetArgs, PurgeArgs, ResolutionsArgs, SandboxArgs, StoreCommand,
    VerifyCapArgs, WhoamiArgs,
};
use super::job_options::JobArgs;
use super::money_tables::MoneyTables;
use crate::exit::Exit;
use crate::zone::Zone;

/// The version, with the commit if it is known (build.rs).
const VERSION: &str = env!("RECONCILE_VERSION");

/// The end of `-h`, which shows the most used options.
const MORE: &str = "`--help` shows all options.";

const SOURCES: &str = "Every option can also come from the TOML file of --config (rate = \"50/min\"), and every option \
    except -v and -q from the environment (RECONCILE_RATE=50/min). Flags override environment variables, which override \
    the file. `reconcile config` prints the values in effect.";

fn exit_codes() -> String {
    let line = |exit: Exit| format!("\n  {}  {}", exit.code(), exit.meaning());
    format!("Exit codes:{}", Exit::ALL.map(line).concat())
}

/// Reconciles a ledger of voice calls with the provider's records.
///
/// For every call of the ledger, reconcile asks the provider (Alibaba Cloud voice service,
/// QueryCallDetailByCallId) for its record, with at most 100 requests a minute. It keeps every
/// answer in a durable store and writes four files: the call details as Parquet, the discrepancies
/// as CSV, a report as HTML and a summary as JSON. If a run is interrupted, the same command
/// resumes it.
///
/// The credentials are those of the provider's own tools: environment variables
/// (ALIBABA_CLOUD_ACCESS_KEY_ID, ALIBABA_CLOUD_ACCESS_KEY_SECRET), a profile, or a role.
/// `reconcile whoami` prints which ones a run would use.
#[derive(Debug, Parser)]
#[command(
    name = "reconcile",
    version = VERSION,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    max_term_width = 110,
    after_help = MORE,
    after_long_help = format!("{SOURCES}\n\n{}", exit_codes())
)]
pub struct Cli {
    #[command(flatten)]
    pub(super) job: JobArgs,
    #[command(subcommand)]
    pub(super) command: Option<Command>,
    /// The tables about money of the configuration file.
    #[arg(skip)]
    pub(super) money: MoneyTables,
    /// What `reconcile config` prints.
    #[arg(skip)]
    pub(super) values_in_effect: String,
    /// TOML file with options under their long names
    #[arg(long, global = true, env = "RECONCILE_CONFIG", value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Report every failed attempt
    #[arg(short, long, global = true, conflicts_with = "quiet", hide_short_help = true)]
    pub verbose: bool,
    /// No messages unless something is wrong
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Format of the messages on standard error
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t,
        env = "RECONCILE_LOG_FORMAT",
        value_name = "FORMAT",
        hide_short_help = true
    )]
    pub log_format: LogFormat,
    /// Zone of --deadline and of the times in messages and report: an offset or an IANA name
    ///
    /// It does not change the ledger's days, which are in UTC+8. TZ is ignored.
    #[arg(
        long,
        global = true,
        env = "RECONCILE_TIMEZONE",
        value_name = "ZONE",
        default_value = "+08:00",
        value_parser = Zone::parse,
        allow_hyphen_values = true,
        hide_short_help = true
    )]
    pub timezone: Zone,
}

/// The commands other than the job.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Print what a run would do and how long it would take; sends nothing
    Plan(Box<PlanArgs>),
    /// Print everything that the store knows of one call, or of all calls of a discrepancy file
    Explain(Box<ExplainArgs>),
    /// Make a file to write decisions on discrepancies into, a row for each open one
    Resolutions(ResolutionsArgs),
    /// Compare two runs: which discrepancies are new, resolved or changed
    Diff(DiffArgs),
    /// Write the stored answers as Parquet files, a folder for each day, for Spark, Ray and DuckDB
    Export(ExportArgs),
    /// Check from the store's record of requests that the cap was kept
    VerifyCap(VerifyCapArgs),
    /// Delete stored calls older than a given age
    Purge(PurgeArgs),
    /// Delete every stored answer that contains a given phone number
    Forget(ForgetArgs),
    /// Copy a store
    #[command(subcommand)]
    Store(StoreCommand),
    /// Print which credentials a run would use, without the secret, and when they expire
    Whoami(WhoamiArgs),
    /// Run the simulated provider as a server on 127.0.0.1
    Sandbox(SandboxArgs),
    /// Print every option with its value in effect and where it comes from
    Config(Box<ConfigArgs>),
    /// Print the completions for a shell
    Completions(CompletionsArgs),
    /// Print the manual page
    Man(ManArgs),
}

/// The options of `reconcile config`.
#[derive(Debug, Args)]
pub(super) struct ConfigArgs {
    #[command(flatten)]
    _job: JobArgs,
}

/// The options of `reconcile completions`.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct CompletionsArgs {
    /// The shell
    pub(super) shell: Shell,
}

/// The options of `reconcile man`.
#[derive(Debug, Clone, Args)]
pub(super) struct ManArgs {
    /// The page of this command [default: the page of reconcile itself]
    pub(super) command: Option<String>,
}

/// The options of `reconcile plan`.
#[derive(Debug, Args)]
pub(super) struct PlanArgs {
    #[command(flatten)]
    pub(super) job: JobArgs,
    /// Print JSON
    #[arg(long, env = "RECONCILE_JSON")]
    pub(super) json: bool,
}

/// The format of the messages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Lines for people
    #[default]
    Text,
    /// One JSON object a line
    Json,
}

/// The commands and their options. The help explains the environment once, not at every option.
pub(crate) fn command() -> clap::Command {
    let no_env = |command: clap::Command| command.mut_args(|arg| arg.hide_env(true));
    no_env(Cli::command()).mut_subcommands(no_env).mut_subcommands(|sub| match sub.get_name() {
        "plan" => sub.after_help(MORE).after_long_help(SOURCES),
        // It also prints the values of an incomplete command line.
        "config" => sub.after_help(MORE).after_long_help(SOURCES).mut_args(|arg| arg.required(false)),
        // These have few options; `-h` shows them all.
        _ => sub.mut_args(|arg| arg.hide_short_help(false)),
    })
}
