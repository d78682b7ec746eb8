//! Flags, environment and configuration file → [`Settings`], validated once.
//!
//! Every option can be given by environment too, as `RECONCILE_` and its name, or in the file of `--config` (config.rs); a flag
//! beats the environment, and that the file. What is wrong is told before anything is opened or sent.

use std::ffi::OsString;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{NaiveDate, NaiveTime, TimeDelta};
use clap::{
    ArgAction, ArgMatches, Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueEnum,
};
use clap_complete::Shell;

use crate::call::ProductId;
use crate::compare::Tolerances;
use crate::config::ConfigFile;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::ledger;
use crate::notify;
use crate::output::{Lang, MaskPhones, Paths, TokenKey};
use crate::provider::WireFormat;
use crate::provider::credentials::{self, Access};
use crate::publish::Rules;
use crate::rate::Rate;
use crate::sandbox;
use crate::store::{Expect, Nature};

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

/// Which store.
#[derive(Debug, Clone, Args)]
pub struct StoreArgs {
    /// The store [default: reconcile.db in this folder, else reconcile.sandbox.db]
    #[arg(long, env = "RECONCILE_STORE", value_name = "PATH")]
    store: Option<PathBuf>,
}

impl StoreArgs {
    /// The store that is named; without a name the one that is there.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        let default = || {
            let sandbox = PathBuf::from(SANDBOX_STORE);
            if sandbox.exists() && !Path::new(STORE).exists() { sandbox } else { STORE.into() }
        };
        self.store.clone().unwrap_or_else(default)
    }
}

/// What is to be explained.
#[derive(Debug, Clone, Args)]
pub struct ExplainArgs {
    /// The CallId
    pub call_id: String,
    /// Which store.
    #[command(flatten)]
    pub store: StoreArgs,
    /// Ledger to compare with: the discrepancies of its rows are shown, too
    #[arg(short, long, env = "RECONCILE_INPUT", value_name = "PATH")]
    pub input: Option<PathBuf>,
    #[command(flatten)]
    ledger: LedgerArgs,
    /// A call younger than this with no record is pending, not not_found
    #[arg(long, env = "RECONCILE_SETTLE", value_name = "DURATION", default_value = "5m", value_parser = humantime::parse_duration)]
    settle: Duration,
    /// As JSON
    #[arg(long, env = "RECONCILE_JSON")]
    pub json: bool,
}

impl ExplainArgs {
    /// How the ledger is read.
    #[must_use]
    pub fn ledger(&self) -> ledger::Options {
        self.ledger.options()
    }

    /// What decides the rows.
    #[must_use]
    pub fn rules(&self) -> Rules {
        Rules { settle: settle(self.settle), tolerances: self.ledger.tolerances() }
    }
}

/// Whose cap is to be verified.
#[derive(Debug, Clone, Args)]
pub struct VerifyCapArgs {
    /// Which store.
    #[command(flatten)]
    pub store: StoreArgs,
    /// As JSON
    #[arg(long, env = "RECONCILE_JSON")]
    pub json: bool,
}

/// What is to be erased by age.
#[derive(Debug, Clone, Args)]
pub struct PurgeArgs {
    /// Calls made longer ago than this: 90d, 12w, 1year
    #[arg(long, env = "RECONCILE_OLDER_THAN", value_name = "DURATION", value_parser = length_of_time)]
    pub older_than: Duration,
    /// Which store.
    #[command(flatten)]
    pub store: StoreArgs,
}

/// What is to be erased by number.
#[derive(Debug, Clone, Args)]
pub struct ForgetArgs {
    /// The phone number, with or without +86, spaces and hyphens
    pub number: String,
    /// Which store.
    #[command(flatten)]
    pub store: StoreArgs,
}

/// Which credentials, and how the services are reached that give them.
#[derive(Debug, Clone, Args)]
struct AccessArgs {
    /// Credentials profile, of `aliyun configure` or of the SDKs [default: by the provider's standard chain]
    #[arg(long, env = "RECONCILE_PROFILE", value_name = "NAME", help_heading = "Credentials")]
    profile: Option<String>,
    /// Where roles are assumed [default: the provider's STS, of the region in ALIBABA_CLOUD_STS_REGION]
    #[arg(long, env = "RECONCILE_STS_ENDPOINT", value_name = "URL", help_heading = "Credentials")]
    sts_endpoint: Option<String>,
    /// PEM file of certificates that are trusted beside the system's
    #[arg(long, env = "RECONCILE_CA_FILE", value_name = "PATH", help_heading = "Requests")]
    ca_file: Option<PathBuf>,
    /// Allow an http:// endpoint beyond this machine, over which numbers and signatures travel in clear text
    #[arg(long, env = "RECONCILE_INSECURE_HTTP", help_heading = "Requests")]
    insecure_http: bool,
}

impl AccessArgs {
    fn access(self) -> Access {
        let Self { profile, sts_endpoint, ca_file, insecure_http } = self;
        // A variable that is set to nothing asks for nothing.
        let profile = profile.filter(|name| !name.trim().is_empty());
        let sts_endpoint = sts_endpoint.filter(|url| !url.trim().is_empty());
        Access { profile, sts_endpoint, ca_file, insecure_http }
    }
}

/// Whose credentials.
#[derive(Debug, Clone, Args)]
struct WhoamiArgs {
    #[command(flatten)]
    access: AccessArgs,
    /// As JSON
    #[arg(long, env = "RECONCILE_JSON")]
    json: bool,
}

/// The simulated provider's options.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = sandbox::faults_help())]
pub struct SandboxArgs {
    /// Port to listen on; 0 takes a free one
    #[arg(long, env = "RECONCILE_PORT", default_value_t = 8080)]
    port: u16,
    /// TOML file with one `access-key-id = "secret"` a line; without it, testid with testsecret is accepted
    ///
    /// A temporary key is a table: `access-key-id = { secret = "…", token = "…", expires = "1h" }`; `inactive = true`
    /// disables a key, `denied = true` takes its permission.
    #[arg(long, env = "RECONCILE_ACCOUNTS", value_name = "FILE")]
    accounts: Option<PathBuf>,
    /// The cap of each key: 100/min, 100/s, 25/15s
    #[arg(long, env = "RECONCILE_CAP", value_name = "N/UNIT", default_value = "100/min")]
    cap: Rate,
    /// What goes wrong, by name and share: 503=2%,cut=0.5%,late=30s; or a scenario file that ends in .toml
    #[arg(long, env = "RECONCILE_FAULTS", value_name = "SPEC")]
    faults: Option<String>,
    /// The calls that it knows: a ledger, whose records are made up to fit, or a recording of --record
    #[arg(long, env = "RECONCILE_CALLS", value_name = "FILE")]
    calls: Option<PathBuf>,
    /// Which share of that ledger's calls disagrees with it: 2%
    #[arg(long, env = "RECONCILE_PLANT", value_name = "SHARE", default_value = "0%", value_parser = sandbox::share, requires = "calls")]
    plant: u64,
    /// Read FIELD of that ledger from the column HEADER; repeatable
    #[arg(long, env = "RECONCILE_MAP", value_name = "FIELD=HEADER", value_parser = mapping)]
    map: Vec<(String, String)>,
    /// What chance begins with: the same seed, the same faults
    #[arg(long, env = "RECONCILE_SEED", value_name = "N", default_value_t = 0)]
    seed: u64,
    /// How long an answer takes: 20ms..400ms
    #[arg(long, env = "RECONCILE_LATENCY", value_name = "MIN..MAX", default_value = "0s..0s", hide_default_value = true, value_parser = latency)]
    latency: (Duration, Duration),
}

impl From<SandboxArgs> for sandbox::Alone {
    fn from(args: SandboxArgs) -> Self {
        let SandboxArgs { port, accounts, cap, faults, calls, plant, map, seed, latency } = args;
        Self { port, accounts, cap, faults, calls, map, plant, seed, latency }
    }
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

/// When progress is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum ShowProgress {
    /// A bar on a terminal, otherwise a line a minute.
    #[default]
    Auto,
    /// The same, even with --quiet.
    Always,
    /// Neither.
    Never,
}

/// What the details may be partitioned by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
enum PartitionBy {
    /// The day on which a call was found, or that was asked for.
    CallDate,
}

/// How phone numbers stand in the data files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Masking {
    /// In full.
    #[default]
    None,
    /// 138****5678
    Partial,
    /// A keyed token, equal for equal numbers under the same key
    Token,
}

/// How the ledger is read and compared.
#[derive(Debug, Clone, Args)]
pub struct LedgerArgs {
    /// Product of rows that name none: a number, or voice-notification, verification-code, ivr, click-to-dial, sip,
    /// smart-outbound
    #[arg(long, env = "RECONCILE_PROD_ID", value_name = "ID", value_parser = product, help_heading = "Ledger")]
    prod_id: Option<ProductId>,
    /// Day (UTC+8) of rows that name no time
    #[arg(long, env = "RECONCILE_CALL_DATE", value_name = "YYYY-MM-DD", value_parser = day, help_heading = "Ledger")]
    call_date: Option<NaiveDate>,
    /// Read FIELD from the column HEADER; repeatable
    #[arg(long, env = "RECONCILE_MAP", value_name = "FIELD=HEADER", value_parser = mapping, help_heading = "Ledger")]
    map: Vec<(String, String)>,
    /// What separates the fields: `,` `;` `|` or tab [default: what the header has]
    #[arg(long, env = "RECONCILE_DELIMITER", value_name = "CHARACTER", value_parser = delimiter, help_heading = "Ledger")]
    delimiter: Option<u8>,
    /// Talk seconds may differ by so many and still match
    #[arg(
        long,
        env = "RECONCILE_DURATION_TOLERANCE",
        value_name = "SECONDS",
        default_value_t = 0,
        help_heading = "Ledger"
    )]
    duration_tolerance: u32,
    /// Times may differ by so many seconds and still match
    #[arg(
        long,
        env = "RECONCILE_TIME_TOLERANCE",
        value_name = "SECONDS",
        default_value_t = 0,
        help_heading = "Ledger"
    )]
    time_tolerance: u32,
}

impl LedgerArgs {
    fn options(&self) -> ledger::Options {
        ledger::Options {
            prod_id: self.prod_id,
            call_date: self.call_date,
            map: self.map.clone(),
            delimiter: self.delimiter,
        }
    }

    fn tolerances(&self) -> Tolerances {
        Tolerances { duration_s: i64::from(self.duration_tolerance), time_s: i64::from(self.time_tolerance) }
    }
}

#[derive(Debug, Args)]
struct JobArgs {
    /// Ledger: CSV, also as .gz or .zst, or Parquet; `-` is standard input
    #[arg(short, long, required = true, env = "RECONCILE_INPUT", value_name = "PATH")]
    input: Option<PathBuf>,
    /// Details Parquet
    #[arg(short, long, required = true, env = "RECONCILE_OUT", value_name = "PATH")]
    out: Option<PathBuf>,

    /// Discrepancies: .csv, .jsonl or .parquet [default: beside --out, .discrepancies.csv]
    #[arg(long, env = "RECONCILE_DISCREPANCIES", value_name = "PATH", help_heading = "Outputs")]
    discrepancies: Option<PathBuf>,
    /// HTML report [default: beside --out, .report.html]
    #[arg(long, env = "RECONCILE_REPORT", value_name = "PATH", help_heading = "Outputs")]
    report: Option<PathBuf>,
    /// JSON summary [default: beside --out, .summary.json]
    #[arg(long, env = "RECONCILE_SUMMARY", value_name = "PATH", help_heading = "Outputs")]
    summary: Option<PathBuf>,

    /// Write the details as a folder, one day of calls a part: --out is that folder then
    #[arg(long, env = "RECONCILE_PARTITION_BY", value_name = "COLUMN", value_enum, help_heading = "Outputs")]
    partition_by: Option<PartitionBy>,
    /// Views for DuckDB that give the report's tables; without PATH, or with `true`, beside --out, .sql
    #[arg(long, env = "RECONCILE_SQL", value_name = "PATH", num_args = 0..=1, default_missing_value = "true", help_heading = "Outputs")]
    sql: Option<PathBuf>,
    /// Language of the report
    #[arg(long, env = "RECONCILE_LANG", value_name = "LANG", value_parser = language, default_value = "en", help_heading = "Outputs")]
    lang: Lang,
    /// Phone numbers in the data files; logs, errors and the HTML are always masked
    #[arg(
        long,
        env = "RECONCILE_MASK_PHONES",
        value_name = "HOW",
        value_enum,
        default_value_t,
        help_heading = "Outputs"
    )]
    mask_phones: Masking,
    /// The secret key of --mask-phones token: a file of at least 16 bytes
    #[arg(long, env = "RECONCILE_MASK_KEY_FILE", value_name = "PATH", help_heading = "Outputs")]
    mask_key_file: Option<PathBuf>,

    #[command(flatten)]
    ledger: LedgerArgs,

    /// The cap: at most N requests in any window of that length (100/min, 100/s, 6000/h, 25/15s)
    #[arg(
        long,
        env = "RECONCILE_RATE",
        value_name = "N/UNIT",
        default_value = "100/min",
        help_heading = "Requests"
    )]
    rate: Rate,
    /// How many may go back to back; 1 spaces them evenly [default: the cap's N]
    #[arg(long, env = "RECONCILE_BURST", value_name = "N", help_heading = "Requests")]
    burst: Option<NonZeroU32>,
    /// Requests in flight at once
    #[arg(long, env = "RECONCILE_CONCURRENCY", value_name = "N", default_value = "16", value_parser = concurrency, help_heading = "Requests")]
    concurrency: NonZeroUsize,
    /// Tries of one call in one run, the first included
    #[arg(long, env = "RECONCILE_MAX_ATTEMPTS", value_name = "N", default_value_t = 6, value_parser = clap::value_parser!(u32).range(1..=100), help_heading = "Requests")]
    max_attempts: u32,
    /// One request, from connect to last byte
    #[arg(long, env = "RECONCILE_TIMEOUT", value_name = "DURATION", default_value = "10s", value_parser = length_of_time, help_heading = "Requests")]
    timeout: Duration,
    /// A call younger than this with no record is pending, not not_found
    #[arg(long, env = "RECONCILE_SETTLE", value_name = "DURATION", default_value = "5m", value_parser = humantime::parse_duration, help_heading = "Requests")]
    settle: Duration,
    /// Send nothing after the next HH:MM in this machine's time zone; what is left is deferred
    #[arg(long, env = "RECONCILE_DEADLINE", value_name = "HH:MM", value_parser = time_of_day, help_heading = "Requests")]
    deadline: Option<NaiveTime>,
    /// Send nothing after so long; what is left is deferred
    #[arg(long, env = "RECONCILE_MAX_DURATION", value_name = "DURATION", value_parser = length_of_time, help_heading = "Requests")]
    max_duration: Option<Duration>,
    /// Provider
    #[arg(
        long,
        env = "RECONCILE_ENDPOINT",
        value_name = "URL",
        default_value = "https://dyvmsapi.aliyuncs.com",
        help_heading = "Requests"
    )]
    endpoint: String,
    /// Form of the answers that is asked for
    #[arg(long, env = "RECONCILE_WIRE_FORMAT", value_name = "json|xml", default_value = "json", value_parser = wire_format, help_heading = "Requests")]
    wire_format: WireFormat,
    #[command(flatten)]
    access: AccessArgs,
    /// Record the provider's answers in FILE, phone numbers replaced, for `reconcile sandbox --calls FILE`
    #[arg(
        long,
        env = "RECONCILE_RECORD",
        value_name = "FILE",
        conflicts_with = "offline",
        help_heading = "Requests"
    )]
    record: Option<PathBuf>,
    /// Talk to a provider simulated inside this process, which allows what --rate says; needs no credentials
    #[arg(long, env = "RECONCILE_SANDBOX", conflicts_with = "endpoint", help_heading = "Requests")]
    sandbox: bool,

    /// The durable store [default: reconcile.db beside --out, reconcile.sandbox.db with --sandbox]
    #[arg(long, env = "RECONCILE_STORE", value_name = "PATH", help_heading = "Store")]
    store: Option<PathBuf>,
    /// Ask again even for calls whose final detail is stored
    #[arg(long, env = "RECONCILE_REFRESH", conflicts_with = "offline", help_heading = "Store")]
    refresh: bool,
    /// Send nothing; use only what is stored
    #[arg(long, env = "RECONCILE_OFFLINE", help_heading = "Store")]
    offline: bool,

    /// A bar on a terminal, otherwise a line a minute
    #[arg(long, env = "RECONCILE_PROGRESS", value_name = "WHEN", value_enum, default_value_t)]
    progress: ShowProgress,
    /// Exit 1 when there are discrepancies
    #[arg(long, env = "RECONCILE_EXIT_CODE", action = ArgAction::SetTrue)]
    exit_code: bool,

    /// Prometheus textfile of the run, written each minute and at its end
    #[arg(long, env = "RECONCILE_METRICS_FILE", value_name = "PATH", help_heading = "Watching")]
    metrics_file: Option<PathBuf>,
    /// Where the summary, or the error, is posted at the end; may hold a secret, and is not shown
    #[arg(
        long,
        env = "RECONCILE_NOTIFY_URL",
        value_name = "URL",
        hide_env_values = true,
        help_heading = "Watching"
    )]
    notify_url: Option<String>,
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
    Sandbox(Box<sandbox::Alone>),
    /// This text is what `reconcile config` prints.
    Config(String),
    /// Completions for a shell.
    Completions(Shell),
    /// The manual page, of reconcile or of a command.
    Man(Option<String>),
}

const STORE: &str = "reconcile.db";
const SANDBOX_STORE: &str = "reconcile.sandbox.db";

/// Where the answers come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answers {
    /// A provider at this URL.
    Provider(String),
    /// The one simulated inside this process.
    Sandbox,
}

/// A job, validated.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The ledger; `-` is standard input.
    pub input: PathBuf,
    /// How it is read.
    pub ledger: ledger::Options,
    /// The four files.
    pub outputs: Paths,
    /// The report's language.
    pub lang: Lang,
    /// How phone numbers stand in them.
    pub mask: MaskPhones,
    /// What is to be said of the key.
    pub mask_note: Option<String>,
    /// The store.
    pub store: PathBuf,
    /// Who is asked.
    pub answers: Answers,
    /// Form of the answers that is asked for.
    pub wire_format: WireFormat,
    /// Which credentials, and how other services are reached.
    pub access: Access,
    /// Where the answers are recorded.
    pub record: Option<PathBuf>,
    /// Nobody is asked.
    pub offline: bool,
    /// Settled calls are asked for again.
    pub refresh: bool,
    /// The cap.
    pub rate: Rate,
    /// How many requests may go back to back.
    pub burst: NonZeroU32,
    /// Requests in flight at once.
    pub concurrency: NonZeroUsize,
    /// Tries of one call.
    pub max_attempts: u32,
    /// For one request.
    pub timeout: Duration,
    /// What decides the rows.
    pub rules: Rules,
    /// Time of day, local, after which nothing is sent.
    pub deadline: Option<NaiveTime>,
    /// Time after the start, after which nothing is sent.
    pub max_duration: Option<Duration>,
    /// When progress is shown.
    pub progress: ShowProgress,
    /// Exit 1 when there are discrepancies.
    pub exit_code: bool,
    /// Prometheus textfile.
    pub metrics_file: Option<PathBuf>,
    /// Where the end is posted.
    pub notify: Option<notify::Target>,
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

impl Settings {
    /// Whose answers are expected. What is reached over plain HTTP may be a sandbox; the first answer tells. Where nobody is
    /// asked, what such a sandbox has filled is as good.
    #[must_use]
    pub fn expects(&self) -> Expect {
        match &self.answers {
            Answers::Sandbox => Nature::Sandbox.into(),
            Answers::Provider(url) if self.offline || url.starts_with("http://") => Expect::Either,
            Answers::Provider(_) => Nature::Provider.into(),
        }
    }
}

impl JobArgs {
    fn settings(self) -> Result<Settings> {
        let missing = |name: &str| Error::usage(format!("{name} is missing")).hint("see reconcile --help");
        let input = self.input.ok_or_else(|| missing("--input"))?;
        let out = self.out.ok_or_else(|| missing("--out"))?;
        let burst = self.burst.unwrap_or(self.rate.requests);
        if burst > self.rate.requests {
            return Err(Error::usage(format!(
                "--burst {burst} is more than the cap allows in a window ({})",
                self.rate
            ))
            .hint("leave --burst out, or give a number up to the cap's N"));
        }
        let notify =
            self.notify_url.as_deref().map(|url| notify::Target::parse(url, self.access.insecure_http));
        let (mask, mask_note) = masking(self.mask_phones, self.mask_key_file.as_deref())?;
        let default_store = if self.sandbox { SANDBOX_STORE } else { STORE };
        Ok(Settings {
            ledger: self.ledger.options(),
            store: self.store.unwrap_or_else(|| out.with_file_name(default_store)),
            outputs: Paths {
                by_day: self.partition_by.is_some(),
                sql: self
                    .sql
                    .map(|path| if path == Path::new("true") { out.with_extension("sql") } else { path }),
                ..Paths::beside(out, self.discrepancies, self.report, self.summary)
            },
            answers: if self.sandbox { Answers::Sandbox } else { Answers::Provider(self.endpoint) },
            rules: Rules { settle: settle(self.settle), tolerances: self.ledger.tolerances() },
            lang: self.lang,
            mask,
            mask_note,
            input,
            wire_format: self.wire_format,
            access: self.access.access(),
            record: self.record,
            offline: self.offline,
            refresh: self.refresh,
            rate: self.rate,
            burst,
            concurrency: self.concurrency,
            max_attempts: self.max_attempts,
            timeout: self.timeout,
            deadline: self.deadline,
            max_duration: self.max_duration,
            progress: self.progress,
            exit_code: self.exit_code,
            metrics_file: self.metrics_file,
            notify: notify.transpose()?,
        })
    }
}

/// How numbers are masked, and what is to be said of the key.
fn masking(how: Masking, key_file: Option<&Path>) -> Result<(MaskPhones, Option<String>)> {
    match (how, key_file) {
        (Masking::None, None) => Ok((MaskPhones::None, None)),
        (Masking::Partial, None) => Ok((MaskPhones::Partial, None)),
        (Masking::Token, Some(path)) => Ok((MaskPhones::Token(token_key(path)?), readable_by_others(path))),
        (Masking::Token, None) => {
            Err(Error::usage("--mask-phones token needs --mask-key-file").hint(MAKE_A_KEY))
        }
        (Masking::None | Masking::Partial, Some(_)) => {
            Err(Error::usage("--mask-key-file is only for --mask-phones token")
                .hint("add that, or leave the key out"))
        }
    }
}

const MAKE_A_KEY: &str = "make a key with `openssl rand -base64 32 > mask.key` and `chmod 600 mask.key`, and keep it: only the \
                          same key gives the same tokens";

fn token_key(path: &Path) -> Result<TokenKey> {
    let bytes = std::fs::read(path).map_err(|e| {
        Error::usage(format!("--mask-key-file {} cannot be read", path.display())).hint(MAKE_A_KEY).because(e)
    })?;
    // An editor ends a file with a line break; the key is the same with and without it.
    let key = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
    TokenKey::new(key.strip_suffix(b"\r").unwrap_or(key)).ok_or_else(|| {
        let least = TokenKey::BYTES_AT_LEAST;
        Error::usage(format!("--mask-key-file {} has fewer than {least} bytes", path.display()))
            .hint(MAKE_A_KEY)
    })
}

fn readable_by_others(path: &Path) -> Option<String> {
    let shown = path.display();
    credentials::readable_by_others(path)
        .then(|| format!("others can read the mask key {shown}; `chmod 600 {shown}` keeps it secret"))
}

fn settle(age: Duration) -> TimeDelta {
    TimeDelta::from_std(age).unwrap_or(TimeDelta::MAX)
}

fn product(text: &str) -> Result<ProductId, String> {
    ProductId::parse(text).ok_or_else(|| {
        let names: Vec<&str> = crate::call::PRODUCTS.iter().map(|(_, name)| *name).collect();
        format!("not a product; give its number or one of {}", names.join(", "))
    })
}

fn language(text: &str) -> Result<Lang, String> {
    Lang::parse(text).ok_or_else(|| "the report is in en or zh".into())
}

fn day(text: &str) -> Result<NaiveDate, String> {
    NaiveDate::parse_from_str(text, "%Y-%m-%d").map_err(|_| "not a day like 2026-11-16".into())
}

fn mapping(text: &str) -> Result<(String, String), String> {
    let (field, header) = text.split_once('=').ok_or("there is no `=`; write FIELD=HEADER")?;
    Ok((field.trim().to_owned(), header.to_owned()))
}

fn delimiter(text: &str) -> Result<u8, String> {
    match text {
        "," | ";" | "|" | "\t" => Ok(text.as_bytes()[0]),
        "tab" | "\\t" => Ok(b'\t'),
        _ => Err("not one of , ; | tab".into()),
    }
}

/// More than this many requests in flight would only fill the provider's queue.
const CONCURRENCY_AT_MOST: usize = 1_024;

fn concurrency(text: &str) -> Result<NonZeroUsize, String> {
    let wrong = || format!("not a whole number from 1 to {CONCURRENCY_AT_MOST}");
    text.parse().ok().filter(|n: &NonZeroUsize| n.get() <= CONCURRENCY_AT_MOST).ok_or_else(wrong)
}

fn wire_format(text: &str) -> Result<WireFormat, String> {
    let known = [WireFormat::Json, WireFormat::Xml].into_iter();
    let mut named = known.filter(|format| format.parameter().eq_ignore_ascii_case(text));
    named.next().ok_or_else(|| "not json and not xml".into())
}

fn length_of_time(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text).map_err(|e| format!("{e}; write 10s, 500ms, 6h30m"))?;
    if duration.is_zero() { Err("must be longer than nothing".into()) } else { Ok(duration) }
}

fn latency(text: &str) -> Result<(Duration, Duration), String> {
    let read = || {
        let (least, most) = text.split_once("..")?;
        let length = |text: &str| humantime::parse_duration(text.trim()).ok();
        Some((length(least)?, length(most)?)).filter(|(least, most)| least <= most)
    };
    read().ok_or_else(|| "write the least and the most, such as 20ms..400ms".into())
}

fn time_of_day(text: &str) -> Result<NaiveTime, String> {
    NaiveTime::parse_from_str(text, "%H:%M").map_err(|_| "not a time of day like 06:30".into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

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
    fn the_sandbox_alone_needs_no_ledger() {
        let cli = Cli::try_parse_from(["reconcile", "sandbox", "--latency", "20ms..1s"]).unwrap();
        let Action::Sandbox(alone) = cli.action().unwrap() else { panic!("not the sandbox") };
        assert_eq!((alone.port, alone.cap.to_string().as_str(), alone.plant), (8080, "100 per minute", 0));
        assert_eq!(alone.latency, (Duration::from_millis(20), Duration::from_secs(1)));
        for wrong in [["--latency", "1s..20ms"], ["--latency", "1s"], ["--plant", "2%"], ["--cap", "0/min"]] {
            assert!(Cli::try_parse_from([&["reconcile", "sandbox"][..], &wrong[..]].concat()).is_err());
        }
    }
}
