//! Writes requests and answers: a batch is one statement.
//!
//! A batch that was committed already changes nothing when it is written again.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use postgres::types::ToSql;
use postgres::{GenericClient, Statement, Transaction};
use reconcile_core::answer::NewAnswer;
use reconcile_core::call::CallKey;

use super::batch_sql::{WITHDRAW, WRITE};
use super::connection::Link;
use super::errors::{Done, Failure};
use super::other_answers;
use super::values::{Day, stored};
use crate::clock::Moment;
use crate::store::checksum::checksum;
use crate::store::request::{BegunRequest, NewRequest, RequestEnd, WITHDRAWN};
use crate::store::stored_word::Word as _;
use crate::store::units::{duration_us, time_us};

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

impl Ended {
    /// When its answer was fetched, in microseconds since 1970.
    pub(super) fn fetched_at(&self) -> i64 {
        time_us(self.end.provider_at.unwrap_or(self.end.at.wall))
    }
}

/// What one transaction writes.
#[derive(Debug, Clone, Default)]
pub(super) struct Batch {
    pub(super) new: Vec<NumberedRequest>,
    pub(super) ended: Vec<Ended>,
}

/// The number of a request: that of its session, and its own.
pub(super) type RequestNo = (i64, i64);

/// The call of a new request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct AskedCall {
    pub(super) call_no: i64,
    pub(super) had_final: bool,
}

/// Writes a batch. Returns the calls of its new requests.
///
/// Nearly every batch is one statement. If requests are withdrawn, a call has both an answer and a
/// new request, or a call with a final record has an answer, it is a transaction of several.
pub(super) fn write(link: &mut Link, batch: &Batch) -> Done<BTreeMap<RequestNo, AskedCall>> {
    let statement = link.prepared(WRITE)?;
    if is_one_statement(batch) {
        return execute(&mut link.client, &statement, &batch.new, &batch.ended);
    }
    let withdraw = link.prepared(WITHDRAW)?;
    let mut t = link.client.transaction()?;
    lock_sessions(&mut t, batch)?;
    take_back(&mut t, &withdraw, &batch.ended)?;
    let ended = look_again(&mut t, &batch.ended)?;
    execute(&mut t, &statement, &[], &ended)?;
    let begun = execute(&mut t, &statement, &batch.new, &[])?;
    t.commit()?;
    Ok(begun)
}

/// True if no row of `call` is changed twice.
fn is_one_statement(batch: &Batch) -> bool {
    let new: BTreeSet<_> = batch.new.iter().map(|n| call_of(&n.request.key)).collect();
    let mut ended = batch.ended.iter();
    ended.all(|e| {
        let is_plain = e.answer.is_none() || !(e.begun.had_final || new.contains(&call_of(&e.begun.key)));
        e.end.code != WITHDRAWN && is_plain
    })
}

/// Locks the sessions of a batch against a take-over.
fn lock_sessions(t: &mut Transaction<'_>, batch: &Batch) -> Done<()> {
    let of = batch.new.iter().map(|n| n.session_no).chain(batch.ended.iter().map(|e| e.session_no));
    let ours = sessions(of);
    let sql = "SELECT FROM session WHERE session_no = ANY ($1) AND fence = 0 FOR KEY SHARE";
    if t.query(sql, &[&ours])?.len() == ours.len() { Ok(()) } else { Err(Failure::TakenOver) }
}

/// The same ends without the answers that are not written, because their call has a final record.
fn look_again(t: &mut Transaction<'_>, ended: &[Ended]) -> Done<Vec<Ended>> {
    let mut ended = ended.to_vec();
    for end in &mut ended {
        let Some(answer) = end.answer.as_ref().filter(|_| end.begun.had_final) else { continue };
        if !other_answers::look_again(t, end.session_no, &end.begun, answer, end.fetched_at())? {
            end.answer = None;
        }
    }
    Ok(ended)
}

fn call_of(key: &CallKey) -> (&str, i64, NaiveDate) {
    (&key.call_id, key.prod_id.0, key.day)
}

/// Each session once.
fn sessions(numbers: impl Iterator<Item = i64>) -> Vec<i64> {
    numbers.collect::<BTreeSet<_>>().into_iter().collect()
}

fn take_back(t: &mut Transaction<'_>, withdraw: &Statement, ended: &[Ended]) -> Done<()> {
    let withdrawn = ended.iter().filter(|e| e.end.code == WITHDRAWN);
    let (of, numbers): (Vec<i64>, Vec<i64>) = withdrawn.map(|e| (e.session_no, e.begun.request_no)).unzip();
    t.execute(withdraw, &[&sessions(of.iter().copied()), &of, &numbers])?;
    Ok(())
}

/// Executes the statement that writes new requests, ends and answers.
fn execute(
    c: &mut impl GenericClient,
    statement: &Statement,
    new: &[NumberedRequest],
    ended: &[Ended],
) -> Done<BTreeMap<RequestNo, AskedCall>> {
    let of = new.iter().map(|n| n.session_no).chain(ended.iter().map(|e| e.session_no));
    let ours: Column<'_> = Box::new(sessions(of));
    let columns: Vec<Column<'_>> = std::iter::once(ours)
        .chain(new_columns(new))
        .chain(end_columns(ended))
        .chain(answer_columns(ended))
        .chain([column(new, |n| n.request.recheck)])
        .collect();
    let parameters: Vec<&(dyn ToSql + Sync)> = columns.iter().map(AsRef::as_ref).collect();
    let rows = c.query(statement, &parameters)?;
    if rows.is_empty() && !(new.is_empty() && ended.is_empty()) {
        return Err(Failure::TakenOver);
    }
    let mut begun = BTreeMap::new();
    for row in rows {
        if let Some(session_no) = row.try_get(0)? {
            let call = AskedCall { call_no: row.try_get(2)?, had_final: row.try_get(3)? };
            begun.insert((session_no, row.try_get(1)?), call);
        }
    }
    Ok(begun)
}

/// An array of values, one for each row.
type Column<'a> = Box<dyn ToSql + Sync + 'a>;

/// The values of these rows as an array.
fn column<'a, R, T: ToSql + Sync + 'a>(rows: &'a [R], value: impl Fn(&'a R) -> T) -> Column<'a> {
    Box::new(rows.iter().map(value).collect::<Vec<T>>())
}

fn new_columns(new: &[NumberedRequest]) -> [Column<'_>; 9] {
    [
        column(new, |n| n.session_no),
        column(new, |n| n.request_no),
        column(new, |n| stored(&n.request.key.call_id)),
        column(new, |n| n.request.key.prod_id.0),
        column(new, |n| Day(n.request.key.day)),
        column(new, |n| Day(n.request.asked_date)),
        column(new, |n| n.request.purpose.word()),
        column(new, |n| time_us(n.at.wall)),
        column(new, |n| n.at.boot_us),
    ]
}

fn end_columns(ended: &[Ended]) -> [Column<'_>; 10] {
    [
        column(ended, |e| e.session_no),
        column(ended, |e| e.begun.request_no),
        column(ended, |e| time_us(e.end.at.wall)),
        column(ended, |e| e.end.at.boot_us),
        column(ended, |e| e.end.http_status.map(i32::from)),
        column(ended, |e| stored(&e.end.code)),
        column(ended, |e| e.end.throttled),
        column(ended, |e| e.end.decision.word()),
        column(ended, |e| e.end.pause.map(duration_us)),
        column(ended, |e| e.end.request_id.as_deref().map(stored)),
    ]
}

/// An answer, and the request that brought it.
struct Answered<'a> {
    ended: &'a Ended,
    answer: &'a NewAnswer,
}

/// The answers by the numbers of their calls. Of two answers for one call the second replaces the
/// first by the rule of the table.
fn by_call(ended: &[Ended]) -> BTreeMap<i64, Answered<'_>> {
    let mut answers: BTreeMap<i64, Answered<'_>> = BTreeMap::new();
    for ended in ended {
        let Some(answer) = &ended.answer else { continue };
        let new = Answered { ended, answer };
        let earlier = answers.get(&ended.begun.call_no);
        if earlier.is_none_or(|earlier| answer.kind.replaces(earlier.answer.kind)) {
            answers.insert(ended.begun.call_no, new);
        }
    }
    answers
}

fn answer_columns<'a>(ended: &'a [Ended]) -> [Column<'a>; 11] {
    let answers: Vec<Answered<'a>> = by_call(ended).into_values().collect();
    fn of<'a, T: ToSql + Sync + 'a>(
        answers: &[Answered<'a>],
        value: impl Fn(&'a Ended, &'a NewAnswer) -> T,
    ) -> Column<'a> {
        Box::new(answers.iter().map(|a| value(a.ended, a.answer)).collect::<Vec<T>>())
    }
    let text = |text: &'a Option<String>| text.as_deref().map(stored);
    let sums = answers
        .iter()
        .map(|a| checksum(&a.ended.begun.key, a.answer, a.ended.session_no, a.ended.fetched_at()));
    let sums: Column<'a> = Box::new(sums.collect::<Vec<i64>>());
    let fetched: Column<'a> = Box::new(answers.iter().map(|a| a.ended.fetched_at()).collect::<Vec<i64>>());
    [
        of(&answers, |ended, _| ended.begun.call_no),
        of(&answers, |_, answer| answer.kind.as_str()),
        of(&answers, |ended, _| ended.session_no),
        fetched,
        of(&answers, |_, answer| Day(answer.found_date)),
        of(&answers, |_, answer| answer.next_date.map(Day)),
        of(&answers, |_, answer| text(&answer.request_id)),
        of(&answers, |_, answer| stored(&answer.code)),
        of(&answers, |_, answer| stored(&answer.message)),
        of(&answers, |_, answer| text(&answer.data)),
        sums,
    ]
}

/// Deletes answers by the numbers of their calls.
pub(super) fn discard_answers(t: &mut Transaction<'_>, call_nos: &[i64]) -> Done<()> {
    t.execute("UPDATE call SET answer = NULL, checksum = NULL WHERE call_no = ANY ($1)", &[&call_nos])?;
    Ok(())
}
