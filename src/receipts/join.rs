//! Joins the receipts with the calls of the ledger, part by part.

use std::path::Path;

use super::answered::{Answered, Missing};
use super::collect::Receipts;
use super::covered_days::CoveredDays;
use super::ledger_calls::{LedgerCalls, NamedCall, named_call};
use crate::error::{Error, Result};
use crate::sorted_records::{Record, SortedRecords, key_of_place};
use reconcile_core::call::CallKey;
use reconcile_core::receipt::{JoinCounts, Merged, Receipt, keep_decisive, merge};

/// Receipts of one call that are merged at once. It is far above the number that decides.
const MERGED_AT_ONCE: usize = 128;

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
        let (number, places) = (receipts.read.receipts, calls.places);
        for (of_receipts, of_calls) in receipts.sorted.thinned_parts(needed).zip(calls.sorted.parts()) {
            let (of_receipts, of_calls) = (of_receipts?, of_calls?);
            let (of_receipts, of_calls) = (of_receipts.sorted()?, of_calls.sorted()?);
            let mut named = of_calls.as_slice();
            for group in of_receipts.chunk_by(|a, b| a.key == b.key) {
                let Merged { receipt, is_contradicted } = merged(group)?;
                joined.counts.contradicted += u64::from(is_contradicted);
                let named = calls_with(&mut named, group[0].key);
                let relation = relation(&receipt, named, &calls.days);
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
    let receipts = decisive(group)?.into_iter().map(|(_, receipt)| receipt);
    merge(receipts.collect()).ok_or_else(without_call_id)
}

/// The positions of the receipts of a call that are needed: those that decide the one receipt, and
/// the first, whose number is the call's place.
fn needed(group: &[Record<'_>]) -> Result<Vec<usize>> {
    let decisive = decisive(group)?.into_iter().map(|(at, _)| at);
    Ok(std::iter::once(0).chain(decisive.filter(|at| *at > 0)).collect())
}

/// The receipts of a call that decide the one receipt, with their positions. A few others may be
/// among them.
fn decisive(group: &[Record<'_>]) -> Result<Vec<(usize, Receipt)>> {
    let mut kept = Vec::new();
    for (at, record) in group.iter().enumerate() {
        kept.push((at, Receipt::of_texts(&record.texts).ok_or_else(without_call_id)?));
        if kept.len() == MERGED_AT_ONCE {
            keep_decisive(&mut kept);
        }
    }
    Ok(kept)
}

fn without_call_id() -> Error {
    Error::bug("a receipt in a temporary file has no CallId")
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
fn relation(receipt: &Receipt, named: &[Record<'_>], days: &CoveredDays) -> Relation {
    if named.is_empty() {
        return match receipt.days() {
            None => Relation::Undated,
            Some((earliest, latest)) if days.has(earliest) && days.has(latest) => Relation::Missing,
            Some(_) => Relation::Outside,
        };
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::fmt::Write as _;

    /// A receipt as JSON, with random values in its fields.
    fn any_receipt(random: &mut fastrand::Rng, call_id: usize) -> String {
        let mut json = format!(r#"{{"call_id":"{call_id}^1","originate_time":"2026-11-16 10:00:00""#);
        for (name, values) in [
            ("duration", ["0", "30", "31"]),
            ("callee", ["12500000001", "125****0001", "12500000002"]),
            ("status_code", ["200000", "200003", "200000"]),
            ("end_time", ["2026-11-16 10:00:38", "2026-11-16 10:00:39", "2026-11-16 10:00:37"]),
            ("status_msg", ["a", "b", "c"]),
        ] {
            if random.u8(..4) > 0 {
                let _ = write!(json, r#","{name}":"{}""#, values[random.usize(..3)]);
            }
        }
        json + "}"
    }

    #[test]
    fn thousands_of_receipts_of_one_call_are_merged_as_at_once() {
        for seed in 0..20 {
            let mut random = fastrand::Rng::with_seed(seed);
            // Most receipts are those of call 0.
            let calls: Vec<usize> =
                (0..3_000).map(|_| if random.u8(..9) > 0 { 0 } else { random.usize(..300) }).collect();
            let jsons: Vec<String> = calls.iter().map(|call| any_receipt(&mut random, *call)).collect();
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("a.jsonl");
            std::fs::write(&path, jsons.join("\n")).unwrap();
            let receipts = Receipts::collect(&[path], None).unwrap();
            for part in receipts.sorted.thinned_parts(needed) {
                let longest = part.unwrap().sorted().unwrap().len();
                assert!(longest < 400, "a part has {longest} receipts");
            }
            let mut ledger = LedgerCalls::new(None);
            for (place, day) in (0..).zip(["2026-11-15", "2026-11-17"]) {
                let prod_id = reconcile_core::product::ProductId(7);
                let key = CallKey { call_id: "none".into(), prod_id, day: day.parse().unwrap() };
                ledger.add(place, &key).unwrap();
            }
            let joined = JoinedReceipts::join(receipts, ledger, None).unwrap();

            let (mut wanted, mut contradicted) = (Vec::new(), 0);
            let mut seen = std::collections::BTreeSet::new();
            for call in calls.iter().filter(|call| seen.insert(**call)) {
                let of_call = (0..calls.len()).filter(|at| calls[*at] == *call);
                let of_call = of_call.map(|at| Receipt::from_json(jsons[at].as_bytes()).unwrap());
                let merged = merge(of_call.collect()).unwrap();
                contradicted += u64::from(merged.is_contradicted);
                wanted.push(merged.receipt);
            }
            let missing: Vec<Receipt> = joined.missing().map(Result::unwrap).collect();
            assert_eq!(missing, wanted, "seed {seed}");
            assert_eq!(
                (joined.counts.calls, joined.counts.contradicted),
                (wanted.len() as u64, contradicted)
            );
        }
    }
}
