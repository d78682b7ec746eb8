//! The lines on standard error: text for people, JSON for machines. Owns tracing-subscriber.
//!
//! Promises:
//!
//! - Once the run is known, every line of a log names it: text by the first eight characters of its
//!   id, JSON by the whole id.
//! - Only this program's own events are written, whatever RUST_LOG says. Events of libraries may
//!   hold secrets.
//! - No line shows a full phone number, and no foreign text can add a line or control the terminal.
//! - A closed standard error does not stop a run.
//!
//! The lines are formatted here and not by tracing-subscriber's formatter, because messages for
//! people and log events share one stream. In a log each line names its run; on a terminal none
//! does.

use std::fmt::Write as _;
use std::io::{IsTerminal as _, Write as _};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::{SecondsFormat, Utc};
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::shown::{escape, escape_json};
use crate::zone;
use reconcile_core::phone;

/// The only target whose events are written.
const PROGRAM: &str = env!("CARGO_PKG_NAME");
/// Characters of a run's id that distinguish it within a log.
const SHORT_ID: usize = 8;

static AS_JSON: AtomicBool = AtomicBool::new(false);
static RUN_ID: OnceLock<String> = OnceLock::new();

/// Which messages are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Volume {
    /// Only warnings and errors, each on one line.
    Quiet,
    /// What RUST_LOG says; without it, a run's start, progress and end.
    Usual,
    /// Also every failed attempt.
    Verbose,
}

/// Starts the log. Called once, before the first message.
pub fn start(as_json: bool, volume: Volume) {
    AS_JSON.store(as_json, Ordering::Relaxed);
    let rust_log = std::env::var("RUST_LOG").ok().filter(|text| !text.trim().is_empty());
    let (targets, wrong) = targets(volume, rust_log.as_deref());
    tracing_subscriber::registry()
        .with(targets)
        .with(Lines { as_json, on_one_line: volume == Volume::Quiet })
        .init();
    if let Some(why) = wrong {
        tracing::warn!(
            because = why,
            to_do = format!("write it like RUST_LOG={PROGRAM}=debug"),
            "RUST_LOG is ignored"
        );
    }
}

/// Makes every further line name this run.
pub fn set_run_id(run_id: &str) {
    // A process works at one run only.
    let _ = RUN_ID.set(run_id.to_owned());
}

/// The id of the run, once it is known.
#[must_use]
pub fn run_id() -> Option<&'static str> {
    RUN_ID.get().map(String::as_str)
}

/// Whether standard error is text on a terminal.
#[must_use]
pub fn on_terminal() -> bool {
    !AS_JSON.load(Ordering::Relaxed) && std::io::stderr().is_terminal()
}

/// The events to write, and what is wrong with RUST_LOG. `-v` and `-q` override RUST_LOG. Its parts
/// about other programs and libraries are ignored.
fn targets(volume: Volume, rust_log: Option<&str>) -> (Targets, Option<String>) {
    let own = |level| Targets::new().with_target(PROGRAM, level);
    match (volume, rust_log.map(str::parse::<Targets>)) {
        (Volume::Quiet, _) => (own(LevelFilter::WARN), None),
        (Volume::Verbose, _) => (own(LevelFilter::DEBUG), None),
        (Volume::Usual, None) => (own(LevelFilter::INFO), None),
        (Volume::Usual, Some(Err(e))) => (own(LevelFilter::INFO), Some(e.to_string())),
        (Volume::Usual, Some(Ok(targets))) => {
            let ours = targets.iter().filter(|(target, _)| target.split("::").next() == Some(PROGRAM));
            // `RUST_LOG=other=debug` does not name this program, so it does not silence it.
            let level = targets.default_level().unwrap_or(LevelFilter::INFO);
            (own(level).with_targets(ours.map(|(target, level)| (target.to_owned(), level))), None)
        }
    }
}

/// The layer that writes every event as a line.
struct Lines {
    as_json: bool,
    /// Each text on one line.
    on_one_line: bool,
}

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut line = Line::default();
        event.record(&mut line);
        let level = *event.metadata().level();
        let now = zone::local(Utc::now()).to_rfc3339_opts(SecondsFormat::Millis, false);
        let line = match self.as_json {
            true => line.json(level, now, run_id()),
            false => {
                let mut text = line.text(level, &now);
                if self.on_one_line {
                    // No value holds a line break.
                    text = text.replace("\n  ", "; ");
                }
                if on_terminal() { text } else { with_run_id(&text, run_id()) }
            }
        };
        // If standard error is closed, nothing can be reported.
        let _ = std::io::stderr().write_all(format!("{line}\n").as_bytes());
    }
}

/// The text with the run's short id in front of each of its lines.
fn with_run_id(text: &str, run_id: Option<&str>) -> String {
    let Some(run_id) = run_id else { return text.to_owned() };
    let id = run_id.get(..SHORT_ID).unwrap_or(run_id);
    let line = |line: &str| format!("{PROGRAM}[{id}]: {}", line.strip_prefix("reconcile: ").unwrap_or(line));
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// An event's message and fields.
#[derive(Default)]
struct Line {
    message: String,
    fields: Map<String, Value>,
}

impl Line {
    /// For people. `because`, `to_do` and `means` get a line of their own, in this order; debug
    /// messages start with the time. The fields of an informative message only repeat its numbers
    /// for machines.
    fn text(mut self, level: Level, now: &str) -> String {
        let message = escape(&self.message);
        let mut text = match level {
            Level::ERROR => format!("error: {message}"),
            Level::WARN => format!("warning: {message}"),
            Level::INFO => message.into_owned(),
            _ => format!("{now} debug: {message}"),
        };
        let mut take = |name| self.fields.remove(name)?.as_str().map(|value| escape(value).into_owned());
        let (because, to_do, means) = (take("because"), take("to_do"), take("means"));
        if level == Level::INFO {
            self.fields.clear();
        }
        let exit = self.fields.remove("exit_code").map(|code| format!(" (exit {code})")).unwrap_or_default();
        for (name, value) in &self.fields {
            // Writing to a string cannot fail.
            let _ = write!(text, " {name}={}", escape_json(&value.to_string()));
        }
        let own_lines = [
            because.map(|because| format!("\n  because: {because}")),
            to_do.map(|to_do| format!("\n  to do: {to_do}")),
            means.map(|means| format!("\n  {means}{exit}.")),
        ];
        text.extend(own_lines.into_iter().flatten());
        text
    }

    /// For machines.
    fn json(self, level: Level, now: String, run_id: Option<&str>) -> String {
        let mut line = Map::new();
        line.insert("timestamp".into(), now.into());
        line.insert("level".into(), level.as_str().into());
        line.extend(run_id.map(|id| ("run_id".to_owned(), id.into())));
        line.insert("message".into(), self.message.into());
        line.extend(self.fields);
        escape_json(&Value::Object(line).to_string()).into_owned()
    }

    /// Takes a text with its phone numbers masked.
    fn set_text(&mut self, field: &Field, text: &str) {
        let text = phone::mask_text(text);
        match field.name() {
            "message" => self.message = text,
            name => drop(self.fields.insert(name.to_owned(), text.into())),
        }
    }

    fn set_number(&mut self, field: &Field, value: Value) {
        self.fields.insert(field.name().to_owned(), value);
    }
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.set_text(field, &format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.set_text(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set_number(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set_number(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set_number(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set_number(field, value.into());
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn flags_override_rust_log_and_libraries_are_never_logged() {
        let cases = [
            (Volume::Usual, None, [true, false, false]),
            (Volume::Quiet, Some("debug"), [false, false, false]),
            (Volume::Verbose, Some("error"), [true, true, false]),
            (Volume::Usual, Some("debug"), [true, true, false]),
            (Volume::Usual, Some("error"), [false, false, false]),
            (Volume::Usual, Some("reconcile=debug,hyper=trace"), [true, true, false]),
            (Volume::Usual, Some("hyper=trace"), [true, false, false]),
            (Volume::Usual, Some("reconcile::fetch=debug"), [true, true, false]),
        ];
        for (volume, rust_log, expected) in cases {
            let (targets, wrong) = targets(volume, rust_log);
            let found = [
                targets.would_enable("reconcile::console::messages", &Level::INFO),
                targets.would_enable("reconcile::fetch", &Level::DEBUG),
                targets.would_enable("hyper::client", &Level::ERROR),
            ];
            assert_eq!((found, wrong), (expected, None), "{volume:?} {rust_log:?}");
        }
    }

    #[test]
    fn an_unreadable_rust_log_changes_nothing_and_is_reported() {
        let (targets, wrong) = targets(Volume::Usual, Some("reconcile=loud"));
        assert!(
            targets.would_enable("reconcile", &Level::INFO)
                && !targets.would_enable("reconcile", &Level::DEBUG)
        );
        assert!(wrong.is_some());
    }

    #[test]
    fn every_line_of_a_text_names_its_run() {
        let text = "error: a\n  to do: b";
        let run = Some("3f2a91c0-0000-4000-8000-000000000000");
        assert_eq!(with_run_id(text, run), "reconcile[3f2a91c0]: error: a\nreconcile[3f2a91c0]:   to do: b");
        assert_eq!(with_run_id("reconcile: 1 call", run), "reconcile[3f2a91c0]: 1 call");
        assert_eq!(with_run_id(text, None), text);
    }

    #[test]
    fn a_foreign_text_adds_no_line_and_no_control() {
        let text = "a\nerror: forged\u{1b}[2K\u{9b}1m\u{202e}";
        let line = || Line {
            message: text.into(),
            fields: [("because", text), ("to_do", text), ("code", text)]
                .map(|(name, value)| (name.to_owned(), value.into()))
                .into_iter()
                .collect(),
        };
        let shown = line().text(Level::WARN, "");
        assert_eq!(shown.lines().count(), 3, "{shown}");
        assert!(!shown.contains(|c: char| c != '\n' && (c.is_control() || c == '\u{202e}')), "{shown}");
        let json = line().json(Level::WARN, String::new(), None);
        assert!(json.is_ascii() && !json.contains(|c: char| c.is_control()), "{json}");
        assert_eq!(serde_json::from_str::<Value>(&json).unwrap()["code"], text);
    }

    #[test]
    fn a_failure_has_its_parts_as_lines_and_as_json_fields() {
        let failure = || {
            let fields = [
                ("to_do", "b".into()),
                ("exit_code", 3.into()),
                ("means", "c".into()),
                ("because", "d".into()),
            ];
            let fields =
                fields.into_iter().map(|(name, value): (_, Value)| (name.to_owned(), value)).collect();
            Line { message: "a".into(), fields }
        };
        let text = failure().text(Level::ERROR, "");
        assert_eq!(text, "error: a\n  because: d\n  to do: b\n  c (exit 3).");
        let json: Value = serde_json::from_str(&failure().json(Level::ERROR, String::new(), None)).unwrap();
        assert_eq!(
            (&json["exit_code"], &json["to_do"], &json["message"]),
            (&3.into(), &"b".into(), &"a".into())
        );
    }

    #[test]
    fn json_is_one_object_a_line_with_the_whole_id() {
        let line = Line { message: "a \"b\"\nc".into(), ..Line::default() };
        let json = line.json(Level::WARN, "2026-11-24T00:00:00.000Z".into(), Some("r"));
        let value: Value = serde_json::from_str(&json).unwrap();
        assert!(!json.contains('\n'));
        assert_eq!((&value["run_id"], &value["message"]), (&"r".into(), &"a \"b\"\nc".into()));
    }
}
