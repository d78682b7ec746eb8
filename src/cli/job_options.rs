//! The job's options. `-h` shows the most used ones, `--help` all.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use chrono::NaiveTime;
use clap::{ArgAction, Args, ValueEnum};

use super::accounts::AccountArgs;
use super::common_options::{AccessArgs, LedgerArgs};
use super::notify_options::NotifyArgs;
use super::stand_by::WaitValue;
use super::usable_rows::MaxUnusable;
use super::values::{self, SqlFile};
use crate::fetch::Concurrency;
use crate::output::Lang;
use crate::provider::WireFormat;
use reconcile_core::materiality::Limit;
use reconcile_core::rate::Rate;
use reconcile_core::receipt::ReceiptsTrust;

/// When progress is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum ShowProgress {
    /// A bar on a terminal, else a line each minute; nothing with --quiet
    #[default]
    Auto,
    /// The same, even with --quiet
    Always,
    /// No progress
    Never,
}

/// What the details may be partitioned by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(super) enum PartitionBy {
    /// The day on which a call was found, else the day that was asked for
    CallDate,
}

/// The provider's URL.
pub(super) const ENDPOINT: &str = "https://dyvmsapi.aliyuncs.com";

/// How phone numbers appear in the data files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Masking {
    /// In full
    #[default]
    None,
    /// 138****5678
    Partial,
    /// A token; equal numbers have equal tokens under the same key
    Token,
}

/// Whether the CSV files begin with a byte order mark.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum CsvBom {
    /// If the ledger has one, is not UTF-8, or is a workbook
    #[default]
    Auto,
    /// Always; Excel then shows Chinese text correctly
    Always,
    /// Never
    Never,
}

/// All options of the job.
#[derive(Debug, Args)]
pub(super) struct JobArgs {
    /// Ledger: CSV (also .gz or .zst), .xlsx or Parquet; `-` is standard input, s3://BUCKET/KEY and
    /// oss://BUCKET/KEY are objects of a bucket; several files are read as one ledger
    #[arg(short, long, required = true, env = "RECONCILE_INPUT", value_name = "PATH")]
    pub(super) input: Vec<PathBuf>,
    /// Parquet file for the call details; the other outputs are written beside it. With
    /// s3://BUCKET/FOLDER or oss://BUCKET/FOLDER the run is published there
    #[arg(short, long, required = true, env = "RECONCILE_OUT", value_name = "PATH")]
    pub(super) out: Option<PathBuf>,

    #[command(flatten)]
    pub(super) ledger: LedgerArgs,
    /// Accept a ledger without any row; without this option it ends the run with exit 2
    #[arg(long, env = "RECONCILE_ALLOW_EMPTY", help_heading = "Ledger", hide_short_help = true)]
    pub(super) allow_empty: bool,
    /// Most unusable rows: a number, or a share such as 5%; more end the run with exit 2 before
    /// anything is sent [default: 10 rows or 5%, whichever is more]
    #[arg(long, env = "RECONCILE_MAX_UNUSABLE", value_name = "N|P%", value_parser = MaxUnusable::parse, help_heading = "Ledger", hide_short_help = true)]
    pub(super) max_unusable: Option<MaxUnusable>,

    /// Decisions on discrepancies: a CSV or .xlsx file, which `reconcile resolutions` makes
    #[arg(
        long,
        env = "RECONCILE_RESOLUTIONS",
        value_name = "FILE",
        help_heading = "Ledger",
        hide_short_help = true
    )]
    pub(super) resolutions: Option<PathBuf>,
    /// The provider's bill by day and billing item: CSV or .xlsx; repeatable
    ///
    /// It is compared with the calls as sums by day and product. The tables `[tariff."PRODUCT"]`
    /// and `[bill]` of the configuration file give prices, and the products of billing items.
    #[arg(
        long,
        env = "RECONCILE_BILL",
        value_name = "FILE",
        help_heading = "Ledger",
        hide_short_help = true
    )]
    pub(super) bill: Vec<PathBuf>,
    /// Receipts that the provider pushed (VoiceReport): a file or a folder; repeatable
    ///
    /// A receipt answers its call without a request, and shows calls that the ledger lacks.
    #[arg(
        long,
        env = "RECONCILE_RECEIPTS",
        value_name = "PATH",
        help_heading = "Ledger",
        hide_short_help = true
    )]
    pub(super) receipts: Vec<PathBuf>,
    /// How far receipts are trusted: `full`; `sample=2%`, which still asks for this share of the
    /// calls with a receipt; or `none`, which only looks for calls that the ledger lacks
    #[arg(
        long,
        env = "RECONCILE_RECEIPTS_TRUST",
        value_name = "TRUST",
        value_parser = values::receipts_trust,
        default_value_t = ReceiptsTrust::DEFAULT,
        help_heading = "Ledger",
        hide_short_help = true
    )]
    pub(super) receipts_trust: ReceiptsTrust,

    /// Discrepancies as .csv, .jsonl, .parquet or .xlsx [default: --out with the ending
    /// .discrepancies.csv]
    #[arg(
        long,
        env = "RECONCILE_DISCREPANCIES",
        value_name = "PATH",
        help_heading = "Outputs",
        hide_short_help = true
    )]
    pub(super) discrepancies: Option<PathBuf>,
    /// Also write a workbook for Excel and WPS (.xlsx): the night, all discrepancies, and a sheet
    /// for each kind
    #[arg(
        long,
        env = "RECONCILE_XLSX",
        value_name = "PATH",
        help_heading = "Outputs",
        hide_short_help = true
    )]
    pub(super) xlsx: Option<PathBuf>,
    /// HTML report [default: --out with the ending .report.html]
    #[arg(
        long,
        env = "RECONCILE_REPORT",
        value_name = "PATH",
        help_heading = "Outputs",
        hide_short_help = true
    )]
    pub(super) report: Option<PathBuf>,
    /// JSON summary [default: --out with the ending .summary.json]
    #[arg(
        long,
        env = "RECONCILE_SUMMARY",
        value_name = "PATH",
        help_heading = "Outputs",
        hide_short_help = true
    )]
    pub(super) summary: Option<PathBuf>,
    /// Write the details as a folder with a subfolder for each day; --out names the folder
    #[arg(
        long,
        env = "RECONCILE_PARTITION_BY",
        value_name = "COLUMN",
        value_enum,
        help_heading = "Outputs",
        hide_short_help = true
    )]
    pub(super) partition_by: Option<PartitionBy>,
    /// DuckDB views for the report's tables [default PATH, also for `true`: --out with the ending
    /// .sql; `false` writes none]
    #[arg(
        long,
        env = "RECONCILE_SQL",
        value_name = "PATH",
        num_args = 0..=1,
        default_missing_value = "true",
        value_parser = values::sql_file,
        help_heading = "Outputs",
        hide_short_help = true
    )]
    pub(super) sql: Option<SqlFile>,
    /// Byte order mark of the CSV files; Excel needs it for Chinese text
    #[arg(
        long,
        env = "RECONCILE_CSV_BOM",
        value_name = "WHEN",
        value_enum,
        default_value_t,
        help_heading = "Outputs",
        hide_short_help = true
    )]
    pub(super) csv_bom: CsvBom,
    /// Write a ' before text cells of the CSV discrepancies that a spreadsheet would take for
    /// formulas
    #[arg(long, env = "RECONCILE_CSV_GUARD", help_heading = "Outputs", hide_short_help = true)]
    pub(super) csv_guard: bool,
    /// Report language: en or zh
    #[arg(long, env = "RECONCILE_LANG", value_name = "LANG", value_parser = values::language, default_value = "en", help_heading = "Outputs")]
    pub(super) lang: Lang,
    /// Phone numbers in the data files; logs, errors and the report always mask them
    #[arg(
        long,
        env = "RECONCILE_MASK_PHONES",
        value_name = "HOW",
        value_enum,
        default_value_t,
        help_heading = "Outputs"
    )]
    pub(super) mask_phones: Masking,
    /// Secret key of --mask-phones token: a file of at least 16 bytes
    #[arg(
        long,
        env = "RECONCILE_MASK_KEY_FILE",
        value_name = "PATH",
        help_heading = "Outputs",
        hide_short_help = true
    )]
    pub(super) mask_key_file: Option<PathBuf>,

    /// Cap: at most N requests in any window of that length (100/min, 100/s, 6000/h, 25/15s)
    #[arg(long, env = "RECONCILE_RATE", value_name = "N/UNIT", default_value = "100/min", value_parser = values::rate, help_heading = "Provider and cap")]
    pub(super) rate: Rate,
    /// Requests that may go back to back; 1 spaces them evenly [default: the cap's N]
    #[arg(long, env = "RECONCILE_BURST", value_name = "N", value_parser = values::burst, help_heading = "Provider and cap", hide_short_help = true)]
    pub(super) burst: Option<NonZeroU32>,
    /// Requests in flight at once; auto is as many as the cap needs, 4 to 256
    #[arg(long, env = "RECONCILE_CONCURRENCY", value_name = "auto|N", default_value = "auto", value_parser = values::concurrency, help_heading = "Provider and cap", hide_short_help = true)]
    pub(super) concurrency: Concurrency,
    /// Attempts for one call in one run, the first included
    #[arg(long, env = "RECONCILE_MAX_ATTEMPTS", value_name = "N", default_value_t = 6, value_parser = values::attempts, help_heading = "Provider and cap", hide_short_help = true)]
    pub(super) max_attempts: u32,
    /// Timeout of one request, from connect to last byte
    #[arg(long, env = "RECONCILE_TIMEOUT", value_name = "DURATION", default_value = "10s", value_parser = values::timeout, help_heading = "Provider and cap", hide_short_help = true)]
    pub(super) timeout: Duration,
    /// URL of the provider
    #[arg(
        long,
        env = "RECONCILE_ENDPOINT",
        value_name = "URL",
        default_value = ENDPOINT,
        help_heading = "Provider and cap",
        hide_short_help = true
    )]
    pub(super) endpoint: String,
    /// Format requested for answers
    #[arg(long, env = "RECONCILE_WIRE_FORMAT", value_name = "json|xml", default_value = "json", value_parser = values::wire_format, help_heading = "Provider and cap", hide_short_help = true)]
    pub(super) wire_format: WireFormat,
    #[command(flatten)]
    pub(super) access: AccessArgs,
    #[command(flatten)]
    pub(super) accounts: AccountArgs,
    /// Record the answers in FILE for `reconcile sandbox --calls FILE`; replaces phone numbers
    #[arg(
        long,
        env = "RECONCILE_RECORD",
        value_name = "FILE",
        conflicts_with = "offline",
        help_heading = "Provider and cap",
        hide_short_help = true
    )]
    pub(super) record: Option<PathBuf>,
    /// Use a provider simulated inside this process; needs no credentials
    ///
    /// It enforces the cap of --rate.
    #[arg(long, env = "RECONCILE_SANDBOX", conflicts_with = "endpoint", help_heading = "Provider and cap")]
    pub(super) sandbox: bool,

    /// Send nothing after the next HH:MM (UTC+8, or --timezone); the rest is deferred
    #[arg(long, env = "RECONCILE_DEADLINE", value_name = "HH:MM", value_parser = values::time_of_day, help_heading = "Run")]
    pub(super) deadline: Option<NaiveTime>,
    /// Send nothing after this time from the start; the rest is deferred
    #[arg(long, env = "RECONCILE_MAX_DURATION", value_name = "DURATION", value_parser = values::duration, help_heading = "Run", hide_short_help = true)]
    pub(super) max_duration: Option<Duration>,
    /// A call younger than this without a record is pending, an older one not_found
    #[arg(long, env = "RECONCILE_SETTLE", value_name = "DURATION", default_value = "5m", value_parser = values::age, help_heading = "Run", hide_short_help = true)]
    pub(super) settle: Duration,
    /// Store of all requests and answers: a file, or postgres://USER@HOST/DATABASE [default:
    /// reconcile.db beside --out, or reconcile.sandbox.db with --sandbox; required if --out is in
    /// object storage]
    #[arg(
        long,
        env = "RECONCILE_STORE",
        value_name = "PATH|URL",
        help_heading = "Run",
        hide_short_help = true
    )]
    pub(super) store: Option<PathBuf>,
    /// Stand by while another run holds the store or its ledger, instead of exit 5, and while the
    /// store's database is away; DURATION limits this
    ///
    /// --deadline and --max-duration include this time.
    #[arg(
        long,
        env = "RECONCILE_WAIT",
        value_name = "DURATION",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        value_parser = WaitValue::parse,
        help_heading = "Run",
        hide_short_help = true
    )]
    pub(super) wait: Option<WaitValue>,
    /// Ask again for every call, even if its final record or permanent error is stored
    #[arg(
        long,
        env = "RECONCILE_REFRESH",
        conflicts_with = "offline",
        help_heading = "Run",
        hide_short_help = true
    )]
    pub(super) refresh: bool,
    /// Look again at final records younger than this (3d), with what the cap leaves over; a changed
    /// one is `amended`
    ///
    /// The run asks for all its own calls first, then for open calls of earlier ledgers. A run that
    /// ends before all records were looked at is complete nevertheless.
    #[arg(long, env = "RECONCILE_RECHECK", value_name = "DURATION", value_parser = values::duration, help_heading = "Run", hide_short_help = true)]
    pub(super) recheck: Option<Duration>,
    /// Look again at this share of all other final records of the store, for example 1%
    #[arg(long, env = "RECONCILE_RECHECK_SAMPLE", value_name = "P%", value_parser = values::percent, help_heading = "Run", hide_short_help = true)]
    pub(super) recheck_sample: Option<f64>,
    /// Send nothing; use only stored answers
    #[arg(long, env = "RECONCILE_OFFLINE", help_heading = "Run", hide_short_help = true)]
    pub(super) offline: bool,
    /// Exit 1 above this: 30min at stake, 0.5% of the calls, or a number of rows; repeatable
    ///
    /// A duration is the talk time at stake. A share is that of differing and missing calls. A
    /// number is that of open and disputed discrepancies. Settled ones never count.
    #[arg(long, env = "RECONCILE_FAIL_ABOVE", value_name = "DURATION|P%|N", value_parser = values::limit, help_heading = "Run", hide_short_help = true)]
    pub(super) fail_above: Vec<Limit>,
    /// Exit 1 if there are open or disputed discrepancies
    #[arg(long, env = "RECONCILE_EXIT_CODE", action = ArgAction::SetTrue, help_heading = "Run")]
    pub(super) exit_code: bool,

    /// Progress on standard error
    #[arg(
        long,
        env = "RECONCILE_PROGRESS",
        value_name = "WHEN",
        value_enum,
        default_value_t,
        help_heading = "Monitoring",
        hide_short_help = true
    )]
    pub(super) progress: ShowProgress,
    /// Prometheus text file of the run, written at its start, every minute and at its end
    #[arg(
        long,
        env = "RECONCILE_METRICS_FILE",
        value_name = "PATH",
        help_heading = "Monitoring",
        hide_short_help = true
    )]
    pub(super) metrics_file: Option<PathBuf>,
    /// Also push the metrics to the Prometheus Pushgateway at this URL; user:password@ is possible
    #[arg(
        long,
        env = "RECONCILE_METRICS_PUSH",
        value_name = "URL",
        hide_env_values = true,
        help_heading = "Monitoring",
        hide_short_help = true
    )]
    pub(super) metrics_push: Option<String>,
    #[command(flatten)]
    pub(super) notify: NotifyArgs,
}
