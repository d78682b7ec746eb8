//! Lines on standard error and standard output, and how an error is reported.

use std::io::Write as _;

use crate::error::Error;
use crate::exit::Exit;
use crate::shown::{escape, escape_json};

/// Writes one line to standard error.
pub fn say(line: &str) {
    tracing::info!("{line}");
}

/// Writes the requested data to standard output. A closed reader (`| head`) is not an error.
/// Control characters are visible, except the line ends.
pub fn print(text: &str) {
    let mut lines = text.split('\n').map(escape);
    let first = lines.next().unwrap_or_default().into_owned();
    let text = lines.fold(first, |text, line| text + "\n" + &line);
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// As [`print`], for one line that quotes foreign texts: these cannot add a line.
pub fn print_line(line: &str) {
    let _ = writeln!(std::io::stdout(), "{}", escape(line));
}

/// Writes JSON to standard output. Control characters inside its values are escaped.
pub fn print_json(json: &str) {
    let _ = writeln!(std::io::stdout(), "{}", escape_json(json));
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
