//! Progress while requests are sent: a bar on a terminal, else a line a minute, or nothing. Owns
//! indicatif.
//!
//! The time left is calculated from the cap, not estimated. The display has its own pace and does
//! not depend on the number of requests a second.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use chrono::Utc;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::task::JoinHandle;

use crate::console::messages::say;
use crate::console::progress_counts::{AccountCounts, Counts};
use crate::console::progress_form::MINUTE;
use crate::fetch::Monitor;
use crate::fetch::cap::{Cap, Forecast};
use crate::locked::lock;
use crate::shown::shown;
use crate::stop::{Reason, Stop};
use crate::telemetry::metrics::{Metrics, ProgressOfAccount, RunProgress};
use crate::words::{count, plural};
use crate::zone;
use reconcile_core::rate::Rate;

pub use crate::console::progress_form::Form;

/// An account whose calls are asked for.
pub struct AccountProgress {
    /// Its name; `None` if it has none.
    pub name: Option<String>,
    /// Calls to ask for.
    pub to_ask: u64,
    /// Its cap.
    pub rate: Rate,
    /// The state of the cap.
    pub cap: Arc<Cap>,
    /// Stops the account.
    pub stop: Stop,
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Snapshot {
    total: u64,
    done: u64,
    found: u64,
    throttled: u64,
    /// Requests that the caps of all accounts allow in a window.
    allowed: u64,
    /// Calls beside those of the ledger: those to look at, and those that have their answer.
    beside: [u64; 2],
    /// Of all accounts together; the time is that of the slowest.
    forecast: Forecast,
}

impl Snapshot {
    fn counts(&self) -> String {
        let throttled =
            if self.throttled > 0 { format!(", {} throttled", count(self.throttled)) } else { String::new() };
        // The two counters may be read one answer apart.
        let others = self.done.saturating_sub(self.found);
        let answers = match self.is_beside() {
            true => "earlier calls".to_owned(),
            false => format!("{} found, {} other answers", count(self.found), count(others)),
        };
        format!("{answers}{throttled}, {} of {} requests in the window", self.forecast.taken, self.allowed)
    }

    /// True if only calls beside those of the ledger are left.
    fn is_beside(&self) -> bool {
        self.beside[0] > 0 && self.done >= self.total
    }

    fn time_left(&self) -> String {
        let left = Duration::from_secs(self.forecast.all_sent_in.as_secs());
        format!("{} left", humantime::format_duration(left))
    }

    fn line(&self, done_by: Option<&str>) -> String {
        let done_by = done_by.map_or_else(String::new, |time| format!("; done by {time}"));
        if self.is_beside() {
            let [total, done] = self.beside.map(count);
            return format!("{done} of {total} {}{done_by}", self.counts());
        }
        let (done, total) = (count(self.done), count(self.total));
        format!("{done} of {total} calls asked: {}{done_by}", self.counts())
    }

    /// Prints the line. In a log in JSON its numbers are fields. `requests` have their reply.
    fn say(&self, requests: u64) {
        let (now, left) = (Utc::now(), self.forecast.all_sent_in);
        tracing::info!(
            to_ask = self.total,
            answered = self.done,
            found = self.found,
            left = self.total.saturating_sub(self.done),
            requests,
            throttled = self.throttled,
            in_window = self.forecast.taken as u64,
            eta_s = left.as_secs(),
            done_at = zone::end_at(left, now).map(zone::rfc3339),
            "{}",
            self.line(zone::end_of(left, now).as_deref())
        );
    }
}

/// Shows how far a run is, from its start until [`Progress::finish`].
pub struct Progress {
    display: Arc<Display>,
    ticker: JoinHandle<()>,
}

struct Display {
    counts: Arc<Counts>,
    accounts: Vec<ShownAccount>,
    form: Form,
    bar: ProgressBar,
    metrics: Option<Arc<Metrics>>,
}

/// An account with its results so far.
struct ShownAccount {
    account: AccountProgress,
    counts: Arc<AccountCounts>,
    /// True once it was said that it was stopped.
    is_said: AtomicBool,
    /// True once it was said that its receipts are refuted.
    is_refuted_said: AtomicBool,
}

impl ShownAccount {
    /// Calls to ask for, as far as it is known now.
    fn to_ask(&self) -> u64 {
        self.account.to_ask + self.counts.refuted.load(Ordering::Relaxed)
    }

    /// The state of its cap, and the time that its calls still need: none if it was stopped.
    fn forecast(&self) -> Forecast {
        let in_flight = self.account.cap.forecast(0).in_flight as u64;
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let [to_look_at, looked_at] = [0, 1].map(|at| get(&self.counts.beside[at]));
        let known = get(&self.counts.done) + looked_at + in_flight;
        let left = (self.to_ask() + to_look_at).saturating_sub(known);
        self.account.cap.forecast(if self.account.stop.is_stopped() { 0 } else { left })
    }
}

impl Progress {
    /// Starts to show a run that asks for the calls of these accounts. Needs a Tokio runtime.
    #[must_use]
    pub fn start(
        form: Form,
        accounts: Vec<AccountProgress>,
        stop: Stop,
        metrics: Option<Arc<Metrics>>,
    ) -> Self {
        let target =
            if form == Form::Bar { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let total = accounts.iter().map(|account| account.to_ask).sum();
        let bar = ProgressBar::with_draw_target(Some(total), target);
        if let Ok(style) = ProgressStyle::with_template("{bar:24} {pos}/{len} calls · {msg}") {
            bar.set_style(style);
        }
        let counts = Arc::<Counts>::default();
        let shown = |account| {
            let counts = Arc::new(AccountCounts { all: counts.clone(), ..AccountCounts::default() });
            ShownAccount {
                account,
                counts,
                is_said: AtomicBool::default(),
                is_refuted_said: AtomicBool::default(),
            }
        };
        let accounts = accounts.into_iter().map(shown).collect();
        let display = Arc::new(Display { counts: counts.clone(), accounts, form, bar, metrics });
        let ticker = tokio::spawn(display.clone().tick(stop));
        Self { display, ticker }
    }

    /// The monitors that the fetch stages of the accounts report to, in their order.
    #[must_use]
    pub fn monitors(&self) -> Vec<Arc<dyn Monitor>> {
        self.display.accounts.iter().map(|account| account.counts.clone() as _).collect()
    }

    /// Removes the bar, before the closing summary.
    pub fn finish(self) {
        self.ticker.abort();
        self.display.write_metrics();
        self.display.bar.finish_and_clear();
    }
}

impl Display {
    /// Updates at the form's pace. If the run stops, prints the reason at once.
    async fn tick(self: Arc<Self>, stop: Stop) {
        let pace = self.form.pace();
        let first = tokio::time::Instant::now() + pace;
        let mut ticks = tokio::time::interval_at(first, pace);
        let mut minutes = tokio::time::interval(MINUTE);
        let mut stopped = false;
        loop {
            tokio::select! {
                _ = ticks.tick() => self.show(),
                _ = minutes.tick() => self.write_metrics(),
                () = stop.stopped(), if !stopped => {
                    stopped = true;
                    self.say_why(stop.reason());
                    self.write_metrics();
                }
            }
        }
    }

    fn say_why(&self, reason: Option<Reason>) {
        let Some(reason) = reason else { return };
        let again = if matches!(reason, Reason::Signal(_)) { "; a second signal ends at once" } else { "" };
        self.say(&format!("{}: waiting for replies in flight{again}", reason));
    }

    /// Says once which accounts were stopped while others go on.
    fn say_stopped_accounts(&self) {
        for ShownAccount { account, is_said, .. } in self.accounts.iter().filter(|_| self.accounts.len() > 1)
        {
            let Some(reason) = account.stop.own_reason().filter(|_| !is_said.swap(true, Ordering::Relaxed))
            else {
                continue;
            };
            let name = account.name.as_deref().map(shown).unwrap_or_default();
            self.say(&format!("the account {name} was stopped: {reason}; the others go on"));
        }
    }

    /// Says once of which accounts more calls are asked for, because the receipts are refuted.
    fn say_refuted_receipts(&self) {
        for ShownAccount { account, counts, is_refuted_said, .. } in &self.accounts {
            let calls = counts.refuted.load(Ordering::Relaxed);
            if calls == 0 || is_refuted_said.swap(true, Ordering::Relaxed) {
                continue;
            }
            let of = account.name.as_deref().map(|name| format!(" of the account {}", shown(name)));
            let (of, more) = (of.unwrap_or_default(), plural(calls, "more call"));
            self.say(&format!("the sample refutes the receipts{of}; {more} will be asked for"));
        }
    }

    fn say(&self, text: &str) {
        match self.form {
            Form::Silent => {}
            Form::Bar => self.bar.suspend(|| say(text)),
            Form::Lines => say(text),
        }
    }

    /// Writes the metrics file, if there is one.
    fn write_metrics(&self) {
        let Some(metrics) = &self.metrics else { return };
        let now = self.snapshot();
        metrics.update(RunProgress {
            answers: lock(&self.counts.by_kind).clone(),
            requests: lock(&self.counts.by_code).clone(),
            throttled: now.throttled,
            accounts: self.accounts.iter().map(progress_of).collect(),
        });
    }

    fn snapshot(&self) -> Snapshot {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let forecasts = self.accounts.iter().map(ShownAccount::forecast);
        let none = Forecast { in_flight: 0, taken: 0, all_sent_in: Duration::ZERO };
        let forecast = forecasts.fold(none, |all, one| Forecast {
            in_flight: all.in_flight + one.in_flight,
            taken: all.taken + one.taken,
            all_sent_in: all.all_sent_in.max(one.all_sent_in),
        });
        Snapshot {
            total: self.accounts.iter().map(ShownAccount::to_ask).sum(),
            done: get(&self.counts.done),
            found: get(&self.counts.found),
            throttled: get(&self.counts.throttled),
            beside: [0, 1].map(|at| get(&self.counts.beside[at])),
            allowed: self.accounts.iter().map(|account| u64::from(account.account.rate.requests.get())).sum(),
            forecast,
        }
    }

    fn show(&self) {
        self.say_stopped_accounts();
        self.say_refuted_receipts();
        let now = self.snapshot();
        match self.form {
            Form::Silent => {}
            Form::Bar => {
                let [to_look_at, looked_at] = now.beside;
                let (length, position) =
                    if now.is_beside() { (to_look_at, looked_at) } else { (now.total, now.done) };
                self.bar.set_length(length);
                self.bar.set_position(position);
                self.bar.set_message(format!("{} · {}", now.counts(), now.time_left()));
            }
            Form::Lines => now.say(lock(&self.counts.by_code).values().sum()),
        }
    }
}

/// What the metrics file shows of an account.
fn progress_of(shown: &ShownAccount) -> ProgressOfAccount {
    let forecast = shown.forecast();
    ProgressOfAccount {
        to_ask: shown.to_ask(),
        taken: forecast.taken as u64,
        in_flight: forecast.in_flight as u64,
        left_s: forecast.all_sent_in.as_secs(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeMap;
    use std::sync::Mutex;

    use super::*;

    fn snapshot() -> Snapshot {
        Snapshot {
            total: 250,
            done: 50,
            found: 47,
            throttled: 1,
            beside: [0; 2],
            allowed: 100,
            forecast: Forecast { in_flight: 0, taken: 100, all_sent_in: Duration::from_millis(120_900) },
        }
    }

    #[test]
    fn the_line_says_what_is_done_and_when_all_is_done() {
        let now = snapshot();
        assert_eq!(
            now.line(Some("03:12 UTC+8")),
            "50 of 250 calls asked: 47 found, 3 other answers, 1 throttled, 100 of 100 requests in the window; \
             done by 03:12 UTC+8"
        );
        assert_eq!(now.time_left(), "2m left");
        let beside = Snapshot { done: 250, beside: [1_200, 7], throttled: 0, ..now };
        assert_eq!(beside.line(None), "7 of 1200 earlier calls, 100 of 100 requests in the window");
    }

    #[tokio::test]
    async fn calls_with_refuted_receipts_are_added_and_said_once() {
        let rate: Rate = "100/min".parse().unwrap();
        let account = |name: &str, to_ask| AccountProgress {
            name: Some(name.into()),
            to_ask,
            rate,
            cap: Arc::new(Cap::new(rate, rate.requests, &[])),
            stop: Stop::default(),
        };
        let accounts = vec![account("north", 20), account("south", 30)];
        let progress = Progress::start(Form::Lines, accounts, Stop::default(), None);
        progress.monitors()[1].receipts_are_refuted(450);
        let now = progress.display.snapshot();
        assert_eq!((now.total, now.done), (500, 0));
        assert!(now.forecast.all_sent_in > Duration::from_secs(3 * 60), "{now:?}");
        assert_eq!(progress.display.accounts.iter().map(progress_of).map(|now| now.to_ask).sum::<u64>(), 500);
        let fields = Fields::default();
        let said = |show: &dyn Fn()| {
            tracing::subscriber::with_default(fields.clone(), show);
            lock(&fields.0)["message"].clone()
        };
        assert_eq!(
            said(&|| progress.display.say_refuted_receipts()),
            "the sample refutes the receipts of the account south; 450 more calls will be asked for"
        );
        lock(&fields.0).insert("message", "nothing".into());
        assert_eq!(said(&|| progress.display.say_refuted_receipts()), "nothing");
        progress.finish();
    }

    /// Collects the fields of events.
    #[derive(Clone, Default)]
    struct Fields(Arc<Mutex<BTreeMap<&'static str, String>>>);

    impl tracing::field::Visit for Fields {
        fn record_u64(&mut self, field: &tracing::field::Field, value: u64) {
            lock(&self.0).insert(field.name(), value.to_string());
        }

        fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
            lock(&self.0).insert(field.name(), format!("{value:?}"));
        }
    }

    impl tracing::Subscriber for Fields {
        fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
            true
        }

        fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
            tracing::span::Id::from_u64(1)
        }

        fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

        fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

        fn event(&self, event: &tracing::Event<'_>) {
            event.record(&mut self.clone());
        }

        fn enter(&self, _: &tracing::span::Id) {}

        fn exit(&self, _: &tracing::span::Id) {}
    }

    #[test]
    fn the_line_has_its_numbers_as_fields() {
        let fields = Fields::default();
        tracing::subscriber::with_default(fields.clone(), || snapshot().say(53));
        let fields = lock(&fields.0);
        for (name, number) in [
            ("to_ask", "250"),
            ("answered", "50"),
            ("left", "200"),
            ("found", "47"),
            ("requests", "53"),
            ("throttled", "1"),
            ("in_window", "100"),
            ("eta_s", "120"),
        ] {
            assert_eq!(fields[name], number, "{name}");
        }
        assert!(fields["done_at"].contains("+08:00") && fields["message"].contains("; done by "));
    }
}
