//! The receipts that the provider would push for its calls (`VoiceReport`), with faults by chance.
//!
//! A receipt agrees with the record, as far as it has the fields. Calls without a final record have
//! none. The same calls, seed and faults give the same file.

use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, BufWriter, Write as _};
use std::path::Path;

use serde::Serialize;

use super::calls::{Calls, later};
use super::chance::{call_hash, draw};
use super::faults::{Faults, ReceiptFault};
use crate::error::{Error, Result};
use crate::regular_file::{self, Readers};
use crate::shown::shown;
use reconcile_core::calendar::provider_text;
use reconcile_core::detail::{CallDetail, Party};
use reconcile_core::normalize::normalize;

/// The draw for the time between the request and the call to the carrier.
const SENT_AFTER: u64 = 1 << 62;
/// That time is at most this many seconds.
const MOST_SECONDS: u64 = 3;

/// A receipt as the provider writes it: a field without a value is an empty text.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
struct PushedReceipt {
    call_id: String,
    caller: String,
    callee: String,
    originate_time: String,
    ring_time: String,
    start_time: String,
    end_time: String,
    duration: String,
    status_code: String,
    status_msg: String,
    hangup_direction: &'static str,
    b_ring_time: String,
    b_start_time: String,
    b_end_time: String,
    voice_type: &'static str,
    toll_type: &'static str,
}

/// What was written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct WrittenReceipts {
    file: String,
    /// Lines of the file.
    receipts: u64,
    /// Calls with a final record.
    calls: u64,
    lost: u64,
    doubled: u64,
    late: u64,
    differing: u64,
}

impl fmt::Display for WrittenReceipts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, receipts, calls, lost, doubled, late, differing } = self;
        write!(
            f,
            "wrote {file} (calls: {calls}, receipts: {receipts}, lost: {lost}, doubled: {doubled}, late: {late}, \
             differing: {differing})"
        )
    }
}

/// Writes the receipts of all calls, or of the sample data's, in the order of the calls' times.
///
/// # Errors
///
/// Exit 2 for the calls of a recording, exit 6 if the file cannot be written.
pub(super) fn write(
    path: &Path,
    calls: Option<&Calls>,
    seed: u64,
    faults: &Faults,
) -> Result<WrittenReceipts> {
    let records = match calls {
        Some(calls) => calls.records(seed),
        None => Calls::sample()?.records(seed),
    };
    let Some(records) = records else {
        return Err(Error::usage("the calls of a recording have no receipts").hint("give a ledger instead"));
    };
    let mut receipts: Vec<PushedReceipt> =
        records.iter().filter_map(|record| receipt(seed, &record.data)).collect();
    receipts.sort_by(|a, b| (&a.originate_time, &a.call_id).cmp(&(&b.originate_time, &b.call_id)));
    let (lines, mut written) = with_faults(receipts, seed, faults);
    written.file = shown(&path.display().to_string());
    write_lines(path, &lines).map_err(|e| {
        Error::output(format!("cannot write the receipts {}", written.file))
            .hint("name another file, or free space there")
            .because(e)
    })?;
    Ok(written)
}

/// The receipts in the order in which they come, and how many have each fault.
fn with_faults(
    receipts: Vec<PushedReceipt>,
    seed: u64,
    faults: &Faults,
) -> (Vec<PushedReceipt>, WrittenReceipts) {
    let mut written = WrittenReceipts { calls: receipts.len() as u64, ..WrittenReceipts::default() };
    let (mut lines, mut last) = (Vec::new(), Vec::new());
    for receipt in receipts {
        match faults.of_receipt(seed, call_hash(&receipt.call_id)) {
            None => lines.push(receipt),
            Some(ReceiptFault::Lost) => written.lost += 1,
            Some(ReceiptFault::Doubled) => {
                written.doubled += 1;
                lines.extend([receipt.clone(), receipt]);
            }
            Some(ReceiptFault::Late) => {
                written.late += 1;
                lines.push(receipt.short());
                last.push(receipt);
            }
            Some(ReceiptFault::Differs) => {
                written.differing += 1;
                lines.push(receipt.differing());
            }
        }
    }
    lines.append(&mut last);
    written.receipts = lines.len() as u64;
    (lines, written)
}

fn write_lines(path: &Path, lines: &[PushedReceipt]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let file = regular_file::open(path, options.write(true).create(true).truncate(true), Readers::Owner)?;
    let mut file = BufWriter::new(file);
    for line in lines {
        serde_json::to_writer(&mut file, line)?;
        file.write_all(b"\n")?;
    }
    file.flush()
}

/// The receipt of a call with this `Data`; `None` without a final record.
fn receipt(seed: u64, data: &str) -> Option<PushedReceipt> {
    let record = normalize(data).ok().filter(|record| record.is_final)?;
    let call_id = record.call_id.as_deref()?.to_owned();
    let sent_after = draw(seed, call_hash(&call_id), SENT_AFTER) % (MOST_SECONDS + 1);
    let created = provider_text(record.created_at?);
    let time = |time: Option<_>| time.map(|time| String::from(provider_text(time))).unwrap_or_default();
    let [caller, callee] = numbers(&record);
    Some(PushedReceipt {
        call_id,
        caller,
        callee,
        originate_time: later(&created, i64::try_from(sent_after).unwrap_or(0)),
        ring_time: time(record.b_ring_at),
        start_time: time(record.started_at),
        end_time: time(record.ended_at),
        duration: record.duration_s.map(|seconds| seconds.to_string()).unwrap_or_default(),
        status_code: record.state.map(String::from).unwrap_or_default(),
        status_msg: record.state_desc.map(String::from).unwrap_or_default(),
        hangup_direction: match record.hangup_by {
            Some(Party::Callee) => "用户",
            Some(Party::Caller) => "机器",
            None => "",
        },
        b_ring_time: time(record.b_ring_at),
        b_start_time: time(record.b_start_at),
        b_end_time: time(record.b_end_at),
        voice_type: "voice",
        toll_type: "UNKNOWN",
    })
}

/// Caller and callee. The receipt of a notification has no other numbers.
fn numbers(record: &CallDetail) -> [String; 2] {
    let [caller, callee, ..] = record.numbers();
    [caller, callee].map(|number| number.map(ToString::to_string).unwrap_or_default())
}

impl PushedReceipt {
    /// The receipt while the call was not over.
    fn short(&self) -> Self {
        let Self { call_id, callee, originate_time, voice_type, toll_type, .. } = self.clone();
        let (status_code, status_msg) = ("200103".to_owned(), "呼叫建立,正在通话".to_owned());
        let known = Self { call_id, callee, originate_time, voice_type, toll_type, ..Self::default() };
        Self { status_code, status_msg, ..known }
    }

    /// The receipt with a longer talk, or with another state of an unanswered call.
    fn differing(mut self) -> Self {
        match self.duration.parse::<i64>() {
            Ok(seconds @ 1..) => {
                self.duration = (seconds + 7).to_string();
                self.end_time = later(&self.end_time, 7);
                self.b_end_time = later(&self.b_end_time, 7);
            }
            _ => {
                let other = if self.status_code == "200003" { "200002" } else { "200003" };
                other.clone_into(&mut self.status_code);
            }
        }
        self
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use reconcile_core::compare::Tolerances;
    use reconcile_core::receipt::{Receipt, differences, merge};

    fn sample() -> Vec<String> {
        let records = Calls::sample().unwrap().records(0).unwrap();
        let mut data: Vec<String> = records.into_iter().map(|record| record.data).collect();
        data.sort();
        data
    }

    fn read(receipt: &PushedReceipt) -> Receipt {
        Receipt::from_json(&serde_json::to_vec(receipt).unwrap()).unwrap()
    }

    #[test]
    fn a_receipt_agrees_with_its_record() {
        let mut count = 0;
        for data in sample() {
            let record = normalize(&data).unwrap();
            let Some(pushed) = receipt(0, &data) else { continue };
            let receipt = read(&pushed);
            assert_eq!(differences(&receipt, &record, Tolerances::default()), []);
            let lacks =
                CallDetail { created_at: None, caller_show_number: None, callee_show_number: None, ..record };
            let lacks = CallDetail { a_ring_at: None, a_end_at: None, ..lacks };
            assert_eq!(receipt.detail().unwrap(), lacks, "{data}");
            let sent_after = receipt.sent_at().unwrap() - normalize(&data).unwrap().created_at.unwrap();
            assert!((0..=3).contains(&sent_after.num_seconds()));
            count += 1;
        }
        assert!(count > 50, "{count} calls");
    }

    #[test]
    fn each_fault_does_what_its_name_says() {
        let all: Vec<PushedReceipt> = sample().iter().filter_map(|data| receipt(0, data)).collect();
        let calls = all.len() as u64;
        let none = WrittenReceipts { calls, receipts: calls, ..WrittenReceipts::default() };
        let with = |faults: &str| with_faults(all.clone(), 0, &Faults::parse(faults).unwrap());
        assert_eq!(with("503=100%"), (all.clone(), none.clone()));
        assert_eq!(
            with("receipt-lost=100%"),
            (vec![], WrittenReceipts { receipts: 0, lost: calls, ..none.clone() })
        );
        let (lines, written) = with("receipt-doubled=100%,receipt-lost=100%");
        assert_eq!(written, WrittenReceipts { receipts: 2 * calls, doubled: calls, ..none.clone() });
        assert!(lines.chunks(2).all(|pair| pair[0] == pair[1]));
        let (lines, written) = with("receipt-late=100%");
        assert_eq!(written, WrittenReceipts { receipts: 2 * calls, late: calls, ..none.clone() });
        for (short, whole) in lines[..all.len()].iter().zip(&all) {
            let merged = merge(vec![read(short), read(whole)]).unwrap();
            assert_eq!((merged.receipt, read(short) == read(whole)), (read(whole), false));
        }
        let (lines, written) = with("receipt-differs=100%");
        assert_eq!(written, WrittenReceipts { differing: calls, ..none });
        for (line, pushed) in lines.iter().zip(&all) {
            let record = read(pushed).detail().unwrap();
            assert!(!differences(&read(line), &record, Tolerances::default()).is_empty(), "{line:?}");
        }
    }
}
