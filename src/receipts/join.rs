//! Joins the receipts with the calls of the ledger, part by part.

use std::path::Path;

use chrono::NaiveDate;

use super::answered::{Answered, Missing};
use super::collect::Receipts;
use super::ledger_calls::{LedgerCalls, NamedCall, named_call};
use crate::error::{Error, Result};
use crate::sorted_records::{Record, SortedRecords, key_of_place};
use reconcile_core::call::CallKey;
use reconcile_core::receipt::{JoinCounts, Merged, Receipt, merge};

/// Receipts that were joined with a ledger.
#[derive(Debug)]
pub struct JoinedReceipts {
    answered: SortedRecords,
    missing: SortedRecords,
    /// What the receipts are to the ledger.
    pub counts: JoinCounts,
}

/// What the receipts of a call are to the ledger.
#[derive(Clone, Copy)]
enum Relation {
    Answers(NamedCall),
    NotAnswering,
    Missing,
    Outside,
    Undated,
}

impl JoinedReceipts {
    /// Joins receipts with the calls of a ledger. The temporary files will be in the folder
    /// `temporary`; without one, in the system's.
    ///
    /// # Errors
    ///
    /// Exit 6 if a temporary file cannot be written or read.
    pub fn join(receipts: Receipts, calls: LedgerCalls, temporary: Option<&Path>) -> Result<Self> {
        let mut joined = Self {
            answered: SortedRecords::new_in(temporary),
            missing: SortedRecords::new_in(temporary),
            counts: JoinCounts { receipts: receipts.read.receipts, ..JoinCounts::default() },
        };
        let (number, places, days) = (receipts.read.receipts, calls.places, calls.days);
        for (of_receipts, of_calls) in receipts.sorted.parts().zip(calls.sorted.parts()) {
            let (of_receipts, of_calls) = (of_receipts?, of_calls?);
            let (of_receipts, of_calls) = (of_receipts.sorted()?, of_calls.sorted()?);
            let mut named = of_calls.as_slice();
            for group in of_receipts.chunk_by(|a, b| a.key == b.key) {
                let Merged { receipt, is_contradicted } = merged(group)?;
                joined.counts.contradicted += u64::from(is_contradicted);
                let named = calls_with(&mut named, group[0].key);
                let relation = relation(&receipt, named, days);
                joined.add(&receipt, relation, places, (group[0].no, number))?;
            }
        }
        // Frees their temporary files.
        drop((receipts, calls));
        joined.counts.duplicates = joined.counts.receipts - joined.counts.calls;
        Ok(joined)
    }

    /// The calls that receipts answer, in the order of the ledger.
    pub fn answered(&self) -> Answered<'_> {
        Answered::new(&self.answered)
    }

    /// The receipts of the calls that the ledger lacks within its days, in the order in which they
    /// were read.
    pub fn missing(&self) -> Missing<'_> {
        Missing::new(&self.missing)
    }

    /// Adds the receipt of a call. `at` is its number among how many.
    fn add(&mut self, receipt: &Receipt, relation: Relation, places: u64, at: (u64, u64)) -> Result<()> {
        self.counts.calls += 1;
        match relation {
            Relation::Answers(NamedCall { place, prod_id, day }) => {
                self.counts.answering += 1;
                let (product, day) = (prod_id.0.to_string(), day.to_string());
                let texts = [product.as_str(), day.as_str()].into_iter().chain(receipt.texts());
                return self.answered.push(key_of_place(place, places), place, texts);
            }
            Relation::Missing => {
                self.counts.missing += 1;
                return self.missing.push(key_of_place(at.0, at.1), at.0, receipt.texts());
            }
            Relation::NotAnswering => self.counts.not_answering += 1,
            Relation::Outside => self.counts.outside += 1,
            Relation::Undated => self.counts.undated += 1,
        }
        Ok(())
    }
}

/// The one receipt of the receipts of a call, which are sorted by number.
fn merged(group: &[Record<'_>]) -> Result<Merged> {
    let receipts: Option<Vec<Receipt>> =
        group.iter().map(|record| Receipt::of_texts(&record.texts)).collect();
    receipts.and_then(merge).ok_or_else(|| Error::bug("a receipt in a temporary file has no CallId"))
}

/// The calls with this key. The keys of consecutive calls ascend, so earlier calls are passed.
fn calls_with<'a, 'b>(calls: &mut &'a [Record<'b>], key: u128) -> &'a [Record<'b>] {
    let from = calls.partition_point(|call| call.key < key);
    *calls = &calls[from..];
    let len = calls.iter().take_while(|call| call.key == key).count();
    &calls[..len]
}

/// What a receipt is to a ledger that names its CallId in these records and covers these days.
///
/// A receipt names no product. So it answers no call if two of one day differ only in the product.
fn relation(receipt: &Receipt, named: &[Record<'_>], days: Option<(NaiveDate, NaiveDate)>) -> Relation {
    if named.is_empty() {
        let Some((earliest, latest)) = receipt.days() else { return Relation::Undated };
        let is_within = days.is_some_and(|(first, last)| first <= earliest && latest <= last);
        return if is_within { Relation::Missing } else { Relation::Outside };
    }
    let calls = named.iter().filter_map(|record| named_call(record.no, &record.texts));
    let mut answered = calls.filter(|NamedCall { prod_id, day, .. }| {
        receipt.answers(&CallKey { call_id: receipt.call_id().into(), prod_id: *prod_id, day: *day })
    });
    match (answered.next(), answered.next()) {
        (Some(call), None) => Relation::Answers(call),
        _ => Relation::NotAnswering,
    }
}
