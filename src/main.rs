//! Arguments → run → exit code; nothing else.

use std::path::Path;
use std::process::ExitCode;

use clap::Parser as _;
use reconcile::cli::{Action, Cli, LogFormat, SandboxArgs};
use reconcile::error::{Error, Result};
use reconcile::exit::Exit;
use reconcile::run::{Voice, run};
use reconcile::sandbox::{Options, Sandbox, parse_accounts};
use reconcile::stop::{Reason, Stop};
use reconcile::{mask, messages};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

#[tokio::main]
async fn main() -> ExitCode {
    // clap ends the process by itself for --help, --version (0) and wrong usage (2).
    let cli = Cli::parse();
    start_log(&cli);
    let voice = Voice {
        quiet: cli.quiet,
        no_bar: cli.verbose || cli.log_format == LogFormat::Json,
        command: command_line(),
    };
    let ended = match cli.action() {
        Ok(Action::Reconcile(settings)) => match heed_signals() {
            Ok(stop) => run(&settings, &voice, stop).await,
            Err(error) => Err(error),
        },
        Ok(Action::Sandbox(args)) => serve_sandbox(args).await,
        Err(error) => Err(error),
    };
    let exit = ended.unwrap_or_else(|error| {
        tell(&error);
        error.exit
    });
    ExitCode::from(exit.code())
}

/// Only this program's own messages: those of libraries may hold what must not be shown.
fn start_log(cli: &Cli) {
    let json = cli.log_format == LogFormat::Json;
    let level = match (cli.verbose, json && !cli.quiet) {
        (true, _) => LevelFilter::DEBUG,
        (_, true) => LevelFilter::INFO,
        _ => LevelFilter::WARN,
    };
    let only_ours = Targets::new().with_target("reconcile", level);
    let registry = tracing_subscriber::registry().with(only_ours);
    let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_target(false);
    if json {
        messages::speak_json();
        registry.with(layer.json().flatten_event(true)).init();
    } else {
        registry.with(layer.with_ansi(false)).init();
    }
}

/// Says what is wrong, why, and what to do.
fn tell(error: &Error) {
    let mut text = format!("error: {error}");
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text += &format!("\n  because: {}", mask::text(&cause.to_string()));
        source = cause.source();
    }
    if let Some(hint) = &error.hint {
        text += &format!("\n  to do: {hint}");
    }
    messages::say_error(&text);
}

/// The first SIGINT or SIGTERM stops the run in good order; a second one ends it at once, and loses nothing that
/// is in the store.
fn heed_signals() -> Result<Stop> {
    let stop = Stop::default();
    let stopper = stop.clone();
    let mut signals = Signals::new().map_err(|e| Error::usage("signals cannot be heeded").because(e))?;
    tokio::spawn(async move {
        let name = signals.next().await;
        stopper.stop(Reason::Signal(name));
        let name = signals.next().await;
        messages::say_error(&format!(
            "{name} again: ended at once; no outputs were written, all answers are stored"
        ));
        #[allow(clippy::exit, reason = "asked for twice; the store is whole at every instant")]
        std::process::exit(i32::from(Exit::Incomplete.code()));
    });
    Ok(stop)
}

struct Signals {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
}

impl Signals {
    #[cfg(unix)]
    fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    #[cfg(unix)]
    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }

    #[cfg(not(unix))]
    fn new() -> std::io::Result<Self> {
        Ok(Self {})
    }

    #[cfg(not(unix))]
    async fn next(&mut self) -> &'static str {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        "Ctrl-C"
    }
}

/// The simulated provider as a server of its own, until it is stopped.
async fn serve_sandbox(args: SandboxArgs) -> Result<Exit> {
    let mut options = Options { port: args.port, ..Options::default() };
    let known = match &args.accounts {
        Some(path) => {
            options.accounts = read_accounts(path)?;
            format!("{} accounts of {}", options.accounts.len(), path.display())
        }
        None => "testid with testsecret".to_owned(),
    };
    let sandbox = Sandbox::bind(options).await?;
    messages::say(&format!(
        "sandbox: {} accepts {known}, 100 requests a minute; stop it with Ctrl-C",
        sandbox.url()
    ));
    let mut signals = Signals::new().map_err(|e| Error::usage("signals cannot be heeded").because(e))?;
    tokio::select! {
        () = sandbox.serve() => {}
        _ = signals.next() => {}
    }
    Ok(Exit::Success)
}

fn read_accounts(path: &Path) -> Result<Vec<(String, String)>> {
    let wrong = |why: String| {
        Error::usage(format!("--accounts {}: {why}", path.display()))
            .hint("write one `access-key-id = \"secret\"` a line")
    };
    let text = std::fs::read_to_string(path).map_err(|e| wrong(e.to_string()))?;
    parse_accounts(&text).map_err(wrong)
}

/// The command as typed, quoted for a shell.
fn command_line() -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,+@%".contains(c);
    let quoted = |word: String| {
        if !word.is_empty() && word.chars().all(plain) {
            word
        } else {
            format!("'{}'", word.replace('\'', r"'\''"))
        }
    };
    let words: Vec<String> =
        std::env::args_os().map(|word| quoted(word.to_string_lossy().into_owned())).collect();
    words.join(" ")
}
