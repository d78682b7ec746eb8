//! The command line: turns flags, environment and configuration file into a validated action.
//!
//! Every option can also come from the environment, as `RECONCILE_` and its name, or from the file
//! of `--config`. Flags override environment variables, which override the file. Mistakes are
//! reported before anything is opened or sent.

mod accounts;
mod action;
mod command_options;
mod common_options;
pub mod config_file;
mod definitions;
mod job_options;
mod job_settings;
pub(crate) mod ledger_errors;
mod mask_key;
mod money_tables;
mod notify_options;
mod object_outputs;
mod read;
mod settings;
mod stand_by;
mod usable_rows;
mod values;

pub use accounts::{Account, Accounts};
pub use action::Action;
pub use command_options::{
    CopyArgs, DiffArgs, ExplainArgs, ExportArgs, ForgetArgs, PurgeArgs, ResolutionsArgs, SandboxArgs,
    VerifyCapArgs,
};
pub use common_options::{LedgerArgs, StoreArgs};
pub(crate) use definitions::command;
pub use definitions::{Cli, LogFormat};
pub use job_options::ShowProgress;
pub use money_tables::MoneyTables;
pub use settings::{Answers, Settings};
pub use stand_by::StandBy;
pub use usable_rows::{MaxUnusable, UsableRows, missing_defaults};

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use std::path::PathBuf;
    use std::time::Duration;

    use chrono::TimeDelta;
    use clap::{CommandFactory as _, Parser as _};

    use super::*;
    use crate::error::Result;
    use crate::fetch::Concurrency;

    fn settings(line: &str) -> Result<Settings> {
        match Cli::try_parse_from(line.split_whitespace()).unwrap().action()? {
            Action::Reconcile(settings) => Ok(*settings),
            _ => panic!("not the job"),
        }
    }

    #[test]
    fn the_definitions_do_not_contradict_each_other() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_defaults_are_those_of_the_contract() {
        let s = settings("reconcile --input a.csv --out out/d.parquet").unwrap();
        assert_eq!(
            (s.accounts.list[0].rate.to_string().as_str(), s.accounts.list[0].burst.get()),
            ("100 per minute", 100)
        );
        assert_eq!((s.concurrency, s.max_attempts), (Concurrency::Auto, 6));
        assert_eq!(s.timeout, Duration::from_secs(10));
        assert_eq!(s.rules.settle, TimeDelta::minutes(5));
        assert_eq!(s.store, PathBuf::from("out/reconcile.db").into());
        assert_eq!(s.outputs.discrepancies, PathBuf::from("out/d.discrepancies.csv"));
        assert_eq!(s.outputs.report, PathBuf::from("out/d.report.html"));
        assert_eq!(s.outputs.summary, PathBuf::from("out/d.summary.json"));
        assert_eq!(s.answers, Answers::Provider("https://dyvmsapi.aliyuncs.com".into()));
        let s = settings("reconcile --sandbox -i a.csv -o d.parquet").unwrap();
        assert_eq!((s.store, s.answers), (PathBuf::from("reconcile.sandbox.db").into(), Answers::Sandbox));
    }

    #[test]
    fn a_burst_larger_than_the_cap_is_refused() {
        assert!(settings("reconcile -i a -o b --burst 101").is_err());
        assert_eq!(settings("reconcile -i a -o b --burst 7").unwrap().accounts.list[0].burst.get(), 7);
    }

    #[test]
    fn the_sandbox_command_needs_no_ledger() {
        let cli = Cli::try_parse_from(["reconcile", "sandbox", "--latency", "20ms..1s"]).unwrap();
        let Action::Sandbox(options) = cli.action().unwrap() else { panic!("not the sandbox") };
        assert_eq!((options.port, options.cap.to_string().as_str()), (8080, "100 per minute"));
        assert_eq!(options.plant, crate::sandbox::Share::default());
        assert_eq!(options.latency, (Duration::from_millis(20), Duration::from_secs(1)));
        for wrong in [["--latency", "1s..20ms"], ["--latency", "1s"], ["--plant", "2%"], ["--cap", "0/min"]] {
            assert!(Cli::try_parse_from([&["reconcile", "sandbox"][..], &wrong[..]].concat()).is_err());
        }
    }
}
