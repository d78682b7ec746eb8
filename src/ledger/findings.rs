//! What is to be said of a ledger as a whole once its rows were read: what looks as if another program had damaged
//! it, although every row can be used. Each finding is one note; no note has a value of the ledger in it.

use super::row::Remarks;
use super::values::has_lost_caret;
use reconcile_core::ledger_row::{LedgerRow, Record};
use reconcile_core::quick_parse::is_digits;

/// In how many rows something was found, and on which line first.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    rows: u64,
    first: u64,
}

impl Seen {
    fn add(&mut self, line: u64) {
        if self.rows == 0 {
            self.first = line;
        }
        self.rows += 1;
    }

    /// What was found elsewhere in the same ledger.
    fn add_all(&mut self, other: Self) {
        self.first = match (self.rows, other.rows) {
            (0, _) => other.first,
            (_, 0) => self.first,
            _ => self.first.min(other.first),
        };
        self.rows += other.rows;
    }

    /// `3 rows (line 2 is the first)`; `None` when there are none.
    fn text(self) -> Option<String> {
        match self.rows {
            0 => None,
            1 => Some(format!("1 row (line {})", self.first)),
            rows => Some(format!("{rows} rows (line {} is the first)", self.first)),
        }
    }
}

/// The numbers of one column.
#[derive(Debug, Clone, Copy, Default)]
struct Numbers {
    all: u64,
    /// One begins with 0 or with a country code, so that zeros were kept.
    zero_kept: bool,
    fixed_without_zero: Seen,
}

/// What was found so far.
#[derive(Debug, Default)]
pub(super) struct Findings {
    hinted: u64,
    serial_days: Seen,
    nulls: Seen,
    lost_carets: Seen,
    split_call_ids: Seen,
    numbers: [Numbers; 4],
}

/// The number columns, in the order of [`Findings::numbers`].
const NUMBER_FIELDS: [&str; 4] = ["caller", "callee", "caller_show_number", "callee_show_number"];

impl Findings {
    pub(super) fn see(&mut self, record: &Record, remarks: Remarks) {
        let Record::Row(row) = record else { return };
        self.hinted += u64::from(remarks.hinted);
        for (found, seen) in [
            (remarks.serial_day, &mut self.serial_days),
            (remarks.null, &mut self.nulls),
            (remarks.split_call_id, &mut self.split_call_ids),
            (has_lost_caret(&row.key.call_id) && !remarks.split_call_id, &mut self.lost_carets),
        ] {
            if found {
                seen.add(row.line);
            }
        }
        self.see_numbers(row);
    }

    /// Takes over what was found in other rows of the same ledger.
    pub(super) fn add(&mut self, other: &Self) {
        self.hinted += other.hinted;
        self.serial_days.add_all(other.serial_days);
        self.nulls.add_all(other.nulls);
        self.lost_carets.add_all(other.lost_carets);
        self.split_call_ids.add_all(other.split_call_ids);
        for (numbers, others) in self.numbers.iter_mut().zip(other.numbers) {
            numbers.all += others.all;
            numbers.zero_kept |= others.zero_kept;
            numbers.fixed_without_zero.add_all(others.fixed_without_zero);
        }
    }

    fn see_numbers(&mut self, row: &LedgerRow) {
        let e = &row.expected;
        let values = [&e.caller, &e.callee, &e.caller_show_number, &e.callee_show_number];
        for (numbers, value) in self.numbers.iter_mut().zip(values) {
            let Some(value) = value else { continue };
            numbers.all += 1;
            numbers.zero_kept |= value.starts_with(['0', '+']);
            if !numbers.zero_kept && is_fixed_line_without_zero(value) {
                numbers.fixed_without_zero.add(row.line);
            }
        }
    }

    /// Usable rows that took their day from the CallId, no other source naming one.
    pub(super) fn hinted(&self) -> u64 {
        self.hinted
    }

    /// One line for each finding.
    pub(super) fn notes(&self) -> Vec<String> {
        let told = [
            (
                self.serial_days,
                "a time is a spreadsheet's serial day, such as 45962.37; it is read as UTC+8, as precisely as \
              it was written",
            ),
            (self.nulls, "NULL or \\N in a field, which is read as empty"),
            (
                self.split_call_ids,
                "the `^` of the CallId is in the column behind it: it was split; join both columns, or the \
              calls are not found",
            ),
            (
                self.lost_carets,
                "the CallId is digits alone: an export may have dropped its `^`; it is asked for as it stands",
            ),
        ];
        let told =
            told.into_iter().filter_map(|(seen, what)| seen.text().map(|rows| format!("{rows}: {what}")));
        let columns = self.numbers.iter().zip(NUMBER_FIELDS).filter(|(numbers, _)| !numbers.zero_kept);
        let zeros = columns.filter_map(|(numbers, name)| {
            numbers.fixed_without_zero.text().map(|rows| {
                format!(
                    "none of the {} values of `{name}` begins with 0, and in {rows} it looks like a fixed-line number \
                     without it: a spreadsheet may have dropped leading zeros. Nothing is changed; export the column as text",
                    numbers.all
                )
            })
        });
        told.chain(zeros).collect()
    }
}

/// A mainland fixed-line number without the 0 of its area code: `10` or `2x` before eight digits, `3xx` to `9xx` before
/// seven or eight. Service numbers such as 400 and 800 have no 0.
fn is_fixed_line_without_zero(number: &str) -> bool {
    let two = |at: usize| number.as_bytes().get(at).copied().unwrap_or_default();
    if !matches!(number.len(), 10 | 11) || !is_digits(number) {
        return false;
    }
    let short = number.len() == 10;
    match two(0) {
        b'1' => short && two(1) == b'0',
        b'2' => short,
        b'3'..=b'9' => !(short && (number.starts_with("400") || number.starts_with("800"))),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::is_fixed_line_without_zero;

    #[test]
    fn only_what_can_be_a_fixed_line_number_without_its_zero_looks_like_one() {
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
