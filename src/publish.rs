//! Pass 2: ledger ⋈ store, in ledger order, into the four files.
//!
//! A pure function of (ledger, store, options, version): neither the order of replies nor the number of restarts
//! can show in the rows. Streams; what is remembered are the first rows of calls that are named again further down.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};

use crate::call::{LedgerRow, LedgerTime, Record, end_of_day};
use crate::compare::{self, Tolerances};
use crate::detail::{CallDetail, Failure, Lookup, Status};
use crate::discrepancy::{Discrepancy, DiscrepancyRow, Kind};
use crate::error::{Error, Result};
use crate::figures::{Figures, at_stake_s};
use crate::ledger::Source;
use crate::normalize::normalize;
use crate::output::{Outputs, own_numbers};
use crate::provider::wire::MALFORMED;
use crate::store::{AnswerKind, OpenItem, Reader, StoredAnswer, StoredCall};
use crate::totals::Totals;

/// What decides the rows, beside ledger and store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// A call younger than this with no record is `pending`.
    pub settle: TimeDelta,
    /// What still matches.
    pub tolerances: Tolerances,
}

/// A call that is named more than once: where its row stands, and its first row for comparison.
struct Named {
    first: LedgerRow,
    call_date: chrono::NaiveDate,
    /// Rows that are still to come; after the last one the first is forgotten.
    later_rows: u64,
}

struct Publisher<'a> {
    source: &'a Source,
    reader: &'a Reader,
    rules: Rules,
    session_no: i64,
    outputs: &'a mut Outputs,
    on_open: &'a mut dyn FnMut(OpenItem) -> Result<()>,
    counted: Counted,
    named: HashMap<u128, Named>,
}

/// What publishing counts.
#[derive(Debug)]
pub struct Counted {
    /// What must foot.
    pub totals: Totals,
    /// What the page shows beside.
    pub figures: Figures,
}

/// Writes the rows of details and discrepancies, and counts them. `on_open` is told of every call without a lasting
/// answer.
///
/// # Errors
///
/// Exit 2 when the ledger was changed while the run was going on, exit 6 when the store cannot be read or a
/// file cannot be written.
pub fn publish(
    source: &Source,
    reader: &Reader,
    rules: Rules,
    session_no: i64,
    outputs: &mut Outputs,
    on_open: &mut dyn FnMut(OpenItem) -> Result<()>,
) -> Result<Counted> {
    let counted = Counted { totals: Totals::default(), figures: Figures::new(rules.tolerances) };
    let named = HashMap::new();
    let mut publisher = Publisher { source, reader, rules, session_no, outputs, on_open, counted, named };
    let mut ledger = source.read()?;
    for record in ledger.by_ref() {
        publisher.record(record?)?;
    }
    if ledger.finish()? != source.scan.sha256 {
        return Err(Error::usage("the ledger was changed while the run was going on")
            .hint("run the same command again: all answers are stored and none is asked for twice"));
    }
    Ok(publisher.counted)
}

impl Publisher<'_> {
    fn record(&mut self, record: Record) -> Result<()> {
        self.counted.totals.rows += 1;
        match record {
            Record::Invalid(row) => {
                self.counted.totals.invalid += 1;
                self.counted.figures.add_rejected(&row);
                self.outputs.reject(&row)?;
                let what = Discrepancy::new(Kind::InvalidRow, row.message())
                    .field(row.field)
                    .values(row.expected, Some(row.found));
                let (call_id, ledger_line, carried) = (row.call_id, row.line, row.carried);
                self.write(&DiscrepancyRow {
                    call_id,
                    ledger_line,
                    what,
                    call_date: None,
                    prod_id: None,
                    carried,
                    at_stake_s: 0,
                    own_numbers: Vec::new(),
                })
            }
            Record::Row(row) => {
                let fingerprint = row.key.fingerprint();
                match self.named.remove(&fingerprint) {
                    Some(named) => self.later_row(&row, fingerprint, named),
                    None => self.call(row, fingerprint),
                }
            }
        }
    }

    /// A row that names a call again.
    fn later_row(&mut self, row: &LedgerRow, fingerprint: u128, mut named: Named) -> Result<()> {
        self.counted.totals.duplicates += 1;
        let what = compare::duplicate(&named.first, row, &self.source.scan.carried);
        let mut written = discrepancy_row(row, None, named.call_date, what);
        if self.outputs.masks() {
            written.own_numbers = own_numbers(&row.expected, None);
            written.own_numbers.extend(own_numbers(&named.first.expected, None));
        }
        named.later_rows -= 1;
        if named.later_rows > 0 {
            self.named.insert(fingerprint, named);
        }
        self.write(&written)
    }

    fn call(&mut self, row: LedgerRow, fingerprint: u128) -> Result<()> {
        let stored = self.reader.lookup(&row.key)?;
        let lookup = look_up(&row, stored.as_ref(), self.rules.settle, self.session_no);
        let found = compare::compare(&row, &lookup, self.rules.tolerances);
        let later_rows = self.source.scan.repeats.later_rows(fingerprint);
        let all = found.len() as u64 + later_rows;
        self.count(&row, &lookup, all);
        self.outputs.call(&row, &lookup, all)?;
        if is_open(&lookup) {
            (self.on_open)(OpenItem { key: row.key.clone(), status: lookup.status })?;
        }
        for what in found {
            let detail = lookup.detail.as_ref();
            let mut written = discrepancy_row(&row, detail, lookup.found_on, what);
            if self.outputs.masks() {
                written.own_numbers = own_numbers(&row.expected, detail);
            }
            self.write(&written)?;
        }
        if later_rows > 0 {
            self.named.insert(fingerprint, Named { call_date: lookup.found_on, first: row, later_rows });
        }
        Ok(())
    }

    fn write(&mut self, row: &DiscrepancyRow) -> Result<()> {
        self.counted.totals.add_discrepancy(row.what.kind);
        self.counted.figures.add_discrepancy(row.what.kind, row.at_stake_s);
        self.outputs.discrepancy(row)
    }

    fn count(&mut self, row: &LedgerRow, lookup: &Lookup, discrepancies: u64) {
        let t = &mut self.counted.totals;
        t.add_call(lookup.status, discrepancies);
        t.from_store += u64::from(lookup.from_store);
        t.exhausted += u64::from(lookup.failure.as_ref().is_some_and(|f| f.transient));
        self.counted.figures.add_call(row, lookup);
    }
}

/// Whether a later run asks again.
fn is_open(lookup: &Lookup) -> bool {
    match lookup.status {
        Status::Found => false,
        Status::Failed => lookup.failure.as_ref().is_some_and(|f| f.malformed || f.transient),
        Status::NotFound | Status::Pending | Status::Deferred => true,
    }
}

fn discrepancy_row(
    row: &LedgerRow,
    detail: Option<&CallDetail>,
    call_date: chrono::NaiveDate,
    what: Discrepancy,
) -> DiscrepancyRow {
    DiscrepancyRow {
        at_stake_s: at_stake_s(row, detail, &what),
        own_numbers: Vec::new(),
        call_id: Some(row.key.call_id.clone()),
        ledger_line: row.line,
        what,
        call_date: Some(call_date),
        prod_id: Some(row.key.prod_id.0),
        carried: row.carried.clone(),
    }
}

/// What the store knows of a call, as a status with its evidence.
pub(crate) fn look_up(
    row: &LedgerRow,
    stored: Option<&StoredCall>,
    settle: TimeDelta,
    session_no: i64,
) -> Lookup {
    let attempts = stored.map_or(0, |s| s.attempts);
    let mut lookup = Lookup::deferred(row.key.day, attempts);
    let Some(StoredAnswer { answer, fetched_at, session_no: by }) = stored.and_then(|s| s.answer.as_ref())
    else {
        return lookup;
    };
    if answer.next_date.is_some() {
        // The neighbouring day has not been asked: there is no answer yet.
        return lookup;
    }
    lookup.from_store = *by < session_no;
    lookup.request_id.clone_from(&answer.request_id);
    lookup.fetched_at = Some(*fetched_at);
    lookup.raw.clone_from(&answer.data);
    let failure = |malformed, transient| Failure {
        code: answer.code.clone(),
        message: answer.message.clone(),
        malformed,
        transient,
    };
    match answer.kind {
        AnswerKind::NoRecord => lookup.status = without_record(row, *fetched_at, settle),
        AnswerKind::Rejected => fail(&mut lookup, failure(false, false)),
        AnswerKind::Exhausted => fail(&mut lookup, failure(false, true)),
        // Nothing could be taken out of the answer: what is kept is no Data that could be read better another time.
        AnswerKind::Malformed if answer.code == MALFORMED => fail(&mut lookup, failure(true, false)),
        AnswerKind::Final | AnswerKind::Interim | AnswerKind::Malformed => {
            read_record(&mut lookup, answer.data.as_deref().unwrap_or_default(), answer.found_date);
        }
    }
    lookup
}

/// A call is too young to miss its record until `settle` after it was made, or after the end of its day when
/// only that is known. The age counts at the time of the answer, so that the status does not depend on when it
/// is published.
fn without_record(row: &LedgerRow, fetched_at: DateTime<Utc>, settle: TimeDelta) -> Status {
    let called_at =
        row.expected.called_at.and_then(LedgerTime::instant).unwrap_or_else(|| end_of_day(row.key.day));
    if fetched_at - called_at < settle { Status::Pending } else { Status::NotFound }
}

fn fail(lookup: &mut Lookup, failure: Failure) {
    lookup.status = Status::Failed;
    lookup.failure = Some(failure);
}

fn read_record(lookup: &mut Lookup, data: &str, found_on: chrono::NaiveDate) {
    match normalize(data) {
        Ok(detail) => {
            lookup.status = if detail.is_final { Status::Found } else { Status::Pending };
            lookup.found_on = found_on;
            lookup.detail = Some(detail);
        }
        Err(why) => {
            let (code, message) = (MALFORMED.into(), why.to_string());
            fail(lookup, Failure { code, message, malformed: true, transient: false });
        }
    }
}
