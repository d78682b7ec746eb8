//! A whole table of texts, as [`TableRows`] reads it or as JSON lines. Its columns are known by
//! their names alone. So commands read the program's own files back, which people may have saved
//! again.
//!
//! The promises are those of the ledger: a damaged file is an error, and memory holds one record.

use std::io::{BufRead as _, BufReader, Read as _};

use serde_json::{Map, Value};

use super::error::{LedgerError, Result};
use super::input::Input;
use super::ledger_bytes::LedgerBytes;
use super::split::MAX_RECORD;
use super::table_rows::{TableRow, TableRows};
use super::{parquet, workbook};

/// The kind of a file with a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableKind {
    /// CSV, perhaps packed.
    Csv,
    /// One JSON object a line.
    JsonLines,
    /// Parquet.
    Parquet,
    /// A sheet of a workbook.
    Workbook,
}

/// A table whose rows are read once.
pub struct TextTable {
    names: Vec<String>,
    kind: TableKind,
    form: Form,
    /// The texts of the current row, in the order of the names.
    cells: Vec<String>,
}

enum Form {
    Rows { rows: Box<TableRows>, name: String },
    JsonLines { lines: JsonLines, first: Option<Map<String, Value>> },
}

impl TextTable {
    /// Reads the names of the columns. `sheet` is the sheet of a workbook; other files have none.
    ///
    /// # Errors
    /// The file is damaged, is no table, or has no such sheet.
    pub fn open(input: &Input, sheet: Option<&str>) -> Result<Self> {
        let (name, bytes) = (input.name(), input.bytes());
        let mut head = Vec::new();
        let read = bytes.from(0).take(4).read_to_end(&mut head);
        read.map_err(|error| LedgerError::reading(name, None, error))?;
        if head.is_empty() || head.first() == Some(&b'{') {
            return Self::open_json_lines(bytes, name);
        }
        let kind = if head == workbook::MAGIC {
            TableKind::Workbook
        } else if head == parquet::MAGIC {
            TableKind::Parquet
        } else {
            TableKind::Csv
        };
        let rows = TableRows::open(input, sheet)?;
        let (names, cells) = (rows.names().to_vec(), Vec::new());
        let form = Form::Rows { rows: Box::new(rows), name: name.to_owned() };
        Ok(Self { names, kind, form, cells })
    }

    /// The columns are the keys of the first line. An empty file has none.
    fn open_json_lines(bytes: LedgerBytes, name: &str) -> Result<Self> {
        let mut lines = JsonLines { text: BufReader::new(bytes), line: 0, ledger: name.to_owned() };
        let first = lines.next()?;
        let names: Vec<String> = first.iter().flat_map(Map::keys).cloned().collect();
        let cells = vec![String::new(); names.len()];
        Ok(Self { names, kind: TableKind::JsonLines, form: Form::JsonLines { lines, first }, cells })
    }

    /// The kind of the file.
    pub fn kind(&self) -> TableKind {
        self.kind
    }

    /// The names of the columns.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Whether a CSV file for the same people needs a byte order mark.
    pub fn needs_byte_order_mark(&self) -> bool {
        matches!(&self.form, Form::Rows { rows, .. } if rows.needs_byte_order_mark())
    }

    /// The texts of the next row, in the order of the names; `None` at the end. A missing value is
    /// empty.
    ///
    /// # Errors
    /// The file is damaged, or a row cannot be split into values.
    pub fn next_row(&mut self) -> Result<Option<&[String]>> {
        match &mut self.form {
            Form::Rows { rows, name } => {
                let reason = match rows.next().transpose()? {
                    None => return Ok(None),
                    Some(TableRow::Texts(_, texts)) if texts.len() == self.names.len() => {
                        self.cells = texts;
                        return Ok(Some(&self.cells));
                    }
                    Some(TableRow::Texts(line, _)) => format!("its row on line {line} is not whole"),
                    Some(TableRow::Unreadable(line, why)) => format!("its row on line {line}: {why}"),
                };
                return Err(LedgerError::NoTable { ledger: name.clone(), reason });
            }
            Form::JsonLines { lines, first } => {
                let Some(row) = first.take().map_or_else(|| lines.next(), |row| Ok(Some(row)))? else {
                    return Ok(None);
                };
                self.cells.iter_mut().for_each(String::clear);
                for (text, name) in self.cells.iter_mut().zip(&self.names) {
                    match row.get(name) {
                        None | Some(Value::Null) => {}
                        Some(Value::String(value)) => text.push_str(value),
                        Some(value) => text.push_str(&value.to_string()),
                    }
                }
            }
        }
        Ok(Some(&self.cells))
    }
}

struct JsonLines {
    text: BufReader<LedgerBytes>,
    /// Lines read so far.
    line: u64,
    ledger: String,
}

impl JsonLines {
    /// The next line that is not empty.
    fn next(&mut self) -> Result<Option<Map<String, Value>>> {
        loop {
            self.line += 1;
            let mut bytes = Vec::new();
            let limit = 8 * MAX_RECORD as u64;
            let read = self.text.by_ref().take(limit).read_until(b'\n', &mut bytes);
            read.map_err(|error| LedgerError::reading(&self.ledger, Some(self.line), error))?;
            if bytes.is_empty() {
                return Ok(None);
            }
            if !bytes.trim_ascii().is_empty() {
                return serde_json::from_slice(&bytes).map(Some).map_err(|error| LedgerError::NoTable {
                    ledger: self.ledger.clone(),
                    reason: format!("its line {} is no JSON object ({error})", self.line),
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn rows(text: &str) -> Result<Vec<Vec<String>>> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let input = Input::open(file.path()).unwrap();
        let mut table = TextTable::open(&input, None)?;
        let mut rows = vec![table.names().to_vec()];
        while let Some(row) = table.next_row()? {
            rows.push(row.to_vec());
        }
        Ok(rows)
    }

    #[test]
    fn csv_and_json_lines_give_the_same_texts() {
        let csv = rows("a,b,c\n1,\"x, \"\"y\"\"\n号\",\n,,7\n").unwrap();
        let json = rows("{\"a\":1,\"b\":\"x, \\\"y\\\"\\n号\",\"c\":null}\n\n{\"c\":7,\"d\":1}").unwrap();
        assert_eq!(csv, json);
        assert_eq!(csv[1], ["1", "x, \"y\"\n号", ""]);
        assert_eq!(rows("").unwrap(), [Vec::<String>::new()]);
        assert_eq!(rows("\u{feff}call_id;kind\n1;2\n").unwrap(), [["call_id", "kind"], ["1", "2"]]);
    }

    #[test]
    fn a_damaged_row_is_an_error_with_its_line() {
        for (text, words) in [
            ("a,b\n1,2\n3\n", "line 3 is not whole"),
            ("{\"a\":1}\n[1]\n", "line 2 is no JSON object"),
            ("{\"a\":1}\n{\"a\":", "line 2 is no JSON object"),
        ] {
            let error = rows(text).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
