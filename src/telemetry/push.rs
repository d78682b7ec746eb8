//! Pushes the metrics to a Prometheus Pushgateway, on a thread of its own.
//!
//! Promises: a push never fails the run and never holds it up; only its end waits for the last
//! push, for at most `LONGEST_END`. After a failure there is one warning, and the next one only
//! after a push has succeeded. Nothing of the URL but scheme, host and port is shown.
//!
//! A PUT replaces the whole group. So the first push reads what the last run left in it, because
//! some metrics are only known at the end of a run.

use std::path::Path;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, StatusCode, Url};
use tokio::sync::watch;

use super::group::Group;
use super::metrics_text::{KeptSamples, State};
use crate::error::{Error, Result};
use crate::http_client::{self, ClientOptions, UrlSetting, root_cause};
use crate::locked::lock;
use crate::shown_url;
use crate::threads;

/// Limit of a push, from connecting to the last byte.
const TIMEOUT: Duration = Duration::from_secs(3);
/// Limit for reading what the last run left in the group.
const READ_TIMEOUT: Duration = Duration::from_secs(2);
/// Longest time that the end of the run waits for the last push.
const LONGEST_END: Duration = Duration::from_secs(6);
/// Most bytes that are read of all metrics of the Pushgateway.
const MOST_READ: usize = 16 << 20;
/// Prometheus's text format.
const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Where metrics are pushed to.
#[derive(Clone)]
pub struct PushTarget {
    /// The URL of the group. It may hold a user name and a password.
    url: Url,
    group: Group,
}

impl std::fmt::Debug for PushTarget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.origin())
    }
}

impl PushTarget {
    /// The group at the Pushgateway with this URL, for runs over this ledger. A URL with
    /// `/metrics/job/…` names the group itself. `insecure_http` allows http:// to other machines.
    ///
    /// # Errors
    ///
    /// Exit 2 if it is not an http(s) URL, or if http:// is not allowed. The message shows at most
    /// scheme, host and port.
    pub fn parse(url: &str, ledger: &Path, insecure_http: bool) -> Result<Self> {
        let name = "the URL of the Pushgateway";
        let setting = UrlSetting { name, value: url, example: "https://push.example.com:9091" };
        let mut url = setting.parse_secret(insecure_http)?;
        let group = Group::of(&mut url, ledger)
            .ok_or_else(|| Error::usage(format!("{name} names no group: a label is without a value")).hint(
                "write pairs of label and value after /metrics, such as /metrics/job/reconcile/instance/voice",
            ))?;
        Ok(Self { url, group })
    }

    /// The URL as messages may show it.
    fn origin(&self) -> String {
        let mut url = self.url.clone();
        // Both fail only for URLs without a host.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        shown_url::shown(&url)
    }
}

/// What the thread has to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    Nothing,
    Push,
    LastPush,
}

/// The thread that pushes.
#[derive(Debug)]
pub(super) struct Pusher {
    due: watch::Sender<Due>,
    /// Closed when the thread has ended.
    ended: Mutex<mpsc::Receiver<()>>,
}

impl Pusher {
    /// Starts the thread. It pushes what `state` shows at the time of each push.
    ///
    /// # Errors
    ///
    /// Exit 6 if the system refuses a thread or the files that it needs.
    pub(super) fn start(
        target: PushTarget,
        ca_file: Option<&Path>,
        state: Arc<Mutex<State>>,
    ) -> Result<Self> {
        let (due, tasks) = watch::channel(Due::Nothing);
        let (running, ended) = mpsc::channel();
        let ca_file = ca_file.map(Path::to_owned);
        let event_loop = threads::event_loop()?;
        let work = move || {
            let options = ClientOptions { timeout: TIMEOUT, ca_file: ca_file.as_deref(), no_proxy: false };
            let client = http_client::build(&target.url, options).map_err(|error| error.to_string());
            event_loop
                .block_on(Work { target, client, state, has_read: false, is_failing: false }.run(tasks));
            drop::<mpsc::Sender<()>>(running);
        };
        threads::start("push", work).map_err(Error::no_more_threads)?;
        Ok(Self { due, ended: Mutex::new(ended) })
    }

    /// Pushes soon. Returns at once.
    pub(super) fn push(&self) {
        self.due.send_replace(Due::Push);
    }

    /// Pushes for the last time, and waits for it.
    pub(super) fn push_last(&self) {
        self.due.send_replace(Due::LastPush);
        // The result is always an error: nothing is sent, and the channel closes or the time is up.
        let _ = lock(&self.ended).recv_timeout(LONGEST_END);
    }
}

/// The work of the thread.
struct Work {
    target: PushTarget,
    /// The client, or why there is none.
    client: Result<Client, String>,
    state: Arc<Mutex<State>>,
    /// Whether the metrics of the last run were read.
    has_read: bool,
    /// Whether the last push failed; it was warned of.
    is_failing: bool,
}

impl Work {
    /// Pushes whenever something is due, until the last push.
    async fn run(mut self, mut tasks: watch::Receiver<Due>) {
        while tasks.changed().await.is_ok() {
            let due = *tasks.borrow_and_update();
            if due == Due::LastPush {
                return self.push(true).await;
            }
            // The last push does not wait for one that hangs.
            let mut last = tasks.clone();
            tokio::select! {
                () = self.push(false) => {}
                _ = last.wait_for(|due| *due == Due::LastPush) => return self.push(true).await,
            }
        }
    }

    /// Pushes once. A failure causes a warning, unless the push before failed too.
    async fn push(&mut self, is_last: bool) {
        match self.try_to_push(is_last).await {
            Ok(()) => self.is_failing = false,
            Err(reason) if !std::mem::replace(&mut self.is_failing, true) => tracing::warn!(
                because = reason,
                means =
                    "the run continues, but the Pushgateway does not see it; it is tried again each minute",
                to_do = "check the URL of the Pushgateway, its user and password, and the network",
                "cannot push the metrics to {}",
                self.target.origin()
            ),
            Err(reason) => tracing::debug!(because = reason, "cannot push the metrics again"),
        }
    }

    /// Pushes once; the error is the reason of the failure. The last push does without the metrics
    /// of the last run if they cannot be read.
    async fn try_to_push(&mut self, is_last: bool) -> Result<(), String> {
        let client = self.client.clone()?;
        if !self.has_read {
            match self.read(&client).await {
                Ok(kept) => {
                    lock(&self.state).kept.add(kept);
                    self.has_read = true;
                }
                Err(_) if is_last => {}
                Err(reason) => return Err(reason),
            }
        }
        let text = lock(&self.state).text();
        let request = client.put(self.target.url.clone()).header(CONTENT_TYPE, TEXT_FORMAT).body(text);
        let status = request.send().await.map_err(|error| self.reason(error))?.status();
        if status.is_success() { Ok(()) } else { Err(format!("HTTP {}", status.as_u16())) }
    }

    /// The metrics that the last run left in the group. None if the Pushgateway does not let this
    /// program read.
    async fn read(&self, client: &Client) -> Result<KeptSamples, String> {
        let request = client.get(Group::all_metrics(&self.target.url)).timeout(READ_TIMEOUT);
        let mut response = request.send().await.map_err(|error| self.reason(error))?;
        let status = response.status();
        if status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED {
            return Err(format!("HTTP {}", status.as_u16()));
        }
        let mut text = Vec::new();
        while status.is_success() && text.len() < MOST_READ {
            let Some(chunk) = response.chunk().await.map_err(|error| self.reason(error))? else { break };
            text.extend_from_slice(&chunk);
        }
        Ok(KeptSamples::read(&self.target.group.own_lines(&String::from_utf8_lossy(&text))))
    }

    /// Why a request got no reply, without the URL.
    fn reason(&self, error: reqwest::Error) -> String {
        if error.is_timeout() {
            return format!("no answer in {} s", TIMEOUT.as_secs());
        }
        let reason = root_cause(error);
        // The host of such a URL may be a part of a password.
        let is_secret = shown_url::origin(&self.target.url).is_none();
        let host = self.target.url.host_str().filter(|_| is_secret && self.target.url.path().contains('@'));
        host.map_or_else(|| reason.clone(), |host| reason.replace(host, "the host"))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Counts warnings.
    #[derive(Clone, Default)]
    struct Warnings(Arc<AtomicUsize>);

    impl tracing::Subscriber for Warnings {
        fn enabled(&self, event: &tracing::Metadata<'_>) -> bool {
            *event.level() == tracing::Level::WARN
        }

        fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
            tracing::span::Id::from_u64(1)
        }

        fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

        fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

        fn event(&self, _: &tracing::Event<'_>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }

        fn enter(&self, _: &tracing::span::Id) {}

        fn exit(&self, _: &tracing::span::Id) {}
    }

    /// Answers each request with the next of these statuses, and returns its URL.
    fn server(statuses: &'static [u16]) -> String {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let answer = move || {
            for (mut stream, status) in listener.incoming().flatten().zip(statuses) {
                let _ = stream.read(&mut [0; 1 << 16]);
                let _ =
                    write!(stream, "HTTP/1.1 {status} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            }
        };
        threads::start("test server", answer).unwrap();
        url
    }

    #[test]
    fn after_a_success_a_failure_is_warned_of_again() {
        let url = server(&[404, 500, 500, 200, 500, 500]);
        let target = PushTarget::parse(&url, Path::new("calls.csv"), false).unwrap();
        let options = ClientOptions { timeout: TIMEOUT, ca_file: None, no_proxy: true };
        let client = http_client::build(&target.url, options).map_err(|error| error.to_string());
        let mut work = Work { target, client, state: Arc::default(), has_read: false, is_failing: false };
        let warnings = Warnings::default();
        let seen = tracing::subscriber::with_default(warnings.clone(), || {
            let event_loop = threads::event_loop().unwrap();
            // The first push also reads.
            [(); 5].map(|()| {
                event_loop.block_on(work.push(false));
                warnings.0.load(Ordering::Relaxed)
            })
        });
        assert_eq!(seen, [1, 1, 1, 2, 2]);
    }
}
