//! The job's options → [`Settings`].

use std::num::{NonZeroU32, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{NaiveDate, NaiveTime, TimeDelta};
use clap::{ArgAction, Args, ValueEnum};

use super::values;
use crate::error::{Error, Result};
use crate::ledger;
use crate::output::{Lang, MaskPhones, Paths, TokenKey};
use crate::provider::WireFormat;
use crate::provider::credentials::{self, Access};
use crate::publish::Rules;
use crate::store::{ExpectedOrigin, Origin};
use crate::telemetry::notify;
use reconcile_core::compare::Tolerances;
use reconcile_core::product::ProductId;
use reconcile_core::rate::Rate;

/// Which credentials, and how the services are reached that give them.
#[derive(Debug, Clone, Args)]
pub(super) struct AccessArgs {
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
    pub(super) fn access(self) -> Access {
        let Self { profile, sts_endpoint, ca_file, insecure_http } = self;
        // A variable that is set to nothing asks for nothing.
        let profile = profile.filter(|name| !name.trim().is_empty());
        let sts_endpoint = sts_endpoint.filter(|url| !url.trim().is_empty());
        Access { profile, sts_endpoint, ca_file, insecure_http }
    }
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
    #[arg(long, env = "RECONCILE_PROD_ID", value_name = "ID", value_parser = values::product, help_heading = "Ledger")]
    prod_id: Option<ProductId>,
    /// Day (UTC+8) of rows that name no time
    #[arg(long, env = "RECONCILE_CALL_DATE", value_name = "YYYY-MM-DD", value_parser = values::day, help_heading = "Ledger")]
    call_date: Option<NaiveDate>,
    /// Read FIELD from the column HEADER; repeatable
    #[arg(long, env = "RECONCILE_MAP", value_name = "FIELD=HEADER", value_parser = values::mapping, help_heading = "Ledger")]
    map: Vec<(String, String)>,
    /// What separates the fields: `,` `;` `|` or tab [default: what the header has]
    #[arg(long, env = "RECONCILE_DELIMITER", value_name = "CHARACTER", value_parser = values::delimiter, help_heading = "Ledger")]
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
    pub(super) fn options(&self) -> ledger::Options {
        ledger::Options {
            prod_id: self.prod_id,
            call_date: self.call_date,
            map: self.map.clone(),
            delimiter: self.delimiter,
        }
    }

    pub(super) fn tolerances(&self) -> Tolerances {
        Tolerances { duration_s: i64::from(self.duration_tolerance), time_s: i64::from(self.time_tolerance) }
    }
}

/// All of them.
#[derive(Debug, Args)]
pub(super) struct JobArgs {
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
    #[arg(long, env = "RECONCILE_LANG", value_name = "LANG", value_parser = values::language, default_value = "en", help_heading = "Outputs")]
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
    #[arg(long, env = "RECONCILE_CONCURRENCY", value_name = "N", default_value = "16", value_parser = values::concurrency, help_heading = "Requests")]
    concurrency: NonZeroUsize,
    /// Tries of one call in one run, the first included
    #[arg(long, env = "RECONCILE_MAX_ATTEMPTS", value_name = "N", default_value_t = 6, value_parser = clap::value_parser!(u32).range(1..=100), help_heading = "Requests")]
    max_attempts: u32,
    /// One request, from connect to last byte
    #[arg(long, env = "RECONCILE_TIMEOUT", value_name = "DURATION", default_value = "10s", value_parser = values::length_of_time, help_heading = "Requests")]
    timeout: Duration,
    /// A call younger than this with no record is pending, not not_found
    #[arg(long, env = "RECONCILE_SETTLE", value_name = "DURATION", default_value = "5m", value_parser = humantime::parse_duration, help_heading = "Requests")]
    settle: Duration,
    /// Send nothing after the next HH:MM in this machine's time zone; what is left is deferred
    #[arg(long, env = "RECONCILE_DEADLINE", value_name = "HH:MM", value_parser = values::time_of_day, help_heading = "Requests")]
    deadline: Option<NaiveTime>,
    /// Send nothing after so long; what is left is deferred
    #[arg(long, env = "RECONCILE_MAX_DURATION", value_name = "DURATION", value_parser = values::length_of_time, help_heading = "Requests")]
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
    #[arg(long, env = "RECONCILE_WIRE_FORMAT", value_name = "json|xml", default_value = "json", value_parser = values::wire_format, help_heading = "Requests")]
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

pub(super) const STORE: &str = "reconcile.db";
pub(super) const SANDBOX_STORE: &str = "reconcile.sandbox.db";

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

impl Settings {
    /// Whose answers are expected. What is reached over plain HTTP may be a sandbox; the first answer tells. Where nobody is
    /// asked, what such a sandbox has filled is as good.
    #[must_use]
    pub fn expects(&self) -> ExpectedOrigin {
        match &self.answers {
            Answers::Sandbox => Origin::Sandbox.into(),
            Answers::Provider(url) if self.offline || url.starts_with("http://") => ExpectedOrigin::Either,
            Answers::Provider(_) => Origin::Provider.into(),
        }
    }
}

impl JobArgs {
    pub(super) fn settings(self) -> Result<Settings> {
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

pub(super) fn settle(age: Duration) -> TimeDelta {
    TimeDelta::from_std(age).unwrap_or(TimeDelta::MAX)
}
