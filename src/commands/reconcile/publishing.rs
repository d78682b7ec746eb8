//! Pass 2 of a run, which writes the outputs: rows, totals, summary.

use super::collecting::Collected;
use super::context::RunContext;
use super::upload::Upload;
use crate::console::closing::Closing;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::failures::{Cause, Failures};
use crate::incomplete::Incomplete;
use crate::note::Note;
use crate::objects::PublishedRun;
use crate::output::{Outputs, Paths, Provenance, Summary, with_shown_codes};
use crate::publish::{self, Counted, Sources};
use crate::resolutions::ResolutionNote;
use crate::shown::shown;
use crate::store::OpenItems;
use crate::telemetry::notify::WrittenRun;
use reconcile_core::materiality::Measured;
use reconcile_core::resolutions::LeftOver;
use reconcile_core::tie_out::{TieOutLine, Written, tie_out};
use reconcile_core::totals::Totals;
use reconcile_core::traffic::Traffic;

/// Open calls written to the store at a time.
const OPEN_AT_ONCE: usize = 1_000;

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
    let traffic = Traffic { slowdown: collected.slowdown, ..run.store.traffic(&run.scope)? };
    let provenance = provenance(run);
    let scan = &run.source.scan;
    let (paths, lang) = (&settings.outputs, settings.lang);
    let mut outputs = Outputs::create(paths, &scan.carried, &scan.layout, &provenance, &traffic, lang)?;
    let (Counted { totals, figures, entries, failed_calls, exhausted_calls }, open_items) =
        write_rows(run, &mut outputs)?;
    // Why calls failed; without such calls, why requests failed.
    let failures = if failed_calls.total() > 0 { &failed_calls } else { &collected.failed_requests };
    let because = incomplete_because(run, collected.all_asked, &totals, &exhausted_calls);
    check_answered(run, &totals, because.as_ref(), failures)?;
    let (outputs, written) = outputs.close()?;
    let tie_out = check_totals(&totals, &written, &traffic, settings.rate.requests.get())?;
    let later_change = Vec::from_iter(run.source.input.later_change().map(Note::Ledger));
    later_change.iter().for_each(|note| run.console.note(note));
    let left_over = run.resolutions.left_over(&entries);
    let of_entries = resolution_notes(run, &left_over);
    of_entries.iter().for_each(|note| run.console.note(note));
    let at_stake_s = figures.at_stake_s.values().sum();
    let limits: Vec<Measured> =
        settings.fail_above.iter().map(|limit| limit.measure(&totals, at_stake_s)).collect();
    let is_above_limit = if limits.is_empty() {
        settings.exit_code && totals.decisions.unsettled() > 0
    } else {
        limits.iter().any(Measured::is_above)
    };
    let summary = Summary {
        provenance: &provenance,
        totals: &totals,
        figures: &figures,
        traffic: &traffic,
        sending: &with_shown_codes(run.store.sending(&run.scope)?),
        lang: settings.lang,
        tie_out: &tie_out,
        elapsed: run.started.elapsed(),
        incomplete_because: because.as_ref(),
        go_on: Some(run.console.command.as_str()).filter(|_| !settings.offline),
        cause: failures.most_frequent(),
        left_over: settings.resolutions.as_ref().map(|_| &left_over),
        limits: &limits,
        open_items: &open_items,
        notes: &[run.notes(), collected.notes.clone(), later_change, of_entries].concat(),
    };
    outputs.finish(&summary)?;
    let text = std::fs::read_to_string(&settings.outputs.summary).map_err(|e| e.to_string());
    let paths = upload(run, &provenance, summary.complete())?;
    run.store.end_session(&run.scope, Some(summary.complete()))?;
    if let Some(metrics) = &run.metrics {
        metrics.published(&totals, &left_over, run.is_sandbox());
    }
    let exit = Exit::of_written_run(summary.complete(), is_above_limit);
    Closing { summary: &summary, paths: &paths, exit }.say(run.console.quiet);
    Ok(WrittenRun {
        exit,
        is_sandbox: run.is_sandbox(),
        at_stake_s,
        limits,
        cause: failures.most_frequent().cloned(),
        incomplete_because: because,
        totals,
        summary: text,
    })
}

/// The notes on entries of the file of resolutions that decided nothing.
fn resolution_notes(run: &RunContext<'_>, left_over: &LeftOver) -> Vec<Note> {
    let file = run.settings.resolutions.as_ref().and_then(|path| path.file_name()).unwrap_or_default();
    let notes = ResolutionNote::all(&file.to_string_lossy(), left_over);
    notes.into_iter().map(Note::Resolutions).collect()
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

/// Writes details and discrepancies, and the open calls to the store.
fn write_rows(run: &RunContext<'_>, outputs: &mut Outputs) -> Result<(Counted, OpenItems)> {
    let mut open = Vec::new();
    let mut on_open = |item| {
        open.push(item);
        if open.len() < OPEN_AT_ONCE {
            return Ok(());
        }
        run.store.note_open(&run.scope, &std::mem::take(&mut open))
    };
    let sources = Sources {
        ledger: &run.source,
        store: &*run.store,
        rules: run.settings.rules,
        resolutions: &run.resolutions,
        session_no: run.scope.session_no,
    };
    let counted = publish::publish(sources, publish::workers(), outputs, &mut on_open)?;
    run.store.note_open(&run.scope, &open)?;
    Ok((counted, run.store.open_items(&run.scope)?))
}

fn provenance(run: &RunContext<'_>) -> Provenance {
    Provenance {
        version: env!("CARGO_PKG_VERSION"),
        run_id: run.scope.run_id.clone(),
        input: shown(run.source.input.name()),
        input_sha256: run.source.scan.sha256.clone(),
        started_at: run.started_at,
        sandbox: run.is_sandbox(),
        cap: run.settings.rate,
        mask: run.settings.mask.clone(),
    }
}

/// The lines of the tie-out.
///
/// # Errors
///
/// Exit 6 when one of them does not add up, which is a bug.
fn check_totals(totals: &Totals, written: &Written, traffic: &Traffic, cap: u32) -> Result<Vec<TieOutLine>> {
    let lines = tie_out(totals, written, traffic, u64::from(cap));
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
    run.store.end_session(&run.scope, Some(false))?;
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

/// Why some calls have no answer; `None` if every call has one.
fn incomplete_because(
    run: &RunContext<'_>,
    all_asked: bool,
    totals: &Totals,
    exhausted: &Failures,
) -> Option<Incomplete> {
    if !all_asked {
        return Some(Incomplete::Stopped(run.stop.reason()));
    }
    if totals.exhausted > 0 {
        let cause = exhausted.most_frequent().cloned();
        return Some(Incomplete::Exhausted { calls: totals.exhausted, cause });
    }
    (totals.deferred > 0).then_some(Incomplete::Offline { calls: totals.deferred })
}
