//! Compares a ledger with the provider's answers.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, StringArray, UInt64Array};
use arrow_schema::{ArrowError, Field, FieldRef};
use arrow_select::take::take;
use chrono::NaiveDate;
use hashbrown::HashMap;
use hashbrown::hash_map::Entry;
use reconcile_core::call_result::{CallResult, Rules};
use reconcile_core::columns::{self, DETAILS, DISCREPANCIES};
use reconcile_core::discrepancy::DiscrepancyRow;
use reconcile_core::discrepancy_rows::{of_call, of_invalid_row, of_later_row};
use reconcile_core::duplicate::LaterValues;
use reconcile_core::ledger_record::Defaults;
use reconcile_core::ledger_row::{LedgerRow, Record};
use reconcile_core::status::Status;

use crate::answers::{Answers, Key};
use crate::arrays::Texts;
use crate::counts::Counts;
use crate::error::{Input, InputError};
use crate::ledger::Ledger;
use crate::tables::{self, TableBuilder};

/// The result of a comparison.
pub(crate) struct Compared {
    pub(crate) details: RecordBatch,
    pub(crate) discrepancies: RecordBatch,
    pub(crate) counts: Counts,
}

/// Compares all rows of a ledger.
///
/// # Errors
///
/// A column is missing or cannot be read, or an answer has no key.
pub(crate) fn compare(
    ledger: &RecordBatch,
    answers: &RecordBatch,
    defaults: Defaults,
    rules: Rules,
) -> Result<Compared, InputError> {
    let ledger = Ledger::open(ledger, defaults)?;
    let answers = Answers::open(answers)?;
    let by_call = answers.by_call()?;
    let rows = ledger.in_order();
    let several = Several::find(&ledger, &rows)?;
    let mut comparison = Comparison {
        // A builder of long texts that grows copies them again and again.
        details: TableBuilder::new(&DETAILS, rows.len()).reserving(
            "raw",
            rows.len(),
            answers.data.mean_bytes() * rows.len(),
        ),
        details_rows: Vec::with_capacity(rows.len()),
        discrepancies: TableBuilder::new(&DISCREPANCIES, 0),
        discrepancies_rows: Vec::new(),
        counts: Counts::default(),
        ledger: &ledger,
        answers: &answers,
        by_call,
        rules,
        several,
    };
    for row in rows {
        comparison.add(row)?;
    }
    comparison.finish().map_err(|error| InputError::damaged(Input::Ledger, &error))
}

/// The calls that several rows name.
struct Several {
    /// What only the later rows of a call give, and their number, by the first row.
    by_first: HashMap<usize, LaterRows>,
    /// The first row, by the later row.
    first_of: HashMap<usize, usize>,
    /// First rows that were compared.
    compared: HashMap<usize, FirstOfSeveral>,
    carried: Vec<Texts>,
}

#[derive(Default)]
struct LaterRows {
    count: u64,
    values: LaterValues,
}

/// The first row of a call, and the call's day and status in the details.
struct FirstOfSeveral {
    row: LedgerRow,
    call: (NaiveDate, Status),
}

impl Several {
    fn find(ledger: &Ledger, rows: &[usize]) -> Result<Self, InputError> {
        let mut firsts: HashMap<Key<'_>, usize> = HashMap::with_capacity(rows.len());
        let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for row in rows {
            let Some(key) = ledger.key(*row) else { continue };
            match firsts.entry(key) {
                Entry::Vacant(place) => drop(place.insert(*row)),
                Entry::Occupied(first) => {
                    groups.entry(*first.get()).or_insert_with(|| vec![*first.get()]).push(*row)
                }
            }
        }
        let mut several = Self {
            by_first: HashMap::new(),
            first_of: HashMap::new(),
            compared: HashMap::new(),
            carried: if groups.is_empty() { Vec::new() } else { ledger.carried_texts()? },
        };
        groups.into_values().for_each(|rows| several.add(ledger, &rows));
        Ok(several)
    }

    /// Adds the rows that name one call. An unusable row names none.
    fn add(&mut self, ledger: &Ledger, rows: &[usize]) {
        let usable = |row: &usize| match ledger.record(*row) {
            Record::Row(record) => Some((*row, record)),
            Record::Invalid(_) => None,
        };
        let mut rows = rows.iter().filter_map(usable);
        let Some((first, first_row)) = rows.next() else { return };
        for (row, later) in rows {
            let known = self.by_first.entry(first).or_default();
            known.count += 1;
            known.values.add(&first_row.expected, &later);
            self.first_of.insert(row, first);
        }
    }

    /// A row with its carried columns.
    fn with_carried(&self, row: usize, record: LedgerRow) -> LedgerRow {
        let carried = self.carried.iter().map(|texts| texts.get(row).unwrap_or_default().into()).collect();
        LedgerRow { carried, ..record }
    }
}

/// A comparison while the rows are added.
struct Comparison<'a> {
    details: TableBuilder,
    /// The ledger's row of each row of the details.
    details_rows: Vec<u64>,
    discrepancies: TableBuilder,
    discrepancies_rows: Vec<u64>,
    counts: Counts,
    ledger: &'a Ledger,
    answers: &'a Answers,
    by_call: HashMap<Key<'a>, usize>,
    rules: Rules,
    several: Several,
}

impl Comparison<'_> {
    fn add(&mut self, row: usize) -> Result<(), InputError> {
        match self.ledger.record(row) {
            Record::Invalid(_) if self.ledger.is_empty(row) => {}
            Record::Invalid(invalid) => {
                self.counts.add_invalid_row(&invalid);
                self.push(row, &of_invalid_row(invalid));
            }
            Record::Row(record) => match self.several.first_of.get(&row) {
                Some(first) => self.add_later_row(row, *first, record),
                None => self.add_call(row, record)?,
            },
        }
        Ok(())
    }

    fn add_call(&mut self, row: usize, mut record: LedgerRow) -> Result<(), InputError> {
        let day = record.key.day;
        let key =
            (record.key.call_id.as_str(), record.key.prod_id.0, chrono::Datelike::num_days_from_ce(&day));
        let stored = self.by_call.get(&key).map(|answer| self.answers.stored(*answer, day)).transpose()?;
        let several = self.several.by_first.get(&row);
        let first = several.map(|_| self.several.with_carried(row, record.clone()));
        let later_rows = several.map_or(0, |later| later.count);
        let later_values = several.map(|later| &later.values);
        let mut call = CallResult::new(&mut record, later_values, stored, self.rules, 0);
        let discrepancies = call.compared.discrepancies.len() as u64 + later_rows;
        self.counts.add_call(&record, &call, discrepancies);
        self.details.push(columns::of_call(&record, &call.lookup, discrepancies));
        self.details_rows.push(row as u64);
        for what in std::mem::take(&mut call.compared.discrepancies) {
            self.push(row, &of_call(&record, &call.lookup, what));
        }
        if let Some(first) = first {
            let of_call = (call.lookup.found_on, call.lookup.status);
            self.several.compared.insert(row, FirstOfSeveral { row: first, call: of_call });
        }
        Ok(())
    }

    fn add_later_row(&mut self, row: usize, first: usize, record: LedgerRow) {
        self.counts.add_later_row(record.expected.duration_s);
        let later = self.several.with_carried(row, record);
        let Some(first) = self.several.compared.get(&first) else { return };
        let found = of_later_row(&first.row, &later, first.call, &self.ledger.carried_names);
        self.push(row, &found);
    }

    fn push(&mut self, row: usize, found: &DiscrepancyRow) {
        self.counts.add_discrepancy(found);
        self.discrepancies.push(columns::of_discrepancy(found, &found.what.message.to_string()));
        self.discrepancies_rows.push(row as u64);
    }

    fn finish(self) -> Result<Compared, ArrowError> {
        let (details_rows, discrepancies_rows) = (self.details_rows, self.discrepancies_rows);
        let (details_len, discrepancies_len) = (details_rows.len(), discrepancies_rows.len());
        let mut details = self.details.finish();
        details.extend(carried(self.ledger, details_rows, |array| array)?);
        let mut discrepancies = self.discrepancies.finish();
        discrepancies.extend(carried(self.ledger, discrepancies_rows, empty_as_null)?);
        Ok(Compared {
            details: tables::batch(details, details_len)?,
            discrepancies: tables::batch(discrepancies, discrepancies_len)?,
            counts: self.counts,
        })
    }
}

/// The carried columns of these rows of the ledger. A column with all rows in order is not copied.
fn carried(
    ledger: &Ledger,
    rows: Vec<u64>,
    change: impl Fn(ArrayRef) -> ArrayRef,
) -> Result<Vec<(FieldRef, ArrayRef)>, ArrowError> {
    let is_whole = rows.iter().copied().eq(0..ledger.rows as u64);
    let rows = UInt64Array::from(rows);
    let columns = ledger.carried.iter().map(|column| {
        let array = if is_whole { column.array.clone() } else { take(&column.array, &rows, None)? };
        let array = change(array);
        let field = Field::new(&column.name, array.data_type().clone(), true);
        let field = field.with_metadata(column.field.metadata().clone());
        Ok((Arc::new(field), array))
    });
    columns.collect()
}

/// Empty texts as null, because in a CSV the two look the same.
fn empty_as_null(array: ArrayRef) -> ArrayRef {
    let Some(texts) = Texts::of(&array) else { return array };
    let rows = 0..arrow_array::Array::len(&array);
    if !rows.clone().any(|row| texts.get(row) == Some("")) {
        return array;
    }
    let values = rows.map(|row| texts.get(row).filter(|text| !text.is_empty()));
    match texts {
        Texts::Short(_) => Arc::new(values.collect::<StringArray>()),
        Texts::Long(_) => Arc::new(values.collect::<arrow_array::LargeStringArray>()),
        Texts::Views(_) => Arc::new(values.collect::<arrow_array::StringViewArray>()),
    }
}
