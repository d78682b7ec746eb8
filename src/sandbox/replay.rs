//! A recording of the provider's answers, told again.
//!
//! Promises the recorded answers of a question in their order, byte for byte, the last of them for ever; what was never
//! asked when the recording was made has no record.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use chrono::NaiveDate;

use super::records::Told;
use crate::recording::Exchange;

/// An answer as it was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Replayed {
    /// HTTP status; `None` when no answer came.
    pub(super) status: Option<u16>,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl From<Exchange> for Replayed {
    fn from(exchange: Exchange) -> Self {
        let (status, body) = (exchange.status, exchange.body());
        Self { status, headers: exchange.headers.into_iter().collect(), body }
    }
}

type Question = (String, i64, NaiveDate);

/// The answers of every question, and how many of them were told.
pub(super) struct Replay {
    answers: HashMap<Question, (Vec<Replayed>, Mutex<usize>)>,
}

impl Replay {
    pub(super) fn new(exchanges: Vec<Exchange>) -> Self {
        let mut answers: HashMap<Question, (Vec<Replayed>, Mutex<usize>)> = HashMap::new();
        for exchange in exchanges {
            let question = (exchange.call_id.clone(), exchange.prod_id, exchange.day);
            answers.entry(question).or_default().0.push(exchange.into());
        }
        Self { answers }
    }

    /// How many questions have an answer.
    pub(super) fn len(&self) -> usize {
        self.answers.len()
    }

    pub(super) fn tell(&self, call_id: &str, prod_id: i64, day: NaiveDate) -> Told {
        let question = (call_id.to_owned(), prod_id, day);
        let Some((answers, told)) = self.answers.get(&question) else { return Told::NoRecord };
        let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = answers.get(*told).or(answers.last());
        *told = told.saturating_add(1);
        answer.cloned().map_or(Told::NoRecord, Told::Replayed)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn answers_come_in_their_order_and_the_last_for_ever() {
        let day: NaiveDate = "2026-11-20".parse().unwrap();
        let exchange = |status| Exchange::lost("1^1", 7, day).answered(status, b"{}");
        let replay = Replay::new(vec![Exchange::lost("1^1", 7, day), exchange(503), exchange(200)]);
        let told: Vec<_> = (0..4)
            .map(|_| match replay.tell("1^1", 7, day) {
                Told::Replayed(replayed) => replayed.status,
                _ => Some(0),
            })
            .collect();
        assert_eq!(told, [None, Some(503), Some(200), Some(200)]);
        assert_eq!(replay.tell("1^1", 8, day), Told::NoRecord);
        assert_eq!(replay.len(), 1);
    }
}
