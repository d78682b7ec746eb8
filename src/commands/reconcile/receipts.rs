//! The receipts of a run: they are read and kept in the store before its first request.

use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::cli::Settings;
use crate::error::Result;
use crate::ledger::ScannedLedger;
use crate::note::Note;
use crate::output::ReceiptsSummary;
use crate::publish::CheckedByAccount;
use crate::receipts::{JoinedReceipts, LedgerCalls, ReadReceipts, ReceiptNote, Receipts};
use crate::shown::shown;
use crate::store::Store;
use reconcile_core::ask_again::{ReceiptUse, Scope};
use reconcile_core::call::CallKey;
use reconcile_core::checked_receipts::CheckedReceipts;
use reconcile_core::merge::Merge as _;
use reconcile_core::receipt::{Receipt, ReceiptsTrust};

/// Receipts that are written to the store at a time.
const AT_ONCE: usize = 4_096;

/// The receipts of a run.
pub(crate) struct RunReceipts {
    /// What was read.
    pub(crate) read: ReadReceipts,
    /// What they are to the ledger.
    pub(crate) joined: JoinedReceipts,
}

impl RunReceipts {
    /// Reads the receipts and joins them with the ledger; `None` if none are given. Temporary files
    /// will be in the folder of the details.
    ///
    /// # Errors
    ///
    /// Exit 2 if they or the ledger cannot be read, exit 6 if a temporary file cannot be written.
    pub(crate) fn read(settings: &Settings, ledger: &ScannedLedger) -> Result<Option<Self>> {
        if settings.receipts.is_empty() {
            return Ok(None);
        }
        let folder = settings.outputs.details.parent().filter(|folder| *folder != Path::new(""));
        let temporary = Some(folder.unwrap_or(Path::new("."))).filter(|folder| folder.is_dir());
        let receipts = Receipts::collect(&settings.receipts, temporary)?;
        let read = receipts.read.clone();
        let calls = LedgerCalls::of(ledger, temporary)?;
        Ok(Some(Self { read, joined: JoinedReceipts::join(receipts, calls, temporary)? }))
    }

    /// Keeps the receipts that answer calls of the ledger. Receipts without trust answer none.
    ///
    /// # Errors
    ///
    /// Exit 6 if the store cannot be written.
    pub(super) fn keep(&self, store: &dyn Store, scope: &Scope, trust: ReceiptsTrust) -> Result<()> {
        if trust == ReceiptsTrust::None {
            return Ok(());
        }
        let mut answered = self.joined.answered();
        loop {
            let part = answered.by_ref().take(AT_ONCE).map(|call| call.map(|call| (call.key, call.receipt)));
            let part: Vec<(CallKey, Receipt)> = part.collect::<Result<_>>()?;
            if part.is_empty() {
                return Ok(());
            }
            store.keep_receipts(scope, &part)?;
        }
    }

    /// What the summary says of them.
    pub(super) fn summary<'a>(
        &'a self,
        settings: &Settings,
        by_account: &CheckedByAccount,
        answered: u64,
    ) -> ReceiptsSummary<'a> {
        let (read, counts, trust) = (&self.read, &self.joined.counts, settings.receipts_trust);
        let mut checked = CheckedReceipts::default();
        by_account.values().for_each(|account| checked.merge(*account));
        let is_refuted = by_account.values().any(|account| account.is_refuted());
        ReceiptsSummary { read, counts, trust, checked, is_refuted, answered }
    }

    /// What the reader of the run should know of the files.
    pub(crate) fn notes(&self) -> Vec<Note> {
        ReceiptNote::of(&self.read).into_iter().map(Note::Receipts).collect()
    }
}

/// How far receipts save requests. The store draws the sample, so every run over it draws the same
/// one, and nobody who pushes receipts can know it.
///
/// # Errors
///
/// Exit 6 if the store cannot be written.
pub(super) fn receipt_use(settings: &Settings, store: &dyn Store) -> Result<ReceiptUse> {
    let trust = settings.receipts_trust;
    let seed = match trust {
        ReceiptsTrust::Sample(_) => {
            let mut first = [0; 8];
            first.copy_from_slice(&Sha256::digest([b"sample".as_slice(), &store.secret()?].concat())[..8]);
            u64::from_le_bytes(first)
        }
        ReceiptsTrust::Full | ReceiptsTrust::None => 0,
    };
    Ok(ReceiptUse { trust, seed })
}

/// The notes on receipts that the sample refutes.
pub(super) fn notes_on_sample(checked: &CheckedByAccount) -> impl Iterator<Item = Note> {
    let refuted = checked.iter().filter(|(_, checked)| checked.is_refuted());
    refuted.map(|(name, checked)| {
        let account = Some(shown(name)).filter(|name| !name.is_empty());
        Note::Receipts(ReceiptNote::Refuted { account, checked: *checked })
    })
}
