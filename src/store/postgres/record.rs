//! Writes requests and answers: one statement for all new requests of a batch, one for all ends, and
//! one for all answers.
//!
//! Each statement locks the sessions of its rows against a take-over. If one of them has been taken
//! over, it writes nothing. A batch that was committed already changes nothing when it is written
//! again.

use std::collections::BTreeMap;
use std::time::Duration;

use postgres::{Statement, Transaction};
use reconcile_core::answer::{AnswerKind, NewAnswer};
use reconcile_core::call::CallKey;

use super::connection::Link;
use super::errors::{Done, Failure};
use super::values::{Day, stored};
use crate::clock::Moment;
use crate::store::checksum::checksum;
use crate::store::request::{BegunRequest, NewRequest, RequestEnd, WITHDRAWN};
use crate::store::stored_word::Word as _;
use crate::store::units::{duration_us, time_us};

/// The sessions of `$1`, locked against a take-over. A renewal does not wait for this lock.
macro_rules! fenced {
    ($rest:literal) => {
        concat!(
            "WITH ours AS (SELECT session_no FROM session WHERE session_no = ANY ($1) AND fence = 0 FOR KEY SHARE), ",
            "live AS (SELECT count(*) = cardinality($1) AS all_are FROM ours), ",
            $rest
        )
    };
}

const BEGIN: &str = fenced!(
    "new AS (
       SELECT * FROM unnest($2::bigint[], $3::bigint[], $4::text[], $5::bigint[], $6::date[], $7::date[], $8::text[],
                            $9::bigint[], $10::bigint[])
         AS n (session_no, request_no, call_id, prod_id, call_date, asked_date, purpose, sent_at, sent_boot_us)
       WHERE (SELECT all_are FROM live) AND NOT EXISTS
         (SELECT FROM request AS r WHERE r.session_no = n.session_no AND r.request_no = n.request_no)),
     called AS (
       INSERT INTO call AS c (call_id, prod_id, call_date, attempts, first_session_no)
       SELECT call_id, prod_id, call_date, count(*), min(session_no) FROM new GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
       ON CONFLICT (call_id, prod_id, call_date) DO UPDATE SET attempts = c.attempts + excluded.attempts
       RETURNING call_no, call_id, prod_id, call_date),
     begun AS (
       INSERT INTO request (session_no, request_no, call_no, asked_date, purpose, sent_at, sent_boot_us)
       SELECT session_no, request_no, call_no, asked_date, purpose, sent_at, sent_boot_us
       FROM new JOIN called USING (prod_id, call_date, call_id)
       RETURNING session_no, request_no, call_no)
     SELECT * FROM begun
     UNION ALL
     SELECT r.session_no, r.request_no, r.call_no
     FROM unnest($2::bigint[], $3::bigint[]) AS n (session_no, request_no)
     JOIN request AS r ON r.session_no = n.session_no AND r.request_no = n.request_no
     WHERE (SELECT all_are FROM live)"
);

const END: &str = fenced!(
    "ended AS (
       SELECT * FROM unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::int[], $7::text[], $8::bool[],
                            $9::text[], $10::bigint[])
         AS e (session_no, request_no, replied_at, replied_boot_us, http_status, code, throttled, decision, pause_us)
       WHERE (SELECT all_are FROM live))
     UPDATE request AS r SET replied_at = e.replied_at, replied_boot_us = e.replied_boot_us, http_status = e.http_status,
            code = e.code, throttled = e.throttled, decision = e.decision, pause_us = e.pause_us
     FROM ended AS e WHERE r.session_no = e.session_no AND r.request_no = e.request_no"
);

/// A withdrawn request is no attempt of its call.
const WITHDRAW: &str = fenced!(
    "withdrawn AS (
       SELECT call_no, count(*) AS requests FROM unnest($2::bigint[], $3::bigint[]) AS w (session_no, request_no)
       JOIN request AS r USING (session_no, request_no)
       WHERE (SELECT all_are FROM live) AND r.replied_boot_us IS NULL GROUP BY call_no)
     UPDATE call SET attempts = attempts - requests FROM withdrawn WHERE call.call_no = withdrawn.call_no"
);

/// Only a record replaces a record.
const ANSWER: &str = fenced!(
    "answered AS (
       SELECT * FROM unnest($2::bigint[], $3::text[], $4::bigint[], $5::bigint[], $6::date[], $7::date[], $8::text[],
                            $9::text[], $10::text[], $11::text[], $12::bigint[])
         AS a (call_no, answer, session_no, fetched_at, found_date, next_date, request_id, code, message, data, checksum)
       WHERE (SELECT all_are FROM live))
     UPDATE call AS c SET answer = a.answer, session_no = a.session_no, fetched_at = a.fetched_at,
            found_date = a.found_date, next_date = a.next_date, request_id = a.request_id, code = a.code,
            message = a.message, data = a.data, checksum = a.checksum
     FROM answered AS a WHERE c.call_no = a.call_no
        AND (a.answer IN ('final', 'interim') OR c.answer IS NULL OR c.answer NOT IN ('final', 'interim'))"
);

/// A request with its number in its session.
#[derive(Debug, Clone)]
pub(super) struct NumberedRequest {
    pub(super) session_no: i64,
    pub(super) request_no: i64,
    pub(super) request: NewRequest,
    pub(super) at: Moment,
}

/// The end of a request.
#[derive(Debug, Clone)]
pub(super) struct Ended {
    pub(super) session_no: i64,
    pub(super) begun: BegunRequest,
    pub(super) end: RequestEnd,
    pub(super) answer: Option<NewAnswer>,
}

/// What one transaction writes.
#[derive(Debug, Clone, Default)]
pub(super) struct Batch {
    pub(super) new: Vec<NumberedRequest>,
    pub(super) ended: Vec<Ended>,
}

/// The number of a request: that of its session, and its own.
pub(super) type RequestNo = (i64, i64);

/// Writes a batch. Returns the numbers of the calls of its new requests.
pub(super) fn write(link: &mut Link, batch: &Batch) -> Done<BTreeMap<RequestNo, i64>> {
    let statements = Statements::of(link, batch)?;
    let mut t = link.client.transaction()?;
    if let Some(end) = &statements.end {
        end_requests(&mut t, &statements, end, &batch.ended)?;
    }
    let begun = match &statements.begin {
        Some(begin) => begin_requests(&mut t, begin, &batch.new)?,
        None => BTreeMap::new(),
    };
    t.commit()?;
    Ok(begun)
}

/// The planned statements that a batch needs.
struct Statements {
    begin: Option<Statement>,
    end: Option<Statement>,
    withdraw: Option<Statement>,
    answer: Option<Statement>,
}

impl Statements {
    fn of(link: &mut Link, batch: &Batch) -> Done<Self> {
        let is_withdrawn = |ended: &Ended| ended.end.code == WITHDRAWN;
        let mut plan = |needed: bool, sql| needed.then(|| link.prepared(sql)).transpose();
        Ok(Self {
            begin: plan(!batch.new.is_empty(), BEGIN)?,
            end: plan(!batch.ended.is_empty(), END)?,
            withdraw: plan(batch.ended.iter().any(is_withdrawn), WITHDRAW)?,
            answer: plan(batch.ended.iter().any(|ended| ended.answer.is_some()), ANSWER)?,
        })
    }
}

/// Each session once.
fn sessions(numbers: impl Iterator<Item = i64>) -> Vec<i64> {
    numbers.collect::<std::collections::BTreeSet<_>>().into_iter().collect()
}

fn begin_requests(
    t: &mut Transaction<'_>,
    begin: &Statement,
    new: &[NumberedRequest],
) -> Done<BTreeMap<RequestNo, i64>> {
    let column = |value: fn(&NumberedRequest) -> i64| new.iter().map(value).collect::<Vec<i64>>();
    let day = |value: fn(&NumberedRequest) -> Day| new.iter().map(value).collect::<Vec<Day>>();
    let ids: Vec<_> = new.iter().map(|n| stored(&n.request.key.call_id)).collect();
    let purposes: Vec<_> = new.iter().map(|n| n.request.purpose.word()).collect();
    let rows = t.query(
        begin,
        &[
            &sessions(new.iter().map(|n| n.session_no)),
            &column(|n| n.session_no),
            &column(|n| n.request_no),
            &ids,
            &column(|n| n.request.key.prod_id.0),
            &day(|n| Day(n.request.key.day)),
            &day(|n| Day(n.request.asked_date)),
            &purposes,
            &column(|n| time_us(n.at.wall)),
            &column(|n| n.at.boot_us),
        ],
    )?;
    if rows.len() < new.len() {
        return Err(Failure::TakenOver);
    }
    let call_of = |row: postgres::Row| Ok(((row.try_get(0)?, row.try_get(1)?), row.try_get(2)?));
    Ok(rows.into_iter().map(call_of).collect::<Result<_, postgres::Error>>()?)
}

fn end_requests(
    t: &mut Transaction<'_>,
    statements: &Statements,
    end: &Statement,
    ended: &[Ended],
) -> Done<()> {
    let ours = sessions(ended.iter().map(|e| e.session_no));
    if let Some(withdraw) = &statements.withdraw {
        let withdrawn = ended.iter().filter(|e| e.end.code == WITHDRAWN);
        let (of, numbers): (Vec<i64>, Vec<i64>) =
            withdrawn.map(|e| (e.session_no, e.begun.request_no)).unzip();
        t.execute(withdraw, &[&ours, &of, &numbers])?;
    }
    let codes: Vec<_> = ended.iter().map(|e| stored(&e.end.code)).collect();
    let rows = t.execute(
        end,
        &[
            &ours,
            &ended.iter().map(|e| e.session_no).collect::<Vec<_>>(),
            &ended.iter().map(|e| e.begun.request_no).collect::<Vec<_>>(),
            &ended.iter().map(|e| time_us(e.end.at.wall)).collect::<Vec<_>>(),
            &ended.iter().map(|e| e.end.at.boot_us).collect::<Vec<_>>(),
            &ended.iter().map(|e| e.end.http_status.map(i32::from)).collect::<Vec<_>>(),
            &codes,
            &ended.iter().map(|e| e.end.throttled).collect::<Vec<_>>(),
            &ended.iter().map(|e| e.end.decision.word()).collect::<Vec<_>>(),
            &ended.iter().map(|e| e.end.pause.map(|pause: Duration| duration_us(pause))).collect::<Vec<_>>(),
        ],
    )?;
    if rows == 0 {
        return Err(Failure::TakenOver);
    }
    match &statements.answer {
        Some(answer) => store_answers(t, answer, &ours, ended),
        None => Ok(()),
    }
}

/// An answer, its call, and when it was fetched.
struct Fetched<'a> {
    session_no: i64,
    key: &'a CallKey,
    answer: &'a NewAnswer,
    fetched_at: i64,
}

fn is_record(answer: &NewAnswer) -> bool {
    matches!(answer.kind, AnswerKind::Final | AnswerKind::Interim)
}

/// The answers by the numbers of their calls. Of two answers for one call only a record replaces a
/// record, as in the table.
fn by_call(ended: &[Ended]) -> BTreeMap<i64, Fetched<'_>> {
    let mut answers: BTreeMap<i64, Fetched<'_>> = BTreeMap::new();
    for Ended { session_no, begun, end, answer } in ended {
        let Some(answer) = answer else { continue };
        let fetched_at = time_us(end.provider_at.unwrap_or(end.at.wall));
        let earlier = answers.get(&begun.call_no);
        if is_record(answer) || earlier.is_none_or(|earlier| !is_record(earlier.answer)) {
            let new = Fetched { session_no: *session_no, key: &begun.key, answer, fetched_at };
            answers.insert(begun.call_no, new);
        }
    }
    answers
}

fn store_answers(
    t: &mut Transaction<'_>,
    statement: &Statement,
    ours: &Vec<i64>,
    ended: &[Ended],
) -> Done<()> {
    let answers = by_call(ended);
    let (numbers, answers): (Vec<i64>, Vec<Fetched<'_>>) = answers.into_iter().unzip();
    let column = |value: fn(&Fetched<'_>) -> i64| answers.iter().map(value).collect::<Vec<i64>>();
    let text = |value: for<'a> fn(&'a Fetched<'_>) -> Option<&'a str>| {
        answers.iter().map(|a| value(a).map(stored)).collect::<Vec<_>>()
    };
    let days = |value: fn(&Fetched<'_>) -> Option<Day>| answers.iter().map(value).collect::<Vec<_>>();
    t.execute(
        statement,
        &[
            ours,
            &numbers,
            &text(|a| Some(a.answer.kind.as_str())),
            &column(|a| a.session_no),
            &column(|a| a.fetched_at),
            &days(|a| Some(Day(a.answer.found_date))),
            &days(|a| a.answer.next_date.map(Day)),
            &text(|a| a.answer.request_id.as_deref()),
            &text(|a| Some(a.answer.code.as_str())),
            &text(|a| Some(a.answer.message.as_str())),
            &text(|a| a.answer.data.as_deref()),
            &column(|a| checksum(a.key, a.answer, a.session_no, a.fetched_at)),
        ],
    )?;
    Ok(())
}

/// Deletes answers by the numbers of their calls.
pub(super) fn discard_answers(t: &mut Transaction<'_>, call_nos: &[i64]) -> Done<()> {
    t.execute("UPDATE call SET answer = NULL, checksum = NULL WHERE call_no = ANY ($1)", &[&call_nos])?;
    Ok(())
}
