//! A scenario from a TOML file: faults by chance, and replies scripted by CallId and attempt.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};

use super::faults::{Faults, Injection, step};
use super::history::RequestContext;
use super::refusal::Refusal;
use super::reply::{Effect, Step};

/// The faults of a sandbox and the scripts of single calls.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scenario {
    pub(super) faults: Faults,
    /// The steps of each CallId, one for each attempt.
    scripts: HashMap<String, Vec<Step>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ScenarioFile {
    #[serde(default)]
    faults: String,
    #[serde(default)]
    calls: HashMap<String, Vec<ScriptedStep>>,
}

/// A step in the file: a name, or a table.
struct ScriptedStep(Step);

/// The table of a step; `sample-data/scenario.toml` explains its keys.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
struct StepTable {
    answer: Option<String>,
    data: Option<String>,
    http: Option<u16>,
    code: Option<String>,
    message: String,
    #[serde(deserialize_with = "duration")]
    retry_after: Option<Duration>,
    #[serde(deserialize_with = "duration")]
    delay: Option<Duration>,
    #[serde(deserialize_with = "duration")]
    drip: Option<Duration>,
}

fn duration<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
    let text = String::deserialize(from)?;
    humantime::parse_duration(&text)
        .map(Some)
        .map_err(|e| D::Error::custom(format!("{e}; write 500ms, 10s or 2m")))
}

impl StepTable {
    fn into_step(self) -> Result<Step, String> {
        let step = match (self.answer, self.data, self.http, self.code) {
            (Some(name), None, None, None) => step(&name)?,
            (None, Some(data), None, None) => Effect::Data(data).into(),
            (None, None, Some(status), None) => Effect::Page { status: check_status(status)? }.into(),
            (None, None, status, Some(code)) => {
                let status = check_status(status.unwrap_or(200))?;
                let ms = self.retry_after.map(|after| after.as_millis());
                Effect::Error(Refusal {
                    retry_after_ms: ms.map(|ms| u64::try_from(ms).unwrap_or(u64::MAX)),
                    ..Refusal::new(status, code, self.message)
                })
                .into()
            }
            (None, None, None, None) => Effect::Record.into(),
            _ => return Err("write one of `answer`, `data`, `http`, or `code` with or without `http`".into()),
        };
        let (delay, drip) = (self.delay.unwrap_or(step.delay), self.drip.unwrap_or(step.drip));
        Ok(Step { delay, drip, ..step })
    }
}

fn check_status(status: u16) -> Result<u16, String> {
    if (200..600).contains(&status) {
        Ok(status)
    } else {
        Err(format!("{status} is not an HTTP status from 200 to 599"))
    }
}

impl<'de> Deserialize<'de> for ScriptedStep {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(NameOrTable)
    }
}

struct NameOrTable;

impl<'de> Visitor<'de> for NameOrTable {
    type Value = ScriptedStep;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a fault, `record`, `no-record`, or a table")
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<ScriptedStep, E> {
        step(name).map(ScriptedStep).map_err(E::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ScriptedStep, A::Error> {
        let table = StepTable::deserialize(MapAccessDeserializer::new(map))?;
        table.into_step().map(ScriptedStep).map_err(A::Error::custom)
    }
}

impl From<Faults> for Scenario {
    fn from(faults: Faults) -> Self {
        Self { faults, scripts: HashMap::new() }
    }
}

impl Scenario {
    /// Reads a scenario file. `faults` is a list of faults as on the command line. `[calls]` maps
    /// each CallId to a list of replies, one for each attempt; the last one is repeated.
    ///
    /// # Errors
    ///
    /// What is wrong, with its line.
    pub fn parse(text: &str) -> Result<Self, String> {
        let file: ScenarioFile = toml::from_str(text).map_err(|error| error.to_string())?;
        if let Some((call_id, _)) = file.calls.iter().find(|(_, steps)| steps.is_empty()) {
            return Err(format!("[calls] \"{call_id}\" has no answer; remove it, or write [\"record\"]"));
        }
        let scripts = file
            .calls
            .into_iter()
            .map(|(id, steps)| (id, steps.into_iter().map(|ScriptedStep(step)| step).collect()));
        Ok(Self { faults: Faults::parse(&file.faults)?, scripts: scripts.collect() })
    }

    /// The fault for a request, if any. A call with a script gets only the steps of the script.
    pub(super) fn inject(&self, seed: u64, call_id: &str, request: &RequestContext) -> Option<Injection> {
        let Some(steps) = self.scripts.get(call_id) else { return self.faults.inject(seed, request) };
        let index = usize::try_from(request.attempt.saturating_sub(1)).unwrap_or(usize::MAX);
        let step = steps.get(index).or(steps.last())?;
        Some(Injection { name: "script", step: step.clone() })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn effect(scenario: &Scenario, call_id: &str, attempt: u32) -> Effect {
        let request = RequestContext {
            call_hash: 1,
            attempt,
            request_no: 1,
            since_start: Duration::ZERO,
            since_first_attempt: Duration::ZERO,
            first_day: None,
        };
        scenario.inject(0, call_id, &request).map_or(Effect::Record, |injection| injection.step.effect)
    }

    #[test]
    fn replies_are_scripted_by_call_and_attempt() {
        let text = "faults = \"503=100%\"\n[calls]\n\"1^1\" = [\"no-record\", { data = \"{}\" }, \"record\"]\n\
                    \"1^2\" = [{ http = 418, code = \"X\", message = \"m\", retry-after = \"2s\" }, { http = 404 }]\n\
                    \"1^3\" = [{ answer = \"cut\", delay = \"1s\" }, { drip = \"3s\" }]\n";
        let scenario = Scenario::parse(text).unwrap();
        let first: Vec<Effect> = (1..=4).map(|n| effect(&scenario, "1^1", n)).collect();
        assert_eq!(first, [Effect::NoRecord, Effect::Data("{}".into()), Effect::Record, Effect::Record]);
        let Effect::Error(refusal) = effect(&scenario, "1^2", 1) else { unreachable!() };
        assert_eq!((refusal.status, refusal.code.as_str(), refusal.retry_after_ms), (418, "X", Some(2000)));
        assert_eq!(effect(&scenario, "1^2", 9), Effect::Page { status: 404 });
        assert!(matches!(effect(&scenario, "1^9", 1), Effect::Error(refusal) if refusal.status == 503));
        let steps = &scenario.scripts["1^3"];
        assert_eq!((steps[0].delay, steps[1].drip), (Duration::from_secs(1), Duration::from_secs(3)));
    }

    #[test]
    fn an_error_names_its_line() {
        for (line, says) in [
            ("\"1^1\" = [\"cutt\"]", "did you mean `cut`"),
            ("\"1^1\" = [7]", "expected the name of a fault"),
            ("\"1^1\" = [{ http = 99 }]", "99 is not an HTTP status"),
            ("\"1^1\" = [{ http = 500, data = \"x\" }]", "write one of `answer`"),
            ("\"1^1\" = [{ delay = \"soon\" }]", "write 500ms"),
            ("\"1^1\" = [{ htpp = 500 }]", "unknown field `htpp`"),
            ("\"1^1\" = \"cut\"", "invalid type"),
        ] {
            let error = Scenario::parse(&format!("[calls]\n{line}\n")).unwrap_err();
            assert!(error.contains(says) && error.contains("line 2"), "{line}: {error}");
        }
        assert!(Scenario::parse("[calls]\n\"1^1\" = []\n").unwrap_err().contains("has no answer"));
        assert!(Scenario::parse("faults = \"x=1%\"").unwrap_err().contains("no fault `x`"));
        assert!(Scenario::parse("fault = \"\"").unwrap_err().contains("unknown field"));
    }
}
