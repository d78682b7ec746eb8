//! Rows in a compact form, while they wait for their file. A row needs no memory besides its bytes,
//! however many columns it has.

use chrono::{DateTime, Datelike as _, NaiveDate};

use super::schema::{Cell, ColumnType};
use reconcile_core::decimal::Decimal;

/// Rows of one table, one after the other.
#[derive(Debug, Clone, Default)]
pub(super) struct PackedRows {
    bytes: Vec<u8>,
    rows: usize,
}

impl PackedRows {
    /// Adds a row.
    pub(super) fn push<'a>(&mut self, cells: impl Iterator<Item = Cell<'a>>) {
        self.rows += 1;
        cells.for_each(|cell| match cell {
            // Null is 0, and a text of n bytes begins with n + 1.
            Cell::Text(text) => {
                self.push_number(text.map_or(0, |text| text.len() as u64 + 1));
                self.bytes.extend_from_slice(text.unwrap_or_default().as_bytes());
            }
            Cell::Integer(number) => self.push_fixed(number),
            Cell::Boolean(truth) => self.push_number(truth.map_or(0, |truth| 1 + u64::from(truth))),
            Cell::Date(day) => self.push_fixed(day.map(|day| day.num_days_from_ce().into())),
            Cell::Timestamp(at) => self.push_fixed(at.map(|at| at.timestamp_micros())),
            Cell::Decimal(number) => self.push_fixed(number.and_then(Decimal::in_column)),
        });
    }

    /// Adds these rows after those so far.
    pub(super) fn append(&mut self, rows: &Self) {
        self.bytes.extend_from_slice(&rows.bytes);
        self.rows += rows.rows;
    }

    /// Bytes of memory.
    pub(super) fn held_bytes(&self) -> usize {
        self.bytes.capacity()
    }

    /// Passes the cells of each row to `each`. The rows have columns of these types.
    ///
    /// # Errors
    ///
    /// The error of `each`.
    pub(super) fn for_each<E>(
        &self,
        types: &[ColumnType],
        mut each: impl FnMut(&[Cell<'_>]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut packed = Unpacking(&self.bytes);
        let mut cells = Vec::with_capacity(types.len());
        for _ in 0..self.rows {
            cells.clear();
            cells.extend(types.iter().map(|column_type| packed.cell(*column_type)));
            each(&cells)?;
        }
        Ok(())
    }

    fn push_number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.bytes.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.bytes.push(number as u8);
    }

    fn push_fixed(&mut self, number: Option<i64>) {
        self.bytes.push(number.is_some().into());
        if let Some(number) = number {
            self.bytes.extend_from_slice(&number.to_le_bytes());
        }
    }
}

/// The packed rows that are still to be read. After rows of other types, which would be a bug, the
/// cells are null.
struct Unpacking<'a>(&'a [u8]);

impl<'a> Unpacking<'a> {
    fn cell(&mut self, column_type: ColumnType) -> Cell<'a> {
        match column_type {
            ColumnType::Text => Cell::Text(self.text()),
            ColumnType::Integer => Cell::Integer(self.fixed()),
            ColumnType::Boolean => Cell::Boolean(self.number().checked_sub(1).map(|truth| truth == 1)),
            ColumnType::Date => {
                let days = self.fixed().and_then(|days| i32::try_from(days).ok());
                Cell::Date(days.and_then(NaiveDate::from_num_days_from_ce_opt))
            }
            ColumnType::Timestamp => Cell::Timestamp(self.fixed().and_then(DateTime::from_timestamp_micros)),
            ColumnType::Decimal => {
                Cell::Decimal(self.fixed().map(|number| Decimal::from_millionths(number.into())))
            }
        }
    }

    fn text(&mut self) -> Option<&'a str> {
        let len = usize::try_from(self.number().checked_sub(1)?).ok()?;
        let (text, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        std::str::from_utf8(text).ok()
    }

    fn number(&mut self) -> u64 {
        let (mut number, mut shift) = (0, 0);
        while let Some((byte, rest)) = self.0.split_first() {
            self.0 = rest;
            number |= u64::from(byte & 0x7F) << shift;
            if *byte < 0x80 || shift > 56 {
                break;
            }
            shift += 7;
        }
        number
    }

    fn fixed(&mut self) -> Option<i64> {
        if self.number() == 0 {
            return None;
        }
        let (number, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(i64::from_le_bytes(*number))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn rows_are_unpacked_as_they_were_packed() {
        let long = "备".repeat(100_000);
        let at = DateTime::from_timestamp_micros(-1).unwrap();
        let rows = [
            [
                Cell::Text(Some(&long)),
                Cell::Integer(Some(i64::MIN)),
                Cell::Boolean(Some(false)),
                Cell::Date(Some(NaiveDate::MIN)),
                Cell::Timestamp(Some(at)),
                Cell::Decimal(Some(Decimal::from_millionths(-1))),
            ],
            [
                Cell::Text(Some("")),
                Cell::Integer(Some(0)),
                Cell::Boolean(Some(true)),
                Cell::Date(Some(NaiveDate::MAX)),
                Cell::Timestamp(None),
                Cell::Decimal(Some(Decimal::whole(7))),
            ],
            [
                Cell::Text(None),
                Cell::Integer(None),
                Cell::Boolean(None),
                Cell::Date(None),
                Cell::Timestamp(Some(DateTime::UNIX_EPOCH)),
                Cell::Decimal(None),
            ],
        ];
        let mut packed = PackedRows::default();
        rows.iter().for_each(|row| packed.push(row.iter().copied()));
        let types = [
            ColumnType::Text,
            ColumnType::Integer,
            ColumnType::Boolean,
            ColumnType::Date,
            ColumnType::Timestamp,
            ColumnType::Decimal,
        ];
        let mut unpacked = 0;
        let each = |cells: &[Cell<'_>]| {
            assert_eq!(cells, rows[unpacked]);
            unpacked += 1;
            Ok::<(), ()>(())
        };
        packed.for_each(&types, each).unwrap();
        assert_eq!(unpacked, 3);
    }
}
