//! What a run says at its start and at its end, on standard error.
//!
//! On a terminal the end is a summary of at most twenty lines; elsewhere, in a cron mail or a log, it is one line,
//! and one more with the command to go on with.

use std::io::Write as _;
use std::num::NonZeroU32;
use std::time::Duration;

use chrono::Local;

use crate::console::log;
use crate::error::Error;
use crate::exit::Exit;
use crate::ledger::LedgerScan;
use crate::output::{Paths, Summary};
use reconcile_core::phone;
use reconcile_core::rate::Rate;

/// One line on standard error.
pub fn say(line: &str) {
    tracing::info!("{line}");
}

/// What was asked for, on standard output. A reader that has gone away (`| head`) is no error.
pub fn print(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// What ended the program on standard error: what is wrong, why, what that means, and what to do.
pub fn say_error(error: &Error) {
    let mut causes = Vec::new();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        causes.push(phone::mask_text(&cause.to_string()));
        source = cause.source();
    }
    let because = (!causes.is_empty()).then(|| causes.join("; because: "));
    let (exit_code, means) = (error.exit.code(), error.exit.meaning());
    tracing::error!(because, exit_code, means, to_do = error.hint, "{error}");
}

/// The first line: what is to be done, under which cap, and when it is ready.
#[derive(Debug)]
pub struct Opening<'a> {
    /// The ledger's name.
    pub ledger: &'a str,
    /// What a first reading found in it.
    pub scan: &'a LedgerScan,
    /// Calls to be asked for.
    pub to_ask: u64,
    /// How long that takes at least under the cap; `None` when nothing may be sent.
    pub ready_in: Option<Duration>,
    /// The cap.
    pub rate: Rate,
    /// How many requests may go back to back.
    pub burst: NonZeroU32,
    /// The answers are make-believe.
    pub sandbox: bool,
    /// It goes on where an earlier process stopped.
    pub resumed: bool,
}

impl Opening<'_> {
    /// The line.
    #[must_use]
    pub fn line(&self) -> String {
        let scan = self.scan;
        let mut line = format!("reconcile: {} calls in {}", scan.calls, self.ledger);
        if scan.invalid + scan.duplicates > 0 {
            line += &format!(" ({} rows unusable, {} duplicates)", scan.invalid, scan.duplicates);
        }
        if self.resumed {
            line += ", going on from an unfinished run";
        }
        match self.ready_in {
            None => line += "; offline, nothing is sent",
            Some(time) => {
                let schedule = schedule(self.rate, self.burst);
                line += &format!("; {} to ask at {} ({schedule})", self.to_ask, self.rate);
                if self.sandbox {
                    line += " in the sandbox";
                }
                line += &format!(", ready {}", when(time));
            }
        }
        line
    }
}

/// How the cap is used, in words.
pub(crate) fn schedule(rate: Rate, burst: NonZeroU32) -> String {
    let pace = humantime::format_duration(rate.window / rate.requests.get());
    match burst.get() {
        1 => format!("one every {pace}"),
        n if burst == rate.requests => format!("up to {n} back to back"),
        n => format!("up to {n} back to back, then one every {pace}"),
    }
}

/// The exact time left under the cap, in words.
pub(crate) fn when(left: Duration) -> String {
    if left.is_zero() {
        return "within the first window".into();
    }
    let at = (Local::now() + left).format("%H:%M");
    format!("in {} (at {at})", humantime::format_duration(Duration::from_secs(left.as_secs())))
}

/// The end of a run whose files stand.
#[derive(Debug)]
pub struct Closing<'a> {
    /// All there is to say.
    pub summary: &'a Summary<'a>,
    /// Where the files are.
    pub paths: &'a Paths,
}

impl Closing<'_> {
    /// Says it, in the form that suits standard error. With `quiet`, only what is wrong.
    pub fn say(&self, quiet: bool) {
        if !quiet {
            if log::on_terminal() {
                self.lines().iter().for_each(|line| say(line))
            } else {
                say(&self.line())
            }
        }
        if let Some(slowdown) = self.summary.traffic.slowdown.sentences().filter(|_| !quiet) {
            say(&format!("note: {slowdown}"));
        }
        if let Some(because) = self.summary.incomplete_because {
            let (exit_code, means) = (Exit::Incomplete.code(), Exit::Incomplete.meaning());
            let to_do = format!("to go on, run the same command again: {}", self.summary.go_on);
            tracing::warn!(exit_code, means, to_do, "incomplete: {because}");
        }
    }

    fn files(&self) -> [(&'static str, String); 4] {
        let p = self.paths;
        [
            ("details", p.details.display().to_string()),
            ("discrepancies", p.discrepancies.display().to_string()),
            ("report", p.report.display().to_string()),
            ("summary", p.summary.display().to_string()),
        ]
    }

    /// How many calls have which status, without those that no call has; `found` always.
    fn statuses(&self) -> String {
        let t = self.summary.totals;
        let others = [
            ("not found", t.not_found),
            ("pending", t.pending),
            ("failed", t.failed),
            ("deferred", t.deferred),
        ];
        let others: String =
            others.iter().filter(|(_, n)| *n > 0).map(|(name, n)| format!(", {n} {name}")).collect();
        format!("{} calls: {} found ({} in agreement){others}", t.calls, t.found, t.clean)
    }

    fn requests(&self) -> String {
        let x = self.summary.traffic;
        let throttled = if x.throttled > 0 { format!(", {} throttled", x.throttled) } else { String::new() };
        let elapsed = self.summary.elapsed.as_secs_f64();
        format!("{} requests in {elapsed:.1} s{throttled}", x.requests)
    }

    /// For logs and mails.
    fn line(&self) -> String {
        let total = self.summary.totals.discrepancies_total();
        let files: Vec<String> = self.files().into_iter().map(|(_, path)| path).collect();
        let (statuses, requests) = (self.statuses(), self.requests());
        format!("reconcile: {statuses}; {total} discrepancies; {requests}; {}", files.join(" "))
    }

    /// For a terminal: at most nineteen lines, so that the one about going on still fits.
    fn lines(&self) -> Vec<String> {
        let (t, x) = (self.summary.totals, self.summary.traffic);
        let mut lines = vec![
            format!("reconcile: {}", self.statuses()),
            format!(
                "  {}; at most {} in any window (cap {}); {} calls answered from the store",
                self.requests(),
                x.evidence.most_in_any_window,
                self.summary.provenance.cap,
                t.from_store
            ),
        ];
        let kinds: Vec<String> =
            t.discrepancies.iter().map(|(kind, n)| format!("{n} {}", kind.as_str())).collect();
        lines.push(match kinds.len() {
            0 => "  no discrepancies".to_owned(),
            _ => format!("  {} discrepancies: {}", t.discrepancies_total(), kinds.join(", ")),
        });
        if self.summary.provenance.sandbox {
            lines.push("  every answer is made up by the sandbox".to_owned());
        }
        lines.extend(self.files().iter().map(|(what, path)| format!("  {what:<14} {path}")));
        lines
    }
}
