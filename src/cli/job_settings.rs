//! Turns the job's options into [`Settings`].

use std::path::{Path, PathBuf};

use super::common_options::{SANDBOX_STORE, STORE};
use super::job_options::{CsvBom, JobArgs};
use super::mask_key::MaskSettings;
use super::money_tables::MoneyTables;
use super::notify_options::NotifySettings;
use super::object_outputs;
use super::settings::{Answers, Settings, settle};
use super::stand_by::WaitValue;
use super::usable_rows::UsableRows;
use crate::error::{Error, Result};
use crate::ledger;
use crate::output::{ByteOrderMark, CsvForm, Paths};
use crate::publish::Rules;
use crate::store::StoreLocation;
use crate::telemetry::push::PushTarget;
use crate::zone::Zone;

impl JobArgs {
    /// The settings. `config` is the configuration file that the options may be from, `money` its
    /// tables about money, `timezone` the zone of the deadline.
    ///
    /// # Errors
    ///
    /// Exit 2 when an option is missing, or options contradict each other.
    pub(super) fn settings(
        self,
        config: Option<PathBuf>,
        money: MoneyTables,
        timezone: Zone,
    ) -> Result<Settings> {
        let inputs = self.input.clone();
        let first = inputs.first().ok_or_else(|| missing("--input"))?.clone();
        inputs.iter().try_for_each(|input| object_outputs::check_input(input))?;
        let out = self.out.clone().ok_or_else(|| missing("--out"))?;
        let (store, outputs) = (self.store_location(&out), self.output_paths(&out)?);
        let metrics_push = self.push_target(&first)?;
        let needs_profiles = !self.sandbox && !self.offline;
        let accounts = self.accounts.clone().accounts(self.rate, self.burst, needs_profiles)?;
        let NotifySettings { target: notify, secret_file: notify_secret, note: notify_note } =
            self.notify.settings(self.lang, self.access.insecure_http())?;
        let MaskSettings { mask, note: mask_note } =
            MaskSettings::new(self.mask_phones, self.mask_key_file.as_deref())?;
        Ok(Settings {
            config,
            ledger: ledger::Options { accounts: accounts.names_in_ledger(), ..self.ledger.options() },
            usable_rows: UsableRows { allow_empty: self.allow_empty, max_unusable: self.max_unusable },
            store,
            outputs,
            answers: if self.sandbox { Answers::Sandbox } else { Answers::Provider(self.endpoint) },
            rules: Rules { settle: settle(self.settle), tolerances: self.ledger.tolerances() },
            lang: self.lang,
            mask,
            secret_notes: [mask_note, notify_note].into_iter().flatten().collect(),
            mask_key: self.mask_key_file,
            inputs,
            wire_format: self.wire_format,
            access: self.access.access(),
            record: self.record,
            offline: self.offline,
            refresh: self.refresh,
            recheck: self.recheck,
            recheck_sample: self.recheck_sample,
            accounts,
            concurrency: self.concurrency,
            max_attempts: self.max_attempts,
            timeout: self.timeout,
            deadline: self.deadline,
            timezone,
            max_duration: self.max_duration,
            stand_by: self.wait.and_then(WaitValue::stand_by),
            progress: self.progress,
            exit_code: self.exit_code,
            fail_above: self.fail_above,
            resolutions: self.resolutions,
            money,
            receipts: self.receipts,
            receipts_trust: self.receipts_trust,
            bills: self.bill,
            metrics_file: self.metrics_file,
            metrics_push,
            notify,
            notify_secret,
        })
    }

    /// Where metrics are pushed to; they are grouped by the first file of the ledger.
    fn push_target(&self, first: &Path) -> Result<Option<PushTarget>> {
        let parse = |url: &str| PushTarget::parse(url, first, self.access.insecure_http());
        self.metrics_push.as_deref().map(parse).transpose()
    }
}

fn missing(name: &str) -> Error {
    Error::usage(format!("{name} is missing")).hint("`reconcile --help` shows all options")
}

impl JobArgs {
    /// The paths of the outputs.
    ///
    /// # Errors
    ///
    /// Exit 2 if the run is published in object storage, and an option does not fit.
    fn output_paths(&self, out: &Path) -> Result<Paths> {
        let in_bucket = object_outputs::parse("--out", out)?;
        let in_bucket = in_bucket.map(|url| object_outputs::paths(self, url)).transpose()?;
        let files = || Paths {
            workbook: self.xlsx.clone(),
            sql: self.sql.clone().and_then(|sql| sql.path(out)),
            ..Paths::beside(
                out.to_owned(),
                self.discrepancies.clone(),
                self.report.clone(),
                self.summary.clone(),
            )
        };
        Ok(Paths {
            by_day: self.partition_by.is_some(),
            csv: CsvForm { byte_order_mark: self.csv_bom.into(), guard: self.csv_guard },
            ..in_bucket.unwrap_or_else(files)
        })
    }

    fn store_location(&self, out: &Path) -> StoreLocation {
        let default = || out.with_file_name(if self.sandbox { SANDBOX_STORE } else { STORE });
        StoreLocation::parse(&self.store.clone().unwrap_or_else(default))
    }
}

impl From<CsvBom> for ByteOrderMark {
    fn from(when: CsvBom) -> Self {
        match when {
            CsvBom::Auto => Self::Auto,
            CsvBom::Always => Self::Always,
            CsvBom::Never => Self::Never,
        }
    }
}
