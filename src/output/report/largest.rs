//! The discrepancies that the report has: those with the most talk seconds at stake.

use std::cmp::Reverse;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::known_call::{KnownCall, OwnedCall, cut, pairs};
use crate::output::lang::Lang;
use crate::shown::escape;
use crate::texts;
use reconcile_core::calendar::provider_text;
use reconcile_core::discrepancy::{DiscrepancyRow, Kind};
use reconcile_core::phone;
use reconcile_core::resolution::Decision;

/// Open and disputed rows in the report. The discrepancy file has all of them.
pub(crate) const OPEN_ROWS: usize = 2_000;
/// Settled rows in the report.
pub(crate) const SETTLED_ROWS: usize = 100;
/// Amendments in the report.
pub(crate) const AMENDED_ROWS: usize = 100;
/// Rows that wait before the smallest are dropped, beside those that stay.
const MORE_WAITING: usize = 500;
/// Columns of the ledger that a row shows.
const MAX_CARRIED: usize = 20;
/// A row with longer texts is shortened before it waits.
const MAX_WHOLE_BYTES: usize = 4 << 10;

/// A discrepancy as the report shows it, with phone numbers masked.
#[derive(Debug, Serialize)]
pub(super) struct ListedRow {
    /// `None` for a call that the ledger does not name.
    line: Option<u64>,
    /// The file of the line; empty if the ledger is one file.
    #[serde(skip_serializing_if = "String::is_empty")]
    file: String,
    call: String,
    kind: &'static str,
    field: String,
    /// The ledger's value. An unusable row's own text is the ledger's.
    ledger: String,
    provider: String,
    /// The value that the kind compares with: a duplicate's first row, the record before it was
    /// amended, the receipt's, or what the provider's other values give. Of a call that the ledger
    /// lacks it is the time.
    other: String,
    message: String,
    seconds: u64,
    product: String,
    day: String,
    /// The day since which it is open; empty if that is not known.
    since: String,
    /// Whether this run is the first that sees it.
    new: bool,
    /// The word of the decision; empty without one.
    resolution: &'static str,
    reason: String,
    /// All that is known of the call, by group, as names with values.
    more: Box<RawValue>,
}

impl ListedRow {
    /// Leaves out since when it is open.
    pub(super) fn leave_out_day(&mut self) {
        self.since.clear();
    }

    fn new(
        form: &LargestForm,
        row: &DiscrepancyRow,
        call: Option<KnownCall<'_>>,
    ) -> serde_json::Result<Self> {
        let (what, own) = (&row.what, &row.own_numbers);
        let file = form.file_column.filter(|_| row.ledger_line.is_some()).and_then(|at| row.carried.get(at));
        let value = |value: Option<&str>| value.map(|v| masked(&what.field, v, own)).unwrap_or_default();
        let (expected, actual) = (value(what.expected.as_deref()), value(what.actual.as_deref()));
        let (ledger, provider, other) = match what.kind {
            // What was expected is in the message.
            Kind::InvalidRow => (actual, String::new(), String::new()),
            Kind::Duplicate => (actual, String::new(), expected),
            Kind::Amended | Kind::ReceiptDiffers => (String::new(), actual, expected),
            // There is nothing to compare: the row says how long the call was, and when.
            Kind::MissingInLedger => {
                let sent_at = row.called_at.map(|at| provider_text(at).to_string());
                (String::new(), actual, sent_at.unwrap_or_default())
            }
            Kind::Inconsistent if what.field != "call_id" => {
                let ledger = call.and_then(|call| call.expected(&what.field));
                (value(ledger.as_deref()), actual, expected)
            }
            _ => (expected, actual, String::new()),
        };
        let product = row.product().map(str::to_owned);
        Ok(Self {
            line: row.ledger_line,
            file: file.map(|name| masked("", name, own)).unwrap_or_default(),
            call: row.call_id.as_deref().map(|id| masked("", id, own)).unwrap_or_default(),
            kind: what.kind.as_str(),
            field: what.field.clone(),
            ledger,
            provider,
            other,
            message: masked("", &texts::message(form.lang, &what.message), own),
            seconds: row.at_stake_s,
            product: product
                .or_else(|| row.prod_id.map(|id| phone::mask_planned(&id.to_string(), own)))
                .unwrap_or_default(),
            day: row.call_date.map(|day| day.to_string()).unwrap_or_default(),
            since: row.since.map(|since| since.day.to_string()).unwrap_or_default(),
            new: row.since.is_some_and(|since| since.is_new),
            resolution: row.decision().map_or("", Decision::as_str),
            reason: row
                .resolution
                .as_ref()
                .map(|own_words| masked("", &own_words.reason, own))
                .unwrap_or_default(),
            more: more(row, call, &form.carried)?,
        })
    }
}

/// All that is known of the call, as JSON.
fn more(
    row: &DiscrepancyRow,
    call: Option<KnownCall<'_>>,
    carried: &[String],
) -> serde_json::Result<Box<RawValue>> {
    #[derive(Serialize)]
    struct More {
        ledger: Vec<(String, String)>,
        record: Vec<(String, String)>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        receipt: Vec<(String, String)>,
        lookup: Vec<(String, String)>,
        columns: Vec<(String, String)>,
    }
    let own = &row.own_numbers;
    let groups = call.map(|call| call.groups()).unwrap_or_default();
    let [ledger, record, lookup] = groups.map(|group| -> Vec<(String, String)> {
        let masked = |(name, value): (&'static str, String)| {
            let value = masked(name, &value, own);
            (name.to_owned(), value)
        };
        group.into_iter().map(masked).collect()
    });
    let columns = carried.iter().zip(&row.carried).map(|(name, value)| (name.as_str(), Some(value.as_str())));
    let columns = pairs(columns.take(MAX_CARRIED));
    let columns = columns.map(|(name, value)| (masked("", name, own), masked("", &value, own))).collect();
    let (record, receipt) = if call.is_some_and(KnownCall::is_from_receipt) {
        (Vec::new(), record)
    } else {
        (record, Vec::new())
    };
    serde_json::value::to_raw_value(&More { ledger, record, receipt, lookup, columns })
}

/// A row that waits: as the comparison left it, or already as the report shows it. Most rows that
/// wait are dropped later, so only those with long texts are shortened at once.
#[derive(Debug)]
enum Waiting {
    Whole(Box<(DiscrepancyRow, Option<OwnedCall>)>),
    Listed(Box<ListedRow>),
}

impl Waiting {
    fn seconds(&self) -> u64 {
        match self {
            Self::Whole(row) => row.0.at_stake_s,
            Self::Listed(row) => row.seconds,
        }
    }
}

/// The discrepancies with the most seconds at stake. Of equal ones, those that come first in the
/// file.
///
/// At most 2,500 open rows wait, 2 to 8 KiB each. They need some 6 MiB, and 20 MiB at most.
#[derive(Debug)]
pub(crate) struct Largest {
    form: Arc<LargestForm>,
    rows: Vec<Waiting>,
    /// Rows with fewer seconds are not listed.
    least_s: u64,
}

/// What the lists of all threads have in common.
#[derive(Debug)]
pub(crate) struct LargestForm {
    lang: Lang,
    /// Rows that the report lists.
    max_rows: usize,
    /// Names of the ledger's carried columns.
    carried: Vec<String>,
    /// The one with the name of the row's file, if the ledger has several.
    file_column: Option<usize>,
    /// Rows with fewer seconds cannot be among the largest: enough earlier rows have as many.
    least_s: AtomicU64,
}

impl LargestForm {
    /// `carried` names the columns that the rows carry through, and `file_column` is the one with
    /// the name of the row's file, if the ledger has several. The report lists `max_rows` rows.
    pub(crate) fn new(lang: Lang, carried: &[String], file_column: Option<usize>, max_rows: usize) -> Self {
        Self { lang, max_rows, carried: carried.to_vec(), file_column, least_s: AtomicU64::new(0) }
    }
}

impl Largest {
    /// No rows yet.
    pub(crate) fn new(form: Arc<LargestForm>) -> Self {
        let least_s = form.least_s.load(Ordering::Relaxed);
        Self { form, rows: Vec::new(), least_s }
    }

    /// Whether a row with this many seconds at stake is among the largest so far.
    pub(crate) fn lists(&self, at_stake_s: u64) -> bool {
        at_stake_s >= self.least_s
    }

    /// Keeps the row if it is among the largest so far.
    ///
    /// # Errors
    ///
    /// The row is no JSON, which is a bug.
    pub(crate) fn add(
        &mut self,
        row: &DiscrepancyRow,
        call: Option<KnownCall<'_>>,
    ) -> serde_json::Result<()> {
        if !self.lists(row.at_stake_s) {
            return Ok(());
        }
        let bytes = bytes_of(row) + call.map_or(0, KnownCall::bytes);
        let row = if bytes <= MAX_WHOLE_BYTES {
            let carried = row.carried.iter().take(MAX_CARRIED).cloned().collect();
            let row = DiscrepancyRow { carried, ..without_carried(row) };
            Waiting::Whole(Box::new((row, call.map(KnownCall::to_owned))))
        } else {
            Waiting::Listed(Box::new(ListedRow::new(&self.form, row, call)?))
        };
        self.rows.push(row);
        if self.is_full() {
            self.sort_and_cut();
        }
        Ok(())
    }

    /// Adds the rows of a later part of the ledger. Later lists need not hold what is now too
    /// small.
    pub(crate) fn append(&mut self, later: Self) {
        self.rows.extend(later.rows);
        if self.is_full() {
            self.sort_and_cut();
            self.form.least_s.store(self.least_s, Ordering::Relaxed);
        }
    }

    /// The largest discrepancies, the largest first.
    ///
    /// # Errors
    ///
    /// A row is no JSON, which is a bug.
    pub(super) fn into_rows(mut self) -> serde_json::Result<Vec<ListedRow>> {
        self.sort_and_cut();
        let listed = |row| match row {
            Waiting::Whole(row) => {
                let call = row.1.as_ref().map(OwnedCall::as_known);
                ListedRow::new(&self.form, &row.0, call)
            }
            Waiting::Listed(row) => Ok(*row),
        };
        self.rows.into_iter().map(listed).collect()
    }

    fn is_full(&self) -> bool {
        self.rows.len() >= self.form.max_rows + MORE_WAITING
    }

    fn sort_and_cut(&mut self) {
        let max_rows = self.form.max_rows;
        // A stable sort: of equal rows the first stay.
        self.rows.sort_by_key(|row| Reverse(row.seconds()));
        self.rows.truncate(max_rows);
        // Of equal rows the first stay, so a later one needs more.
        self.least_s = self.rows.get(max_rows - 1).map_or(0, |row| row.seconds().saturating_add(1));
    }
}

/// The length of all texts of a row that it keeps.
fn bytes_of(row: &DiscrepancyRow) -> usize {
    let what = &row.what;
    let values = [&what.expected, &what.actual, &row.callee].into_iter().flatten();
    let values = values.chain(row.carried.iter().take(MAX_CARRIED)).map(|value| value.len());
    let numbers = row.own_numbers.iter().chain(&row.call_id).map(String::len);
    let reason = row.resolution.as_ref().map_or(0, |resolution| resolution.reason.len());
    values.chain(numbers).sum::<usize>() + reason + what.field.len() + what.message.to_string().len()
}

fn without_carried(row: &DiscrepancyRow) -> DiscrepancyRow {
    DiscrepancyRow {
        call_id: row.call_id.clone(),
        what: row.what.clone(),
        callee: row.callee.clone(),
        own_numbers: row.own_numbers.clone(),
        resolution: row.resolution.clone(),
        carried: Vec::new(),
        ..*row
    }
}

/// A value with its phone numbers masked, and these numbers of its row.
pub(crate) fn masked(field: &str, value: &str, own_numbers: &[String]) -> String {
    let masked = if phone::NUMBER_FIELDS.contains(&field) {
        phone::mask_number(&phone::normalize_number(value))
    } else if field == "request_id" && Uuid::try_parse(value).is_ok() {
        // Its digits are random.
        value.to_owned()
    } else {
        phone::mask_known(value, own_numbers)
    };
    cut(escape(&masked).into_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::collections::BTreeSet;

    use reconcile_core::discrepancy::Discrepancy;
    use reconcile_core::message::Message;

    fn discrepancy(field: &str, kind: Kind, call_id: &str, expected: &str) -> DiscrepancyRow {
        let what = Discrepancy::new(kind, Message::NotAsked).field(field).values(Some(expected.into()), None);
        DiscrepancyRow {
            call_id: Some(call_id.into()),
            ledger_line: Some(2),
            what,
            call_date: None,
            prod_id: None,
            status: None,
            callee: None,
            called_at: None,
            at_stake_s: 0,
            since: None,
            resolution: None,
            carried: vec!["13812345678".into()],
            own_numbers: vec!["447911123456".into()],
        }
    }

    fn listed(field: &str, kind: Kind, call_id: &str, expected: &str) -> ListedRow {
        let form = LargestForm::new(Lang::En, &["ledger_note".into()], None, OPEN_ROWS);
        ListedRow::new(&form, &discrepancy(field, kind, call_id, expected), None).unwrap()
    }

    #[test]
    fn the_row_s_own_number_is_masked_in_its_call_id() {
        assert_eq!(listed("", Kind::NotFound, "447911123456^1", "").call, "447*****3456^1");
        assert_eq!(listed("", Kind::NotFound, "a\u{202e}b", "").call, r"a\u{202e}b");
    }

    #[test]
    fn a_line_names_its_file_if_there_are_several() {
        let carried = ["account", "ledger_file", "ledger_note"].map(str::to_owned);
        let mut row = discrepancy("", Kind::NotFound, "1^2", "");
        row.carried = vec!["north".into(), "calls-13812345678.csv".into(), "x".into()];
        let file = |row: &DiscrepancyRow, file_column| {
            let form = LargestForm::new(Lang::En, &carried, file_column, OPEN_ROWS);
            ListedRow::new(&form, row, None).unwrap().file
        };
        assert_eq!(file(&row, Some(1)), "calls-138****5678.csv");
        assert_eq!(file(&row, None), "");
        row.ledger_line = None;
        assert_eq!(file(&row, Some(1)), "", "a call that the ledger does not name");
    }

    #[test]
    fn phone_numbers_are_masked_in_every_column() {
        let row = listed("callee", Kind::Mismatch, "116014888060^102816313060", "+86 138-1234-5678");
        assert_eq!(row.call, "116014888060^102816313060");
        assert_eq!(row.ledger, "138****5678");
        assert_eq!(
            row.more.get(),
            r#"{"ledger":[],"record":[],"lookup":[],"columns":[["ledger_note","138****5678"]]}"#
        );
        let carried = listed("ledger_note", Kind::Duplicate, "1^2", "ask 13812345678");
        assert_eq!(carried.other, "ask 138****5678");
        let call_id = |kind, id: &str| listed("", kind, id, "").call;
        assert_eq!(call_id(Kind::NotFound, "13812345678"), "138****5678");
        assert_eq!(call_id(Kind::InvalidRow, "13812345678^1"), "138****5678^1");
        assert_eq!(call_id(Kind::InvalidRow, "8613812345678^1"), "861******5678^1");
        assert_eq!(call_id(Kind::InvalidRow, "1779786101083^1"), "1779786101083^1");
    }

    #[test]
    fn a_value_of_the_ledger_is_never_the_provider_s() {
        let form = LargestForm::new(Lang::En, &[], None, OPEN_ROWS);
        let mut row = discrepancy("duration_s", Kind::InvalidRow, "1^2", "seconds");
        row.what.actual = Some("1:15".into());
        let unusable = ListedRow::new(&form, &row, None).unwrap();
        assert_eq!([&*unusable.ledger, &unusable.provider, &unusable.other], ["1:15", "", ""]);
        row.what.kind = Kind::Duplicate;
        let duplicate = ListedRow::new(&form, &row, None).unwrap();
        assert_eq!([&*duplicate.ledger, &duplicate.provider, &duplicate.other], ["1:15", "", "seconds"]);
        row.what.kind = Kind::Inconsistent;
        let inconsistent = ListedRow::new(&form, &row, None).unwrap();
        let shown = [&*inconsistent.ledger, &inconsistent.provider, &inconsistent.other];
        assert_eq!(shown, ["", "1:15", "seconds"]);
    }

    #[test]
    fn the_largest_rows_stay_and_of_equal_ones_the_first() {
        let mut largest = Largest::new(Arc::new(LargestForm::new(Lang::En, &[], None, OPEN_ROWS)));
        for line in 0..10_000 {
            // Half of the rows have long texts.
            let text = "x".repeat(if line % 8 < 4 { 5_000 } else { 100 });
            let mut row = discrepancy("", Kind::NotFound, "1^2", &text);
            (row.ledger_line, row.at_stake_s) = (Some(line), line % 4);
            largest.add(&row, None).unwrap();
        }
        let rows = largest.into_rows().unwrap();
        let lines: Vec<u64> = rows.iter().filter_map(|row| row.line).collect();
        assert_eq!(lines, (0..2_000).map(|n| n * 4 + 3).collect::<Vec<_>>());
        let lengths: BTreeSet<usize> = rows.iter().map(|row| row.ledger.chars().count()).collect();
        assert_eq!(lengths, BTreeSet::from([100, 301]));
    }
}
