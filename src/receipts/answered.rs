//! What came out of the join, read part by part.

use std::vec::IntoIter;

use crate::error::{Error, Result};
use crate::sorted_records::{PartOfRecords, Record, SortedRecords};
use reconcile_core::call::CallKey;
use reconcile_core::product::ProductId;
use reconcile_core::quick_parse;
use reconcile_core::receipt::Receipt;

/// A call of the ledger, and the receipt that answers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnsweredCall {
    /// The number of the call's first record in the ledger, from 0.
    pub place: u64,
    /// The call.
    pub key: CallKey,
    /// The receipt.
    pub receipt: Receipt,
}

/// The parts of sorted records.
type Records<'a> = Box<dyn Iterator<Item = Result<PartOfRecords>> + 'a>;

/// Reads values that were put into sorted records. Memory holds those of one part.
struct Reading<'a, T> {
    parts: Records<'a>,
    current: IntoIter<T>,
    value_of: fn(&Record<'_>) -> Option<T>,
}

impl<'a, T> Reading<'a, T> {
    fn new(records: &'a SortedRecords, value_of: fn(&Record<'_>) -> Option<T>) -> Self {
        Self { parts: Box::new(records.parts()), current: Vec::new().into_iter(), value_of }
    }

    fn next(&mut self) -> Option<Result<T>> {
        loop {
            if let Some(value) = self.current.next() {
                return Some(Ok(value));
            }
            match self.parts.next()?.and_then(|part| self.values(&part)) {
                Ok(values) => self.current = values.into_iter(),
                Err(error) => return Some(Err(error)),
            }
        }
    }

    fn values(&self, part: &PartOfRecords) -> Result<Vec<T>> {
        let values: Option<Vec<T>> = part.sorted()?.iter().map(self.value_of).collect();
        values.ok_or_else(|| Error::bug("a temporary file of receipts does not read as it was written"))
    }
}

/// The calls that receipts answer, in the order of the ledger.
pub struct Answered<'a>(Reading<'a, AnsweredCall>);

/// The receipts without a row in the ledger, in the order in which they were read.
pub struct Missing<'a>(Reading<'a, Receipt>);

impl<'a> Answered<'a> {
    pub(super) fn new(records: &'a SortedRecords) -> Self {
        Self(Reading::new(records, answered_call))
    }
}

impl<'a> Missing<'a> {
    pub(super) fn new(records: &'a SortedRecords) -> Self {
        Self(Reading::new(records, |record| Receipt::of_texts(&record.texts)))
    }
}

/// An item is an error (exit 6) only if a temporary file cannot be read.
impl Iterator for Answered<'_> {
    type Item = Result<AnsweredCall>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next()
    }
}

/// An item is an error (exit 6) only if a temporary file cannot be read.
impl Iterator for Missing<'_> {
    type Item = Result<Receipt>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next()
    }
}

fn answered_call(record: &Record<'_>) -> Option<AnsweredCall> {
    let [product, day, texts @ ..] = record.texts.as_slice() else { return None };
    let receipt = Receipt::of_texts(texts)?;
    let prod_id = ProductId(product.parse().ok()?);
    let key = CallKey { call_id: receipt.call_id().to_owned(), prod_id, day: quick_parse::day(day)? };
    Some(AnsweredCall { place: record.no, key, receipt })
}
