//! Arguments → run → exit code; nothing else.

use std::process::ExitCode;

use reconcile::cli::{Action, Cli, LogFormat};
use reconcile::error::Result;
use reconcile::exit::Exit;
use reconcile::{commands, sandbox, signals};

use reconcile::commands::reconcile::{Console, run};
use reconcile::console::log::{self, Volume};
use reconcile::console::messages;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    let ended = match Cli::read() {
        Ok(cli) => {
            let volume = match (cli.quiet, cli.verbose) {
                (true, _) => Volume::Quiet,
                (_, true) => Volume::Verbose,
                _ => Volume::Usual,
            };
            log::start(cli.log_format == LogFormat::Json, volume);
            act(cli).await
        }
        Err(error) => {
            log::start(Cli::log_format_at_least() == LogFormat::Json, Volume::Usual);
            Err(error)
        }
    };
    let exit = ended.unwrap_or_else(|error| {
        messages::say_error(&error);
        error.exit
    });
    ExitCode::from(exit.code())
}

async fn act(cli: Cli) -> Result<Exit> {
    let console = Console {
        quiet: cli.quiet,
        no_bar: cli.verbose || cli.log_format == LogFormat::Json,
        command: command_line(),
    };
    match cli.action()? {
        Action::Reconcile(settings) => run(&settings, &console, signals::install()?).await,
        Action::Plan(settings, json) => commands::plan(&settings, json),
        Action::Explain(args) => commands::explain(&args),
        Action::VerifyCap(args) => commands::verify_cap(&args),
        Action::Purge(args) => commands::purge(&args),
        Action::Forget(args) => commands::forget(&args),
        Action::Whoami(access, json) => commands::whoami(&access, json).await,
        Action::Sandbox(options) => sandbox::serve(*options).await,
        Action::Config(text) => {
            messages::print(text.trim_end());
            Ok(Exit::Success)
        }
        Action::Completions(shell) => commands::completions(shell),
        Action::Man(of) => commands::man(of.as_deref()),
    }
}

/// The command as typed, quoted for a shell; without what may be a secret.
fn command_line() -> String {
    let mut typed = std::env::args_os().map(|word| word.to_string_lossy().into_owned());
    let mut words = Vec::new();
    while let Some(word) = typed.next() {
        if word == "--notify-url" {
            typed.next();
        } else if !word.starts_with("--notify-url=") {
            words.push(word);
        }
    }
    shlex::try_join(words.iter().map(String::as_str)).unwrap_or_else(|_| words.join(" "))
}
