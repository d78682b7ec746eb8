//! Findings over a whole ledger: signs that another program damaged values which can still be used.
//! Each finding is one note. No note quotes a value of the ledger.

use reconcile_core::ledger_row::{LedgerRow, Record};
use reconcile_core::phone::NUMBER_FIELDS;
use reconcile_core::quick_parse::is_digits;

use super::values::may_lack_caret;
use crate::words::plural;

/// What the parser notices about a row.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Remarks {
    /// Only the CallId gives the day.
    pub(super) day_from_call_id: bool,
    /// A time is a spreadsheet's serial day.
    pub(super) serial_day: bool,
    /// A value is `NULL` or `\N`, which databases write for a missing value.
    pub(super) null: bool,
    /// The next column begins with the `^` that the CallId lacks.
    pub(super) split_call_id: bool,
    /// The row is unusable because it has no product.
    pub(super) no_product: bool,
    /// The row is unusable because it has no day.
    pub(super) no_day: bool,
}

/// The rows with one finding.
#[derive(Debug, Clone, Copy, Default)]
struct AffectedRows {
    count: u64,
    /// Line of the first; 0 if there is none.
    first_line: u64,
}

impl AffectedRows {
    fn add(&mut self, line: u64) {
        if self.count == 0 {
            self.first_line = line;
        }
        self.count += 1;
    }

    /// Adds the rows of another part of the same ledger.
    fn merge(&mut self, other: Self) {
        self.first_line = match (self.count, other.count) {
            (0, _) => other.first_line,
            (_, 0) => self.first_line,
            _ => self.first_line.min(other.first_line),
        };
        self.count += other.count;
    }

    /// `3 rows (first: line 2)`; `None` if there are none.
    fn text(self) -> Option<String> {
        match self.count {
            0 => None,
            1 => Some(format!("{} (line {})", plural(1, "row"), self.first_line)),
            count => Some(format!("{} (first: line {})", plural(count, "row"), self.first_line)),
        }
    }
}

/// The values of one column of phone numbers.
#[derive(Debug, Clone, Copy, Default)]
struct NumberColumn {
    count: u64,
    /// A value begins with 0 or `+`, so no program dropped leading zeros.
    keeps_zeros: bool,
    fixed_line_without_zero: AffectedRows,
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
    serial_days: AffectedRows,
    nulls: AffectedRows,
    lost_carets: AffectedRows,
    split_call_ids: AffectedRows,
    /// One entry for each of [`NUMBER_FIELDS`].
    numbers: [NumberColumn; NUMBER_FIELDS.len()],
}

impl Findings {
    /// Adds a row.
    pub(super) fn add(&mut self, record: &Record, remarks: Remarks) {
        let Record::Row(row) = record else {
            self.without_product += u64::from(remarks.no_product);
            self.without_day += u64::from(remarks.no_day);
            return;
        };
        self.days_from_call_id += u64::from(remarks.day_from_call_id);
        let lost_caret = may_lack_caret(&row.key.call_id) && !remarks.split_call_id;
        for (found, rows) in [
            (remarks.serial_day, &mut self.serial_days),
            (remarks.null, &mut self.nulls),
            (remarks.split_call_id, &mut self.split_call_ids),
            (lost_caret, &mut self.lost_carets),
        ] {
            if found {
                rows.add(row.line);
            }
        }
        self.add_numbers(row);
    }

    /// Adds the findings over other rows of the same ledger.
    pub(super) fn merge(&mut self, other: &Self) {
        self.days_from_call_id += other.days_from_call_id;
        self.without_product += other.without_product;
        self.without_day += other.without_day;
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

    /// One line for each finding.
    pub(super) fn notes(&self) -> Vec<String> {
        let of_rows = [
            (
                self.serial_days,
                "a time is a spreadsheet's serial number, such as 45962.37. It is read as a time in UTC+8, \
                 as precise as it is written",
            ),
            (self.nulls, "a value is NULL or \\N. It is read as empty"),
            (
                self.split_call_ids,
                "the CallId was split at its `^` into two columns. Join them, or the provider will not \
                 find the calls",
            ),
            (
                self.lost_carets,
                "the CallId has only digits. An export may have dropped its `^`. It is looked up as it is",
            ),
        ];
        let of_rows =
            of_rows.into_iter().filter_map(|(rows, what)| Some(format!("{}: {what}", rows.text()?)));
        let of_columns = self.numbers.iter().zip(NUMBER_FIELDS).filter_map(|(column, field)| {
            let rows = column.fixed_line_without_zero.text().filter(|_| !column.keeps_zeros)?;
            Some(format!(
                "`{field}`: {rows} of {} may lack a leading 0. The value looks like a fixed-line number \
                 without it, and no value of the column begins with 0. A spreadsheet may have dropped the \
                 zeros. Nothing is changed. Export the column as text",
                column.count
            ))
        });
        of_rows.chain(of_columns).collect()
    }
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
