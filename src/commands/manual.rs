//! `reconcile man` and `reconcile completions`: made from the same definitions as `--help`. Owns clap_complete and
//! clap_mangen.

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
/// None but what the signature of a command asks for.
pub fn completions(shell: Shell) -> Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut cli::command(), env!("CARGO_PKG_NAME"), &mut script);
    messages::print(String::from_utf8_lossy(&script).trim_end());
    Ok(Exit::Success)
}

/// Prints the manual page of reconcile, or of one of its commands.
///
/// # Errors
///
/// Exit 2 when there is no such command.
pub fn man(of: Option<&str>) -> Result<Exit> {
    let mut whole = cli::command().version(env!("CARGO_PKG_VERSION"));
    whole.build();
    let command = match of {
        None => whole,
        Some(name) => {
            let found = whole.find_subcommand(name).filter(|found| found.get_name() != "help").cloned();
            found.ok_or_else(|| {
                let names: Vec<&str> = whole
                    .get_subcommands()
                    .map(clap::Command::get_name)
                    .filter(|name| *name != "help")
                    .collect();
                Error::usage(format!("there is no command `{name}`"))
                    .hint(format!("the pages are those of {}", names.join(", ")))
            })?
        }
    };
    let page = page(command, of.is_none())
        .map_err(|e| Error::output("the page cannot be made; this is a bug").because(e))?;
    messages::print(page.trim_end());
    Ok(Exit::Success)
}

/// The page as roff. The main one has what a manual owes beyond the options.
fn page(command: clap::Command, main: bool) -> std::io::Result<String> {
    let man = Man::new(command).manual("reconcile");
    let mut roff = Vec::new();
    man.render_title(&mut roff)?;
    man.render_name_section(&mut roff)?;
    man.render_synopsis_section(&mut roff)?;
    man.render_description_section(&mut roff)?;
    man.render_options_section(&mut roff)?;
    if main {
        man.render_subcommands_section(&mut roff)?;
        roff.write_all(sections().as_bytes())?;
    }
    Ok(String::from_utf8_lossy(&roff).into_owned())
}

/// Exit status, environment, files and examples.
fn sections() -> String {
    let exits = Exit::ALL.map(|exit| format!(".TP\n.B {}\n{}\n", exit.code(), plain(exit.meaning())));
    format!(
        ".SH \"EXIT STATUS\"\n{}{}",
        exits.concat(),
        r#".SH ENVIRONMENT
.TP
.B RECONCILE_\fIOPTION\fR
Every option but \-v and \-q, with _ in place of \-: RECONCILE_RATE=50/min. A flag beats it; it beats the file of \-\-config.
.TP
.B RUST_LOG
How much is said, where neither \-v nor \-q is given: error, warn, info, debug.
.TP
.B ALIBABA_CLOUD_ACCESS_KEY_ID, ALIBABA_CLOUD_ACCESS_KEY_SECRET, ALIBABA_CLOUD_SECURITY_TOKEN
The access key.
.TP
.B HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY
The proxy, where there is one.
.TP
.B TMPDIR
Where temporary files go.
.SH FILES
.TP
.I reconcile.db
The store, beside the file of \-\-out: every answer, and the record of requests that keeps the cap. It is worth a backup.
.SH EXAMPLES
.TP
.B reconcile \-\-sandbox \-\-input calls.csv \-\-out details.parquet
The whole job against a provider that is simulated inside the process.
.TP
.B reconcile \-q \-\-config /etc/reconcile/reconcile.toml \-\-deadline 06:30
What cron runs: nothing is said unless something is wrong.
"#
    )
}

/// A text in which roff finds nothing to do.
fn plain(text: &str) -> String {
    text.replace('\\', r"\e").replace('-', r"\-")
}
