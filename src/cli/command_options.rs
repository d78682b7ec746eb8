//! The options of the commands other than the job.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::common_options::{AccessArgs, LedgerArgs, StoreArgs};
use super::job_options::{ENDPOINT, Masking};
use super::mask_key::MaskSettings;
use super::money_tables::MoneyTables;
use super::{settings, values};
use crate::error::{Error, Result};
use crate::output::MaskPhones;
use crate::provider::credentials::ReadableFile;
use crate::publish::Rules;
use crate::store::StoreLocation;
use crate::{ledger, sandbox};
use reconcile_core::rate::Rate;

/// The options of `reconcile explain`.
#[derive(Debug, Clone, Args)]
pub struct ExplainArgs {
    /// The CallId
    #[arg(required_unless_present = "from")]
    pub call_id: Option<String>,
    /// Explain all calls of this discrepancy file, with its differences; --input is then not read
    ///
    /// With --json each call is an object on its own line.
    #[arg(long, env = "RECONCILE_FROM", value_name = "FILE", conflicts_with = "call_id")]
    pub from: Option<PathBuf>,
    /// The store.
    #[command(flatten)]
    pub store: StoreArgs,
    /// Ledger to compare with; adds the discrepancies of its rows
    #[arg(short, long, env = "RECONCILE_INPUT", value_name = "PATH")]
    pub input: Option<PathBuf>,
    #[command(flatten)]
    ledger: LedgerArgs,
    /// A call younger than this without a record is pending, an older one not_found
    #[arg(long, env = "RECONCILE_SETTLE", value_name = "DURATION", default_value = "5m", value_parser = values::age)]
    settle: Duration,
    /// URL that --json names for calls whose requests have none in the store (version 0.1)
    #[arg(long, env = "RECONCILE_ENDPOINT", value_name = "URL", default_value = ENDPOINT)]
    pub endpoint: String,
    /// Phone numbers in what is printed
    #[arg(long, env = "RECONCILE_MASK_PHONES", value_name = "HOW", value_enum, default_value_t)]
    mask_phones: Masking,
    /// Secret key of --mask-phones token: a file of at least 16 bytes
    #[arg(long, env = "RECONCILE_MASK_KEY_FILE", value_name = "PATH")]
    mask_key_file: Option<PathBuf>,
    /// Print JSON
    #[arg(long, env = "RECONCILE_JSON")]
    pub json: bool,
}

impl ExplainArgs {
    /// How the ledger is read.
    #[must_use]
    pub fn ledger(&self) -> ledger::Options {
        self.ledger.options()
    }

    /// How phone numbers are printed, and a warning about the key file.
    ///
    /// # Errors
    ///
    /// Exit 2 when the options contradict each other or the key cannot be used.
    pub(crate) fn mask(&self) -> Result<(MaskPhones, Option<ReadableFile>)> {
        let MaskSettings { mask, note } = MaskSettings::new(self.mask_phones, self.mask_key_file.as_deref())?;
        Ok((mask, note))
    }

    /// The rules that decide status and discrepancies.
    #[must_use]
    pub fn rules(&self) -> Rules {
        Rules { settle: settings::settle(self.settle), tolerances: self.ledger.tolerances() }
    }
}

/// The options of `reconcile resolutions`.
#[derive(Debug, Clone, Args)]
pub struct ResolutionsArgs {
    /// Discrepancy file of a run: .csv, .jsonl, .parquet or .xlsx
    #[arg(long, env = "RECONCILE_FROM", value_name = "FILE")]
    pub from: PathBuf,
    /// File of resolutions whose decisions are kept
    #[arg(long, env = "RECONCILE_RESOLUTIONS", value_name = "FILE")]
    pub resolutions: Option<PathBuf>,
    /// File to write; it may be the one of --resolutions [default: standard output]
    #[arg(long, env = "RECONCILE_TO", value_name = "FILE")]
    pub to: Option<PathBuf>,
}

/// The options of `reconcile diff`.
#[derive(Debug, Clone, Args)]
pub struct DiffArgs {
    /// The earlier run: its summary, such as details.summary.json, or its discrepancy file; or its
    /// id or the first 8 characters of it, if there is no such file
    #[arg(value_name = "A")]
    pub before: PathBuf,
    /// The later run
    #[arg(value_name = "B")]
    pub after: PathBuf,
    /// The store that knows the run ids.
    #[command(flatten)]
    pub store: StoreArgs,
    /// CSV file of all new, resolved and changed discrepancies, with the values of both runs
    #[arg(long, env = "RECONCILE_TO", value_name = "FILE")]
    pub to: Option<PathBuf>,
    /// Exit 1 if a discrepancy is new or changed
    #[arg(long, env = "RECONCILE_EXIT_CODE")]
    pub exit_code: bool,
    /// Print JSON
    #[arg(long, env = "RECONCILE_JSON")]
    pub json: bool,
}

/// The options of `reconcile export`.
#[derive(Debug, Clone, Args)]
pub struct ExportArgs {
    /// Folder of the export; new files are added to it, and no file is changed
    #[arg(long, env = "RECONCILE_TO", value_name = "PATH")]
    pub to: PathBuf,
    /// The store.
    #[command(flatten)]
    pub store: StoreArgs,
    /// Only `none` is possible: an export holds the provider's answers as they came.
    ///
    /// An installation that masks phone numbers by its environment or file must not export them by
    /// accident.
    #[arg(long, env = "RECONCILE_MASK_PHONES", value_enum, default_value_t, hide = true)]
    mask_phones: Masking,
}

impl ExportArgs {
    /// Refuses to export phone numbers that are to be masked.
    ///
    /// # Errors
    ///
    /// Exit 2.
    pub(super) fn check(&self) -> Result<()> {
        if self.mask_phones == Masking::None {
            return Ok(());
        }
        Err(Error::usage("an export cannot mask phone numbers: it holds the provider's answers as they came")
            .hint("add --mask-phones none, and let only those read the folder who may read the store"))
    }
}

/// The commands of `reconcile store`.
#[derive(Debug, Clone, Subcommand)]
pub(super) enum StoreCommand {
    /// Copy a store into an empty one, verify the copy, and retire the source
    ///
    /// The source and the target may each be a file or a database. No run may use them meanwhile. A
    /// copy that was interrupted is continued by the same command. Afterwards no run uses the
    /// source: with both in use, the cap would count double.
    Copy(CopyArgs),
}

/// The options of `reconcile store copy`.
#[derive(Debug, Clone, Args)]
pub struct CopyArgs {
    /// Store to copy: a file, or postgres://…
    #[arg(long, env = "RECONCILE_COPY_FROM", value_name = "STORE", value_parser = values::store)]
    pub from: StoreLocation,
    /// New store: a file, or postgres://…
    #[arg(long, env = "RECONCILE_COPY_TO", value_name = "STORE", value_parser = values::store)]
    pub to: StoreLocation,
}

/// The options of `reconcile verify-cap`.
#[derive(Debug, Clone, Args)]
pub struct VerifyCapArgs {
    /// The store.
    #[command(flatten)]
    pub store: StoreArgs,
    /// Print JSON
    #[arg(long, env = "RECONCILE_JSON")]
    pub json: bool,
}

/// The options of `reconcile purge`.
#[derive(Debug, Clone, Args)]
pub struct PurgeArgs {
    /// Delete calls made longer ago than this: 90d, 12w, 1year
    #[arg(long, env = "RECONCILE_OLDER_THAN", value_name = "DURATION", value_parser = values::duration)]
    pub older_than: Duration,
    /// The store.
    #[command(flatten)]
    pub store: StoreArgs,
}

/// The options of `reconcile forget`.
#[derive(Debug, Clone, Args)]
pub struct ForgetArgs {
    /// The phone number, with or without +86, spaces and hyphens
    pub number: String,
    /// Folder of `reconcile export`; names its files in which the number still is
    #[arg(long, env = "RECONCILE_EXPORTS", value_name = "PATH")]
    pub exports: Option<PathBuf>,
    /// The store.
    #[command(flatten)]
    pub store: StoreArgs,
}

/// The options of `reconcile whoami`.
#[derive(Debug, Clone, Args)]
pub(super) struct WhoamiArgs {
    #[command(flatten)]
    pub(super) access: AccessArgs,
    /// Print JSON
    #[arg(long, env = "RECONCILE_JSON")]
    pub(super) json: bool,
}

/// The options of `reconcile sandbox`.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = sandbox::faults_help())]
pub struct SandboxArgs {
    /// Port to listen on; 0 takes a free one
    #[arg(long, env = "RECONCILE_PORT", value_parser = values::port, default_value_t = 8080)]
    port: u16,
    /// TOML file with one `access-key-id = "secret"` a line [default: testid with testsecret]
    ///
    /// A temporary key is a table: `access-key-id = { secret = "…", token = "…", expires = "1h" }`.
    /// `inactive = true` disables a key, `denied = true` takes its permission.
    #[arg(long, env = "RECONCILE_ACCOUNTS", value_name = "FILE")]
    accounts: Option<PathBuf>,
    /// Cap of each key: 100/min, 100/s, 25/15s
    #[arg(long, env = "RECONCILE_CAP", value_name = "N/UNIT", default_value = "100/min", value_parser = values::rate)]
    cap: Rate,
    /// Faults by name and share, such as 503=2%,cut=0.5%,late=30s; or a scenario file ending in
    /// .toml
    #[arg(long, env = "RECONCILE_FAULTS", value_name = "SPEC")]
    faults: Option<String>,
    /// Known calls: a ledger, for which matching records are simulated, or a recording of --record
    #[arg(long, env = "RECONCILE_CALLS", value_name = "FILE")]
    calls: Option<PathBuf>,
    /// Share of the calls of --calls whose records disagree with the ledger: 2%
    #[arg(long, env = "RECONCILE_PLANT", value_name = "SHARE", default_value = "0%", value_parser = sandbox::parse_share, requires = "calls")]
    plant: sandbox::Share,
    /// Read FIELD of the ledger of --calls from the column HEADER; repeatable
    #[arg(long, env = "RECONCILE_MAP", value_name = "FIELD=HEADER", value_parser = values::mapping)]
    map: Vec<(String, String)>,
    /// Write the provider's bill of the known calls by day and product, by the tariffs of --config
    #[arg(long, env = "RECONCILE_BILL_OUT", value_name = "FILE")]
    bill_out: Option<PathBuf>,
    /// Write receipts of the known calls as JSON lines
    #[arg(long, env = "RECONCILE_RECEIPTS_OUT", value_name = "FILE")]
    receipts_out: Option<PathBuf>,
    /// Seed of the random numbers; the same seed gives the same faults
    #[arg(long, env = "RECONCILE_SEED", value_name = "N", value_parser = values::whole_number::<u64>, default_value_t = 0)]
    seed: u64,
    /// Time that an answer takes: 20ms..400ms
    #[arg(long, env = "RECONCILE_LATENCY", value_name = "MIN..MAX", default_value = "0s..0s", hide_default_value = true, value_parser = values::latency)]
    latency: (Duration, Duration),
}

impl SandboxArgs {
    /// The sandbox's options. `money` are the tables of the configuration file.
    pub(super) fn options(self, money: MoneyTables) -> sandbox::ServeOptions {
        let Self { port, accounts, cap, faults, calls, plant, map, bill_out, receipts_out, seed, latency } =
            self;
        let MoneyTables { tariffs, items } = money;
        let bill = bill_out.map(|path| sandbox::BillOut { path, tariffs, items });
        sandbox::ServeOptions {
            port,
            accounts,
            cap,
            faults,
            calls,
            map,
            plant,
            bill,
            receipts_out,
            seed,
            latency,
        }
    }
}
