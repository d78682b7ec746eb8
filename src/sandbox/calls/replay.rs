//! The calls of a recording: its replies, byte for byte and in the recorded order.
//!
//! The last reply to a query is repeated. A query that is not in the recording has no record.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use chrono::NaiveDate;

use crate::recording::Exchange;
use crate::sandbox::call_query::CallQuery;
use crate::sandbox::reply::{RecordedReply, Reply};

impl From<Exchange> for RecordedReply {
    fn from(exchange: Exchange) -> Self {
        let (status, body) = (exchange.status, exchange.body());
        Self { status, headers: exchange.headers.into_iter().collect(), body }
    }
}

/// CallId, product and day of a query.
type QueryKey = (String, i64, NaiveDate);

/// The replies to one query, and how many were sent.
#[derive(Default)]
struct RecordedReplies {
    replies: Vec<RecordedReply>,
    sent: AtomicUsize,
}

/// The replies by query.
pub(super) struct RecordedCalls(HashMap<QueryKey, RecordedReplies>);

impl RecordedCalls {
    /// Sorts exchanges by query.
    pub(super) fn new(exchanges: Vec<Exchange>) -> Self {
        let mut queries: HashMap<QueryKey, RecordedReplies> = HashMap::new();
        for exchange in exchanges {
            let key = (exchange.call_id.clone(), exchange.prod_id, exchange.day);
            queries.entry(key).or_default().replies.push(exchange.into());
        }
        Self(queries)
    }

    /// How many different queries the recording holds.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The next reply to a query.
    pub(super) fn reply(&self, query: &CallQuery<'_>) -> Reply {
        let key = (query.call_id.to_owned(), query.prod_id, query.day);
        let Some(RecordedReplies { replies, sent }) = self.0.get(&key) else { return Reply::NoRecord };
        let reply = replies.get(sent.fetch_add(1, Ordering::Relaxed)).or(replies.last());
        reply.cloned().map_or(Reply::NoRecord, Reply::Recorded)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn replies_come_in_order_and_the_last_is_repeated() {
        let day: NaiveDate = "2026-11-20".parse().unwrap();
        let exchange = |status| Exchange::lost("1^1", 7, day).answered(status, b"{}");
        let calls = RecordedCalls::new(vec![Exchange::lost("1^1", 7, day), exchange(503), exchange(200)]);
        let query = CallQuery { call_id: "1^1", prod_id: 7, day };
        let statuses: Vec<_> = (0..4)
            .map(|_| match calls.reply(&query) {
                Reply::Recorded(reply) => reply.status,
                _ => Some(0),
            })
            .collect();
        assert_eq!(statuses, [None, Some(503), Some(200), Some(200)]);
        assert_eq!(calls.reply(&CallQuery { prod_id: 8, ..query }), Reply::NoRecord);
        assert_eq!(calls.len(), 1);
    }
}
