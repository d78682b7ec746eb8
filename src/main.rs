//! Reads the arguments, runs the action, and ends with its exit code.

use std::process::ExitCode;

use reconcile::cli::{Action, Cli, LogFormat};
use reconcile::commands::reconcile::run;
use reconcile::console::Console;
use reconcile::console::log::{self, Volume};
use reconcile::console::messages;
use reconcile::error::Result;
use reconcile::exit::Exit;
use reconcile::{commands, sandbox, signals, threads, zone};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // A panic is a bug. Its text may quote foreign data, so it is masked like every message.
    std::panic::set_hook(Box::new(|panic| messages::say_panic(&panic.to_string())));
    let of_run;
    let ended = match Cli::read() {
        Ok(cli) => {
            of_run = cli.is_run();
            zone::set(cli.timezone);
            let volume = match (cli.quiet, cli.verbose) {
                (true, _) => Volume::Quiet,
                (_, true) => Volume::Verbose,
                _ => Volume::Usual,
            };
            log::start(cli.log_format == LogFormat::Json, volume);
            act(cli)
        }
        Err(error) => {
            of_run = Cli::is_run_only();
            let (format, is_quiet) = Cli::of_messages_only();
            log::start(format == LogFormat::Json, if is_quiet { Volume::Quiet } else { Volume::Usual });
            Err(error)
        }
    };
    let exit = ended.unwrap_or_else(|error| {
        messages::say_error(&error, of_run);
        error.exit
    });
    ExitCode::from(exit.code())
}

fn act(cli: Cli) -> Result<Exit> {
    threads::event_loop()?.block_on(async { signals::survive_file_size_limit() })?;
    let console = Console::of_process(cli.quiet, cli.verbose || cli.log_format == LogFormat::Json);
    match cli.action()? {
        Action::Reconcile(settings) => threads::event_loop()?.block_on(run(*settings, console)),
        Action::Plan(settings, json) => commands::plan(&settings, json),
        Action::Explain(args) => commands::explain(&args),
        Action::Resolutions(args) => commands::resolutions(&args),
        Action::Diff(args) => commands::diff(&args),
        Action::Export(args) => commands::export(&args),
        Action::VerifyCap(args) => commands::verify_cap(&args),
        Action::Purge(args) => commands::purge(&args),
        Action::Forget(args) => commands::forget(&args),
        Action::CopyStore(args) => commands::copy_store(&args),
        Action::Whoami(access, json) => threads::event_loop()?.block_on(commands::whoami(&access, json)),
        Action::Sandbox(options) => threads::event_loop()?.block_on(sandbox::serve(*options)),
        Action::Config(text) => {
            messages::print(text.trim_end())?;
            Ok(Exit::Success)
        }
        Action::Completions(shell) => commands::completions(shell),
        Action::Man(command) => commands::man(command.as_deref()),
    }
}
