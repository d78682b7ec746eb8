//! Pass 2 of a run, which writes the outputs: rows, totals, summary.

use super::collecting::Collected;
use super::context::RunContext;
use super::decisions;
use super::night::TonightsFigures;
use super::receipts;
use super::remembering::{self, Remembering};
use super::upload::Upload;
use crate::console::closing::Closing;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::failures::{Cause, Failures};
use crate::incomplete::{Incomplete, StoppedAccount};
use crate::ledger::{LedgerScan, ScannedFile};
use crate::money::MoneyNote;
use crate::note::Note;
use crate::objects::PublishedRun;
use crate::output::{
    AccountSummary, LedgerFile, MoneySummary, Outputs, Paths, Provenance, Rechecked, Summary,
    with_shown_codes,
};
use crate::publish::{self, AccountTotals, BesideCalls, CheckedByAccount, Counted, Sources};
use crate::shown::shown;
use crate::store::{DiscrepancyChanges, EarlierCalls, OpenItems, RecheckedCalls, RunEnd};
use crate::telemetry::metrics::Published;
use crate::telemetry::notify::WrittenRun;
use reconcile_core::accounts::{AccountFigures, nearest_to_cap, traffic_of_all};
use reconcile_core::bill_check::BillCheck;
use reconcile_core::discrepancy::Kind;
use reconcile_core::rate::Rate;
use reconcile_core::resolutions::LeftOver;
use reconcile_core::tie_out::{TieOutLine, Written, of_accounts, of_receipts, tie_out};
use reconcile_core::totals::Totals;
use reconcile_core::traffic::Traffic;

/// Writes the outputs, ends the run in the store, and prints the result. Returns what the
/// notification tells of it.
///
/// # Errors
///
/// Exit 2 when the ledger changed during the run; exit 4 when no call was answered and there are
/// old outputs; exit 6 when a file or the store cannot be
/// written, or the totals do not agree.
pub(super) fn publish(run: &RunContext<'_>, collected: &Collected) -> Result<WrittenRun> {
    let settings = run.settings;
    let mut accounts = figures_of_accounts(run, collected)?;
    let (nearest, traffic) = (nearest_to_cap(&accounts), traffic_of_all(&accounts));
    let provenance = provenance(run, accounts[nearest].cap);
    let mut outputs = start_outputs(run, &provenance, &traffic)?;
    let RowsWritten { counted, open_items, earlier_calls, rechecked, changes } =
        write_rows(run, &mut outputs)?;
    let Counted { totals, by_account, figures, money, since_last, failed_calls, exhausted_calls, .. } =
        counted;
    set_totals(run, &mut accounts, &totals, by_account);
    // Why calls failed; without such calls, why requests failed.
    let failures = if failed_calls.total() > 0 { &failed_calls } else { &collected.failed_requests };
    let because = incomplete_because(run, collected, &totals, &exhausted_calls);
    check_answered(run, &totals, because.as_ref(), failures)?;
    let (outputs, written) = outputs.close()?;
    let tie_out = check_totals(run, &totals, &written, &traffic, &accounts)?;
    let left_over = run.resolutions.left_over(&counted.entries);
    let check = BillCheck::new(&run.money, &money);
    let of_money = MoneyNote::all(&run.money, &money, check.as_ref());
    let late_notes = late_notes(run, &left_over, &changes, &counted.checked_receipts, of_money)?;
    let at_stake_s = figures.at_stake_s.values().sum();
    let limits = decisions::measured(settings, &totals, at_stake_s);
    let tonight = TonightsFigures::new(run, &totals, at_stake_s, &traffic, because.is_none())?;
    let summary = Summary {
        provenance: &provenance,
        totals: &totals,
        figures: &figures,
        traffic: &traffic,
        accounts: &accounts_of_summary(run, &accounts),
        sending: &with_shown_codes(run.store.sending_of_all(&run.scopes(), nearest)?),
        lang: settings.lang,
        tie_out: &tie_out,
        elapsed: run.started.elapsed(),
        incomplete_because: because.as_ref(),
        go_on: Some(run.console.command.as_str()).filter(|_| !settings.offline),
        cause: failures.most_frequent(),
        left_over: settings.resolutions.as_ref().map(|_| &left_over),
        limits: &limits,
        trend: &tonight.trend,
        since_last,
        receipts: run.receipts().map(|receipts| {
            receipts.summary(settings, &counted.checked_receipts, counted.answered_by_receipt)
        }),
        money: MoneySummary::new(&run.money, &money, check.as_ref()),
        open_items: &open_items,
        earlier_calls: &earlier_calls,
        rechecked,
        notes: &[run.notes(), collected.notes.clone(), late_notes].concat(),
    };
    outputs.finish(&summary)?;
    end_run(run, &summary, &tonight, changes, &left_over)
}

/// Uploads the files if they are published, ends the run in the store, and prints the result.
/// Returns what the notification tells of it.
///
/// # Errors
///
/// Exit 6 if a file cannot be uploaded, or the store cannot be written.
fn end_run(
    run: &RunContext<'_>,
    summary: &Summary<'_>,
    tonight: &TonightsFigures,
    changes: DiscrepancyChanges,
    left_over: &LeftOver,
) -> Result<WrittenRun> {
    let text = std::fs::read_to_string(&run.settings.outputs.summary).map_err(|e| e.to_string());
    let paths = upload(run, summary.provenance, summary.complete())?;
    tonight.note(run, &paths)?;
    let ended = RunEnd::with_outputs(summary.complete(), changes);
    run.store.end_session(run.scope(), Some(ended))?;
    let Summary { totals, since_last, limits, .. } = *summary;
    if let Some(metrics) = &run.metrics {
        let (receipts, sandbox) = (summary.receipts, run.is_sandbox());
        metrics.published(&Published { totals, since_last, left_over, receipts, sandbox });
    }
    let exit = Exit::of_written_run(summary.complete(), decisions::is_above(run.settings, totals, limits));
    Closing { summary, paths: &paths, exit }.say(run.console.quiet);
    Ok(WrittenRun {
        exit,
        is_sandbox: run.is_sandbox(),
        totals: totals.clone(),
        at_stake_s: summary.figures.at_stake_s.values().sum(),
        since_last,
        limits: limits.to_vec(),
        trend: summary.trend.clone(),
        incomplete_because: summary.incomplete_because.cloned(),
        cause: summary.cause.cloned(),
        summary: text,
    })
}

/// What the run learned beside its ledger.
fn beside_calls(run: &RunContext<'_>) -> Result<BesideCalls> {
    let (reader, days) = (run.store.reader()?, run.beside_wanted().open_days);
    BesideCalls::read(reader.as_ref(), run.scope().run_no, days)
}

fn start_outputs(run: &RunContext<'_>, provenance: &Provenance, traffic: &Traffic) -> Result<Outputs> {
    let (scan, settings) = (&run.source.scan, run.settings);
    let lang = settings.lang;
    let money = (!run.money.tariffs.is_empty()).then_some(usize::from(scan.has_account));
    Outputs::create(&settings.outputs, &scan.carried, money, &scan.layout, provenance, traffic, lang)
}

/// The caps and the requests of all accounts. Their totals are counted later.
fn figures_of_accounts(run: &RunContext<'_>, collected: &Collected) -> Result<Vec<AccountFigures>> {
    let figures = run.accounts.iter().zip(run.traffic()?).zip(&collected.slowdowns);
    let figures = figures.map(|((account, traffic), slowdown)| AccountFigures {
        cap: account.account.rate,
        totals: Totals::default(),
        traffic: Traffic { slowdown: *slowdown, ..traffic },
    });
    Ok(figures.collect())
}

/// Gives each account its totals. The only account has all calls.
fn set_totals(
    run: &RunContext<'_>,
    accounts: &mut [AccountFigures],
    totals: &Totals,
    mut by_account: AccountTotals,
) {
    if let [only] = accounts {
        let mut own = Totals { rows: totals.rows - totals.invalid, invalid: 0, ..totals.clone() };
        own.discrepancies.remove(&Kind::InvalidRow);
        only.totals = own;
        return;
    }
    for (figures, account) in accounts.iter_mut().zip(&run.accounts) {
        let name = account.account.name.as_deref().unwrap_or_default();
        figures.totals = by_account.remove(name).unwrap_or_default();
    }
}

/// The accounts as the summary lists them; none if the only account has no name.
fn accounts_of_summary(run: &RunContext<'_>, figures: &[AccountFigures]) -> Vec<AccountSummary> {
    let accounts = run.accounts.iter().zip(figures).filter_map(|(account, figures)| {
        Some(AccountSummary {
            name: shown(account.account.name.as_deref()?),
            figures: figures.clone(),
            stopped_because: account.stop.own_reason().map(|reason| shown(&reason.to_string())),
        })
    });
    accounts.collect()
}

/// Makes the files visible in object storage if the run is published there. Returns their paths.
///
/// # Errors
///
/// Exit 6 if a file cannot be uploaded, or another run has taken the number.
fn upload(run: &RunContext<'_>, provenance: &Provenance, complete: bool) -> Result<Paths> {
    let paths = &run.settings.outputs;
    let Some(upload) = &run.upload else { return Ok(paths.clone()) };
    let Provenance { version, run_id, input_sha256, sandbox, .. } = provenance;
    let folder =
        upload.commit(&PublishedRun { run_id, version, input_sha256, sandbox: *sandbox, complete })?;
    Ok(paths.in_folder(&folder))
}

/// The notes that only the written rows give. They are printed, too.
fn late_notes(
    run: &RunContext<'_>,
    left_over: &LeftOver,
    changes: &DiscrepancyChanges,
    checked: &CheckedByAccount,
    of_money: Vec<MoneyNote>,
) -> Result<Vec<Note>> {
    let later_changes = run.source.input.later_changes().into_iter().map(Note::Ledger);
    let notes = later_changes.chain(decisions::notes(run.settings, left_over));
    let notes = notes.chain(remembering::note(changes)?).chain(receipts::notes_on_sample(checked));
    let notes = Vec::from_iter(notes.chain(of_money.into_iter().map(Note::Money)));
    notes.iter().for_each(|note| run.console.note(note));
    Ok(notes)
}

/// The rows that were written, and what the store says about open calls and changed records.
struct RowsWritten {
    counted: Counted,
    open_items: OpenItems,
    earlier_calls: EarlierCalls,
    rechecked: Rechecked,
    changes: DiscrepancyChanges,
}

/// Writes details and discrepancies, and the open calls to the store. The discrepancies change only
/// when the run ends.
fn write_rows(run: &RunContext<'_>, outputs: &mut Outputs) -> Result<RowsWritten> {
    let (before, beside) = (run.store.open_before(run.scope())?, &beside_calls(run)?);
    let mut remembering = Remembering::new(run);
    let sources = Sources {
        ledger: &run.source,
        store: &*run.store,
        rules: run.settings.rules,
        receipts: run.receipt_use,
        resolutions: &run.resolutions,
        open_before: &before,
        money: &run.money,
        session_no: run.scope().session_no,
        beside,
        joined: run.receipts().map(|receipts| &receipts.joined),
        account: run.only_account(),
        by_account: run.settings.accounts.file.is_some(),
    };
    let mut counted = publish::publish(sources, publish::workers(), outputs, &mut remembering)?;
    let (reader, days) = (run.store.reader()?, run.beside_wanted().open_days);
    // They are counted before the store clears what is settled.
    let earlier_calls = beside.earlier_calls(reader.as_ref(), run.scope(), days)?;
    let (open_items, new) = remembering.finish()?;
    let (changed, lost) = beside.changed_and_lost();
    let RecheckedCalls { seen, failed } = reader.rechecked_calls(run.scope().run_no)?;
    let rechecked = Rechecked { asked: seen, failed, changed, lost };
    let marks = std::mem::take(&mut counted.marks);
    let changes = DiscrepancyChanges { before, marks, new, told: beside.told().to_vec() };
    Ok(RowsWritten { counted, open_items, earlier_calls, rechecked, changes })
}

/// The files of a ledger that has several; none of a ledger that is one file.
fn files_of_ledger(scan: &LedgerScan) -> Vec<LedgerFile> {
    let file = |file: &ScannedFile| LedgerFile {
        name: shown(&file.name),
        sha256: file.sha256.clone(),
        rows: file.rows,
    };
    let files = scan.files.iter().map(file);
    files.filter(|_| scan.files.len() > 1).collect()
}

fn provenance(run: &RunContext<'_>, cap: Rate) -> Provenance {
    Provenance {
        version: env!("CARGO_PKG_VERSION"),
        run_id: run.scope().run_id.clone(),
        input: shown(run.source.input.name()),
        input_sha256: run.source.scan.sha256.clone(),
        files: files_of_ledger(&run.source.scan),
        started_at: run.started_at,
        sandbox: run.is_sandbox(),
        cap,
        mask: run.settings.mask.clone(),
    }
}

/// The lines of the tie-out.
///
/// # Errors
///
/// Exit 6 when one of them does not add up, which is a bug.
fn check_totals(
    run: &RunContext<'_>,
    totals: &Totals,
    written: &Written,
    traffic: &Traffic,
    accounts: &[AccountFigures],
) -> Result<Vec<TieOutLine>> {
    let cap = accounts[nearest_to_cap(accounts)].cap.requests.get();
    let mut lines = tie_out(totals, written, traffic, u64::from(cap));
    if accounts.len() > 1 {
        lines.push(of_accounts(totals, traffic, accounts));
    }
    lines.extend(run.receipts().map(|receipts| of_receipts(written, &receipts.joined.counts)));
    match lines.iter().find(|line| !line.adds_up) {
        None => Ok(lines),
        Some(line) => {
            Err(Error::bug(format!("the totals do not agree: {} ({})", line.rule.as_str(), line.numbers)))
        }
    }
}

/// Checks that the outputs say something about the calls, or replace nothing.
///
/// # Errors
///
/// Exit 4 when calls were to be asked for, none has an answer, and there are old outputs; exit 6
/// when the store cannot be written.
fn check_answered(
    run: &RunContext<'_>,
    totals: &Totals,
    because: Option<&Incomplete>,
    failures: &Failures,
) -> Result<()> {
    let answered = totals.calls - totals.exhausted - totals.deferred;
    let Some(because) = because.filter(|_| answered == 0 && !run.settings.offline) else { return Ok(()) };
    let local = || run.settings.outputs.have_old_outputs();
    if !run.upload.as_ref().map_or_else(local, Upload::has_earlier_run) {
        return Ok(());
    }
    // The run has ended, so the next one asks again for the calls whose every attempt failed.
    run.store.end_session(run.scope(), Some(RunEnd::without_outputs(false)))?;
    let cause = failures.most_frequent();
    let because = because.to_string();
    let reason = match cause.filter(|cause| !because.contains(&cause.to_string())) {
        Some(cause) => format!("{because}; most requests failed: {cause}"),
        None => because,
    };
    let to_do = cause.and_then(Cause::to_do).map(|to_do| format!("{to_do}, then "));
    let what = format!("no call was answered: {reason}; the old outputs stay");
    Err(Error::new(Exit::Incomplete, what)
        .hint(format!("{}run the same command again", to_do.unwrap_or_default())))
}

/// Why some calls have no answer of this run; `None` if the run is complete. A call that failed on
/// every attempt has none, even if it keeps the record of an earlier run.
fn incomplete_because(
    run: &RunContext<'_>,
    collected: &Collected,
    totals: &Totals,
    exhausted: &Failures,
) -> Option<Incomplete> {
    if collected.all_asked.contains(&false) {
        let stopped = run.accounts.iter().filter_map(|account| {
            let because = account.stop.own_reason()?;
            Some(StoppedAccount { name: account.name(), because })
        });
        let stopped: Vec<StoppedAccount> = stopped.collect();
        return Some(match run.stop.reason() {
            None if !stopped.is_empty() => Incomplete::Accounts(stopped),
            reason => Incomplete::Stopped(reason),
        });
    }
    let calls = totals.exhausted + collected.kept_records;
    if calls > 0 {
        let cause = exhausted.most_frequent().or(collected.failed_requests.most_frequent()).cloned();
        return Some(Incomplete::Exhausted { calls, cause });
    }
    (totals.deferred > 0).then_some(Incomplete::Offline { calls: totals.deferred })
}
