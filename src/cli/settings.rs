//! The settings of a job, validated. Everything below the command line reads these.

use std::path::PathBuf;
use std::time::Duration;

use chrono::{NaiveTime, TimeDelta};

use super::accounts::Accounts;
use super::job_options::ShowProgress;
use super::money_tables::MoneyTables;
use super::stand_by::StandBy;
use super::usable_rows::UsableRows;
use crate::fetch::Concurrency;
use crate::http_client::is_plain_http;
use crate::ledger;
use crate::output::{Lang, MaskPhones, Paths};
use crate::provider::WireFormat;
use crate::provider::credentials::{Access, ReadableFile};
use crate::publish::Rules;
use crate::store::{ExpectedOrigin, Origin, StoreLocation};
use crate::telemetry::metrics::MetricsTargets;
use crate::telemetry::notify;
use crate::telemetry::push::PushTarget;
use crate::zone::Zone;
use reconcile_core::materiality::Limit;
use reconcile_core::receipt::ReceiptsTrust;

/// Where the answers come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answers {
    /// A provider at this URL.
    Provider(String),
    /// The provider simulated inside this process.
    Sandbox,
}

/// The settings of a job, validated.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The configuration file.
    pub config: Option<PathBuf>,
    /// The files of the ledger; `-` is standard input.
    pub inputs: Vec<PathBuf>,
    /// How the ledger is read.
    pub ledger: ledger::Options,
    /// How many rows of the ledger the run needs.
    pub usable_rows: UsableRows,
    /// The paths of the outputs.
    pub outputs: Paths,
    /// The report's language.
    pub lang: Lang,
    /// How phone numbers appear in the data files.
    pub mask: MaskPhones,
    /// The file with the key of masked numbers.
    pub mask_key: Option<PathBuf>,
    /// Warnings about files with secrets that others can read.
    pub secret_notes: Vec<ReadableFile>,
    /// The store.
    pub store: StoreLocation,
    /// Where the answers come from.
    pub answers: Answers,
    /// The format requested for answers.
    pub wire_format: WireFormat,
    /// Which credentials to use, and how to reach the services that issue them.
    pub access: Access,
    /// The file in which answers are recorded.
    pub record: Option<PathBuf>,
    /// Send nothing; use only stored answers.
    pub offline: bool,
    /// Ask again even for settled calls.
    pub refresh: bool,
    /// Final records younger than this are looked at again.
    pub recheck: Option<Duration>,
    /// The percentage of all other final records that is looked at again.
    pub recheck_sample: Option<f64>,
    /// The accounts that are asked, each with its cap.
    pub accounts: Accounts,
    /// Requests in flight at once, of each account.
    pub concurrency: Concurrency,
    /// Attempts for one call in one run, the first included.
    pub max_attempts: u32,
    /// Timeout of one request.
    pub timeout: Duration,
    /// The rules that decide status and discrepancies.
    pub rules: Rules,
    /// Time of day, in the time zone below, after which nothing is sent.
    pub deadline: Option<NaiveTime>,
    /// The zone of the deadline.
    pub timezone: Zone,
    /// Time from the start after which nothing is sent.
    pub max_duration: Option<Duration>,
    /// How long the run stands by while another one holds the store; `None` if it does not.
    pub stand_by: Option<StandBy>,
    /// When progress is shown.
    pub progress: ShowProgress,
    /// Exit 1 if there are unsettled discrepancies.
    pub exit_code: bool,
    /// Exit 1 only if the discrepancies are above one of these.
    pub fail_above: Vec<Limit>,
    /// The file of resolutions.
    pub resolutions: Option<PathBuf>,
    /// The tariffs, and the products of billing items.
    pub money: MoneyTables,
    /// Files and folders with receipts.
    pub receipts: Vec<PathBuf>,
    /// How far receipts are trusted.
    pub receipts_trust: ReceiptsTrust,
    /// The files of the provider's bill.
    pub bills: Vec<PathBuf>,
    /// The Prometheus text file.
    pub metrics_file: Option<PathBuf>,
    /// Where the metrics are pushed to.
    pub metrics_push: Option<PushTarget>,
    /// Where the result of the run is posted.
    pub notify: Option<notify::Target>,
    /// The file with the secret that signs the notification.
    pub notify_secret: Option<PathBuf>,
}

impl Settings {
    /// Where the metrics go to.
    #[must_use]
    pub fn metrics(&self) -> MetricsTargets<'_> {
        MetricsTargets {
            file: self.metrics_file.as_deref(),
            push: self.metrics_push.as_ref(),
            ca_file: self.access.ca_file.as_deref(),
        }
    }

    /// Whose answers the store may hold. A provider over plain HTTP may be a sandbox, which its
    /// first answer shows. Offline, a store filled by such a sandbox can be used as well.
    #[must_use]
    pub fn expects(&self) -> ExpectedOrigin {
        match &self.answers {
            Answers::Sandbox => Origin::Sandbox.into(),
            Answers::Provider(url) if self.offline || is_plain_http(url) => ExpectedOrigin::Either,
            Answers::Provider(_) => Origin::Provider.into(),
        }
    }
}

/// The age up to which a call without a record is pending.
pub(super) fn settle(age: Duration) -> TimeDelta {
    TimeDelta::from_std(age).unwrap_or(TimeDelta::MAX)
}
