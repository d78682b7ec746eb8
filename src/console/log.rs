//! What goes to standard error, line by line: as text for people, as JSON for machines. Owns tracing-subscriber.
//!
//! Promises: once the run is known, every line of a log says which it is, text with the first eight characters of its id, JSON
//! with all of it. Only this program's own events are shown, whatever RUST_LOG asks for: those of libraries may hold what must
//! not be shown. A CallId that may be a phone number is masked. A closed standard error is no reason to stop a night's job.
//!
//! The lines are written here and not by tracing-subscriber's formatter because messages to people and events of the log
//! are one stream, in which each line carries the run, and a person at a terminal is spared all of that.

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

use reconcile_core::phone;

/// The only target whose events are shown.
const OURS: &str = env!("CARGO_PKG_NAME");
/// So many characters of a run's id tell it from all others of a log.
const SHORT: usize = 8;

static AS_JSON: AtomicBool = AtomicBool::new(false);
static RUN: OnceLock<String> = OnceLock::new();

/// What a failure says beside what happened, each in a line of its own for people.
const LINES: [(&str, &str); 3] = [("because", "because"), ("means", "this means"), ("to_do", "to do")];

/// How much is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Volume {
    /// Only what is wrong.
    Quiet,
    /// What RUST_LOG says; without it, a run's beginning, progress and end.
    Usual,
    /// Every failed attempt, too.
    Verbose,
}

/// Begins the log. Called once, before anything is said.
pub fn start(as_json: bool, volume: Volume) {
    AS_JSON.store(as_json, Ordering::Relaxed);
    let asked_for = std::env::var("RUST_LOG").ok().filter(|text| !text.trim().is_empty());
    let (shown, wrong) = shown(volume, asked_for.as_deref());
    tracing_subscriber::registry().with(shown).with(Lines { as_json }).init();
    if let Some(why) = wrong {
        let to_do = format!("write it like RUST_LOG={OURS}=debug");
        tracing::warn!(
            because = why,
            means = "as much is said as without it",
            to_do,
            "RUST_LOG is left alone"
        );
    }
}

/// From now on every line says that it is of this run.
pub fn of_run(run_id: &str) {
    // One process works at one run.
    let _ = RUN.set(run_id.to_owned());
}

/// The run, once it is known.
#[must_use]
pub fn run() -> Option<&'static str> {
    RUN.get().map(String::as_str)
}

/// Whether a person reads along: text, on a terminal.
#[must_use]
pub fn on_terminal() -> bool {
    !AS_JSON.load(Ordering::Relaxed) && std::io::stderr().is_terminal()
}

/// What is shown, and what is wrong with RUST_LOG. `-v` and `-q` beat it; of what it says of other programs and libraries, nothing
/// counts here.
fn shown(volume: Volume, asked_for: Option<&str>) -> (Targets, Option<String>) {
    let ours = |level| Targets::new().with_target(OURS, level);
    match (volume, asked_for.map(str::parse::<Targets>)) {
        (Volume::Quiet, _) => (ours(LevelFilter::WARN), None),
        (Volume::Verbose, _) => (ours(LevelFilter::DEBUG), None),
        (Volume::Usual, None) => (ours(LevelFilter::INFO), None),
        (Volume::Usual, Some(Err(e))) => (ours(LevelFilter::INFO), Some(e.to_string())),
        (Volume::Usual, Some(Ok(targets))) => {
            let own = targets.iter().filter(|(target, _)| target.split("::").next() == Some(OURS));
            // `RUST_LOG=other=debug` says nothing of this program, so it does not silence it.
            let level = targets.default_level().unwrap_or(LevelFilter::INFO);
            (ours(level).with_targets(own.map(|(target, level)| (target.to_owned(), level))), None)
        }
    }
}

/// Writes every event as a line.
struct Lines {
    as_json: bool,
}

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut said = Said::default();
        event.record(&mut said);
        let (level, now) =
            (*event.metadata().level(), Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true));
        let text = if self.as_json { said.json(level, now, run()) } else { said.text(level, &now) };
        let text = if on_terminal() || self.as_json { text } else { tagged(&text, run()) };
        // Nobody is left to tell that standard error is closed.
        let _ = std::io::stderr().write_all(format!("{text}\n").as_bytes());
    }
}

/// Each line with the run that it is of.
fn tagged(text: &str, run: Option<&str>) -> String {
    let Some(run) = run else { return text.to_owned() };
    let run = run.get(..SHORT).unwrap_or(run);
    let line = |line: &str| format!("{OURS}[{run}]: {}", line.strip_prefix("reconcile: ").unwrap_or(line));
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// An event's message and fields.
#[derive(Default)]
struct Said {
    message: String,
    fields: Map<String, Value>,
}

impl Said {
    /// For people. What is said for debugging has its time with it.
    fn text(mut self, level: Level, now: &str) -> String {
        let mut text = match level {
            Level::ERROR => format!("error: {}", self.message),
            Level::WARN => format!("warning: {}", self.message),
            Level::INFO => self.message.clone(),
            _ => format!("{now} debug: {}", self.message),
        };
        let exit = self.fields.remove("exit_code").map(|code| format!("exit {code}, ")).unwrap_or_default();
        let own_lines = LINES.map(|(name, words)| {
            let value = self.fields.remove(name)?;
            let exit = if name == "means" { exit.as_str() } else { "" };
            Some(format!("\n  {words}: {exit}{}", value.as_str().unwrap_or_default()))
        });
        for (name, value) in &self.fields {
            // A text may be written; writing to one cannot fail.
            let _ = write!(text, " {name}={value}");
        }
        text + &own_lines.into_iter().flatten().collect::<String>()
    }

    /// For machines.
    fn json(self, level: Level, now: String, run: Option<&str>) -> String {
        let mut line = Map::new();
        line.insert("timestamp".into(), now.into());
        line.insert("level".into(), level.as_str().into());
        line.extend(run.map(|run| ("run_id".to_owned(), run.into())));
        line.insert("message".into(), self.message.into());
        line.extend(self.fields);
        Value::Object(line).to_string()
    }

    fn set(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            ("message", Value::String(text)) => self.message = text,
            ("call_id", Value::String(id)) => {
                drop(self.fields.insert("call_id".into(), shown_id(&id).into()))
            }
            (name, value) => drop(self.fields.insert(name.to_owned(), value)),
        }
    }
}

/// A CallId has a `^`, and neither side of it is as long as a mobile number; what stands in its place is masked.
fn shown_id(id: &str) -> String {
    let mobile = |part: &str| part.len() == 11 && part.starts_with('1');
    if id.contains('^') && !id.split('^').any(mobile) { id.to_owned() } else { phone::mask_text(id) }
}

impl Visit for Said {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.set(field, format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.set(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field, value.into());
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn flags_beat_rust_log_and_libraries_are_never_shown() {
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
        for (volume, asked_for, expected) in cases {
            let (targets, wrong) = shown(volume, asked_for);
            let found = [
                targets.would_enable("reconcile::console::messages", &Level::INFO),
                targets.would_enable("reconcile::fetch", &Level::DEBUG),
                targets.would_enable("hyper::client", &Level::ERROR),
            ];
            assert_eq!((found, wrong), (expected, None), "{volume:?} {asked_for:?}");
        }
    }

    #[test]
    fn a_rust_log_that_cannot_be_read_changes_nothing_and_is_told() {
        let (targets, wrong) = shown(Volume::Usual, Some("reconcile=loud"));
        assert!(
            targets.would_enable("reconcile", &Level::INFO)
                && !targets.would_enable("reconcile", &Level::DEBUG)
        );
        assert!(wrong.is_some());
    }

    #[test]
    fn every_line_of_a_text_has_its_run() {
        let text = "error: a\n  to do: b";
        let run = Some("3f2a91c0-0000-4000-8000-000000000000");
        assert_eq!(tagged(text, run), "reconcile[3f2a91c0]: error: a\nreconcile[3f2a91c0]:   to do: b");
        assert_eq!(tagged("reconcile: 1 call", run), "reconcile[3f2a91c0]: 1 call");
        assert_eq!(tagged(text, None), text);
    }

    #[test]
    fn what_may_be_a_phone_number_in_place_of_a_call_id_is_masked() {
        assert_eq!(shown_id("116014888060^102816313060"), "116014888060^102816313060");
        assert_eq!(shown_id("13812345678"), "138****5678");
        assert!(!shown_id("13812345678^102816313060").contains("13812345678"));
    }

    #[test]
    fn a_failure_has_its_parts_in_lines_and_in_json_as_fields() {
        let failure = || {
            let fields = [
                ("to_do", "b".into()),
                ("exit_code", 3.into()),
                ("means", "c".into()),
                ("because", "d".into()),
            ];
            let fields =
                fields.into_iter().map(|(name, value): (_, Value)| (name.to_owned(), value)).collect();
            Said { message: "a".into(), fields }
        };
        let text = failure().text(Level::ERROR, "");
        assert_eq!(text, "error: a\n  because: d\n  this means: exit 3, c\n  to do: b");
        let json: Value = serde_json::from_str(&failure().json(Level::ERROR, String::new(), None)).unwrap();
        assert_eq!(
            (&json["exit_code"], &json["to_do"], &json["message"]),
            (&3.into(), &"b".into(), &"a".into())
        );
    }

    #[test]
    fn json_is_one_object_a_line_with_the_whole_id() {
        let said = Said { message: "a \"b\"\nc".into(), ..Said::default() };
        let line = said.json(Level::WARN, "2026-11-24T00:00:00.000Z".into(), Some("r"));
        let value: Value = serde_json::from_str(&line).unwrap();
        assert!(!line.contains('\n'));
        assert_eq!((&value["run_id"], &value["message"]), (&"r".into(), &"a \"b\"\nc".into()));
    }
}
