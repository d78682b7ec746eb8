//! Options that several commands share: credentials, ledger and store.

use std::path::{Path, PathBuf};

use chrono::NaiveDate;
use clap::Args;

use super::values;
use crate::ledger;
use crate::provider::credentials::Access;
use crate::store::StoreLocation;
use reconcile_core::compare::Tolerances;
use reconcile_core::product::ProductId;

/// The store's default name.
pub(super) const STORE: &str = "reconcile.db";
/// The default name of a store with simulated answers.
pub(super) const SANDBOX_STORE: &str = "reconcile.sandbox.db";

/// Which credentials to use, and how to reach the services that issue them.
#[derive(Debug, Clone, Args)]
pub(super) struct AccessArgs {
    /// Credentials profile, of `aliyun configure` or the SDKs [default: the provider's standard
    /// chain]
    #[arg(long, env = "RECONCILE_PROFILE", value_name = "NAME", help_heading = "Provider and cap")]
    profile: Option<String>,
    /// URL of the STS that issues keys for roles [default: the provider's, in the region of
    /// ALIBABA_CLOUD_STS_REGION]
    #[arg(
        long,
        env = "RECONCILE_STS_ENDPOINT",
        value_name = "URL",
        help_heading = "Provider and cap",
        hide_short_help = true
    )]
    sts_endpoint: Option<String>,
    /// PEM file of certificates to trust in addition to the system's
    #[arg(
        long,
        env = "RECONCILE_CA_FILE",
        value_name = "PATH",
        help_heading = "Provider and cap",
        hide_short_help = true
    )]
    ca_file: Option<PathBuf>,
    /// Allow http:// to other machines; phone numbers and signatures are then sent in clear text
    #[arg(long, env = "RECONCILE_INSECURE_HTTP", help_heading = "Provider and cap", hide_short_help = true)]
    insecure_http: bool,
}

impl AccessArgs {
    /// Whether `--insecure-http` was given.
    pub(super) fn insecure_http(&self) -> bool {
        self.insecure_http
    }

    pub(super) fn access(self) -> Access {
        let Self { profile, sts_endpoint, ca_file, insecure_http } = self;
        // An empty environment variable is no value.
        let profile = profile.filter(|name| !name.trim().is_empty());
        let sts_endpoint = sts_endpoint.filter(|url| !url.trim().is_empty());
        Access { profile, sts_endpoint, ca_file, insecure_http }
    }
}

/// How the ledger is read and compared.
#[derive(Debug, Clone, Args)]
pub struct LedgerArgs {
    /// Product of rows that name none: a number or a name, such as voice-notification
    ///
    /// The names are voice-notification, verification-code, ivr, click-to-dial, sip and
    /// smart-outbound.
    #[arg(long, env = "RECONCILE_PROD_ID", value_name = "ID", value_parser = values::product, help_heading = "Ledger")]
    prod_id: Option<ProductId>,
    /// Day (UTC+8) of rows that name no time
    #[arg(long, env = "RECONCILE_CALL_DATE", value_name = "YYYY-MM-DD", value_parser = values::day, help_heading = "Ledger", hide_short_help = true)]
    call_date: Option<NaiveDate>,
    /// Read FIELD from the column HEADER, or from no column with `FIELD=`; repeatable
    #[arg(long, env = "RECONCILE_MAP", value_name = "FIELD=HEADER", value_parser = values::mapping, help_heading = "Ledger")]
    map: Vec<(String, String)>,
    /// Field separator: `,` `;` `|` or tab [default: detected from the header]
    #[arg(long, env = "RECONCILE_DELIMITER", value_name = "CHARACTER", value_parser = values::delimiter, help_heading = "Ledger", hide_short_help = true)]
    delimiter: Option<u8>,
    /// Sheet of an Excel workbook [default: the first that is not hidden]
    #[arg(
        long,
        env = "RECONCILE_SHEET",
        value_name = "NAME",
        help_heading = "Ledger",
        hide_short_help = true
    )]
    sheet: Option<String>,
    /// Lines above the header row that are passed over
    #[arg(long, env = "RECONCILE_SKIP_LINES", value_name = "N", value_parser = values::whole_number::<u64>, default_value_t = 0, help_heading = "Ledger", hide_short_help = true)]
    skip_lines: u64,
    /// Largest difference between two talk times that still match
    #[arg(long, env = "RECONCILE_DURATION_TOLERANCE", value_name = "SECONDS", value_parser = values::whole_number::<u32>, default_value_t = 0, help_heading = "Ledger", hide_short_help = true)]
    duration_tolerance: u32,
    /// Largest difference between two times that still match
    #[arg(long, env = "RECONCILE_TIME_TOLERANCE", value_name = "SECONDS", value_parser = values::whole_number::<u32>, default_value_t = 0, help_heading = "Ledger", hide_short_help = true)]
    time_tolerance: u32,
}

impl LedgerArgs {
    pub(super) fn options(&self) -> ledger::Options {
        ledger::Options {
            several: None,
            prod_id: self.prod_id,
            call_date: self.call_date,
            accounts: Vec::new(),
            map: self.map.clone(),
            delimiter: self.delimiter,
            skip_lines: self.skip_lines,
            // An empty environment variable is no value.
            sheet: self.sheet.clone().filter(|name| !name.trim().is_empty()),
            now: None,
        }
    }

    pub(super) fn tolerances(&self) -> Tolerances {
        Tolerances { duration_s: i64::from(self.duration_tolerance), time_s: i64::from(self.time_tolerance) }
    }
}

/// The store of a command that is not a run.
#[derive(Debug, Clone, Args)]
pub struct StoreArgs {
    /// Store: a file, or postgres://USER@HOST/DATABASE [default: reconcile.db in this folder, else
    /// reconcile.sandbox.db]
    #[arg(long, env = "RECONCILE_STORE", value_name = "PATH")]
    store: Option<PathBuf>,
}

impl StoreArgs {
    /// The store; without the option, the default that exists.
    #[must_use]
    pub fn location(&self) -> StoreLocation {
        let default = || {
            let sandbox = PathBuf::from(SANDBOX_STORE);
            if sandbox.exists() && !Path::new(STORE).exists() { sandbox } else { STORE.into() }
        };
        StoreLocation::parse(&self.store.clone().unwrap_or_else(default))
    }
}
