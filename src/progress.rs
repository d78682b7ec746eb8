//! What a person at the terminal, or a log, is told while the job runs. Owns indicatif.
//!
//! The passes know only [`Monitor`]. Three forms: a bar on a terminal; without one, a plain line when the run
//! starts and one a minute; silence. The ETA is calculated from the cap, not guessed.

use std::io::IsTerminal as _;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::Local;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::messages::say;
use crate::rate::Rate;
use crate::store::AnswerKind;

/// All that the fetch stage knows of the world outside.
pub trait Monitor: Send + Sync {
    /// A request was sent; so many places of the current window are taken now.
    fn sent(&self, in_window: usize);
    /// The provider throttled.
    fn throttled(&self);
    /// A call has its answer.
    fn ended(&self, kind: AnswerKind);
}

/// Tells nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silence;

impl Monitor for Silence {
    fn sent(&self, _: usize) {}
    fn throttled(&self) {}
    fn ended(&self, _: AnswerKind) {}
}

/// Which form is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A bar, redrawn in place.
    Bar,
    /// Plain lines.
    Lines,
    /// Nothing.
    Silent,
}

impl Form {
    /// A bar where standard error is a terminal that can draw one, else plain lines.
    #[must_use]
    pub fn automatic() -> Self {
        let dumb = std::env::var("TERM").is_ok_and(|t| t == "dumb");
        if std::io::stderr().is_terminal() && !dumb { Self::Bar } else { Self::Lines }
    }
}

#[derive(Debug, Default)]
struct Counts {
    done: AtomicU64,
    found: AtomicU64,
    problems: AtomicU64,
    throttled: AtomicU64,
    in_window: AtomicUsize,
}

/// How far a run is; the text of bar and lines is made from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Standing {
    total: u64,
    done: u64,
    found: u64,
    problems: u64,
    throttled: u64,
    in_window: usize,
    rate: Rate,
}

impl Standing {
    /// Exact under the cap: whole windows still needed for the calls that are left.
    fn left(&self) -> Duration {
        let free = u64::from(self.rate.requests.get()).saturating_sub(self.in_window as u64);
        self.rate.time_for(self.total.saturating_sub(self.done), free)
    }

    fn counts(&self) -> String {
        let throttled =
            if self.throttled > 0 { format!(", {} throttled", self.throttled) } else { String::new() };
        format!(
            "{} found, {} problems{throttled}, {}/{} requests in the window",
            self.found, self.problems, self.in_window, self.rate.requests
        )
    }

    fn line(&self, finished_at: &str) -> String {
        format!("{} of {} calls asked: {}; ready at {finished_at}", self.done, self.total, self.counts())
    }
}

/// Shows how far the run is.
pub struct Progress {
    counts: Counts,
    total: u64,
    rate: Rate,
    form: Form,
    bar: ProgressBar,
    last_line: Mutex<Instant>,
}

/// One plain line a minute.
const LINE_EVERY: Duration = Duration::from_secs(60);

impl Progress {
    /// Begins to show a run of `total` calls.
    #[must_use]
    pub fn start(form: Form, total: u64, rate: Rate) -> Arc<Self> {
        let target =
            if form == Form::Bar { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(total), target);
        if let Ok(style) = ProgressStyle::with_template("{bar:24} {pos}/{len} calls · {msg}") {
            bar.set_style(style);
        }
        let last_line = Mutex::new(Instant::now());
        Arc::new(Self { counts: Counts::default(), total, rate, form, bar, last_line })
    }

    /// Ends the bar; the closing summary follows.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }

    fn standing(&self) -> Standing {
        let c = &self.counts;
        Standing {
            total: self.total,
            done: c.done.load(Ordering::Relaxed),
            found: c.found.load(Ordering::Relaxed),
            problems: c.problems.load(Ordering::Relaxed),
            throttled: c.throttled.load(Ordering::Relaxed),
            in_window: c.in_window.load(Ordering::Relaxed),
            rate: self.rate,
        }
    }

    fn show(&self) {
        let standing = self.standing();
        match self.form {
            Form::Silent => {}
            Form::Bar => {
                self.bar.set_position(standing.done);
                let left = humantime::format_duration(Duration::from_secs(standing.left().as_secs()));
                self.bar.set_message(format!("{} · {left} left", standing.counts()));
            }
            Form::Lines => {
                let mut last = self.last_line.lock().unwrap_or_else(PoisonError::into_inner);
                if last.elapsed() >= LINE_EVERY {
                    *last = Instant::now();
                    say(&standing.line(&(Local::now() + standing.left()).format("%H:%M").to_string()));
                }
            }
        }
    }
}

impl Monitor for Progress {
    fn sent(&self, in_window: usize) {
        self.counts.in_window.store(in_window, Ordering::Relaxed);
        self.show();
    }

    fn throttled(&self) {
        self.counts.throttled.fetch_add(1, Ordering::Relaxed);
    }

    fn ended(&self, kind: AnswerKind) {
        let counter = if kind == AnswerKind::Final { &self.counts.found } else { &self.counts.problems };
        counter.fetch_add(1, Ordering::Relaxed);
        self.counts.done.fetch_add(1, Ordering::Relaxed);
        self.show();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_line_says_what_is_done_and_when_it_is_ready() {
        let standing = Standing {
            total: 250,
            done: 50,
            found: 47,
            problems: 3,
            throttled: 1,
            in_window: 100,
            rate: "100/min".parse().unwrap(),
        };
        assert_eq!(
            standing.line("03:12"),
            "50 of 250 calls asked: 47 found, 3 problems, 1 throttled, 100/100 requests in the window; ready at 03:12"
        );
        assert_eq!(standing.left(), Duration::from_secs(120));
    }
}
