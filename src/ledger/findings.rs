//! Findings over a whole ledger: signs that another program damaged values which can still be used.
//! Each finding is one note. No note quotes a value of the ledger.

use chrono::{DateTime, Utc};
use reconcile_core::calendar::midnight_ms;
use reconcile_core::ledger_row::{LedgerRow, LedgerTime, Record};
use reconcile_core::ledger_values::{KEPT_DIGITS, has_more_digits, may_lack_caret, may_lack_digits};
use reconcile_core::phone::NUMBER_FIELDS;
use reconcile_core::quick_parse::is_digits;

use super::affected::AffectedRows;
use super::note::{Finding, LedgerNote};
use super::reasons::Reasons;

/// What the parser notices about a row.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Remarks {
    /// Only the CallId gives the day.
    pub(super) day_from_call_id: bool,
    /// A time is a spreadsheet's serial day.
    pub(super) serial_day: bool,
    /// A value is a word such as `NULL`, which programs write for a missing value.
    pub(super) null: bool,
    /// The next column begins with the `^` that the CallId lacks.
    pub(super) split_call_id: bool,
    /// The CallId contains a time on another day than the one that is asked for.
    pub(super) other_day: bool,
    /// The row is unusable because it has no product.
    pub(super) no_product: bool,
    /// The row is unusable because it has no day.
    pub(super) no_day: bool,
}

/// The values of one column of phone numbers.
#[derive(Debug, Clone, Copy, Default)]
struct NumberColumn {
    count: u64,
    /// A value begins with 0 or `+`, so no program dropped leading zeros.
    keeps_zeros: bool,
    fixed_line_without_zero: AffectedRows,
}

/// The rows whose CallId has only digits, and more than a spreadsheet keeps.
#[derive(Debug, Clone, Copy, Default)]
struct LongCallIds {
    /// Their digits after the fifteenth are zeros.
    lost_digits: AffectedRows,
    /// Number of these zeros.
    zeros: usize,
    /// A CallId has other digits there, so no spreadsheet dropped them.
    keeps_digits: bool,
}

/// The rows with a time ahead of the current time.
#[derive(Debug, Clone, Copy, Default)]
struct AheadOfNow {
    rows: AffectedRows,
    at_most_s: i64,
}

/// The findings over the rows read so far.
#[derive(Debug, Default)]
pub(super) struct Findings {
    /// Usable rows whose day comes only from the CallId.
    pub(super) days_from_call_id: u64,
    /// Rows that are unusable because they have no product.
    pub(super) without_product: u64,
    /// Rows that are unusable because they have no day.
    pub(super) without_day: u64,
    /// Why rows are unusable.
    pub(super) reasons: Reasons,
    other_days: AffectedRows,
    ahead: AheadOfNow,
    long_call_ids: LongCallIds,
    serial_days: AffectedRows,
    nulls: AffectedRows,
    lost_carets: AffectedRows,
    split_call_ids: AffectedRows,
    /// One entry for each of [`NUMBER_FIELDS`].
    numbers: [NumberColumn; NUMBER_FIELDS.len()],
}

impl Findings {
    /// Adds a row. `now` is the current time, if calls ahead of it are to be noticed.
    pub(super) fn add(&mut self, record: &Record, remarks: Remarks, now: Option<DateTime<Utc>>) {
        let row = match record {
            Record::Row(row) => row,
            Record::Invalid(row) => {
                self.without_product += u64::from(remarks.no_product);
                self.without_day += u64::from(remarks.no_day);
                self.reasons.add(row);
                return;
            }
        };
        self.days_from_call_id += u64::from(remarks.day_from_call_id);
        let lost_caret = may_lack_caret(&row.key.call_id) && !remarks.split_call_id;
        for (found, rows) in [
            (remarks.serial_day, &mut self.serial_days),
            (remarks.null, &mut self.nulls),
            (remarks.split_call_id, &mut self.split_call_ids),
            (lost_caret, &mut self.lost_carets),
            (remarks.other_day, &mut self.other_days),
        ] {
            rows.add_if(found, row.line);
        }
        if may_lack_digits(&row.key.call_id) {
            self.long_call_ids.lost_digits.add(row.line);
            self.long_call_ids.zeros += row.key.call_id.len() - KEPT_DIGITS;
        } else if lost_caret {
            self.long_call_ids.keeps_digits |= has_more_digits(&row.key.call_id);
        }
        if let Some(seconds) = now.and_then(|now| seconds_ahead(row, now)) {
            self.ahead.rows.add(row.line);
            self.ahead.at_most_s = self.ahead.at_most_s.max(seconds);
        }
        self.add_numbers(row);
    }

    /// Adds the findings over other rows of the same ledger.
    pub(super) fn merge(&mut self, other: &Self) {
        self.days_from_call_id += other.days_from_call_id;
        self.without_product += other.without_product;
        self.without_day += other.without_day;
        self.reasons.merge(&other.reasons);
        self.other_days.merge(other.other_days);
        self.ahead.rows.merge(other.ahead.rows);
        self.ahead.at_most_s = self.ahead.at_most_s.max(other.ahead.at_most_s);
        self.long_call_ids.lost_digits.merge(other.long_call_ids.lost_digits);
        self.long_call_ids.zeros += other.long_call_ids.zeros;
        self.long_call_ids.keeps_digits |= other.long_call_ids.keeps_digits;
        self.serial_days.merge(other.serial_days);
        self.nulls.merge(other.nulls);
        self.lost_carets.merge(other.lost_carets);
        self.split_call_ids.merge(other.split_call_ids);
        for (column, other) in self.numbers.iter_mut().zip(other.numbers) {
            column.count += other.count;
            column.keeps_zeros |= other.keeps_zeros;
            column.fixed_line_without_zero.merge(other.fixed_line_without_zero);
        }
    }

    fn add_numbers(&mut self, row: &LedgerRow) {
        let expected = &row.expected;
        let values =
            [&expected.caller, &expected.callee, &expected.caller_show_number, &expected.callee_show_number];
        for (column, value) in self.numbers.iter_mut().zip(values) {
            let Some(value) = value else { continue };
            column.count += 1;
            column.keeps_zeros |= value.starts_with(['0', '+']);
            if !column.keeps_zeros && is_fixed_line_without_zero(value) {
                column.fixed_line_without_zero.add(row.line);
            }
        }
    }

    /// The rows whose CallId has lost digits in a spreadsheet; none if it kept some of them.
    pub(super) fn lost_digits(&self) -> AffectedRows {
        let LongCallIds { lost_digits, zeros, keeps_digits } = self.long_call_ids;
        // Fewer zeros may be a coincidence.
        if keeps_digits || zeros < 6 { AffectedRows::default() } else { lost_digits }
    }

    /// One note for each finding.
    pub(super) fn notes(&self) -> Vec<LedgerNote> {
        let lost_digits = self.lost_digits();
        let lost_carets = if lost_digits.count > 0 { AffectedRows::default() } else { self.lost_carets };
        let AheadOfNow { rows, at_most_s } = self.ahead;
        let ahead = rows.some().map(|rows| LedgerNote::AheadOfNow { rows, at_most_s });
        let of_rows = [
            (lost_digits, Finding::LostDigits),
            (self.other_days, Finding::OtherDay),
            (self.serial_days, Finding::SerialDay),
            (self.nulls, Finding::Null),
            (self.split_call_ids, Finding::SplitCallId),
            (lost_carets, Finding::LostCaret),
        ];
        let of_rows =
            of_rows.into_iter().filter_map(|(rows, what)| Some(LedgerNote::Rows(rows.some()?, what)));
        let of_columns = self.numbers.iter().zip(NUMBER_FIELDS).filter_map(|(column, field)| {
            let rows = column.fixed_line_without_zero.some().filter(|_| !column.keeps_zeros)?;
            Some(LedgerNote::LostZeros { field, rows, of: column.count })
        });
        ahead.into_iter().chain(of_rows).chain(of_columns).collect()
    }
}

/// Seconds by which a row's call is ahead of the current time, if more than five minutes.
fn seconds_ahead(row: &LedgerRow, now: DateTime<Utc>) -> Option<i64> {
    let at = row.expected.called_at.and_then(LedgerTime::instant);
    let at_ms = at.map_or_else(|| midnight_ms(row.key.day), |at| at.timestamp_millis());
    let seconds = (at_ms - now.timestamp_millis()) / 1_000;
    (seconds > 300).then_some(seconds)
}

/// True for a mainland fixed-line number without the 0 of its area code: `10` or `2x` before eight
/// digits, `3xx` to `9xx` before seven or eight. Service numbers such as 400 and 800 have no 0.
fn is_fixed_line_without_zero(number: &str) -> bool {
    if !matches!(number.len(), 10 | 11) || !is_digits(number) {
        return false;
    }
    let is_short = number.len() == 10;
    match number.as_bytes()[0] {
        b'1' => is_short && number.starts_with("10"),
        b'2' => is_short,
        b'3'..=b'9' => !(is_short && (number.starts_with("400") || number.starts_with("800"))),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::is_fixed_line_without_zero;

    #[test]
    fn fixed_line_numbers_without_zero_are_recognized() {
        for number in ["5344750000", "1088888888", "2188888888", "57188888888", "7551234567"] {
            assert!(is_fixed_line_without_zero(number), "{number}");
        }
        for number in
            ["13812345678", "4001234567", "8001234567", "95187", "05344750000", "1234567890", "21-88888888"]
        {
            assert!(!is_fixed_line_without_zero(number), "{number}");
        }
    }
}
