//! The action that the command line asks for.

use clap_complete::Shell;

use super::command_options::{
    CopyArgs, DiffArgs, ExplainArgs, ExportArgs, ForgetArgs, PurgeArgs, ResolutionsArgs, StoreCommand,
    VerifyCapArgs,
};
use super::definitions::{Cli, Command};
use super::settings::Settings;
use crate::error::Result;
use crate::provider::credentials::Access;
use crate::sandbox;

/// An action of the program, with its settings.
#[derive(Debug)]
pub enum Action {
    /// Run the job.
    Reconcile(Box<Settings>),
    /// Print what the job would do; as JSON if `true`.
    Plan(Box<Settings>, bool),
    /// Print what the store knows of a call.
    Explain(Box<ExplainArgs>),
    /// Make a file of resolutions to fill in.
    Resolutions(ResolutionsArgs),
    /// Compare two runs.
    Diff(DiffArgs),
    /// Write the stored answers as Parquet.
    Export(ExportArgs),
    /// Check that the cap was kept.
    VerifyCap(VerifyCapArgs),
    /// Delete stored calls by age.
    Purge(PurgeArgs),
    /// Delete stored answers by phone number.
    Forget(ForgetArgs),
    /// Copy a store.
    CopyStore(CopyArgs),
    /// Print the credentials in use; as JSON if `true`.
    Whoami(Access, bool),
    /// Run the simulated provider as a server.
    Sandbox(Box<sandbox::ServeOptions>),
    /// Print this text: the options with their values.
    Config(String),
    /// Print the completions for a shell.
    Completions(Shell),
    /// Print the manual page of the program, or of a command.
    Man(Option<String>),
}

impl Cli {
    /// Whether this is a run, or the plan of one. The other commands do not ask the provider.
    #[must_use]
    pub fn is_run(&self) -> bool {
        matches!(self.command, None | Some(Command::Plan(_)))
    }

    /// The action, with its options validated.
    ///
    /// # Errors
    ///
    /// Exit 2 when options contradict each other.
    pub fn action(self) -> Result<Action> {
        Ok(match self.command {
            None => Action::Reconcile(Box::new(self.job.settings(self.config, self.money, self.timezone)?)),
            Some(Command::Plan(args)) => {
                Action::Plan(Box::new(args.job.settings(self.config, self.money, self.timezone)?), args.json)
            }
            Some(Command::Explain(args)) => Action::Explain(args),
            Some(Command::Resolutions(args)) => Action::Resolutions(args),
            Some(Command::Diff(args)) => Action::Diff(args),
            Some(Command::Export(args)) => {
                args.check()?;
                Action::Export(args)
            }
            Some(Command::VerifyCap(args)) => Action::VerifyCap(args),
            Some(Command::Purge(args)) => Action::Purge(args),
            Some(Command::Forget(args)) => Action::Forget(args),
            Some(Command::Store(StoreCommand::Copy(args))) => Action::CopyStore(args),
            Some(Command::Whoami(args)) => Action::Whoami(args.access.access(), args.json),
            Some(Command::Sandbox(args)) => Action::Sandbox(Box::new(args.options(self.money))),
            Some(Command::Config(_)) => Action::Config(self.values_in_effect),
            Some(Command::Completions(args)) => Action::Completions(args.shell),
            Some(Command::Man(args)) => Action::Man(args.command),
        })
    }
}
