//! Reads the rows and cells of a sheet, in the order of the sheet.

use quick_xml::events::{BytesStart, Event};

use super::part::PartReader;
use super::refused::{Refused, Result};
use super::strings::rich_text;
use super::xml::{Xml, for_each_attribute, is_yes};

/// Most rows and columns of a sheet.
const MAX_ROWS: u64 = 1_048_576;
const MAX_COLUMNS: usize = 16_384;

/// A row of a sheet, before its cells are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Row {
    /// Its number in the sheet, from 1.
    pub(super) number: u64,
    /// True if a filter or a person has hidden it.
    pub(super) is_hidden: bool,
}

/// A cell; [`RowParser::value`] is the text of its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cell {
    /// Its column, from 0.
    pub(super) column: usize,
    pub(super) kind: CellKind,
    /// Index of its style.
    pub(super) style: usize,
    pub(super) has_formula: bool,
    /// True if it has a value, perhaps an empty text.
    pub(super) has_value: bool,
}

/// How a value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CellKind {
    Number,
    /// The number of a shared text.
    SharedText,
    /// A text with escapes such as `_x000D_`.
    Text,
    Boolean,
    /// An error such as `#N/A`.
    Error,
    /// A time in ISO 8601.
    Time,
}

/// Reads the rows of one sheet.
pub(super) struct RowParser {
    xml: Xml,
    value: String,
    /// Number of the last row; 0 before the first.
    row: u64,
    /// The column after the last cell of the row.
    column: usize,
    is_in_row: bool,
    is_at_end: bool,
}

const OUT_OF_ORDER: Refused = Refused::Damaged("its rows or cells are not in order");

impl RowParser {
    /// Reads to the first row.
    ///
    /// # Errors
    /// The part is damaged, or is no sheet with rows.
    pub(super) fn new(part: PartReader) -> Result<Self> {
        let mut xml = Xml::new(part);
        let mut is_sheet = false;
        loop {
            match xml.next()? {
                Event::Start(tag) => match tag.local_name().into_inner() {
                    "worksheet" => is_sheet = true,
                    "sheetData" if is_sheet => break,
                    _ if is_sheet => {}
                    _ => return Err(Refused::Damaged("its sheet is no worksheet")),
                },
                Event::Eof => return Err(Refused::Damaged("its sheet has no place for rows")),
                _ => {}
            }
        }
        Ok(Self { xml, value: String::new(), row: 0, column: 0, is_in_row: false, is_at_end: false })
    }

    /// The text of the value of the cell that was read last.
    pub(super) fn value(&self) -> &str {
        &self.value
    }

    /// The next row; `None` at the end. Unread cells of the row before are passed over.
    ///
    /// # Errors
    /// The part is damaged or cannot be read.
    pub(super) fn next_row(&mut self) -> Result<Option<Row>> {
        while self.is_in_row {
            self.next_cell()?;
        }
        while !self.is_at_end {
            match self.xml.next()? {
                Event::Start(tag) if tag.local_name().into_inner() == "row" => {
                    let row = row_of(&tag, self.row)?;
                    (self.row, self.column, self.is_in_row) = (row.number, 0, true);
                    return Ok(Some(row));
                }
                Event::End(tag) if tag.local_name().into_inner() == "sheetData" => self.is_at_end = true,
                Event::Eof => return Err(Refused::Damaged("a part of it ends too early")),
                _ => {}
            }
        }
        self.xml.finish()?;
        Ok(None)
    }

    /// The next cell of the row; `None` at its end.
    ///
    /// # Errors
    /// The part is damaged or cannot be read.
    pub(super) fn next_cell(&mut self) -> Result<Option<Cell>> {
        loop {
            match self.xml.next()? {
                Event::Start(tag) if tag.local_name().into_inner() == "c" => {
                    let mut cell = cell_of(&tag, self.row, self.column)?;
                    self.column = cell.column + 1;
                    self.read_value(&mut cell)?;
                    return Ok(Some(cell));
                }
                Event::End(tag) if tag.local_name().into_inner() == "row" => {
                    self.is_in_row = false;
                    return Ok(None);
                }
                Event::Eof => return Err(Refused::Damaged("a part of it ends too early")),
                _ => {}
            }
        }
    }

    fn read_value(&mut self, cell: &mut Cell) -> Result<()> {
        self.value.clear();
        loop {
            match self.xml.next()? {
                Event::Start(tag) => match tag.local_name().into_inner() {
                    "v" => {
                        cell.has_value = true;
                        self.xml.text(&mut self.value)?;
                    }
                    "is" => {
                        cell.has_value = true;
                        rich_text(&mut self.xml, &mut self.value)?;
                    }
                    "f" => {
                        cell.has_formula = true;
                        self.xml.pass()?;
                    }
                    _ => self.xml.pass()?,
                },
                Event::End(_) => return Ok(()),
                Event::Eof => return Err(Refused::Damaged("a part of it ends too early")),
                _ => {}
            }
        }
    }
}

/// The row that a tag begins; `before` is the number of the row before it.
fn row_of(tag: &BytesStart<'_>, before: u64) -> Result<Row> {
    let mut row = Row { number: before + 1, is_hidden: false };
    for_each_attribute(tag, |name, value| {
        match name {
            "r" => row.number = value.parse().map_err(|_| OUT_OF_ORDER)?,
            "hidden" => row.is_hidden = is_yes(&value),
            _ => {}
        }
        Ok(())
    })?;
    if row.number <= before || row.number > MAX_ROWS { Err(OUT_OF_ORDER) } else { Ok(row) }
}

/// The cell that a tag begins; `first` is the first column that it may have.
fn cell_of(tag: &BytesStart<'_>, row: u64, first: usize) -> Result<Cell> {
    let mut cell =
        Cell { column: first, kind: CellKind::Number, style: 0, has_formula: false, has_value: false };
    for_each_attribute(tag, |name, value| {
        match name {
            "r" => cell.column = column_of(&value, row).ok_or(OUT_OF_ORDER)?,
            "s" => cell.style = value.parse().map_err(|_| Refused::Damaged("a cell has no valid style"))?,
            "t" => {
                cell.kind = match &*value {
                    "n" => CellKind::Number,
                    "s" => CellKind::SharedText,
                    "str" | "inlineStr" => CellKind::Text,
                    "b" => CellKind::Boolean,
                    "e" => CellKind::Error,
                    "d" => CellKind::Time,
                    _ => return Err(Refused::Damaged("a cell has an unknown type")),
                };
            }
            _ => {}
        }
        Ok(())
    })?;
    if cell.column < first || cell.column >= MAX_COLUMNS { Err(OUT_OF_ORDER) } else { Ok(cell) }
}

/// The column of a reference such as `AB12`, from 0; `None` if it is not in this row.
fn column_of(reference: &str, row: u64) -> Option<usize> {
    let letters = reference.bytes().take_while(u8::is_ascii_alphabetic).count();
    let (letters, number) = reference.split_at(letters);
    let of_row = !letters.is_empty() && letters.len() <= 3 && number.parse() == Ok(row);
    let column = |sum: usize, letter: u8| sum * 26 + usize::from(letter.to_ascii_uppercase() - b'A') + 1;
    of_row.then(|| letters.bytes().fold(0, column) - 1)
}

/// The name of a cell, such as `AB12`. The column counts from 0.
pub(super) fn cell_name(column: usize, row: u64) -> String {
    let mut letters = Vec::new();
    let mut left = column + 1;
    while left > 0 {
        letters.push(char::from(b'A' + u8::try_from((left - 1) % 26).unwrap_or(0)));
        left = (left - 1) / 26;
    }
    letters.iter().rev().collect::<String>() + &row.to_string()
}

#[cfg(test)]
mod tests {
    use super::{cell_name, column_of};

    #[test]
    fn columns_have_letters() {
        for (column, name) in
            [(0, "A7"), (25, "Z7"), (26, "AA7"), (701, "ZZ7"), (702, "AAA7"), (16_383, "XFD7")]
        {
            assert_eq!(cell_name(column, 7), name);
            assert_eq!(column_of(name, 7), Some(column));
        }
        for wrong in ["7", "A", "A8", "", "ABCD7", "A7x"] {
            assert_eq!(column_of(wrong, 7), None, "{wrong}");
        }
    }
}
