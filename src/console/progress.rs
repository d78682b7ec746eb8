//! What a person at the terminal, or a log, is told while the job runs. Owns indicatif.
//!
//! Three forms: a bar on a terminal; without one, a plain line a minute; silence. The time left is calculated
//! from the cap, not guessed. It shows itself at its own pace, however many requests a second there are.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::Local;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::task::JoinHandle;

use crate::console::messages::say;
use crate::fetch::Monitor;
use crate::fetch::cap::{Cap, Forecast};
use crate::stop::{Reason, Stop};
use crate::telemetry::metrics::{MetricsFile, RunProgress};
use reconcile_core::answer::AnswerKind;
use reconcile_core::rate::Rate;

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
    by_kind: Mutex<BTreeMap<&'static str, u64>>,
    by_code: Mutex<BTreeMap<String, u64>>,
}

/// So many codes are told apart: the provider has some forty, and what a broken proxy makes up must not fill memory.
const CODES_AT_MOST: usize = 64;

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Monitor for Counts {
    fn came_back(&self, code: &str) {
        let mut by_code = held(&self.by_code);
        let full = by_code.len() >= CODES_AT_MOST;
        match by_code.get_mut(code) {
            Some(n) => *n += 1,
            None if full => *by_code.entry("other".into()).or_default() += 1,
            None => drop(by_code.insert(code.to_owned(), 1)),
        }
    }

    fn throttled(&self) {
        self.throttled.fetch_add(1, Ordering::Relaxed);
    }

    fn ended(&self, kind: AnswerKind) {
        let counter = if kind == AnswerKind::Final { &self.found } else { &self.problems };
        counter.fetch_add(1, Ordering::Relaxed);
        *held(&self.by_kind).entry(kind.as_str()).or_default() += 1;
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
    metrics: Option<Arc<MetricsFile>>,
}

impl Progress {
    /// Begins to show a run that asks for `total` calls. Needs a tokio run time.
    #[must_use]
    pub fn start(
        form: Form,
        total: u64,
        rate: Rate,
        cap: Arc<Cap>,
        stop: Stop,
        metrics: Option<Arc<MetricsFile>>,
    ) -> Self {
        let target =
            if form == Form::Bar { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(total), target);
        if let Ok(style) = ProgressStyle::with_template("{bar:24} {pos}/{len} calls · {msg}") {
            bar.set_style(style);
        }
        let shown = Arc::new(Shown { counts: Arc::default(), cap, total, rate, form, bar, metrics });
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
        self.shown.measure();
        self.shown.bar.finish_and_clear();
    }
}

const MINUTE: Duration = Duration::from_secs(60);

impl Form {
    fn pace(self) -> Duration {
        match self {
            Self::Bar => Duration::from_millis(200),
            Self::Lines | Self::Silent => MINUTE,
        }
    }
}

impl Shown {
    /// Shows itself at the form's pace, and says at once why the run is being stopped.
    async fn tick(self: Arc<Self>, stop: Stop) {
        let pace = self.form.pace();
        let first = tokio::time::Instant::now() + pace;
        let mut ticks = tokio::time::interval_at(first, pace);
        let mut minutes = tokio::time::interval(MINUTE);
        let mut stopped = false;
        loop {
            tokio::select! {
                _ = ticks.tick() => self.show(),
                _ = minutes.tick() => self.measure(),
                () = stop.stopped(), if !stopped => {
                    stopped = true;
                    self.say_why(stop.reason());
                    self.measure();
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

    /// Writes the metrics, where they are asked for.
    fn measure(&self) {
        let Some(metrics) = &self.metrics else { return };
        let standing = self.standing();
        metrics.update(RunProgress {
            to_ask: standing.total,
            answers: held(&self.counts.by_kind).clone(),
            requests: held(&self.counts.by_code).clone(),
            throttled: standing.throttled,
            taken: standing.forecast.taken as u64,
            in_flight: standing.forecast.in_flight as u64,
            left_s: standing.forecast.all_sent_in.as_secs(),
        });
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
