//! A worker: parses the records of a unit, joins them with the store, compares, counts and encodes.

use std::sync::mpsc::{Receiver, Sender, SyncSender};
use std::sync::{Arc, Mutex};

use compact_str::CompactString;

use super::counted::Counted;
use super::decisions::decide;
use super::later_values;
use super::sources::Sources;
use super::unit_row::UnitRow;
use super::units::{Done, Found, Unit, changed};
use crate::error::{Error, Result};
use crate::ledger::{BatchParser, RawBatch};
use crate::locked::lock;
use crate::output::{KnownCall, RowEncoder, RowForms, own_numbers};
use crate::shown::shown;
use crate::store::{NewDiscrepancy, OpenItem, Reader};
use chrono::NaiveDate;
use reconcile_core::answer::StoredCall;
use reconcile_core::ask_again::is_open;
use reconcile_core::call::CallKey;
use reconcile_core::call_result::CallResult;
use reconcile_core::compare::compare;
use reconcile_core::discrepancy::{Discrepancy, DiscrepancyRow, Kind};
use reconcile_core::discrepancy_identity::{Subject, call_id_digest};
use reconcile_core::discrepancy_rows;
use reconcile_core::ledger_row::{InvalidRow, LedgerRow};
use reconcile_core::message::Message;
use reconcile_core::receipt_check::receipt_differs;
use reconcile_core::source::Source;
use reconcile_core::status::{FailureKind, Lookup, Status, look_up};
use reconcile_core::totals::Totals;

/// Rows whose calls are looked up together. More would not fit a core's cache.
const ROWS_PER_LOOKUP: usize = 128;

/// What a worker keeps from unit to unit.
pub(super) struct Worker<'a> {
    sources: Sources<'a>,
    later_values: &'a later_values::ByCall,
    forms: Arc<RowForms>,
    parser: BatchParser,
    reader: Box<dyn Reader>,
    /// Names of the carried values that duplicates compare.
    compared_columns: Arc<[String]>,
}

impl<'a> Worker<'a> {
    /// A worker with its own connection to the store.
    ///
    /// # Errors
    ///
    /// Exit 6 if the store cannot be read.
    pub(super) fn new(
        sources: Sources<'a>,
        later_values: &'a later_values::ByCall,
        forms: Arc<RowForms>,
        parser: BatchParser,
    ) -> Result<Self> {
        let compared_columns = sources.ledger.compared_columns().into();
        let reader = sources.store.reader()?;
        Ok(Self { sources, later_values, forms, parser, reader, compared_columns })
    }

    /// Works on units until there are no more, or nobody wants the results.
    pub(super) fn run(mut self, units: &Mutex<Receiver<Unit>>, emptied: &Sender<RawBatch>) {
        loop {
            let unit = lock(units).recv();
            let Ok(Unit { batch, first_rows, results }) = unit else { return };
            if let Err(error) = self.publish(&batch, &first_rows, &results) {
                // If this fails too, the writer has failed and has its own error.
                let _ = results.send(Err(error));
                return;
            }
            // Sending fails if the ledger has ended. Then the unit is not needed.
            let _ = emptied.send(batch);
        }
    }

    fn publish(
        &mut self,
        batch: &RawBatch,
        first_rows: &[Arc<LedgerRow>],
        results: &SyncSender<Result<Done>>,
    ) -> Result<()> {
        let mut unit = UnitRows {
            sources: self.sources,
            later_values: self.later_values,
            reader: &*self.reader,
            encoder: RowEncoder::new(self.forms.clone()),
            counted: Counted::new(self.sources.rules.tolerances),
            found: Found::default(),
            compared_columns: self.compared_columns.clone(),
        };
        let mut first_rows = first_rows.iter();
        let mut repeats = self.sources.ledger.scan.duplicate_calls.among(batch.rows()).iter().peekable();
        let mut numbers = batch.rows().enumerate().peekable();
        while numbers.peek().is_some() {
            let mut parse = |(at, number)| {
                let record = self.parser.record(batch, at);
                let repeat = repeats.next_if(|(row, _)| *row == number).map(|(_, repeat)| *repeat);
                UnitRow::new(record, repeat, number, &mut first_rows)
            };
            // Collecting options would not know how many rows to make room for.
            let mut rows = Vec::with_capacity(ROWS_PER_LOOKUP);
            for row in numbers.by_ref().take(ROWS_PER_LOOKUP) {
                rows.push(parse(row).ok_or_else(|| changed(self.sources.ledger))?);
            }
            unit.add(rows)?;
            if let Some(rows) = unit.encoder.take_full()? {
                send(results, Done { rows, found: std::mem::take(&mut unit.found), counted: None })?;
            }
        }
        let (found, counted) = (unit.found, Some(Box::new(unit.counted)));
        send(results, Done { rows: unit.encoder.finish()?, found, counted })
    }
}

fn send(results: &SyncSender<Result<Done>>, done: Done) -> Result<()> {
    results.send(Ok(done)).map_err(|_| Error::bug("the thread that writes the files has stopped"))
}

/// The rows of a unit while they are worked on.
struct UnitRows<'a> {
    sources: Sources<'a>,
    later_values: &'a later_values::ByCall,
    reader: &'a dyn Reader,
    encoder: RowEncoder,
    counted: Counted,
    found: Found,
    /// Names of the carried values that duplicates compare.
    compared_columns: Arc<[String]>,
}

impl UnitRows<'_> {
    /// Adds consecutive rows. The store is asked for their calls together.
    fn add(&mut self, rows: Vec<UnitRow<'_>>) -> Result<()> {
        let keys: Vec<&CallKey> = rows.iter().filter_map(UnitRow::key).collect();
        let mut stored = self.reader.lookup_all(&keys)?.into_iter();
        let mut next = || stored.next().flatten();
        for row in rows {
            self.counted.totals.rows += 1;
            match row {
                UnitRow::Invalid(row) => self.invalid_row(row)?,
                UnitRow::First { mut row, number, later_rows } => {
                    self.first_row(&mut row, number, later_rows, next())?;
                }
                UnitRow::Later { row, first, number } => self.later_row(&row, first, number, next())?,
            }
        }
        Ok(())
    }

    /// The totals of a row's account; `None` if they are not counted.
    fn of_account(&mut self, row: &LedgerRow) -> Option<&mut Totals> {
        let name = row.carried.first().filter(|_| self.sources.by_account)?;
        if !self.counted.by_account.contains_key(name) {
            self.counted.by_account.insert(name.clone(), Totals::default());
        }
        self.counted.by_account.get_mut(name)
    }

    /// Counts the receipt of a call by its first row, as the run does before it publishes.
    fn check_receipt(&mut self, row: &LedgerRow, stored: Option<&StoredCall>) {
        if stored.is_none_or(|stored| stored.receipt.is_none()) {
            return;
        }
        let Sources { receipts, rules, by_account, .. } = self.sources;
        let name = row.carried.first().filter(|_| by_account).cloned().unwrap_or_default();
        let checked = self.counted.checked_receipts.entry(name).or_default();
        checked.add(row, stored, receipts, rules);
    }

    /// The first row of a call, which has this number and this many later rows.
    fn first_row(
        &mut self,
        row: &mut LedgerRow,
        number: u64,
        later_rows: u64,
        stored: Option<StoredCall>,
    ) -> Result<()> {
        let later = self.later_values.get(&number).map(|values| &**values).filter(|_| later_rows > 0);
        let Sources { rules, session_no, .. } = self.sources;
        self.check_receipt(row, stored.as_ref());
        let CallResult { lookup, compared, own_s } = CallResult::new(row, later, stored, rules, session_no);
        let row = &*row;
        let amended = self.sources.beside.of_call(&row.key);
        let own = amended.iter().chain(&compared.discrepancies);
        let mut own: Vec<DiscrepancyRow> = own.map(|what| self.decided(row, &lookup, what.clone())).collect();
        let discrepancies = own.len() as u64 + later_rows;
        self.date_call(&row.key, &lookup, &mut own);
        self.count_call(row, &lookup, compared.is_compared(), discrepancies, &own);
        self.counted.figures.add_fields(&compared.fields);
        self.counted.figures.bridge.add_call(own_s, row.expected.duration_s, &lookup);
        let money = self.sources.money.of_call(row, &lookup);
        self.counted.answered_by_receipt += u64::from(lookup.source == Some(Source::Receipt));
        self.encoder.add_call(row, &lookup, discrepancies, money)?;
        self.counted.money.add_call(self.sources.money, row, own_s, &lookup, &money);
        for found in &own {
            let (detail, is_settled) = (lookup.detail.as_ref(), found.is_settled());
            self.counted.money.add_discrepancy(
                money.tariff(),
                &row.expected,
                detail,
                &found.what,
                is_settled,
            );
        }
        if is_open(&lookup) {
            self.found.open.push(self.open_item(row, lookup.status, &own));
        }
        if let Some(of_account) = self.of_account(row) {
            own.iter().for_each(|found| of_account.add_discrepancy(found.what.kind, found.decision()));
        }
        let call = KnownCall::Row(row, Some(&lookup));
        own.iter().try_for_each(|discrepancy| self.write(discrepancy, Some(call)))
    }

    /// The row of a discrepancy, with the decision on it.
    fn decided(&mut self, row: &LedgerRow, lookup: &Lookup, what: Discrepancy) -> DiscrepancyRow {
        let mut discrepancy = discrepancy_rows::of_call(row, lookup, what);
        if self.needs_own_numbers(&discrepancy) {
            discrepancy.own_numbers = own_numbers(&row.expected, lookup.detail.as_ref());
        }
        self.decide(&mut discrepancy);
        discrepancy
    }

    /// Whether the call counts as settled without its later rows. The entries that this uses are
    /// those that the first row uses, too.
    fn is_settled(&mut self, first: &LedgerRow, lookup: &Lookup, differs: Vec<Discrepancy>) -> bool {
        if self.sources.resolutions.is_empty() || !matches!(lookup.status, Status::Found | Status::NotFound) {
            return false;
        }
        let compared = compare(first, lookup, self.sources.rules.tolerances).discrepancies;
        let amended = self.sources.beside.of_call(&first.key);
        let mut found = amended.iter().cloned().chain(compared).chain(differs);
        found.all(|what| self.decided(first, lookup, what).is_settled())
    }

    /// Whether the numbers of its call are masked anywhere. The report may list a settled row that
    /// has few seconds.
    fn needs_own_numbers(&self, row: &DiscrepancyRow) -> bool {
        !self.sources.resolutions.is_empty() || self.encoder.needs_own_numbers(row.what.kind, row.at_stake_s)
    }

    fn decide(&mut self, row: &mut DiscrepancyRow) {
        decide(self.sources.resolutions, &self.encoder, row, &mut self.counted.entries);
    }

    /// A call that is open, with its discrepancies.
    fn open_item(&self, row: &LedgerRow, status: Status, own: &[DiscrepancyRow]) -> OpenItem {
        let at_stake = own.iter().filter(|row| !row.is_settled()).map(|row| row.at_stake_s);
        let account = row.carried.first().filter(|_| self.sources.by_account).map(CompactString::as_str);
        OpenItem {
            key: row.key.clone(),
            status,
            seconds: at_stake.fold(0, u64::saturating_add),
            account: account.or(self.sources.account).map(str::to_owned),
        }
    }

    /// Says since when the discrepancies of a call are open, without those of its later rows.
    fn date_call(&mut self, key: &CallKey, lookup: &Lookup, own: &mut [DiscrepancyRow]) {
        let before = self.sources.open_before;
        if before.is_empty() && own.is_empty() {
            return;
        }
        let subject = Subject::of_call(key).digest();
        before.name_call(subject, lookup, &mut self.counted.marks);
        before.name_call_id(&key.call_id, &mut self.counted.marks);
        own.iter_mut().for_each(|row| self.date(row, subject, Some(key.day)));
    }

    /// Says since when a discrepancy is open. `call_date` is the ledger's day of its call; `None`
    /// for an unusable row.
    fn date(&mut self, row: &mut DiscrepancyRow, subject: i64, call_date: Option<NaiveDate>) {
        let (kind, field) = (row.what.kind, row.what.field.as_str());
        let since = self.sources.open_before.since(subject, kind, field, &mut self.counted.marks);
        self.counted.since_last.add(since);
        row.since = Some(since);
        if since.is_new && !kind.is_event() {
            let call_id = row.call_id.as_deref().filter(|id| call_date.is_none() && !id.is_empty());
            let named = call_id.map(call_id_digest);
            self.found.new.push(NewDiscrepancy { subject, kind, field: field.into(), call_date, named });
        }
    }

    /// A later row of the call whose first row has this number.
    fn later_row(
        &mut self,
        row: &LedgerRow,
        first: &LedgerRow,
        number: u64,
        stored: Option<StoredCall>,
    ) -> Result<()> {
        self.counted.totals.duplicates += 1;
        self.counted.figures.bridge.add_later_row(row.expected.duration_s);
        let mut filled = first.clone();
        if let Some(values) = self.later_values.get(&number) {
            values.fill(&mut filled.expected);
        }
        let Sources { ledger, rules, session_no, .. } = self.sources;
        let differs = receipt_differs(&filled, stored.as_ref(), rules.tolerances, rules.settle);
        let lookup = look_up(&filled, stored, rules.settle, session_no);
        let is_rest_settled = self.is_settled(&filled, &lookup, differs);
        let call = (lookup.found_on, lookup.status);
        let mut discrepancy = discrepancy_rows::of_later_row(first, row, call, &self.compared_columns);
        if let (Some(at), Message::SameCall { file, .. }) =
            (ledger.scan.layout.file_column, &mut discrepancy.what.message)
        {
            *file = first.carried.get(at).map(|name| shown(name).into()).unwrap_or_default();
        }
        if self.needs_own_numbers(&discrepancy) {
            discrepancy.own_numbers = own_numbers(&row.expected, None);
            discrepancy.own_numbers.extend(own_numbers(&first.expected, None));
        }
        self.decide(&mut discrepancy);
        self.date(&mut discrepancy, Subject::of_call(&first.key).digest(), Some(first.key.day));
        if let Some(own) = self.of_account(first) {
            own.duplicates += 1;
            own.add_discrepancy(Kind::Duplicate, discrepancy.decision());
        }
        let money = (self.sources.money, first.key.prod_id, lookup.found_on);
        self.counted.money.add_later_row(money, &row.expected, &discrepancy.what, discrepancy.is_settled());
        if is_rest_settled && !discrepancy.is_settled() {
            self.counted.reopened.insert(number);
        }
        self.write(&discrepancy, Some(KnownCall::Row(row, None)))
    }

    fn invalid_row(&mut self, row: InvalidRow) -> Result<()> {
        self.counted.totals.invalid += 1;
        self.counted.figures.add_rejected(&row);
        self.encoder.add_reject(&row)?;
        let subject = Subject::digest_of_row(&row, &self.sources.ledger.scan.carried);
        let mut discrepancy = discrepancy_rows::of_invalid_row(row);
        self.decide(&mut discrepancy);
        self.date(&mut discrepancy, subject, None);
        self.write(&discrepancy, None)
    }

    fn write(&mut self, row: &DiscrepancyRow, call: Option<KnownCall<'_>>) -> Result<()> {
        self.counted.totals.add_discrepancy(row.what.kind, row.decision());
        self.counted.figures.add_discrepancy(row.what.kind, row.at_stake_s, row.is_settled());
        self.encoder.add_discrepancy(row, call)
    }

    /// Counts a call with this many discrepancies. `own` are those without its later rows'.
    fn count_call(
        &mut self,
        row: &LedgerRow,
        lookup: &Lookup,
        is_compared: bool,
        discrepancies: u64,
        own: &[DiscrepancyRow],
    ) {
        let is_exhausted = lookup.failure.as_ref().is_some_and(|f| f.kind == FailureKind::Exhausted);
        if let Some(failure) = &lookup.failure {
            self.counted.failed_calls.add(&failure.code, &failure.message);
            if is_exhausted {
                self.counted.exhausted_calls.add(&failure.code, &failure.message);
            }
        }
        // An unsettled later row, which is read later, reopens its call.
        let settled = own.iter().filter(|row| row.is_settled());
        let is_settled = !self.sources.resolutions.is_empty() && settled.clone().count() == own.len();
        let is_differing = match lookup.status {
            Status::Found => discrepancies > 0,
            Status::NotFound => true,
            Status::Pending | Status::Failed | Status::Deferred => false,
        };
        let count = |t: &mut Totals| {
            t.add_call(lookup.status, discrepancies, is_compared);
            t.settled_calls += u64::from(is_settled && is_differing);
            t.from_store += u64::from(lookup.from_store);
            t.exhausted += u64::from(is_exhausted);
        };
        count(&mut self.counted.totals);
        self.of_account(row).into_iter().for_each(count);
        let mismatches = settled.filter(|row| row.what.kind == Kind::Mismatch);
        let settled: Vec<&str> = mismatches.map(|row| row.what.field.as_str()).collect();
        self.counted.figures.add_call(row, lookup, &settled);
    }
}
