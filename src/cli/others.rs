//! The options of everything but the job.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use super::job::{self, AccessArgs, LedgerArgs, SANDBOX_STORE, STORE};
use super::values;
use crate::publish::Rules;
use crate::{ledger, sandbox};
use reconcile_core::rate::Rate;

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
        Rules { settle: job::settle(self.settle), tolerances: self.ledger.tolerances() }
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
    #[arg(long, env = "RECONCILE_OLDER_THAN", value_name = "DURATION", value_parser = values::length_of_time)]
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

/// Whose credentials.
#[derive(Debug, Clone, Args)]
pub(super) struct WhoamiArgs {
    #[command(flatten)]
    pub(super) access: AccessArgs,
    /// As JSON
    #[arg(long, env = "RECONCILE_JSON")]
    pub(super) json: bool,
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
    #[arg(long, env = "RECONCILE_PLANT", value_name = "SHARE", default_value = "0%", value_parser = sandbox::parse_share, requires = "calls")]
    plant: sandbox::Share,
    /// Read FIELD of that ledger from the column HEADER; repeatable
    #[arg(long, env = "RECONCILE_MAP", value_name = "FIELD=HEADER", value_parser = values::mapping)]
    map: Vec<(String, String)>,
    /// What chance begins with: the same seed, the same faults
    #[arg(long, env = "RECONCILE_SEED", value_name = "N", default_value_t = 0)]
    seed: u64,
    /// How long an answer takes: 20ms..400ms
    #[arg(long, env = "RECONCILE_LATENCY", value_name = "MIN..MAX", default_value = "0s..0s", hide_default_value = true, value_parser = values::latency)]
    latency: (Duration, Duration),
}

impl From<SandboxArgs> for sandbox::ServeOptions {
    fn from(args: SandboxArgs) -> Self {
        let SandboxArgs { port, accounts, cap, faults, calls, plant, map, seed, latency } = args;
        Self { port, accounts, cap, faults, calls, map, plant, seed, latency }
    }
}
