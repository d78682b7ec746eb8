//! The last messages of a run whose files are written.
//!
//! A terminal gets a summary of at most twenty lines. A cron mail or a log gets one line, and one
//! more with the command that resumes an incomplete run.

use crate::console::command_line::SAME_COMMAND;
use crate::console::log;
use crate::console::messages::say;
use crate::exit::Exit;
use crate::failures::Cause;
use crate::incomplete::NAMED_ACCOUNTS;
use crate::output::{Lang, Paths, Rechecked, Summary, headline};
use crate::texts;
use crate::words::{count, plural};
use reconcile_core::discrepancy::Kind;
use reconcile_core::since::SinceLast;

/// The end of a run whose files are written.
#[derive(Debug)]
pub struct Closing<'a> {
    /// The content of the summary file.
    pub summary: &'a Summary<'a>,
    /// Where the files are.
    pub paths: &'a Paths,
    /// The exit code of the run.
    pub exit: Exit,
}

/// What became of earlier open calls and of final records that were looked at again.
fn earlier_calls(summary: &Summary<'_>) -> Vec<String> {
    let earlier = summary.earlier_calls;
    let open = (earlier.open > 0).then(|| {
        format!(
            "{} of earlier ledgers: {} settled now, {} still open, {} not asked",
            plural(earlier.open, "open call"),
            count(earlier.settled),
            count(earlier.still_open),
            count(earlier.not_asked)
        )
    });
    let Rechecked { asked, failed, changed, lost } = summary.rechecked;
    let looked_at = (asked + failed + changed + lost > 0).then(|| {
        let what = match asked + failed {
            0 => "final records that were asked for anew".to_owned(),
            _ => format!("{} looked at again", plural(asked, "final record")),
        };
        let unanswered =
            if failed > 0 { format!(", {} without a usable answer", count(failed)) } else { String::new() };
        format!("{what}: {} changed, {} lost{unanswered}", count(changed), count(lost))
    });
    open.into_iter().chain(looked_at).collect()
}

impl Closing<'_> {
    /// Prints it, in the form that suits standard error. With `quiet`, only what is wrong.
    pub fn say(&self, quiet: bool) {
        if !quiet {
            if log::on_terminal() {
                self.lines().iter().for_each(|line| say(line))
            } else {
                self.say_line();
            }
        }
        if !quiet {
            self.notes().iter().for_each(|note| say(&format!("note: {note}")));
        }
        if let Some(because) = self.summary.incomplete_because {
            tracing::warn!(
                exit_code = Exit::Incomplete.code(),
                means = "Outputs are marked incomplete",
                to_do = self.how_to_resume(),
                "incomplete: {because}"
            );
        }
    }

    /// Prints the line. In a log in JSON its numbers are fields.
    fn say_line(&self) {
        let (t, x, h) = (self.summary.totals, self.summary.traffic, self.summary.totals.headline());
        tracing::info!(
            calls = t.calls,
            agree = h.agree,
            differ = h.differ,
            not_compared = h.not_compared,
            missing = h.missing,
            waiting = h.waiting,
            failed = h.failed,
            unusable_rows = h.unusable_rows,
            missing_in_ledger = t.of_kind(Kind::MissingInLedger),
            discrepancies = t.discrepancies_total(),
            open = t.decisions.open,
            disputed = t.decisions.disputed,
            settled = t.decisions.settled(),
            unusual = texts::unusual(Lang::En, self.summary.trend),
            new = self.summary.since_last.new,
            recurring = self.summary.since_last.recurring,
            resolved = self.summary.since_last.resolved,
            from_store = t.from_store,
            requests = x.requests,
            throttled = x.throttled,
            elapsed_s = self.summary.elapsed_s(),
            complete = self.summary.complete(),
            exit_code = self.exit.code(),
            details = self.paths.details.display().to_string(),
            discrepancies_file = self.paths.discrepancies.display().to_string(),
            report = self.paths.report.display().to_string(),
            summary = self.paths.summary.display().to_string(),
            workbook = self.paths.workbook.as_ref().map(|path| path.display().to_string()),
            "{}",
            self.line()
        );
    }

    /// What the numbers do not say: limits, the slow-down, the cause of failures that the reason of
    /// an incomplete run does not name, and open calls of other ledgers.
    fn notes(&self) -> Vec<String> {
        let summary = self.summary;
        let because = summary.incomplete_because.map(ToString::to_string).unwrap_or_default();
        let cause = summary.cause.map(ToString::to_string).filter(|cause| !because.contains(cause));
        let earlier = earlier_calls(summary);
        let elsewhere = match summary.open_items.elsewhere {
            0 => None,
            1 => Some("1 open call of an earlier ledger is not in this one".to_owned()),
            n => Some(format!("{} open calls of earlier ledgers are not in this one", count(n))),
        };
        let cause = cause.map(|cause| format!("the most frequent cause of failures: {cause}"));
        let limits = summary.limits.iter().map(|measured| texts::limit(Lang::En, measured).to_lowercase());
        limits
            .chain(summary.traffic.slowdown.sentences())
            .chain(cause)
            .chain(earlier)
            .chain(elsewhere)
            .collect()
    }

    /// The advice for an incomplete run, with its command if it can be shown.
    fn how_to_resume(&self) -> String {
        let resume = match self.summary.go_on {
            None => return "run it without offline to ask for the missing calls".to_owned(),
            Some(SAME_COMMAND) => format!("{SAME_COMMAND} to resume"),
            Some(command) => format!("{SAME_COMMAND} to resume: {command}"),
        };
        match self.summary.cause.and_then(Cause::to_do) {
            Some(to_do) => format!("{to_do}, then {resume}"),
            None => resume,
        }
    }

    fn files(&self) -> Vec<(&'static str, String)> {
        let p = self.paths;
        let files = [
            ("details", &p.details),
            ("discrepancies", &p.discrepancies),
            ("report", &p.report),
            ("summary", &p.summary),
        ];
        let workbook = p.workbook.iter().map(|path| ("workbook", path));
        files.into_iter().chain(workbook).map(|(what, path)| (what, path.display().to_string())).collect()
    }

    fn headline(&self) -> String {
        headline::sentence(Lang::En, self.summary.totals, self.summary.trend)
    }

    fn requests(&self) -> String {
        let x = self.summary.traffic;
        let throttled =
            if x.throttled > 0 { format!(", {} throttled", count(x.throttled)) } else { String::new() };
        let elapsed = self.summary.elapsed.as_secs_f64();
        format!("{} in {elapsed:.1} s{throttled}", plural(x.requests, "request"))
    }

    /// How many calls receipts answered; empty without receipts.
    fn answered_by_receipts(&self) -> String {
        let answered = self.summary.receipts.map(|receipts| count(receipts.answered));
        answered.map(|answered| format!(", {answered} by receipts")).unwrap_or_default()
    }

    /// The accounts, if there are several.
    fn accounts(&self) -> Option<String> {
        let all = self.summary.accounts;
        let named = all.iter().take(NAMED_ACCOUNTS).map(|account| account.name.as_str());
        let named: Vec<&str> = named.collect();
        let more = match all.len().saturating_sub(NAMED_ACCOUNTS) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        (all.len() > 1).then(|| format!("{} accounts ({}{more})", all.len(), named.join(", ")))
    }

    /// Their number, how many are still open if there are decisions, and what changed.
    fn discrepancies(&self) -> String {
        let SinceLast { new, recurring, resolved } = self.summary.since_last;
        let new = match (new, recurring) {
            (0, 0) => String::new(),
            (0, _) => ", none new".to_owned(),
            (1, 0) => ", new".to_owned(),
            (_, 0) => ", all new".to_owned(),
            (new, _) => format!(", {} new", count(new)),
        };
        let resolved = if resolved > 0 { format!(", {} resolved", count(resolved)) } else { String::new() };
        self.decided() + &new + &resolved
    }

    /// Their number, and how many are still open if there are decisions.
    fn decided(&self) -> String {
        let decisions = self.summary.totals.decisions;
        let (disputed, settled) = (decisions.disputed, decisions.settled());
        let disputed_words =
            if disputed > 0 { format!(", {} disputed", count(disputed)) } else { String::new() };
        match self.summary.totals.discrepancies_total() {
            0 => "no discrepancies".to_owned(),
            n if disputed + settled == 0 => plural(n, "discrepancy"),
            n => format!(
                "{} ({} open{disputed_words}, {} settled)",
                plural(n, "discrepancy"),
                count(decisions.open),
                count(settled)
            ),
        }
    }

    /// One line, for logs and mails.
    fn line(&self) -> String {
        let files: Vec<String> = self.files().into_iter().map(|(_, path)| path).collect();
        let (headline, discrepancies, requests) = (self.headline(), self.discrepancies(), self.requests());
        let accounts = self.accounts().map(|accounts| format!(" under {accounts}")).unwrap_or_default();
        format!("reconcile: {headline}; {discrepancies}; {requests}{accounts}; {}", files.join(" "))
    }

    /// At most nineteen lines for a terminal, so that the command that resumes still fits.
    fn lines(&self) -> Vec<String> {
        let (t, x) = (self.summary.totals, self.summary.traffic);
        let mut lines = vec![
            format!("reconcile: {}", self.headline()),
            format!(
                "  {}; at most {} in any window (cap {}); {} answered from the store{}",
                self.requests(),
                count(x.evidence.most_in_any_window),
                self.summary.provenance.cap,
                plural(t.from_store, "call"),
                self.answered_by_receipts()
            ),
        ];
        let kinds: Vec<String> =
            t.discrepancies.iter().map(|(kind, n)| format!("{} {}", count(*n), kind.as_str())).collect();
        lines.push(match kinds.len() {
            0 => format!("  {}", self.discrepancies()),
            _ => format!("  {}: {}", self.discrepancies(), kinds.join(", ")),
        });
        lines.extend(self.accounts().map(|accounts| format!("  {accounts}")));
        if self.summary.provenance.sandbox {
            lines.push("  every answer is simulated by the sandbox".to_owned());
        }
        lines.extend(self.files().iter().map(|(what, path)| format!("  {what:<14} {path}")));
        lines
    }
}
