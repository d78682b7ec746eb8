//! What is to happen, as a user writes it: a list of faults, or a TOML file that scripts answers by CallId and attempt.
//!
//! Owns the file's form. Promises that what is wrong in it is told with its line.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};

use super::faults::{Faults, Moment, Step, What, step};
use super::gateway::Refusal;

/// What is to go wrong in a rehearsal, by chance and by script.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scenario {
    pub(super) faults: Faults,
    calls: HashMap<String, Vec<Step>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    faults: String,
    #[serde(default)]
    calls: HashMap<String, Vec<Scripted>>,
}

struct Scripted(Step);

/// An answer that a name does not say.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
struct Written {
    answer: Option<String>,
    data: Option<String>,
    http: Option<u16>,
    code: Option<String>,
    message: String,
    #[serde(deserialize_with = "length")]
    retry_after: Option<Duration>,
    #[serde(deserialize_with = "length")]
    delay: Option<Duration>,
    #[serde(deserialize_with = "length")]
    drip: Option<Duration>,
}

fn length<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
    let text = String::deserialize(from)?;
    humantime::parse_duration(&text)
        .map(Some)
        .map_err(|e| D::Error::custom(format!("{e}; write 500ms, 10s, 2m")))
}

impl Written {
    fn step(self) -> Result<Step, String> {
        let what = match (self.answer, self.data, self.http, self.code) {
            (Some(name), None, None, None) => step(&name)?,
            (None, Some(data), None, None) => What::Data(data).into(),
            (None, None, Some(status), None) => What::Page { status: known(status)? }.into(),
            (None, None, status, Some(code)) => {
                let mut refusal = Refusal::new(known(status.unwrap_or(200))?, code, self.message);
                let ms = self.retry_after.map(|after| after.as_millis());
                refusal.retry_after_ms = ms.map(|ms| u64::try_from(ms).unwrap_or(u64::MAX));
                What::Error(refusal).into()
            }
            (None, None, None, None) => What::Record.into(),
            _ => return Err("write one of `answer`, `data`, `http`, or `code` with or without `http`".into()),
        };
        let (delay, drip) = (self.delay.unwrap_or(what.delay), self.drip.unwrap_or(what.drip));
        Ok(Step { delay, drip, ..what })
    }
}

fn known(status: u16) -> Result<u16, String> {
    if (200..600).contains(&status) {
        Ok(status)
    } else {
        Err(format!("{status} is no HTTP status from 200 to 599"))
    }
}

impl<'de> Deserialize<'de> for Scripted {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = Scripted;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a fault, `record`, `no-record`, or a table")
            }

            fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Scripted, E> {
                step(name).map(Scripted).map_err(E::custom)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Scripted, A::Error> {
                let written = Written::deserialize(MapAccessDeserializer::new(map))?;
                written.step().map(Scripted).map_err(A::Error::custom)
            }
        }
        from.deserialize_any(Read)
    }
}

impl From<Faults> for Scenario {
    fn from(faults: Faults) -> Self {
        Self { faults, calls: HashMap::new() }
    }
}

impl Scenario {
    /// Reads a scenario file: `faults`, as on the command line, and `[calls]`, which gives a CallId the list of its
    /// answers, one an attempt; the last answers all that follow.
    ///
    /// # Errors
    ///
    /// What is wrong, with its line.
    pub fn parse(text: &str) -> Result<Self, String> {
        let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
        if let Some((call_id, _)) = file.calls.iter().find(|(_, steps)| steps.is_empty()) {
            return Err(format!("[calls] \"{call_id}\" has no answer; leave it out, or write [\"record\"]"));
        }
        let calls = file.calls.into_iter();
        let calls = calls.map(|(id, steps)| (id, steps.into_iter().map(|Scripted(step)| step).collect()));
        Ok(Self { faults: Faults::parse(&file.faults)?, calls: calls.collect() })
    }

    /// What is made of a request, with a word for it: `script`, or the fault's name; `None` when nothing is to happen.
    pub(super) fn befall(&self, seed: u64, call_id: &str, at: Moment) -> Option<(&'static str, Step)> {
        let Some(steps) = self.calls.get(call_id) else { return self.faults.befall(seed, at) };
        let nth = usize::try_from(at.attempt.saturating_sub(1)).unwrap_or(usize::MAX);
        steps.get(nth).or(steps.last()).map(|step| ("script", step.clone()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn told(scenario: &Scenario, call_id: &str, attempt: u32) -> What {
        let since = Duration::ZERO;
        let at = Moment { call: 1, attempt, request: 1, since_start: since, since_first: since };
        scenario.befall(0, call_id, at).map_or(What::Record, |(_, step)| step.what)
    }

    #[test]
    fn answers_are_scripted_by_call_and_attempt() {
        let text = "faults = \"503=100%\"\n[calls]\n\"1^1\" = [\"no-record\", { data = \"{}\" }, \"record\"]\n\
                    \"1^2\" = [{ http = 418, code = \"X\", message = \"m\", retry-after = \"2s\" }, { http = 404 }]\n\
                    \"1^3\" = [{ answer = \"cut\", delay = \"1s\" }, { drip = \"3s\" }]\n";
        let scenario = Scenario::parse(text).unwrap();
        let first: Vec<What> = (1..=4).map(|n| told(&scenario, "1^1", n)).collect();
        assert_eq!(first, [What::NoRecord, What::Data("{}".into()), What::Record, What::Record]);
        let What::Error(refusal) = told(&scenario, "1^2", 1) else { unreachable!() };
        assert_eq!((refusal.status, refusal.code.as_str(), refusal.retry_after_ms), (418, "X", Some(2000)));
        assert_eq!(told(&scenario, "1^2", 9), What::Page { status: 404 });
        assert!(matches!(told(&scenario, "1^9", 1), What::Error(refusal) if refusal.status == 503));
        let steps = &scenario.calls["1^3"];
        assert_eq!((steps[0].delay, steps[1].drip), (Duration::from_secs(1), Duration::from_secs(3)));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        for (line, says) in [
            ("\"1^1\" = [\"cutt\"]", "did you mean `cut`"),
            ("\"1^1\" = [7]", "expected the name of a fault"),
            ("\"1^1\" = [{ http = 99 }]", "99 is no HTTP status"),
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
