//! Arguments → run → exit code; nothing else.

use std::process::ExitCode;

use reconcile::cli::{Action, Cli, LogFormat};
use reconcile::error::Error;
use reconcile::run::{Voice, run};
use reconcile::{commands, mask, messages, sandbox, signals};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::read();
    start_log(&cli);
    let voice = Voice {
        quiet: cli.quiet,
        no_bar: cli.verbose || cli.log_format == LogFormat::Json,
        command: command_line(),
    };
    let ended = match cli.action() {
        Ok(Action::Reconcile(settings)) => match signals::heed() {
            Ok(stop) => run(&settings, &voice, stop).await,
            Err(error) => Err(error),
        },
        Ok(Action::Plan(settings, json)) => commands::plan(&settings, json),
        Ok(Action::Explain(args)) => commands::explain(&args),
        Ok(Action::VerifyCap(args)) => commands::verify_cap(&args),
        Ok(Action::Purge(args)) => commands::purge(&args),
        Ok(Action::Forget(args)) => commands::forget(&args),
        Ok(Action::Sandbox(args)) => sandbox::serve_alone(args.port, args.accounts.as_deref()).await,
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
