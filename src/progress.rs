//! What a person at the terminal, or a log, is told while the job runs. Owns indicatif.
//!
//! Three forms: a bar on a terminal; without one, a plain line a minute; silence. The time left is calculated
//! from the cap, not guessed. It shows itself at its own pace, however many requests a second there are.

use std::io::IsTerminal as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chrono::Local;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::task::JoinHandle;

use crate::fetch::Monitor;
use crate::fetch::cap::{Cap, Forecast};
use crate::messages::say;
use crate::rate::Rate;
use crate::stop::{Reason, Stop};
use crate::store::AnswerKind;

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
}

impl Monitor for Counts {
    fn throttled(&self) {
        self.throttled.fetch_add(1, Ordering::Relaxed);
    }

    fn ended(&self, kind: AnswerKind) {
        let counter = if kind == AnswerKind::Final { &self.found } else { &self.problems };
        counter.fetch_add(1, Ordering::Relaxed);
        self.done.fetch_add(1, Ordering::Relaxed);
    }
}

/// How far a run is; the text of bar and lines is made from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Standing {
    total: u64,
    done: u64,
    found: u64,
    problems: u64,
    throttled: u64,
    rate: Rate,
    forecast: Forecast,
}

impl Standing {
    fn counts(&self) -> String {
        let throttled =
            if self.throttled > 0 { format!(", {} throttled", self.throttled) } else { String::new() };
        format!(
            "{} found, {} problems{throttled}, {}/{} requests in the window",
            self.found, self.problems, self.forecast.taken, self.rate.requests
        )
    }

    fn left(&self) -> String {
        format!(
            "{} left",
            humantime::format_duration(Duration::from_secs(self.forecast.all_sent_in.as_secs()))
        )
    }

    fn line(&self, finished_at: &str) -> String {
        format!("{} of {} calls asked: {}; ready at {finished_at}", self.done, self.total, self.counts())
    }
}

/// Shows how far the run is, until it is finished.
pub struct Progress {
    shown: Arc<Shown>,
    ticker: JoinHandle<()>,
}

/// What the ticker needs.
struct Shown {
    counts: Arc<Counts>,
    cap: Arc<Cap>,
    total: u64,
    rate: Rate,
    form: Form,
    bar: ProgressBar,
}

impl Progress {
    /// Begins to show a run that asks for `total` calls. Needs a tokio run time.
    #[must_use]
    pub fn start(form: Form, total: u64, rate: Rate, cap: Arc<Cap>, stop: Stop) -> Self {
        let target =
            if form == Form::Bar { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(total), target);
        if let Ok(style) = ProgressStyle::with_template("{bar:24} {pos}/{len} calls · {msg}") {
            bar.set_style(style);
        }
        let shown = Arc::new(Shown { counts: Arc::default(), cap, total, rate, form, bar });
        let ticker = tokio::spawn(shown.clone().tick(stop));
        Self { shown, ticker }
    }

    /// Where the fetch stage reports to.
    #[must_use]
    pub fn monitor(&self) -> Arc<dyn Monitor> {
        self.shown.counts.clone()
    }

    /// Ends the bar; the closing summary follows.
    pub fn finish(self) {
        self.ticker.abort();
        self.shown.bar.finish_and_clear();
    }
}

impl Form {
    fn pace(self) -> Duration {
        match self {
            Self::Bar => Duration::from_millis(200),
            Self::Lines | Self::Silent => Duration::from_secs(60),
        }
    }
}

impl Shown {
    /// Shows itself at the form's pace, and says at once why the run is being stopped.
    async fn tick(self: Arc<Self>, stop: Stop) {
        let pace = self.form.pace();
        let first = tokio::time::Instant::now() + pace;
        let mut ticks = tokio::time::interval_at(first, pace);
        let mut stopped = false;
        loop {
            tokio::select! {
                _ = ticks.tick() => self.show(),
                () = stop.stopped(), if !stopped => {
                    stopped = true;
                    self.say_why(stop.reason());
                }
            }
        }
    }

    fn say_why(&self, reason: Option<Reason>) {
        let Some(reason) = reason else { return };
        let once_more = if matches!(reason, Reason::Signal(_)) { "; once more to end at once" } else { "" };
        let text = format!("{}: waiting for what is in flight{once_more}", reason.text());
        match self.form {
            Form::Silent => {}
            Form::Bar => self.bar.suspend(|| say(&text)),
            Form::Lines => say(&text),
        }
    }

    fn standing(&self) -> Standing {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (done, in_flight) = (get(&self.counts.done), self.cap.forecast(0).in_flight as u64);
        Standing {
            total: self.total,
            done,
            found: get(&self.counts.found),
            problems: get(&self.counts.problems),
            throttled: get(&self.counts.throttled),
            rate: self.rate,
            forecast: self.cap.forecast(self.total.saturating_sub(done + in_flight)),
        }
    }

    fn show(&self) {
        let standing = self.standing();
        match self.form {
            Form::Silent => {}
            Form::Bar => {
                self.bar.set_position(standing.done);
                self.bar.set_message(format!("{} · {}", standing.counts(), standing.left()));
            }
            Form::Lines => {
                let ready = Local::now() + standing.forecast.all_sent_in;
                say(&standing.line(&ready.format("%H:%M").to_string()));
            }
        }
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
            rate: "100/min".parse().unwrap(),
            forecast: Forecast { in_flight: 0, taken: 100, all_sent_in: Duration::from_millis(120_900) },
        };
        assert_eq!(
            standing.line("03:12"),
            "50 of 250 calls asked: 47 found, 3 problems, 1 throttled, 100/100 requests in the window; ready at 03:12"
        );
        assert_eq!(standing.left(), "2m left");
    }
}
