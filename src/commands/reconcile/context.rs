//! The parts of a run that both passes use.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

use crate::cli::{Account, Settings};
use crate::collect::BesideWanted;
use crate::console::Console;
use crate::console::opening::Opening;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::fetch::deadline::Deadline;
use crate::incomplete::NAMED_ACCOUNTS;
use crate::ledger::ScannedLedger;
use crate::note::Note;
use crate::output::OldRejects;
use crate::provider::credentials::CredentialCache;
use crate::shown::shown;
use crate::stop::{Reason, Stop};
use crate::store::{Origin, Store};
use crate::telemetry::metrics::Metrics;
use reconcile_core::ask_again::{ReceiptUse, Scope};
use reconcile_core::money::MoneyRules;
use reconcile_core::resolutions::Resolutions;
use reconcile_core::traffic::Traffic;

use super::beside;
use super::notes;
use super::receipts::RunReceipts;
use super::upload::Upload;

/// The parts of a run that do not change while it works.
pub(super) struct RunContext<'a> {
    pub(super) settings: &'a Settings,
    pub(super) console: &'a Console,
    pub(super) source: Arc<ScannedLedger>,
    pub(super) store: Arc<dyn Store>,
    /// The accounts, each with its session. There is at least one.
    pub(super) accounts: Vec<ActiveAccount<'a>>,
    pub(super) stop: Stop,
    pub(super) old_rejects: OldRejects,
    pub(super) resolutions: Resolutions,
    pub(super) money: MoneyRules,
    /// `None` if none were given.
    pub(super) receipts: Option<RunReceipts>,
    pub(super) receipt_use: ReceiptUse,
    pub(super) started: Instant,
    pub(super) started_at: DateTime<Utc>,
    pub(super) metrics: Option<Arc<Metrics>>,
    /// The way of the files into object storage; `None` if they stay on this machine.
    pub(super) upload: Option<Upload>,
}

/// An account of the run.
pub(super) struct ActiveAccount<'a> {
    pub(super) account: &'a Account,
    pub(super) scope: Scope,
    /// Its name in the store; `None` if it has none.
    pub(super) name_in_store: Option<String>,
    /// Stops the account; also if the whole run stops.
    pub(super) stop: Stop,
    /// The access key that signs its requests; `None` offline.
    pub(super) keys: Option<Arc<CredentialCache>>,
}

impl ActiveAccount<'_> {
    /// Its name for messages; empty if it has none.
    pub(super) fn name(&self) -> String {
        self.account.name.as_deref().map(shown).unwrap_or_default()
    }
}

impl RunContext<'_> {
    /// The run, and the first of its sessions. All of them have consecutive numbers.
    pub(super) fn scope(&self) -> &Scope {
        &self.accounts[0].scope
    }

    /// What the run asks beside its ledger.
    pub(super) fn beside_wanted(&self) -> BesideWanted {
        let accounts = self.accounts.iter().map(|account| account.name_in_store.clone()).collect();
        beside::wanted(self.settings, self.scope(), accounts, self.started_at)
    }

    /// The receipts, if there is any. Without one, nothing can be said of calls that the ledger
    /// lacks.
    pub(super) fn receipts(&self) -> Option<&RunReceipts> {
        self.receipts.as_ref().filter(|receipts| receipts.read.receipts > 0)
    }

    /// The name of the only account in the store; `None` if it has none, or if there are several.
    pub(super) fn only_account(&self) -> Option<&str> {
        match self.accounts.as_slice() {
            [only] => only.name_in_store.as_deref(),
            _ => None,
        }
    }

    /// The requests of each account.
    ///
    /// # Errors
    ///
    /// Exit 6 when the store cannot be read.
    pub(super) fn traffic(&self) -> Result<Vec<Traffic>> {
        self.store.traffic_of_all(&self.scopes())
    }

    /// The session of each account.
    pub(super) fn scopes(&self) -> Vec<Scope> {
        self.accounts.iter().map(|account| account.scope.clone()).collect()
    }

    /// Whether the store's answers are simulated.
    pub(super) fn is_sandbox(&self) -> bool {
        self.store.origin() == Origin::Sandbox
    }

    /// Whether this process has sent a request to the provider; `true` if the store cannot say.
    pub(super) fn has_sent_requests(&self) -> bool {
        self.traffic().map_or(true, |traffic| traffic.iter().any(|traffic| traffic.requests > 0))
    }

    /// The notes on ledger, settings and key.
    pub(super) fn notes(&self) -> Vec<Note> {
        let keys = self.accounts.iter().filter_map(|account| account.keys.as_deref());
        let mut notes = notes::at_start(self.settings, &self.source.scan, keys, self.old_rejects);
        notes.extend(self.receipts.iter().flat_map(RunReceipts::notes));
        notes.extend(self.store.notes().into_iter().map(Note::Store));
        notes
    }

    /// Leaves a last row that was not whole at the start to the next run.
    ///
    /// # Errors
    ///
    /// Exit 2 when the ledger changed in another way.
    pub(super) fn leave_half_row(&mut self) -> Result<()> {
        if let Some(source) = self.source.without_half_row()? {
            source.scan.notes.last().iter().for_each(|note| self.console.note(note));
            self.source = Arc::new(source);
        }
        Ok(())
    }

    /// Prints the first line of the run, and its notes.
    /// `to_ask` are the ledger's own calls to ask for, and those that may follow beside them.
    pub(super) fn announce(
        &self,
        (to_ask, beside): (u64, u64),
        ready_in: Option<Duration>,
        deadlines: &[Deadline],
    ) {
        let opening = Opening {
            ledger: self.source.input.name(),
            scan: &self.source.scan,
            to_ask,
            beside,
            ready_in,
            accounts: &self.settings.accounts.list,
            deadlines,
            sandbox: self.is_sandbox(),
            resumed: self.scope().resumed,
        };
        if !self.console.quiet {
            opening.say();
        }
        self.notes().iter().for_each(|note| self.console.note(note));
    }

    /// Checks whether a run that was stopped may still write its outputs. After a deadline, a
    /// signal or a missing key it may, and they are marked incomplete.
    ///
    /// # Errors
    ///
    /// Exit 3 when the provider refuses every request or was never reached; else the error of
    /// ledger or store that stopped the run.
    pub(super) fn check_stop(&self) -> Result<()> {
        match self.stop.reason() {
            None | Some(Reason::Time(_) | Reason::Signal(_) | Reason::NoKey(_) | Reason::Silent(_)) => Ok(()),
            Some(Reason::Unreachable(silence)) => Err(Error::new(Exit::Fatal, silence.to_string())
                .hint("check the endpoint, DNS, the network and any proxy; then run the same command again")),
            Some(Reason::Fatal { code, message, advice }) => Err(self.refused(&code, &message, advice)),
            // The failed task shares the error, so its parts are copied.
            Some(Reason::Failed(error)) => Err(Error {
                exit: error.exit,
                what: error.what.clone(),
                hint: error.hint.clone(),
                after_requests: error.after_requests,
                is_store_away: error.is_store_away,
                source: error.source.as_ref().map(|source| source.to_string().into()),
            }),
        }
    }

    /// The error if the provider refuses every account. The reason is that of the last one.
    fn refused(&self, code: &str, message: &str, advice: &str) -> Error {
        if let [only] = self.accounts.as_slice() {
            let hint = match &only.keys {
                Some(keys) => format!("{advice}. The key is from {}", keys.origin()),
                None => advice.to_owned(),
            };
            let what = format!("the provider refuses every request: {code}: {message}");
            return Error::new(Exit::Fatal, what).hint(hint);
        }
        let reasons = self
            .accounts
            .iter()
            .filter_map(|account| Some(format!("{}: {}", account.name(), account.stop.own_reason()?)));
        let mut reasons: Vec<String> = reasons.collect();
        let others = reasons.len().saturating_sub(NAMED_ACCOUNTS);
        reasons.truncate(NAMED_ACCOUNTS);
        let more = if others > 0 { format!("; {others} more") } else { String::new() };
        let what = format!("the provider refuses every account that was asked: {}{more}", reasons.join("; "));
        Error::new(Exit::Fatal, what)
            .hint(format!("{advice}; the accounts file names the profile of each key"))
    }
}
