//! Lines on standard error and standard output, and how an error is reported.

use std::io::{ErrorKind, Write as _};

use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::shown::{escape, escape_json, shown};

/// Writes one line to standard error.
pub fn say(line: &str) {
    tracing::info!("{line}");
}

/// Reports a panic, which is a bug. It may come before the log has started.
pub fn say_panic(text: &str) {
    let text = shown(text);
    let _ = writeln!(std::io::stderr(), "error: this is a bug in reconcile; please report it: {text}");
}

/// Writes the requested data to standard output. A closed reader (`| head`) is not an error.
/// Control characters are visible, except the line ends.
///
/// # Errors
///
/// Exit 6 if it cannot be written, for example to a full disk.
pub fn print(text: &str) -> Result<()> {
    let mut lines = text.split('\n').map(escape);
    let first = lines.next().unwrap_or_default().into_owned();
    write_out(&lines.fold(first, |text, line| text + "\n" + &line))
}

fn write_out(text: &str) -> Result<()> {
    let mut output = std::io::stdout().lock();
    printed(writeln!(output, "{text}").and_then(|()| output.flush()))
}

/// What came of writing to standard output.
///
/// # Errors
///
/// Exit 6 if it could not be written; a closed reader is no error.
pub fn printed(written: std::io::Result<()>) -> Result<()> {
    match written {
        Err(e) if e.kind() != ErrorKind::BrokenPipe => Err(Error::output("cannot write to standard output")
            .hint("check free space where it is redirected to, then run the same command again")
            .because(e)),
        _ => Ok(()),
    }
}

/// As [`print()`], for one line that quotes foreign texts: these cannot add a line.
///
/// # Errors
///
/// As [`print()`].
pub fn print_line(line: &str) -> Result<()> {
    write_out(&escape(line))
}

/// Writes JSON to standard output. Control characters inside its values are escaped.
///
/// # Errors
///
/// As [`print()`].
pub fn print_json(json: &str) -> Result<()> {
    write_out(&escape_json(json))
}

/// Reports on standard error why the program ends: what is wrong, the causes, and what to do.
/// With `of_run`, for a run or its plan, it also says whether something was sent.
pub fn say_error(error: &Error, of_run: bool) {
    let mut causes = Vec::new();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        causes.push(cause.to_string());
        source = cause.source();
    }
    let because = (!causes.is_empty()).then(|| causes.join("; because: "));
    let exit_code = error.exit.code();
    let means = of_run.then(|| consequence(error.exit, error.after_requests));
    tracing::error!(because, exit_code, means, to_do = error.hint, "{error}");
}

/// What an error means for requests and stored answers: a short sentence without its full stop.
fn consequence(exit: Exit, after_requests: bool) -> &'static str {
    match (exit, after_requests) {
        // Credentials may have been requested elsewhere, so "nothing" would say too much.
        (Exit::Fatal | Exit::Incomplete, false) => "No call was queried",
        (_, false) => "Nothing was sent",
        (Exit::Usage, true) => "Stored answers are kept; the old outputs stay",
        (_, true) => "Stored answers are kept; the same command resumes",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_was_sent_is_said_only_when_it_is_true() {
        assert_eq!(consequence(Exit::Usage, false), "Nothing was sent");
        for exit in Exit::ALL {
            assert!(!consequence(exit, true).contains("Nothing"), "{exit:?}");
        }
    }
}
