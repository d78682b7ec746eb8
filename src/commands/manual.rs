//! `reconcile man` and `reconcile completions`, from the same definitions as `--help`. Owns
//! clap_complete and clap_mangen.

use std::io::Write as _;

use clap_complete::Shell;
use clap_mangen::Man;

use crate::cli;
use crate::console::messages;
use crate::error::{Error, Result};
use crate::exit::Exit;

/// Prints the completions for a shell.
///
/// # Errors
///
/// Exit 6 when standard output cannot be written.
pub fn completions(shell: Shell) -> Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut cli::command(), env!("CARGO_PKG_NAME"), &mut script);
    messages::print(String::from_utf8_lossy(&script).trim_end())?;
    Ok(Exit::Success)
}

/// Prints the manual page of `reconcile`, or of one of its commands.
///
/// # Errors
///
/// Exit 2 when there is no such command; exit 6 when standard output cannot be written.
pub fn man(name: Option<&str>) -> Result<Exit> {
    let mut program = cli::command().version(env!("CARGO_PKG_VERSION")).disable_help_subcommand(true);
    program.build();
    let command = match name {
        None => program,
        Some(name) => subcommand(&program, name)?,
    };
    let page =
        page(command, name.is_none()).map_err(|e| Error::bug("the manual page cannot be made").because(e))?;
    messages::print(page.trim_end())?;
    Ok(Exit::Success)
}

fn subcommand(program: &clap::Command, name: &str) -> Result<clap::Command> {
    let found = name.split(' ').try_fold(program, |command, name| command.find_subcommand(name));
    found.cloned().ok_or_else(|| {
        let names = program.get_subcommands().map(clap::Command::get_name);
        Error::usage(format!("there is no command `{name}`"))
            .hint(format!("name one of {}", names.collect::<Vec<_>>().join(", ")))
    })
}

/// The page as roff. Only the main page has exit status, environment, files and examples.
fn page(command: clap::Command, main: bool) -> std::io::Result<String> {
    let has_commands = command.has_subcommands();
    // The texts of options that `-h` hides would be left out.
    let command = command.mut_args(|arg| arg.hide_short_help(false));
    let man = Man::new(command).manual("reconcile").source(concat!("reconcile ", env!("CARGO_PKG_VERSION")));
    let mut roff = Vec::new();
    man.render_title(&mut roff)?;
    man.render_name_section(&mut roff)?;
    man.render_synopsis_section(&mut roff)?;
    man.render_description_section(&mut roff)?;
    man.render_options_section(&mut roff)?;
    if has_commands {
        man.render_subcommands_section(&mut roff)?;
    }
    if main {
        roff.write_all(sections().as_bytes())?;
    }
    Ok(String::from_utf8_lossy(&roff).into_owned())
}

/// Exit status, environment, files and examples.
fn sections() -> String {
    let exits = Exit::ALL.map(|exit| format!(".TP\n.B {}\n{}\n", exit.code(), escaped(exit.meaning())));
    format!(
        ".SH \"EXIT STATUS\"\n{}{}",
        exits.concat(),
        r#".SH ENVIRONMENT
.TP
.B RECONCILE_\fIOPTION\fR
Any option except \-v and \-q, with _ in place of \-: RECONCILE_RATE=50/min. Flags override these variables, which override the file of \-\-config.
.TP
.B RUST_LOG
The level of the messages, if neither \-v nor \-q is given: error, warn, info, debug.
.TP
.B ALIBABA_CLOUD_ACCESS_KEY_ID, ALIBABA_CLOUD_ACCESS_KEY_SECRET, ALIBABA_CLOUD_SECURITY_TOKEN
The access key.
.TP
.B HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY
The proxy, if there is one.
.TP
.B TMPDIR
The folder for temporary files.
.SH FILES
.TP
.I reconcile.db
The store, beside the file of \-\-out. It holds every answer, and the record of requests that keeps the cap across runs. Back it up.
.SH EXAMPLES
.TP
.B reconcile \-\-sandbox \-\-input calls.csv \-\-out details.parquet
Run the whole job against a simulated provider inside the process.
.TP
.B reconcile \-q \-\-config /etc/reconcile/reconcile.toml \-\-deadline 06:30
For cron: no messages unless something is wrong.
"#
    )
}

/// The text without anything that roff would interpret.
fn escaped(text: &str) -> String {
    text.replace('\\', r"\e").replace('-', r"\-")
}
