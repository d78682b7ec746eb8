//! Threads and event loops. Every thread of the program starts here.
//!
//! Promise: a thread that the system refuses is an error, never a panic or a wait without end. No
//! thread starts before it is needed.

use std::io;
use std::panic::resume_unwind;
use std::thread::{Builder, JoinHandle, Scope, ScopedJoinHandle};
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio::sync::oneshot;

use crate::error::{Error, Result};

/// Number of threads that can work at the same time: the cores that this process may use.
pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Starts a thread.
///
/// # Errors
///
/// The system refuses to start another thread.
pub(crate) fn start<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    Builder::new().name(name.into()).spawn(work)
}

/// The result of a thread; `None` if it panicked, or if it still works after `limit`. Then it is
/// left behind, and ends with the process.
pub(crate) fn join_within<T>(thread: JoinHandle<T>, limit: Duration) -> Option<T> {
    let until = Instant::now() + limit;
    while !thread.is_finished() {
        if Instant::now() >= until {
            return None;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    thread.join().ok()
}

/// Starts a thread that ends before its scope does.
///
/// # Errors
///
/// The system refuses to start another thread. Then `work` and everything that it owns is dropped.
pub(crate) fn start_in<'scope, T: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    name: &str,
    work: impl FnOnce() -> T + Send + 'scope,
) -> io::Result<ScopedJoinHandle<'scope, T>> {
    Builder::new().name(name.into()).spawn_scoped(scope, work)
}

/// One of several shares of a work.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Share {
    /// From 0.
    pub(crate) no: usize,
    /// Number of shares.
    pub(crate) of: usize,
}

impl Share {
    /// The whole work.
    pub(crate) const ALL: Self = Self { no: 0, of: 1 };
}

/// Works on each share on a thread of its own, and on the first one on this thread. Returns the
/// results in the order of the shares.
///
/// # Errors
///
/// The first error in this order, or that of `no_thread` if the system refuses a thread.
pub(crate) fn in_shares<T: Send, E: Send>(
    name: &str,
    shares: usize,
    no_thread: impl Fn(io::Error) -> E,
    work: impl Fn(Share) -> std::result::Result<T, E> + Sync,
) -> std::result::Result<Vec<T>, E> {
    let work = &work;
    std::thread::scope(|scope| {
        let mut others = Vec::new();
        for no in 1..shares {
            let work = move || work(Share { no, of: shares });
            others.push(start_in(scope, name, work).map_err(&no_thread)?);
        }
        let first = work(Share { no: 0, of: shares });
        let others: Vec<_> = others.into_iter().map(result_of).collect();
        std::iter::once(first).chain(others).collect()
    })
}

/// The result of a thread. If the thread panicked, so does the caller.
pub(crate) fn result_of<T>(thread: ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| resume_unwind(panic))
}

/// Runs blocking work on a thread of its own and awaits its result. If the future is dropped, the
/// work goes on without it and does not delay the end of the process.
///
/// # Errors
///
/// Exit 6 if the system refuses to start another thread; else the error of `work`.
pub(crate) async fn run<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let (sender, result) = oneshot::channel();
    let thread = start(name, move || drop(sender.send(work()))).map_err(Error::no_more_threads)?;
    match result.await {
        Ok(result) => result,
        Err(_) => match thread.join() {
            Err(panic) => resume_unwind(panic),
            Ok(()) => Err(Error::bug(format!("the thread `{name}` ended without a result"))),
        },
    }
}

/// An event loop on the calling thread. It starts no other thread.
///
/// # Errors
///
/// Exit 6 if the system refuses the files that it needs.
pub fn event_loop() -> Result<Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| {
        Error::output("cannot wait for connections and signals")
            .hint("raise the limit of open files (ulimit -n), then run the same command again")
            .because(e)
    })
}
